//! The framer: bytes in, whole top-level JSON objects out.
//!
//! QMP has no length prefix and promises no line structure (`pretty=on` spreads one message over many lines), so a
//! message ends where its outermost brace closes. The scanner keeps three facts between calls — the place it has
//! reached, the nesting depth, and whether it stands inside a string — so every byte is looked at once however the
//! stream is cut. It checks structure only as far as framing needs; the message parser checks the rest.

use std::fmt;

use memchr::memchr3;

use super::simd_scan::{BLOCK, BitMask64, Block, Strings, each};
use super::text::SHORT_STRING_BYTES;

/// Bounds on one message. What exceeds them ends the connection with a [`FrameError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest message, in bytes.
    pub message: usize,
    /// The deepest nesting of arrays and objects.
    pub depth: usize,
}

impl Default for Limits {
    /// 1 GiB, and twice the nesting that QEMU itself accepts.
    fn default() -> Self {
        Limits { message: 1 << 30, depth: 2048 }
    }
}

/// One thing found in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one JSON object, from its `{` to its `}`.
    Message(Vec<u8>),
    /// A byte 0xFF: the peer's mark that whatever came before is to be forgotten.
    Mark,
    /// Bytes between messages that cannot begin one, up to the next `{`, mark or line end.
    Junk(Vec<u8>),
}

/// Why a stream cannot be read any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A message is longer than [`Limits::message`].
    #[error("the server sent a message of more than {0} bytes")]
    TooLong(usize),
    /// A message nests deeper than [`Limits::depth`].
    #[error("the server sent a message nested more than {0} levels deep")]
    TooDeep(usize),
}

/// How much room [`Framer::fill`] offers the reader at the least.
const CHUNK: usize = 64 * 1024;

/// Whether a byte outside a string matters to the framer.
const STRUCTURAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = matches!(at as u8, b'"' | b'{' | b'}' | b'[' | b']' | 0xFF);
        at += 1;
    }
    table
};

/// Messages up to this many bytes are looked at closely all through: most end before a search by blocks would pay.
const SMALL: usize = 512;

/// Whether a message at `depth` ends among these brackets.
fn ends_within(mut depth: usize, opening: BitMask64, closing: BitMask64) -> bool {
    // Mostly there are too few of them.
    closing.count_ones() as usize >= depth
        && each(opening | closing).any(|at| {
            depth = if opening >> at & 1 == 1 { depth + 1 } else { depth - 1 };
            depth == 0
        })
}

/// Where one step of the closer look at a message has led.
enum Progress {
    /// Further on in it.
    On,
    /// To the end of what has arrived.
    NeedMore,
    /// To a mark.
    Mark,
    /// To a bracket that nests too deep.
    TooDeep,
    /// Behind the brace that ends it.
    End,
}

/// An incremental scanner that owns the receive buffer.
pub struct Framer {
    buf: Vec<u8>,
    /// Where the unfinished message or junk begins.
    start: usize,
    /// Everything before this has been scanned.
    pos: usize,
    depth: usize,
    in_string: bool,
    skip_sync_markers: bool,
    /// A byte 0xFF was the last thing between messages.
    after_mark: bool,
    limits: Limits,
}

/// Without the bytes that it holds: they are many, and may be secret.
impl fmt::Debug for Framer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framer").field("pending", &self.pending().len()).finish_non_exhaustive()
    }
}

impl Framer {
    /// An empty framer with the given limits.
    pub fn new(limits: Limits) -> Self {
        Framer {
            buf: Vec::new(),
            start: 0,
            pos: 0,
            depth: 0,
            in_string: false,
            skip_sync_markers: true,
            after_mark: false,
            limits,
        }
    }

    /// Whether a byte 0xFF inside a message is a mark too, and drops what was begun (so at first), or a byte like any
    /// other.
    pub fn skip_sync_markers(&mut self, heed: bool) {
        self.skip_sync_markers = heed;
    }

    /// Whether a byte 0xFF inside a message is heeded; see [`Framer::skip_sync_markers`].
    pub fn skips_sync_markers(&self) -> bool {
        self.skip_sync_markers
    }

    /// Lets `read` put bytes at the end of the buffer. `read` gets a vector to append to, whose spare capacity is at
    /// least 64 KiB, and returns how many bytes it appended; zero means end of file by the usual convention.
    pub fn fill<E>(&mut self, read: impl FnOnce(&mut Vec<u8>) -> Result<usize, E>) -> Result<usize, E> {
        if self.start == self.buf.len() {
            self.buf.clear();
            self.pos = 0;
            self.start = 0;
        } else if self.start > CHUNK && self.start > self.buf.len() / 2 {
            self.buf.drain(..self.start);
            self.pos -= self.start;
            self.start = 0;
        }
        self.buf.reserve(CHUNK);
        read(&mut self.buf)
    }

    /// Appends bytes directly: [`Framer::fill`] for those who hold them already.
    pub fn push(&mut self, bytes: &[u8]) {
        let Ok(_) = self.fill(|buf| {
            buf.extend_from_slice(bytes);
            Ok::<_, std::convert::Infallible>(bytes.len())
        });
    }

    /// Whether it holds more than a message of the greatest length and a good many besides: whoever fills it without
    /// taking anything out is to stop.
    pub fn is_overfull(&self) -> bool {
        const BESIDES: usize = 64 << 20;
        self.buf.len() - self.start > self.limits.message.saturating_add(BESIDES)
    }

    /// The bytes of a message begun but not ended.
    pub fn pending(&self) -> &[u8] {
        &self.buf[self.start..]
    }

    /// The next whole frame, or `None` where more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.depth == 0 {
            let frame = self.between_messages();
            if frame.is_some() || self.depth == 0 {
                return Ok(frame);
            }
        }
        self.inside_message()
    }

    /// Skips white space, reports marks and junk; stops with `depth` 1 behind the `{` of a message.
    fn between_messages(&mut self) -> Option<Frame> {
        while let Some(&byte) = self.buf.get(self.pos) {
            let after_mark = std::mem::replace(&mut self.after_mark, byte == 0xFF);
            match byte {
                // What telnet calls 0xFF: `WILL`, `WONT`, `DO` or `DONT` behind it, and an option. A monitor behind
                // `telnet=on` opens with some, and goes on whether or not it is answered.
                0xFB..=0xFE if after_mark => {
                    if self.pos + 1 == self.buf.len() {
                        self.after_mark = true;
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
                    return Some(Frame::Mark);
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

    fn inside_message(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut blocks_from = self.start + SMALL;
        while self.pos < self.buf.len() {
            if self.pos >= blocks_from {
                self.skip_blocks();
                // What is here is no plain block, and is looked at closely before the next try.
                blocks_from = self.pos + BLOCK;
                continue;
            }
            match if self.in_string { self.step_in_string() } else { self.step_outside() } {
                Progress::On => {}
                Progress::NeedMore => break,
                Progress::Mark => return Ok(Some(self.forget())),
                Progress::TooDeep => return Err(FrameError::TooDeep(self.limits.depth)),
                Progress::End if self.pos - self.start > self.limits.message => break,
                Progress::End => return Ok(Some(Frame::Message(self.take()))),
            }
        }
        if self.pos - self.start > self.limits.message {
            return Err(FrameError::TooLong(self.limits.message));
        }
        Ok(None)
    }

    /// Inside a string: goes on behind its end, or behind the next byte that could have been its end.
    #[inline]
    fn step_in_string(&mut self) -> Progress {
        let rest = &self.buf[self.pos..];
        let near = &rest[..rest.len().min(SHORT_STRING_BYTES)];
        let far = || memchr3(b'"', b'\\', 0xFF, &rest[near.len()..]).map(|len| near.len() + len);
        let hit = near.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0xFF)).or_else(far);
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
            0xFF if self.skip_sync_markers => return Progress::Mark,
            0xFF => self.pos += 1,
            _ if self.pos + 1 == self.buf.len() => return Progress::NeedMore,
            // What a backslash quotes is one more byte of the string; a mark quotes nothing and ends it.
            _ if self.skip_sync_markers && self.buf[self.pos + 1] == 0xFF => self.pos += 1,
            _ => self.pos += 2,
        }
        Progress::On
    }

    /// Outside of strings: goes on behind the next bracket or quote.
    #[inline]
    fn step_outside(&mut self) -> Progress {
        let rest = &self.buf[self.pos..];
        let Some(hit) = rest.iter().position(|byte| STRUCTURAL[usize::from(*byte)]) else {
            self.pos = self.buf.len();
            return Progress::NeedMore;
        };
        let byte = rest[hit];
        if byte == 0xFF && self.skip_sync_markers {
            self.pos += hit;
            return Progress::Mark;
        }
        self.pos += hit + 1;
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' if self.depth >= self.limits.depth => return Progress::TooDeep,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    return Progress::End;
                }
            }
            _ => {}
        }
        Progress::On
    }

    /// Goes on by whole blocks while they are plain: the message does not end in them, nor nest too deep, they hold no
    /// mark, and no escape goes on into the next, of which the closer look would not know. Whatever is not plain is left
    /// to that.
    fn skip_blocks(&mut self) {
        let mut strings = Strings::new(self.in_string);
        while let Some(bytes) = self.buf[self.pos..].first_chunk() {
            let block = Block::new(bytes);
            let found = strings.next(&block);
            let opening = block.opening() & !found.strings;
            let closing = block.closing() & !found.strings;
            let odd = block.equal(0xFF) | (found.backslashes & !found.strings);
            let deepest = self.depth + opening.count_ones() as usize;
            if odd != 0
                || strings.escaping()
                || deepest > self.limits.depth
                || ends_within(self.depth, opening, closing)
            {
                break;
            }
            self.depth = deepest - closing.count_ones() as usize;
            self.in_string = strings.inside();
            self.pos += BLOCK;
        }
    }

    /// The message that ends at `pos`. A message that has the buffer to itself is handed over without a copy: a large
    /// reply never stands in memory twice.
    fn take(&mut self) -> Vec<u8> {
        let rest_is_blank = self.buf[self.pos..].iter().all(u8::is_ascii_whitespace);
        if self.start == 0 && rest_is_blank && self.pos > CHUNK {
            let mut message = std::mem::take(&mut self.buf);
            message.truncate(self.pos);
            self.pos = 0;
            return message;
        }
        let message = self.buf[self.start..self.pos].to_vec();
        self.start = self.pos;
        message
    }

    /// A mark inside a message: the message will never be finished.
    fn forget(&mut self) -> Frame {
        self.pos += 1;
        self.start = self.pos;
        self.depth = 0;
        self.in_string = false;
        Frame::Mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};

    fn frames(limits: Limits, chunks: &[&[u8]]) -> (Vec<Frame>, Option<FrameError>) {
        let mut framer = Framer::new(limits);
        let mut found = Vec::new();
        for chunk in chunks {
            framer.push(chunk);
            loop {
                match framer.next_frame() {
                    Ok(Some(frame)) => found.push(frame),
                    Ok(None) => break,
                    Err(error) => return (found, Some(error)),
                }
            }
        }
        (found, None)
    }

    fn message(text: &str) -> Frame {
        Frame::Message(text.as_bytes().to_vec())
    }

    #[test]
    fn messages_end_where_their_brace_closes_not_at_a_line() {
        let stream = b"{\"a\": {\r\n \"}\": [1, \"\\\"{\"]}}{}\r\n  {\"b\"\n:1}";
        let (found, error) = frames(Limits::default(), &[stream]);
        assert_eq!(error, None);
        assert_eq!(found, [message("{\"a\": {\r\n \"}\": [1, \"\\\"{\"]}}"), message("{}"), message("{\"b\"\n:1}")]);
    }

    #[test]
    fn the_cut_of_the_stream_does_not_matter() {
        let stream = b"junk\n{\"k\\\\\": \"v\\\"}\", \"x\": [[{}]]}\xff{\"half\": \"\xff{}{\"last\": 1}";
        let (whole, _) = frames(Limits::default(), &[stream]);
        assert_eq!(whole.len(), 6);
        for cut in 0..stream.len() {
            if cut < 4 {
                continue; // a cut inside junk may deliver it in two pieces
            }
            let (found, _) = frames(Limits::default(), &[&stream[..cut], &stream[cut..]]);
            assert_eq!(found, whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream[4..].chunks(1).collect();
        let (found, _) = frames(Limits::default(), &bytes);
        assert_eq!(found, whole[1..]);
    }

    #[test]
    fn a_mark_drops_what_was_begun() {
        for begun in ["{\"return\": [1, ", "{\"return\": \"x", "{\"return\": \"x\\"] {
            let stream = [begun.as_bytes(), b"\xff\n{\"return\": 5}"].concat();
            assert_eq!(frames(Limits::default(), &[&stream]).0, [Frame::Mark, message("{\"return\": 5}")], "{begun}");
        }
    }

    #[test]
    fn unheeded_a_mark_inside_a_message_is_a_byte_of_it() {
        let mut framer = Framer::new(Limits::default());
        framer.skip_sync_markers(false);
        framer.push(b"{\"a\": \"\xff}\"}{\xff}\xff");
        for expected in
            [Frame::Message(b"{\"a\": \"\xff}\"}".to_vec()), Frame::Message(b"{\xff}".to_vec()), Frame::Mark]
        {
            assert_eq!(framer.next_frame(), Ok(Some(expected)));
        }
    }

    #[test]
    fn telnet_options_are_passed_over() {
        let stream = b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x00{\"QMP\": {}}\xfb\n";
        let expected = [Frame::Mark, Frame::Mark, Frame::Mark, message("{\"QMP\": {}}"), Frame::Junk(b"\xfb".to_vec())];
        assert_eq!(frames(Limits::default(), &[stream]).0, expected);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(frames(Limits::default(), &bytes).0, expected);
    }

    #[test]
    fn limits_end_the_stream() {
        let limits = Limits { message: 16, depth: 3 };
        assert_eq!(frames(limits, &[b"{\"a\":[[[1]]]}"]).1, Some(FrameError::TooDeep(3)));
        assert_eq!(frames(limits, &[b"{\"a\": \"0123456789abcdef"]).1, Some(FrameError::TooLong(16)));
        // However it is cut.
        assert_eq!(frames(limits, &[b"{\"a\": \"0123456789abcdef\"}"]).1, Some(FrameError::TooLong(16)));
        assert_eq!(frames(limits, &[b"{\"a\": \"0123456\"}"]).1, None);
    }

    proptest! {
        /// What goes by blocks ends where it ends byte after byte, for which single bytes are too few.
        #[test]
        fn long_messages_end_where_their_brace_closes(
            inner in "([\\[\\]{}\"\\\\]|[a-z:, \"]{1,90}){0,60}",
            deep in 0..6_usize,
            marks: bool,
            heed: bool,
        ) {
            let mut stream = format!("{{\"{}\":{}{inner}", "k".repeat(SMALL), "[".repeat(deep)).into_bytes();
            if marks {
                stream.extend_from_slice(b"\xFF{\"a\"}");
            }
            let read = |chunks: &[&[u8]]| {
                let mut framer = Framer::new(Limits { depth: 8, ..Limits::default() });
                framer.skip_sync_markers(heed);
                let mut found = Vec::new();
                for chunk in chunks {
                    framer.push(chunk);
                    while let Some(frame) = framer.next_frame().transpose() {
                        let stop = frame.is_err();
                        found.push(frame);
                        if stop {
                            return (found, Vec::new());
                        }
                    }
                }
                (found, framer.pending().to_vec())
            };
            let singles: Vec<&[u8]> = stream.chunks(1).collect();
            let solid = |(frames, rest): (Vec<Result<Frame, FrameError>>, Vec<u8>)| {
                let messages = frames.into_iter().filter(|frame| !matches!(frame, Ok(Frame::Junk(_))));
                (messages.collect::<Vec<_>>(), rest)
            };
            prop_assert_eq!(solid(read(&[&stream])), solid(read(&singles)));
        }
    }

    #[test]
    fn a_backslash_quotes_across_the_end_of_a_block() {
        for pad in 0..2 * BLOCK {
            let first = format!("{{\"{}\":\"{}\\\"}}\"}}", "k".repeat(SMALL), "v".repeat(pad));
            let second = format!("{{\"{}\":1}}", "v".repeat(BLOCK));
            let stream = [first.as_bytes(), second.as_bytes()].concat();
            assert_eq!(frames(Limits::default(), &[&stream]).0, [message(&first), message(&second)], "{pad}");
        }
    }

    #[test]
    fn a_large_message_is_handed_over_and_the_framer_goes_on() {
        let large = format!("{{\"return\": \"{}\"}}", "x".repeat(300_000));
        let mut framer = Framer::new(Limits::default());
        framer.push(large.as_bytes());
        framer.push(b"\r\n");
        assert_eq!(framer.next_frame(), Ok(Some(message(&large))));
        framer.push(b"{\"next\": 1}");
        assert_eq!(framer.next_frame(), Ok(Some(message("{\"next\": 1}"))));
        assert_eq!(framer.next_frame(), Ok(None));
    }
}
