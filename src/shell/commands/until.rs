//! `.until`: asks again and again, until the answer is as expected.

use std::time::{Duration, Instant};

use crate::assist::Completes;
use crate::grammar::Diagnostic;

use super::super::engine::exchange::StopReason;
use super::super::line::LineOutcome;
use super::question::{Question, Verdict};
use super::waiting::{announce, deadline_after, give_up, pause};
use super::{Arguments, DotCommand, Invocation};

/// The time between two questions, unless the line has another one.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest time between two questions. Events wake the wait, and there may be many.
const MIN_INTERVAL: Duration = Duration::from_millis(20);

/// The time that the server has to answer a question, if the timeout of the wait is shorter.
const MIN_REPLY_TIME: Duration = Duration::from_secs(1);

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "until",
    aliases: &[],
    usage: "COMMAND [KEY=VALUE]… [| FILTER] [MEMBER=VALUE]… [every=SECONDS] [timeout=SECONDS]",
    summary: "run a command again and again until its reply is as expected",
    help: "Takes conditions as `.expect` does: `.until query-status status=running`, `.until query-jobs | length == 0\n\
           timeout=60`. It asks each second, or as often as `every` says, and after each event. An error of the server is\n\
           not the expected reply. Without a condition, it waits until the command succeeds. A timeout is a failure, which\n\
           shows what was there. A command that may change something is repeated only without a condition.",
    arguments: Arguments::RawTail,
    has_reply_slot: false,
    completes: Completes::Question(&[
        ("every=", "time between two questions in seconds"),
        ("timeout=", "maximum wait in seconds"),
    ]),
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    if let Err(outcome) = invocation.engine.ensure_open(invocation.line, &mut *invocation.out) {
        return Ok(outcome);
    }
    let question = Question::parse(invocation, true)?;
    let command = &question.request.command;
    if !question.only_asks() && (!question.has_no_condition() || command == "quit") {
        let message = format!("`{command}` may change something each time; `.until` repeats only commands that ask");
        return Err(Diagnostic::new(question.command_span, message));
    }
    if invocation.engine.options.dry_run {
        invocation.out.show_unsent_request(&question.request.to_json(None));
        return Ok(LineOutcome::Done);
    }
    wait_until_true(&question, invocation)
}

fn wait_until_true(question: &Question, invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let awaited = format!("`{}`", question.request.command);
    let no_answer = || format!("cannot wait for {awaited}: the server does not answer");
    let interval = question.timing.interval.unwrap_or(DEFAULT_INTERVAL);
    let deadline = deadline_after(question.timing.timeout);
    let mut is_announced = false;
    loop {
        let start = Instant::now();
        let is_late = deadline.is_some_and(|deadline| start >= deadline);
        let reply_deadline = deadline.map(|deadline| deadline.max(start + MIN_REPLY_TIME));
        let Invocation { engine, out, .. } = invocation;
        let reply = match engine.query(&question.request, reply_deadline.into(), &mut **out) {
            Ok(reply) => reply,
            Err(stop) => return Ok(give_up(&stop, &awaited, no_answer, invocation)),
        };
        let unmet = match question.judge(&reply, &mut **out) {
            Verdict::True => {
                out.show_progress("");
                return Ok(LineOutcome::Done);
            }
            Verdict::Never(diagnostic) => return Err(diagnostic),
            Verdict::Interrupted => return Ok(give_up(&StopReason::Interrupted, &awaited, no_answer, invocation)),
            Verdict::False(unmet) => unmet,
        };
        if is_late {
            let seconds = question.timing.timeout.unwrap_or_default().as_secs_f64();
            return Err(Diagnostic { message: format!("not within {seconds} s: {}", unmet.message), ..unmet });
        }
        if !std::mem::replace(&mut is_announced, true) {
            announce(&format!("the expected reply to {awaited}"), invocation);
        }
        if invocation.engine.options.interactive {
            invocation.out.show_progress(&unmet.message);
        }
        // The first event ends the pause, but not before the shortest one.
        match pause(interval, deadline, invocation, &|_| true) {
            StopReason::Enough => match pause(MIN_INTERVAL, deadline, invocation, &|_| false) {
                StopReason::TimedOut => {}
                stop => return Ok(give_up(&stop, &awaited, no_answer, invocation)),
            },
            StopReason::TimedOut => {}
            stop => return Ok(give_up(&stop, &awaited, no_answer, invocation)),
        }
    }
}
