//! Commands for one of several servers: `@NAME COMMAND`, and `@* COMMAND` for all of them.

use crate::assist::Completes;
use crate::grammar::{Diagnostic, Language, Span, is_blank};
use crate::schema::nearest;

use super::super::engine::{Engine, not_sent};
use super::super::line::{InputLine, LineOutcome};
use super::super::output::Output;
use super::super::output::tail::TailOutput;
use super::chain::{run_all, run_chain, split};
use super::{Arguments, DotCommand};

/// The name in `@*`, for all servers.
pub(crate) const ALL: &str = "*";

/// A command that names its server, at the beginning of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TargetedLine<'t> {
    /// The name after the `@`.
    pub(crate) name: &'t str,
    /// The place of the `@` and the name.
    pub(crate) span: Span,
    /// The line with blanks in their place, so that all else has the same place in it.
    pub(crate) rest: String,
}

impl<'t> TargetedLine<'t> {
    /// Parses `@NAME LINE`, or a dot command with `@NAME` before its arguments. `None` if the line names no server, or if
    /// the name is not finished by a blank or the end of the line.
    pub(crate) fn parse(text: &'t str) -> Option<TargetedLine<'t>> {
        let start = text.len() - text.trim_start_matches(is_blank).len();
        let at = match text[start..].starts_with('.') {
            false => start,
            true => {
                let command = start + text[start..].find(is_blank)?;
                if !takes_target(&text[start + 1..command]) {
                    return None;
                }
                command + (text[command..].len() - text[command..].trim_start_matches(is_blank).len())
            }
        };
        let name = text[at..].strip_prefix('@')?;
        let name = &name[..name.find(|c: char| c.is_whitespace()).unwrap_or(name.len())];
        let span = Span::new(at, at + 1 + name.len());
        let rest = format!("{}{}{}", &text[..span.start], " ".repeat(span.end - span.start), &text[span.end..]);
        Some(TargetedLine { name, span, rest })
    }
}

/// Returns whether `@NAME` before the arguments of a dot command is a server: not if it takes no arguments, or a name of
/// another kind, or a line that is not run.
fn takes_target(name: &str) -> bool {
    let has_names = |completes| {
        matches!(
            completes,
            Completes::Files
                | Completes::FileThenCommand(_)
                | Completes::Aliases
                | Completes::Servers
                | Completes::Settings
        )
    };
    DotCommand::find_by_prefix(name).is_ok_and(|command| {
        let keeps_line = matches!(command.name, "alias" | "edit");
        let takes_none = matches!(command.arguments, Arguments::Words { max: 0, .. });
        !has_names(command.completes) && !keeps_line && !takes_none
    })
}

/// Returns the parts of a line that can name servers of their own: its commands, each up to the next one, with blanks in the
/// place of those before it. A line that names no server, or is for the only one, is one part.
pub(crate) fn targeted_parts(engine: &Engine, text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut start = 0;
    while engine.has_several_servers() && text[start..].contains('@') {
        let rest = " ".repeat(start) + &text[start..];
        let untargeted = TargetedLine::parse(&rest).map_or(rest.clone(), |targeted| targeted.rest);
        let next = split(engine.language(), &untargeted).into_iter().nth(1);
        let Some(end) = next.map(|part| part.command.start).filter(|end| *end > start) else { break };
        parts.push(rest[..end].to_owned());
        start = end;
    }
    parts.push(" ".repeat(start) + &text[start..]);
    parts
}

/// Parses and executes a line, each of its commands on the server that it names or else on the current one. It fails if one
/// of them does; those after it are executed all the same.
pub fn run_line(engine: &mut Engine, line: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    let parts = targeted_parts(engine, line.text);
    if parts.len() == 1 {
        return run_part(engine, line, out);
    }
    run_all(engine, parts.len(), out, "The commands after it were not executed.", |engine, index, out| {
        let part = InputLine { text: &parts[index], ..*line };
        // Messages show the line as it was typed.
        run_part(engine, &part, &mut TailOutput::new(out, part, *line, None))
    })
}

fn run_part(engine: &mut Engine, line: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    let targeted =
        TargetedLine::parse(line.text).filter(|_| engine.has_several_servers() || is_wrong_target(engine, line));
    let Some(targeted) = targeted else {
        engine.label(false, out);
        let outcome = run_chain(engine, line, out);
        return engine.outcome_with_others(outcome, out);
    };
    let outcome = run_targeted(engine, &targeted, line, out);
    engine.note_outcome(outcome);
    outcome
}

/// Returns whether a line names a server although there is only one. For the human monitor it is a line like any other.
fn is_wrong_target(engine: &Engine, line: &InputLine<'_>) -> bool {
    let begins_with = |c| line.text.trim_start_matches(is_blank).starts_with(c);
    begins_with('.') || begins_with('@') && engine.language() == Language::Qmp && !engine.in_transaction()
}

fn run_targeted(
    engine: &mut Engine,
    targeted: &TargetedLine<'_>,
    line: &InputLine<'_>,
    out: &mut dyn Output,
) -> LineOutcome {
    let servers: Vec<usize> = match check_target(engine, targeted) {
        Ok(Some(index)) => vec![index],
        Ok(None) => (0..engine.server_count()).collect(),
        Err(diagnostic) => {
            out.report_not_sent(&diagnostic, line, has_reply_slot(engine, line.text));
            return LineOutcome::Failed;
        }
    };
    let is_hmp_line = engine.language() == Language::Hmp && !line.text.trim_start_matches(is_blank).starts_with('.');
    // The human monitor gets a line exactly as it was typed.
    let text =
        if is_hmp_line { targeted.rest[targeted.span.end..].trim_start_matches(is_blank) } else { &targeted.rest };
    let rest = InputLine { text, ..*line };
    // Messages show the line as it was typed.
    let out: &mut dyn Output = &mut TailOutput::new(out, rest, *line, None);
    let line = rest;
    let count = servers.len();
    run_all(engine, count, out, "It was not executed on the servers after this.", |engine, index, out| {
        run_on(engine, servers[index], count > 1, &line, out)
    })
}

/// Returns whether the output of a script has a place for the reply to a line.
fn has_reply_slot(engine: &Engine, text: &str) -> bool {
    match text.trim_start_matches(is_blank).strip_prefix('.') {
        Some(rest) => {
            let name = rest.split(is_blank).next().unwrap_or_default();
            DotCommand::find_by_prefix(name).is_ok_and(|command| command.has_reply_slot)
        }
        None => engine.language() == Language::Qmp,
    }
}

/// Returns the index of the server that a line names; `None` for all.
pub(crate) fn check_target(engine: &Engine, targeted: &TargetedLine<'_>) -> Result<Option<usize>, Diagnostic> {
    let (name, span) = (targeted.name, targeted.span);
    let names = engine.server_names();
    let error = |message: String| Diagnostic::new(span, message);
    if !engine.has_several_servers() {
        let message = format!("`@{name}` names a server, but there is only one; `.connect NAME=ADDRESS` adds another");
        return Err(error(message));
    }
    if name == ALL {
        return Ok(None);
    }
    let Some(index) = engine.find_server(name) else {
        let near = nearest(name, names.iter().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean `@{near}`?"),
            None => format!("expected one of {}", quoted_names(&names)),
        };
        let replacement = near.map(|near| format!("@{near}"));
        return Err(error(format!("no server is named `{name}`; {help}")).with_replacement(replacement));
    };
    if engine.in_transaction() && !targeted.rest.trim_start_matches(is_blank).starts_with('.') {
        return Err(error("the actions of a transaction go to one server; `)` ends the transaction".to_owned()));
    }
    Ok(Some(index))
}

/// Returns names with an `@` before each, in a list.
fn quoted_names(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`@{name}`")).collect();
    names.join(", ")
}

/// Runs a line on one server.
fn run_on(
    engine: &mut Engine,
    index: usize,
    has_heading: bool,
    line: &InputLine<'_>,
    out: &mut dyn Output,
) -> LineOutcome {
    let current = engine.current_server();
    engine.use_server(index);
    engine.label(false, out);
    if let Some(name) = engine.server_label().filter(|_| has_heading) {
        out.show_server_heading(name);
    }
    let was_in_transaction = engine.in_transaction();
    let mut outcome = run_chain(engine, line, out);
    if !was_in_transaction && engine.abandon_transaction() {
        let message = "a transaction of several lines goes to the current server; `.on NAME` switches to another";
        outcome = not_sent(&Diagnostic::new(Span::new(0, line.text.len()), message), line, out);
    }
    let outcome = engine.outcome_with_others(outcome, out);
    // `.on` may have chosen another server.
    if engine.current_server() == index {
        engine.use_server(current);
    }
    engine.label(false, out);
    outcome
}

/// Calls `f` with the server of this name as the current one.
pub(super) fn on_server(
    engine: &mut Engine,
    name: &str,
    line: &InputLine<'_>,
    out: &mut dyn Output,
    f: impl FnOnce(&mut Engine, &mut dyn Output) -> LineOutcome,
) -> LineOutcome {
    let Some(index) = engine.find_server(name) else {
        out.report_failure(&format!("no server is named `{name}`"), line, Some("NotSent"));
        return LineOutcome::Failed;
    };
    let current = engine.current_server();
    engine.use_server(index);
    engine.label(false, out);
    let outcome = f(engine, out);
    let outcome = engine.outcome_with_others(outcome, out);
    engine.use_server(current);
    engine.label(false, out);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_server_of_a_line() {
        for (text, expected) in [
            ("@dst stop", Some(("dst", "     stop"))),
            (" @* query-status | .a", Some(("*", "    query-status | .a"))),
            ("@dst\n", Some(("dst", "    \n"))),
            ("@", Some(("", " "))),
            (".wait  @dst MIGRATION", Some(("dst", ".wait       MIGRATION"))),
            (".wait MIGRATION x=@dst", None),
            (".source @dst x", None),
            (".log @dst", None),
            (".nonsense @dst", None),
            (".exit @dst", None),
            (".edit @dst stop", None),
            (".alias @dst stop", None),
            (".exp @dst x", None),
            (".expe @dst x", Some(("dst", ".expe      x"))),
            (".wait", None),
            ("stop @dst", None),
            ("{\"execute\": \"@x\"}", None),
            ("@größe x", Some(("größe", "         x"))),
        ] {
            let parsed = TargetedLine::parse(text);
            let parsed = parsed.as_ref().map(|targeted| (targeted.name, targeted.rest.as_str()));
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
