//! `.events` and `.wait`.

use std::time::{Duration, Instant};

use crate::grammar::{Diagnostic, MetaLine};
use crate::schema::nearest;

use super::super::engine::{Engine, Verdict};
use super::super::filter::EventFilter;
use super::super::output::{Output, Source};
use super::super::recent::Awaited;
use super::{at_most, needs};

const FORMS: &[&str] = &["on", "off", "only", "except"];

pub(super) fn events(
    engine: &mut Engine,
    line: &MetaLine,
    _source: &Source<'_>,
    out: &mut dyn Output,
) -> Result<Verdict, Diagnostic> {
    let Some(word) = line.words.first() else {
        out.text(&format!("events: {}; {} so far\n", engine.settings.events, engine.recent.total));
        show_last(engine, 10, out);
        return Ok(Verdict::Done);
    };
    let globs = || -> Result<Vec<String>, Diagnostic> {
        needs(line, 1, "the names of events, such as `JOB_*`,")?;
        Ok(line.words[1..].iter().map(|word| word.text.clone()).collect())
    };
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
                let near = nearest(text, FORMS.iter().copied()).map(|name| format!("; did you mean `{name}`?"));
                let message = "expected a number, `on`, `off`, `only` or `except`".to_owned();
                return Err(Diagnostic::new(word.span, message + &near.unwrap_or_default()));
            }
        },
    }
    Ok(Verdict::Done)
}

fn show_last(engine: &Engine, count: usize, out: &mut dyn Output) {
    for event in engine.recent.last(count) {
        out.event(event);
    }
}

pub(super) fn wait(
    engine: &mut Engine,
    line: &MetaLine,
    source: &Source<'_>,
    out: &mut dyn Output,
) -> Result<Verdict, Diagnostic> {
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
    if engine.mode.dry_run {
        return Ok(Verdict::Done);
    }
    let what = line.words.iter().filter(|word| word.key() != "timeout");
    let what = what.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    // A time too long to count is no limit.
    let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut looked_at = 0;
    if timeout.is_some() {
        // However short the time: what is here by now has come in it.
        engine.take_rest(out);
    }
    loop {
        if engine.recent.take(&awaited, looked_at) {
            return Ok(Verdict::Done);
        }
        looked_at = engine.recent.total;
        if !engine.link.is_open() {
            out.failed(&format!("not connected; `{}` cannot come", name.text), source, None);
            return Ok(Verdict::Failed);
        }
        match engine.wait_for_message(until, out) {
            // Nobody would see it come.
            Ok(_) if out.has_failed() => return Ok(Verdict::Failed),
            Ok(true) => {}
            Ok(false) => {
                let what = match timeout {
                    Some(timeout) if until.is_some_and(|until| Instant::now() >= until) => {
                        format!("no event `{what}` came within {} s", timeout.as_secs_f64())
                    }
                    _ => format!("stopped waiting for `{what}`"),
                };
                out.failed(&what, source, None);
                return Ok(Verdict::Failed);
            }
            Err(verdict) => {
                if !engine.link.is_open() && !engine.mode.interactive {
                    return Ok(verdict);
                }
                out.failed(&format!("not connected; `{}` cannot come", name.text), source, None);
                return Ok(Verdict::Failed);
            }
        }
    }
}
