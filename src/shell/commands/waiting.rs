//! The parts that all waits have: limits, pauses, and the ways in which a wait ends early.

use std::time::{Duration, Instant};

use crate::grammar::{Diagnostic, Word};

use super::super::engine::exchange::StopReason;
use super::super::line::LineOutcome;
use super::Invocation;

/// Parses the seconds after the `=` of a word.
pub(super) fn parse_seconds(word: &Word) -> Result<Duration, Diagnostic> {
    let seconds = word.value().parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| {
        Diagnostic::new(word.value_span(), format!("expected a number of seconds, found `{}`", word.value()))
    })
}

/// Returns the end of a wait that begins now. A timeout that is too long to represent sets no limit.
pub(super) fn deadline_after(timeout: Option<Duration>) -> Option<Instant> {
    Instant::now().checked_add(timeout?)
}

/// Shows at a prompt the subject of the wait.
pub(super) fn announce(awaited: &str, invocation: &mut Invocation<'_>) {
    if invocation.engine.options.interactive {
        invocation.out.show_notice(&format!("Waiting for {awaited}. Ctrl-C stops waiting."));
    }
}

/// Reports that a wait ended before `awaited` happened.
pub(super) fn give_up(
    stop: &StopReason,
    awaited: &str,
    timed_out: impl FnOnce() -> String,
    invocation: &mut Invocation<'_>,
) -> LineOutcome {
    let Invocation { engine, line, out, .. } = invocation;
    let message = match stop {
        StopReason::OutputFailed => return LineOutcome::Failed,
        StopReason::TimedOut => timed_out(),
        StopReason::Disconnected(disconnected) => {
            engine.disconnected_while_idle(disconnected, &mut **out);
            if !engine.options.interactive {
                return LineOutcome::Disconnected;
            }
            format!("not connected; stopped waiting for {awaited}")
        }
        StopReason::NotConnected => format!("not connected; cannot wait for {awaited}"),
        _ => format!("stopped waiting for {awaited}"),
    };
    out.report_failure(&message, line, None);
    LineOutcome::Failed
}

/// Handles messages until an event that `wakes`, `interval` or `deadline`.
pub(super) fn pause(
    interval: Duration,
    deadline: Option<Instant>,
    invocation: &mut Invocation<'_>,
    wakes: &dyn Fn(&str) -> bool,
) -> StopReason {
    let next = Instant::now() + interval;
    let until = deadline.map_or(next, |deadline| deadline.min(next));
    let mut total = invocation.engine.connection.record.events.total;
    invocation.engine.receive(None, Some(until).into(), &mut *invocation.out, |engine, _| {
        let events = &engine.connection.record.events;
        let is_event = std::mem::replace(&mut total, events.total) != events.total;
        is_event && events.last(1).any(|event| wakes(event.name()))
    })
}
