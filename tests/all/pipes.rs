//! Filters, pipelines, redirections and chains: `query-block | .[].device`, `| less`, `> FILE`, `stop; cont`.

use expect_test::expect;

use crate::support::peer::Peer;
use crate::support::program::qmp_shell;
use crate::support::server::{Q35, SMALL, Server};
use crate::support::snapshot::Table;
use crate::support::terminal::Terminal;

/// Runs each line as a script of its own on the demo machine, and adds it to a table.
fn rows(options: &[&str], lines: &[&str]) -> Table {
    let mut table = Table::new();
    for line in lines {
        let args: Vec<&str> = options.iter().chain(&["-c", line, "demo:"]).copied().collect();
        table.run(line, &qmp_shell(&args).run());
    }
    table
}

#[test]
fn filters_print_their_results() {
    rows(
        &[],
        &[
            "query-block | .[].device",
            "query-block|.[0]|keys|length",
            "{\"execute\": \"query-status\"} | .running",
            "query-status | [.status, 18446744073709551615, 0.10]",
            "query-block | .[] | select(.device | test(\"^ide\")) | [.device, .locked] | @tsv",
            "query-status | {state: .status} # which state",
            "query-status | .; query-version | .qemu.major",
            "query-status; | .status",
            "query-status | empty",
            "query-status | . | limit(2; repeat(.running)); query-name",
        ],
    )
    .check(expect![[r#"
        > query-block | .[].device
        "drive0"
        "ide2-cd0"

        > query-block|.[0]|keys|length
        7

        > {"execute": "query-status"} | .running
        true

        > query-status | [.status, 18446744073709551615, 0.10]
        ["running", 18446744073709551615, 0.10]

        > query-block | .[] | select(.device | test("^ide")) | [.device, .locked] | @tsv
        "ide2-cd0\tfalse"

        > query-status | {state: .status} # which state
        {"state": "running"}

        > query-status | .; query-version | .qemu.major
        {"status": "running", "running": true}
        10

        > query-status; | .status
        {"return": {"status": "running", "running": true}}
        "running"

        > query-status | empty
        {"error": {"class": "NotSent", "desc": "this is not a program; as a filter it is `. | empty`"}}
        stderr: -c:1: this is not a program; as a filter it is `. | empty`
        stderr:   query-status | empty
        stderr:                  ^^^^^
        status: 1

        > query-status | . | limit(2; repeat(.running)); query-name
        true
        true
        {"return": {}}
    "#]]);
    rows(&["-o", "flat"], &["query-block | .[].device", "query-status | ."]).check(expect![[r#"
        > query-block | .[].device
        drive0
        ide2-cd0

        > query-status | .
        status: running
        running: true
    "#]]);
    rows(&["-o", "pretty"], &["query-status | ., .status"]).check(expect![[r#"
        > query-status | ., .status
        {
          "status": "running",
          "running": true
        }
        "running"
    "#]]);
}

#[test]
fn errors_point_into_the_filter() {
    rows(
        &[],
        &[
            "query-status | .status x",
            "query-status | . | selct(.status)",
            "query-status | .status[",
            "query-block | .[] | .node-name",
            "query-status | length",
            "query-status |",
            "query-status | .status.x",
            "query-stats | .x",
            "query-status x=1 | .x",
            "| .x",
            "help | .x",
            ".source file | .x",
            "transaction( abort | .x",
            ".history 1 | .[",
        ],
    )
    .check(expect![[r#"
        > query-status | .status x
        {"error": {"class": "NotSent", "desc": "expected the end of the filter, found `x`"}}
        stderr: -c:1: expected the end of the filter, found `x`
        stderr:   query-status | .status x
        stderr:                          ^
        status: 1

        > query-status | . | selct(.status)
        {"error": {"class": "NotSent", "desc": "unknown function `selct`; did you mean `select`?"}}
        stderr: -c:1: unknown function `selct`; did you mean `select`?
        stderr:   query-status | . | selct(.status)
        stderr:                      ^^^^^
        status: 1

        > query-status | .status[
        {"error": {"class": "NotSent", "desc": "unclosed `[` in the filter"}}
        stderr: -c:1: unclosed `[` in the filter
        stderr:   query-status | .status[
        stderr:                         ^
        status: 1

        > query-block | .[] | .node-name
        {"error": {"class": "NotSent", "desc": "unknown function `name`; write `.\"node-name\"`"}}
        stderr: -c:1: unknown function `name`; write `."node-name"`
        stderr:   query-block | .[] | .node-name
        stderr:                             ^^^^
        status: 1

        > query-status | length
        {"error": {"class": "NotSent", "desc": "this is not a program; as a filter it is `. | length`"}}
        stderr: -c:1: this is not a program; as a filter it is `. | length`
        stderr:   query-status | length
        stderr:                  ^^^^^^
        status: 1

        > query-status |
        {"error": {"class": "NotSent", "desc": "expected a filter or a command of the system's shell after `|`"}}
        stderr: -c:1: expected a filter or a command of the system's shell after `|`
        stderr:   query-status |
        stderr:                ^
        status: 1

        > query-status | .status.x
        stderr: -c:1: the filter failed: cannot index "running" with "x"
        status: 1

        > query-stats | .x
        {"error": {"class": "CommandNotFound", "desc": "the demo machine has no command 'query-stats'"}}
        status: 1

        > query-status x=1 | .x
        {"error": {"class": "NotSent", "desc": "unknown key `x` for `query-status`; it takes no keys"}}
        stderr: -c:1: unknown key `x` for `query-status`; it takes no keys
        stderr:   query-status x=1 | .x
        stderr:                ^
        status: 1

        > | .x
        {"error": {"class": "NotSent", "desc": "there is no reply yet"}}
        stderr: -c:1: there is no reply yet
        stderr:   | .x
        stderr:   ^
        status: 1

        > help | .x
        stderr: -c:1: the filter failed: cannot index "Type a QMP command with its arguments, such as `device_del id=d0`, or JSON as\nin QEMU…ngs   the settings of `.set`\n" with "x"
        status: 1

        > .source file | .x
        stderr: -c:1: a file of lines has no reply of its own; write this after the commands in it
        stderr:   .source file | .x
        stderr:                ^
        status: 1

        > transaction( abort | .x
        {"error": {"class": "NotSent", "desc": "the script ends inside a transaction, which was not sent"}}
        stderr: -c:1: an action has no reply of its own; write this after the `)` of the transaction
        stderr:   transaction( abort | .x
        stderr:                      ^
        stderr: -c:1: the script ends inside a transaction, which was not sent
        status: 1

        > .history 1 | .[
        stderr: -c:1: unclosed `[` in the filter
        stderr:   .history 1 | .[
        stderr:                 ^
        status: 1
    "#]]);
}

#[test]
fn chains_go_on_after_a_failure() {
    rows(
        &[],
        &[
            "query-status; nonsense; query-name",
            "nonsense; query-status",
            "query-status;",
            "; query-name ; ; query-status",
            "transaction( abort; )",
            ".hmp; info status; .qmp; query-name",
            "query-name; query-name x; {\"execute\": \"query-status\"}; !echo a; echo b",
        ],
    )
    .check(expect![[r#"
        > query-status; nonsense; query-name
        {"return": {"status": "running", "running": true}}
        {"error": {"class": "CommandNotFound", "desc": "the demo machine has no command 'nonsense'"}}
        {"return": {}}
        status: 1

        > nonsense; query-status
        {"error": {"class": "CommandNotFound", "desc": "the demo machine has no command 'nonsense'"}}
        {"return": {"status": "running", "running": true}}
        status: 1

        > query-status;
        {"return": {"status": "running", "running": true}}

        > ; query-name ; ; query-status
        {"return": {}}
        {"return": {"status": "running", "running": true}}

        > transaction( abort; )
        {"error": {"class": "GenericError", "desc": "transaction aborted by action 'abort'"}}
        status: 1

        > .hmp; info status; .qmp; query-name
        VM status: running
        {"return": {}}

        > query-name; query-name x; {"execute": "query-status"}; !echo a; echo b
        {"return": {}}
        {"error": {"class": "NotSent", "desc": "expected `key=value`, found `x`; it takes no keys"}}
        {"return": {"status": "running", "running": true}}
        a
        b
        stderr: -c:1: expected `key=value`, found `x`; it takes no keys
        stderr:   query-name; query-name x; {"execute": "query-status"}; !echo a; echo b
        stderr:                          ^
        status: 1
    "#]]);
    rows(&["-e"], &["nonsense; query-status"]).check(expect![[r#"
        > nonsense; query-status
        {"error": {"class": "CommandNotFound", "desc": "the demo machine has no command 'nonsense'"}}
        status: 1
    "#]]);
}

#[test]
fn nothing_is_sent_after_quit() {
    let run = qmp_shell(&["-c", "quit; query-status", "demo:"]).run().expect_status(1);
    assert_eq!(run.lines().last(), Some(&r#"{"error": {"class": "NotSent", "desc": "not connected"}}"#));
}

#[test]
fn pipelines_get_the_reply() {
    rows(
        &[],
        &[
            "query-status | cat",
            "query-status | cat; query-name",
            ".hmp info status | tr a-z A-Z",
            ".hmp print 1 | 2",
            "query-status | while read x; do echo \"$x\"; done; query-status | wc -l",
            "query-status | head -1",
            "query-qmp-schema | true",
            "query-status | exit 3",
            "nonsense | cat",
            "query-status | grep nothing",
            "help query-name | head -1",
            "query-name; | cat",
            "query-block > {DIR}/nowhere/file",
        ],
    )
    .check(expect![[r#"
        > query-status | cat
        {
          "status": "running",
          "running": true
        }

        > query-status | cat; query-name
        {
          "status": "running",
          "running": true
        }
        {"return": {}}

        > .hmp info status | tr a-z A-Z
        VM STATUS: RUNNING

        > .hmp print 1 | 2
        {"return": "0x3\n"}

        > query-status | while read x; do echo "$x"; done; query-status | wc -l
        {
        "status": "running",
        "running": true
        }
        4

        > query-status | head -1
        {

        > query-qmp-schema | true

        > query-status | exit 3
        stderr: -c:1: the command after `|` failed: exit status: 3
        status: 1

        > nonsense | cat
        {"error": {"class": "CommandNotFound", "desc": "the demo machine has no command 'nonsense'"}}
        status: 1

        > query-status | grep nothing
        stderr: -c:1: the command after `|` failed: exit status: 1
        status: 1

        > help query-name | head -1
        query-name  command

        > query-name; | cat
        {"return": {}}
        {}

        > query-block > {DIR}/nowhere/file
        {"error": {"class": "NotSent", "desc": "cannot write `{DIR}/nowhere/file`: No such file or directory (os error 2)"}}
        stderr: -c:1: cannot write `{DIR}/nowhere/file`: No such file or directory (os error 2)
        stderr:   query-block > {DIR}/nowhere/file
        stderr:                 ^^^^^^^^^^^^^^^^^^
        status: 1
    "#]]);
    rows(&["--dry-run"], &["query-status | cat", "query-status | .status", "query-status > /nonexistent/x"]).check(
        expect![[r#"
            > query-status | cat
            {"execute": "query-status"}

            > query-status | .status
            {"execute": "query-status"}

            > query-status > /nonexistent/x
            {"execute": "query-status"}
        "#]],
    );
    let run = qmp_shell(&["demo:"]).input("query-status | cat\nquery-name\n.hmp info status | cat").run();
    run.check(expect![[r#"
        {"error": {"class": "NotSent", "desc": "`|` with a program is not available in scripts read from standard input"}}
        {"return": {}}
        {"error": {"class": "NotSent", "desc": "`|` with a program is not available in scripts read from standard input"}}
        stderr: <stdin>:1: `|` with a program is not available in scripts read from standard input
        stderr:   query-status | cat
        stderr:                ^
        stderr: <stdin>:3: `|` with a program is not available in scripts read from standard input
        stderr:   .hmp info status | cat
        stderr:                    ^
        status: 1
    "#]]);
}

#[test]
fn hmp_mode_has_pipelines_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "info status | tr a-z A-Z\nprint 1 | 2\ninfo status > out; info version >> out\n| cat\nsavevm | cat";
    let run = qmp_shell(&["--hmp", "-c", lines, "demo:"]).in_folder(folder.path()).run();
    run.check(expect![[r#"
        VM STATUS: RUNNING
        0x3
        10.0.0demo
        Error: the server has no QMP command `snapshot-save`
        status: 1
    "#]]);
    let written = std::fs::read_to_string(folder.path().join("out")).unwrap();
    assert_eq!(written.lines().next(), Some("VM status: running"));
    assert_eq!(written.lines().count(), 2, "{written}");
}

#[test]
fn files_are_written_by_commands_that_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| std::fs::read_to_string(folder.path().join(name)).ok();
    std::fs::write(folder.path().join("old"), "old\n").unwrap();
    let run = |line: &str| qmp_shell(&["-c", line, "demo:"]).in_folder(folder.path()).run();
    run("query-status > new; query-status >> new").expect_status(0);
    let status = "{\n  \"status\": \"running\",\n  \"running\": true\n}\n";
    assert_eq!(file("new").as_deref(), Some(&*format!("{status}{status}")));
    run("query-name > 'with blank'").expect_status(0);
    assert!(file("with blank").is_some());
    run("query-block | .[].device > ./filtered").expect_status(0);
    assert_eq!(file("filtered").as_deref(), Some("\"drive0\"\n\"ide2-cd0\"\n"));
    // A command that fails leaves the file as it was.
    run("nonsense > old; nonsense > never; query-status x=1 > old").expect_status(1);
    assert_eq!((file("old").as_deref(), file("never")), (Some("old\n"), None));
    run("help query-name > page").expect_status(0);
    assert!(file("page").unwrap().starts_with("query-name"));
    // Nothing is sent if the file cannot be written.
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("query-name");
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    qmp_shell(&[&peer.address(), "-c", "stop > /nonexistent/x", "-c", "query-name"]).run().expect_status(1);
}

#[test]
fn filters_work_on_a_real_qemu() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let lines = "query-status | .status\nquery-qmp-schema | [.[] | select(.name == \"query-status\")] | length\n\
                 .hmp info status | cat\nquery-commands | . | map(.name) | index(\"quit\") != null";
    let run = qmp_shell(&[&server.address(), "-c", lines]).run().expect_status(0);
    assert_eq!(run.stdout, "\"running\"\n1\nVM status: running\ntrue\n");
}

#[test]
fn a_pager_and_ctrl_c_at_the_prompt() {
    let Some(terminal) = Terminal::qmp_shell("demo:") else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-status | .status; query-kvm | less");
    terminal.wait_for("\"present\": false\n}\n(QEMU)");
    terminal.enter("| .present");
    terminal.wait_for("| .present\nfalse\n(QEMU)");
    // A filter without end, and a pipeline that does not read.
    terminal.enter("query-version; | . | last(repeat(.))");
    terminal.wait_for("\"package\": \"demo\"");
    terminal.press("C-c");
    terminal.wait_for("The filter was interrupted.\n(QEMU)");
    terminal.enter("query-qmp-schema | (echo begun; sleep 1000)");
    terminal.wait_for_last("begun");
    terminal.press("C-c");
    // The terminal may echo the key.
    terminal.wait("the prompt", |screen| screen.trim_end().replace("^C\n", "").ends_with("\nbegun\n(QEMU)"));
    // Errors are marked in the line as it was typed.
    terminal.check_line(
        "query-kvm; query-status | .x[",
        expect![[r#"
            {"enabled": false, "present": false}
                                               ^
            error: unclosed `[` in the filter
        "#]],
    );
    terminal.press("Up");
    terminal.wait_for_last("(QEMU) query-kvm; query-status | .x[");
    terminal.press("C-u");
    terminal.enter("query-block | length; query-kvm");
    terminal.wait_for("as a filter it is `. | length`\n");
    terminal.press("Up");
    terminal.wait_for_last("(QEMU) query-block | . | length; query-kvm");
}

#[test]
fn tab_and_hints_know_what_comes_back() {
    let Some(terminal) = Terminal::qmp_shell("demo:") else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.wait_for_queries();
    terminal.type_text("query-block | .");
    terminal.press("Tab");
    terminal.wait_for_last("(QEMU) query-block | .[]. → object");
    terminal.type_text("rem");
    terminal.press("Tab");
    // No blank follows, but the type is shown.
    terminal.wait_for_last("(QEMU) query-block | .[].removable → bool");
    terminal.press("Enter");
    terminal.wait_for("false\ntrue\n(QEMU)");
    // Without a command, the last reply is filtered.
    terminal.type_text("| .[].lock");
    terminal.press("Tab");
    terminal.wait_for_last("(QEMU) | .[].locked → bool");
}

#[test]
fn events_that_come_meanwhile_are_shown_after_the_pipeline() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("go");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let path = fifo.clone();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let id = conn.expect_command("query-uuid");
        conn.reply(&id, "{\"name\": 1}");
        // The pipeline is running once it opens the pipe.
        let go = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        conn.send_event("STOP", "{}");
        drop(go);
        conn.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(&format!("query-uuid | (cat {} -; echo end)", fifo.display()));
    let screen = terminal.wait("the event", |screen| screen.contains(" STOP"));
    assert!(screen.contains("{\n  \"name\": 1\n}\nend\n"), "{screen}");
}

#[test]
fn text_for_people_is_text_for_programs() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines =
        ["x-query-roms | grep -c '^/rom@\\|^addr=\\|^fw='", "human-monitor-command command-line='info status' | cat"];
    let args = lines.iter().flat_map(|line| ["-c", *line]);
    let address = server.address();
    let args: Vec<&str> = args.chain([address.as_str()]).collect();
    let run = qmp_shell(&args).run().expect_status(0);
    let shown = run.lines();
    assert!(shown[0].parse::<u32>().is_ok_and(|count| count > 0), "{shown:?}");
    assert_eq!(shown[1], "VM status: paused (prelaunch)");
}
