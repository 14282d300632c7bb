//! Compatibility with the Python qmp-shell: each of its documented features works, and each of its known bugs is absent.
//! Addresses, failures and wrap are tested fully in their own files, and here only where the Python tool had a bug.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use expect_test::expect;

use crate::support::peer::{GREETING, Peer, PeerConnection};
use crate::support::program::{Program, qmp_shell, qmp_shell_wrap};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::snapshot::Table;
use crate::support::terminal::Terminal;
use crate::support::wording;

/// Checks the request that a line becomes.
#[track_caller]
fn check_sent(line: &str, arguments: &str) {
    let command = line.split_whitespace().next().unwrap();
    let run = qmp_shell(&["--dry-run", "-c", line]).run();
    let expected = match arguments {
        "" => format!("{{\"execute\": \"{command}\"}}\n"),
        _ => format!("{{\"execute\": \"{command}\", \"arguments\": {arguments}}}\n"),
    };
    assert_eq!((run.stdout.as_str(), run.status), (expected.as_str(), 0), "{line}: {run:#?}");
}

/// Returns the errors for lines that are refused, as a table.
#[track_caller]
fn refusals(lines: &[&str]) -> Table {
    let mut table = Table::new();
    for line in lines {
        let run = qmp_shell(&["--dry-run", "-c", line]).run().expect_status(1);
        table.row(line, run.stderr.lines().next().unwrap());
    }
    table
}

// Documented features.

#[test]
fn parses_keys_and_values() {
    check_sent("query-status", "");
    check_sent("device_add driver=e1000 id=net1", r#"{"driver": "e1000", "id": "net1"}"#);
    check_sent("c a=5 b=-1 c=True d=false e=plain", r#"{"a": 5, "b": -1, "c": true, "d": false, "e": "plain"}"#);
    check_sent("c a=b=c", r#"{"a": "b=c"}"#);
    check_sent("c a=", r#"{"a": ""}"#);
}

#[test]
fn nests_dotted_keys() {
    check_sent("c a.b.c=1 a.b.d=2 a.e=3 f=4", r#"{"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": 4}"#);
}

#[test]
fn parses_json_and_python_literals() {
    let value = r#"{"arg": {"key": "value", "obj": {"prop": "value"}, "list": [1, true, null]}}"#;
    for line in [
        r#"c arg={"key":"value","obj":{"prop":"value"},"list":[1,true,null]}"#,
        r#"c arg={'key':'value','obj':{'prop':"value"},'list':[1,True,None]}"#,
        r#"c arg={'key':'value','obj':{'prop':'value'},'list':[1,true,null]}"#,
    ] {
        check_sent(line, value);
    }
}

#[test]
fn refuses_invalid_keys() {
    refusals(&["c word", "c a=1 a=2", "c a=1 a.b=2", "c a.b=1 a=2"]).check(expect![[r#"
        > c word
        -c:1: expected `key=value`, found `word`

        > c a=1 a=2
        -c:1: duplicate key `a`

        > c a=1 a.b=2
        -c:1: `a.b` cannot be set; `a` already has a value

        > c a.b=1 a=2
        -c:1: `a` cannot have a value; there are already keys below it
    "#]]);
}

#[test]
fn parses_transactions_on_one_line_and_on_several() {
    let sent = concat!(
        r#"{"execute": "transaction", "arguments": {"actions": ["#,
        r#"{"type": "block-dirty-bitmap-add", "data": {"node": "drive0", "name": "bitmap1"}}, "#,
        r#"{"type": "abort", "data": {}}]}}"#,
        "\n"
    );
    let lines = "transaction(\nblock-dirty-bitmap-add node=drive0 name=bitmap1\n\nabort\n)\n";
    assert_eq!(qmp_shell(&["--dry-run"]).input(lines).run().expect_status(0).stdout, sent);
    let lines = "transaction( block-dirty-bitmap-add node=drive0 name=bitmap1\nabort )\n";
    assert_eq!(qmp_shell(&["--dry-run"]).input(lines).run().expect_status(0).stdout, sent);
    let run = qmp_shell(&["--dry-run", "-c", "transaction( abort )"]).run().expect_status(0);
    assert_eq!(
        run.stdout,
        "{\"execute\": \"transaction\", \"arguments\": {\"actions\": [{\"type\": \"abort\", \"data\": {}}]}}\n"
    );
}

#[test]
fn shows_requests_and_indents_replies() {
    let Some(server) = Server::qemu(Q35) else { return };
    let run = qmp_shell(&["-v", "-p", &server.address()]).input("query-status\n").run().expect_status(0);
    assert_eq!(run.stdout, "{\n  \"status\": \"prelaunch\",\n  \"running\": false\n}\n");
    assert_eq!(run.stderr, "-> {\"execute\": \"query-status\"}\n");
    let run = qmp_shell(&["--verbose", "--pretty", &server.address()]).run().expect_status(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

#[test]
fn hmp_mode_sends_lines_and_keeps_the_cpu() {
    let Some(server) = Server::qemu(Q35) else { return };
    for option in ["-H", "--hmp"] {
        let run = qmp_shell(&[option, &server.address()]).input("info status\ncpu 1\ninfo cpus\n").run();
        let run = run.expect_status(0);
        assert_eq!(run.lines()[0], "VM status: paused (prelaunch)");
        let chosen: Vec<_> = run.lines().into_iter().filter(|line| line.starts_with('*')).collect();
        assert!(chosen.len() == 1 && chosen[0].contains("CPU #1"), "{run:#?}");
    }
    let run = qmp_shell(&["-H", &server.address()]).input("cpu one\ncpu 7\n").run().expect_status(1);
    assert!(run.stdout.contains("invalid char 'o' in expression"), "{run:#?}");
}

#[test]
fn connects_to_a_guest_agent_without_negotiation() {
    let Some(agent) = Server::guest_agent() else { return };
    for option in ["-N", "--skip-negotiation"] {
        let run = qmp_shell(&[option, &agent.address(), "-c", "guest-ping"]).run().expect_status(0);
        assert_eq!(run.stdout, "{\"return\": {}}\n");
    }
}

#[test]
fn the_prompt_completes_commands_and_shows_events() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    // The names were queried before this command, so they are known once it is answered.
    terminal.enter("query-name");
    terminal.wait_for("query-name\n{}\n(QEMU)");
    // Tab on an empty line lists every command that this QEMU has.
    terminal.press("Tab");
    terminal.wait_for("block-commit");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("query-statu");
    terminal.press("Tab");
    terminal.wait_for_line("(QEMU) query-status");
    terminal.press("Enter");
    terminal.wait_for("\"status\": \"prelaunch\"");
    terminal.enter("cont");
    terminal.wait_for(" RESUME");
    // An empty line, which shows events in the Python tool, does nothing.
    terminal.wait_for_last("(QEMU)");
    terminal.press("Enter");
    terminal.wait("two prompts", |screen| screen.ends_with("(QEMU)\n(QEMU)"));
    terminal.enter("transaction(");
    terminal.wait_for_last("TRANS>");
    terminal.enter(")");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn recalls_history_in_the_next_session() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let shell = format!("{} {}", env!("CARGO_BIN_EXE_qmp-shell"), server.address());
    let Some(terminal) = Terminal::start(&format!("{shell}; echo again; {shell}"), 100, 40) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-name");
    terminal.wait_for("query-name\n{}\n(QEMU)");
    terminal.press("C-d");
    terminal.wait("a second prompt", |screen| screen.contains("again\n") && screen.ends_with("\n(QEMU)"));
    terminal.press("Up");
    terminal.wait_for_last("(QEMU) query-name");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

// Bugs of the Python tool.

#[test]
fn the_log_option_does_not_listen_or_replace_the_socket() {
    let Some(server) = Server::qemu(Q35) else { return };
    let before = std::fs::metadata(server.address()).unwrap();
    let log = server.path("log");
    for _ in 0..2 {
        qmp_shell(&["-l", &log, &server.address()]).input("cont\nstop\n").run().expect_status(0);
    }
    let after = std::fs::metadata(server.address()).unwrap();
    assert_eq!((before.dev(), before.ino()), (after.dev(), after.ino()));
    // Events are logged, and a second session appends to the log.
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("\"event\": \"STOP\"").count(), 2);
    assert_eq!(log.matches("\"sent\": {\"execute\": \"stop\"").count(), 2);
}

#[test]
fn reads_the_address_from_the_environment() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[]).env("QMP_SOCKET", &server.address()).input("query-name\n").run();
    assert_eq!(run.expect_status(0).stdout, "{\"return\": {}}\n");
}

#[test]
fn does_not_nest_keys_after_file_driver() {
    check_sent(
        "blockdev-add driver=qcow2 file.driver=file node-name=n0 file.filename=/a read-only=true",
        r#"{"driver": "qcow2", "file": {"driver": "file", "filename": "/a"}, "node-name": "n0", "read-only": true}"#,
    );
}

#[test]
fn removes_quotes_from_values() {
    check_sent(
        r#"c a="b c" d='e "f"' g=h\ i j="\"" k='' l=x"y"z"#,
        r#"{"a": "b c", "d": "e \"f\"", "g": "h i", "j": "\"", "k": "", "l": "xyz"}"#,
    );
}

#[test]
fn sends_a_quoted_number_as_a_string() {
    check_sent(r#"c a="5" b='true' c='null' d=\7"#, r#"{"a": "5", "b": "true", "c": "null", "d": "7"}"#);
}

#[test]
fn sends_invalid_json_numbers_as_strings() {
    check_sent("c a=007 b=1_0 c=1.2.3 d=10M", r#"{"a": "007", "b": "1_0", "c": "1.2.3", "d": "10M"}"#);
}

#[test]
fn parses_hexadecimal_numbers_fractions_and_null() {
    check_sent("c a=0x1000 b=1.5 c=null d=1e3", r#"{"a": 4096, "b": 1.5, "c": null, "d": 1e3}"#);
    check_sent("c a=18446744073709551615", r#"{"a": 18446744073709551615}"#);
}

#[test]
fn refuses_malformed_json() {
    refusals(&["c a={\"b\":}", "c a=[1,2", "c a={b:1}", "c a=[x]"]).check(expect![[r#"
        > c a={"b":}
        -c:1: expected a JSON value, found `}`

        > c a=[1,2
        -c:1: unclosed `[`

        > c a={b:1}
        -c:1: expected a quoted key or `}`, found `b`

        > c a=[x]
        -c:1: `x` is not a JSON value; strings must be quoted
    "#]]);
}

#[test]
fn numbered_keys_make_an_array() {
    check_sent(
        "blockdev-add driver=quorum children.0=a children.1=b vote-threshold=1",
        r#"{"driver": "quorum", "children": ["a", "b"], "vote-threshold": 1}"#,
    );
}

#[test]
fn accepts_json_comments_out_of_band_commands_and_help() {
    for (lines, sent) in [
        ("{ \"execute\": \"stop\", \"id\": 7 }\n", "{\"execute\": \"stop\", \"id\": 7}\n"),
        (
            "-> { \"execute\": \"c\",\n     \"arguments\": { \"a\": [ 1,\n 2 ] } }\n<- { \"return\": {} }\n",
            "{\"execute\": \"c\", \"arguments\": {\"a\": [1, 2]}}\n",
        ),
        (
            "c {\"a\": {\"b\": 1}} d=[1, 2]  # a comment\n# nothing\n",
            "{\"execute\": \"c\", \"arguments\": {\"a\": {\"b\": 1}, \"d\": [1, 2]}}\n",
        ),
        ("exec-oob migrate-pause\n", "{\"exec-oob\": \"migrate-pause\"}\n"),
        (
            "{'exec-oob': 'yank', 'arguments': {'instances': []}}",
            "{\"exec-oob\": \"yank\", \"arguments\": {\"instances\": []}}\n",
        ),
        ("help\nhelp events\n", ""),
    ] {
        let run = qmp_shell(&["--dry-run"]).input(lines).run().expect_status(0);
        assert_eq!(run.stdout, sent, "{lines}");
        assert_eq!(run.stderr.is_empty(), !sent.is_empty(), "{lines}: {run:#?}");
    }
}

#[test]
fn reports_a_lost_server() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_queries();
    server.kill();
    terminal.wait("the notice", |screen| screen.contains(wording::WILL_RECONNECT) && screen.ends_with("(QEMU)"));
    terminal.check_line(
        "query-name",
        expect![[r#"
            error: nothing is listening on `{DIR}/q.sock`; the server has exited or listens elsewhere. Nothing was sent.
        "#]],
    );
    // Ctrl-C caused a traceback, too.
    terminal.type_text("query-name");
    terminal.press("C-c");
    terminal.wait_for_last(wording::NOT_CONNECTED);
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn quit_succeeds() {
    // In HMP mode events go to standard error.
    for (options, line) in [(&[][..], "quit"), (&["-H", "--no-events"], "quit"), (&["-H", "--no-events"], "q")] {
        let Some(mut server) = Server::qemu(SMALL) else { return };
        let address = server.address();
        let run = qmp_shell(&[options, &[&address]].concat()).input(format!("{line}\n")).run();
        assert_eq!(run.expect_status(0).stderr, "", "{line}");
        assert!(server.wait_for_end());
    }
}

#[test]
pub fn prints_a_reply_over_ten_megabytes() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("guest-file-read");
        conn.reply(&id, &format!("\"{}\"", "x".repeat(12_000_000)));
    });
    let run = qmp_shell(&[&peer.address(), "-c", "guest-file-read"]).run();
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(run.stdout.len(), "{\"return\": \"\"}\n".len() + 12_000_000);
}

#[test]
fn prints_a_reply_with_invalid_utf8() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("one");
        conn.send(b"{\"return\": \"a\xc3(\xff\", \"id\": ");
        conn.send(format!("{id}}}\n").as_bytes());
    });
    let run = qmp_shell(&[&peer.address(), "-c", "one"]).run().expect_status(0);
    assert_eq!(run.stdout, "{\"return\": \"a\u{fffd}(\u{fffd}\"}\n");
}

#[test]
pub fn keeps_events_before_the_greeting() {
    let peer = Peer::start(|conn| {
        conn.send_event("BEFORE", "{}");
        conn.send_line(GREETING);
        conn.send_event("BETWEEN", "{}");
        let (_, id) = conn.read_request();
        conn.send_event("DURING", "{}");
        conn.reply(&id, "{}");
        let id = conn.expect_command("one");
        conn.send_event("AFTER", "{}");
        conn.reply(&id, "{}");
    });
    let run = qmp_shell(&[&peer.address(), "-c", "one"]).run().expect_status(0);
    let names: Vec<_> = run.lines().into_iter().map(|line| line.split('"').rev().nth(3)).collect();
    let names: Vec<_> = names.into_iter().map(Option::unwrap_or_default).collect();
    assert_eq!(names, ["BEFORE", "BETWEEN", "DURING", "AFTER", ""], "{run:#?}");
}

#[test]
fn prints_a_number_that_json_does_not_have() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("one");
        conn.reply(&id, "[NaN]");
    });
    let run = qmp_shell(&[&peer.address(), "-c", "one"]).run().expect_status(0);
    assert_eq!(run.stdout, "{\"return\": [NaN]}\n");
}

#[test]
fn cpu_without_an_index_shows_the_current_one() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("-H {}", server.address())) else { return };
    terminal.wait_for_last("(qemu)");
    terminal.enter("cpu");
    terminal.wait_for("(qemu) cpu\nCPU 0\n(qemu)");
    terminal.enter("cpu 1");
    terminal.enter("cpu");
    terminal.wait_for("(qemu) cpu\nCPU 1\n(qemu)");
    // An empty line caused a traceback, too.
    terminal.press("Enter");
    terminal.wait("two prompts", |screen| screen.ends_with("(qemu)\n(qemu)"));
}

#[test]
fn prints_events_as_json_between_the_replies() {
    let Some(server) = Server::qemu(Q35) else { return };
    let run = qmp_shell(&[&server.address()]).input("cont\nstop\n").run().expect_status(0);
    let seen: Vec<_> = run
        .lines()
        .into_iter()
        .map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).unwrap();
            message.get("event").map_or("reply".to_owned(), |name| name.as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(seen, ["RESUME", "reply", "STOP", "reply"]);
}

#[test]
fn keeps_the_history_file_when_connecting_fails() {
    let program = env!("CARGO_BIN_EXE_qmp-shell");
    let keep = "mkdir -p $XDG_STATE_HOME/qmp-shell && echo query-name > $XDG_STATE_HOME/qmp-shell/history";
    let Some(terminal) = Terminal::start(&format!("{keep}; {program} /nowhere/q.sock"), 100, 40) else { return };
    assert_eq!(terminal.wait_for_end(), 3);
    let history = std::fs::read_to_string(terminal.home.join("qmp-shell/history")).unwrap();
    assert_eq!(history, "query-name\n");
}

#[test]
fn keeps_passwords_out_of_two_separate_histories() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("set_password protocol=vnc password=hunter2");
    terminal.wait_for("GenericError");
    terminal.enter("query-name");
    terminal.enter(".hmp");
    terminal.wait_for_last("(qemu)");
    terminal.enter("set_password vnc hunter2");
    terminal.wait_for("Error:");
    terminal.enter("info status");
    terminal.wait_for("VM status: paused (prelaunch)\n(qemu)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    let history = |name: &str| std::fs::read_to_string(terminal.home.join("qmp-shell").join(name)).unwrap();
    assert_eq!(history("history"), "query-name\n.hmp\n");
    assert_eq!(history("hmp_history"), "info status\n");
}

#[test]
fn gives_up_on_a_silent_server() {
    let silent: fn(&mut PeerConnection) = PeerConnection::wait_for_close;
    let mut table = Table::new();
    for options in [&[][..], &["-N"]] {
        let peer = Peer::start(silent);
        let start = Instant::now();
        let run = qmp_shell(&[options, &["--timeout", "0.2", &peer.address(), "-c", "one"]].concat()).run();
        assert!(start.elapsed() < Duration::from_secs(5));
        table.run(options.join(" "), &run);
    }
    table.check(expect![[r#"
        >
        stderr: qmp-shell: connected to `{DIR}/q.sock`, but no greeting came within 0.2 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N)
        status: 3

        > -N
        stderr: qmp-shell: connected to `{DIR}/q.sock`, but no guest agent answered within 0.2 s; is it running in the guest? (for a QMP monitor, leave out -N)
        status: 3
    "#]]);
}

#[test]
fn prints_no_banner_into_a_pipe_and_sets_the_status() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let shell = || -> Program { qmp_shell(&[&server.address()]) };
    let run = shell().input("query-name\n").run().expect_status(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("{\"return\": {}}\n", ""));
    shell().input("none\n").run().expect_status(1);
    shell().input("query-name a\n").run().expect_status(1);
    qmp_shell(&["--none"]).run().expect_status(2);
    qmp_shell(&["/nowhere/q.sock"]).run().expect_status(3);
    qmp_shell(&["-H", &server.address()]).input("none\n").run().expect_status(1);
}

#[test]
fn wrap_reports_errors_of_qemu_at_once() {
    let run = qmp_shell_wrap(&["no-such-qemu"]).run();
    assert!(run.status != 0 && run.stderr.contains("no-such-qemu"), "{run:#?}");
    if Server::qemu(SMALL).is_none() {
        return;
    }
    let start = Instant::now();
    let run = qmp_shell_wrap(&["qemu-system-x86_64", "-no-such-option"]).run();
    assert!(run.status != 0 && run.stderr.contains("-no-such-option: invalid option"), "{run:#?}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn wrap_completes_and_ends_qemu_on_leaving() {
    if Server::qemu(SMALL).is_none() {
        return;
    }
    let qemu = "qemu-system-x86_64 -M none -display none -nodefaults -pidfile $HOME/qemu.pid";
    let Some(terminal) = Terminal::qmp_shell_wrap(qemu) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-name");
    terminal.wait_for("query-name\n{}\n(QEMU)");
    terminal.type_text("query-nam");
    terminal.press("Tab");
    terminal.wait_for_line("(QEMU) query-name");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    let pid_file = terminal.home.join("qemu.pid");
    assert!(pid_file.exists(), "QEMU does not run");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert!(!pid_file.exists(), "QEMU has not exited cleanly");
}
