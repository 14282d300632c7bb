//! An open session: requests out, messages in, in order of arrival.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::wire::{Frame, Framer, Greeting, Incoming, Limits, MessageError, Request, sample};

use super::dial::Peer;
use super::error::Lost;
use super::inbox::Inbox;
use super::received::Received;
use super::socket::{Socket, wait};
use super::transcript::{SharedTranscript, record};

/// Where messages come from.
#[derive(Debug)]
enum Source {
    /// The consumer reads the socket itself: nothing stands between it and the server.
    Direct(Box<Framer>),
    /// A reader thread reads it, so that the server never waits for the consumer.
    Threaded(Arc<Inbox>, Option<JoinHandle<()>>),
}

/// An open session.
#[derive(Debug)]
pub struct Session {
    socket: Arc<Socket>,
    source: Source,
    /// Messages that came during negotiation and are still to be consumed.
    early: VecDeque<Received>,
    pub(super) greeting: Option<Greeting>,
    last_id: u64,
    transcript: SharedTranscript,
    /// Ended with the session.
    peer: Option<Peer>,
}

impl Session {
    pub(super) fn new(socket: Socket, peer: Option<Peer>, limits: Limits, transcript: SharedTranscript) -> Session {
        Session {
            socket: Arc::new(socket),
            source: Source::Direct(Box::new(Framer::new(limits))),
            early: VecDeque::new(),
            greeting: None,
            last_id: first_id(),
            transcript,
            peer,
        }
    }

    /// The server's greeting; a guest agent sends none.
    pub fn greeting(&self) -> Option<&Greeting> {
        self.greeting.as_ref()
    }

    /// Whether descriptors can be passed to the server: over a Unix socket, but not through a process of ours.
    pub fn passes_descriptors(&self) -> bool {
        self.peer.is_none() && self.socket.is_unix()
    }

    /// Starts the reader thread: from now on messages are read as they come, whoever consumes them.
    pub fn start_reader(&mut self) -> Arc<Inbox> {
        let inbox = match &mut self.source {
            Source::Threaded(inbox, _) => return Arc::clone(inbox),
            Source::Direct(framer) => {
                let framer = std::mem::replace(&mut **framer, Framer::new(Limits::default()));
                let inbox = Arc::new(Inbox::default());
                let (ours, socket) = (Arc::clone(&inbox), Arc::clone(&self.socket));
                let transcript = Arc::clone(&self.transcript);
                let thread = std::thread::spawn(move || read_all(&socket, framer, &ours, &transcript));
                self.source = Source::Threaded(Arc::clone(&inbox), Some(thread));
                inbox
            }
        };
        for item in self.early.drain(..) {
            inbox.push(0, item);
        }
        inbox
    }

    /// Sends a request under an id of the session's own, which is returned.
    pub fn send(&mut self, request: &Request) -> Result<u64, Lost> {
        self.last_id += 1;
        let id = self.last_id;
        let mut line = request.to_json(Some(&id.to_string()));
        self.record_sent(request, id, &line);
        line.push('\n');
        self.send_bytes(line.as_bytes())?;
        Ok(id)
    }

    /// As [`Session::send`], with a descriptor attached.
    pub fn send_with_descriptor(&mut self, request: &Request, fd: BorrowedFd<'_>) -> Result<u64, Lost> {
        self.last_id += 1;
        let id = self.last_id;
        let mut line = request.to_json(Some(&id.to_string()));
        self.record_sent(request, id, &line);
        line.push('\n');
        self.socket.send_with_fd(line.as_bytes(), fd)?;
        Ok(id)
    }

    fn record_sent(&self, request: &Request, id: u64, line: &str) {
        let is_open = self.transcript.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if !is_open {
            return;
        }
        if request.secrets.is_empty() {
            record(&self.transcript, "sent", line);
        } else {
            record(&self.transcript, "sent", &request.to_masked_json(Some(&id.to_string())));
        }
    }

    /// Sends bytes as they are.
    pub(super) fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        match &mut self.source {
            Source::Direct(framer) => {
                let socket = Arc::clone(&self.socket);
                let mut read = || match framer.fill(|buf| socket.receive(buf))? {
                    // The end will be met again by whoever reads next.
                    0 => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
                    _ => Ok(()),
                };
                self.socket.send_all(bytes, Some(&mut read))?;
            }
            Source::Threaded(..) => self.socket.send_all(bytes, None)?,
        }
        Ok(())
    }

    /// The next message in order of arrival; waits for it until `until`, for ever where that is `None`.
    pub fn receive(&mut self, until: Option<Instant>) -> Result<Received, Lost> {
        match self.early.pop_front() {
            Some(early) => Ok(early),
            None => self.receive_new(until),
        }
    }

    /// As [`Session::receive`], passing over what was kept for the first consumer.
    pub(super) fn receive_new(&mut self, until: Option<Instant>) -> Result<Received, Lost> {
        match &mut self.source {
            Source::Threaded(inbox, _) => inbox.pop(until),
            Source::Direct(framer) => loop {
                if let Some((_, item)) = next_item(framer, &self.transcript)? {
                    return Ok(item);
                }
                if until.is_some() && !wait(&[self.socket.as_fd()], until)?[0] {
                    return Ok(Received::TimedOut);
                }
                fill(framer, &self.socket)?;
            },
        }
    }

    /// A message that is here already, in direct reading: nothing is waited for, nothing read.
    pub fn receive_framed(&mut self) -> Result<Option<Received>, Lost> {
        if let Some(early) = self.early.pop_front() {
            return Ok(Some(early));
        }
        match &mut self.source {
            Source::Threaded(inbox, _) if !inbox.has_news() => Ok(None),
            Source::Threaded(inbox, _) => inbox.pop(Some(Instant::now())).map(Some),
            Source::Direct(framer) => Ok(next_item(framer, &self.transcript)?.map(|(_, item)| item)),
        }
    }

    /// The next message, or [`Received::Input`] once `input` can be read and no message is at hand. For direct reading.
    pub fn receive_or_input(&mut self, input: BorrowedFd<'_>, until: Option<Instant>) -> Result<Received, Lost> {
        loop {
            if let Some(item) = self.receive_framed()? {
                return Ok(item);
            }
            let Source::Direct(framer) = &mut self.source else {
                return Ok(Received::Input);
            };
            let ready = wait(&[self.socket.as_fd(), input], until)?;
            match ready[..] {
                // Input first: what has come of messages is read by whoever sends the next command, and a script that
                // is at its end has not lost a connection that ends at the same time.
                [_, true] => return Ok(Received::Input),
                [true, _] => fill(framer, &self.socket)?,
                _ => return Ok(Received::TimedOut),
            }
        }
    }

    /// Keeps a message for the first consumer.
    pub(super) fn keep(&mut self, item: Received) {
        self.early.push_back(item);
    }

    /// Gives back messages that were received but not consumed, in their order: they will be the next to come.
    pub fn put_back(&mut self, items: Vec<Received>) {
        for item in items.into_iter().rev() {
            self.early.push_front(item);
        }
    }

    /// Whether byte 0xFF inside a message means that its beginning is to be forgotten; direct reading only.
    pub(super) fn heed_marks(&mut self, heed: bool) {
        if let Source::Direct(framer) = &mut self.source {
            framer.heed_marks(heed);
        }
    }

    /// What was received of a message that is not whole yet; direct reading only.
    pub(super) fn pending(&self) -> &[u8] {
        match &self.source {
            Source::Direct(framer) => framer.pending(),
            Source::Threaded(..) => &[],
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.socket.shut_down();
        if let Source::Threaded(inbox, thread) = &mut self.source {
            inbox.abandon();
            if let Some(thread) = thread.take() {
                // The socket is shut, so the thread is at its end; a panic in it has been reported already.
                let _ = thread.join();
            }
        }
    }
}

/// Where the ids of a session begin. A server that serves one client at a time may hand an answer that the last one did
/// not wait for to the next; so no two sessions number alike.
fn first_id() -> u64 {
    RandomState::new().hash_one(std::process::id()) % 1_000_000 * 1000
}

fn fill(framer: &mut Framer, socket: &Socket) -> Result<(), Lost> {
    match framer.fill(|buf| socket.receive(buf))? {
        0 if framer.pending().is_empty() => Err(Lost::Closed),
        0 => Err(Lost::MidMessage),
        _ => Ok(()),
    }
}

/// The next item that is whole, and its size.
fn next_item(framer: &mut Framer, transcript: &SharedTranscript) -> Result<Option<(usize, Received)>, Lost> {
    let Some(frame) = framer.next_frame()? else {
        return Ok(None);
    };
    let item = match frame {
        Frame::Mark => (0, Received::Mark),
        Frame::Junk(bytes) => {
            let junk = MessageError {
                reason: "it is no JSON object".to_owned(),
                sample: sample(&String::from_utf8_lossy(&bytes)),
            };
            (bytes.len(), Received::Junk(junk))
        }
        Frame::Message(bytes) => {
            if transcript.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                record(transcript, "received", &String::from_utf8_lossy(&bytes));
            }
            let len = bytes.len();
            match Incoming::parse(bytes) {
                Ok(message) => (len, Received::Message(message)),
                Err(junk) => (len, Received::Junk(junk)),
            }
        }
    };
    Ok(Some(item))
}

fn read_all(socket: &Socket, mut framer: Framer, inbox: &Inbox, transcript: &SharedTranscript) {
    let lost = loop {
        match next_item(&mut framer, transcript) {
            Ok(Some((bytes, item))) => {
                inbox.push(bytes, item);
                continue;
            }
            Ok(None) => {}
            Err(lost) => break lost,
        }
        if let Err(lost) = fill(&mut framer, socket) {
            break lost;
        }
    };
    inbox.end(lost);
}
