//! `qmp`: one command, its answer, an exit status.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;

use crate::support::peer::Peer;
use crate::support::program::{Run, qmp};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::terminal::Terminal;
use crate::support::wait_until;

/// What a run left: standard output, standard error, status.
fn left(run: &Run) -> (&str, &str, i32) {
    (&run.stdout, &run.stderr, run.status)
}

/// Runs `qmp --path ADDRESS ARGS`.
fn ask(address: &str, args: &[&str]) -> Run {
    qmp(&[&["--path", address], args].concat()).run()
}

#[test]
fn an_answer_is_flat_a_line_of_json_or_indented() {
    let Some(server) = Server::qemu(Q35) else { return };
    let address = server.address();
    for (args, stdout) in [
        (vec!["query-status"], "status: prelaunch\nrunning: false\n"),
        (vec!["-o", "json", "query-status"], "{\"return\": {\"status\": \"prelaunch\", \"running\": false}}\n"),
        (vec!["-o", "pretty", "query-status"], "{\n  \"status\": \"prelaunch\",\n  \"running\": false\n}\n"),
        (vec!["stop"], ""),
        (vec!["-o", "json", "stop"], "{\"return\": {}}\n"),
        (vec!["query-block-jobs"], ""),
        (vec!["blockdev-add", "--driver=null-co", "--node-name=n0", "--size=1.5G", "--read-only"], ""),
        (vec!["human-monitor-command", "--command-line=info status"], "VM status: paused (prelaunch)\n"),
        (vec!["qom-get", "path=/machine", "--property=type"], "pc-q35-10.0-machine\n"),
        (vec!["-o", "json", "{\"execute\": \"query-name\", \"id\": 7}"], "{\"return\": {}, \"id\": 7}\n"),
    ] {
        assert_eq!(left(&ask(&address, &args)), (stdout, "", 0), "{args:?}");
    }
    let run = ask(&address, &["query-named-block-nodes"]);
    for line in ["item[0].node-name: n0", "item[0].image.virtual-size: 1610612736", "item[0].ro: true"] {
        assert!(run.lines().contains(&line), "{line} in {run:#?}");
    }
    // A bare name is sent at once: nobody asks for introspection.
    let run = ask(&address, &["-v", "query-status"]).expect_status(0);
    assert_eq!(run.stderr, "-> {\"execute\": \"query-status\"}\n");
}

#[test]
fn an_older_qemu_and_a_storage_daemon_answer_as_well() {
    let qemu = Server::qemu_7_2(Q35);
    if let Some(server) = qemu {
        assert_eq!(ask(&server.address(), &["query-status"]).lines()[0], "status: prelaunch");
        ask(&server.address(), &["blockdev-add", "driver=null-co", "node-name=n", "size=4k"]).expect_status(0);
        ask(&server.address(), &["blockdev-add", "driver=null-co", "node-nme=n"]).expect_status(1);
    }
    let Some(server) = Server::storage_daemon() else { return };
    ask(&server.address(), &["blockdev-add", "--driver=null-co", "--node-name=n"]).expect_status(0);
    let run = ask(&server.address(), &["query-named-block-nodes"]).expect_status(0);
    assert!(run.lines().contains(&"item[0].node-name: n"), "{run:#?}");
}

#[test]
fn a_guest_agent_answers_with_the_flag_for_it() {
    let Some(server) = Server::guest_agent() else { return };
    let address = server.address();
    assert_eq!(left(&ask(&address, &["-N", "guest-sync", "--id=5"])), ("5\n", "", 0));
    assert_eq!(left(&ask(&address, &["-N", "guest-ping"])), ("", "", 0));
    let run = ask(&address, &["-N", "guest-pign"]).expect_status(1);
    assert!(run.stderr.ends_with("\ndid you mean `guest-ping`?\n"), "{run:#?}");
    // The shell is told, and may be told again.
    let programs = path_with(Path::new(env!("CARGO_BIN_EXE_qmp")).parent().unwrap());
    for words in [&["-N", "shell", "-c", "guest-ping"][..], &["-N", "shell", "-N", "-c", "guest-ping"]] {
        let run = qmp(words).env("QMP_PATH", &address).env("PATH", &programs).run();
        assert_eq!(left(&run), ("{\"return\": {}}\n", "", 0));
    }
}

#[test]
fn the_environment_names_the_server_where_nothing_else_does() {
    const RUNNING: &str = "status: running\nrunning: true\n";
    let run = |path: &str, socket: &str, args: &[&str]| {
        let run = qmp(&[args, &["query-status"]].concat()).env("QMP_PATH", path).env("QMP_SOCKET", socket).run();
        (run.stdout, run.status)
    };
    assert_eq!(run("demo:", "/nowhere", &[]), (RUNNING.to_owned(), 0));
    assert_eq!(run("", "demo:", &[]), (RUNNING.to_owned(), 0));
    assert_eq!(run("/nowhere", "demo:", &[]), (String::new(), 3));
    assert_eq!(run("/nowhere", "/nowhere", &["--path=demo:"]), (RUNNING.to_owned(), 0));
    let error = qmp(&["query-status"]).env("QMP_PATH", "host:port").run().expect_status(2).stderr;
    assert!(error.starts_with("qmp: QMP_PATH: `port` is no port number"), "{error}");
}

#[test]
fn arguments_are_typed_and_checked_as_in_the_shell() {
    let Some(server) = Server::qemu(Q35) else { return };
    let address = server.address();
    for (args, sent) in [
        (
            vec!["blockdev-add", "--driver=null-co", "--node-name=007", "--size=0x1000", "--read-only"],
            r#"{"driver": "null-co", "node-name": "007", "size": 4096, "read-only": true}"#,
        ),
        (
            vec!["blockdev-add", "{\"driver\": \"raw\"}", "--node-name=it's a \"node\"", "file.driver=null-co"],
            r#"{"driver": "raw", "node-name": "it's a \"node\"", "file": {"driver": "null-co"}}"#,
        ),
        (
            vec!["blockdev-add", "driver=quorum", "--vote-threshold=2", "--children=a,b"],
            r#"{"driver": "quorum", "vote-threshold": 2, "children": ["a", "b"]}"#,
        ),
        (
            vec!["transaction", "--actions=[{\"type\": \"abort\", \"data\": {}}]"],
            r#"{"actions": [{"type": "abort", "data": {}}]}"#,
        ),
    ] {
        let sent = format!("{{\"execute\": \"{}\", \"arguments\": {sent}}}\n", args[0]);
        assert_eq!(left(&ask(&address, &[&["--dry-run"], &args[..]].concat())), (sent.as_str(), "", 0));
    }
    // Without a server, and without its introspection, values are what they look like.
    let run = qmp(&["--dry-run", "x", "--n=1", "--s=a b", "--flag"]).run();
    assert_eq!(run.stdout, "{\"execute\": \"x\", \"arguments\": {\"n\": 1, \"s\": \"a b\", \"flag\": true}}\n");
    let error = "qmp: `blockdev-add` with driver=null-co has no key `node-nme`; did you mean `node-name`?\n  \
                 blockdev-add driver=null-co node-nme=x\n                              ^^^^^^^^\n";
    let typo = ["blockdev-add", "--driver=null-co", "--node-nme=x"];
    assert_eq!(left(&ask(&address, &typo)), ("", error, 1));
    let run = ask(&address, &[&["-o", "json"], &typo[..]].concat()).expect_status(1);
    assert!(run.stdout.starts_with("{\"error\": {\"class\": \"NotSent\", \"desc\": \"`blockdev-add` with"), "{run:#?}");
    let run = ask(&address, &[&["--no-check"], &typo[..]].concat()).expect_status(1);
    assert!(run.stderr.starts_with("GenericError: "), "the server judged: {run:#?}");
}

#[test]
fn what_is_wrong_is_said_and_the_status_says_so_too() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    let dies = Peer::start(|talk| {
        talk.negotiate();
        talk.expect("query-status");
    });
    let path = ["--path", &address];
    for (status, args, message) in [
        (
            1,
            vec!["query-nmae"],
            "CommandNotFound: The command query-nmae has not been found\ndid you mean `query-name`?\n",
        ),
        (1, vec!["device_del", "id=net0"], "DeviceNotFound: Device 'net0' not found\n"),
        (
            1,
            vec!["query-status", "oops"],
            "qmp: expected `key=value`, found `oops`\n  query-status oops\n               ^^^^\n",
        ),
        (
            1,
            vec!["object-add", "--qom-type", "iothread", "--id=io0"],
            "qmp: expected `key=value`, found `iothread`; did you mean `--qom-type=iothread`?\n",
        ),
        (2, vec![".events"], "qmp: `.events` is not the name of a command\n"),
        (2, vec!["/run/b.sock", "stop"], "qmp: `/run/b.sock` is not the name of a command; a pattern"),
        (2, vec!["--no-such-option", "stop"], "error: unexpected argument '--no-such-option'"),
        (2, vec![], "qmp: no COMMAND is named; try `qmp help`"),
        (2, vec!["-l", "/", "stop"], "qmp: cannot write the log file `/`"),
        (2, vec!["--count", "1", "stop"], "error: the following required arguments were not provided"),
    ] {
        let run = qmp(&[&path[..], &args].concat()).run().expect_status(status);
        assert!(run.stderr.starts_with(message), "{run:#?}");
        assert_eq!(run.stdout, "", "{run:#?}");
    }
    let run = qmp(&["stop"]).run().expect_status(2);
    assert!(run.stderr.starts_with("qmp: no --path is named, and neither QMP_PATH nor QMP_SOCKET is set;"), "{run:#?}");
    let run = ask("/nowhere", &["stop"]).expect_status(3);
    assert!(run.stderr.starts_with("qmp: there is no socket at `/nowhere`"), "{run:#?}");
    // What is wrong without any server needs none to be said.
    ask("/nowhere", &["stop", "now"]).expect_status(1);
    let run = ask(&dies.address(), &["query-status"]).expect_status(4);
    let message = "qmp: The server closed the connection before `query-status` was answered. Nobody can know whether \
                   it was carried out.\n";
    assert_eq!(left(&run), ("", message, 4));
    assert_eq!(left(&ask(&address, &["quit"])), ("", "", 0));
    assert!(server.wait_for_end());
}

#[test]
fn a_reply_is_shown_as_the_server_spelled_it_and_harmless() {
    let reply = r#"{"big": 18446744073709551615, "exp": 1e3, "esc": "\u001b[2J\n", "deep": [[{}]], "nan": nan}"#;
    let peer = Peer::start_all(
        ["x", "text", "x"]
            .map(|command| -> crate::support::peer::Script {
                Box::new(move |talk| {
                    talk.negotiate();
                    let id = talk.expect(command);
                    talk.event("STOP", "{}");
                    talk.answer(&id, if command == "text" { r#""a\r\n\u0007b\r\n""# } else { reply });
                    talk.wait_for_close();
                })
            })
            .into(),
    );
    let run = ask(&peer.address(), &["x"]).expect_status(0);
    assert_eq!(run.stdout, "big: 18446744073709551615\nexp: 1e3\nesc: \\x1b[2J\\n\ndeep[0][0]: {}\nnan: nan\n");
    assert_eq!(ask(&peer.address(), &["text"]).stdout, "a\n\\x07b\n");
    assert_eq!(ask(&peer.address(), &["-o", "json", "x"]).stdout, format!("{{\"return\": {reply}}}\n"));
}

/// A folder that holds a program `qmp-NAME` which tells how it was run.
fn folder_with_program(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("qmp-{name}"));
    let script = "#!/bin/sh\necho \"$QMP_PATH $QMP_SOCKET [$#] $*\"\necho beside >&2\nexit 7\n";
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

/// PATH with this folder before all others.
fn path_with(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[test]
fn a_command_that_the_server_lacks_is_a_program_of_that_name() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    let folder = folder_with_program("vm-report");
    let path = path_with(folder.path());
    let run = qmp(&["--path", &address, "vm-report", "--deep=a b", "oops", "--", "-x"]).env("PATH", &path).run();
    assert_eq!(left(&run), (format!("{address} {address} [4] --deep=a b oops -- -x\n").as_str(), "beside\n", 7));
    // The monitor serves one client at a time: ours has left when the program begins.
    let programs = Path::new(env!("CARGO_BIN_EXE_qmp")).parent().unwrap();
    let run = qmp(&["shell", "-c", "query-name"]).env("QMP_PATH", &address).env("PATH", &path_with(programs)).run();
    assert_eq!(left(&run), ("{\"return\": {}}\n", "", 0));
    // Without a server nobody has the command; one that is not there may have it.
    assert_eq!(qmp(&["vm-report"]).env("PATH", &path).run().expect_status(7).stdout, "  [0] \n");
    ask("/nowhere", &["vm-report"]).expect_status(3);
    // A command of the server's own is not taken over.
    let folder = folder_with_program("query-name");
    let run = qmp(&["--path", &address, "query-name"]).env("PATH", &path_with(folder.path())).run();
    assert_eq!(left(&run), ("", "", 0));
    let run = ask(&address, &["no-such-program"]).expect_status(1);
    assert!(run.stderr.starts_with("CommandNotFound: "), "{run:#?}");
}

#[test]
fn help_is_that_of_the_shell() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let run = ask(&server.address(), &["help", "block_resize"]).expect_status(0);
    assert!(run.stdout.starts_with("block_resize  command\n  device     [str]\n"), "{run:#?}");
    assert!(ask("demo:", &["help", "STOP"]).stdout.starts_with("STOP  event\n"));
    assert!(qmp(&["help"]).run().expect_status(0).stdout.contains("\n  qmp help apropos WORD "));
    let run = ask(&server.address(), &["help", "block_resiez"]).expect_status(1);
    assert!(run.stderr.starts_with("qmp: there is no help on `block_resiez`; did you mean"), "{run:#?}");
    // Without a server the manual has the word, where it is installed.
    let run = ask("/nowhere", &["help", "block_resize"]);
    assert!(run.stderr.starts_with("qmp: warning: there is no socket at `/nowhere`"), "{run:#?}");
    let manual = Path::new("/usr/share/man/man7/qemu-qmp-ref.7.gz").exists();
    assert_eq!(run.status, if manual { 0 } else { 1 }, "{run:#?}");
    assert_eq!(run.stdout.starts_with("block_resize  command, since 0.14\n"), manual, "{run:#?}");
}

#[test]
fn secrets_stay_out_of_what_is_shown_and_kept() {
    let Some(server) = Server::qemu(Q35) else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let args = ["-v", "-l", log.to_str().unwrap(), "set_password", "--protocol=vnc", "--password=hunter2"];
    let run = ask(&server.address(), &args).expect_status(1);
    assert!(run.stderr.contains("\"password\": \"<secret>\""), "{run:#?}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("set_password") && !log.contains("hunter2") && !run.stderr.contains("hunter2"), "{log}");
}

#[test]
fn an_output_that_nobody_reads_ends_it_quietly_and_one_that_is_full_does_not() {
    let shell = |script: &str| {
        let output = Command::new("bash").args(["-c", script, env!("CARGO_BIN_EXE_qmp")]).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    // The reader waits for the end of a pipe that it holds no end of: it has ended when the program begins.
    let (stdout, stderr) =
        shell("{ while kill -0 $! 2>&-; do :; done; \"$0\" --path demo: query-qmp-schema; echo $? >&2; } > >(:)");
    assert_eq!((stdout.as_str(), stderr.as_str()), ("", "0\n"));
    let (_, stderr) = shell("\"$0\" --path demo: query-status > /dev/full; echo $? >&2");
    assert_eq!(stderr, "qmp: cannot write to standard output: No space left on device (os error 28)\n1\n");
}

#[test]
fn ctrl_c_ends_it_at_once() {
    let (heard, is_heard) = channel();
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        talk.expect("query-status");
        heard.send(()).unwrap();
        talk.wait_for_close();
    });
    let mut child = qmp(&["--path", &peer.address(), "query-status"]).start();
    is_heard.recv().unwrap();
    assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
    wait_until("its end", || child.try_wait().unwrap().is_some());
    use std::os::unix::process::ExitStatusExt;
    // A shell calls that 130.
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}

#[test]
fn at_a_terminal_answers_have_colour_and_help_its_pager() {
    let Some(terminal) = Terminal::start(&format!("{} --path demo: query-status", env!("CARGO_BIN_EXE_qmp")), 80, 24)
    else {
        return;
    };
    assert_eq!(terminal.wait_for_end(), 0);
    let screen = terminal.coloured_screen();
    assert!(screen.starts_with("\u{1b}[34mstatus\u{1b}[39m: \u{1b}[32mrunning"), "{screen:?}");
    let Some(server) = Server::qemu(SMALL) else { return };
    let (program, address) = (env!("CARGO_BIN_EXE_qmp"), server.address());
    // A monitor serves one client at a time: it has been left when the reading begins.
    let folder = tempfile::tempdir().unwrap();
    let pager = folder.path().join("pager");
    std::fs::write(&pager, format!("#!/bin/sh\nsed 's/^/PAGED /'; {program} --path {address} query-status\n")).unwrap();
    std::fs::set_permissions(&pager, PermissionsExt::from_mode(0o755)).unwrap();
    let command = format!("PAGER={} {program} --path {address} help blockdev-add", pager.display());
    let Some(terminal) = Terminal::start(&command, 80, 10) else { return };
    assert_eq!(terminal.wait_for_end(), 0);
    let shown = terminal.scrollback();
    assert!(shown.starts_with("PAGED blockdev-add") && shown.contains("\nstatus: running\n"), "{shown}");
}
