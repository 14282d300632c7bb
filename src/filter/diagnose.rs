//! Errors of jaq about a filter as diagnostics with a span.

use jaq_core::compile::Undefined;
use jaq_core::load::lex::{self, Token};
use jaq_core::load::parse::{self, Expect};

use crate::grammar::{Diagnostic, Span};
use crate::wire::preview;

use super::functions::functions;

/// Returns the span of `part`, which is a slice of `text`.
fn span_in(text: &str, part: &str) -> Option<Span> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    (start + part.len() <= text.len()).then(|| Span::new(start, start + part.len()))
}

/// Returns the first error of the lexer.
pub(super) fn lexing_error(text: &str, errors: &[lex::Error<&str>]) -> Diagnostic {
    let Some((expected, rest)) = errors.first() else { return Diagnostic::new(Span::default(), "invalid filter") };
    let start = span_in(text, rest).map_or(text.len(), |span| span.start);
    let found = rest.chars().next();
    let here = Span::new(start, start + found.map_or(0, char::len_utf8));
    let shown = found.map_or("the end of the filter".to_owned(), |c| format!("`{}`", preview(&c.to_string())));
    let message = match expected {
        lex::Expect::Delim(open) if found.is_none() => {
            let span = span_in(text, open).unwrap_or(here);
            return Diagnostic::unfinished(span, format!("unclosed `{open}` in the filter"));
        }
        lex::Expect::Delim(open) => {
            let close = match *open {
                "(" => ")",
                "[" => "]",
                "{" => "}",
                other => other,
            };
            format!("expected `{close}` for the `{open}` before, found {shown}")
        }
        lex::Expect::Digit => format!("expected a digit, found {shown}"),
        lex::Expect::Ident => format!("expected a name, found {shown}"),
        lex::Expect::Escape => "invalid escape in a string of the filter".to_owned(),
        lex::Expect::Unicode => "expected four hexadecimal digits of a character after `\\u`".to_owned(),
        _ if found == Some('\'') => "`'` is not a quote in a filter; use `\"`".to_owned(),
        _ => format!("unexpected {shown} in the filter"),
    };
    match found {
        None => Diagnostic::unfinished(here, message),
        Some(_) => Diagnostic::new(here, message),
    }
}

/// Returns the first error of the parser.
pub(super) fn parsing_error(text: &str, errors: &[parse::TError<'_, &str>]) -> Diagnostic {
    let Some((expected, found)) = errors.first() else { return Diagnostic::new(Span::default(), "invalid filter") };
    let rest = Token::opt_as_str(*found, text);
    let span = span_in(text, rest).unwrap_or(Span::at(text.len()));
    let expected = match expected {
        Expect::Just(word) => format!("`{word}`"),
        Expect::Var => "a variable, such as `$x`".to_owned(),
        Expect::Pattern => "a variable or a pattern, such as `$x` or `[$x, $y]`".to_owned(),
        Expect::ElseOrEnd => "`else` or `end`".to_owned(),
        Expect::CommaOrRBrack => "`,` or `]`".to_owned(),
        Expect::CommaOrRBrace => "`,` or `}`".to_owned(),
        Expect::SemicolonOrRParen => "`;` or `)`".to_owned(),
        Expect::Term => "a term such as `.name`".to_owned(),
        Expect::Key => "a member".to_owned(),
        Expect::Ident => "a name".to_owned(),
        Expect::Arg => "the name of an argument".to_owned(),
        Expect::Str => "a string".to_owned(),
        Expect::Nothing => "the end of the filter".to_owned(),
        _ => "something else".to_owned(),
    };
    match found {
        Some(token) => {
            let word: String = token.as_str().chars().take_while(|c| !c.is_whitespace()).take(30).collect();
            let hint = if word == "-" { dashed_member_hint(text, span.start) } else { None };
            let span = Span::new(span.start, span.start + word.len());
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            Diagnostic::new(span, format!("expected {expected}, found `{}`{hint}", preview(&word)))
        }
        None => Diagnostic::unfinished(span, format!("expected {expected} at the end of the filter")),
    }
}

/// Returns the first error about names that are not defined.
pub(super) fn undefined_error<'e, 's: 'e>(
    text: &str,
    errors: impl Iterator<Item = &'e (&'s str, Undefined)>,
) -> Diagnostic {
    let mut errors = errors.filter_map(|(name, undefined)| span_in(text, name).map(|span| (*name, undefined, span)));
    let Some((name, undefined, span)) = errors.next() else {
        return Diagnostic::new(Span::new(0, text.len()), "invalid filter");
    };
    let message = match undefined {
        Undefined::Filter(arity) if functions().iter().any(|function| function.name == name) => {
            let plural = if *arity == 1 { "argument" } else { "arguments" };
            format!("`{name}` does not take {arity} {plural}")
        }
        Undefined::Filter(_) => match dashed_member_hint(text, span.start) {
            Some(hint) => format!("unknown function `{name}`; {hint}"),
            None => format!("unknown function `{name}`{}", nearest_hint(name)),
        },
        Undefined::Var => format!("unknown variable `{name}`"),
        Undefined::Label => format!("unknown label `{name}`"),
        undefined => format!("unknown {} `{name}`", undefined.as_str()),
    };
    Diagnostic::new(span, message)
}

/// Returns a hint for `.node-name`, which is a subtraction in jq, if the word at `at` is part of such a member.
fn dashed_member_hint(text: &str, at: usize) -> Option<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let start = text[..at].trim_end_matches(is_part).len();
    let end = at + text[at..].find(|c| !is_part(c)).unwrap_or(text.len() - at);
    let member = &text[start..end];
    (text[..start].ends_with('.') && member.contains('-')).then(|| format!("write `.\"{member}\"`"))
}

/// Returns a hint with the function whose name is nearest.
fn nearest_hint(name: &str) -> String {
    const MIN_SIMILARITY: f64 = 0.75;
    let near = functions().into_iter().map(|known| (strsim::jaro_winkler(name, known.name), known.name));
    match near.filter(|(similarity, _)| *similarity > MIN_SIMILARITY).max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, known)) => format!("; did you mean `{known}`?"),
        None => String::new(),
    }
}
