//! No false alarm, none missed: our verdict on names and types is the server's own.
//!
//! A generator makes argument sets, right and wrong, out of a server's introspection. Each is judged by the check and by
//! the server. Nothing is ever carried out: every set gets one key more that no command has, and a server reports that
//! key exactly where all the others are right, for it looks for unknown keys last.
//!
//! `QMP_SHELL_TEST_VERDICTS=N` makes N sets for each server (20,000 without), `QMP_SHELL_TEST_SEED=S` begins elsewhere.

use qmp_shell::grammar::{Line, parse_line};
use qmp_shell::schema::{Builtin, Schema, Type, TypeId, TypingContext, request_of_json};
use qmp_shell::session::{Options, Received, Session, connect};
use qmp_shell::wire::{Incoming, ReplyBody, Request};

use crate::support::server::{SMALL, Server};

/// The key that no command has.
const STRANGER: &str = "qmp-shell-stranger";

/// Numbers without rhyme, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }
}

/// Makes JSON by introspection; now and then, something in it is wrong.
struct Generator<'a> {
    schema: &'a Schema,
    dice: Dice,
    /// One in so many places is made wrong.
    faults: usize,
}

impl Generator<'_> {
    fn value(&mut self, kind: TypeId, depth: usize) -> String {
        if self.dice.one_in(self.faults) {
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
            return wrong[self.dice.roll(wrong.len())].to_owned();
        }
        match self.schema.kind(kind) {
            Type::Builtin(Builtin::Str) => "\"x\"".to_owned(),
            Type::Builtin(Builtin::Int) => self.dice.roll(2).to_string(),
            Type::Builtin(Builtin::Number) => ["0", "1.5", "1e3"][self.dice.roll(3)].to_owned(),
            Type::Builtin(Builtin::Bool) => ["true", "false"][self.dice.roll(2)].to_owned(),
            Type::Builtin(Builtin::Null) => "null".to_owned(),
            Type::Builtin(Builtin::Any) => ["{}", "5", "\"x\"", "[null]"][self.dice.roll(4)].to_owned(),
            Type::Enum(values) => format!("\"{}\"", values[self.dice.roll(values.len())].name),
            Type::Array(element) => {
                let items: Vec<String> = (0..self.dice.roll(3)).map(|_| self.value(*element, depth + 1)).collect();
                format!("[{}]", items.join(", "))
            }
            Type::Alternate(kinds) => {
                let kind = kinds[self.dice.roll(kinds.len())];
                self.value(kind, depth + 1)
            }
            Type::Object(_) => format!("{{{}}}", self.members(kind, depth + 1, None).join(", ")),
        }
    }

    /// Members of an object type. `tag` fixes the value of its tag.
    fn members(&mut self, kind: TypeId, depth: usize, tag: Option<&str>) -> Vec<String> {
        let object = self.schema.object(kind);
        let mut members = Vec::new();
        for (index, member) in object.members.iter().enumerate() {
            if object.tag == Some(index) {
                let chosen = match tag {
                    Some(tag) => tag.to_owned(),
                    None => match self.schema.kind(member.kind) {
                        Type::Enum(values) => values[self.dice.roll(values.len())].name.clone(),
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
            let wanted =
                if member.optional { depth < 4 && self.dice.one_in(4) } else { !self.dice.one_in(4 * self.faults) };
            if wanted {
                members.push(format!("\"{}\": {}", member.name, self.value(member.kind, depth)));
            }
        }
        if self.dice.one_in(2 * self.faults) {
            members.push("\"no-such-key\": 1".to_owned());
        }
        if self.dice.one_in(3) && members.len() > 1 {
            let at = self.dice.roll(members.len());
            members.rotate_left(at);
        }
        members
    }
}

/// Sends a request and waits for its reply.
fn ask(session: &mut Session, request: &Request) -> Result<String, String> {
    let id = session.send(request).unwrap().to_string();
    loop {
        match session.receive(None).unwrap() {
            Received::Message(Incoming::Reply(reply)) if reply.id() == Some(id.as_str()) => {
                return match reply.body() {
                    ReplyBody::Return(raw) => Ok(raw.to_owned()),
                    ReplyBody::Error { desc, .. } => Err(desc.to_owned()),
                };
            }
            _ => {}
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn compare(address: &str) {
    let mut session = connect(&address.parse().unwrap(), &Options::default()).unwrap();
    let raw = ask(&mut session, &Request::new("query-qmp-schema")).unwrap();
    let schema = Schema::parse(&raw).unwrap();
    let extra = std::collections::HashMap::new();
    let knowledge = TypingContext { schema: Some(&schema), extra: &extra, allow_unknown: false };
    let seed = number("QMP_SHELL_TEST_SEED", 0x9E37_79B9_7F4A_7C15);
    let count = number("QMP_SHELL_TEST_VERDICTS", 20_000);
    eprintln!("QMP_SHELL_TEST_SEED={seed}");
    // `device_add` takes any key, so the stranger would not be one to it.
    let commands: Vec<_> = schema.commands().iter().filter(|command| command.name != "device_add").collect();
    let mut generator = Generator { schema: &schema, dice: Dice(seed), faults: 8 };
    let (mut right, mut wrong) = (0, 0);
    for _ in 0..count {
        let command = commands[generator.dice.roll(commands.len())];
        let mut members = generator.members(command.arguments, 0, None);
        let line = |members: &[String]| {
            format!("{{\"execute\": \"{}\", \"arguments\": {{{}}}}}", command.name, members.join(", "))
        };
        let own = line(&members);
        let Ok(Line::Json(json)) = parse_line(&own) else {
            // A key given twice: a fault of the generator's that both sides refuse before any check.
            continue;
        };
        let ours = request_of_json(&json, &knowledge).map_err(|fault| fault.message);
        // Of two unknown keys the server names one or the other; one is enough to keep it from carrying anything out.
        if !members.iter().any(|member| member.starts_with("\"no-such-key\"")) {
            members.push(format!("\"{STRANGER}\": 1"));
        }
        let arguments = format!("{{{}}}", members.join(", "));
        let theirs = ask(&mut session, &Request::new(&command.name).with_arguments(arguments));
        let verdict = match &theirs {
            Ok(_) => panic!("the server carried out {own}"),
            Err(desc) => desc.contains(STRANGER),
        };
        assert_eq!(ours.is_ok(), verdict, "{own}\nwe say {ours:?}\nthe server says {theirs:?}");
        if verdict {
            right += 1;
        } else {
            wrong += 1;
        }
    }
    eprintln!("{right} right, {wrong} wrong, all judged alike");
    assert!(right > count / 4 && wrong > count / 5, "{right} right and {wrong} wrong are no fair sample");
}

#[test]
fn qemu_10_judges_as_we_do() {
    let Some(server) = Server::qemu(SMALL) else { return };
    compare(&server.address());
}

#[test]
fn qemu_7_2_judges_as_we_do() {
    let Some(server) = Server::qemu_7_2(SMALL) else { return };
    compare(&server.address());
}

#[test]
fn the_storage_daemon_judges_as_we_do() {
    let Some(server) = Server::storage_daemon() else { return };
    compare(&server.address());
}
