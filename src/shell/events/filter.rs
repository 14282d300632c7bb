//! The filter that selects which events are shown, and globs.

use std::fmt;

/// A filter of events by name. In a glob, `*` stands for any text and `?` for any character; case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EventFilter {
    #[default]
    All,
    Nothing,
    /// Events that match one of the globs.
    Only(Vec<String>),
    /// Events that match none of the globs.
    Except(Vec<String>),
}

impl EventFilter {
    /// Returns whether an event with this name is shown.
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
    let (mut in_pattern, mut in_name) = (0, 0);
    // The index of the last star, and that of the name's character after what it matches.
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(in_pattern) {
            Some('*') => {
                star = Some((in_pattern, in_name));
                in_pattern += 1;
            }
            Some(c) if *c == '?' || *c == name[in_name] => {
                in_pattern += 1;
                in_name += 1;
            }
            _ => match star {
                // Let the last star match one more character.
                Some((at, taken)) => {
                    in_pattern = at + 1;
                    in_name = taken + 1;
                    star = Some((at, in_name));
                }
                None => return false,
            },
        }
    }
    pattern[in_pattern..].iter().all(|c| *c == '*')
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
