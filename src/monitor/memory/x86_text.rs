//! The registers of x86 processors as `info registers` shows them.

use std::fmt::Write;

use super::x86_registers::{Segment, X86Registers};

/// The names of the general registers after their first letter, and their places in the note, in the order of the text.
const GENERAL: [(&str, usize); 16] = [
    ("AX", 0),
    ("BX", 1),
    ("CX", 2),
    ("DX", 3),
    ("SI", 4),
    ("DI", 5),
    ("BP", 7),
    ("SP", 6),
    ("8 ", 8),
    ("9 ", 9),
    ("10", 10),
    ("11", 11),
    ("12", 12),
    ("13", 13),
    ("14", 14),
    ("15", 15),
];

/// The bits of RFLAGS with a letter, from left to right: direction, overflow, sign, zero, adjust, parity, carry.
const FLAGS: [(u32, char); 7] = [(10, 'D'), (11, 'O'), (7, 'S'), (6, 'Z'), (4, 'A'), (2, 'P'), (0, 'C')];

/// The types of system segments, in 32-bit and in 64-bit mode.
const SYSTEM_TYPES: [[&str; 16]; 2] = [
    [
        "Reserved",
        "TSS16-avl",
        "LDT",
        "TSS16-busy",
        "CallGate16",
        "TaskGate",
        "IntGate16",
        "TrapGate16",
        "Reserved",
        "TSS32-avl",
        "Reserved",
        "TSS32-busy",
        "CallGate32",
        "Reserved",
        "IntGate32",
        "TrapGate32",
    ],
    [
        "<hiword>",
        "Reserved",
        "LDT",
        "Reserved",
        "Reserved",
        "Reserved",
        "Reserved",
        "Reserved",
        "Reserved",
        "TSS64-avl",
        "Reserved",
        "TSS64-busy",
        "CallGate64",
        "Reserved",
        "IntGate64",
        "TrapGate64",
    ],
];

/// Bits of a segment's flags.
const SEGMENT_PRESENT: u32 = 1 << 15;
const SEGMENT_IS_32_BIT: u32 = 1 << 22;
const SEGMENT_IS_LONG: u32 = 1 << 21;
const SEGMENT_IS_MEMORY: u32 = 1 << 12;
const SEGMENT_IS_CODE: u32 = 1 << 11;

/// Returns the registers of a CPU, as far as they are known.
pub(crate) fn registers_text(registers: &X86Registers) -> String {
    let mut text = String::new();
    write_general(&mut text, registers);
    let segments = &registers.segments;
    let memory = [
        ("ES", segments.es),
        ("CS", segments.cs),
        ("SS", segments.ss),
        ("DS", segments.ds),
        ("FS", segments.fs),
        ("GS", segments.gs),
        ("LDT", segments.ldt),
        ("TR", segments.tr),
    ];
    memory.iter().for_each(|(name, segment)| write_segment(&mut text, registers, name, segment));
    // The width of tables and addresses is that of the mode, also while the CPU executes 32-bit code.
    let width = if registers.is_long() { 16 } else { 8 };
    for (name, table) in [("GDT", segments.gdt), ("IDT", segments.idt)] {
        let _ = writeln!(text, "{name}=     {:0width$x} {:08x}", table.base, table.limit);
    }
    let [cr0, _, cr2, cr3, cr4] = registers.control;
    let _ = writeln!(text, "CR0={:08x} CR2={cr2:0width$x} CR3={cr3:0width$x} CR4={:08x}", cr0 as u32, cr4 as u32);
    text
}

fn write_general(text: &mut String, registers: &X86Registers) {
    let is_64_bit = registers.executes_64_bit();
    let (letter, count, width) = if is_64_bit { ('R', 16, 16) } else { ('E', 8, 8) };
    for (index, (name, place)) in GENERAL[..count].iter().enumerate() {
        let value = shown(registers.general[*place], is_64_bit);
        let separator = if index % 4 == 3 { '\n' } else { ' ' };
        let _ = write!(text, "{letter}{name}={value:0width$x}{separator}");
    }
    let flags = FLAGS.map(|(bit, letter)| if registers.rflags >> bit & 1 == 1 { letter } else { '-' });
    let flags: String = flags.into_iter().collect();
    let (rip, rflags) = (shown(registers.rip, is_64_bit), registers.rflags as u32);
    let level = registers.privilege_level();
    let _ = writeln!(text, "{letter}IP={rip:0width$x} {letter}FL={rflags:08x} [{flags}] CPL={level}");
}

/// Returns a register as code of the CPU's mode sees it.
fn shown(value: u64, is_64_bit: bool) -> u64 {
    if is_64_bit { value } else { value & u64::from(u32::MAX) }
}

fn write_segment(text: &mut String, registers: &X86Registers, name: &str, segment: &Segment) {
    let is_64_bit = registers.executes_64_bit();
    let (base, width) = (shown(segment.base, is_64_bit), if is_64_bit { 16 } else { 8 });
    let Segment { selector, limit, flags, .. } = segment;
    let _ = write!(text, "{name:<3}={selector:04x} {base:0width$x} {limit:08x} {flags:08x}");
    if registers.is_protected() && flags & SEGMENT_PRESENT != 0 {
        let _ = write!(text, " DPL={} {}", segment.privilege_level(), segment_type(*flags, registers.is_long()));
    }
    text.push('\n');
}

/// Returns the type of a segment: of code, of data, or of the system.
fn segment_type(flags: u32, is_long: bool) -> String {
    let has = |bit| flags & bit != 0;
    let letter = |bit: u32, letter| if flags >> bit & 1 == 1 { letter } else { '-' };
    if !has(SEGMENT_IS_MEMORY) {
        return SYSTEM_TYPES[usize::from(is_long)][(flags >> 8 & 15) as usize].to_owned();
    }
    let (name, letters) = match has(SEGMENT_IS_CODE) {
        true if has(SEGMENT_IS_LONG) => ("CS64", ['C', 'R', 'A']),
        true if has(SEGMENT_IS_32_BIT) => ("CS32", ['C', 'R', 'A']),
        true => ("CS16", ['C', 'R', 'A']),
        false if has(SEGMENT_IS_32_BIT) || is_long => ("DS  ", ['E', 'W', 'A']),
        false => ("DS16", ['E', 'W', 'A']),
    };
    let [direction, access, accessed] = letters;
    format!("{name} [{}{}{}]", letter(10, direction), letter(9, access), letter(8, accessed))
}
