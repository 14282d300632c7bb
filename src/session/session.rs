//! An open session: requests out, messages in, in order of arrival.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crate::wire::{Greeting, Incoming, Limits, Request};

use super::address::Address;
use super::connect::{Connected, PeerProcess};
use super::connection::{ReceiveHalf, SendHalf, halves, is_past};
use super::error::{ConnectError, Disconnected};
use super::listen::Listener;
use super::log::SharedLog;
use super::message_queue::MessageQueue;
use super::negotiate::{Options, capabilities_request, negotiate};
use super::received::{Backlog, Received};
use super::socket::{Socket, WhileBlocked, wait};

/// Where messages come from.
#[derive(Debug)]
enum Source {
    /// The consumer reads the socket itself: nothing stands between it and the server.
    Direct(Box<ReceiveHalf>),
    /// A reader thread reads it, so that the server never waits for the consumer.
    Threaded(Reader),
}

/// A reader thread and the inbox that it fills.
#[derive(Debug)]
struct Reader {
    inbox: Arc<MessageQueue>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.inbox.abandon();
        if let Some(thread) = self.thread.take() {
            // The socket is shut, so the thread is at its end; a panic in it has been reported already.
            let _ = thread.join();
        }
    }
}

/// An open session with a server: one consumer, who gets every message in order of arrival.
///
/// The shell stands on this, and so may any program that shows all that comes, as it comes; one that rather asks and is
/// answered takes a [`Client`](crate::Client), which is made of the same. [`open`](crate::open) makes one to any address.
///
/// ```
/// use qmp_shell::{Address, Incoming, Options, Received, Request};
///
/// let mut session = qmp_shell::open(&Address::Demo, &Options::default())?;
/// let id = session.send(&Request::new("stop"))?;
/// loop {
///     match session.receive(None)? {
///         Received::Message(Incoming::Event(event)) => println!("{}", event.name()),
///         Received::Message(Incoming::Reply(reply)) if reply.id() == Some(id.to_string().as_str()) => break,
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    /// First, so that the socket is shut before the reader is waited for.
    out: SendHalf,
    source: Source,
    /// Messages that came during negotiation and are still to be consumed.
    early: VecDeque<Received>,
    pub(super) greeting: Option<Greeting>,
    second: SecondGreeting,
}

/// What became of a second greeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SecondGreeting {
    /// None came.
    None,
    /// It was answered with a capabilities request of this id.
    Answered(u64),
    /// All is said.
    Settled,
}

impl Session {
    pub(super) fn new(socket: Socket, peer: Option<PeerProcess>, limits: Limits, log: SharedLog) -> Session {
        let (out, input) = halves(socket, peer, limits, log);
        let source = Source::Direct(Box::new(input));
        Session { out, source, early: VecDeque::new(), greeting: None, second: SecondGreeting::None }
    }

    /// Waits at `listener` for the next server to connect, and negotiates with it. Without [`Options::wait`] it waits as
    /// long as it takes.
    pub fn accept(listener: &Listener, options: &Options) -> Result<Session, ConnectError> {
        negotiate(listener.accept(options)?, listener.address(), options)
    }

    /// Negotiates over a stream socket that is connected already. `address` is what messages call the server.
    pub fn over(socket: OwnedFd, address: &Address, options: &Options) -> Result<Session, ConnectError> {
        negotiate(Connected { socket: socket.into(), peer: None }, address, options)
    }

    /// The server's greeting; a guest agent sends none.
    pub fn greeting(&self) -> Option<&Greeting> {
        self.greeting.as_ref()
    }

    /// Whether descriptors can be passed to the server: over a Unix socket, but not through a process of ours.
    pub fn passes_descriptors(&self) -> bool {
        self.out.passes_descriptors()
    }

    /// Starts the reader thread: from now on messages are read as they come, whoever consumes them.
    pub fn start_reader(&mut self) -> Arc<MessageQueue> {
        let inbox = match &self.source {
            Source::Threaded(reader) => return Arc::clone(&reader.inbox),
            Source::Direct(_) => Arc::new(MessageQueue::default()),
        };
        // Before the thread that adds what came after them.
        for item in self.early.drain(..) {
            inbox.push(item);
        }
        let reader = Reader { inbox: Arc::clone(&inbox), thread: None };
        if let Source::Direct(input) = std::mem::replace(&mut self.source, Source::Threaded(reader))
            && let Source::Threaded(reader) = &mut self.source
        {
            let ours = Arc::clone(&inbox);
            reader.thread = Some(std::thread::spawn(move || read_all(*input, &ours)));
        }
        inbox
    }

    /// Takes the session apart, before a reader was started: its halves, what came early, and the greeting.
    pub(crate) fn into_halves(self) -> Option<(SendHalf, ReceiveHalf, VecDeque<Received>, Option<Greeting>)> {
        match self.source {
            Source::Direct(input) => Some((self.out, *input, self.early, self.greeting)),
            Source::Threaded(_) => None,
        }
    }

    /// Whether the server would take this request at once: it is no long one, and what was sent before it is under way.
    #[doc(hidden)]
    pub fn is_writable(&self, request: &Request) -> bool {
        let arguments = request.arguments.as_deref().map_or(0, str::len);
        self.out.socket.is_writable(request.command.len() + arguments)
    }

    /// Sends a request under an id of the session's own, which is returned.
    pub fn send(&mut self, request: &Request) -> Result<u64, Disconnected> {
        self.transmit(request, None)
    }

    /// As [`Session::send`], with a descriptor attached.
    pub fn send_with_descriptor(&mut self, request: &Request, fd: BorrowedFd<'_>) -> Result<u64, Disconnected> {
        self.transmit(request, Some(fd))
    }

    fn transmit(&mut self, request: &Request, fd: Option<BorrowedFd<'_>>) -> Result<u64, Disconnected> {
        let id = self.out.next_id();
        let sent = match &mut self.source {
            Source::Direct(input) => self.out.send_with(id, request, fd, WhileBlocked::Read(&mut || read_more(input))),
            Source::Threaded(reader) => {
                self.out.send_with(id, request, fd, WhileBlocked::Ask(&|| reader.inbox.is_interrupted()))
            }
        };
        sent.map_err(|unsent| unsent.lost)?;
        Ok(id)
    }

    /// Sends bytes as they are.
    pub(super) fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Disconnected> {
        match &mut self.source {
            Source::Direct(input) => {
                self.out.socket.send_all(&mut &*bytes, WhileBlocked::Read(&mut || read_more(input)))?;
            }
            Source::Threaded(_) => self.out.socket.send_all(&mut &*bytes, WhileBlocked::Wait)?,
        }
        Ok(())
    }

    /// The next message in order of arrival; waits for it until `until`, for ever where that is `None`. After `until` there
    /// is none, whatever has arrived: a server that never stops talking does not make its listener late.
    pub fn receive(&mut self, until: Option<Instant>) -> Result<Received, Disconnected> {
        loop {
            if is_past(until) {
                return Ok(Received::TimedOut);
            }
            let item = match self.early.pop_front() {
                Some(early) => early,
                None => self.receive_new(until)?,
            };
            if let Some(item) = self.observe(item) {
                return Ok(item);
            }
        }
    }

    /// As [`Session::receive`], passing over what was kept for the first consumer.
    pub(super) fn receive_new(&mut self, until: Option<Instant>) -> Result<Received, Disconnected> {
        if is_past(until) {
            return Ok(Received::TimedOut);
        }
        match &mut self.source {
            Source::Threaded(reader) => reader.inbox.pop(until),
            Source::Direct(input) => input.receive(until),
        }
    }

    /// A message that is here already: nothing is waited for, nothing read.
    pub fn receive_framed(&mut self) -> Result<Option<Received>, Disconnected> {
        loop {
            let item = match (self.early.pop_front(), &mut self.source) {
                (Some(early), _) => early,
                (None, Source::Threaded(reader)) if !reader.inbox.is_ready() => return Ok(None),
                (None, Source::Threaded(reader)) => reader.inbox.pop(Some(Instant::now()))?,
                (None, Source::Direct(input)) => match input.next_framed()? {
                    Some(item) => item,
                    None => return Ok(None),
                },
            };
            if let Some(item) = self.observe(item) {
                return Ok(Some(item));
            }
        }
    }

    /// A message that has arrived by now, though nobody has read it yet: nothing is waited for.
    pub fn receive_arrived(&mut self) -> Result<Option<Received>, Disconnected> {
        loop {
            if let Some(item) = self.receive_framed()? {
                return Ok(Some(item));
            }
            let Source::Direct(half) = &mut self.source else { return Ok(None) };
            if !wait(&[half.socket.as_fd()], Some(Instant::now()))?[0] {
                return Ok(None);
            }
            half.fill()?;
        }
    }

    /// The next message, or [`Received::Input`] once `input` can be read and no message is at hand. For direct reading.
    pub fn receive_or_input(
        &mut self,
        input: BorrowedFd<'_>,
        until: Option<Instant>,
    ) -> Result<Received, Disconnected> {
        loop {
            if let Some(item) = self.receive_framed()? {
                return Ok(item);
            }
            let Source::Direct(half) = &mut self.source else {
                return Ok(Received::Input);
            };
            let ready = wait(&[half.socket.as_fd(), input], until)?;
            match ready[..] {
                // Input first: what has come of messages is read by whoever sends the next command, and a script that
                // is at its end has not lost a connection that ends at the same time.
                [_, true] => return Ok(Received::Input),
                [true, _] => half.fill()?,
                _ => return Ok(Received::TimedOut),
            }
        }
    }

    /// Sees to what the session itself has to answer. A server that was still starting when it was connected to may greet
    /// again, and then takes no command before it has been negotiated with anew; that is done here, once, and the
    /// answer to it is nobody's. What the server refused in between stays refused.
    fn observe(&mut self, item: Received) -> Option<Received> {
        match (&item, self.second) {
            (Received::Message(Incoming::Greeting(greeting)), SecondGreeting::None) => {
                // A connection that is at its end will be found so by the next to read from it.
                self.second = self
                    .send(&capabilities_request(greeting))
                    .map_or(SecondGreeting::Settled, SecondGreeting::Answered);
                None
            }
            (Received::Message(Incoming::Reply(reply)), SecondGreeting::Answered(id))
                if reply.id() == Some(id.to_string().as_str()) =>
            {
                self.second = SecondGreeting::Settled;
                None
            }
            _ => Some(item),
        }
    }

    /// Gives back messages that were received but not consumed, in their order: they will be the next to come.
    pub(crate) fn requeue(&mut self, aside: Backlog) {
        for item in aside.into_items().into_iter().rev() {
            self.early.push_front(item);
        }
    }

    /// Whether byte 0xFF inside a message means that its beginning is to be forgotten; direct reading only.
    pub(super) fn skip_sync_markers(&mut self, observe: bool) {
        if let Source::Direct(input) = &mut self.source {
            input.framer.honor_sync_markers(observe);
        }
    }

    /// What was received of a message that is not whole yet; direct reading only.
    pub(super) fn pending(&self) -> &[u8] {
        match &self.source {
            Source::Direct(input) => input.framer.partial_message(),
            Source::Threaded(_) => &[],
        }
    }
}

/// Takes what the server has to say while it takes nothing of ours.
fn read_more(input: &mut ReceiveHalf) -> io::Result<()> {
    if input.framer.is_overfull() {
        return Err(io::Error::other("the server talks without end and takes nothing"));
    }
    let socket = &input.socket;
    match input.framer.fill(|buf| socket.receive(buf))? {
        // The end will be met again by whoever reads next.
        0 => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
        _ => Ok(()),
    }
}

fn read_all(mut input: ReceiveHalf, inbox: &MessageQueue) {
    let lost = loop {
        match input.receive(None) {
            Ok(item) => inbox.push(item),
            Err(lost) => break lost,
        }
    };
    inbox.end(lost);
}
