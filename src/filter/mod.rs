//! The filter layer: jq inside the programs. It compiles a filter, and runs it on the JSON text of a reply.
//!
//! The language, its functions and its values are those of the jaq crates. This layer adds what a shell needs: errors
//! with their places, numbers and strings that pass through as the server spelled them, and ends to filters that never
//! end. Must not know about commands or the terminal.
//!
//! A filter runs in a thread of its own, which has a large stack, and hands over its results one after the other. Three
//! things bound it, since a filter can loop, recurse and multiply: `guard` checks at every recursive call whether the
//! caller still wants results, how much of the stack is used, and how deep values are nested; `guard` also bounds the
//! strings that `*` makes. Memory for what a filter collects is not bounded. If the caller stops waiting, the thread ends
//! at the next check.

mod compile;
mod diagnose;
mod functions;
mod guard;
mod read_value;
mod stream;
mod worker;
mod write_value;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::grammar::{Diagnostic, Span};

use compile::{Program, compile};
pub use functions::{Function, functions};
use worker::on_large_stack;
pub use worker::{PANIC_MESSAGE, Results};

/// The maximum length of a filter in bytes. The parser of filters is recursive.
const MAX_FILTER_BYTES: usize = 16 << 10;

/// A jq filter, ready to run.
#[derive(Clone)]
pub struct Filter {
    program: Arc<Program>,
}

/// The reason why a filter did not run to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The filter failed on this value, or the value is not JSON.
    #[error("{0}")]
    Failed(String),
    /// The caller's interrupt ended it.
    #[error("interrupted")]
    Interrupted,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").finish_non_exhaustive()
    }
}

impl Filter {
    /// Parses a filter. The span of an error is its place in `text`.
    pub fn parse(text: &str) -> Result<Filter, Diagnostic> {
        if text.len() > MAX_FILTER_BYTES {
            let message = format!("a filter can be at most {} KiB long", MAX_FILTER_BYTES >> 10);
            return Err(Diagnostic::new(Span::new(0, text.len()), message));
        }
        let owned = text.to_owned();
        let program = on_large_stack(move || compile(&owned))
            .unwrap_or_else(|message| Err(Diagnostic::new(Span::new(0, text.len()), message)))?;
        Ok(Filter { program: Arc::new(program) })
    }

    /// Starts the filter on a JSON text.
    pub fn start(&self, json: &str) -> Results {
        Results::start(&self.program, json)
    }

    /// Runs the filter on a JSON text, and calls `take` with each result as compact JSON, until it breaks.
    /// `is_interrupted` is called several times per second, and ends the filter when it returns true.
    pub fn run(
        &self,
        json: &str,
        is_interrupted: &mut dyn FnMut() -> bool,
        take: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), FilterError> {
        let mut results = self.start(json);
        while let Some(result) = results.next(is_interrupted) {
            if take(&result?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Runs the filter and returns all results.
    pub fn results(&self, json: &str, is_interrupted: &mut dyn FnMut() -> bool) -> Result<Vec<String>, FilterError> {
        let mut results = Vec::new();
        self.run(json, is_interrupted, &mut |result| {
            results.push(result.to_owned());
            ControlFlow::Continue(())
        })?;
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(filter: &str, json: &str) -> Result<Vec<String>, String> {
        let filter = Filter::parse(filter).map_err(|diagnostic| format!("{filter}: {diagnostic}"))?;
        filter.results(json, &mut || false).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(filter: &str, json: &str, results: &[&str]) {
        assert_eq!(run(filter, json), Ok(results.iter().map(|result| result.to_string()).collect()), "{filter}");
    }

    #[test]
    fn filters_yield_what_jq_yields() {
        let nodes = r#"[{"name":"a","size":10},{"name":"b","size":18446744073709551615},{"name":"a","size":1}]"#;
        check(".", "18446744073709551615", &["18446744073709551615"]);
        check(".[].size", nodes, &["10", "18446744073709551615", "1"]);
        check("limit(1; .[]) | .name", nodes, &["\"a\""]);
        check("map(select(.name | test(\"^b\"))) | length", nodes, &["1"]);
        check("group_by(.name) | map(length)", nodes, &["[2,1]"]);
        check(".[] | [.name, .size] | @tsv", nodes, &["\"a\\t10\"", "\"b\\t18446744073709551615\"", "\"a\\t1\""]);
        check("[.[0].name, null, true, \"x\\\"y\"] | @csv", nodes, &[r#""\"a\",,true,\"x\"\"y\"""#]);
        check("@base64, (@base64 | @base64d)", "\"x\"", &["\"eA==\"", "\"x\""]);
        check("fromdate", "\"1970-01-01T00:01:00Z\"", &["60"]);
        check("todate", "60", &["\"1970-01-01T00:01:00Z\""]);
        check("[(1, 2) * (10, 30)], [(1, 2) - (10, 30)]", "0", &["[10,30,20,60]", "[-9,-29,-8,-28]"]);
        check(".a *= 3 | .b |= . * 2", r#"{"a":"x","b":2}"#, &[r#"{"a":"xxx","b":4}"#]);
        check("path(..)", r#"{"a":[1]}"#, &["[]", "[\"a\"]", "[\"a\",0]"]);
        check("[paths], [leaf_paths]", r#"{"a":[1]}"#, &[r#"[["a"],["a",0]]"#, r#"[["a",0]]"#]);
        check("[.[] | tostring] | join(\"-\")", "[1,null,\"x\"]", &["\"1-null-x\""]);
        check("join(\"-\")", "[1,null,\"x\"]", &["\"1--x\""]);
        check("to_entries, with_entries(.value += 1)", r#"{"a":1}"#, &[r#"[{"key":"a","value":1}]"#, r#"{"a":2}"#]);
        check(
            "[limit(3; repeat(1))], [range(3)], [range(0; 10; 4)], [range(3; 0; -2)]",
            "0",
            &["[1,1,1]", "[0,1,2]", "[0,4,8]", "[3,1]"],
        );
        check("[recurse(if . < 3 then . + 1 else empty end)], until(. > 100; . * 2)", "1", &["[1,2,3]", "128"]);
        check(
            "reduce .[] as {size: $s} (0; . + $s), [foreach .[] as $x (0; . + 1)]",
            nodes,
            &["18446744073709551626", "[1,2,3]"],
        );
        check("walk(if type == \"number\" then . + 1 else . end)", "[1,[2]]", &["[2,[3]]"]);
        check("def f(x): x * 2; def g: if . > 9 then . else f(.) | g end; g", "1", &["16"]);
        check("[..] | length", "[[1],[2]]", &["5"]);
        check("(.[] | select(. > 1)) |= . * 10", "[1,2]", &["[1,20]"]);
        check("tojson, (tojson | fromjson)", "[1,\"x\"]", &[r#""[1,\"x\"]""#, "[1,\"x\"]"]);
        check("empty", "1", &[]);
        check(".[]?, (try error(\"x\") catch .)", "1", &["\"x\""]);
    }

    #[test]
    fn large_values_are_filtered_item_by_item() {
        let pad = "-".repeat(400);
        let rows: Vec<String> = (0..3_000)
            .map(|n| format!("{{\"id\": {n}, \"name\": \"node \\\"{n}\", \"x\": [1, {{}}], \"pad\": \"{pad}\"}}"))
            .collect();
        let rows = format!("[{}]", rows.join(", "));
        let nested = format!(
            "{{\"a\": {{\"b]\": \"}}[\", \"items\": [[1], {{\"items\": 2}}]}}, \"items\": {{\"rows\": {rows}, \"z\": 1}}}}"
        );
        assert!(rows.len() > 1 << 20);
        check(".[] | select(.id == 2999) | .name", &rows, &["\"node \\\"2999\""]);
        check("[.[].id] | add", &rows, &["4498500"]);
        check("map(.id) | length, add", &rows, &["3000", "4498500"]);
        check("map(select(.id < 2) | .id)", &rows, &["[0,1]"]);
        check(".items.rows[3].id", &nested, &["3"]);
        check("[.items.rows[].x[1]] | unique", &nested, &["[{}]"]);
        check("[limit(2; .items.rows[] | .id)]", &nested, &["[0,1]"]);
        check(".items.rows[]? | select(.id == 7) | .id", &nested, &["7"]);
        // Whatever is not an array goes through the filter as a whole.
        check("[.items[]] | length", &nested, &["2"]);
        check("[.nothing[]?]", &nested, &["[]"]);
        assert_eq!(run(".nothing[]", &nested), Err("cannot use null as iterable (array or object)".to_owned()));
        assert_eq!(run(".[] | .name.x | .y", &rows), Err("cannot index \"node \\\"0\" with \"x\"".to_owned()));
        assert_eq!(run("map(.id) | .x", &rows).unwrap_err().chars().count(), 141);
        let broken = rows.replace("\"id\": 2999", "\"id\": ?");
        assert!(run("[.[].id]", &broken).unwrap_err().starts_with("invalid JSON at byte "));
        assert!(run("[.[].id]", &rows[..rows.len() - 1]).unwrap_err().starts_with("invalid JSON at byte "));
    }

    #[test]
    fn text_passes_through() {
        check(".a", r#"{"a":"\ud800\u001b"}"#, &[r#""\ud800\u001b""#]);
        check(".[]", "[1e400, 0.1, -0]", &["1e400", "0.1", "-0"]);
    }

    #[test]
    fn failures_say_why() {
        for (filter, json, message) in [
            (".a", "[1]", "cannot index [1] with \"a\""),
            (".[]", "5", "cannot use 5 as iterable (array or object)"),
            ("error(\"no disk\")", "0", "no disk"),
            ("fromjson", "\"[\"", "cannot parse a string as JSON: invalid JSON at byte 1"),
            ("[{}] | @tsv", "0", "cannot use {} as cell of a table"),
            (".", "{", "invalid JSON at byte 1"),
        ] {
            assert_eq!(run(filter, json), Err(message.to_owned()), "{filter}");
        }
        let long = format!("\"{}\"", "x".repeat(1000));
        let message = run(".a", &long).unwrap_err();
        assert!(message.starts_with("cannot index \"xxx") && message.ends_with("x\" with \"a\""), "{message}");
        assert_eq!(message.chars().count(), 141);
    }

    #[test]
    fn filters_that_recurse_or_grow_without_end_fail() {
        for (filter, message) in [
            ("def f: 1 + f; f", "the filter recurses too deeply"),
            ("def f: try f catch f; f", "the filter recurses too deeply"),
            ("def f: [f]; try f catch 1", "the filter recurses too deeply"),
            ("def f: def g: f | .; g, 1; f", "the filter recurses too deeply"),
            ("last(recurse([.]))", "the filter nests values too deeply"),
            ("reduce range(100000000) as $i (.; [.])", "the filter nests values too deeply"),
            ("reduce range(100000000) as $i (.; {a: {b: [1, .]}})", "the filter nests values too deeply"),
            (
                "\"[\" * 1000000 | fromjson",
                "cannot parse a string as JSON: the value is nested more than 10000 levels deep",
            ),
            ("\"x\" * 1000000000000000000000", "the filter makes a string of more than 256 MiB"),
            ("1000000000000 * \"x\"", "the filter makes a string of more than 256 MiB"),
            ("\"x\" | . *= 1000000000000", "the filter makes a string of more than 256 MiB"),
        ] {
            assert_eq!(run(filter, "0"), Err(message.to_owned()), "{filter}");
        }
        check("\"ab\" * 2, 0 * \"x\", -1 * \"x\"", "0", &["\"abab\"", "null", "null"]);
    }

    #[test]
    fn endless_filters_end_when_nobody_waits() {
        for filter in [
            "repeat(.)",
            "range(infinite)",
            "last(range(infinite))",
            "last(repeat(.))",
            "def f: f; f",
            "until(false; .)",
            "[limit(1e18; repeat(1)) | select(false)]",
            "first(range(infinite) | select(. < 0))",
        ] {
            let filter = Filter::parse(filter).unwrap();
            let mut asked = 0;
            let mut is_interrupted = || {
                asked += 1;
                asked > 1
            };
            let result = filter.run("0", &mut is_interrupted, &mut |_| ControlFlow::Continue(()));
            assert_eq!(result, Err(FilterError::Interrupted));
        }
        let mut taken = Vec::new();
        let filter = Filter::parse("range(infinite)").unwrap();
        let result = filter.run("0", &mut || false, &mut |value| {
            taken.push(value.to_owned());
            if taken.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((result, taken.concat()), (Ok(()), "012".to_owned()));
    }

    #[test]
    fn errors_point_at_their_place() {
        for (filter, start, end, message) in [
            (".a | xyzzy", 5, 10, "unknown function `xyzzy`"),
            (".a | selec(.x)", 5, 10, "unknown function `selec`; did you mean `select`?"),
            ("map", 0, 3, "`map` does not take 0 arguments"),
            (".[", 1, 2, "unclosed `[` in the filter"),
            ("\"abc", 0, 1, "unclosed `\"` in the filter"),
            (".a | map(.x]", 11, 12, "expected `)` for the `(` before, found `]`"),
            (".a == 'x'", 6, 7, "`'` is not a quote in a filter; use `\"`"),
            (".a |", 4, 4, "expected a term such as `.name` at the end of the filter"),
            (".a b", 3, 4, "expected the end of the filter, found `b`"),
            (".[] | .node-name", 12, 16, "unknown function `name`; write `.\"node-name\"`"),
            ("$x", 0, 2, "unknown variable `$x`"),
            ("if . then 1", 11, 11, "expected `else` or `end` at the end of the filter"),
            ("env", 0, 3, "unknown function `env`"),
        ] {
            let diagnostic = Filter::parse(filter).expect_err(filter);
            assert_eq!(
                (diagnostic.span.start, diagnostic.span.end, diagnostic.message.as_str()),
                (start, end, message),
                "{filter}"
            );
        }
        for text in [&"(".repeat(10_000), &"-".repeat(16_000), &format!("{}1", "1+".repeat(8000)), &".a".repeat(8000)] {
            drop(Filter::parse(text));
        }
        assert!(Filter::parse(&" ".repeat(20_000)).is_err());
    }
}
