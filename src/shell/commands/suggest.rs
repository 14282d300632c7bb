//! Suggestions for a line that was not sent: a nearer name, a missing key, or the other language it may be meant for.
//!
//! The parser knows only the syntax of a line, and the checker only QMP. This module also knows the server, its human
//! monitor and the dot commands.

use std::time::{Duration, Instant};

use crate::grammar::{
    Correction, Diagnostic, Line, Span, Word, end_of_transaction, line_has_secret, missing_key, parse_line, tokenize,
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

/// A suggestion, and the part of the line that it replaces, if it is the only one.
struct Suggestion {
    text: String,
    correction: Option<Box<Correction>>,
}

impl Suggestion {
    fn new(text: impl Into<String>) -> Suggestion {
        Suggestion { text: text.into(), correction: None }
    }

    /// Asks whether one of these texts was meant. One alone replaces `span`, unless it is
    /// shortened.
    fn did_you_mean(texts: impl IntoIterator<Item = String>, span: Span) -> Option<Suggestion> {
        let texts: Vec<String> = texts.into_iter().collect();
        let correction = match texts.as_slice() {
            [only] if !only.contains('…') => Some(Box::new(Correction { span, text: only.clone() })),
            _ => None,
        };
        let quoted: Vec<String> = texts.iter().map(|text| format!("`{text}`")).collect();
        (!quoted.is_empty()).then(|| Suggestion { text: format!("did you mean {}?", quoted.join(", or ")), correction })
    }
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
        let diagnostic = unknown_command(&name.text, name.span, help.as_ref().map(|help| help.text.as_str()));
        return Diagnostic { correction: help.and_then(|help| help.correction), ..diagnostic };
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
            let argument = line.meant_argument(&schema, root, "");
            let meant = argument.and_then(|argument| line.meant_in_place_of_word(argument));
            meant.or_else(|| line.needs(&schema, root))
        }
    };
    let Some(Suggestion { text: help, correction }) = help else { return diagnostic };
    let (span, message) = match commas {
        Some(word) => {
            (word.span, format!("expected blanks between arguments, found commas in `{}`; {help}", word.text))
        }
        None => (diagnostic.span, format!("{}; {help}", diagnostic.message)),
    };
    Diagnostic { correction, ..Diagnostic::new(span, message) }
}

/// Suggests the meaning of a line with a command of the server.
fn suggest_for_command(
    engine: &mut Engine,
    schema: &Schema,
    info: &CommandInfo,
    line: &Rejected<'_>,
) -> Option<Suggestion> {
    let hmp_line = line.is_hmp_style().then(|| hmp_line(engine, line)).flatten();
    if line.words.iter().any(has_commas) {
        return Suggestion::did_you_mean([line.with_blanks(schema, info), hmp_line].into_iter().flatten(), line.span());
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
            let text = format!("the human monitor counts in MiB, QMP in bytes: `{argument}`, or `{hmp_line}`");
            Some(Suggestion::new(text))
        }
        (Some(argument), _) if has_one_bare_word => line.meant_in_place_of_word(argument),
        (_, Some(hmp_line)) => Some(line.human_monitor_has(hmp_line)),
        (_, None) => line.needs(schema, info.arguments),
    }
}

/// Suggests a meaning for a line with an unknown command: another language that has it, or a similar name.
fn suggest_for_unknown_command(engine: &mut Engine, schema: &Schema, line: &Rejected<'_>) -> Option<Suggestion> {
    let name = line.name.text.as_str();
    if let Some((_, help)) = FOREIGN_COMMANDS.iter().find(|(foreign, _)| *foreign == name) {
        return Some(Suggestion::new(*help));
    }
    if name == HMP_COMMAND {
        return Some(Suggestion::new("it has no human monitor"));
    }
    let near = nearest_command(schema, name);
    let twin = near.filter(|near| near.replace('_', "-") == name.replace('_', "-"));
    let did_you_mean = |name: &str| Suggestion::did_you_mean([name.to_owned()], line.name.span);
    if let Some(twin) = twin.filter(|_| !line.is_hmp_style()) {
        return did_you_mean(twin);
    }
    let hmp_line = hmp_line(engine, line);
    let with_blanks = twin.and_then(|twin| line.with_blanks(schema, schema.command(twin)?));
    if with_blanks.is_some() {
        return Suggestion::did_you_mean([with_blanks, hmp_line].into_iter().flatten(), line.span());
    }
    if let Some(hmp_line) = hmp_line {
        return Some(line.human_monitor_has(hmp_line));
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
    /// Returns the span of the whole line.
    fn span(&self) -> Span {
        Span::new(0, self.text.len())
    }

    fn human_monitor_has(&self, hmp_line: String) -> Suggestion {
        let text = format!("the human monitor has it: `{hmp_line}`");
        let correction = (!hmp_line.contains('…')).then(|| Box::new(Correction { span: self.span(), text: hmp_line }));
        Suggestion { text, correction }
    }

    /// Suggests an argument in place of the word without a key.
    fn meant_in_place_of_word(&self, argument: String) -> Option<Suggestion> {
        Suggestion::did_you_mean([argument], self.bare_word?.span)
    }

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
    fn needs(&self, schema: &Schema, root: TypeId) -> Option<Suggestion> {
        let arguments = self.arguments(schema, root);
        let expected = arguments.expected(schema, root, &[])?;
        if expected.members.is_empty() {
            return Some(Suggestion::new("it takes no keys"));
        }
        let required = expected.missing().into_iter().filter(|member| !member.optional);
        let required: Vec<String> = required.map(|member| format!("`{}`", member.name)).collect();
        (!required.is_empty()).then(|| Suggestion::new(format!("it needs {}", required.join(", "))))
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
