//! Ending QEMU: the question before `quit`, and the end of the connection after it.

use std::time::{Duration, Instant};

use crate::session::Wait;

use super::super::events::filter::EventFilter;
use super::super::hmp::quit_request;
use super::super::line::LineOutcome;
use super::super::output::Output;
use super::Engine;
use super::exchange::StopReason;

/// The time that QEMU may take to close the connection after its reply to `quit`.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

impl Engine {
    /// Returns whether `quit` was sent to the current server, and no other is left.
    pub fn is_quitting(&self) -> bool {
        self.connection.record.is_quitting && !self.has_other_connection()
    }

    /// Asks the user, if there is one, for confirmation before QEMU is ended.
    pub(super) fn confirm_quit(&mut self, out: &mut dyn Output) -> bool {
        if !self.options.interactive || self.options.dry_run || !self.settings.confirm {
            return true;
        }
        let leaving = match self.connection.connected_child() {
            Some(_) => "so does leaving this shell, which started it",
            None => "Ctrl-D leaves only the shell",
        };
        let name = self.server_label().map(|name| format!(" `{name}`")).unwrap_or_default();
        out.confirm(&format!("`quit` terminates QEMU and the VM immediately; {leaving}.\nTerminate QEMU{name}?"))
    }

    /// Ends the QEMU that this program started, without asking. Leaves any other QEMU alone.
    pub fn end_child(&mut self, out: &mut dyn Output) {
        self.use_server_with_child();
        let Some(child) = self.connection.child().cloned() else {
            return;
        };
        let is_connected = self.connection.connected_child().is_some();
        let is_quit_sent = match self.connection.session().filter(|_| is_connected) {
            Some(session) => session.send(&quit_request()).is_ok(),
            None => is_connected && self.connection.record.is_quitting,
        };
        if is_quit_sent {
            self.settings.events = EventFilter::Nothing;
            let _ = self.after_quit(out);
        } else {
            child.kill();
        }
    }

    /// Receives everything that the server sends while it exits.
    pub(super) fn after_quit(&mut self, out: &mut dyn Output) -> LineOutcome {
        if self.options.dry_run {
            return LineOutcome::Done;
        }
        self.connection.record.is_quitting = true;
        let deadline = Instant::now() + QUIT_TIMEOUT;
        while let StopReason::Interrupted | StopReason::OutputFailed =
            self.receive(None, Wait::Until(deadline), out, |_, _| false)
        {
            // The wait is short, so it continues.
            if out.has_failed() {
                break;
            }
        }
        self.connection.close();
        LineOutcome::Leave
    }
}
