//! Ends of scripts and their exit statuses: failed lines, `quit`, lost servers, closed and full outputs.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use expect_test::expect;

use super::scripts::{NOTHING, PRELAUNCH, RUNNING, names_and_replies, write};
use crate::support::peer::Peer;
use crate::support::program::{Run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server, run_hmp_line};
use crate::support::snapshot::Table;
use crate::support::wait_until;

#[test]
fn sets_the_exit_status() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    write(folder.path(), "fails-then-leaves.qmp", "nonsense\n.exit\nquery-status\n");
    let dies = Peer::start(|conn| {
        conn.negotiate();
        conn.expect_command("query-status");
    });
    let mut table = Table::new();
    for (status, args) in [
        (0, vec![address.as_str(), "-c", "query-status"]),
        (0, vec![&address, "-c", ".exit", "-c", "nonsense"]),
        (1, vec![&address, "-c", "nonsense", "-c", ".exit"]),
        (1, vec![&address, "-c", &format!(".source {}", at("fails-then-leaves.qmp"))]),
        (1, vec![&address, "-c", ".wait STOP timeout=0.01"]),
        (1, vec![&address, "-H", "-c", "nonsense"]),
        (1, vec![&address, "-c", "transaction(", "-c", "abort"]),
        (2, vec![&address, "--no-such-option"]),
        (2, vec![&address, "-p", "-o", "json"]),
        (2, vec!["-c", "query-status"]),
        (2, vec!["no:port:here"]),
        (2, vec![&address, "-f", &at("none.qmp")]),
        (2, vec![&address, "-l", "/"]),
        (3, vec![&at("none.sock"), "-c", "query-status"]),
        (4, vec![&dies.address(), "-c", "query-status", "-c", "query-name"]),
    ] {
        let mut run = qmp_shell(&args).run();
        assert_eq!(run.status, status, "{args:?}: {run:#?}");
        // The servers of other tests may follow.
        run.stderr = run.stderr.split("\nrunning servers:").next().unwrap().to_owned();
        table.run(args.join(" "), &run);
    }
    table.check(expect![[r#"
        > {DIR}/q.sock -c query-status
        {"return": {"status": "running", "running": true}}

        > {DIR}/q.sock -c .exit -c nonsense

        > {DIR}/q.sock -c nonsense -c .exit
        {"error": {"class": "CommandNotFound", "desc": "The command nonsense has not been found"}}
        status: 1

        > {DIR}/q.sock -c .source {DIR}/fails-then-leaves.qmp
        {"error": {"class": "CommandNotFound", "desc": "The command nonsense has not been found"}}
        status: 1

        > {DIR}/q.sock -c .wait STOP timeout=0.01
        stderr: -c:1: no event `STOP` within 0.01 s
        status: 1

        > {DIR}/q.sock -H -c nonsense
        unknown command: 'nonsense'
        status: 1

        > {DIR}/q.sock -c transaction( -c abort
        {"error": {"class": "NotSent", "desc": "the script ends inside a transaction, which was not sent"}}
        stderr: -c:2: the script ends inside a transaction, which was not sent
        status: 1

        > {DIR}/q.sock --no-such-option
        stderr: error: unexpected argument '--no-such-option' found
        stderr:
        stderr:   tip: to pass '--no-such-option' as a value, use '-- --no-such-option'
        stderr:
        stderr: Usage: qmp-shell [OPTIONS] [[NAME=]ADDRESS]...
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > {DIR}/q.sock -p -o json
        stderr: error: the argument '--pretty' cannot be used with '--output <FORMAT>'
        stderr:
        stderr: Usage: qmp-shell [OPTIONS] [[NAME=]ADDRESS]...
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > -c query-status
        stderr: qmp-shell: no ADDRESS given and QMP_SOCKET is not set; try `qmp-shell demo:` or `qmp-shell --help`
        status: 2

        > no:port:here
        stderr: error: invalid value 'no:port:here' for '[ADDRESS]...': invalid port `here` in address `no:port:here`; for a path with a colon write `unix:no:port:here`
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > {DIR}/q.sock -f {DIR}/none.qmp
        stderr: qmp-shell: cannot read the script `{DIR}/none.qmp`: No such file or directory (os error 2)
        status: 2

        > {DIR}/q.sock -l /
        stderr: qmp-shell: cannot write the log file `/`: Is a directory (os error 21)
        status: 2

        > {DIR}/none.sock -c query-status
        stderr: qmp-shell: there is no socket at `{DIR}/none.sock`; a QEMU started with `-qmp unix:{DIR}/none.sock,server=on,wait=off` creates one
        status: 3

        > {DIR}/q.sock -c query-status -c query-name
        {"error": {"class": "ConnectionLost", "desc": "The server closed the connection before `query-status` was answered. It may or may not have been executed."}}
        stderr: -c:1: The server closed the connection before `query-status` was answered. It may or may not have been executed.
        status: 4
    "#]]);
}

#[test]
fn quit_ends_qemu_and_the_script_successfully() {
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

    // A command that can no longer be sent is a failure, and so is a wait for an event that can no longer come.
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[&server.address(), "-c", "quit", "-c", "query-status", "-c", ".wait RESUME"])
        .run()
        .expect_status(1);
    let replies = run.replies().join("\n");
    Run { stdout: replies, ..run }.check(expect![[r#"
        {"return": {}}
        {"error": {"class": "NotSent", "desc": "not connected"}}
        stderr: -c:2: not connected
        stderr: -c:3: not connected; cannot wait for event `RESUME`
        status: 1
    "#]]);
    assert!(server.wait_for_end());
}

#[test]
fn a_server_that_closes_at_the_end_is_not_a_lost_connection() {
    for _ in 0..5 {
        let peer = Peer::start(|conn| {
            conn.negotiate();
            let id = conn.expect_command("system_powerdown");
            conn.reply(&id, "{}");
            conn.send_event("SHUTDOWN", "{\"guest\": true}");
        });
        let run =
            qmp_shell(&[&peer.address()]).input("system_powerdown\n.wait SHUTDOWN timeout=10\n").run().expect_status(0);
        assert_eq!(names_and_replies(&run), [NOTHING, "SHUTDOWN"]);
    }
}

/// Starts `qmp-shell`, reads its first line of output, and closes the pipe; returns the line, the status and standard
/// error. Calls `until_exit` until the program exits: a process that another test is just starting may hold the pipe
/// open for a moment.
fn read_one_line_of(
    args: &[&str],
    input: Option<&'static str>,
    until_exit: impl Fn(),
) -> (String, Option<i32>, String) {
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
    wait_until(&format!("{args:?} to exit"), || {
        until_exit();
        child.try_wait().unwrap().is_some()
    });
    drop(writer.join().unwrap());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    (line, child.wait().unwrap().code(), errors)
}

#[test]
fn ends_quietly_on_a_closed_pipe() {
    let Some(server) = Server::qemu(Q35) else { return };
    let (address, hmp) = (server.address(), server.path("hmp.sock"));
    let events = || ["cont", "stop"].into_iter().for_each(|line| run_hmp_line(&hmp, line));
    let folder = tempfile::tempdir().unwrap();
    let sourced = write(folder.path(), "s.qmp", "query-status\n".repeat(200_000));
    let sourced = format!(".source {}", sourced.display());

    let (line, status, errors) = read_one_line_of(&[&address], Some("query-status\n"), || {});
    assert_eq!((line.trim_end(), status, errors.as_str()), (PRELAUNCH, Some(0), ""));
    let (line, status, errors) = read_one_line_of(&[&address, "-c", &sourced], None, || {});
    assert_eq!((line.trim_end(), status, errors.as_str()), (PRELAUNCH, Some(0), ""));
    // While it waits, it notices the closed pipe at the next event.
    let (_, status, errors) = read_one_line_of(&[&address, "-c", "query-status", "-c", ".wait NEVER"], None, events);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let (_, status, errors) = read_one_line_of(&[&address, "-c", "query-status", "-f", "-"], None, events);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
}

#[test]
fn fails_when_output_cannot_be_written() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let output = Command::new(env!("CARGO_BIN_EXE_qmp-shell"))
        .args([&server.address(), "-c", "query-status", "-c", "quit"])
        .stdin(Stdio::null())
        .stdout(std::fs::File::options().write(true).open("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    Run::from(output).check(expect![[r#"
        stderr: qmp-shell: cannot write to standard output: No space left on device (os error 28)
        status: 1
    "#]]);
}

#[test]
fn refuses_a_message_over_the_limit() {
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
