//! Real servers, each ended with its test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{find_program, skip, wait_until};

/// A running server with a folder of its own for its sockets.
pub struct Server {
    child: Child,
    folder: TempDir,
}

/// The options of a machine that starts fast and does nothing.
pub const SMALL: &[&str] = &["-machine", "none", "-display", "none", "-nodefaults"];

/// The options of a machine with two CPUs and a PCI bus, not running.
pub const Q35: &[&str] = &["-M", "q35", "-m", "64", "-smp", "2", "-display", "none", "-nodefaults", "-S"];

impl Server {
    /// QEMU 10.0 with `options` and QMP on `q.sock`, HMP on `hmp.sock`; `None` (skipped) where there is none.
    pub fn qemu(options: &[&str]) -> Option<Server> {
        let Some(program) = find_program("qemu-system-x86_64") else {
            skip("qemu-system-x86_64");
            return None;
        };
        Some(Server::start_qemu(&program, options))
    }

    /// QEMU 7.2, as [`Server::qemu`]. Its place and the options that it needs come from `tests/run`.
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
        let server = Server::ready(child, folder);
        wait_until("the human monitor's socket", || listens(&server.path("hmp.sock")));
        // While it starts it may greet twice, and refuse what it hears in between: whoever comes after this one is greeted
        // once.
        drop(server.client());
        server
    }

    /// qemu-storage-daemon with QMP on `q.sock`.
    pub fn storage_daemon() -> Option<Server> {
        let Some(program) = find_program("qemu-storage-daemon") else {
            skip("qemu-storage-daemon");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let chardev = format!("socket,id=q,server=on,wait=off,path={}", folder.path().join("q.sock").display());
        let child = Command::new(program)
            .args(["--chardev", &chardev, "--monitor", "chardev=q"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Some(Server::ready(child, folder))
    }

    /// qemu-ga on `q.sock`.
    pub fn guest_agent() -> Option<Server> {
        let Some(program) = find_program("qemu-ga") else {
            skip("qemu-ga");
            return None;
        };
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
        Some(Server::ready(child, folder))
    }

    fn ready(child: Child, folder: TempDir) -> Server {
        let mut server = Server { child, folder };
        let socket = server.path("q.sock");
        wait_until("the server's socket", || {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {ended:?}");
            listens(&socket)
        });
        server
    }

    /// The address of its QMP socket.
    pub fn address(&self) -> String {
        self.path("q.sock")
    }

    /// A client of it. A QEMU that is just starting may greet twice, and refuses what it hears in between.
    pub fn client(&self) -> qmp_shell::Client {
        let client = qmp_shell::Client::connect(&self.address()).unwrap();
        wait_until("the server's readiness", || client.execute::<serde_json::Value>("query-version", ()).is_ok());
        client
    }

    /// The path of a file in its folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end; returns whether it ended well.
    pub fn wait_for_end(&mut self) -> bool {
        wait_until("the server's end", || self.has_ended());
        self.child.wait().unwrap().success()
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether somebody listens on this socket: its file is there a moment earlier. To try would disturb a monitor, which
/// serves one client at a time.
pub fn listens(path: &str) -> bool {
    const ACCEPTS: &str = "00010000";
    // Somebody's path may be in another encoding.
    let table = std::fs::read("/proc/net/unix").unwrap();
    let table = String::from_utf8_lossy(&table);
    table.lines().any(|line| {
        let mut fields = line.split_whitespace();
        fields.nth(3) == Some(ACCEPTS) && fields.next_back() == Some(path)
    })
}

/// Says one line to the human monitor on `socket`, behind the shell's back, and waits until it is carried out.
pub fn say_to_human_monitor(socket: &str, line: &str) {
    use std::io::{Read, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
    let mut prompts = 0;
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while prompts < 2 {
        let len = stream.read(&mut buffer).unwrap();
        assert!(len > 0, "the human monitor closed");
        seen.extend_from_slice(&buffer[..len]);
        // The prompt is redrawn with each echoed key, so the answer is there once a prompt ends what was said.
        if prompts == 0 && seen.ends_with(b"(qemu) ") {
            prompts = 1;
            seen.clear();
            stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        } else if prompts == 1 && seen.contains(&b'\n') && seen.ends_with(b"(qemu) ") {
            prompts = 2;
        }
    }
}
