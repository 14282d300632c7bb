//! Names of properties as names of files, and back.
//!
//! A file system cannot hold every name: what it cannot is written as `%` and two hexadecimal digits, as in addresses of
//! web pages, and so is `%` itself. A name that is too long even so is cut, and ends in `%~` and a number made of the
//! whole of it: such a name is found again by looking through the names of its object.

use std::hash::{DefaultHasher, Hash, Hasher};

/// How many bytes a file's name may have.
const LONGEST: usize = 255;

/// What the empty name is called. No other name becomes this: a `%` of theirs is followed by digits.
const EMPTY: &str = "%";

/// The name of the file for a property.
pub(super) fn file_name(name: &str) -> String {
    let mut escaped = match name {
        "" => return EMPTY.to_owned(),
        "." | ".." => name.replace('.', "%2E"),
        name => name.replace('%', "%25").replace('/', "%2F").replace('\0', "%00"),
    };
    if escaped.len() > LONGEST {
        let tail = format!("%~{:016x}", number_of(&name));
        let mut end = LONGEST - tail.len();
        while !escaped.is_char_boundary(end) {
            end -= 1;
        }
        escaped.truncate(end);
        escaped.push_str(&tail);
    }
    escaped
}

/// A number made of something, the same in every run.
pub(super) fn number_of(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// The way from the object at `from` to the one at `to`, as a relative path of files.
pub(super) fn segments(from: &str, to: &str) -> String {
    let names =
        |path: &str| -> Vec<String> { path.split('/').filter(|name| !name.is_empty()).map(file_name).collect() };
    let (from, to) = (names(from), names(to));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut steps = vec!["..".to_owned(); from.len() - shared];
    steps.extend_from_slice(&to[shared..]);
    if steps.is_empty() { ".".to_owned() } else { steps.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_file_system_cannot_hold_is_escaped() {
        for (name, file) in [
            ("device[0]", "device[0]"),
            ("bus master container[0]", "bus master container[0]"),
            ("\\x2from@etc\\x2facpi\\x2ftables[0]", "\\x2from@etc\\x2facpi\\x2ftables[0]"),
            ("a/b", "a%2Fb"),
            ("a\0b", "a%00b"),
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
    fn long_names_are_cut_and_stay_apart() {
        let long = |end: &str| format!("{}{end}", "é".repeat(150));
        let (one, two) = (file_name(&long("1")), file_name(&long("2")));
        assert!(one.len() <= 255 && one.starts_with("éé") && one.contains("%~"), "{one}");
        assert_ne!(one, two);
        assert_eq!(file_name(&"a".repeat(255)), "a".repeat(255));
        assert_eq!(file_name(&"/".repeat(255)).len(), 255);
    }

    #[test]
    fn ways_are_relative() {
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
            assert_eq!(segments(from, to), expected, "{from} to {to}");
        }
    }

    /// The name that a file's name came from, where it was not cut.
    fn back(file: &str) -> String {
        if file == EMPTY {
            return String::new();
        }
        file.replace("%2F", "/").replace("%00", "\0").replace("%2E", ".").replace("%25", "%")
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "[a-z./%\\x00é2EF50]{0,80}") {
            let file = file_name(&name);
            prop_assert!(!file.is_empty() && file.len() <= 255 && !file.contains(['/', '\0']));
            prop_assert!(file != "." && file != "..");
            prop_assert_eq!(back(&file), name);
        }
    }
}
