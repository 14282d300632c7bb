//! "Did you mean": the known name nearest to a mistyped one.

/// The name nearest to `typed`, if one is near enough to be meant; else the only one that begins so.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let spelled = typed.replace('_', "-").to_lowercase();
    let long = spelled.chars().count();
    let mut best: Option<(f64, &str)> = None;
    let (mut begins, mut beginning) = (0, None);
    for name in names {
        let candidate = name.replace('_', "-").to_lowercase();
        // Nothing is near what is more than twice as long, and to find that out takes time by both lengths.
        if long > 2 * candidate.chars().count() + 4 {
            continue;
        }
        if long > 1 && candidate.starts_with(&spelled) {
            begins += 1;
            beginning = Some(name);
        }
        let mut score = strsim::jaro_winkler(&spelled, &candidate);
        if strsim::osa_distance(&spelled, &candidate) <= 1 + spelled.len() / 6 {
            // Of names that are as near, one that is no shorter: letters are mistyped or missed sooner than added.
            score += if candidate.len() >= spelled.len() { 0.6 } else { 0.5 };
        }
        if best.is_none_or(|(least, _)| score > least) {
            best = Some((score, name));
        }
    }
    best.filter(|(score, _)| *score >= 0.9).map(|(_, name)| name).or(beginning.filter(|_| begins == 1))
}

/// What a message about a mistyped name ends with: the question whether the nearest one was meant, or nothing.
pub fn did_you_mean<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, names).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
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
    fn a_name_that_is_far_too_long_is_not_compared() {
        // Would take minutes otherwise.
        assert_eq!(nearest(&"stop".repeat(2_500_000), ["stop", "query-status"]), None);
    }
}
