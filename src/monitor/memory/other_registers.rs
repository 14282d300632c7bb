//! The general registers of other processors than x86, from the standard notes of a core, as `info registers` shows them.

use std::fmt::Write;

use super::elf_core::{Bytes, ElfCore};

/// The type of the note with the general registers, and that of s390x's control registers.
const NT_PRSTATUS: u64 = 1;
const NT_S390_CTRS: u64 = 0x304;

/// The general registers of one CPU: words of the processor's width.
struct GeneralRegisters<'a> {
    note: Bytes<'a>,
    word_bytes: usize,
    /// The place of the first register, in bytes. Before it are the members of Linux's `elf_prstatus`.
    first: usize,
}

impl GeneralRegisters<'_> {
    /// Returns the register at an index, or 0 if the note is too short.
    fn word(&self, index: usize) -> u64 {
        self.note.number(self.first + index * self.word_bytes, self.word_bytes).unwrap_or_default()
    }

    /// Returns the digits of a register.
    fn hex(&self, index: usize) -> String {
        format!("{:0width$x}", self.word(index), width = 2 * self.word_bytes)
    }
}

/// A function that shows the registers of a CPU, by its index.
type Show = fn(&GeneralRegisters<'_>, usize) -> String;

/// The processors: their `e_machine`, the place of the first register in a core of 64 and of 32 bits, and the text.
const PROCESSORS: [(u16, [usize; 2], Show); 6] = [
    (20, [112, 112], powerpc),
    (21, [112, 112], powerpc),
    (22, [112, 72], s390x),
    (40, [112, 72], arm),
    (183, [112, 72], aarch64),
    (243, [112, 72], risc_v),
];

/// Returns the registers of all CPUs, in order. `None` if the processor is not known.
pub(crate) fn registers_texts(core: &ElfCore<'_>) -> Option<Vec<String>> {
    let (_, [wide, narrow], show) = PROCESSORS.iter().find(|(machine, ..)| *machine == core.machine)?;
    let (word_bytes, first) = if core.is_64_bit() { (8, *wide) } else { (4, *narrow) };
    let mut texts: Vec<String> = Vec::new();
    for note in core.notes() {
        match note.kind {
            NT_PRSTATUS => texts.push(show(&GeneralRegisters { note: note.data, word_bytes, first }, texts.len())),
            NT_S390_CTRS => {
                let control = GeneralRegisters { note: note.data, word_bytes, first: 0 };
                texts.last_mut().into_iter().for_each(|text| write_rows(text, &control, "C", 0));
            }
            _ => {}
        }
    }
    Some(texts)
}

/// Writes sixteen registers, four in a row.
fn write_rows(text: &mut String, registers: &GeneralRegisters<'_>, name: &str, first: usize) {
    for index in 0..16 {
        let separator = if index % 4 == 3 { '\n' } else { ' ' };
        let _ = write!(text, "{name}{index:02}={}{separator}", registers.hex(first + index));
    }
}

/// Returns the condition flags in the highest bits of a status word: negative, zero, carry, overflow.
fn arm_flags(status: u64) -> String {
    let flags = [(31, 'N'), (30, 'Z'), (29, 'C'), (28, 'V')];
    flags.map(|(bit, letter)| if status >> bit & 1 == 1 { letter } else { '-' }).iter().collect()
}

fn aarch64(registers: &GeneralRegisters<'_>, _: usize) -> String {
    const SP: usize = 31;
    const PC: usize = 32;
    const PSTATE: usize = 33;
    let mut text = format!(" PC={} ", registers.hex(PC));
    for index in 0..SP {
        let separator = if index % 3 == 1 { '\n' } else { ' ' };
        let _ = write!(text, "X{index:02}={}{separator}", registers.hex(index));
    }
    let status = registers.word(PSTATE);
    let stack = if status & 1 == 1 { 'h' } else { 't' };
    let _ = writeln!(text, " SP={}", registers.hex(SP));
    let _ = writeln!(text, "PSTATE={status:08x} {} EL{}{stack}", arm_flags(status), status >> 2 & 3);
    text
}

fn arm(registers: &GeneralRegisters<'_>, _: usize) -> String {
    const CPSR: usize = 16;
    const MODES: [(u64, &str); 9] = [
        (0x10, "usr"),
        (0x11, "fiq"),
        (0x12, "irq"),
        (0x13, "svc"),
        (0x16, "mon"),
        (0x17, "abt"),
        (0x1a, "hyp"),
        (0x1b, "und"),
        (0x1f, "sys"),
    ];
    let mut text = String::new();
    write_rows(&mut text, registers, "R", 0);
    let status = registers.word(CPSR);
    let instructions = if status & 0x20 != 0 { 'T' } else { 'A' };
    let mode = MODES.iter().find(|(mode, _)| *mode == status & 0x1f).map_or("???", |(_, name)| name);
    let _ = writeln!(text, "PSR={status:08x} {} {instructions} {mode}32", arm_flags(status));
    text
}

fn powerpc(registers: &GeneralRegisters<'_>, cpu: usize) -> String {
    let [nip, msr, ctr, lr, xer, cr] = [32, 33, 35, 36, 37, 38].map(|index| registers.hex(index));
    let mut text = format!("NIP {nip}   LR {lr} CTR {ctr} XER {xer} CPU#{cpu}\nMSR {msr}\n");
    for index in 0..32 {
        if index % 4 == 0 {
            let _ = write!(text, "GPR{index:02}");
        }
        // General registers have the width of 64 bits in the text, whatever theirs is.
        let separator = if index % 4 == 3 { "\n" } else { "" };
        let _ = write!(text, " {:016x}{separator}", registers.word(index));
    }
    let condition = registers.word(38) as u32;
    let fields = (0..8).rev().map(|field| condition >> (4 * field) & 15);
    let fields: String = fields
        .map(|field| {
            let relation = match field {
                8.. => 'L',
                4.. => 'G',
                2.. => 'E',
                _ => '-',
            };
            format!(" {relation}{}", if field & 1 == 1 { 'O' } else { ' ' })
        })
        .collect();
    let _ = writeln!(text, "CR {}  [{fields} ]", &cr[cr.len() - 8..]);
    text
}

fn s390x(registers: &GeneralRegisters<'_>, _: usize) -> String {
    let mask = registers.word(0);
    let mut text = format!("PSW=mask {mask:016x} addr {} cc {:02x}\n", registers.hex(1), mask >> 44 & 3);
    write_rows(&mut text, registers, "R", 2);
    text
}

fn risc_v(registers: &GeneralRegisters<'_>, _: usize) -> String {
    const NAMES: [&str; 32] = [
        "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
        "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    ];
    let mut text = format!(" pc       {}\n", registers.hex(0));
    for (index, name) in NAMES.iter().enumerate() {
        // The note has the program counter in the place of x0, which is always 0.
        let value = if index == 0 { "0".repeat(2 * registers.word_bytes) } else { registers.hex(index) };
        let separator = if index % 4 == 3 { "\n" } else { "" };
        let _ = write!(text, " {:<8} {value}{separator}", format!("x{index}/{name}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::elf_core::tests::TestCore;
    use super::*;

    /// Checks the text for a CPU whose registers have the values 0x100, 0x101, … in the order of the note.
    #[track_caller]
    fn check(machine: u16, word_bytes: usize, is_big_endian: bool, first: usize, expected: &Expect) {
        let core = TestCore { machine, word_bytes, is_big_endian };
        let registers = (0..60).flat_map(|index| core.number(0x100 + index, word_bytes));
        let note: Vec<u8> = std::iter::repeat_n(0, first).chain(registers).collect();
        let control = (0..16).flat_map(|index| core.number(0xc00 + index, 8)).collect();
        let notes = [("CORE", NT_PRSTATUS, note), ("CORE", 2, vec![0xff; 16]), ("LINUX", NT_S390_CTRS, control)];
        let file = core.file(if machine == 22 { &notes } else { &notes[..2] });
        let texts = registers_texts(&ElfCore::parse(&file).unwrap()).unwrap();
        assert_eq!(texts.len(), 1);
        // A line without a blank at its start keeps the blanks of the others.
        expected.assert_eq(&format!("CPU#0\n{}", texts[0]));
    }

    #[test]
    fn shows_registers_of_aarch64() {
        check(
            183,
            8,
            false,
            112,
            &expect![[r#"
                CPU#0
                 PC=0000000000000120 X00=0000000000000100 X01=0000000000000101
                X02=0000000000000102 X03=0000000000000103 X04=0000000000000104
                X05=0000000000000105 X06=0000000000000106 X07=0000000000000107
                X08=0000000000000108 X09=0000000000000109 X10=000000000000010a
                X11=000000000000010b X12=000000000000010c X13=000000000000010d
                X14=000000000000010e X15=000000000000010f X16=0000000000000110
                X17=0000000000000111 X18=0000000000000112 X19=0000000000000113
                X20=0000000000000114 X21=0000000000000115 X22=0000000000000116
                X23=0000000000000117 X24=0000000000000118 X25=0000000000000119
                X26=000000000000011a X27=000000000000011b X28=000000000000011c
                X29=000000000000011d X30=000000000000011e  SP=000000000000011f
                PSTATE=00000121 ---- EL0h
            "#]],
        );
    }

    #[test]
    fn shows_registers_of_arm() {
        check(
            40,
            4,
            false,
            72,
            &expect![[r#"
                CPU#0
                R00=00000100 R01=00000101 R02=00000102 R03=00000103
                R04=00000104 R05=00000105 R06=00000106 R07=00000107
                R08=00000108 R09=00000109 R10=0000010a R11=0000010b
                R12=0000010c R13=0000010d R14=0000010e R15=0000010f
                PSR=00000110 ---- A usr32
            "#]],
        );
    }

    #[test]
    fn shows_registers_of_powerpc() {
        check(
            21,
            8,
            true,
            112,
            &expect![[r#"
                CPU#0
                NIP 0000000000000120   LR 0000000000000124 CTR 0000000000000123 XER 0000000000000125 CPU#0
                MSR 0000000000000121
                GPR00 0000000000000100 0000000000000101 0000000000000102 0000000000000103
                GPR04 0000000000000104 0000000000000105 0000000000000106 0000000000000107
                GPR08 0000000000000108 0000000000000109 000000000000010a 000000000000010b
                GPR12 000000000000010c 000000000000010d 000000000000010e 000000000000010f
                GPR16 0000000000000110 0000000000000111 0000000000000112 0000000000000113
                GPR20 0000000000000114 0000000000000115 0000000000000116 0000000000000117
                GPR24 0000000000000118 0000000000000119 000000000000011a 000000000000011b
                GPR28 000000000000011c 000000000000011d 000000000000011e 000000000000011f
                CR 00000126  [ -  -  -  -  -  -O E  G  ]
            "#]],
        );
        check(
            20,
            4,
            true,
            112,
            &expect![[r#"
                CPU#0
                NIP 00000120   LR 00000124 CTR 00000123 XER 00000125 CPU#0
                MSR 00000121
                GPR00 0000000000000100 0000000000000101 0000000000000102 0000000000000103
                GPR04 0000000000000104 0000000000000105 0000000000000106 0000000000000107
                GPR08 0000000000000108 0000000000000109 000000000000010a 000000000000010b
                GPR12 000000000000010c 000000000000010d 000000000000010e 000000000000010f
                GPR16 0000000000000110 0000000000000111 0000000000000112 0000000000000113
                GPR20 0000000000000114 0000000000000115 0000000000000116 0000000000000117
                GPR24 0000000000000118 0000000000000119 000000000000011a 000000000000011b
                GPR28 000000000000011c 000000000000011d 000000000000011e 000000000000011f
                CR 00000126  [ -  -  -  -  -  -O E  G  ]
            "#]],
        );
    }

    #[test]
    fn shows_registers_of_s390x() {
        check(
            22,
            8,
            true,
            112,
            &expect![[r#"
                CPU#0
                PSW=mask 0000000000000100 addr 0000000000000101 cc 00
                R00=0000000000000102 R01=0000000000000103 R02=0000000000000104 R03=0000000000000105
                R04=0000000000000106 R05=0000000000000107 R06=0000000000000108 R07=0000000000000109
                R08=000000000000010a R09=000000000000010b R10=000000000000010c R11=000000000000010d
                R12=000000000000010e R13=000000000000010f R14=0000000000000110 R15=0000000000000111
                C00=0000000000000c00 C01=0000000000000c01 C02=0000000000000c02 C03=0000000000000c03
                C04=0000000000000c04 C05=0000000000000c05 C06=0000000000000c06 C07=0000000000000c07
                C08=0000000000000c08 C09=0000000000000c09 C10=0000000000000c0a C11=0000000000000c0b
                C12=0000000000000c0c C13=0000000000000c0d C14=0000000000000c0e C15=0000000000000c0f
            "#]],
        );
    }

    #[test]
    fn shows_registers_of_risc_v() {
        check(
            243,
            8,
            false,
            112,
            &expect![[r#"
                CPU#0
                 pc       0000000000000100
                 x0/zero  0000000000000000 x1/ra    0000000000000101 x2/sp    0000000000000102 x3/gp    0000000000000103
                 x4/tp    0000000000000104 x5/t0    0000000000000105 x6/t1    0000000000000106 x7/t2    0000000000000107
                 x8/s0    0000000000000108 x9/s1    0000000000000109 x10/a0   000000000000010a x11/a1   000000000000010b
                 x12/a2   000000000000010c x13/a3   000000000000010d x14/a4   000000000000010e x15/a5   000000000000010f
                 x16/a6   0000000000000110 x17/a7   0000000000000111 x18/s2   0000000000000112 x19/s3   0000000000000113
                 x20/s4   0000000000000114 x21/s5   0000000000000115 x22/s6   0000000000000116 x23/s7   0000000000000117
                 x24/s8   0000000000000118 x25/s9   0000000000000119 x26/s10  000000000000011a x27/s11  000000000000011b
                 x28/t3   000000000000011c x29/t4   000000000000011d x30/t5   000000000000011e x31/t6   000000000000011f
            "#]],
        );
    }

    #[test]
    fn other_processors_are_not_known() {
        let file = TestCore { machine: 1, word_bytes: 8, is_big_endian: false }.file(&[]);
        assert_eq!(registers_texts(&ElfCore::parse(&file).unwrap()), None);
    }
}
