//! Message logs as servers (`replay:FILE`), and as scripts (`.source FILE`, `-f FILE`).

use expect_test::expect;

use crate::support::program::{qmp, qmp_shell, qom};
use crate::support::server::{Q35, Server};
use crate::support::snapshot;
use crate::support::terminal::Terminal;

/// Lines with events, errors, numbers past 53 bits, and requests that are repeated with other replies.
const LINES: &str = "query-status\ncont\nquery-status\nblockdev-add driver=null-co node-name=n0 size=9007199254741504\n\
                     query-named-block-nodes\nblockdev-add driver=null-co node-name=n0\nexec-oob query-yank\n\
                     .hmp info status\nstop\nquery-status\nnonsense\nblockdev-del n0\n";

/// QEMU of two versions.
fn machines() -> impl Iterator<Item = Server> {
    [Server::qemu(Q35), Server::qemu_7_2(Q35)].into_iter().flatten()
}

#[test]
fn a_recorded_server_answers_as_it_did() {
    for server in machines() {
        let log = server.path("vm.log");
        let real = qmp_shell(&[&server.address(), "-l", &log]).input(LINES).run().expect_status(1);
        let again = qmp_shell(&[&format!("replay:{log}")]).input(LINES).run().expect_status(1);
        assert_eq!((&again.stdout, &again.stderr), (&real.stdout, &real.stderr));
        assert!(real.stdout.contains("RESUME") && real.stdout.contains("9007199254741504"), "{real:#?}");
        // Lines are checked by the recorded introspection, keys may be in any order, and what was not recorded is an error.
        let other = "blockdev-add {\"node-name\": \"n0\"} size=9007199254741504 driver=null-co\nquery-statsu\nquery-name\n\
                     blockdev-add driver=null-co node-name=n1\n";
        let mut run = qmp_shell(&[&format!("replay:{log}")]).input(other).run();
        run.stdout = run.stdout.replace(&log, "vm.log");
        run.check(expect![[r#"
            {"return": {}}
            {"error": {"class": "NotSent", "desc": "the server has no command `query-statsu`; did you mean `query-status`?"}}
            {"error": {"class": "GenericError", "desc": "not recorded: `vm.log` has no `query-name`"}}
            {"error": {"class": "GenericError", "desc": "not recorded: `vm.log` has no `blockdev-add` with these arguments"}}
            stderr: <stdin>:2: the server has no command `query-statsu`; did you mean `query-status`?
            stderr:   query-statsu
            stderr:   ^^^^^^^^^^^^
            status: 1
        "#]]);
    }
}

#[test]
fn all_programs_open_a_log() {
    let Some(server) = Server::qemu(Q35) else { return };
    let log = server.path("vm.log");
    let address = format!("replay:{log}");
    let tree = qom(&["tree", "-l", &log, "-s", &server.address(), "/machine"]).run().expect_status(0);
    assert_eq!(qom(&["tree", "-s", &address, "/machine"]).run().expect_status(0).stdout, tree.stdout);
    assert!(tree.stdout.lines().count() > 100, "{tree:#?}");
    let status = qmp(&["-l", &log, "--path", &server.address(), "query-status"]).run().expect_status(0);
    assert_eq!(qmp(&["--path", &address, "query-status"]).run().expect_status(0).stdout, status.stdout);
}

#[test]
fn a_recorded_guest_agent_is_synchronised_with() {
    let Some(server) = Server::guest_agent() else { return };
    let log = server.path("ga.log");
    let lines = "guest-ping\nguest-get-osinfo\n";
    let real = qmp_shell(&["-N", &server.address(), "-l", &log]).input(lines).run().expect_status(0);
    let again = qmp_shell(&["-N", &format!("replay:{log}")]).input(lines).run().expect_status(0);
    assert_eq!(again.stdout, real.stdout);
}

#[test]
fn a_log_is_run_as_a_script() {
    for server in machines() {
        let (log, second) = (server.path("vm.log"), server.path("second.log"));
        let lines = "cont\n.wait RESUME timeout=20\nblockdev-add driver=null-co node-name=n0\nexec-oob query-yank\n\
                     set_password protocol=vnc password=hunter2\nblockdev-del n0\nstop\n";
        qmp_shell(&[&server.address(), "-l", &log, "--no-events"]).input(lines).run().expect_status(1);
        // The last line is cut off, as by a full disk.
        let text = std::fs::read_to_string(&log).unwrap();
        std::fs::write(&log, &text[..text.len() - 5]).unwrap();
        let mut run = qmp_shell(&[&server.address(), "-f", &log, "-l", &second, "--no-events"]).run();
        run.stderr = run.stderr.replace(&log, "vm.log");
        run.check(expect![[r#"
            {"return": {}}
            {"return": {}}
            {"return": [{"type": "chardev", "id": "compat_monitor0"}, {"type": "chardev", "id": "compat_monitor1"}]}
            {"error": {"class": "NotSent", "desc": "the log has `<secret>` in place of the value of `password`, so `set_password` is not sent"}}
            {"return": {}}
            {"return": {}}
            stderr: vm.log:19: warning: the last line of the log is incomplete, and is passed over
            stderr: vm.log:13: the log has `<secret>` in place of the value of `password`, so `set_password` is not sent
            stderr:   {"execute": "set_password", "arguments": {"protocol": "vnc", "password": <secret>}}
            stderr:                                                                            ^^^^^^^^
            status: 1
        "#]]);
        let sent = |path: &str| {
            let text = std::fs::read_to_string(path).unwrap();
            let requests = text.lines().filter(|line| line.contains("\"sent\"") && !line.contains("\"query\": true"));
            let command = |line: &str| line.split('"').nth(9).unwrap().to_owned();
            requests.map(command).collect::<Vec<String>>()
        };
        let mut commands = sent(&log);
        assert_eq!(commands, ["cont", "blockdev-add", "query-yank", "set_password", "blockdev-del", "stop"]);
        commands.retain(|command| command != "set_password");
        assert_eq!(sent(&second), commands);
    }
}

#[test]
fn asks_at_a_prompt_before_a_log_is_run() {
    let Some(server) = Server::qemu(Q35) else { return };
    let log = server.path("vm.log");
    std::fs::write(
        &log,
        "{\"time\": \"t\", \"sent\": {\"execute\": \"cont\"}}\n{\"time\": \"t\", \"sent\": {\"execute\": \"quit\"}}\n",
    )
    .unwrap();
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(&format!(".source {log}"));
    terminal.wait_for_last("Send them? [y/N]");
    terminal.enter("n");
    terminal.wait_for("Nothing was sent.\n(QEMU)");
    terminal.enter(&format!(".source {log}"));
    terminal.wait_for_last("Send them? [y/N]");
    terminal.enter("y");
    terminal.wait_for_last("Terminate QEMU? [y/N]");
    terminal.enter("n");
    terminal.wait_for_last("(QEMU)");
    let screen = snapshot::normalise(&terminal.screen());
    let shown: Vec<&str> = screen.lines().skip(6).collect();
    snapshot::check(
        shown.join("\n") + "\n",
        expect![[r#"
            (QEMU) .source {DIR}/vm.log
            {DIR}/vm.log has 2 commands: `cont`, `quit`.
            `quit` is among them; it terminates QEMU and the VM.
            Send them? [y/N] y
            {TIME} RESUME
            {}
            `quit` terminates QEMU and the VM immediately; Ctrl-D leaves only the shell.
            Terminate QEMU? [y/N] n
            (QEMU)
        "#]],
    );
}

#[test]
fn a_log_that_began_at_a_prompt_has_what_an_explorer_needs() {
    let Some(server) = Server::qemu(Q35) else { return };
    let log = server.path("vm.log");
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.wait_for_queries();
    terminal.enter(&format!(".log {log}"));
    terminal.enter("query-status");
    terminal.wait_for("\"running\": false}\n(QEMU)");
    terminal.enter(".log off");
    terminal.enter(&format!(".connect replay:{log}"));
    terminal.wait_for("/vm.log.\n(QEMU)");
    assert!(
        terminal
            .screen()
            .contains(&format!("Connected to QEMU {}", crate::support::server::program_version("qemu-system-x86_64")))
    );
    terminal.enter("block_resize node-nme=n size=1");
    terminal.wait_for("did you mean `node-name`?\n(QEMU)");
}

#[test]
fn errors_of_a_log_name_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log").to_str().unwrap().to_owned();
    let greeting = |version: u64| {
        format!(
            "{{\"time\": \"t\", \"received\": {{\"QMP\": {{\"version\": {{\"qemu\": {{\"major\": {version}}}}}}}}}}}\n"
        )
    };
    let sent = "{\"time\": \"t\", \"sent\": {\"execute\": \"x\", \"id\": 1}}\n";
    let mut seen = snapshot::Table::new();
    for (name, text) in [
        ("junk", format!("{sent}junk\n{sent}")),
        ("not a record", format!("{sent}\n{{\"time\": \"t\"}}\n")),
        ("not a request", format!("{sent}{{\"time\": \"t\", \"sent\": 1}}\n")),
        ("two servers", format!("{}{sent}{}", greeting(9), greeting(10))),
        (
            "two names",
            sent.replace("\"sent\"", "\"server\": \"a\", \"sent\"")
                + &sent.replace("\"sent\"", "\"server\": \"b\", \"sent\""),
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let run = qmp(&["--path", &format!("replay:{path}"), "x"]).run().expect_status(3);
        seen.row(name, run.stderr.trim_end());
    }
    let run = qmp(&["--path", &format!("replay:{path}#c"), "x"]).run().expect_status(3);
    seen.row("another name", run.stderr.trim_end());
    let run = qmp(&["--path", &format!("replay:{}", folder.path().display()), "x"]).run().expect_status(3);
    seen.row("a folder", run.stderr.trim_end());
    std::fs::write(&path, format!("{sent}junk\n{sent}")).unwrap();
    let run = qmp_shell(&["demo:", "-f", &path, "-c", &format!(".source {path}")]).run().expect_status(1);
    seen.row("as scripts", run.stderr.trim_end());
    let run = qmp_shell(&["demo:"]).input(sent).run().expect_status(1);
    seen.row("on standard input", run.stderr.trim_end());
    seen.check(expect![[r#"
        > junk
        qmp: cannot connect to `replay:{DIR}/a.log`: {DIR}/a.log: line 2 is not a record of a message log: expected value

        > not a record
        qmp: cannot connect to `replay:{DIR}/a.log`: {DIR}/a.log: line 3 is not a record of a message log: expected one member `sent` or `received`

        > not a request
        qmp: cannot connect to `replay:{DIR}/a.log`: {DIR}/a.log: line 2 is not a record of a message log: expected a request with `execute`

        > two servers
        qmp: cannot connect to `replay:{DIR}/a.log`: {DIR}/a.log: another server begins at line 3; choose one of the 2 connections: `replay:{DIR}/a.log#1`

        > two names
        qmp: cannot connect to `replay:{DIR}/a.log`: {DIR}/a.log has the messages of `a`, `b`; choose one: `replay:{DIR}/a.log#a`

        > another name
        qmp: cannot connect to `replay:{DIR}/a.log#c`: {DIR}/a.log has no server `c`, but `a`, `b`

        > a folder
        qmp: cannot connect to `replay:{DIR}`: cannot read `{DIR}`: not a regular file

        > as scripts
        cannot run `{DIR}/a.log`: line 2 is not a record of a message log: expected value
        -c:1: cannot run `{DIR}/a.log`: line 2 is not a record of a message log: expected value
          .source {DIR}/a.log
                  ^^^^^^^^^^^^^^^^^^^^^

        > on standard input
        <stdin>:1: this is a line of a message log; `-f FILE` and `.source FILE` send the requests of a log
          {"time": "t", "sent": {"execute": "x", "id": 1}}
           ^^^^^^
    "#]]);
}
