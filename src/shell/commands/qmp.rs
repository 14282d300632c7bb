//! `.qmp`: switches to QMP mode.

use crate::assist::Completes;
use crate::grammar::Language;

use super::super::line::LineOutcome;
use super::{Arguments, DotCommand};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "qmp",
    aliases: &[],
    usage: "",
    summary: "switch back from HMP mode",
    help: "Switches back from HMP mode: lines are QMP commands again.",
    arguments: Arguments::Words { min: 0, max: 0 },
    has_reply_slot: false,
    completes: Completes::Nothing,
    run: |invocation| {
        invocation.engine.set_language(Language::Qmp);
        Ok(LineOutcome::Done)
    },
};
