//! Running a command: parses it once, in its language, and executes it.

use crate::grammar::{
    Diagnostic, Language, Line, Span, TransactionLine, is_blank, opens_transaction, parse_line, parse_transaction_line,
};

use super::super::engine::hmp::HmpOutput;
use super::super::engine::{Engine, not_sent};
use super::super::line::{InputLine, LineOutcome};
use super::super::output::Output;
use super::run_dot_command;
use super::shell_escape::run_shell_escape;
use super::suggest::with_suggestion;
use super::target::run_line;

/// A parsed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedLine {
    /// A line in QMP mode; in the other modes, a dot command or a shell escape.
    Qmp(Line),
    /// A line inside a transaction block.
    Transaction(TransactionLine),
    /// A line for the human monitor, exactly as typed.
    Hmp,
    /// The line for which one that begins with an alias stands.
    Alias(String),
    Invalid(Diagnostic),
}

impl From<Result<Line, Diagnostic>> for ParsedLine {
    /// Takes a line that was parsed in QMP mode.
    fn from(line: Result<Line, Diagnostic>) -> ParsedLine {
        line.map_or_else(ParsedLine::Invalid, ParsedLine::Qmp)
    }
}

/// Parses a line in the current language.
pub fn parse(engine: &Engine, text: &str) -> ParsedLine {
    match engine.aliases.expand(text).filter(|_| !engine.in_transaction() && !engine.runs_alias) {
        None => parse_expanded(engine, text),
        Some(Ok(line)) => ParsedLine::Alias(line),
        Some(Err(diagnostic)) => ParsedLine::Invalid(diagnostic),
    }
}

/// Parses a line without an alias.
pub(super) fn parse_expanded(engine: &Engine, text: &str) -> ParsedLine {
    let trimmed = text.trim_start_matches(is_blank);
    if let Some(diagnostic) = encoding_error(text).filter(|_| !trimmed.starts_with('#')) {
        return ParsedLine::Invalid(diagnostic);
    }
    let parsed = match (engine.language(), engine.in_transaction()) {
        (Language::Hmp, _) if trimmed.is_empty() || trimmed.starts_with('#') => Ok(ParsedLine::Qmp(Line::Blank)),
        (Language::Hmp, _) if !trimmed.starts_with(['.', '!']) => Ok(ParsedLine::Hmp),
        (Language::Qmp, true) if !trimmed.starts_with('.') => parse_transaction_line(text).map(ParsedLine::Transaction),
        _ => parse_line(text).map(ParsedLine::Qmp),
    };
    parsed.unwrap_or_else(ParsedLine::Invalid)
}

/// Returns the error for a line that is not UTF-8 text.
fn encoding_error(text: &str) -> Option<Diagnostic> {
    // The code that read the line put the replacement character in the place of invalid bytes.
    let (at, c) = text.match_indices(['\0', char::REPLACEMENT_CHARACTER]).next()?;
    let message = match text.contains('\0') {
        true => "a NUL character is not text; convert a script in UTF-16 to UTF-8 (`iconv -f UTF-16 -t UTF-8`)",
        false => "invalid UTF-8",
    };
    Some(Diagnostic::new(Span::new(at, at + c.len()), message))
}

/// Executes a parsed line.
pub fn run_parsed(engine: &mut Engine, parsed: ParsedLine, line: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    if !matches!(parsed, ParsedLine::Qmp(Line::Blank | Line::Json(_))) {
        engine.forget_typed_request();
    }
    let outcome = match parsed {
        ParsedLine::Qmp(parsed) => run_qmp_line(engine, parsed, line, out),
        ParsedLine::Transaction(transaction) => match check_positional(engine, &transaction, out) {
            Ok(()) => engine.run_transaction_line(transaction, line, out),
            Err(diagnostic) => reject(engine, diagnostic, line, out),
        },
        ParsedLine::Hmp => engine.run_hmp(line.text, HmpOutput::Text, line, out),
        ParsedLine::Alias(text) => run_alias(engine, &text, line, out),
        ParsedLine::Invalid(diagnostic) => reject(engine, diagnostic, line, out),
    };
    engine.note_outcome(outcome);
    outcome
}

/// Runs the line for which an alias stands. Messages name the alias, since its line is not on the screen.
fn run_alias(engine: &mut Engine, text: &str, line: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    let alias = format!("alias {}", line.text.split_whitespace().next().unwrap_or_default());
    let line = match line.script {
        Some(_) => InputLine { text, ..*line },
        None => InputLine { text, script: Some(&alias), number: 0 },
    };
    // The line may be a chain, or have a filter. The aliases in it are expanded already.
    let runs_alias = std::mem::replace(&mut engine.runs_alias, true);
    let outcome = run_line(engine, &line, out);
    engine.runs_alias = runs_alias;
    outcome
}

fn run_qmp_line(engine: &mut Engine, parsed: Line, line: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    let result = match parsed {
        Line::Blank => return LineOutcome::Done,
        Line::Dot(dot) => return run_dot_command(engine, &dot, line, out),
        Line::ShellEscape(command) => return run_shell_escape(engine, &command, line, out),
        Line::Transaction(transaction) => {
            return match check_positional(engine, &transaction, out) {
                Ok(()) => engine.open_transaction(transaction, line, out),
                Err(diagnostic) => reject(engine, diagnostic, line, out),
            };
        }
        Line::Json(json) => engine.run_json(&json, line, out),
        Line::Command(command) => engine.run_command(&command, line, out),
    };
    result.unwrap_or_else(|diagnostic| not_sent(&with_suggestion(engine, diagnostic, line.text, out), line, out))
}

fn check_positional(
    engine: &mut Engine,
    transaction: &TransactionLine,
    out: &mut dyn Output,
) -> Result<(), Diagnostic> {
    transaction.action.iter().try_for_each(|action| engine.check_positional(action, out))
}

/// Rejects a line that cannot be parsed.
pub(super) fn reject(
    engine: &mut Engine,
    diagnostic: Diagnostic,
    line: &InputLine<'_>,
    out: &mut dyn Output,
) -> LineOutcome {
    if engine.language() == Language::Hmp {
        out.report_not_sent(&diagnostic, line, false);
        return LineOutcome::Failed;
    }
    let diagnostic = with_suggestion(engine, diagnostic, line.text, out);
    if opens_transaction(line.text) {
        // Otherwise, the actions after the line would be executed by themselves.
        engine.begin_transaction();
    }
    match engine.in_transaction() {
        true => engine.reject_action(&diagnostic, line, out),
        false => not_sent(&diagnostic, line, out),
    }
}
