//! Sizes with a fraction and a suffix, such as `1.5G`.

use super::words::{skip_space, split_before};

/// The binary exponent of a suffix.
fn exponent(suffix: char) -> Option<u32> {
    "bkmgtpe".find(suffix.to_ascii_lowercase()).map(|place| 10 * place as u32)
}

/// Parses the size at the beginning of a text, which is in MiB without a suffix. Returns the bytes and the rest of the
/// text; `None` if there is no size, or if it is negative, too large, or not a whole number of bytes.
pub(super) fn parse_size(text: &str) -> Option<(i64, &str)> {
    parse_size_in(20, text)
}

/// Parses a text that is a size, in bytes without a suffix.
pub(super) fn parse_bytes(text: &str) -> Option<i64> {
    parse_size_in(0, text).filter(|(_, rest)| rest.is_empty()).map(|(size, _)| size)
}

/// Parses a size as [`parse_size`] does, which without a suffix is in units of `2^unit` bytes.
pub(super) fn parse_size_in(unit: u32, text: &str) -> Option<(i64, &str)> {
    let text = skip_space(text);
    let text = text.strip_prefix('+').unwrap_or(text);
    if let [b'0', b'x' | b'X', digit, ..] = text.as_bytes()
        && digit.is_ascii_hexdigit()
    {
        let (digits, rest) = split_before(&text[2..], |c| !c.is_ascii_hexdigit());
        let has_more = rest.starts_with(|c| c == '.' || exponent(c).is_some());
        let value = u64::from_str_radix(digits, 16).ok().filter(|_| !has_more)?;
        return Some((scale(value, 0.0, unit)?, rest));
    }
    let (digits, rest) = split_before(text, |c| !c.is_ascii_digit());
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_before(rest, |c| !c.is_ascii_digit()),
        None => ("", rest),
    };
    if digits.is_empty() && fraction.is_empty() {
        return None;
    }
    let value = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let fraction = if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    let suffix = rest.chars().next().and_then(|c| Some((exponent(c)?, &rest[1..])));
    let (exponent, rest) = suffix.unwrap_or((unit, rest));
    if exponent == 0 && fraction > 0.0 {
        return None;
    }
    Some((scale(value, fraction, exponent)?, rest))
}

/// Returns `value` and a fraction, times a power of two, unless it is too large.
fn scale(value: u64, fraction: f64, exponent: u32) -> Option<i64> {
    let factor = 1_u64 << exponent;
    // A fraction is less than 1, so the product is exact enough for an integer.
    let part = (fraction * factor as f64).round() as u64;
    i64::try_from(value.checked_mul(factor)?.checked_add(part)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_qemus_own_monitor() {
        for (text, size, rest) in [
            ("1", 1 << 20, ""),
            ("  +5", 5 << 20, ""),
            ("010", 10 << 20, ""),
            ("1.", 1 << 20, ""),
            (".5", 1 << 19, ""),
            ("0.1", 104_858, ""),
            ("1.1K", 1126, ""),
            ("1.15k x", 1178, " x"),
            ("1.0B", 1, ""),
            ("7.99999999E", 9_223_372_025_325_560_704, ""),
            ("9223372036854775807b", i64::MAX, ""),
            ("0x1F", 31 << 20, ""),
            ("0x10b", 0x10b << 20, ""),
            ("0xg", 0, "xg"),
            ("1e3", 1 << 60, "3"),
            ("1KiB", 1024, "iB"),
            ("1..5", 1 << 20, ".5"),
        ] {
            assert_eq!(parse_size(text), Some((size, rest)), "{text}");
        }
        assert_eq!(parse_size_in(0, "0x10 1.5k"), Some((16, " 1.5k")));
        for text in [
            "",
            "x",
            "-1",
            "-0",
            "++5",
            ".",
            "1.5B",
            "8E",
            "8796093022208",
            "99999999999999999999",
            "0x1.8",
            "0x1k",
            "é",
        ] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
