//! The lexer of what clients send: tokens by the rules of QEMU's own parser, so that a client sees the same errors, and
//! as many.
//!
//! Strings have double or single quotes. After a character that begins no token, everything up to the next bracket,
//! comma, colon or control character is skipped. Bytes 0xFE and 0xFF are in no token; either returns the parser into a
//! known state, at the price of one error.

/// A token that has ended. Its text is [`Lexer::token`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// One of `{}[],:`.
    Punctuation(u8),
    /// A string with its quotes.
    String,
    Number,
    /// `true`, `null`, or any other word of lower-case letters.
    Keyword,
    /// Bytes that are no token.
    Invalid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    /// After an invalid token.
    Recovery,
    String(u8),
    Escape(u8),
    Minus,
    Zero,
    Digits,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    Keyword,
}

/// The capacity that is kept between tokens.
const MAX_KEPT_BYTES: usize = 4096;

/// The outcome of one byte.
enum Step {
    /// The byte belongs to the token.
    Take(State),
    /// The byte is outside of tokens.
    Skip(State),
    /// The byte is looked at again, in this state.
    Again(State),
    /// The byte is the last one of the token.
    End(TokenKind),
    /// The token ended before the byte.
    EndBefore(TokenKind),
}

/// An incremental lexer.
#[derive(Debug)]
pub(super) struct Lexer {
    state: State,
    token: Vec<u8>,
    /// Whether the token was returned, and the next byte begins another.
    has_ended: bool,
}

impl Lexer {
    pub(super) fn new() -> Lexer {
        Lexer { state: State::Start, token: Vec::new(), has_ended: false }
    }

    /// Returns the text of the token that [`Lexer::feed`] has returned, or the part of it that has arrived.
    pub(super) fn token(&self) -> &[u8] {
        &self.token
    }

    /// Reads bytes up to the end of the next token. Returns the number of bytes read, and the token's kind if it has
    /// ended.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (usize, Option<TokenKind>) {
        if std::mem::take(&mut self.has_ended) {
            self.token.clear();
            // A client that once sent a long string does not occupy its memory for ever.
            self.token.shrink_to(MAX_KEPT_BYTES);
        }
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.step(byte) {
                Step::Take(state) => {
                    at += 1;
                    self.token.push(byte);
                    self.state = state;
                    if let State::String(quote) = state {
                        at += self.take_string(quote, &bytes[at..]);
                    }
                }
                Step::Skip(state) => {
                    at += 1;
                    self.state = state;
                }
                Step::Again(state) => self.state = state,
                Step::End(kind) => {
                    self.token.push(byte);
                    return (at + 1, Some(self.end(kind)));
                }
                Step::EndBefore(kind) => return (at, Some(self.end(kind))),
            }
        }
        (at, None)
    }

    fn end(&mut self, kind: TokenKind) -> TokenKind {
        self.state = if kind == TokenKind::Invalid { State::Recovery } else { State::Start };
        self.has_ended = true;
        kind
    }

    /// Takes the bytes of a string that need no look each. Returns their number.
    fn take_string(&mut self, quote: u8, bytes: &[u8]) -> usize {
        let is_special = |byte: &u8| *byte == quote || matches!(*byte, b'\\' | 0..=0x1F | 0xFE..=0xFF);
        let len = bytes.iter().position(is_special).unwrap_or(bytes.len());
        self.token.extend_from_slice(&bytes[..len]);
        len
    }

    fn step(&self, byte: u8) -> Step {
        use State::{
            Digits, Escape, Exponent, ExponentDigits, ExponentSign, Fraction, Keyword, Minus, Point, Recovery, Start,
            String, Zero,
        };
        let invalid = Step::End(TokenKind::Invalid);
        match (self.state, byte) {
            (Recovery, b'{' | b'}' | b'[' | b']' | b',' | b':' | 0xFE..=0xFF) => Step::Again(Start),
            (Recovery, 0..=0x1F) if byte != b'\t' => Step::Again(Start),
            (Recovery, _) => Step::Skip(Recovery),
            (Start, b' ' | b'\t' | b'\r' | b'\n') => Step::Skip(Start),
            (Start, b'{' | b'}' | b'[' | b']' | b',' | b':') => Step::End(TokenKind::Punctuation(byte)),
            (Start, b'"' | b'\'') => Step::Take(String(byte)),
            (Start, b'-') => Step::Take(Minus),
            (Start | Minus, b'0') => Step::Take(Zero),
            (Start | Minus, b'1'..=b'9') => Step::Take(Digits),
            (Start, b'a'..=b'z') => Step::Take(Keyword),
            (String(quote), _) if byte == quote => Step::End(TokenKind::String),
            (String(quote), b'\\') => Step::Take(Escape(quote)),
            (String(quote) | Escape(quote), 0x20..=0xFD) => Step::Take(String(quote)),
            (Keyword, b'a'..=b'z') => Step::Take(Keyword),
            (Keyword, _) => Step::EndBefore(TokenKind::Keyword),
            (Digits, b'0'..=b'9') => Step::Take(Digits),
            (Zero, b'0'..=b'9') => invalid,
            (Zero | Digits, b'.') => Step::Take(Point),
            (Point | Fraction, b'0'..=b'9') => Step::Take(Fraction),
            (Zero | Digits | Fraction, b'e' | b'E') => Step::Take(Exponent),
            (Exponent, b'+' | b'-') => Step::Take(ExponentSign),
            (Exponent | ExponentSign | ExponentDigits, b'0'..=b'9') => Step::Take(ExponentDigits),
            (Zero | Digits | Fraction | ExponentDigits, _) => Step::EndBefore(TokenKind::Number),
            _ => invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the tokens of `text`, fed in pieces of `len` bytes.
    fn tokens(text: &[u8], len: usize) -> Vec<String> {
        let mut lexer = Lexer::new();
        let mut found = Vec::new();
        for mut piece in text.chunks(len) {
            while !piece.is_empty() {
                let (read, kind) = lexer.feed(piece);
                piece = &piece[read..];
                if let Some(kind) = kind {
                    let mark = match kind {
                        TokenKind::Punctuation(_) => "",
                        TokenKind::String => "s",
                        TokenKind::Number => "n",
                        TokenKind::Keyword => "k",
                        TokenKind::Invalid => "!",
                    };
                    found.push(format!("{mark}{}", lexer.token().escape_ascii()));
                }
            }
        }
        found
    }

    #[test]
    fn cuts_tokens_however_they_arrive() {
        let cases: &[(&[u8], &str)] = &[
            (b"{\"a\": [1, -0.5e+3,true]} ", r#"{ s\"a\" : [ n1 , n-0.5e+3 , ktrue ] }"#),
            (b"'it\\'s' \"}\\\"'\" ", r#"s\'it\\\'s\' s\"}\\\"\'\""#),
            (b"hello world\n", "khello kworld"),
            (b"{\"half\xff{}", "{ !\\\"half\\xff { }"),
            (b"\xff\xff{", "!\\xff !\\xff {"),
            (b"01 2 {", "!01 {"),
            (b"\"a\nb\" {", "!\\\"a\\n {"),
            (b"$ab cd\t\nx ", "!$ kx"),
            (b"1.x, -,", "!1.x , !-, "),
        ];
        for (text, expected) in cases {
            for len in [1, 2, 3, 100] {
                assert_eq!(tokens(text, len).join(" "), expected.trim_end(), "{} by {len}", text.escape_ascii());
            }
        }
    }
}
