//! The output to one client: messages that its socket has not taken.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// The maximum number of bytes of events that a client leaves unread. Then it is cut off.
pub(super) const MAX_UNSENT_EVENT_BYTES: usize = 16 << 20;

/// The number of unsent bytes above which no further requests of the client are read or sent: the replies to those are
/// bounded by this, and by what the server sends for the few in flight.
const HIGH_WATER_BYTES: usize = 1 << 20;

#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    /// Whether it holds events, which the client did not ask for.
    is_event: bool,
}

/// A queue of messages. Events are shared with the queues of other clients.
#[derive(Debug, Default)]
pub(super) struct Output {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    event_bytes: usize,
}

impl Output {
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        self.chunks.push_back(Chunk { bytes, is_event: false });
    }

    /// Adds events. Returns false if too many are unread already.
    pub(super) fn push_events(&mut self, bytes: Bytes) -> bool {
        if self.event_bytes > 0 && self.event_bytes + bytes.len() > MAX_UNSENT_EVENT_BYTES {
            return false;
        }
        self.bytes += bytes.len();
        self.event_bytes += bytes.len();
        self.chunks.push_back(Chunk { bytes, is_event: true });
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Returns whether the client should read before it is served again.
    pub(super) fn is_high(&self) -> bool {
        self.bytes > HIGH_WATER_BYTES
    }

    /// Returns the next bytes for the socket, at most as many slices as fit into `slices`.
    pub(super) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = self.chunks.iter().zip(slices.iter_mut());
        filled.map(|(chunk, slice)| *slice = IoSlice::new(&chunk.bytes)).count()
    }

    /// Removes bytes that the socket has taken.
    pub(super) fn advance(&mut self, mut len: usize) {
        self.bytes -= len;
        while let Some(chunk) = self.chunks.front_mut() {
            let taken = len.min(chunk.bytes.len());
            chunk.bytes.advance(taken);
            len -= taken;
            if chunk.is_event {
                self.event_bytes -= taken;
            }
            if !chunk.bytes.is_empty() {
                break;
            }
            self.chunks.pop_front();
        }
    }
}
