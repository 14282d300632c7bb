//! The wait for an event.

use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::grammar::{Diagnostic, Word};
use crate::schema::{PartialArguments, Schema, Type, did_you_mean, member_signature};
use crate::wire::{Event, ReplyBody, Request};

use super::super::super::events::advice::warning_about;
use super::super::super::events::log::EventPattern;
use super::super::super::line::LineOutcome;
use super::super::Invocation;
use super::super::events::find_event;
use super::super::waiting::{announce, deadline_after, give_up, parse_seconds};

/// The time that the server may take to return its capabilities, which only a warning needs.
const CAPABILITIES_TIMEOUT: Duration = Duration::from_millis(500);

/// The width of a member's signature, of which only the existence matters.
const SIGNATURE_COLUMNS: usize = 80;

/// Waits for the event that the words of `invocation` describe.
pub(super) fn wait(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let (name, arguments) = (&invocation.dot.words[0], &invocation.dot.words[1..]);
    let (pattern, timeout) = parse_pattern(name, arguments)?;
    let Invocation { engine, out, .. } = invocation;
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
    // Before the events are looked through, because more of them may arrive meanwhile.
    warn_if_switched_off(&name.text, invocation);
    let Invocation { engine, dot, .. } = invocation;
    if let Some(event) = engine.connection.record.events.take(&pattern, 0) {
        return Ok(succeed(&event, invocation));
    }
    let words = dot.words.iter().filter(|word| word.key() != "timeout");
    let words = words.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    let awaited = format!("event `{words}`");
    if timeout != Some(Duration::ZERO) {
        announce(&awaited, invocation);
    }
    let Invocation { engine, out, .. } = invocation;
    let mut compared = engine.connection.record.events.total;
    let mut taken = None;
    let stop = engine.receive(None, deadline_after(timeout).into(), &mut **out, |engine, _| {
        let events = &mut engine.connection.record.events;
        let from = std::mem::replace(&mut compared, events.total);
        taken = events.take(&pattern, from);
        taken.is_some()
    });
    if let Some(event) = taken {
        return Ok(succeed(&event, invocation));
    }
    let late = || format!("no {awaited} within {} s", timeout.unwrap_or_default().as_secs_f64());
    Ok(give_up(&stop, &awaited, late, invocation))
}

/// Warns of an event that the server sends only if it was told to, and was not.
fn warn_if_switched_off(name: &str, invocation: &mut Invocation<'_>) {
    if !["MIGRATION", "MIGRATION_PASS"].iter().any(|event| event.eq_ignore_ascii_case(name)) {
        return;
    }
    let Invocation { engine, line, out, .. } = invocation;
    let query = Request::new("query-migrate-capabilities");
    let deadline = Instant::now() + CAPABILITIES_TIMEOUT;
    let Ok(reply) = engine.query(&query, Some(deadline).into(), &mut **out) else { return };
    let ReplyBody::Return(raw) = reply.body() else { return };
    let capabilities: Vec<Capability> = serde_json::from_str(raw).unwrap_or_default();
    if capabilities.iter().any(|item| item.capability == "events" && !item.state) {
        let message = "migrations have events only with the capability `events`; `.wait migration` works without";
        out.show_warning(message, line);
    }
}

/// A migration capability, and whether it is on.
#[derive(Deserialize)]
struct Capability {
    capability: String,
    state: bool,
}

/// Ends the wait. Warns if the event tells of a failure: scripts wait for the end of a job, whatever it is.
fn succeed(event: &Event, invocation: &mut Invocation<'_>) -> LineOutcome {
    if let Some(warning) = warning_about(event, &invocation.engine.connection.record.events) {
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
            timeout = Some(parse_seconds(word)?);
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
