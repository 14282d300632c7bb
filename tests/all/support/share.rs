//! Shares: `qmp-share` between a server of a test and its clients.

use std::cell::Cell;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::server::Server;
use super::wait_until;

thread_local! {
    static IS_SHARING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`, in which the addresses of servers and peers that this thread starts are those of shares.
pub fn through_shares<T>(f: impl FnOnce() -> T) -> T {
    IS_SHARING.set(true);
    f()
}

/// A running `qmp-share`, which is killed at the end of its test.
pub struct Share {
    child: Child,
    socket: String,
}

impl Share {
    /// Starts a share with `options` of the server at `address`, on `socket`. Returns once it listens.
    pub fn start(options: &[&str], address: &str, socket: &str) -> Share {
        let child = Command::new(env!("CARGO_BIN_EXE_qmp-share"))
            .args(options)
            .args([address, socket])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut share = Share { child, socket: socket.to_owned() };
        wait_until("the socket of the share", || {
            let ended = share.child.try_wait().unwrap();
            assert!(ended.is_none(), "the share ended: {ended:?}");
            is_socket(socket)
        });
        share
    }

    /// Starts a share of the server at `address` if this thread is to use shares.
    pub fn start_if_sharing(address: &str, socket: &str) -> Option<Share> {
        IS_SHARING.get().then(|| Share::start(&[], address, socket))
    }

    pub fn address(&self) -> String {
        self.socket.clone()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it exits; returns its status.
    pub fn wait_for_end(&mut self) -> Option<i32> {
        wait_until("the share to exit", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns whether there is a socket at this path.
pub fn is_socket(path: &str) -> bool {
    std::fs::symlink_metadata(Path::new(path)).is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// A share of a server, on `shared.sock` in its folder.
pub fn share(server: &Server, options: &[&str]) -> Share {
    Share::start(options, &server.path("q.sock"), &server.path("shared.sock"))
}
