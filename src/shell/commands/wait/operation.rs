//! The wait for an operation of the server.
//!
//! The server is asked for the state of the operation, again after each event about it, and also from time to time.

use std::time::{Duration, Instant};

use super::super::super::engine::exchange::StopReason;
use super::super::super::line::LineOutcome;
use super::super::Invocation;
use super::super::operation::{Operation, Progress, ServerState, StatusClock};
use super::super::waiting::{announce, deadline_after, give_up, pause};

/// The time between the first two questions after an event. It doubles with each further one.
const FIRST_INTERVAL: Duration = Duration::from_millis(50);

/// The time that the server has to answer a question, if the timeout of the wait is shorter.
const MIN_REPLY_TIME: Duration = Duration::from_secs(1);

/// Waits until an operation has come as far as awaited, fails, or `timeout` is over.
pub(super) fn wait_for(
    operation: &dyn Operation,
    timeout: Option<Duration>,
    invocation: &mut Invocation<'_>,
) -> LineOutcome {
    if invocation.engine.options.dry_run {
        return LineOutcome::Done;
    }
    invocation.without_advice(|invocation| wait_without_advice(operation, timeout, invocation))
}

fn wait_without_advice(
    operation: &dyn Operation,
    timeout: Option<Duration>,
    invocation: &mut Invocation<'_>,
) -> LineOutcome {
    let name = operation.describe();
    let no_answer = || format!("cannot wait for {name}: the server does not answer");
    let deadline = deadline_after(timeout);
    let mut advised = String::new();
    let mut clock = StatusClock::default();
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
        // Once for each status.
        if clock.rests(&state) && advised != state.status {
            invocation.out.show_warning(&format!("{name} is {}{}", state.status, state.advice()), invocation.line);
            advised = state.status;
        }
        match pause(interval, deadline, invocation, &|event| operation.is_changed_by(event)) {
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
    let deadline = deadline.map(|deadline| deadline.max(Instant::now() + MIN_REPLY_TIME));
    let reply = invocation.engine.query(&operation.query(), deadline.into(), &mut *invocation.out)?;
    Ok(operation.progress_of_reply(&ServerState::of(reply.body()), &invocation.engine.connection.record.events))
}
