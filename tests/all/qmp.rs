//! `qmp`: one command, its reply, an exit status.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use expect_test::expect;

use crate::support::peer::Peer;
use crate::support::program::{Run, qmp};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;
use crate::support::{send_signal, wait_until};

/// Returns standard output, standard error, and the status of a run.
fn outcome(run: &Run) -> (&str, &str, i32) {
    (&run.stdout, &run.stderr, run.status)
}

/// Runs `qmp --path ADDRESS ARGS`.
fn run_on(address: &str, args: &[&str]) -> Run {
    qmp(&[&["--path", address], args].concat()).run()
}

#[test]
fn prints_replies_flat_as_json_or_indented() {
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
        (vec!["qom-get", "path=/machine/q35", "--property=type"], "q35-pcihost\n"),
        (vec!["-o", "json", "{\"execute\": \"query-name\", \"id\": 7}"], "{\"return\": {}, \"id\": 7}\n"),
    ] {
        assert_eq!(outcome(&run_on(&address, &args)), (stdout, "", 0), "{args:?}");
    }
    let run = run_on(&address, &["query-named-block-nodes"]);
    for line in ["item[0].node-name: n0", "item[0].image.virtual-size: 1610612736", "item[0].ro: true"] {
        assert!(run.lines().contains(&line), "{line} in {run:#?}");
    }
    // A command without arguments is sent without a query for introspection.
    let run = run_on(&address, &["-v", "query-status"]).expect_status(0);
    assert_eq!(run.stderr, "-> {\"execute\": \"query-status\"}\n");
}

#[test]
fn runs_commands_on_other_servers() {
    let qemu = Server::qemu_7_2(Q35);
    if let Some(server) = qemu {
        assert_eq!(run_on(&server.address(), &["query-status"]).lines()[0], "status: prelaunch");
        run_on(&server.address(), &["blockdev-add", "driver=null-co", "node-name=n", "size=4k"]).expect_status(0);
        run_on(&server.address(), &["blockdev-add", "driver=null-co", "node-nme=n"]).expect_status(1);
    }
    let Some(server) = Server::storage_daemon() else { return };
    run_on(&server.address(), &["blockdev-add", "--driver=null-co", "--node-name=n"]).expect_status(0);
    let run = run_on(&server.address(), &["query-named-block-nodes"]).expect_status(0);
    assert!(run.lines().contains(&"item[0].node-name: n"), "{run:#?}");
}

#[test]
fn runs_commands_on_a_guest_agent() {
    let Some(server) = Server::guest_agent() else { return };
    let address = server.address();
    assert_eq!(outcome(&run_on(&address, &["-N", "guest-sync", "--id=5"])), ("5\n", "", 0));
    assert_eq!(outcome(&run_on(&address, &["-N", "guest-ping"])), ("", "", 0));
    let run = run_on(&address, &["-N", "guest-pign"]).expect_status(1);
    snapshot::check(
        run.stderr.lines().last().unwrap(),
        expect![[r#"
        did you mean `guest-ping`?
    "#]],
    );
    // `-N` is passed on to the shell, which accepts it twice.
    let programs = path_with(Path::new(env!("CARGO_BIN_EXE_qmp")).parent().unwrap());
    for words in [&["-N", "shell", "-c", "guest-ping"][..], &["-N", "shell", "-N", "-c", "guest-ping"]] {
        let run = qmp(words).env("QMP_PATH", &address).env("PATH", &programs).run();
        assert_eq!(outcome(&run), ("{\"return\": {}}\n", "", 0));
    }
}

#[test]
fn takes_the_server_from_the_environment() {
    const RUNNING: &str = "status: running\nrunning: true\n";
    let run = |path: &str, socket: &str, args: &[&str]| {
        let run = qmp(&[args, &["query-status"]].concat()).env("QMP_PATH", path).env("QMP_SOCKET", socket).run();
        (run.stdout, run.status)
    };
    assert_eq!(run("demo:", "/nowhere", &[]), (RUNNING.to_owned(), 0));
    assert_eq!(run("", "demo:", &[]), (RUNNING.to_owned(), 0));
    assert_eq!(run("/nowhere", "demo:", &[]), (String::new(), 3));
    assert_eq!(run("/nowhere", "/nowhere", &["--path=demo:"]), (RUNNING.to_owned(), 0));
    qmp(&["query-status"]).env("QMP_PATH", "host:port").run().check(expect![[r#"
        stderr: qmp: QMP_PATH: invalid port `port` in address `host:port`; for a path with a colon write `unix:host:port`
        status: 2
    "#]]);
}

#[test]
fn types_and_checks_arguments_as_the_shell_does() {
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
        assert_eq!(outcome(&run_on(&address, &[&["--dry-run"], &args[..]].concat())), (sent.as_str(), "", 0));
    }
    // Without a server values are typed by their form.
    let run = qmp(&["--dry-run", "x", "--n=1", "--s=a b", "--flag"]).run();
    assert_eq!(run.stdout, "{\"execute\": \"x\", \"arguments\": {\"n\": 1, \"s\": \"a b\", \"flag\": true}}\n");
    let typo = ["blockdev-add", "--driver=null-co", "--node-nme=x"];
    let mut table = Table::new();
    for options in [&[][..], &["-o", "json"]] {
        table.run(options.join(" "), &run_on(&address, &[options, &typo[..]].concat()));
    }
    table.check(expect![[r#"
        >
        stderr: qmp: unknown key `node-nme` for `blockdev-add` with driver=null-co; did you mean `node-name`?
        stderr:   blockdev-add driver=null-co node-nme=x
        stderr:                               ^^^^^^^^
        status: 1

        > -o json
        {"error": {"class": "NotSent", "desc": "unknown key `node-nme` for `blockdev-add` with driver=null-co; did you mean `node-name`?"}}
        stderr: qmp: unknown key `node-nme` for `blockdev-add` with driver=null-co; did you mean `node-name`?
        stderr:   blockdev-add driver=null-co node-nme=x
        stderr:                               ^^^^^^^^
        status: 1
    "#]]);
    let run = run_on(&address, &[&["--no-check"], &typo[..]].concat()).expect_status(1);
    assert!(run.stderr.starts_with("GenericError: "), "{run:#?}");
}

#[test]
fn reports_errors_with_a_status() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    let dies = Peer::start(|conn| {
        conn.negotiate();
        conn.expect_command("query-status");
    });
    let path = ["--path", &address];
    let mut table = Table::new();
    for args in [
        vec!["query-nmae"],
        vec!["device_del", "id=net0"],
        vec!["query-status", "oops"],
        vec!["object-add", "--qom-type", "iothread", "--id=io0"],
        vec![".events"],
        vec!["/run/b.sock", "stop"],
        vec!["--no-such-option", "stop"],
        vec![],
        vec!["-l", "/", "stop"],
        vec!["--count", "1", "stop"],
    ] {
        table.run(args.join(" "), &qmp(&[&path[..], &args].concat()).run());
    }
    table.run("stop, without a server", &qmp(&["stop"]).run());
    table.run("stop, without a socket", &run_on("/nowhere", &["stop"]));
    // A mistake that needs no server is found without one.
    table.run("stop x=1 now, without a socket", &run_on("/nowhere", &["stop", "x=1", "now"]));
    table.run("query-status, with a lost connection", &run_on(&dies.address(), &["query-status"]));
    table.check(expect![[r#"
        > query-nmae
        stderr: CommandNotFound: The command query-nmae has not been found
        stderr: did you mean `query-name`?
        status: 1

        > device_del id=net0
        stderr: DeviceNotFound: Device 'net0' not found
        status: 1

        > query-status oops
        stderr: qmp: expected `key=value`, found `oops`; it takes no keys
        stderr:   query-status oops
        stderr:                ^^^^
        status: 1

        > object-add --qom-type iothread --id=io0
        stderr: qmp: expected `key=value`, found `iothread`; did you mean `--qom-type=iothread`?
        stderr:   object-add qom-type=true iothread id=io0
        stderr:                            ^^^^^^^^
        status: 1

        > .events
        stderr: qmp: `.events` is not a command name
        status: 2

        > /run/b.sock stop
        stderr: qmp: `/run/b.sock` is not a command name; quote a pattern of servers: --path '*.sock'
        status: 2

        > --no-such-option stop
        stderr: error: unexpected argument '--no-such-option' found
        stderr:
        stderr:   tip: a similar argument exists: '--count'
        stderr:   tip: to pass '--no-such-option' as a value, use '-- --no-such-option'
        stderr:
        stderr: Usage: qmp [OPTIONS] COMMAND [--KEY=VALUE]...
        stderr:        qmp [OPTIONS] hmp LINE
        stderr:        qmp [OPTIONS] help [TOPIC | apropos WORD]
        stderr:        qmp [OPTIONS] --events [GLOB]...
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        >
        stderr: qmp: missing COMMAND; try `qmp help` or `qmp --help`
        status: 2

        > -l / stop
        stderr: qmp: cannot write the log file `/`: Is a directory (os error 21)
        status: 2

        > --count 1 stop
        stderr: error: the following required arguments were not provided:
        stderr:   <--events [<GLOB>...]|--every <SECONDS>>
        stderr:
        stderr: Usage: qmp [OPTIONS] COMMAND [--KEY=VALUE]...
        stderr:        qmp [OPTIONS] hmp LINE
        stderr:        qmp [OPTIONS] help [TOPIC | apropos WORD]
        stderr:        qmp [OPTIONS] --events [GLOB]...
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > stop, without a server
        stderr: qmp: no --path given, and neither QMP_PATH nor QMP_SOCKET is set; try `qmp --path demo: query-status`
        status: 2

        > stop, without a socket
        stderr: qmp: there is no socket at `/nowhere`; a QEMU started with `-qmp unix:/nowhere,server=on,wait=off` creates one
        status: 3

        > stop x=1 now, without a socket
        stderr: qmp: expected `key=value`, found `now`
        stderr:   stop x=1 now
        stderr:            ^^^
        status: 1

        > query-status, with a lost connection
        stderr: qmp: The server closed the connection before `query-status` was answered. It may or may not have been executed.
        status: 4
    "#]]);
    assert_eq!(outcome(&run_on(&address, &["quit"])), ("", "", 0));
    assert!(server.wait_for_end());
}

#[test]
fn prints_replies_in_the_spelling_of_the_server() {
    let reply = r#"{"big": 18446744073709551615, "exp": 1e3, "esc": "\u001b[2J\n", "deep": [[{}]], "nan": nan}"#;
    let peer = Peer::start_all(
        ["x", "text", "x"]
            .map(|command| -> crate::support::peer::Script {
                Box::new(move |conn| {
                    conn.negotiate();
                    let id = conn.expect_command(command);
                    conn.send_event("STOP", "{}");
                    conn.reply(&id, if command == "text" { r#""a\r\n\u0007b\r\n""# } else { reply });
                    conn.wait_for_close();
                })
            })
            .into(),
    );
    let run = run_on(&peer.address(), &["x"]).expect_status(0);
    assert_eq!(run.stdout, "big: 18446744073709551615\nexp: 1e3\nesc: \"\\u001b[2J\\n\"\ndeep[0][0]: {}\nnan: nan\n");
    assert_eq!(run_on(&peer.address(), &["text"]).stdout, "a\n\\x07b\n");
    assert_eq!(run_on(&peer.address(), &["-o", "json", "x"]).stdout, format!("{{\"return\": {reply}}}\n"));
}

/// Makes a folder with a program `qmp-NAME` that prints how it was run.
fn folder_with_program(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("qmp-{name}"));
    let script = "#!/bin/sh\necho \"$QMP_PATH $QMP_SOCKET [$#] $*\"\necho message >&2\nexit 7\n";
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

/// Returns PATH with this folder before all others.
fn path_with(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[test]
fn runs_a_program_for_a_command_that_the_server_lacks() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    let folder = folder_with_program("vm-report");
    let path = path_with(folder.path());
    let run = qmp(&["--path", &address, "vm-report", "--deep=a b", "oops", "--", "-x"]).env("PATH", &path).run();
    assert_eq!(outcome(&run), (format!("{address} {address} [4] --deep=a b oops -- -x\n").as_str(), "message\n", 7));
    // The monitor serves one client at a time, so `qmp` disconnects before it runs the program.
    let programs = Path::new(env!("CARGO_BIN_EXE_qmp")).parent().unwrap();
    let run = qmp(&["shell", "-c", "query-name"]).env("QMP_PATH", &address).env("PATH", &path_with(programs)).run();
    assert_eq!(outcome(&run), ("{\"return\": {}}\n", "", 0));
    // A program is run without an address, but not for a server that cannot be reached: it may have the command.
    assert_eq!(qmp(&["vm-report"]).env("PATH", &path).run().expect_status(7).stdout, "  [0] \n");
    run_on("/nowhere", &["vm-report"]).expect_status(3);
    // A program does not replace a command of the server.
    let folder = folder_with_program("query-name");
    let run = qmp(&["--path", &address, "query-name"]).env("PATH", &path_with(folder.path())).run();
    assert_eq!(outcome(&run), ("", "", 0));
    let run = run_on(&address, &["no-such-program"]).expect_status(1);
    assert!(run.stderr.starts_with("CommandNotFound: "), "{run:#?}");
}

#[test]
fn says_that_it_waits_for_the_list_of_commands() {
    let folder = folder_with_program("vm-report");
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("query-commands");
        std::thread::sleep(Duration::from_millis(1200));
        conn.reply(&id, "[{\"name\": \"vm-report\"}]");
        let id = conn.expect_command("vm-report");
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    let run = qmp(&["--path", &peer.address(), "vm-report"]).env("PATH", &path_with(folder.path())).run();
    assert_eq!(outcome(&run), ("", "qmp: Waiting for the reply to `query-commands`.\n", 0));
}

#[test]
fn sends_lines_to_the_human_monitor() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    let mut table = Table::new();
    for args in [
        &["hmp", "info", "status"][..],
        &["hmp", "info status"],
        &["-o", "json", "hmp", "info", "status"],
        &["hmp", "device_add", "foo"],
        &["hmp"],
        // Lines that only the human monitor understands.
        &["info", "status"],
        &["eject", "cd0"],
        &["balloon", "512"],
    ] {
        table.run(args.join(" "), &run_on(&address, args));
    }
    table.check(expect![[r#"
        > hmp info status
        VM status: running

        > hmp info status
        VM status: running

        > -o json hmp info status
        {"return": "VM status: running\r\n"}

        > hmp device_add foo
        Error: 'foo' is not a valid device model name
        status: 1

        > hmp
        stderr: qmp: missing LINE after `hmp`; try `qmp hmp info status`
        status: 2

        > info status
        stderr: qmp: the server has no command `info`; the human monitor has it: `qmp hmp info status`
        stderr:   info status
        stderr:   ^^^^
        status: 1

        > eject cd0
        stderr: qmp: expected `key=value`, found `cd0`; the human monitor has it: `qmp hmp eject cd0`
        stderr:   eject cd0
        stderr:         ^^^
        status: 1

        > balloon 512
        stderr: qmp: expected `key=value`, found `512`; the human monitor counts in MiB, QMP in bytes: `value=512M`, or `qmp hmp balloon 512`
        stderr:   balloon 512
        stderr:           ^^^
        status: 1
    "#]]);
}

#[test]
fn tells_where_options_belong() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    let mut table = Table::new();
    for args in [
        &["query-status", "--path", "x.sock"][..],
        &["query-status", "--path=x.sock"],
        &["query-status", "-o", "json"],
        // Here it is a key.
        &["qom-list", "--path", "/machine"],
    ] {
        table.run(args.join(" "), &run_on(&address, args));
        table.run(format!("{}, without a server", args.join(" ")), &qmp(args).run());
    }
    table.check(expect![[r#"
        > query-status --path x.sock
        stderr: qmp: expected `key=value`, found `x.sock`
        stderr:   query-status path=true x.sock
        stderr:                          ^^^^^^
        stderr: qmp: options precede COMMAND: `qmp --path x.sock query-status`
        status: 1

        > query-status --path x.sock, without a server
        stderr: qmp: expected `key=value`, found `x.sock`
        stderr:   query-status path=true x.sock
        stderr:                          ^^^^^^
        stderr: qmp: options precede COMMAND: `qmp --path x.sock query-status`
        status: 1

        > query-status --path=x.sock
        stderr: qmp: unknown key `path` for `query-status`; it takes no keys
        stderr:   query-status path=x.sock
        stderr:                ^^^^
        stderr: qmp: options precede COMMAND: `qmp --path=x.sock query-status`
        status: 1

        > query-status --path=x.sock, without a server
        stderr: qmp: no --path given, and neither QMP_PATH nor QMP_SOCKET is set; options precede COMMAND: `qmp --path=x.sock query-status`
        status: 2

        > query-status -o json
        stderr: qmp: expected `key=value`, found `-o`
        stderr:   query-status -o json
        stderr:                ^^
        stderr: qmp: options precede COMMAND: `qmp -o json query-status`
        status: 1

        > query-status -o json, without a server
        stderr: qmp: expected `key=value`, found `-o`
        stderr:   query-status -o json
        stderr:                ^^
        stderr: qmp: options precede COMMAND: `qmp -o json query-status`
        status: 1

        > qom-list --path /machine
        stderr: qmp: expected `key=value`, found `/machine`; did you mean `--path=/machine`?
        stderr:   qom-list path=true /machine
        stderr:                      ^^^^^^^^
        status: 1

        > qom-list --path /machine, without a server
        stderr: qmp: expected `key=value`, found `/machine`
        stderr:   qom-list path=true /machine
        stderr:                      ^^^^^^^^
        stderr: qmp: options precede COMMAND: `qmp --path /machine qom-list`
        status: 1
    "#]]);
}

#[test]
fn prints_the_help_of_the_shell() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let run = run_on(&server.address(), &["help", "block_resize"]).expect_status(0);
    assert!(run.stdout.starts_with("block_resize  command\n  device     [str]\n"), "{run:#?}");
    assert!(run_on("demo:", &["help", "STOP"]).stdout.starts_with("STOP  event\n"));
    assert!(qmp(&["help"]).run().expect_status(0).stdout.contains("\n  qmp help apropos WORD "));
    run_on(&server.address(), &["help", "block_resiez"]).check(expect![[r#"
        stderr: qmp: unknown topic `block_resiez`; did you mean `help block_resize`?
        stderr:   help block_resiez
        stderr:        ^^^^^^^^^^^^
        status: 1
    "#]]);
    // Without a server, help comes from the manual, if that is installed.
    let run = run_on("/nowhere", &["help", "block_resize"]);
    snapshot::check(
        run.stderr.lines().next().unwrap(),
        expect![[r#"
            qmp: warning: there is no socket at `/nowhere`; a QEMU started with `-qmp unix:/nowhere,server=on,wait=off` creates one
        "#]],
    );
    let manual = Path::new("/usr/share/man/man7/qemu-qmp-ref.7.gz").exists();
    assert_eq!(run.status, if manual { 0 } else { 1 }, "{run:#?}");
    assert_eq!(run.stdout.starts_with("block_resize  command"), manual, "{run:#?}");
}

#[test]
fn masks_secrets_in_output_and_log() {
    let Some(server) = Server::qemu(Q35) else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let args = ["-v", "-l", log.to_str().unwrap(), "set_password", "--protocol=vnc", "--password=hunter2"];
    let run = run_on(&server.address(), &args).expect_status(1);
    assert!(run.stderr.contains("\"password\": \"<secret>\""), "{run:#?}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("set_password") && !log.contains("hunter2") && !run.stderr.contains("hunter2"), "{log}");
}

#[test]
fn ends_quietly_on_a_closed_pipe_and_fails_on_a_full_disk() {
    let shell = |script: &str| {
        let output = Command::new("bash").args(["-c", script, env!("CARGO_BIN_EXE_qmp")]).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    // The program starts after the reader of its pipe has exited.
    let (stdout, stderr) =
        shell("{ while kill -0 $! 2>&-; do :; done; \"$0\" --path demo: query-qmp-schema; echo $? >&2; } > >(:)");
    assert_eq!((stdout.as_str(), stderr.as_str()), ("", "0\n"));
    let (_, stderr) = shell("\"$0\" --path demo: query-status > /dev/full; echo $? >&2");
    snapshot::check(
        stderr,
        expect![[r#"
        qmp: cannot write to standard output: No space left on device (os error 28)
        1
    "#]],
    );
}

#[test]
fn ctrl_c_ends_it() {
    let (sent_tx, sent_rx) = channel();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        conn.expect_command("query-status");
        sent_tx.send(()).unwrap();
        conn.wait_for_close();
    });
    let mut child = qmp(&["--path", &peer.address(), "query-status"]).start();
    sent_rx.recv().unwrap();
    send_signal(child.id(), "INT");
    wait_until("it to exit", || child.try_wait().unwrap().is_some());
    use std::os::unix::process::ExitStatusExt;
    // A shell reports 130.
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}

#[test]
fn uses_colour_and_a_pager_at_a_terminal() {
    let Some(terminal) = Terminal::start(&format!("{} --path demo: query-status", env!("CARGO_BIN_EXE_qmp")), 80, 24)
    else {
        return;
    };
    assert_eq!(terminal.wait_for_end(), 0);
    let screen = terminal.coloured_screen();
    assert!(screen.starts_with("\u{1b}[36mstatus\u{1b}[39m: \u{1b}[32mrunning"), "{screen:?}");
    let Some(server) = Server::qemu(SMALL) else { return };
    let (program, address) = (env!("CARGO_BIN_EXE_qmp"), server.address());
    // A monitor serves one client at a time, so `qmp` disconnects before it starts the pager.
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

#[test]
fn jq_prints_the_results_of_a_filter() {
    let mut table = Table::new();
    for (options, words) in [
        (&[][..], &["--jq", ".[].device", "query-block"][..]),
        (&[], &["--jq", ".[] | {device, locked}, .locked", "query-block"]),
        (&["-o", "json"], &["--jq", ".status", "query-status"]),
        (&["-o", "pretty"], &["--jq", ".", "query-status"]),
        (&["--path", "demo:"], &["--jq", ".status, .", "query-status"]),
        (&[], &["--jq", ".", "hmp", "info", "status"]),
        (&[], &["--jq", ".status.x", "query-status"]),
        (&[], &["--jq", ".[0", "query-status"]),
        (&[], &["--jq", ".", "nonsense"]),
        (&["--dry-run"], &["--jq", ".", "query-status"]),
        (&[], &["query-block", "--jq", ".[].device"]),
        (&[], &["query-status", "--jq=.status"]),
        (&[], &["--jq", ".", "query-status", "--jq", "."]),
        (&[], &["query-status", "--jq", ".["]),
        (&[], &["query-status", "--jq"]),
    ] {
        let args: Vec<&str> = ["--path", "demo:"].iter().chain(options).chain(words).copied().collect();
        table.run(args[2..].join(" "), &qmp(&args).run());
    }
    table.check(expect![[r#"
        > --jq .[].device query-block
        drive0
        ide2-cd0

        > --jq .[] | {device, locked}, .locked query-block
        {"device": "drive0", "locked": false}
        false
        {"device": "ide2-cd0", "locked": false}
        false

        > -o json --jq .status query-status
        "running"

        > -o pretty --jq . query-status
        {
          "status": "running",
          "running": true
        }

        > --path demo: --jq .status, . query-status
        demo:: running
        demo:: {"status": "running", "running": true}
        demo:: running
        demo:: {"status": "running", "running": true}

        > --jq . hmp info status
        VM status: running

        > --jq .status.x query-status
        stderr: qmp: the filter failed: cannot index "running" with "x"
        status: 1

        > --jq .[0 query-status
        stderr: error: invalid value '.[0' for '--jq <FILTER>': unclosed `[` in the filter
        stderr:   .[0
        stderr:    ^
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > --jq . nonsense
        stderr: CommandNotFound: the demo machine has no command 'nonsense'
        status: 1

        > --dry-run --jq . query-status
        {"execute": "query-status"}

        > query-block --jq .[].device
        drive0
        ide2-cd0

        > query-status --jq=.status
        running

        > --jq . query-status --jq .
        stderr: qmp: the option --jq is given twice
        status: 2

        > query-status --jq .[
        stderr: qmp: invalid value for --jq: unclosed `[` in the filter
        stderr:   .[
        stderr:    ^
        status: 2

        > query-status --jq
        stderr: qmp: missing FILTER after `--jq`
        status: 2
    "#]]);
}
