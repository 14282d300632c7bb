//! `.wait`: waits for an event.

use std::time::{Duration, Instant};

use crate::assist::Completes;
use crate::grammar::{Diagnostic, Word};
use crate::schema::{PartialArguments, Schema, Type, did_you_mean, member_signature};

use super::super::engine::exchange::StopReason;
use super::super::events::log::EventPattern;
use super::super::line::LineOutcome;
use super::events::find_event;
use super::{ANY, Arguments, DotCommand, Invocation};

/// The width of a member's signature, of which only the existence matters.
const SIGNATURE_COLUMNS: usize = 80;

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "wait",
    aliases: &[],
    usage: "EVENT [KEY=VALUE]… [timeout=SECONDS]",
    summary: "wait for an event",
    help: "Waits for an event with this name (or glob) whose data has these values: `.wait JOB_STATUS_CHANGE id=j0\n\
           status=ready timeout=10`. Events since the last command was sent count too, each for one wait only, so\n\
           scripts have no race. Keys may be dotted. A timeout is a failure.",
    arguments: Arguments::Words { min: 1, max: ANY },
    has_reply_slot: false,
    completes: Completes::EventPattern,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let (name, arguments) = (&invocation.dot.words[0], &invocation.dot.words[1..]);
    let (pattern, timeout) = parse_pattern(name, arguments)?;
    let Invocation { engine, dot, line, out } = invocation;
    let schema = engine.connection.server().and_then(|server| server.info.schema());
    if let Some(schema) = schema.filter(|_| engine.settings.check) {
        check_pattern(&schema, name, arguments)?;
    }
    if engine.options.dry_run {
        return Ok(LineOutcome::Done);
    }
    // A timeout that is too long to represent is no limit.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    if timeout.is_some() {
        // Even with a timeout of 0, events that have arrived count.
        engine.drain_until_quiet(&mut **out);
    }
    if engine.connection.events().take(&pattern, 0) {
        return Ok(LineOutcome::Done);
    }
    let mut compared = engine.connection.events().total;
    let stop = engine.receive(None, deadline.into(), &mut **out, |engine, _| {
        let events = engine.connection.events();
        let from = std::mem::replace(&mut compared, events.total);
        events.take(&pattern, from)
    });
    let message = match stop {
        StopReason::Enough => return Ok(LineOutcome::Done),
        StopReason::OutputFailed => return Ok(LineOutcome::Failed),
        StopReason::TimedOut => {
            let words = dot.words.iter().filter(|word| word.key() != "timeout");
            let words = words.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
            format!("no event `{words}` within {} s", timeout.unwrap_or_default().as_secs_f64())
        }
        StopReason::Disconnected(disconnected) => {
            engine.disconnected_while_idle(&disconnected, &mut **out);
            if !engine.options.interactive {
                return Ok(LineOutcome::Disconnected);
            }
            format!("not connected; `{}` cannot arrive", name.text)
        }
        StopReason::NotConnected => format!("not connected; `{}` cannot arrive", name.text),
        _ => format!("stopped waiting for `{}`", name.text),
    };
    out.report_failure(&message, line, None);
    Ok(LineOutcome::Failed)
}

/// Parses the name of an event, the values of its data, and the timeout.
fn parse_pattern(name: &Word, arguments: &[Word]) -> Result<(EventPattern, Option<Duration>), Diagnostic> {
    let mut pattern = EventPattern { name: name.text.clone(), data: Vec::new() };
    let mut timeout = None;
    for word in arguments {
        if word.equals.is_none() || word.key().is_empty() {
            return Err(Diagnostic::new(word.span, format!("expected `key=value`, found `{}`", word.text)));
        }
        if word.key() == "timeout" {
            let seconds =
                word.value().parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let invalid = || {
                Diagnostic::new(word.value_span(), format!("expected a number of seconds, found `{}`", word.value()))
            };
            timeout = Some(seconds.ok_or_else(invalid)?);
        } else {
            let path = word.key().split('.').map(str::to_owned).collect();
            pattern.data.push((path, word.value().to_owned()));
        }
    }
    Ok((pattern, timeout))
}

/// Rejects an event that can never arrive according to the server's introspection: the wait would not end.
fn check_pattern(schema: &Schema, name: &Word, arguments: &[Word]) -> Result<(), Diagnostic> {
    let event = find_event(schema, name)?;
    if name.text.contains(['*', '?']) {
        return Ok(());
    }
    for word in arguments.iter().filter(|word| word.key() != "timeout") {
        let key = word.key();
        let first = key.split('.').next().unwrap_or_default();
        if member_signature(schema, &event.name, first, SIGNATURE_COLUMNS).is_none() {
            let members = &schema.object(event.data).members;
            let near = did_you_mean(first, members.iter().map(|member| member.name.as_str()));
            return Err(Diagnostic::new(word.key_span(), format!("`{}` has no member `{first}`{near}", event.name)));
        }
        let kind = PartialArguments::default().type_at(schema, event.data, &[key.to_owned()]);
        if let Some(Type::Enum(values)) = kind.map(|kind| schema.definition(kind))
            && !values.iter().any(|value| value.name == word.value())
        {
            let near = did_you_mean(word.value(), values.iter().map(|value| value.name.as_str()));
            let message = format!("`{key}` has no value `{}`{near}", word.value());
            return Err(Diagnostic::new(word.value_span(), message));
        }
    }
    Ok(())
}
