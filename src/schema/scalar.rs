//! Parses words as integers, numbers and booleans, for keys whose type is known.

use crate::grammar::{out_of_range, parse_number};

/// The maximum number of integers in a range, which is QEMU's own.
const MAX_RANGE_ITEMS: i128 = 65_536;

/// Parses an integer: decimal or hexadecimal, with or without a suffix for a power of 1024. With a suffix a decimal one
/// can have a fraction, if the product is whole. `Ok(None)` if the text as a whole is not a number; an error if the
/// product is not whole or does not fit in 64 bits.
pub(super) fn integer(text: &str) -> Result<Option<String>, String> {
    let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |unsigned| (-1, unsigned));
    let hexadecimal = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
    let radix = if hexadecimal.is_some() { 16 } else { 10 };
    let (number, shift) = split_suffix(hexadecimal.unwrap_or(unsigned), radix);
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return Ok(None),
        Some(parts) if radix == 10 && shift > 0 => parts,
        _ => (number, ""),
    };
    let are_digits = |part: &str| part.chars().all(|c| c.is_digit(radix));
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        return Ok(None);
    }
    let product = i128::from_str_radix(&format!("{whole}{fraction}"), radix).ok();
    let product = product.and_then(|digits| digits.checked_mul(sign << shift));
    let scale = u32::try_from(fraction.len()).ok().and_then(|len| 10_i128.checked_pow(len));
    let (Some(product), Some(scale)) = (product, scale) else { return Err(out_of_range(text)) };
    if product % scale != 0 {
        return Err(format!("`{text}` is not a whole number"));
    }
    match product / scale {
        value if value >= i64::MIN.into() && value <= u64::MAX.into() => Ok(Some(value.to_string())),
        _ => Err(out_of_range(text)),
    }
}

/// Splits off a suffix. Returns the text before it, and the power of two that it stands for.
fn split_suffix(text: &str, radix: u32) -> (&str, u32) {
    let shift = match text.chars().last() {
        // `e` is a hexadecimal digit.
        Some(c) if c.is_digit(radix) => 0,
        Some('k' | 'K') => 10,
        Some('m' | 'M') => 20,
        Some('g' | 'G') => 30,
        Some('t' | 'T') => 40,
        Some('p' | 'P') => 50,
        Some('e' | 'E') => 60,
        _ => 0,
    };
    (if shift > 0 { &text[..text.len() - 1] } else { text }, shift)
}

/// Parses a range of integers such as `0-3`, as QEMU's command line does for a list of integers. Returns the integers;
/// `Ok(None)` if the text as a whole is not a range, and an error if the range is empty or too long.
pub(super) fn integer_range(text: &str) -> Result<Option<Vec<String>>, String> {
    let bound = |text: &str| parse_number(text).ok()??.parse::<i128>().ok();
    // A minus sign before the first number does not separate it from the last.
    let Some((dash, _)) = text.match_indices('-').find(|(at, _)| *at > 0) else { return Ok(None) };
    let (Some(first), Some(last)) = (bound(&text[..dash]), bound(&text[dash + 1..])) else { return Ok(None) };
    match last - first {
        ..0 => Err(format!("the first number of the range `{text}` is greater than the last")),
        0..MAX_RANGE_ITEMS => Ok(Some((first..=last).map(|number| number.to_string()).collect())),
        _ => Err(format!("the range `{text}` has more than {MAX_RANGE_ITEMS} numbers")),
    }
}

/// Parses a number: JSON, or an integer in any of its forms.
pub(super) fn number(text: &str) -> Result<Option<String>, String> {
    match parse_number(text)? {
        Some(number) => Ok(Some(number)),
        None => integer(text),
    }
}

/// Parses a boolean, in the forms of JSON or of QEMU's options.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" => Some(true),
        "false" | "off" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_integers_in_all_forms() {
        for (text, expected) in [
            ("0", "0"),
            ("-5", "-5"),
            ("007", "7"),
            ("0x10", "16"),
            ("0x1E", "30"),
            ("-0x10", "-16"),
            ("4k", "4096"),
            ("0x1M", "1048576"),
            ("1.5G", "1610612736"),
            ("0.5k", "512"),
            ("15E", "17293822569102704640"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
        ] {
            assert_eq!(integer(text), Ok(Some(expected.to_owned())), "{text}");
        }
        for text in ["", "k", "abc", "1_0", "+5", "1.5", "0x", "1e3", "1.x", ".5k", "1.k", "--5", "true", "0x1.8M"] {
            assert_eq!(integer(text), Ok(None), "{text}");
        }
        for text in ["18446744073709551616", "16E", "-16E", "1.3k", "0xfffffffffffffffff", &"9".repeat(50)] {
            assert!(integer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn takes_no_part_of_a_number_for_the_whole() {
        for text in [
            "0-1", "00-5", "0-300", "0-0x5", "0x0-1", "0-", "-0-5", "-0--5", "0-5k", "0k-5", "0-1.5G", "1.5-2G", "0 5",
            " 5", "5 ", "0,5", "0x0x5", "00x5", "0x-5", "-0x-5", "0+5", "5k5", "5kk", "5kB", "1.2.3G", "1.-5G",
            "0.0x5k", "٣",
        ] {
            assert_eq!(integer(text), Ok(None), "{text}");
            assert_eq!(number(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn parses_ranges_of_integers() {
        for (text, expected) in [
            ("0-1", &["0", "1"][..]),
            ("3-3", &["3"]),
            ("-2--1", &["-2", "-1"]),
            ("-1-1", &["-1", "0", "1"]),
            ("0x9-0xb", &["9", "10", "11"]),
            ("18446744073709551614-18446744073709551615", &["18446744073709551614", "18446744073709551615"]),
        ] {
            let expected = expected.iter().map(|number| (*number).to_owned()).collect();
            assert_eq!(integer_range(text), Ok(Some(expected)), "{text}");
        }
        for text in ["", "5", "-5", "0-", "-", "--", "0-1-2", "a-b", "0-1k", "00-5", "1e-3", "1.5-2"] {
            assert_eq!(integer_range(text), Ok(None), "{text}");
        }
        assert_eq!(integer_range("0-65535").map(|numbers| numbers.map(|numbers| numbers.len())), Ok(Some(65_536)));
        for text in ["0-65536", "1-0", "0--1", "-9223372036854775808-18446744073709551615"] {
            assert!(integer_range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parses_numbers_and_booleans() {
        assert_eq!(number("1.50"), Ok(Some("1.50".to_owned())));
        assert_eq!(number("4k"), Ok(Some("4096".to_owned())));
        assert_eq!(number("x"), Ok(None));
        assert_eq!((boolean("On"), boolean("no"), boolean("1")), (Some(true), Some(false), None));
    }
}
