//! Real servers, each killed at the end of its test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::share::Share;
use super::skip::{require_program, skip};
use super::wait_until;

/// A running server with a folder of its own for its sockets.
pub struct Server {
    /// The first field, so that it ends before its socket is removed.
    share: Option<Share>,
    child: Child,
    folder: TempDir,
}

/// Options of a machine that starts fast and does nothing.
pub const SMALL: &[&str] = &["-machine", "none", "-display", "none", "-nodefaults"];

/// Options of a machine with two CPUs and a PCI bus, stopped.
pub const Q35: &[&str] = &["-M", "q35", "-m", "64", "-smp", "2", "-display", "none", "-nodefaults", "-S"];

impl Server {
    /// Starts the installed QEMU with `options`, QMP on `q.sock` and HMP on `hmp.sock`. Records a skip if it is
    /// missing.
    pub fn qemu(options: &[&str]) -> Option<Server> {
        let program = require_program("qemu-system-x86_64")?;
        Some(Server::start_qemu(&program, options))
    }

    /// Starts QEMU 7.2 as [`Server::qemu`] does. Its path and options come from `tests/install`.
    pub fn qemu_7_2(options: &[&str]) -> Option<Server> {
        let Some(program) = std::env::var_os("QMP_SHELL_TEST_QEMU72").map(PathBuf::from) else {
            skip("QEMU 7.2 (QMP_SHELL_TEST_QEMU72)");
            return None;
        };
        let extra = std::env::var("QMP_SHELL_TEST_QEMU72_ARGS").unwrap_or_default();
        let options: Vec<&str> = options.iter().copied().chain(extra.split_whitespace()).collect();
        Some(Server::start_qemu(&program, &options))
    }

    fn start_qemu(program: &Path, options: &[&str]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let (qmp, hmp) = (folder.path().join("q.sock"), folder.path().join("hmp.sock"));
        let child = Command::new(program)
            .args(options)
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", qmp.display()))
            .arg("-monitor")
            .arg(format!("unix:{},server=on,wait=off", hmp.display()))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server::wait_until_ready(child, folder);
        wait_until("the human monitor's socket", || is_listening(&server.path("hmp.sock")));
        // A QEMU that is just starting may greet twice and refuse requests in between; the next client is greeted once.
        drop(server.client());
        server.shared()
    }

    /// Starts qemu-storage-daemon with QMP on `q.sock`.
    pub fn storage_daemon() -> Option<Server> {
        let program = require_program("qemu-storage-daemon")?;
        let folder = tempfile::tempdir().unwrap();
        let chardev = format!("socket,id=q,server=on,wait=off,path={}", folder.path().join("q.sock").display());
        let child = Command::new(program)
            .args(["--chardev", &chardev, "--monitor", "chardev=q"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Some(Server::wait_until_ready(child, folder).shared())
    }

    /// Starts a share of the server, if this thread is to use shares.
    fn shared(mut self) -> Server {
        self.share = Share::start_if_sharing(&self.path("q.sock"), &self.path("shared.sock"));
        self
    }

    /// Starts qemu-ga on `q.sock`.
    pub fn guest_agent() -> Option<Server> {
        let program = require_program("qemu-ga")?;
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new(program)
            .args(["-m", "unix-listen", "-p"])
            .arg(folder.path().join("q.sock"))
            .arg("-t")
            .arg(folder.path())
            .arg("-f")
            .arg(folder.path().join("ga.pid"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Some(Server::wait_until_ready(child, folder))
    }

    /// Waits until the server listens on `q.sock`.
    fn wait_until_ready(child: Child, folder: TempDir) -> Server {
        let mut server = Server { share: None, child, folder };
        let socket = server.path("q.sock");
        wait_until("the server's socket", || {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {ended:?}");
            is_listening(&socket)
        });
        server
    }

    /// Returns the address of its QMP socket, or of the share of that.
    pub fn address(&self) -> String {
        self.share.as_ref().map_or_else(|| self.path("q.sock"), Share::address)
    }

    /// Connects a client. A QEMU that is just starting may greet twice, and refuses requests in between.
    pub fn client(&self) -> qmp_shell::Client {
        let client = qmp_shell::Client::connect(&self.address()).unwrap();
        wait_until("the server's readiness", || client.execute::<serde_json::Value>("query-version", ()).is_ok());
        client
    }

    /// Returns the path of a file in its folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it exits; returns whether it succeeded.
    pub fn wait_for_end(&mut self) -> bool {
        wait_until("the server to exit", || self.has_ended());
        self.child.wait().unwrap().success()
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a program of QEMU for its version, as three numbers.
pub fn program_version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, version) = text.split_once(" version ").unwrap_or_else(|| panic!("{text}"));
    version.split_whitespace().next().unwrap().to_owned()
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns whether a process listens on this socket, whose file exists a moment earlier. Does not connect, which would
/// disturb a monitor: it serves one client at a time.
pub fn is_listening(path: &str) -> bool {
    const ACCEPTS: &str = "00010000";
    // Paths of other processes may be invalid UTF-8.
    let table = std::fs::read("/proc/net/unix").unwrap();
    let table = String::from_utf8_lossy(&table);
    table.lines().any(|line| {
        let mut fields = line.split_whitespace();
        fields.nth(3) == Some(ACCEPTS) && fields.next_back() == Some(path)
    })
}

/// Runs one line in the human monitor on `socket`, without the shell, and waits until it is done.
pub fn run_hmp_line(socket: &str, line: &str) {
    use std::io::{Read, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(super::TIMEOUT)).unwrap();
    let mut prompts = 0;
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while prompts < 2 {
        let len = stream.read(&mut buffer).unwrap();
        assert!(len > 0, "the human monitor closed");
        seen.extend_from_slice(&buffer[..len]);
        // The prompt is redrawn with each echoed key, so the output is complete once it ends with a prompt.
        if prompts == 0 && seen.ends_with(b"(qemu) ") {
            prompts = 1;
            seen.clear();
            stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        } else if prompts == 1 && seen.contains(&b'\n') && seen.ends_with(b"(qemu) ") {
            prompts = 2;
        }
    }
}
