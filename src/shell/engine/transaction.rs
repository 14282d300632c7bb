//! `transaction(` … `)`: actions gathered line by line, sent as one request.

use crate::grammar::{Arg, Command, Diagnostic, Line, TransactionLine, parse_line, parse_transaction_line};

use super::{Engine, LineOutcome, not_sent};
use crate::shell::commands;
use crate::shell::output::{InputLine, Output};

/// An open block.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    actions: Vec<Command>,
    /// A line was wrong, and lines behind it had been entered already, as in a script or a paste: the block will not be
    /// sent.
    invalid: bool,
}

/// A block that has been closed.
pub(crate) struct Block<'a> {
    pub(crate) actions: &'a [Command],
    pub(crate) properties: &'a [Arg],
}

impl Engine {
    /// `transaction(` came, and perhaps more on its line.
    pub(crate) fn open_transaction(
        &mut self,
        line: TransactionLine,
        source: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        self.transaction = Some(Transaction::default());
        let whole = line.close.is_some();
        let verdict = self.take_transaction_line(line, source, out);
        if whole {
            // On one line with its end, a block that was wrong is over as well.
            self.transaction = None;
        }
        verdict
    }

    /// A line inside a block.
    pub(crate) fn run_transaction_line(&mut self, source: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
        if source.text.trim_start().starts_with('.')
            && let Ok(Line::Dot(line)) = parse_line(source.text)
        {
            return commands::run(self, &line, source, out);
        }
        match parse_transaction_line(source.text) {
            Ok(line) => self.take_transaction_line(line, source, out),
            Err(fault) => self.mark_invalid(&fault, source, out),
        }
    }

    fn take_transaction_line(
        &mut self,
        line: TransactionLine,
        source: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        if let Some(action) = line.action {
            // Typed once now, so that a mistake is shown while the line is in sight.
            if let Err(fault) = self.check_action(&action, source, out) {
                return match line.close {
                    Some(_) => self.fail_to_close(&fault, source, out),
                    None => self.mark_invalid(&fault, source, out),
                };
            }
            if let Some(block) = &mut self.transaction {
                block.actions.push(action);
            }
        }
        let Some(properties) = line.close else {
            return LineOutcome::Done;
        };
        let Some(block) = self.transaction.take() else {
            return LineOutcome::Done;
        };
        if block.invalid {
            out.failed("the transaction was not sent: a line of it was wrong", source, Some("NotSent"));
            return LineOutcome::Failed;
        }
        match self.prepare_transaction(&Block { actions: &block.actions, properties: &properties }) {
            Ok(request) => self.perform(&request, source, out),
            Err(fault) => {
                self.transaction = Some(block);
                self.fail_to_close(&fault, source, out)
            }
        }
    }

    /// The line that was to send the block is wrong. At a prompt it is typed again; a script has nothing more to say.
    fn fail_to_close(&mut self, fault: &Diagnostic, source: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
        if !self.mode.interactive {
            self.transaction = None;
        }
        not_sent(fault, source, out)
    }

    /// At a prompt a wrong line is typed again; in a script nobody will, so the whole block is off.
    fn mark_invalid(&mut self, fault: &Diagnostic, source: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
        out.not_sent(fault, source, false);
        if !self.mode.interactive {
            self.invalidate_transaction();
        }
        LineOutcome::Failed
    }

    /// The open block, if there is one, will not be sent.
    pub(crate) fn invalidate_transaction(&mut self) {
        if let Some(block) = &mut self.transaction {
            block.invalid = true;
        }
    }

    /// Whether a block is open that will not be sent.
    pub(crate) fn has_invalid_transaction(&self) -> bool {
        self.transaction.as_ref().is_some_and(|block| block.invalid)
    }
}
