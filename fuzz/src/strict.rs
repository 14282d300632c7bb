//! JSON by the letter, looked at without recursion: its tokens, and whether two texts have the same.

/// The bytes as text, where they are.
pub fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// The tokens of JSON text that is known to be some.
fn tokens(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
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
        found.push(&text[start..at.min(text.len())]);
    }
    found
}

/// Both have the same tokens, each spelled the same.
pub fn same_tokens(one: &str, other: &str) {
    assert_eq!(tokens(one), tokens(other), "other tokens");
}

/// Both have the same tokens, strings by what they mean: one may spell with escapes what the other has plain.
pub fn same_meaning(one: &str, other: &str) {
    let (one, other) = (tokens(one), tokens(other));
    assert_eq!(one.len(), other.len(), "more tokens, or fewer");
    for (one, other) in one.iter().zip(&other) {
        if one == other {
            continue;
        }
        let (one, other) = (decoded(one), decoded(other));
        assert!(one.is_some() && one == other, "a string that means something else");
    }
}

/// What a string means, a lone half of a surrogate pair as its number.
fn decoded(token: &str) -> Option<Vec<u32>> {
    let inside = token.strip_prefix('"')?.strip_suffix('"')?;
    let mut found = Vec::new();
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        found.push(match c {
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
    Some(found)
}

/// Nothing in `text` but its line ends and tabs moves a terminal or reorders what it shows.
pub fn harmless(text: &str) {
    let harmful = |c: char| {
        c.is_control() && c != '\n' && c != '\t'
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(harmful), "{:?} reaches the terminal", text.chars().find(|c| harmful(*c)));
}
