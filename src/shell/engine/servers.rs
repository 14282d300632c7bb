//! Several servers: their connections, and which of them is the current one.
//!
//! The engine's connection is that to the current server. To do something with another, that one is made the current one
//! for the time being, so that nothing else must know that there are several.

use std::sync::Arc;

use crate::session::{Address, ArrivalSignal, MessageQueue};

use super::super::connection::name::name_of_address;
use super::super::connection::{Connection, ConnectionError};
use super::super::line::LineOutcome;
use super::super::output::{Output, ServerLabel};
use super::Engine;

/// The connections of a shell, in the order in which they were added.
#[derive(Debug)]
pub(crate) struct Servers {
    /// `None` for the current one, which is the engine's.
    slots: Vec<Option<Connection>>,
    pub(super) current: usize,
    /// Raised when a message of any server arrives; `None` as long as there is one server.
    pub(super) signal: Option<ArrivalSignal>,
    /// Whether a connection was lost in a script while others were left.
    pub(super) has_lost_connection: bool,
}

impl Default for Servers {
    fn default() -> Self {
        Servers { slots: vec![None], current: 0, signal: None, has_lost_connection: false }
    }
}

/// A server in a list.
pub(crate) struct ListedServer {
    pub(crate) name: String,
    pub(crate) address: Option<String>,
    /// A description of the server, if it is connected.
    pub(crate) description: Option<String>,
    pub(crate) is_current: bool,
}

impl Engine {
    /// Returns whether there are several servers.
    pub(crate) fn has_several_servers(&self) -> bool {
        self.servers.slots.len() > 1
    }

    pub(crate) fn server_count(&self) -> usize {
        self.servers.slots.len()
    }

    /// Returns the index of the current server.
    pub(crate) fn current_server(&self) -> usize {
        self.servers.current
    }

    /// Makes another server the current one.
    pub(crate) fn use_server(&mut self, index: usize) {
        let current = self.servers.current;
        if index == current {
            return;
        }
        if let Some(next) = self.servers.slots.get_mut(index).and_then(Option::take) {
            let former = std::mem::replace(&mut self.connection, next);
            if let Some(slot) = self.servers.slots.get_mut(current) {
                *slot = Some(former);
            }
            self.servers.current = index;
        }
    }

    /// Calls `f` with each server as the current one.
    pub(crate) fn with_each_server(&mut self, mut f: impl FnMut(&mut Engine)) {
        let current = self.servers.current;
        for index in 0..self.server_count() {
            self.use_server(index);
            f(self);
        }
        self.use_server(current);
    }

    pub(super) fn use_server_with_child(&mut self) {
        let has_child = |slot: &Option<Connection>| slot.as_ref().is_some_and(|other| other.child().is_some());
        if let Some(index) = self.servers.slots.iter().position(has_child) {
            self.use_server(index);
        }
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.servers.slots.iter().map(|slot| slot.as_ref().unwrap_or(&self.connection))
    }

    /// Returns the name of the current server, if there are several.
    pub(crate) fn server_label(&self) -> Option<&str> {
        if self.has_several_servers() { self.connection.name() } else { None }
    }

    /// Tells `out` which server its output is about. `is_aside` says whether it is not the server of the line that runs.
    pub(crate) fn label(&self, is_aside: bool, out: &mut dyn Output) {
        if self.has_several_servers() {
            let name = self.connection.name().unwrap_or_default();
            out.set_server(Some(ServerLabel { name, is_aside }));
        }
    }

    /// Returns the index of the server with this name.
    pub(crate) fn find_server(&self, name: &str) -> Option<usize> {
        self.connections().position(|connection| connection.name() == Some(name))
    }

    /// Returns the names of all servers.
    pub(crate) fn server_names(&self) -> Vec<String> {
        self.connections().filter_map(Connection::name).map(str::to_owned).collect()
    }

    /// Returns all servers in order.
    pub(crate) fn list_servers(&mut self) -> Vec<ListedServer> {
        let mut list = Vec::new();
        let current = self.servers.current;
        self.with_each_server(|engine| {
            list.push(ListedServer {
                name: engine.connection.name().unwrap_or_default().to_owned(),
                address: engine.connection.address().map(ToString::to_string),
                description: engine.connection.server().map(|server| server.describe()),
                is_current: engine.servers.current == current,
            });
        });
        list
    }

    /// Adds a server, whose connection is open or not. The one that was alone until now gets a name from its address, unless
    /// it has one. Returns the index of the new one.
    ///
    /// # Errors
    /// If the system has no room for another socket.
    pub fn add_server(&mut self, mut connection: Connection, name: String) -> std::io::Result<usize> {
        if self.servers.signal.is_none() {
            self.servers.signal = Some(ArrivalSignal::new()?);
        }
        if self.connection.name().is_none() {
            let current_name = name_of_address(self.connection.address(), &[&name]);
            self.connection.set_name(current_name);
        }
        connection.set_name(name);
        self.servers.slots.push(Some(connection));
        Ok(self.servers.slots.len() - 1)
    }

    /// Opens the connections to all servers.
    pub fn open_all(&mut self, progress: &mut dyn FnMut(&str)) -> Result<(), ConnectionError> {
        let mut result = Ok(());
        self.with_each_server(|engine| {
            if result.is_ok() {
                result = engine.connection.open(progress).map(drop);
            }
        });
        // From now on, messages are in order of arrival.
        self.multiplex_all();
        result
    }

    /// Connects to another server, and makes it the current one. If that fails in a script, the server is the current one
    /// without a connection, because the lines that follow are meant for it.
    pub(crate) fn connect_to_other(
        &mut self,
        name: &str,
        address: Address,
        is_guest_agent: bool,
        out: &mut dyn Output,
    ) -> Result<(), ConnectionError> {
        let mut connection = self.connection.to_other(address, is_guest_agent);
        connection.set_name(name.to_owned());
        let is_dry_run = self.options.dry_run;
        let opened = if is_dry_run { Ok(()) } else { connection.open(&mut |text| out.show_notice(text)).map(drop) };
        if opened.is_err() && self.options.interactive {
            return opened;
        }
        let index = self.add_server(connection, name.to_owned()).map_err(ConnectionError::Signal)?;
        self.use_server(index);
        if opened.is_ok() && !is_dry_run {
            self.greet(out);
        }
        opened
    }

    /// Returns whether a server other than the current one is connected.
    pub(crate) fn has_other_connection(&self) -> bool {
        self.servers.slots.iter().flatten().any(Connection::is_open)
    }

    /// Returns whether a connection was lost in a script while others were left.
    pub(crate) fn has_lost_connection(&self) -> bool {
        self.servers.has_lost_connection
    }

    /// Returns the outcome of a line for the whole shell. A server that has ended does not end the shell as long as others
    /// are left.
    pub(crate) fn outcome_with_others(&mut self, outcome: LineOutcome, out: &mut dyn Output) -> LineOutcome {
        if !self.has_other_connection() {
            return outcome;
        }
        match outcome {
            LineOutcome::Leave if std::mem::take(&mut self.connection.record.is_quitting) => {
                if self.options.interactive {
                    let name = self.connection.name().unwrap_or_default();
                    out.show_notice(&format!("QEMU at `{name}` has exited."));
                }
                LineOutcome::Done
            }
            LineOutcome::Disconnected => {
                self.servers.has_lost_connection = true;
                LineOutcome::Failed
            }
            outcome => outcome,
        }
    }

    /// Starts the reader threads of all sessions, and returns their queues.
    pub(crate) fn start_readers(&mut self) -> Vec<Arc<MessageQueue>> {
        let others = self.servers.slots.iter_mut().flatten();
        std::iter::once(&mut self.connection).chain(others).filter_map(Connection::start_reader).collect()
    }
}
