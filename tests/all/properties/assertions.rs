//! Assertions about text: the same JSON tokens, no control characters.

/// Returns the bytes as text, if they are UTF-8.
pub fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// Returns the tokens of valid JSON, without recursion.
fn tokens(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'{' | b'}' | b'[' | b']' | b',' | b':' => at += 1,
            _ => at += bytes[at..].iter().take_while(|byte| !b" \t\r\n{}[],:\"".contains(byte)).count(),
        }
        tokens.push(&text[start..at.min(text.len())]);
    }
    tokens
}

/// Asserts that both have the same tokens.
pub fn same_tokens(one: &str, other: &str) {
    assert_eq!(tokens(one), tokens(other), "the tokens differ");
}

/// Asserts that both have the same tokens, whatever characters of strings are escaped.
pub fn same_meaning(one: &str, other: &str) {
    let (one, other) = (tokens(one), tokens(other));
    assert_eq!(one.len(), other.len(), "the number of tokens differs");
    for (one, other) in one.iter().zip(&other) {
        if one == other {
            continue;
        }
        let (one, other) = (decoded(one), decoded(other));
        assert!(one.is_some() && one == other, "a string decodes to other text");
    }
}

/// Returns the UTF-16 or Unicode code points of a string; unlike Rust's strings it can have lone surrogates.
fn decoded(token: &str) -> Option<Vec<u32>> {
    let content = token.strip_prefix('"')?.strip_suffix('"')?;
    let mut code_points = Vec::new();
    let mut chars = content.chars();
    while let Some(c) = chars.next() {
        code_points.push(match c {
            '\\' => match chars.next()? {
                'u' => u32::from_str_radix(&chars.by_ref().take(4).collect::<String>(), 16).ok()?,
                'n' => 10,
                'r' => 13,
                't' => 9,
                'b' => 8,
                'f' => 12,
                c => u32::from(c),
            },
            c => u32::from(c),
        });
    }
    Some(code_points)
}

/// Asserts that `text` has no control characters but line ends and tabs.
pub fn has_no_controls(text: &str) {
    let is_control = |c: char| {
        c.is_control() && c != '\n' && c != '\t'
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(is_control), "{:?} reaches the terminal", text.chars().find(|c| is_control(*c)));
}

/// Removes the escape codes of colours.
pub fn without_colors(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split("\x1b[");
    out.extend(parts.next());
    for part in parts {
        out.extend(part.split_once('m').map(|(_, text)| text));
    }
    out
}

/// Splits bytes at the first separator. Without one, the second part is empty.
pub fn split_once(data: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let at = data.iter().position(|byte| *byte == separator).unwrap_or(data.len());
    (&data[..at], data.get(at + 1..).unwrap_or_default())
}
