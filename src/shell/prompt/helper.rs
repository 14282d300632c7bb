//! The line editor's helper: completion, hints, highlighting, complete lines, and output above the prompt.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use rustyline::completion::{Completer, Pair, longest_common_prefix};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::history::History;
use rustyline::line_buffer::LineBuffer;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Changeset, Context, Helper};
use unicode_width::UnicodeWidthStr;

use crate::assist::{ArgumentHint, Completion, Matching, TokenStyle};
use crate::grammar::{Unclosed, is_complete, tokenize, typed_start};
use crate::render::{Palette, is_printable, without_controls};

use super::super::commands::ends_in_filter;
use super::super::completion::{complete_line_loosely, highlight_line, hint_line};
use super::super::engine::Engine;
use super::super::terminal::size::terminal_size;
use super::candidate_list::CandidateList;
use super::history_keys::suggestion;
use super::history_search::HistorySearch;
use super::keys::LineKeys;
use super::redraw::RedrawTracker;
use super::rows_below::{Room, RowsBelow};

/// The rows that a list leaves free above the line.
const FREE_ROWS: usize = 1;

/// The message of a completion without candidates.
const NO_MATCH: &str = "no match";

/// A function that returns what has arrived, as text to show above the prompt.
pub(super) type TakeAsyncOutput = Box<dyn Fn() -> String>;

/// The callbacks that rustyline makes.
pub(super) struct ShellHelper {
    pub(super) engine: Rc<RefCell<Engine>>,
    pub(super) take_async_output: TakeAsyncOutput,
    pub(super) palette: Palette,
    pub(super) redraws: RedrawTracker,
    pub(super) keys: LineKeys,
    /// The width of the prompt.
    pub(super) prompt_columns: Cell<usize>,
    /// The cursor in the whole line that the completion returned last, until it is taken.
    pub(super) cursor: Cell<Option<usize>>,
}

impl ShellHelper {
    /// Returns the rows below the line, if some are shown.
    fn rows_below(&self, line: &str) -> Option<String> {
        let (columns, rows) = terminal_size();
        let rows_of = |row: &str| 1 + (self.prompt_columns.get() + row.width()) / columns.max(1);
        let line_rows: usize = line.split('\n').map(rows_of).sum();
        self.keys.rows_below.rows(Room { columns, rows: rows.saturating_sub(line_rows + FREE_ROWS) }, &self.palette)
    }

    /// Returns the line of the history that begins like this one, as a hint in at most `columns` columns.
    fn suggestion(&self, line: &str, columns: usize, history: &dyn History) -> Option<LineHint> {
        if self.keys.history.has_found(line) {
            return None;
        }
        let rest = suggestion(line, history)?;
        if self.engine.borrow().aliases.has_secret(&format!("{line}{rest}")) {
            return None;
        }
        let mut text = rest.clone();
        while text.width() + "…".width() > columns {
            text.pop()?;
        }
        if text.len() < rest.len() {
            text.push('…');
        }
        Some(LineHint::Text { text, completion: Some(rest) })
    }

    fn color_of(&self, style: TokenStyle) -> &str {
        match style {
            TokenStyle::Command => "",
            TokenStyle::UnknownCommand | TokenStyle::Refused => &self.palette.error,
            TokenStyle::Key => &self.palette.key,
            TokenStyle::String => &self.palette.string,
            TokenStyle::Number => &self.palette.number,
            TokenStyle::Literal => &self.palette.literal,
            TokenStyle::Comment => &self.palette.dim,
        }
    }

    /// Returns a line that a search of the history found, with the text searched for emphasised.
    fn highlight_found(&self, line: &str, found: Range<usize>) -> String {
        let text = self.palette.paint(&self.palette.found, &without_controls(&line[found.clone()]));
        format!("{}{text}{}", without_controls(&line[..found.start]), without_controls(&line[found.end..]))
    }
}

impl Helper for ShellHelper {}

/// The hint after the line. Rows below the line begin with a line end. They are empty once they are hidden, because the
/// editor keeps a hint until the line changes.
pub(super) enum LineHint {
    /// A text, and what of it can be taken into the line.
    Text { text: String, completion: Option<String> },
    /// The row of a search.
    SearchRow(String, HistorySearch),
    /// Candidates, or a message.
    Rows(String, RowsBelow),
}

impl Hint for LineHint {
    fn display(&self) -> &str {
        match self {
            LineHint::SearchRow(_, search) if !search.is_active() => "",
            LineHint::Rows(_, rows) if !rows.are_shown() => "",
            LineHint::Text { text, .. } | LineHint::SearchRow(text, _) | LineHint::Rows(text, _) => text,
        }
    }

    fn completion(&self) -> Option<&str> {
        match self {
            LineHint::Text { completion, .. } => completion.as_deref(),
            _ => None,
        }
    }
}

impl Hinter for ShellHelper {
    type Hint = LineHint;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<LineHint> {
        if let Some(row) = self.keys.search.row(terminal_size().0) {
            return Some(LineHint::SearchRow(format!("\n{row}"), self.keys.search.clone()));
        }
        if let Some(rows) = self.rows_below(line) {
            return Some(LineHint::Rows(rows, self.keys.rows_below.clone()));
        }
        if pos < line.len() || line.is_empty() {
            return None;
        }
        // A hint that wraps would move the prompt.
        let (columns, _) = terminal_size();
        let available = columns.checked_sub(self.prompt_columns.get() + line.width() + 1)?;
        let line = &line[typed_start(line)..];
        if let Some(suggestion) = self.suggestion(line, available, context.history()) {
            return Some(suggestion);
        }
        let ArgumentHint { text, first } = hint_line(&mut self.engine.borrow_mut(), line, available)?;
        is_printable(&text).then_some(LineHint::Text { text, completion: first })
    }
}

impl Validator for ShellHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        if self.keys.accepts_any_line() {
            return Ok(ValidationResult::Valid(None));
        }
        let language = self.engine.borrow().language();
        match is_complete(context.input(), language) {
            true => Ok(ValidationResult::Valid(None)),
            false => Ok(ValidationResult::Incomplete),
        }
    }
}

impl Highlighter for ShellHelper {
    /// Returns the prompt, with output before it. Rustyline calls this at each redraw, with the cursor at the beginning
    /// of a cleared row. The output stays above the prompt; the editor, which counts from the prompt on, does not
    /// notice it.
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        let output = (self.take_async_output)();
        let correction = self.redraws.begin(!output.is_empty());
        match output.is_empty() && correction.is_empty() {
            true => Cow::Borrowed(prompt),
            false => Cow::Owned(format!("{correction}{output}{prompt}")),
        }
    }

    /// Leaves out the control characters of a paste, because the editor assumes that they have no width.
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        if !self.palette.is_colored() || line.is_empty() {
            return without_controls(line);
        }
        if let Some(found) = self.keys.search.found_in(line) {
            return Cow::Owned(self.highlight_found(line, found));
        }
        let (prompt, line) = line.split_at(typed_start(line));
        let styles = highlight_line(&mut self.engine.borrow_mut(), line);
        let mut out = String::with_capacity(line.len() * 2);
        out.push_str(&without_controls(prompt));
        let mut end = 0;
        for (span, style) in styles {
            out.push_str(&without_controls(&line[end..span.start]));
            out.push_str(&self.palette.paint(self.color_of(style), &without_controls(&line[span.range()])));
            end = span.end;
        }
        out.push_str(&without_controls(&line[end..]));
        Cow::Owned(out)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if hint.is_empty() {
            return Cow::Owned(self.redraws.hidden_rows_below());
        }
        if hint.starts_with('\n') {
            self.redraws.rows_below_shown(hint.matches('\n').count());
        }
        let painted = || self.palette.paint(&self.palette.dim, hint);
        Cow::Owned(self.keys.rows_below.painted(hint).unwrap_or_else(painted))
    }

    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        self.redraws.key_pressed(kind != CmdKind::MoveCursor)
    }
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    /// Returns the text that completes the word at the cursor as far as possible, and shows the candidates below the line
    /// if there are several. For a key that takes a line from the history, returns that line.
    fn complete(&self, line: &str, pos: usize, context: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let only = |replacement: String| vec![Pair { display: String::new(), replacement }];
        let found = self.keys.search.handle_key(line, pos, context.history());
        if let Some((line, cursor)) = found.or_else(|| self.keys.history.handle_key(line, pos, context.history())) {
            self.cursor.set(Some(cursor));
            return Ok((0, only(line)));
        }
        let prompt_len = typed_start(line).min(pos);
        let (line, pos) = (&line[prompt_len..], pos - prompt_len);
        let Completion { start, candidates, .. } = complete_line_loosely(&mut self.engine.borrow_mut(), &line[..pos]);
        if candidates.is_empty() {
            self.keys.rows_below.show_message(NO_MATCH);
            return Ok((prompt_len + pos, only(String::new())));
        }
        let is_only = candidates.len() == 1;
        let words = tokenize(&line[..pos]).words;
        // More may follow any word of a filter directly.
        let is_in_filter = ends_in_filter(self.engine.borrow().language(), &line[..pos]);
        let is_in_json = words.last().is_some_and(|word| word.open == Some(Unclosed::Bracket));
        if !is_only {
            let list = CandidateList::new(&candidates, terminal_size());
            self.keys.rows_below.show_list(candidates.iter().map(|candidate| list.format(candidate)).collect());
        }
        let replacements = candidates.into_iter().map(|candidate| {
            let mut replacement = candidate.text;
            let last = replacement.chars().last();
            // The character that ends the word may follow the cursor already.
            if last.is_some_and(|c| matches!(c, '"' | '\'' | '=' | '.') && line[pos..].starts_with(c)) {
                replacement.pop();
            } else if is_only
                && !is_in_json
                && !is_in_filter
                && !line[pos..].starts_with(char::is_whitespace)
                && !replacement.ends_with(['/', '=', '(', '.', ' '])
            {
                // A complete word is followed by a space.
                replacement.push(' ');
            }
            replacement
        });
        let replacements: Vec<String> = replacements.collect();
        let common = longest_common_prefix(&replacements).unwrap_or_default();
        let typed = &line[start..pos];
        // Candidates that only contain what is typed may have less in common.
        let is_longer = is_only || Matching::Anywhere.accepts(common, typed);
        Ok((prompt_len + start, only(if is_longer { common } else { typed }.to_owned())))
    }

    /// Replaces the word at the cursor, or the whole line.
    fn update(&self, line: &mut LineBuffer, start: usize, elected: &str, changes: &mut Changeset) {
        let end = line.pos();
        match self.cursor.take() {
            Some(cursor) => line.update(elected, cursor, changes),
            None if line[start..end] != *elected => line.replace(start..end, elected, changes),
            None => {}
        }
    }
}
