//! The framer: cuts top-level JSON objects out of a stream of bytes.
//!
//! QMP has no length prefix, and a message can span many lines (`pretty=on`), so a message ends where its outermost
//! brace closes. The framer keeps its position, the nesting depth and whether it is in a string between calls, so it
//! scans every byte once, however reads cut the stream. It checks structure only as far as framing needs; the message
//! parser checks the rest.

use std::fmt;

use memchr::{memchr, memchr3};

use super::simd_scan::{BLOCK_BYTES, BitMask64, Block, BlockStrings, StringFinder, set_bits};
use super::text::SHORT_STRING_BYTES;

/// Bounds on one message. A message that exceeds them ends the connection with a [`FrameError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum length of a message in bytes.
    pub max_message_bytes: usize,
    /// The maximum nesting depth of arrays and objects.
    pub max_depth: usize,
}

impl Default for Limits {
    /// 1 GiB, and twice the nesting depth that QEMU accepts.
    fn default() -> Self {
        Limits { max_message_bytes: 1 << 30, max_depth: 2048 }
    }
}

/// A part of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one JSON object, from its `{` to its `}`.
    Message(Vec<u8>),
    /// The beginning of a message that does not continue after a line end, and the reason why it is broken.
    Broken(Vec<u8>, &'static str),
    /// A byte 0xFF, which tells the receiver to discard everything before it.
    SyncMarker,
    /// Bytes between messages that cannot begin one, up to the next `{`, sync marker or line end.
    Junk(Vec<u8>),
}

/// An error after which the stream cannot be read any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A message is longer than [`Limits::max_message_bytes`].
    #[error("the server sent a message of more than {0} bytes")]
    TooLong(usize),
    /// A message nests deeper than [`Limits::max_depth`].
    #[error("the server sent a message nested more than {0} levels deep")]
    TooDeep(usize),
}

/// The minimum spare capacity of the buffer for one read.
const READ_BYTES: usize = 64 * 1024;

/// Marks the bytes that matter to the framer outside strings.
const STRUCTURAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, b'"' | b'{' | b'}' | b'[' | b']' | 0xFF);
        byte += 1;
    }
    table
};

/// The length of the beginning of a message that is scanned byte by byte: most messages end before a scan by blocks
/// pays off.
const BYTEWISE_PREFIX_BYTES: usize = 512;

/// Returns whether a message at `depth` ends at one of these brackets.
fn ends_within(mut depth: usize, opening: BitMask64, closing: BitMask64) -> bool {
    // Rules out most blocks without a loop.
    closing.count_ones() as usize >= depth
        && set_bits(opening | closing).any(|bit| {
            depth = if opening >> bit & 1 == 1 { depth + 1 } else { depth - 1 };
            depth == 0
        })
}

/// Returns the index of the first byte that matters in a string.
fn find_in_string(bytes: &[u8]) -> Option<usize> {
    let end = memchr3(b'"', b'\\', b'\n', bytes);
    memchr(0xFF, &bytes[..end.unwrap_or(bytes.len())]).or(end)
}

/// The result of one step through a message.
enum Progress {
    Continue,
    /// All buffered bytes are scanned.
    NeedMore,
    SyncMarker,
    /// The position is at a line end after which another message begins.
    Broken,
    /// The position is at a bracket that nests too deep.
    TooDeep,
    /// The position is after the last brace of the message.
    End,
}

/// An incremental scanner that owns the receive buffer.
pub struct Framer {
    buf: Vec<u8>,
    /// The start of the unfinished message.
    start: usize,
    /// The end of what has been scanned.
    pos: usize,
    depth: usize,
    in_string: bool,
    honours_sync_markers: bool,
    /// Whether the last byte between messages was a sync marker.
    after_sync_marker: bool,
    limits: Limits,
}

/// Omits the buffered bytes, which may be many and secret.
impl fmt::Debug for Framer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framer").field("partial_message", &self.partial_message().len()).finish_non_exhaustive()
    }
}

impl Framer {
    pub fn new(limits: Limits) -> Self {
        Framer {
            buf: Vec::new(),
            start: 0,
            pos: 0,
            depth: 0,
            in_string: false,
            honours_sync_markers: true,
            after_sync_marker: false,
            limits,
        }
    }

    /// Sets whether a byte 0xFF inside a message is a sync marker, which discards the message, or a byte of the message.
    /// At first it is a sync marker.
    pub fn honour_sync_markers(&mut self, honour: bool) {
        self.honours_sync_markers = honour;
    }

    /// Returns whether a byte 0xFF inside a message is a sync marker.
    pub fn honours_sync_markers(&self) -> bool {
        self.honours_sync_markers
    }

    /// Calls `read` with the buffer, to append bytes to it. The buffer has at least 64 KiB of spare capacity. `read`
    /// returns the number of bytes that it appended; by convention zero means the end of the stream.
    pub fn fill<E>(&mut self, read: impl FnOnce(&mut Vec<u8>) -> Result<usize, E>) -> Result<usize, E> {
        if self.start == self.buf.len() {
            self.buf.clear();
            self.pos = 0;
            self.start = 0;
        } else if self.start > READ_BYTES && self.start > self.buf.len() / 2 {
            self.buf.drain(..self.start);
            self.pos -= self.start;
            self.start = 0;
        }
        self.buf.reserve(READ_BYTES);
        read(&mut self.buf)
    }

    /// Appends bytes to the buffer.
    pub fn push(&mut self, bytes: &[u8]) {
        let Ok(_) = self.fill(|buf| {
            buf.extend_from_slice(bytes);
            Ok::<_, std::convert::Infallible>(bytes.len())
        });
    }

    /// Returns whether the buffer holds more than the longest message and 64 MiB. A caller that fills it without taking
    /// frames out must stop then.
    pub fn is_overfull(&self) -> bool {
        const MAX_READ_AHEAD_BYTES: usize = 64 << 20;
        self.buf.len() - self.start > self.limits.max_message_bytes.saturating_add(MAX_READ_AHEAD_BYTES)
    }

    /// Returns the bytes of the unfinished message.
    pub fn partial_message(&self) -> &[u8] {
        &self.buf[self.start..]
    }

    /// Returns whether everything buffered is the beginning of a message, and ends with a line end where JSON has none: in a
    /// string, or after a first line that is more than a bracket. Some servers send line ends in strings as they are, so
    /// only time tells whether the message continues.
    pub fn is_cut_off(&self) -> bool {
        let ends_line = self.depth > 0 && self.buf.last() == Some(&b'\n');
        if self.in_string {
            return ends_line && self.pos + 1 == self.buf.len();
        }
        let message = self.partial_message();
        ends_line && memchr(b'\n', message) == Some(message.len() - 1) && !message[1..].trim_ascii().is_empty()
    }

    /// Returns the message that is [cut off](Framer::is_cut_off), which does not continue. Must be called only then.
    pub fn take_cut_off(&mut self) -> Frame {
        self.pos = self.buf.len() - 1;
        self.take_broken()
    }

    /// Returns the message before the line end at the position.
    fn take_broken(&mut self) -> Frame {
        let reason = match self.in_string {
            true => "a string is not closed before the end of the line",
            false => "it is not complete at the end of the line",
        };
        let message = self.buf[self.start..self.pos].to_vec();
        self.begin_anew();
        Frame::Broken(message, reason)
    }

    /// Returns the next frame, or `None` if more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.depth == 0 {
            let frame = self.scan_between_messages();
            if frame.is_some() || self.depth == 0 {
                return Ok(frame);
            }
        }
        self.scan_message()
    }

    /// Skips whitespace, and returns sync markers and junk. Stops after the `{` of a message, with `depth` 1.
    fn scan_between_messages(&mut self) -> Option<Frame> {
        while let Some(&byte) = self.buf.get(self.pos) {
            let after_sync_marker = std::mem::replace(&mut self.after_sync_marker, byte == 0xFF);
            match byte {
                // Telnet negotiates with 0xFF, one of `WILL`, `WONT`, `DO` and `DONT`, and an option. A monitor with
                // `telnet=on` begins with some of these, and needs no answer.
                0xFB..=0xFE if after_sync_marker => {
                    if self.pos + 1 == self.buf.len() {
                        self.after_sync_marker = true;
                        return None;
                    }
                    self.pos += 2;
                    self.start = self.pos;
                }
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.pos += 1;
                    self.start = self.pos;
                }
                0xFF => {
                    self.pos += 1;
                    self.start = self.pos;
                    return Some(Frame::SyncMarker);
                }
                b'{' => {
                    self.start = self.pos;
                    self.pos += 1;
                    self.depth = 1;
                    return None;
                }
                _ => {
                    let rest = &self.buf[self.pos..];
                    let len = memchr3(b'{', b'\n', 0xFF, rest).unwrap_or(rest.len());
                    let junk = rest[..len].to_vec();
                    self.pos += len;
                    self.start = self.pos;
                    return Some(Frame::Junk(junk));
                }
            }
        }
        None
    }

    fn scan_message(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut blocks_from = self.start + BYTEWISE_PREFIX_BYTES;
        while self.pos < self.buf.len() {
            if self.pos >= blocks_from {
                self.skip_blocks();
                // The block at the position must be scanned byte by byte.
                blocks_from = self.pos + BLOCK_BYTES;
                continue;
            }
            match if self.in_string { self.step_in_string() } else { self.step_outside_string() } {
                Progress::Continue => {}
                Progress::NeedMore => break,
                Progress::SyncMarker => return Ok(Some(self.discard_message())),
                Progress::Broken | Progress::End if self.pos - self.start > self.limits.max_message_bytes => break,
                Progress::Broken => return Ok(Some(self.take_broken())),
                Progress::TooDeep => return Err(FrameError::TooDeep(self.limits.max_depth)),
                Progress::End => return Ok(Some(Frame::Message(self.take_message()))),
            }
        }
        if self.pos - self.start > self.limits.max_message_bytes {
            return Err(FrameError::TooLong(self.limits.max_message_bytes));
        }
        Ok(None)
    }

    /// Continues in a string: after its end, or after the next escape, line end or 0xFF.
    #[inline]
    fn step_in_string(&mut self) -> Progress {
        let rest = &self.buf[self.pos..];
        let near = &rest[..rest.len().min(SHORT_STRING_BYTES)];
        let far = || find_in_string(&rest[near.len()..]).map(|len| near.len() + len);
        let hit = near.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'\n' | 0xFF)).or_else(far);
        let Some(hit) = hit else {
            self.pos = self.buf.len();
            return Progress::NeedMore;
        };
        self.pos += hit;
        match self.buf[self.pos] {
            b'"' => {
                self.in_string = false;
                self.pos += 1;
            }
            b'\n' => match &self.buf[self.pos + 1..] {
                [b'{', b'"', ..] => return Progress::Broken,
                [] | [b'{'] => return Progress::NeedMore,
                _ => self.pos += 1,
            },
            0xFF if self.honours_sync_markers => return Progress::SyncMarker,
            0xFF => self.pos += 1,
            _ if self.pos + 1 == self.buf.len() => return Progress::NeedMore,
            // A backslash escapes any byte but a sync marker.
            _ if self.honours_sync_markers && self.buf[self.pos + 1] == 0xFF => self.pos += 1,
            _ => self.pos += 2,
        }
        Progress::Continue
    }

    /// Continues outside strings: after the next bracket or quote.
    #[inline]
    fn step_outside_string(&mut self) -> Progress {
        let rest = &self.buf[self.pos..];
        let Some(hit) = rest.iter().position(|byte| STRUCTURAL[usize::from(*byte)]) else {
            self.pos = self.buf.len();
            return Progress::NeedMore;
        };
        let byte = rest[hit];
        if byte == 0xFF && self.honours_sync_markers {
            self.pos += hit;
            return Progress::SyncMarker;
        }
        if byte == b'{' && self.begins_message(self.pos + hit) {
            self.pos = self.pos + hit - 1;
            return Progress::Broken;
        }
        self.pos += hit + 1;
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' if self.depth >= self.limits.max_depth => return Progress::TooDeep,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    return Progress::End;
                }
            }
            _ => {}
        }
        Progress::Continue
    }

    /// Returns whether the brace at `at` inside a message cannot be a part of it: it begins a line, and nothing before it
    /// lets a value follow.
    fn begins_message(&self, at: usize) -> bool {
        let message = &self.buf[self.start..at];
        message.ends_with(b"\n") && !matches!(message.trim_ascii_end().last(), Some(b',' | b':' | b'[' | b'{'))
    }

    /// Skips blocks that need no scan byte by byte: they do not end the message or nest too deep, and contain no sync
    /// marker, no line end in a string or before a brace, no escape outside a string and no escape that continues in the
    /// next block.
    fn skip_blocks(&mut self) {
        let mut finder = StringFinder::new(self.in_string);
        while let Some(bytes) = self.buf[self.pos..].first_chunk() {
            let block = Block::new(bytes);
            let BlockStrings { strings, backslashes } = finder.next(&block);
            let opening = block.opening() & !strings;
            let closing = block.closing() & !strings;
            let line_ends = block.positions_of(b'\n');
            let line_starts = line_ends << 1 | BitMask64::from(self.buf[self.pos - 1] == b'\n');
            let markers = if self.honours_sync_markers { block.positions_of(0xFF) } else { 0 };
            let special = markers | (line_ends & strings) | (line_starts & opening) | (backslashes & !strings);
            let max_depth = self.depth + opening.count_ones() as usize;
            if special != 0
                || finder.in_escape()
                || max_depth > self.limits.max_depth
                || ends_within(self.depth, opening, closing)
            {
                break;
            }
            self.depth = max_depth - closing.count_ones() as usize;
            self.in_string = finder.in_string();
            self.pos += BLOCK_BYTES;
        }
    }

    /// Takes the message that ends at `pos`. If nothing else is buffered, the buffer itself is returned, so that a large
    /// reply is never in memory twice.
    fn take_message(&mut self) -> Vec<u8> {
        let rest_is_blank = self.buf[self.pos..].iter().all(u8::is_ascii_whitespace);
        if self.start == 0 && rest_is_blank && self.pos > READ_BYTES {
            let mut message = std::mem::take(&mut self.buf);
            message.truncate(self.pos);
            self.pos = 0;
            return message;
        }
        let message = self.buf[self.start..self.pos].to_vec();
        self.start = self.pos;
        message
    }

    /// Discards the message before a sync marker.
    fn discard_message(&mut self) -> Frame {
        self.begin_anew();
        Frame::SyncMarker
    }

    /// Leaves the message, which ends at the byte at the position.
    fn begin_anew(&mut self) {
        self.pos += 1;
        self.start = self.pos;
        self.depth = 0;
        self.in_string = false;
    }
}

#[cfg(test)]
mod tests;
