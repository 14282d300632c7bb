//! Completion of lines for the human monitor: a table from command to what each of its arguments takes.
//!
//! Its lines are words parted by blanks, a word with blanks in double quotes. Names that live in the server come
//! through [`CompletionContext`], words of a fixed kind from its introspection.

use std::collections::HashSet;

use crate::grammar::tokenize;
use crate::schema::{Builtin, PartialArguments, Schema, Type};

use super::arguments::{Subject, complete_arguments};
use super::complete::{Candidate, Completion, CompletionContext};
use super::live::NameKind;

/// What an argument takes.
enum ArgumentKind {
    /// Something that nobody can list: a number, an address, a new name.
    Anything,
    /// A name that lives in the server.
    Name(NameKind),
    /// A name of one of two kinds.
    Either(NameKind, NameKind),
    /// One of these.
    Words(&'static [&'static str]),
    /// The values that introspection lists: the QMP command, its key, and what is to be given before that.
    Listed(&'static str, &'static str, &'static str),
    /// Keys held down together, parted by `-`.
    Keys,
    /// A type, then comma and `KEY=VALUE` as a QMP command takes them: where the types come from, that command, and its
    /// key for the type.
    TypeAndOptions(Types, &'static str, &'static str),
    /// A character device that is a ring buffer.
    RingBuffer,
    /// A path of the object tree.
    QomPath,
    /// A property of the object at the path in front.
    QomProperty,
    /// A migration parameter.
    Parameter,
    /// The value of the migration parameter in front.
    ParameterValue,
    /// A file.
    File,
}

/// Where the types come from that a thing can be made of.
enum Types {
    /// They live in the server.
    NameKind(NameKind),
    /// From introspection of the key that holds them.
    Listed,
}

/// A command of the monitor, its flags that take no value, and what its arguments take.
type Row = (&'static str, &'static str, &'static [ArgumentKind]);

const SWITCH: ArgumentKind = ArgumentKind::Words(&["off", "on"]);
const FORMAT: ArgumentKind = ArgumentKind::Words(&["qcow2", "raw"]);
const DISPLAY: ArgumentKind = ArgumentKind::Words(&["spice", "vnc"]);
const DRIVE: ArgumentKind = ArgumentKind::Name(NameKind::Drives);
const CHARDEV: ArgumentKind = ArgumentKind::Name(NameKind::Chardevs);
const TRACE_EVENT: ArgumentKind = ArgumentKind::Name(NameKind::TraceEvents);
const SNAPSHOT: ArgumentKind = ArgumentKind::Name(NameKind::Snapshots);
const NETDEV: ArgumentKind = ArgumentKind::Name(NameKind::Netdevs);
const JOB: ArgumentKind = ArgumentKind::Either(NameKind::Drives, NameKind::Jobs);
const BLOCK: ArgumentKind = ArgumentKind::Either(NameKind::Drives, NameKind::Nodes);

/// Subcommands stand as the two words that they are.
static TABLE: &[Row] = &[
    ("block_job_cancel", "-f", &[JOB]),
    ("block_job_complete", "", &[JOB]),
    ("block_job_pause", "", &[JOB]),
    ("block_job_resume", "", &[JOB]),
    ("block_job_set_speed", "", &[JOB]),
    ("block_resize", "", &[DRIVE]),
    ("block_set_io_throttle", "", &[DRIVE]),
    ("block_stream", "", &[DRIVE, ArgumentKind::Anything, ArgumentKind::File]),
    ("calc_dirty_rate", "-r -b", &[]),
    ("cancel_vcpu_dirty_limit", "", &[ArgumentKind::Name(NameKind::Cpus)]),
    (
        "change",
        "-f",
        &[DRIVE, ArgumentKind::File, FORMAT, ArgumentKind::Listed("blockdev-change-medium", "read-only-mode", "")],
    ),
    ("chardev-add", "", &[ArgumentKind::Name(NameKind::ChardevBackends)]),
    ("chardev-change", "", &[CHARDEV, ArgumentKind::Name(NameKind::ChardevBackends)]),
    ("chardev-remove", "", &[CHARDEV]),
    ("chardev-send-break", "", &[CHARDEV]),
    ("client_migrate_info", "", &[ArgumentKind::Words(&["spice"])]),
    ("commit", "", &[DRIVE]),
    ("cpu", "", &[ArgumentKind::Name(NameKind::Cpus)]),
    ("delvm", "", &[SNAPSHOT]),
    ("device_add", "", &[ArgumentKind::TypeAndOptions(Types::NameKind(NameKind::DeviceTypes), "device_add", "driver")]),
    ("device_del", "", &[ArgumentKind::Name(NameKind::Devices)]),
    ("drive_backup", "-n -f -c", &[DRIVE, ArgumentKind::File, FORMAT]),
    ("drive_del", "", &[BLOCK]),
    ("drive_mirror", "-n -f", &[DRIVE, ArgumentKind::File, FORMAT]),
    ("dump-guest-memory", "-p -d -z -l -s -w -R", &[ArgumentKind::File]),
    ("dumpdtb", "", &[ArgumentKind::File]),
    ("eject", "-f", &[DRIVE]),
    ("expire_password", "", &[DISPLAY, ArgumentKind::Words(&["never", "now"])]),
    ("gdbserver", "", &[ArgumentKind::Words(&["none"])]),
    ("hostfwd_add", "", &[NETDEV]),
    ("hostfwd_remove", "", &[NETDEV]),
    ("info block", "-n -v", &[BLOCK]),
    ("info mtree", "-f -d -o -D", &[]),
    ("info qom-tree", "", &[ArgumentKind::QomPath]),
    ("info qtree", "-b", &[]),
    ("info registers", "-a", &[ArgumentKind::Name(NameKind::Cpus)]),
    ("info stats", "", &[ArgumentKind::Listed("query-stats", "target", "")]),
    ("info sync-profile", "-m -n", &[]),
    ("info trace-events", "", &[TRACE_EVENT, ArgumentKind::Name(NameKind::Cpus)]),
    ("info virtio-queue-element", "", &[ArgumentKind::QomPath]),
    ("info virtio-queue-status", "", &[ArgumentKind::QomPath]),
    ("info virtio-status", "", &[ArgumentKind::QomPath]),
    ("info virtio-vhost-queue-status", "", &[ArgumentKind::QomPath]),
    ("loadvm", "", &[SNAPSHOT]),
    ("logfile", "", &[ArgumentKind::File]),
    ("memsave", "", &[ArgumentKind::Anything, ArgumentKind::Anything, ArgumentKind::File]),
    (
        "migrate_set_capability",
        "",
        &[ArgumentKind::Listed("migrate-set-capabilities", "capabilities.0.capability", ""), SWITCH],
    ),
    ("migrate_set_parameter", "", &[ArgumentKind::Parameter, ArgumentKind::ParameterValue]),
    ("nbd_server_add", "-w", &[BLOCK]),
    ("nbd_server_remove", "-f", &[]),
    ("nbd_server_start", "-a -w", &[]),
    ("netdev_add", "", &[ArgumentKind::TypeAndOptions(Types::Listed, "netdev_add", "type")]),
    ("netdev_del", "", &[NETDEV]),
    (
        "object_add",
        "",
        &[ArgumentKind::TypeAndOptions(Types::NameKind(NameKind::ObjectTypes), "object-add", "qom-type")],
    ),
    ("object_del", "", &[ArgumentKind::Name(NameKind::Objects)]),
    ("one-insn-per-tb", "", &[SWITCH]),
    ("pcie_aer_inject_error", "-a -c", &[ArgumentKind::Name(NameKind::Devices)]),
    ("pmemsave", "", &[ArgumentKind::Anything, ArgumentKind::Anything, ArgumentKind::File]),
    ("qemu-io", "-d", &[BLOCK]),
    ("qom-get", "", &[ArgumentKind::QomPath, ArgumentKind::QomProperty]),
    ("qom-list", "", &[ArgumentKind::QomPath]),
    ("qom-set", "-j", &[ArgumentKind::QomPath, ArgumentKind::QomProperty]),
    ("ringbuf_read", "", &[ArgumentKind::RingBuffer]),
    ("ringbuf_write", "", &[ArgumentKind::RingBuffer]),
    ("screendump", "", &[ArgumentKind::File]),
    ("sendkey", "", &[ArgumentKind::Keys]),
    ("set_link", "", &[ArgumentKind::Name(NameKind::NetClients), SWITCH]),
    ("set_password", "", &[DISPLAY]),
    ("set_vcpu_dirty_limit", "", &[ArgumentKind::Anything, ArgumentKind::Name(NameKind::Cpus)]),
    ("singlestep", "", &[SWITCH]),
    ("snapshot_blkdev", "-n", &[DRIVE, ArgumentKind::File, FORMAT]),
    ("snapshot_blkdev_internal", "", &[DRIVE]),
    ("snapshot_delete_blkdev_internal", "", &[DRIVE, SNAPSHOT]),
    ("sync-profile", "", &[ArgumentKind::Words(&["off", "on", "reset"])]),
    ("trace-event", "", &[TRACE_EVENT, SWITCH, ArgumentKind::Name(NameKind::Cpus)]),
    ("watchdog_action", "", &[ArgumentKind::Listed("watchdog-set-action", "action", "")]),
    ("wavcapture", "", &[ArgumentKind::File]),
];

/// What may stand at the end of `text`, whose line for the monitor begins at `from`.
pub(super) fn complete_monitor(text: &str, from: usize, known: &CompletionContext<'_>) -> Completion {
    let line = TypedPrefix::read(text, from);
    let before: Vec<&str> = line.before.iter().map(String::as_str).collect();
    let (at, names) = names_for(&before, &line.word, known);
    line.offer(at, names)
}

/// A line up to the cursor.
struct TypedPrefix {
    /// The words before the one being typed.
    before: Vec<String>,
    /// That word, without its quote.
    word: String,
    /// Where it begins, its quote included.
    start: usize,
    /// Whether a quote opens it.
    quoted: bool,
}

impl TypedPrefix {
    fn read(text: &str, from: usize) -> TypedPrefix {
        let mut typed = TypedPrefix { before: Vec::new(), word: String::new(), start: text.len(), quoted: false };
        let mut inside = false;
        let mut chars = text[from..].char_indices();
        while let Some((offset, c)) = chars.next() {
            if c.is_whitespace() && !typed.quoted {
                if inside {
                    typed.before.push(std::mem::take(&mut typed.word));
                }
                inside = false;
                continue;
            }
            if !inside {
                inside = true;
                typed.start = from + offset;
                typed.quoted = c == '"';
                if typed.quoted {
                    continue;
                }
            }
            match c {
                '"' if typed.quoted => typed.quoted = false,
                '\\' if typed.quoted => typed.word.extend(chars.next().map(|(_, c)| c)),
                c => typed.word.push(c),
            }
        }
        if !inside {
            typed.start = text.len();
        }
        typed
    }

    /// Those names that go on from `at` bytes into the word; with what stands in front where all of it is quoted anew.
    fn offer(&self, at: usize, names: Vec<(String, String)>) -> Completion {
        let (kept, typed) = self.word.split_at(at);
        // One quoting for all: they replace the same text.
        let whole = self.quoted || names.iter().any(|(name, _)| needs_quotes(name)) || needs_quotes(&self.word);
        let fitting = names.into_iter().filter(|(name, _)| name.starts_with(typed));
        let candidates = fitting.map(|(name, about)| {
            let text = if whole { quoted(&format!("{kept}{name}"), self.quoted) } else { name };
            Candidate { text, about }
        });
        let candidates: Vec<Candidate> = candidates.collect();
        match candidates.is_empty() {
            true => Completion::default(),
            false => Completion { start: if whole { self.start } else { self.start + at }, candidates },
        }
    }
}

fn needs_quotes(word: &str) -> bool {
    word.contains([' ', '\t', '"'])
}

/// A word in quotes, where it has them already or needs them. A folder's stay open for what is in it.
fn quoted(word: &str, has_quotes: bool) -> String {
    if !has_quotes && !needs_quotes(word) {
        return word.to_owned();
    }
    let close = if word.ends_with(['/', '=']) { "" } else { "\"" };
    format!("\"{}{close}", word.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The names that may stand behind `before`, and how many bytes into `word` they begin.
fn names_for(before: &[&str], word: &str, known: &CompletionContext<'_>) -> (usize, Vec<(String, String)>) {
    match before {
        [] | ["help" | "?"] => (0, known.monitor.to_vec()),
        ["help" | "?", rest @ ..] => names_for(rest, word, known),
        ["info"] => (0, known.info.to_vec()),
        ["info", name, arguments @ ..] => of_row(&format!("info {name}"), arguments, word, known),
        [name, arguments @ ..] => of_row(name, arguments, word, known),
    }
}

fn of_row(name: &str, arguments: &[&str], word: &str, known: &CompletionContext<'_>) -> (usize, Vec<(String, String)>) {
    let Some((_, flags, takes)) = TABLE.iter().find(|row| row.0 == name) else { return (0, Vec::new()) };
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let arguments: Vec<&str> = arguments.iter().copied().filter(|argument| !flags.contains(argument)).collect();
    if word.starts_with('-') && !flags.is_empty() {
        return (0, plain(&flags));
    }
    match takes.get(arguments.len()) {
        Some(takes) => of_argument(takes, arguments.last().copied().unwrap_or_default(), word, known),
        None => (0, Vec::new()),
    }
}

/// The names that an argument takes; `previous` is the argument in front of it.
fn of_argument(
    takes: &ArgumentKind,
    previous: &str,
    word: &str,
    known: &CompletionContext<'_>,
) -> (usize, Vec<(String, String)>) {
    let live = |kind: &NameKind| (known.live)(kind);
    let names = match takes {
        ArgumentKind::Anything => Vec::new(),
        ArgumentKind::Name(kind) => live(kind),
        ArgumentKind::Either(one, other) => {
            let mut names = live(one);
            let ones: HashSet<String> = names.iter().map(|(name, _)| name.clone()).collect();
            names.extend(live(other).into_iter().filter(|(name, _)| !ones.contains(name)));
            names
        }
        ArgumentKind::Words(words) => plain(words),
        ArgumentKind::Listed(command, key, given) => listed(known.schema, command, key, given),
        ArgumentKind::Keys => {
            let at = word.rfind('-').map_or(0, |at| at + 1);
            return (at, listed(known.schema, "send-key", "keys.0.data", "keys.0.type=qcode"));
        }
        ArgumentKind::TypeAndOptions(types, command, key) => match (word.contains(','), types) {
            (true, _) => return options(word, command, key, known),
            (false, Types::NameKind(kind)) => live(kind),
            (false, Types::Listed) => listed(known.schema, command, key, ""),
        },
        ArgumentKind::RingBuffer => {
            live(&NameKind::Chardevs).into_iter().filter(|(_, kind)| kind == "ringbuf").collect()
        }
        ArgumentKind::QomPath => live(&NameKind::QomChildren(word.rfind('/').map_or("", |at| &word[..at]).to_owned())),
        ArgumentKind::QomProperty => live(&NameKind::QomProperties(previous.to_owned())),
        ArgumentKind::Parameter => parameters(known.schema),
        ArgumentKind::ParameterValue => listed(known.schema, "migrate-set-parameters", previous, ""),
        ArgumentKind::File => (known.files)(word).into_iter().map(|path| (path, String::new())).collect(),
    };
    (0, names)
}

fn plain(words: &[&str]) -> Vec<(String, String)> {
    words.iter().map(|word| ((*word).to_owned(), String::new())).collect()
}

/// The values that introspection lists for a key of a QMP command, `given` being on the line already.
fn listed(schema: Option<&Schema>, command: &str, key: &str, given: &str) -> Vec<(String, String)> {
    let given = PartialArguments::of_words(given, &tokenize(given).words);
    let path: Vec<String> = key.split('.').map(str::to_owned).collect();
    let kind = schema
        .and_then(|schema| Some(schema.kind(given.type_at(schema, schema.command(command)?.arguments, &path)?)));
    match kind {
        Some(Type::Enum(values)) => values.iter().map(|v| (v.name.clone(), v.features.join(", "))).collect(),
        Some(Type::Builtin(Builtin::Bool)) => plain(&["off", "on"]),
        _ => Vec::new(),
    }
}

/// Migration parameters are the members of the command that sets them.
fn parameters(schema: Option<&Schema>) -> Vec<(String, String)> {
    let Some(schema) = schema else { return Vec::new() };
    let Some(command) = schema.command("migrate-set-parameters") else { return Vec::new() };
    let members = schema.object(command.arguments).members.iter();
    let mut names: Vec<_> = members.map(|m| (m.name.clone(), crate::schema::type_label(schema, m.kind))).collect();
    names.sort();
    names
}

/// `TYPE,KEY=VALUE,…` is completed as the QMP command's words `key=TYPE KEY=VALUE …` are.
fn options(word: &str, command: &str, key: &str, known: &CompletionContext<'_>) -> (usize, Vec<(String, String)>) {
    let Some((schema, info)) = known.schema.and_then(|schema| Some((schema, schema.command(command)?))) else {
        return (0, Vec::new());
    };
    let names_its_key = word.split(',').next().is_some_and(|first| first.contains('='));
    let lead = if names_its_key { String::new() } else { format!("{key}=") };
    let line = format!("{lead}{}", word.replace(',', " "));
    let tokens = tokenize(&line);
    if !tokens.comments.is_empty() {
        return (0, Vec::new());
    }
    let subject = Subject { schema, name: command, root: info.arguments, live: known.live, files: known.files };
    let completion = complete_arguments(&line, &tokens, &subject);
    let switched = |text: String| match text.as_str() {
        "true" => "on".to_owned(),
        "false" => "off".to_owned(),
        _ => text,
    };
    let names = completion.candidates.into_iter().map(|c| (switched(c.text), c.about)).collect();
    (completion.start.saturating_sub(lead.len()), names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_stands_once_and_in_order() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} {}", pair[0].0, pair[1].0);
        }
    }

    #[test]
    fn words_are_parted_as_the_monitor_parts_them() {
        for (line, before, word, start, quoted) in [
            ("", "", "", 0, false),
            ("info", "", "info", 0, false),
            ("info ", "info", "", 5, false),
            ("info  b", "info", "b", 6, false),
            ("a \"b c\" d", "a|b c", "d", 8, false),
            ("a \"b c", "a", "b c", 2, true),
            ("a \"b\\\" c", "a", "b\" c", 2, true),
        ] {
            let typed = TypedPrefix::read(line, 0);
            let found = (typed.before.join("|"), typed.word.as_str(), typed.start, typed.quoted);
            assert_eq!(found, (before.to_owned(), word, start, quoted), "{line}");
        }
    }
}
