//! Scripts: lines from standard input, `-c` and `-f`, and what comes out. How they end is in `script_ends`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use crate::support::peer::Peer;
use crate::support::program::{Run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server, say_to_human_monitor};

pub const PRELAUNCH: &str = r#"{"return": {"status": "prelaunch", "running": false}}"#;
/// The status of [`SMALL`], which runs.
pub const RUNNING: &str = r#"{"return": {"status": "running", "running": true}}"#;
pub const NOTHING: &str = r#"{"return": {}}"#;

pub fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// What a run printed, each event as its name alone.
pub fn names_and_replies(run: &Run) -> Vec<String> {
    let event = |line: &&str| -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        Some(value.get("event")?.as_str()?.to_owned())
    };
    let lines = run.lines();
    lines.iter().map(|line| event(line).unwrap_or((*line).to_owned())).collect()
}

#[test]
fn a_script_from_a_file_of_any_make() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let unix = "# comment\n\nquery-status   # and one behind\nblockdev-add driver=null-co \\\n    node-name=n0\n\
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
    assert!(run.stderr.contains("-c:5: "), "lines are counted from the first to the last: {}", run.stderr);
}

#[test]
fn every_line_that_fails_leaves_its_mark_and_the_script_goes_on() {
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
    let run = qmp_shell(&[&server.address(), "-f", "cmds.qmp"]).in_folder(folder.path()).run().expect_status(1);
    let out = run.lines();
    assert_eq!(out.len(), 6, "{run:#?}");
    assert_eq!((out[0], out[5]), (PRELAUNCH, PRELAUNCH));
    assert_eq!(out[1], r#"{"error": {"class": "NotSent", "desc": "expected `key=value`, found `oops`"}}"#);
    assert!(out[2].starts_with(r#"{"error": {"class": "NotSent", "desc": ""#), "{out:?}");
    assert_eq!(out[3], r#"{"error": {"class": "DeviceNotFound", "desc": "Device 'none' not found"}}"#);
    assert_eq!(out[4], r#"{"return": "unknown command: 'nonsense'\r\n"}"#);
    let err = run.stderr.as_str();
    assert!(
        err.contains("cmds.qmp:4: expected `key=value`, found `oops`\n  query-status oops\n               ^^^^\n"),
        "{err}"
    );
    assert!(err.contains("cmds.qmp:5: "), "a line is named by its first physical line: {err}");
    assert!(err.contains("cmds.qmp:9: the shell has no command `.hlep`; did you mean `.help`?"), "{err}");

    // The same through standard input, stopped at the first failure.
    let run = qmp_shell(&[&server.address(), "-e"]).input(lines).run().expect_status(1);
    assert_eq!(run.lines(), out[..2]);
    assert!(run.stderr.starts_with("<stdin>:4: "), "{}", run.stderr);
    let run = qmp_shell(&[&server.address(), "-c", ".set exit-on-error on", "-c", "nonsense", "-c", "query-status"])
        .run()
        .expect_status(1);
    assert_eq!(run.lines().len(), 1, "{run:#?}");
}

#[test]
fn the_address_comes_from_the_environment_where_none_is_named() {
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
fn pretty_output_keeps_values_apart_from_errors_and_events() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines = "query-status\nnonsense\nquery-status oops\ncont\n.wait RESUME timeout=10\n";
    for flag in ["-p", "--output=pretty"] {
        let text = if flag == "-p" { lines.to_owned() } else { format!("stop\n{lines}") };
        let run = qmp_shell(&[&server.address(), flag]).input(text).run().expect_status(1);
        assert!(run.stdout.contains("{\n  \"status\": \"p"), "{run:#?}");
        assert!(run.stdout.ends_with("\n}\n{}\n"), "{run:#?}");
        for part in [
            "CommandNotFound: The command nonsense has not been found\n",
            ": expected `key=value`, found `oops`\n",
            " RESUME\n",
        ] {
            assert!(run.stderr.contains(part), "{part}: {run:#?}");
        }
        assert!(!run.stdout.contains("RESUME") && !run.stdout.contains("NotSent"), "{run:#?}");
    }
    // The form can change on the way.
    let run = qmp_shell(&[&server.address(), "-p"])
        .input("query-name\n.set output json\nquery-name\n")
        .run()
        .expect_status(0);
    assert_eq!(run.stdout, "{}\n{\"return\": {}}\n");
}

#[test]
fn numbers_strings_and_order_are_the_servers_own() {
    let value = r#"{"z":18446744073709551615,"a": 1e3,"s":"\u00fc\/\ud800","n":-0.0,"e":[ ]}"#;
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        let id = talk.expect("x");
        // Over many lines, as `pretty=on` has it.
        talk.say_raw(format!("{{\r\n  \"return\":\r\n {value},\n\n\"id\": {id}\r\n}}").as_bytes());
        talk.wait_for_close();
    });
    let run = qmp_shell(&[&peer.address(), "-c", "x"]).run().expect_status(0);
    assert_eq!(
        run.stdout,
        "{\"return\": {\"z\":18446744073709551615,\"a\": 1e3,\"s\":\"\\u00fc\\/\\ud800\",\"n\":-0.0,\"e\":[ ]}}\n"
    );
}

#[test]
fn the_users_id_is_in_the_reply() {
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
fn out_of_band_commands_are_sent_as_such() {
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
fn events_stand_where_they_came() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines = "cont\nstop\ncont\n.wait RESUME\nstop\n";
    let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(0);
    assert_eq!(names_and_replies(&run), ["RESUME", NOTHING, "STOP", NOTHING, "RESUME", NOTHING, "STOP", NOTHING]);
    let run = qmp_shell(&[&server.address(), "--no-events"]).input(lines).run().expect_status(0);
    assert_eq!(run.lines(), [NOTHING; 4], "hidden events still serve a wait");
}

#[test]
fn a_thousand_events_before_and_after_a_reply_keep_their_order() {
    let peer = Peer::start(|talk| {
        talk.negotiate();
        let id = talk.expect("x");
        for n in 0..1000 {
            talk.event("TICK", &format!("{{\"n\": {n}}}"));
        }
        talk.answer(&id, "{}");
        for n in 1000..2000 {
            talk.event("TICK", &format!("{{\"n\": {n}}}"));
        }
        talk.wait_for_close();
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
fn a_wait_cannot_miss_the_event() {
    let Some(server) = Server::qemu(Q35) else { return };
    // Each of these events comes before the reply of the command that causes it.
    let lines = "cont\n.wait RESUME timeout=10\nstop\n.wait STOP timeout=10\n\
         blockdev-create job-id=j0 options.driver=qcow2 options.file=n0 options.size=1048576\n\
         # two waits for two events of one command, the later one first\n\
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
    // What came before the last command does not count, and each event serves one wait.
    for late in [
        vec!["cont", "stop", "query-status", ".wait STOP timeout=0.05"],
        vec!["cont", ".wait RESUME timeout=10", ".wait RESUME timeout=0.05"],
    ] {
        let mut args = vec![server.address()];
        args.extend(late.iter().flat_map(|line| ["-c".to_owned(), (*line).to_owned()]));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = qmp_shell(&args).run().expect_status(1);
        assert!(run.stderr.contains("no event `"), "{run:#?}");
    }
}

#[test]
fn each_reply_is_out_before_the_next_line_is_needed() {
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
    // An event that nothing in the script caused is out as well.
    say_to_human_monitor(&server.path("hmp.sock"), "cont");
    line.clear();
    output.read_line(&mut line).unwrap();
    assert!(line.contains("\"RESUME\""), "{line}");
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn dry_run_shows_what_would_be_sent_and_sends_nothing() {
    // Without introspection there is nothing to connect for, whether a server is named or not.
    let nobody = tempfile::tempdir().unwrap().path().join("none.sock");
    let nobody = nobody.to_str().unwrap();
    dry_run_of_everything(&["--dry-run"]);
    dry_run_of_everything(&["--dry-run", "--no-schema", nobody]);
    // With it, the lines are typed by the server that is named, so it has to be there.
    let run = qmp_shell(&["--dry-run", nobody, "-c", "query-status"]).run().expect_status(3);
    assert!(run.stdout.is_empty() && run.stderr.contains("there is no socket at"), "{run:#?}");
}

#[track_caller]
fn dry_run_of_everything(args: &[&str]) {
    let run = qmp_shell(args)
        .input(
            "query-status\nblockdev-add driver=raw node-name=r0 file.driver=null-co file.size=0x10\n\
             typo x\n{'exec-oob': 'yank', 'arguments': {'instances': []}, 'id': 5}\n\
             transaction(\nabort\n)\n.wait STOP\n.hmp info status\nquit\n.hmp\nquit\ncpu 1\ninfo cpus\n",
        )
        .run()
        .expect_status(1);
    assert_eq!(
        run.lines(),
        [
            r#"{"execute": "query-status"}"#,
            r#"{"execute": "blockdev-add", "arguments": {"driver": "raw", "node-name": "r0", "file": {"driver": "null-co", "size": 16}}}"#,
            r#"{"error": {"class": "NotSent", "desc": "expected `key=value`, found `x`"}}"#,
            r#"{"exec-oob": "yank", "arguments": {"instances": []}, "id": 5}"#,
            r#"{"execute": "transaction", "arguments": {"actions": [{"type": "abort", "data": {}}]}}"#,
            r#"{"execute": "human-monitor-command", "arguments": {"command-line": "info status"}}"#,
            r#"{"execute": "quit"}"#,
            r#"{"execute": "human-monitor-command", "arguments": {"command-line": "quit"}}"#,
            r#"{"execute": "human-monitor-command", "arguments": {"command-line": "cpu 1", "cpu-index": 1}}"#,
            r#"{"execute": "human-monitor-command", "arguments": {"command-line": "info cpus", "cpu-index": 1}}"#,
        ]
    );
    assert!(run.stderr.starts_with("<stdin>:3: "), "{}", run.stderr);
}

#[test]
fn complete_prints_what_tab_would_offer() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[&server.address(), "--complete", "query-sta"]).run().expect_status(0);
    let names: Vec<&str> = run.lines().iter().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(names, ["query-stats", "query-stats-schemas", "query-status"]);
    assert!(run.stdout.lines().all(|line| line.contains('\t')), "{run:#?}");
    let line = "migrate-set-capabilities capabilities.0.capability=zero-";
    let run = qmp_shell(&[&server.address(), "--complete", line]).run().expect_status(0);
    assert_eq!(run.lines(), ["zero-blocks\tdeprecated", "zero-copy-send\t"]);
    let run = qmp_shell(&[&server.address(), "-H", "--complete", "info stat"]).run().expect_status(0);
    assert!(run.stdout.contains("status\t"), "{run:#?}");
    // Without a server, the shell's own commands are there still.
    let run = qmp_shell(&["--complete", ".ev"]).run().expect_status(0);
    assert!(run.stdout.starts_with(".events\t"), "{run:#?}");
    assert_eq!(run.stdout.lines().count(), 1);
}

#[test]
fn a_script_asks_nothing_and_colours_nothing() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let lines = "query-commands\nnonsense\ntypo x\nquit\n";
    let run = qmp_shell(&[&server.address(), "-p"])
        .env("PAGER", "false")
        .env("CLICOLOR_FORCE", "1")
        .input(lines)
        .run()
        .expect_status(1);
    assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{run:#?}");
    assert!(!run.stdout.contains("Connected") && !run.stderr.contains("Connected"));
    assert!(run.stdout.lines().count() > 500, "all of it, through no pager");
}

#[test]
fn a_system_command_is_not_for_piped_scripts() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let run = qmp_shell(&[&server.address()]).input("!echo no\nquery-name\n").run().expect_status(1);
    assert_eq!(run.lines(), [NOTHING]);
    assert!(run.stderr.starts_with("<stdin>:1: "), "{}", run.stderr);
    let run = qmp_shell(&[&server.address(), "-c", "query-name", "-c", "!echo yes; exit 3", "-c", "query-name"])
        .run()
        .expect_status(1);
    assert_eq!(run.lines(), [NOTHING, "yes", NOTHING], "in order");
}
