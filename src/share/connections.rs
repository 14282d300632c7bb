//! The sockets of clients: reading with descriptors, and writing, neither of which blocks.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendFlags, recvmsg, sendmsg,
};

use crate::platform::{FDS_NOT_INHERITED, NO_SIGNAL};

use super::client::{Access, ClientId};
use super::core::Share;

/// The number of bytes read at once from one client, so that no client keeps the others waiting.
const READ_BYTES: usize = 64 << 10;

/// The maximum number of descriptors that are taken from one message of a client, as in QEMU. The kernel closes others.
const MAX_FDS: usize = 16;

/// The maximum number of messages that are written at once.
const MAX_SLICES: usize = 64;

/// The connection of one client.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ClientId,
    pub(super) access: Access,
    pub(super) fd: OwnedFd,
    /// Whether the socket was full at the last write.
    pub(super) is_full: bool,
}

/// The state of a connection after it was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Open,
    /// The client is gone.
    Gone,
}

impl Connection {
    /// Reads what has arrived, into the share.
    pub(super) fn read(&self, share: &mut Share, buffer: &mut Vec<u8>) -> Outcome {
        buffer.resize(READ_BYTES, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | FDS_NOT_INHERITED;
        let received = recvmsg(&self.fd, &mut [IoSliceMut::new(buffer)], &mut control, flags);
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                fds.extend(received);
            }
        }
        match received {
            Ok(received) if received.bytes == 0 => share.end_input(self.id),
            Ok(received) => share.receive(self.id, buffer[..received.bytes].to_vec(), fds),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return Outcome::Gone,
        }
        Outcome::Open
    }

    /// Writes as much output as the socket takes.
    pub(super) fn write(&mut self, share: &mut Share) -> Outcome {
        self.is_full = false;
        while share.has_output(self.id) {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = share.output(self.id, &mut slices);
            let flags = SendFlags::DONTWAIT | NO_SIGNAL;
            match sendmsg(self.fd.as_fd(), &slices[..count], &mut SendAncillaryBuffer::default(), flags) {
                Ok(len) => share.advance_output(self.id, len),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.is_full = true;
                    break;
                }
                Err(_) => return Outcome::Gone,
            }
        }
        Outcome::Open
    }
}
