//! Finds the known name that a mistyped one probably means.

/// The minimum score of a name that is suggested.
const MIN_SCORE: f64 = 0.9;

/// Returns the name that is most similar to `typed`, if it is similar enough; otherwise the only name that begins with
/// `typed`.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.replace('_', "-").to_lowercase();
    let typed_chars = typed.chars().count();
    let mut best: Option<(f64, &str)> = None;
    let (mut prefixed_count, mut prefixed) = (0, None);
    for name in names {
        let candidate = name.replace('_', "-").to_lowercase();
        // A text that is this much longer is not similar, and a comparison takes time proportional to both lengths.
        if typed_chars > 2 * candidate.chars().count() + 4 {
            continue;
        }
        if typed_chars > 1 && candidate.starts_with(&typed) {
            prefixed_count += 1;
            prefixed = Some(name);
        }
        let mut score = strsim::jaro_winkler(&typed, &candidate);
        if strsim::osa_distance(&typed, &candidate) <= 1 + typed.len() / 6 {
            // Wrong and missing letters are more frequent than extra ones, so a longer candidate is more likely.
            score += if candidate.len() >= typed.len() { 0.6 } else { 0.5 };
        }
        if best.is_none_or(|(best_score, _)| score > best_score) {
            best = Some((score, name));
        }
    }
    let similar = best.filter(|(score, _)| *score >= MIN_SCORE).map(|(_, name)| name);
    similar.or(prefixed.filter(|_| prefixed_count == 1))
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
        let names = ["query-status", "query-stats", "query-block", "block_resize", "quit", "stop", "qcow", "qcow2"];
        for (typed, expected) in [
            ("query-statsu", Some("query-status")),
            ("query_status", Some("query-status")),
            ("block-resize", Some("block_resize")),
            ("qiut", Some("quit")),
            ("stopp", Some("stop")),
            ("qcow3", Some("qcow2")),
            ("query-staus", Some("query-status")),
            ("bl", Some("block_resize")),
            ("que", None),
            ("frobnicate", None),
            ("x", None),
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
