//! Key bindings that differ from the line editor's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, EventHandler, KeyCode, KeyEvent, Modifiers, RepeatCount,
};

use super::super::terminal::suspend::SuspendHandler;
use super::super::terminal::waker::PromptWaker;
use super::history_search::{HistorySearch, SearchKey};
use super::redraw::FirstRow;

/// The command that has the editor call [`Completer`](rustyline::completion::Completer), which can replace the line.
/// Other commands can do that only in part.
const HANDLE_SEARCH_KEY: Cmd = Cmd::Complete;

/// The parts of the prompt on which the key bindings act.
pub(super) struct KeyTargets {
    /// Set if the line that the editor returns next should be dropped.
    pub(super) dropped: Arc<AtomicBool>,
    pub(super) suspend: SuspendHandler,
    pub(super) first_row: FirstRow,
    pub(super) search: HistorySearch,
    pub(super) waker: PromptWaker,
}

/// Returns the key bindings.
pub(super) fn key_bindings(targets: KeyTargets) -> [(Event, EventHandler); 4] {
    let KeyTargets { dropped, suspend, first_row, search, waker } = targets;
    let handler = |handler: Box<dyn ConditionalEventHandler>| EventHandler::Conditional(handler);
    [
        (KeyEvent::ctrl('C').into(), handler(Box::new(DropLine(dropped, search.clone())))),
        (KeyEvent::ctrl('L').into(), handler(Box::new(ClearScreen(first_row.clone())))),
        (KeyEvent::ctrl('Z').into(), handler(Box::new(Suspend(suspend, first_row)))),
        (Event::Any, handler(Box::new(SearchHistory(search, waker)))),
    ]
}

/// Ctrl-C: abandons a search of the history. Elsewhere it accepts the line and marks it as dropped. The editor's own way,
/// an error, would lose typed-ahead input.
struct DropLine(Arc<AtomicBool>, HistorySearch);

impl ConditionalEventHandler for DropLine {
    fn handle(&self, _event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        if self.1.is_active() {
            self.1.press(Some(SearchKey::Abandon));
            return Some(HANDLE_SEARCH_KEY);
        }
        self.0.store(true, Ordering::SeqCst);
        Some(Cmd::AcceptLine)
    }
}

/// Ctrl-L: the prompt moves to the first row.
struct ClearScreen(FirstRow);

impl ConditionalEventHandler for ClearScreen {
    fn handle(&self, _event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        self.0.mark_cleared();
        Some(Cmd::ClearScreen)
    }
}

/// Ctrl-Z: the editor's own way does not work with a SIGTSTP that is handled.
struct Suspend(SuspendHandler, FirstRow);

impl ConditionalEventHandler for Suspend {
    fn handle(&self, _event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        self.0.suspend_group();
        self.1.mark_left();
        Some(Cmd::Repaint)
    }
}

/// Every other key: Ctrl-R starts a search of the history. A key that means nothing in the search ends it, and has its
/// usual effect on the line that was found.
struct SearchHistory(HistorySearch, PromptWaker);

impl SearchHistory {
    /// Returns the meaning of a key in the search that may be under way; `None` if it has none.
    fn meaning_of(&self, event: &Event) -> Option<SearchKey> {
        let Event::KeySeq(keys) = event else { return None };
        Some(match keys[..] {
            [KeyEvent(KeyCode::Char('R'), Modifiers::CTRL)] => SearchKey::Older,
            _ if !self.0.is_active() => return None,
            [KeyEvent(KeyCode::Char('S'), Modifiers::CTRL)] => SearchKey::Newer,
            [KeyEvent(KeyCode::Char('G'), Modifiers::CTRL)] => SearchKey::Abandon,
            [KeyEvent(KeyCode::Esc, Modifiers::NONE)] => SearchKey::Keep,
            [KeyEvent(KeyCode::Backspace, Modifiers::NONE) | KeyEvent(KeyCode::Char('H'), Modifiers::CTRL)] => {
                SearchKey::Shorten
            }
            [KeyEvent(KeyCode::Char(c), Modifiers::NONE)] => SearchKey::Extend(c),
            _ => return None,
        })
    }
}

impl ConditionalEventHandler for SearchHistory {
    fn handle(&self, event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        let key = self.meaning_of(event);
        self.0.press(key);
        if key.is_none() && self.0.end() {
            // The key may have no effect that shows. Another redraw hides the row of the search.
            self.1.wake();
        }
        key.map(|_| HANDLE_SEARCH_KEY)
    }
}
