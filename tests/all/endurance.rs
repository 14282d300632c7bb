//! Long sessions, and servers killed at any moment. The numbers are small here; with `QMP_SHELL_TEST_LONG=1` they are
//! a million commands, a million events and 500 kills.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::time::Duration;

use super::support::program::qmp_shell;
use super::support::server::{Q35, Server, listens};
use super::support::terminal::Terminal;
use super::support::{PATIENCE, wait_until};

/// A number for every day, and one for a long run.
fn count(short: usize, long: usize) -> usize {
    if std::env::var_os("QMP_SHELL_TEST_LONG").is_some() { long } else { short }
}

/// What a process holds: memory of its own in kB (what the system maps of the program's file comes and goes as it likes),
/// descriptors, threads.
#[derive(Debug, Clone, Copy)]
struct Held {
    memory: usize,
    descriptors: usize,
    threads: usize,
}

impl Held {
    fn by(id: &str) -> Held {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let entries = |folder: &str| std::fs::read_dir(format!("/proc/{id}/{folder}")).unwrap().count();
        Held {
            memory: resident.trim().trim_end_matches(" kB").parse().unwrap(),
            descriptors: entries("fd"),
            threads: entries("task"),
        }
    }

    /// Holds a process to what it held before, but for what an allocator may keep for later.
    #[track_caller]
    fn expect_no_more_than(self, before: Held) {
        eprintln!("{before:?} -> {self:?}");
        assert!(self.memory < before.memory + 2048, "{before:?} -> {self:?}");
        assert_eq!((self.descriptors, self.threads), (before.descriptors, before.threads));
    }
}

/// Each pair of lines is two commands, two replies and two events.
const PAIR: &str = "stop\ncont\n";

#[test]
fn a_script_holds_no_more_after_many_commands_and_events_than_after_a_few() {
    let Some(server) = Server::qemu(Q35) else { return };
    let pairs = count(2_000, 500_000);
    let mut child = qmp_shell(&[&server.address()]).start();
    let id = child.id().to_string();
    let mut input = child.stdin.take().unwrap();
    let lines = lines_of(child.stdout.take().unwrap());
    let next = || lines.recv_timeout(PATIENCE).unwrap();
    let mut seen = [0, 0];
    // From here on each line changes something, and is an event.
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
        Held::by(&id)
    };
    // Enough for what is kept of the latest events to be full.
    let before = run(pairs / 2);
    let after = run(pairs - pairs / 2);
    drop(input);
    assert_eq!((end_of(&mut child), lines.recv().ok(), seen), (Some(0), None, [2 * pairs, 2 * pairs]));
    after.expect_no_more_than(before);
}

/// The lines of a stream as they come, so that a test need not wait for them for ever.
fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (line, lines) = sync_channel(1000);
    std::thread::spawn(move || {
        // Ends with the stream, or with the test.
        BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|text| line.send(text))
    });
    lines
}

#[test]
fn a_prompt_holds_no_more_after_many_commands_and_events_than_after_a_few() {
    let Some(server) = Server::qemu(Q35) else { return };
    let pairs = count(1_000, 250_000);
    let script = server.path("pairs.qmp");
    std::fs::write(&script, PAIR.repeat(AT_ONCE)).unwrap();
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.settle();
    let held = || Held::by(&terminal.program_id());
    // What is shown may have scrolled off before anybody looks.
    let mark = |name: &str| {
        let mark = terminal.home.join(name);
        terminal.enter(&format!("!touch {}", mark.display()));
        wait_long(&terminal, &mark);
    };
    // A script of many parts: of a large file, the allocator keeps the room for the next.
    let source = |name: &str| {
        for part in 0..pairs / AT_ONCE {
            terminal.enter(&format!(".source {script}"));
            mark(&format!("{name}-{part}"));
        }
    };
    // Not more at once than the terminal shows: what waits to be shown is memory too, and would cover what is lost.
    let rest = |name: &str| {
        for part in 0..pairs / AT_ONCE {
            say_pairs(&server.path("hmp.sock"), AT_ONCE);
            mark(&format!("{name}-{part}"));
        }
        held()
    };
    // Events that come while a command runs, and events that come while the prompt waits; each twice.
    source("one");
    let before = rest("two");
    source("three");
    rest("four").expect_no_more_than(before);
    terminal.enter(".exit");
    assert_eq!(terminal.wait_for_end(), 0);
}

/// So many pairs at a time.
const AT_ONCE: usize = 1_000;

/// A million of anything takes longer than a test is patient.
fn wait_long(terminal: &Terminal, mark: &Path) {
    let until = std::time::Instant::now() + count(1, 30) as u32 * PATIENCE;
    while !mark.exists() {
        assert!(std::time::Instant::now() < until, "waited in vain for {mark:?}:\n{}", terminal.screen());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Has the human monitor stop and start the machine so often.
fn say_pairs(socket: &str, pairs: usize) {
    assert!(listens(socket));
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
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
fn a_script_whose_qemu_is_killed_at_any_moment_ends_by_itself_on_a_whole_line() {
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
        let (begun, first) = channel();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            output.read_line(&mut text).unwrap();
            begun.send(()).unwrap();
            output.read_to_string(&mut text).unwrap();
            text
        });
        first.recv_timeout(PATIENCE).unwrap();
        // Any moment: spread over a quarter of a second, in steps that fall on no beat of the script's.
        std::thread::sleep(Duration::from_micros(run as u64 * 7919 * 13 % 250_000));
        server.kill();
        let status = end_of(&mut child);
        let text = reader.join().unwrap();
        let mut messages = String::new();
        child.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
        assert_eq!(status, Some(4), "run {run}: {messages}");
        assert!(text.ends_with('\n'), "run {run}: {text:?}");
        for line in text.lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "run {run}: {line}");
        }
        assert!(text.lines().last().unwrap().contains("\"ConnectionLost\""), "run {run}: {:?}", text.lines().last());
        assert!(messages.contains("Nobody can know whether it was carried out."), "run {run}: {messages}");
    }
    assert_eq!(std::fs::read_to_string(&history).unwrap(), "query-status\nstop\n");
}

fn end_of(child: &mut Child) -> Option<i32> {
    wait_until("the script's end", || child.try_wait().unwrap().is_some());
    child.wait().unwrap().code()
}
