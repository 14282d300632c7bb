//! Up, Down and Alt-.: lines of the history that begin as the typed one, and the last words of lines.
//!
//! As with the search, key bindings note the key, and the editor's completion replaces the line.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::history::{History, SearchDirection};

use crate::grammar::{line_has_secret, tokenize};
use crate::render::is_printable;

/// A key that takes text from the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HistoryKey {
    /// The line before that begins with the typed text.
    Older,
    /// The line after that begins with the typed text, and at last the typed line itself.
    Newer,
    /// The last word of the line before; pressed again, that of the line before it.
    LastWord,
}

/// The state of these keys. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct HistoryKeys(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The key that was pressed and is not handled yet.
    key: Option<HistoryKey>,
    /// The corrected form of the last line, which comes before the history.
    correction: Option<String>,
    walk: Option<Walk>,
    word: Option<InsertedWord>,
}

/// A line and the cursor in it.
type Edited = (String, usize);

impl HistoryKeys {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the meaning of the last key, which [`HistoryKeys::handle_key`] handles; `None` if it has none here.
    pub(super) fn press(&self, key: Option<HistoryKey>) {
        self.state().key = key;
    }

    /// Begins another line. `correction` is offered as the line before it.
    pub(super) fn begin_line(&self, correction: Option<String>) {
        *self.state() = State { correction, ..State::default() };
    }

    /// Returns whether a key has brought this line from the history.
    pub(super) fn has_found(&self, line: &str) -> bool {
        self.state().walk.as_ref().is_some_and(|walk| walk.shown == line && walk.shown != walk.original)
    }

    /// Handles the key that was pressed. Returns the line to edit from now on; `None` if no key was pressed.
    pub(super) fn handle_key(&self, line: &str, pos: usize, history: &dyn History) -> Option<Edited> {
        let mut state = self.state();
        let state = &mut *state;
        let key = state.key.take()?;
        let unchanged = || (line.to_owned(), pos);
        if key == HistoryKey::LastWord {
            let before = state.word.take().filter(|word| (word.line.as_str(), word.pos) == (line, pos));
            state.word = InsertedWord::next(before, line, pos, history);
            return Some(state.word.as_ref().map_or_else(unchanged, |word| (word.line.clone(), word.pos)));
        }
        let continued = state.walk.take().filter(|walk| walk.shown == line);
        let mut walk = continued.unwrap_or_else(|| Walk::new(line, pos, history));
        let found = walk.find(key == HistoryKey::Older, state.correction.as_deref(), history);
        state.walk = Some(walk);
        Some(found.map_or_else(unchanged, |line| (line.clone(), line.len())))
    }
}

/// A walk through the lines that begin with the same text.
#[derive(Debug)]
struct Walk {
    prefix: String,
    /// The line before the walk.
    original: String,
    /// The number of the shown line: its index in the history, then the correction's, then that of the original line.
    number: usize,
    shown: String,
}

impl Walk {
    fn new(line: &str, pos: usize, history: &dyn History) -> Walk {
        let original = line.to_owned();
        Walk { prefix: line[..pos].to_owned(), shown: original.clone(), original, number: history.len() + 1 }
    }

    /// Finds the next line that differs from the shown one.
    fn find(&mut self, is_older: bool, correction: Option<&str>, history: &dyn History) -> Option<String> {
        let newest = history.len() + 1;
        let mut number = self.number;
        loop {
            number = if is_older { number.checked_sub(1)? } else { number + 1 };
            let line = if number > newest {
                return None;
            } else if number == newest {
                Some(Cow::Borrowed(self.original.as_str()))
            } else if number == history.len() {
                correction.map(Cow::Borrowed)
            } else {
                entry(history, number)
            };
            let is_original = number == newest;
            let Some(line) = line else { continue };
            if is_original || line.starts_with(&self.prefix) && line != self.shown.as_str() {
                self.shown = line.into_owned();
                self.number = number;
                return Some(self.shown.clone());
            }
        }
    }
}

/// The last word of a line, inserted at the cursor.
#[derive(Debug)]
struct InsertedWord {
    /// The index of its line in the history.
    index: usize,
    start: usize,
    /// The line with the word, and the cursor after it.
    line: String,
    pos: usize,
}

impl InsertedWord {
    /// Inserts a word, or replaces the one inserted before with that of an older line.
    fn next(before: Option<InsertedWord>, line: &str, pos: usize, history: &dyn History) -> Option<InsertedWord> {
        let (index, start) = before.as_ref().map_or((history.len(), pos), |word| (word.index, word.start));
        let (index, word) = (0..index).rev().find_map(|index| {
            let entry = entry(history, index)?;
            let span = tokenize(&entry).words.last()?.span;
            let word = entry[span.range()].to_owned();
            (before.is_none() || word != line[start..pos]).then_some((index, word))
        })?;
        let line = format!("{}{word}{}", &line[..start], &line[pos..]);
        Some(InsertedWord { index, start, line, pos: start + word.len() })
    }
}

fn entry(history: &dyn History, index: usize) -> Option<Cow<'_, str>> {
    history.get(index, SearchDirection::Reverse).ok().flatten().map(|found| found.entry)
}

/// Returns the rest of the latest line that begins with `line`. Lines with secrets are not offered, since the screen may
/// be seen by others.
pub(super) fn suggestion(line: &str, history: &dyn History) -> Option<String> {
    if line.trim().is_empty() {
        return None;
    }
    (0..history.len()).rev().find_map(|index| {
        let entry = entry(history, index)?;
        let rest = entry.strip_prefix(line).filter(|rest| !rest.trim().is_empty())?;
        (is_printable(rest) && !line_has_secret(&entry)).then(|| rest.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use rustyline::history::MemHistory;

    use super::*;

    fn history(entries: &[&str]) -> MemHistory {
        let mut history = MemHistory::new();
        for entry in entries {
            history.add(entry).unwrap();
        }
        history
    }

    /// Presses keys, and returns each line with `|` at the cursor.
    fn press(keys: &HistoryKeys, history: &MemHistory, line: (&str, usize), pressed: &[HistoryKey]) -> Vec<String> {
        let (mut line, mut pos) = (line.0.to_owned(), line.1);
        let mut lines = Vec::new();
        for key in pressed {
            keys.press(Some(*key));
            (line, pos) = keys.handle_key(&line, pos, history).unwrap();
            lines.push(format!("{}|{}", &line[..pos], &line[pos..]));
        }
        lines
    }

    #[test]
    fn walks_through_lines_that_begin_alike() {
        use HistoryKey::{Newer, Older};
        let history = history(&["query-name", "stop", "query-block", "cont", "query-block"]);
        let keys = HistoryKeys::default();
        let lines = press(&keys, &history, ("qu", 2), &[Older, Older, Older, Newer, Newer, Newer]);
        assert_eq!(lines, ["query-block|", "query-name|", "query-name|", "query-block|", "qu|", "qu|"]);
        let lines = press(&keys, &history, ("", 0), &[Older, Older, Older, Newer]);
        assert_eq!(lines, ["query-block|", "cont|", "query-block|", "cont|"]);
        // Another line begins another walk; only the text before the cursor counts.
        assert_eq!(press(&keys, &history, ("sXX", 1), &[Older, Newer]), ["stop|", "sXX|"]);
        assert_eq!(press(&keys, &history, ("x", 1), &[Older]), ["x|"]);
        assert_eq!(keys.handle_key("x", 1, &history), None);
    }

    #[test]
    fn a_correction_comes_before_the_history() {
        use HistoryKey::{Newer, Older};
        let history = history(&["stop", "query-statsu"]);
        let keys = HistoryKeys::default();
        keys.begin_line(Some("query-status".to_owned()));
        let lines = press(&keys, &history, ("", 0), &[Older, Older, Older, Newer, Newer, Newer]);
        assert_eq!(lines, ["query-status|", "query-statsu|", "stop|", "query-statsu|", "query-status|", "|"]);
        assert_eq!(press(&keys, &history, ("s", 1), &[Older]), ["stop|"]);
        keys.begin_line(None);
        assert_eq!(press(&keys, &history, ("", 0), &[Older]), ["query-statsu|"]);
    }

    #[test]
    fn inserts_the_last_words_of_lines() {
        use HistoryKey::LastWord;
        let history = history(&["device_del net0", "query-block", "job-pause id='a b'", "job-dismiss id='a b' "]);
        let keys = HistoryKeys::default();
        let lines = press(&keys, &history, ("x  y", 2), &[LastWord, LastWord, LastWord, LastWord]);
        assert_eq!(lines, ["x id='a b'| y", "x query-block| y", "x net0| y", "x net0| y"]);
        assert_eq!(press(&keys, &MemHistory::new(), ("x", 1), &[LastWord]), ["x|"]);
    }

    #[test]
    fn suggests_the_latest_line_without_a_secret() {
        let history = history(&["set_link up", "stop", "stop  ", "a\nb", "set_password protocol=vnc password=x"]);
        for (line, expected) in
            [("set_", Some("link up")), ("st", Some("op  ")), ("stop", None), ("a", None), (" ", None)]
        {
            assert_eq!(suggestion(line, &history).as_deref(), expected, "{line}");
        }
    }
}
