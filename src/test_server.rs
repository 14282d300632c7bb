//! A QMP server for unit tests: a thread that follows a script at the other end of a socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::session::Address;

/// The greeting of a server without out-of-band execution.
pub(crate) const GREETING: &str =
    r#"{"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 10}, "package": ""}, "capabilities": []}}"#;

/// The time that a script waits for a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The server's end of a connection.
pub(crate) struct Peer {
    stream: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Peer {
    pub(crate) fn new(stream: UnixStream) -> Peer {
        stream.set_read_timeout(Some(REQUEST_TIMEOUT)).unwrap();
        Peer { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    /// Sends bytes as they are. The client may have gone.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends a message on a line of its own.
    pub(crate) fn send_line(&mut self, text: &str) {
        self.send(format!("{text}\r\n"));
    }

    pub(crate) fn send_event(&mut self, name: &str) {
        self.send_line(&format!(r#"{{"event": "{name}", "timestamp": {{"seconds": 1, "microseconds": 2}}}}"#));
    }

    /// Reads the next request, with or without a sync marker before it; `None` once the client has closed the
    /// connection.
    pub(crate) fn read_request(&mut self) -> Option<Value> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line).unwrap() {
            0 => None,
            _ => Some(serde_json::from_slice(line.strip_prefix(&[0xFF]).unwrap_or(&line)).unwrap()),
        }
    }

    /// Reads a request, which must be for `command`, and returns its id as JSON.
    pub(crate) fn expect_command(&mut self, command: &str) -> String {
        let request = self.read_request().unwrap();
        let name = request.get("execute").or_else(|| request.get("exec-oob")).and_then(Value::as_str);
        assert_eq!(name, Some(command), "{request}");
        request["id"].to_string()
    }

    pub(crate) fn reply(&mut self, id: &str, value: &str) {
        self.send_line(&format!(r#"{{"return": {value}, "id": {id}}}"#));
    }

    /// Expects a request and answers it.
    pub(crate) fn answer(&mut self, command: &str, value: &str) {
        let id = self.expect_command(command);
        self.reply(&id, value);
    }

    /// Greets, and answers the request that ends negotiation.
    pub(crate) fn negotiate(&mut self) {
        self.send_line(GREETING);
        self.answer("qmp_capabilities", "{}");
    }
}

/// The actions of a server on one connection.
pub(crate) type PeerScript = dyn FnOnce(&mut Peer) + Send;

/// A script that runs in its own thread. Dropping it waits for the script, and fails the test if it failed. A test that
/// fails itself does not wait: its script may be waiting for a client that will never come.
pub(crate) struct Script(Option<JoinHandle<()>>);

impl Drop for Script {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take()
            && !std::thread::panicking()
        {
            assert!(thread.join().is_ok(), "the server's script failed");
        }
    }
}

/// Returns the client's end of a connection at whose other end `script` runs.
pub(crate) fn start_peer(script: impl FnOnce(&mut Peer) + Send + 'static) -> (UnixStream, Script) {
    let (client, server) = UnixStream::pair().unwrap();
    let thread = std::thread::spawn(move || script(&mut Peer::new(server)));
    (client, Script(Some(thread)))
}

/// A server on a socket of its own that serves one connection after the other, each by its script.
pub(crate) struct Listener {
    pub(crate) address: Address,
    _folder: tempfile::TempDir,
    _script: Script,
}

/// Starts a [`Listener`].
pub(crate) fn start_listener(scripts: Vec<Box<PeerScript>>) -> Listener {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let script = start_listener_at(&path, scripts);
    Listener { address: Address::Unix(path), _folder: folder, _script: script }
}

/// Listens at `path`, and serves one connection after the other, each by its script.
pub(crate) fn start_listener_at(path: &Path, scripts: Vec<Box<PeerScript>>) -> Script {
    let listener = listen_at(path);
    let thread = std::thread::spawn(move || {
        for script in scripts {
            script(&mut Peer::new(listener.accept().unwrap().0));
        }
    });
    Script(Some(thread))
}

/// Returns a socket that listens at `path`.
pub(crate) fn listen_at(path: &Path) -> UnixListener {
    UnixListener::bind(path).unwrap()
}
