//! The client: commands as function calls.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::session::{Address, Closer, ConnectError, Halves, Listener, Options, Session};
use crate::wire::{Event, Greeting, Request};

use super::dispatcher::{Dispatcher, SlotWait};
use super::error::ExecuteError;
use super::events::{EventQueue, Events};
use super::job::JobState;
use super::open::open_with_progress;
#[cfg(feature = "programs")]
use super::pending::IsCancelled;
use super::pending::Pending;
use super::request::{request, validate_request};

/// A connection to a QMP server: QEMU, the storage daemon, or a guest agent.
///
/// Clones share the connection and may be used from several threads at once. A reader thread receives messages as they
/// arrive, so the server never waits for its client. The connection ends with the last clone, or with [`Client::close`];
/// the VM keeps running.
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
    inner: Arc<Inner>,
}

/// The connection and its reader thread.
#[derive(Debug)]
struct Inner {
    dispatcher: Arc<Dispatcher>,
    closer: Closer,
    reader: Mutex<Option<JoinHandle<()>>>,
}

/// The empty object that commands return if they have nothing to report. Members that a server adds are ignored.
///
/// As arguments it is `{}`, which servers treat like no arguments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

impl Client {
    /// Connects to `address` (`vm.sock`, `localhost:4444`, `exec:…`, `demo:`; see [`Address`] for all forms) and
    /// negotiates. Each of the two steps may take 5 seconds.
    pub fn connect(address: &str) -> Result<Client, ConnectError> {
        Client::connect_with(&address.parse()?, &Options::default())
    }

    /// Connects with `options`: timeouts, a message log, a guest agent as the server.
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
        Client::connect_with_progress(address, options, &mut |_| {})
    }

    /// Connects as [`Client::connect_with`] does. Calls `progress` with a sentence about each long wait.
    pub(crate) fn connect_with_progress(
        address: &Address,
        options: &Options,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Client, ConnectError> {
        Client::over(open_with_progress(address, options, progress)?, address)
    }

    /// Waits for the next server to connect to `listener`, and negotiates with it. Without [`Options::wait`] the wait
    /// has no limit.
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
        let halves = session.into_halves().expect("a session that was just opened has no reader thread");
        let Halves { out, input, router, greeting, takes_one_request } = halves;
        let closer = out.closer();
        let dispatcher = Arc::new(Dispatcher::new(out, router, greeting, takes_one_request));
        let shared = Arc::clone(&dispatcher);
        let reader = Builder::new().name("qmp-client".to_owned()).spawn(move || shared.run(input));
        let reader = reader.map_err(|reason| ConnectError::Io { address: address.clone(), reason })?;
        Ok(Client { inner: Arc::new(Inner { dispatcher, closer, reader: Mutex::new(Some(reader)) }) })
    }

    /// Returns the server's greeting, with its version. A guest agent sends none.
    pub fn greeting(&self) -> Option<&Greeting> {
        self.inner.dispatcher.greeting.as_ref()
    }

    /// Executes a command and waits for its return value.
    ///
    /// `arguments` is any value that serialises to a JSON object; `()` stands for no arguments. There is no timeout;
    /// see [`Pending::reply_within`] for one. [`ExecuteError`] lists all errors.
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// use qmp_shell::Empty;
    /// use serde_json::{Value, json};
    ///
    /// let node = json!({"driver": "null-co", "node-name": "disk1", "size": 1 << 20});
    /// qemu.execute::<Empty>("blockdev-add", node)?;
    ///
    /// // Without a type for the return value, use `Value`.
    /// let nodes: Value = qemu.execute("query-named-block-nodes", json!({"flat": true}))?;
    /// assert!(nodes.as_array().unwrap().iter().any(|node| node["node-name"] == "disk1"));
    ///
    /// // An error carries the server's reply and the request.
    /// let error = qemu.execute::<Empty>("blockdev-del", json!({"node-name": "disk7"})).unwrap_err();
    /// assert_eq!(error.class(), Some("GenericError"));
    /// assert_eq!(error.request().unwrap().arguments.as_deref(), Some(r#"{"node-name":"disk7"}"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn execute<T: DeserializeOwned>(&self, command: &str, arguments: impl Serialize) -> Result<T, ExecuteError> {
        self.start(request(command, arguments)?)?.wait()
    }

    /// Executes a command out of band: the server replies at once, whatever else is in flight.
    ///
    /// Only a few commands allow this, such as `yank` and `migrate-pause`, and only if the greeting
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
        self.start(request)?.wait()
    }

    /// Executes a command with a file descriptor attached, for `getfd` and `add-fd` over a Unix socket. The server receives a
    /// duplicate.
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

    /// Sends a command without waiting for its reply. The server executes commands in order. Up to eight of them may be
    /// in flight, those of all clones counted; the call for a ninth blocks until a reply arrives, except with
    /// [`Request::oob`]. If no reply arrives, it blocks until [`Client::close`]; [`Client::start_within`] has a limit.
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// use qmp_shell::Request;
    ///
    /// for pending in ["query-name", "query-uuid"].map(|command| qemu.start(Request::new(command))) {
    ///     println!("{}", pending?.reply()?.text());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start(&self, request: Request) -> Result<Pending, ExecuteError> {
        self.send(request, None)
    }

    /// Sends a command as [`Client::start`] does, but waits up to `timeout` until fewer than eight are in flight. After the
    /// timeout, the inner `Err` returns the command, which was not sent. A `timeout` of zero does not wait.
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// use std::time::Duration;
    /// use qmp_shell::Request;
    ///
    /// match qemu.start_within(Request::new("query-block"), Duration::from_secs(5))? {
    ///     Ok(pending) => println!("{}", pending.reply()?.text()),
    ///     Err(request) => println!("eight commands are unanswered; `{}` was not sent", request.command),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_within(&self, request: Request, timeout: Duration) -> Result<Result<Pending, Request>, ExecuteError> {
        // A timeout that is too long to represent sets no limit.
        let deadline = Instant::now().checked_add(timeout);
        let wait = deadline.map_or(SlotWait::Forever, SlotWait::Until);
        let sent = self.inner.dispatcher.send_within(wait, Box::new(validate_request(request)?))?;
        Ok(sent.map_err(|request| *request))
    }

    /// Sends a command as [`Client::start`] does. `Ok(None)` if `is_cancelled`, which is called again and again, returns true
    /// before it can be sent.
    #[cfg(feature = "programs")]
    pub(crate) fn start_unless(
        &self,
        request: Request,
        is_cancelled: IsCancelled<'_>,
    ) -> Result<Option<Pending>, ExecuteError> {
        let wait = SlotWait::Unless(is_cancelled);
        Ok(self.inner.dispatcher.send_within(wait, Box::new(validate_request(request)?))?.ok())
    }

    /// Returns whether several commands are in flight and none has been answered for some time: the server may take only
    /// one at a time.
    #[cfg(feature = "programs")]
    pub(crate) fn is_stalled(&self) -> bool {
        self.inner.dispatcher.is_stalled()
    }

    /// Has the server get one request at a time from now on.
    #[cfg(feature = "programs")]
    pub(crate) fn take_turns(&self) {
        self.inner.dispatcher.take_turns();
    }

    fn send(&self, request: Request, fd: Option<BorrowedFd<'_>>) -> Result<Pending, ExecuteError> {
        self.inner.dispatcher.send(Box::new(validate_request(request)?), fd)
    }

    /// Ends QEMU with `quit`. Succeeds if QEMU replies or closes the connection. [`Events`] end when QEMU has exited.
    pub fn quit(&self) -> Result<(), ExecuteError> {
        match self.execute::<Empty>("quit", ()) {
            Ok(Empty {}) | Err(ExecuteError::Unanswered { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Listens to all events from now on. Earlier events, including those during connecting, are not delivered.
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// use std::time::Duration;
    /// use qmp_shell::Empty;
    ///
    /// // Create the listener before the command that causes the event.
    /// let mut events = qemu.events().timeout(Duration::from_secs(5));
    /// qemu.execute::<Empty>("stop", ())?;
    /// let event = events.next().expect("an event within 5 seconds")?;
    /// assert_eq!(event.name(), "STOP");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn events(&self) -> Events {
        self.listen(|_| true)
    }

    /// Listens to the events that pass `filter`, from now on.
    ///
    /// The filter runs in the reader thread and must not block: until it returns, no reply is delivered. If it executes
    /// a command, it panics instead of waiting forever. A filter that panics ends its listener with
    /// [`ListenError::FilterPanicked`](crate::ListenError::FilterPanicked).
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
        let queue = Arc::new(EventQueue::new(Box::new(filter)));
        self.inner.dispatcher.listen(&queue);
        Events { queue, timeout: None }
    }

    /// Returns the state of a job, according to a reply to `query-jobs` and to the events so far.
    pub(super) fn job_state(&self, id: &str, reply: &Value) -> JobState {
        self.inner.dispatcher.with_jobs(|log| JobState::of(id, reply, log))
    }

    /// Ends the connection for all clones, from any thread. Commands in flight are
    /// [`Unanswered`](ExecuteError::Unanswered), commands that have not been sent are not sent, and listeners end. The
    /// VM keeps running. Calling it again does nothing.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Inner {
    fn close(&self) {
        self.dispatcher.will_close();
        self.closer.close();
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A filter that holds the last clone closes the connection from the reader thread itself.
        if let Some(reader) = reader.filter(|reader| reader.thread().id() != std::thread::current().id()) {
            // Returns soon, because the socket is shut down. A panic in the thread has been reported already.
            let _ = reader.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
