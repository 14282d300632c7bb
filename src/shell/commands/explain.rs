//! `.explain`: shows the requests that a line becomes, without executing it.

use crate::assist::Completes;
use crate::grammar::{Diagnostic, Language, Line, parse_line};
use crate::monitor::Step;

use super::super::engine::Engine;
use super::super::line::{InputLine, LineOutcome};
use super::super::output::Output;
use super::{Arguments, DotCommand, Invocation};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "explain",
    aliases: &[],
    usage: "LINE",
    summary: "show the requests that LINE becomes, without executing it",
    help: "An HMP line becomes the QMP commands of the shell's own monitor, each as a line that QMP mode takes. A QMP line\n\
           becomes the JSON that is sent. In QMP mode a LINE whose first word is not a command of the server is for\n\
           the human monitor; `.explain .hmp LINE` says so explicitly. Queries are sent to the server, because the requests\n\
           after them depend on their replies; requests that act are not sent, and assumed to succeed.",
    arguments: Arguments::RawTail,
    has_reply_slot: false,
    completes: Completes::AnyLine,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let tail = invocation.dot.tail();
    if tail.is_empty() {
        invocation.word(0, "a line")?;
    }
    let Invocation { engine, dot, line, out } = invocation;
    if let Err(outcome) = engine.ensure_open(line, &mut **out) {
        return Ok(outcome);
    }
    if let Some(hmp_line) = tail.strip_prefix(".hmp ") {
        return Ok(explain_hmp(engine, hmp_line, line, &mut **out));
    }
    let is_hmp = engine.language() == Language::Hmp;
    // Blanks in the place of this command keep the places of errors.
    let start = dot.words.first().map_or(line.text.len(), |word| word.span.start);
    let qmp_text = " ".repeat(start) + &line.text[start..];
    let qmp_line = (!is_hmp).then(|| parse_line(&qmp_text)).transpose()?;
    match qmp_line {
        Some(Line::Command(command)) if engine.knows_command(&command.name, &mut **out)? => {
            let request = engine.prepare(&command, line, &mut **out)?;
            out.print(&(request.to_masked_json(None) + "\n"));
            Ok(LineOutcome::Done)
        }
        Some(Line::Json(json)) => {
            let request = engine.prepare_json(&json, line, &mut **out)?;
            out.print(&(request.to_masked_json(None) + "\n"));
            Ok(LineOutcome::Done)
        }
        _ => Ok(explain_hmp(engine, tail, line, &mut **out)),
    }
}

fn explain_hmp(engine: &mut Engine, hmp_line: &str, line: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    let explanation = match engine.explain_hmp(hmp_line, line, out) {
        Ok(explanation) => explanation,
        Err(outcome) => return outcome,
    };
    let lines: String = explanation.steps.iter().map(|step| spell_step(engine, step) + "\n").collect();
    out.print(&lines);
    match explanation.result {
        Err(failure) => {
            out.show_hmp_text(&failure.text(), true, line);
            LineOutcome::Failed
        }
        Ok(_) if explanation.steps.is_empty() => {
            out.show_notice("The shell executes this line without the server.");
            LineOutcome::Done
        }
        Ok(_) => LineOutcome::Done,
    }
}

/// Returns a line of QMP mode that does the same as a step.
fn spell_step(engine: &mut Engine, step: &Step) -> String {
    match step {
        Step::Request(request) => engine.spell_request(request),
        Step::WaitForJob { id, status } if status == "concluded" => format!(".wait job {id}"),
        Step::WaitForJob { id, status } => format!(".wait job {id} status={status}"),
    }
}
