//! Completion of HMP lines, by a table that says what each argument of each command takes.
//!
//! HMP words end at whitespace; a word with spaces is in double quotes.

use std::collections::HashSet;

use crate::grammar::tokenize;
use crate::schema::{Builtin, PartialArguments, Schema, Type, type_label};

use super::arguments::{Subject, complete_arguments};
use super::complete::Completer;
use super::matching::Matching;
use super::name_kind::NameKind;
use super::types::{Candidate, Completion, Name};

use ArgumentKind::{
    Anything, Either, File, Keys, Listed, Names, Parameter, ParameterValue, QomPath, QomProperty, RingBuffer,
    TypeAndOptions, Words,
};

/// The values that an argument takes.
enum ArgumentKind {
    /// A value that cannot be listed: a number, an address, a new name.
    Anything,
    Names(NameKind),
    /// Names of either kind.
    Either(NameKind, NameKind),
    Words(&'static [&'static str]),
    /// The values that introspection lists for a key of a QMP command: the command, the key, and other arguments to
    /// assume.
    Listed(&'static str, &'static str, &'static str),
    /// Keyboard keys, joined by `-`.
    Keys,
    /// A type, then a comma and `KEY=VALUE` as in a QMP command: the source of the types, that command, and its key for
    /// the type.
    TypeAndOptions(TypeSource, &'static str, &'static str),
    /// A character device that is a ring buffer.
    RingBuffer,
    QomPath,
    /// A property of the object that the argument before it names.
    QomProperty,
    /// A migration parameter.
    Parameter,
    /// A value of the migration parameter that the argument before it names.
    ParameterValue,
    File,
}

/// The source of the types of devices and objects.
enum TypeSource {
    LiveNames(NameKind),
    /// The introspection of the key for the type.
    Schema,
}

/// A command, its flags without a value, and the kinds of its arguments. Each subcommand of `info` has its own row.
type Row = (&'static str, &'static str, &'static [ArgumentKind]);

const SWITCH: ArgumentKind = Words(&["off", "on"]);
const FORMAT: ArgumentKind = Words(&["qcow2", "raw"]);
const DISPLAY: ArgumentKind = Words(&["spice", "vnc"]);
const DRIVE: ArgumentKind = Names(NameKind::Drives);
const CHARDEV: ArgumentKind = Names(NameKind::Chardevs);
const TRACE_EVENT: ArgumentKind = Names(NameKind::TraceEvents);
const SNAPSHOT: ArgumentKind = Names(NameKind::Snapshots);
const NETDEV: ArgumentKind = Names(NameKind::Netdevs);
const JOB: ArgumentKind = Either(NameKind::Drives, NameKind::Jobs);
const BLOCK: ArgumentKind = Either(NameKind::Drives, NameKind::Nodes);

static TABLE: &[Row] = &[
    ("block_job_cancel", "-f", &[JOB]),
    ("block_job_complete", "", &[JOB]),
    ("block_job_pause", "", &[JOB]),
    ("block_job_resume", "", &[JOB]),
    ("block_job_set_speed", "", &[JOB]),
    ("block_resize", "", &[DRIVE]),
    ("block_set_io_throttle", "", &[DRIVE]),
    ("block_stream", "", &[DRIVE, Anything, File]),
    ("calc_dirty_rate", "-r -b", &[]),
    ("cancel_vcpu_dirty_limit", "", &[Names(NameKind::Cpus)]),
    ("change", "-f", &[DRIVE, File, FORMAT, Listed("blockdev-change-medium", "read-only-mode", "")]),
    ("chardev-add", "", &[Names(NameKind::ChardevBackends)]),
    ("chardev-change", "", &[CHARDEV, Names(NameKind::ChardevBackends)]),
    ("chardev-remove", "", &[CHARDEV]),
    ("chardev-send-break", "", &[CHARDEV]),
    ("client_migrate_info", "", &[Words(&["spice"])]),
    ("commit", "", &[DRIVE]),
    ("cpu", "", &[Names(NameKind::Cpus)]),
    ("delvm", "", &[SNAPSHOT]),
    ("device_add", "", &[TypeAndOptions(TypeSource::LiveNames(NameKind::DeviceTypes), "device_add", "driver")]),
    ("device_del", "", &[Names(NameKind::Devices)]),
    ("drive_backup", "-n -f -c", &[DRIVE, File, FORMAT]),
    ("drive_del", "", &[BLOCK]),
    ("drive_mirror", "-n -f", &[DRIVE, File, FORMAT]),
    ("dump-guest-memory", "-p -d -z -l -s -w -R", &[File]),
    ("dumpdtb", "", &[File]),
    ("eject", "-f", &[DRIVE]),
    ("expire_password", "", &[DISPLAY, Words(&["never", "now"])]),
    ("gdbserver", "", &[Words(&["none"])]),
    ("hostfwd_add", "", &[NETDEV]),
    ("hostfwd_remove", "", &[NETDEV]),
    ("info block", "-n -v", &[BLOCK]),
    ("info mtree", "-f -d -o -D", &[]),
    ("info qom-tree", "", &[QomPath]),
    ("info qtree", "-b", &[]),
    ("info registers", "-a", &[Names(NameKind::Cpus)]),
    ("info stats", "", &[Listed("query-stats", "target", "")]),
    ("info sync-profile", "-m -n", &[]),
    ("info trace-events", "", &[TRACE_EVENT, Names(NameKind::Cpus)]),
    ("info virtio-queue-element", "", &[QomPath]),
    ("info virtio-queue-status", "", &[QomPath]),
    ("info virtio-status", "", &[QomPath]),
    ("info virtio-vhost-queue-status", "", &[QomPath]),
    ("loadvm", "", &[SNAPSHOT]),
    ("logfile", "", &[File]),
    ("memsave", "", &[Anything, Anything, File]),
    ("migrate_set_capability", "", &[Listed("migrate-set-capabilities", "capabilities.0.capability", ""), SWITCH]),
    ("migrate_set_parameter", "", &[Parameter, ParameterValue]),
    ("nbd_server_add", "-w", &[BLOCK]),
    ("nbd_server_remove", "-f", &[]),
    ("nbd_server_start", "-a -w", &[]),
    ("netdev_add", "", &[TypeAndOptions(TypeSource::Schema, "netdev_add", "type")]),
    ("netdev_del", "", &[NETDEV]),
    ("object_add", "", &[TypeAndOptions(TypeSource::LiveNames(NameKind::ObjectTypes), "object-add", "qom-type")]),
    ("object_del", "", &[Names(NameKind::Objects)]),
    ("one-insn-per-tb", "", &[SWITCH]),
    ("pcie_aer_inject_error", "-a -c", &[Names(NameKind::Devices)]),
    ("pmemsave", "", &[Anything, Anything, File]),
    ("qemu-io", "-d", &[BLOCK]),
    ("qom-get", "", &[QomPath, QomProperty]),
    ("qom-list", "", &[QomPath]),
    ("qom-set", "-j", &[QomPath, QomProperty]),
    ("ringbuf_read", "", &[RingBuffer]),
    ("ringbuf_write", "", &[RingBuffer]),
    ("screendump", "", &[File]),
    ("sendkey", "", &[Keys]),
    ("set_link", "", &[Names(NameKind::NetClients), SWITCH]),
    ("set_password", "", &[DISPLAY]),
    ("set_vcpu_dirty_limit", "", &[Anything, Names(NameKind::Cpus)]),
    ("singlestep", "", &[SWITCH]),
    ("snapshot_blkdev", "-n", &[DRIVE, File, FORMAT]),
    ("snapshot_blkdev_internal", "", &[DRIVE]),
    ("snapshot_delete_blkdev_internal", "", &[DRIVE, SNAPSHOT]),
    ("sync-profile", "", &[Words(&["off", "on", "reset"])]),
    ("trace-event", "", &[TRACE_EVENT, SWITCH, Names(NameKind::Cpus)]),
    ("watchdog_action", "", &[Listed("watchdog-set-action", "action", "")]),
    ("wavcapture", "", &[File]),
];

/// Completes the end of `text`, an HMP line that begins at byte `line_start`.
pub(super) fn complete_hmp(text: &str, line_start: usize, completer: &Completer<'_>) -> Completion {
    let line = HmpPrefix::parse(text, line_start);
    let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
    let (offset, names) = names_after(&words, &line.word, completer);
    line.offer(offset, names, completer.lookup.matching)
}

/// An HMP line up to the cursor.
struct HmpPrefix {
    /// The words before the one being typed.
    words: Vec<String>,
    /// The word being typed, without its quote.
    word: String,
    /// Its byte offset, with its quote.
    start: usize,
    /// Whether a quote opens it.
    quoted: bool,
}

impl HmpPrefix {
    fn parse(text: &str, line_start: usize) -> HmpPrefix {
        let mut line = HmpPrefix { words: Vec::new(), word: String::new(), start: text.len(), quoted: false };
        let mut in_word = false;
        let mut chars = text[line_start..].char_indices();
        while let Some((offset, c)) = chars.next() {
            if c.is_whitespace() && !line.quoted {
                if in_word {
                    line.words.push(std::mem::take(&mut line.word));
                }
                in_word = false;
                continue;
            }
            if !in_word {
                in_word = true;
                line.start = line_start + offset;
                line.quoted = c == '"';
                if line.quoted {
                    continue;
                }
            }
            match c {
                '"' if line.quoted => line.quoted = false,
                '\\' if line.quoted => line.word.extend(chars.next().map(|(_, c)| c)),
                c => line.word.push(c),
            }
        }
        if !in_word {
            line.start = text.len();
        }
        line
    }

    /// Offers the names that continue the word from byte `offset` on.
    fn offer(&self, offset: usize, names: Vec<Name>, matching: Matching) -> Completion {
        let (kept, typed) = self.word.split_at(offset);
        // All candidates replace the same text, so one that needs quotes gives all of them quotes.
        let whole = self.quoted || needs_quotes(&self.word) || names.iter().any(|name| needs_quotes(&name.text));
        let names = names.into_iter().filter(|name| matching.accepts(&name.text, typed));
        let candidates: Vec<Candidate> = names
            .map(|name| {
                let text = if whole { quoted(&format!("{kept}{}", name.text), self.quoted) } else { name.text };
                Candidate::new(text, name.description)
            })
            .collect();
        match candidates.is_empty() {
            true => Completion::default(),
            false => {
                let start = if whole { self.start } else { self.start + offset };
                Completion { start, candidates, missing: Vec::new() }
            }
        }
    }
}

fn needs_quotes(word: &str) -> bool {
    word.contains([' ', '\t', '"'])
}

/// Quotes a word that has a quote already or needs one. The quote of a directory stays open, so that its entries can
/// follow.
fn quoted(word: &str, has_quote: bool) -> String {
    if !has_quote && !needs_quotes(word) {
        return word.to_owned();
    }
    let close = if word.ends_with(['/', '=']) { "" } else { "\"" };
    format!("\"{}{close}", word.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Returns the names that may follow `words`, and the byte of `word` at which they begin.
fn names_after(words: &[&str], word: &str, completer: &Completer<'_>) -> (usize, Vec<Name>) {
    match words {
        [] | ["help" | "?"] => (0, completer.context.hmp_commands.clone()),
        ["help" | "?", rest @ ..] => names_after(rest, word, completer),
        ["info"] => (0, completer.context.hmp_info.clone()),
        ["info", name, arguments @ ..] => command_arguments(&format!("info {name}"), arguments, word, completer),
        [name, arguments @ ..] => command_arguments(name, arguments, word, completer),
    }
}

fn command_arguments(command: &str, arguments: &[&str], word: &str, completer: &Completer<'_>) -> (usize, Vec<Name>) {
    let Some((_, flags, kinds)) = TABLE.iter().find(|row| row.0 == command) else { return (0, Vec::new()) };
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let arguments: Vec<&str> = arguments.iter().copied().filter(|argument| !flags.contains(argument)).collect();
    if word.starts_with('-') && !flags.is_empty() {
        return (0, undescribed(&flags));
    }
    match kinds.get(arguments.len()) {
        Some(kind) => argument_names(kind, arguments.last().copied().unwrap_or_default(), word, completer),
        None => (0, Vec::new()),
    }
}

/// Returns the names that an argument takes. `previous` is the argument before it.
fn argument_names(kind: &ArgumentKind, previous: &str, word: &str, completer: &Completer<'_>) -> (usize, Vec<Name>) {
    let (schema, lookup) = (completer.context.schema, &completer.lookup);
    let names = match kind {
        Anything => Vec::new(),
        Names(kind) => lookup.get(kind).to_vec(),
        Either(one, other) => {
            let mut names = lookup.get(one).to_vec();
            let known: HashSet<String> = names.iter().map(|name| name.text.clone()).collect();
            names.extend(lookup.get(other).iter().filter(|name| !known.contains(&name.text)).cloned());
            names
        }
        Words(words) => undescribed(words),
        Listed(command, key, assumed) => listed_values(schema, command, key, assumed),
        Keys => {
            let offset = word.rfind('-').map_or(0, |at| at + 1);
            return (offset, listed_values(schema, "send-key", "keys.0.data", "keys.0.type=qcode"));
        }
        TypeAndOptions(source, command, key) => match (word.contains(','), source) {
            (true, _) => return option_names(word, command, key, completer),
            (false, TypeSource::LiveNames(kind)) => lookup.get(kind).to_vec(),
            (false, TypeSource::Schema) => listed_values(schema, command, key, ""),
        },
        RingBuffer => {
            let chardevs = lookup.get(&NameKind::Chardevs).iter();
            chardevs.filter(|chardev| chardev.description == "ringbuf").cloned().collect()
        }
        QomPath => {
            let parent = word.rfind('/').map_or("", |at| &word[..at]);
            lookup.get(&NameKind::QomChildren(parent.to_owned())).to_vec()
        }
        QomProperty => lookup.get(&NameKind::QomProperties(previous.to_owned())).to_vec(),
        Parameter => migration_parameters(schema),
        ParameterValue => listed_values(schema, "migrate-set-parameters", previous, ""),
        File => {
            let files = lookup.get(&NameKind::ServerFiles(word.to_owned())).iter();
            files.map(|file| Name::new(&file.text, "")).collect()
        }
    };
    (0, names)
}

fn undescribed(words: &[&str]) -> Vec<Name> {
    words.iter().map(|word| Name::new(*word, "")).collect()
}

/// Returns the values that introspection lists for a key of a QMP command, if the arguments `assumed` are given.
fn listed_values(schema: Option<&Schema>, command: &str, key: &str, assumed: &str) -> Vec<Name> {
    let arguments = PartialArguments::of_words(assumed, &tokenize(assumed).words, None);
    let path: Vec<String> = key.split('.').map(str::to_owned).collect();
    let kind = schema.and_then(|schema| {
        Some(schema.definition(arguments.type_at(schema, schema.command(command)?.arguments, &path)?))
    });
    match kind {
        Some(Type::Enum(values)) => {
            values.iter().map(|value| Name::new(&value.name, value.features.join(", "))).collect()
        }
        Some(Type::Builtin(Builtin::Bool)) => undescribed(&["off", "on"]),
        _ => Vec::new(),
    }
}

/// Returns the migration parameters: the members of the command that sets them.
fn migration_parameters(schema: Option<&Schema>) -> Vec<Name> {
    let Some(schema) = schema else { return Vec::new() };
    let Some(command) = schema.command("migrate-set-parameters") else { return Vec::new() };
    let members = schema.object(command.arguments).members.iter();
    let mut names: Vec<Name> = members.map(|member| Name::new(&member.name, type_label(schema, member.kind))).collect();
    names.sort();
    names
}

/// Completes `TYPE,KEY=VALUE,…` as the words `key=TYPE KEY=VALUE …` of a QMP command.
fn option_names(word: &str, command: &str, key: &str, completer: &Completer<'_>) -> (usize, Vec<Name>) {
    let Some((schema, info)) = completer.context.schema.and_then(|schema| Some((schema, schema.command(command)?)))
    else {
        return (0, Vec::new());
    };
    let has_key = word.split(',').next().is_some_and(|first| first.contains('='));
    let prefix = if has_key { String::new() } else { format!("{key}=") };
    let line = format!("{prefix}{}", word.replace(',', " "));
    let tokens = tokenize(&line);
    if !tokens.comments.is_empty() {
        return (0, Vec::new());
    }
    let subject = Subject { schema, name: command, root: info.arguments, lookup: &completer.lookup };
    let completion = complete_arguments(&line, &tokens.words, &[], &subject);
    let names = completion.candidates.into_iter().map(|candidate| {
        let text = match candidate.text.as_str() {
            "true" => "on".to_owned(),
            "false" => "off".to_owned(),
            _ => candidate.text,
        };
        Name::new(text, candidate.description)
    });
    (completion.start.saturating_sub(prefix.len()), names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_each_command_once_and_in_order() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} {}", pair[0].0, pair[1].0);
        }
    }

    #[test]
    fn splits_words_as_the_human_monitor_does() {
        for (line, words, word, start, quoted) in [
            ("", "", "", 0, false),
            ("info", "", "info", 0, false),
            ("info ", "info", "", 5, false),
            ("info  b", "info", "b", 6, false),
            ("a \"b c\" d", "a|b c", "d", 8, false),
            ("a \"b c", "a", "b c", 2, true),
            ("a \"b\\\" c", "a", "b\" c", 2, true),
        ] {
            let parsed = HmpPrefix::parse(line, 0);
            let found = (parsed.words.join("|"), parsed.word.as_str(), parsed.start, parsed.quoted);
            assert_eq!(found, (words.to_owned(), word, start, quoted), "{line}");
        }
    }
}
