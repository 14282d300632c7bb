//! `.events`: shows the latest events, and selects which are shown.

use crate::assist::Completes;
use crate::grammar::{Diagnostic, Word};
use crate::schema::{EventInfo, Schema, did_you_mean};

use super::super::engine::Engine;
use super::super::events::filter::{EventFilter, matches_glob};
use super::super::line::LineOutcome;
use super::super::output::Output;
use super::{ANY, Arguments, DotCommand, Invocation};

/// The number of events shown without an argument.
const DEFAULT_EVENTS: usize = 10;

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "events",
    aliases: &[],
    usage: "[N | on | off | only GLOB… | except GLOB…]",
    summary: "show the last N events, or select which events are shown",
    help: "With a number, shows that many of the latest events, including hidden ones. `on` shows events as they\n\
           arrive, `off` hides them; `only JOB_* STOP` shows only those, `except RTC_CHANGE` all others. Without an\n\
           argument, says which are shown, and shows the last ten. Hidden events still count for `.wait` and are\n\
           recorded in the log.",
    arguments: Arguments::Words { min: 0, max: ANY },
    has_reply_slot: false,
    completes: Completes::EventFilter,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let Some(word) = invocation.dot.words.first() else {
        let Invocation { engine, out, .. } = invocation;
        out.print(&format!("events: {}; {} received\n", engine.settings.events, engine.connection.record.events.total));
        show_last(engine, DEFAULT_EVENTS, &mut **out);
        return Ok(LineOutcome::Done);
    };
    let filter = match word.text.as_str() {
        "on" | "off" => {
            invocation.no_more_words(1)?;
            if word.text == "on" { EventFilter::All } else { EventFilter::Nothing }
        }
        "only" => EventFilter::Only(patterns(invocation)?),
        "except" => EventFilter::Except(patterns(invocation)?),
        text => {
            let count = text.parse().map_err(|_| {
                let near = did_you_mean(text, ["on", "off", "only", "except"]);
                let message = format!("expected a number, `on`, `off`, `only` or `except`, found `{text}`{near}");
                Diagnostic::new(word.span, message)
            })?;
            invocation.no_more_words(1)?;
            show_last(invocation.engine, count, invocation.out);
            return Ok(LineOutcome::Done);
        }
    };
    invocation.engine.settings.events = filter;
    Ok(LineOutcome::Done)
}

/// Returns the globs after `only` or `except`. Warns about those that match no event of the server.
fn patterns(invocation: &mut Invocation<'_>) -> Result<Vec<String>, Diagnostic> {
    invocation.word(1, "event names, such as `JOB_*`")?;
    let Invocation { engine, dot, line, out } = invocation;
    let patterns = &dot.words[1..];
    if let Some(schema) = engine.connection.server().and_then(|server| server.info.schema()) {
        for unknown in patterns.iter().filter_map(|pattern| find_event(&schema, pattern).err()) {
            out.show_warning(&unknown.message, line);
        }
    }
    Ok(patterns.iter().map(|pattern| pattern.text.clone()).collect())
}

fn show_last(engine: &Engine, count: usize, out: &mut dyn Output) {
    for event in engine.connection.record.events.last(count) {
        out.show_event(event);
    }
}

/// Returns the first event that matches a name or glob.
pub(super) fn find_event<'a>(schema: &'a Schema, name: &Word) -> Result<&'a EventInfo, Diagnostic> {
    schema.events().iter().find(|event| matches_glob(&name.text, &event.name)).ok_or_else(|| {
        let near = did_you_mean(&name.text, schema.events().iter().map(|event| event.name.as_str()));
        Diagnostic::new(name.span, format!("unknown event `{}`{near}", name.text))
    })
}
