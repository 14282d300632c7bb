//! QOM paths: joining names, splitting off the last one, and reading `PATH.PROPERTY`.
//!
//! A path is absolute (`/machine/peripheral/net0`), or the end of an absolute path that identifies a single object
//! (`peripheral`).

/// Appends the child `name` to an object's path.
pub fn join(path: &str, name: &str) -> String {
    format!("{}/{name}", path.trim_end_matches('/'))
}

/// Splits a path into the parent's path and the last name. `None` for the root and for a single name without `/`.
pub fn split_last(path: &str) -> Option<(&str, &str)> {
    let (parent, name) = path.trim_end_matches('/').rsplit_once('/')?;
    let parent = parent.trim_end_matches('/');
    Some((if parent.is_empty() { "/" } else { parent }, name))
}

/// Returns the ways to split `PATH.PROPERTY`, most likely first. There can be several, because names of objects
/// (`pcie.0`) and of properties (`sse4.2`) may contain dots; only the server can tell which one is meant.
pub fn property_splits(text: &str) -> Vec<(&str, &str)> {
    let last_name = text.rfind('/').map_or(0, |slash| slash + 1);
    let dots = text[last_name..].match_indices('.').map(|(offset, _)| last_name + offset);
    let mut splits: Vec<(&str, &str)> = dots
        .map(|dot| (&text[..dot], &text[dot + 1..]))
        .filter(|(path, property)| !path.is_empty() && !property.is_empty())
        .collect();
    splits.reverse();
    splits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_splits_paths() {
        assert_eq!(join("/", "machine"), "/machine");
        assert_eq!(join("/machine", "q35"), "/machine/q35");
        assert_eq!(join("peripheral/", "net0"), "peripheral/net0");
        for (path, expected) in [
            ("/", None),
            ("", None),
            ("machine", None),
            ("/machine", Some(("/", "machine"))),
            ("/machine/q35/", Some(("/machine", "q35"))),
            ("/machine//q35", Some(("/machine", "q35"))),
        ] {
            assert_eq!(split_last(path), expected, "{path}");
        }
    }

    #[test]
    fn splits_at_each_dot_of_the_last_name() {
        for (text, expected) in [
            ("/machine.type", &[("/machine", "type")][..]),
            ("/.type", &[("/", "type")]),
            (
                "/machine/q35/pcie.0.realized",
                &[("/machine/q35/pcie.0", "realized"), ("/machine/q35/pcie", "0.realized")],
            ),
            ("/a.b/cpu[0].sse4.2", &[("/a.b/cpu[0].sse4", "2"), ("/a.b/cpu[0]", "sse4.2")]),
            ("peripheral.type", &[("peripheral", "type")]),
            ("/machine.", &[]),
            ("/a.b/machine", &[]),
            ("", &[]),
        ] {
            assert_eq!(property_splits(text), expected, "{text}");
        }
    }
}
