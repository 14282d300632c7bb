//! The server at the other end of an open session, and everything that the shell knows of it.
//!
//! This knowledge ends with the session, because another server may be at the same address next time. Only the
//! [`ConnectionRecord`] is kept until another session is open: `.events` and `.wait` need the last events of a server.

pub(crate) mod info;
pub(crate) mod live_names;
mod queries;
pub(crate) mod share;
mod walked_names;

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use crate::monitor::MonitorState;
use crate::schema::manual::Manual;
use crate::session::Session;
use crate::wire::{Reply, Request};

use super::events::advice::UnexplainedFailure;
use super::events::log::EventLog;
use info::ServerInfo;
use share::MonitorShare;

/// A connected server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) session: Session,
    pub(crate) info: ServerInfo,
    pub(crate) is_guest_agent: bool,
    /// Commands that the user stopped waiting for, by id. Their replies are shown when they arrive.
    pub(crate) interrupted_commands: BTreeMap<u64, Request>,
    /// The failures whose reasons the server was asked for, by the id of the query.
    pub(crate) unexplained_failures: BTreeMap<u64, UnexplainedFailure>,
    /// Whether the server has refused a line for its human monitor, because it has none.
    pub(crate) lacks_human_monitor: bool,
    /// The number of times that the server sent something unexpected.
    pub(crate) unexpected_count: usize,
    /// The manual page of the server, once it has been searched for; `None` inside if it is not installed.
    pub(crate) manual: OnceCell<Option<Rc<Manual>>>,
    /// The thread that shares the connection. After the session, which ends first.
    pub(crate) share: Option<MonitorShare>,
}

/// A record of one connection, which is kept after its end until another one is open.
#[derive(Debug, Default)]
pub(crate) struct ConnectionRecord {
    /// The latest events.
    pub(crate) events: EventLog,
    /// Whether a command of the user has been sent.
    pub(crate) has_sent_command: bool,
    /// Whether `quit` was sent, so that the end of the connection is expected.
    pub(crate) is_quitting: bool,
    /// The warnings about lines that have been shown.
    pub(crate) shown_warnings: HashSet<String>,
    /// Whether the user knows that the shell's own monitor answers.
    pub(crate) is_monitor_announced: bool,
    /// The state of the human monitor, which QEMU forgets after each line.
    pub(crate) monitor: MonitorState,
}

impl Server {
    pub(crate) fn new(session: Session, is_guest_agent: bool) -> Server {
        Server {
            session,
            info: ServerInfo::default(),
            is_guest_agent,
            interrupted_commands: BTreeMap::new(),
            unexplained_failures: BTreeMap::new(),
            lacks_human_monitor: false,
            unexpected_count: 0,
            manual: OnceCell::new(),
            share: None,
        }
    }

    /// Returns the reply to a request that opening the session has fulfilled: servers negotiate capabilities only once,
    /// but many scripts begin with it.
    pub(crate) fn fulfilled(&self, request: &Request) -> Option<Reply> {
        #[derive(serde::Deserialize)]
        struct Arguments {
            #[serde(default)]
            enable: Vec<String>,
        }
        let greeting = self.session.greeting().filter(|_| request.command == "qmp_capabilities" && !request.oob)?;
        let arguments: Arguments = serde_json::from_str(request.arguments.as_deref().unwrap_or("{}")).ok()?;
        let is_enabled = arguments.enable.iter().all(|capability| capability == "oob" && greeting.offers_oob());
        is_enabled.then(|| Reply::returning("{}"))
    }

    /// Notes that the user stops waiting for the reply to a command. Returns whether it was sent.
    pub(crate) fn stop_waiting_for(&mut self, id: u64, request: &Request) -> bool {
        let was_sent = self.session.stop_waiting_for(id);
        if was_sent {
            self.interrupted_commands.insert(id, request.clone());
        }
        was_sent
    }

    /// Returns a description of the server for the banner.
    pub(crate) fn describe(&self) -> String {
        match self.session.greeting().and_then(|greeting| greeting.version.as_ref()) {
            Some(version) => format!("QEMU {version}"),
            None if self.is_guest_agent => "a guest agent".to_owned(),
            None => "a QMP server".to_owned(),
        }
    }
}
