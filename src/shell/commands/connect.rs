//! `.connect`.

use crate::grammar::{Diagnostic, MetaLine};
use crate::session::Address;

use super::at_most;
use crate::shell::engine::{Engine, Verdict};
use crate::shell::output::{Output, Source};

pub(crate) fn connect(
    engine: &mut Engine,
    line: &MetaLine,
    source: &Source<'_>,
    out: &mut dyn Output,
) -> Result<Verdict, Diagnostic> {
    engine.settle();
    if let Some(word) = line.words.first() {
        let address: Address = if line.rest.starts_with("exec:") {
            line.rest.parse()
        } else {
            at_most(line, 1)?;
            word.text.parse()
        }
        .map_err(|error: crate::session::AddressError| Diagnostic::new(word.span, error.to_string()))?;
        engine.link.set_address(address);
    }
    if engine.mode.dry_run {
        return Ok(Verdict::Done);
    }
    Ok(match engine.reconnect(source, out) {
        Ok(()) => Verdict::Done,
        Err(verdict) => verdict,
    })
}
