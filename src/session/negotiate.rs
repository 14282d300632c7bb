//! From a connected socket to an open session: greeting and capabilities.
//!
//! Follows the QEMU Machine Protocol Specification, "Server Greeting" and "Capabilities Negotiation".

use std::time::{Duration, Instant};

use crate::wire::{Greeting, Incoming, Limits, ReplyBody, Request, sample};

use super::address::Address;
use super::dial::{Dialed, dial};
use super::error::{ConnectError, Lost};
use super::guest;
use super::received::{Aside, Received};
use super::stream::Session;
use super::transcript::SharedTranscript;

/// How to open a session.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long connecting may take, and then again the greeting.
    pub timeout: Duration,
    /// How long to wait for a server that is not there yet; `None` does not wait.
    pub wait: Option<Duration>,
    /// The server is a guest agent: no greeting, synchronise instead.
    pub guest_agent: bool,
    /// Bounds on one message.
    pub limits: Limits,
    /// Where every message is recorded.
    pub transcript: SharedTranscript,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            timeout: Duration::from_secs(5),
            wait: None,
            guest_agent: false,
            limits: Limits::default(),
            transcript: SharedTranscript::default(),
        }
    }
}

/// Connects to `address` and negotiates.
pub fn connect(address: &Address, options: &Options) -> Result<Session, ConnectError> {
    let now = Instant::now();
    // So far away that no one will see it, where the clock could not count so far.
    let patient = options.wait.map(|wait| now.checked_add(wait).unwrap_or(now + Duration::from_secs(u32::MAX.into())));
    loop {
        let dialed = dial(address, options.timeout, patient)?;
        match (negotiate(dialed, address, options), patient) {
            // A server that is just starting, or stopping, may close on us; one being waited for gets another try.
            (Err(ConnectError::Lost { .. }), Some(until)) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(50));
            }
            (result, _) => return result,
        }
    }
}

/// Negotiates over a connected socket. `address` is what messages call the server.
pub fn negotiate(dialed: Dialed, address: &Address, options: &Options) -> Result<Session, ConnectError> {
    let Dialed { socket, peer } = dialed;
    let mut session = Session::new(socket, peer, options.limits, options.transcript.clone());
    let until = Instant::now() + options.timeout;
    session.heed_marks(options.guest_agent);
    if options.guest_agent {
        let synchronised = guest::synchronise(&mut session, until);
        session.heed_marks(false);
        return match synchronised {
            Ok(true) => Ok(session),
            Ok(false) => {
                Err(ConnectError::NoGuestAgent { address: address.clone(), seconds: options.timeout.as_secs_f64() })
            }
            Err(lost) => Err(ConnectError::Lost { address: address.clone(), lost }),
        };
    }
    let mut early = Aside::default();
    greeting(&mut session, &mut early, address, options, until)?;
    capabilities(&mut session, &mut early, address, options, until)?;
    session.put_back(early);
    Ok(session)
}

fn greeting(
    session: &mut Session,
    early: &mut Aside,
    address: &Address,
    options: &Options,
    until: Instant,
) -> Result<(), ConnectError> {
    let not_qmp = |sample: String| match is_human_monitor(&sample) {
        true => ConnectError::HumanMonitor(address.clone()),
        false => ConnectError::NotQmp { address: address.clone(), sample },
    };
    loop {
        match session.receive_new(Some(until)) {
            Ok(Received::Message(Incoming::Greeting(greeting))) => {
                session.greeting = Some(greeting);
                return Ok(());
            }
            Ok(item @ Received::Message(Incoming::Event(_))) => keep(early, item, address)?,
            Ok(Received::Message(Incoming::Reply(reply))) => {
                return Err(not_qmp(sample(reply.text())));
            }
            Ok(Received::Junk(junk)) => return Err(not_qmp(junk.sample)),
            Ok(Received::TimedOut) => {
                let pending = session.pending();
                if !pending.is_empty() && early.is_empty() {
                    return Err(not_qmp(sample(&String::from_utf8_lossy(&pending[..pending.len().min(400)]))));
                }
                return Err(ConnectError::NoGreeting {
                    address: address.clone(),
                    seconds: options.timeout.as_secs_f64(),
                });
            }
            Ok(Received::Mark | Received::Interrupted | Received::Input) => {}
            Err(lost) => {
                return Err(ConnectError::Lost { address: address.clone(), lost });
            }
        }
    }
}

/// Keeps what came too early for the first consumer. A server has no reason to send much then.
fn keep(early: &mut Aside, item: Received, address: &Address) -> Result<(), ConnectError> {
    early.keep(item).then_some(()).ok_or_else(|| ConnectError::Talkative(address.clone()))
}

/// QEMU's human monitor introduces itself in words, perhaps behind a telnet negotiation.
fn is_human_monitor(sample: &str) -> bool {
    sample.contains("(qemu)") || sample.contains("QEMU") && sample.contains("monitor")
}

/// The request that ends negotiation: it takes all that is on offer and of use.
pub(crate) fn capabilities_request(greeting: &Greeting) -> Request {
    let request = Request::new("qmp_capabilities");
    if greeting.offers_oob() { request.with_arguments("{\"enable\": [\"oob\"]}") } else { request }
}

fn capabilities(
    session: &mut Session,
    early: &mut Aside,
    address: &Address,
    options: &Options,
    until: Instant,
) -> Result<(), ConnectError> {
    let lost = |lost: Lost| ConnectError::Lost { address: address.clone(), lost };
    let request = session.greeting().map_or_else(|| Request::new("qmp_capabilities"), capabilities_request);
    let id = session.send(&request).map_err(lost)?.to_string();
    loop {
        match session.receive_new(Some(until)).map_err(lost)? {
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
