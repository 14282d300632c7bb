//! Parses `COMMAND [{JSON}] [KEY=VALUE]…`: a command and its arguments, whose values are still words.

use super::diagnostic::{Diagnostic, Span};
use super::json::{Json, JsonKind, parse_json};
use super::scan::{Unclosed, is_curly_quote, is_invisible};
use super::secrets::line_has_secret;
use super::word::Word;

/// The maximum length of a value that a warning repeats.
const MAX_SHOWN_VALUE_BYTES: usize = 200;

/// A command as the user typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub name: String,
    pub name_span: Span,
    /// Whether it is prefixed with `exec-oob`.
    pub oob: bool,
    /// The JSON value before the `KEY=VALUE` words.
    pub json: Option<Json>,
    /// A first word without a key: the value of the only required key, if the command has one.
    pub positional: Option<Word>,
    /// The `KEY=VALUE` words in order.
    pub args: Vec<Arg>,
    /// Warnings about characters that are not part of a word's text, although they may have been meant to be.
    pub warnings: Vec<Diagnostic>,
}

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arg {
    pub key: Key,
    /// The whole word.
    pub word: Word,
    /// The value parsed as JSON, if it begins with a bracket. An error matters only if the key's type is not a string,
    /// because a string can begin with a bracket too.
    pub json: Option<Result<Json, Diagnostic>>,
}

/// A dotted key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The parts between the dots: at least one, none of them empty.
    pub parts: Vec<String>,
    pub span: Span,
}

impl Key {
    fn parse(word: &Word) -> Result<Key, Diagnostic> {
        let parts: Vec<String> = word.key().split('.').map(str::to_owned).collect();
        if word.key().is_empty() {
            return Err(Diagnostic::new(word.span, "expected a key before the `=`"));
        }
        if parts.iter().any(String::is_empty) {
            return Err(Diagnostic::new(word.key_span(), format!("key `{}` has an empty part", word.key())));
        }
        Ok(Key { parts, span: word.key_span() })
    }

    /// Joins the first parts to one, if they are one of the `names`, which may contain dots.
    pub fn join_name<'a>(&mut self, names: impl Iterator<Item = &'a String>) {
        let typed = self.dotted();
        let is_prefix =
            |name: &str| typed.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if let Some(name) = names.filter(|name| name.contains('.') && is_prefix(name)).max_by_key(|name| name.len()) {
            self.parts.splice(..name.split('.').count(), [name.clone()]);
        }
    }

    /// Returns the key as it was typed.
    pub fn dotted(&self) -> String {
        self.parts.join(".")
    }
}

impl Command {
    /// Parses the words of a command. `text` is the line that contains them.
    pub fn parse(text: &str, words: &[Word]) -> Result<Command, Diagnostic> {
        let mut words = words.iter();
        let end = Span::at(text.len());
        let mut name = words.next().ok_or_else(|| Diagnostic::new(end, "expected a command"))?;
        let oob = name.is_bare("exec-oob");
        if oob {
            name = words.next().ok_or_else(|| Diagnostic::new(end, "expected a command after `exec-oob`"))?;
        }
        check_word(name)?;
        if name.equals.is_some() || name.is_foreign_comment() {
            let message = format!("expected a command, found `{}`{}", name.text, comment_hint(name));
            return Err(Diagnostic::new(name.span, message));
        }
        if name.text.is_empty() {
            return Err(Diagnostic::new(name.span, "expected a command, found an empty word"));
        }
        let warnings = words.as_slice().iter().filter_map(|word| dropped_warning(text, word)).collect();
        let mut command = Command {
            name: name.text.clone(),
            name_span: name.span,
            oob,
            json: None,
            positional: None,
            args: Vec::new(),
            warnings,
        };
        for (index, word) in words.enumerate() {
            check_word(word)?;
            if index == 0 && word.is_json() {
                command.json = Some(json_to_word_end(text, word, word.span.start)?);
            } else if index == 0 && word.is_positional() {
                command.positional = Some(word.clone());
            } else {
                command.args.push(Arg::parse(text, word)?);
            }
        }
        Ok(command)
    }

    /// Returns the text that a word, or a string in the leading JSON object, gives for a key.
    pub fn text_of(&self, key: &str) -> Option<String> {
        let arg = self.args.iter().find(|arg| arg.key.parts.len() == 1 && arg.key.parts[0] == key);
        if let Some(arg) = arg {
            return Some(arg.word.value().to_owned());
        }
        let JsonKind::Object(members) = &self.json.as_ref()?.kind else { return None };
        members.iter().find(|member| member.key == key)?.value.as_str()
    }

    /// Returns the length in bytes of the longest word among the arguments, which bounds their nesting.
    pub fn max_word_bytes(&self) -> usize {
        let json = self.json.as_ref().map(|json| json.span);
        let spans = self.args.iter().map(|arg| arg.word.span).chain(json);
        spans.map(|span| span.range().len()).max().unwrap_or_default()
    }
}

impl Arg {
    /// Creates the argument for a value whose key is not named.
    pub fn positional(key: &str, word: &Word) -> Arg {
        Arg { key: Key { parts: vec![key.to_owned()], span: word.span }, word: word.clone(), json: None }
    }

    /// Parses a `KEY=VALUE` word. `text` is the line that contains it.
    pub fn parse(text: &str, word: &Word) -> Result<Arg, Diagnostic> {
        check_word(word)?;
        if word.equals.is_none() {
            return Err(missing_key(word));
        }
        let key = Key::parse(word)?;
        let json = word.bracket.map(|at| json_to_word_end(text, word, at));
        Ok(Arg { key, word: word.clone(), json })
    }
}

/// Returns the error for a word without a key.
pub fn missing_key(word: &Word) -> Diagnostic {
    let message = format!("expected `key=value`, found `{}`{}", word.text, comment_hint(word));
    Diagnostic::new(word.span, message)
}

/// Returns the hint for a word that begins a comment in other languages.
pub(super) fn comment_hint(word: &Word) -> &'static str {
    if word.is_foreign_comment() { "; comments begin with `#`" } else { "" }
}

/// Rejects words that are unclosed or reserved, and values in the quotation marks of typography, which do not quote.
pub(super) fn check_word(word: &Word) -> Result<(), Diagnostic> {
    if let Some(c) = word.value().chars().next().filter(|c| is_curly_quote(*c) && !word.quoted) {
        let message = format!("`{c}` is not a quote; use `\"` or `'`, or quote the value to send it");
        return Err(Diagnostic::new(word.value_span(), message));
    }
    if word.is_bare("|") {
        return Err(Diagnostic::new(word.span, "`|` is reserved; quote it to send it"));
    }
    match word.open {
        None => Ok(()),
        // The JSON parser reports an unclosed bracket, because it knows which one it is.
        Some(Unclosed::Bracket) if word.bracket.is_some() => Ok(()),
        Some(Unclosed::Bracket) => Err(Diagnostic::new(word.span, "unclosed `{` in this word")),
        Some(Unclosed::Single) => Err(Diagnostic::new(word.span, "unclosed `'` in this word")),
        Some(Unclosed::Double) => Err(Diagnostic::new(word.span, "unclosed `\"` in this word")),
        Some(Unclosed::Escape) => Err(Diagnostic::new(word.span, "incomplete escape at the end of the line")),
    }
}

/// Returns a warning if a character was dropped from a word. `text` is the line that contains it.
pub(super) fn dropped_warning(text: &str, word: &Word) -> Option<Diagnostic> {
    let dropped = match word.dropped? {
        '\\' => "a backslash".to_owned(),
        c => format!("the invisible character U+{:04X}", u32::from(c)),
    };
    let value = &text[word.value_span().range()];
    let is_plain = is_shown_in_quotes(value) && !line_has_secret(text);
    let key = &text[word.span.start..word.value_span().start];
    let quoted = if is_plain { format!(": `{key}'{value}'`") } else { String::new() };
    let message = format!("{dropped} is dropped from `{}`; to keep it, quote the value{quoted}", word.key());
    Some(Diagnostic::new(word.span, message))
}

/// Returns whether a value is short, and means itself if it is shown in single quotes.
fn is_shown_in_quotes(value: &str) -> bool {
    value.len() <= MAX_SHOWN_VALUE_BYTES && !value.contains(['\'', '"', '\n']) && !value.contains(is_invisible)
}

/// Parses the JSON value that begins at `at` and must end with the word.
fn json_to_word_end(text: &str, word: &Word, at: usize) -> Result<Json, Diagnostic> {
    let (json, end) = parse_json(&text[..word.span.end], at)?;
    if end < word.span.end {
        return Err(Diagnostic::new(Span::new(end, word.span.end), "expected a space after the JSON value"));
    }
    Ok(json)
}
