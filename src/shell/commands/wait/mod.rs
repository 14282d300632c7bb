//! `.wait`: waits for an event, or for the end of a job or of the migration.

mod event;
mod operation;

use crate::assist::Completes;
use crate::grammar::Diagnostic;

use super::super::line::LineOutcome;
use super::operation::job::Job;
use super::operation::migration::Migration;
use super::waiting::parse_seconds;
use super::{ANY, Arguments, DotCommand, Invocation};

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
            let timeout = arguments.last().map(parse_seconds).transpose()?;
            Ok(operation::wait_for(&Migration, timeout, invocation))
        }
        _ => event::wait(invocation),
    }
}
