//! The wait for an operation of the server that ends by itself, such as a job.
//!
//! The server is asked for the state of the operation, again after each event about it, and also from time to time.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::wire::{ReplyBody, Request};

use super::super::super::engine::exchange::StopReason;
use super::super::super::events::log::EventLog;
use super::super::super::line::LineOutcome;
use super::super::Invocation;
use super::{announce, deadline_after, give_up};

/// The time between the first two questions after an event. It doubles with each further one.
const FIRST_INTERVAL: Duration = Duration::from_millis(50);

/// The time that the server has to answer a question, if the timeout of the wait is shorter.
const MIN_REPLY_TIME: Duration = Duration::from_secs(1);

/// The time after which the user is told that an operation needs a command to go on. One that was sent just before the
/// wait may take effect late.
const ADVICE_DELAY: Duration = Duration::from_secs(1);

/// An operation that can be waited for.
pub(super) trait Operation {
    /// Returns its name in messages: "job `j0`".
    fn describe(&self) -> String;
    /// Returns the query whose reply has its state.
    fn query(&self) -> Request;
    /// Returns the maximum time between two questions.
    fn max_interval(&self) -> Duration;
    /// Returns whether it may have another state after an event with this name.
    fn is_changed_by(&self, event_name: &str) -> bool;
    /// Returns its progress, according to the reply and to the events so far.
    fn progress(&self, reply: &Value, events: &EventLog) -> Progress;
}

/// The progress of an operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It has come as far as was awaited.
    Done,
    /// It has failed; the message says why.
    Failed(String),
    UnderWay(State),
}

/// The state of an operation that has not ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The server's name for it.
    pub(super) status: String,
    pub(super) per_cent: Option<u128>,
    /// The command without which it goes no further.
    pub(super) needs: Option<String>,
}

impl State {
    /// Creates a state. `resting` has the statuses that last until a command is sent, with that command.
    pub(super) fn new(status: &str, resting: &[(&str, &str)]) -> State {
        let needs = resting.iter().find(|(resting, _)| *resting == status).map(|(_, command)| (*command).to_owned());
        State { status: status.to_owned(), per_cent: None, needs }
    }

    /// Adds how much is done. The total may be unknown.
    pub(super) fn with_progress(self, done: Option<u64>, total: Option<u64>) -> State {
        let per_cent = |(done, total): (u64, u64)| (u128::from(done) * 100).checked_div(u128::from(total));
        let per_cent = done.zip(total).and_then(per_cent).map(|per_cent| per_cent.min(100));
        State { per_cent, ..self }
    }

    fn describe(&self) -> String {
        match self.per_cent {
            Some(per_cent) => format!("{} ({per_cent} %)", self.status),
            None => self.status.clone(),
        }
    }

    /// Returns the end of a sentence about the command that it needs.
    fn advice(&self) -> String {
        self.needs.as_ref().map(|needs| format!("; it needs `{needs}` to go on")).unwrap_or_default()
    }
}

/// Waits until an operation has come as far as awaited, fails, or `timeout` is over.
pub(super) fn wait_for(
    operation: &dyn Operation,
    timeout: Option<Duration>,
    invocation: &mut Invocation<'_>,
) -> LineOutcome {
    if invocation.engine.options.dry_run {
        return LineOutcome::Done;
    }
    let name = operation.describe();
    let no_answer = || format!("cannot wait for {name}: the server does not answer");
    let deadline = deadline_after(timeout);
    let mut advice = Advice::default();
    let mut interval = FIRST_INTERVAL;
    let mut is_announced = false;
    loop {
        let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let state = match ask(operation, deadline, invocation) {
            Ok(Progress::UnderWay(state)) if is_late => {
                let seconds = timeout.unwrap_or_default().as_secs_f64();
                let message = format!("{name} is still {} after {seconds} s{}", state.describe(), state.advice());
                return fail(&message, invocation);
            }
            Ok(Progress::UnderWay(state)) => state,
            Ok(Progress::Done) => return LineOutcome::Done,
            Ok(Progress::Failed(message)) => return fail(&message, invocation),
            Err(stop) => return give_up(&stop, &name, no_answer, invocation),
        };
        if !std::mem::replace(&mut is_announced, true) {
            announce(&format!("{name}, which is {}", state.describe()), invocation);
        }
        if advice.is_due(&state) {
            invocation.out.show_warning(&format!("{name} is {}{}", state.status, state.advice()), invocation.line);
        }
        match pause(operation, interval, deadline, invocation) {
            StopReason::Enough => interval = FIRST_INTERVAL,
            StopReason::TimedOut => interval = operation.max_interval().min(interval * 2),
            stop => return give_up(&stop, &name, no_answer, invocation),
        }
    }
}

fn fail(message: &str, invocation: &mut Invocation<'_>) -> LineOutcome {
    invocation.out.report_failure(message, invocation.line, None);
    LineOutcome::Failed
}

/// Asks the server for the progress of an operation.
fn ask(
    operation: &dyn Operation,
    deadline: Option<Instant>,
    invocation: &mut Invocation<'_>,
) -> Result<Progress, StopReason> {
    let query = operation.query();
    let deadline = deadline.map(|deadline| deadline.max(Instant::now() + MIN_REPLY_TIME));
    let reply = invocation.engine.query(&query, deadline.into(), &mut *invocation.out)?;
    Ok(match reply.body() {
        ReplyBody::Return(raw) => {
            let value = serde_json::from_str(raw).unwrap_or_default();
            operation.progress(&value, &invocation.engine.connection.record.events)
        }
        ReplyBody::Error { class, desc } => {
            let name = operation.describe();
            Progress::Failed(format!("cannot wait for {name}: `{}` failed: {class}: {desc}", query.command))
        }
    })
}

/// Handles messages until an event about the operation, `interval` or `deadline`.
fn pause(
    operation: &dyn Operation,
    interval: Duration,
    deadline: Option<Instant>,
    invocation: &mut Invocation<'_>,
) -> StopReason {
    let next = Instant::now() + interval;
    let until = deadline.map_or(next, |deadline| deadline.min(next));
    let mut total = invocation.engine.connection.record.events.total;
    invocation.engine.receive(None, Some(until).into(), &mut *invocation.out, |engine, _| {
        let events = &engine.connection.record.events;
        let is_event = std::mem::replace(&mut total, events.total) != events.total;
        is_event && events.last(1).any(|event| operation.is_changed_by(event.name()))
    })
}

/// The advice on an operation that needs a command: given once for each status, if it lasts.
#[derive(Debug, Default)]
struct Advice {
    status: String,
    since: Option<Instant>,
    is_given: bool,
}

impl Advice {
    fn is_due(&mut self, state: &State) -> bool {
        if self.status != state.status {
            *self = Advice { status: state.status.clone(), since: Some(Instant::now()), is_given: false };
        }
        let lasts = self.since.is_some_and(|since| since.elapsed() >= ADVICE_DELAY);
        lasts && state.needs.is_some() && !std::mem::replace(&mut self.is_given, true)
    }
}
