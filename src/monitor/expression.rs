//! Integer expressions: numbers, characters and registers, with the operators and the precedence of QEMU's own monitor.

use super::server::Failure;
use super::words::{shown_char, skip_space};

/// Looks up the value of a register by its name.
pub(super) type Registers<'a> = dyn FnMut(&str) -> Result<i64, Failure> + 'a;

/// The maximum nesting depth of parentheses.
const MAX_NESTING: usize = 200;

/// Evaluates the expression at the beginning of `text`. Returns its value and the rest of the text.
pub(super) fn evaluate<'a>(text: &'a str, registers: &mut Registers<'_>) -> Result<(i64, &'a str), Failure> {
    let mut expression = Expression { rest: skip_space(text), registers, nesting: 0 };
    let value = expression.sum()?;
    Ok((value, expression.rest))
}

/// An expression while it is evaluated. White space after each part is skipped.
struct Expression<'a, 'r> {
    rest: &'a str,
    registers: &'r mut Registers<'r>,
    nesting: usize,
}

impl<'a> Expression<'a, '_> {
    /// Evaluates operands of `+` and `-`, which bind least.
    fn sum(&mut self) -> Result<i64, Failure> {
        let mut value = self.bits()?;
        while let Some(operator) = self.accept(&['+', '-']) {
            let operand = self.bits()?;
            value = match operator {
                '+' => value.wrapping_add(operand),
                _ => value.wrapping_sub(operand),
            };
        }
        Ok(value)
    }

    /// Evaluates operands of `&`, `|` and `^`, which bind equally, from left to right.
    fn bits(&mut self) -> Result<i64, Failure> {
        let mut value = self.product()?;
        while let Some(operator) = self.accept(&['&', '|', '^']) {
            let operand = self.product()?;
            value = match operator {
                '&' => value & operand,
                '|' => value | operand,
                _ => value ^ operand,
            };
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<i64, Failure> {
        let mut value = self.operand()?;
        while let Some(operator) = self.accept(&['*', '/', '%']) {
            let operand = self.operand()?;
            value = match operator {
                '*' => value.wrapping_mul(operand),
                _ if operand == 0 => return Err(Failure::line("division by zero")),
                '/' => value.wrapping_div(operand),
                _ => value.wrapping_rem(operand),
            };
        }
        Ok(value)
    }

    /// Evaluates a number, a character, a register or parentheses, after signs.
    fn operand(&mut self) -> Result<i64, Failure> {
        let mut signs = Vec::new();
        while let Some(sign) = self.accept(&['+', '-', '~']) {
            signs.push(sign);
        }
        let value = match self.rest.chars().next() {
            None => return Err(Failure::line("unexpected end of expression")),
            Some('(') => self.parentheses()?,
            Some('\'') => self.character()?,
            Some('$') => self.register()?,
            Some(c) if c.is_ascii_digit() => self.number()?,
            Some(c) => return Err(Failure::line(format!("invalid char '{}' in expression", shown_char(c)))),
        };
        Ok(signs.into_iter().rev().fold(value, |value, sign| match sign {
            '-' => value.wrapping_neg(),
            '~' => !value,
            _ => value,
        }))
    }

    fn parentheses(&mut self) -> Result<i64, Failure> {
        if self.nesting >= MAX_NESTING {
            return Err(Failure::line("too many parentheses in expression"));
        }
        self.nesting += 1;
        self.advance(1);
        let value = self.sum()?;
        self.nesting -= 1;
        self.accept(&[')']).map(|_| value).ok_or_else(|| Failure::line("')' expected"))
    }

    /// Evaluates one character in single quotes. There are no escapes.
    fn character(&mut self) -> Result<i64, Failure> {
        let mut chars = self.rest[1..].chars();
        let c = chars.next().ok_or_else(|| Failure::line("character constant expected"))?;
        if !c.is_ascii() || chars.next() != Some('\'') {
            return Err(Failure::line("missing terminating ' character"));
        }
        self.advance(3);
        Ok(i64::from(u32::from(c)))
    }

    fn register(&mut self) -> Result<i64, Failure> {
        let name = &self.rest[1..];
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && !"_.".contains(c)).unwrap_or(name.len());
        let value = (self.registers)(&name[..end])?;
        self.advance(1 + end);
        Ok(value)
    }

    /// Evaluates a number with the prefixes of C. It ends at the first character that is not a digit of its base.
    fn number(&mut self) -> Result<i64, Failure> {
        let (prefix, radix) = match self.rest.as_bytes() {
            [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (2, 16),
            [b'0', ..] => (0, 8),
            _ => (0, 10),
        };
        let digits = &self.rest[prefix..];
        let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let value = u64::from_str_radix(&digits[..end], radix).map_err(|_| Failure::line("number too large"))?;
        self.advance(prefix + end);
        Ok(value as i64)
    }

    /// Skips the next character if it is one of `accepted`, and returns it.
    fn accept(&mut self, accepted: &[char]) -> Option<char> {
        let next = self.rest.chars().next().filter(|c| accepted.contains(c))?;
        self.advance(1);
        Some(next)
    }

    /// Skips ASCII characters and the white space after them.
    fn advance(&mut self, count: usize) {
        self.rest = skip_space(&self.rest[count..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evaluates a whole text, in which the register `ax` is 5.
    fn result(text: &str) -> Result<(i64, &str), String> {
        let mut registers = |name: &str| match name {
            "ax" => Ok(5),
            _ => Err(Failure::line("unknown register")),
        };
        evaluate(text, &mut registers).map_err(|failure| failure.text())
    }

    #[test]
    fn evaluates_as_qemus_own_monitor_does() {
        for (text, value, rest) in [
            ("1+2*3", 7, ""),
            ("1-2-3", -4, ""),
            ("1+2|3", 4, ""),
            ("6&3*2", 6, ""),
            ("1&3|4^5", 0, ""),
            ("-7/2", -3, ""),
            ("-7%3", -1, ""),
            ("- -+~1", -2, ""),
            ("( 1 + 2 ) *3 x", 9, "x"),
            ("0x1F", 31, ""),
            ("0xg", 0, "xg"),
            ("017", 15, ""),
            ("08", 0, "8"),
            ("'a'+1", 98, ""),
            ("' '", 32, ""),
            ("$ax*2,", 10, ","),
            ("18446744073709551615", -1, ""),
            ("9223372036854775807+1", i64::MIN, ""),
            ("0x8000000000000000/-1", i64::MIN, ""),
            ("1 2", 1, "2"),
        ] {
            assert_eq!(result(text), Ok((value, rest)), "{text}");
        }
    }

    #[test]
    fn errors_are_those_of_qemus_own_monitor() {
        let deep = "(".repeat(100_000);
        for (text, error) in [
            ("", "unexpected end of expression"),
            ("1+", "unexpected end of expression"),
            ("(1", "')' expected"),
            ("()", "invalid char ')' in expression"),
            ("é", "invalid char '\u{fffd}' in expression"),
            ("1/0", "division by zero"),
            ("18446744073709551616", "number too large"),
            ("'", "character constant expected"),
            ("'ab'", "missing terminating ' character"),
            ("'é'", "missing terminating ' character"),
            ("$", "unknown register"),
            ("1/$ax.x", "unknown register"),
            (&deep, "too many parentheses in expression"),
        ] {
            assert_eq!(result(text), Err(format!("{error}\n")), "{text}");
        }
    }
}
