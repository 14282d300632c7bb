//! Several servers: `NAME=ADDRESS…`, `@NAME LINE`, `@* LINE`, `.on`, `.connect NAME=ADDRESS`, `.connect -`.

use std::io::Write;
use std::os::unix::fs::symlink;

use expect_test::expect;
use serde_json::Value;

use crate::support::program::{Run, qmp, qmp_shell};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;
use crate::support::wait_until;

/// A machine without a disk that waits for a migration.
const INCOMING: &[&str] =
    &["-M", "q35", "-m", "64", "-smp", "2", "-display", "none", "-nodefaults", "-incoming", "defer"];

const RUNNING: &[&str] = &["-M", "q35", "-m", "64", "-smp", "2", "-display", "none", "-nodefaults"];

/// A folder with links to the sockets of two servers, `a.sock` and `b.sock`.
struct Pair {
    folder: tempfile::TempDir,
    a: Server,
    b: Server,
}

impl Pair {
    fn new(a: Option<Server>, b: Option<Server>) -> Option<Pair> {
        let pair = Pair { folder: tempfile::tempdir().unwrap(), a: a?, b: b? };
        symlink(pair.a.address(), pair.path("a.sock")).unwrap();
        symlink(pair.b.address(), pair.path("b.sock")).unwrap();
        Some(pair)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs lines in a `qmp-shell` in the folder, with these arguments.
    fn run(&self, args: &str, lines: &str) -> Run {
        let args: Vec<&str> = args.split_whitespace().collect();
        qmp_shell(&args).in_folder(self.folder.path()).input(lines).run()
    }

    fn terminal(&self, args: &str) -> Option<Terminal> {
        let command = format!("cd {}; {} {args}", self.folder.path().display(), env!("CARGO_BIN_EXE_qmp-shell"));
        Terminal::start(&command, 100, 40)
    }
}

/// Two machines, of QEMU 10.0 and of QEMU 7.2.
fn pairs<'a>(a: &'a [&'a str], b: &'a [&'a str]) -> impl Iterator<Item = Pair> {
    let newer = Pair::new(Server::qemu(a), Server::qemu(b));
    let older = Pair::new(Server::qemu_7_2(a), Server::qemu_7_2(b));
    [newer, older].into_iter().flatten()
}

/// Returns a line of output in short: `dst MIGRATION completed`, `src return`, `src error`.
fn outline(line: &str) -> String {
    let value: Value = serde_json::from_str(line).unwrap();
    let (first, server) = value.as_object().unwrap().iter().next().unwrap();
    assert_eq!(first, "server", "{line}");
    let server = server.as_str().unwrap();
    match value["event"].as_str() {
        Some(event) => {
            format!("{server} {event} {}", value["data"]["status"].as_str().unwrap_or_default()).trim().to_owned()
        }
        None => format!("{server} {}", if value.get("return").is_some() { "return" } else { "error" }),
    }
}

#[test]
fn migrates_from_one_script() {
    for pair in pairs(RUNNING, INCOMING) {
        let socket = pair.path("migration.sock");
        let lines = format!(
            "@* migrate-set-capabilities capabilities=[{{\"capability\": \"events\", \"state\": true}}]\n\
             @* migrate-set-parameters downtime-limit=1000\n\
             @dst migrate-incoming uri=unix:{socket}\n\
             migrate uri=unix:{socket}\n\
             .follow migration\n\
             .wait @dst MIGRATION status=completed timeout=60\n\
             .until @dst query-status status=running timeout=60\n\
             @* query-status | .status\n\
             @src .expect query-status status=postmigrate\n"
        );
        let run = pair.run("src=a.sock dst=b.sock", &lines).expect_status(0);
        let values: Vec<&str> = run.lines().into_iter().filter(|line| line.starts_with('"')).collect();
        assert_eq!(values, ["\"postmigrate\"", "\"running\""]);
        let messages: Vec<String> = run.lines().into_iter().filter(|line| line.starts_with('{')).map(outline).collect();
        let of = |server: &str, kind: &str| -> Vec<String> {
            let begins = format!("{server} {kind}");
            messages.iter().filter(|message| message.starts_with(&begins)).cloned().collect()
        };
        assert_eq!((of("src", "return").len(), of("dst", "return").len()), (3, 3), "{run:#?}");
        assert_eq!(
            of("dst", "MIGRATION "),
            ["dst MIGRATION setup", "dst MIGRATION active", "dst MIGRATION completed"],
            "{run:#?}"
        );
        let source = of("src", "MIGRATION ");
        assert_eq!(
            (source.first().unwrap().as_str(), source.last().unwrap().as_str()),
            ("src MIGRATION setup", "src MIGRATION completed")
        );
        // The events of both ends are in order of arrival: one end is set up before the command of the other is sent.
        let at = |message: &str| messages.iter().position(|other| other == message);
        assert!(at("dst MIGRATION setup") < at("src MIGRATION setup"), "{run:#?}");
        assert!(at("src STOP").is_some() && at("dst RESUME").is_some(), "{run:#?}");
    }
}

#[test]
fn lines_reach_the_servers_that_they_name() {
    for pair in pairs(SMALL, Q35) {
        let mut run = pair.run(
            "a.sock dst=b.sock",
            "@dst cont\n\
             query-name\n\
             .on dst\n\
             query-status | .running\n\
             @a query-status | .running\n\
             @* blockdev-add driver=null-co node-name=n0\n\
             @a blockdev-del n0\n\
             @* blockdev-del n0\n\
             @dst .hmp info status\n\
             @dst {\"execute\": \"query-name\",\n\"id\": 7}\n\
             @dst transaction( blockdev-snapshot-sync )\n\
             @dst transaction(\n\
             query-name\n\
             @dts query-name\n\
             @dst query-nam x=1\n\
             .on\n",
        );
        let lines = run.stdout.lines().map(|line| match line.contains("\"event\"") {
            true => format!("({})\n", outline(line)),
            false => format!("{line}\n"),
        });
        run.stdout = lines.collect();
        run.check(expect![[r#"
            (dst RESUME)
            {"server": "dst", "return": {}}
            {"server": "a", "return": {}}
            true
            true
            {"server": "a", "return": {}}
            {"server": "dst", "return": {}}
            {"server": "a", "return": {}}
            {"server": "a", "error": {"class": "GenericError", "desc": "Failed to find node with node-name='n0'"}}
            {"server": "dst", "return": {}}
            {"server": "dst", "return": "VM status: running\r\n"}
            {"server": "dst", "return": {}, "id": 7}
            {"server": "dst", "error": {"class": "NotSent", "desc": "missing key `snapshot-file` for `blockdev-snapshot-sync` (a string)"}}
            {"server": "dst", "error": {"class": "NotSent", "desc": "a transaction of several lines goes to the current server; `.on NAME` switches to another"}}
            {"server": "dst", "return": {}}
            {"server": "dst", "error": {"class": "NotSent", "desc": "no server is named `dts`; did you mean `@dst`?"}}
            {"server": "dst", "error": {"class": "NotSent", "desc": "the server has no command `query-nam`; did you mean `query-name`?"}}
            stderr: <stdin>:12: missing key `snapshot-file` for `blockdev-snapshot-sync` (a string)
            stderr:   @dst transaction( blockdev-snapshot-sync )
            stderr:                     ^^^^^^^^^^^^^^^^^^^^^^
            stderr: <stdin>:13: a transaction of several lines goes to the current server; `.on NAME` switches to another
            stderr:   @dst transaction(
            stderr:   ^^^^^^^^^^^^^^^^^
            stderr: <stdin>:15: no server is named `dts`; did you mean `@dst`?
            stderr:   @dts query-name
            stderr:   ^^^^
            stderr: <stdin>:16: the server has no command `query-nam`; did you mean `query-name`?
            stderr:   @dst query-nam x=1
            stderr:        ^^^^^^^^^
            stderr:   a    QEMU {VERSION} at a.sock
            stderr: * dst  QEMU {VERSION} at b.sock
            status: 1
        "#]]);
    }
}

#[test]
fn each_command_of_a_chain_has_its_server() {
    let mut table = Table::new();
    for line in [
        "@b stop; query-status | .status; @b query-status | .status",
        "query-kvm; .expect @b query-status status=paused; @* query-status | .running; query-name",
        "@b nonsense; query-kvm; @c stop; @b query-name x=1",
        ".hmp; @b stop; info status; @b info status",
    ] {
        let lines = format!("@b stop\n{line}");
        table.run(line, &qmp_shell(&["--no-events", "a=demo:", "b=demo:"]).input(lines.as_str()).run());
    }
    table.check(expect![[r#"
        > @b stop; query-status | .status; @b query-status | .status
        {"server": "b", "return": {}}
        {"server": "b", "return": {}}
        "running"
        "paused"

        > query-kvm; .expect @b query-status status=paused; @* query-status | .running; query-name
        {"server": "b", "return": {}}
        {"server": "a", "return": {"enabled": false, "present": false}}
        true
        false
        {"server": "a", "return": {}}

        > @b nonsense; query-kvm; @c stop; @b query-name x=1
        {"server": "b", "return": {}}
        {"server": "b", "error": {"class": "CommandNotFound", "desc": "the demo machine has no command 'nonsense'"}}
        {"server": "a", "return": {"enabled": false, "present": false}}
        {"server": "a", "error": {"class": "NotSent", "desc": "no server is named `c`; expected one of `@a`, `@b`"}}
        {"server": "b", "error": {"class": "NotSent", "desc": "unknown key `x` for `query-name`; it takes no keys"}}
        stderr: <stdin>:2: no server is named `c`; expected one of `@a`, `@b`
        stderr:   @b nonsense; query-kvm; @c stop; @b query-name x=1
        stderr:                           ^^
        stderr: <stdin>:2: unknown key `x` for `query-name`; it takes no keys
        stderr:   @b nonsense; query-kvm; @c stop; @b query-name x=1
        stderr:                                                  ^
        status: 1

        > .hmp; @b stop; info status; @b info status
        {"server": "b", "return": {}}
        VM status: running
        VM status: paused
    "#]]);
    let Some(terminal) = Terminal::qmp_shell("a=demo: b=demo:") else { return };
    terminal.wait_for_last("(a)");
    terminal.type_text("@b stop; @");
    terminal.press("Tab");
    terminal.wait_for("@b");
    terminal.type_text("b query-stat");
    terminal.press("Tab");
    terminal.press("Enter");
    terminal.wait_for("@b stop; @b query-status\n");
    terminal.wait_for("\"status\": \"paused\"");
}

#[test]
fn one_failure_is_the_status_of_all() {
    let Some(pair) = Pair::new(Server::qemu(SMALL), Server::qemu(SMALL)) else { return };
    pair.run("a.sock b.sock", "@* query-status").expect_status(0);
    pair.run("a.sock b.sock", "@b blockdev-add driver=null-co node-name=n0").expect_status(0);
    pair.run("a.sock b.sock", "@* blockdev-del n0").expect_status(1);
    pair.run("a.sock b.sock", "@* .wait NEVER timeout=0.01").expect_status(1);
    // With -e, the first failure ends the line and the script.
    pair.run("-e a.sock b.sock", "@* blockdev-del n0\nquery-status").check(expect![[r#"
        {"server": "a", "error": {"class": "GenericError", "desc": "Failed to find node with node-name='n0'"}}
        status: 1
    "#]]);
    pair.run("-p a.sock b.sock", "@* query-name\n@b query-nme\nstop").check(expect![[r#"
        a:
        {}
        b:
        {}
        {}
        stderr: <stdin>:2: CommandNotFound: The command query-nme has not been found
        stderr: {TIME} a: STOP
        status: 1
    "#]]);
    pair.run("-H a.sock b.sock", "@* info status\n@b  info name\n@b foo").check(expect![[r#"
        a:
        VM status: paused
        b:
        VM status: running
        unknown command: 'foo'
        status: 1
    "#]]);
    pair.run("-v a.sock b.sock", "@* query-name").check(expect![[r#"
        {"server": "a", "return": {}}
        {"server": "b", "return": {}}
        stderr: a: -> {"execute": "query-name"}
        stderr: b: -> {"execute": "query-name"}
    "#]]);
}

#[test]
fn a_server_that_is_killed_leaves_the_others() {
    for mut pair in pairs(SMALL, SMALL) {
        let mut child = qmp_shell(&["src=a.sock", "dst=b.sock"]).in_folder(pair.folder.path()).start();
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "@dst query-name\n.log {}", pair.path("log")).unwrap();
        wait_until("the first lines", || std::fs::exists(pair.path("log")).unwrap());
        pair.b.kill();
        writeln!(input, "@dst .wait NEVER\nquery-name\n@dst query-name\n@* query-name\nquery-status | .running")
            .unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        let run = Run {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code().unwrap(),
        };
        assert_eq!(run.status, 4, "{run:#?}");
        snapshot::check(
            &run.stdout,
            expect![[r#"
            {"server": "dst", "return": {}}
            {"server": "src", "return": {}}
            {"server": "dst", "error": {"class": "NotSent", "desc": "not connected"}}
            {"server": "src", "return": {}}
            {"server": "dst", "error": {"class": "NotSent", "desc": "not connected"}}
            true
        "#]],
        );
        assert!(run.stderr.contains("he server closed the connection"), "{run:#?}");
    }
}

#[test]
fn quit_ends_one_server() {
    let Some(mut pair) = Pair::new(Server::qemu(SMALL), Server::qemu(SMALL)) else { return };
    let mut run = pair.run("a.sock b.sock", "@b quit\nquery-name\nquit\n");
    run.stdout = run.stdout.lines().map(|line| outline(line) + "\n").collect();
    run.check(expect![[r#"
        b SHUTDOWN
        b return
        a return
        a SHUTDOWN
        a return
    "#]]);
    assert!(pair.a.wait_for_end() && pair.b.wait_for_end());
}

#[test]
fn events_and_notices_name_their_server_at_a_prompt() {
    let Some(mut pair) = Pair::new(Server::qemu(Q35), Server::qemu(Q35)) else { return };
    let Some(terminal) = pair.terminal("src=a.sock dst=b.sock") else { return };
    terminal.wait_for_last("(src)");
    terminal.enter("@dst cont");
    terminal.wait_for("{}\n(src)");
    // An event of each while nothing is entered, without the prompt being disturbed.
    terminal.type_text("query-st");
    crate::support::server::run_hmp_line(&pair.a.path("hmp.sock"), "cont");
    terminal.wait_for(" src: RESUME\n(src) query-st");
    crate::support::server::run_hmp_line(&pair.b.path("hmp.sock"), "stop");
    terminal.wait_for(" dst: STOP\n(src) query-st");
    terminal.type_text("atus");
    terminal.press("Enter");
    terminal.wait_for("\"running\": true}\n(src)");
    terminal.enter("@* query-status");
    terminal.wait_for("\"running\": false}\n(src)");
    terminal.enter(".on dst");
    terminal.wait_for_last("(dst)");
    terminal.type_text("que");
    pair.b.kill();
    terminal.wait_for("will reconnect.\n(dst) que");
    terminal.press("C-c");
    terminal.enter("@src query-status");
    terminal.wait_for("\"running\": true}\n(dst: not connected)");
    // The next command connects again, and only to this server.
    std::fs::remove_file(pair.path("b.sock")).unwrap();
    let Some(successor) = Server::qemu(Q35) else { return };
    symlink(successor.address(), pair.path("b.sock")).unwrap();
    terminal.enter("query-status");
    terminal.wait_for("\"prelaunch\", \"running\": false}\n(dst)");
    terminal.check_screen(expect![[r#"
        src: Connected to QEMU {VERSION} at a.sock.
        dst: Connected to QEMU {VERSION} at b.sock.
        `@NAME LINE` runs a line there, `@* LINE` everywhere, `.on NAME` switches; Ctrl-D leaves.
        (src) @dst cont
        {TIME} dst: RESUME
        {}
        {TIME} src: RESUME
        {TIME} dst: STOP
        (src) query-status
        {"status": "running", "running": true}
        (src) @* query-status
        src:
        {"status": "running", "running": true}
        dst:
        {"status": "paused", "running": false}
        (src) .on dst
        dst: The server closed the connection. The next command to it will reconnect.
        (dst) que
        (dst: not connected) @src query-status
        {"status": "running", "running": true}
        (dst: not connected) query-status
        dst: Connected to QEMU {VERSION} at b.sock.
        {"status": "prelaunch", "running": false}
        (dst)
    "#]]);
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn servers_are_added_replaced_and_left() {
    let Some(pair) = Pair::new(Server::qemu(Q35), Server::qemu(SMALL)) else { return };
    let Some(terminal) = pair.terminal("a.sock") else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".on");
    terminal.enter("@b query-name");
    terminal.enter(".connect -");
    terminal.enter(".connect b=nowhere.sock");
    terminal.enter(".connect b=b.sock");
    terminal.wait_for_last("(b)");
    terminal.enter(".on");
    terminal.enter(".connect demo:");
    terminal.wait_for("at demo:.\n(b)");
    terminal.enter(".connect nowhere.sock");
    terminal.wait_for("the connection to `demo:` stays open\n(b)");
    terminal.enter(".connect -");
    terminal.wait_for("at b.sock.\n(b)");
    terminal.enter(".connect -");
    terminal.wait_for("at demo:.\n(b)");
    terminal.enter(".on a");
    terminal.wait_for_last("(a)");
    terminal.enter(".set prompt '%@ %n>'");
    terminal.wait_for_last("a QEMU>");
    terminal.enter(".hmp");
    terminal.enter(".set prompt default");
    terminal.wait_for_last("(qemu a)");
    terminal.enter("@b info status");
    terminal.wait_for("VM status: running\n(qemu a)");
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at a.sock. Tab completes, help explains, Ctrl-D leaves.
        (QEMU) .on
        There is one server; `.connect NAME=ADDRESS` adds another.
        (QEMU) @b query-name
               ^^
        error: `@b` names a server, but there is only one; `.connect NAME=ADDRESS` adds another
        (QEMU) .connect -
                        ^
        error: there is no former server
        (QEMU) .connect b=nowhere.sock
        error: there is no socket at `nowhere.sock`; a QEMU started with `-qmp unix:nowhere.sock,server=on,wait=off` creates one; the connection to `a.sock` stays open
        (QEMU) .connect b=b.sock
        b: Connected to QEMU {VERSION} at b.sock.
        (b) .on
          a  QEMU {VERSION} at a.sock
        * b  QEMU {VERSION} at b.sock
        (b) .connect demo:
        b: Connected to QEMU {VERSION} at demo:.
        (b) .connect nowhere.sock
        error: there is no socket at `nowhere.sock`; a QEMU started with `-qmp unix:nowhere.sock,server=on,wait=off` creates one; the connection to `demo:` stays open
        (b) .connect -
        b: Connected to QEMU {VERSION} at b.sock.
        (b) .connect -
        b: Connected to QEMU {VERSION} at demo:.
        (b) .on a
        (a) .set prompt '%@ %n>'
        This lasts as long as the session; put the line into ~/.config/qmp-shell/rc to keep it.
        a QEMU> .hmp
        b: The shell's own monitor answers HMP lines, over QMP alone; `help` lists its commands.
        a QEMU> .set prompt default
        (qemu a) @b info status
        VM status: running
        (qemu a)
    "#]]);
}

#[test]
fn tab_and_checks_know_the_server_of_the_line() {
    let Some(pair) = Pair::new(Server::qemu(Q35), Server::storage_daemon()) else { return };
    let complete = |line: &str| {
        let mut run = pair.run(&format!("a.sock sd=b.sock --complete {line}"), "").expect_status(0);
        run.stdout = run.stdout.lines().map(|line| line.split('\t').next().unwrap().to_owned() + "\n").collect();
        run.stdout
    };
    assert_eq!(complete("@"), "@a\n@sd\n@*\n");
    let mut table = snapshot::Table::new();
    let mut offer = |line: &str| {
        let args = ["a.sock", "sd=b.sock", "--complete", line];
        let run = qmp_shell(&args).in_folder(pair.folder.path()).run().expect_status(0);
        let names: Vec<&str> = run.stdout.lines().map(|line| line.split('\t').next().unwrap()).collect();
        table.row(line, names.join(" "));
    };
    for line in [
        "@",
        "@s",
        ".wait @",
        ".on ",
        "@a device_a",
        "@sd device_a",
        "@sd nbd-server-a",
        "@* blockdev-r",
        ".wait @sd JOB_S",
    ] {
        offer(line);
    }
    table.check(expect![[r#"
        > @
        @a @sd @*

        > @s
        @sd

        > .wait @
        @a @sd @*

        > .on
        a sd

        > @a device_a
        device_add

        > @sd device_a

        > @sd nbd-server-a
        nbd-server-add

        > @* blockdev-r
        blockdev-remove-medium blockdev-reopen

        > .wait @sd JOB_S
        JOB_STATUS_CHANGE
    "#]]);
    pair.run("a.sock sd=b.sock", "@sd device_add driver=x\n@a device_add drivr=x\n").check(expect![[r#"
        {"server": "sd", "error": {"class": "NotSent", "desc": "the server has no command `device_add`"}}
        {"server": "a", "error": {"class": "NotSent", "desc": "missing key `driver` for `device_add` (a string)"}}
        stderr: <stdin>:1: the server has no command `device_add`
        stderr:   @sd device_add driver=x
        stderr:       ^^^^^^^^^^
        stderr: <stdin>:2: missing key `driver` for `device_add` (a string)
        stderr:   @a device_add drivr=x
        stderr:      ^^^^^^^^^^
        status: 1
    "#]]);
}

#[test]
fn a_log_of_several_servers_names_them() {
    let Some(pair) = Pair::new(Server::qemu(SMALL), Server::qemu(SMALL)) else { return };
    let lines = "@* blockdev-add driver=null-co node-name=n0\n@dst blockdev-del n0\nquery-name\n";
    let real = pair.run("src=a.sock dst=b.sock -l vm.log", lines).expect_status(0);
    let log = std::fs::read_to_string(pair.path("vm.log")).unwrap();
    assert!(log.lines().all(|line| line.contains("Z\", \"server\": \"")), "{log}");
    // Each of them is replayed.
    let again = pair.run("src=replay:vm.log#src dst=replay:vm.log#dst", lines).expect_status(0);
    assert_eq!(again.stdout, real.stdout);
    let mut run = qmp(&["--path", "replay:vm.log#dst", "query-name"]).in_folder(pair.folder.path()).run();
    run.check(expect![[r#"
        stderr: GenericError: not recorded: `vm.log` has no `query-name`
        status: 1
    "#]]);
    run = qmp(&["--path", "replay:vm.log", "query-name"]).in_folder(pair.folder.path()).run();
    run.check(expect![[r#"
        stderr: qmp: cannot connect to `replay:vm.log`: vm.log has the messages of `dst`, `src`; choose one: `replay:vm.log#dst`
        status: 3
    "#]]);
    // And its requests are sent to those that they were for.
    pair.run("dst=b.sock src=a.sock -f vm.log", "").check(expect![[r#"
        {"server": "src", "error": {"class": "GenericError", "desc": "Duplicate nodes with node-name='n0'"}}
        {"server": "dst", "return": {}}
        {"server": "dst", "return": {}}
        {"server": "src", "return": {}}
        status: 1
    "#]]);
    pair.run("src=a.sock -f vm.log", "").check(expect![[r#"
        stderr: cannot run `vm.log`: it has requests for the server `dst`, which is not connected; `.connect dst=ADDRESS` adds it
        status: 1
    "#]]);
}

#[test]
fn the_connection_to_one_of_several_servers_is_shared() {
    let Some(pair) = Pair::new(Server::qemu(SMALL), Server::qemu(SMALL)) else { return };
    let lines = "@dst .share shared.sock\n@dst query-name\n@* query-name\n@dst .share off\n@dst query-name\n";
    pair.run("src=a.sock dst=b.sock", lines).check(expect![[r#"
        {"server": "dst", "return": {}}
        {"server": "src", "return": {}}
        {"server": "dst", "return": {}}
        {"server": "dst", "return": {}}
    "#]]);
}

#[test]
fn wrong_servers_are_explained() {
    let Some(pair) = Pair::new(Server::qemu(SMALL), Server::qemu(SMALL)) else { return };
    pair.run("a=a.sock a=b.sock", "").check(expect![[r#"
        stderr: qmp-shell: two servers are named `a`
        status: 2
    "#]]);
    pair.run("a.sock nowhere.sock", "").check(expect![[r#"
        stderr: qmp-shell: there is no socket at `nowhere.sock`; a QEMU started with `-qmp unix:nowhere.sock,server=on,wait=off` creates one
        status: 3
    "#]]);
    pair.run("a.sock", "@a query-name\n.on a\n.connect b=nowhere.sock\nquery-name\n.on a\nquery-name")
        .check(expect![[r#"
            {"error": {"class": "NotSent", "desc": "`@a` names a server, but there is only one; `.connect NAME=ADDRESS` adds another"}}
            {"server": "b", "error": {"class": "NotSent", "desc": "not connected"}}
            {"server": "a", "return": {}}
            stderr: <stdin>:1: `@a` names a server, but there is only one; `.connect NAME=ADDRESS` adds another
            stderr:   @a query-name
            stderr:   ^^
            stderr: <stdin>:2: `@a` names a server, but there is only one; `.connect NAME=ADDRESS` adds another
            stderr:   .on a
            stderr:       ^
            stderr: <stdin>:3: there is no socket at `nowhere.sock`; a QEMU started with `-qmp unix:nowhere.sock,server=on,wait=off` creates one
            stderr: <stdin>:4: not connected
            status: 1
        "#]]);
    pair.run("a.sock query-name", "").check(expect![[r#"
        stderr: qmp-shell: there is no socket at `query-name`; a command is an option: `-c 'query-name …'`
        status: 2
    "#]]);
    pair.run("a.sock", ".wait @b STOP\n.source @b\n").check(expect![[r#"
        stderr: <stdin>:1: `@b` names a server, but there is only one; `.connect NAME=ADDRESS` adds another
        stderr:   .wait @b STOP
        stderr:         ^^
        stderr: <stdin>:2: cannot read `@b`: No such file or directory (os error 2)
        stderr:   .source @b
        stderr:           ^^
        status: 1
    "#]]);
    // One server with a name is like one without.
    pair.run("src=a.sock", "query-name").check(expect![[r#"
        {"return": {}}
    "#]]);
}
