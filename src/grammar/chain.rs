//! Splits a line into its commands (`stop; cont`), and each command from what takes its reply: a filter or a program
//! after `|`, or a file after `>` or `>>`.
//!
//! The operators count only outside quotes and JSON, `|` and `>` at the beginning of a word, `;` at its end: `a=x|y` and
//! `exec:cat>f` are values. What follows a `|` is in another language, which is scanned only for its end.

use super::assemble::Language;
use super::diagnostic::{Diagnostic, Span};
use super::scan::{Scanner, is_blank};
use super::tail_end::{filter_end, hmp_operator, pipeline_end};
use super::word::tokenize;

/// A command of a line, and what takes its reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The span of the command without blanks around it. Empty if the line begins with an operator, which then takes the
    /// last reply.
    pub command: Span,
    pub tail: Option<Tail>,
}

/// The receiver of a command's reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The span of the `|`, `>` or `>>`.
    pub operator: Span,
    pub kind: TailKind,
}

/// The kinds of receivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailKind {
    /// A jq filter at this span, and the file for its results.
    Filter(Span, Option<Redirect>),
    /// A pipeline of the system's shell.
    Pipeline(Span),
    Redirect(Redirect),
}

/// A file that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    pub file: String,
    /// The span of the file, or the place where it is missing.
    pub span: Span,
    /// Whether it is appended to, and not replaced.
    pub appends: bool,
    /// The text after the file that cannot be there.
    rest: Option<Span>,
}

/// The meaning of the text after a dot command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DotTail {
    /// Words, as after a command.
    Words,
    /// Text that may contain `|` and `>`, up to a `;`.
    Raw,
    /// A whole line, with its operators.
    Line,
    /// A line for the human monitor.
    Hmp,
}

/// The knowledge that the place of an operator depends on, besides the text.
pub struct SplitRules<'a> {
    pub language: Language,
    /// Returns the meaning of the text after a dot command of this name.
    pub dot_tail: &'a dyn Fn(&str) -> DotTail,
    /// Returns whether a program of this name can be run.
    pub is_program: &'a dyn Fn(&str) -> bool,
}

/// An operator that ends a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Pipe,
    Write,
    Append,
    Semicolon,
}

impl Operator {
    /// Returns the operator at the beginning of a text.
    pub(super) fn at_start(text: &str) -> Option<Operator> {
        match text.as_bytes() {
            [b'|', ..] => Some(Operator::Pipe),
            [b'>', b'>', ..] => Some(Operator::Append),
            [b'>', ..] => Some(Operator::Write),
            [b';', ..] => Some(Operator::Semicolon),
            _ => None,
        }
    }

    pub(super) fn len(self) -> usize {
        if self == Operator::Append { 2 } else { 1 }
    }
}

/// Splits a logical line, finished or not. A line without operators is one part.
pub fn split_line(text: &str, rules: &SplitRules<'_>) -> Vec<Part> {
    let whole = || vec![Part { command: trimmed(text, Span::new(0, text.len())), tail: None }];
    let is_plain = memchr::memchr3(b'|', b';', b'>', text.as_bytes()).is_none();
    if is_plain || text.trim_start_matches(is_blank).starts_with('#') {
        return whole();
    }
    let mut parts = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (command_end, operator) = next_operator(text, at, rules);
        let command = trimmed(text, Span::new(at, command_end));
        let after = command_end + operator.map_or(0, Operator::len);
        let span = Span::new(command_end, after);
        let (tail, end) = match operator {
            None | Some(Operator::Semicolon) => (None, after),
            Some(operator) => {
                let (kind, end) = parse_tail(text, after, operator);
                (Some(Tail { operator: span, kind }), end)
            }
        };
        if !command.range().is_empty() || tail.is_some() {
            parts.push(Part { command, tail });
        }
        at = end;
    }
    if parts.is_empty() { whole() } else { parts }
}

/// Returns the part at the end of an unfinished line. It is empty after a `;`.
pub fn last_part(text: &str, rules: &SplitRules<'_>) -> Part {
    let empty = || Part { command: Span::at(text.len()), tail: None };
    let Some(part) = split_line(text, rules).pop() else { return empty() };
    let end = match part.tail.as_ref().map(|tail| &tail.kind) {
        None => part.command.end,
        Some(TailKind::Filter(span, None) | TailKind::Pipeline(span)) => span.end,
        Some(TailKind::Filter(_, Some(redirect)) | TailKind::Redirect(redirect)) => redirect.span.end,
    };
    if text[end..].contains(';') { empty() } else { part }
}

/// Returns the end of the command that begins at `start`, and the operator there.
fn next_operator(text: &str, start: usize, rules: &SplitRules<'_>) -> (usize, Option<Operator>) {
    let command = text[start..].trim_start_matches(is_blank);
    let from = text.len() - command.len();
    if command.starts_with('!') {
        return (text.len(), None);
    }
    let dot_name = command.strip_prefix('.').map(|rest| rest.split(is_blank).next().unwrap_or_default());
    let tail = match (dot_name, rules.language) {
        (Some(name), _) => (rules.dot_tail)(name.split(['|', ';', '>']).next().unwrap_or_default()),
        (None, Language::Hmp) => DotTail::Hmp,
        (None, Language::Qmp) => DotTail::Words,
    };
    let found = match tail {
        DotTail::Words => operator_of_words(command),
        DotTail::Hmp => hmp_operator(command, rules.is_program),
        DotTail::Raw => pipeline_end(command).map(|at| (at, Operator::Semicolon)),
        DotTail::Line => None,
    };
    found.map_or((text.len(), None), |(at, operator)| (from + at, Some(operator)))
}

/// Returns the first operator outside the words of a command.
fn operator_of_words(text: &str) -> Option<(usize, Operator)> {
    let mut scanner = Scanner::new();
    let mut words = 0;
    let mut is_in_word = false;
    let mut semicolon = None;
    for (at, c) in text.char_indices() {
        let is_bare = scanner.is_bare();
        let (is_word, is_kept) = scanner.step_in_words(c);
        if !is_word {
            if let Some(at) = semicolon {
                return Some((at, Operator::Semicolon));
            }
            is_in_word = false;
            continue;
        }
        if is_bare && is_kept {
            let operator = Operator::at_start(&text[at..]);
            let is_first_word = words == 0 || words == 1 && is_in_word;
            if let Some(operator) =
                operator.filter(|operator| !is_in_word || is_first_word && *operator == Operator::Pipe)
            {
                return Some((at, operator));
            }
        }
        words += usize::from(!is_in_word);
        is_in_word = true;
        semicolon = (is_bare && is_kept && c == ';').then_some(at);
    }
    semicolon.map(|at| (at, Operator::Semicolon))
}

/// Parses what follows an operator. Returns it, and the index at which the next command begins.
fn parse_tail(text: &str, after: usize, operator: Operator) -> (TailKind, usize) {
    if operator != Operator::Pipe {
        let (redirect, end) = parse_redirect(text, after, operator == Operator::Append);
        return (TailKind::Redirect(redirect), end);
    }
    let tail = text[after..].trim_start_matches(is_blank);
    let start = text.len() - tail.len();
    if !is_filter(tail) {
        let end = pipeline_end(tail).map_or(text.len(), |at| start + at);
        let span = trimmed(text, Span::new(start, end));
        return (TailKind::Pipeline(span), (end + 1).min(text.len()));
    }
    match filter_end(tail) {
        None => (TailKind::Filter(trimmed(text, Span::new(start, text.len())), None), text.len()),
        Some((at, operator)) => {
            let span = trimmed(text, Span::new(start, start + at));
            let after = start + at + operator.len();
            if operator == Operator::Semicolon {
                return (TailKind::Filter(span, None), after);
            }
            let (redirect, end) = parse_redirect(text, after, operator == Operator::Append);
            (TailKind::Filter(span, Some(redirect)), end)
        }
    }
}

/// Returns whether the text after a `|` is a jq filter.
fn is_filter(tail: &str) -> bool {
    let is_path = tail.starts_with("./") || tail.starts_with("../");
    tail.starts_with(['.', '[', '{']) && !is_path
}

/// Parses the file after a redirection.
fn parse_redirect(text: &str, after: usize, appends: bool) -> (Redirect, usize) {
    let end = operator_of_words(&text[after..]);
    let command_end = end.map_or(text.len(), |(at, _)| after + at);
    let words = tokenize(&text[after..command_end]).words;
    let place = |span: Span| Span::new(after + span.start, after + span.end);
    let mut redirect = Redirect { file: String::new(), span: Span::at(command_end), appends, rest: None };
    if let Some(word) = words.first() {
        redirect.file.clone_from(&word.text);
        redirect.span = place(word.span);
        redirect.rest = words.get(1).map(|second| place(second.span));
    }
    match end {
        Some((at, Operator::Semicolon)) => (redirect, after + at + 1),
        Some((at, operator)) => {
            redirect.rest = redirect.rest.or(Some(Span::new(after + at, after + at + operator.len())));
            (redirect, text.len())
        }
        None => (redirect, text.len()),
    }
}

/// Returns a span without blanks at its ends.
fn trimmed(text: &str, span: Span) -> Span {
    let part = &text[span.range()];
    let start = span.end - part.trim_start_matches(is_blank).len();
    Span::new(start, start + part.trim_matches(is_blank).len())
}

impl Part {
    /// Returns the line with blanks in the place of everything but the command, so that places in it stay the same.
    pub fn blanked(&self, text: &str) -> String {
        let blanks: String =
            text[..self.command.start].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        blanks + &text[self.command.range()]
    }

    /// Returns the error for a tail that lacks something, or has too much.
    pub fn check(&self) -> Result<(), Diagnostic> {
        let Some(tail) = &self.tail else { return Ok(()) };
        let redirect = match &tail.kind {
            TailKind::Pipeline(span) if span.range().is_empty() => {
                let message = "expected a filter or a command of the system's shell after `|`";
                return Err(Diagnostic::unfinished(tail.operator, message));
            }
            TailKind::Filter(_, redirect) => redirect.as_ref(),
            TailKind::Redirect(redirect) => Some(redirect),
            TailKind::Pipeline(_) => None,
        };
        match redirect {
            Some(redirect) if redirect.file.is_empty() => {
                let operator = if redirect.appends { ">>" } else { ">" };
                Err(Diagnostic::unfinished(redirect.span, format!("expected a file after `{operator}`")))
            }
            Some(Redirect { rest: Some(rest), .. }) => Err(Diagnostic::new(*rest, "unexpected text after the file")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits a line, and shows each part as `command`, `command |. filter`, `command |! pipeline` or `command > file`.
    fn split(text: &str, language: Language) -> Vec<String> {
        let dot_tail = |name: &str| match name {
            "hmp" => DotTail::Hmp,
            "set" => DotTail::Raw,
            "watch" => DotTail::Line,
            _ => DotTail::Words,
        };
        let rules = SplitRules { language, dot_tail: &dot_tail, is_program: &|name| matches!(name, "grep" | "less") };
        let redirected = |redirect: &Redirect| {
            let operator = if redirect.appends { ">>" } else { ">" };
            let rest = redirect.rest.map(|rest| format!(" [{}]", &text[rest.range()])).unwrap_or_default();
            format!("{operator} {}{rest}", redirect.file)
        };
        let shown = |part: &Part| {
            let tail = match part.tail.as_ref().map(|tail| &tail.kind) {
                None => String::new(),
                Some(TailKind::Filter(span, None)) => format!(" |. {}", &text[span.range()]),
                Some(TailKind::Filter(span, Some(redirect))) => {
                    format!(" |. {} {}", &text[span.range()], redirected(redirect))
                }
                Some(TailKind::Pipeline(span)) => format!(" |! {}", &text[span.range()]),
                Some(TailKind::Redirect(redirect)) => format!(" {}", redirected(redirect)),
            };
            format!("{}{tail}", &text[part.command.range()])
        };
        split_line(text, &rules).iter().map(shown).collect()
    }

    #[test]
    fn splits_lines_of_qmp_mode() {
        for (line, parts) in [
            ("", vec![""]),
            ("stop", vec!["stop"]),
            ("stop; cont", vec!["stop", "cont"]),
            ("stop ; cont;", vec!["stop", "cont"]),
            ("; stop; ; cont", vec!["stop", "cont"]),
            ("query-block | .[].device", vec!["query-block |. .[].device"]),
            ("query-block|.[0]|length", vec!["query-block |. .[0]|length"]),
            ("query-block |jq .", vec!["query-block |! jq ."]),
            ("a x=1 | [.a] ; b | {a} ;c", vec!["a x=1 |. [.a]", "b |. {a} ;c"]),
            ("a | limit(3; .x)", vec!["a |! limit(3; .x)"]),
            ("a | . | limit(3; .[]); b", vec!["a |. . | limit(3; .[])", "b"]),
            ("a | . | def f: .x; f; b", vec!["a |. . | def f: .x; f", "b"]),
            ("a | .x == \"a; b\"; c", vec!["a |. .x == \"a; b\"", "c"]),
            ("a | \"\\(.x; 1)\"", vec!["a |! \"\\(.x; 1)\""]),
            ("a | .[] | \"\\(.x | f(\"; \"; 1)) ; \" ; c", vec!["a |. .[] | \"\\(.x | f(\"; \"; 1)) ; \"", "c"]),
            ("a | .[] | select(.x > 3)", vec!["a |. .[] | select(.x > 3)"]),
            ("a | .x > 3", vec!["a |. .x > 3"]),
            ("a | .x > /tmp/f; b", vec!["a |. .x > /tmp/f", "b"]),
            ("a | .x >> f", vec!["a |. .x >> f"]),
            ("a | ./run.sh x", vec!["a |! ./run.sh x"]),
            ("a | ../run.sh", vec!["a |! ../run.sh"]),
            ("a | ..", vec!["a |. .."]),
            ("a > f", vec!["a > f"]),
            ("a >f; b", vec!["a > f", "b"]),
            ("a >> 'f g' x", vec!["a >> f g [x]"]),
            ("a > f | wc", vec!["a > f [|]"]),
            ("a >", vec!["a > "]),
            ("a |", vec!["a |! "]),
            ("| less", vec![" |! less"]),
            ("> f", vec![" > f"]),
            ("help | less", vec!["help |! less"]),
            (".events 3 | grep X", vec![".events 3 |! grep X"]),
            (".set pager less | cat; stop", vec![".set pager less | cat", "stop"]),
            (".watch 1 a | .x; b", vec![".watch 1 a | .x; b"]),
            (".hmp info block | grep x; stop", vec![".hmp info block |! grep x", "stop"]),
            (".hmp print 1 | 2", vec![".hmp print 1 | 2"]),
            ("!ls | wc; ls", vec!["!ls | wc; ls"]),
            ("stop; !ls | wc; ls", vec!["stop", "!ls | wc; ls"]),
            ("# a | b; c", vec!["# a | b; c"]),
            ("stop # a | b; c", vec!["stop # a | b; c"]),
            ("migrate uri=exec:cat>f|g;x", vec!["migrate uri=exec:cat>f|g;x"]),
            ("a x='|' y=\"; \" z=\\; w", vec!["a x='|' y=\"; \" z=\\; w"]),
            ("a x={\"b\": \"; | > \"} | .", vec!["a x={\"b\": \"; | > \"} |. ."]),
            ("{\"execute\": \"a; b\"} | .x", vec!["{\"execute\": \"a; b\"} |. .x"]),
            ("{\"execute\": \"a\"}; b", vec!["{\"execute\": \"a\"}", "b"]),
            ("-> { \"execute\": \"stop\" } | .", vec!["-> { \"execute\": \"stop\" } |. ."]),
            ("a | while read x; do echo $x; done; b", vec!["a |! while read x; do echo $x; done", "b"]),
            ("a | (read x; echo $x); b", vec!["a |! (read x; echo $x)", "b"]),
            ("a | grep if; b", vec!["a |! grep if", "b"]),
            ("a | sed 's/; /x/' ; b", vec!["a |! sed 's/; /x/'", "b"]),
            ("transaction( a; b ) | .", vec!["transaction( a", "b ) |. ."]),
        ] {
            assert_eq!(split(line, Language::Qmp), parts, "{line}");
        }
    }

    #[test]
    fn splits_lines_of_hmp_mode() {
        for (line, parts) in [
            ("info mtree -f | grep hpet | less", vec!["info mtree -f |! grep hpet | less"]),
            ("print 1 | 2", vec!["print 1 | 2"]),
            ("print 1 | grep", vec!["print 1 |! grep"]),
            ("print 1|grep", vec!["print 1|grep"]),
            ("info x | /bin/cat; stop", vec!["info x |! /bin/cat", "stop"]),
            ("info x | .a", vec!["info x | .a"]),
            ("| less", vec![" |! less"]),
            ("migrate \"exec:cat > f; x\"; cont", vec!["migrate \"exec:cat > f; x\"", "cont"]),
            ("migrate exec:cat>f", vec!["migrate exec:cat>f"]),
            ("info mtree > f; info block", vec!["info mtree > f", "info block"]),
            (".events | grep X", vec![".events |! grep X"]),
        ] {
            assert_eq!(split(line, Language::Hmp), parts, "{line}");
        }
    }

    #[test]
    fn blanks_keep_places() {
        let text = "st\u{f6}p;\n cont x=1 | .";
        let rules = SplitRules { language: Language::Qmp, dot_tail: &|_| DotTail::Words, is_program: &|_| false };
        let parts = split_line(text, &rules);
        assert_eq!(parts[1].blanked(text), "      \n cont x=1");
    }
}
