//! Ctrl-R: an incremental search of the history.
//!
//! The editor's own search shows no output until the next key. This one is driven by key bindings while the editor reads
//! keys as it always does. The match is the line being edited, and the row below it is a hint with the text searched for.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::history::{History, SearchDirection};
use unicode_width::UnicodeWidthStr;

/// The meaning of a key in a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SearchKey {
    /// Finds the next older match. Starts the search.
    Older,
    /// Finds the next newer match.
    Newer,
    /// Adds a character to the text searched for.
    Extend(char),
    /// Removes the last character of the text, and returns to the match before it.
    Shorten,
    /// Ends the search and keeps the line that it found.
    Keep,
    /// Ends the search and restores the line before it.
    Abandon,
}

/// The search that may be under way. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct HistorySearch(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    search: Option<Search>,
    /// The key that was pressed and is not handled yet.
    key: Option<SearchKey>,
}

impl HistorySearch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_active(&self) -> bool {
        self.state().search.is_some()
    }

    /// Notes the meaning of the last key, which [`HistorySearch::handle_key`] handles; `None` if it has none in a search.
    pub(super) fn press(&self, key: Option<SearchKey>) {
        self.state().key = key;
    }

    /// Ends the search, and keeps the line that it found. Returns whether there was a search.
    pub(super) fn end(&self) -> bool {
        self.state().search.take().is_some()
    }

    /// Handles the key that was pressed. Returns the line to edit from now on and the cursor in it; `None` if no key was
    /// pressed. `line` is the line being edited, `pos` the cursor in it.
    pub(super) fn handle_key(&self, line: &str, pos: usize, history: &dyn History) -> Option<(String, usize)> {
        let mut state = self.state();
        let key = state.key.take()?;
        let Some(search) = &mut state.search else {
            state.search = Some(Search::new(line, pos, history));
            return Some((line.to_owned(), pos));
        };
        match key {
            SearchKey::Older => search.find_next(SearchDirection::Reverse, history),
            SearchKey::Newer => search.find_next(SearchDirection::Forward, history),
            SearchKey::Extend(c) => search.extend(c, history),
            SearchKey::Shorten => search.shorten(),
            SearchKey::Keep => {}
            SearchKey::Abandon => search.steps.clear(),
        }
        let Step { line, found, .. } = search.shown().clone();
        if matches!(key, SearchKey::Keep | SearchKey::Abandon) {
            state.search = None;
        }
        Some((line, found.start))
    }

    /// Returns the row to show below the line: the state of the search, and as much of the end of its text as fits into
    /// `columns`.
    pub(super) fn row(&self, columns: usize) -> Option<String> {
        self.state().search.as_ref().map(|search| search.row(columns))
    }

    /// Returns the place at which the text was found, if the search shows `line`.
    pub(super) fn found_in(&self, line: &str) -> Option<Range<usize>> {
        let state = self.state();
        let shown = state.search.as_ref()?.shown();
        (shown.line == line).then(|| shown.found.clone())
    }
}

#[derive(Debug)]
struct Search {
    text: String,
    direction: SearchDirection,
    /// The line before the search.
    original: Step,
    /// The result for each character of the text.
    steps: Vec<Step>,
}

/// A line that the search shows.
#[derive(Debug, Clone)]
struct Step {
    /// The line's index in the history. That of the line before the search is after the last one.
    index: usize,
    line: String,
    /// The place of the text in the line; the cursor is at its start.
    found: Range<usize>,
    /// Whether the text was not found, so that the line is that of an earlier step.
    is_missing: bool,
}

impl Search {
    fn new(line: &str, pos: usize, history: &dyn History) -> Search {
        let original = Step { index: history.len(), line: line.to_owned(), found: pos..pos, is_missing: false };
        Search { text: String::new(), direction: SearchDirection::Reverse, original, steps: Vec::new() }
    }

    fn shown(&self) -> &Step {
        self.steps.last().unwrap_or(&self.original)
    }

    /// Searches from the entry at `start` on.
    fn find(&self, start: usize, history: &dyn History) -> Option<Step> {
        let found = history.search(&self.text, start, self.direction).ok()??;
        let range = found.pos..found.pos + self.text.len();
        Some(Step { index: found.idx, line: found.entry.into_owned(), found: range, is_missing: false })
    }

    fn extend(&mut self, c: char, history: &dyn History) {
        self.text.push(c);
        let shown = self.shown();
        let newest = history.len().saturating_sub(1);
        let step = self.find(shown.index.min(newest), history);
        self.steps.push(step.unwrap_or_else(|| Step { is_missing: true, ..shown.clone() }));
    }

    fn shorten(&mut self) {
        self.text.pop();
        self.steps.pop();
    }

    /// Finds the next match in this direction that is another line.
    fn find_next(&mut self, direction: SearchDirection, history: &dyn History) {
        self.direction = direction;
        let shown = self.shown();
        let next = |index: usize| match direction {
            SearchDirection::Reverse => index.checked_sub(1),
            SearchDirection::Forward => Some(index + 1),
        };
        let matches = std::iter::successors(Some(shown.clone()), |step| self.find(next(step.index)?, history));
        let other = matches.skip(1).find(|step| step.line != shown.line);
        if let Some(last) = self.steps.last_mut() {
            match other {
                Some(other) => *last = other,
                None => last.is_missing = true,
            }
        }
    }

    fn row(&self, columns: usize) -> String {
        let label = match (self.shown().is_missing, self.direction) {
            (false, SearchDirection::Reverse) => "(reverse search) ",
            (false, SearchDirection::Forward) => "(forward search) ",
            (true, SearchDirection::Reverse) => "(no older match) ",
            (true, SearchDirection::Forward) => "(no newer match) ",
        };
        // The cursor would wrap after the last column.
        let available = columns.saturating_sub(label.len() + "_".len() + 1);
        let mut text = self.text.as_str();
        while text.width() > available {
            text = text.split_at(text.chars().next().map_or(0, char::len_utf8)).1;
        }
        format!("{label}{text}_")
    }
}

#[cfg(test)]
mod tests {
    use rustyline::history::MemHistory;

    use super::*;

    const ENTRIES: &[&str] = &["query-name", "query-block", "stop", "query-block", "cont"];

    /// A line in an editor with a history.
    struct FakeEditor {
        search: HistorySearch,
        history: MemHistory,
        line: (String, usize),
    }

    impl FakeEditor {
        fn new(entries: &[&str], line: &str, pos: usize) -> FakeEditor {
            let mut history = MemHistory::new();
            for entry in entries {
                history.add(entry).unwrap();
            }
            FakeEditor { search: HistorySearch::default(), history, line: (line.to_owned(), pos) }
        }

        /// Presses keys. Returns the line with `|` at the cursor, and the row below it.
        fn press(&mut self, keys: impl IntoIterator<Item = SearchKey>) -> String {
            for key in keys {
                self.search.press(Some(key));
                let (line, pos) = &self.line;
                self.line = self.search.handle_key(line, *pos, &self.history).unwrap();
            }
            let (before, after) = self.line.0.split_at(self.line.1);
            format!("{before}|{after} {}", self.search.row(30).unwrap_or_default())
        }

        fn type_text(&mut self, text: &str) -> String {
            self.press(text.chars().map(SearchKey::Extend))
        }
    }

    #[test]
    fn finds_older_and_newer_lines_that_differ() {
        let mut editor = FakeEditor::new(ENTRIES, "", 0);
        assert_eq!(editor.press([SearchKey::Older]), "| (reverse search) _");
        assert_eq!(editor.type_text("ry"), "que|ry-block (reverse search) ry_");
        assert_eq!(editor.search.found_in("query-block"), Some(3..5));
        assert_eq!(editor.press([SearchKey::Older]), "que|ry-name (reverse search) ry_");
        assert_eq!(editor.press([SearchKey::Older]), "que|ry-name (no older match) ry_");
        assert_eq!(editor.press([SearchKey::Newer]), "que|ry-block (forward search) ry_");
        assert_eq!(editor.press([SearchKey::Newer]), "que|ry-block (no newer match) ry_");
        assert_eq!(editor.press([SearchKey::Older]), "que|ry-name (reverse search) ry_");
        assert_eq!(editor.press([SearchKey::Keep]), "que|ry-name ");
        assert!(!editor.search.is_active());
    }

    #[test]
    fn a_shorter_text_returns_to_its_match() {
        let mut editor = FakeEditor::new(ENTRIES, "dev", 1);
        editor.press([SearchKey::Older]);
        assert_eq!(editor.type_text("o"), "c|ont (reverse search) o_");
        assert_eq!(editor.type_text("p"), "st|op (reverse search) op_");
        assert_eq!(editor.type_text("x"), "st|op (no older match) opx_");
        assert_eq!(editor.press([SearchKey::Shorten]), "st|op (reverse search) op_");
        assert_eq!(editor.press([SearchKey::Shorten]), "c|ont (reverse search) o_");
        assert_eq!(editor.press([SearchKey::Shorten, SearchKey::Shorten]), "d|ev (reverse search) _");
        editor.type_text("st");
        assert_eq!(editor.press([SearchKey::Abandon]), "d|ev ");
    }

    #[test]
    fn an_empty_text_or_history_finds_nothing() {
        let mut editor = FakeEditor::new(ENTRIES, "dev", 3);
        assert_eq!(editor.press([SearchKey::Older, SearchKey::Older]), "dev| (reverse search) _");
        let mut editor = FakeEditor::new(&[], "", 0);
        editor.press([SearchKey::Older]);
        assert_eq!(editor.type_text("é"), "| (no older match) é_");
        assert_eq!(editor.press([SearchKey::Older, SearchKey::Newer]), "| (no newer match) é_");
        assert_eq!(editor.type_text("bcdefghijkl"), "| (no newer match) bcdefghijkl_");
        assert_eq!(editor.type_text("m"), "| (no newer match) cdefghijklm_");
    }

    #[test]
    fn a_key_outside_a_search_is_not_handled() {
        let editor = FakeEditor::new(ENTRIES, "stop", 0);
        assert_eq!(editor.search.handle_key("stop", 0, &editor.history), None);
        assert!(!editor.search.end());
    }
}
