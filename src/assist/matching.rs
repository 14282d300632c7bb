//! The ways in which candidates match what is typed.

/// A way in which a candidate matches what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    /// It begins with it.
    Prefix,
    /// It begins with it, if case, `-` and `_` are the same.
    LoosePrefix,
    /// It contains it, if case, `-` and `_` are the same.
    Anywhere,
}

impl Matching {
    pub(super) const STRICTEST_FIRST: [Matching; 3] = [Matching::Prefix, Matching::LoosePrefix, Matching::Anywhere];

    /// Returns whether `name` matches `typed`.
    pub fn accepts(self, name: &str, typed: &str) -> bool {
        match self {
            Matching::Prefix => name.starts_with(typed),
            Matching::LoosePrefix => folded(name).starts_with(&folded(typed)),
            Matching::Anywhere => folded(name).contains(&folded(typed)),
        }
    }
}

fn folded(text: &str) -> String {
    text.replace('_', "-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_accepts_more_than_the_one_before() {
        for (name, typed, accepted_by) in [
            ("query-block", "query-b", [true, true, true]),
            ("block_resize", "block-R", [false, true, true]),
            ("query-block", "BLOCK", [false, false, true]),
            ("query-block", "", [true, true, true]),
            ("query-block", "bloc-k", [false, false, false]),
        ] {
            let accepted = Matching::STRICTEST_FIRST.map(|matching| matching.accepts(name, typed));
            assert_eq!(accepted, accepted_by, "{name} {typed}");
        }
    }
}
