//! Advice on a line that is not sent: what it was perhaps meant to be.
//!
//! Whoever reads a line knows its form alone, and whoever checks it QMP alone. Here the server, its human monitor and the
//! shell are known, so a line for another of them is told where it belongs.

use std::time::{Duration, Instant};

use crate::grammar::{Diagnostic, Word, tokenize};
use crate::schema::{Builtin, PartialArguments, Schema, Type, TypeId, nearest, nearest_command, unknown_command};

use super::{DOT_COMMANDS, DotCommand};
use crate::shell::engine::Engine;

/// How long the human monitor may take to say what it has.
const BLINK: Duration = Duration::from_millis(500);

/// A longer line is not repeated in advice.
const SHORT: usize = 60;

/// What people type by the habit of other shells, and what does it here.
const FOREIGN_COMMANDS: &[(&str, &str)] = &[
    ("?", "`help` explains"),
    ("bye", "`.exit` or Ctrl-D leaves the shell"),
    ("exit", "`.exit` or Ctrl-D leaves the shell"),
    ("logout", "`.exit` or Ctrl-D leaves the shell"),
    ("q", "`.exit` or Ctrl-D leaves the shell, `quit` ends QEMU"),
];

impl Engine {
    /// The fault of `line`, by all that is known. That its command is not there comes before what is wrong behind it.
    pub(crate) fn advised(&mut self, fault: Diagnostic, line: &str) -> Diagnostic {
        let words = tokenize(line).words;
        let words = match words.as_slice() {
            [first, rest @ ..] if first.is_bare("exec-oob") => rest,
            words => words,
        };
        let Some((name, words)) = words.split_first() else { return fault };
        let is_name = name.bracket.is_none() && name.equals.is_none() && name.open.is_none();
        let loose = words.iter().find(|word| word.span == fault.span && is_loose(word));
        // `NAME,KEY=VALUE,…` as on QEMU's command line and in the human monitor.
        let of_monitor = words.first().is_some_and(|word| word.equals.is_some() && word.key().contains(','));
        if !is_name || fault.span != name.span && loose.is_none() && !of_monitor {
            return fault;
        }
        let Ok(Some(schema)) = self.learn_schema() else { return fault };
        match schema.command(&name.text) {
            None => {
                let near = nearest_command(&schema, &name.text);
                let help = match self.mode.suggests_corrections {
                    // One command is all there is: no other language, no commands to the shell.
                    true => None,
                    false => self.suggest_other_mode(name, line, near.filter(|_| loose.is_none())),
                };
                let help = help.or_else(|| Some(format!("did you mean `{}`?", near?)));
                unknown_command(&name.text, name.span, help.as_deref())
            }
            Some(_) if of_monitor => {
                match self.of_monitor(&name.text, line).filter(|_| !self.mode.suggests_corrections) {
                    Some(help) => Diagnostic::new(fault.span, format!("{}; {help}", fault.message)),
                    None => fault,
                }
            }
            Some(info) => {
                let meant = loose.and_then(|word| {
                    let given = PartialArguments::of_words(line, words);
                    meant(&schema, &given, info.arguments, word, &line[word.span.range()])
                });
                match meant {
                    Some(meant) => Diagnostic::new(fault.span, format!("{}; did you mean `{meant}`?", fault.message)),
                    None => fault,
                }
            }
        }
    }

    /// Who else has a command of this name. One that differs only in its dashes from a command of the server's, `near`, is
    /// meant for the server.
    fn suggest_other_mode(&mut self, name: &Word, line: &str, near: Option<&str>) -> Option<String> {
        if let Some((_, help)) = FOREIGN_COMMANDS.iter().find(|(habit, _)| *habit == name.text) {
            return Some((*help).to_owned());
        }
        if near.is_some_and(|near| near.replace('_', "-") == name.text.replace('_', "-")) {
            return None;
        }
        // `x/4i` is `x /4i` there.
        let command = name.text.split('/').next().unwrap_or_default();
        if let Some(help) = self.of_monitor(command, line) {
            return Some(help);
        }
        let own = match near {
            Some(_) => DotCommand::find(&name.text).map(|command| command.name),
            None => nearest(&name.text, DOT_COMMANDS.iter().map(|command| command.name)),
        };
        own.map(|own| format!("did you mean `.{own}`?"))
    }

    /// How to have the human monitor carry out `line`, if it has the command.
    fn of_monitor(&mut self, command: &str, line: &str) -> Option<String> {
        self.learn_names_for(".hmp ", Instant::now() + BLINK);
        self.server_info.monitor().iter().find(|(known, _)| known == command)?;
        let line = line.trim();
        let line = if line.len() <= SHORT && !line.contains('\n') { line.to_owned() } else { format!("{command} …") };
        Some(format!("the human monitor has: `.hmp {line}`"))
    }
}

/// Whether a word is neither `KEY=VALUE` nor wrong in itself.
fn is_loose(word: &Word) -> bool {
    word.equals.is_none() && word.open.is_none() && !word.is_bare("|")
}

/// What a word without a key was perhaps meant to be: a key whose value is missing, or the value of the only key that is
/// still needed. `typed` is the word, quotes and all.
fn meant(schema: &Schema, given: &PartialArguments, root: TypeId, word: &Word, typed: &str) -> Option<String> {
    let expected = given.expected(schema, root, &[])?;
    let missing = expected.missing();
    if missing.iter().any(|member| member.name == word.text) {
        return Some(format!("{typed}=…"));
    }
    let mut needed = missing.iter().filter(|member| !member.optional);
    let member = match (needed.next(), needed.next(), missing.as_slice()) {
        (Some(one), None, _) | (None, None, [one]) => one,
        _ => return None,
    };
    takes(schema, member.kind, &word.text).then(|| format!("{}={typed}", member.name))
}

/// Whether a word may be of this type, by its form.
fn takes(schema: &Schema, kind: TypeId, word: &str) -> bool {
    match schema.kind(kind) {
        Type::Builtin(Builtin::Str) => true,
        Type::Builtin(Builtin::Int) => word.starts_with(|c: char| c.is_ascii_digit()),
        Type::Enum(values) => values.iter().any(|value| value.name == word),
        Type::Alternate(kinds) => kinds.iter().any(|kind| takes(schema, *kind, word)),
        _ => false,
    }
}
