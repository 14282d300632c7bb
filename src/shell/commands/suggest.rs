//! Suggestions for a line that was not sent: a nearer name, a missing key, or the other language it may be meant for.
//!
//! The parser knows only the syntax of a line, and the checker only QMP. This module also knows the server, its human
//! monitor and the dot commands.

use std::time::{Duration, Instant};

use crate::grammar::{
    Diagnostic, Line, Word, end_of_transaction, line_has_secret, missing_key, parse_line, tokenize,
    words_in_transaction,
};
use crate::schema::{
    Builtin, CommandInfo, PartialArguments, Schema, Type, TypeId, TypingContext, action_type, nearest, nearest_command,
    positional_member, request_of_command, unknown_action, unknown_command, word_fits,
};
use crate::wire::HMP_COMMAND;

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

/// Commands whose number is in bytes here and in MiB in the human monitor.
const IN_MIB_IN_HMP: &[&str] = &["balloon", "block_resize"];

/// A rejected line.
struct Rejected<'a> {
    text: &'a str,
    name: &'a Word,
    /// The words after the name.
    words: &'a [Word],
    /// The word at which it was rejected, if it has no key.
    bare_word: Option<&'a Word>,
}

/// Adds a suggestion to the diagnostic of a line. An unknown command is reported before errors in its arguments.
pub(super) fn with_suggestion(
    engine: &mut Engine,
    diagnostic: Diagnostic,
    text: &str,
    out: &mut dyn Output,
) -> Diagnostic {
    let words = tokenize(text).words;
    let (words, is_action) = match (words.as_slice(), words_in_transaction(&words)) {
        (_, Some(rest)) => (rest, true),
        ([first, rest @ ..], None) if first.is_bare("exec-oob") => (rest, false),
        (words, None) => (words, engine.in_transaction()),
    };
    let end = end_of_transaction(words).filter(|_| is_action).unwrap_or(words.len());
    let Some((name, words)) = words[..end].split_first() else { return diagnostic };
    let is_arrow = matches!(name.text.as_str(), "->" | "<-");
    let is_name = is_bare_word(name) && name.bracket.is_none() && !is_arrow && !name.text.contains('(');
    let bare_word = words.iter().find(|word| is_bare_word(word) && missing_key(word) == diagnostic);
    let mut line = Rejected { text, name, words, bare_word };
    let commas = words.iter().find(|word| has_commas(word));
    if !is_name || diagnostic.span != name.span && bare_word.is_none() && commas.is_none() {
        return diagnostic;
    }
    let Ok(Some(schema)) = engine.wait_for_schema(out) else { return diagnostic };
    let info = schema.command(&name.text).filter(|_| !is_action);
    let root = match is_action {
        true => action_type(&schema, &name.text),
        false => info.map(|info| info.arguments),
    };
    let Some(root) = root else {
        if is_action {
            return unknown_action(&schema, &name.text, name.span);
        }
        let help = suggest_for_unknown_command(engine, &schema, &line);
        return unknown_command(&name.text, name.span, help.as_deref());
    };
    let mut diagnostic = diagnostic;
    // The parser takes the first word for the value of a key, and reports the second one.
    if let Some(first) = words.first().filter(|first| bare_word.is_some() && first.is_positional())
        && positional_member(&schema, root).is_none()
    {
        line.bare_word = Some(first);
        diagnostic = missing_key(first);
    }
    let help = match info {
        Some(info) => suggest_for_command(engine, &schema, info, &line),
        None => {
            let argument = line.meant_argument(&schema, root, "").and_then(|argument| meant([argument]));
            argument.or_else(|| line.needs(&schema, root))
        }
    };
    match (help, commas) {
        (Some(help), Some(word)) => {
            let message = format!("expected blanks between arguments, found commas in `{}`; {help}", word.text);
            Diagnostic::new(word.span, message)
        }
        (Some(help), None) => Diagnostic::new(diagnostic.span, format!("{}; {help}", diagnostic.message)),
        (None, _) => diagnostic,
    }
}

/// Suggests the meaning of a line with a command of the server.
fn suggest_for_command(
    engine: &mut Engine,
    schema: &Schema,
    info: &CommandInfo,
    line: &Rejected<'_>,
) -> Option<String> {
    let hmp_line = line.is_hmp_style().then(|| hmp_line(engine, line)).flatten();
    if line.words.iter().any(has_commas) {
        return meant([line.with_blanks(schema, info), hmp_line].into_iter().flatten());
    }
    let bare_word = line.bare_word?;
    if schema.object(info.arguments).members.is_empty() {
        return line.needs(schema, info.arguments);
    }
    let is_in_mib = IN_MIB_IN_HMP.contains(&info.name.as_str()) && is_plain_number(&bare_word.text);
    let argument = line.meant_argument(schema, info.arguments, if is_in_mib { "M" } else { "" });
    let has_one_bare_word = line.words.iter().filter(|word| word.equals.is_none()).count() == 1;
    match (argument, hmp_line) {
        (Some(argument), Some(hmp_line)) if is_in_mib && has_one_bare_word => {
            Some(format!("the human monitor counts in MiB, QMP in bytes: `{argument}`, or `{hmp_line}`"))
        }
        (Some(argument), _) if has_one_bare_word => meant([argument]),
        (_, Some(hmp_line)) => Some(human_monitor_has(&hmp_line)),
        (_, None) => line.needs(schema, info.arguments),
    }
}

/// Suggests a meaning for a line with an unknown command: another language that has it, or a similar name.
fn suggest_for_unknown_command(engine: &mut Engine, schema: &Schema, line: &Rejected<'_>) -> Option<String> {
    let name = line.name.text.as_str();
    if let Some((_, help)) = FOREIGN_COMMANDS.iter().find(|(foreign, _)| *foreign == name) {
        return Some((*help).to_owned());
    }
    if name == HMP_COMMAND {
        return Some("it has no human monitor".to_owned());
    }
    let near = nearest_command(schema, name);
    let twin = near.filter(|near| near.replace('_', "-") == name.replace('_', "-"));
    let did_you_mean = |name: &str| Some(format!("did you mean `{name}`?"));
    if let Some(twin) = twin.filter(|_| !line.is_hmp_style()) {
        return did_you_mean(twin);
    }
    let hmp_line = hmp_line(engine, line);
    let with_blanks = twin.and_then(|twin| line.with_blanks(schema, schema.command(twin)?));
    if with_blanks.is_some() {
        return meant([with_blanks, hmp_line].into_iter().flatten());
    }
    if let Some(hmp_line) = hmp_line {
        return Some(human_monitor_has(&hmp_line));
    }
    // A single command of `qmp` has no dot commands.
    let dot_command = match near {
        _ if engine.options.suggests_corrections => None,
        Some(_) => DotCommand::find(name).map(|command| command.name),
        None => nearest(name, DOT_COMMANDS.iter().map(|command| command.name)),
    };
    match dot_command {
        Some(name) => did_you_mean(&format!(".{name}")),
        None => did_you_mean(near?),
    }
}

fn human_monitor_has(hmp_line: &str) -> String {
    format!("the human monitor has it: `{hmp_line}`")
}

/// Returns the question whether one of these lines was meant.
fn meant(lines: impl IntoIterator<Item = String>) -> Option<String> {
    let lines: Vec<String> = lines.into_iter().map(|line| format!("`{line}`")).collect();
    (!lines.is_empty()).then(|| format!("did you mean {}?", lines.join(", or ")))
}

/// Returns the line for the human monitor, if this has the command, perhaps with other dashes.
fn hmp_line(engine: &mut Engine, line: &Rejected<'_>) -> Option<String> {
    let prefix = if engine.options.suggests_corrections { "qmp hmp" } else { ".hmp" };
    let server = engine.queryable_server()?;
    server.wait_for_queries(true, Instant::now() + SUGGESTION_TIMEOUT);
    // HMP accepts `x/4i` for `x /4i`.
    let name = line.name.text.split('/').next().unwrap_or_default();
    let without_dashes = |name: &str| name.replace(['-', '_'], "");
    let commands = server.info.hmp_commands();
    let exact = commands.iter().find(|known| known.text == name);
    let known = exact.or_else(|| commands.iter().find(|known| without_dashes(&known.text) == without_dashes(name)))?;
    let format = &line.name.text[name.len()..];
    let arguments = line.text[line.name.span.end..].trim_end();
    let is_short = arguments.len() <= MAX_ECHOED_CHARS && !arguments.contains('\n');
    let arguments = if is_short && !line_has_secret(line.text) { arguments } else { " …" };
    Some(format!("{prefix} {}{format}{arguments}", known.text))
}

impl Rejected<'_> {
    /// Returns whether the arguments can be those of an HMP command: they begin with a word without a key, or with
    /// `NAME,KEY=VALUE,…`.
    fn is_hmp_style(&self) -> bool {
        self.words.first().is_some_and(|word| word.equals.is_none() || word.key().contains(','))
    }

    /// Returns the line with blanks for commas and with the key that is implied before the first comma, if `info` takes
    /// these arguments.
    fn with_blanks(&self, schema: &Schema, info: &CommandInfo) -> Option<String> {
        if line_has_secret(self.text) {
            return None;
        }
        let object = schema.object(info.arguments);
        let implied = object.tag_member().or_else(|| object.members.iter().find(|member| !member.optional))?;
        let mut line = info.name.clone();
        for (index, piece) in self.words.iter().flat_map(|word| word.text.split(',')).enumerate() {
            match piece.contains('=') {
                true => line.push_str(&format!(" {piece}")),
                false if index == 0 => line.push_str(&format!(" {}={piece}", implied.name)),
                false => return None,
            }
        }
        let Ok(Line::Command(command)) = parse_line(&line) else { return None };
        let context = TypingContext { schema: Some(schema), ..TypingContext::none() };
        request_of_command(&command, &context).ok().map(|_| line)
    }

    /// Returns the arguments that are given.
    fn arguments(&self, schema: &Schema, root: TypeId) -> PartialArguments {
        // A first word that was rejected is not the value of a key.
        let is_first_rejected = self.bare_word.is_some_and(|word| self.words.first() == Some(word));
        let positional = positional_member(schema, root).filter(|_| !is_first_rejected);
        PartialArguments::of_words(self.text, self.words, positional.map(|member| member.name.as_str()))
    }

    /// Returns the argument that the word without a key seems to be: a key whose value is missing, or the value of the
    /// only key that is still required. `unit` is appended to a value.
    fn meant_argument(&self, schema: &Schema, root: TypeId, unit: &str) -> Option<String> {
        let word = self.bare_word.filter(|word| word.is_positional())?;
        let typed = if line_has_secret(self.text) { "…" } else { &self.text[word.span.range()] };
        let arguments = self.arguments(schema, root);
        let expected = arguments.expected(schema, root, &[])?;
        let missing = expected.missing();
        if missing.iter().any(|member| member.name == word.text) {
            return Some(format!("{typed}=…"));
        }
        let mut required = missing.iter().filter(|member| !member.optional);
        let member = match (required.next(), required.next(), missing.as_slice()) {
            (Some(one), None, _) => one,
            // Any word is a string, so that says nothing about an optional key.
            (None, None, [one]) if !matches!(schema.definition(one.kind), Type::Builtin(Builtin::Str)) => one,
            _ => return None,
        };
        word_fits(schema, member.kind, &word.text).then(|| format!("{}={typed}{unit}", member.name))
    }

    /// Returns a sentence about the keys that are missing, or that there are none.
    fn needs(&self, schema: &Schema, root: TypeId) -> Option<String> {
        let arguments = self.arguments(schema, root);
        let expected = arguments.expected(schema, root, &[])?;
        if expected.members.is_empty() {
            return Some("it takes no keys".to_owned());
        }
        let required = expected.missing().into_iter().filter(|member| !member.optional);
        let required: Vec<String> = required.map(|member| format!("`{}`", member.name)).collect();
        (!required.is_empty()).then(|| format!("it needs {}", required.join(", ")))
    }
}

/// Returns whether a word has `KEY=VALUE` after a comma, as on QEMU's command line and in HMP.
fn has_commas(word: &Word) -> bool {
    let options = word.text.split_once(',').map(|(_, options)| options);
    !word.quoted && word.bracket.is_none() && options.is_some_and(|options| options.contains('='))
}

fn is_plain_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether a word is neither `KEY=VALUE` nor wrong by itself.
fn is_bare_word(word: &Word) -> bool {
    word.equals.is_none() && word.open.is_none() && !word.is_bare("|") && !word.is_foreign_comment()
}
