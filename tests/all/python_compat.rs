//! What users of the Python qmp-shell have: everything it documents is here, under its name, and every one of its faults
//! is shown not to be. What belongs to a capability of its own (addresses, failures, wrap) is shown there in full and
//! here only where it was a fault.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use crate::support::peer::{GREETING, Peer, Talk};
use crate::support::program::{Program, qmp_shell, qmp_shell_wrap};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::terminal::Terminal;

/// The request that a line becomes.
#[track_caller]
fn expect_sent(line: &str, arguments: &str) {
    let command = line.split_whitespace().next().unwrap();
    let run = qmp_shell(&["--dry-run", "-c", line]).run();
    let expected = match arguments {
        "" => format!("{{\"execute\": \"{command}\"}}\n"),
        _ => format!("{{\"execute\": \"{command}\", \"arguments\": {arguments}}}\n"),
    };
    assert_eq!((run.stdout.as_str(), run.status), (expected.as_str(), 0), "{line}: {run:#?}");
}

/// What a line is refused with.
#[track_caller]
fn expect_refused(line: &str, message: &str) {
    let run = qmp_shell(&["--dry-run", "-c", line]).run().expect_status(1);
    assert_eq!(run.stderr.lines().next(), Some(format!("-c:1: {message}").as_str()), "{run:#?}");
}

// What is documented.

#[test]
fn a_command_takes_keys_and_values() {
    expect_sent("query-status", "");
    expect_sent("device_add driver=e1000 id=net1", r#"{"driver": "e1000", "id": "net1"}"#);
    expect_sent("c a=5 b=-1 c=True d=false e=plain", r#"{"a": 5, "b": -1, "c": true, "d": false, "e": "plain"}"#);
    expect_sent("c a=b=c", r#"{"a": "b=c"}"#);
    expect_sent("c a=", r#"{"a": ""}"#);
}

#[test]
fn dotted_keys_nest() {
    expect_sent("c a.b.c=1 a.b.d=2 a.e=3 f=4", r#"{"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": 4}"#);
}

#[test]
fn values_are_json_or_python_literals() {
    let value = r#"{"arg": {"key": "value", "obj": {"prop": "value"}, "list": [1, true, null]}}"#;
    for line in [
        r#"c arg={"key":"value","obj":{"prop":"value"},"list":[1,true,null]}"#,
        r#"c arg={'key':'value','obj':{'prop':"value"},'list':[1,True,None]}"#,
        r#"c arg={'key':'value','obj':{'prop':'value'},'list':[1,true,null]}"#,
    ] {
        expect_sent(line, value);
    }
}

#[test]
fn mistaken_keys_are_refused() {
    expect_refused("c word", "expected `key=value`, found `word`");
    expect_refused("c a=1 a=2", "key `a` is given twice");
    expect_refused("c a=1 a.b=2", "`a` has a value already; `a.b` cannot go below it");
    expect_refused("c a.b=1 a=2", "`a` has keys below it already; it cannot have a value too");
}

#[test]
fn transactions_stand_on_many_lines_or_on_one() {
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
fn verbose_shows_what_is_sent_and_pretty_indents_what_comes() {
    let Some(server) = Server::qemu(Q35) else { return };
    let run = qmp_shell(&["-v", "-p", &server.address()]).input("query-status\n").run().expect_status(0);
    assert_eq!(run.stdout, "{\n  \"status\": \"prelaunch\",\n  \"running\": false\n}\n");
    assert_eq!(run.stderr, "-> {\"execute\": \"query-status\"}\n");
    let run = qmp_shell(&["--verbose", "--pretty", &server.address()]).run().expect_status(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

#[test]
fn hmp_mode_passes_lines_on_and_keeps_the_cpu() {
    let Some(server) = Server::qemu(Q35) else { return };
    for flag in ["-H", "--hmp"] {
        let run = qmp_shell(&[flag, &server.address()]).input("info status\ncpu 1\ninfo cpus\n").run();
        let run = run.expect_status(0);
        assert_eq!(run.lines()[0], "VM status: paused (prelaunch)");
        let chosen: Vec<_> = run.lines().into_iter().filter(|line| line.starts_with('*')).collect();
        assert!(chosen.len() == 1 && chosen[0].contains("CPU #1"), "{run:#?}");
    }
    let run = qmp_shell(&["-H", &server.address()]).input("cpu one\ncpu 7\n").run().expect_status(1);
    assert!(run.stdout.contains("invalid char 'o' in expression"), "{run:#?}");
}

#[test]
fn a_guest_agent_is_spoken_to_without_negotiation() {
    let Some(agent) = Server::guest_agent() else { return };
    for flag in ["-N", "--skip-negotiation"] {
        let run = qmp_shell(&[flag, &agent.address(), "-c", "guest-ping"]).run().expect_status(0);
        assert_eq!(run.stdout, "{\"return\": {}}\n");
    }
}

#[test]
fn the_prompt_greets_completes_commands_and_shows_events() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.wait_for("Connected to QEMU 10.0.2");
    terminal.wait_for_last("(QEMU)");
    // The names were asked for before this, so with its reply they are known.
    terminal.enter("query-name");
    terminal.wait_for("query-name\n{}\n(QEMU)");
    // Tab on nothing lists every command that this QEMU has.
    terminal.press("Tab");
    let asked = terminal
        .wait("a list or a question", |screen| screen.contains("possibilities") || screen.contains("block-commit"));
    if asked.contains("possibilities") {
        terminal.press("n");
    }
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("query-statu");
    terminal.press("Tab");
    terminal.wait("the completed command", |screen| {
        screen.lines().last().is_some_and(|line| line.trim_end() == "(QEMU) query-status")
    });
    terminal.press("Enter");
    terminal.wait_for("\"status\": \"prelaunch\"");
    terminal.enter("cont");
    terminal.wait_for(" RESUME");
    // A blank line, which showed events there, is harmless here.
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
fn history_is_there_in_the_next_session() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let shell = format!("{} {}", env!("CARGO_BIN_EXE_qmp-shell"), server.address());
    let Some(terminal) = Terminal::start(&format!("{shell}; echo again; {shell}"), 100, 40) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-name");
    terminal.wait_for("query-name\n{}\n(QEMU)");
    terminal.press("C-d");
    terminal.wait_for("again\nConnected to QEMU");
    terminal.wait_for_last("(QEMU)");
    terminal.press("Up");
    terminal.wait_for_last("(QEMU) query-name");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

// What was wrong.

#[test]
fn the_log_option_neither_listens_nor_replaces_the_socket() {
    let Some(server) = Server::qemu(Q35) else { return };
    let before = std::fs::metadata(server.address()).unwrap();
    let log = server.path("log");
    for _ in 0..2 {
        qmp_shell(&["-l", &log, &server.address()]).input("cont\nstop\n").run().expect_status(0);
    }
    let after = std::fs::metadata(server.address()).unwrap();
    assert_eq!((before.dev(), before.ino()), (after.dev(), after.ino()));
    // Events are in the log, and a second session adds to it.
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("\"event\": \"STOP\"").count(), 2);
    assert_eq!(log.matches("\"sent\": {\"execute\": \"stop\"").count(), 2);
}

#[test]
fn the_variable_of_the_address_takes_effect() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[]).env("QMP_SOCKET", &server.address()).input("query-name\n").run();
    assert_eq!(run.expect_status(0).stdout, "{\"return\": {}}\n");
}

#[test]
fn after_file_driver_later_keys_do_not_nest() {
    expect_sent(
        "blockdev-add driver=qcow2 file.driver=file node-name=n0 file.filename=/a read-only=true",
        r#"{"driver": "qcow2", "file": {"driver": "file", "filename": "/a"}, "node-name": "n0", "read-only": true}"#,
    );
}

#[test]
fn quotes_do_not_stay_in_the_value() {
    expect_sent(
        r#"c a="b c" d='e "f"' g=h\ i j="\"" k='' l=x"y"z"#,
        r#"{"a": "b c", "d": "e \"f\"", "g": "h i", "j": "\"", "k": "", "l": "xyz"}"#,
    );
}

#[test]
fn a_string_that_looks_like_a_number_can_be_sent() {
    expect_sent(r#"c a="5" b='true' c='null' d=\7"#, r#"{"a": "5", "b": "true", "c": "null", "d": "7"}"#);
}

#[test]
fn what_is_no_json_number_stays_as_it_is_typed() {
    expect_sent("c a=007 b=1_0 c=1.2.3 d=10M", r#"{"a": "007", "b": "1_0", "c": "1.2.3", "d": "10M"}"#);
}

#[test]
fn hexadecimal_fractions_and_null_are_values() {
    expect_sent("c a=0x1000 b=1.5 c=null d=1e3", r#"{"a": 4096, "b": 1.5, "c": null, "d": 1e3}"#);
    expect_sent("c a=18446744073709551615", r#"{"a": 18446744073709551615}"#);
}

#[test]
fn malformed_json_is_an_error() {
    expect_refused("c a={\"b\":}", "expected a JSON value here");
    expect_refused("c a=[1,2", "this `[` is not closed");
    expect_refused("c a={b:1}", "expected a quoted key or `}` here");
    expect_refused("c a=[x]", "`x` is no JSON value; a string needs quotes");
}

#[test]
fn numbered_parts_make_an_array() {
    expect_sent(
        "blockdev-add driver=quorum children.0=a children.1=b vote-threshold=1",
        r#"{"driver": "quorum", "children": ["a", "b"], "vote-threshold": 1}"#,
    );
}

#[test]
fn json_comments_out_of_band_and_help_are_taken() {
    for (lines, sent) in [
        ("{ \"execute\": \"stop\", \"id\": 7 }\n", "{\"execute\": \"stop\", \"id\": 7}\n"),
        (
            "-> { \"execute\": \"c\",\n     \"arguments\": { \"a\": [ 1,\n 2 ] } }\n<- { \"return\": {} }\n",
            "{\"execute\": \"c\", \"arguments\": {\"a\": [1, 2]}}\n",
        ),
        (
            "c {\"a\": {\"b\": 1}} d=[1, 2]  # why not\n# nothing\n",
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
fn a_server_that_is_gone_is_a_sentence() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.settle();
    server.kill();
    terminal.wait_for("The server closed the connection. The next command connects again.");
    terminal.enter("query-name");
    terminal.wait_for("error: nobody listens on ");
    terminal.wait_for_last("(not connected)");
    // Ctrl-C was a traceback too.
    terminal.type_text("query-name");
    terminal.press("C-c");
    terminal.wait_for_last("(not connected)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn quit_is_a_success() {
    // Events stand on standard error where standard output is the human monitor's.
    for (flags, line) in [(&[][..], "quit"), (&["-H", "--no-events"], "quit"), (&["-H", "--no-events"], "q")] {
        let Some(mut server) = Server::qemu(SMALL) else { return };
        let address = server.address();
        let run = qmp_shell(&[flags, &[&address]].concat()).input(format!("{line}\n")).run();
        assert_eq!(run.expect_status(0).stderr, "", "{line}");
        assert!(server.wait_for_end());
    }
}

#[test]
pub fn a_reply_over_ten_megabytes_is_shown() {
    let peer = Peer::start(|talk| {
        talk.negotiate();
        let id = talk.expect("guest-file-read");
        talk.answer(&id, &format!("\"{}\"", "x".repeat(12_000_000)));
    });
    let run = qmp_shell(&[&peer.address(), "-c", "guest-file-read"]).run();
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(run.stdout.len(), "{\"return\": \"\"}\n".len() + 12_000_000);
}

#[test]
fn an_invalid_utf8_reply_is_shown() {
    let peer = Peer::start(|talk| {
        talk.negotiate();
        let id = talk.expect("one");
        talk.say_raw(b"{\"return\": \"a\xc3(\xff\", \"id\": ");
        talk.say_raw(format!("{id}}}\n").as_bytes());
    });
    let run = qmp_shell(&[&peer.address(), "-c", "one"]).run().expect_status(0);
    assert_eq!(run.stdout, "{\"return\": \"a\u{fffd}(\u{fffd}\"}\n");
}

#[test]
pub fn events_before_the_greeting_are_kept() {
    let peer = Peer::start(|talk| {
        talk.event("BEFORE", "{}");
        talk.say(GREETING);
        talk.event("BETWEEN", "{}");
        let (_, id) = talk.hear_request();
        talk.event("DURING", "{}");
        talk.answer(&id, "{}");
        let id = talk.expect("one");
        talk.event("AFTER", "{}");
        talk.answer(&id, "{}");
    });
    let run = qmp_shell(&[&peer.address(), "-c", "one"]).run().expect_status(0);
    let names: Vec<_> = run.lines().into_iter().map(|line| line.split('"').rev().nth(3)).collect();
    let names: Vec<_> = names.into_iter().map(Option::unwrap_or_default).collect();
    assert_eq!(names, ["BEFORE", "BETWEEN", "DURING", "AFTER", ""], "{run:#?}");
}

#[test]
fn a_number_that_json_does_not_have_is_shown() {
    let peer = Peer::start(|talk| {
        talk.negotiate();
        let id = talk.expect("one");
        talk.answer(&id, "[NaN]");
    });
    let run = qmp_shell(&[&peer.address(), "-c", "one"]).run().expect_status(0);
    assert_eq!(run.stdout, "{\"return\": [NaN]}\n");
}

#[test]
fn a_bare_cpu_in_hmp_mode_says_which() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("-H {}", server.address())) else {
        return;
    };
    terminal.wait_for_last("(qemu)");
    terminal.enter("cpu");
    terminal.wait_for("(qemu) cpu\nCPU 0\n(qemu)");
    terminal.enter("cpu 1");
    terminal.enter("cpu");
    terminal.wait_for("(qemu) cpu\nCPU 1\n(qemu)");
    // So was a blank line.
    terminal.press("Enter");
    terminal.wait("two prompts", |screen| screen.ends_with("(qemu)\n(qemu)"));
}

#[test]
fn events_are_json_in_order_between_the_replies() {
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
fn a_failed_connect_leaves_the_history_file_alone() {
    let program = env!("CARGO_BIN_EXE_qmp-shell");
    let keep = "mkdir -p $XDG_STATE_HOME/qmp-shell && echo query-name > $XDG_STATE_HOME/qmp-shell/history";
    let Some(terminal) = Terminal::start(&format!("{keep}; {program} /nowhere/q.sock"), 100, 40) else {
        return;
    };
    assert_eq!(terminal.wait_for_end(), 3);
    let history = std::fs::read_to_string(terminal.home.join("qmp-shell/history")).unwrap();
    assert_eq!(history, "query-name\n");
}

#[test]
fn passwords_are_not_in_the_history_and_each_language_has_its_own() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
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
fn silence_has_an_end_and_a_sentence() {
    let silent: fn(&mut Talk) = Talk::wait_for_close;
    for (flags, said) in [(&[][..], "no greeting came"), (&["-N"], "no guest agent answered")] {
        let peer = Peer::start(silent);
        let start = Instant::now();
        let run = qmp_shell(&[flags, &["--timeout", "0.2", &peer.address(), "-c", "one"]].concat()).run();
        assert!(run.expect_status(3).stderr.contains(said));
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn pipes_get_no_banner_and_the_status_tells() {
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
fn wrap_reports_at_once_what_is_wrong_with_qemu() {
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
fn wrap_completes_and_takes_qemu_with_it_on_leaving() {
    if Server::qemu(SMALL).is_none() {
        return;
    }
    let qemu = "qemu-system-x86_64 -M none -display none -nodefaults -pidfile $HOME/qemu.pid";
    let Some(terminal) = Terminal::qmp_shell_wrap(qemu) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-name");
    terminal.wait_for("query-name\n{}\n(QEMU)");
    terminal.type_text("query-nam");
    terminal.press("Tab");
    terminal.wait("the completed command", |screen| {
        screen.lines().last().is_some_and(|line| line.starts_with("(QEMU) query-name"))
    });
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    let pid_file = terminal.home.join("qemu.pid");
    assert!(pid_file.exists(), "QEMU runs");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert!(!pid_file.exists(), "QEMU has cleaned up and ended");
}
