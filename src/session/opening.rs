//! The opening of a session: what it is waiting for, whether it was cancelled.

use std::time::{Duration, Instant};

use super::address::Address;
use super::error::ConnectError;
use super::options::{CANCEL_POLL_INTERVAL, Options, from_now};

/// The time after which a wait is announced.
pub(super) const ANNOUNCEMENT_DELAY: Duration = Duration::from_secs(1);

/// The awaited step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The resolver returns the IP addresses of the server's host.
    Resolution,
    /// It accepts a connection.
    Connection,
    /// A program logs in on another machine. It may be asking the user for a password, so that nothing must be written
    /// to the terminal.
    Login,
    Greeting,
    /// It replies to `qmp_capabilities`.
    Negotiation,
    /// A guest agent replies to `guest-sync-delimited`.
    Synchronisation,
}

/// A session that is being opened.
pub(super) struct Opening<'a> {
    pub(super) address: &'a Address,
    pub(super) options: &'a Options,
    /// Called with a sentence about each long wait.
    progress: &'a mut dyn FnMut(&str),
    started: Instant,
    awaited: Awaited,
    awaited_since: Instant,
    /// The last wait that was announced.
    announced: Option<Awaited>,
}

impl<'a> Opening<'a> {
    pub(super) fn new(address: &'a Address, options: &'a Options, progress: &'a mut dyn FnMut(&str)) -> Opening<'a> {
        let started = Instant::now();
        Opening {
            address,
            options,
            progress,
            started,
            awaited: Awaited::Connection,
            awaited_since: started,
            announced: None,
        }
    }

    /// Notes what is awaited from now on. Attempts to connect are one wait, even if connections were lost in between.
    pub(super) fn wait_for(&mut self, awaited: Awaited) {
        self.awaited = awaited;
        self.awaited_since = if awaited == Awaited::Connection { self.started } else { Instant::now() };
    }

    /// Calls the function for sentences about the opening.
    pub(super) fn tell(&mut self, sentence: &str) {
        (self.progress)(sentence);
    }

    /// Waits for `span`, but not after connecting is cancelled.
    pub(super) fn pause(&mut self, span: Duration) -> Result<(), ConnectError> {
        let until = from_now(span);
        loop {
            self.poll()?;
            match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return Ok(()),
                left => std::thread::sleep(left.min(CANCEL_POLL_INTERVAL)),
            }
        }
    }

    /// Announces a wait that has become long, and returns an error once connecting is cancelled. Must be called at least
    /// every [`CANCEL_POLL_INTERVAL`](super::options::CANCEL_POLL_INTERVAL) during a wait.
    pub(super) fn poll(&mut self) -> Result<(), ConnectError> {
        if self.options.is_cancelled() {
            return Err(ConnectError::Cancelled(self.address.clone()));
        }
        let is_silent = self.awaited == Awaited::Login || self.announced == Some(self.awaited);
        if !is_silent && self.awaited_since.elapsed() >= ANNOUNCEMENT_DELAY {
            self.announced = Some(self.awaited);
            let address = self.address;
            (self.progress)(&match self.awaited {
                Awaited::Resolution => format!("Waiting for the name in {address} to be resolved."),
                Awaited::Connection | Awaited::Login => format!("Waiting for {address}."),
                Awaited::Greeting => format!("Waiting for the greeting of {address}."),
                Awaited::Negotiation => format!("Waiting for {address} to reply to `qmp_capabilities`."),
                Awaited::Synchronisation => format!("Waiting for the guest agent at {address}."),
            });
        }
        Ok(())
    }
}
