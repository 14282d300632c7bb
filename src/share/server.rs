//! The loop that serves clients: one thread, which waits for all sockets at once and never for a single one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::PoisonError;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::platform::peer_credentials;
use crate::session::{Channel, Disconnected, Session, SharedLog, SharedSocket, Unexpected};

use super::client::{Access, ClientId};
use super::connections::{Connection, Outcome};
use super::core::{Share, Upstream};

/// The number of messages of the server that are handled before clients are served.
const MAX_ITEMS_AT_ONCE: usize = 1024;

/// The number of connections that are accepted before clients are served.
const MAX_ACCEPTED_AT_ONCE: usize = 16;

/// The maximum number of read-only clients. Others wait until one leaves, so that there are descriptors for the clients
/// that may execute all commands: a process usually has 1024.
const MAX_READ_ONLY_CLIENTS: usize = 256;

/// The time for which no connection is accepted after the system has run out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The time between two notices that connections cannot be accepted.
const REFUSAL_NOTICE_INTERVAL: Duration = Duration::from_secs(60);

/// The time after which a message of the server that may be broken is looked at again.
const CUT_OFF_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The number of notices of data that has no place in the protocol. A broken server may send such data without end.
const MAX_UNEXPECTED_NOTICES: usize = 10;

/// The time that clients have for reading their last messages after the connection to the server has ended.
const FINAL_WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The time after which the end does not wait any longer for clients of which none reads.
const FINAL_STALL_TIMEOUT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The sockets on which a monitor is shared, and the log.
#[derive(Debug)]
pub struct Sharer {
    sockets: Vec<(SharedSocket, Access)>,
    log: SharedLog,
    is_verbose: bool,
    last_client: ClientId,
    /// The client that had the connection to the server before, until it is served.
    owner: Option<OwnedFd>,
}

/// Something that the operator of a share should know.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// The server is shared from now on.
    Sharing,
    /// A client left too many events unread, and was cut off.
    CutOff {
        /// The number of the client.
        client: u64,
        /// The process at the other end, if it is known.
        pid: Option<i32>,
    },
    /// Connections cannot be accepted for now, for this reason.
    CannotAccept(String),
    /// The server sent data that has no place in the protocol, and no client gets it.
    Unexpected(Unexpected),
    /// The members of a line of the log, in a verbose share.
    Record(String),
}

/// The reason why sharing has ended.
#[derive(Debug)]
pub enum ShareEnd {
    /// It was stopped.
    Stopped,
    /// The connection to the server has ended.
    Disconnected(Disconnected),
}

/// Requests of another thread to the loop. It stops when it can read from a socket and no changes are waiting.
#[derive(Debug)]
pub struct Stop {
    wake: UnixStream,
    changes: Option<Receiver<Change>>,
}

/// A change while a monitor is shared.
#[derive(Debug)]
pub enum Change {
    /// Clients are served on this socket too.
    Add(SharedSocket, Access),
    /// All sockets are closed, and all clients but the owner are disconnected.
    Unshare,
}

impl Sharer {
    /// Creates a sharer. The log gets a line for each request and reply, event, connection and its end; a verbose sharer
    /// also notifies of them.
    pub fn new(sockets: Vec<(SharedSocket, Access)>, log: SharedLog, is_verbose: bool) -> Sharer {
        Sharer { sockets, log, is_verbose, last_client: 0, owner: None }
    }

    /// Sets the client that had the connection before. It is served first, and misses no event: the server is not read
    /// before it has negotiated.
    #[must_use]
    pub fn with_owner(mut self, client: OwnedFd) -> Sharer {
        self.owner = Some(client);
        self
    }

    /// Serves clients until the connection to the server ends or `stop` is requested. At the end, all clients are
    /// disconnected; later ones wait in the queues of the sockets.
    ///
    /// # Errors
    ///
    /// If the server is a guest agent, which has no greeting, or polling fails.
    pub fn serve(&mut self, session: Session, stop: &Stop, notify: &mut dyn FnMut(Notice)) -> io::Result<ShareEnd> {
        let mut channel = session
            .into_channel()
            .ok_or_else(|| io::Error::other("a guest agent cannot be shared: it has no greeting and no ids"))?;
        notify(Notice::Sharing);
        let has_log = self.is_verbose || self.log.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let upstream =
            Upstream { greeting: channel.greeting().clone(), can_pass_fds: channel.can_pass_fds(), ids: channel.ids() };
        let mut share = Share::new(upstream, self.last_client, has_log);
        for event in channel.take_early_events() {
            share.receive_event(&event);
        }
        let owner = self.owner.take().map(|fd| Connection {
            id: share.connect(Access::Full),
            access: Access::Full,
            fd,
            is_full: false,
        });
        let mut serving = Serving {
            owner: owner.as_ref().map(|owner| owner.id),
            sharer: self,
            share,
            channel,
            connections: owner.into_iter().collect(),
            // Some may have arrived together with the reply to the negotiation.
            has_unhandled_items: true,
            unexpected: 0,
            accept_after: None,
            refusal_notice: None,
        };
        // The greeting of the owner; nothing else would wake the loop.
        for connection in &mut serving.connections {
            let _ = connection.write(&mut serving.share);
        }
        let end = serving.run(stop, notify);
        let grace = if matches!(end, Ok(ShareEnd::Disconnected(_))) { FINAL_WRITE_TIMEOUT } else { Duration::ZERO };
        serving.finish(grace, notify);
        let last_client = serving.share.last_client();
        self.last_client = last_client;
        end
    }

    /// Writes a line to the log, if there is one.
    fn log(&self, members: String, notify: &mut dyn FnMut(Notice)) {
        if let Some(log) = &mut *self.log.lock().unwrap_or_else(PoisonError::into_inner) {
            log.write_members(&members);
        }
        if self.is_verbose {
            notify(Notice::Record(members));
        }
    }
}

/// One connection to the server, and the clients that it is served to.
struct Serving<'a> {
    sharer: &'a mut Sharer,
    share: Share,
    channel: Channel,
    connections: Vec<Connection>,
    /// The client that stays when the others are disconnected.
    owner: Option<ClientId>,
    /// Whether messages of the server were read and not handled.
    has_unhandled_items: bool,
    /// The number of times that the server sent data that has no place in the protocol.
    unexpected: usize,
    /// The time before which no connection is accepted.
    accept_after: Option<Instant>,
    /// The time of the last notice that connections cannot be accepted.
    refusal_notice: Option<Instant>,
}

/// The sockets that are ready.
#[derive(Debug, Default)]
struct Ready {
    stop: bool,
    server: bool,
    sockets: Vec<bool>,
    clients: Vec<PollFlags>,
}

impl Serving<'_> {
    fn run(&mut self, stop: &Stop, notify: &mut dyn FnMut(Notice)) -> io::Result<ShareEnd> {
        let mut buffer = Vec::new();
        loop {
            let ready = self.wait(stop.wake.as_fd())?;
            if ready.stop {
                match stop.changes() {
                    Some(changes) => changes.into_iter().for_each(|change| self.apply(change, notify)),
                    None => return Ok(ShareEnd::Stopped),
                }
                continue;
            }
            if let Err(disconnected) = self.receive_from_server(ready.server) {
                self.share.deliver_events();
                return Ok(ShareEnd::Disconnected(disconnected));
            }
            let count = self.connections.len();
            self.accept(&ready.sockets, notify);
            let mut gone = Vec::new();
            for (connection, flags) in self.connections[..count].iter_mut().zip(&ready.clients) {
                if serve_client(connection, *flags, &mut self.share, &mut buffer) == Outcome::Gone {
                    gone.push(connection.id);
                }
            }
            if let Err(error) = self.send_to_server() {
                return Ok(ShareEnd::Disconnected(error.into()));
            }
            for connection in self.connections.iter_mut().filter(|connection| !connection.is_full) {
                if connection.write(&mut self.share) == Outcome::Gone {
                    gone.push(connection.id);
                }
            }
            // Requests that were held back by unread output.
            if let Err(error) = self.send_to_server() {
                return Ok(ShareEnd::Disconnected(error.into()));
            }
            self.write_records(notify);
            self.remove(&gone, notify);
        }
    }

    fn apply(&mut self, change: Change, notify: &mut dyn FnMut(Notice)) {
        match change {
            Change::Add(socket, access) => self.sharer.sockets.push((socket, access)),
            Change::Unshare => {
                self.sharer.sockets.clear();
                let others =
                    self.connections.iter().map(|connection| connection.id).filter(|id| self.owner != Some(*id));
                let others: Vec<ClientId> = others.collect();
                self.remove(&others, notify);
            }
        }
    }

    /// Waits until a socket is ready.
    fn wait(&mut self, stop: BorrowedFd<'_>) -> io::Result<Ready> {
        let wanted = |is_wanted: bool, flags: PollFlags| if is_wanted { flags } else { PollFlags::empty() };
        if self.accept_after.is_some_and(|time| Instant::now() >= time) {
            self.accept_after = None;
        }
        let accepts = self.accept_after.is_none();
        let read_only = self.connections.iter().filter(|connection| connection.access == Access::ReadOnly).count();
        let has_room = |access: Access| access == Access::Full || read_only < MAX_READ_ONLY_CLIENTS;
        let mut fds = vec![PollFd::from_borrowed_fd(stop, PollFlags::IN)];
        let has_outgoing = self.share.outgoing().is_some();
        let is_read = self.owner.is_none_or(|owner| !self.share.awaits_negotiation(owner));
        let flags = wanted(is_read, PollFlags::IN) | wanted(has_outgoing, PollFlags::OUT);
        fds.push(PollFd::new(&self.channel, flags));
        fds.extend(
            self.sharer
                .sockets
                .iter()
                .map(|(socket, access)| PollFd::new(socket, wanted(accepts && has_room(*access), PollFlags::IN))),
        );
        fds.extend(self.connections.iter().map(|connection| {
            let wants_input = self.share.wants_input(connection.id);
            let flags = wanted(wants_input, PollFlags::IN) | wanted(connection.is_full, PollFlags::OUT);
            PollFd::new(&connection.fd, flags)
        }));
        let timeout = match (self.has_unhandled_items && is_read, self.channel.is_cut_off(), accepts) {
            (true, ..) => Some(Duration::ZERO),
            (_, true, _) => Some(CUT_OFF_POLL_INTERVAL),
            (_, _, false) => Some(ACCEPT_PAUSE),
            _ => None,
        };
        let timeout = timeout.map(|time| Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let sockets = self.sharer.sockets.len();
        let flags: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        Ok(Ready {
            stop: !flags[0].is_empty(),
            server: is_read
                && (self.has_unhandled_items
                    || self.channel.is_cut_off()
                    || flags[1].intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR)),
            sockets: flags[2..2 + sockets].iter().map(|flags| !flags.is_empty()).collect(),
            clients: flags[2 + sockets..].to_vec(),
        })
    }

    fn receive_from_server(&mut self, is_ready: bool) -> Result<(), Disconnected> {
        if is_ready {
            let mut may_read = true;
            self.has_unhandled_items = true;
            for _ in 0..MAX_ITEMS_AT_ONCE {
                let Some(item) = self.channel.receive(may_read)? else {
                    self.has_unhandled_items = false;
                    break;
                };
                may_read = false;
                self.share.receive_item(item);
            }
        }
        self.share.deliver_events();
        Ok(())
    }

    fn send_to_server(&mut self) -> io::Result<()> {
        while let Some((bytes, fds)) = self.share.outgoing() {
            let sent = self.channel.send(bytes, &fds)?;
            if sent == 0 {
                break;
            }
            self.share.advance_outgoing(sent);
        }
        Ok(())
    }

    fn accept(&mut self, ready: &[bool], notify: &mut dyn FnMut(Notice)) {
        for (index, _) in ready.iter().enumerate().filter(|(_, is_ready)| **is_ready) {
            for _ in 0..MAX_ACCEPTED_AT_ONCE {
                let (socket, access) = &self.sharer.sockets[index];
                let (fd, credentials) = match socket.accept() {
                    Ok(Some(accepted)) => accepted,
                    Ok(None) => break,
                    Err(error) => {
                        if self.refusal_notice.is_none_or(|time| time.elapsed() >= REFUSAL_NOTICE_INTERVAL) {
                            self.refusal_notice = Some(Instant::now());
                            notify(Notice::CannotAccept(error.to_string()));
                        }
                        self.accept_after = Some(Instant::now() + ACCEPT_PAUSE);
                        break;
                    }
                };
                let access = *access;
                let id = self.share.connect(access);
                let read_only = if access == Access::ReadOnly { ", \"read-only\": true" } else { "" };
                let peer = credentials.map_or_else(String::new, |peer| {
                    let (pid, uid, gid) = (peer.process.as_raw_nonzero(), peer.uid, peer.gid);
                    format!("\"pid\": {pid}, \"uid\": {uid}, \"gid\": {gid}")
                });
                self.sharer.log(format!("\"client\": {id}, \"connected\": {{{peer}}}{read_only}"), notify);
                self.connections.push(Connection { id, access, fd, is_full: false });
            }
        }
    }

    fn write_records(&mut self, notify: &mut dyn FnMut(Notice)) {
        for unexpected in self.share.take_unexpected() {
            self.unexpected += 1;
            if self.unexpected <= MAX_UNEXPECTED_NOTICES {
                notify(Notice::Unexpected(unexpected));
            }
        }
        for record in self.share.take_records() {
            self.sharer.log(record.to_members(), notify);
        }
    }

    /// Removes clients that are gone, that were cut off, or that are served completely.
    fn remove(&mut self, gone: &[ClientId], notify: &mut dyn FnMut(Notice)) {
        let cut_off = self.share.take_cut_off();
        let is_over = |id: &ClientId| gone.contains(id) || cut_off.contains(id) || self.share.is_done(*id);
        if !self.connections.iter().any(|connection| is_over(&connection.id)) {
            return;
        }
        let (over, open): (Vec<Connection>, Vec<Connection>) =
            std::mem::take(&mut self.connections).into_iter().partition(|connection| is_over(&connection.id));
        self.connections = open;
        for connection in over {
            let id = connection.id;
            let was_cut_off = cut_off.contains(&id);
            if was_cut_off {
                let peer = peer_credentials(&connection.fd);
                notify(Notice::CutOff { client: id, pid: peer.map(|peer| peer.process.as_raw_nonzero().get()) });
            }
            self.share.disconnect(id);
            let reason = if was_cut_off { ", \"reason\": \"too many events unread\"" } else { "" };
            self.sharer.log(format!("\"client\": {id}, \"closed\": true{reason}"), notify);
        }
    }

    /// Sends what is left to clients that read it within `grace`, and disconnects all.
    fn finish(&mut self, grace: Duration, notify: &mut dyn FnMut(Notice)) {
        let deadline = Instant::now() + grace;
        self.write_records(notify);
        loop {
            for connection in &mut self.connections {
                // A client that is gone is not waited for.
                let _ = connection.write(&mut self.share);
            }
            let mut waiting: Vec<PollFd<'_>> = self
                .connections
                .iter()
                .filter(|connection| connection.is_full)
                .map(|connection| PollFd::new(&connection.fd, PollFlags::OUT))
                .collect();
            let is_over = waiting.is_empty() || Instant::now() >= deadline;
            // A client that is gone is ready too, and is not full after the next write.
            if is_over || !matches!(poll(&mut waiting, Some(&FINAL_STALL_TIMEOUT)), Ok(1..) | Err(Errno::INTR)) {
                break;
            }
        }
        for connection in std::mem::take(&mut self.connections) {
            self.share.disconnect(connection.id);
            self.sharer.log(format!("\"client\": {}, \"closed\": true", connection.id), notify);
        }
    }
}

/// Reads from a client, if it is ready.
fn serve_client(connection: &mut Connection, flags: PollFlags, share: &mut Share, buffer: &mut Vec<u8>) -> Outcome {
    if flags.contains(PollFlags::OUT) {
        connection.is_full = false;
    }
    if flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
        if share.wants_input(connection.id) {
            return connection.read(share, buffer);
        }
        // The other end is closed, and replies would not be received.
        if flags.intersects(PollFlags::HUP | PollFlags::ERR) {
            return Outcome::Gone;
        }
    }
    Outcome::Open
}

impl Stop {
    /// Creates a request to stop, and the other end of its socket, which makes the request by a byte or by its end.
    pub fn new() -> io::Result<(Stop, OwnedFd)> {
        let (wake, other) = UnixStream::pair()?;
        Ok((Stop { wake, changes: None }, other.into()))
    }

    /// Creates a request to stop as [`Stop::new`] does. A byte only announces changes, so that the end of the socket makes
    /// the request.
    pub fn with_changes() -> io::Result<(Stop, OwnedFd, Sender<Change>)> {
        let (stop, other) = Stop::new()?;
        let (sender, receiver) = mpsc::channel();
        Ok((Stop { changes: Some(receiver), ..stop }, other, sender))
    }

    /// Returns the changes that were announced; `None` if sharing should stop.
    fn changes(&self) -> Option<Vec<Change>> {
        let changes = self.changes.as_ref()?;
        match rustix::io::read(&self.wake, &mut [0; 64]) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(changes.try_iter().collect()),
        }
    }
}
