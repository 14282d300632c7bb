//! Scripts: lines from standard input, `-c` and `-f`, and their output. The ends of scripts are tested in `script_ends`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use expect_test::expect;

use crate::support::peer::Peer;
use crate::support::program::{Run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server, run_hmp_line};
use crate::support::snapshot::{self, Table};
use crate::support::wording;

pub const PRELAUNCH: &str = r#"{"return": {"status": "prelaunch", "running": false}}"#;
/// The status of [`SMALL`].
pub const RUNNING: &str = r#"{"return": {"status": "running", "running": true}}"#;
pub const NOTHING: &str = r#"{"return": {}}"#;

pub fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Returns the lines of a run, each event as its name.
pub fn names_and_replies(run: &Run) -> Vec<String> {
    let event = |line: &&str| -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        Some(value.get("event")?.as_str()?.to_owned())
    };
    let lines = run.lines();
    lines.iter().map(|line| event(line).unwrap_or((*line).to_owned())).collect()
}

#[test]
fn runs_files_with_any_line_ends() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let unix = "# comment\n\nquery-status   # and one after\nblockdev-add driver=null-co \\\n    node-name=n0\n\
                -> { \"execute\": \"blockdev-del\",\n     \"arguments\": {\n       'node-name': 'n0', } }\n\
                <- { \"return\": {} }\nquery-status";
    let folder = tempfile::tempdir().unwrap();
    for (what, text) in [
        ("as it is", unix.to_owned()),
        ("with carriage returns", unix.replace('\n', "\r\n")),
        ("with a last line end", format!("{unix}\n")),
        ("with a byte order mark", format!("\u{feff}{unix}")),
    ] {
        let file = write(folder.path(), "s.qmp", &text);
        let expected = [RUNNING, NOTHING, NOTHING, RUNNING];
        let run = qmp_shell(&[&server.address(), "-f", file.to_str().unwrap()]).run().expect_status(0);
        assert_eq!((run.lines(), run.stderr.as_str()), (expected.to_vec(), ""), "{what}, -f");
        let run = qmp_shell(&[&server.address()]).input(text).run().expect_status(0);
        assert_eq!((run.lines(), run.stderr.as_str()), (expected.to_vec(), ""), "{what}, piped");
    }
}

#[test]
fn lines_and_files_run_in_the_order_given() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "status.qmp", "query-status\n");
    let run = qmp_shell(&[
        "-c",
        "query-name\nquery-name",
        "-f",
        "status.qmp",
        &server.address(),
        "-f",
        "-",
        "-c",
        "transaction(",
        "-c",
        "abort",
        "-c",
        "typo x",
        "-c",
        ")",
    ])
    .in_folder(folder.path())
    .input("query-name")
    .run()
    .expect_status(1);
    assert_eq!(run.lines()[..4], [NOTHING, NOTHING, RUNNING, NOTHING]);
    snapshot::check(
        &run.stderr,
        expect![[r#"
            -c:5: unknown transaction action `typo`
              typo x
              ^^^^
            -c:6: the transaction was not sent, because one of its lines was wrong
        "#]],
    );
}

#[test]
fn reports_each_failed_line_and_goes_on() {
    let Some(server) = Server::qemu(Q35) else { return };
    let folder = tempfile::tempdir().unwrap();
    let lines = "query-status\n\
                 # a comment and a blank line have no reply\n\
                 \n\
                 query-status oops\n\
                 blockdev-add {\"driver\": \"null-co\",\n  \"node-name\": }\n\
                 device_del id=none\n\
                 .hmp nonsense\n\
                 .hlep\n\
                 query-status";
    write(folder.path(), "cmds.qmp", lines);
    let run = qmp_shell(&[&server.address(), "-f", "cmds.qmp"]).in_folder(folder.path()).run();
    run.check(expect![[r#"
        {"return": {"status": "prelaunch", "running": false}}
        {"error": {"class": "NotSent", "desc": "expected `key=value`, found `oops`; it takes no keys"}}
        {"error": {"class": "NotSent", "desc": "expected a JSON value, found `}`"}}
        {"error": {"class": "DeviceNotFound", "desc": "Device 'none' not found"}}
        {"return": "unknown command: 'nonsense'\r\n"}
        {"return": {"status": "prelaunch", "running": false}}
        stderr: cmds.qmp:4: expected `key=value`, found `oops`; it takes no keys
        stderr:   query-status oops
        stderr:                ^^^^
        stderr: cmds.qmp:5: expected a JSON value, found `}`
        stderr:     "node-name": }
        stderr:                  ^
        stderr: cmds.qmp:9: unknown dot command `.hlep`; did you mean `.help`?
        stderr:   .hlep
        stderr:   ^^^^^
        status: 1
    "#]]);

    // The same from standard input, stopped at the first failure.
    let stopped = qmp_shell(&[&server.address(), "-e"]).input(lines).run().expect_status(1);
    assert_eq!(stopped.lines(), run.lines()[..2]);
    assert!(stopped.stderr.starts_with("<stdin>:4: "), "{}", stopped.stderr);
    let run = qmp_shell(&[&server.address(), "-c", ".set exit-on-error on", "-c", "nonsense", "-c", "query-status"])
        .run()
        .expect_status(1);
    assert_eq!(run.lines().len(), 1, "{run:#?}");
}

#[test]
fn takes_the_address_from_the_environment() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    for (variable, args, status, found) in [
        (address.as_str(), vec!["-c", "query-status"], 0, RUNNING),
        ("/nonexistent", vec![&address, "-c", "query-status"], 0, RUNNING),
        ("no:port:here", vec!["--help"], 0, "QMP_SOCKET"),
        ("no:port:here", vec!["-c", "query-status"], 2, ""),
        ("", vec!["-c", "query-status"], 2, ""),
        ("", vec![&address, "-c", "query-status"], 0, RUNNING),
    ] {
        let run = qmp_shell(&args).env("QMP_SOCKET", variable).run().expect_status(status);
        assert!(run.stdout.contains(found), "{variable} {args:?}: {run:#?}");
    }
}

#[test]
fn pretty_output_separates_values_from_errors_and_events() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines = "query-status\nnonsense\nquery-status oops\ncont\n.wait RESUME timeout=10\n";
    for option in ["-p", "--output=pretty"] {
        let text = if option == "-p" { lines.to_owned() } else { format!("stop\n{lines}") };
        let run = qmp_shell(&[&server.address(), option]).input(text).run().expect_status(1);
        assert!(run.stdout.contains("{\n  \"status\": \"p"), "{run:#?}");
        assert!(run.stdout.ends_with("\n}\n{}\n"), "{run:#?}");
        assert!(run.stderr.contains(" RESUME\n"), "{run:#?}");
        let is_event = |line: &&str| line.ends_with(" RESUME") || line.ends_with(" STOP");
        let errors: Vec<&str> = run.stderr.lines().filter(|line| !is_event(line)).collect();
        assert!(!run.stdout.contains("RESUME") && !run.stdout.contains("NotSent"), "{run:#?}");
        if option == "-p" {
            snapshot::check(
                errors.join("\n"),
                expect![[r#"
                    <stdin>:2: CommandNotFound: The command nonsense has not been found
                    <stdin>:3: expected `key=value`, found `oops`; it takes no keys
                      query-status oops
                                   ^^^^
                "#]],
            );
        }
    }
    // The output format can change during a script.
    let run = qmp_shell(&[&server.address(), "-p"])
        .input("query-name\n.set output json\nquery-name\n")
        .run()
        .expect_status(0);
    assert_eq!(run.stdout, "{}\n{\"return\": {}}\n");
}

#[test]
fn prints_numbers_strings_and_order_of_the_server() {
    let value = r#"{"z":18446744073709551615,"a": 1e3,"s":"\u00fc\/\ud800","n":-0.0,"e":[ ]}"#;
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let id = conn.expect_command("x");
        // Over many lines, as with `pretty=on`.
        conn.send(format!("{{\r\n  \"return\":\r\n {value},\n\n\"id\": {id}\r\n}}").as_bytes());
        conn.wait_for_close();
    });
    let run = qmp_shell(&[&peer.address(), "-c", "x"]).run().expect_status(0);
    assert_eq!(
        run.stdout,
        "{\"return\": {\"z\":18446744073709551615,\"a\": 1e3,\"s\":\"\\u00fc\\/\\ud800\",\"n\":-0.0,\"e\":[ ]}}\n"
    );
}

#[test]
fn returns_the_id_of_the_user() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[&server.address()])
        .input(
            "{'execute': 'query-status', 'id': {'a': [1, 1.0, 'x']}}\n{\"execute\": \"nonsense\", \"id\": \"me\"}\nquery-name\n",
        )
        .run()
        .expect_status(1);
    assert_eq!(
        run.lines(),
        [
            r#"{"return": {"status": "running", "running": true}, "id": {"a": [1, 1.0, "x"]}}"#,
            r#"{"error": {"class": "CommandNotFound", "desc": "The command nonsense has not been found"}, "id": "me"}"#,
            NOTHING
        ]
    );
}

#[test]
fn sends_out_of_band_commands() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[&server.address()])
        .input("exec-oob query-yank\n{\"exec-oob\": \"query-yank\", \"id\": 7}\nexec-oob query-status\n")
        .run()
        .expect_status(1);
    let lines = run.lines();
    assert!(lines[0].starts_with(r#"{"return": [{"type": "chardev", "#), "{run:#?}");
    assert!(lines[1].ends_with(r#"], "id": 7}"#), "{run:#?}");
    assert_eq!(
        lines[2],
        r#"{"error": {"class": "GenericError", "desc": "The command query-status does not support OOB"}}"#
    );
}

#[test]
fn prints_events_in_order_of_arrival() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines = "cont\nstop\ncont\n.wait RESUME\nstop\n";
    let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(0);
    assert_eq!(names_and_replies(&run), ["RESUME", NOTHING, "STOP", NOTHING, "RESUME", NOTHING, "STOP", NOTHING]);
    let run = qmp_shell(&[&server.address(), "--no-events"]).input(lines).run().expect_status(0);
    assert_eq!(run.lines(), [NOTHING; 4], "hidden events end a wait");
}

#[test]
fn keeps_the_order_of_thousands_of_events_and_a_reply() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("x");
        for n in 0..1000 {
            conn.send_event("TICK", &format!("{{\"n\": {n}}}"));
        }
        conn.reply(&id, "{}");
        for n in 1000..2000 {
            conn.send_event("TICK", &format!("{{\"n\": {n}}}"));
        }
        conn.wait_for_close();
    });
    let run = qmp_shell(&[&peer.address(), "-c", "x", "-c", ".wait TICK n=1999 timeout=20"]).run().expect_status(0);
    let mut expected: Vec<String> = (0..2000)
        .map(|n| {
            format!("{{\"timestamp\": {{\"seconds\": 1700000000, \"microseconds\": 345678}}, \"event\": \"TICK\", \"data\": {{\"n\": {n}}}}}")
        })
        .collect();
    expected.insert(1000, NOTHING.to_owned());
    assert_eq!(run.lines(), expected);
}

#[test]
fn wait_does_not_miss_an_event() {
    let Some(server) = Server::qemu(Q35) else { return };
    // Each of these events comes before the reply of the command that causes it.
    let lines = "cont\n.wait RESUME timeout=10\nstop\n.wait STOP timeout=10\n\
         blockdev-create job-id=j0 options.driver=qcow2 options.file=n0 options.size=1048576\n\
         # two waits for two events of one command, in reverse order\n\
         .wait JOB_STATUS_CHANGE id=j0 status=concluded timeout=10\n\
         .wait job_status_* id=j0 status=running timeout=10\n\
         job-dismiss id=j0\n.wait JOB_STATUS_CHANGE status=null timeout=10\n";
    std::fs::write(server.path("disk"), "").unwrap();
    let node = format!("blockdev-add driver=file node-name=n0 filename={}", server.path("disk"));
    qmp_shell(&[&server.address(), "-c", &node]).run().expect_status(0);
    for _ in 0..3 {
        let run = qmp_shell(&[&server.address(), "-e"]).input(lines).run().expect_status(0);
        assert_eq!(run.replies(), [NOTHING; 4], "{run:#?}");
    }
    // Events before the last command do not count, and each event ends one wait.
    let mut table = Table::new();
    for late in [
        vec!["cont", "stop", "query-status", ".wait STOP timeout=0.05"],
        vec!["cont", ".wait RESUME timeout=10", ".wait RESUME timeout=0.05"],
    ] {
        let mut args = vec![server.address()];
        args.extend(late.iter().flat_map(|line| ["-c".to_owned(), (*line).to_owned()]));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = qmp_shell(&args).run().expect_status(1);
        table.row(late.join("\n"), &run.stderr);
    }
    table.check(expect![[r#"
        > cont
        > stop
        > query-status
        > .wait STOP timeout=0.05
        -c:4: no event `STOP` within 0.05 s

        > cont
        > .wait RESUME timeout=10
        > .wait RESUME timeout=0.05
        -c:3: no event `RESUME` within 0.05 s
    "#]]);
}

#[test]
fn prints_each_reply_before_it_reads_the_next_line() {
    let Some(server) = Server::qemu(Q35) else { return };
    let mut child = qmp_shell(&[&server.address()]).start();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for (text, expected) in [("query-status\n", PRELAUNCH), ("query-name\n", NOTHING)] {
        input.write_all(text.as_bytes()).unwrap();
        line.clear();
        output.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), expected);
    }
    // An event that the script did not cause is printed at once, too.
    run_hmp_line(&server.path("hmp.sock"), "cont");
    line.clear();
    output.read_line(&mut line).unwrap();
    assert!(line.contains("\"RESUME\""), "{line}");
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn dry_run_prints_requests_and_sends_nothing() {
    // Without introspection there is nothing to connect for, whether a server is named or not.
    let missing = tempfile::tempdir().unwrap().path().join("none.sock");
    let missing = missing.to_str().unwrap();
    check_dry_run(&["--dry-run"]);
    check_dry_run(&["--dry-run", "--no-schema", missing]);
    // With introspection the server types the lines, so it must be reachable.
    qmp_shell(&["--dry-run", missing, "-c", "query-status"]).run().check(expect![[r#"
        stderr: qmp-shell: there is no socket at `{DIR}/none.sock`; a QEMU started with `-qmp unix:{DIR}/none.sock,server=on,wait=off` creates one
        status: 3
    "#]]);
}

#[track_caller]
fn check_dry_run(args: &[&str]) {
    let run = qmp_shell(args)
        .input(
            "query-status\nblockdev-add driver=raw node-name=r0 file.driver=null-co file.size=0x10\n\
             typo x\n{'exec-oob': 'yank', 'arguments': {'instances': []}, 'id': 5}\n\
             transaction(\nabort\n)\n.wait STOP\n.hmp info status\nquit\n.hmp\nquit\ncpu 1\ninfo cpus\n",
        )
        .run()
        .expect_status(1);
    run.check(expect![[r#"
        {"execute": "query-status"}
        {"execute": "blockdev-add", "arguments": {"driver": "raw", "node-name": "r0", "file": {"driver": "null-co", "size": 16}}}
        {"error": {"class": "NotSent", "desc": "expected `key=value`, found `x`"}}
        {"exec-oob": "yank", "arguments": {"instances": []}, "id": 5}
        {"execute": "transaction", "arguments": {"actions": [{"type": "abort", "data": {}}]}}
        {"execute": "human-monitor-command", "arguments": {"command-line": "info status"}}
        {"execute": "quit"}
        {"execute": "human-monitor-command", "arguments": {"command-line": "quit"}}
        {"execute": "human-monitor-command", "arguments": {"command-line": "cpu 1", "cpu-index": 1}}
        {"execute": "human-monitor-command", "arguments": {"command-line": "info cpus", "cpu-index": 1}}
        stderr: <stdin>:3: expected `key=value`, found `x`
        stderr:   typo x
        stderr:        ^
        status: 1
    "#]]);
}

#[test]
fn complete_prints_the_candidates_of_tab() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[&server.address(), "--complete", "query-sta"]).run().expect_status(0);
    let names: Vec<&str> = run.lines().iter().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(names, ["query-stats", "query-stats-schemas", "query-status"]);
    assert!(run.stdout.lines().all(|line| line.contains('\t')), "{run:#?}");
    let line = "migrate-set-capabilities capabilities.0.capability=zero-";
    let run = qmp_shell(&[&server.address(), "--complete", line]).run().expect_status(0);
    snapshot::check(
        &run.stdout,
        expect![[r#"
        zero-blocks\tdeprecated
        zero-copy-send\t
    "#]],
    );
    let run = qmp_shell(&[&server.address(), "-H", "--complete", "info stat"]).run().expect_status(0);
    assert!(run.stdout.contains("status\t"), "{run:#?}");
    // Dot commands complete without a server.
    let run = qmp_shell(&["--complete", ".ev"]).run().expect_status(0);
    assert!(run.stdout.starts_with(".events\t"), "{run:#?}");
    assert_eq!(run.stdout.lines().count(), 1);
}

#[test]
fn asks_no_question_and_prints_no_colours() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let lines = "query-commands\nnonsense\ntypo x\nquit\n";
    let run = qmp_shell(&[&server.address(), "-p"])
        .env("PAGER", "false")
        .env("CLICOLOR_FORCE", "1")
        .input(lines)
        .run()
        .expect_status(1);
    assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{run:#?}");
    assert!(!run.stdout.contains(wording::CONNECTED) && !run.stderr.contains(wording::CONNECTED));
    assert!(run.stdout.lines().count() > 500, "the output goes through a pager");
}

#[test]
fn refuses_shell_escapes_from_standard_input() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[&server.address()]).input("!echo no\nquery-name\n").run().expect_status(1);
    run.check(expect![[r#"
        {"return": {}}
        stderr: <stdin>:1: `!` is not available in scripts read from standard input
        status: 1
    "#]]);
    let run = qmp_shell(&[&server.address(), "-c", "query-name", "-c", "!echo yes; exit 3", "-c", "query-name"])
        .run()
        .expect_status(1);
    assert_eq!(run.lines(), [NOTHING, "yes", NOTHING], "in order");
}
