//! The commands to the shell: what begins with a dot. (`.wait` is with the scripts, `.log` with the log, `.hmp` with HMP.)

use crate::support::program::{Run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::terminal::Terminal;

/// Every command to the shell.
const COMMANDS: &[&str] =
    &["connect", "events", "exit", "fd", "help", "history", "hmp", "log", "qmp", "set", "source", "wait"];

const NOTHING: &str = r#"{"return": {}}"#;

fn run(address: &str, lines: &[&str]) -> Run {
    qmp_shell(&[address]).input(lines.join("\n")).run()
}

/// The names of the events that a run printed.
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
fn events_are_chosen_by_name() {
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
    // What was hidden can be looked at later, and says how it was hidden.
    let seen = run(&server.address(), &[".events off", "cont", "stop", "cont", ".events 2", "stop", ".events"])
        .expect_status(0);
    assert_eq!(events(&seen), ["STOP", "RESUME", "RESUME", "STOP", "RESUME", "STOP"]);
    assert!(seen.stderr.contains("events: off; 4 so far"), "{seen:#?}");
    let seen = run(&server.address(), &[".events 0", ".events except A* B", ".events"]).expect_status(0);
    assert!(seen.stdout.is_empty() && seen.stderr.contains("events: except A* B; 0 so far"), "{seen:#?}");
}

#[test]
fn a_descriptor_travels_with_its_command() {
    let Some(server) = Server::qemu(SMALL) else { return };
    std::fs::write(server.path("disk image"), vec![7u8; 65536]).unwrap();
    let image = server.path("disk image");
    let seen = run(
        &server.address(),
        &[
            ".fd /dev/null getfd fdname=pipe",
            "closefd fdname=pipe",
            "closefd fdname=pipe",
            &format!(".fd '{image}' add-fd fdset-id=7 opaque='rd wr'   # the quotes are the shell's"),
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
    // It can be written to, and it is that file.
    assert_eq!(lines[5], NOTHING);
    assert!(lines[6].contains("\"virtual-size\": 65536") && lines[6].contains("\"ro\": false"), "{seen:#?}");
}

#[test]
fn a_descriptor_that_cannot_travel_is_a_failure_in_step() {
    let Some(server) = Server::qemu(SMALL) else { return };
    for (line, message) in [
        (".fd", "`.fd` needs a file to open here"),
        (".fd /dev/null", "`.fd` needs a command here"),
        (".fd /nonexistent getfd fdname=x", "cannot open `/nonexistent`: "),
        (".fd /dev/null .help", "expected a QMP command here"),
        (".fd /dev/null getfd typo", "expected `key=value`, found `typo`"),
    ] {
        let seen = run(&server.address(), &[line, "query-name"]).expect_status(1);
        assert_eq!(seen.lines().len(), 2, "{line}: {seen:#?}");
        assert!(seen.lines()[0].contains("\"NotSent\""), "{line}: {seen:#?}");
        assert!(seen.stderr.starts_with(&format!("<stdin>:1: {message}")), "{line}: {seen:#?}");
    }
    // The server's word, where the descriptor gets lost on the way.
    let seen = qmp_shell(&["demo:", "-c", ".fd /dev/null getfd fdname=x"]).run().expect_status(1);
    assert!(seen.lines()[0].contains("\"error\""), "{seen:#?}");
}

#[test]
fn descriptors_do_not_travel_over_tcp() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let options = format!("tcp:127.0.0.1:{port},server=on,wait=off");
    let Some(_server) = Server::qemu(&[SMALL, &["-qmp", &options]].concat()) else {
        return;
    };
    let seen = run(&format!("127.0.0.1:{port}"), &[".fd /dev/null getfd fdname=x", "query-name"]).expect_status(1);
    assert_eq!(seen.lines()[1], NOTHING);
    assert!(seen.stderr.contains("descriptors travel over Unix sockets only"), "{seen:#?}");
}

#[test]
fn files_source_files_up_to_a_limit() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let write = |name: &str, text: &str| std::fs::write(server.path(name), text).unwrap();
    let run = |lines: &str, status: i32| {
        let folder = std::path::PathBuf::from(server.path(""));
        qmp_shell(&[&server.address()]).in_folder(&folder).input(lines).run().expect_status(status)
    };
    write("outer", "query-name\r\n# note\r\n.source 'inner file'\r\nquery-uuid");
    write("inner file", "{'execute':\n 'query-status'}\ntypo x\n");
    let seen = run(".source outer\nquery-name\n", 1);
    let lines = seen.lines();
    assert_eq!(lines.len(), 5, "{seen:#?}");
    assert!(lines[1].contains("\"running\"") && lines[2].contains("\"NotSent\"") && lines[3].contains("\"UUID\""));
    assert!(seen.stderr.starts_with("inner file:3: the server has no command `typo`\n"), "{seen:#?}");

    write("self", "query-name\n.source self\nquery-uuid\n");
    let seen = run(".source self", 1);
    assert_eq!(seen.lines().len(), 32, "16 deep, and each goes on behind the failure");
    assert_eq!(seen.stderr.matches("files source each other more than 16 deep").count(), 1);
    assert!(seen.stderr.starts_with("self:2: "), "{seen:#?}");

    // -e ends all of it; what a file leaves behind stays: its mode, its settings; what ends it, ends the script.
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
    let seen = run(".source open\nquery-name\n", 1);
    assert_eq!(seen.lines(), [NOTHING]);
    assert!(seen.stderr.contains("open:2: the file ends inside a transaction"), "{seen:#?}");
    for (line, message) in [
        (".source", "`.source` needs a file here"),
        (".source none", "cannot read `none`: "),
        (".source .", "cannot read `.`: "),
        (".source outer more", "`.source` takes nothing here"),
    ] {
        let seen = run(line, 1);
        assert!(seen.stdout.is_empty() && seen.stderr.contains(message), "{line}: {seen:#?}");
    }
}

#[test]
fn connect_goes_to_another_server_and_back() {
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
    let names: Vec<&str> = seen.lines().iter().map(|line| line.split('"').nth(5).unwrap()).collect();
    assert_eq!(names, ["one", "two", "two", "one", "demo"]);

    // A server that is not there: the line fails, and so does what would have been sent; nothing goes elsewhere.
    let seen = run(
        &server.address(),
        &[".connect /nonexistent", "query-name", ".connect a:b:c", ".connect demo:", "query-name"],
    )
    .expect_status(1);
    assert_eq!(seen.lines().len(), 2, "one line for each command: {seen:#?}");
    assert!(seen.lines()[0].contains("\"NotSent\"") && seen.lines()[1].contains("\"demo\""), "{seen:#?}");
    assert!(seen.stderr.starts_with("<stdin>:1: there is no socket at `/nonexistent`"), "{seen:#?}");
}

#[test]
fn settings_are_shown_and_set() {
    let all = ["check", "confirm", "exit-on-error", "output", "pager", "verbose"];
    let seen = run(
        "demo:",
        &[
            ".set",
            ".set pager off",
            ".set pager",
            ".set verbose on",
            "query-name",
            ".set pager 'less -R'",
            ".set pager",
        ],
    )
    .expect_status(0);
    let names: Vec<&str> = seen.stderr.lines().take(all.len()).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, all);
    assert!(seen.stderr.contains("\npager          off "), "{seen:#?}");
    assert!(seen.stderr.contains("\n-> {\"execute\": \"query-name\"}\n"), "{seen:#?}");
    assert!(seen.stderr.contains("\npager          less -R "), "{seen:#?}");
    assert_eq!(seen.lines(), [r#"{"return": {"name": "demo"}}"#], "standard output is for messages");
    for (line, message) in [
        (".set pagr off", "there is no setting `pagr`; did you mean `pager`?"),
        (".set confirm maybe", "expected `on` or `off`, found `maybe`"),
        (".set output xml", "`output` is `pretty` or `json`"),
        (".set pager 'a", "this word has a `'` that is not closed"),
    ] {
        let seen = run("demo:", &[line]).expect_status(1);
        assert!(seen.stderr.contains(message), "{line}: {seen:#?}");
    }
}

#[test]
fn help_explains_every_command() {
    for line in [".help", "help"] {
        let seen = run("demo:", &[line]).expect_status(0);
        for name in COMMANDS {
            let shown = seen.stderr.lines().any(|shown| {
                shown.trim_start().strip_prefix('.').is_some_and(|rest| rest.split(' ').next() == Some(*name))
            });
            assert!(shown, "{name}: {}", seen.stderr);
        }
        assert!(seen.stderr.lines().all(|line| line.chars().count() <= 110), "{}", seen.stderr);
        assert!(seen.stdout.is_empty());
    }
    for name in COMMANDS {
        let page = run("demo:", &[&format!(".help {name}")]).expect_status(0).stderr;
        assert!(page.starts_with(&format!(".{name}")) && page.lines().count() >= 4, "{name}: {page}");
        assert_eq!(run("demo:", &[&format!("help .{name}")]).stderr, page);
    }
    for topic in ["line", "keys", "settings"] {
        assert!(run("demo:", &[&format!(".help {topic}")]).expect_status(0).stderr.len() > 100, "{topic}");
    }
    // The table is the whole of it: what completes is what has help.
    let seen = qmp_shell(&["--complete", "."]).run().expect_status(0);
    let offered: Vec<&str> =
        seen.lines().iter().map(|line| line.split('\t').next().unwrap().strip_prefix('.').unwrap()).collect();
    assert_eq!(offered, COMMANDS);
}

#[test]
fn a_mistyped_command_names_the_nearest() {
    for (line, message) in [
        (".hlep", "the shell has no command `.hlep`; did you mean `.help`?"),
        (".event 5", "the shell has no command `.event`; did you mean `.events`?"),
        (".sorce x", "the shell has no command `.sorce`; did you mean `.source`?"),
        (".xyzzy", "the shell has no command `.xyzzy`; `.help` lists them"),
        (".", "the shell has no command `.`; `.help` lists them"),
        (".help evnts", "there is no help on `evnts`; did you mean `help events`?"),
        (".events onyl STOP", "expected a number, `on`, `off`, `only` or `except`; did you mean `only`?"),
        (".events only", "`.events` needs the names of events, such as `JOB_*`, here"),
        (".events 1 2", "`.events` takes nothing here"),
        (".exit now", "`.exit` takes nothing here"),
        (".history many", "expected a number of lines"),
        (".wait", "`.wait` needs the name of an event here"),
        (".wait STOP soon", "expected `key=value`, found `soon`"),
        (".wait STOP timeout=soon", "expected a number of seconds"),
    ] {
        let seen = run("demo:", &["# first", line, "query-name"]).expect_status(1);
        assert!(seen.stderr.starts_with(&format!("<stdin>:2: {message}\n  {line}\n")), "{line}: {seen:#?}");
        assert_eq!(seen.lines().len(), 1, "none of them leaves a gap between replies: {seen:#?}");
    }
}

#[test]
fn an_event_that_cannot_come_is_not_waited_for() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines = "query-named-block-nodes flat=true\n.wait STPO\n.wait DEVICE_DELETED devise=x\n\
                 .wait JOB_STATUS_CHANGE id=x status=redy\n.events only STOP REUSME JOBS_*\n\
                 cont\n.wait resume timeout=10\n.wait ST?P* x=1 timeout=0\n.wait QUORUM_FAILURE sector-num=1 timeout=0\n";
    let seen = qmp_shell(&[&server.address()]).input(lines).run().expect_status(1);
    let said: Vec<&str> = seen.stderr.lines().filter(|line| line.starts_with('<')).collect();
    assert_eq!(
        said,
        [
            "<stdin>:2: the server has no event `STPO`; did you mean `STOP`?",
            "<stdin>:3: `DEVICE_DELETED` carries no `devise`; did you mean `device`?",
            "<stdin>:4: `status` has no value `redy`; did you mean `ready`?",
            "<stdin>:5: warning: the server has no event `REUSME`; did you mean `RESUME`?",
            "<stdin>:5: warning: the server has no event `JOBS_*`",
            "<stdin>:8: no event `ST?P* x=1` came within 0 s",
            "<stdin>:9: no event `QUORUM_FAILURE sector-num=1` came within 0 s",
        ],
        "{seen:#?}"
    );
}

#[test]
fn a_script_has_no_history() {
    let seen = run("demo:", &["query-name", ".history", ".history 5"]).expect_status(0);
    assert_eq!((seen.lines().len(), seen.stderr.as_str()), (1, ""));
}

#[test]
fn at_the_prompt() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("{} --no-history", server.address())) else {
        return;
    };
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
    assert_eq!(screen.matches("RESUME\n").count(), 2, "typed, and come: {screen}");
    terminal.enter(".events onyl");
    terminal.wait_for("(QEMU) .events onyl\n               ^^^^\nerror: expected a number,");
    terminal.enter(".history 2");
    terminal.wait_for("    6  .history 2\n(QEMU)");
    terminal.enter(".connect demo:");
    terminal.wait_for("Connected to QEMU ");
    terminal.enter("query-name");
    terminal.wait_for("\"name\": \"demo\"");
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".exit");
    assert_eq!(terminal.wait_for_end(), 0);
}
