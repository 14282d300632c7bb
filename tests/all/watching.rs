//! `.watch`, which runs a line again and again, and `qmp --every`.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;

use expect_test::expect;

use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::{Run, qmp, qmp_shell};
use crate::support::server::{Q35, Server, run_hmp_line};
use crate::support::snapshot;
use crate::support::terminal::Terminal;
use crate::support::wait_until;

/// Replies three times to `query-status`, each time with another status, and closes.
fn reply_three_times(conn: &mut PeerConnection) {
    conn.negotiate();
    for status in ["running", "paused", "shutdown"] {
        let id = conn.expect_command("query-status");
        conn.reply(&id, &format!(r#"{{"status": "{status}"}}"#));
    }
}

#[test]
fn a_prompt_shows_a_line_in_place_and_marks_what_changes() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("-o pretty {}", server.address())) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".watch 0.05 query-status");
    terminal.wait_for("\n  \"status\": \"prelaunch\",\n");
    terminal.wait_for(" Every 0.05 s: query-status\n{\n");
    assert!(!terminal.coloured_screen().contains("\x1b[7m"));
    // The event appears above, and does not interrupt it.
    run_hmp_line(&server.path("hmp.sock"), "cont");
    let screen = terminal.wait("the new status", |screen| {
        screen.contains(" RESUME\n") && screen.contains("\n  \"status\": \"running\",\n  \"running\": true\n}")
    });
    assert_eq!(screen.matches("\"status\"").count(), 1, "{screen}");
    assert!(screen.find("RESUME") < screen.find(" Every 0.05 s"), "{screen}");
    run_hmp_line(&server.path("hmp.sock"), "stop");
    terminal.wait_for("\n  \"status\": \"paused\",\n");
    for columns in [30, 100] {
        terminal.resize(columns, 20);
        terminal
            .wait("one frame", |screen| screen.matches("\"status\"").count() == 1 && screen.trim_end().ends_with('}'));
    }
    terminal.press("C-c");
    terminal.wait_for("\n  \"status\": \"paused\",\n  \"running\": false\n}\n(QEMU)");
    terminal.enter("query-name");
    terminal.wait_for("{}\n(QEMU)");
}

#[test]
fn changes_are_marked_for_one_run() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        for status in ["abc", "abd"].iter().cycle() {
            let Some(request) = conn.next_request() else { return };
            conn.reply(&request["id"].to_string(), &format!(r#"{{"status": "{status}"}}"#));
        }
    });
    let Some(terminal) = Terminal::qmp_shell(&format!("--no-schema {}", peer.address())) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".watch 0.01 query-status");
    wait_until("the mark", || {
        let screen = terminal.coloured_screen();
        screen.contains("ab") && screen.contains("\x1b[7m") && screen.matches("\x1b[7m").count() == 1
    });
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
}

#[test]
fn a_table_fits_the_screen() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        while let Some(request) = conn.next_request() {
            let name = "x".repeat(200);
            conn.reply(&request["id"].to_string(), &format!("[{{\"name\": \"{name}\"}}]"));
        }
    });
    let Some(terminal) = Terminal::qmp_shell(&format!("--no-schema -o table {}", peer.address())) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".watch 0.1 query-block");
    terminal.wait_for("xxx…");
}

#[test]
fn a_long_reply_is_cut_to_the_screen() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("--no-events {}", server.address())) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".watch query-commands");
    terminal.wait("the end of the frame", |screen| screen.trim_end().ends_with(" more lines)"));
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    // Lines of the human monitor, and errors, which do not end it.
    terminal.enter(".watch 0.05 .hmp info status");
    terminal.wait_for(" Every 0.05 s: .hmp info status\nVM status: paused (prelaunch)");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    // Filters, several commands, and views.
    for (line, shown) in [
        ("query-status | .status", "\"prelaunch\""),
        ("query-status | {a: .running}; query-name", "{\"a\": false}\n{}"),
        (".show cpus", "CPU"),
    ] {
        terminal.enter(&format!(".watch 0.05 {line}"));
        terminal.wait(line, |screen| screen.contains(&format!("s: {line}\n")) && screen.contains(shown));
        terminal.press("C-c");
        terminal.wait_for_last("(QEMU)");
    }
    // A filter that does not end.
    terminal.enter(".watch 0.05 query-status | . | last(repeat(.))");
    terminal.wait("the line", |screen| screen.trim_end().ends_with("last(repeat(.))"));
    terminal.press("C-c");
    terminal.wait("the prompt", |screen| screen.trim_end().ends_with("(QEMU)"));
    terminal.enter(".watch 0.05 qom-get path=/none property=x");
    terminal.wait_for(" Every 0.05 s: qom-get path=/none property=x\nDeviceNotFound: ");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".hmp");
    terminal.wait_for_last("(qemu)");
    terminal.enter(".watch 0.05 info status");
    terminal.wait_for(" Every 0.05 s: info status\nVM status: paused (prelaunch)");
}

#[test]
fn a_lost_connection_ends_it() {
    let peer = Peer::start(reply_three_times);
    let Some(terminal) = Terminal::qmp_shell(&format!("--no-schema {}", peer.address())) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".watch 0.01 query-status");
    terminal.wait_for_last("(not connected)");
    let screen = terminal.screen();
    assert!(screen.contains("\"status\": \"shutdown\"") || screen.contains("closed the connection"), "{screen}");
}

#[test]
fn a_script_and_a_dumb_terminal_get_each_reply() {
    let peer = Peer::start(reply_three_times);
    let run = qmp_shell(&["--no-schema", &peer.address(), "-c", ".watch 0.01 query-status"]).run().expect_status(4);
    let replies = [r#"{"return": {"status": "running"}}"#, r#"{"return": {"status": "paused"}}"#];
    assert_eq!(run.lines()[..2], replies, "{run:?}");
    let shell = env!("CARGO_BIN_EXE_qmp-shell");
    let Some(terminal) = Terminal::start(&format!("TERM=dumb {shell} demo:"), 100, 40) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".watch 0.2 query-kvm");
    terminal.wait("two replies", |screen| screen.matches("\"present\": false").count() >= 2);
    terminal.press("C-c");
    terminal.wait_for_last("^C(QEMU)");
    terminal.enter(".watch! 0.2 .watch query-name");
    terminal.wait_for("cannot repeat another one");
}

#[test]
fn lines_that_may_change_something_are_refused() {
    let lines = "\
        .watch\n\
        .watch 1\n\
        .watch 0 query-status\n\
        .watch 1e99 query-status\n\
        .watch stop\n\
        .watch 1 device_del id=x\n\
        .watch {\"execute\": \"stop\"}\n\
        .watch .hmp stop\n\
        .watch human-monitor-command command-line=stop\n\
        .watch .connect demo:\n\
        .watch .watch query-status\n\
        .watch !date\n\
        .watch transaction( abort\n\
        .watch query-name | cat\n\
        .watch query-name > /tmp/x\n\
        .watch query-name; stop\n\
        .watch query-name | .[\n\
        .watch query-statsu\n";
    let run: Run = qmp_shell(&["--dry-run", "demo:"]).input(lines).run().expect_status(1);
    snapshot::check(
        run.stderr,
        expect![[r#"
            <stdin>:1: missing argument: expected a line
              .watch
                    ^
            <stdin>:2: missing argument: expected a line
              .watch 1
                      ^
            <stdin>:3: expected a number of seconds, at least 0.01, found `0`
              .watch 0 query-status
                     ^
            <stdin>:4: expected a number of seconds, at least 0.01, found `1e99`
              .watch 1e99 query-status
                     ^^^^
            <stdin>:5: `stop` may change something; `.watch!` repeats it all the same
              .watch stop
                     ^^^^
            <stdin>:6: `device_del` may change something; `.watch!` repeats it all the same
              .watch 1 device_del id=x
                       ^^^^^^^^^^
            <stdin>:7: `stop` may change something; `.watch!` repeats it all the same
              .watch {"execute": "stop"}
                                 ^^^^^^
            <stdin>:8: `.hmp` may change something; `.watch!` repeats it all the same
              .watch .hmp stop
                     ^^^^
            <stdin>:9: `human-monitor-command` may change something; `.watch!` repeats it all the same
              .watch human-monitor-command command-line=stop
                     ^^^^^^^^^^^^^^^^^^^^^
            <stdin>:10: `.connect` may change something; `.watch!` repeats it all the same
              .watch .connect demo:
                     ^^^^^^^^
            <stdin>:11: `.watch` may change something; `.watch!` repeats it all the same
              .watch .watch query-status
                     ^^^^^^
            <stdin>:12: `!` may change something; `.watch!` repeats it all the same
              .watch !date
                     ^^^^^
            <stdin>:13: `transaction` may change something; `.watch!` repeats it all the same
              .watch transaction( abort
                     ^^^^^^^^^^^^
            <stdin>:14: only a filter can take the reply to a line that is repeated; `.watch!` repeats it all the same
              .watch query-name | cat
                                ^
            <stdin>:15: only a filter can take the reply to a line that is repeated; `.watch!` repeats it all the same
              .watch query-name > /tmp/x
                                ^
            <stdin>:16: `stop` may change something; `.watch!` repeats it all the same
              .watch query-name; stop
                                 ^^^^
            <stdin>:17: unclosed `[` in the filter
              query-name | .[
                            ^
            <stdin>:18: the server has no command `query-statsu`; did you mean `query-status`?
              query-statsu
              ^^^^^^^^^^^^
        "#]],
    );
    let lines = ".watch! stop\n.watch 3 query-name\n";
    let run = qmp_shell(&["--dry-run", "demo:"]).input(lines).run().expect_status(0);
    assert_eq!(run.lines(), [r#"{"execute": "stop"}"#, r#"{"execute": "query-name"}"#]);
}

#[test]
fn qmp_runs_a_command_again_and_again() {
    let peer = Peer::start(|conn| {
        reply_three_times(conn);
        conn.wait_for_close();
    });
    let args = ["--no-schema", "--path", &peer.address(), "--every", "0.01", "--count", "3", "query-status"];
    let run = qmp(&args).run().expect_status(0);
    assert_eq!(run.stdout, "status: running\nstatus: paused\nstatus: shutdown\n");
    // One of them fails, and the others are run.
    let args = ["--path", "demo:", "--every", "0.01", "--count", "2", "-o", "json", "device_del", "id=none"];
    let run = qmp(&args).run().expect_status(1);
    assert_eq!(run.lines().len(), 2, "{run:?}");
    // The server goes.
    let peer = Peer::start(reply_three_times);
    let args = ["--no-schema", "--path", &peer.address(), "--every", "0.01", "query-status"];
    let run = qmp(&args).run().expect_status(4);
    assert_eq!(run.lines(), ["status: running", "status: paused", "status: shutdown"]);
    assert!(run.stderr.contains("closed the connection"), "{run:?}");
}

#[test]
fn qmp_runs_a_command_again_and_again_on_several_servers() {
    const UUID: &str = "demo:: UUID: 9f0d7f1c-1d2e-4a6b-8c35-d3e0a11ce5e7";
    let args = ["--path", "demo:", "--path", "demo:", "--every", "0.01", "--count", "3", "--jobs", "1", "query-uuid"];
    let run = qmp(&args).run().expect_status(0);
    assert_eq!(run.lines(), [UUID; 6]);
    let run = qmp(&["--path", "demo:", "--path", "/none", "--every", "0.01", "--count", "2", "query-uuid"]).run();
    assert_eq!((run.lines(), run.status), (vec![UUID; 2], 1), "{run:?}");
}

#[test]
fn qmp_prints_each_run_at_once() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("query-status");
        conn.reply(&id, r#"{"status": "running"}"#);
        // The second request comes only after the first reply was printed: its reader is gone by then.
        conn.wait_for_close();
    });
    let args = ["--no-schema", "--path", &peer.address(), "--every", "0.01", "query-status"];
    let mut child = qmp(&args).start();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "status: running\n");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn qmp_repeats_only_commands() {
    let folder = tempfile::tempdir().unwrap();
    symlink("/bin/true", folder.path().join("qmp-thing")).unwrap();
    let args = ["--path", "demo:", "--every", "1", "thing"];
    let run = qmp(&args).env("PATH", folder.path().to_str().unwrap()).run().expect_status(2);
    assert_eq!(run.stderr, "qmp: `--every` cannot repeat `thing`, which the server does not have\n");
    // A mistake is reported once.
    let run = qmp(&["--path", "demo:", "--every", "1", "qom-get", "pth=/"]).run().expect_status(1);
    assert_eq!(run.stderr.matches("did you mean `path`?").count(), 1, "{run:?}");
    let run = qmp(&["--path", "demo:", "--count", "1", "query-name"]).run().expect_status(2);
    assert!(run.stderr.contains("--events") && run.stderr.contains("--every"), "{run:?}");
    let run = qmp(&["--every", "0", "query-name"]).run().expect_status(2);
    assert!(run.stderr.contains("expected at least 0.01 seconds"), "{run:?}");
}

#[test]
fn the_results_of_a_filter_are_watched_in_the_format_of_replies() {
    let Some(terminal) = Terminal::qmp_shell("demo:") else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".watch 0.05 query-status | {running, n: [1, 2]}");
    terminal.wait_for("\n{\"running\": true, \"n\": [1, 2]}");
    terminal.press("C-c");
    // A filter without an end shows its beginning.
    terminal.enter(".watch 0.05 query-status | .running | repeat(.)");
    terminal.wait_for("\ntrue\ntrue\n");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
}
