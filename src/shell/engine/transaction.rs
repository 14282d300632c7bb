//! Transaction blocks: actions collected line by line, sent as one request.

use crate::grammar::{Arg, Command, Diagnostic, TransactionLine};

use super::super::line::{InputLine, LineOutcome};
use super::super::output::Output;
use super::{Engine, not_sent};

/// An open block.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    actions: Vec<Command>,
    /// Whether a line was wrong after later lines had been entered, as in a script or a paste: the block will not be
    /// sent.
    invalid: bool,
}

/// A complete block.
pub(super) struct ClosedBlock<'a> {
    pub(super) actions: &'a [Command],
    pub(super) properties: &'a [Arg],
}

impl Engine {
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// Drops an open block without sending it. Returns whether there was one.
    pub fn abandon_transaction(&mut self) -> bool {
        self.transaction.take().is_some()
    }

    /// Opens a block.
    pub(crate) fn begin_transaction(&mut self) {
        self.transaction = Some(Transaction::default());
    }

    /// Executes a line that opens a block, and may contain an action and the end of the block.
    pub(crate) fn open_transaction(
        &mut self,
        transaction: TransactionLine,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        self.begin_transaction();
        let is_whole = transaction.close.is_some();
        let outcome = self.run_transaction_line(transaction, line, out);
        if is_whole {
            // A block on one line ends there even if it was wrong.
            self.transaction = None;
        }
        outcome
    }

    /// Executes a line inside a block.
    pub(crate) fn run_transaction_line(
        &mut self,
        transaction: TransactionLine,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        if let Some(action) = transaction.action {
            // The action is checked now, so that an error is shown next to its line.
            if let Err(diagnostic) = self.check_action(&action, line, out) {
                return match transaction.close {
                    Some(_) => self.reject_end(&diagnostic, line, out),
                    None => self.reject_action(&diagnostic, line, out),
                };
            }
            if let Some(block) = &mut self.transaction {
                block.actions.push(action);
            }
        }
        let Some(properties) = transaction.close else {
            return LineOutcome::Done;
        };
        let Some(block) = self.transaction.take() else {
            return LineOutcome::Done;
        };
        if block.invalid {
            out.report_failure(
                "the transaction was not sent, because one of its lines was wrong",
                line,
                Some("NotSent"),
            );
            return LineOutcome::Failed;
        }
        if let Err(outcome) = self.ensure_open(line, out) {
            self.transaction = Some(block);
            return outcome;
        }
        match self.prepare_transaction(&ClosedBlock { actions: &block.actions, properties: &properties }, out) {
            Ok(request) => self.perform(&request, None, line, out),
            Err(diagnostic) => {
                self.transaction = Some(block);
                self.reject_end(&diagnostic, line, out)
            }
        }
    }

    /// Rejects the line that would have sent the block. At a prompt it can be typed again.
    fn reject_end(&mut self, diagnostic: &Diagnostic, line: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
        if !self.options.interactive {
            self.transaction = None;
        }
        not_sent(diagnostic, line, out)
    }

    /// Rejects an action. At a prompt it can be typed again; in a script the whole block becomes invalid.
    pub(crate) fn reject_action(
        &mut self,
        diagnostic: &Diagnostic,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        out.report_not_sent(diagnostic, line, false);
        if !self.options.interactive {
            self.invalidate_transaction();
        }
        LineOutcome::Failed
    }

    /// Marks an open block as one that will not be sent.
    pub(crate) fn invalidate_transaction(&mut self) {
        if let Some(block) = &mut self.transaction {
            block.invalid = true;
        }
    }

    pub(crate) fn has_invalid_transaction(&self) -> bool {
        self.transaction.as_ref().is_some_and(|block| block.invalid)
    }
}
