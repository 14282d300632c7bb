//! `.expect`: asks once, and fails if the answer is not as expected.

use crate::assist::Completes;
use crate::grammar::Diagnostic;

use super::super::engine::exchange::Exchanged;
use super::super::line::LineOutcome;
use super::question::{Question, Verdict};
use super::{Arguments, DotCommand, Invocation};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "expect",
    aliases: &[],
    usage: "COMMAND [KEY=VALUE]… [| FILTER] [MEMBER=VALUE]…",
    summary: "run a command, and fail unless its reply is as expected",
    help: "`.expect query-status status=running` fails if the member `status` has another value, and shows which. A\n\
           KEY=VALUE is an argument if the command has that key, and otherwise a condition on what it returns; keys may be\n\
           dotted, and one item of an array must meet all conditions: `.expect query-jobs id=j0 status=ready`. A jq filter\n\
           after `|` must yield true values: `.expect query-block | any(.[]; .device == \"disk0\")`. Words after the filter\n\
           are conditions on what it yields. Without a condition, the command must succeed.",
    arguments: Arguments::RawTail,
    has_reply_slot: false,
    completes: Completes::Question(&[]),
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    if let Err(outcome) = invocation.engine.ensure_open(invocation.line, &mut *invocation.out) {
        return Ok(outcome);
    }
    let question = Question::parse(invocation, false)?;
    let Invocation { engine, line, out, .. } = invocation;
    let reply = match engine.exchange(&question.request, None, line, &mut **out) {
        Ok(Exchanged::Reply(reply)) => reply,
        Ok(Exchanged::DryRun) => return Ok(LineOutcome::Done),
        Ok(Exchanged::Interrupted) => return Ok(LineOutcome::Failed),
        Err(outcome) => return Ok(outcome),
    };
    match question.judge(&reply, &mut **out) {
        Verdict::True => Ok(LineOutcome::Done),
        Verdict::False(diagnostic) | Verdict::Never(diagnostic) => Err(diagnostic),
        Verdict::Interrupted => {
            out.report_failure("the filter was interrupted", line, None);
            Ok(LineOutcome::Failed)
        }
    }
}
