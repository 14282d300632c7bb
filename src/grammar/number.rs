//! Parses numbers: strict JSON, and hexadecimal integers.

/// Returns `text` as a JSON number, or `None` if it is not a number. Hexadecimal integers become decimal; other numbers
/// keep their spelling. An integer that does not fit in 64 bits is an error, since the server would read it as a float.
pub fn parse_number(text: &str) -> Result<Option<String>, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        if hex.is_empty() || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let value = u64::from_str_radix(hex, 16).map_err(|_| out_of_range(text))?;
        return in_range(format!("{sign}{value}"), text).map(Some);
    }
    if !is_json_number(digits) {
        return Ok(None);
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return in_range(text.to_owned(), text).map(Some);
    }
    Ok(Some(text.to_owned()))
}

fn in_range(decimal: String, text: &str) -> Result<String, String> {
    if decimal.parse::<i64>().is_ok() || decimal.parse::<u64>().is_ok() {
        return Ok(decimal);
    }
    Err(out_of_range(text))
}

/// Returns the error message for an integer that is too large.
pub fn out_of_range(text: &str) -> String {
    format!("integer `{text}` does not fit in 64 bits")
}

/// Returns whether `text` is an unsigned number according to RFC 8259.
fn is_json_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use super::parse_number;

    #[test]
    fn keeps_the_spelling_of_numbers() {
        for (text, expected) in [
            ("0", Some("0")),
            ("-12", Some("-12")),
            ("1.50", Some("1.50")),
            ("1e3", Some("1e3")),
            ("-0.5E-7", Some("-0.5E-7")),
            ("0x1f", Some("31")),
            ("-0X10", Some("-16")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("007", None),
            ("+1", None),
            ("1.", None),
            (".5", None),
            ("1_0", None),
            ("0x", None),
            ("1e", None),
            ("", None),
            ("-", None),
            ("nan", None),
        ] {
            assert_eq!(parse_number(text), Ok(expected.map(str::to_owned)), "{text}");
        }
        for text in ["18446744073709551616", "-9223372036854775809", "0x10000000000000000"] {
            assert!(parse_number(text).is_err(), "{text}");
        }
    }
}
