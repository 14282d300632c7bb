//! Finds the known name that a mistyped one probably means.

/// Returns the name that is nearest to `typed`, if it is near enough; otherwise the only name that begins with `typed`,
/// or the only one that has all its words in order.
///
/// Only the words in which two names differ are compared: `query-foo` and `query-balloon` have much in common, but not
/// what matters.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = normalised(typed);
    let typed_chars = typed.chars().count();
    let mut best: Option<(Distance, &str)> = None;
    let (mut prefixed, mut with_words) = (Vec::new(), Vec::new());
    for name in names {
        let candidate = normalised(name);
        // A text that is this much longer is not near, and a comparison takes time proportional to both lengths.
        if typed_chars > 2 * candidate.chars().count() + 4 {
            continue;
        }
        if typed_chars > 1 && candidate.starts_with(&typed) {
            prefixed.push(name);
        }
        if has_words_of(&typed, &candidate) {
            with_words.push(name);
        }
        if let Some(distance) = distance(&typed, &candidate)
            && best.as_ref().is_none_or(|(least, _)| distance < *least)
        {
            best = Some((distance, name));
        }
    }
    let longer = if prefixed.is_empty() { with_words } else { prefixed };
    let only = if let [name] = longer[..] { Some(name) } else { None };
    best.map(|(_, name)| name).or(only)
}

/// The number of mistakes between a typed name and a candidate, whether the candidate is shorter, and the dissimilarity
/// of both. Wrong and missing letters are more frequent than extra ones, so a longer candidate is more likely.
type Distance = (usize, bool, f64);

/// Returns the distance between two names, if it is small compared with the words in which they differ.
fn distance(typed: &str, candidate: &str) -> Option<Distance> {
    const CHARS_PER_MISTAKE: usize = 6;
    let (typed, candidate) = without_common_words(typed, candidate);
    let mistakes = strsim::osa_distance(&typed, &candidate);
    let (typed_chars, chars) = (typed.chars().count(), candidate.chars().count());
    let longer = typed_chars.max(chars);
    let is_near = mistakes <= 1 + longer / CHARS_PER_MISTAKE && 2 * mistakes <= longer;
    is_near.then(|| (mistakes, chars < typed_chars, -strsim::jaro_winkler(&typed, &candidate)))
}

/// Removes the words that two names have in common at their beginning and end.
fn without_common_words(a: &str, b: &str) -> (String, String) {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split('-').collect(), b.split('-').collect());
    let start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    (a[..a.len() - end].join("-"), b[..b.len() - end].join("-"))
}

/// Returns whether a name has all words of `typed`, in order: at least two.
fn has_words_of(typed: &str, name: &str) -> bool {
    let mut words = name.split('-');
    typed.contains('-') && typed.split('-').all(|word| words.any(|other| other == word))
}

fn normalised(name: &str) -> String {
    name.replace('_', "-").to_lowercase()
}

/// Returns the hint for the end of an error message about a mistyped name: `; did you mean …?`, or nothing.
pub fn did_you_mean<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, names).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_similar_names_only() {
        let names = [
            "query-status",
            "query-stats",
            "query-block",
            "query-balloon",
            "query-pci",
            "query-cpus-fast",
            "query-cpu-definitions",
            "query-hotpluggable-cpus",
            "block_resize",
            "block-dirty-bitmap-add",
            "quit",
            "stop",
            "qcow",
            "qcow2",
        ];
        for (typed, expected) in [
            ("query-statsu", Some("query-status")),
            ("query_status", Some("query-status")),
            ("block-resize", Some("block_resize")),
            ("qiut", Some("quit")),
            ("stopp", Some("stop")),
            ("qcow3", Some("qcow2")),
            ("query-staus", Some("query-status")),
            ("block-res", Some("block_resize")),
            ("bl", None),
            ("que", None),
            ("frobnicate", None),
            ("x", None),
            // Common words at the beginning or end say nothing.
            ("query-foo", None),
            ("query-cpu", None),
            ("query-blub-status", None),
            ("block-foo", None),
            // A word is missing.
            ("block-bitmap-add", Some("block-dirty-bitmap-add")),
            ("query-cpus", Some("query-cpus-fast")),
        ] {
            assert_eq!(nearest(typed, names), expected, "{typed}");
        }
    }

    #[test]
    fn skips_names_that_are_much_too_long() {
        // The comparison would take minutes.
        assert_eq!(nearest(&"stop".repeat(2_500_000), ["stop", "query-status"]), None);
    }
}
