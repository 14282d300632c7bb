//! An open session, which sends requests and receives messages in order of arrival.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::process::Pid;

use crate::wire::{Greeting, Request};

use super::address::Address;
use super::connect::Connected;
use super::connection::{Polled, ReceiveHalf, SendHalf, Wait, split};
use super::error::{ConnectError, Disconnected};
use super::listen::Listener;
use super::message_queue::MessageQueue;
use super::negotiate::negotiate;
use super::opening::Opening;
use super::options::Options;
use super::pending::{Registered, Routed, Router};
use super::received::{Backlog, Received};
use super::socket::WhileBlocked;

/// An open session with a server, for one consumer that receives every message in order of arrival.
///
/// The shell uses this; so can any program that shows messages as they arrive. A program that sends commands and waits
/// for their results should use a [`Client`](crate::Client). [`open`](crate::open) opens a session with any address.
///
/// ```
/// use qmp_shell::{Address, Options, Received, Request};
///
/// let mut session = qmp_shell::open(&Address::Demo, &Options::default())?;
/// let stop = session.send(&Request::new("stop"))?;
/// loop {
///     match session.receive(None)? {
///         Received::Event(event) => println!("{}", event.name()),
///         Received::Reply { id, reply } if id == stop => break assert!(reply.succeeded()),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    /// The first field, so that the socket is shut down before the reader thread is joined.
    pub(super) out: SendHalf,
    pub(super) source: Source,
    pub(super) router: Router<ReplyUse>,
    /// Messages to be received before those of `source`.
    pub(super) backlog: Backlog,
    /// The place of the last message of `source` in the order of arrival over all sessions.
    pub(super) last_place: u64,
    pub(super) greeting: Option<Greeting>,
    /// Whether a request waits until those before are answered, whatever server it is. See [`Session::take_turns`].
    pub(super) takes_turns: bool,
    /// Whether the server can read a request only after it has answered the one before.
    pub(super) takes_one_request: bool,
    /// The requests that wait for their turn.
    pub(super) queued: VecDeque<QueuedRequest>,
}

/// The parts of a session, for a consumer of another kind.
#[derive(Debug)]
pub(crate) struct Halves<T> {
    pub(crate) out: SendHalf,
    pub(crate) input: ReceiveHalf,
    pub(crate) router: Router<T>,
    pub(crate) greeting: Option<Greeting>,
    /// Whether the server can read a request only after it has answered the one before.
    pub(crate) takes_one_request: bool,
}

/// The source of messages.
#[derive(Debug)]
pub(super) enum Source {
    /// The consumer reads the socket itself, without another thread in between.
    Direct(Box<ReceiveHalf>),
    /// A reader thread reads the socket, so that the server never waits for the consumer.
    Threaded(Reader),
}

/// A reader thread and the queue that it fills.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) queue: Arc<MessageQueue>,
    /// It returns its half if it leaves before the end of the connection.
    pub(super) thread: Option<JoinHandle<Option<ReceiveHalf>>>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // Returns soon, because the socket is shut down. A panic in the thread has been reported already.
            let _ = thread.join();
        }
    }
}

/// Whether the reply to a request is returned to the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyUse {
    Deliver,
    /// As `Deliver`. The consumer has stopped waiting for the reply, so other requests do not wait for it either.
    #[cfg_attr(not(feature = "programs"), allow(dead_code, reason = "only the shell stops waiting"))]
    DeliverLate,
    Discard,
}

/// The decision of the caller of [`Session::receive_until`] about a message.
pub(crate) enum Taken<T> {
    /// It was the message waited for.
    Done(T),
    /// It was consumed; the wait continues.
    Consumed,
    /// It is kept for the next `receive`; the wait continues.
    Kept(Received),
}

/// The outcome of [`Session::receive_until`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waited<T> {
    Done(T),
    TimedOut,
    Interrupted,
    /// Too many other messages arrived, so the wait was abandoned.
    Flooded,
}

/// A request that is sent once the one before is answered.
#[derive(Debug)]
pub(super) struct QueuedRequest {
    pub(super) registered: Registered,
    request: Request,
    fd: Option<OwnedFd>,
}

impl Session {
    pub(super) fn new(connected: Connected, options: &Options) -> Session {
        let Connected { socket, process, takes_one_request, .. } = connected;
        let (out, input) = split(socket, process, options.limits, options.log.clone(), options.server_name.clone());
        Session {
            out,
            source: Source::Direct(Box::new(input)),
            router: Router::default(),
            backlog: Backlog::default(),
            last_place: 0,
            greeting: None,
            takes_turns: false,
            takes_one_request,
            queued: VecDeque::new(),
        }
    }

    /// Waits for the next server to connect to `listener`, and negotiates with it. Without [`Options::wait`] the wait
    /// has no limit.
    pub fn accept(listener: &Listener, options: &Options) -> Result<Session, ConnectError> {
        Session::accept_with_progress(listener, options, &mut |_| {})
    }

    /// Opens a session as [`Session::accept`] does. After a server has connected, calls `progress` with a sentence about
    /// each long wait.
    pub(crate) fn accept_with_progress(
        listener: &Listener,
        options: &Options,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Session, ConnectError> {
        let connected = listener.accept(options)?;
        negotiate(connected, &mut Opening::new(listener.address(), options, progress))
    }

    /// Negotiates over a stream socket that is connected already. `address` names the server in messages.
    pub fn over(socket: OwnedFd, address: &Address, options: &Options) -> Result<Session, ConnectError> {
        Session::over_with_progress(socket, address, options, &mut |_| {})
    }

    /// Opens a session as [`Session::over`] does. Calls `progress` with a sentence about each long wait.
    pub(crate) fn over_with_progress(
        socket: OwnedFd,
        address: &Address,
        options: &Options,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Session, ConnectError> {
        negotiate(socket.into(), &mut Opening::new(address, options, progress))
    }

    /// Returns the server's greeting. A guest agent sends none.
    pub fn greeting(&self) -> Option<&Greeting> {
        self.greeting.as_ref()
    }

    /// Returns whether file descriptors can be passed to the server: over a Unix socket whose peer is not a child of
    /// this process.
    pub fn can_pass_fds(&self) -> bool {
        self.out.can_pass_fds()
    }

    /// Returns the server's process, if it is on this machine and the connection is not through a child of this process.
    #[doc(hidden)]
    pub fn peer_process(&self) -> Option<Pid> {
        self.out.peer_process()
    }

    /// Names the server in the log from now on, if it has no name there.
    #[cfg(feature = "programs")]
    pub(crate) fn set_server_name(&mut self, name: &str) {
        // A name that is set already stays.
        let _ = self.out.server_name.set(name.to_owned());
    }

    /// Returns whether the consumer should stop waiting, and forgets it. With a reader thread only.
    #[cfg(feature = "programs")]
    pub(crate) fn take_interrupt(&self) -> bool {
        match &self.source {
            Source::Threaded(reader) => reader.queue.take_interrupt(),
            Source::Direct(_) => false,
        }
    }

    /// Returns the place of the next message in the order of arrival over all sessions, or of the end of the connection.
    /// `None` if nothing has arrived. With a reader thread only.
    #[cfg(feature = "programs")]
    pub(crate) fn next_arrival(&self) -> Option<u64> {
        match &self.source {
            _ if !self.backlog.is_empty() => self.backlog.next_place(),
            Source::Threaded(reader) => reader.queue.next_arrival(),
            Source::Direct(_) => None,
        }
    }

    /// Starts the reader thread, which reads messages as they arrive. Returns its queue.
    pub fn start_reader(&mut self) -> Arc<MessageQueue> {
        let queue = match &self.source {
            Source::Threaded(reader) => return Arc::clone(&reader.queue),
            Source::Direct(_) => Arc::new(MessageQueue::default()),
        };
        let reader = Reader { queue: Arc::clone(&queue), thread: None };
        if let Source::Direct(input) = std::mem::replace(&mut self.source, Source::Threaded(reader))
            && let Source::Threaded(reader) = &mut self.source
        {
            let queue = Arc::clone(&queue);
            reader.thread = Some(std::thread::spawn(move || read_all(*input, &queue)));
        }
        queue
    }

    /// Splits a session that has no reader thread. Messages that arrived during negotiation are dropped.
    pub(crate) fn into_halves<T>(self) -> Option<Halves<T>> {
        match self.source {
            Source::Direct(input) => Some(Halves {
                out: self.out,
                input: *input,
                router: self.router.successor(),
                greeting: self.greeting,
                takes_one_request: self.takes_one_request,
            }),
            Source::Threaded(_) => None,
        }
    }

    /// Returns whether `request` can be sent without waiting for the server: it is short and the socket's buffer has
    /// room.
    #[doc(hidden)]
    pub fn can_send_now(&self, request: &Request) -> bool {
        let arguments = request.arguments.as_deref().map_or(0, str::len);
        self.out.socket.can_send_now(request.command.len() + arguments)
    }

    /// Sends a request. Returns its number, by which [`Received::Reply`] names it. It is not the `id` of the message, which is
    /// used again after its reply.
    pub fn send(&mut self, request: &Request) -> Result<u64, Disconnected> {
        self.transmit(request, None, ReplyUse::Deliver)
    }

    /// Sends a request with a file descriptor attached. Returns its number, as [`Session::send`] does.
    pub fn send_with_fd(&mut self, request: &Request, fd: BorrowedFd<'_>) -> Result<u64, Disconnected> {
        self.transmit(request, Some(fd), ReplyUse::Deliver)
    }

    fn transmit(
        &mut self,
        request: &Request,
        fd: Option<BorrowedFd<'_>>,
        reply_use: ReplyUse,
    ) -> Result<u64, Disconnected> {
        let must_wait = self.takes_turn(request) && !self.is_turn_free();
        let registered = self.router.pending.register(&request.command, reply_use);
        if must_wait {
            let fd = fd.map(|fd| fd.try_clone_to_owned()).transpose()?;
            self.queued.push_back(QueuedRequest { registered, request: request.clone(), fd });
        } else {
            self.transmit_now(registered, request, fd)?;
        }
        Ok(registered.number)
    }

    /// Sets the greeting. The proxy of libvirt is known by it, whatever its address.
    pub(super) fn set_greeting(&mut self, greeting: Greeting) {
        self.takes_one_request |= greeting.takes_one_request();
        self.greeting = Some(greeting);
    }

    fn takes_turn(&self, request: &Request) -> bool {
        self.takes_one_request || self.takes_turns && !request.oob
    }

    /// Returns whether no request that was sent is unanswered.
    pub(super) fn is_turn_free(&self) -> bool {
        let counts_late = self.takes_one_request;
        let is_counted = |reply_use: &&ReplyUse| counts_late || **reply_use != ReplyUse::DeliverLate;
        self.router.pending.values().filter(is_counted).count() == self.queued.len()
    }

    /// Sends the next request that waits for its turn, if the turn is free.
    pub(super) fn transmit_queued(&mut self) -> Result<(), Disconnected> {
        if !self.is_turn_free() {
            return Ok(());
        }
        let Some(QueuedRequest { registered, request, fd }) = self.queued.pop_front() else { return Ok(()) };
        self.transmit_now(registered, &request, fd.as_ref().map(|fd| fd.as_fd()))
    }

    fn transmit_now(
        &mut self,
        Registered { number, id }: Registered,
        request: &Request,
        fd: Option<BorrowedFd<'_>>,
    ) -> Result<(), Disconnected> {
        let sent = match &mut self.source {
            Source::Direct(input) => self.out.send_with(id, request, fd, WhileBlocked::Read(&mut || read_more(input))),
            Source::Threaded(reader) => {
                self.out.send_with(id, request, fd, WhileBlocked::Poll(&|| reader.queue.is_interrupted()))
            }
        };
        sent.map_err(|unsent| {
            self.router.pending.cancel(number);
            unsent.disconnected
        })
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

    /// Receives the next message in order of arrival. Waits until `deadline`; `None` waits without a limit. After the
    /// deadline it returns [`Received::TimedOut`], even if a message has arrived.
    pub fn receive(&mut self, deadline: Option<Instant>) -> Result<Received, Disconnected> {
        loop {
            match self.poll(deadline.into())? {
                Received::Greeting(_) | Received::DiscardedReply | Received::SyncMarker => {}
                message => return Ok(message),
            }
        }
    }

    /// Receives the next message, waiting for it as long as `wait` says. Every other way to receive uses this.
    #[doc(hidden)]
    pub fn poll(&mut self, wait: Wait<'_>) -> Result<Received, Disconnected> {
        if wait.is_over() {
            return Ok(Received::TimedOut);
        }
        match self.backlog.pop() {
            Some((_, message)) => Ok(message),
            None => self.poll_source(wait),
        }
    }

    /// Receives messages until `take` is done with one or `deadline` passes. Messages that `take` keeps are received
    /// again, in order, by the next `receive`.
    #[cfg(feature = "programs")]
    pub(crate) fn receive_until<T>(
        &mut self,
        deadline: Option<Instant>,
        mut take: impl FnMut(Received) -> Taken<T>,
    ) -> Result<Waited<T>, Disconnected> {
        // Messages that an earlier wait kept are offered again, because this wait may be for one of them.
        let mut earlier = std::mem::take(&mut self.backlog);
        while let Some((place, message)) = earlier.pop() {
            match take(message) {
                Taken::Done(value) => {
                    while let Some((place, message)) = earlier.pop() {
                        self.backlog.push(place, message);
                    }
                    return Ok(Waited::Done(value));
                }
                Taken::Consumed => {}
                Taken::Kept(message) => self.backlog.push(place, message),
            }
        }
        self.receive_new_until(deadline, take)
    }

    /// Receives messages as [`Session::receive_until`] does, but offers none that an earlier wait kept: a wait in many
    /// short parts would otherwise spend its time with them.
    pub(super) fn receive_new_until<T>(
        &mut self,
        deadline: Option<Instant>,
        mut take: impl FnMut(Received) -> Taken<T>,
    ) -> Result<Waited<T>, Disconnected> {
        let wait = Wait::from(deadline);
        while !self.backlog.is_full() {
            if wait.is_over() {
                return Ok(Waited::TimedOut);
            }
            match self.poll_source(wait)? {
                Received::TimedOut => return Ok(Waited::TimedOut),
                Received::Interrupted => return Ok(Waited::Interrupted),
                message => match take(message) {
                    Taken::Done(value) => return Ok(Waited::Done(value)),
                    Taken::Consumed => {}
                    Taken::Kept(message) => self.backlog.push(self.last_place, message),
                },
            }
        }
        Ok(Waited::Flooded)
    }

    /// Receives a message from the source. Answers a second greeting without returning it.
    pub(super) fn poll_source(&mut self, wait: Wait<'_>) -> Result<Received, Disconnected> {
        loop {
            let polled = match &mut self.source {
                Source::Threaded(reader) => {
                    let (place, polled) = reader.queue.pop(wait)?;
                    self.last_place = place;
                    polled
                }
                Source::Direct(input) => input.poll(wait)?,
            };
            let item = match polled {
                Polled::Item(item) => item,
                Polled::TimedOut => return Ok(Received::TimedOut),
                Polled::Interrupted => return Ok(Received::Interrupted),
                Polled::InputReady => return Ok(Received::InputReady),
            };
            let routed = self.router.route(item);
            if let Routed::Reply { .. } = routed {
                // At the end of the connection this fails, and the next read reports it.
                let _ = self.transmit_queued();
            }
            return Ok(match routed {
                Routed::Reply { entry: ReplyUse::Discard, .. } => Received::DiscardedReply,
                Routed::Renegotiate(request) => {
                    // At once, because the server accepts nothing else. At the end of the connection this fails, and the
                    // next read reports it.
                    let registered = self.router.pending.register(&request.command, ReplyUse::Discard);
                    let _ = self.transmit_now(registered, &request, None);
                    continue;
                }
                Routed::Reply { number, reply, .. } => Received::Reply { id: number, reply },
                Routed::Event(event) => Received::Event(event),
                Routed::Greeting(greeting) => Received::Greeting(greeting),
                Routed::Unexpected(unexpected) => Received::Unexpected(unexpected),
                Routed::SyncMarker => Received::SyncMarker,
            });
        }
    }

    /// Returns whether messages were kept for the next `receive`.
    pub(super) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Sets whether byte 0xFF discards the incomplete message before it. Without a reader thread only.
    pub(super) fn honour_sync_markers(&mut self, honour: bool) {
        if let Source::Direct(input) = &mut self.source {
            input.framer.honour_sync_markers(honour);
        }
    }

    /// Returns the received bytes of an incomplete message. Without a reader thread only.
    pub(super) fn incomplete(&self) -> &[u8] {
        match &self.source {
            Source::Direct(input) => input.framer.partial_message(),
            Source::Threaded(_) => &[],
        }
    }
}

/// Reads from a server that is not reading requests.
fn read_more(input: &mut ReceiveHalf) -> io::Result<()> {
    if input.framer.is_overfull() {
        return Err(io::Error::other("the server kept sending and read nothing"));
    }
    let socket = &input.socket;
    match input.framer.fill(|buf| socket.receive(buf))? {
        // The next read finds the end again and reports it.
        0 => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
        _ => Ok(()),
    }
}

/// Moves messages to the queue until the end of the connection, or until the queue tells the thread to leave.
fn read_all(mut input: ReceiveHalf, queue: &MessageQueue) -> Option<ReceiveHalf> {
    loop {
        match input.receive() {
            Ok(item) => queue.push(item),
            Err(disconnected) => {
                queue.end(disconnected);
                return None;
            }
        }
        if queue.is_leaving() {
            return Some(input);
        }
    }
}
