//! The keys that do something of our own in the line editor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, EventHandler, KeyEvent, RepeatCount};

use super::redraw::FirstRow;
use crate::shell::terminal::suspend::SuspendHandler;

/// The keys, and what each does. `dropped` is set where the line that the editor gives next is to be dropped.
pub(crate) fn keys(dropped: Arc<AtomicBool>, stops: SuspendHandler, top: FirstRow) -> [(KeyEvent, EventHandler); 3] {
    let clear = Clear(top.clone());
    [
        (KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(DropLine(dropped)))),
        (KeyEvent::ctrl('L'), EventHandler::Conditional(Box::new(clear))),
        (KeyEvent::ctrl('Z'), EventHandler::Conditional(Box::new(Suspend(stops, top)))),
    ]
}

/// Ctrl-C. Were the editor left by an error, what is typed behind it would be lost; so the line is taken like any other,
/// and dropped.
struct DropLine(Arc<AtomicBool>);

impl ConditionalEventHandler for DropLine {
    fn handle(&self, _event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        self.0.store(true, Ordering::SeqCst);
        Some(Cmd::AcceptLine)
    }
}

/// Ctrl-L. It is to be known where the prompt stands then.
struct Clear(FirstRow);

impl ConditionalEventHandler for Clear {
    fn handle(&self, _event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        self.0.mark_cleared();
        Some(Cmd::ClearScreen)
    }
}

/// Ctrl-Z. The editor's own way to stop does not wait for a signal that is caught.
struct Suspend(SuspendHandler, FirstRow);

impl ConditionalEventHandler for Suspend {
    fn handle(&self, _event: &Event, _n: RepeatCount, _positive: bool, _context: &EventContext<'_>) -> Option<Cmd> {
        self.0.suspend();
        self.1.leave();
        Some(Cmd::Repaint)
    }
}
