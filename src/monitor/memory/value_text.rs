//! Values as `x`, `xp` and `print` show them.

use std::fmt::Write;

/// The bytes in a line of `x` and `xp`: fewer if they are shown one by one.
pub(crate) fn line_bytes(size: usize) -> usize {
    if size == 1 { 8 } else { 16 }
}

/// A format of values, by the letter that chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Radix {
    Octal,
    Signed,
    Unsigned,
    Hexadecimal,
    Character,
}

impl Radix {
    /// Returns the format for a letter. Instructions, for which there is no value, are shown as numbers.
    pub(crate) fn of(letter: char) -> Radix {
        match letter {
            'o' => Radix::Octal,
            'u' => Radix::Unsigned,
            'x' => Radix::Hexadecimal,
            'c' => Radix::Character,
            _ => Radix::Signed,
        }
    }
}

/// Writes bytes of memory as values of `size` bytes, one space before each.
pub(crate) fn write_values(text: &mut String, bytes: &[u8], size: usize, radix: Radix, is_big_endian: bool) {
    for value in bytes.chunks_exact(size) {
        let push = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let value = if is_big_endian { value.iter().fold(0, push) } else { value.iter().rev().fold(0, push) };
        text.push(' ');
        write_padded(text, value, size, radix);
    }
}

/// Writes a value with the width of the largest one of `size` bytes.
fn write_padded(text: &mut String, value: u64, size: usize, radix: Radix) {
    let _ = match radix {
        Radix::Hexadecimal => write!(text, "0x{value:0width$x}", width = 2 * size),
        Radix::Octal => write!(text, "{:>width$}", octal(value), width = (8 * size).div_ceil(3)),
        // Only values of eight bytes have a sign.
        Radix::Signed => write!(text, "{:>width$}", value as i64, width = decimal_digits(size)),
        Radix::Unsigned => write!(text, "{value:>width$}", width = decimal_digits(size)),
        Radix::Character => text.write_str(&character(value as u32)),
    };
}

/// Returns a value as `print` shows it.
pub(crate) fn printed(value: i64, radix: Radix) -> String {
    match radix {
        Radix::Hexadecimal if value == 0 => "0".to_owned(),
        Radix::Hexadecimal => format!("{value:#x}"),
        Radix::Octal => octal(value as u64),
        Radix::Signed => value.to_string(),
        Radix::Unsigned => (value as u64).to_string(),
        Radix::Character => character(value as u32),
    }
}

/// Returns the digits of the largest value of `size` bytes.
fn decimal_digits(size: usize) -> usize {
    match size {
        1 => 3,
        2 => 5,
        4 => 10,
        _ => 20,
    }
}

fn octal(value: u64) -> String {
    if value == 0 { "0".to_owned() } else { format!("0{value:o}") }
}

/// Returns a character in quotes; what is not printable as its number.
fn character(value: u32) -> String {
    match value {
        0x27 => r"'\''".to_owned(),
        0x5c => r"'\\'".to_owned(),
        0x0a => r"'\n'".to_owned(),
        0x0d => r"'\r'".to_owned(),
        0x20..=0x7e => format!("'{}'", value as u8 as char),
        _ => format!(r"'\x{value:02x}'"),
    }
}

/// Continues the checksum of BSD's `sum`: sixteen bits, which are rotated right before each byte is added.
pub(crate) fn bsd_checksum(sum: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(sum, |sum, &byte| sum.rotate_right(1).wrapping_add(byte.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns sixteen bytes of memory in one format.
    fn shown(size: usize, letter: char) -> String {
        let bytes = [0xfa, 0x2e, 0x66, 0x0f, 0x01, 0x16, 0x58, 0, 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0];
        let mut text = String::new();
        write_values(&mut text, &bytes[..line_bytes(size)], size, Radix::of(letter), false);
        text
    }

    /// Expected texts are what QEMU 10.0 prints for the same bytes.
    #[test]
    fn memory_has_the_columns_of_qemus_own_monitor() {
        for (size, letter, text) in [
            (1, 'o', " 0372 056 0146 017  01 026 0130   0"),
            (1, 'd', " 250  46 102  15   1  22  88   0"),
            (1, 'x', " 0xfa 0x2e 0x66 0x0f 0x01 0x16 0x58 0x00"),
            (2, 'o', " 027372  07546 013001   0130 020017  06300  07401 0140042"),
            (2, 'd', " 12026  3942  5633    88  8207  3264  3841 49186"),
            (4, 'o', " 01731427372   026013001 01460020017 030010407401"),
            (4, 'd', "  258354938    5772801  213917711 3223457537"),
            (8, 'o', "   01300540041731427372 01400420360041460020017"),
            (8, 'd', "    24793991759671034 -4602099372035923953"),
            (8, 'u', "    24793991759671034 13844644701673627663"),
        ] {
            assert_eq!(shown(size, letter), text, "{size}{letter}");
        }
    }

    #[test]
    fn expressions_are_printed_without_padding() {
        for (value, letter, text) in [
            (0, 'x', "0"),
            (-1, 'x', "0xffffffffffffffff"),
            (65, 'o', "0101"),
            (-1, 'i', "-1"),
            (-1, 'u', "18446744073709551615"),
            (39, 'c', r"'\''"),
            (127, 'c', r"'\x7f'"),
            (321, 'c', r"'\x141'"),
            (-1, 'c', r"'\xffffffff'"),
        ] {
            assert_eq!(printed(value, Radix::of(letter)), text, "{value}{letter}");
        }
    }

    #[test]
    fn the_checksum_is_that_of_bsd() {
        assert_eq!(bsd_checksum(0, &[]), 0);
        assert_eq!(bsd_checksum(0, b"sum\n"), 8300);
    }
}
