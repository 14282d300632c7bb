//! Negotiation, which opens a session over a connected socket: greeting and capabilities.
//!
//! Follows the QEMU Machine Protocol Specification, "Server Greeting" and "Capabilities Negotiation".

use std::time::{Duration, Instant};

use crate::wire::{Reply, ReplyBody, Request, preview};

use super::address::Address;
use super::connect::{Connected, connect_socket};
use super::error::{ConnectError, Disconnected};
use super::guest_sync;
use super::opening::{Awaited, Opening};
use super::options::{CANCEL_POLL_INTERVAL, Options, from_now};
use super::pending::capabilities_request;
use super::received::{Received, Unexpected};
use super::server_process::ProcessMessages;
use super::session::{Session, Taken, Waited};

/// The maximum number of bytes of an incomplete message that are inspected to tell which protocol the server speaks.
const MAX_INSPECTED_BYTES: usize = 400;

/// Connects to `address` and negotiates. Calls `progress` with a sentence about each long wait.
pub fn connect(address: &Address, options: &Options, progress: &mut dyn FnMut(&str)) -> Result<Session, ConnectError> {
    let retry_until = options.wait.map(from_now);
    let mut opening = Opening::new(address, options, progress);
    loop {
        let connected = connect_socket(&mut opening, retry_until)?;
        let messages = connected.messages.clone();
        let negotiated =
            negotiate(connected, &mut opening).map_err(|error| with_last_message(error, messages.as_ref()));
        match (negotiated, retry_until) {
            // A server that is starting or stopping may close the connection.
            (Err(ConnectError::Disconnected { .. } | ConnectError::Gateway { .. }), Some(until))
                if Instant::now() < until =>
            {
                opening.pause(CANCEL_POLL_INTERVAL)?;
            }
            (result, _) => return result,
        }
    }
}

/// Adds what is known about the process between this one and the server: the reason that it gave for the end of the
/// connection, or that libvirt's proxy is slow, which lets no other client hold the monitor.
fn with_last_message(error: ConnectError, messages: Option<&ProcessMessages>) -> ConnectError {
    match (error, messages) {
        (ConnectError::Disconnected { address, reason }, Some(messages)) => match messages.last() {
            Some(message) => ConnectError::Gateway { address, reason: message, is_transient: true },
            None => ConnectError::Disconnected { address, reason },
        },
        (ConnectError::NoGreeting { address: address @ Address::Libvirt(_), seconds }, _) => {
            let reason = format!("no greeting came from libvirt within {seconds} s; its daemon may be busy");
            ConnectError::Gateway { address, reason, is_transient: true }
        }
        (error, _) => error,
    }
}

/// Negotiates over a connected socket.
pub(super) fn negotiate(connected: Connected, opening: &mut Opening<'_>) -> Result<Session, ConnectError> {
    let options = opening.options;
    let limit = options.timeout.saturating_mul(connected.timeout_factor);
    let session = Session::new(connected, options);
    let mut handshake = Handshake { session, opening, limit, deadline: from_now(limit) };
    handshake.session.honour_sync_markers(options.guest_agent);
    if options.guest_agent {
        guest_sync::synchronise(&mut handshake)?;
    } else {
        handshake.receive_greeting()?;
        handshake.negotiate_capabilities()?;
    }
    Ok(handshake.session)
}

/// The handshake with the server of a session that is being opened.
pub(super) struct Handshake<'a, 'b> {
    pub(super) session: Session,
    opening: &'a mut Opening<'b>,
    limit: Duration,
    deadline: Instant,
}

impl Handshake<'_, '_> {
    /// Receives messages until `take` is done with the one that is `awaited`. `None` at the deadline.
    pub(super) fn receive_until<T>(
        &mut self,
        awaited: Awaited,
        mut take: impl FnMut(Received) -> Taken<T>,
    ) -> Result<Option<T>, ConnectError> {
        self.opening.wait_for(awaited);
        loop {
            self.opening.poll()?;
            let poll_until = from_now(CANCEL_POLL_INTERVAL).min(self.deadline);
            match self.session.receive_new_until(Some(poll_until), &mut take) {
                Ok(Waited::Done(value)) => return Ok(Some(value)),
                Ok(Waited::Flooded) => return Err(ConnectError::NoHandshake(self.address())),
                Ok(_) if poll_until < self.deadline => {}
                Ok(_) => return Ok(None),
                Err(disconnected) => return Err(self.disconnected(disconnected)),
            }
        }
    }

    pub(super) fn disconnected(&self, reason: Disconnected) -> ConnectError {
        ConnectError::Disconnected { address: self.address(), reason }
    }

    pub(super) fn address(&self) -> Address {
        self.opening.address.clone()
    }

    pub(super) fn timeout_seconds(&self) -> f64 {
        self.limit.as_secs_f64()
    }

    fn receive_greeting(&mut self) -> Result<(), ConnectError> {
        let mut stale = None;
        let greeting = self.receive_until(Awaited::Greeting, |message| match message {
            Received::Greeting(greeting) => Taken::Done(Ok(greeting)),
            // QEMU sends a reply that its last client did not wait for to the next client, before the greeting.
            Received::Unexpected(Unexpected::Reply(reply)) => {
                stale = Some(preview(reply.text()));
                Taken::Consumed
            }
            Received::Unexpected(Unexpected::NotQmp(error)) => Taken::Done(Err(error.preview)),
            message @ Received::Event(_) => Taken::Kept(message),
            _ => Taken::Consumed,
        })?;
        match greeting {
            Some(Ok(greeting)) => self.session.set_greeting(greeting),
            Some(Err(preview)) => return Err(self.not_qmp(preview)),
            None => return Err(self.no_greeting(stale)),
        }
        Ok(())
    }

    /// Returns the error for a server that sent no greeting in time: perhaps it speaks another protocol.
    fn no_greeting(&self, stale: Option<String>) -> ConnectError {
        let incomplete = self.session.incomplete();
        let incomplete = &incomplete[..incomplete.len().min(MAX_INSPECTED_BYTES)];
        match stale {
            Some(stale) => self.not_qmp(stale),
            None if !incomplete.trim_ascii().is_empty() && !self.session.has_backlog() => {
                self.not_qmp(preview(String::from_utf8_lossy(incomplete).trim()))
            }
            None => ConnectError::NoGreeting { address: self.address(), seconds: self.timeout_seconds() },
        }
    }

    fn not_qmp(&self, preview: String) -> ConnectError {
        match is_human_monitor(&preview) {
            true => ConnectError::HumanMonitor(self.address()),
            false => ConnectError::NotQmp { address: self.address(), preview },
        }
    }

    fn negotiate_capabilities(&mut self) -> Result<(), ConnectError> {
        let greeting = self.session.greeting();
        let request = greeting.map_or_else(|| Request::new("qmp_capabilities"), capabilities_request);
        let request_id = self.session.send(&request).map_err(|reason| self.disconnected(reason))?;
        let reply: Option<Reply> = self.receive_until(Awaited::Negotiation, |message| match message {
            Received::Reply { id, reply } if id == request_id => Taken::Done(reply),
            Received::SyncMarker => Taken::Consumed,
            message => Taken::Kept(message),
        })?;
        let Some(reply) = reply else {
            let (address, seconds) = (self.address(), self.timeout_seconds());
            return Err(ConnectError::NoNegotiation { address, seconds });
        };
        match reply.body() {
            ReplyBody::Return(_) => Ok(()),
            ReplyBody::Error { desc, .. } => Err(ConnectError::Negotiation(desc.to_owned())),
        }
    }
}

/// Returns whether this is the banner of QEMU's human monitor, perhaps after a telnet negotiation.
fn is_human_monitor(preview: &str) -> bool {
    preview.contains("(qemu)") || preview.contains("QEMU") && preview.contains("monitor")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::super::received::Received;
    use super::*;
    use crate::test_server::{GREETING, Peer, start_listener, start_listener_at, start_peer};

    fn opened(options: &Options, script: impl FnOnce(&mut Peer) + Send + 'static) -> Result<Session, ConnectError> {
        let (socket, _script) = start_peer(script);
        Session::over(socket.into(), &Address::Unix("vm.sock".into()), options)
    }

    fn brief() -> Options {
        Options { timeout: Duration::from_millis(200), ..Options::default() }
    }

    #[track_caller]
    fn error(options: &Options, script: impl FnOnce(&mut Peer) + Send + 'static) -> String {
        opened(options, script).unwrap_err().to_string()
    }

    #[test]
    fn enables_out_of_band_execution_if_it_is_offered() {
        let session = opened(&Options::default(), |peer| {
            peer.send_line(r#"{"QMP": {"version": null, "capabilities": ["oob"]}}"#);
            let request = peer.read_request().unwrap();
            assert_eq!(request["arguments"], serde_json::json!({"enable": ["oob"]}));
            peer.reply(&request["id"].to_string(), "{}");
        });
        assert!(session.unwrap().greeting().unwrap().offers_oob());
    }

    #[test]
    fn keeps_events_and_skips_replies_to_the_last_client() {
        let mut session = opened(&Options::default(), |peer| {
            peer.send_event("FIRST");
            peer.send_line(r#"{"return": 1, "id": 7}"#);
            peer.send_line(GREETING);
            let id = peer.expect_command("qmp_capabilities");
            peer.send_event("SECOND");
            peer.reply(&id, "{}");
        })
        .unwrap();
        for name in ["FIRST", "SECOND"] {
            assert!(matches!(session.receive(None), Ok(Received::Event(event)) if event.name() == name));
        }
    }

    #[test]
    fn negotiates_again_after_a_second_greeting() {
        let (socket, _script) = start_peer(|peer| {
            peer.negotiate();
            peer.send_line(GREETING);
            let id = peer.expect_command("query-name");
            peer.answer("qmp_capabilities", "{}");
            peer.reply(&id, "{}");
        });
        let mut session = Session::over(socket.into(), &Address::Demo, &Options::default()).unwrap();
        let id = session.send(&Request::new("query-name")).unwrap();
        // The reply to the second negotiation does not reach the consumer.
        assert!(matches!(session.receive(None), Ok(Received::Reply { id: answered, .. }) if answered == id));
    }

    #[test]
    fn names_what_is_not_a_qmp_server() {
        let not_qmp = |seen: &str| format!("the server at `vm.sock` does not speak QMP; it sent: {seen}");
        assert_eq!(error(&brief(), |peer| peer.send_line("SSH-2.0")), not_qmp("SSH-2.0"));
        assert_eq!(error(&brief(), |peer| peer.send_line("{\"jsonrpc\": 1}")), not_qmp("{\"jsonrpc\": 1}"));
        // A message that never ends is shown too.
        assert_eq!(
            error(&brief(), |peer| {
                peer.send("{\"some\": ");
                assert_eq!(peer.read_request(), None);
            }),
            not_qmp("{\"some\":")
        );
        let monitor = opened(&brief(), |peer| peer.send_line("QEMU 10.0.2 monitor - type 'help'"));
        assert!(matches!(monitor, Err(ConnectError::HumanMonitor(_))), "{monitor:?}");
    }

    #[test]
    fn limits_the_time_for_greeting_and_negotiation() {
        let silent = opened(&brief(), |peer| {
            peer.send("\n  \n");
            assert_eq!(peer.read_request(), None);
        });
        assert!(matches!(silent, Err(ConnectError::NoGreeting { seconds: 0.2, .. })), "{silent:?}");
        let unanswered = opened(&brief(), |peer| {
            peer.send_line(GREETING);
            peer.expect_command("qmp_capabilities");
            assert_eq!(peer.read_request(), None);
        });
        assert!(matches!(unanswered, Err(ConnectError::NoNegotiation { .. })), "{unanswered:?}");
    }

    #[test]
    fn reports_a_refusal_and_the_end_of_the_connection() {
        let refused = error(&Options::default(), |peer| {
            peer.send_line(GREETING);
            let id = peer.expect_command("qmp_capabilities");
            peer.send_line(&format!(r#"{{"error": {{"class": "GenericError", "desc": "no"}}, "id": {id}}}"#));
        });
        assert!(refused.ends_with("no"), "{refused}");
        let closed = opened(&Options::default(), |peer| peer.send_line(GREETING));
        assert!(matches!(closed, Err(ConnectError::Disconnected { .. })), "{closed:?}");
    }

    #[test]
    fn gives_up_a_server_that_sends_only_events() {
        let flooded = opened(&Options::default(), |peer| {
            peer.send_line(GREETING);
            peer.expect_command("qmp_capabilities");
            let event = format!("{{\"event\": \"{}\"}}\r\n", "E".repeat(1 << 20));
            for _ in 0..40 {
                peer.send(&event);
            }
        });
        assert!(matches!(flooded, Err(ConnectError::NoHandshake(_))), "{flooded:?}");
    }

    #[test]
    fn can_be_cancelled() {
        let options = Options { cancelled: Arc::new(AtomicBool::new(true)), ..Options::default() };
        let cancelled = opened(&options, |peer| assert_eq!(peer.read_request(), None));
        assert!(matches!(cancelled, Err(ConnectError::Cancelled(_))), "{cancelled:?}");
    }

    #[test]
    fn synchronises_with_a_guest_agent() {
        let options = Options { guest_agent: true, ..Options::default() };
        let session = opened(&options, |peer| {
            // The rest of a reply to an earlier client, and a number that was not sent.
            peer.send("arbage\"}\n{\"return\": 1}\n");
            let request = peer.read_request().unwrap();
            peer.send([0xFF]);
            peer.send_line(&format!(r#"{{"return": {}}}"#, request["arguments"]["id"]));
        });
        assert!(session.unwrap().greeting().is_none());
    }

    #[test]
    fn waits_for_a_server_that_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("late.sock");
        let address = Address::Unix(path.clone());
        let absent = super::connect(&address, &Options::default(), &mut |_| {});
        assert!(matches!(absent, Err(ConnectError::NoSuchSocket(_))), "{absent:?}");
        let server = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            start_listener_at(&path, vec![Box::new(Peer::negotiate)])
        });
        let options = Options { wait: Some(Duration::from_secs(20)), ..Options::default() };
        super::connect(&address, &options, &mut |_| {}).unwrap();
        drop(server.join());
    }

    #[test]
    fn tries_again_after_a_server_that_is_still_exiting() {
        let server = start_listener(vec![Box::new(|_| {}), Box::new(Peer::negotiate)]);
        let options = Options { wait: Some(Duration::from_secs(20)), ..Options::default() };
        super::connect(&server.address, &options, &mut |_| {}).unwrap();
    }
}
