//! How scripts end, and with which status: a line that fails, QEMU told to quit, a server that leaves, an output that
//! nobody reads.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use super::scripts::{NOTHING, PRELAUNCH, RUNNING, names_and_replies, write};
use crate::support::peer::Peer;
use crate::support::program::qmp_shell;
use crate::support::server::{Q35, SMALL, Server, say_to_human_monitor};
use crate::support::wait_until;

#[test]
fn the_status_says_how_it_went() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    write(folder.path(), "fails-then-leaves.qmp", "nonsense\n.exit\nquery-status\n");
    let dies = Peer::start(|talk| {
        talk.negotiate();
        talk.expect("query-status");
    });
    for (status, args, message) in [
        (0, vec![address.as_str(), "-c", "query-status"], ""),
        (0, vec![&address, "-c", ".exit", "-c", "nonsense"], ""),
        (1, vec![&address, "-c", "nonsense", "-c", ".exit"], ""),
        (1, vec![&address, "-c", &format!(".source {}", at("fails-then-leaves.qmp"))], ""),
        (1, vec![&address, "-c", ".wait STOP timeout=0.01"], "no event `STOP` came within 0.01 s"),
        (1, vec![&address, "-H", "-c", "nonsense"], ""),
        (1, vec![&address, "-c", "transaction(", "-c", "abort"], "ends inside a transaction"),
        (2, vec![&address, "--no-such-option"], "--no-such-option"),
        (2, vec![&address, "-p", "-o", "json"], "cannot be used with"),
        (2, vec!["-c", "query-status"], "no ADDRESS is named, and QMP_SOCKET is not set"),
        (2, vec!["no:port:here"], "no port number"),
        (2, vec![&address, "-f", &at("none.qmp")], "cannot read the script `"),
        (2, vec![&address, "-l", "/"], "cannot write the log file `/`"),
        (3, vec![&at("none.sock"), "-c", "query-status"], "there is no socket at"),
        (4, vec![&dies.address(), "-c", "query-status", "-c", "query-name"], "Nobody can know whether"),
    ] {
        let run = qmp_shell(&args).run();
        assert_eq!(run.status, status, "{args:?}: {run:#?}");
        assert!(run.stderr.contains(message), "{args:?}: {run:#?}");
        assert!(!message.is_empty() || status == 1 || run.stderr.is_empty(), "{args:?}: {run:#?}");
    }
}

#[test]
fn quit_ends_qemu_and_the_script_well() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[&server.address()])
        .input("query-status\nquit\n# nothing more\n.wait SHUTDOWN timeout=1\n")
        .run()
        .expect_status(0);
    assert_eq!(names_and_replies(&run), [RUNNING, "SHUTDOWN", NOTHING]);
    assert!(server.wait_for_end());

    let Some(mut server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[&server.address(), "-H", "-c", "info status", "-c", "quit"]).run().expect_status(0);
    assert!(run.stdout.starts_with("VM status: running\n"), "{run:#?}");
    assert!(server.wait_for_end());

    // What can no longer be sent is a failure, and so is an event that cannot come any more.
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[&server.address(), "-c", "quit", "-c", "query-status", "-c", ".wait RESUME"])
        .run()
        .expect_status(1);
    assert_eq!(run.replies(), [NOTHING, r#"{"error": {"class": "NotSent", "desc": "not connected"}}"#]);
    assert!(run.stderr.contains("-c:3: not connected; `RESUME` cannot come"), "{run:#?}");
    assert!(server.wait_for_end());
}

#[test]
fn a_server_that_ends_with_the_script_is_not_lost() {
    for _ in 0..5 {
        let peer = Peer::start(|talk| {
            talk.negotiate();
            let id = talk.expect("system_powerdown");
            talk.answer(&id, "{}");
            talk.event("SHUTDOWN", "{\"guest\": true}");
        });
        let run =
            qmp_shell(&[&peer.address()]).input("system_powerdown\n.wait SHUTDOWN timeout=10\n").run().expect_status(0);
        assert_eq!(names_and_replies(&run), [NOTHING, "SHUTDOWN"]);
    }
}

/// Starts `qmp-shell`, reads its first line of output, closes the pipe; says how it ends. Goes on doing `meanwhile`
/// until then: the pipe may stay open for a moment in a process that another test is just starting.
fn read_one_line_of(args: &[&str], input: Option<&'static str>, meanwhile: impl Fn()) -> (String, Option<i32>, String) {
    let mut child = qmp_shell(args).start();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        if let Some(text) = input {
            while stdin.write_all(text.as_bytes()).is_ok() {}
            return None;
        }
        Some(stdin)
    });
    let mut output = BufReader::with_capacity(1, child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    drop(output);
    wait_until(&format!("the end of {args:?}"), || {
        meanwhile();
        child.try_wait().unwrap().is_some()
    });
    drop(writer.join().unwrap());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    (line, child.wait().unwrap().code(), errors)
}

#[test]
fn a_closed_output_pipe_ends_it_quietly() {
    let Some(server) = Server::qemu(Q35) else { return };
    let (address, hmp) = (server.address(), server.path("hmp.sock"));
    let events = || ["cont", "stop"].into_iter().for_each(|line| say_to_human_monitor(&hmp, line));
    let folder = tempfile::tempdir().unwrap();
    let sourced = write(folder.path(), "s.qmp", "query-status\n".repeat(200_000));
    let sourced = format!(".source {}", sourced.display());

    let (line, status, errors) = read_one_line_of(&[&address], Some("query-status\n"), || {});
    assert_eq!((line.trim_end(), status, errors.as_str()), (PRELAUNCH, Some(0), ""));
    let (line, status, errors) = read_one_line_of(&[&address, "-c", &sourced], None, || {});
    assert_eq!((line.trim_end(), status, errors.as_str()), (PRELAUNCH, Some(0), ""));
    // While it waits, it learns of the closed pipe by the next event.
    let (_, status, errors) = read_one_line_of(&[&address, "-c", "query-status", "-c", ".wait NEVER"], None, events);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let (_, status, errors) = read_one_line_of(&[&address, "-c", "query-status", "-f", "-"], None, events);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
}

#[test]
fn an_output_that_cannot_be_written_is_a_failure() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let output = Command::new(env!("CARGO_BIN_EXE_qmp-shell"))
        .args([&server.address(), "-c", "query-status", "-c", "quit"])
        .stdin(Stdio::null())
        .stdout(std::fs::File::options().write(true).open("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("qmp-shell: cannot write to standard output: No space left"), "{errors}");
}

#[test]
fn a_message_over_the_limit_is_refused() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    let run = qmp_shell(&[&address, "-c", "query-qmp-schema", "-c", "query-status", "--max-message", "4k"])
        .run()
        .expect_status(4);
    assert_eq!(run.lines().len(), 1, "{run:#?}");
    assert!(run.stderr.contains("4096"), "{}", run.stderr);
    let run = qmp_shell(&[&address, "-c", "query-qmp-schema", "--max-message=1M"]).run().expect_status(0);
    assert!(run.stdout.len() > 100_000);
}
