//! Walks through page tables: the translation of one address, and all mappings in order.

use super::page_tables::{Entry, Level, PagingMode, Rights};

/// The most tables that one walk visits: those of 128 GiB in pages of 4 KiB. Tables that name each other in a circle
/// would have it go on for ever.
pub(crate) const MAX_TABLES: u64 = 1 << 16;

/// The physical memory of a guest.
pub(crate) trait PhysicalMemory {
    type Error;

    /// Reads blocks, each given by its address and its length in bytes, and returns their bytes in the same order. A
    /// block may be shorter than asked for where memory ends.
    fn read(&mut self, blocks: &[(u64, u64)]) -> Result<Vec<Vec<u8>>, Self::Error>;

    /// Takes note of the course of a walk. The address is the virtual one that it has reached.
    fn progress(&mut self, tables: u64, address: u64) {
        let _ = (tables, address);
    }
}

/// A page of virtual memory and the physical page that it maps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The virtual address, without the copies of its highest bit.
    pub(crate) address: u64,
    pub(crate) bytes: u64,
    pub(crate) physical: u64,
    /// The entry of the last table.
    pub(crate) entry: u64,
    /// The accesses that all tables on the way allow.
    pub(crate) rights: Rights,
}

/// The end of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WalkEnd {
    /// All mappings were visited.
    Complete,
    /// The visitor has enough.
    Stopped,
    /// There are more than [`MAX_TABLES`] tables.
    TooManyTables,
}

/// Translates a virtual address. `None` if it is not mapped.
pub(crate) fn translate<M: PhysicalMemory>(
    mode: &PagingMode,
    cr3: u64,
    address: u64,
    memory: &mut M,
) -> Result<Option<u64>, M::Error> {
    let mut table = mode.root(cr3);
    for &level in mode.levels() {
        let place = table.wrapping_add(mode.entry_offset(level, address));
        let bytes = memory.read(&[(place, mode.entry_bytes())])?;
        let raw = bytes.first().and_then(|bytes| mode.entries(bytes).next()).unwrap_or_default();
        match mode.decode(level, raw) {
            Entry::Absent => return Ok(None),
            Entry::Table { address, .. } => table = address,
            Entry::Page { physical, .. } => return Ok(Some(physical | address & (level.page_bytes() - 1))),
        }
    }
    Ok(None)
}

/// Visits all mappings by rising address, until `visit` returns false.
///
/// The tables that a table names are read in one go, so that a walk takes few round trips.
pub(crate) fn walk<M: PhysicalMemory>(
    mode: &PagingMode,
    cr3: u64,
    memory: &mut M,
    visit: &mut dyn FnMut(Mapping) -> bool,
) -> Result<WalkEnd, M::Error> {
    let mut walk = Walk { mode, memory, visit, tables: 1 };
    let root = mode.root(cr3);
    let blocks = walk.memory.read(&[(root, mode.table_bytes(mode.levels()[0]))])?;
    let Some(table) = blocks.first() else { return Ok(WalkEnd::Complete) };
    walk.table(mode.levels(), table, 0, Rights::ALL)
}

struct Walk<'a, M: PhysicalMemory> {
    mode: &'a PagingMode,
    memory: &'a mut M,
    visit: &'a mut dyn FnMut(Mapping) -> bool,
    tables: u64,
}

impl<M: PhysicalMemory> Walk<'_, M> {
    /// Visits the mappings below one table. `levels` begins with its own, `base` is the first address that it covers.
    fn table(&mut self, levels: &[Level], table: &[u8], base: u64, rights: Rights) -> Result<WalkEnd, M::Error> {
        let Some((&level, lower)) = levels.split_first() else { return Ok(WalkEnd::Complete) };
        let mode = self.mode;
        let mut next_tables = self.read_tables(level, lower, table)?.into_iter();
        let mut address = base;
        for raw in mode.entries(table) {
            match mode.decode(level, raw) {
                Entry::Absent => {}
                Entry::Page { physical, rights: own } => {
                    let mapping =
                        Mapping { address, bytes: level.page_bytes(), physical, entry: raw, rights: rights.and(own) };
                    if !(self.visit)(mapping) {
                        return Ok(WalkEnd::Stopped);
                    }
                }
                Entry::Table { rights: own, .. } => {
                    self.tables += 1;
                    if self.tables > MAX_TABLES {
                        return Ok(WalkEnd::TooManyTables);
                    }
                    let table = next_tables.next().unwrap_or_default();
                    let end = self.table(lower, &table, address, rights.and(own))?;
                    if end != WalkEnd::Complete {
                        return Ok(end);
                    }
                }
            }
            address += level.page_bytes();
        }
        self.memory.progress(self.tables, address);
        Ok(WalkEnd::Complete)
    }

    /// Reads the tables that a table names, in the order of its entries.
    fn read_tables(&mut self, level: Level, lower: &[Level], table: &[u8]) -> Result<Vec<Vec<u8>>, M::Error> {
        let Some(&next) = lower.first() else { return Ok(Vec::new()) };
        let bytes = self.mode.table_bytes(next);
        let named = self.mode.entries(table).filter_map(|raw| match self.mode.decode(level, raw) {
            Entry::Table { address, .. } => Some((address, bytes)),
            Entry::Absent | Entry::Page { .. } => None,
        });
        let blocks: Vec<(u64, u64)> = named.collect();
        if blocks.is_empty() { Ok(Vec::new()) } else { self.memory.read(&blocks) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// Control registers of each form of page tables: CR0, CR4, and whether the CPU is in long mode.
    const MODES: [(u64, bool); 5] = [(0, false), (0x10, false), (0x20, false), (0x20, true), (0x1020, true)];

    fn mode(index: usize) -> &'static PagingMode {
        let (cr4, is_long) = MODES[index];
        PagingMode::of(1 << 31, cr4, is_long).unwrap()
    }

    /// The size of a table.
    const TABLE_BYTES: usize = 4096;

    /// Memory that repeats its bytes for ever, and counts what is read.
    struct Image {
        /// The bytes, and their first ones once more.
        bytes: Vec<u8>,
        reads: usize,
        blocks: HashMap<u64, usize>,
    }

    impl Image {
        fn new(bytes: &[u8]) -> Image {
            let bytes = bytes.iter().copied().cycle().take(bytes.len() + TABLE_BYTES).collect();
            Image { bytes, reads: 0, blocks: HashMap::new() }
        }

        /// Returns memory with entries of eight bytes, given by their address.
        fn with_entries(tables: usize, entries: &[(u64, u64)]) -> Image {
            let mut bytes = vec![0; tables * TABLE_BYTES];
            for (address, entry) in entries {
                let place = *address as usize;
                bytes[place..place + 8].copy_from_slice(&entry.to_le_bytes());
            }
            Image::new(&bytes)
        }
    }

    impl PhysicalMemory for Image {
        type Error = ();

        fn read(&mut self, blocks: &[(u64, u64)]) -> Result<Vec<Vec<u8>>, ()> {
            self.reads += 1;
            let period = (self.bytes.len() - TABLE_BYTES) as u64;
            let read = |&(address, length): &(u64, u64)| {
                *self.blocks.entry(address).or_default() += 1;
                let place = (address % period) as usize;
                self.bytes[place..place + length as usize].to_vec()
            };
            Ok(blocks.iter().map(read).collect())
        }
    }

    #[test]
    fn each_table_is_read_once_and_those_of_one_table_together() {
        // Three levels of one entry; the lowest table but one names 512 tables of 512 pages.
        let table = |index: u64| 0x1000 * index;
        let mut entries = vec![(table(0), table(1) | 3), (table(1), table(2) | 3)];
        for index in 0..512 {
            entries.push((table(2) + 8 * index, table(3 + index) | 3));
            entries.extend((0..512).map(|page| (table(3 + index) + 8 * page, (index * 512 + page) << 12 | 3)));
        }
        let mut memory = Image::with_entries(515, &entries);
        let mut next = 0;
        let end = walk(mode(3), 0, &mut memory, &mut |mapping| {
            assert_eq!((mapping.address, mapping.physical, mapping.bytes), (next, next, 4096));
            next += 4096;
            true
        });
        assert_eq!((end, next), (Ok(WalkEnd::Complete), 1 << 30));
        assert_eq!(memory.reads, 4);
        assert!(memory.blocks.values().all(|count| *count == 1));
    }

    #[test]
    fn tables_that_name_themselves_do_not_go_on_for_ever() {
        // All entries name the one table, which is at the same time a table of pages.
        let entries: Vec<(u64, u64)> = (0..512).map(|index| (8 * index, 3)).collect();
        let mut memory = Image::with_entries(1, &entries);
        let table = memory.bytes[..TABLE_BYTES].to_vec();
        let mut count = 0;
        let mut visit = |_| {
            count += 1;
            true
        };
        const LEFT: u64 = 1000;
        let mut almost_done = Walk { mode: mode(3), memory: &mut memory, visit: &mut visit, tables: MAX_TABLES - LEFT };
        let end = almost_done.table(mode(3).levels(), &table, 0, Rights::ALL);
        assert_eq!(end, Ok(WalkEnd::TooManyTables));
        assert!(count <= LEFT * 512);
        assert_eq!(walk(mode(3), 0, &mut memory, &mut |_| false), Ok(WalkEnd::Stopped));
    }

    #[test]
    fn a_server_that_returns_too_little_has_no_mappings() {
        struct Nothing;
        impl PhysicalMemory for Nothing {
            type Error = ();
            fn read(&mut self, _: &[(u64, u64)]) -> Result<Vec<Vec<u8>>, ()> {
                Ok(Vec::new())
            }
        }
        for index in 0..MODES.len() {
            assert_eq!(walk(mode(index), 0, &mut Nothing, &mut |_| true), Ok(WalkEnd::Complete));
            assert_eq!(translate(mode(index), 0, 0, &mut Nothing), Ok(None));
        }
    }

    proptest! {
        #[test]
        fn random_memory_has_rising_mappings_that_translate_back(
            bytes in vec(any::<u8>(), 64..3000),
            cr3 in any::<u64>(),
            index in 0..MODES.len(),
            offset in any::<u64>(),
        ) {
            let mode = mode(index);
            let mut memory = Image::new(&bytes);
            let mut mappings = Vec::new();
            let end = walk(mode, cr3, &mut memory, &mut |mapping| {
                mappings.push(mapping);
                mappings.len() < 200
            });
            prop_assert!(end.is_ok());
            for two in mappings.windows(2) {
                prop_assert!(two[0].address + two[0].bytes <= two[1].address);
            }
            for mapping in mappings.iter().step_by(20) {
                let offset = offset % mapping.bytes;
                let found = translate(mode, cr3, mapping.address + offset, &mut memory);
                prop_assert_eq!(found, Ok(Some(mapping.physical + offset)));
            }
        }
    }
}
