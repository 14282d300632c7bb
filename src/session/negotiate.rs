//! From a connected socket to an open session: greeting and capabilities.
//!
//! Follows the QEMU Machine Protocol Specification, "Server Greeting" and "Capabilities Negotiation".

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::wire::{Greeting, Incoming, Limits, ReplyBody, Request, preview};

use super::address::Address;
use super::connect::{Connected, connect_socket, from_now};
use super::error::{ConnectError, Disconnected};
use super::guest_sync;
use super::log::{MessageLog, SharedLog};
use super::received::{Backlog, Received};
use super::session::Session;
use super::socket::BLINK;

/// How to connect.
///
/// ```
/// use std::time::Duration;
/// use qmp_shell::{Address, Client, Options};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vm.log");
/// let mut options = Options::default();
/// options.timeout = Duration::from_secs(1);
/// options.log_to(&path)?;
/// let qemu = Client::connect_with(&Address::Demo, &options)?;
/// qemu.execute::<serde_json::Value>("query-status", ())?;
///
/// // One JSON object a line: `{"time": …, "sent": …}` or `{"time": …, "received": …}`.
/// let log = std::fs::read_to_string(&path)?;
/// assert!(log.lines().any(|line| line.contains("\"sent\"") && line.contains("query-status")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// How long connecting may take, and then again greeting and negotiation; 5 seconds if not told otherwise.
    pub timeout: Duration,
    /// How long to wait for a server that is not there yet; `None` does not wait. Where the server connects to us, `None`
    /// waits as long as it takes.
    pub wait: Option<Duration>,
    /// The server is a guest agent: it does not greet, and is synchronised with in the way of its own protocol.
    pub guest_agent: bool,
    /// Bounds on one message.
    pub limits: Limits,
    /// Where every message is recorded.
    #[doc(hidden)]
    pub log: SharedLog,
    /// Set by a user who does not want to wait for the connection any longer.
    #[doc(hidden)]
    pub cancelled: Arc<AtomicBool>,
}

impl Options {
    /// Has every message of the connection, both ways, appended to the file at `path`, one JSON object a line. Secrets
    /// are replaced; a new file is for its owner only. A line that cannot be written is left out, and stops nothing.
    ///
    /// Connections made with clones of these options share the log.
    pub fn log_to(&mut self, path: impl AsRef<Path>) -> io::Result<()> {
        let log = MessageLog::open(path.as_ref())?;
        self.log = Arc::new(Mutex::new(Some(log)));
        Ok(())
    }

    /// An error once nobody wants to wait any longer. To be asked again and again while something is waited for.
    pub(super) fn check_cancelled(&self, address: &Address) -> Result<(), ConnectError> {
        match self.cancelled.load(Ordering::SeqCst) {
            true => Err(ConnectError::Cancelled(address.clone())),
            false => Ok(()),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            timeout: Duration::from_secs(5),
            wait: None,
            guest_agent: false,
            limits: Limits::default(),
            log: SharedLog::default(),
            cancelled: Arc::default(),
        }
    }
}

/// Connects to `address` and negotiates.
pub fn connect(address: &Address, options: &Options) -> Result<Session, ConnectError> {
    let wait_until = options.wait.map(from_now);
    loop {
        let dialed = connect_socket(address, options, wait_until)?;
        match (negotiate(dialed, address, options), wait_until) {
            // A server that is just starting, or stopping, may close on us; one being waited for gets another try.
            (Err(ConnectError::Disconnected { .. }), Some(until)) if Instant::now() < until => {
                std::thread::sleep(BLINK)
            }
            (result, _) => return result,
        }
    }
}

/// Negotiates over a connected socket. `address` is what messages call the server.
pub fn negotiate(dialed: Connected, address: &Address, options: &Options) -> Result<Session, ConnectError> {
    let Connected { socket, peer } = dialed;
    let mut session = Session::new(socket, peer, options.limits, options.log.clone());
    let until = from_now(options.timeout);
    session.skip_sync_markers(options.guest_agent);
    if options.guest_agent {
        let synchronised = guest_sync::synchronise(&mut session, address, options, until)?;
        session.skip_sync_markers(false);
        let seconds = options.timeout.as_secs_f64();
        return match synchronised {
            true => Ok(session),
            false => Err(ConnectError::NoGuestAgent { address: address.clone(), seconds }),
        };
    }
    let mut early = Backlog::default();
    greeting(&mut session, &mut early, address, options, until)?;
    capabilities(&mut session, &mut early, address, options, until)?;
    session.requeue(early);
    Ok(session)
}

/// The next message by `until`, unless it is given up.
pub(super) fn next_message(
    session: &mut Session,
    address: &Address,
    options: &Options,
    until: Instant,
) -> Result<Received, ConnectError> {
    loop {
        options.check_cancelled(address)?;
        let look = from_now(BLINK).min(until);
        match session.receive_new(Some(look)) {
            Ok(Received::TimedOut) if look < until => {}
            Ok(item) => return Ok(item),
            Err(lost) => return Err(ConnectError::Disconnected { address: address.clone(), lost }),
        }
    }
}

fn greeting(
    session: &mut Session,
    early: &mut Backlog,
    address: &Address,
    options: &Options,
    until: Instant,
) -> Result<(), ConnectError> {
    let not_qmp = |preview: String| match is_human_monitor(&preview) {
        true => ConnectError::HumanMonitor(address.clone()),
        false => ConnectError::NotQmp { address: address.clone(), preview },
    };
    let mut stale = None;
    loop {
        match next_message(session, address, options, until)? {
            Received::Message(Incoming::Greeting(greeting)) => {
                session.greeting = Some(greeting);
                return Ok(());
            }
            item @ Received::Message(Incoming::Event(_)) => keep(early, item, address)?,
            // What a QEMU still owed to a client that has left, it says to the next one, ahead of the greeting.
            Received::Message(Incoming::Reply(reply)) => stale = Some(preview(reply.text())),
            Received::Junk(junk) => return Err(not_qmp(junk.preview)),
            Received::TimedOut => {
                if let Some(stale) = stale {
                    return Err(not_qmp(stale));
                }
                let pending = session.pending();
                if !pending.is_empty() && early.is_empty() {
                    return Err(not_qmp(preview(&String::from_utf8_lossy(&pending[..pending.len().min(400)]))));
                }
                return Err(ConnectError::NoGreeting {
                    address: address.clone(),
                    seconds: options.timeout.as_secs_f64(),
                });
            }
            Received::Mark | Received::Interrupted | Received::Input => {}
        }
    }
}

/// Keeps what came too early for the first consumer. A server has no reason to send much then.
fn keep(early: &mut Backlog, item: Received, address: &Address) -> Result<(), ConnectError> {
    early.keep(item).then_some(()).ok_or_else(|| ConnectError::NoHandshake(address.clone()))
}

/// QEMU's human monitor introduces itself in words, perhaps behind a telnet negotiation.
fn is_human_monitor(preview: &str) -> bool {
    preview.contains("(qemu)") || preview.contains("QEMU") && preview.contains("monitor")
}

/// The request that ends negotiation: it takes all that is on offer and of use.
pub(crate) fn capabilities_request(greeting: &Greeting) -> Request {
    let request = Request::new("qmp_capabilities");
    if greeting.offers_oob() { request.with_public_arguments("{\"enable\": [\"oob\"]}") } else { request }
}

fn capabilities(
    session: &mut Session,
    early: &mut Backlog,
    address: &Address,
    options: &Options,
    until: Instant,
) -> Result<(), ConnectError> {
    let lost = |lost: Disconnected| ConnectError::Disconnected { address: address.clone(), lost };
    let request = session.greeting().map_or_else(|| Request::new("qmp_capabilities"), capabilities_request);
    let id = session.send(&request).map_err(lost)?.to_string();
    loop {
        match next_message(session, address, options, until)? {
            Received::Message(Incoming::Reply(reply)) if reply.id().is_none_or(|reply| reply == id) => {
                return match reply.body() {
                    ReplyBody::Return(_) => Ok(()),
                    ReplyBody::Error { desc, .. } => Err(ConnectError::Negotiation(desc.to_owned())),
                };
            }
            Received::TimedOut => {
                return Err(ConnectError::NoNegotiation {
                    address: address.clone(),
                    seconds: options.timeout.as_secs_f64(),
                });
            }
            item @ Received::Message(_) => keep(early, item, address)?,
            _ => {}
        }
    }
}
