//! Where a server can be: every form of an address leads to the machine it names.

use std::net::TcpListener;
use std::process::{Child, Command, Output};

use crate::support::peer::port_without_room;
use crate::support::program::{Run, qmp_shell};
use crate::support::server::{SMALL, Server};
use crate::support::{find_program, skip, wait_until};

const NAMED: &str = "{\"return\": {\"name\": \"here\"}}\n";

/// Asks the machine at `address` for its name; all of these are called `here`.
#[track_caller]
fn expect_here(address: &str) {
    let run = qmp_shell(&[address, "-c", "query-name"]).run();
    assert_eq!((run.stdout.as_str(), run.status), (NAMED, 0), "{address}: {run:#?}");
}

/// A machine called `here` with further `-qmp` sockets.
fn here(sockets: &[&str]) -> Option<Server> {
    let mut options = [SMALL, &["-name", "here"]].concat();
    for socket in sockets {
        options.extend(["-qmp", socket]);
    }
    Server::qemu(&options)
}

/// The port that the system chose for a server's socket of this protocol.
fn port(server: &Server, protocol: &str) -> u16 {
    let run = qmp_shell(&[&server.address(), "-c", "query-chardev"]).run();
    let before = format!("{protocol}:127.0.0.1:");
    let at = run.stdout.find(&before).unwrap_or_else(|| panic!("{run:#?}")) + before.len();
    let digits: String = run.stdout[at..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// A port of `host` that nobody listens on.
fn free_port(host: &str) -> std::io::Result<u16> {
    Ok(TcpListener::bind(format!("{host}:0"))?.local_addr()?.port())
}

/// `qmp-shell` as a child of a shell that runs `script` first; `$0` is the program.
fn under_bash(script: &str) -> Option<Run> {
    let Some(bash) = find_program("bash") else {
        skip("bash");
        return None;
    };
    let output = Command::new(bash).args(["-c", script, env!("CARGO_BIN_EXE_qmp-shell")]).output().unwrap();
    Some(Run {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().unwrap(),
    })
}

#[test]
fn a_path_is_a_path_also_with_a_colon_and_from_where_one_stands() {
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
fn an_abstract_socket_is_named_with_an_at_sign() {
    let name = format!("qmp-shell-test-{}", std::process::id());
    let Some(_server) = here(&[&format!("unix:{name},abstract=on,server=on,wait=off")]) else {
        return;
    };
    expect_here(&format!("unix:@{name}"));
}

#[test]
fn a_port_is_reached_by_name_by_number_and_behind_telnet() {
    let Some(server) = here(&["tcp:127.0.0.1:0,server=on,wait=off"]) else {
        return;
    };
    let port = port(&server, "tcp");
    for address in
        [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!(":{port}"), format!("tcp:127.0.0.1:{port}")]
    {
        expect_here(&address);
    }
    let Some(server) = here(&["tcp:127.0.0.1:0,server=on,wait=off,telnet=on"]) else {
        return;
    };
    let port = self::port(&server, "telnet");
    expect_here(&format!("127.0.0.1:{port}"));
}

#[test]
fn an_ipv6_port_stands_behind_brackets() {
    let Ok(port) = free_port("[::1]") else {
        eprintln!("skipped: this machine has no IPv6");
        return;
    };
    // What `-qmp tcp:` takes has no brackets.
    let socket = format!("socket,id=v6,host=::1,port={port},server=on,wait=off");
    let options = ["-name", "here", "-chardev", &socket, "-mon", "chardev=v6,mode=control"];
    let Some(_server) = Server::qemu(&[SMALL, &options].concat()) else {
        return;
    };
    expect_here(&format!("[::1]:{port}"));
    expect_here(&format!("tcp:[::1]:{port}"));
}

#[test]
fn an_inherited_socket_is_named_by_its_number() {
    let Some(server) = here(&["tcp:127.0.0.1:0,server=on,wait=off"]) else {
        return;
    };
    let port = port(&server, "tcp");
    // One descriptor serves one session: what is at its end stays at its end.
    let script = format!(
        "exec 7<>/dev/tcp/127.0.0.1/{port}; \"$0\" fd:7 -c query-name; echo $?; \"$0\" fd:7 -c query-name; echo $?"
    );
    let Some(run) = under_bash(&script) else { return };
    assert_eq!(run.stdout, format!("{NAMED}0\n3\n"));
    let sentence =
        "qmp-shell: the connection to `fd:7` ended before the session began: the server closed the connection\n";
    assert_eq!(run.stderr, sentence);
}

#[test]
fn a_command_can_be_the_stream() {
    let Some(server) = here(&[]) else { return };
    if find_program("socat").is_none() {
        return skip("socat");
    }
    let path = server.address();
    expect_here(&format!("exec:socat - UNIX:{path}"));
    expect_here(&format!("exec:sh -c 'exec socat STDIO \"UNIX:{path}\"'"));
}

#[test]
fn the_variable_gives_the_address_where_none_is_named() {
    let Some(server) = here(&[]) else { return };
    let run = qmp_shell(&["-c", "query-name"]).env("QMP_SOCKET", &server.address()).run();
    assert_eq!(run.expect_status(0).stdout, NAMED);
    let run = qmp_shell(&[&server.address(), "-c", "query-name"]).env("QMP_SOCKET", "/nowhere").run();
    assert_eq!(run.expect_status(0).stdout, NAMED);
    let run = qmp_shell(&["-c", "query-name"]).run().expect_status(2);
    assert!(run.stderr.starts_with("qmp-shell: no ADDRESS is named, and QMP_SOCKET is not set"), "{run:#?}");
}

/// Waits for the end of a shell that `server` was all it waited for; ends it where there is none.
fn finish(mut shell: Child, server: Option<Server>) -> Option<Output> {
    if server.is_none() {
        shell.kill().unwrap();
    }
    let output = shell.wait_with_output().unwrap();
    server.map(|_| output)
}

/// Starts a shell that listens on `address`, and waits until it does.
fn listening(address: &str) -> Child {
    let mut shell = qmp_shell(&["--listen", address, "-c", "query-name"]).start();
    let mut stderr = std::io::BufReader::new(shell.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    assert_eq!(line, format!("Listening on {address} for the server to connect.\n"));
    shell
}

#[test]
fn the_server_may_be_the_one_that_connects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l.sock");
    let (path_text, port) = (path.to_str().unwrap(), free_port("127.0.0.1").unwrap());
    // A socket file that nobody listens on any more is in nobody's way.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    for (address, qemu) in [
        (path_text.to_owned(), format!("unix:{path_text}")),
        (format!("127.0.0.1:{port}"), format!("tcp:127.0.0.1:{port}")),
    ] {
        let shell = listening(&address);
        let Some(output) = finish(shell, here(&[&qemu])) else {
            return;
        };
        assert_eq!(String::from_utf8_lossy(&output.stdout), NAMED, "{address}");
        assert!(output.status.success());
    }
    assert!(!path.exists(), "the socket goes with its shell");
}

#[test]
fn listening_takes_nobodys_socket_away() {
    let Some(server) = here(&[]) else { return };
    let run = qmp_shell(&["--listen", &server.address(), "-c", "query-name"]).run().expect_status(3);
    let sentence = format!("qmp-shell: cannot listen on `{}`: Address already in use", server.address());
    assert!(run.stderr.starts_with(&sentence), "{run:#?}");
    expect_here(&server.address());
}

#[test]
fn a_port_that_answers_nobody_is_waited_for_as_long_as_was_said() {
    let (port, _crowd) = port_without_room();
    let address = format!("127.0.0.1:{port}");
    let run = qmp_shell(&["--timeout", "0.2", &address, "-c", "query-name"]).run().expect_status(3);
    assert_eq!(run.stderr, format!("qmp-shell: no connection to `{address}` within 0.2 s\n"));
}

/// How often a process has slept so far.
fn naps(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later.sock");
    let address = path.to_str().unwrap();
    let shell = qmp_shell(&["--wait", address, "-c", "query-name"]).start();
    wait_until("some tries", || naps(shell.id()) > 5);
    let server = here(&[&format!("unix:{address},server=on,wait=off")]);
    let Some(output) = finish(shell, server) else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout), NAMED);

    let run = qmp_shell(&["--wait=0.1", "/nowhere/q.sock", "-c", "query-name"]).run();
    let errors = run.expect_status(3).stderr;
    assert!(errors.starts_with("qmp-shell: there is no socket at `/nowhere/q.sock`"), "{errors}");
    // A long wait is spoken of.
    let run = qmp_shell(&["--wait=1.2", "/nowhere/q.sock", "-c", "query-name"]).run();
    let errors = run.expect_status(3).stderr;
    assert!(errors.starts_with("Waiting for /nowhere/q.sock.\nqmp-shell: there is no socket"), "{errors}");
}

#[test]
fn the_demo_needs_no_server() {
    for address in ["demo:", "demo"] {
        let run = qmp_shell(&[address, "-c", "query-status"]).run().expect_status(0);
        assert_eq!(run.stdout, "{\"return\": {\"status\": \"running\", \"running\": true}}\n");
    }
}

#[test]
pub fn a_server_that_prints_prettily_is_understood() {
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
pub fn other_servers_are_served_as_well() {
    let version = |server: &Server| {
        let run = qmp_shell(&[&server.address(), "-c", "query-version"]).run().expect_status(0);
        let value: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        value["return"]["qemu"]["major"].as_u64().unwrap()
    };
    if let Some(server) = Server::qemu_7_2(SMALL) {
        assert_eq!(version(&server), 7);
    }
    let Some(server) = Server::storage_daemon() else { return };
    assert_eq!(version(&server), 10);
    let lines = "blockdev-add driver=null-co node-name=n0 size=1048576\nquery-named-block-nodes\nquit\n";
    let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(0);
    assert!(run.replies()[1].contains("\"node-name\": \"n0\""), "{run:#?}");
}

#[test]
fn an_address_that_names_nothing_is_wrong_usage() {
    for (address, sentence) in [
        ("", "the address is empty"),
        ("localhost:http", "`http` is no port number, in address `localhost:http`"),
        ("localhost:65536", "`65536` is no port number"),
        ("fd:x", "`x` is no descriptor number, in an address `fd:N`"),
        ("unix:@", "address `unix:@` names nothing behind the colon"),
        ("exec:", "address `exec:` names nothing behind the colon"),
    ] {
        let run = qmp_shell(&[address, "-c", "query-name"]).run().expect_status(2);
        assert!(run.stderr.contains(sentence), "{address}: {run:#?}");
    }
}
