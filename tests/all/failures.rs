//! What goes wrong, each with its sentence and its exit status. Nothing hangs, nothing panics, and nothing that was sent
//! is sent again.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::support::peer::{GREETING, Peer, Talk};
use crate::support::program::{Run, qmp_shell};
use crate::support::server::{SMALL, Server};
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, find_program, skip, wait_until};

/// Holds a run without a connection to its sentence; `{}` in it is the address.
#[track_caller]
fn expect_no_connection(run: Run, address: &str, sentence: &str) {
    let expected = format!("qmp-shell: {}\n", sentence.replace("{}", address));
    assert_eq!((run.stderr.as_str(), run.status), (expected.as_str(), 3), "{run:#?}");
    assert_eq!(run.stdout, "");
}

/// Runs one command with a short time-out.
fn ask(address: &str) -> Run {
    qmp_shell(&["--timeout", "0.2", address, "-c", "query-status"]).run()
}

const SILENCE: &str = "connected to `{}`, but no greeting came within 0.2 s; a monitor serves one client at a time, so \
                       another may hold it (a guest agent sends no greeting: use -N)";

#[test]
fn what_cannot_be_reached_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("file"), "").unwrap();
    drop(UnixListener::bind(path("stale")).unwrap());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (address, sentence) in [
        (path("none"), "there is no socket at `{}`; a QEMU started with `-qmp unix:{},server=on,wait=off` makes one"),
        (path("file"), "`{}` is no socket"),
        (path("."), "`{}` is no socket"),
        (path("stale"), "nobody listens on `{}`: the server has ended, or listens elsewhere"),
        (format!("127.0.0.1:{port}"), "nobody listens on `{}`: the server has ended, or listens elsewhere"),
        ("fd:9".to_owned(), "descriptor 9 is no socket that this program inherited"),
        ("fd:1".to_owned(), "descriptor 1 is no socket that this program inherited"),
        ("exec:no-such-program x".to_owned(), "cannot run `no-such-program x`: no such program"),
        ("exec:socat - 'x".to_owned(), "cannot run `socat - 'x`: a quote is not closed"),
        (
            "exec:true".to_owned(),
            "the connection to `{}` ended before the session began: the server closed the connection",
        ),
    ] {
        expect_no_connection(ask(&address), &address, sentence);
    }
    let run = ask("no-such-host.invalid:4444").expect_status(3);
    let (start, reason) = run.stderr.split_once(": failed to lookup").unwrap_or_else(|| panic!("{run:#?}"));
    assert_eq!(start, "qmp-shell: cannot find host `no-such-host.invalid`");
    assert!(!reason.contains("failed to lookup"), "the reason is given once: {run:#?}");
}

#[test]
fn a_socket_one_may_not_open_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    let address = path.to_str().unwrap();
    let sentence = "cannot connect to `{}`: Permission denied (os error 13)";
    let refused = std::os::unix::net::UnixStream::connect(&path).is_err();
    if refused {
        return expect_no_connection(ask(address), address, sentence);
    }
    // The superuser may open everything, so somebody else has to try, with a program that everybody may run.
    if find_program("setpriv").is_none() {
        return skip("setpriv");
    }
    let program = folder.path().join("qmp-shell");
    std::fs::copy(env!("CARGO_BIN_EXE_qmp-shell"), &program).unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args([address, "-c", "query-status"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let run = Run {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().unwrap(),
    };
    expect_no_connection(run, address, sentence);
}

#[test]
fn a_busy_monitor_is_not_waited_for_longer_than_the_time_out() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    let holder = std::os::unix::net::UnixStream::connect(&address).unwrap();
    // A greeting may be out before QEMU has stopped letting others in. An answer to a command comes after that.
    (&holder).write_all(b"{\"execute\": \"qmp_capabilities\"}\n").unwrap();
    let mut heard = BufReader::new(&holder).lines();
    assert!(heard.any(|line| line.unwrap().contains("return")), "the holder is not answered");
    let start = Instant::now();
    expect_no_connection(ask(&address), &address, SILENCE);
    assert!(start.elapsed() < Duration::from_secs(3));
    // Whoever tried stays in the listener's queue; when that is full, the next is not even let in.
    let mut tries = 0;
    let run = loop {
        let run = ask(&address);
        if !run.stderr.contains("no greeting came") {
            break run;
        }
        tries += 1;
        assert!(tries < 10, "{run:#?}");
    };
    let sentence = "no connection to `{}` within 0.2 s: others are waiting for it already; a monitor serves one client at \
                    a time";
    expect_no_connection(run, &address, sentence);
    drop(holder);
    wait_until("the monitor's turn to come", || ask(&address).status == 0);
}

#[test]
fn a_human_monitor_is_recognised() {
    const HUMAN: &str = "`{}` is a human monitor (HMP) socket; QMP needs `-qmp …` or `-mon …,mode=control`";
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let telnet = format!("telnet:127.0.0.1:{port},server=on,wait=off");
    let Some(server) = Server::qemu(&[SMALL, &["-serial", &telnet, "-serial", "none"]].concat()) else {
        return;
    };
    let address = server.path("hmp.sock");
    expect_no_connection(ask(&address), &address, HUMAN);
    let peer = Peer::start(|talk| {
        talk.say_raw(b"\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00");
        talk.say_raw(b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ");
        talk.wait_for_close();
    });
    expect_no_connection(ask(&peer.address()), &peer.address(), HUMAN);
    // A serial port behind telnet says its options, and nothing else.
    let address = format!("127.0.0.1:{port}");
    expect_no_connection(ask(&address), &address, SILENCE);
}

#[test]
fn a_guest_agent_without_its_flag_brings_the_flag_to_mind() {
    let Some(agent) = Server::guest_agent() else { return };
    expect_no_connection(ask(&agent.address()), &agent.address(), SILENCE);
    let run = qmp_shell(&["-N", &agent.address(), "-c", "guest-ping"]).run().expect_status(0);
    assert_eq!(run.stdout, "{\"return\": {}}\n");
}

type Script = fn(&mut Talk);

#[test]
pub fn what_greets_otherwise_is_quoted() {
    let peer = Peer::start(|talk| {
        talk.say("{\"jsonrpc\": \"2.0\"}");
        talk.wait_for_close();
    });
    let address = peer.address();
    let sentence = "what listens on `{}` does not speak QMP; it sent: {\"jsonrpc\": \"2.0\"}";
    expect_no_connection(ask(&address), &address, sentence);
}

#[test]
fn a_server_that_leaves_before_the_session_began_says_nothing_of_commands() {
    let talks: [Script; 3] = [
        |_| {},
        |talk| talk.say(GREETING),
        |talk| {
            talk.say(GREETING);
            talk.hear_request();
        },
    ];
    for talk in talks {
        let peer = Peer::start(talk);
        let address = peer.address();
        let sentence = "the connection to `{}` ended before the session began: the server closed the connection";
        expect_no_connection(ask(&address), &address, sentence);
    }
    let peer = Peer::start(|talk| talk.say_raw(b"{\"QMP\": "));
    let sentence = "the connection to `{}` ended before the session began: the server closed the connection in the \
                    middle of a message";
    expect_no_connection(ask(&peer.address()), &peer.address(), sentence);
}

#[test]
fn a_server_that_dies_under_a_script_leaves_what_nobody_can_know() {
    const UNKNOWN: &str = "before `stop` was answered. Nobody can know whether it was carried out.";
    let talks: [(Script, &str); 3] = [
        (|_| {}, "The server closed the connection"),
        (
            |talk| talk.say_raw(b"{\"return\": {\"status\": \"pau"),
            "The server closed the connection in the middle of a message",
        ),
        (
            |talk| talk.say(&format!("{{\"return\": {}1{}}}", "[".repeat(2048), "]".repeat(2048))),
            "The server sent a message nested more than 2048 levels deep",
        ),
    ];
    for (talk, what) in talks {
        let peer = Peer::start(move |peer| {
            peer.negotiate();
            let id = peer.expect("query-status");
            peer.answer(&id, "{}");
            peer.expect("stop");
            talk(peer);
        });
        let run = qmp_shell(&[&peer.address()]).input("query-status\nstop\ncont\n").run().expect_status(4);
        let lost = format!("{{\"error\": {{\"class\": \"ConnectionLost\", \"desc\": \"{what} {UNKNOWN}\"}}}}");
        assert_eq!(run.lines(), ["{\"return\": {}}", &lost]);
        assert_eq!(run.stderr, format!("<stdin>:2: {what} {UNKNOWN}\n"));
    }
}

#[test]
fn a_real_server_that_is_killed_is_a_lost_connection() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let mut shell = qmp_shell(&[&server.address()]).start();
    let (mut stdin, stdout) = (shell.stdin.take().unwrap(), shell.stdout.take().unwrap());
    let mut stdout = std::io::BufReader::new(stdout);
    let mut line = String::new();
    std::io::Write::write_all(&mut stdin, b"query-status\n").unwrap();
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    assert!(line.starts_with("{\"return\": "), "{line}");
    server.kill();
    let output = shell.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "The server closed the connection.\n");
}

#[test]
fn a_message_beyond_the_limit_ends_the_connection() {
    let big = |talk: &mut Talk| {
        talk.negotiate();
        let id = talk.expect("query-status");
        talk.answer(&id, &format!("\"{}\"", "x".repeat(100_000)));
    };
    let peer = Peer::start(big);
    let shell = qmp_shell(&["--max-message", "64k", &peer.address(), "-c", "query-status"]);
    let run = shell.run().expect_status(4);
    assert!(run.stderr.contains("The server sent a message of more than 65536 bytes before"), "{run:#?}");
    let peer = Peer::start(big);
    let shell = qmp_shell(&["--max-message", "128k", &peer.address(), "-c", "query-status"]);
    assert_eq!(shell.run().expect_status(0).stdout.len(), "{\"return\": \"\"}\n".len() + 100_000);
}

/// What a peer says to the command `one`, with its id in the place of `{id}`; then what is shown for it, on standard
/// output and on standard error.
type Oddity = (&'static [u8], &'static str, &'static str);

#[test]
pub fn odd_replies_neither_stop_a_script_nor_get_it_out_of_step() {
    let oddities: &[Oddity] = &[
        (
            b"{\"return\": 1, \"id\": {id}}\n{\"return\": 2, \"id\": {id}}\n",
            "{\"return\": 1}",
            "warning: the server sent a reply to nothing that was asked: {\"return\": 2, \"id\": 2}",
        ),
        (
            b"{\"return\": 0, \"id\": \"whose\"}\n{\"return\": 1, \"id\": {id}}\n",
            "{\"return\": 1}",
            "warning: the server sent a reply to nothing that was asked: {\"return\": 0, \"id\": \"whose\"}",
        ),
        (
            b"{\"error\": {\"class\": \"GenericError\", \"desc\": \"cannot read this\"}}\n",
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"cannot read this\"}}",
            "",
        ),
        (b"{\"return\": [NaN, -nan, inf], \"id\": {id}}\n", "{\"return\": [NaN, -nan, inf]}", ""),
        (b"{\"return\": \"\xff\xfe\", \"id\": {id}}\n", "{\"return\": \"\u{fffd}\u{fffd}\"}", ""),
        (
            b"{\"return\": [1}, \"id\": {id}}\n",
            "{\"error\": {\"class\": \"InvalidReply\", \"desc\": \"the reply is not JSON (expected `,` or `]` at line 1 \
             column 14): {\\\"return\\\": [1}, \\\"id\\\": 2}\"}}",
            "",
        ),
        (
            b"hello\n{\"return\": 1, \"id\": {id}}\n",
            "{\"return\": 1}",
            "warning: the server sent what is no QMP message (it is no JSON object): hello",
        ),
        (
            b"{}\n{\"return\": 1, \"id\": {id}}\n",
            "{\"return\": 1}",
            "warning: the server sent what is no QMP message (it has none of `return`, `error`, `event`, `QMP`): {}",
        ),
    ];
    for (said, shown, warned) in oddities {
        let (tell, told) = channel::<String>();
        let peer = Peer::start(move |talk| {
            talk.negotiate();
            let id = talk.expect("one");
            tell.send(id.clone()).unwrap();
            let mut rest = *said;
            while let Some(at) = rest.windows(4).position(|part| part == b"{id}") {
                talk.say_raw(&rest[..at]);
                talk.say_raw(id.as_bytes());
                rest = &rest[at + 4..];
            }
            talk.say_raw(rest);
            let id = talk.expect("two");
            talk.answer(&id, "\"in step\"");
        });
        let run = qmp_shell(&[&peer.address(), "-c", "one", "-c", "two"]).run();
        // The rows say 2 for the id of the request, which the session numbers from somewhere of its own.
        let id = told.recv_timeout(PATIENCE).unwrap();
        let expected = |text: &str| {
            text.replace("\"id\": 2}", &format!("\"id\": {id}}}"))
                .replace("\\\"id\\\": 2}", &format!("\\\"id\\\": {id}}}"))
        };
        assert_eq!(run.lines(), [expected(shown).as_str(), "{\"return\": \"in step\"}"]);
        assert_eq!(run.stderr.trim_end(), expected(warned));
        assert_eq!(run.status, i32::from(shown.starts_with("{\"error\"")));
    }
}

#[test]
pub fn what_the_server_would_answer_without_id_is_not_sent() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let nested = |depth: usize| format!("none a={}{}", "[".repeat(depth), "]".repeat(depth));
    // The server is to judge the command's name, so its introspection is left out of this.
    let run = qmp_shell(&[&server.address(), "--no-schema"])
        .input(format!("{}\n{}\nquery-name\n", nested(1022), nested(1023)))
        .run()
        .expect_status(1);
    let lines = run.lines();
    assert!(lines[0].contains("\"CommandNotFound\""), "QEMU reads this deep: {run:#?}");
    assert_eq!(
        lines[1..],
        ["{\"error\": {\"class\": \"NotSent\", \"desc\": \"nested more than 1024 levels deep\"}}", "{\"return\": {}}"]
    );
}

#[test]
fn a_server_that_talks_before_it_listens_is_heard_out() {
    const EVENTS: usize = 5_000;
    let peer = Peer::start(|talk| {
        talk.negotiate();
        for _ in 0..EVENTS {
            talk.event("TALK", &format!("{{\"a\": \"{}\"}}", "b".repeat(1_000)));
        }
        let id = talk.expect("listen");
        talk.answer(&id, "{}");
    });
    // Both directions are fuller than any socket's buffer: whoever only sends is stuck for ever.
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&script, format!("listen a={}\n", "x".repeat(4_000_000))).unwrap();
    let shell = qmp_shell(&[&peer.address(), "-f", script.path().to_str().unwrap()]);
    let run = shell.run().expect_status(0);
    assert_eq!(run.lines().len(), EVENTS + 1);
    assert_eq!(run.replies(), ["{\"return\": {}}"]);
}

#[test]
fn at_a_prompt_a_lost_command_is_not_sent_again() {
    if find_program("tmux").is_none() {
        return skip("tmux");
    }
    let peer = Peer::start_all(vec![
        Box::new(|talk: &mut Talk| {
            talk.negotiate();
            talk.expect("stop");
            talk.say_raw(b"{\"return\": ");
        }),
        Box::new(|talk: &mut Talk| {
            talk.negotiate();
            let id = talk.expect("query-name");
            talk.answer(&id, "{\"name\": \"back\"}");
            talk.wait_for_close();
        }),
    ]);
    let terminal = Terminal::qmp_shell(&peer.address()).unwrap();
    terminal.wait_for_last("(QEMU)");
    terminal.enter("stop");
    let screen = terminal.wait_for_last("(not connected)").replace('\n', "");
    assert!(
        screen.contains(
            "error: The server closed the connection in the middle of a message before `stop` was answered. Nobody can \
             know whether it was carried out. The next command connects again."
        ),
        "{screen}"
    );
    terminal.enter("query-name");
    terminal.wait_for("\"name\": \"back\"");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

/// As a QEMU may that is connected to in the instant of its start. What it refused before it was negotiated with again
/// stays refused: the command was not carried out, and is not sent a second time.
#[test]
fn a_server_that_greets_twice_is_negotiated_with_again_once() {
    let peer = Peer::start(|talk| {
        talk.negotiate();
        let id = talk.expect("one");
        talk.say("{\"QMP\": {\"capabilities\": [\"oob\"]}}");
        talk.say(&format!("{{\"error\": {{\"class\": \"CommandNotFound\", \"desc\": \"negotiate\"}}, \"id\": {id}}}"));
        let id = talk.expect("qmp_capabilities");
        talk.answer(&id, "{}");
        let id = talk.expect("two");
        talk.say("{\"QMP\": {}}");
        talk.answer(&id, "2");
        let id = talk.expect("three");
        talk.answer(&id, "3");
    });
    let run = qmp_shell(&[&peer.address(), "-c", "one", "-c", "two", "-c", "three"]).run().expect_status(1);
    assert_eq!(
        run.stdout,
        "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"negotiate\"}}\n{\"return\": 2}\n{\"return\": 3}\n"
    );
    assert_eq!(run.stderr, "warning: the server greets again and again\n");
}
