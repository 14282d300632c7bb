//! Broken and malicious servers, in one table, and how a script, a prompt and a program end on each: with a clear error, in
//! bounded time and memory, and with the terminal restored.
//!
//! Invalid replies that a session survives, servers that die, and servers that cannot be reached are in `failures`; replies that
//! are valid and lie are in `lies`.

mod cut_off;
mod lies;
mod tables;
mod volume;

use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use qmp_shell::{Address, Client, Options, ReplyBody};
use serde_json::Value;

use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::{ADDRESS_SPACE_KIB, run_confined};
use crate::support::snapshot::Table;
use crate::support::terminal::Terminal;
use crate::support::{process_memory_kib, wording};

use tables::{IN_SESSION, NO_SESSION};

/// The outcome of a connection to the server.
#[derive(Clone, Copy)]
enum End {
    /// No session begins.
    Unconnected,
    /// No session begins before the timeout.
    TimedOut,
    /// The connection ends, before a session begins or with the first command lost.
    Disconnected,
    /// The command gets this reply.
    Answered(&'static str),
}

struct Server {
    name: &'static str,
    script: fn(&mut PeerConnection),
    end: End,
}

impl Server {
    /// Returns a short timeout if the test waits for it, and a long one otherwise.
    fn timeout(&self) -> Duration {
        Duration::from_millis(if matches!(self.end, End::TimedOut) { 500 } else { 60_000 })
    }

    /// Returns an error for a snapshot: without the address, and without the part of a greeting that has arrived in time.
    fn stable_part(&self, error: &str, address: &str) -> String {
        let error = match self.name {
            "a greeting that drips" => error.split("{\"").next().unwrap(),
            _ => error,
        };
        error.trim_end().replace(address, "{ADDRESS}")
    }
}

/// Starts a server; one that begins a session first negotiates and reads the command.
fn start(server: &'static Server, has_session: bool) -> Peer {
    Peer::start(move |conn| {
        if has_session {
            conn.negotiate();
            conn.expect_pending("query-status");
        }
        (server.script)(conn);
        conn.wait_for_close();
    })
}

/// Returns the errors about the servers of [`NO_SESSION`], the same at a terminal and in a script.
fn errors_without_session() -> Expect {
    expect![[r#"
        > junk
        qmp-shell: the server at `{ADDRESS}` does not speak QMP; it sent: \0\u{17}�\u{1b}[2J\u{7} whatéver

        > junk without end
        qmp-shell: the server at `{ADDRESS}` does not speak QMP; it sent: jjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjj

        > HTML
        qmp-shell: the server at `{ADDRESS}` does not speak QMP; it sent: <!DOCTYPE html>

        > an HTTP response
        qmp-shell: the server at `{ADDRESS}` does not speak QMP; it sent: HTTP/1.1 400 Bad Request

        > a human monitor
        qmp-shell: `{ADDRESS}` is a human monitor (HMP) socket; QMP needs `-qmp …` or `-mon …,mode=control`

        > telnet
        qmp-shell: connected to `{ADDRESS}`, but no greeting came within 0.5 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N)

        > telnet without end
        qmp-shell: the connection to `{ADDRESS}` ended before negotiation was complete: the server sent only data that is not QMP

        > sync markers without end
        qmp-shell: the connection to `{ADDRESS}` ended before negotiation was complete: the server sent only data that is not QMP

        > NUL bytes without end
        qmp-shell: the server at `{ADDRESS}` does not speak QMP; it sent: \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0

        > silence
        qmp-shell: connected to `{ADDRESS}`, but no greeting came within 0.5 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N)

        > half a greeting
        qmp-shell: the server at `{ADDRESS}` does not speak QMP; it sent: {"QMP": {"vers

        > a greeting that drips
        qmp-shell: the server at `{ADDRESS}` does not speak QMP; it sent:

        > whitespace without end
        qmp-shell: connected to `{ADDRESS}`, but no greeting came within 0.5 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N)

        > a string without end
        qmp-shell: the connection to `{ADDRESS}` ended before negotiation was complete: the server sent a message of more than 1048576 bytes

        > nesting of a million
        qmp-shell: the connection to `{ADDRESS}` ended before negotiation was complete: the server sent a message nested more than 2048 levels deep

        > events in place of a greeting
        qmp-shell: connected to `{ADDRESS}`, but no greeting came within 0.5 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N)

        > events without end in place of a greeting
        qmp-shell: `{ADDRESS}` keeps sending data, but does not complete the negotiation

        > a greeting, and no more
        qmp-shell: `{ADDRESS}` sent a greeting, but did not answer the capabilities negotiation within 0.5 s

        > a greeting, and events without end
        qmp-shell: `{ADDRESS}` keeps sending data, but does not complete the negotiation

        > greetings without end
        qmp-shell: `{ADDRESS}` keeps sending data, but does not complete the negotiation

        > a reply without a request
        qmp-shell: the server at `{ADDRESS}` does not speak QMP; it sent: {"return": {"x": "y"}}

        > another protocol in JSON
        qmp-shell: the server at `{ADDRESS}` does not speak QMP; it sent: {"jsonrpc": "2.0"}

        > a refusal
        qmp-shell: the server refused the capabilities negotiation: not \x1b[31mtoday
    "#]]
}

#[test]
fn a_script_ends_with_an_error_in_bounded_time_and_memory() {
    let in_session = expect![[r#"
        > a reply announced and never finished
        -c:1: The server sent a message of more than 1048576 bytes before `query-status` was answered. It may or may not have been executed.

        > a list without end
        -c:1: The server sent a message of more than 1048576 bytes before `query-status` was answered. It may or may not have been executed.

        > nesting of a million
        -c:1: The server sent a message nested more than 2048 levels deep before `query-status` was answered. It may or may not have been executed.

        > half a reply
        -c:1: The server closed the connection in the middle of a message before `query-status` was answered. It may or may not have been executed.

        > junk without end
        -c:1: The server sent only data that is not QMP before `query-status` was answered. It may or may not have been executed.

        > lines without end
        -c:1: The server sent only data that is not QMP before `query-status` was answered. It may or may not have been executed.

        > empty objects without end
        -c:1: The server sent only data that is not QMP before `query-status` was answered. It may or may not have been executed.

        > sync markers without end
        -c:1: The server sent only data that is not QMP before `query-status` was answered. It may or may not have been executed.

        > a wrong id, and then the end
        -c:1: The server closed the connection before `query-status` was answered. It may or may not have been executed.
    "#]];
    for (servers, has_session, expected) in
        [(NO_SESSION, false, errors_without_session()), (IN_SESSION, true, in_session)]
    {
        let mut table = Table::new();
        for server in servers {
            let peer = start(server, has_session);
            let address = peer.address();
            let start = Instant::now();
            let timeout = server.timeout().as_secs_f64().to_string();
            let args = ["--timeout", &timeout, "--max-message", "1M", "--no-events", "-c", "query-status", &address];
            let run = run_confined(&args, ADDRESS_SPACE_KIB);
            let name = server.name;
            let status = match server.end {
                End::Disconnected if has_session => 4,
                End::Unconnected | End::TimedOut | End::Disconnected => 3,
                End::Answered(value) => {
                    assert_eq!(run.lines(), [format!("{{\"return\": {value}}}")], "{name}: {run:#?}");
                    0
                }
            };
            assert_eq!(run.status, status, "{name}: {run:#?}");
            if status != 0 {
                let error = run.stderr.lines().last().unwrap_or_default();
                table.row(name, server.stable_part(error, &address));
            }
            assert!(run.stderr.len() < 64 << 10, "{name}: {} bytes of messages", run.stderr.len());
            assert!(start.elapsed() < Duration::from_secs(20), "{name}: it took {:?}", start.elapsed());
        }
        table.check(expected);
    }
}

#[test]
fn a_program_gets_an_error_in_bounded_time_and_memory() {
    let mut options = Options::default();
    options.limits.max_message_bytes = 1 << 20;
    let before = process_memory_kib("self", "VmRSS:");
    let mut table = Table::new();
    for (servers, has_session) in [(NO_SESSION, false), (IN_SESSION, true)] {
        for server in servers {
            let peer = start(server, has_session);
            let address: Address = peer.address().parse().unwrap();
            options.timeout = server.timeout();
            let name = server.name;
            let client = match (Client::connect_with(&address, &options), server.end) {
                (Ok(client), End::Disconnected | End::Answered(_)) if has_session => client,
                (Err(error), End::Unconnected | End::TimedOut | End::Disconnected) if !has_session => {
                    table.row(name, server.stable_part(&error.to_string(), &peer.address()));
                    continue;
                }
                (result, _) => panic!("{name}: {result:?}"),
            };
            // Without a listener, events must not pile up.
            let reply = client.start(qmp_shell::Request::new("query-status")).and_then(|pending| pending.reply());
            match (reply, server.end) {
                (Ok(reply), End::Answered(value)) => assert_eq!(reply.body(), ReplyBody::Return(value), "{name}"),
                (Err(error), End::Disconnected) => {
                    assert!(error.may_have_run(), "{name}: {error}");
                    table.row(name, server.stable_part(&error.to_string(), &peer.address()));
                    let next = client.execute::<Value>("query-status", ()).unwrap_err();
                    assert!(!next.may_have_run(), "{name}: {next}");
                }
                (result, _) => panic!("{name}: {result:?}"),
            }
        }
    }
    table.check(expect![[r#"
        > junk
        the server at `{ADDRESS}` does not speak QMP; it sent: \0\u{17}�\u{1b}[2J\u{7} whatéver

        > junk without end
        the server at `{ADDRESS}` does not speak QMP; it sent: jjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjj

        > HTML
        the server at `{ADDRESS}` does not speak QMP; it sent: <!DOCTYPE html>

        > an HTTP response
        the server at `{ADDRESS}` does not speak QMP; it sent: HTTP/1.1 400 Bad Request

        > a human monitor
        `{ADDRESS}` is a human monitor (HMP) socket; QMP needs `-qmp …` or `-mon …,mode=control`

        > telnet
        connected to `{ADDRESS}`, but no greeting came within 0.5 s; a monitor serves one client at a time, so another may hold it

        > telnet without end
        the connection to `{ADDRESS}` ended before negotiation was complete: the server sent only data that is not QMP

        > sync markers without end
        the connection to `{ADDRESS}` ended before negotiation was complete: the server sent only data that is not QMP

        > NUL bytes without end
        the server at `{ADDRESS}` does not speak QMP; it sent: \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0

        > silence
        connected to `{ADDRESS}`, but no greeting came within 0.5 s; a monitor serves one client at a time, so another may hold it

        > half a greeting
        the server at `{ADDRESS}` does not speak QMP; it sent: {"QMP": {"vers

        > a greeting that drips
        the server at `{ADDRESS}` does not speak QMP; it sent:

        > whitespace without end
        connected to `{ADDRESS}`, but no greeting came within 0.5 s; a monitor serves one client at a time, so another may hold it

        > a string without end
        the connection to `{ADDRESS}` ended before negotiation was complete: the server sent a message of more than 1048576 bytes

        > nesting of a million
        the connection to `{ADDRESS}` ended before negotiation was complete: the server sent a message nested more than 2048 levels deep

        > events in place of a greeting
        connected to `{ADDRESS}`, but no greeting came within 0.5 s; a monitor serves one client at a time, so another may hold it

        > events without end in place of a greeting
        `{ADDRESS}` keeps sending data, but does not complete the negotiation

        > a greeting, and no more
        `{ADDRESS}` sent a greeting, but did not answer the capabilities negotiation within 0.5 s

        > a greeting, and events without end
        `{ADDRESS}` keeps sending data, but does not complete the negotiation

        > greetings without end
        `{ADDRESS}` keeps sending data, but does not complete the negotiation

        > a reply without a request
        the server at `{ADDRESS}` does not speak QMP; it sent: {"return": {"x": "y"}}

        > another protocol in JSON
        the server at `{ADDRESS}` does not speak QMP; it sent: {"jsonrpc": "2.0"}

        > a refusal
        the server refused the capabilities negotiation: not \u{1b}[31mtoday

        > a reply announced and never finished
        the server sent a message of more than 1048576 bytes before `query-status` was answered; it may or may not have been executed

        > a list without end
        the server sent a message of more than 1048576 bytes before `query-status` was answered; it may or may not have been executed

        > nesting of a million
        the server sent a message nested more than 2048 levels deep before `query-status` was answered; it may or may not have been executed

        > half a reply
        the server closed the connection in the middle of a message before `query-status` was answered; it may or may not have been executed

        > junk without end
        the server sent only data that is not QMP before `query-status` was answered; it may or may not have been executed

        > lines without end
        the server sent only data that is not QMP before `query-status` was answered; it may or may not have been executed

        > empty objects without end
        the server sent only data that is not QMP before `query-status` was answered; it may or may not have been executed

        > sync markers without end
        the server sent only data that is not QMP before `query-status` was answered; it may or may not have been executed

        > a wrong id, and then the end
        the server closed the connection before `query-status` was answered; it may or may not have been executed
    "#]]);
    // Other tests may run in this process at the same time, but none that needs much.
    let grown = process_memory_kib("self", "VmRSS:").saturating_sub(before);
    assert!(grown < ADDRESS_SPACE_KIB, "{grown} KiB more than before");
}

/// Returns the modes that a program can leave a terminal in.
fn modes(terminal: &Terminal) -> String {
    let flags = ["cursor_flag", "insert_flag", "keypad_flag", "keypad_cursor_flag", "mouse_any_flag", "origin_flag"];
    let rest = ["wrap_flag", "alternate_on"];
    let form: Vec<String> = flags.iter().chain(&rest).map(|flag| format!("{flag}=#{{{flag}}}")).collect();
    terminal.tmux(&["display-message", "-p", &form.join(" ")])
}

#[test]
fn restores_the_terminal_when_there_is_no_session() {
    run_at_a_terminal(NO_SESSION, false, errors_without_session());
}

#[test]
fn restores_the_terminal_after_a_session() {
    run_at_a_terminal(
        IN_SESSION,
        true,
        expect![[r#"
            > a reply announced and never finished
            error: The server sent a message of more than 1048576 bytes before `query-status` was answered. It may or may not have been executed. The next command will reconnect.

            > a list without end
            error: The server sent a message of more than 1048576 bytes before `query-status` was answered. It may or may not have been executed. The next command will reconnect.

            > nesting of a million
            error: The server sent a message nested more than 2048 levels deep before `query-status` was answered. It may or may not have been executed. The next command will reconnect.

            > half a reply
            error: The server closed the connection in the middle of a message before `query-status` was answered. It may or may not have been executed. The next command will reconnect.

            > junk without end
            error: The server sent only data that is not QMP before `query-status` was answered. It may or may not have been executed. The next command will reconnect.

            > lines without end
            error: The server sent only data that is not QMP before `query-status` was answered. It may or may not have been executed. The next command will reconnect.

            > empty objects without end
            error: The server sent only data that is not QMP before `query-status` was answered. It may or may not have been executed. The next command will reconnect.

            > sync markers without end
            error: The server sent only data that is not QMP before `query-status` was answered. It may or may not have been executed. The next command will reconnect.

            > a wrong id, and then the end
            error: The server closed the connection before `query-status` was answered. It may or may not have been executed. The next command will reconnect.
        "#]],
    );
}

fn run_at_a_terminal(servers: &'static [Server], has_session: bool, errors: Expect) {
    let Some(terminal) = Terminal::start("PS1='$ ' /bin/sh", 180, 50) else { return };
    let raw = terminal.record();
    let stty = terminal.home.join("stty");
    // Each run ends with its name, which the screen of the run before does not have.
    let run = |name: &str, line: &str| {
        terminal.enter(&format!("clear; {line}; echo \"[$?]\" {name}; stty -a > {}", stty.display()));
    };
    let ended =
        |name: &str, status: i32| terminal.wait(name, |screen| screen.ends_with(&format!("\n[{status}] {name}\n$")));
    let state = || (std::fs::read_to_string(&stty).unwrap(), modes(&terminal));
    terminal.wait_for_last("$");
    run("nothing", "echo");
    ended("nothing", 0);
    let initial = state();
    let mut table = Table::new();
    let shell = format!("{} --max-message 1M --no-schema --no-events", env!("CARGO_BIN_EXE_qmp-shell"));
    for server in servers {
        let name = server.name;
        let peer = start(server, has_session);
        run(name, &format!("{shell} --timeout {} {}", server.timeout().as_secs_f64(), peer.address()));
        if has_session {
            terminal.wait_for_last("(QEMU)");
            match server.end {
                End::Answered(value) => {
                    let output = terminal.run_line("query-status");
                    // Each item of a list is on a line of its own.
                    let value = value.trim_matches(['[', ']']).split(", ").next().unwrap();
                    assert!(output.contains(value), "{name}: {output}");
                }
                _ => {
                    let output = terminal.run_line("query-status");
                    let error = output.lines().rfind(|line| line.starts_with(wording::ERROR));
                    table.row(name, error.unwrap_or_else(|| panic!("{name}: {output}")));
                }
            }
            terminal.press("C-d");
            ended(name, 0);
        } else {
            let screen = ended(name, 3);
            let (output, _) = screen.split_once("\n[3]").unwrap();
            // On a busy machine, a wait for the greeting may be announced.
            let error: String = output.lines().filter(|line| !line.starts_with("Waiting for ")).collect();
            table.row(name, server.stable_part(&error, &peer.address()));
        }
        assert_eq!(state(), initial, "{name}");
    }
    table.check(errors);
    // Bracketed paste is switched off again.
    let raw = String::from_utf8_lossy(&raw()).into_owned();
    assert!(raw.rfind("\x1b[?2004h") <= raw.rfind("\x1b[?2004l"), "bracketed paste is left on");
}
