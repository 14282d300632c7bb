//! File names for property names, and relative paths between objects.
//!
//! Characters that a file name cannot contain, those that a terminal would interpret, and `%` are percent-encoded as in
//! URLs. A name that is too long is cut and ends in `%~` and a hash of the whole name; it is found again by comparing it
//! with the names of all properties of the object.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::render::is_printable;

/// Linux's limit on a file name, `NAME_MAX`.
pub const MAX_FILE_NAME_BYTES: usize = 255;

/// The file name for the empty name. It cannot clash with another one, because an encoded `%` is followed by digits.
const EMPTY_NAME: &str = "%";

/// Returns the file name for a property name.
pub(super) fn file_name(name: &str) -> String {
    let mut escaped = match name {
        "" => return EMPTY_NAME.to_owned(),
        "." | ".." => name.replace('.', "%2E"),
        name => name.chars().map(encode).collect(),
    };
    if escaped.len() > MAX_FILE_NAME_BYTES {
        let suffix = format!("%~{:016x}", stable_hash(&name));
        let mut end = MAX_FILE_NAME_BYTES - suffix.len();
        while !escaped.is_char_boundary(end) {
            end -= 1;
        }
        escaped.truncate(end);
        escaped.push_str(&suffix);
    }
    escaped
}

fn encode(c: char) -> String {
    let mut buffer = [0; 4];
    let text = c.encode_utf8(&mut buffer);
    if is_printable(text) && !matches!(c, '%' | '/') {
        return text.to_owned();
    }
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Returns a hash that is the same in every run.
pub(super) fn stable_hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Returns the relative file path from one object's directory to another's.
pub(super) fn relative_path(from: &str, to: &str) -> String {
    let names =
        |path: &str| -> Vec<String> { path.split('/').filter(|name| !name.is_empty()).map(file_name).collect() };
    let (from, to) = (names(from), names(to));
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut segments = vec!["..".to_owned(); from.len() - common];
    segments.extend_from_slice(&to[common..]);
    if segments.is_empty() { ".".to_owned() } else { segments.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_what_a_file_name_cannot_contain() {
        for (name, file) in [
            ("device[0]", "device[0]"),
            ("bus master container[0]", "bus master container[0]"),
            ("\\x2from@etc\\x2facpi\\x2ftables[0]", "\\x2from@etc\\x2facpi\\x2ftables[0]"),
            ("a/b", "a%2Fb"),
            ("a\0b", "a%00b"),
            ("a\n\x1b[2J\x7fé", "a%0A%1B[2J%7Fé"),
            ("\u{9b}\u{202e}", "%C2%9B%E2%80%AE"),
            ("100%", "100%25"),
            ("%2F", "%252F"),
            (".", "%2E"),
            ("..", "%2E%2E"),
            ("...", "..."),
            (".hidden", ".hidden"),
            ("", "%"),
            ("%", "%25"),
        ] {
            assert_eq!(file_name(name), file);
        }
    }

    #[test]
    fn cuts_long_names_and_keeps_them_distinct() {
        let long = |end: &str| format!("{}{end}", "é".repeat(150));
        let (one, two) = (file_name(&long("1")), file_name(&long("2")));
        assert!(one.len() <= 255 && one.starts_with("éé") && one.contains("%~"), "{one}");
        assert_ne!(one, two);
        assert_eq!(file_name(&"a".repeat(255)), "a".repeat(255));
        assert_eq!(file_name(&"/".repeat(255)).len(), 255);
    }

    #[test]
    fn computes_relative_paths() {
        for (from, to, expected) in [
            ("/machine", "/machine/unattached/sysbus", "unattached/sysbus"),
            ("/machine/q35", "/machine/unattached/sysbus", "../unattached/sysbus"),
            ("/machine/q35", "/objects/pc.ram", "../../objects/pc.ram"),
            ("/machine/q35", "/machine", ".."),
            ("/machine", "/machine", "."),
            ("/", "/machine", "machine"),
            ("/machine", "/", ".."),
            ("/a%", "/b%", "../b%25"),
        ] {
            assert_eq!(relative_path(from, to), expected, "{from} to {to}");
        }
    }

    /// Returns the property name for a file name that was not cut.
    fn unescape(file: &str) -> String {
        if file == EMPTY_NAME {
            return String::new();
        }
        let mut pieces = file.split('%');
        let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
        for piece in pieces {
            bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
            bytes.extend_from_slice(&piece.as_bytes()[2..]);
        }
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn every_name_can_be_unescaped(name in "[a-z./%\\x00\n\\x1b\u{9b}é2EF50]{0,30}") {
            let file = file_name(&name);
            prop_assert!(!file.is_empty() && file.len() <= 255 && !file.contains(['/', '\0']));
            prop_assert!(file != "." && file != "..");
            prop_assert_eq!(unescape(&file), name);
        }
    }
}
