//! The verdict on the human monitor's text, which always comes as a successful reply.
//!
//! A command that only acts says nothing if it succeeds, so whatever it says is the report of a failure. [`SPEAKING`] has
//! the exceptions.

use super::super::events::filter::matches_glob_exactly;
use Text::{Answer, Report};

/// The role of a command's text. The globs are for whole lines.
#[derive(Debug)]
enum Text {
    /// The text is what was asked for; a line that matches one of these globs reports a failure.
    Answer(&'static [&'static str]),
    /// The text reports a failure, unless a line matches one of these globs.
    Report(&'static [&'static str]),
}

/// Lines that report the failure of any command.
const FAILURES: &[&str] =
    &["unknown command:*", "Error:*", "Try \"help * for more information", "Command \"*\" is not available*"];

/// Lines that accompany both success and failure.
const REMARKS: &[&str] = &["", "info: *", "warning: *", "Please use *=* instead"];

/// Lines of commands that show memory which is not there.
const UNREADABLE: &[&str] = &["*: Cannot access memory", "*: unable to read memory"];
const UNMAPPED: &[&str] = &["No memory is mapped at address *", "Memory at address * is not RAM"];

/// Lines of `info` about something that does not exist.
const NOT_FOUND: &[&str] = &[
    "CPU#* not available",
    "No CPU available",
    "Path '*' could not be resolved.",
    "invalid stats provider *",
    "invalid stats target *",
    "invalid vCPU index *",
    "unknown event *",
];

const DIRTY_LIMIT: &[&str] = &["[Please use 'info vcpu_dirty_limit' *"];
const REDIRECTED: &[&str] = &["char device redirected to *"];

/// The commands that may succeed and speak, as QEMU 7.2 and 10.0 do.
const SPEAKING: &[(&str, Text)] = &[
    ("?", Answer(&[])),
    ("boot_set", Report(&["boot device list now set to *"])),
    ("calc_dirty_rate", Report(&["Starting dirty rate measurement with *"])),
    ("cancel_vcpu_dirty_limit", Report(DIRTY_LIMIT)),
    ("chardev-add", Report(REDIRECTED)),
    ("chardev-change", Report(REDIRECTED)),
    ("drive_add", Report(&["OK"])),
    ("gdbserver", Report(&["Disabled gdbserver", "Waiting for gdb connection on device *"])),
    ("gpa2hpa", Answer(UNMAPPED)),
    ("gpa2hva", Answer(UNMAPPED)),
    ("gva2gpa", Answer(&["Unmapped"])),
    ("help", Answer(&[])),
    ("hostfwd_remove", Report(&["host forwarding rule for * removed"])),
    ("i", Answer(&[])),
    ("info", Answer(NOT_FOUND)),
    // It is started all the same.
    ("migrate", Report(&["terminal does not allow synchronous migration, continuing detached"])),
    ("p", Answer(&[])),
    ("pcie_aer_inject_error", Report(&["OK id: *"])),
    ("print", Answer(&[])),
    ("qemu-io", Answer(&[])),
    ("qom-get", Answer(&[])),
    ("qom-list", Answer(&[])),
    ("ringbuf_read", Answer(&[])),
    ("set_vcpu_dirty_limit", Report(DIRTY_LIMIT)),
    ("sum", Answer(&[])),
    ("sync-profile", Answer(&[])),
    ("x", Answer(UNREADABLE)),
    ("xen-event-list", Answer(&[])),
    ("xp", Answer(UNREADABLE)),
];

/// The commands that can be asked for a list: `device_add help`, `object_add secret,?`, `drive_add 0 format=help`.
const LISTING: &[&str] = &["chardev-add", "device_add", "drive_add", "log", "netdev_add", "object_add"];

/// Returns whether the text that the human monitor returned for a line reports a failure.
pub(super) fn reports_failure(line: &str, text: &str) -> bool {
    let is_remark = |line: &&str| matches_any(REMARKS, line);
    let has = |globs: &[&str]| text.lines().any(|line| matches_any(globs, line));
    match role_of_text(line) {
        Answer(failures) => {
            // The lines in between may be anything, such as those of a ring buffer.
            let ends = [text.lines().find(|line| !is_remark(line)), text.lines().next_back()];
            has(failures) || ends.into_iter().flatten().any(|line| matches_any(FAILURES, line))
        }
        Report(successes) => has(FAILURES) || !text.lines().all(|line| is_remark(&line)) && !has(successes),
    }
}

/// Returns whether a line matches one of the globs. Compares their ends first, because a text may have a million lines.
fn matches_any(globs: &[&str], line: &str) -> bool {
    let ends_match = |glob: &str| {
        let (start, end) = (glob.split('*').next(), glob.rsplit('*').next());
        line.starts_with(start.unwrap_or_default()) && line.ends_with(end.unwrap_or_default())
    };
    globs.iter().any(|glob| ends_match(glob) && matches_glob_exactly(glob, line))
}

fn role_of_text(line: &str) -> &'static Text {
    let line = line.trim_start();
    // As in `x/4xb 0`.
    let end = line.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(line.len());
    let (name, arguments) = line.split_at(end);
    if LISTING.contains(&name) && asks_for_help(arguments) {
        return &Answer(&[]);
    }
    SPEAKING.iter().find(|(speaking, _)| *speaking == name).map_or(&Report(&[]), |(_, role)| role)
}

/// Returns whether arguments ask for a list.
fn asks_for_help(arguments: &str) -> bool {
    let mut options = arguments.split(|c: char| c.is_whitespace() || c == ',');
    options.any(|option| matches!(option.rsplit('=').next(), Some("help" | "?")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_only_acts_and_speaks_has_failed() {
        assert!(SPEAKING.is_sorted_by_key(|(name, _)| *name));
        for (line, text) in [
            ("drive_del x", "Device 'x' not found\n"),
            ("drive_del help", "Device 'help' not found\n"),
            (" drive_add 0 file=OK", "Could not open 'OK': No such file or directory\n"),
            ("log nosuch", "Log items (comma separated):\nnone  remove all logs\n"),
            ("gdbserver x:1", "warning: no\nCould not open gdbserver on device 'x:1'\n"),
            ("hostfwd_remove tcp::1", "host forwarding rule for tcp::1 not found\n"),
            ("x/4xb 0", "0000000000000000: Cannot access memory\n"),
            ("info status", "Error: no\n"),
            ("device_add help,x", "Error: no\n"),
            ("cpu 9", "invalid CPU index\n"),
            ("x 3 3", "x: extraneous characters at the end of line\nTry \"help x\" for more information\n"),
            ("nope", "unknown command: 'nope'\n"),
        ] {
            assert!(reports_failure(line, text), "{line}");
        }
    }

    #[test]
    fn answers_and_remarks_are_not_failures() {
        for (line, text) in [
            ("drive_add 0 file=x", "OK\n"),
            ("drive_add 0 format=help", "Supported formats: raw\n"),
            ("log help", "Log items (comma separated):\n"),
            ("device_add isa-serial,?", "isa-serial options:\n  irq=<uint8>\n"),
            ("device_add old", "warning: `old` is deprecated\n"),
            ("stop", ""),
            ("x/4xb 0", "0000000000000000: 0x00\n"),
            ("info name", "a name with Error: in it\n"),
            ("ringbuf_read ring 100", "booting\nError: no disk\nretrying\n"),
            ("help drive_del", "drive_del device -- remove host block device\n"),
        ] {
            assert!(!reports_failure(line, text), "{line}");
        }
    }
}
