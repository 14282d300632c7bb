//! `.wait`: waits for an event, or for the end of a job or of the migration.

mod event;
mod job;
mod migration;
mod operation;

use std::time::{Duration, Instant};

use crate::assist::Completes;
use crate::grammar::{Diagnostic, Word};

use super::super::engine::exchange::StopReason;
use super::super::line::LineOutcome;
use super::{ANY, Arguments, DotCommand, Invocation};
use job::Job;
use migration::Migration;

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "wait",
    aliases: &[],
    usage: "EVENT [KEY=VALUE]… | job ID | migration [timeout=SECONDS]",
    summary: "wait for an event, or for the end of a job or migration",
    help: "`.wait job ID` waits for the end of a job, and `.wait migration` for that of the migration. They fail if it\n\
           fails or is cancelled, with the server's reason, even if it ended earlier; they do not dismiss the job.\n\
           `.wait job j0 status=ready` waits until the job is ready to be completed, and fails if it ends before that.\n\
           `.wait EVENT` waits for an event with this name (or glob) whose data has these values: `.wait DEVICE_DELETED\n\
           device=net0 timeout=10`. Events since the last command was sent count too, each for one wait only, so\n\
           scripts have no race. Keys may be dotted. A timeout is a failure.",
    arguments: Arguments::Words { min: 1, max: ANY },
    has_reply_slot: false,
    completes: Completes::Wait,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let (subject, arguments) = (&invocation.dot.words[0], &invocation.dot.words[1..]);
    match subject.text.as_str() {
        "job" => {
            let id = invocation.word(1, "the id of a job")?;
            let (job, timeout) = Job::parse(id, &arguments[1..])?;
            Ok(operation::wait_for(&job, timeout, invocation))
        }
        // With values, it is the event of this name, in lower case.
        "migration" if arguments.iter().all(|word| word.key() == "timeout") => {
            let timeout = arguments.last().map(parse_timeout).transpose()?;
            Ok(operation::wait_for(&Migration, timeout, invocation))
        }
        _ => event::wait(invocation),
    }
}

fn parse_timeout(word: &Word) -> Result<Duration, Diagnostic> {
    let seconds = word.value().parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| {
        Diagnostic::new(word.value_span(), format!("expected a number of seconds, found `{}`", word.value()))
    })
}

/// Returns the end of a wait that begins now. A timeout that is too long to represent sets no limit.
fn deadline_after(timeout: Option<Duration>) -> Option<Instant> {
    Instant::now().checked_add(timeout?)
}

/// Shows at a prompt the subject of the wait.
fn announce(awaited: &str, invocation: &mut Invocation<'_>) {
    if invocation.engine.options.interactive {
        invocation.out.show_notice(&format!("Waiting for {awaited}. Ctrl-C stops waiting."));
    }
}

/// Reports that a wait ended before `awaited` happened.
fn give_up(
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
