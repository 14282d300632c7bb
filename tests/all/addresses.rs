//! Every form of address connects to the server that it names.

use std::net::TcpListener;
use std::process::{Child, Command, Output};
use std::time::Duration;

use expect_test::expect;

use crate::support::peer::{GREETING, Peer, PeerConnection, full_listener};
use crate::support::program::{Run, qmp, qmp_shell, qom};
use crate::support::server::{SMALL, Server, program_version};
use crate::support::skip::{require_program, skip_optional};
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;
use crate::support::{send_signal, wait_until};

const NAMED: &str = "{\"return\": {\"name\": \"here\"}}\n";

/// Checks that the machine at `address` is the one called `here`.
#[track_caller]
fn expect_here(address: &str) {
    let run = qmp_shell(&[address, "-c", "query-name"]).run();
    assert_eq!((run.stdout.as_str(), run.status), (NAMED, 0), "{address}: {run:#?}");
}

/// Starts a machine called `here` with further `-qmp` sockets.
fn here(sockets: &[&str]) -> Option<Server> {
    let mut options = [SMALL, &["-name", "here"]].concat();
    for socket in sockets {
        options.extend(["-qmp", socket]);
    }
    Server::qemu(&options)
}

/// Returns the port that the system chose for a server's socket of this protocol.
fn port(server: &Server, protocol: &str) -> u16 {
    let run = qmp_shell(&[&server.address(), "-c", "query-chardev"]).run();
    let before = format!("{protocol}:127.0.0.1:");
    let at = run.stdout.find(&before).unwrap_or_else(|| panic!("{run:#?}")) + before.len();
    let digits: String = run.stdout[at..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// Returns a free port of `host`.
fn free_port(host: &str) -> std::io::Result<u16> {
    Ok(TcpListener::bind(format!("{host}:0"))?.local_addr()?.port())
}

/// Runs a script of bash, in which `$0` is `qmp-shell`.
fn run_in_bash(script: &str) -> Option<Run> {
    let bash = require_program("bash")?;
    Some(Command::new(bash).args(["-c", script, env!("CARGO_BIN_EXE_qmp-shell")]).output().unwrap().into())
}

#[test]
fn accepts_paths_with_colons_and_relative_paths() {
    let folder = tempfile::tempdir().unwrap();
    let with_colon = format!("unix:{}/vm:1,server=on,wait=off", folder.path().display());
    let Some(server) = here(&[&with_colon]) else { return };
    expect_here(&server.address());
    expect_here(&format!("unix:{}", server.address()));
    expect_here(folder.path().join("vm:1").to_str().unwrap());
    for (place, address) in [
        (server.path(""), "q.sock"),
        (server.path(""), "./q.sock"),
        (server.path(""), "unix:q.sock"),
        (folder.path().to_str().unwrap().to_owned(), "vm:1"),
        (folder.path().to_str().unwrap().to_owned(), "unix:vm:1"),
    ] {
        let shell = qmp_shell(&[address, "-c", "query-name"]).in_folder(place.as_ref());
        assert_eq!(shell.run().stdout, NAMED, "{address}");
    }
}

#[test]
fn connects_to_an_abstract_socket() {
    let name = format!("qmp-shell-test-{}", std::process::id());
    let Some(_server) = here(&[&format!("unix:{name},abstract=on,server=on,wait=off")]) else { return };
    expect_here(&format!("unix:@{name}"));
}

#[test]
fn connects_to_a_port_by_name_by_number_and_over_telnet() {
    let Some(server) = here(&["tcp:127.0.0.1:0,server=on,wait=off"]) else { return };
    let port = port(&server, "tcp");
    for address in
        [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!(":{port}"), format!("tcp:127.0.0.1:{port}")]
    {
        expect_here(&address);
    }
    let Some(server) = here(&["tcp:127.0.0.1:0,server=on,wait=off,telnet=on"]) else { return };
    let port = self::port(&server, "telnet");
    expect_here(&format!("127.0.0.1:{port}"));
}

#[test]
fn connects_to_an_ipv6_port_in_brackets() {
    let Ok(port) = free_port("[::1]") else {
        return skip_optional("IPv6");
    };
    // `-qmp tcp:` does not accept brackets.
    let socket = format!("socket,id=v6,host=::1,port={port},server=on,wait=off");
    let options = ["-name", "here", "-chardev", &socket, "-mon", "chardev=v6,mode=control"];
    let Some(_server) = Server::qemu(&[SMALL, &options].concat()) else { return };
    expect_here(&format!("[::1]:{port}"));
    expect_here(&format!("tcp:[::1]:{port}"));
}

#[test]
fn uses_an_inherited_socket_by_its_number() {
    let Some(server) = here(&["tcp:127.0.0.1:0,server=on,wait=off"]) else { return };
    let port = port(&server, "tcp");
    // A file descriptor serves one session.
    let script = format!(
        "exec 7<>/dev/tcp/127.0.0.1/{port}; \"$0\" fd:7 -c query-name; echo $?; \"$0\" fd:7 -c query-name; echo $?"
    );
    let Some(run) = run_in_bash(&script) else { return };
    run.check(expect![[r#"
        {"return": {"name": "here"}}
        0
        3
        stderr: qmp-shell: the connection to `fd:7` ended before negotiation was complete: the server closed the connection
    "#]]);
}

#[test]
fn connects_through_a_command() {
    let Some(server) = here(&[]) else { return };
    let Some(_) = require_program("socat") else { return };
    let path = server.address();
    expect_here(&format!("exec:socat - UNIX:{path}"));
    expect_here(&format!("exec:sh -c 'exec socat STDIO \"UNIX:{path}\"'"));
}

#[test]
fn takes_the_default_address_from_the_environment() {
    let Some(server) = here(&[]) else { return };
    let run = qmp_shell(&["-c", "query-name"]).env("QMP_SOCKET", &server.address()).run();
    assert_eq!(run.expect_status(0).stdout, NAMED);
    let run = qmp_shell(&[&server.address(), "-c", "query-name"]).env("QMP_SOCKET", "/nowhere").run();
    assert_eq!(run.expect_status(0).stdout, NAMED);
    let mut run = qmp_shell(&["-c", "query-name"]).run().expect_status(2);
    // The servers of other tests may follow.
    run.stderr = run.stderr.split("\nrunning servers:").next().unwrap().to_owned();
    run.check(expect![[r#"
        stderr: qmp-shell: no ADDRESS given and QMP_SOCKET is not set; try `qmp-shell demo:` or `qmp-shell --help`
        status: 2
    "#]]);
}

/// Waits until a shell that listens has served `server`; returns its output. Kills it if there is no server.
fn finish_listening(mut shell: Child, server: Option<Server>) -> Option<Output> {
    if server.is_none() {
        shell.kill().unwrap();
    }
    let output = shell.wait_with_output().unwrap();
    server.map(|_| output)
}

/// Starts a shell that listens on `address`, and waits until it does.
fn start_listening(address: &str) -> Child {
    let mut shell = qmp_shell(&["--listen", address, "-c", "query-name"]).start();
    let mut stderr = std::io::BufReader::new(shell.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    snapshot::check(
        line.replace(address, "{ADDRESS}"),
        expect![[r#"
        Listening on {ADDRESS} for the server to connect.
    "#]],
    );
    shell
}

#[test]
fn listens_for_a_server_that_connects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l.sock");
    let (path_text, port) = (path.to_str().unwrap(), free_port("127.0.0.1").unwrap());
    // A stale socket file is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    for (address, qemu) in [
        (path_text.to_owned(), format!("unix:{path_text}")),
        (format!("127.0.0.1:{port}"), format!("tcp:127.0.0.1:{port}")),
    ] {
        let shell = start_listening(&address);
        let Some(output) = finish_listening(shell, here(&[&qemu])) else { return };
        assert_eq!(String::from_utf8_lossy(&output.stdout), NAMED, "{address}");
        assert!(output.status.success());
    }
    assert!(!path.exists(), "the shell removes its socket");
    let mut shell = start_listening(path_text);
    send_signal(shell.id(), "TERM");
    assert_eq!(shell.wait().unwrap().code(), Some(143));
    assert!(!path.exists(), "the shell removes its socket at a signal");
}

#[test]
fn refuses_to_listen_on_a_socket_in_use() {
    let Some(server) = here(&[]) else { return };
    let run = qmp_shell(&["--listen", &server.address(), "-c", "query-name"]).run().expect_status(3);
    run.check(expect![[r#"
        stderr: qmp-shell: cannot listen on `{DIR}/q.sock`: Address already in use (os error 98)
        status: 3
    "#]]);
    expect_here(&server.address());
}

#[test]
fn stops_connecting_after_the_timeout() {
    let (port, _crowd) = full_listener();
    let address = format!("127.0.0.1:{port}");
    let run = qmp_shell(&["--timeout", "0.2", &address, "-c", "query-name"]).run().expect_status(3);
    run.check(expect![[r#"
        stderr: qmp-shell: no connection to `127.0.0.1:{PORT}` within 0.2 s
        status: 3
    "#]]);
}

/// Returns the number of times that a process has waited so far.
fn voluntary_switches(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn waits_for_a_server_that_is_not_there_yet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later.sock");
    let address = path.to_str().unwrap();
    let shell = qmp_shell(&["--wait", address, "-c", "query-name"]).start();
    wait_until("some tries", || voluntary_switches(shell.id()) > 5);
    let server = here(&[&format!("unix:{address},server=on,wait=off")]);
    let Some(output) = finish_listening(shell, server) else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout), NAMED);

    // A long wait is announced.
    let mut table = Table::new();
    for wait in ["--wait=0.1", "--wait=1.2"] {
        table.run(wait, &qmp_shell(&[wait, "/nowhere/q.sock", "-c", "query-name"]).run().expect_status(3));
    }
    table.run("qom --wait=1.2", &qom(&["list", "/", "--wait=1.2", "-s", "/nowhere/q.sock"]).run().expect_status(3));
    table.check(expect![[r#"
        > --wait=0.1
        stderr: qmp-shell: there is no socket at `/nowhere/q.sock`; a QEMU started with `-qmp unix:/nowhere/q.sock,server=on,wait=off` creates one
        status: 3

        > --wait=1.2
        stderr: Waiting for /nowhere/q.sock.
        stderr: qmp-shell: there is no socket at `/nowhere/q.sock`; a QEMU started with `-qmp unix:/nowhere/q.sock,server=on,wait=off` creates one
        status: 3

        > qom --wait=1.2
        stderr: qom: Waiting for /nowhere/q.sock.
        stderr: qom: there is no socket at `/nowhere/q.sock`; a QEMU started with `-qmp unix:/nowhere/q.sock,server=on,wait=off` creates one
        status: 3
    "#]]);
}

/// Sends a greeting and does not reply to the negotiation.
fn only_greet(server: &mut PeerConnection) {
    server.send_line(GREETING);
    server.wait_for_close();
}

#[test]
fn says_what_it_waits_for_while_it_connects() {
    let silent: fn(&mut PeerConnection) = PeerConnection::wait_for_close;
    let mut table = Table::new();
    for (name, script, words) in [
        ("qmp-shell", silent, "--timeout=1.3 ADDRESS -c query-name"),
        ("qmp-shell", only_greet, "--timeout=1.3 ADDRESS -c query-name"),
        ("qmp-shell", silent, "--timeout=1.3 ADDRESS -c guest-info -N"),
        ("qmp", silent, "--timeout=1.3 --path=ADDRESS query-name"),
        ("qom", only_greet, "list / --timeout=1.3 --socket=ADDRESS"),
    ] {
        let peer = Peer::start(script);
        let words = words.replace("ADDRESS", &peer.address());
        let words: Vec<&str> = words.split(' ').collect();
        let program = match name {
            "qmp-shell" => qmp_shell(&words),
            "qmp" => qmp(&words),
            _ => qom(&words),
        };
        table.run(format!("{name} {}", words.join(" ")), &program.run().expect_status(3));
    }
    table.check(expect![[r#"
        > qmp-shell --timeout=1.3 {DIR}/q.sock -c query-name
        stderr: Waiting for the greeting of {DIR}/q.sock.
        stderr: qmp-shell: connected to `{DIR}/q.sock`, but no greeting came within 1.3 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N)
        status: 3

        > qmp-shell --timeout=1.3 {DIR}/q.sock -c query-name
        stderr: Waiting for {DIR}/q.sock to reply to `qmp_capabilities`.
        stderr: qmp-shell: `{DIR}/q.sock` sent a greeting, but did not answer the capabilities negotiation within 1.3 s
        status: 3

        > qmp-shell --timeout=1.3 {DIR}/q.sock -c guest-info -N
        stderr: Waiting for the guest agent at {DIR}/q.sock.
        stderr: qmp-shell: connected to `{DIR}/q.sock`, but no guest agent answered within 1.3 s; is it running in the guest? (for a QMP monitor, leave out -N)
        status: 3

        > qmp --timeout=1.3 --path={DIR}/q.sock query-name
        stderr: qmp: Waiting for the greeting of {DIR}/q.sock.
        stderr: qmp: connected to `{DIR}/q.sock`, but no greeting came within 1.3 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N)
        status: 3

        > qom list / --timeout=1.3 --socket={DIR}/q.sock
        stderr: qom: Waiting for {DIR}/q.sock to reply to `qmp_capabilities`.
        stderr: qom: `{DIR}/q.sock` sent a greeting, but did not answer the capabilities negotiation within 1.3 s
        status: 3
    "#]]);

    let (port, _queue) = full_listener();
    let address = format!("127.0.0.1:{port}");
    let run = qmp_shell(&["--timeout=1.3", &address, "-c", "query-name"]).run().expect_status(3);
    assert!(run.stderr.starts_with(&format!("Waiting for {address}.\n")), "{}", run.stderr);
}

#[test]
fn a_slow_server_changes_nothing_on_standard_output() {
    let peer = Peer::start(|server| {
        std::thread::sleep(Duration::from_millis(1200));
        server.send_line(GREETING);
        let (_, id) = server.read_request();
        std::thread::sleep(Duration::from_millis(1200));
        server.reply(&id, "{}");
        let id = server.expect_command("query-name");
        server.reply(&id, "{\"name\": \"here\"}");
        server.wait_for_close();
    });
    let run = qmp_shell(&[&peer.address(), "-c", "query-name"]).run().expect_status(0);
    assert_eq!(run.stdout, NAMED);
    snapshot::check(
        run.stderr,
        expect![[r#"
        Waiting for the greeting of {DIR}/q.sock.
        Waiting for {DIR}/q.sock to reply to `qmp_capabilities`.
    "#]],
    );
}

#[test]
fn connect_says_what_it_waits_for_at_a_prompt() {
    let peer = Peer::start(PeerConnection::wait_for_close);
    let Some(terminal) = Terminal::qmp_shell("demo: --timeout 1.3") else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.check_line(&format!(".connect {}", peer.address()), expect![[r#"
        Waiting for the greeting of {DIR}/q.sock.
        error: connected to `{DIR}/q.sock`, but no greeting came within 1.3 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N); the connection to `demo:` stays open
    "#]]);
}

#[test]
fn runs_the_demo_without_a_server() {
    for address in ["demo:", "demo"] {
        let run = qmp_shell(&[address, "-c", "query-status"]).run().expect_status(0);
        assert_eq!(run.stdout, "{\"return\": {\"status\": \"running\", \"running\": true}}\n");
    }
}

#[test]
pub fn understands_pretty_printed_messages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pretty.sock");
    let socket = format!("unix:{},server=on,wait=off", path.display());
    let options = [SMALL, &["-name", "here", "-qmp-pretty", &socket]].concat();
    let Some(_server) = Server::qemu(&options) else { return };
    let run = qmp_shell(&[path.to_str().unwrap()]).input("query-name\nnone\nstop\n").run().expect_status(1);
    let lines = run.lines();
    assert_eq!(lines[0], NAMED.trim_end());
    assert_eq!(
        lines[1],
        "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command none has not been found\"}}"
    );
    assert!(lines[2].starts_with("{\"timestamp\": {\"seconds\": ") && lines[2].ends_with(", \"event\": \"STOP\"}"));
    assert_eq!(lines[3..], ["{\"return\": {}}"]);
}

#[test]
pub fn connects_to_other_servers() {
    let version = |server: &Server| {
        let run = qmp_shell(&[&server.address(), "-c", "query-version"]).run().expect_status(0);
        let value: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        ["major", "minor", "micro"].map(|part| value["return"]["qemu"][part].to_string()).join(".")
    };
    if let Some(server) = Server::qemu_7_2(SMALL) {
        assert_eq!(version(&server), program_version(&std::env::var("QMP_SHELL_TEST_QEMU72").unwrap()));
    }
    let Some(server) = Server::storage_daemon() else { return };
    assert_eq!(version(&server), program_version("qemu-storage-daemon"));
    let lines = "blockdev-add driver=null-co node-name=n0 size=1048576\nquery-named-block-nodes\nquit\n";
    let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(0);
    assert!(run.replies()[1].contains("\"node-name\": \"n0\""), "{run:#?}");
}

#[test]
fn rejects_invalid_addresses() {
    let mut table = Table::new();
    for address in ["", "localhost:http", "localhost:65536", "fd:x", "unix:@", "exec:"] {
        table.run(address, &qmp_shell(&[address, "-c", "query-name"]).run().expect_status(2));
    }
    table.check(expect![[r#"
        >
        stderr: error: invalid value '' for '[ADDRESS]...': the address is empty
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > localhost:http
        stderr: error: invalid value 'localhost:http' for '[ADDRESS]...': invalid port `http` in address `localhost:http`; for a path with a colon write `unix:localhost:http`
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > localhost:65536
        stderr: error: invalid value 'localhost:65536' for '[ADDRESS]...': invalid port `65536` in address `localhost:65536`; for a path with a colon write `unix:localhost:65536`
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > fd:x
        stderr: error: invalid value 'fd:x' for '[ADDRESS]...': invalid file descriptor `x` in address `fd:x`
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > unix:@
        stderr: error: invalid value 'unix:@' for '[ADDRESS]...': missing value after the colon in address `unix:@`
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > exec:
        stderr: error: invalid value 'exec:' for '[ADDRESS]...': missing value after the colon in address `exec:`
        stderr:
        stderr: For more information, try '--help'.
        status: 2
    "#]]);
}

#[test]
fn explains_that_a_command_of_fifos_needs_a_shell() {
    let Some(server) = here(&[]) else { return };
    let address = "exec:cat q.out & cat > q.in";
    let run = qmp_shell(&[address, "-c", "query-name"]).run().expect_status(2);
    assert!(run.stderr.contains("`&` in an `exec:` address needs a shell; write `exec:sh -c '…'`"), "{run:#?}");
    let Some(socat) = require_program("socat") else { return };
    let pipe = format!("exec:sh -c '{} - UNIX:{} 2>/dev/null | cat'", socat.display(), server.address());
    expect_here(&pipe);
    // A `|` is an operator too, and not the reserved word of a QMP line.
    let run = qmp_shell(&[&server.address()]).input(".connect exec:cat q.out | cat\n").run().expect_status(1);
    assert!(run.stderr.contains("`|` in an `exec:` address needs a shell"), "{run:#?}");
    let run = qmp_shell(&[&server.address()]).input(format!(".connect {address}\nquery-name\n")).run().expect_status(1);
    assert_eq!(run.stdout, NAMED);
    snapshot::check(
        &run.stderr,
        expect![[r#"
            <stdin>:1: `&` in an `exec:` address needs a shell; write `exec:sh -c '…'`
              .connect exec:cat q.out & cat > q.in
                       ^^^^^^^^
        "#]],
    );
}
