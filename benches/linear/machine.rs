//! Cases that run the whole program: against a QEMU with a growing number of devices, and with a flood of events.

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::{instruction_count, print_row};

/// A QEMU to which CD drives can be added.
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

    /// Adds the drives with the numbers `from..to`.
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

/// Returns the cost of one run of a program, which must print at least `min_lines` lines: instructions, or nanoseconds
/// without valgrind.
fn cost(program: &str, arguments: &[&str], socket: &Path, min_lines: usize, has_valgrind: bool) -> f64 {
    let mut command = Command::new(if has_valgrind { "valgrind" } else { program });
    if has_valgrind {
        command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", program]);
    }
    // Programs run many times slower in valgrind.
    command.env("QMP_SOCKET", socket).args(arguments).arg("--timeout=60");
    let start = Instant::now();
    let output = command.output().unwrap();
    let time = start.elapsed();
    let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && lines >= min_lines, "{lines} lines, expected {min_lines}: {stderr}");
    instruction_count(&stderr).map_or(time.as_secs_f64() * 1e9, |count| count as f64)
}

/// Runs the cases with a QEMU that gets more and more devices. Returns whether their cost is linear.
pub fn devices(has_valgrind: bool) -> bool {
    const SIZES: &[usize] = &[64, 128, 256, 512, 1024];
    let Some(machine) = Machine::start() else {
        eprintln!("skipped: the cases with a machine need qemu-system-x86_64");
        return true;
    };
    let cases: &[(&str, &str, &[&str])] = &[
        ("machine, ids by Tab", SHELL, &["--complete", "device_del id="]),
        ("machine, paths by Tab", SHELL, &["--complete", "qom-get path=/machine/peripheral/"]),
        ("machine, query-block", SHELL, &["-c", "query-block", "-p"]),
        ("machine, qom-list", SHELL, &["-c", "qom-list path=/machine/peripheral", "-p"]),
        ("machine, .show devices", SHELL, &["-c", ".show devices", "-p"]),
        ("machine, .show blocks", SHELL, &["-c", ".show blocks", "-p"]),
        ("machine, own info qtree", SHELL, &["-H", "--monitor", "own", "-c", "info qtree"]),
        ("machine, qom tree", QOM, &["tree", "/machine/peripheral"]),
    ];
    let mut all_costs: Vec<Vec<(usize, f64)>> = vec![Vec::new(); cases.len()];
    let mut count = 0;
    for size in SIZES {
        machine.add(count, *size);
        count = *size;
        for (costs, (_, program, arguments)) in all_costs.iter_mut().zip(cases) {
            let runs = (0..3).map(|_| cost(program, arguments, &machine.socket(), *size, has_valgrind));
            costs.push((*size, runs.fold(f64::INFINITY, f64::min)));
        }
    }
    cases.iter().zip(&all_costs).filter(|((name, ..), costs)| !print_row(name, "devices", costs)).count() == 0
}

/// Runs the case with a recorded server, whose log has more and more exchanges. Returns whether its cost is linear.
pub fn replay(has_valgrind: bool) -> bool {
    const SIZES: &[usize] = &[2000, 4000, 8000, 16000];
    let folder = tempfile::tempdir().unwrap();
    let mut costs = Vec::new();
    for size in SIZES {
        let log = folder.path().join(format!("{size}.log"));
        let line = |direction: &str, message: &str| format!("{{\"time\": \"t\", \"{direction}\": {message}}}\n");
        let mut text = line("received", "{\"QMP\": {\"version\": {}, \"capabilities\": []}}");
        for n in 0..*size {
            let id = n % 10;
            text +=
                &line("sent", &format!("{{\"execute\": \"qom-get\", \"arguments\": {{\"n\": {n}}}, \"id\": {id}}}"));
            text += &line("received", &format!("{{\"return\": {n}, \"id\": {id}}}"));
        }
        std::fs::write(&log, text).unwrap();
        let address = format!("replay:{}", log.display());
        costs.push((*size, cost(SHELL, &["-c", "qom-get n=7"], Path::new(&address), 1, has_valgrind)));
    }
    print_row("recording, the whole program", "exchanges", &costs)
}

/// Runs the case with a flood of events. Returns whether its cost is linear.
pub fn flood(has_valgrind: bool) -> bool {
    const SIZES: &[usize] = &[2000, 4000, 8000, 16000];
    let folder = tempfile::tempdir().unwrap();
    let mut costs = Vec::new();
    for size in SIZES {
        let socket = folder.path().join(format!("{size}.sock"));
        let listener = UnixListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || serve(&listener, *size));
        costs.push((*size, cost(SHELL, &["-c", "query-status"], &socket, size + 1, has_valgrind)));
        server.join().unwrap();
    }
    print_row("events, the whole program", "events", &costs)
}

/// Serves one client: greets, negotiates, sends events, and then answers one command.
fn serve(listener: &UnixListener, events: usize) {
    let (stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut stream = stream;
    stream.write_all(b"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n").unwrap();
    let mut reply_after = |events: &str| {
        let request: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let _ = write!(stream, "{events}{{\"return\": {{}}, \"id\": {}}}\r\n", request["id"]);
    };
    reply_after("");
    reply_after(
        &"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"TICK\", \"data\": {\"n\": 1}}\r\n"
            .repeat(events),
    );
}
