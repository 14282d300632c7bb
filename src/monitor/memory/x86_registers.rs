//! The registers of x86 processors, from the notes that QEMU adds to a core.

use super::elf_core::{Bytes, ElfCore};
use super::page_tables::PagingMode;

/// The `e_machine` of a core whose first CPU is in long mode, and of others.
const EM_X86_64: u16 = 62;
const EM_386: u16 = 3;

/// The owner of QEMU's own notes.
const NOTE_OWNER: &[u8] = b"QEMU";

/// Bits of control registers and of a segment's flags.
const CR0_PROTECTED: u64 = 1;
const CR0_PAGING: u64 = 1 << 31;
const CR4_WIDE_ENTRIES: u64 = 1 << 5;
const SEGMENT_IS_LONG: u32 = 1 << 21;

/// The registers of one CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct X86Registers {
    /// RAX, RBX, RCX, RDX, RSI, RDI, RSP, RBP, R8 to R15, in the order of the note.
    pub(crate) general: [u64; 16],
    pub(crate) rip: u64,
    pub(crate) rflags: u64,
    pub(crate) segments: Segments,
    /// CR0 to CR4.
    pub(crate) control: [u64; 5],
    /// Whether CPUs of this machine are in long mode.
    is_long_machine: bool,
}

/// The segment and table registers of one CPU, in the order of the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segments {
    pub(crate) cs: Segment,
    pub(crate) ds: Segment,
    pub(crate) es: Segment,
    pub(crate) fs: Segment,
    pub(crate) gs: Segment,
    pub(crate) ss: Segment,
    pub(crate) ldt: Segment,
    pub(crate) tr: Segment,
    pub(crate) gdt: Segment,
    pub(crate) idt: Segment,
}

/// A segment register with what the processor keeps of its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) selector: u32,
    pub(crate) limit: u32,
    /// The second word of the descriptor, without the bits of base and limit.
    pub(crate) flags: u32,
    pub(crate) base: u64,
}

/// Returns the registers of all CPUs of a core, in order.
pub(crate) fn x86_registers(core: &ElfCore<'_>) -> Vec<X86Registers> {
    let is_long_machine = core.machine == EM_X86_64;
    let notes = core.notes().filter(|note| note.owner == NOTE_OWNER);
    notes.filter_map(|note| X86Registers::parse(note.data, is_long_machine)).collect()
}

impl X86Registers {
    /// Returns whether a core is of an x86 machine.
    pub(crate) fn are_in(core: &ElfCore<'_>) -> bool {
        [EM_X86_64, EM_386].contains(&core.machine)
    }

    /// Reads a note: its version and its size, in four bytes each; 18 registers of eight bytes; ten segments; CR0 to CR4.
    fn parse(note: Bytes<'_>, is_long_machine: bool) -> Option<X86Registers> {
        const VERSION: u64 = 1;
        if note.number(0, 4)? != VERSION {
            return None;
        }
        let mut place = 8;
        let mut next = |width: usize| {
            let value = note.number(place, width);
            place += width;
            value
        };
        let mut general = [0; 16];
        for register in &mut general {
            *register = next(8)?;
        }
        let (rip, rflags) = (next(8)?, next(8)?);
        let mut segment = || {
            let [selector, limit, flags, _padding] = [next(4)?, next(4)?, next(4)?, next(4)?].map(|value| value as u32);
            Some(Segment { selector, limit, flags, base: next(8)? })
        };
        let segments = Segments {
            cs: segment()?,
            ds: segment()?,
            es: segment()?,
            fs: segment()?,
            gs: segment()?,
            ss: segment()?,
            ldt: segment()?,
            tr: segment()?,
            gdt: segment()?,
            idt: segment()?,
        };
        let mut control = [0; 5];
        for register in &mut control {
            *register = next(8)?;
        }
        Some(X86Registers { general, rip, rflags, segments, control, is_long_machine })
    }

    pub(crate) fn is_protected(&self) -> bool {
        self.control[0] & CR0_PROTECTED != 0
    }

    /// Returns whether the CPU is in long mode. EFER, which has the bit for it, is not in the note; a CPU that has not
    /// reached the state of the others has no paging yet.
    pub(crate) fn is_long(&self) -> bool {
        self.is_long_machine && self.control[0] & CR0_PAGING != 0 && self.control[4] & CR4_WIDE_ENTRIES != 0
    }

    /// Returns whether the CPU executes 64-bit code.
    pub(crate) fn executes_64_bit(&self) -> bool {
        self.is_long() && self.segments.cs.flags & SEGMENT_IS_LONG != 0
    }

    /// Returns the privilege level at which the CPU executes.
    pub(crate) fn privilege_level(&self) -> u32 {
        if self.is_protected() { self.segments.ss.privilege_level() } else { 0 }
    }

    /// Returns the form of the page tables; `None` if addresses are not translated.
    pub(crate) fn paging_mode(&self) -> Option<&'static PagingMode> {
        PagingMode::of(self.control[0], self.control[4], self.is_long())
    }

    pub(crate) fn cr3(&self) -> u64 {
        self.control[3]
    }

    /// Returns the register with one of the names that QEMU's own monitor has in expressions.
    pub(crate) fn named(&self, name: &str) -> Option<i64> {
        let (_, value) = REGISTER_NAMES.iter().find(|(known, _)| *known == name)?;
        Some(value(self))
    }
}

/// A function that returns the value of a register.
type RegisterValue = fn(&X86Registers) -> i64;

/// The registers in expressions. The limit of a segment has the sign of 32 bits, as in QEMU's own monitor.
const REGISTER_NAMES: [(&str, RegisterValue); 39] = [
    ("eax", |cpu| cpu.general[0] as i64),
    ("ebx", |cpu| cpu.general[1] as i64),
    ("ecx", |cpu| cpu.general[2] as i64),
    ("edx", |cpu| cpu.general[3] as i64),
    ("esi", |cpu| cpu.general[4] as i64),
    ("edi", |cpu| cpu.general[5] as i64),
    ("esp", |cpu| cpu.general[6] as i64),
    ("ebp", |cpu| cpu.general[7] as i64),
    ("r8", |cpu| cpu.general[8] as i64),
    ("r9", |cpu| cpu.general[9] as i64),
    ("r10", |cpu| cpu.general[10] as i64),
    ("r11", |cpu| cpu.general[11] as i64),
    ("r12", |cpu| cpu.general[12] as i64),
    ("r13", |cpu| cpu.general[13] as i64),
    ("r14", |cpu| cpu.general[14] as i64),
    ("r15", |cpu| cpu.general[15] as i64),
    ("sp", |cpu| cpu.general[6] as i64),
    ("fp", |cpu| cpu.general[7] as i64),
    ("eip", |cpu| cpu.rip as i64),
    ("pc", |cpu| cpu.segments.cs.base.wrapping_add(cpu.rip) as i64),
    ("eflags", |cpu| cpu.rflags as i64),
    ("cs", |cpu| cpu.segments.cs.selector.into()),
    ("cs.base", |cpu| cpu.segments.cs.base as i64),
    ("cs.limit", |cpu| (cpu.segments.cs.limit as i32).into()),
    ("ds", |cpu| cpu.segments.ds.selector.into()),
    ("ds.base", |cpu| cpu.segments.ds.base as i64),
    ("ds.limit", |cpu| (cpu.segments.ds.limit as i32).into()),
    ("es", |cpu| cpu.segments.es.selector.into()),
    ("es.base", |cpu| cpu.segments.es.base as i64),
    ("es.limit", |cpu| (cpu.segments.es.limit as i32).into()),
    ("fs", |cpu| cpu.segments.fs.selector.into()),
    ("fs.base", |cpu| cpu.segments.fs.base as i64),
    ("fs.limit", |cpu| (cpu.segments.fs.limit as i32).into()),
    ("gs", |cpu| cpu.segments.gs.selector.into()),
    ("gs.base", |cpu| cpu.segments.gs.base as i64),
    ("gs.limit", |cpu| (cpu.segments.gs.limit as i32).into()),
    ("ss", |cpu| cpu.segments.ss.selector.into()),
    ("ss.base", |cpu| cpu.segments.ss.base as i64),
    ("ss.limit", |cpu| (cpu.segments.ss.limit as i32).into()),
];

/// Returns whether a register has this name in expressions.
pub(crate) fn is_register_name(name: &str) -> bool {
    REGISTER_NAMES.iter().any(|(known, _)| *known == name)
}

impl Segment {
    pub(crate) fn privilege_level(&self) -> u32 {
        self.flags >> 13 & 3
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::elf_core::tests::TestCore;
    use super::*;

    /// Returns a core of CPUs whose registers have the values 0x100, 0x101, … in the order of the note, but for those
    /// that the caller sets.
    fn core(machine: u16, cpus: usize, set: &[(usize, u64)]) -> Vec<u8> {
        const SEGMENTS: usize = 18;
        const CONTROL: usize = SEGMENTS + 10 * 4;
        let core = TestCore { machine, word_bytes: 8, is_big_endian: false };
        let mut note = [core.number(1, 4), core.number(440, 4)].concat();
        for index in 0..CONTROL + 10 + 6 {
            let value = set.iter().find(|(place, _)| *place == index).map_or(0x100 + index as u64, |(_, value)| *value);
            let is_small = (SEGMENTS..SEGMENTS + 50).contains(&index) && (index - SEGMENTS) % 5 != 4;
            note.extend(core.number(value, if is_small { 4 } else { 8 }));
        }
        assert_eq!(note.len(), 440);
        core.file(&vec![("QEMU", 0, note); cpus])
    }

    /// The places of CS's flags, CR0 and CR4.
    const CS_FLAGS: usize = 20;
    const CR0: usize = 68;
    const CR4: usize = 72;

    #[test]
    fn registers_are_read_from_the_notes_of_all_cpus() {
        let file = core(62, 2, &[]);
        let all = x86_registers(&ElfCore::parse(&file).unwrap());
        assert_eq!(all.len(), 2);
        let names = ["eax", "r15", "eip", "eflags", "cs", "cs.limit", "cs.base", "ss.base", "sp", "pc"];
        let values = names.map(|name| all[1].named(name));
        let expected = [0x100, 0x10f, 0x110, 0x111, 0x112, 0x113, 0x116, 0x12f, 0x106, 0x116 + 0x110];
        assert_eq!(values, expected.map(Some));
        assert_eq!(all[0].segments.idt.base, 0x143);
        assert_eq!(all[0].control, [0x144, 0x145, 0x146, 0x147, 0x148]);
        assert_eq!(all[0].named("rax"), None);
    }

    #[test]
    fn the_mode_follows_from_control_registers_and_the_kind_of_core() {
        let paged = [(CR0, CR0_PAGING | CR0_PROTECTED), (CR4, CR4_WIDE_ENTRIES)];
        let long_code = [paged[0], paged[1], (CS_FLAGS, SEGMENT_IS_LONG.into())];
        let unpaged = [(CR0, CR0_PROTECTED), (CR4, CR4_WIDE_ENTRIES)];
        for (machine, set, expected) in [
            (EM_X86_64, &paged[..], (true, false, Some(48))),
            (EM_X86_64, &long_code, (true, true, Some(48))),
            (EM_X86_64, &unpaged, (false, false, None)),
            (EM_386, &paged, (false, false, Some(32))),
        ] {
            let file = core(machine, 1, &[set, &[(CS_FLAGS, 0)]].concat());
            let cpu = &x86_registers(&ElfCore::parse(&file).unwrap())[0];
            let bits = cpu.paging_mode().map(PagingMode::address_bits);
            assert_eq!((cpu.is_long(), cpu.executes_64_bit(), bits), expected, "{machine} {set:?}");
        }
    }

    #[test]
    fn notes_of_another_version_or_length_are_left_out() {
        let other = TestCore { machine: 62, word_bytes: 8, is_big_endian: false };
        let file = other.file(&[("QEMU", 0, other.number(2, 4)), ("QEMU", 0, other.number(1, 4))]);
        assert_eq!(x86_registers(&ElfCore::parse(&file).unwrap()), []);
    }
}
