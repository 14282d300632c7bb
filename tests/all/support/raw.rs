//! A connection to a QMP server without a client, for what a client would never send.

use std::io::{BufRead, BufReader, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};

use super::TIMEOUT;

/// A connection to a Unix socket.
pub struct Raw {
    reader: BufReader<UnixStream>,
}

impl Raw {
    pub fn connect(path: &str) -> Raw {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        Raw { reader: BufReader::new(stream) }
    }

    /// Connects and negotiates, enabling these capabilities.
    pub fn negotiated(path: &str, enable: &[&str]) -> Raw {
        let mut raw = Raw::connect(path);
        raw.read();
        let request = json!({"execute": "qmp_capabilities", "arguments": {"enable": enable}});
        assert_eq!(raw.request(request.to_string())["return"], json!({}));
        raw
    }

    pub fn stream(&self) -> &UnixStream {
        self.reader.get_ref()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Sends bytes with a descriptor attached to the first of them.
    pub fn send_with_fd(&mut self, bytes: &str, fd: BorrowedFd<'_>) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [fd];
        control.push(SendAncillaryMessage::ScmRights(&fds));
        let sent = sendmsg(self.stream(), &[IoSlice::new(bytes.as_bytes())], &mut control, SendFlags::empty());
        assert_eq!(sent.unwrap(), bytes.len());
    }

    /// Reads a line; empty at the end of the stream.
    pub fn read_line(&mut self) -> String {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            // A server that closes with unread data resets the connection: an end like any other.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            result => drop(result.unwrap()),
        }
        line
    }

    pub fn read(&mut self) -> Value {
        let line = self.read_line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("read `{line}`: {error}"))
    }

    /// Reads a reply, past events.
    pub fn read_reply(&mut self) -> Value {
        loop {
            let message = self.read();
            if message.get("event").is_none() {
                return message;
            }
        }
    }

    /// Reads events up to the one with this name.
    pub fn wait_for_event(&mut self, name: &str) {
        while self.read()["event"] != name {}
    }

    pub fn request(&mut self, bytes: impl AsRef<[u8]>) -> Value {
        self.send(bytes);
        self.read_reply()
    }

    /// Reads everything until the other end closes.
    pub fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        match self.reader.read_to_end(&mut bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            result => drop(result.unwrap()),
        }
        String::from_utf8(bytes).unwrap()
    }
}
