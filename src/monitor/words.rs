//! The characters of a line: white space, words, and text in quotes.

/// Returns whether a character separates words.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// Returns a text from its first character on that is not white space.
pub(super) fn skip_space(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// Splits a text before the first character for which `ends` is true.
pub(super) fn split_before(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// Parses the word at the beginning of a text, or the text in double quotes there. Returns it and the rest of the text.
///
/// `None` if there is neither, if a quote is missing at the end, or if an escape is unknown.
pub(super) fn parse_word(text: &str) -> Option<(String, &str)> {
    let text = skip_space(text);
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, rest) = split_before(text, is_space);
        return (!word.is_empty()).then(|| (word.to_owned(), rest));
    };
    let mut word = String::new();
    let mut chars = quoted.chars();
    loop {
        word.push(match chars.next()? {
            '"' => return Some((word, chars.as_str())),
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                c @ ('\\' | '\'' | '"') => c,
                _ => return None,
            },
            c => c,
        });
    }
}

/// Returns a character as a message shows it. QEMU's own monitor shows a single byte, which is not text if the character
/// has several.
pub(super) fn shown_char(c: char) -> char {
    if c.is_ascii() { c } else { char::REPLACEMENT_CHARACTER }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_ends_at_white_space_or_at_its_quote() {
        for (text, word, rest) in [
            ("a b", "a", " b"),
            (" \x0b a\"b\"", "a\"b\"", ""),
            ("\"a b\"c", "a b", "c"),
            (r#""\n\r\\\'\"" x"#, "\n\r\\'\"", " x"),
            ("\"\"", "", ""),
            ("a\u{a0}b", "a\u{a0}b", ""),
        ] {
            assert_eq!(parse_word(text), Some((word.to_owned(), rest)), "{text}");
        }
        for text in ["", "  ", "\"a", "\"a\\", "\"\\t\""] {
            assert_eq!(parse_word(text), None, "{text}");
        }
    }
}
