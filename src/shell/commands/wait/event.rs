//! The wait for an event.

use std::time::Duration;

use crate::grammar::{Diagnostic, Word};
use crate::schema::{PartialArguments, Schema, Type, did_you_mean, member_signature};
use crate::wire::Event;

use super::super::super::events::advice::warning_about;
use super::super::super::events::log::EventPattern;
use super::super::super::line::LineOutcome;
use super::super::Invocation;
use super::super::events::find_event;
use super::{announce, deadline_after, give_up, parse_timeout};

/// The width of a member's signature, of which only the existence matters.
const SIGNATURE_COLUMNS: usize = 80;

/// Waits for the event that the words of `invocation` describe.
pub(super) fn wait(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let (name, arguments) = (&invocation.dot.words[0], &invocation.dot.words[1..]);
    let (pattern, timeout) = parse_pattern(name, arguments)?;
    let Invocation { engine, dot, out, .. } = invocation;
    let schema = engine.connection.server().and_then(|server| server.info.schema());
    if let Some(schema) = schema.filter(|_| engine.settings.check) {
        check_pattern(&schema, name, arguments)?;
    }
    if engine.options.dry_run {
        return Ok(LineOutcome::Done);
    }
    if timeout.is_some() {
        // Even with a timeout of 0, events that have arrived count.
        engine.drain_until_quiet(&mut **out);
    }
    if let Some(event) = engine.events.take(&pattern, 0) {
        return Ok(succeed(&event, invocation));
    }
    let words = dot.words.iter().filter(|word| word.key() != "timeout");
    let words = words.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    let awaited = format!("event `{words}`");
    announce(&awaited, invocation);
    let Invocation { engine, out, .. } = invocation;
    let mut compared = engine.events.total;
    let mut taken = None;
    let stop = engine.receive(None, deadline_after(timeout).into(), &mut **out, |engine, _| {
        taken = engine.events.take(&pattern, std::mem::replace(&mut compared, engine.events.total));
        taken.is_some()
    });
    if let Some(event) = taken {
        return Ok(succeed(&event, invocation));
    }
    let late = || format!("no {awaited} within {} s", timeout.unwrap_or_default().as_secs_f64());
    Ok(give_up(&stop, &awaited, late, invocation))
}

/// Ends the wait. Warns if the event tells of a failure: scripts wait for the end of a job, whatever it is.
fn succeed(event: &Event, invocation: &mut Invocation<'_>) -> LineOutcome {
    if let Some(warning) = warning_about(event, &invocation.engine.events) {
        invocation.out.show_warning(&warning, invocation.line);
    }
    LineOutcome::Done
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
            timeout = Some(parse_timeout(word)?);
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
