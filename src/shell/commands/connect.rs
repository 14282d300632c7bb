//! `.connect`.

use crate::grammar::{Diagnostic, DotLine};
use crate::session::Address;

use super::at_most;
use crate::shell::engine::{Engine, LineOutcome};
use crate::shell::output::{InputLine, Output};

pub(crate) fn connect(
    engine: &mut Engine,
    line: &DotLine,
    source: &InputLine<'_>,
    out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    engine.finish_pending_queries();
    if let Some(word) = line.words.first() {
        let address: Address = if line.rest.starts_with("exec:") {
            line.rest.parse()
        } else {
            at_most(line, 1)?;
            word.text.parse()
        }
        .map_err(|error: crate::session::AddressError| Diagnostic::new(word.span, error.to_string()))?;
        engine.connection.set_address(address);
    }
    if engine.mode.dry_run {
        return Ok(LineOutcome::Done);
    }
    Ok(match engine.reconnect(source, out) {
        Ok(()) => LineOutcome::Done,
        Err(verdict) => verdict,
    })
}
