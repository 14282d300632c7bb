//! `--events`: the events of one or several servers as JSON Lines.
//!
//! One thread for each server reads, and one thread writes. If the output is read slowly, the servers are read slowly:
//! no event is dropped, and the events of each server stay in order.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::args::QmpArgs;
use super::servers::{Server, Servers, reserve_descriptors};
use crate::cli::exit_status::{Failure, Status};
use crate::cli::stdio::{finish_printing, report};
use crate::render::{printable, sanitize};
use crate::schema::{Schema, nearest};
use crate::session::{Options, Received, Session, Waited};
use crate::shell::{Connection, EventFilter, JsonMessageWriter};
use crate::wire::{Event, ReplyBody, Request};

/// The time limit for introspection, which warnings about unknown events need.
const EVENT_LIST_TIMEOUT: Duration = Duration::from_millis(500);

/// The maximum number of updates that wait to be written.
const MAX_QUEUED_UPDATES: usize = 256;

/// A message from the thread of a server.
enum Update {
    /// The session is open: no event is missed from now on.
    Connected,
    /// An event that passes the filter.
    Event(Box<Event>),
    Notice(String),
    /// The error that ended the thread.
    Ended(String, Status),
}

/// An update, and the index of its server.
type ServerUpdate = (usize, Update);

/// Follows events until the count is reached, the time limit is reached, or no server is left.
pub(super) fn follow(args: &QmpArgs, globs: &[String], servers: Servers, options: &Options) -> Result<Status, Failure> {
    let Servers { servers, has_several } = servers;
    let filter = if globs.is_empty() { EventFilter::All } else { EventFilter::Only(globs.to_vec()) };
    let max_servers = reserve_descriptors(servers.len());
    if max_servers < servers.len() {
        let message = format!(
            "cannot follow {} servers at a time: the limit on open files (`ulimit -n`) allows {max_servers}",
            servers.len()
        );
        return Err(Failure::with_message(Status::Failed, message));
    }
    let (tx, updates) = sync_channel(MAX_QUEUED_UPDATES);
    let servers = Arc::new(servers);
    for index in 0..servers.len() {
        // Only the first server is queried to find globs that match no event.
        let unverified_globs = if index == 0 && !args.request.no_schema { globs.to_vec() } else { Vec::new() };
        let reader = EventReader {
            index,
            filter: filter.clone(),
            unverified_globs,
            options: Options { server_name: has_several.then(|| servers[index].name.clone()), ..options.clone() },
            updates: tx.clone(),
        };
        let servers = Arc::clone(&servers);
        Builder::new()
            .spawn(move || reader.run(&servers[index]))
            .map_err(|error| Failure::with_message(Status::Failed, format!("cannot start a thread: {error}")))?;
    }
    drop(tx);
    let writer = EventWriter {
        servers: &servers,
        has_several,
        json: args.json_writer(),
        verbose: args.common.verbose,
        count: args.count,
        seen: 0,
        failed: None,
    };
    writer.run(&updates, args.common.timeout)
}

/// Reads the events of one server.
struct EventReader {
    index: usize,
    filter: EventFilter,
    /// Globs to compare with the events that the server can send.
    unverified_globs: Vec<String>,
    options: Options,
    updates: SyncSender<ServerUpdate>,
}

/// The error that the writer has ended, so that no more events are needed.
struct WriterEnded;

impl EventReader {
    fn run(&self, server: &Server) {
        let mut connection = Connection::new(Some(server.address.clone()), self.options.clone(), false);
        let mut progress = |text: &str| drop(self.send(Update::Notice(text.to_owned())));
        let ended = match connection.open(&mut progress) {
            Ok(session) => self.read(session),
            Err(error) => Ok(Update::Ended(error.to_string(), Status::NotConnected)),
        };
        let _ = ended.and_then(|ended| self.send(ended));
    }

    /// Reads until the connection is lost. Returns the last update.
    fn read(&self, session: &mut Session) -> Result<Update, WriterEnded> {
        for warning in self.warn_about_unknown_events(session) {
            self.send(Update::Notice(warning))?;
        }
        self.send(Update::Connected)?;
        loop {
            match session.receive(None) {
                Ok(Received::Event(event)) if self.filter.shows(event.name()) => {
                    self.send(Update::Event(Box::new(event)))?;
                }
                Ok(Received::Unexpected(unexpected)) => {
                    self.send(Update::Notice(format!("warning: {unexpected}")))?;
                }
                Ok(_) => {}
                Err(disconnected) => return Ok(Update::Ended(disconnected.to_string(), Status::Disconnected)),
            }
        }
    }

    fn send(&self, update: Update) -> Result<(), WriterEnded> {
        self.updates.send((self.index, update)).map_err(|_| WriterEnded)
    }

    /// Returns a warning for each glob that matches none of the events that the server can send.
    fn warn_about_unknown_events(&self, session: &mut Session) -> Vec<String> {
        if self.unverified_globs.is_empty() {
            return Vec::new();
        }
        let deadline = Instant::now() + EVENT_LIST_TIMEOUT;
        // A lost connection is reported by the next read.
        let query = Request::new("query-qmp-schema");
        let Ok(Waited::Done(reply)) = session.query(&query, Some(deadline), &mut |_| {}) else {
            return Vec::new();
        };
        let ReplyBody::Return(raw) = reply.body() else { return Vec::new() };
        let Ok(schema) = Schema::parse(raw) else { return Vec::new() };
        let names: Vec<&str> = schema.events().iter().map(|event| event.name.as_str()).collect();
        let is_known = |glob: &String| {
            let filter = EventFilter::Only(vec![glob.clone()]);
            names.iter().any(|name| filter.shows(name))
        };
        let warning = |glob: &String| match nearest(&glob.to_uppercase(), names.iter().copied()) {
            Some(name) => format!("warning: the server has no event `{glob}`; did you mean `{name}`?"),
            None => format!("warning: the server has no event `{glob}`"),
        };
        self.unverified_globs.iter().filter(|glob| !is_known(glob)).map(warning).collect()
    }
}

/// The writer of all servers' events to standard output, and of everything else to standard error.
struct EventWriter<'a> {
    servers: &'a [Server],
    has_several: bool,
    json: JsonMessageWriter,
    verbose: bool,
    /// The number of events after which to stop.
    count: Option<u64>,
    seen: u64,
    /// The failure of a server, if there was one.
    failed: Option<Status>,
}

impl EventWriter<'_> {
    fn run(mut self, updates: &Receiver<ServerUpdate>, timeout: Option<Duration>) -> Result<Status, Failure> {
        // The time limit begins when each server has either connected or failed to connect.
        let mut connecting = self.servers.len();
        let mut deadline: Option<Instant> = None;
        // Events that have arrived by the deadline are still shown, but not an endless stream of later ones.
        let mut left_after_deadline = MAX_QUEUED_UPDATES;
        loop {
            if connecting == 0 && deadline.is_none() {
                deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            }
            let next = match deadline {
                None => updates.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => updates.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            };
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                left_after_deadline = left_after_deadline.saturating_sub(1);
            }
            match next {
                Ok(_) if left_after_deadline == 0 => return Ok(self.at_deadline(timeout.unwrap_or_default())),
                Ok((index, update)) => {
                    // Each server sends one of these two, once.
                    let is_decided = matches!(update, Update::Connected | Update::Ended(_, Status::NotConnected));
                    connecting -= usize::from(is_decided);
                    match self.write(index, update) {
                        Ok(()) if self.count == Some(self.seen) => return Ok(Status::Success),
                        Ok(()) => {}
                        Err(error) => return finish_printing(Err(error)),
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(self.at_deadline(timeout.unwrap_or_default())),
                Err(RecvTimeoutError::Disconnected) => return Ok(self.failed.unwrap_or(Status::Success)),
            }
        }
    }

    fn write(&mut self, index: usize, update: Update) -> io::Result<()> {
        let name = &self.servers[index].name;
        match update {
            Update::Connected if self.verbose => self.report(name, "following"),
            Update::Connected => {}
            Update::Event(event) => {
                let path = self.has_several.then_some(name.as_str());
                let mut line = Vec::with_capacity(event.text().len() + 64);
                self.json.write_event(path, &event, &mut line)?;
                let mut out = io::stdout().lock();
                out.write_all(&line)?;
                out.flush()?;
                self.seen += 1;
            }
            Update::Notice(text) => self.report(name, &text),
            Update::Ended(reason, status) => {
                self.report(name, &reason);
                self.failed = Some(if self.has_several { Status::Failed } else { status });
            }
        }
        Ok(())
    }

    /// Returns the status when the time limit is reached.
    fn at_deadline(&self, timeout: Duration) -> Status {
        if let Some(count) = self.count {
            let (seen, seconds) = (self.seen, timeout.as_secs_f64());
            report(&format!("qmp: received {seen} of {count} events within {seconds} s"));
            return Status::Failed;
        }
        self.failed.unwrap_or(Status::Success)
    }

    fn report(&self, server_name: &str, message: &str) {
        let prefix = if self.has_several { printable(server_name) } else { "qmp".into() };
        report(&format!("{prefix}: {}", sanitize(message)));
    }
}
