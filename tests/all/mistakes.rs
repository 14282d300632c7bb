//! The error for a mistaken line names the key that is wrong, as the server's own error does or better.
//!
//! A generator makes valid lines from a server's introspection and puts one mistake into each: it drops a key, misspells
//! it, moves it to another level, or gives it a value of another type. Each line is checked, and sent with `--no-check`
//! to hear what the server says about it.
//!
//! `QMP_SHELL_TEST_MISTAKES=N` makes N lines for each server (by default 600), `QMP_SHELL_TEST_SEED=S` sets the seed.

use std::collections::BTreeMap;

use qmp_shell::schema::{Builtin, ObjectMember, Schema, Type, TypeId};
use serde_json::Value;

use crate::support::program::{dry_run, qmp_shell};
use crate::support::random::Random;
use crate::support::server::{Q35, Server};

/// A key of a line and its value.
#[derive(Debug, Clone)]
struct Key {
    parts: Vec<String>,
    value: String,
    is_required: bool,
    is_tag: bool,
    /// A value of another type, unless every word is a value of this type.
    wrong_value: Option<&'static str>,
}

impl Key {
    fn dotted(&self) -> String {
        self.parts.join(".")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mistake {
    DroppedTag,
    DroppedKey,
    Misspelled,
    TooHigh,
    TooDeep,
    WrongType,
}

const MISTAKES: &[Mistake] = &[
    Mistake::DroppedTag,
    Mistake::DroppedKey,
    Mistake::Misspelled,
    Mistake::TooHigh,
    Mistake::TooDeep,
    Mistake::WrongType,
];

/// A line with a mistake.
#[derive(Debug)]
struct MistakenLine {
    line: String,
    mistake: Mistake,
    /// The right key at the place of the mistake.
    key: String,
}

struct Generator<'a> {
    schema: &'a Schema,
    random: Random,
}

impl Generator<'_> {
    /// Generates the keys of an object of this type below `path`.
    fn add_keys(&mut self, kind: TypeId, path: &[String], keys: &mut Vec<Key>) {
        let schema = self.schema;
        let object = schema.object(kind);
        for member in &object.members {
            let is_tag = object.tag_member() == Some(member);
            let is_wanted = !member.optional || path.len() < 3 && self.random.one_in(6);
            if is_wanted {
                self.add_key(member, is_tag, path, keys);
            }
            if let (true, Some(tag)) = (is_tag, keys.last().map(|key| key.value.clone()))
                && let Some((_, variant)) = object.variants.iter().find(|(case, _)| *case == tag)
            {
                self.add_keys(*variant, path, keys);
            }
        }
    }

    fn add_key(&mut self, member: &ObjectMember, is_tag: bool, path: &[String], keys: &mut Vec<Key>) {
        let mut parts = [path, std::slice::from_ref(&member.name)].concat();
        let mut kind = member.kind;
        loop {
            let (value, wrong_value) = match self.schema.definition(kind) {
                Type::Builtin(Builtin::Str) => ("x", None),
                Type::Builtin(Builtin::Any) => ("1", None),
                Type::Builtin(Builtin::Int | Builtin::Number) => ("1", Some("zzz")),
                Type::Builtin(Builtin::Bool) => ("on", Some("zzz")),
                Type::Builtin(Builtin::Null) => ("null", Some("zzz")),
                Type::Enum(values) => (values[self.random.below(values.len())].name.as_str(), Some("zzz")),
                Type::Alternate(kinds) => {
                    // Only alternates make types recursive; they end with a name instead of an object.
                    let is_end = |kind: &TypeId| !matches!(self.schema.definition(*kind), Type::Object(_));
                    let end = kinds.iter().copied().find(is_end).filter(|_| path.len() > 3);
                    kind = end.unwrap_or(kinds[self.random.below(kinds.len())]);
                    continue;
                }
                Type::Array(element) => {
                    parts.push("0".to_owned());
                    kind = *element;
                    continue;
                }
                Type::Object(_) => {
                    let before = keys.len();
                    self.add_keys(kind, &parts, keys);
                    if keys.len() > before {
                        return;
                    }
                    ("{}", Some("zzz"))
                }
            };
            let value = value.to_owned();
            keys.push(Key { parts, value, is_required: !member.optional, is_tag, wrong_value });
            return;
        }
    }

    /// Puts a mistake into the keys of a line. `None` if they do not allow this one.
    fn make_mistake(&mut self, mistake: Mistake, keys: &mut Vec<Key>) -> Option<String> {
        let fits = |key: &Key| match mistake {
            Mistake::DroppedTag => key.is_tag,
            Mistake::DroppedKey => key.is_required && !key.is_tag,
            Mistake::Misspelled => key.parts.last().is_some_and(|name| name.len() > 3),
            Mistake::TooHigh => key.parts.len() > 1,
            Mistake::TooDeep => true,
            Mistake::WrongType => key.wrong_value.is_some(),
        };
        let fitting: Vec<usize> = (0..keys.len()).filter(|index| fits(&keys[*index])).collect();
        if fitting.is_empty() {
            return None;
        }
        let index = fitting[self.random.below(fitting.len())];
        let right = keys[index].dotted();
        let name = keys[index].parts.last()?.clone();
        match mistake {
            Mistake::DroppedTag | Mistake::DroppedKey => {
                keys.remove(index);
            }
            Mistake::Misspelled => *keys[index].parts.last_mut()? = self.misspell(&name)?,
            Mistake::TooHigh => {
                let len = keys[index].parts.len();
                keys[index].parts.remove(len - 2);
            }
            Mistake::TooDeep => {
                let siblings = &keys[index].parts[..keys[index].parts.len() - 1];
                let deeper =
                    keys.iter().filter(|key| key.parts.len() > siblings.len() + 1 && key.parts.starts_with(siblings));
                let branches: Vec<Vec<String>> = deeper.map(|key| key.parts[..=siblings.len()].to_vec()).collect();
                if branches.is_empty() {
                    return None;
                }
                let mut parts = branches[self.random.below(branches.len())].clone();
                parts.push(name);
                keys[index].parts = parts;
            }
            Mistake::WrongType => keys[index].value = keys[index].wrong_value?.to_owned(),
        }
        let moved = keys.get(index).map(Key::dotted).unwrap_or_default();
        let is_array_part = |part: &str| part.parse::<usize>().is_ok();
        let is_clash = keys.iter().filter(|key| key.dotted() == moved).count() > 1;
        // A numbered part is neither misspelled nor moved, since the line then has a mistake of another kind.
        let is_moved_index =
            matches!(mistake, Mistake::TooHigh | Mistake::TooDeep) && right.split('.').any(is_array_part);
        (!is_clash && !is_moved_index).then_some(right)
    }

    /// Swaps two letters, or drops or doubles one.
    fn misspell(&mut self, name: &str) -> Option<String> {
        let mut letters: Vec<char> = name.chars().collect();
        let at = 1 + self.random.below(letters.len() - 2);
        match self.random.below(3) {
            0 => letters.swap(at, at + 1),
            1 => drop(letters.remove(at)),
            _ => letters.insert(at, letters[at]),
        }
        let misspelled: String = letters.into_iter().collect();
        (misspelled != name && misspelled.parse::<usize>().is_err()).then_some(misspelled)
    }

    fn line(&mut self, mistake: Mistake) -> Option<MistakenLine> {
        // `device_add` takes keys that introspection does not describe.
        let commands: Vec<_> = self.schema.commands().iter().filter(|command| command.name != "device_add").collect();
        let command = commands[self.random.below(commands.len())];
        let mut keys = Vec::new();
        self.add_keys(command.arguments, &[], &mut keys);
        let key = self.make_mistake(mistake, &mut keys)?;
        if !keys.is_empty() {
            let at = self.random.below(keys.len());
            keys.rotate_left(at);
        }
        let words = keys.iter().map(|key| format!(" {}={}", key.dotted(), key.value));
        Some(MistakenLine { line: command.name.clone() + &words.collect::<String>(), mistake, key })
    }
}

/// Returns the parameter that an error of the server names, as a key.
fn named_parameter(desc: &str) -> Option<String> {
    let after = desc.split_once("arameter '").or_else(|| desc.split_once("arameter type for '"))?.1;
    // Older servers name the value instead.
    let (name, rest) = after.split_once('\'')?;
    let is_parameter = !desc.starts_with("Invalid parameter '") && !rest.is_empty();
    is_parameter.then(|| name.replace('[', ".").replace(']', ""))
}

fn descriptions(lines: &[&str]) -> Vec<String> {
    let desc = |line: &&str| {
        let reply: Value = serde_json::from_str(line).unwrap();
        reply["error"]["desc"].as_str().unwrap_or_default().to_owned()
    };
    lines.iter().map(desc).collect()
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn schema_of(address: &str) -> Schema {
    let client = qmp_shell::Client::connect(address).unwrap();
    let raw: Box<serde_json::value::RawValue> = client.execute("query-qmp-schema", ()).unwrap();
    Schema::parse(raw.get()).unwrap()
}

fn compare(address: &str) {
    let schema = schema_of(address);
    let count = number("QMP_SHELL_TEST_MISTAKES", 600);
    let seed = number("QMP_SHELL_TEST_SEED", 0x51_7CC1_B727);
    eprintln!("QMP_SHELL_TEST_SEED={seed}");
    let mut generator = Generator { schema: &schema, random: Random(seed as u64) };
    let mut lines = Vec::new();
    while lines.len() < count {
        lines.extend(generator.line(MISTAKES[lines.len() % MISTAKES.len()]));
    }
    let ours = descriptions(&dry_run(address, lines.iter().map(|line| line.line.as_str())).lines());
    // A moved or dropped key can leave a valid line, which must not be executed.
    let refused: Vec<(MistakenLine, String)> =
        lines.into_iter().zip(ours).filter(|(_, ours)| !ours.is_empty()).collect();
    let input: Vec<&str> = refused.iter().map(|(line, _)| line.line.as_str()).collect();
    let run = qmp_shell(&["--no-check", "--no-events", address]).input(input.join("\n")).run();
    let theirs = descriptions(&run.lines());
    assert_eq!(refused.len(), theirs.len());
    let mut counts: BTreeMap<Mistake, [usize; 3]> = BTreeMap::new();
    let mut poorer = Vec::new();
    for ((line, ours), theirs) in refused.iter().zip(&theirs) {
        assert!(!theirs.is_empty(), "the server executed {line:?}");
        let Some(parameter) = named_parameter(theirs) else { continue };
        let names = |key: &str| ours.contains(&format!("`{key}`"));
        let [as_the_server, right, all] = counts.entry(line.mistake).or_default();
        *all += 1;
        *as_the_server += usize::from(names(&parameter));
        *right += usize::from(names(&line.key));
        if !names(&line.key) && !names(&parameter) {
            poorer.push(format!("{line:?}\nours:   {ours}\ntheirs: {theirs}\n"));
        }
    }
    eprintln!("naming the key that the server names, the right key, all: {counts:?}");
    assert!(poorer.is_empty(), "{} poorer:\n{}", poorer.len(), poorer.join("\n"));
    let [_, right, all] = counts[&Mistake::Misspelled];
    assert!(right * 100 >= all * 95, "the right key is suggested for {right} of {all} misspelled ones");
    let compared: usize = counts.values().map(|[.., all]| all).sum();
    assert!(compared >= count / 2 && counts.len() == MISTAKES.len(), "not a fair sample: {counts:?}");
}

#[test]
fn examples_of_objects_are_valid() {
    let Some(server) = Server::qemu(Q35) else { return };
    let schema = schema_of(&server.address());
    let mut lines = Vec::new();
    for command in schema.commands().iter().filter(|command| command.name != "device_add") {
        let object = schema.object(command.arguments);
        let variants = object.variants.iter().map(|(case, variant)| (Some(case), schema.object(*variant)));
        for (case, part) in [(None, object)].into_iter().chain(variants) {
            let tag = object.tag_member().zip(case).map(|(tag, case)| format!(" {}={case}", tag.name));
            let start = command.name.clone() + &tag.unwrap_or_default();
            lines.extend(part.members.iter().map(|member| (start.clone(), format!("{}=x-y", member.name))));
        }
    }
    let refused = dry_run(&server.address(), lines.iter().map(|(start, word)| format!("{start} {word}")));
    let descs = descriptions(&refused.lines());
    let example = |desc: &str| Some(desc.split_once("write it as in `")?.1.trim_end_matches('`').to_owned());
    let examples: Vec<(&str, String)> =
        lines.iter().zip(&descs).filter_map(|((start, _), desc)| Some((start.as_str(), example(desc)?))).collect();
    assert!(examples.len() > 20, "{examples:?}");
    let lines: Vec<String> = examples.iter().map(|(start, example)| format!("{start} {example}")).collect();
    let run = dry_run(&server.address(), lines.iter());
    for (line, desc) in lines.iter().zip(descriptions(&run.lines())) {
        // Other keys of the command may be missing.
        assert!(desc.is_empty() || desc.starts_with("missing key") && !desc.contains('.'), "{line}: {desc}");
    }
}

#[test]
fn names_the_key_that_qemu_names() {
    let Some(server) = Server::qemu(Q35) else { return };
    compare(&server.address());
}

#[test]
fn names_the_key_that_qemu_7_2_names() {
    let Some(server) = Server::qemu_7_2(Q35) else { return };
    compare(&server.address());
}

#[test]
fn names_the_key_that_the_storage_daemon_names() {
    let Some(server) = Server::storage_daemon() else { return };
    compare(&server.address());
}
