//! `.exit`: leaves the shell.

use crate::assist::Completes;

use super::super::line::LineOutcome;
use super::{Arguments, DotCommand};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "exit",
    aliases: &["quit"],
    usage: "",
    summary: "leave the shell; the VM keeps running (also Ctrl-D)",
    help: "Leaves the shell. QEMU keeps running, unless the shell started it (qmp-shell-wrap): then QEMU ends too.",
    arguments: Arguments::Words { min: 0, max: 0 },
    has_reply_slot: false,
    completes: Completes::Nothing,
    run: |_| Ok(LineOutcome::Leave),
};
