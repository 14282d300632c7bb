//! Long sessions, and servers killed at any moment. The numbers are small by default; with `QMP_SHELL_TEST_LONG=1` they
//! are a million commands, a million events and 500 kills.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::time::Duration;

use super::support::program::qmp_shell;
use super::support::server::{Q35, Server, is_listening};
use super::support::skip::require_program;
use super::support::terminal::Terminal;
use super::support::{TIMEOUT, wait_until, wording};

/// Returns `long` for a long run, and `short` otherwise.
fn count(short: usize, long: usize) -> usize {
    if std::env::var_os("QMP_SHELL_TEST_LONG").is_some() { long } else { short }
}

/// The resources of a process: private memory in kB (without pages mapped from files, which come and go), file
/// descriptors and threads.
#[derive(Debug, Clone, Copy)]
struct Resources {
    memory: usize,
    descriptors: usize,
    threads: usize,
}

impl Resources {
    fn of(id: &str) -> Resources {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let entries = |folder: &str| std::fs::read_dir(format!("/proc/{id}/{folder}")).unwrap().count();
        Resources {
            memory: resident.trim().trim_end_matches(" kB").parse().unwrap(),
            descriptors: entries("fd"),
            threads: entries("task"),
        }
    }

    /// Checks that a process holds no more than before, except for memory that the allocator may keep.
    #[track_caller]
    fn expect_no_more_than(self, before: Resources) {
        eprintln!("{before:?} -> {self:?}");
        assert!(self.memory < before.memory + 2048, "{before:?} -> {self:?}");
        assert_eq!((self.descriptors, self.threads), (before.descriptors, before.threads));
    }
}

/// Each pair of lines is two commands, two replies and two events.
const PAIR: &str = "stop\ncont\n";

#[test]
fn a_long_script_holds_no_more_resources_than_a_short_one() {
    let Some(server) = Server::qemu(Q35) else { return };
    let pairs = count(2_000, 500_000);
    let mut child = qmp_shell(&[&server.address()]).start();
    let id = child.id().to_string();
    let mut input = child.stdin.take().unwrap();
    let lines = lines_of(child.stdout.take().unwrap());
    let next = || lines.recv_timeout(TIMEOUT).unwrap();
    let mut seen = [0, 0];
    // From here on each line changes the state of the machine and causes an event.
    input.write_all(b"cont\n").unwrap();
    assert!(next().contains("RESUME") && next().contains("return"));
    let mut run = |pairs: usize| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..pairs {
                    input.write_all(PAIR.as_bytes()).unwrap();
                }
            });
            for _ in 0..4 * pairs {
                let line = next();
                match line.starts_with("{\"return\": {}") {
                    true => seen[0] += 1,
                    false => seen[1] += usize::from(line.contains("\"STOP\"") || line.contains("\"RESUME\"")),
                }
            }
        });
        Resources::of(&id)
    };
    // Enough to fill the log of recent events.
    let before = run(pairs / 2);
    let after = run(pairs - pairs / 2);
    drop(input);
    assert_eq!((exit_status(&mut child), lines.recv().ok(), seen), (Some(0), None, [2 * pairs, 2 * pairs]));
    after.expect_no_more_than(before);
}

/// Reads the lines of a stream in a thread, so that a test can wait for them with a timeout.
fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (line_tx, line_rx) = sync_channel(1000);
    std::thread::spawn(move || {
        // Ends with the stream, or with the test.
        BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|text| line_tx.send(text))
    });
    line_rx
}

#[test]
fn a_long_session_holds_no_more_resources_than_a_short_one() {
    let Some(server) = Server::qemu(Q35) else { return };
    let pairs = count(1_000, 250_000);
    let script = server.path("pairs.qmp");
    std::fs::write(&script, PAIR.repeat(PAIRS_PER_BATCH)).unwrap();
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_queries();
    let resources = || Resources::of(&terminal.program_id());
    // Waits until all that was entered before is done and the prompt is back: while the editor reads, it holds file
    // descriptors that it does not hold while a command runs.
    let finish = |name: &str| {
        let file = terminal.home.join(name);
        terminal.enter(&format!("!touch {}; echo done {name}", file.display()));
        wait_for_file(&terminal, &file);
        let done = format!("\ndone {name}\n");
        terminal.wait_in_scrollback("the prompt", |text| text.contains(&done) && text.ends_with("\n(QEMU)"));
    };
    // In parts, because the allocator keeps memory for a file that was large.
    let events_in_script = |name: &str| {
        for part in 0..pairs / PAIRS_PER_BATCH {
            terminal.enter(&format!(".source {script}"));
            finish(&format!("{name}-{part}"));
        }
    };
    // In parts, because output that waits for the terminal takes memory, too, and would hide a leak.
    let events_at_prompt = |name: &str| {
        for part in 0..pairs / PAIRS_PER_BATCH {
            run_pairs_in_hmp(&server.path("hmp.sock"), PAIRS_PER_BATCH);
            finish(&format!("{name}-{part}"));
        }
        resources()
    };
    events_in_script("one");
    let before = events_at_prompt("two");
    events_in_script("three");
    events_at_prompt("four").expect_no_more_than(before);
    terminal.enter(".exit");
    assert_eq!(terminal.wait_for_end(), 0);
}

const PAIRS_PER_BATCH: usize = 1_000;

/// Waits for a file, in a long run for longer than [`TIMEOUT`].
fn wait_for_file(terminal: &Terminal, file: &Path) {
    let deadline = std::time::Instant::now() + count(1, 30) as u32 * TIMEOUT;
    while !file.exists() {
        assert!(std::time::Instant::now() < deadline, "timed out waiting for {file:?}:\n{}", terminal.screen());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Stops and starts the machine `pairs` times through the human monitor.
fn run_pairs_in_hmp(socket: &str, pairs: usize) {
    assert!(is_listening(socket));
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut reader = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..pairs {
                stream.write_all(b"stop\ncont\n").unwrap();
            }
            stream.write_all(b"print /d 41+1\n").unwrap();
        });
        let mut last = Vec::new();
        let mut buffer = [0; 65536];
        while !last.windows(6).any(|part| part == b"\r\n42\r\n") {
            let len = reader.read(&mut buffer).unwrap();
            assert!(len > 0, "the human monitor closed");
            last.extend_from_slice(&buffer[..len]);
            last.drain(..last.len().saturating_sub(70_000));
        }
    });
}

#[test]
fn a_script_ends_on_a_whole_line_when_qemu_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (script, state) = (folder.path().join("endless.qmp"), folder.path().join("state"));
    std::fs::write(&script, "query-status\nstop\nqom-list path=/machine\ncont\n".repeat(50_000)).unwrap();
    std::fs::create_dir_all(state.join("qmp-shell")).unwrap();
    let history = state.join("qmp-shell/history");
    std::fs::write(&history, "query-status\nstop\n").unwrap();
    for run in 0..count(8, 500) {
        let Some(mut server) = Server::qemu(Q35) else { return };
        let mut child = qmp_shell(&[&server.address(), "-f", script.to_str().unwrap()])
            .env("XDG_STATE_HOME", state.to_str().unwrap())
            .start();
        let (first_tx, first_rx) = channel();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            output.read_line(&mut text).unwrap();
            first_tx.send(()).unwrap();
            output.read_to_string(&mut text).unwrap();
            text
        });
        first_rx.recv_timeout(TIMEOUT).unwrap();
        // Spread over a quarter of a second, in steps that are not a multiple of the script's period.
        std::thread::sleep(Duration::from_micros(run as u64 * 7919 * 13 % 250_000));
        server.kill();
        let status = exit_status(&mut child);
        let text = reader.join().unwrap();
        let mut messages = String::new();
        child.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
        assert_eq!(status, Some(4), "run {run}: {messages}");
        assert!(text.ends_with('\n'), "run {run}: {text:?}");
        for line in text.lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "run {run}: {line}");
        }
        let last = text.lines().last().unwrap();
        let was_lost = last.contains("\"ConnectionLost\"") && messages.contains(wording::UNKNOWN_OUTCOME);
        // The connection may also end while the types of properties are queried.
        assert!(was_lost || last.contains("\"NotSent\""), "run {run}: {last}\n{messages}");
    }
    assert_eq!(std::fs::read_to_string(&history).unwrap(), "query-status\nstop\n");
}

fn exit_status(child: &mut Child) -> Option<i32> {
    wait_until("the script to exit", || child.try_wait().unwrap().is_some());
    child.wait().unwrap().code()
}

/// Long runs of the same are documented in docs/performance.md.
#[test]
fn a_short_soak_loses_and_claims_nothing() {
    if ["qemu-system-x86_64", "qemu-img", "python3", "cc"].iter().any(|program| require_program(program).is_none()) {
        return;
    }
    let programs = Path::new(env!("CARGO_BIN_EXE_qmp-shell")).parent().unwrap();
    let numbers = ["--clients=5", "--commands=4000", "--events=4000", "--rounds=3", "--kills=8", "--jobs=4"];
    let output = std::process::Command::new("python3")
        .args(["benches/soak", "--programs", programs.to_str().unwrap()])
        .args(numbers)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.ends_with("0 failures\n"), "{stdout}");
}
