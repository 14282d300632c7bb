//! History entries for transactions: a block becomes one entry once it is complete.

use crate::grammar::{Language, opens_transaction};

use super::super::engine::Engine;

/// The lines of the open block.
#[derive(Debug, Default)]
pub(super) struct BlockHistory {
    block: Vec<String>,
}

impl BlockHistory {
    /// Adds a line that is about to run. The lines of a block are kept until its end; until then only the editor has
    /// them.
    pub(super) fn begin(&mut self, text: &str, engine: &mut Engine) {
        let belongs_to_block = match (engine.language(), engine.in_transaction()) {
            (Language::Hmp, _) => false,
            (Language::Qmp, true) => !text.trim_start().starts_with('.'),
            (Language::Qmp, false) => opens_transaction(text),
        };
        if belongs_to_block {
            self.block.push(text.to_owned());
        } else {
            match engine.aliases.has_secret(text) {
                true => engine.history().add_unsaved(text),
                false => engine.history().add(text),
            }
        }
    }

    /// Notes that the line was run; `failed` says whether it was rejected. Returns whether a block became one entry
    /// that replaces its lines.
    pub(super) fn end(&mut self, failed: bool, engine: &mut Engine) -> bool {
        if self.block.is_empty() {
            return false;
        }
        if !engine.in_transaction() {
            let lines = std::mem::take(&mut self.block);
            // Switching the language leaves the block without an end.
            let is_complete = engine.language() == Language::Qmp;
            let history = engine.history_of(Language::Qmp);
            match is_complete {
                true => history.add_block(&lines),
                false => lines.iter().for_each(|line| history.add(line)),
            }
            return true;
        }
        // A rejected line is not part of the block, unless the whole block is invalid.
        if failed
            && !engine.has_invalid_transaction()
            && let Some(line) = self.block.pop()
        {
            engine.history().add(&line);
            if self.block.is_empty() {
                self.block.push("transaction(".to_owned());
            }
        }
        false
    }

    /// Drops the open block: its lines become separate entries.
    pub(super) fn drop_block(&mut self, engine: &mut Engine) {
        for line in self.block.drain(..) {
            engine.history().add(&line);
        }
    }
}
