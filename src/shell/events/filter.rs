//! The filter of shown events, and globs.

use std::fmt;

/// Selects events by name. Patterns hold `*` (any text) and `?` (any character); case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EventFilter {
    #[default]
    All,
    Nothing,
    /// Events that match one of the patterns.
    Only(Vec<String>),
    /// Events that match none of the patterns.
    Except(Vec<String>),
}

impl EventFilter {
    /// Returns whether an event of this name is shown.
    pub fn shows(&self, name: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches_glob(pattern, name));
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

/// Returns whether `name` matches the glob `pattern`, ignoring case.
pub fn matches_glob(pattern: &str, name: &str) -> bool {
    matches_glob_exactly(&pattern.to_lowercase(), &name.to_lowercase())
}

/// Returns whether `name` matches the glob `pattern`, in time proportional to at most the product of their lengths.
pub fn matches_glob_exactly(pattern: &str, name: &str) -> bool {
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
                // Let the last star match one more character.
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
    fn matches_names_by_glob() {
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
            assert_eq!(matches_glob(pattern, name), expected, "{pattern} {name}");
        }
    }
}
