//! `.events` and `.wait`.

use std::time::{Duration, Instant};

use crate::grammar::{Diagnostic, DotLine, Word};
use crate::schema::{EventInfo, PartialArguments, Schema, Type, did_you_mean, member_signature};

use super::{at_most, needs};
use crate::shell::engine::{Engine, LineOutcome};
use crate::shell::events::filter::{EventFilter, matches};
use crate::shell::events::log::Awaited;
use crate::shell::output::{InputLine, Output};

const FORMS: &[&str] = &["on", "off", "only", "except"];

pub(crate) fn events(
    engine: &mut Engine,
    line: &DotLine,
    source: &InputLine<'_>,
    out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    let Some(word) = line.words.first() else {
        out.text(&format!("events: {}; {} so far\n", engine.settings.events, engine.events.total));
        show_last(engine, 10, out);
        return Ok(LineOutcome::Done);
    };
    let globs = || -> Result<Vec<String>, Diagnostic> {
        needs(line, 1, "the names of events, such as `JOB_*`,")?;
        Ok(line.words[1..].iter().map(|word| word.text.clone()).collect())
    };
    if let ("only" | "except", Some(schema)) = (word.text.as_str(), engine.server_info.schema()) {
        for fault in line.words[1..].iter().filter_map(|name| event_of(&schema, name).err()) {
            out.warning(&fault.message, source);
        }
    }
    match word.text.as_str() {
        "on" | "off" => {
            at_most(line, 1)?;
            engine.settings.events = if word.text == "on" { EventFilter::All } else { EventFilter::Nothing };
        }
        "only" => engine.settings.events = EventFilter::Only(globs()?),
        "except" => engine.settings.events = EventFilter::Except(globs()?),
        text => match text.parse::<usize>() {
            Ok(count) => {
                at_most(line, 1)?;
                show_last(engine, count, out);
            }
            Err(_) => {
                let near = did_you_mean(text, FORMS.iter().copied());
                let message = "expected a number, `on`, `off`, `only` or `except`".to_owned();
                return Err(Diagnostic::new(word.span, message + &near));
            }
        },
    }
    Ok(LineOutcome::Done)
}

fn show_last(engine: &Engine, count: usize, out: &mut dyn Output) {
    for event in engine.events.last(count) {
        out.event(event);
    }
}

pub(crate) fn wait(
    engine: &mut Engine,
    line: &DotLine,
    source: &InputLine<'_>,
    out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    let name = needs(line, 0, "the name of an event")?;
    let mut awaited = Awaited { name: name.text.clone(), data: Vec::new() };
    let mut timeout: Option<Duration> = None;
    for word in &line.words[1..] {
        if word.equals.is_none() || word.key().is_empty() {
            return Err(Diagnostic::new(word.span, format!("expected `key=value`, found `{}`", word.text)));
        }
        if word.key() == "timeout" {
            let seconds = word.value().parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
            let seconds =
                seconds.ok_or_else(|| Diagnostic::new(word.value_span(), "expected a number of seconds".to_owned()))?;
            timeout = Some(seconds);
        } else {
            awaited.data.push((word.key().split('.').map(str::to_owned).collect(), word.value().to_owned()));
        }
    }
    if engine.settings.check
        && let Some(schema) = engine.server_info.schema()
    {
        check_awaited(&schema, name, &line.words[1..])?;
    }
    if engine.mode.dry_run {
        return Ok(LineOutcome::Done);
    }
    let what = line.words.iter().filter(|word| word.key() != "timeout");
    let what = what.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    // A time too long to count is no limit.
    let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut looked_at = 0;
    if timeout.is_some() {
        // However short the time: what is here by now has come in it.
        engine.drain_until_quiet(out);
    }
    loop {
        if engine.events.take(&awaited, looked_at) {
            return Ok(LineOutcome::Done);
        }
        looked_at = engine.events.total;
        if !engine.connection.is_open() {
            out.failed(&format!("not connected; `{}` cannot come", name.text), source, None);
            return Ok(LineOutcome::Failed);
        }
        match engine.wait_for_message(until, out) {
            // Nobody would see it come.
            Ok(_) if out.has_failed() => return Ok(LineOutcome::Failed),
            Ok(true) => {}
            Ok(false) => {
                let what = match timeout {
                    Some(timeout) if until.is_some_and(|until| Instant::now() >= until) => {
                        format!("no event `{what}` came within {} s", timeout.as_secs_f64())
                    }
                    _ => format!("stopped waiting for `{what}`"),
                };
                out.failed(&what, source, None);
                return Ok(LineOutcome::Failed);
            }
            Err(verdict) => {
                if !engine.connection.is_open() && !engine.mode.interactive {
                    return Ok(verdict);
                }
                out.failed(&format!("not connected; `{}` cannot come", name.text), source, None);
                return Ok(LineOutcome::Failed);
            }
        }
    }
}

/// The event that a name or glob means, the first of several.
fn event_of<'a>(schema: &'a Schema, name: &Word) -> Result<&'a EventInfo, Diagnostic> {
    schema.events().iter().find(|event| matches(&name.text, &event.name)).ok_or_else(|| {
        let names = schema.events().iter().map(|event| event.name.as_str());
        let near = did_you_mean(&name.text, names);
        Diagnostic::new(name.span, format!("the server has no event `{}`{near}", name.text))
    })
}

/// Refuses what can never come, by the server's introspection: to wait for it would take for ever.
fn check_awaited(schema: &Schema, name: &Word, data: &[Word]) -> Result<(), Diagnostic> {
    let event = event_of(schema, name)?;
    if name.text.contains(['*', '?']) {
        return Ok(());
    }
    for word in data.iter().filter(|word| word.key() != "timeout") {
        let key = word.key();
        let first = key.split('.').next().unwrap_or_default();
        if member_signature(schema, &event.name, first, 80).is_none() {
            let members = &schema.object(event.data).members;
            let near = did_you_mean(first, members.iter().map(|member| member.name.as_str()));
            return Err(Diagnostic::new(word.key_span(), format!("`{}` carries no `{first}`{near}", event.name)));
        }
        let kind = PartialArguments::default().type_at(schema, event.data, &[key.to_owned()]);
        if let Some(Type::Enum(values)) = kind.map(|kind| schema.kind(kind))
            && !values.iter().any(|value| value.name == word.value())
        {
            let near = did_you_mean(word.value(), values.iter().map(|value| value.name.as_str()));
            return Err(Diagnostic::new(word.value_span(), format!("`{key}` has no value `{}`{near}", word.value())));
        }
    }
    Ok(())
}
