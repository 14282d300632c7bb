//! The client: commands as calls.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::session::{Address, Closer, ConnectError, Listener, Options, Session};
use crate::wire::{Event, Greeting, Request};

use super::dispatcher::Shared;
use super::error::ExecuteError;
use super::events::{Events, Queue};
use super::open::open;
use super::pending::Pending;
use super::request::{request, validate_request};

/// A connection to a QMP server: QEMU, the storage daemon, or a guest agent.
///
/// Clones share the connection and may be used from several threads at once; a thread of the client's own reads what
/// arrives, so the server never waits for us. The connection ends with the last clone, or with [`Client::close`]; the
/// machine goes on.
///
/// ```
/// use qmp_shell::{Client, Empty};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Status {
///     running: bool,
///     status: String,
/// }
///
/// let qemu = Client::connect("demo:")?;
/// qemu.execute::<Empty>("stop", ())?;
/// let status: Status = qemu.execute("query-status", ())?;
/// assert_eq!((status.running, status.status.as_str()), (false, "paused"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    connection: Arc<Inner>,
}

/// The connection and its reader thread; ends with its last holder.
#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    closer: Closer,
    reader: Mutex<Option<JoinHandle<()>>>,
}

/// An object without members: what most commands that only do something return, and nothing else in it is minded.
///
/// As arguments it is `{}`, which servers take as they take none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

impl Client {
    /// Connects to `address` in any of the forms that the programs take (`vm.sock`, `localhost:4444`, `exec:…`, `demo:`;
    /// see [`Address`]) and negotiates; both may take 5 seconds.
    pub fn connect(address: &str) -> Result<Client, ConnectError> {
        Client::connect_with(&address.parse()?, &Options::default())
    }

    /// As [`Client::connect`], with time-outs, a log, or for a guest agent.
    ///
    /// ```
    /// use std::time::Duration;
    /// use qmp_shell::{Address, Client, Options};
    ///
    /// let mut options = Options::default();
    /// options.timeout = Duration::from_secs(1);
    /// let qemu = Client::connect_with(&Address::Demo, &options)?;
    /// assert!(qemu.greeting().is_some_and(|greeting| greeting.offers_oob()));
    /// # Ok::<(), qmp_shell::ConnectError>(())
    /// ```
    pub fn connect_with(address: &Address, options: &Options) -> Result<Client, ConnectError> {
        Client::over(open(address, options)?, address)
    }

    /// Waits at `listener` for the next server to connect, and negotiates with it. Without [`Options::wait`] it waits as
    /// long as it takes.
    ///
    /// ```
    /// use qmp_shell::{Client, Listener, Options};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("vm.sock").display().to_string();
    /// let listener = Listener::bind(&path.parse()?)?;
    /// // Now start `qemu-system-x86_64 -qmp unix:vm.sock`, without `server=on`.
    /// # let mut demo = std::os::unix::net::UnixStream::connect(&path)?;
    /// # std::io::Write::write_all(&mut demo, b"{\"QMP\": {}}{\"return\": {}}")?;
    /// let qemu = Client::accept(&listener, &Options::default())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn accept(listener: &Listener, options: &Options) -> Result<Client, ConnectError> {
        Client::over(Session::accept(listener, options)?, listener.address())
    }

    fn over(session: Session, address: &Address) -> Result<Client, ConnectError> {
        let (out, input, early, greeting) =
            session.into_halves().expect("a session that was just negotiated has no reader thread");
        let closer = out.closer();
        let shared = Arc::new(Shared::new(out, greeting));
        let ours = Arc::clone(&shared);
        let reader = Builder::new().name("qmp-client".to_owned()).spawn(move || ours.serve(input, early));
        let reader = reader.map_err(|reason| ConnectError::Io { address: address.clone(), reason })?;
        Ok(Client { connection: Arc::new(Inner { shared, closer, reader: Mutex::new(Some(reader)) }) })
    }

    /// The server's greeting, with its version; a guest agent sends none.
    pub fn greeting(&self) -> Option<&Greeting> {
        self.connection.shared.greeting.as_ref()
    }

    /// Executes a command and waits for what it returns.
    ///
    /// `arguments` is anything that serde makes a JSON object of, and `()` for none. It waits as long as it takes; for a
    /// time-out see [`Pending::reply_within`]. Every way in which it can fail is in [`ExecuteError`].
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// use qmp_shell::Empty;
    /// use serde_json::{Value, json};
    ///
    /// let node = json!({"driver": "null-co", "node-name": "disk1", "size": 1 << 20});
    /// qemu.execute::<Empty>("blockdev-add", node)?;
    ///
    /// // Any `Value` will do where the shape does not matter.
    /// let nodes: Value = qemu.execute("query-named-block-nodes", json!({"flat": true}))?;
    /// assert!(nodes.as_array().unwrap().iter().any(|node| node["node-name"] == "disk1"));
    ///
    /// // What the server refuses says why, and carries both messages.
    /// let error = qemu.execute::<Empty>("blockdev-del", json!({"node-name": "disk7"})).unwrap_err();
    /// assert_eq!(error.class(), Some("GenericError"));
    /// assert_eq!(error.request().unwrap().arguments.as_deref(), Some(r#"{"node-name":"disk7"}"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn execute<T: DeserializeOwned>(&self, command: &str, arguments: impl Serialize) -> Result<T, ExecuteError> {
        self.begin(request(command, arguments)?)?.wait()
    }

    /// As [`Client::execute`], out of band: the server answers at once, whatever else is under way.
    ///
    /// Only for the few commands that allow it, such as `yank` and `migrate-pause`, and where the greeting
    /// [offers](Greeting::offers_oob) it.
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// let instances: Vec<serde_json::Value> = qemu.execute_oob("query-yank", ())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn execute_oob<T: DeserializeOwned>(
        &self,
        command: &str,
        arguments: impl Serialize,
    ) -> Result<T, ExecuteError> {
        let mut request = request(command, arguments)?;
        request.oob = true;
        self.begin(request)?.wait()
    }

    /// As [`Client::execute`], with a descriptor passed along: for `getfd` and `add-fd`, over a Unix socket. The server gets
    /// a duplicate.
    ///
    /// ```no_run
    /// # let qemu = qmp_shell::Client::connect("vm.sock")?;
    /// use std::os::fd::AsFd;
    /// use qmp_shell::Empty;
    /// use serde_json::json;
    ///
    /// let disk = std::fs::File::open("disk.img")?;
    /// qemu.execute_with_fd::<serde_json::Value>("add-fd", json!({"fdset-id": 1}), disk.as_fd())?;
    /// let node = json!({"driver": "file", "node-name": "disk", "filename": "/dev/fdset/1", "read-only": true});
    /// qemu.execute::<Empty>("blockdev-add", node)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn execute_with_fd<T: DeserializeOwned>(
        &self,
        command: &str,
        arguments: impl Serialize,
        fd: BorrowedFd<'_>,
    ) -> Result<T, ExecuteError> {
        self.send(request(command, arguments)?, Some(fd))?.wait()
    }

    /// Sends a command and goes on; the reply is waited for later. Up to eight may be under way at once, those of all clones
    /// counted, and the server carries them out in order; a ninth waits here until one is answered. With
    /// [`Request::oob`] none is waited for.
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// use qmp_shell::Request;
    ///
    /// for pending in ["query-name", "query-uuid"].map(|command| qemu.begin(Request::new(command))) {
    ///     println!("{}", pending?.reply()?.text());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn begin(&self, request: Request) -> Result<Pending, ExecuteError> {
        self.send(request, None)
    }

    fn send(&self, request: Request, fd: Option<BorrowedFd<'_>>) -> Result<Pending, ExecuteError> {
        self.connection.shared.send(Box::new(validate_request(request)?), fd)
    }

    /// Ends QEMU with `quit`. Success is its answer, or the end of the connection in place of it. The connection ends with
    /// QEMU; [`Events`] tell when.
    pub fn quit(&self) -> Result<(), ExecuteError> {
        match self.execute::<Empty>("quit", ()) {
            Ok(Empty {}) | Err(ExecuteError::Unanswered { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All events from now on. What came before, also while the connection was made, nobody hears.
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// use std::time::Duration;
    /// use qmp_shell::Empty;
    ///
    /// // Listen first, then cause: nothing is missed.
    /// let mut events = qemu.events().timeout(Duration::from_secs(5));
    /// qemu.execute::<Empty>("stop", ())?;
    /// let event = events.next().expect("an event within 5 seconds")?;
    /// assert_eq!(event.name(), "STOP");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn events(&self) -> Events {
        self.listen(|_| true)
    }

    /// The events from now on that `filter` lets through.
    ///
    /// The filter runs in the client's own thread, and must not wait: until it returns, no reply reaches anybody. One that
    /// executes a command would wait for ever, so that panics; and a filter that panics ends its listener with
    /// [`ListenError::Filter`](crate::ListenError::Filter).
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// # use std::time::Duration;
    /// # use qmp_shell::Empty;
    /// # use serde_json::json;
    /// # for name in ["a", "b"] {
    /// #     qemu.execute::<Empty>("blockdev-add", json!({"driver": "null-co", "node-name": name, "size": 4096}))?;
    /// # }
    /// #[derive(serde::Deserialize)]
    /// struct Change {
    ///     id: String,
    ///     status: String,
    /// }
    ///
    /// let changes = qemu.listen(|event| event.name() == "JOB_STATUS_CHANGE").timeout(Duration::from_secs(10));
    /// qemu.execute::<Empty>(
    ///     "blockdev-mirror",
    ///     json!({"job-id": "j0", "device": "a", "target": "b", "sync": "full"}),
    /// )?;
    /// for event in changes {
    ///     let change: Change = event?.data_as()?;
    ///     if change.id == "j0" && change.status == "ready" {
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn listen(&self, filter: impl Fn(&Event) -> bool + Send + Sync + 'static) -> Events {
        let queue = Arc::new(Queue::new(Box::new(filter)));
        self.connection.shared.listen(&queue);
        Events { queue, timeout: None }
    }

    /// Ends the connection for all clones, from any thread: what is under way is [`Unanswered`](ExecuteError::Unanswered),
    /// what waits for room was not sent, listeners are at their end. The machine goes on. A second time does nothing.
    pub fn close(&self) {
        self.connection.close();
    }
}

impl Inner {
    fn close(&self) {
        self.shared.will_close();
        self.closer.close();
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A filter that held the last clone ends the connection from the reader thread itself.
        if let Some(reader) = reader.filter(|reader| reader.thread().id() != std::thread::current().id()) {
            // The socket is shut, so the thread is at its end; a panic in it has been reported already.
            let _ = reader.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
