//! The connection to the current server: opening it, switching it, and its end.

use crate::render::capitalise;
use crate::session::{Address, Disconnected};
use crate::wire::Request;

use super::super::connection::ConnectionError;
use super::super::hmp::is_quit;
use super::super::line::{InputLine, LineOutcome};
use super::super::output::Output;
use super::Engine;

impl Engine {
    /// Opens the session if it is not open. At a prompt, the next command opens a lost connection again. Must be called
    /// before a line is judged by the server's introspection.
    pub(crate) fn ensure_open(&mut self, line: &InputLine<'_>, out: &mut dyn Output) -> Result<(), LineOutcome> {
        if self.options.dry_run {
            return Ok(());
        }
        if self.options.interactive {
            // The connection may have been lost a moment ago, and another server may be at the address.
            self.drain(out);
        }
        if self.connection.is_open() {
            return Ok(());
        }
        if !self.options.interactive {
            out.report_failure("not connected", line, Some("NotSent"));
            return Err(LineOutcome::Failed);
        }
        self.reopen(out).map_err(|error| {
            let message = match error {
                ConnectionError::Connect(_) => format!("{error}. Nothing was sent."),
                _ => error.to_string(),
            };
            // Without a class: a prompt has no reply slots.
            out.report_failure(&message, line, None);
            LineOutcome::Failed
        })
    }

    /// Opens a session with the server at the connection's address.
    pub(crate) fn reopen(&mut self, out: &mut dyn Output) -> Result<(), ConnectionError> {
        self.finish_queries();
        self.connection.open(&mut |text| out.show_notice(text))?;
        self.greet(out);
        Ok(())
    }

    /// Connects to another server. If that fails, the connection to the current one stays open at a prompt. In a script it
    /// is closed, because the lines that follow are meant for the other server.
    pub(crate) fn switch(
        &mut self,
        address: Address,
        is_guest_agent: bool,
        out: &mut dyn Output,
    ) -> Result<(), ConnectionError> {
        self.finish_queries();
        let replaced = self.connection.switch(address, is_guest_agent, &mut |text| out.show_notice(text));
        if replaced.is_err() && !self.options.interactive {
            self.connection.close();
        }
        if let Some(mut server) = replaced? {
            server.finish_queries();
            let commands = command_names(server.interrupted_commands.values());
            if !commands.is_empty() {
                out.show_notice(&format!("{commands} may still be running in the server that was left."));
            }
        }
        self.greet(out);
        Ok(())
    }

    /// Shows a banner at a prompt, after a connection was opened.
    pub(super) fn greet(&mut self, out: &mut dyn Output) {
        self.connection.record.is_quitting = false;
        if self.options.interactive {
            self.connection.start_reader();
            self.label(true, out);
            out.show_notice(&self.banner());
            self.announce_monitor(out);
            self.label(false, out);
        }
    }

    /// Returns a sentence about the server that the shell is connected to.
    pub(crate) fn banner(&mut self) -> String {
        let location = self.connection.address().map(|address| format!(" at {address}")).unwrap_or_default();
        let server = self.connection.server().map(|server| server.describe()).unwrap_or_default();
        format!("Connected to {server}{location}.")
    }

    /// Reports the end of a connection while no reply was awaited.
    pub(crate) fn disconnected_while_idle(&mut self, disconnected: &Disconnected, out: &mut dyn Output) {
        let is_expected = self.connection.record.is_quitting;
        let commands = command_names(&self.connection.close());
        if self.has_several_servers() {
            self.label(true, out);
            self.servers.has_lost_connection |= !is_expected;
        }
        let unknown = match commands.is_empty() {
            true => String::new(),
            false => format!(" {commands} may or may not have been executed."),
        };
        let reason = capitalise(&disconnected.to_string());
        let hint = self.reconnect_hint();
        out.show_notice(&format!("{reason}.{unknown}{hint}"));
    }

    pub(super) fn disconnected_in_flight(
        &mut self,
        disconnected: &Disconnected,
        request: &Request,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        self.connection.close();
        if is_quit(request) {
            self.connection.record.is_quitting = true;
            return LineOutcome::Leave;
        }
        let reason = capitalise(&disconnected.to_string());
        let hint = self.reconnect_hint();
        let command = &request.command;
        let message = format!("{reason} before `{command}` was answered. It may or may not have been executed.{hint}");
        out.report_failure(&message, line, Some("ConnectionLost"));
        LineOutcome::Disconnected
    }

    /// Returns a sentence about what to expect after a lost connection.
    pub(super) fn reconnect_hint(&self) -> String {
        match self.connection.connected_child() {
            Some(child) => format!(" {}", child.describe_exit()),
            None if self.options.interactive && self.has_several_servers() => {
                " The next command to it will reconnect.".to_owned()
            }
            None if self.options.interactive => " The next command will reconnect.".to_owned(),
            None => String::new(),
        }
    }
}

/// Returns the names of commands, joined with commas.
fn command_names<'a>(requests: impl IntoIterator<Item = &'a Request>) -> String {
    let names: Vec<String> = requests.into_iter().map(|request| format!("`{}`", request.command)).collect();
    names.join(", ")
}
