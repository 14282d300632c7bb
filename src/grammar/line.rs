//! Parses a logical line: its kind and its parts.

use super::command::{Arg, Command, check_word, comment_hint, dropped_warning};
use super::diagnostic::{Diagnostic, Span};
use super::json::{Json, JsonKind, Member, parse_json};
use super::scan::is_blank;
use super::transcript::{arrow_len, without_arrow};
use super::word::{Word, tokenize};

/// A line of QMP mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A line that does nothing: empty, or a comment.
    Blank,
    /// A dot command (`.name …`), or `help`.
    Dot(DotLine),
    /// `!COMMAND`, for the system's shell.
    ShellEscape(String),
    /// A request written as a JSON object.
    Json(JsonRequest),
    /// A command with its arguments.
    Command(Command),
    /// `transaction(`, and the rest of its line.
    Transaction(TransactionLine),
}

/// A dot command as the user typed it. Its words are not checked: the text after the name may be in another language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DotLine {
    /// The name without its dot.
    pub name: String,
    /// The span of the name, with its dot.
    pub name_span: Span,
    /// The words after the name.
    pub words: Vec<Word>,
    tail: String,
}

impl DotLine {
    /// Parses a dot command. `words` begins with its name.
    pub(super) fn parse(text: &str, words: &[Word]) -> Result<DotLine, Diagnostic> {
        let (first, words) = (&words[0], &words[1..]);
        check_word(first)?;
        Ok(DotLine {
            name: first.text.trim_start_matches('.').to_owned(),
            name_span: first.span,
            words: words.to_vec(),
            tail: text[first.span.end..].replace("\\\n", "").trim().to_owned(),
        })
    }

    /// Returns everything after the name as typed, without surrounding whitespace and line continuations.
    pub fn tail(&self) -> &str {
        &self.tail
    }

    /// Returns the offset after the last word.
    pub fn end(&self) -> usize {
        self.words.last().map_or(self.name_span.end, |word| word.span.end)
    }

    /// Rejects words with an unclosed quote, and reserved ones.
    pub fn check_words(&self) -> Result<(), Diagnostic> {
        self.words.iter().try_for_each(check_word)
    }

    /// Returns warnings about characters that were dropped from the words. `text` is the whole line.
    pub fn warnings(&self, text: &str) -> Vec<Diagnostic> {
        self.words.iter().filter_map(|word| dropped_warning(text, word)).collect()
    }

    /// Parses the words from `index` on as a QMP command. `text` is the whole line.
    pub fn command_from(&self, text: &str, index: usize) -> Result<Command, Diagnostic> {
        Command::parse(text, &self.words[index..])
    }
}

/// A pasted request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonRequest {
    pub command: String,
    pub command_span: Span,
    /// Whether its member is `exec-oob` instead of `execute`.
    pub oob: bool,
    /// An object.
    pub arguments: Option<Json>,
    pub id: Option<Json>,
    /// Whether `->` comes before it, as in documents and in the output of a verbose shell.
    pub has_arrow: bool,
}

/// A line inside a transaction block, or the rest of the line that opens one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransactionLine {
    pub action: Option<Command>,
    /// The properties after the `)`, if the line closes the block.
    pub close: Option<Vec<Arg>>,
}

/// Parses a logical line.
pub fn parse_line(text: &str) -> Result<Line, Diagnostic> {
    let start = text.len() - text.trim_start_matches(is_blank).len();
    let trimmed = text.trim_matches(is_blank);
    if let Some(command) = trimmed.strip_prefix('!') {
        return Ok(Line::ShellEscape(command.trim().to_owned()));
    }
    let arrow = arrow_len(text);
    if without_arrow(text).starts_with('{') {
        let request = parse_request(text, arrow.max(start))?;
        return Ok(Line::Json(JsonRequest { has_arrow: trimmed.starts_with("->"), ..request }));
    }
    if arrow > 0 {
        let message = format!("expected a JSON request after `{}`", &text[start..arrow]);
        return Err(Diagnostic::new(Span::new(start, arrow), message));
    }
    if trimmed.starts_with('[') {
        let message = "expected a command or a request, found an array; enter the requests in it one at a time";
        return Err(Diagnostic::new(Span::new(start, start + 1), message));
    }
    let words = tokenize(text).words;
    let Some(first) = words.first() else {
        return Ok(Line::Blank);
    };
    if trimmed.starts_with('.') && first.equals.is_none() || first.is_bare("help") {
        return DotLine::parse(text, &words).map(Line::Dot);
    }
    if let Some(words) = words_in_transaction(&words) {
        return parse_transaction(text, words).map(Line::Transaction);
    }
    if !first.quoted && first.text.starts_with("transaction(") && first.text != "transaction()" {
        let message = "expected spaces around the parentheses: `transaction( ACTION … )`";
        return Err(Diagnostic::new(first.span, message));
    }
    if first.is_bare("transaction()") {
        let close = parse_args(text, &words[1..])?;
        return Ok(Line::Transaction(TransactionLine { action: None, close: Some(close) }));
    }
    Command::parse(text, &words).map(Line::Command)
}

/// Returns the words after `transaction(` at the beginning of a line.
pub fn words_in_transaction(words: &[Word]) -> Option<&[Word]> {
    match words {
        [first, rest @ ..] if first.is_bare("transaction(") => Some(rest),
        [first, second, rest @ ..] if first.is_bare("transaction") && second.is_bare("(") => Some(rest),
        _ => None,
    }
}

/// Returns whether a line opens a transaction block and leaves it open, even if a blank is missing after `transaction(`.
pub fn opens_transaction(text: &str) -> bool {
    let words = tokenize(text).words;
    match words_in_transaction(&words) {
        Some(words) => end_of_transaction(words).is_none(),
        None => {
            let is_opening = |first: &Word| !first.quoted && first.text.starts_with("transaction(");
            words.first().is_some_and(is_opening) && !words.iter().any(|word| word.text.ends_with(')'))
        }
    }
}

/// Returns the index of the word that closes a transaction block.
pub fn end_of_transaction(words: &[Word]) -> Option<usize> {
    words.iter().position(|word| word.is_bare(")"))
}

/// Parses a logical line inside a transaction block.
pub fn parse_transaction_line(text: &str) -> Result<TransactionLine, Diagnostic> {
    parse_transaction(text, &tokenize(text).words)
}

fn parse_transaction(text: &str, words: &[Word]) -> Result<TransactionLine, Diagnostic> {
    let (action, close) = match end_of_transaction(words) {
        Some(at) => (&words[..at], Some(parse_args(text, &words[at + 1..])?)),
        None => (words, None),
    };
    let action = match action {
        [] => None,
        [first, ..] if first.bracket == Some(first.span.start) => Some(parse_json_action(text, action)?),
        words => Some(Command::parse(text, words)?),
    };
    if let Some(action) = &action
        && action.oob
    {
        return Err(Diagnostic::new(action.name_span, "a transaction action cannot be executed out of band"));
    }
    Ok(TransactionLine { action, close })
}

/// Parses an action as QEMU's manual writes it: `{ "type": NAME, "data": { … } }`, with or without a comma after it.
fn parse_json_action(text: &str, words: &[Word]) -> Result<Command, Diagnostic> {
    let (json, end) = parse_json(text, words[0].span.start)?;
    let rest = Span::new(end, words[words.len() - 1].span.end);
    if !matches!(text[rest.range()].trim(), "" | ",") {
        return Err(Diagnostic::new(rest, "unexpected text after the JSON action"));
    }
    let span = json.span;
    let JsonKind::Object(members) = json.kind else {
        return Err(Diagnostic::new(span, "expected a JSON object"));
    };
    let (mut name, mut data) = (None, None);
    for member in members {
        match member.key.as_str() {
            "type" => name = member.value.as_str().map(|name| (name, member.value.span)),
            "data" => data = Some(member.value),
            other => {
                let message = format!("unknown member `{other}`; an action has `type` and `data`");
                return Err(Diagnostic::new(member.key_span, message));
            }
        }
    }
    match name {
        Some((name, name_span)) => {
            let (positional, args, warnings) = (None, Vec::new(), Vec::new());
            Ok(Command { name, name_span, oob: false, json: data, positional, args, warnings })
        }
        None => Err(Diagnostic::new(span, "missing member `type` of the action")),
    }
}

fn parse_args(text: &str, words: &[Word]) -> Result<Vec<Arg>, Diagnostic> {
    words.iter().map(|word| Arg::parse(text, word)).collect()
}

fn parse_request(text: &str, from: usize) -> Result<JsonRequest, Diagnostic> {
    let (json, end) = parse_json(text, from)?;
    let tail = tokenize(&text[end..]).words;
    if let Some(word) = tail.first() {
        let span = Span::new(end + word.span.start, end + word.span.end);
        let message = format!("unexpected text after the JSON request{}", comment_hint(word));
        return Err(Diagnostic::new(span, message));
    }
    let span = json.span;
    let JsonKind::Object(members) = json.kind else {
        return Err(Diagnostic::new(span, "expected a JSON object"));
    };
    let mut command: Option<(Member, bool)> = None;
    let (mut arguments, mut id) = (None, None);
    for member in members {
        match member.key.as_str() {
            "execute" | "exec-oob" if command.is_some() => {
                return Err(Diagnostic::new(member.key_span, "a request has either `execute` or `exec-oob`, not both"));
            }
            "execute" => command = Some((member, false)),
            "exec-oob" => command = Some((member, true)),
            "arguments" => {
                if !matches!(member.value.kind, JsonKind::Object(_)) {
                    let message = format!("expected an object for `arguments`, found {}", member.value.type_name());
                    return Err(Diagnostic::new(member.value.span, message));
                }
                arguments = Some(member.value);
            }
            "id" => id = Some(member.value),
            "time" | "sent" | "received" => {
                let message =
                    "this is a line of a message log; `-f FILE` and `.source FILE` send the requests of a log";
                return Err(Diagnostic::new(member.key_span, message));
            }
            other => {
                let message =
                    format!("unknown member `{other}`; a request has `execute` or `exec-oob`, `arguments` and `id`");
                return Err(Diagnostic::new(member.key_span, message));
            }
        }
    }
    let Some((member, oob)) = command else {
        return Err(Diagnostic::new(span, "not a QMP request: missing `execute`"));
    };
    let Some(name) = member.value.as_str() else {
        let message = format!("expected a string for `{}`, found {}", member.key, member.value.type_name());
        return Err(Diagnostic::new(member.value.span, message));
    };
    Ok(JsonRequest { command: name, command_span: member.value.span, oob, arguments, id, has_arrow: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> Command {
        match parse_line(text) {
            Ok(Line::Command(command)) => command,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn blank_lines_and_comments_do_nothing() {
        for text in ["", "  \t", "# note", "   # note"] {
            assert_eq!(parse_line(text), Ok(Line::Blank), "{text:?}");
        }
    }

    #[test]
    fn parses_keys_and_values_of_a_command() {
        let command = command("exec-oob blockdev-add {\"driver\": \"raw\"} file.driver=null-co a='x y' # why");
        assert!(command.oob && command.json.is_some());
        assert_eq!(command.name, "blockdev-add");
        assert_eq!(command.args[0].key.parts, ["file", "driver"]);
        assert_eq!(command.args[1].word.value(), "x y");
        assert!(command.args[1].word.quoted);
    }

    #[test]
    fn parses_pasted_requests() {
        let Ok(Line::Json(request)) = parse_line("\u{feff}\u{a0}->\u{200b}{\u{a0}\"execute\": \"stop\"}\u{a0}") else {
            panic!()
        };
        assert_eq!(request.command, "stop");
        let text = "-> { 'execute': \"query-status\",\n  \"arguments\": {}, 'id': [1], }";
        let Ok(Line::Json(request)) = parse_line(text) else { panic!() };
        assert_eq!((request.command.as_str(), request.oob), ("query-status", false));
        assert!(request.id.is_some() && request.arguments.is_some());
        let Ok(Line::Json(request)) = parse_line("{\"exec-oob\": \"yank\"} # now") else { panic!() };
        assert!(request.oob);
    }

    #[test]
    fn transactions_open_and_close() {
        let Ok(Line::Transaction(line)) = parse_line("transaction( abort ) completion-mode=grouped") else { panic!() };
        assert_eq!(line.action.unwrap().name, "abort");
        assert_eq!(line.close.unwrap()[0].key.dotted(), "completion-mode");
        assert_eq!(parse_line("transaction("), Ok(Line::Transaction(TransactionLine::default())));
        assert!(parse_transaction_line(")").unwrap().close.is_some());
        let line = parse_transaction_line("{ \"type\": \"abort\", \"data\": {\"x\": 1} }, # one").unwrap();
        let action = line.action.unwrap();
        assert_eq!((action.name.as_str(), action.json.is_some()), ("abort", true));
        assert!(parse_transaction_line("{\"type\": \"abort\"} )").unwrap().close.is_some());
    }

    #[test]
    fn knows_lines_that_open_a_block() {
        for text in ["transaction(", "transaction ( abort", "transaction( abort x", "transaction(abort a=1"] {
            assert!(opens_transaction(text), "{text}");
        }
        for text in
            ["transaction()", "transaction( abort )", "transaction(abort)", "transaction", "abort", "x transaction("]
        {
            assert!(!opens_transaction(text), "{text}");
        }
    }

    #[test]
    fn errors_point_at_their_word() {
        for (text, start, end, message) in [
            ("stop a=1 now", 9, 12, "expected `key=value`, found `now`"),
            ("stop -f", 5, 7, "expected `key=value`, found `-f`"),
            ("a=1", 0, 3, "expected a command, found `a=1`"),
            ("c =1", 2, 4, "expected a key before the `=`"),
            ("c a..b=1", 2, 6, "key `a..b` has an empty part"),
            ("c a='x", 2, 6, "unclosed `'` in this word"),
            ("c a=json:{x", 2, 11, "unclosed `{` in this word"),
            ("c a=“x y”", 4, 8, "`“` is not a quote; use `\"` or `'`, or quote the value to send it"),
            ("query-status | jq", 13, 14, "`|` is reserved; quote it to send it"),
            ("{\"a\": 1}", 1, 4, "unknown member `a`; a request has `execute` or `exec-oob`, `arguments` and `id`"),
            ("{\"execute\": 5}", 12, 13, "expected a string for `execute`, found a number"),
            ("{\"execute\": \"stop\"} cont", 20, 24, "unexpected text after the JSON request"),
            ("exec-oob", 8, 8, "expected a command after `exec-oob`"),
            (
                "[{\"execute\": \"stop\"}]",
                0,
                1,
                "expected a command or a request, found an array; enter the requests in it one at a time",
            ),
            ("// note", 0, 2, "expected a command, found `//`; comments begin with `#`"),
            ("stop /* note */", 5, 7, "expected `key=value`, found `/*`; comments begin with `#`"),
            ("{\"execute\": \"stop\"} //", 20, 22, "unexpected text after the JSON request; comments begin with `#`"),
            ("transaction(abort)", 0, 18, "expected spaces around the parentheses: `transaction( ACTION … )`"),
        ] {
            let diagnostic = parse_line(text).expect_err(text);
            assert_eq!(
                (diagnostic.span.start, diagnostic.span.end, diagnostic.message.as_str()),
                (start, end, message),
                "{text}"
            );
        }
    }
}
