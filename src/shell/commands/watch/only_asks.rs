//! Whether a line only asks, and changes nothing in the server.

use crate::grammar::{Command, Diagnostic, DotLine, JsonRequest, Line, Span, Tail, TailKind, TransactionLine};
use crate::schema::{hmp_line_only_asks, qmp_command_only_asks};
use crate::wire::HMP_COMMAND;

use super::super::super::engine::Engine;
use super::super::ParsedLine;
use super::super::chain::split;
use super::super::run::{parse, parse_expanded};
use super::super::target::{TargetedLine, check_target, targeted_parts};

/// Dot commands that change nothing in the server.
const DOT_COMMANDS: &[&str] = &["events", "explain", "expect", "help", "history", "show"];

/// Rejects a line of which a command may change something in the server, and one that cannot be repeated.
pub(super) fn check_that_line_only_asks(engine: &Engine, text: &str) -> Result<(), Diagnostic> {
    targeted_parts(engine, text).iter().try_for_each(|part| check_that_part_only_asks(engine, part))
}

fn check_that_part_only_asks(engine: &Engine, text: &str) -> Result<(), Diagnostic> {
    let targeted = TargetedLine::parse(text).filter(|_| engine.has_several_servers());
    if let Some(targeted) = &targeted {
        check_target(engine, targeted)?;
    }
    let text = targeted.as_ref().map_or(text, |targeted| targeted.rest.as_str());
    for part in split(engine.language(), text) {
        check_that_command_only_asks(engine, &part.blanked(text))?;
        if let Some(Tail { operator, kind: TailKind::Pipeline(_) | TailKind::Redirect(_) }) = part.tail {
            let message =
                "only a filter can take the reply to a line that is repeated; `.watch!` repeats it all the same";
            return Err(Diagnostic::new(operator, message));
        }
    }
    Ok(())
}

/// Does the same for one command of the line, at its place in the line.
fn check_that_command_only_asks(engine: &Engine, text: &str) -> Result<(), Diagnostic> {
    let start = text.len() - text.trim_start().len();
    let first_word = Span::new(start, start + text[start..].find(char::is_whitespace).unwrap_or(text.len() - start));
    let parsed = match parse(engine, text) {
        ParsedLine::Alias(line) => {
            let at_alias = |diagnostic: Diagnostic| Diagnostic::new(first_word, diagnostic.message);
            return split(engine.language(), &line)
                .iter()
                .try_for_each(|part| {
                    let command = part.blanked(&line);
                    check_parsed(parse_expanded(engine, &command), &command, first_word)
                })
                .map_err(at_alias);
        }
        parsed => parsed,
    };
    check_parsed(parsed, text, first_word)
}

fn check_parsed(parsed: ParsedLine, text: &str, first_word: Span) -> Result<(), Diagnostic> {
    let (name, span) = match parsed {
        ParsedLine::Alias(_) => ("alias".to_owned(), first_word),
        ParsedLine::Invalid(diagnostic) => return Err(diagnostic),
        ParsedLine::Hmp if hmp_line_only_asks(text.trim_start()) => return Ok(()),
        ParsedLine::Hmp => (text.split_whitespace().next().unwrap_or_default().to_owned(), first_word),
        ParsedLine::Transaction(TransactionLine { .. }) => ("transaction".to_owned(), first_word),
        ParsedLine::Qmp(line) => match line {
            Line::Blank => return Ok(()),
            Line::Command(command) if command_only_asks(&command) => return Ok(()),
            Line::Command(command) => (command.name, command.name_span),
            Line::Json(request) if request_only_asks(&request) => return Ok(()),
            Line::Json(request) => (request.command, request.command_span),
            Line::Dot(dot) if dot_command_only_asks(&dot) => return Ok(()),
            Line::Dot(dot) => (format!(".{}", dot.name), dot.name_span),
            Line::ShellEscape(_) => ("!".to_owned(), first_word),
            Line::Transaction(_) => ("transaction".to_owned(), first_word),
        },
    };
    Err(Diagnostic::new(span, format!("`{name}` may change something; `.watch!` repeats it all the same")))
}

fn command_only_asks(command: &Command) -> bool {
    match command.text_of("command-line") {
        Some(hmp_line) if command.name == HMP_COMMAND => hmp_line_only_asks(&hmp_line),
        _ => qmp_command_only_asks(&command.name),
    }
}

fn request_only_asks(request: &JsonRequest) -> bool {
    qmp_command_only_asks(&request.command)
}

fn dot_command_only_asks(dot: &DotLine) -> bool {
    match dot.name.as_str() {
        "hmp" => hmp_line_only_asks(dot.tail()),
        name => DOT_COMMANDS.contains(&name),
    }
}
