//! The line editor's helper: completion, hints, highlighting, complete lines, and output above the prompt.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::line_buffer::LineBuffer;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Changeset, CompletionType, Context, Helper};
use unicode_width::UnicodeWidthStr;

use crate::assist::{Completion, TokenStyle, highlight};
use crate::grammar::{Unclosed, is_complete, tokenize, typed_start};
use crate::render::{Palette, is_printable, without_controls};

use super::super::commands::ends_in_filter;
use super::super::completion::{complete_line, hint_line, with_completion_context};
use super::super::engine::Engine;
use super::super::terminal::size::terminal_size;
use super::candidate_list::{CandidateList, GAP};
use super::history_search::HistorySearch;
use super::redraw::RedrawTracker;

/// The width of the widest prompt at which there are hints.
const PROMPT_COLUMNS: usize = 7;

/// The maximum number of candidates that are listed.
const MAX_CANDIDATES: usize = 20_000;

/// A function that returns what has arrived, as text to show above the prompt.
pub(super) type TakeAsyncOutput = Box<dyn Fn() -> String>;

/// The callbacks that rustyline makes.
pub(super) struct ShellHelper {
    pub(super) engine: Rc<RefCell<Engine>>,
    pub(super) take_async_output: TakeAsyncOutput,
    pub(super) palette: Palette,
    pub(super) redraws: RedrawTracker,
    pub(super) search: HistorySearch,
}

impl ShellHelper {
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

/// The hint after the line. It cannot be accepted.
pub(super) enum LineHint {
    /// The further arguments of a command. Its keys have no values.
    Arguments(String),
    /// The row of a search below the line, with a line end before it. Empty once the search has ended, because the editor
    /// keeps a hint until the line changes.
    SearchRow(String, HistorySearch),
}

impl Hint for LineHint {
    fn display(&self) -> &str {
        match self {
            LineHint::SearchRow(_, search) if !search.is_active() => "",
            LineHint::Arguments(text) | LineHint::SearchRow(text, _) => text,
        }
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for ShellHelper {
    type Hint = LineHint;

    fn hint(&self, line: &str, pos: usize, _context: &Context<'_>) -> Option<LineHint> {
        if let Some(row) = self.search.row(terminal_size().0) {
            return Some(LineHint::SearchRow(format!("\n{row}"), self.search.clone()));
        }
        if pos < line.len() || line.is_empty() {
            return None;
        }
        // A hint that wraps would move the prompt.
        let (columns, _) = terminal_size();
        let available = columns.checked_sub(PROMPT_COLUMNS + line.width() + 1)?;
        let line = &line[typed_start(line)..];
        let hint = hint_line(&mut self.engine.borrow_mut(), line, available)?;
        is_printable(&hint).then_some(LineHint::Arguments(hint))
    }
}

impl Validator for ShellHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
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
        if let Some(found) = self.search.found_in(line) {
            return Cow::Owned(self.highlight_found(line, found));
        }
        let (prompt, line) = line.split_at(typed_start(line));
        let styles = with_completion_context(&mut self.engine.borrow_mut(), |_, context| highlight(line, context));
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
            return Cow::Borrowed(self.redraws.ended_search_row());
        }
        if hint.starts_with('\n') {
            self.redraws.search_row_shown();
        }
        Cow::Owned(self.palette.paint(&self.palette.dim, hint))
    }

    fn highlight_candidate<'c>(&self, candidate: &'c str, _completion: CompletionType) -> Cow<'c, str> {
        self.redraws.list_shown();
        match candidate.rfind(GAP) {
            Some(at) => {
                Cow::Owned(candidate[..at].to_owned() + &self.palette.paint(&self.palette.dim, &candidate[at..]))
            }
            None => Cow::Borrowed(candidate),
        }
    }

    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        self.redraws.key_pressed(kind != CmdKind::MoveCursor)
    }
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    /// Returns the candidates for the word at the cursor. In a search of the history, returns the line that it shows.
    fn complete(&self, line: &str, pos: usize, context: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        if let Some(line) = self.search.handle_key(line, pos, context.history()) {
            return Ok((0, vec![Pair { display: String::new(), replacement: line }]));
        }
        let prompt_len = typed_start(line).min(pos);
        let (line, pos) = (&line[prompt_len..], pos - prompt_len);
        let Completion { start, candidates, .. } = complete_line(&mut self.engine.borrow_mut(), &line[..pos]);
        let is_only = candidates.len() == 1;
        let words = tokenize(&line[..pos]).words;
        // More may follow any word of a filter directly.
        let is_in_filter = ends_in_filter(self.engine.borrow().language(), &line[..pos]);
        let is_in_json = words.last().is_some_and(|word| word.open == Some(Unclosed::Bracket));
        let list = CandidateList::new(&candidates, terminal_size());
        let pairs = candidates.into_iter().take(MAX_CANDIDATES).map(|candidate| {
            let display = list.format(&candidate);
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
            Pair { display, replacement }
        });
        Ok((prompt_len + start, pairs.collect()))
    }

    /// Replaces the word at the cursor. In a search of the history, replaces the line.
    fn update(&self, line: &mut LineBuffer, start: usize, elected: &str, changes: &mut Changeset) {
        match self.search.take_cursor() {
            Some(cursor) => line.update(elected, cursor, changes),
            None => {
                let end = line.pos();
                line.replace(start..end, elected, changes);
            }
        }
    }
}
