//! Dot commands. `.wait` is tested in `scripts`, `.log` in `log`, `.hmp` in `hmp`.

use expect_test::expect;

use crate::support::program::{Run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;

const NOTHING: &str = r#"{"return": {}}"#;

fn run(address: &str, lines: &[&str]) -> Run {
    qmp_shell(&[address]).input(lines.join("\n")).run()
}

/// Returns the names of the events that a run printed.
fn events(run: &Run) -> Vec<String> {
    run.lines()
        .iter()
        .filter_map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            Some(value.get("event")?.as_str()?.to_owned())
        })
        .collect()
}

#[test]
fn filters_events_by_name() {
    let Some(server) = Server::qemu(Q35) else { return };
    for (filter, expected) in [
        (".events on", vec!["RESUME", "STOP"]),
        (".events off", vec![]),
        (".events only STOP", vec!["STOP"]),
        (".events only re*", vec!["RESUME"]),
        (".events only S?OP JOB_*", vec!["STOP"]),
        (".events only *", vec!["RESUME", "STOP"]),
        (".events except STOP", vec!["RESUME"]),
        (".events except stop RES*", vec![]),
        (".events only NONE", vec![]),
    ] {
        let run = run(&server.address(), &[filter, "cont", "stop", ".wait STOP timeout=10"]).expect_status(0);
        assert_eq!(events(&run), expected, "{filter}");
        assert_eq!(run.replies(), [NOTHING; 2], "{filter}");
    }
    // Hidden events can be shown later.
    let mut table = Table::new();
    let lines = [".events off", "cont", "stop", "cont", ".events 2", "stop", ".events"];
    let seen = run(&server.address(), &lines).expect_status(0);
    assert_eq!(events(&seen), ["STOP", "RESUME", "RESUME", "STOP", "RESUME", "STOP"]);
    table.row(lines.join("\n"), &seen.stderr);
    let lines = [".events 0", ".events except A* B", ".events"];
    let seen = run(&server.address(), &lines).expect_status(0);
    assert_eq!(seen.stdout, "");
    table.row(lines.join("\n"), &seen.stderr);
    table.check(expect![[r#"
        > .events off
        > cont
        > stop
        > cont
        > .events 2
        > stop
        > .events
        events: off; 4 received

        > .events 0
        > .events except A* B
        > .events
        events: except A* B; 0 received
    "#]]);
}

#[test]
fn passes_a_file_descriptor_with_its_command() {
    let Some(server) = Server::qemu(SMALL) else { return };
    std::fs::write(server.path("disk image"), vec![7u8; 65536]).unwrap();
    let image = server.path("disk image");
    let seen = run(
        &server.address(),
        &[
            ".fd /dev/null getfd fdname=pipe",
            "closefd fdname=pipe",
            "closefd fdname=pipe",
            &format!(".fd '{image}' add-fd fdset-id=7 opaque='rd wr'   # quoted"),
            "query-fdsets",
            "blockdev-add driver=file node-name=n0 filename=/dev/fdset/7",
            "query-named-block-nodes",
        ],
    )
    .expect_status(1);
    let lines = seen.lines();
    assert_eq!(lines[..2], [NOTHING; 2]);
    assert_eq!(lines[2], r#"{"error": {"class": "GenericError", "desc": "File descriptor named 'pipe' not found"}}"#);
    assert!(lines[3].contains("\"fdset-id\": 7"), "{seen:#?}");
    assert!(lines[4].contains(r#""opaque": "rd wr""#), "{seen:#?}");
    // It is that file, and it is writable.
    assert_eq!(lines[5], NOTHING);
    assert!(lines[6].contains("\"virtual-size\": 65536") && lines[6].contains("\"ro\": false"), "{seen:#?}");
}

#[test]
fn opens_a_file_for_reading_only_where_a_block_device_is_read_only() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let image = server.path("image");
    std::fs::write(&image, vec![7u8; 65536]).unwrap();
    let add = |number, more| format!("blockdev-add driver=file node-name=n{number} filename=/dev/fdset/1 {more}");
    let seen = run(
        &server.address(),
        &[
            &format!(".fd {image} add-fd fdset-id=1"),
            &add(0, "read-only=on"),
            &format!(".fd read-only {image} add-fd fdset-id=1"),
            &add(1, "read-only=on"),
            &add(2, ""),
            &format!(".fd read-only {image} add-fd fdset-id=2"),
            "blockdev-add driver=file node-name=n3 filename=/dev/fdset/2",
            &format!(".fd read-write {image} add-fd fdset-id=2"),
            "blockdev-add driver=file node-name=n3 filename=/dev/fdset/2",
            ".fd read-only",
            &format!(".fd read-write {image}"),
            ".fd read-write / add-fd fdset-id=3",
            "query-fdsets",
        ],
    )
    .expect_status(1);
    let failed: Vec<usize> = (0..13).filter(|line| seen.lines()[*line].contains("\"error\"")).collect();
    assert_eq!(failed, [1, 6, 9, 10, 11], "{seen:#?}");
    assert!(seen.stderr.contains("cannot open `/`: Is a directory"), "{seen:#?}");
}

#[test]
fn reports_file_descriptors_that_cannot_be_passed() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let mut table = Table::new();
    for line in
        [".fd", ".fd /dev/null", ".fd /nonexistent getfd fdname=x", ".fd /dev/null .help", ".fd /dev/null getfd x typo"]
    {
        let seen = run(&server.address(), &[line, "query-name"]).expect_status(1);
        assert_eq!(seen.lines().len(), 2, "{line}: {seen:#?}");
        table.run(line, &seen);
    }
    table.check(expect![[r#"
        > .fd
        {"error": {"class": "NotSent", "desc": "missing argument; usage: `.fd [read-only | read-write] PATH COMMAND [KEY=VALUE]…`"}}
        {"return": {}}
        stderr: <stdin>:1: missing argument; usage: `.fd [read-only | read-write] PATH COMMAND [KEY=VALUE]…`
        stderr:   .fd
        stderr:      ^
        status: 1

        > .fd /dev/null
        {"error": {"class": "NotSent", "desc": "missing argument; usage: `.fd [read-only | read-write] PATH COMMAND [KEY=VALUE]…`"}}
        {"return": {}}
        stderr: <stdin>:1: missing argument; usage: `.fd [read-only | read-write] PATH COMMAND [KEY=VALUE]…`
        stderr:   .fd /dev/null
        stderr:                ^
        status: 1

        > .fd /nonexistent getfd fdname=x
        {"error": {"class": "NotSent", "desc": "cannot open `/nonexistent`: No such file or directory (os error 2)"}}
        {"return": {}}
        stderr: <stdin>:1: cannot open `/nonexistent`: No such file or directory (os error 2)
        stderr:   .fd /nonexistent getfd fdname=x
        stderr:       ^^^^^^^^^^^^
        status: 1

        > .fd /dev/null .help
        {"error": {"class": "CommandNotFound", "desc": "The command .help has not been found"}}
        {"return": {}}
        status: 1

        > .fd /dev/null getfd x typo
        {"error": {"class": "NotSent", "desc": "expected `key=value`, found `typo`"}}
        {"return": {}}
        stderr: <stdin>:1: expected `key=value`, found `typo`
        stderr:   .fd /dev/null getfd x typo
        stderr:                         ^^^^
        status: 1
    "#]]);
    // The server may lose the file descriptor.
    let seen = qmp_shell(&["demo:", "-c", ".fd /dev/null getfd fdname=x"]).run().expect_status(1);
    assert!(seen.lines()[0].contains("\"error\""), "{seen:#?}");
}

#[test]
fn refuses_to_pass_file_descriptors_over_tcp() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let options = format!("tcp:127.0.0.1:{port},server=on,wait=off");
    let Some(_server) = Server::qemu(&[SMALL, &["-qmp", &options]].concat()) else { return };
    let seen = run(&format!("127.0.0.1:{port}"), &[".fd /dev/null getfd fdname=x", "query-name"]).expect_status(1);
    seen.check(expect![[r#"
        {"error": {"class": "NotSent", "desc": "file descriptors can be passed only over a Unix socket, which this connection is not"}}
        {"return": {}}
        stderr: <stdin>:1: file descriptors can be passed only over a Unix socket, which this connection is not
        stderr:   .fd /dev/null getfd fdname=x
        stderr:   ^^^
        status: 1
    "#]]);
}

#[test]
fn sources_files_up_to_a_depth() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let write = |name: &str, text: &str| std::fs::write(server.path(name), text).unwrap();
    let run = |lines: &str, status: i32| {
        let folder = std::path::PathBuf::from(server.path(""));
        qmp_shell(&[&server.address()]).in_folder(&folder).input(lines).run().expect_status(status)
    };
    write("outer", "query-name\r\n# note\r\n.source 'inner file'\r\nquery-uuid");
    write("inner file", "{'execute':\n 'query-status'}\ntypo x\n");
    run(".source outer\nquery-name\n", 1).check(expect![[r#"
        {"return": {}}
        {"return": {"status": "running", "running": true}}
        {"error": {"class": "NotSent", "desc": "the server has no command `typo`"}}
        {"return": {"UUID": "00000000-0000-0000-0000-000000000000"}}
        {"return": {}}
        stderr: inner file:3: the server has no command `typo`
        stderr:   typo x
        stderr:   ^^^^
        status: 1
    "#]]);

    write("self", "query-name\n.source self\nquery-uuid\n");
    let seen = run(".source self", 1);
    assert_eq!(seen.lines().len(), 32, "16 deep, and each file goes on after the failure");
    snapshot::check(
        &seen.stderr,
        expect![[r#"
            self:2: files source each other more than 16 levels deep
              .source self
                      ^^^^
        "#]],
    );

    // `-e` ends all files. A mode or setting that a file changes stays changed; `.exit` in a file ends the script.
    write("stops", "nonsense\nquery-name\n");
    assert_eq!(run(".set exit-on-error on\n.source stops\nquery-name\n", 1).lines().len(), 1);
    write("switches", ".hmp\ninfo status\n");
    assert_eq!(
        run(".source switches\ninfo name\n.qmp\nquery-name\n", 0).stdout,
        format!("VM status: running\n{NOTHING}\n")
    );
    write("leaves", "query-name\n.exit\nquery-name\n");
    assert_eq!(run(".source leaves\nquery-name\n", 0).lines(), [NOTHING]);
    write("open", "transaction(\nabort\n");
    let mut table = Table::new();
    for lines in [".source open\nquery-name", ".source", ".source none", ".source .", ".source outer more"] {
        table.run(lines, &run(lines, 1));
    }
    table.check(expect![[r#"
        > .source open
        > query-name
        {"return": {}}
        stderr: open:2: the file ends inside a transaction
        status: 1

        > .source
        stderr: <stdin>:1: missing argument; usage: `.source FILE`
        stderr:   .source
        stderr:          ^
        status: 1

        > .source none
        stderr: <stdin>:1: cannot read `none`: No such file or directory (os error 2)
        stderr:   .source none
        stderr:           ^^^^
        status: 1

        > .source .
        stderr: <stdin>:1: cannot read `.`: Is a directory (os error 21)
        stderr:   .source .
        stderr:           ^
        status: 1

        > .source outer more
        stderr: <stdin>:1: unexpected argument `more`; usage: `.source FILE`
        stderr:   .source outer more
        stderr:                 ^^^^
        status: 1
    "#]]);
}

#[test]
fn connects_to_another_server_and_back() {
    let (Some(server), Some(other)) =
        (Server::qemu(&[SMALL, &["-name", "one"]].concat()), Server::qemu(&[SMALL, &["-name", "two"]].concat()))
    else {
        return;
    };
    let seen = run(
        &server.address(),
        &[
            "query-name",
            &format!(".connect {}", other.address()),
            "query-name",
            ".connect",
            "query-name",
            &format!(".connect unix:{}", server.address()),
            "query-name",
            ".connect demo:",
            "query-name",
        ],
    )
    .expect_status(0);
    let names: Vec<&str> = seen.lines().iter().map(|line| line.split('"').nth(5).unwrap_or_default()).collect();
    assert_eq!(names, ["one", "two", "two", "one", ""]);

    // Without the server, both the line and the next request fail; the request does not go to another server.
    run(
        &server.address(),
        &[".connect /nonexistent", "query-name", ".connect a:b:c", ".connect demo:", "query-name"],
    )
    .check(expect![[r#"
        {"error": {"class": "NotSent", "desc": "not connected"}}
        {"return": {}}
        stderr: <stdin>:1: there is no socket at `/nonexistent`; a QEMU started with `-qmp unix:/nonexistent,server=on,wait=off` creates one
        stderr: <stdin>:2: not connected
        stderr: <stdin>:3: invalid port `c` in address `a:b:c`; for a path with a colon write `unix:a:b:c`
        stderr:   .connect a:b:c
        stderr:            ^^^^^
        status: 1
    "#]]);
}

#[test]
fn keeps_the_connection_at_a_prompt_until_another_one_is_open() {
    let [one, two] = ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"];
    let start = |uuid| Server::qemu(&[SMALL, &["-uuid", uuid]].concat());
    let (Some(server), Some(other)) = (start(one), start(two)) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.check_line(".connect typo.sock", expect![[r#"
        error: there is no socket at `typo.sock`; a QEMU started with `-qmp unix:typo.sock,server=on,wait=off` creates one; the connection to `{DIR}/q.sock` stays open
    "#]]);
    assert!(terminal.run_line("query-uuid").contains(one));
    // Events of the server that was left do not count.
    assert!(terminal.run_line("stop").contains("STOP"));
    terminal.run_line(&format!(".connect {}", other.address()));
    assert!(terminal.run_line("query-uuid").contains(two));
    terminal.check_line(
        ".wait STOP timeout=0",
        expect![[r#"
        error: no event `STOP` within 0 s
    "#]],
    );
    // A server that sends a greeting is not a guest agent, whatever the option says.
    terminal.run_line(&format!(".connect -N {}", server.address()));
    assert!(terminal.run_line("query-uuid").contains(one));
    terminal.check_line(
        ".connect -N",
        expect![[r#"
                        ^^
        error: missing address after `-N`
    "#]],
    );
}

#[test]
fn shows_and_changes_settings() {
    let lines =
        [".set", ".set pager off", ".set pager", ".set verbose on", "query-name", ".set pager 'less -R'", ".set pager"];
    let mut table = Table::new();
    table.run(lines.join("\n"), &run("demo:", &lines).expect_status(0));
    for line in [".set pagr off", ".set confirm maybe", ".set output xml", ".set pager 'a"] {
        table.run(line, &run("demo:", &[line]).expect_status(1));
    }
    table.check(expect![[r#"
        > .set
        > .set pager off
        > .set pager
        > .set verbose on
        > query-name
        > .set pager 'less -R'
        > .set pager
        {"return": {}}
        stderr: check          on           reject invalid lines before sending (--no-check)
        stderr: confirm        on           ask before `quit` ends QEMU
        stderr: exit-on-error  off          leave after the first line that fails (-e)
        stderr: keys           emacs        keys of the prompt, at first those of inputrc
        stderr: monitor        auto         the monitor for HMP lines (--monitor)
        stderr: output         json         the format of replies (-o)
        stderr: pager          less -FRX    the pager for long output: on, off or a command
        stderr: prompt         default      %n VM, %a address, %s state, %c CPU, %@ server
        stderr: verbose        off          show each request as it is sent (-v)
        stderr: pager          off          the pager for long output: on, off or a command
        stderr: -> {"execute": "query-name"}
        stderr: pager          less -R      the pager for long output: on, off or a command

        > .set pagr off
        stderr: <stdin>:1: unknown setting `pagr`; did you mean `pager`?
        stderr:   .set pagr off
        stderr:        ^^^^
        status: 1

        > .set confirm maybe
        stderr: <stdin>:1: expected `on` or `off`, found `maybe`
        stderr:   .set confirm maybe
        stderr:                ^^^^^
        status: 1

        > .set output xml
        stderr: <stdin>:1: expected `auto`, `flat`, `json`, `pretty` or `table`, found `xml`
        stderr:   .set output xml
        stderr:               ^^^
        status: 1

        > .set pager 'a
        stderr: <stdin>:1: unclosed `'` in this word
        stderr:   .set pager 'a
        stderr:              ^^
        status: 1
    "#]]);
}

#[test]
fn helps_with_every_dot_command() {
    let completed = qmp_shell(&["--complete", "."]).run().expect_status(0);
    let names: Vec<&str> =
        completed.lines().iter().map(|line| line.split('\t').next().unwrap().strip_prefix('.').unwrap()).collect();
    assert!(names.len() >= 12 && names.contains(&"wait"), "{names:?}");
    for line in [".help", "help"] {
        let seen = run("demo:", &[line]).expect_status(0);
        let listed = seen.stderr.lines().filter_map(|line| line.trim_start().strip_prefix('.'));
        let listed: Vec<&str> = listed.map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(listed, names);
        assert!(seen.stderr.lines().all(|line| line.chars().count() <= 110), "{}", seen.stderr);
        assert!(seen.stdout.is_empty());
    }
    for name in names {
        let page = run("demo:", &[&format!(".help {name}")]).expect_status(0).stderr;
        assert!(page.starts_with(&format!(".{name}")) && page.lines().count() >= 4, "{name}: {page}");
        assert_eq!(run("demo:", &[&format!("help .{name}")]).stderr, page);
    }
    for topic in ["line", "keys", "settings"] {
        assert!(run("demo:", &[&format!(".help {topic}")]).expect_status(0).stderr.len() > 100, "{topic}");
    }
}

#[test]
fn suggests_the_nearest_dot_command() {
    let mut table = Table::new();
    for line in [
        ".hlep",
        ".evnet 5",
        ".sorce x",
        ".xyzzy",
        ".",
        ".help evnts",
        ".events onyl STOP",
        ".events only",
        ".events 1 2",
        ".exit now",
        ".history many",
        ".wait",
        ".wait STOP soon",
        ".wait STOP timeout=soon",
    ] {
        let seen = run("demo:", &["# first", line, "query-name"]).expect_status(1);
        assert_eq!(seen.lines().len(), 1, "{line}: a dot command leaves no gap between replies: {seen:#?}");
        table.row(line, &seen.stderr);
    }
    table.check(expect![[r#"
        > .hlep
        <stdin>:2: unknown dot command `.hlep`; did you mean `.help`?
          .hlep
          ^^^^^

        > .evnet 5
        <stdin>:2: unknown dot command `.evnet`; did you mean `.events`?
          .evnet 5
          ^^^^^^

        > .sorce x
        <stdin>:2: unknown dot command `.sorce`; did you mean `.source`?
          .sorce x
          ^^^^^^

        > .xyzzy
        <stdin>:2: unknown dot command `.xyzzy`; `.help` lists the dot commands
          .xyzzy
          ^^^^^^

        > .
        <stdin>:2: unknown dot command `.`; `.help` lists the dot commands
          .
          ^

        > .help evnts
        <stdin>:2: unknown topic `evnts`; did you mean `help events`?
          .help evnts
                ^^^^^

        > .events onyl STOP
        <stdin>:2: expected a number, `on`, `off`, `only` or `except`, found `onyl`; did you mean `only`?
          .events onyl STOP
                  ^^^^

        > .events only
        <stdin>:2: missing argument: expected event names, such as `JOB_*`
          .events only
                      ^

        > .events 1 2
        <stdin>:2: unexpected argument `2`
          .events 1 2
                    ^

        > .exit now
        <stdin>:2: unexpected argument `now`; usage: `.exit`
          .exit now
                ^^^

        > .history many
        <stdin>:2: expected a number of lines, found `many`
          .history many
                   ^^^^

        > .wait
        <stdin>:2: missing argument; usage: `.wait EVENT [KEY=VALUE]… | job ID | migration [timeout=SECONDS]`
          .wait
               ^

        > .wait STOP soon
        <stdin>:2: expected `key=value`, found `soon`
          .wait STOP soon
                     ^^^^

        > .wait STOP timeout=soon
        <stdin>:2: expected a number of seconds, found `soon`
          .wait STOP timeout=soon
                             ^^^^
    "#]]);
}

#[test]
fn refuses_to_wait_for_unknown_events() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines = "query-named-block-nodes flat=true\n.wait STPO\n.wait DEVICE_DELETED devise=x\n\
                 .wait JOB_STATUS_CHANGE id=x status=redy\n.events only STOP REUSME JOBS_*\n\
                 cont\n.wait resume timeout=10\n.wait ST?P* x=1 timeout=0\n.wait QUORUM_FAILURE sector-num=1 timeout=0\n";
    let seen = qmp_shell(&[&server.address()]).input(lines).run().expect_status(1);
    let messages: Vec<&str> = seen.stderr.lines().filter(|line| line.starts_with('<')).collect();
    snapshot::check(
        messages.join("\n"),
        expect![[r#"
            <stdin>:2: unknown event `STPO`; did you mean `STOP`?
            <stdin>:3: `DEVICE_DELETED` has no member `devise`; did you mean `device`?
            <stdin>:4: `status` has no value `redy`; did you mean `ready`?
            <stdin>:5: warning: unknown event `REUSME`; did you mean `RESUME`?
            <stdin>:5: warning: unknown event `JOBS_*`
            <stdin>:8: no event `ST?P* x=1` within 0 s
            <stdin>:9: no event `QUORUM_FAILURE sector-num=1` within 0 s
        "#]],
    );
}

#[test]
fn a_script_has_no_history() {
    let seen = run("demo:", &["query-name", ".history", ".history 5"]).expect_status(0);
    assert_eq!((seen.lines().len(), seen.stderr.as_str()), (1, ""));
}

#[test]
fn runs_dot_commands_at_the_prompt() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("{} --no-history", server.address())) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".events only RESUME");
    terminal.enter("cont");
    terminal.wait_for(" RESUME\n{}\n(QEMU)");
    terminal.enter("stop");
    terminal.wait_for("(QEMU) stop\n{}\n(QEMU)");
    terminal.enter(".events 1");
    let screen = terminal.wait("the hidden event", |screen| {
        screen.lines().any(|line| line.ends_with(" STOP")) && screen.ends_with("(QEMU)")
    });
    assert_eq!(screen.matches("RESUME\n").count(), 2, "once typed, once as an event: {screen}");
    terminal.check_line(
        ".events onyl",
        expect![[r#"
                           ^^^^
            error: expected a number, `on`, `off`, `only` or `except`, found `onyl`; did you mean `only`?
        "#]],
    );
    terminal.enter(".history 2");
    terminal.wait_for("    6  .history 2\n(QEMU)");
    terminal.wait_for_last("(QEMU)");
    terminal.check_line(
        ".connect demo:",
        expect![[r#"
        Connected to QEMU {VERSION} at demo:.
    "#]],
    );
    terminal.enter("query-version");
    terminal.wait_for("\"package\": \"demo\"");
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".exit");
    assert_eq!(terminal.wait_for_end(), 0);
}
