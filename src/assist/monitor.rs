//! Completion of lines for the human monitor: a table from command to what each of its arguments takes.
//!
//! Its lines are words parted by blanks, a word with blanks in double quotes. Names that live in the server come
//! through [`Known`], words of a fixed kind from its introspection.

use std::collections::HashSet;

use crate::grammar::tokenize;
use crate::schema::{Builtin, Given, Schema, Type};

use super::arguments::{Subject, complete_arguments};
use super::complete::{Candidate, Completion, Known};
use super::live::Live;

/// What an argument takes.
enum Takes {
    /// Something that nobody can list: a number, an address, a new name.
    Anything,
    /// A name that lives in the server.
    Name(Live),
    /// A name of one of two kinds.
    Either(Live, Live),
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
    Live(Live),
    /// From introspection of the key that holds them.
    Listed,
}

/// A command of the monitor, its flags that take no value, and what its arguments take.
type Row = (&'static str, &'static str, &'static [Takes]);

const SWITCH: Takes = Takes::Words(&["off", "on"]);
const FORMAT: Takes = Takes::Words(&["qcow2", "raw"]);
const DISPLAY: Takes = Takes::Words(&["spice", "vnc"]);
const DRIVE: Takes = Takes::Name(Live::Drives);
const CHARDEV: Takes = Takes::Name(Live::Chardevs);
const TRACE_EVENT: Takes = Takes::Name(Live::TraceEvents);
const SNAPSHOT: Takes = Takes::Name(Live::Snapshots);
const NETDEV: Takes = Takes::Name(Live::Netdevs);
const JOB: Takes = Takes::Either(Live::Drives, Live::Jobs);
const BLOCK: Takes = Takes::Either(Live::Drives, Live::Nodes);

/// Subcommands stand as the two words that they are.
static TABLE: &[Row] = &[
    ("block_job_cancel", "-f", &[JOB]),
    ("block_job_complete", "", &[JOB]),
    ("block_job_pause", "", &[JOB]),
    ("block_job_resume", "", &[JOB]),
    ("block_job_set_speed", "", &[JOB]),
    ("block_resize", "", &[DRIVE]),
    ("block_set_io_throttle", "", &[DRIVE]),
    ("block_stream", "", &[DRIVE, Takes::Anything, Takes::File]),
    ("calc_dirty_rate", "-r -b", &[]),
    ("cancel_vcpu_dirty_limit", "", &[Takes::Name(Live::Cpus)]),
    ("change", "-f", &[DRIVE, Takes::File, FORMAT, Takes::Listed("blockdev-change-medium", "read-only-mode", "")]),
    ("chardev-add", "", &[Takes::Name(Live::ChardevBackends)]),
    ("chardev-change", "", &[CHARDEV, Takes::Name(Live::ChardevBackends)]),
    ("chardev-remove", "", &[CHARDEV]),
    ("chardev-send-break", "", &[CHARDEV]),
    ("client_migrate_info", "", &[Takes::Words(&["spice"])]),
    ("commit", "", &[DRIVE]),
    ("cpu", "", &[Takes::Name(Live::Cpus)]),
    ("delvm", "", &[SNAPSHOT]),
    ("device_add", "", &[Takes::TypeAndOptions(Types::Live(Live::DeviceTypes), "device_add", "driver")]),
    ("device_del", "", &[Takes::Name(Live::Devices)]),
    ("drive_backup", "-n -f -c", &[DRIVE, Takes::File, FORMAT]),
    ("drive_del", "", &[BLOCK]),
    ("drive_mirror", "-n -f", &[DRIVE, Takes::File, FORMAT]),
    ("dump-guest-memory", "-p -d -z -l -s -w -R", &[Takes::File]),
    ("dumpdtb", "", &[Takes::File]),
    ("eject", "-f", &[DRIVE]),
    ("expire_password", "", &[DISPLAY, Takes::Words(&["never", "now"])]),
    ("gdbserver", "", &[Takes::Words(&["none"])]),
    ("hostfwd_add", "", &[NETDEV]),
    ("hostfwd_remove", "", &[NETDEV]),
    ("info block", "-n -v", &[BLOCK]),
    ("info mtree", "-f -d -o -D", &[]),
    ("info qom-tree", "", &[Takes::QomPath]),
    ("info qtree", "-b", &[]),
    ("info registers", "-a", &[Takes::Name(Live::Cpus)]),
    ("info stats", "", &[Takes::Listed("query-stats", "target", "")]),
    ("info sync-profile", "-m -n", &[]),
    ("info trace-events", "", &[TRACE_EVENT, Takes::Name(Live::Cpus)]),
    ("info virtio-queue-element", "", &[Takes::QomPath]),
    ("info virtio-queue-status", "", &[Takes::QomPath]),
    ("info virtio-status", "", &[Takes::QomPath]),
    ("info virtio-vhost-queue-status", "", &[Takes::QomPath]),
    ("loadvm", "", &[SNAPSHOT]),
    ("logfile", "", &[Takes::File]),
    ("memsave", "", &[Takes::Anything, Takes::Anything, Takes::File]),
    (
        "migrate_set_capability",
        "",
        &[Takes::Listed("migrate-set-capabilities", "capabilities.0.capability", ""), SWITCH],
    ),
    ("migrate_set_parameter", "", &[Takes::Parameter, Takes::ParameterValue]),
    ("nbd_server_add", "-w", &[BLOCK]),
    ("nbd_server_remove", "-f", &[]),
    ("nbd_server_start", "-a -w", &[]),
    ("netdev_add", "", &[Takes::TypeAndOptions(Types::Listed, "netdev_add", "type")]),
    ("netdev_del", "", &[NETDEV]),
    ("object_add", "", &[Takes::TypeAndOptions(Types::Live(Live::ObjectTypes), "object-add", "qom-type")]),
    ("object_del", "", &[Takes::Name(Live::Objects)]),
    ("one-insn-per-tb", "", &[SWITCH]),
    ("pcie_aer_inject_error", "-a -c", &[Takes::Name(Live::Devices)]),
    ("pmemsave", "", &[Takes::Anything, Takes::Anything, Takes::File]),
    ("qemu-io", "-d", &[BLOCK]),
    ("qom-get", "", &[Takes::QomPath, Takes::QomProperty]),
    ("qom-list", "", &[Takes::QomPath]),
    ("qom-set", "-j", &[Takes::QomPath, Takes::QomProperty]),
    ("ringbuf_read", "", &[Takes::RingBuffer]),
    ("ringbuf_write", "", &[Takes::RingBuffer]),
    ("screendump", "", &[Takes::File]),
    ("sendkey", "", &[Takes::Keys]),
    ("set_link", "", &[Takes::Name(Live::NetClients), SWITCH]),
    ("set_password", "", &[DISPLAY]),
    ("set_vcpu_dirty_limit", "", &[Takes::Anything, Takes::Name(Live::Cpus)]),
    ("singlestep", "", &[SWITCH]),
    ("snapshot_blkdev", "-n", &[DRIVE, Takes::File, FORMAT]),
    ("snapshot_blkdev_internal", "", &[DRIVE]),
    ("snapshot_delete_blkdev_internal", "", &[DRIVE, SNAPSHOT]),
    ("sync-profile", "", &[Takes::Words(&["off", "on", "reset"])]),
    ("trace-event", "", &[TRACE_EVENT, SWITCH, Takes::Name(Live::Cpus)]),
    ("watchdog_action", "", &[Takes::Listed("watchdog-set-action", "action", "")]),
    ("wavcapture", "", &[Takes::File]),
];

/// What may stand at the end of `text`, whose line for the monitor begins at `from`.
pub(super) fn complete_monitor(text: &str, from: usize, known: &Known<'_>) -> Completion {
    let line = Typed::read(text, from);
    let before: Vec<&str> = line.before.iter().map(String::as_str).collect();
    let (at, names) = names_for(&before, &line.word, known);
    line.offer(at, names)
}

/// A line up to the cursor.
struct Typed {
    /// The words before the one being typed.
    before: Vec<String>,
    /// That word, without its quote.
    word: String,
    /// Where it begins, its quote included.
    start: usize,
    /// Whether a quote opens it.
    quoted: bool,
}

impl Typed {
    fn read(text: &str, from: usize) -> Typed {
        let mut typed = Typed { before: Vec::new(), word: String::new(), start: text.len(), quoted: false };
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
fn names_for(before: &[&str], word: &str, known: &Known<'_>) -> (usize, Vec<(String, String)>) {
    match before {
        [] | ["help" | "?"] => (0, known.monitor.to_vec()),
        ["help" | "?", rest @ ..] => names_for(rest, word, known),
        ["info"] => (0, known.info.to_vec()),
        ["info", name, arguments @ ..] => of_row(&format!("info {name}"), arguments, word, known),
        [name, arguments @ ..] => of_row(name, arguments, word, known),
    }
}

fn of_row(name: &str, arguments: &[&str], word: &str, known: &Known<'_>) -> (usize, Vec<(String, String)>) {
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
fn of_argument(takes: &Takes, previous: &str, word: &str, known: &Known<'_>) -> (usize, Vec<(String, String)>) {
    let live = |kind: &Live| (known.live)(kind);
    let names = match takes {
        Takes::Anything => Vec::new(),
        Takes::Name(kind) => live(kind),
        Takes::Either(one, other) => {
            let mut names = live(one);
            let ones: HashSet<String> = names.iter().map(|(name, _)| name.clone()).collect();
            names.extend(live(other).into_iter().filter(|(name, _)| !ones.contains(name)));
            names
        }
        Takes::Words(words) => plain(words),
        Takes::Listed(command, key, given) => listed(known.schema, command, key, given),
        Takes::Keys => {
            let at = word.rfind('-').map_or(0, |at| at + 1);
            return (at, listed(known.schema, "send-key", "keys.0.data", "keys.0.type=qcode"));
        }
        Takes::TypeAndOptions(types, command, key) => match (word.contains(','), types) {
            (true, _) => return options(word, command, key, known),
            (false, Types::Live(kind)) => live(kind),
            (false, Types::Listed) => listed(known.schema, command, key, ""),
        },
        Takes::RingBuffer => live(&Live::Chardevs).into_iter().filter(|(_, kind)| kind == "ringbuf").collect(),
        Takes::QomPath => live(&Live::QomChildren(word.rfind('/').map_or("", |at| &word[..at]).to_owned())),
        Takes::QomProperty => live(&Live::QomProperties(previous.to_owned())),
        Takes::Parameter => parameters(known.schema),
        Takes::ParameterValue => listed(known.schema, "migrate-set-parameters", previous, ""),
        Takes::File => (known.files)(word).into_iter().map(|path| (path, String::new())).collect(),
    };
    (0, names)
}

fn plain(words: &[&str]) -> Vec<(String, String)> {
    words.iter().map(|word| ((*word).to_owned(), String::new())).collect()
}

/// The values that introspection lists for a key of a QMP command, `given` being on the line already.
fn listed(schema: Option<&Schema>, command: &str, key: &str, given: &str) -> Vec<(String, String)> {
    let given = Given::of_words(given, &tokenize(given).words);
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
    let mut names: Vec<_> = members.map(|m| (m.name.clone(), crate::schema::plain(schema, m.kind))).collect();
    names.sort();
    names
}

/// `TYPE,KEY=VALUE,…` is completed as the QMP command's words `key=TYPE KEY=VALUE …` are.
fn options(word: &str, command: &str, key: &str, known: &Known<'_>) -> (usize, Vec<(String, String)>) {
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
            let typed = Typed::read(line, 0);
            let found = (typed.before.join("|"), typed.word.as_str(), typed.start, typed.quoted);
            assert_eq!(found, (before.to_owned(), word, start, quoted), "{line}");
        }
    }
}
