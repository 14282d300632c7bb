//! `COMMAND [{JSON}] [KEY=VALUE]…`: a command and its arguments, still words.

use super::diagnostic::{Diagnostic, Span};
use super::json::{Json, JsonKind, parse_json};
use super::scan::Unclosed;
use super::word::Word;

/// A command as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The command's name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// Whether `exec-oob` stood before it.
    pub oob: bool,
    /// The JSON object that leads the arguments.
    pub json: Option<Json>,
    /// The `KEY=VALUE` words in order.
    pub args: Vec<Arg>,
}

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arg {
    /// The dotted key.
    pub key: Key,
    /// The word it came in.
    pub word: Word,
    /// The value read as JSON, where it begins with a bracket. A fault in it counts only where JSON is meant: a string
    /// may begin with a bracket too.
    pub json: Option<Result<Json, Diagnostic>>,
}

/// A dotted key, part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The parts between the dots; never empty, nor is any part.
    pub parts: Vec<String>,
    /// Where the whole key stands.
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

    /// The key as typed, dots and all.
    pub fn dotted(&self) -> String {
        self.parts.join(".")
    }
}

impl Command {
    /// Reads a command from its words. `text` is the line that they stand in.
    pub(super) fn parse(text: &str, words: &[Word]) -> Result<Command, Diagnostic> {
        let mut words = words.iter();
        let end = Span::at(text.len());
        let mut name = words.next().ok_or_else(|| Diagnostic::new(end, "expected a command"))?;
        let oob = name.is_bare("exec-oob");
        if oob {
            name = words.next().ok_or_else(|| Diagnostic::new(end, "expected a command behind `exec-oob`"))?;
        }
        check_word(name)?;
        if name.equals.is_some() {
            let message = format!("expected a command before `{}`", name.text);
            return Err(Diagnostic::new(name.span, message));
        }
        if name.text.is_empty() {
            return Err(Diagnostic::new(name.span, "expected the name of a command"));
        }
        let mut command = Command { name: name.text.clone(), name_span: name.span, oob, json: None, args: Vec::new() };
        for (index, word) in words.enumerate() {
            check_word(word)?;
            if index == 0 && word.equals.is_none() && word.bracket == Some(word.span.start) {
                command.json = Some(whole_json(text, word, word.span.start)?);
            } else {
                command.args.push(Arg::parse(text, word)?);
            }
        }
        Ok(command)
    }

    /// The plain text that is given for this key: by a word, or by a string in the leading JSON object.
    pub fn text_of(&self, key: &str) -> Option<String> {
        let arg = self.args.iter().find(|arg| arg.key.parts.len() == 1 && arg.key.parts[0] == key);
        if let Some(arg) = arg {
            return Some(arg.word.value().to_owned());
        }
        let JsonKind::Object(members) = &self.json.as_ref()?.kind else { return None };
        members.iter().find(|member| member.key == key)?.value.as_str()
    }

    /// How long the longest of its words is, in bytes; nothing in it nests deeper than half of that.
    pub fn longest_word(&self) -> usize {
        let json = self.json.as_ref().map(|json| json.span);
        let spans = self.args.iter().map(|arg| arg.word.span).chain(json);
        spans.map(|span| span.range().len()).max().unwrap_or_default()
    }
}

impl Arg {
    /// Reads one `KEY=VALUE` word.
    pub(super) fn parse(text: &str, word: &Word) -> Result<Arg, Diagnostic> {
        check_word(word)?;
        if word.equals.is_none() {
            let message = format!("expected `key=value`, found `{}`", word.text);
            return Err(Diagnostic::new(word.span, message));
        }
        let key = Key::parse(word)?;
        let json = word.bracket.map(|at| whole_json(text, word, at));
        Ok(Arg { key, word: word.clone(), json })
    }
}

/// Reads one `KEY=VALUE` word of `text`.
pub fn parse_arg(text: &str, word: &Word) -> Result<Arg, Diagnostic> {
    Arg::parse(text, word)
}

/// Refuses what is open or reserved.
pub(super) fn check_word(word: &Word) -> Result<(), Diagnostic> {
    if word.is_bare("|") {
        return Err(Diagnostic::new(word.span, "`|` is reserved; quote it to send it"));
    }
    match word.open {
        // An open bracket is reported by the JSON reader, which knows the place better.
        None | Some(Unclosed::Bracket) => Ok(()),
        Some(Unclosed::Single) => Err(Diagnostic::new(word.span, "this word has a `'` that is not closed")),
        Some(Unclosed::Double) => Err(Diagnostic::new(word.span, "this word has a `\"` that is not closed")),
        Some(Unclosed::Escape) => Err(Diagnostic::new(word.span, "the line ends in the middle of an escape")),
    }
}

/// The JSON value that fills the word from `at` to its end.
fn whole_json(text: &str, word: &Word, at: usize) -> Result<Json, Diagnostic> {
    let (json, end) = parse_json(&text[..word.span.end], at)?;
    if end < word.span.end {
        return Err(Diagnostic::new(Span::new(end, word.span.end), "expected a blank behind the JSON value"));
    }
    Ok(json)
}
