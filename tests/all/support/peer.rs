//! A scripted peer: a server in this process that says and does exactly what a test tells it to.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with};

/// The greeting of a QEMU 10.0.2.
pub const GREETING: &str =
    r#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": ""}, "capabilities": ["oob"]}}"#;

/// An event, as a line.
pub const EVENT: &str = "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"E\"}\r\n";

/// A peer that listens. Its thread is joined when this is dropped, so a failed expectation in it fails the test.
pub struct Peer {
    folder: tempfile::TempDir,
    thread: Option<JoinHandle<()>>,
}

/// What a peer does with one connection.
pub type Script = Box<dyn FnOnce(&mut Talk) + Send>;

/// The peer's side of one connection.
pub struct Talk {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    /// The id of the command heard last, by [`Talk::hear_command`].
    asked: String,
}

impl Peer {
    /// A peer that accepts one connection and talks by `script`.
    pub fn start(script: impl FnOnce(&mut Talk) + Send + 'static) -> Peer {
        Peer::start_all(vec![Box::new(script)])
    }

    /// A peer that accepts as many connections as there are scripts, one after the other.
    pub fn start_all(scripts: Vec<Script>) -> Peer {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("q.sock")).unwrap();
        let thread = std::thread::spawn(move || {
            for script in scripts {
                let (stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
                let reader = BufReader::new(stream.try_clone().unwrap());
                script(&mut Talk { reader, writer: stream, asked: String::new() });
            }
        });
        Peer { folder, thread: Some(thread) }
    }

    /// Its address.
    pub fn address(&self) -> String {
        self.folder.path().join("q.sock").to_str().unwrap().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            thread.join().unwrap();
        }
    }
}

impl Talk {
    /// Says a line.
    pub fn say(&mut self, line: &str) {
        self.say_raw(format!("{line}\r\n").as_bytes());
    }

    /// Says bytes as they are. A client that has gone is no failure.
    pub fn say_raw(&mut self, bytes: &[u8]) {
        let _ = self.writer.write_all(bytes);
    }

    /// Hears a line; empty at the end of the stream.
    pub fn hear(&mut self) -> String {
        String::from_utf8_lossy(&self.hear_raw()).trim_end().to_owned()
    }

    /// Hears a line that need not be text.
    pub fn hear_raw(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            // A client that leaves with something unread resets the connection: an end like any other.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            result => drop(result.unwrap()),
        }
        line
    }

    /// Hears a line, if one begins by then.
    pub fn hear_within(&mut self, patience: Duration) -> Option<String> {
        if self.reader.buffer().is_empty() {
            self.reader.get_ref().set_read_timeout(Some(patience)).unwrap();
            let came = self.reader.fill_buf().is_ok();
            self.reader.get_ref().set_read_timeout(Some(super::PATIENCE)).unwrap();
            if !came {
                return None;
            }
        }
        Some(self.hear())
    }

    /// Waits until the client says something, and leaves it unheard.
    pub fn wait_for_word(&mut self) {
        assert!(!self.reader.fill_buf().unwrap().is_empty(), "the client has closed");
    }

    /// Refuses `id`; without an id as a server does that could not read the request.
    pub fn refuse(&mut self, id: Option<&str>, class: &str, desc: &str) {
        let id = id.map(|id| format!(", \"id\": {id}")).unwrap_or_default();
        self.say(&format!("{{\"error\": {{\"class\": \"{class}\", \"desc\": \"{desc}\"}}{id}}}"));
    }

    /// Hears a request; returns its command and its id as JSON text.
    pub fn hear_request(&mut self) -> (String, String) {
        let line = self.hear();
        let value: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("heard `{line}`: {error}"));
        let command = value.get("execute").or_else(|| value.get("exec-oob")).unwrap().as_str().unwrap();
        (command.to_owned(), value.get("id").map(ToString::to_string).unwrap_or_default())
    }

    /// Greets, and answers the negotiation.
    pub fn negotiate(&mut self) {
        self.say(GREETING);
        let (command, id) = self.hear_request();
        assert_eq!(command, "qmp_capabilities");
        self.say(&format!("{{\"return\": {{}}, \"id\": {id}}}"));
    }

    /// Hears the request for `command`, passing over the questions that a prompt asks by itself, which are refused.
    /// Returns its id.
    pub fn expect(&mut self, command: &str) -> String {
        loop {
            let (heard, id) = self.hear_request();
            if heard == command {
                return id;
            }
            assert!(
                ["query-qmp-schema", "query-commands"].contains(&heard.as_str()),
                "expected `{command}`, heard `{heard}`"
            );
            self.refuse(Some(&id), "CommandNotFound", "none");
        }
    }

    /// Refuses whatever is asked, until the client closes.
    pub fn refuse_until_close(&mut self) {
        loop {
            let line = self.hear();
            if line.is_empty() {
                return;
            }
            let request: serde_json::Value = serde_json::from_str(&line).unwrap();
            self.refuse(Some(&request["id"].to_string()), "CommandNotFound", "none");
        }
    }

    /// Answers `id` with a return value.
    pub fn answer(&mut self, id: &str, value: &str) {
        self.say(&format!("{{\"return\": {value}, \"id\": {id}}}"));
    }

    /// Says an event.
    pub fn event(&mut self, name: &str, data: &str) {
        let time = "{\"seconds\": 1700000000, \"microseconds\": 345678}";
        self.say(&format!("{{\"timestamp\": {time}, \"event\": \"{name}\", \"data\": {data}}}"));
    }

    /// Says bytes; whether there is still somebody to hear them.
    pub fn flows(&mut self, bytes: &[u8]) -> bool {
        self.writer.write_all(bytes).is_ok()
    }

    /// Says the same bytes again and again, until nobody hears them.
    pub fn flood(&mut self, bytes: &[u8]) {
        while self.flows(bytes) {}
    }

    /// Ends the connection.
    pub fn close(&mut self) {
        let _ = self.writer.shutdown(std::net::Shutdown::Both);
    }

    /// Hears the request for `command`, as [`Talk::expect`], and keeps its id for [`Talk::return_value`].
    pub fn hear_command(&mut self, command: &str) {
        self.asked = self.expect(command);
    }

    /// Answers what was heard last.
    pub fn return_value(&mut self, value: &str) {
        self.return_value_raw(value.as_bytes());
    }

    /// Answers what was heard last with a value that need not be JSON.
    pub fn return_value_raw(&mut self, value: &[u8]) {
        let end = format!(", \"id\": {}}}\r\n", self.asked);
        self.say_raw(&[b"{\"return\": ", value, end.as_bytes()].concat());
    }

    /// Waits until the client closes.
    pub fn wait_for_close(&mut self) {
        while !self.hear().is_empty() {}
    }
}

/// A TCP port that answers nobody: those who wait at it already are all that the system lets wait.
pub fn port_without_room() -> (u16, Vec<OwnedFd>) {
    let socket = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
    };
    let listener = socket();
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    listen(&listener, 0).unwrap();
    let address = SocketAddrV4::try_from(getsockname(&listener).unwrap()).unwrap();
    let crowd = (0..3).map(|_| {
        let client = socket();
        let _ = connect(&client, &address);
        client
    });
    let fds = crowd.chain([listener]).collect();
    (address.port(), fds)
}
