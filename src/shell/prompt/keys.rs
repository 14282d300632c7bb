//! Key bindings that differ from the line editor's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, EventHandler, KeyCode, KeyEvent, Modifiers, Movement,
    RepeatCount,
};

use super::super::terminal::suspend::SuspendHandler;
use super::redraw::FirstRow;

/// Esc: ends a search of the history and keeps the line that it found, as in bash. Ctrl-G abandons the search. Elsewhere
/// it has no effect.
const STAY: Cmd = Cmd::Move(Movement::ForwardChar(0));

/// Returns the key bindings. `dropped` is set if the line that the editor returns next should be dropped.
pub(super) fn key_bindings(
    dropped: Arc<AtomicBool>,
    suspend: SuspendHandler,
    first_row: FirstRow,
) -> [(KeyEvent, EventHandler); 4] {
    let handler = |handler: Box<dyn ConditionalEventHandler>| EventHandler::Conditional(handler);
    [
        (KeyEvent(KeyCode::Esc, Modifiers::NONE), EventHandler::Simple(STAY)),
        (KeyEvent::ctrl('C'), handler(Box::new(DropLine(dropped)))),
        (KeyEvent::ctrl('L'), handler(Box::new(ClearScreen(first_row.clone())))),
        (KeyEvent::ctrl('Z'), handler(Box::new(Suspend(suspend, first_row)))),
    ]
}

/// Ctrl-C: accepts the line and marks it as dropped. The editor's own way, an error, would lose typed-ahead input.
struct DropLine(Arc<AtomicBool>);

impl ConditionalEventHandler for DropLine {
    fn handle(&self, _event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
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
