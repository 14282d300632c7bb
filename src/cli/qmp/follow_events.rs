//! `--events`: the events of one or several servers as JSON Lines, as they come.
//!
//! A thread a server reads and hands over; one writes. Where our output is read slowly, the servers are read slowly:
//! nothing is dropped, and the events of each server keep their order.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::render::{printable, sanitize};
use crate::schema::{Schema, nearest};
use crate::session::{Disconnected, Options, Received, Session, Waited};
use crate::shell::{Connection, EventFilter, JsonMessageWriter};
use crate::wire::{Event, ReplyBody, Request};

use super::args::QmpArgs;
use super::one_shot::message_lines;
use super::servers::{Server, Servers, raise_fd_limit};
use crate::cli::exit_status::{Failure, Status};

/// How long the server may take to say which events it has.
const BLINK: Duration = Duration::from_millis(500);

/// How many messages may wait to be written.
const ROOM: usize = 256;

/// What a server's thread has to tell.
enum News {
    /// It is connected: every event from now on will be seen.
    Connected,
    /// An event whose name matches.
    Event(Box<Event>),
    /// Something worth knowing.
    Notice(String),
    /// It is at its end.
    Gone(String, Status),
}

/// News, and which server they are of.
type FromServer = (usize, News);

/// Follows until the count is full, the time is up, or no server is left.
pub(crate) fn follow(args: &QmpArgs, globs: &[String], servers: Servers, options: &Options) -> Result<Status, Failure> {
    let filter = if globs.is_empty() { EventFilter::All } else { EventFilter::Only(globs.to_vec()) };
    raise_fd_limit(servers.all.len());
    let (sender, news) = sync_channel(ROOM);
    let all = Arc::new(servers.all);
    for at in 0..all.len() {
        // Of names that nobody will ever say, one server can tell as well as all.
        let unverified_patterns = if at == 0 && !args.no_schema { globs.to_vec() } else { Vec::new() };
        let watched = EventStream { at, filter: filter.clone(), unverified_patterns, options: options.clone() };
        let ours = sender.clone();
        let servers = Arc::clone(&all);
        let started = Builder::new().spawn(move || watched.watch(&servers[at], &ours));
        started.map_err(|error| Failure::new(Status::LineFailed, anyhow!("cannot start a thread: {error}")))?;
    }
    drop(sender);
    let follower = EventWriter {
        servers: &all,
        several: servers.several,
        lines: message_lines(args),
        verbose: args.verbose,
        count: args.count,
        seen: 0,
        failed: None,
    };
    follower.run(&news, args.timeout)
}

/// What a server's thread knows.
struct EventStream {
    at: usize,
    filter: EventFilter,
    /// Names and patterns that are to be looked for among the events that the server has.
    unverified_patterns: Vec<String>,
    options: Options,
}

impl EventStream {
    fn watch(&self, server: &Server, news: &SyncSender<FromServer>) {
        // Nobody listens any more once the program is at its end; there is nothing to do about that.
        let tell = |item: News| news.send((self.at, item)).map_err(drop);
        let mut connection = Connection::new(Some(server.address.clone()), self.options.clone(), false);
        let mut progress = |text: &str| tell(News::Notice(text.to_owned())).unwrap_or(());
        if let Err(error) = connection.open(&mut progress).map(drop) {
            let _ = tell(News::Gone(error.to_string(), Status::NotConnected));
            return;
        }
        let mut lost: Option<Disconnected> = None;
        let unknown = connection.session().map(|session| self.unknown(session)).unwrap_or_default();
        let mut listened_to = unknown.into_iter().all(|warning| tell(News::Notice(warning)).is_ok());
        listened_to = listened_to && tell(News::Connected).is_ok();
        while let Some(session) = connection.session().filter(|_| listened_to && lost.is_none()) {
            listened_to = match session.receive(None) {
                Ok(Received::Event(event)) if self.filter.shows(event.name()) => {
                    tell(News::Event(Box::new(event))).is_ok()
                }
                Ok(Received::Unexpected(unexpected)) => tell(News::Notice(format!("warning: {unexpected}"))).is_ok(),
                Ok(_) => true,
                Err(error) => {
                    lost = Some(error);
                    true
                }
            };
        }
        if let Some(lost) = lost {
            let _ = tell(News::Gone(lost.to_string(), Status::Disconnected));
        }
    }
}

impl EventStream {
    /// Warns of what fits none of the server's events: it would be waited for in vain.
    fn unknown(&self, session: &mut Session) -> Vec<String> {
        if self.unverified_patterns.is_empty() {
            return Vec::new();
        }
        // The next read reports the end of the connection.
        let Ok(Waited::Done(reply)) = session.query(&Request::new("query-qmp-schema"), Some(Instant::now() + BLINK))
        else {
            return Vec::new();
        };
        let ReplyBody::Return(raw) = reply.body() else { return Vec::new() };
        let Ok(schema) = Schema::parse(raw) else { return Vec::new() };
        let names: Vec<&str> = schema.events().iter().map(|event| event.name.as_str()).collect();
        let fits = |glob: &String| {
            let filter = EventFilter::Only(vec![glob.clone()]);
            names.iter().any(|name| filter.shows(name))
        };
        let warning = |glob: &String| match nearest(&glob.to_uppercase(), names.iter().copied()) {
            Some(name) => format!("warning: the server has no event `{glob}`; did you mean `{name}`?"),
            None => format!("warning: the server has no event `{glob}`"),
        };
        self.unverified_patterns.iter().filter(|glob| !fits(glob)).map(warning).collect()
    }
}

/// The one who writes.
struct EventWriter<'a> {
    servers: &'a [Server],
    several: bool,
    lines: JsonMessageWriter,
    verbose: bool,
    count: Option<u64>,
    seen: u64,
    /// How a server failed.
    failed: Option<Status>,
}

impl EventWriter<'_> {
    fn run(mut self, news: &Receiver<FromServer>, timeout: Option<Duration>) -> Result<Status, Failure> {
        // The time runs from when it is known of every server whether it is there.
        let mut awaited = self.servers.len();
        let mut until: Option<Instant> = None;
        // What was there when the time was up is still shown; a server that never stops talking is not waited for.
        let mut left_over = ROOM;
        loop {
            if awaited == 0 && until.is_none() {
                until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            }
            let next = match until {
                None => news.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => news.recv_timeout(until.saturating_duration_since(Instant::now())),
            };
            if until.is_some_and(|until| until <= Instant::now()) {
                left_over = left_over.saturating_sub(1);
            }
            match next {
                Ok(_) if left_over == 0 => return Ok(self.time_is_up(timeout.unwrap_or_default())),
                Ok((at, item)) => {
                    // A server tells once whether it is there, before all else; one that is gone at once, that it is not.
                    awaited -= usize::from(matches!(item, News::Connected | News::Gone(_, Status::NotConnected)));
                    match self.take(at, item) {
                        Ok(false) => {}
                        Ok(true) => return Ok(Status::Success),
                        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Status::Success),
                        Err(error) => {
                            let message = format!("cannot write to standard output: {error}");
                            return Err(Failure::new(Status::LineFailed, anyhow!(message)));
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(self.time_is_up(timeout.unwrap_or_default())),
                Err(RecvTimeoutError::Disconnected) => return Ok(self.failed.unwrap_or(Status::Success)),
            }
        }
    }

    /// Shows one thing; says whether that makes the count full.
    fn take(&mut self, at: usize, item: News) -> io::Result<bool> {
        let name = &self.servers[at].name;
        match item {
            News::Connected if self.verbose => self.say(name, "following"),
            News::Connected => {}
            News::Event(event) => {
                let mut out = io::stdout().lock();
                let path = self.several.then_some(name.as_str());
                let mut line = Vec::with_capacity(event.text().len() + 64);
                self.lines.write(path, event.text(), &mut line)?;
                out.write_all(&line)?;
                out.flush()?;
                self.seen += 1;
            }
            News::Notice(text) => self.say(name, &text),
            News::Gone(why, status) => {
                self.say(name, &why);
                self.failed = Some(if self.several { Status::LineFailed } else { status });
            }
        }
        Ok(self.count == Some(self.seen))
    }

    fn time_is_up(&self, timeout: Duration) -> Status {
        match (self.count, self.failed) {
            (Some(count), _) => {
                let (seen, seconds) = (self.seen, timeout.as_secs_f64());
                let _ = writeln!(io::stderr(), "qmp: {seen} of {count} events came within {seconds} s");
                Status::LineFailed
            }
            (None, Some(failed)) => failed,
            (None, None) => Status::Success,
        }
    }

    /// One message beside the events. A failure to write it has nowhere to be reported.
    fn say(&self, name: &str, message: &str) {
        let lead = if self.several { printable(name) } else { "qmp".into() };
        let _ = writeln!(io::stderr(), "{lead}: {}", sanitize(message));
    }
}
