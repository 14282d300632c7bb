//! Instructions of x86 processors, as `x/i` and `xp/i` show them.

use std::fmt::Write;

use iced_x86::{Decoder, DecoderError, DecoderOptions, Formatter, GasFormatter, OpKind};

use super::super::server::{Failure, QmpServer};
use super::super::state::MonitorState;
use super::cpu_registers::current_x86_registers;
use super::examine::AddressSpace;
use super::guest_memory::with_guest_memory;
use super::x86_registers::X86Registers;

/// The maximum length of an instruction, in bytes.
const MAX_INSTRUCTION_BYTES: u64 = 15;

/// The maximum number of instructions that are shown.
const MAX_INSTRUCTIONS: u32 = 1 << 16;

/// The number of bytes of an instruction in one line.
const BYTES_PER_LINE: usize = 8;

/// The column of the first operand after the start of the mnemonic.
const OPERAND_COLUMN: usize = 9;

/// The flag of a code segment with 32-bit code.
const SEGMENT_IS_32_BIT: u32 = 1 << 22;

/// Returns `count` instructions from `address` on, in lines, in the mode of the current CPU. If one cannot be read, the
/// failure has the lines before it too.
pub(crate) fn show_instructions(
    server: &mut dyn QmpServer,
    state: &mut MonitorState,
    space: AddressSpace,
    address: u64,
    count: u32,
) -> Result<String, Failure> {
    if count > MAX_INSTRUCTIONS {
        return Err(Failure::line(format!("at most {MAX_INSTRUCTIONS} instructions can be shown")));
    }
    let registers = current_x86_registers(server, state)?;
    let width = registers.as_ref().map(code_width).ok_or_else(|| {
        Failure::line("the shell knows the instructions of x86 processors only; `x/16xb $pc` shows bytes")
    })?;
    let length = u64::from(count) * MAX_INSTRUCTION_BYTES;
    let bytes = with_guest_memory(server, state.cpu_index(), |memory| match space {
        AddressSpace::Virtual => memory.read_virtual(address, length),
        AddressSpace::Physical => memory.read_physical(address, length),
    })?;
    let mut text = String::new();
    let mut rest = bytes.as_slice();
    let mut at = address;
    for _ in 0..count {
        if rest.is_empty() {
            let _ = writeln!(text, "0x{at:08x}: unable to read memory");
            return Err(Failure::Text(text));
        }
        let (instruction, length) = instruction(rest, at, width);
        let (encoded, after) = rest.split_at(length.clamp(1, rest.len()));
        write_instruction(&mut text, at, encoded, &instruction);
        at = at.wrapping_add(encoded.len() as u64);
        rest = after;
    }
    Ok(text)
}

/// Returns the width of the code that a CPU executes, in bits.
fn code_width(registers: &X86Registers) -> u32 {
    match registers.segments.cs.flags & SEGMENT_IS_32_BIT {
        _ if registers.executes_64_bit() => 64,
        0 => 16,
        _ if registers.is_protected() => 32,
        _ => 16,
    }
}

/// Writes an instruction: its address, its bytes, and the text after the first of them.
fn write_instruction(text: &mut String, address: u64, encoded: &[u8], instruction: &str) {
    const COLUMNS: usize = 3 * BYTES_PER_LINE - 1;

    for (index, bytes) in encoded.chunks(BYTES_PER_LINE).enumerate() {
        let line_address = address.wrapping_add((index * BYTES_PER_LINE) as u64);
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let bytes = bytes.join(" ");
        let _ = match index {
            0 => writeln!(text, "0x{line_address:08x}:  {bytes:COLUMNS$}  {instruction:OPERAND_COLUMN$}"),
            _ => writeln!(text, "0x{line_address:08x}:  {bytes}"),
        };
    }
}

/// Returns the text of the instruction at the beginning of `bytes`, in the syntax of AT&T, and its length. A byte that
/// begins none is shown as data.
fn instruction(bytes: &[u8], address: u64, width: u32) -> (String, usize) {
    let mut decoder = Decoder::with_ip(width, bytes, address, DecoderOptions::NONE);
    let decoded = decoder.decode();
    if decoder.last_error() != DecoderError::None {
        return (format!(".byte    0x{:02x}", bytes.first().copied().unwrap_or_default()), 1);
    }
    let mut formatter = GasFormatter::new();
    let options = formatter.options_mut();
    options.set_first_operand_char_index(OPERAND_COLUMN as u32);
    options.set_space_after_operand_separator(true);
    options.set_gas_space_after_memory_operand_comma(true);
    options.set_gas_show_mnemonic_size_suffix(true);
    options.set_uppercase_hex(false);
    options.set_branch_leading_zeros(false);
    options.set_displacement_leading_zeros(false);
    let mut text = String::new();
    formatter.format(&decoded, &mut text);
    if matches!(decoded.op0_kind(), OpKind::FarBranch16 | OpKind::FarBranch32) {
        // The segment and the offset in it.
        text = text.replace(", ", ":");
    }
    (text, decoded.len())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn shows_instructions_of_each_width() {
        for (width, bytes, text) in [
            (16, &[0xea, 0x5b, 0xe0, 0x00, 0xf0][..], "ljmpw    $0xf000:$0xe05b"),
            (16, &[0x2e, 0x66, 0x83, 0x3e, 0xc8, 0x61, 0x00], "cmpl     $0, %cs:0x61c8"),
            (16, &[0x31, 0xd2], "xorw     %dx, %dx"),
            (16, &[0x39, 0x39], "cmpw     %di, (%bx, %di)"),
            (32, &[0x8b, 0x45, 0xfc], "movl     -4(%ebp), %eax"),
            (64, &[0x48, 0x8b, 0x04, 0xd5, 0x00, 0x10, 0x00, 0x00], "movq     0x1000(, %rdx, 8), %rax"),
            (64, &[0xf4], "hlt"),
        ] {
            assert_eq!(instruction(bytes, 0x1000, width), (text.to_owned(), bytes.len()));
        }
        for broken in [&[0x48, 0x8b][..], &[0x06, 0x90], &[]] {
            assert_eq!(instruction(broken, 0, 64).1, 1);
        }
    }

    #[test]
    fn long_instructions_take_several_lines() {
        let mut text = String::new();
        let bytes = [0x66, 0x67, 0xc7, 0x84, 0x24, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
        write_instruction(&mut text, 0x7000, &bytes, &instruction(&bytes, 0x7000, 16).0);
        expect![[r#"
            0x00007000:  66 67 c7 84 24 11 22 33  movl     $0x88776655, 0x44332211(%esp)
            0x00007008:  44 55 66 77 88
        "#]]
        .assert_eq(&text);
    }
}
