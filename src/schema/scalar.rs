//! Parses words as integers, numbers and booleans, for keys whose type is known.

use crate::grammar::{out_of_range, parse_number};

/// Parses an integer: decimal or hexadecimal, with or without a suffix for a power of 1024. With a suffix it can have a
/// fraction, if the product is whole. `Ok(None)` if the text is not a number; an error if the product is not whole or
/// does not fit in 64 bits.
pub(super) fn integer(text: &str) -> Result<Option<String>, String> {
    let hexadecimal = text.trim_start_matches('-').starts_with(['0']) && text.contains(['x', 'X']);
    let (digits, shift) = split_suffix(text, hexadecimal).unwrap_or((text, 0));
    if digits.contains('_') || digits.starts_with('+') {
        return Ok(None);
    }
    if let Some((whole, fraction)) = digits.split_once('.') {
        return fractional(text, whole, fraction, shift);
    }
    // JSON does not allow leading zeros.
    let (sign, unsigned) = digits.strip_prefix('-').map_or(("", digits), |unsigned| ("-", unsigned));
    let trimmed = if hexadecimal { unsigned } else { unsigned.trim_start_matches('0') };
    let unsigned = if trimmed.is_empty() && !unsigned.is_empty() { "0" } else { trimmed };
    let Some(number) = parse_number(&format!("{sign}{unsigned}"))? else { return Ok(None) };
    let Ok(value) = number.parse::<i128>() else { return Ok(None) };
    in_range(text, value.checked_mul(1_i128 << shift))
}

/// Splits off a suffix; returns the text before it, and the power of two that it stands for.
fn split_suffix(text: &str, hexadecimal: bool) -> Option<(&str, u32)> {
    let shift = match text.chars().last()? {
        'k' | 'K' => 10,
        'm' | 'M' => 20,
        'g' | 'G' => 30,
        't' | 'T' => 40,
        'p' | 'P' => 50,
        // `e` is a hexadecimal digit.
        'e' | 'E' if !hexadecimal => 60,
        _ => return None,
    };
    Some((&text[..text.len() - 1], shift))
}

fn fractional(text: &str, whole: &str, fraction: &str, shift: u32) -> Result<Option<String>, String> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (sign, whole) = whole.strip_prefix('-').map_or((1, whole), |whole| (-1, whole));
    if !digits(whole) || !digits(fraction) || shift == 0 || fraction.len() > 18 || whole.len() > 18 {
        return Ok(None);
    }
    let scale = 10_i128.pow(u32::try_from(fraction.len()).unwrap_or(18));
    let (Ok(whole), Ok(fraction)) = (whole.parse::<i128>(), fraction.parse::<i128>()) else { return Ok(None) };
    let product = (whole * scale + fraction).checked_mul(1_i128 << shift);
    match product {
        Some(product) if product % scale == 0 => in_range(text, Some(sign * product / scale)),
        Some(_) => Err(format!("`{text}` is not a whole number")),
        None => in_range(text, None),
    }
}

fn in_range(text: &str, value: Option<i128>) -> Result<Option<String>, String> {
    match value {
        Some(value) if value >= i64::MIN.into() && value <= u64::MAX.into() => Ok(Some(value.to_string())),
        _ => Err(out_of_range(text)),
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
        for text in ["", "k", "abc", "1_0", "+5", "1.5", "0x", "1e3", "1.x", ".5k", "--5", "true"] {
            assert_eq!(integer(text), Ok(None), "{text}");
        }
        for text in ["18446744073709551616", "16E", "-16E", "1.3k", "0xfffffffffffffffff"] {
            assert!(integer(text).is_err(), "{text}");
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
