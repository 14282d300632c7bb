//! jq inside the programs: parsing, running, completion and hints of any filter.

use std::ops::ControlFlow;

use qmp_shell::assist::{CompletionContext, complete_with, hint};
use qmp_shell::filter::{Filter, FilterError, PANIC_MESSAGE};
use qmp_shell::wire::Message;
use serde::de::IgnoredAny;

use super::{assertions, introspection, spans};

/// The number of results that are looked at.
const MAX_RESULTS: usize = 200;

/// The input is a filter and, after a line end, the JSON text that it is applied to.
pub fn check(data: &[u8]) {
    let Some(text) = assertions::text(data) else { return };
    let (filter, json) = text.rsplit_once('\n').unwrap_or((text, "[{\"a\":[1,\"x\",null]}]"));
    check_help(filter);
    let parsed = match Filter::parse(filter) {
        Ok(parsed) => parsed,
        Err(diagnostic) => return spans::diagnostic(filter, &diagnostic),
    };
    let mut waits = 0;
    let mut is_interrupted = || {
        waits += 1;
        waits > 3
    };
    let mut results = 0;
    let end = parsed.run(json, &mut is_interrupted, &mut |result| {
        // The spelling of a number is kept, even if JSON does not have it.
        let is_json = serde_json::from_str::<IgnoredAny>(result).is_ok();
        let message = format!("{{\"return\": {result}}}");
        assert!(is_json || Message::parse(message.into_bytes()).is_ok(), "{result}");
        results += 1;
        if results < MAX_RESULTS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    if let Err(FilterError::Failed(message)) = end {
        assert!(!message.is_empty() && message.chars().count() < 400, "{message}");
        assert_ne!(message, PANIC_MESSAGE);
    }
}

fn check_help(filter: &str) {
    const COLUMNS: usize = 40;
    for command in ["query-block", "query-named-block-nodes"] {
        let line = format!("{command} | {filter}");
        let mut context = CompletionContext { schema: Some(introspection::schema()), ..CompletionContext::default() };
        let found = complete_with(&line, &mut context, |_| Vec::new());
        assert!(found.start <= line.len() && line.is_char_boundary(found.start));
        assert!(found.candidates.iter().all(|candidate| !candidate.text.is_empty()));
        if let Some(hint) = hint(&line, &context, COLUMNS) {
            assertions::has_no_controls(&hint.text);
        }
    }
}
