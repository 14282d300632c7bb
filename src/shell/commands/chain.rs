//! Running the commands of a line one after the other, each with the filter, the pipeline or the file that takes its
//! reply.

use crate::filter::{self, Filter};
use crate::grammar::{
    Diagnostic, DotTail, Language, Line, Part, Redirect, Span, SplitRules, Tail, TailKind, TransactionLine, last_part,
    split_line,
};
use crate::session::is_runnable;

use super::super::engine::Engine;
use super::super::line::{InputLine, LineOutcome, STDIN_NAME};
use super::super::output::Output;
use super::super::output::file::ReplyFile;
use super::super::output::tail::{Sink, TailOutput};
use super::run::{ParsedLine, parse, reject, run_parsed};
use super::{DotCommand, expand_home};

/// Parses and executes a line on the current server. It fails if one of its commands does; those after it are executed all
/// the same.
pub(super) fn run_chain(engine: &mut Engine, line: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    let parts = split(engine.language(), line.text);
    if let [Part { tail: None, command }] = parts.as_slice()
        && !line.text[command.end..].contains(';')
    {
        let parsed = parse(engine, line.text);
        return run_parsed(engine, parsed, line, out);
    }
    run_all(engine, parts.len(), out, "The commands after it were not executed.", |engine, index, out| {
        run_part(engine, &parts[index], line, out)
    })
}

/// Calls `run` with the numbers below `count`, one after the other, until one of the calls ends the session, or one fails and
/// the shell should then exit. Returns the worst outcome. `interrupted` is the notice about the rest after Ctrl-C.
pub(super) fn run_all(
    engine: &mut Engine,
    count: usize,
    out: &mut dyn Output,
    interrupted: &str,
    mut run: impl FnMut(&mut Engine, usize, &mut dyn Output) -> LineOutcome,
) -> LineOutcome {
    let mut worst = LineOutcome::Done;
    for index in 0..count {
        let outcome = run(engine, index, out);
        match outcome {
            LineOutcome::Done => {}
            LineOutcome::Failed if worst == LineOutcome::Done => worst = outcome,
            LineOutcome::Failed => {}
            // As in a script, later commands are still checked: one among them cannot be sent.
            LineOutcome::Leave if engine.is_quitting() => worst = outcome,
            LineOutcome::Leave | LineOutcome::Disconnected => return outcome,
        }
        let is_last = index + 1 == count;
        if is_last || out.has_failed() || outcome == LineOutcome::Failed && engine.settings.exit_on_error {
            break;
        }
        if out.take_interrupt() {
            out.show_notice(interrupted);
            break;
        }
    }
    worst
}

/// Splits a line with the shell's knowledge of dot commands and programs.
pub(crate) fn split(language: Language, text: &str) -> Vec<Part> {
    split_line(text, &SplitRules { language, dot_tail: &dot_tail, is_program: &is_runnable })
}

/// Returns whether a line that is being typed ends inside a filter.
pub(crate) fn ends_in_filter(language: Language, text: &str) -> bool {
    let part = last_part(text, &SplitRules { language, dot_tail: &dot_tail, is_program: &|_| true });
    part.tail.is_some_and(|tail| matches!(tail.kind, TailKind::Filter(_, None)))
}

fn dot_tail(name: &str) -> DotTail {
    DotCommand::find_by_prefix(name).map_or(DotTail::Words, DotCommand::tail)
}

fn run_part(engine: &mut Engine, part: &Part, line: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    let command = &line.text[part.command.range()];
    let is_hmp_line = engine.language() == Language::Hmp && !command.starts_with(['.', '!', '#']);
    // The human monitor's errors have no places that would have to stay the same.
    let text = if is_hmp_line { command.to_owned() } else { part.blanked(line.text) };
    let parsed = parse(engine, &text);
    let part_line = InputLine { text: &text, ..*line };
    let is_invalid = matches!(parsed, ParsedLine::Invalid(_));
    let sink = match part.tail.as_ref().filter(|_| !is_invalid) {
        None => None,
        Some(tail) => match prepare_tail(engine, part, tail, &parsed, line) {
            Ok(sink) => sink,
            Err(diagnostic) => {
                let outcome = reject_tail(engine, &diagnostic, &parsed, line, out);
                engine.note_outcome(outcome);
                return outcome;
            }
        },
    };
    let last_reply = engine.last_reply.take_if(|_| part.command.range().is_empty());
    let mut tail_out = TailOutput::new(out, part_line, *line, sink);
    let outcome = match &last_reply {
        Some(last) => {
            tail_out.take_last_reply(last);
            LineOutcome::Done
        }
        None => run_parsed(engine, parsed, &part_line, &mut tail_out),
    };
    let outcome = tail_out.finish(outcome);
    if last_reply.is_some() {
        engine.last_reply = last_reply;
    }
    engine.note_outcome(outcome);
    outcome
}

/// Executes a parsed command, and shows the results of a filter in the place of its reply.
pub fn run_filtered(
    engine: &mut Engine,
    parsed: ParsedLine,
    filter: Filter,
    line: &InputLine<'_>,
    out: &mut dyn Output,
) -> LineOutcome {
    let mut tail_out = TailOutput::new(out, *line, *line, Some(Sink::Filter(filter, None)));
    let outcome = run_parsed(engine, parsed, line, &mut tail_out);
    tail_out.finish(outcome)
}

/// Prepares what takes the reply, so that nothing is sent if it cannot.
fn prepare_tail(
    engine: &Engine,
    part: &Part,
    tail: &Tail,
    parsed: &ParsedLine,
    line: &InputLine<'_>,
) -> Result<Option<Sink>, Diagnostic> {
    part.check()?;
    check_command(engine, part, tail, parsed)?;
    let open = |redirect: &Redirect| {
        let cannot_write = |error| Diagnostic::new(redirect.span, format!("cannot write `{}`: {error}", redirect.file));
        ReplyFile::open(expand_home(&redirect.file), redirect.appends).map_err(cannot_write)
    };
    let is_dry_run = engine.options.dry_run;
    Ok(match &tail.kind {
        TailKind::Filter(span, redirect) => {
            let filter = parse_filter(line.text, *span)?;
            let redirect = redirect.as_ref().filter(|_| !is_dry_run);
            let file = redirect.map(|redirect| open(redirect).map(|file| (file, engine.settings.output)));
            Some(Sink::Filter(filter, file.transpose()?))
        }
        TailKind::Pipeline(span) if is_function(&line.text[span.range()]) => {
            return Err(explain_function(&line.text[span.range()], *span));
        }
        TailKind::Pipeline(_) if line.script == Some(STDIN_NAME) => {
            let message = "`|` with a program is not available in scripts read from standard input";
            return Err(Diagnostic::new(tail.operator, message));
        }
        TailKind::Pipeline(span) => Some(Sink::Pipeline(line.text[span.range()].to_owned())),
        TailKind::Redirect(_) if is_dry_run => None,
        TailKind::Redirect(redirect) => Some(Sink::File(open(redirect)?)),
    })
}

/// Returns whether a pipeline begins with a function of filters, and not with a program.
fn is_function(pipeline: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = pipeline.split(|c| !is_part(c)).next().unwrap_or_default();
    let is_keyword = matches!(name, "until" | "while");
    filter::functions().iter().any(|function| function.name == name) && !is_keyword && !is_runnable(name)
}

/// Returns the error for a filter that begins with a function, where a program is expected.
fn explain_function(text: &str, span: Span) -> Diagnostic {
    let corrected = format!(". | {text}");
    match Filter::parse(&corrected) {
        Ok(_) => {
            let message = format!("this is not a program; as a filter it is `{corrected}`");
            Diagnostic::new(span, message).with_replacement(Some(corrected))
        }
        Err(_) => Diagnostic::new(span, "this is not a program; a filter begins with `.`, `[` or `{`"),
    }
}

/// Parses the filter at a span of a line.
pub(crate) fn parse_filter(text: &str, span: Span) -> Result<Filter, Diagnostic> {
    Filter::parse(&text[span.range()]).map_err(|mut diagnostic| {
        diagnostic.span = Span::new(span.start + diagnostic.span.start, span.start + diagnostic.span.end);
        diagnostic
    })
}

/// Rejects a tail after a command that has no reply of its own.
fn check_command(engine: &Engine, part: &Part, tail: &Tail, parsed: &ParsedLine) -> Result<(), Diagnostic> {
    let message = match parsed {
        ParsedLine::Transaction(TransactionLine { close: None, .. })
        | ParsedLine::Qmp(Line::Transaction(TransactionLine { close: None, .. })) => {
            "an action has no reply of its own; write this after the `)` of the transaction"
        }
        ParsedLine::Qmp(Line::Dot(dot))
            if DotCommand::find_by_prefix(&dot.name).is_ok_and(|command| command.name == "source") =>
        {
            "a file of lines has no reply of its own; write this after the commands in it"
        }
        _ if part.command.range().is_empty() && engine.last_reply.is_none() => "there is no reply yet",
        _ => return Ok(()),
    };
    Err(Diagnostic::new(tail.operator, message))
}

fn reject_tail(
    engine: &mut Engine,
    diagnostic: &Diagnostic,
    parsed: &ParsedLine,
    line: &InputLine<'_>,
    out: &mut dyn Output,
) -> LineOutcome {
    if let ParsedLine::Qmp(Line::Dot(dot)) = parsed {
        let has_reply_slot = DotCommand::find_by_prefix(&dot.name).is_ok_and(|command| command.has_reply_slot);
        out.report_not_sent(diagnostic, line, has_reply_slot);
        return LineOutcome::Failed;
    }
    reject(engine, diagnostic.clone(), line, out)
}
