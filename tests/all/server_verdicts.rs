//! The check of names and types agrees with real servers.
//!
//! A generator makes valid and invalid arguments from a server's introspection, and the check and the server both judge
//! them. No request is executed: all arguments get one more key that no command has, and a server reports that key only if
//! everything else is valid, because it looks for unknown keys last.
//!
//! `QMP_SHELL_TEST_VERDICTS=N` makes N requests for each server (by default 20,000), of which those that repeat are judged
//! once; `QMP_SHELL_TEST_SEED=S` sets the seed.

use std::collections::HashMap;

use qmp_shell::grammar::{Line, parse_line};
use qmp_shell::schema::{Builtin, Schema, Type, TypeId, TypingContext, request_of_json};
use qmp_shell::session::{Options, Received, Session};
use qmp_shell::wire::{ReplyBody, Request};

use crate::support::random::Random;
use crate::support::server::{SMALL, Server};

/// A key that no command has.
const UNKNOWN_KEY: &str = "qmp-shell-unknown-key";

/// Generates JSON from introspection, with occasional mistakes.
struct Generator<'a> {
    schema: &'a Schema,
    random: Random,
    /// One in this many values is invalid.
    mistake_interval: usize,
}

impl Generator<'_> {
    fn value(&mut self, kind: TypeId, depth: usize) -> String {
        if self.random.one_in(self.mistake_interval) {
            let wrong = [
                "null",
                "true",
                "1",
                "1.5",
                "\"no-such-value\"",
                "[]",
                "{}",
                "[{}]",
                "{\"no-such-key\": 1}",
                "[\"x\", 1]",
            ];
            return wrong[self.random.below(wrong.len())].to_owned();
        }
        match self.schema.definition(kind) {
            Type::Builtin(Builtin::Str) => "\"x\"".to_owned(),
            Type::Builtin(Builtin::Int) => self.random.below(2).to_string(),
            Type::Builtin(Builtin::Number) => ["0", "1.5", "1e3"][self.random.below(3)].to_owned(),
            Type::Builtin(Builtin::Bool) => ["true", "false"][self.random.below(2)].to_owned(),
            Type::Builtin(Builtin::Null) => "null".to_owned(),
            Type::Builtin(Builtin::Any) => ["{}", "5", "\"x\"", "[null]"][self.random.below(4)].to_owned(),
            Type::Enum(values) => format!("\"{}\"", values[self.random.below(values.len())].name),
            Type::Array(element) => {
                let items: Vec<String> = (0..self.random.below(3)).map(|_| self.value(*element, depth + 1)).collect();
                format!("[{}]", items.join(", "))
            }
            Type::Alternate(kinds) => {
                let kind = kinds[self.random.below(kinds.len())];
                self.value(kind, depth + 1)
            }
            Type::Object(_) => format!("{{{}}}", self.members(kind, depth + 1, None).join(", ")),
        }
    }

    /// Generates the members of an object type. `tag` fixes the value of its tag.
    fn members(&mut self, kind: TypeId, depth: usize, tag: Option<&str>) -> Vec<String> {
        let object = self.schema.object(kind);
        let mut members = Vec::new();
        for (index, member) in object.members.iter().enumerate() {
            if object.tag == Some(index) {
                let chosen = match tag {
                    Some(tag) => tag.to_owned(),
                    None => match self.schema.definition(member.kind) {
                        Type::Enum(values) => values[self.random.below(values.len())].name.clone(),
                        _ => continue,
                    },
                };
                members.push(format!("\"{}\": \"{chosen}\"", member.name));
                let variant = object.variants.iter().find(|(case, _)| *case == chosen);
                if let Some((_, variant)) = variant {
                    members.extend(self.members(*variant, depth, None));
                }
                continue;
            }
            let wanted = if member.optional {
                depth < 4 && self.random.one_in(4)
            } else {
                !self.random.one_in(4 * self.mistake_interval)
            };
            if wanted {
                members.push(format!("\"{}\": {}", member.name, self.value(member.kind, depth)));
            }
        }
        if self.random.one_in(2 * self.mistake_interval) {
            members.push("\"no-such-key\": 1".to_owned());
        }
        if self.random.one_in(3) && members.len() > 1 {
            let at = self.random.below(members.len());
            members.rotate_left(at);
        }
        members
    }
}

/// Sends a request and waits for its reply.
fn execute(session: &mut Session, request: &Request) -> Result<String, String> {
    let id = session.send(request).unwrap();
    loop {
        match session.receive(None).unwrap() {
            Received::Reply { id: replied, reply } if replied == id => {
                return match reply.body() {
                    ReplyBody::Return(raw) => Ok(raw.to_owned()),
                    ReplyBody::Error { desc, .. } => Err(desc.to_owned()),
                };
            }
            _ => {}
        }
    }
}

/// Returns whether the check and the server accept a request, on which they must agree. `None` if a key is given twice,
/// which both refuse before the check.
fn judge(
    session: &mut Session,
    context: &TypingContext<'_>,
    command: &str,
    mut members: Vec<String>,
    request: &str,
) -> Option<bool> {
    let Ok(Line::Json(json)) = parse_line(request) else { return None };
    let ours = request_of_json(&json, context).map_err(|diagnostic| diagnostic.message);
    // The server names either of two unknown keys; one is enough to keep it from executing the request.
    if !members.iter().any(|member| member.starts_with("\"no-such-key\"")) {
        members.push(format!("\"{UNKNOWN_KEY}\": 1"));
    }
    let arguments = format!("{{{}}}", members.join(", "));
    let theirs = execute(session, &Request::new(command).with_arguments(arguments));
    let verdict = match &theirs {
        Ok(_) => panic!("the server executed {request}"),
        Err(desc) => desc.contains(UNKNOWN_KEY),
    };
    assert_eq!(ours.is_ok(), verdict, "{request}\nthe check: {ours:?}\nthe server: {theirs:?}");
    Some(verdict)
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn compare(address: &str) {
    let mut session = qmp_shell::open(&address.parse().unwrap(), &Options::default()).unwrap();
    let raw = execute(&mut session, &Request::new("query-qmp-schema")).unwrap();
    let schema = Schema::parse(&raw).unwrap();
    let undocumented_types = HashMap::new();
    let context =
        TypingContext { schema: Some(&schema), undocumented_types: &undocumented_types, allow_invalid: false };
    let seed = number("QMP_SHELL_TEST_SEED", 0x9E37_79B9_7F4A_7C15);
    let count = number("QMP_SHELL_TEST_VERDICTS", 20_000);
    eprintln!("QMP_SHELL_TEST_SEED={seed}");
    // `device_add` takes any key, so it does not report the unknown one.
    let commands: Vec<_> = schema.commands().iter().filter(|command| command.name != "device_add").collect();
    let mut generator = Generator { schema: &schema, random: Random(seed), mistake_interval: 8 };
    let mut verdicts: HashMap<String, Option<bool>> = HashMap::new();
    let (mut valid, mut invalid) = (0, 0);
    for _ in 0..count {
        let command = commands[generator.random.below(commands.len())];
        let members = generator.members(command.arguments, 0, None);
        let request = format!("{{\"execute\": \"{}\", \"arguments\": {{{}}}}}", command.name, members.join(", "));
        // Requests with few arguments repeat, and both sides would judge them as before.
        let verdict = verdicts.entry(request);
        match *verdict.or_insert_with_key(|request| judge(&mut session, &context, &command.name, members, request)) {
            Some(true) => valid += 1,
            Some(false) => invalid += 1,
            None => {}
        }
    }
    eprintln!("{valid} valid, {invalid} invalid; {} different", verdicts.len());
    assert!(valid > count / 4 && invalid > count / 5, "not a fair sample: {valid} valid, {invalid} invalid");
}

#[test]
fn agrees_with_qemu() {
    let Some(server) = Server::qemu(SMALL) else { return };
    compare(&server.address());
}

#[test]
fn agrees_with_qemu_7_2() {
    let Some(server) = Server::qemu_7_2(SMALL) else { return };
    compare(&server.address());
}

#[test]
fn agrees_with_the_storage_daemon() {
    let Some(server) = Server::storage_daemon() else { return };
    compare(&server.address());
}
