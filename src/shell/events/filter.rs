//! Which events are shown.

use std::fmt;

/// Lets events through by name. Patterns hold `*` (any text) and `?` (any character); case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EventFilter {
    /// All events.
    #[default]
    All,
    /// None.
    Nothing,
    /// Those that match one of the patterns.
    Only(Vec<String>),
    /// Those that match none of the patterns.
    Except(Vec<String>),
}

impl EventFilter {
    /// Whether an event of this name is shown.
    pub fn shows(&self, name: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, name));
        match self {
            EventFilter::All => true,
            EventFilter::Nothing => false,
            EventFilter::Only(patterns) => any(patterns),
            EventFilter::Except(patterns) => !any(patterns),
        }
    }
}

impl fmt::Display for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventFilter::All => write!(f, "on"),
            EventFilter::Nothing => write!(f, "off"),
            EventFilter::Only(patterns) => write!(f, "only {}", patterns.join(" ")),
            EventFilter::Except(patterns) => write!(f, "except {}", patterns.join(" ")),
        }
    }
}

/// Whether `name` matches the glob `pattern`, whatever the case of either.
pub fn matches(pattern: &str, name: &str) -> bool {
    matches_exactly(&pattern.to_lowercase(), &name.to_lowercase())
}

/// Whether `name` matches the glob `pattern`. Takes time in proportion to the product of their lengths at most.
pub fn matches_exactly(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                // The last star takes one character more.
                Some((at, taken)) => {
                    p = at + 1;
                    n = taken + 1;
                    star = Some((at, n));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_names() {
        for (pattern, name, expected) in [
            ("STOP", "STOP", true),
            ("stop", "STOP", true),
            ("JOB_*", "JOB_STATUS_CHANGE", true),
            ("*_JOB_*", "BLOCK_JOB_READY", true),
            ("*JOB", "BLOCK_JOB_READY", false),
            ("S?OP", "STOP", true),
            ("*", "", true),
            ("", "A", false),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
