//! What comes back to the editor of what was entered: a line by itself, the lines of a transaction block together.

use crate::grammar::{Line, LineMode, parse_line};

use crate::shell::engine::Engine;

/// The lines of the block that is open.
#[derive(Debug, Default)]
pub(crate) struct BlockHistory {
    block: Vec<String>,
}

impl BlockHistory {
    /// A line was entered and is about to be carried out. Those of a block wait for its end; until then the editor alone
    /// knows them.
    pub(crate) fn begin(&mut self, line: &str, engine: &mut Engine) {
        let is_row = match engine.in_transaction() {
            true => !line.trim_start().starts_with('.'),
            false => opens_block(line, engine.language()),
        };
        if is_row {
            self.block.push(line.to_owned());
        } else {
            engine.history().add(line);
        }
    }

    /// The line was carried out; `failed`: it was refused. Says whether a block has become one entry in the place of its
    /// lines.
    pub(crate) fn end(&mut self, failed: bool, engine: &mut Engine) -> bool {
        if self.block.is_empty() {
            return false;
        }
        if !engine.in_transaction() {
            let lines = std::mem::take(&mut self.block);
            let left_open = engine.language() != LineMode::Qmp;
            let history = &mut engine.histories[LineMode::Qmp as usize];
            match left_open {
                true => lines.iter().for_each(|line| history.add(line)),
                false => history.add_block(&lines),
            }
            return true;
        }
        // What was refused is no part of the block, unless all of it is off.
        if failed
            && !engine.has_invalid_transaction()
            && let Some(line) = self.block.pop()
        {
            engine.history().add(&line);
        }
        false
    }

    /// The block, if one is open, is dropped: its lines become entries of their own.
    pub(crate) fn drop_block(&mut self, engine: &mut Engine) {
        for line in self.block.drain(..) {
            engine.history().add(&line);
        }
    }
}

fn opens_block(line: &str, language: LineMode) -> bool {
    language == LineMode::Qmp
        && matches!(parse_line(line), Ok(Line::Transaction(transaction)) if transaction.close.is_none())
}
