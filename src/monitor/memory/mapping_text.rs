//! Mappings as text: the lines of `info tlb` and `info mem`.

use std::fmt::Write;

use super::page_tables::{LARGE_PAGE, PagingMode, Rights};
use super::page_walk::Mapping;

/// The maximum size of a list of mappings. Page tables that name each other in a circle would make it endless.
pub(crate) const MAX_TEXT_BYTES: usize = 256 << 20;

/// The bytes of a small page. The bit of a large one means something else in its entry.
const SMALL_PAGE_BYTES: u64 = 4096;

/// The letters of the bits of an entry in `info tlb`, from left to right: execution disabled, global, large page, dirty,
/// accessed, cache disabled, write-through, user, writable.
const ENTRY_FLAGS: [(u32, char); 9] =
    [(63, 'X'), (8, 'G'), (7, 'P'), (6, 'D'), (5, 'A'), (4, 'C'), (3, 'T'), (2, 'U'), (1, 'W')];

/// Writes the line of a mapping in `info tlb`.
pub(crate) fn write_tlb_line(text: &mut String, mode: &PagingMode, mapping: &Mapping) {
    let entry = if mapping.bytes == SMALL_PAGE_BYTES { mapping.entry & !LARGE_PAGE } else { mapping.entry };
    let flags = ENTRY_FLAGS.map(|(bit, letter)| if entry >> bit & 1 == 1 { letter } else { '-' });
    let flags: String = flags.into_iter().collect();
    let _ = writeln!(text, "{:016x}: {:016x} {flags}", mode.canonical(mapping.address), mapping.physical);
}

/// The lines of `info mem`: runs of adjacent mappings with equal rights.
pub(crate) struct MemoryRuns {
    mode: &'static PagingMode,
    current: Option<Run>,
    text: String,
}

#[derive(Clone, Copy)]
struct Run {
    start: u64,
    end: u64,
    rights: Rights,
}

impl MemoryRuns {
    pub(crate) fn new(mode: &'static PagingMode) -> MemoryRuns {
        MemoryRuns { mode, current: None, text: String::new() }
    }

    /// Adds a mapping, whose address is higher than those before. Returns whether there is room for more.
    pub(crate) fn add(&mut self, mapping: &Mapping) -> bool {
        let end = mapping.address + mapping.bytes;
        match &mut self.current {
            Some(run) if run.end == mapping.address && run.rights == mapping.rights => run.end = end,
            _ => {
                self.finish_run();
                self.current = Some(Run { start: mapping.address, end, rights: mapping.rights });
            }
        }
        self.text.len() < MAX_TEXT_BYTES
    }

    /// Returns all lines.
    pub(crate) fn finish(mut self) -> String {
        self.finish_run();
        self.text
    }

    fn finish_run(&mut self) {
        let Some(Run { start, end, rights }) = self.current.take() else { return };
        let user = if rights.user { 'u' } else { '-' };
        let writable = if rights.writable { 'w' } else { '-' };
        let (first, after) = (self.mode.canonical(start), self.mode.canonical(end));
        let _ = writeln!(self.text, "{first:016x}-{after:016x} {:016x} {user}r{writable}", end - start);
    }
}
