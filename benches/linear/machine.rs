//! The program itself: against a real QEMU with more and more devices, and against a flood of events.

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::{refs, row};

/// A QEMU with so many CD drives, and the socket of its monitor.
struct Machine {
    child: Child,
    folder: tempfile::TempDir,
}

impl Machine {
    fn start() -> Option<Machine> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("q.sock");
        let child = Command::new("qemu-system-x86_64")
            .args(["-M", "q35", "-m", "64", "-display", "none", "-nodefaults", "-S", "-device", "virtio-scsi,id=bus0"])
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .stdin(Stdio::null())
            .spawn()
            .ok()?;
        Some(Machine { child, folder })
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("q.sock")
    }

    /// Adds the drives from one number up to another.
    fn add(&self, from: usize, to: usize) {
        let script = self.folder.path().join("add.qmp");
        let lines: String =
            (from..to).map(|n| format!("device_add driver=scsi-cd bus=bus0.0 id=cd{n} lun={n} scsi-id=0\n")).collect();
        std::fs::write(&script, lines).unwrap();
        let status = Command::new(SHELL)
            .arg(self.socket())
            .args(["--wait=20", "--no-schema", "-e", "-f"])
            .arg(script)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SHELL: &str = env!("CARGO_BIN_EXE_qmp-shell");
const QOM: &str = env!("CARGO_BIN_EXE_qom");

/// The cost of one run of a program that prints at least so many lines: instructions, or nanoseconds where there is no
/// valgrind.
fn cost(program: &str, arguments: &[&str], socket: &Path, least: usize, valgrind: bool) -> f64 {
    let mut command = Command::new(if valgrind { "valgrind" } else { program });
    if valgrind {
        command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", program]);
    }
    // Under valgrind all takes many times as long.
    command.env("QMP_SOCKET", socket).args(arguments).arg("--timeout=60");
    let start = Instant::now();
    let output = command.output().unwrap();
    let time = start.elapsed();
    let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && lines >= least, "{lines} lines, where {least} are expected: {said}");
    refs(&said).map_or(time.as_secs_f64() * 1e9, |count| count as f64)
}

/// The whole program against a machine with more and more devices.
pub fn devices(valgrind: bool) -> bool {
    const SIZES: &[usize] = &[64, 128, 256, 512, 1024];
    let Some(machine) = Machine::start() else {
        eprintln!("no qemu-system-x86_64 here: the cases of a machine are left out");
        return true;
    };
    let cases: &[(&str, &str, &[&str])] = &[
        ("machine, ids by Tab", SHELL, &["--complete", "device_del id="]),
        ("machine, paths by Tab", SHELL, &["--complete", "qom-get path=/machine/peripheral/"]),
        ("machine, query-block", SHELL, &["-c", "query-block", "-p"]),
        ("machine, qom-list", SHELL, &["-c", "qom-list path=/machine/peripheral", "-p"]),
        ("machine, qom tree", QOM, &["tree", "/machine/peripheral"]),
    ];
    let mut found: Vec<Vec<(usize, f64)>> = vec![Vec::new(); cases.len()];
    let mut there = 0;
    for size in SIZES {
        machine.add(there, *size);
        there = *size;
        for (costs, (_, program, arguments)) in found.iter_mut().zip(cases) {
            let runs = (0..3).map(|_| cost(program, arguments, &machine.socket(), *size, valgrind));
            costs.push((*size, runs.fold(f64::INFINITY, f64::min)));
        }
    }
    cases.iter().zip(&found).filter(|((name, ..), costs)| !row(name, "devices", costs)).count() == 0
}

/// The whole program and a flood of events.
pub fn flood(valgrind: bool) -> bool {
    const SIZES: &[usize] = &[2000, 4000, 8000, 16000];
    let folder = tempfile::tempdir().unwrap();
    let mut costs = Vec::new();
    for size in SIZES {
        let socket = folder.path().join(format!("{size}.sock"));
        let listener = UnixListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || serve(&listener, *size));
        costs.push((*size, cost(SHELL, &["-c", "query-status"], &socket, size + 1, valgrind)));
        server.join().unwrap();
    }
    row("events, the whole program", "events", &costs)
}

/// Greets, takes the negotiation, then answers one command behind so many events.
fn serve(listener: &UnixListener, events: usize) {
    let (stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut stream = stream;
    stream.write_all(b"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n").unwrap();
    let mut answer = |before: &str| {
        let request: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let _ = write!(stream, "{before}{{\"return\": {{}}, \"id\": {}}}\r\n", request["id"]);
    };
    answer("");
    answer(
        &"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"TICK\", \"data\": {\"n\": 1}}\r\n"
            .repeat(events),
    );
}
