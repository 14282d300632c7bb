//! The thread that shares the connection to a server with other clients.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use crate::session::Address;
use crate::share::{Access, Change};

/// The thread that serves the connection to other clients. Dropping it disconnects them.
#[derive(Debug)]
pub(crate) struct MonitorShare {
    /// Wakes the thread, or ends it when it is closed.
    control: Option<UnixStream>,
    changes: Sender<Change>,
    thread: Option<JoinHandle<()>>,
    /// The sockets on which clients are served.
    pub(crate) sockets: Vec<(Address, Access)>,
}

impl MonitorShare {
    pub(crate) fn new(control: UnixStream, changes: Sender<Change>, thread: JoinHandle<()>) -> MonitorShare {
        MonitorShare { control: Some(control), changes, thread: Some(thread), sockets: Vec::new() }
    }

    /// Announces a change to the thread.
    pub(crate) fn announce(&self, change: Change) -> io::Result<()> {
        // Fails only if the thread has ended, as does the write.
        let _ = self.changes.send(change);
        self.control.as_ref().map_or(Ok(()), |mut control| control.write_all(b"c"))
    }
}

impl Drop for MonitorShare {
    fn drop(&mut self) {
        self.control = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported already.
            let _ = thread.join();
        }
    }
}
