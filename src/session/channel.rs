//! A channel: an open session as one descriptor for a poll loop, which neither sends nor receives while it would block.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, send, sendmsg};

use crate::platform::NO_SIGNAL;
use crate::wire::{Event, Greeting};

use super::connection::{Polled, ReceiveHalf, SendHalf, Wait};
use super::error::Disconnected;
use super::pending::{RequestIds, StreamItem};
use super::received::{Backlog, Received};

/// The maximum number of descriptors that one message carries, which is the kernel's.
const MAX_FDS: usize = 253;

/// A connection to a server after negotiation, for a caller that matches replies itself.
#[derive(Debug)]
pub(crate) struct Channel {
    out: SendHalf,
    input: Box<ReceiveHalf>,
    /// Messages that arrived during negotiation.
    backlog: Backlog,
    greeting: Greeting,
    ids: RequestIds,
}

impl Channel {
    pub(super) fn new(
        out: SendHalf,
        input: Box<ReceiveHalf>,
        backlog: Backlog,
        greeting: Greeting,
        ids: RequestIds,
    ) -> Channel {
        Channel { out, input, backlog, greeting, ids }
    }

    pub(crate) fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Returns the ids of requests, without those that may still be answered.
    pub(crate) fn ids(&self) -> RequestIds {
        self.ids.clone()
    }

    /// Returns whether descriptors can be passed to the server.
    pub(crate) fn can_pass_fds(&self) -> bool {
        self.out.can_pass_fds()
    }

    /// Returns the events that arrived during negotiation.
    pub(crate) fn take_early_events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some((_, message)) = self.backlog.pop() {
            if let Received::Event(event) = message {
                events.push(event);
            }
        }
        events
    }

    /// Returns the next item that has arrived. Reads the socket only if `may_read`.
    pub(crate) fn receive(&mut self, may_read: bool) -> Result<Option<StreamItem>, Disconnected> {
        match self.input.poll(if may_read { Wait::Arrived } else { Wait::Buffered })? {
            Polled::Item(item) => Ok(Some(item)),
            _ => Ok(None),
        }
    }

    /// Returns whether the last message may be broken, which only time tells: [`Channel::receive`] must then be called
    /// again within a second or so.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.input.is_cut_off()
    }

    /// Sends as much of `bytes` as the socket takes, with descriptors attached to the first byte. Returns the number of
    /// bytes sent; zero if the socket is full.
    pub(crate) fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        let flags = NO_SIGNAL | SendFlags::DONTWAIT;
        let sent = if fds.is_empty() {
            send(self.out.socket.as_fd(), bytes, flags)
        } else {
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(fds));
            sendmsg(self.out.socket.as_fd(), &[IoSlice::new(bytes)], &mut control, flags)
        };
        match sent {
            Ok(len) => Ok(len),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.out.socket.as_fd()
    }
}
