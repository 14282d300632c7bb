//! Key bindings that differ from the line editor's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustyline::{
    Cmd, ConditionalEventHandler, EditMode, Event, EventContext, EventHandler, InputMode, KeyCode, KeyEvent, Modifiers,
    Movement, RepeatCount,
};

use super::super::terminal::suspend::SuspendHandler;
use super::super::terminal::waker::PromptWaker;
use super::history_keys::{HistoryKey, HistoryKeys};
use super::history_search::{HistorySearch, SearchKey};
use super::redraw::FirstRow;
use super::rows_below::RowsBelow;

/// The command that has the editor call [`Completer`](rustyline::completion::Completer), which can replace the line.
/// Other commands can do that only in part.
const REPLACE_LINE: Cmd = Cmd::Complete;

/// The keys that take the hint at the end of the line.
const TAKING_HINTS: [KeyEvent; 4] = [
    KeyEvent(KeyCode::Right, Modifiers::NONE),
    KeyEvent(KeyCode::End, Modifiers::NONE),
    KeyEvent(KeyCode::Char('F'), Modifiers::CTRL),
    KeyEvent(KeyCode::Char('E'), Modifiers::CTRL),
];

/// The state that keys change and the editor's helper reads. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct LineKeys {
    /// Set if the line that the editor returns next should be dropped.
    pub(super) dropped: Arc<AtomicBool>,
    /// Set if the line that the editor returns next should be edited in another program.
    pub(super) opened: Arc<AtomicBool>,
    pub(super) search: HistorySearch,
    pub(super) history: HistoryKeys,
    pub(super) rows_below: RowsBelow,
}

impl LineKeys {
    /// Returns whether the line is accepted as it is, complete or not.
    pub(super) fn accepts_any_line(&self) -> bool {
        [&self.dropped, &self.opened].into_iter().any(|flag| flag.load(Ordering::SeqCst))
    }
}

/// The parts of the prompt on which the key bindings act.
pub(super) struct KeyTargets {
    pub(super) keys: LineKeys,
    pub(super) suspend: SuspendHandler,
    pub(super) first_row: FirstRow,
    pub(super) waker: PromptWaker,
}

/// Returns the key bindings.
pub(super) fn key_bindings(targets: KeyTargets) -> [(Event, EventHandler); 5] {
    let KeyTargets { keys, suspend, first_row, waker } = targets;
    let handler = |handler: Box<dyn ConditionalEventHandler>| EventHandler::Conditional(handler);
    [
        (KeyEvent::ctrl('C').into(), handler(Box::new(DropLine(keys.clone())))),
        (KeyEvent::ctrl('L').into(), handler(Box::new(ClearScreen(first_row.clone(), keys.rows_below.clone())))),
        (KeyEvent::ctrl('Z').into(), handler(Box::new(Suspend(suspend, first_row, keys.rows_below.clone())))),
        (Event::KeySeq(vec![KeyEvent::ctrl('X'), KeyEvent::ctrl('E')]), handler(Box::new(OpenEditor(keys.clone())))),
        (Event::Any, handler(Box::new(OtherKey { keys, waker }))),
    ]
}

/// Ctrl-C: abandons a search of the history. Elsewhere it accepts the line and marks it as dropped. The editor's own way,
/// an error, would lose typed-ahead input.
struct DropLine(LineKeys);

impl ConditionalEventHandler for DropLine {
    fn handle(&self, _event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        self.0.rows_below.key_pressed(false);
        if self.0.search.is_active() {
            self.0.search.press(Some(SearchKey::Abandon));
            return Some(REPLACE_LINE);
        }
        self.0.dropped.store(true, Ordering::SeqCst);
        Some(Cmd::AcceptLine)
    }
}

/// Ctrl-L: the prompt moves to the first row.
struct ClearScreen(FirstRow, RowsBelow);

impl ConditionalEventHandler for ClearScreen {
    fn handle(&self, _event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        self.0.mark_cleared();
        self.1.key_pressed(false);
        Some(Cmd::ClearScreen)
    }
}

/// Ctrl-Z: the editor's own way does not work with a SIGTSTP that is handled.
struct Suspend(SuspendHandler, FirstRow, RowsBelow);

impl ConditionalEventHandler for Suspend {
    fn handle(&self, _event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        self.2.key_pressed(false);
        self.0.suspend_group();
        self.1.mark_left();
        Some(Cmd::Repaint)
    }
}

/// Ctrl-X Ctrl-E: accepts the line and marks it as one to edit in another program.
struct OpenEditor(LineKeys);

impl ConditionalEventHandler for OpenEditor {
    fn handle(&self, _event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        self.0.rows_below.key_pressed(false);
        self.0.opened.store(true, Ordering::SeqCst);
        Some(Cmd::AcceptLine)
    }
}

/// Every other key. It hides the rows below the line. Ctrl-R starts a search of the history; a key that means nothing in
/// the search ends it, and has its usual effect on the line that was found.
struct OtherKey {
    keys: LineKeys,
    waker: PromptWaker,
}

impl OtherKey {
    /// Returns the meaning of a key in the search that may be under way; `None` if it has none.
    fn search_key(&self, event: &Event) -> Option<SearchKey> {
        let Event::KeySeq(keys) = event else { return None };
        Some(match keys[..] {
            [KeyEvent(KeyCode::Char('R'), Modifiers::CTRL)] => SearchKey::Older,
            _ if !self.keys.search.is_active() => return None,
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

/// Returns the meaning of a key for the history outside a search; `None` if it has none.
fn history_key(event: &Event, context: &EventContext<'_>) -> Option<HistoryKey> {
    let Event::KeySeq(keys) = event else { return None };
    let (before, after) = context.line().split_at(context.pos());
    let is_command = is_vi_command(context);
    match keys[..] {
        [KeyEvent(KeyCode::Char('.'), Modifiers::ALT)] => Some(HistoryKey::LastWord),
        // Inside several rows, these keys move the cursor.
        [KeyEvent(KeyCode::Up, Modifiers::NONE)] if !before.contains('\n') => Some(HistoryKey::Older),
        [KeyEvent(KeyCode::Down, Modifiers::NONE)] if !after.contains('\n') => Some(HistoryKey::Newer),
        [KeyEvent(KeyCode::Char('k'), Modifiers::NONE)] if is_command && !before.contains('\n') => {
            Some(HistoryKey::Older)
        }
        [KeyEvent(KeyCode::Char('j'), Modifiers::NONE)] if is_command && !after.contains('\n') => {
            Some(HistoryKey::Newer)
        }
        _ => None,
    }
}

fn is_vi_command(context: &EventContext<'_>) -> bool {
    context.mode() == EditMode::Vi && context.input_mode() == InputMode::Command
}

impl ConditionalEventHandler for OtherKey {
    fn handle(&self, event: &Event, _n: RepeatCount, _positive: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let is_key = |key: KeyEvent| *event == Event::from(key);
        let is_tab = is_key(KeyEvent(KeyCode::Tab, Modifiers::NONE)) || is_key(KeyEvent::ctrl('I'));
        let hides_rows = self.keys.rows_below.key_pressed(is_tab);
        let search_key = self.search_key(event);
        self.keys.search.press(search_key);
        let ends_search = search_key.is_none() && self.keys.search.end();
        if ends_search || hides_rows && !is_tab {
            // The key may have no effect that shows. Another redraw hides the rows.
            self.waker.wake();
        }
        let history_key = history_key(event, context).filter(|_| search_key.is_none());
        self.keys.history.press(history_key);
        if search_key.is_some() || history_key.is_some() {
            return Some(REPLACE_LINE);
        }
        if is_key(KeyEvent(KeyCode::Char('v'), Modifiers::NONE)) && is_vi_command(context) {
            self.keys.opened.store(true, Ordering::SeqCst);
            return Some(Cmd::AcceptLine);
        }
        let is_at_end = context.pos() == context.line().len();
        if is_at_end && context.has_hint() && TAKING_HINTS.into_iter().any(is_key) {
            // The editor would ring the bell.
            let stay = Cmd::Move(Movement::EndOfLine);
            return Some(context.hint_text().map_or(stay, |_| Cmd::CompleteHint));
        }
        None
    }
}
