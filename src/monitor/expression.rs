//! Integer expressions.

use super::server::Failure;

/// Evaluates the expression at the beginning of `text`. Returns its value and the rest of the text.
pub(super) fn evaluate(text: &str) -> Result<(i64, &str), Failure> {
    let text = text.trim_start();
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(rest) => (rest, 16),
        None => (text, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let value =
        u64::from_str_radix(&digits[..end], radix).map_err(|_| Failure::line("unexpected end of expression"))?;
    Ok((value as i64, &digits[end..]))
}
