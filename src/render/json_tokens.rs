//! The tokens of JSON text, and their output with colour.
//!
//! The text must be one that the message parser accepted; it is not checked again. It is scanned once, from one punctuation
//! character to the next. Memory use does not depend on its size, since output is written in chunks, and there is no
//! recursion that deep nesting could exhaust.

use std::io::{self, Write};
use std::ops::Range;

use crate::wire::{BLOCK_BYTES, StringFinder, blocks, set_bits};

use super::CHUNK_BYTES;
use super::palette::Palette;
use super::sanitize::is_printable;

/// The maximum indentation. Without it, a megabyte of brackets would become gigabytes of spaces.
pub(super) const MAX_INDENTATION: usize = 128;

/// The number of bytes that the output of one block rarely exceeds, so that the buffer rarely grows.
pub(super) const BLOCK_OUTPUT_BYTES: usize = 4096;

/// A line end and the maximum indentation, so that both are copied at once.
const LINE_START: [u8; 1 + MAX_INDENTATION] = {
    let mut bytes = [b' '; 1 + MAX_INDENTATION];
    bytes[0] = b'\n';
    bytes
};

/// A printer of JSON, which gets the text in pieces.
pub(super) trait TokenPrinter {
    /// Prints the string, number or literal in `at..end` of the text. `next` is the index of the punctuation character
    /// after it.
    fn print_token(&mut self, at: usize, end: usize, next: usize) -> io::Result<()>;

    /// Prints a bracket, a comma or a colon.
    fn print_punctuation(&mut self, byte: u8);

    /// Writes the output, if there is enough of it.
    fn write_chunk(&mut self) -> io::Result<()>;
}

/// Scans JSON text.
pub(super) fn scan(raw: &str, printer: &mut impl TokenPrinter) -> io::Result<()> {
    let raw = raw.as_bytes();
    let mut strings = StringFinder::default();
    let mut from = 0;
    for (number, block) in blocks(raw).enumerate() {
        let punctuation = block.opening() | block.closing() | block.positions_of(b',') | block.positions_of(b':');
        for bit in set_bits(punctuation & !strings.next(&block).strings) {
            let at = number * BLOCK_BYTES + bit;
            print_between(raw, from, at, printer)?;
            printer.print_punctuation(raw[at]);
            from = at + 1;
        }
        printer.write_chunk()?;
    }
    print_between(raw, from, raw.len(), printer)
}

/// Prints the token in `at..next`, if there is one besides whitespace.
#[inline]
fn print_between(raw: &[u8], mut at: usize, next: usize, printer: &mut impl TokenPrinter) -> io::Result<()> {
    while at < next && raw[at].is_ascii_whitespace() {
        at += 1;
    }
    if at == next {
        return Ok(());
    }
    let mut end = next;
    while raw[end - 1].is_ascii_whitespace() {
        end -= 1;
    }
    printer.print_token(at, end, next)
}

/// Returns whether a byte begins a number.
#[inline]
pub(super) fn begins_number(byte: u8) -> bool {
    matches!(byte, b'-' | b'0'..=b'9')
}

/// Writes tokens to a buffer, and the buffer in chunks.
pub(super) struct TokenWriter<'a, W: ?Sized> {
    pub(super) raw: &'a [u8],
    pub(super) buf: Vec<u8>,
    palette: &'a Palette,
    escape_controls: bool,
    /// Whether the key `error` was written last: its value tells of a failure.
    after_error_key: bool,
    out: &'a mut W,
}

impl<'a, W: Write + ?Sized> TokenWriter<'a, W> {
    pub(super) fn new(raw: &'a str, palette: &'a Palette, escape_controls: bool, out: &'a mut W) -> Self {
        let raw = raw.as_bytes();
        let buf = Vec::with_capacity(CHUNK_BYTES.min(2 * raw.len()) + BLOCK_OUTPUT_BYTES);
        TokenWriter { raw, buf, palette, escape_controls, after_error_key: false, out }
    }

    pub(super) fn write_out(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buf)?;
        self.buf.clear();
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.buf.len() >= CHUNK_BYTES
    }

    /// Begins a line with an indentation. Returns the one that it got.
    #[inline]
    pub(super) fn begin_line(&mut self, indentation: usize) -> usize {
        let indentation = indentation.min(MAX_INDENTATION);
        append(&mut self.buf, &LINE_START, 1 + indentation);
        indentation
    }

    /// Writes a token with its colour. `next` is the index of the punctuation character after it. Returns the place of its
    /// text in the buffer; text longer than [`CHUNK_BYTES`] has none.
    #[inline]
    pub(super) fn write_token(&mut self, at: usize, end: usize, next: usize) -> io::Result<Range<usize>> {
        let palette = self.palette;
        let after_error_key = std::mem::take(&mut self.after_error_key);
        let code = match self.raw[at] {
            _ if !palette.is_colored() => "",
            b'"' if self.raw.get(next) == Some(&b':') => {
                self.after_error_key = self.raw[at..end] == *b"\"error\"";
                &palette.key
            }
            b'"' if after_error_key => &palette.error,
            b'"' => &palette.string,
            byte if begins_number(byte) => &palette.number,
            _ => &palette.literal,
        };
        self.buf.extend_from_slice(code.as_bytes());
        let start = self.buf.len();
        self.write_text(at, end)?;
        let text = start..self.buf.len();
        if !code.is_empty() {
            self.buf.extend_from_slice(palette.reset.as_bytes());
        }
        Ok(text)
    }

    #[inline]
    fn write_text(&mut self, at: usize, end: usize) -> io::Result<()> {
        let raw = self.raw;
        let text = &raw[at..end];
        if self.must_escape(text) {
            self.write_escaped(text)?;
        } else if text.len() > CHUNK_BYTES {
            // A long string is not copied to the buffer.
            self.write_out()?;
            self.out.write_all(text)?;
        } else {
            append(&mut self.buf, &raw[at..], end - at);
        }
        Ok(())
    }

    #[inline]
    fn must_escape(&self, text: &[u8]) -> bool {
        self.escape_controls && may_have_controls(text)
    }

    /// Writes text with an escape for each character that a terminal would interpret.
    fn write_escaped(&mut self, text: &[u8]) -> io::Result<()> {
        for c in String::from_utf8_lossy(text).chars() {
            let mut bytes = [0; 4];
            let shown = c.encode_utf8(&mut bytes);
            if is_printable(shown) {
                self.buf.extend_from_slice(shown.as_bytes());
            } else {
                // All of these have at most four digits.
                self.buf.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            if text.len() > CHUNK_BYTES && self.is_full() {
                self.write_out()?;
            }
        }
        Ok(())
    }
}

/// Appends the first `len` bytes of `from`. Most pieces are short; for those it is faster to copy a fixed number of
/// bytes and to truncate the excess.
#[inline]
fn append(buf: &mut Vec<u8>, from: &[u8], len: usize) {
    match from.first_chunk::<32>() {
        Some(piece) if len <= piece.len() => {
            let end = buf.len() + len;
            buf.extend_from_slice(piece);
            buf.truncate(end);
        }
        _ => buf.extend_from_slice(&from[..len]),
    }
}

/// Returns whether text contains an ASCII control character, or a byte with which another one may begin;
/// [`TokenWriter::write_escaped`] decides.
fn may_have_controls(text: &[u8]) -> bool {
    // Without an early exit, the compiler vectorises the loop.
    text.iter().fold(false, |found, b| found | (*b < 0x20) | (*b == 0x7f) | (*b == 0xc2) | (*b == 0xd8) | (*b == 0xe2))
}
