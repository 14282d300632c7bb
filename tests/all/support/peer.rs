//! A scripted peer: a server in this process that sends and expects exactly what a test says.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with};

use super::share::Share;
use super::skip::has_skipped;

/// A greeting as QEMU sends it.
pub const GREETING: &str =
    r#"{"QMP": {"version": {"qemu": {"micro": 3, "minor": 2, "major": 1}, "package": ""}, "capabilities": ["oob"]}}"#;

/// An event, as a line.
pub const EVENT: &str = "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"E\"}\r\n";

/// A listening peer. Dropping it joins its thread, so that a failed expectation in the script fails the test.
pub struct Peer {
    share: Option<Share>,
    folder: tempfile::TempDir,
    thread: Option<JoinHandle<()>>,
    is_abandoned: Arc<AtomicBool>,
}

/// The peer's part in one connection.
pub type Script = Box<dyn FnOnce(&mut PeerConnection) + Send>;

/// The peer's side of one connection.
pub struct PeerConnection {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    /// The id of the command read by [`PeerConnection::expect_pending`].
    pending_id: String,
}

impl Peer {
    /// Starts a peer that accepts one connection and runs `script` on it.
    pub fn start(script: impl FnOnce(&mut PeerConnection) + Send + 'static) -> Peer {
        Peer::start_all(vec![Box::new(script)])
    }

    /// Starts a peer that negotiates and then runs `script`, and connects a client to it.
    pub fn with_client(script: impl FnOnce(&mut PeerConnection) + Send + 'static) -> (Peer, qmp_shell::Client) {
        let peer = Peer::start(move |conn| {
            conn.negotiate();
            script(conn);
        });
        let client = qmp_shell::Client::connect(&peer.address()).unwrap();
        (peer, client)
    }

    /// Starts a peer that accepts a connection for each script, one after the other.
    pub fn start_all(scripts: Vec<Script>) -> Peer {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("q.sock")).unwrap();
        let is_abandoned = Arc::new(AtomicBool::new(false));
        let abandoned = Arc::clone(&is_abandoned);
        let thread = std::thread::spawn(move || {
            for script in scripts {
                let (stream, _) = listener.accept().unwrap();
                if abandoned.load(Ordering::SeqCst) {
                    return;
                }
                stream.set_read_timeout(Some(super::TIMEOUT)).unwrap();
                let reader = BufReader::new(stream.try_clone().unwrap());
                script(&mut PeerConnection { reader, writer: stream, pending_id: String::new() });
            }
        });
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let share = Share::start_if_sharing(&path("q.sock"), &path("shared.sock"));
        Peer { share, folder, thread: Some(thread), is_abandoned }
    }

    /// Returns the address on which the peer listens, or that of its share.
    pub fn address(&self) -> String {
        self.share.as_ref().map_or_else(|| self.own_address(), Share::address)
    }

    fn own_address(&self) -> String {
        self.folder.path().join("q.sock").to_str().unwrap().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its clients are gone, and so must be the connection.
        self.share = None;
        let Some(thread) = self.thread.take() else { return };
        if std::thread::panicking() {
            return;
        }
        if has_skipped() {
            // The client that the peer waits for was never started.
            self.is_abandoned.store(true, Ordering::SeqCst);
            let _ = UnixStream::connect(self.own_address());
        }
        thread.join().unwrap();
    }
}

impl PeerConnection {
    /// Sends a line.
    pub fn send_line(&mut self, line: &str) {
        self.send(format!("{line}\r\n").as_bytes());
    }

    /// Sends bytes as they are. A client that has disconnected is not an error.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.writer.write_all(bytes);
    }

    /// Sends bytes; returns whether the client is still connected.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.writer.write_all(bytes).is_ok()
    }

    /// Sends the same bytes over and over, until the client closes.
    pub fn flood(&mut self, bytes: &[u8]) {
        while self.try_send(bytes) {}
    }

    /// Reads a line; empty at the end of the stream.
    pub fn read_line(&mut self) -> String {
        String::from_utf8_lossy(&self.read_line_bytes()).trim_end().to_owned()
    }

    /// Reads the next request; `None` at the end of the stream.
    pub fn next_request(&mut self) -> Option<serde_json::Value> {
        let line = self.read_line();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    /// Reads a line that may be invalid UTF-8.
    pub fn read_line_bytes(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            // A client that closes with unread data resets the connection: an end like any other.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            result => drop(result.unwrap()),
        }
        line
    }

    /// Reads a line, if one begins within `timeout`.
    pub fn read_line_within(&mut self, timeout: Duration) -> Option<String> {
        if self.reader.buffer().is_empty() {
            self.reader.get_ref().set_read_timeout(Some(timeout)).unwrap();
            let has_data = self.reader.fill_buf().is_ok();
            self.reader.get_ref().set_read_timeout(Some(super::TIMEOUT)).unwrap();
            if !has_data {
                return None;
            }
        }
        Some(self.read_line())
    }

    /// Waits until the client has sent data, and leaves the data unread.
    pub fn wait_for_data(&mut self) {
        assert!(!self.reader.fill_buf().unwrap().is_empty(), "the client has closed");
    }

    /// Waits until the client closes.
    pub fn wait_for_close(&mut self) {
        while !self.read_line().is_empty() {}
    }

    /// Reads a request; returns its command, and its id as JSON text.
    pub fn read_request(&mut self) -> (String, String) {
        let line = self.read_line();
        let value: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("read `{line}`: {error}"));
        let command = value.get("execute").or_else(|| value.get("exec-oob")).unwrap().as_str().unwrap();
        (command.to_owned(), value.get("id").map(ToString::to_string).unwrap_or_default())
    }

    /// Sends the greeting and replies to the capabilities negotiation.
    pub fn negotiate(&mut self) {
        self.send_line(GREETING);
        let (command, id) = self.read_request();
        assert_eq!(command, "qmp_capabilities");
        self.reply(&id, "{}");
    }

    /// Reads the request for `command`; returns its id. Refuses the queries that a prompt sends before it.
    pub fn expect_command(&mut self, command: &str) -> String {
        loop {
            let (found, id) = self.read_request();
            if found == command {
                return id;
            }
            assert!(
                ["query-name", "query-qmp-schema", "query-commands"].contains(&found.as_str()),
                "expected `{command}`, found `{found}`"
            );
            self.reply_error(Some(&id), "CommandNotFound", "none");
        }
    }

    /// Reads the request for `command` as [`PeerConnection::expect_command`] does, and keeps its id for
    /// [`PeerConnection::reply_pending`].
    pub fn expect_pending(&mut self, command: &str) {
        self.pending_id = self.expect_command(command);
    }

    /// Replies to the request `id` with a return value.
    pub fn reply(&mut self, id: &str, value: &str) {
        self.send_line(&format!("{{\"return\": {value}, \"id\": {id}}}"));
    }

    /// Replies to the request `id` with an error. Without an id it is the error for an unreadable request.
    pub fn reply_error(&mut self, id: Option<&str>, class: &str, desc: &str) {
        let id = id.map(|id| format!(", \"id\": {id}")).unwrap_or_default();
        self.send_line(&format!("{{\"error\": {{\"class\": \"{class}\", \"desc\": \"{desc}\"}}{id}}}"));
    }

    /// Replies to the pending request.
    pub fn reply_pending(&mut self, value: &str) {
        self.reply_pending_bytes(value.as_bytes());
    }

    /// Replies to the pending request with a value that may be invalid JSON.
    pub fn reply_pending_bytes(&mut self, value: &[u8]) {
        let end = format!(", \"id\": {}}}\r\n", self.pending_id);
        self.send(&[b"{\"return\": ", value, end.as_bytes()].concat());
    }

    /// Refuses every request until the client closes.
    pub fn refuse_until_close(&mut self) {
        while let Some(request) = self.next_request() {
            self.reply_error(Some(&request["id"].to_string()), "CommandNotFound", "none");
        }
    }

    /// Sends an event.
    pub fn send_event(&mut self, name: &str, data: &str) {
        let time = "{\"seconds\": 1700000000, \"microseconds\": 345678}";
        self.send_line(&format!("{{\"timestamp\": {time}, \"event\": \"{name}\", \"data\": {data}}}"));
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        let _ = self.writer.shutdown(std::net::Shutdown::Both);
    }
}

/// Returns a TCP port on which connections neither succeed nor fail, and the sockets that keep its listener's queue
/// full.
pub fn full_listener() -> (u16, Vec<OwnedFd>) {
    let socket = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
    };
    let listener = socket();
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    listen(&listener, 0).unwrap();
    let address = SocketAddrV4::try_from(getsockname(&listener).unwrap()).unwrap();
    let clients = (0..3).map(|_| {
        let client = socket();
        let _ = connect(&client, &address);
        client
    });
    let fds = clients.chain([listener]).collect();
    (address.port(), fds)
}
