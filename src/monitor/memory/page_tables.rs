//! Page tables of x86 processors: the forms that they have, and the meaning of their entries.

/// Bits of an entry.
const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
pub(crate) const LARGE_PAGE: u64 = 1 << 7;

/// The bits of an address in an entry of eight bytes, and in one of four.
const WIDE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const NARROW_ADDRESS: u64 = 0xffff_f000;

/// Bits of control registers.
const CR0_PAGING: u64 = 1 << 31;
const CR4_LARGE_PAGES: u64 = 1 << 4;
const CR4_WIDE_ENTRIES: u64 = 1 << 5;
const CR4_FIVE_LEVELS: u64 = 1 << 12;

/// One level of a form of page tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// The lowest bit of the virtual address that this level translates.
    shift: u32,
    /// The number of bits of the virtual address that it translates.
    index_bits: u32,
    /// Whether an entry may map a page instead of naming a table, if it has the bit for it.
    may_map: bool,
    /// Whether entries restrict writing and user access.
    has_rights: bool,
}

const fn level(shift: u32, index_bits: u32, may_map: bool, has_rights: bool) -> Level {
    Level { shift, index_bits, may_map, has_rights }
}

/// A form of page tables: its levels from the root down.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PagingMode {
    levels: &'static [Level],
    entry_bytes: u64,
    /// The bits of CR3 that hold the address of the root table.
    root_mask: u64,
}

const FIVE_LEVELS: PagingMode = PagingMode {
    levels: &[
        level(48, 9, false, true),
        level(39, 9, false, true),
        level(30, 9, true, true),
        level(21, 9, true, true),
        level(12, 9, false, true),
    ],
    entry_bytes: 8,
    root_mask: WIDE_ADDRESS,
};

const FOUR_LEVELS: PagingMode = PagingMode {
    levels: &[level(39, 9, false, true), level(30, 9, true, true), level(21, 9, true, true), level(12, 9, false, true)],
    entry_bytes: 8,
    root_mask: WIDE_ADDRESS,
};

/// Physical address extension: 32-bit addresses, entries of eight bytes, and a root table of four entries.
const EXTENDED: PagingMode = PagingMode {
    levels: &[level(30, 2, false, false), level(21, 9, true, true), level(12, 9, false, true)],
    entry_bytes: 8,
    root_mask: 0xffff_ffe0,
};

const TWO_LEVELS: PagingMode = PagingMode {
    levels: &[level(22, 10, true, true), level(12, 10, false, true)],
    entry_bytes: 4,
    root_mask: NARROW_ADDRESS,
};

const TWO_LEVELS_OF_SMALL_PAGES: PagingMode = PagingMode {
    levels: &[level(22, 10, false, true), level(12, 10, false, true)],
    entry_bytes: 4,
    root_mask: NARROW_ADDRESS,
};

impl PagingMode {
    /// Returns the form that a processor uses with these control registers; `None` if it does not translate addresses.
    pub(crate) fn of(cr0: u64, cr4: u64, is_long: bool) -> Option<&'static PagingMode> {
        let has = |bit| cr4 & bit != 0;
        Some(match is_long {
            _ if cr0 & CR0_PAGING == 0 => return None,
            true if has(CR4_FIVE_LEVELS) => &FIVE_LEVELS,
            true => &FOUR_LEVELS,
            false if has(CR4_WIDE_ENTRIES) => &EXTENDED,
            false if has(CR4_LARGE_PAGES) => &TWO_LEVELS,
            false => &TWO_LEVELS_OF_SMALL_PAGES,
        })
    }

    pub(crate) fn levels(&self) -> &'static [Level] {
        self.levels
    }

    /// Returns the physical address of the root table.
    pub(crate) fn root(&self, cr3: u64) -> u64 {
        cr3 & self.root_mask
    }

    /// Returns the number of bits of a virtual address.
    pub(crate) fn address_bits(&self) -> u32 {
        self.levels[0].shift + self.levels[0].index_bits
    }

    /// Returns whether virtual addresses have the width of 64 bits, with copies of their highest bit in front.
    pub(crate) fn is_wide(&self) -> bool {
        self.address_bits() > 32
    }

    /// Returns a virtual address as a processor writes it: its highest bit is repeated up to bit 63.
    pub(crate) fn canonical(&self, address: u64) -> u64 {
        let bits = self.address_bits();
        if self.is_wide() && address >> (bits - 1) & 1 == 1 { address | u64::MAX << bits } else { address }
    }

    /// Returns whether the bits of a virtual address that are not translated repeat its highest bit.
    pub(crate) fn is_canonical(&self, address: u64) -> bool {
        !self.is_wide() || self.canonical(address & !(u64::MAX << self.address_bits())) == address
    }

    /// Returns the size of a table of one level, in bytes.
    pub(crate) fn table_bytes(&self, level: Level) -> u64 {
        self.entry_bytes << level.index_bits
    }

    /// Returns the place of the entry for a virtual address in a table, in bytes.
    pub(crate) fn entry_offset(&self, level: Level, address: u64) -> u64 {
        ((address >> level.shift) & ((1 << level.index_bits) - 1)) * self.entry_bytes
    }

    pub(crate) fn entry_bytes(&self) -> u64 {
        self.entry_bytes
    }

    /// Returns the entries of a table, or of a part of one. Bytes that do not make a whole entry are left out.
    pub(crate) fn entries<'a>(&self, table: &'a [u8]) -> impl Iterator<Item = u64> + use<'a> {
        table.chunks_exact(self.entry_bytes as usize).map(little_endian)
    }

    /// Returns what an entry of one level says.
    pub(crate) fn decode(&self, level: Level, raw: u64) -> Entry {
        let is_wide = self.entry_bytes == 8;
        let frame = raw & if is_wide { WIDE_ADDRESS } else { NARROW_ADDRESS };
        if raw & PRESENT == 0 {
            return Entry::Absent;
        }
        let is_last = level.shift == 12;
        let is_page = is_last || (level.may_map && raw & LARGE_PAGE != 0);
        if !is_page {
            return Entry::Table { address: frame, rights: level.rights(raw) };
        }
        let offset_mask = level.page_bytes() - 1;
        let mut physical = frame & !offset_mask;
        if !is_last && !is_wide {
            // A page of 4 MiB keeps bits 32 to 39 of its address in bits 13 to 20.
            physical |= ((raw >> 13) & 0xff) << 32;
        }
        Entry::Page { physical, rights: level.rights(raw) }
    }
}

impl Level {
    /// Returns the bytes that one entry covers.
    pub(crate) fn page_bytes(self) -> u64 {
        1 << self.shift
    }

    fn rights(self, raw: u64) -> Rights {
        match self.has_rights {
            true => Rights { writable: raw & WRITABLE != 0, user: raw & USER != 0 },
            false => Rights::ALL,
        }
    }
}

/// An entry of a page table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Absent,
    Table { address: u64, rights: Rights },
    Page { physical: u64, rights: Rights },
}

/// The accesses that an entry allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) writable: bool,
    pub(crate) user: bool,
}

impl Rights {
    pub(crate) const ALL: Rights = Rights { writable: true, user: true };

    /// Returns what both allow.
    pub(crate) fn and(self, other: Rights) -> Rights {
        Rights { writable: self.writable && other.writable, user: self.user && other.user }
    }
}

/// Returns a number of up to eight bytes.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}
