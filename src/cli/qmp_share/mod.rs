//! `qmp-share`: serves many clients with one connection to a server.

mod args;

use std::io;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::ArgMatches;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::client::open_with_progress;
use crate::render::printable;
use crate::session::{Address, ConnectError, Options, Session, SharedLog, SharedSocket, end_log};
use crate::share::{Access, Notice, ShareEnd, Sharer, Stop};
use crate::shell::{MISSING_LINES, termination_signals};

use super::args::Generate;
use super::color::stderr_palette;
use super::exit_status::{Failure, Status};
use super::program::{Program, run_program};
use super::stdio::report;
use args::ShareArgs;

/// The time before another attempt to connect to a server that has just gone.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

pub fn qmp_share() -> ExitCode {
    run_program::<ShareArgs>(std::env::args_os())
}

impl Program for ShareArgs {
    fn generate(&self) -> Option<Generate> {
        self.generate.generate
    }

    fn run(self, _: &ArgMatches) -> Result<Status, Failure> {
        let (server, socket) = self.addresses().map_err(Failure::usage)?;
        let read_only = self.read_only_addresses().map_err(Failure::usage)?;
        raise_descriptor_limit();
        let signals = Signals::start().map_err(|error| Failure::new(Status::Failed, error))?;
        let common = self.common.options()?;
        // The log has the messages of each client instead of those of the connection.
        let log = common.log.clone();
        let options = Options {
            wait: self.wait.wait,
            log: SharedLog::default(),
            cancelled: Arc::clone(&signals.fired),
            ..common
        };
        let mut connection = ServerConnection { address: server, options };
        let session = match connection.open() {
            Err(_) if signals.has_fired() => return Ok(Status::Success),
            session => session.map_err(not_connected)?,
        };
        let bind = |address: &Address, options| {
            SharedSocket::bind(address, options).map_err(|error| Failure::new(Status::Failed, error))
        };
        let mut sockets = vec![(bind(&socket, self.socket_options())?, Access::Full)];
        for address in &read_only {
            sockets.push((bind(address, self.read_only_socket_options())?, Access::ReadOnly));
        }
        let sharing = describe(&connection.address, &socket, &read_only);
        let palette = stderr_palette(self.common.color);
        let mut notify = |notice: Notice| match notice {
            Notice::Sharing => announce(&sharing),
            Notice::CutOff { client, pid } => {
                let process = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
                announce(&format!("Client {client}{process} was cut off, because it left too many events unread."));
            }
            Notice::CannotAccept(reason) => announce(&format!("Cannot accept a connection for now: {reason}.")),
            Notice::Unexpected(unexpected) => announce(&format!("warning: {unexpected}")),
            Notice::Record(line) => report(&palette.paint(&palette.dim, &printable(&line))),
        };
        let mut sharer = Sharer::new(sockets, Arc::clone(&log), self.common.verbose);
        let status = share_until_end(&mut sharer, session, &mut connection, &signals, &mut notify);
        if end_log(&log) {
            announce(MISSING_LINES);
        }
        status
    }
}

/// Serves clients until a signal ends that, or the server has gone for good.
fn share_until_end(
    sharer: &mut Sharer,
    mut session: Session,
    connection: &mut ServerConnection,
    signals: &Signals,
    notify: &mut dyn FnMut(Notice),
) -> Result<Status, Failure> {
    loop {
        let end = sharer.serve(session, &signals.stop, notify).map_err(|error| Failure::new(Status::Failed, error))?;
        let ShareEnd::Disconnected(reason) = end else { return Ok(Status::Success) };
        let ended = format!("the connection to `{}` has ended: {reason}", connection.address);
        if connection.options.wait.is_none() {
            return Err(Failure::with_message(Status::Disconnected, ended));
        }
        announce(&format!("{ended}; waiting for the server."));
        std::thread::sleep(RETRY_INTERVAL);
        session = match connection.open() {
            Ok(session) => session,
            Err(_) if signals.has_fired() => return Ok(Status::Success),
            Err(error) => return Err(Failure::new(Status::Disconnected, error)),
        };
    }
}

/// The connection to the server, which is opened again after the server has gone.
struct ServerConnection {
    address: Address,
    options: Options,
}

impl ServerConnection {
    fn open(&mut self) -> Result<Session, ConnectError> {
        let deadline = self.options.wait.and_then(|wait| Instant::now().checked_add(wait));
        let mut announced = false;
        loop {
            match open_with_progress(&self.address, &self.options, &mut announce) {
                // Another client may hold the monitor for now.
                Err(error @ ConnectError::NoGreeting { .. })
                    if deadline.is_some_and(|deadline| Instant::now() < deadline) =>
                {
                    if !std::mem::replace(&mut announced, true) {
                        announce(&format!("{error}; waiting."));
                    }
                }
                result => return result,
            }
        }
    }
}

fn not_connected(error: ConnectError) -> Failure {
    match error {
        ConnectError::NoGreeting { .. } => Failure::with_message(
            Status::NotConnected,
            format!("{error}; guest agents, which do not greet, cannot be shared"),
        ),
        error => Failure::not_connected(error),
    }
}

/// Shows a sentence.
fn announce(sentence: &str) {
    report(&format!("qmp-share: {}", printable(sentence)));
}

/// Returns the sentence that sharing has begun.
fn describe(server: &Address, socket: &Address, read_only: &[Address]) -> String {
    let read_only: Vec<String> = read_only.iter().map(ToString::to_string).collect();
    let read_only = match read_only.as_slice() {
        [] => String::new(),
        sockets => format!(", and read-only on {}", sockets.join(", ")),
    };
    format!("Sharing {server} on {socket}{read_only}.")
}

/// Raises the limit on open descriptors, of which each client takes one, as far as it may be raised.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // The default limit serves too.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// The signals that end the program.
struct Signals {
    stop: Stop,
    fired: Arc<AtomicBool>,
}

impl Signals {
    fn start() -> io::Result<Signals> {
        let (stop, other) = Stop::new()?;
        let fired = Arc::new(AtomicBool::new(false));
        let other = UnixStream::from(other);
        for signal in termination_signals() {
            signal_hook::flag::register(signal, Arc::clone(&fired))?;
            signal_hook::low_level::pipe::register(signal, other.try_clone()?)?;
        }
        Ok(Signals { stop, fired })
    }

    fn has_fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }
}
