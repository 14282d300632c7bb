//! The commands that only ask: they change nothing in the server. Any other command, known or not, may change something.

/// QMP commands that only ask. A `*` stands for any text.
const QMP_COMMANDS: &[&str] = &[
    "device-list-properties",
    "guest-fsfreeze-status",
    "guest-get-*",
    "guest-info",
    "guest-network-get-*",
    "guest-ping",
    "guest-ssh-get-authorized-keys",
    "qom-get",
    "qom-list",
    "qom-list-get",
    "qom-list-properties",
    "qom-list-types",
    "query-*",
    "trace-event-get-state",
    "x-debug-query-block-graph",
    "x-query-*",
    "xen-event-list",
];

/// Commands of the human monitor that only ask, with their aliases.
const HMP_COMMANDS: &[&str] =
    &["?", "gpa2hpa", "gpa2hva", "gva2gpa", "help", "info", "p", "print", "qom-get", "qom-list", "sum", "x", "xp"];

/// Returns whether a QMP command only asks. `human-monitor-command` does if its line does, see [`hmp_line_only_asks`].
pub fn qmp_command_only_asks(name: &str) -> bool {
    QMP_COMMANDS.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *pattern,
    })
}

/// Returns whether a line of the human monitor only asks.
pub fn hmp_line_only_asks(line: &str) -> bool {
    // A format may follow the name without a blank, as in `x/4i`.
    let name = line.trim_start().split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
    HMP_COMMANDS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_that_ask_are_listed() {
        for name in ["query-jobs", "query-foo", "qom-get", "x-query-numa", "guest-get-time", "device-list-properties"] {
            assert!(qmp_command_only_asks(name), "{name}");
        }
        for name in ["qom-set", "query", "stop", "guest-exec-status", "ringbuf-read", "screendump", "unknown", ""] {
            assert!(!qmp_command_only_asks(name), "{name}");
        }
        for line in ["info block", " x/4i $pc", "p $rip", "help", "?", "info"] {
            assert!(hmp_line_only_asks(line), "{line}");
        }
        for line in ["quit", "information", "i/b 0x60", "stop", "", "# info", "log /x"] {
            assert!(!hmp_line_only_asks(line), "{line}");
        }
    }
}
