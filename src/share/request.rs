//! Requests of clients: what they send, cut into messages, checked, and on one line for the server.
//!
//! Only what QEMU would read reaches the server: it answers anything else without an id, and a broken message of one
//! client could swallow the next one of another. The checks are those of QEMU's parser, so that the other clients and
//! the one that sends the message notice no difference.

use std::collections::HashSet;
use std::ops::Range;

use crate::wire::{Request, preview, unquote};

use super::lexer::{Lexer, TokenKind};
use super::string_token::push_json_string;

/// The maximum length of a request in bytes, as in QEMU.
pub(super) const MAX_REQUEST_BYTES: usize = 64 << 20;

/// The maximum number of tokens in a request, as in QEMU.
const MAX_TOKENS: usize = 2 << 20;

/// The maximum nesting depth of a request, as in QEMU.
const MAX_DEPTH: usize = 1024;

/// One message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ClientMessage {
    Request(ClientRequest),
    /// A message that cannot be a request. The text says why.
    Unreadable(String),
    /// A message that exceeds a limit. What follows cannot be told from the rest of it.
    TooLarge(String),
}

/// A JSON object that a client sent, without its `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientRequest {
    /// The object on one line without whitespace, its closing brace and its `id`.
    body: String,
    /// The value of `id`, without whitespace.
    pub(super) id: Option<String>,
    /// The command and its arguments, or the reason why there is none.
    pub(super) command: Result<ClientCommand, String>,
    /// Whether it has `exec-oob` and no `execute`.
    pub(super) is_oob: bool,
}

/// The command of a request that has only the members that it may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientCommand {
    pub(super) name: String,
    /// The arguments, a JSON object.
    pub(super) arguments: Option<String>,
}

impl ClientRequest {
    /// Returns the line for the server.
    pub(super) fn to_line(&self, id: u64) -> String {
        let separator = if self.body.len() > 1 { "," } else { "" };
        format!("{}{separator}\"id\":{id}}}\n", self.body)
    }

    /// Returns the request in the form that the rules for secrets take, with its secrets marked.
    pub(super) fn to_marked(&self) -> Request {
        let mut request = Request { oob: self.is_oob, ..Request::default() };
        if let Ok(command) = &self.command {
            request.command.clone_from(&command.name);
            request.arguments.clone_from(&command.arguments);
        }
        request.mark_secrets();
        request
    }
}

/// An incremental reader of messages.
#[derive(Debug)]
pub(super) struct RequestReader {
    lexer: Lexer,
    max_bytes: usize,
    message: PartialMessage,
}

/// The tokens of a message that has not ended.
#[derive(Debug, Default)]
struct PartialMessage {
    /// The tokens, without whitespace.
    text: String,
    tokens: Vec<(TokenKind, Range<usize>)>,
    braces: isize,
    brackets: isize,
    /// The first reason why it cannot be read.
    error: Option<String>,
}

impl RequestReader {
    pub(super) fn new(max_bytes: usize) -> RequestReader {
        RequestReader { lexer: Lexer::new(), max_bytes, message: PartialMessage::default() }
    }

    /// Reads bytes up to the end of the next message. Returns the number of bytes read, and the message if it is
    /// complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (usize, Option<ClientMessage>) {
        let mut read = 0;
        while read < bytes.len() {
            let (len, kind) = self.lexer.feed(&bytes[read..]);
            read += len;
            let size = self.message.text.len() + self.lexer.token().len();
            if size > self.max_bytes {
                return (read, Some(self.too_large(format!("the request is longer than {} bytes", self.max_bytes))));
            }
            let Some(kind) = kind else { break };
            if let Some(message) = self.take_token(kind) {
                return (read, Some(message));
            }
        }
        (read, None)
    }

    fn too_large(&mut self, reason: String) -> ClientMessage {
        *self = RequestReader::new(self.max_bytes);
        ClientMessage::TooLarge(reason)
    }

    /// Adds the token that has ended. Returns the message that it completes.
    fn take_token(&mut self, kind: TokenKind) -> Option<ClientMessage> {
        let token = self.lexer.token();
        let message = &mut self.message;
        match kind {
            TokenKind::Invalid => {
                let reason = format!("unexpected {}", shown(token));
                self.message = PartialMessage::default();
                return Some(ClientMessage::Unreadable(reason));
            }
            TokenKind::Punctuation(byte) => message.count(byte),
            _ => {}
        }
        if message.tokens.len() >= MAX_TOKENS {
            return Some(self.too_large(format!("the request has more than {MAX_TOKENS} tokens")));
        }
        if message.braces + message.brackets > MAX_DEPTH.cast_signed() {
            return Some(self.too_large(format!("the request is nested more than {MAX_DEPTH} levels deep")));
        }
        let start = message.text.len();
        let pushed = match kind {
            TokenKind::String => push_json_string(token, &mut message.text),
            // All other tokens are ASCII.
            _ => {
                message.text.push_str(&String::from_utf8_lossy(token));
                Ok(())
            }
        };
        if let Err(reason) = pushed {
            message.text.truncate(start);
            message.error.get_or_insert(format!("{reason}: {}", shown(token)));
        }
        message.tokens.push((kind, start..message.text.len()));
        let is_open = message.braces >= 0 && message.brackets >= 0 && message.braces + message.brackets > 0;
        (!is_open).then(|| std::mem::take(message).finish())
    }
}

/// Returns the beginning of a token for an error.
fn shown(token: &[u8]) -> String {
    format!("`{}`", preview(&String::from_utf8_lossy(&token[..token.len().min(320)])))
}

/// The tokens that may follow in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// An object or array that is open.
#[derive(Debug)]
struct Level {
    is_object: bool,
    /// The keys so far, decoded: a second one of the same name is an error.
    keys: HashSet<String>,
}

/// A member of the outermost object.
#[derive(Debug)]
struct Member {
    key: String,
    /// From the key to the end of the value.
    range: Range<usize>,
    value: Range<usize>,
    kind: TokenKind,
}

impl PartialMessage {
    fn count(&mut self, byte: u8) {
        match byte {
            b'{' => self.braces += 1,
            b'}' => self.braces -= 1,
            b'[' => self.brackets += 1,
            b']' => self.brackets -= 1,
            _ => {}
        }
    }

    fn finish(self) -> ClientMessage {
        if let Some(reason) = self.error {
            return ClientMessage::Unreadable(reason);
        }
        match self.members() {
            Err(reason) => ClientMessage::Unreadable(reason),
            Ok(None) => ClientMessage::Unreadable("a request must be a JSON object".to_owned()),
            Ok(Some(members)) => ClientMessage::Request(self.request(&members)),
        }
    }

    /// Checks the grammar. Returns the members of the object; `None` if the message is another value.
    fn members(&self) -> Result<Option<Vec<Member>>, String> {
        let mut levels: Vec<Level> = Vec::new();
        let mut members: Vec<Member> = Vec::new();
        let mut expected = Expected::Value;
        for (kind, range) in &self.tokens {
            let text = &self.text[range.clone()];
            let unexpected = || Err(format!("unexpected {}", shown(text.as_bytes())));
            let mut ends_value = false;
            expected = match (expected, kind) {
                (Expected::Value | Expected::ValueOrEnd, TokenKind::Punctuation(byte @ (b'{' | b'['))) => {
                    let is_object = *byte == b'{';
                    begin_value(&levels, &mut members, range.start, *kind);
                    levels.push(Level { is_object, keys: HashSet::new() });
                    if is_object { Expected::KeyOrEnd } else { Expected::ValueOrEnd }
                }
                (
                    Expected::Value | Expected::ValueOrEnd,
                    TokenKind::String | TokenKind::Number | TokenKind::Keyword,
                ) => {
                    if *kind == TokenKind::Keyword && !matches!(text, "true" | "false" | "null") {
                        return Err(format!("invalid keyword {}", shown(text.as_bytes())));
                    }
                    begin_value(&levels, &mut members, range.start, *kind);
                    ends_value = true;
                    expected
                }
                (Expected::Key | Expected::KeyOrEnd, TokenKind::String) => {
                    let key = unquote(text).ok_or("invalid key")?.into_owned();
                    let is_outermost = levels.len() == 1;
                    let Some(level) = levels.last_mut() else { return unexpected() };
                    if is_outermost {
                        members.push(Member {
                            key: key.clone(),
                            range: range.clone(),
                            value: range.clone(),
                            kind: *kind,
                        });
                    }
                    if !level.keys.insert(key) {
                        return Err(format!("duplicate key {}", shown(text.as_bytes())));
                    }
                    Expected::Colon
                }
                (Expected::Colon, TokenKind::Punctuation(b':')) => Expected::Value,
                (Expected::CommaOrEnd, TokenKind::Punctuation(b',')) => match levels.last() {
                    Some(level) if level.is_object => Expected::Key,
                    _ => Expected::Value,
                },
                (Expected::CommaOrEnd | Expected::KeyOrEnd, TokenKind::Punctuation(b'}'))
                    if levels.last().is_some_and(|level| level.is_object) =>
                {
                    levels.pop();
                    ends_value = true;
                    expected
                }
                (Expected::CommaOrEnd | Expected::ValueOrEnd, TokenKind::Punctuation(b']'))
                    if levels.last().is_some_and(|level| !level.is_object) =>
                {
                    levels.pop();
                    ends_value = true;
                    expected
                }
                _ => return unexpected(),
            };
            if ends_value {
                if levels.len() == 1
                    && let Some(member) = members.last_mut()
                {
                    member.value.end = range.end;
                    member.range.end = range.end;
                }
                expected = if levels.is_empty() { Expected::Nothing } else { Expected::CommaOrEnd };
            }
        }
        if expected != Expected::Nothing {
            return Err("unexpected end of the request".to_owned());
        }
        Ok(matches!(self.tokens.first(), Some((TokenKind::Punctuation(b'{'), _))).then_some(members))
    }

    fn request(&self, members: &[Member]) -> ClientRequest {
        let find = |key: &str| members.iter().find(|member| member.key == key);
        let mut body = String::with_capacity(self.text.len());
        body.push('{');
        for member in members.iter().filter(|member| member.key != "id") {
            if body.len() > 1 {
                body.push(',');
            }
            body.push_str(&self.text[member.range.clone()]);
        }
        ClientRequest {
            body,
            id: find("id").map(|member| self.text[member.value.clone()].to_owned()),
            command: self.command(members),
            is_oob: find("exec-oob").is_some() && find("execute").is_none(),
        }
    }

    fn command(&self, members: &[Member]) -> Result<ClientCommand, String> {
        let (mut name, mut arguments) = (None, None);
        for member in members {
            let key = member.key.as_str();
            match key {
                "id" => {}
                "execute" | "exec-oob" if member.kind != TokenKind::String => {
                    return Err(format!("the value of '{key}' must be a string"));
                }
                "execute" | "exec-oob" if name.is_some() => return Err("two commands in one request".to_owned()),
                "execute" | "exec-oob" => name = unquote(&self.text[member.value.clone()]),
                "arguments" if member.kind != TokenKind::Punctuation(b'{') => {
                    return Err("the value of 'arguments' must be an object".to_owned());
                }
                "arguments" => arguments = Some(self.text[member.value.clone()].to_owned()),
                _ => return Err(format!("the member '{}' is unexpected", preview(key))),
            }
        }
        let name = name.ok_or("the member 'execute' is missing")?.into_owned();
        Ok(ClientCommand { name, arguments })
    }
}

/// Notes the start of a value if it is that of a member of the outermost object.
fn begin_value(levels: &[Level], members: &mut [Member], start: usize, kind: TokenKind) {
    if let ([Level { is_object: true, .. }], Some(member)) = (levels, members.last_mut()) {
        member.value.start = start;
        member.kind = kind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(input: &[u8]) -> Vec<ClientMessage> {
        let mut reader = RequestReader::new(1 << 20);
        let (mut found, mut at) = (Vec::new(), 0);
        while at < input.len() {
            let (read, message) = reader.feed(&input[at..]);
            at += read;
            found.extend(message);
        }
        found
    }

    #[track_caller]
    fn request(input: &str) -> ClientRequest {
        match messages(input.as_bytes()).as_slice() {
            [ClientMessage::Request(request)] => request.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_id_is_replaced() {
        for (sent, line, id) in [
            (
                "{\"execute\": \"a\",\r\n \"arguments\": {\"n\": 1.50e3, \"s\": \"x y\"}, \"id\": [ 1, {\"a\": null} ]}",
                "{\"execute\":\"a\",\"arguments\":{\"n\":1.50e3,\"s\":\"x y\"},\"id\":7}\n",
                Some("[1,{\"a\":null}]"),
            ),
            ("{\"id\": 1.0, \"execute\": \"a\"}", "{\"execute\":\"a\",\"id\":7}\n", Some("1.0")),
            ("{'exec-oob': 'a', '\\u0069d': 'x'}", "{\"exec-oob\":\"a\",\"id\":7}\n", Some("\"x\"")),
            ("{}", "{\"id\":7}\n", None),
        ] {
            let request = request(sent);
            assert_eq!((request.to_line(7).as_str(), request.id.as_deref()), (line, id));
        }
    }

    #[test]
    fn finds_the_command() {
        let name = |input: &str| request(input).command.map(|command| command.name);
        assert_eq!(name("{\"execute\": \"a\\u0062\"}"), Ok("ab".to_owned()));
        for (input, reason) in [
            ("{}", "the member 'execute' is missing"),
            ("{\"execute\": 1}", "the value of 'execute' must be a string"),
            ("{\"execute\": \"a\", \"exec-oob\": \"b\"}", "two commands in one request"),
            ("{\"execute\": \"a\", \"arguments\": []}", "the value of 'arguments' must be an object"),
            ("{\"execute\": \"a\", \"comment\": {\"x\": 1}}", "the member 'comment' is unexpected"),
        ] {
            assert_eq!(name(input), Err(reason.to_owned()));
        }
        assert!(request("{\"exec-oob\": \"a\"}").is_oob);
        assert!(!request("{\"exec-oob\": \"a\", \"execute\": \"b\"}").is_oob);
    }

    #[test]
    fn reports_each_unreadable_message() {
        let reasons = |input: &[u8]| -> Vec<String> {
            messages(input)
                .into_iter()
                .map(|message| match message {
                    ClientMessage::Unreadable(reason) => reason,
                    ClientMessage::TooLarge(reason) => format!("too large: {reason}"),
                    ClientMessage::Request(request) => request.to_line(0).trim_end().to_owned(),
                })
                .collect()
        };
        let cases: &[(&[u8], &[&str])] = &[
            (b"hello world\n{}", &["invalid keyword `hello`", "invalid keyword `world`", "{\"id\":0}"]),
            (b"{\"a\": \"half\xff{}", &["unexpected `\"half\u{fffd}`", "{\"id\":0}"]),
            (b"[1] 5 ", &["a request must be a JSON object", "a request must be a JSON object"]),
            (b"}{}", &["unexpected `}`", "{\"id\":0}"]),
            (b"{\"a\": 1]}", &["unexpected `]`", "unexpected `}`"]),
            (b"{\"a\": 1,}", &["unexpected `}`"]),
            (b"{\"a\" 1}", &["unexpected `1`"]),
            (b"{\"a\":}", &["unexpected `}`"]),
            (b"{1: 1}", &["unexpected `1`"]),
            (b"{\"a\": nil}", &["invalid keyword `nil`"]),
            (b"{\"id\": 1, \"i\\u0064\": 2}", &["duplicate key `\"i\\u0064\"`"]),
            (b"{\"a\": {\"b\": 1, \"b\": 1}}", &["duplicate key `\"b\"`"]),
            (b"{\"a\": \"\\ud800\"}", &["invalid Unicode escape in a string: `\"\\ud800\"`"]),
            (b"{\"a\": [}]{}", &["unexpected `}`", "{\"id\":0}"]),
        ];
        for (input, expected) in cases {
            assert_eq!(reasons(input), *expected, "{}", input.escape_ascii());
        }
        let deep = "[".repeat(MAX_DEPTH + 1);
        assert_eq!(reasons(deep.as_bytes()), ["too large: the request is nested more than 1024 levels deep"]);
        let long = format!("{{\"a\": \"{}", "x".repeat(1 << 20));
        assert_eq!(reasons(long.as_bytes()), ["too large: the request is longer than 1048576 bytes"]);
    }
}
