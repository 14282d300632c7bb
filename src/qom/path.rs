//! Paths of objects: `/machine/peripheral/net0`, or a part of one that leads to one object only, as in `peripheral`.

/// The path of the child `name` of the object at `path`.
pub fn join(path: &str, name: &str) -> String {
    format!("{}/{name}", path.trim_end_matches('/'))
}

/// The path of the object above, and the name in it; `None` for the root, and for a path of one part that does not begin
/// at the root.
pub fn parent(path: &str) -> Option<(&str, &str)> {
    let (above, name) = path.trim_end_matches('/').rsplit_once('/')?;
    let above = above.trim_end_matches('/');
    Some((if above.is_empty() { "/" } else { above }, name))
}

/// The ways to read `PATH.PROPERTY`, likeliest first. The names of objects (`pcie.0`) and of properties (`sse4.2`) may
/// hold dots, so only the server can tell which is meant where there are several.
pub fn splits(text: &str) -> Vec<(&str, &str)> {
    let names = text.rfind('/').map_or(0, |at| at + 1);
    let dots = text[names..].match_indices('.').map(|(at, _)| names + at);
    let mut found: Vec<(&str, &str)> = dots
        .map(|at| (&text[..at], &text[at + 1..]))
        .filter(|(path, property)| !path.is_empty() && !property.is_empty())
        .collect();
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_and_taken_apart() {
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
            assert_eq!(parent(path), expected, "{path}");
        }
    }

    #[test]
    fn a_property_stands_behind_a_dot_of_the_last_name() {
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
            assert_eq!(splits(text), expected, "{text}");
        }
    }
}
