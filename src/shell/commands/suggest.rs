//! Suggestions for a line that was not sent: a nearer name, a missing key, or the other language it may be meant for.
//!
//! The parser knows only the syntax of a line, and the checker only QMP. This module also knows the server, its human
//! monitor and the dot commands.

use std::time::{Duration, Instant};

use crate::grammar::{Diagnostic, Word, tokenize};
use crate::schema::{Builtin, PartialArguments, Schema, Type, TypeId, nearest, nearest_command, unknown_command};

use super::super::engine::Engine;
use super::super::output::Output;
use super::{DOT_COMMANDS, DotCommand};

/// The time that the human monitor may take to list its commands.
const SUGGESTION_TIMEOUT: Duration = Duration::from_millis(500);

/// The maximum length of a line that is repeated in a suggestion.
const MAX_ECHOED_CHARS: usize = 60;

/// Commands of other shells, and their equivalents here.
const FOREIGN_COMMANDS: &[(&str, &str)] = &[
    ("?", "`help` explains the shell"),
    ("bye", "`.exit` or Ctrl-D leaves the shell"),
    ("exit", "`.exit` or Ctrl-D leaves the shell"),
    ("logout", "`.exit` or Ctrl-D leaves the shell"),
    ("q", "`.exit` or Ctrl-D leaves the shell, `quit` terminates QEMU"),
];

/// Adds a suggestion to the diagnostic of a line. An unknown command is reported before errors in its arguments.
pub(super) fn with_suggestion(
    engine: &mut Engine,
    diagnostic: Diagnostic,
    text: &str,
    out: &mut dyn Output,
) -> Diagnostic {
    let words = tokenize(text).words;
    let words = match words.as_slice() {
        [first, rest @ ..] if first.is_bare("exec-oob") => rest,
        words => words,
    };
    let Some((name, words)) = words.split_first() else { return diagnostic };
    let is_arrow = matches!(name.text.as_str(), "->" | "<-");
    let is_name = name.bracket.is_none() && name.equals.is_none() && name.open.is_none() && !is_arrow;
    let bare_word = words.iter().find(|word| word.span == diagnostic.span && is_bare_word(word));
    // `NAME,KEY=VALUE,…` as on QEMU's command line and in HMP.
    let is_hmp_style = words.first().is_some_and(|word| word.equals.is_some() && word.key().contains(','));
    if !is_name || diagnostic.span != name.span && bare_word.is_none() && !is_hmp_style {
        return diagnostic;
    }
    let Ok(Some(schema)) = engine.wait_for_schema(out) else { return diagnostic };
    let Some(info) = schema.command(&name.text) else {
        let near = nearest_command(&schema, &name.text);
        // A single command of `qmp` has no other language and no dot commands.
        let help = match engine.options.suggests_corrections {
            true => None,
            false => suggest_other_mode(engine, name, text, near.filter(|_| bare_word.is_none())),
        };
        let help = help.or_else(|| Some(format!("did you mean `{}`?", near?)));
        return unknown_command(&name.text, name.span, help.as_deref());
    };
    let help = if is_hmp_style {
        suggest_hmp(engine, &name.text, text).filter(|_| !engine.options.suggests_corrections)
    } else {
        bare_word.and_then(|word| {
            let arguments = PartialArguments::of_words(text, words);
            let typed = &text[word.span.range()];
            let meant = suggest_argument(&schema, &arguments, info.arguments, word, typed)?;
            Some(format!("did you mean `{meant}`?"))
        })
    };
    match help {
        Some(help) => Diagnostic::new(diagnostic.span, format!("{}; {help}", diagnostic.message)),
        None => diagnostic,
    }
}

/// Suggests another language that has a command with this name, unless the name differs from `near`, a command of the
/// server, only in its dashes.
fn suggest_other_mode(engine: &mut Engine, name: &Word, text: &str, near: Option<&str>) -> Option<String> {
    if let Some((_, help)) = FOREIGN_COMMANDS.iter().find(|(foreign, _)| *foreign == name.text) {
        return Some((*help).to_owned());
    }
    if near.is_some_and(|near| near.replace('_', "-") == name.text.replace('_', "-")) {
        return None;
    }
    // HMP accepts `x/4i` for `x /4i`.
    let command = name.text.split('/').next().unwrap_or_default();
    if let Some(help) = suggest_hmp(engine, command, text) {
        return Some(help);
    }
    let dot_command = match near {
        Some(_) => DotCommand::find(&name.text).map(|command| command.name),
        None => nearest(&name.text, DOT_COMMANDS.iter().map(|command| command.name)),
    };
    dot_command.map(|name| format!("did you mean `.{name}`?"))
}

/// Suggests `.hmp` for a line if the human monitor has its command.
fn suggest_hmp(engine: &mut Engine, command: &str, text: &str) -> Option<String> {
    let server = engine.queryable_server()?;
    server.wait_for_queries(true, Instant::now() + SUGGESTION_TIMEOUT);
    server.info.hmp_commands().iter().find(|known| known.text == command)?;
    let text = text.trim();
    let is_short = text.len() <= MAX_ECHOED_CHARS && !text.contains('\n');
    let text = if is_short { text.to_owned() } else { format!("{command} …") };
    Some(format!("the human monitor has it: `.hmp {text}`"))
}

/// Returns whether a word is neither `KEY=VALUE` nor wrong by itself.
fn is_bare_word(word: &Word) -> bool {
    word.equals.is_none() && word.open.is_none() && !word.is_bare("|")
}

/// Suggests the meaning of a word without a key: a key whose value is missing, or the value of the only key that is
/// still required. `typed` is the word as the user typed it.
fn suggest_argument(
    schema: &Schema,
    arguments: &PartialArguments,
    root: TypeId,
    word: &Word,
    typed: &str,
) -> Option<String> {
    let expected = arguments.expected(schema, root, &[])?;
    let missing = expected.missing();
    if missing.iter().any(|member| member.name == word.text) {
        return Some(format!("{typed}=…"));
    }
    let mut required = missing.iter().filter(|member| !member.optional);
    let member = match (required.next(), required.next(), missing.as_slice()) {
        (Some(one), None, _) | (None, None, [one]) => one,
        _ => return None,
    };
    accepts(schema, member.kind, &word.text).then(|| format!("{}={typed}", member.name))
}

/// Returns whether a word has the form of a value of this type.
fn accepts(schema: &Schema, kind: TypeId, word: &str) -> bool {
    match schema.definition(kind) {
        Type::Builtin(Builtin::Str) => true,
        Type::Builtin(Builtin::Int) => word.starts_with(|c: char| c.is_ascii_digit()),
        Type::Enum(values) => values.iter().any(|value| value.name == word),
        Type::Alternate(kinds) => kinds.iter().any(|kind| accepts(schema, *kind, word)),
        _ => false,
    }
}
