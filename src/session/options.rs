//! Connection options: timeouts, bounds, the message log.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::wire::Limits;

use super::log::{MessageLog, SharedLog};

/// The time between two checks for cancellation.
pub(super) const CANCEL_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Timeouts and other options of a connection.
///
/// ```
/// use std::time::Duration;
/// use qmp_shell::{Address, Client, Options};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vm.log");
/// let mut options = Options::default();
/// options.timeout = Duration::from_secs(1);
/// options.log_to(&path)?;
/// let qemu = Client::connect_with(&Address::Demo, &options)?;
/// qemu.execute::<serde_json::Value>("query-status", ())?;
///
/// // One JSON object per line: `{"time": …, "sent": …}` or `{"time": …, "received": …}`.
/// let log = std::fs::read_to_string(&path)?;
/// assert!(log.lines().any(|line| line.contains("\"sent\"") && line.contains("query-status")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The time limit for connecting, and then again for greeting and negotiation. 5 seconds by default. VMs of libvirt get
    /// six times as long, because its daemon may examine QEMU first.
    pub timeout: Duration,
    /// The time limit for waiting for a server that is not there yet; `None`, the default, does not wait. In
    /// [`Client::accept`](crate::Client::accept), `None` waits without a limit.
    pub wait: Option<Duration>,
    /// Whether the server is a guest agent, which sends no greeting and has its own way to synchronise.
    pub guest_agent: bool,
    /// Bounds on one message.
    pub limits: Limits,
    /// The log that records every message.
    #[doc(hidden)]
    pub log: SharedLog,
    /// The name of the server in the log, for a program that has several.
    #[doc(hidden)]
    pub server_name: Option<String>,
    /// A flag that cancels connecting once it is set.
    #[doc(hidden)]
    pub cancelled: Arc<AtomicBool>,
    /// Whether the user knows that libvirt marks the VM as tainted. Clones share it.
    #[doc(hidden)]
    pub taint_is_known: Arc<AtomicBool>,
}

impl Options {
    /// Appends every message of the connection, in both directions, to the file at `path`, one JSON object per line.
    /// Secrets are replaced; a new file gets mode 0600. A line that cannot be written is left out, without an error.
    ///
    /// Connections made with clones of these options share the log.
    pub fn log_to(&mut self, path: impl AsRef<Path>) -> io::Result<()> {
        let log = MessageLog::open(path.as_ref())?;
        self.log = Arc::new(Mutex::new(Some(log)));
        Ok(())
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            timeout: Duration::from_secs(5),
            wait: None,
            guest_agent: false,
            limits: Limits::default(),
            log: SharedLog::default(),
            server_name: None,
            cancelled: Arc::default(),
            taint_is_known: Arc::default(),
        }
    }
}

/// Returns the instant that is `span` from now, or one in the far future if the clock cannot represent it.
pub(super) fn from_now(span: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(span).unwrap_or(now + Duration::from_secs(u32::MAX.into()))
}
