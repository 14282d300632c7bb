//! Interruptions of a session at the prompt: Ctrl-C, Ctrl-D, type-ahead, signals, and a lost server.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::channel;

use expect_test::expect;

use crate::support::peer::{GREETING, Peer, PeerConnection, full_listener};
use crate::support::program::qmp_shell;
use crate::support::server::{SMALL, Server, is_listening};
use crate::support::snapshot::Table;
use crate::support::terminal::Terminal;
use crate::support::{wait_until, wording};

const SHELL: &str = env!("CARGO_BIN_EXE_qmp-shell");

#[test]
fn ctrl_c_clears_the_line() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("query-status");
        conn.reply(&id, "\"asked\"");
        conn.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("system_reset");
    terminal.wait_for_last("(QEMU) system_reset");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-status");
    terminal.wait_for("(QEMU) system_reset\n(QEMU) query-status\n\"asked\"\n(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn ctrl_c_returns_to_the_prompt_and_shows_the_late_reply() {
    let (release_tx, release_rx) = channel::<()>();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let slow = conn.expect_command("job-slow");
        let quick = conn.expect_command("query-name");
        conn.reply(&quick, "\"quick\"");
        release_rx.recv().unwrap();
        conn.reply(&slow, "{\"late\": 1}");
        conn.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("job-slow");
    // Ctrl-C at the editor would drop the line, so wait until it has been entered.
    terminal.wait("the command's row to end", |_| terminal.cursor().0 == 0);
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-name");
    terminal.wait_for("(QEMU) query-name\n\"quick\"\n(QEMU)");
    terminal.type_text("half a l");
    terminal.wait_for_last("(QEMU) half a l");
    release_tx.send(()).unwrap();
    terminal.wait_for("{\"late\": 1}\n(QEMU) half a l");
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        (QEMU) job-slow
        `job-slow` is still running in the server; its reply is shown when it arrives.
        (QEMU) query-name
        "quick"
        The reply to `job-slow` has arrived:
        {"late": 1}
        (QEMU) half a l
    "#]]);
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn ctrl_c_does_not_discard_what_was_just_printed() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        conn.expect_command("job-slow");
        conn.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("job-slow");
    let device = terminal.tmux(&["display-message", "-p", "#{pane_tty}"]);
    // While Ctrl-C arrives as a signal, the terminal must not discard output on its way.
    wait_until("the mode between two prompts", || {
        let mode = std::process::Command::new("stty").args(["-a", "-F", device.trim()]).output().unwrap();
        let mode = String::from_utf8(mode.stdout).unwrap();
        let has = |flag: &str| mode.split_whitespace().any(|word| word.trim_end_matches(';') == flag);
        has("isig") && has("-icanon") && has("noflsh")
    });
}

#[test]
fn ctrl_c_cancels_connecting_and_reading() {
    let Some(terminal) = Terminal::start("PS1='$ ' /bin/sh", 200, 40) else { return };
    let path = |name: &str| terminal.home.join(name).to_str().unwrap().to_owned();
    let mut table = Table::new();
    let mut cancel = |line: &str, prompt: &str| {
        terminal.enter(line);
        terminal.wait("the editor to accept the line", |_| terminal.cursor().0 == 0);
        terminal.press("C-c");
        let screen = terminal.wait("the prompt", |screen| screen.ends_with(prompt));
        let (_, output) = screen.rsplit_once(&format!(" {line}\n")).unwrap_or_else(|| panic!("{line}:\n{screen}"));
        // The length of a caret depends on the name of the folder.
        let rows: Vec<&str> = output.lines().filter(|row| !row.contains('^')).collect();
        table.row(line, rows.join("\n"));
    };
    let _silent = UnixListener::bind(path("silent")).unwrap();
    terminal.enter(&format!("mkfifo {}; {SHELL} --no-schema --wait --timeout 600 demo:", path("pipe")));
    terminal.wait_for_last("(QEMU)");
    for name in ["silent", "none"] {
        cancel(&format!(".connect {}", path(name)), "(QEMU)");
    }
    let (port, _crowd) = full_listener();
    cancel(&format!(".connect 127.0.0.1:{port}"), "(QEMU)");
    cancel(&format!(".source {}", path("pipe")), "(QEMU)");
    terminal.press("C-d");
    terminal.wait_for_last("$");

    // A server that connects to the shell, and does not connect again.
    terminal.enter(&format!("clear; {SHELL} --no-schema --listen {}", path("ours")));
    wait_until("the socket", || is_listening(&path("ours")));
    let server = UnixStream::connect(path("ours")).unwrap();
    (&server).write_all(GREETING.as_bytes()).unwrap();
    let mut request = String::new();
    BufReader::new(&server).read_line(&mut request).unwrap();
    let id = serde_json::from_str::<serde_json::Value>(&request).unwrap()["id"].take();
    (&server).write_all(format!("{{\"return\": {{}}, \"id\": {id}}}").as_bytes()).unwrap();
    terminal.wait_for_last("(QEMU)");
    drop(server);
    terminal.wait_for(wording::WILL_RECONNECT);
    cancel("query-name", wording::NOT_CONNECTED);
    table.check(expect![[r#"
        > .connect {DIR}/silent
        error: connecting to `{DIR}/silent` was cancelled; the connection to `demo:` stays open
        (QEMU)

        > .connect {DIR}/none
        error: connecting to `{DIR}/none` was cancelled; the connection to `demo:` stays open
        (QEMU)

        > .connect 127.0.0.1:{PORT}
        error: connecting to `127.0.0.1:{PORT}` was cancelled; the connection to `demo:` stays open
        (QEMU)

        > .source {DIR}/pipe
        error: cannot read `{DIR}/pipe`: stopped by Ctrl-C
        (QEMU)

        > query-name
        Listening on {DIR}/ours for the server to connect.
        error: connecting to `{DIR}/ours` was cancelled. Nothing was sent.
        (not connected)
    "#]]);
    terminal.press("C-d");
    terminal.wait_for_last("$");
}

#[test]
fn keeps_lines_typed_while_a_command_runs() {
    let (release_tx, release_rx) = channel::<()>();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let slow = conn.expect_command("job-slow");
        release_rx.recv().unwrap();
        conn.reply(&slow, "\"done\"");
        for command in ["query-name", "query-uuid"] {
            let id = conn.expect_command(command);
            conn.reply(&id, &format!("\"{command}\""));
        }
        conn.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("job-slow");
    terminal.enter("query-name");
    terminal.enter("query-uuid");
    terminal.type_text("unfinished");
    // The terminal does not echo it into the output that follows.
    terminal.wait_for_last("(QEMU) job-slow");
    release_tx.send(()).unwrap();
    terminal.wait_for(
        "(QEMU) job-slow\n\"done\"\n(QEMU) query-name\n\"query-name\"\n(QEMU) query-uuid\n\"query-uuid\"\n(QEMU) unfinished",
    );
}

#[test]
fn ctrl_d_typed_while_a_command_runs_leaves_after_the_reply() {
    let (release_tx, release_rx) = channel::<()>();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let slow = conn.expect_command("job-slow");
        release_rx.recv().unwrap();
        conn.reply(&slow, "\"done\"");
        conn.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("job-slow");
    terminal.press("C-d");
    terminal.wait_for_last("(QEMU) job-slow");
    release_tx.send(()).unwrap();
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.wait_for("\"done\"\n(QEMU)\n[ended 0]");
}

#[test]
fn keeps_a_line_typed_right_after_ctrl_c() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("dropped");
    terminal.wait_for_last("(QEMU) dropped");
    // In one write, as a terminal sends keys that are typed quickly.
    terminal.tmux(&["send-keys", "C-c", "query-name", "Enter"]);
    terminal.wait_for("(QEMU) dropped\n(QEMU) query-name\n{}\n(QEMU)");
}

/// Negotiates and replies to `query-name`; any other command fails the test, such as one sent before a connection was
/// lost.
fn reply_to_the_next_command(conn: &mut PeerConnection) {
    conn.negotiate();
    let id = conn.expect_command("query-name");
    conn.reply(&id, "\"again\"");
    conn.wait_for_close();
}

#[test]
fn reports_a_lost_server_above_the_line_being_typed() {
    let (close_tx, close_rx) = channel::<()>();
    let peer = Peer::start_all(vec![
        Box::new(move |conn| {
            conn.negotiate();
            conn.read_request();
            close_rx.recv().unwrap();
        }),
        Box::new(reply_to_the_next_command),
    ]);
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("query-n");
    terminal.wait_for_last("(QEMU) query-n");
    close_tx.send(()).unwrap();
    terminal
        .wait("the notice", |screen| screen.contains(wording::WILL_RECONNECT) && screen.ends_with("(QEMU) query-n"));
    terminal.enter("ame");
    terminal.wait_for("\n\"again\"\n(QEMU)");
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        The server closed the connection. The next command will reconnect.
        (QEMU) query-name
        Connected to QEMU {VERSION} at {DIR}/q.sock.
        "again"
        (QEMU)
    "#]]);
}

#[test]
fn reports_a_lost_reply_and_sends_only_the_next_command() {
    let peer = Peer::start_all(vec![
        Box::new(|conn| {
            conn.negotiate();
            conn.expect_command("system_reset");
            conn.send(b"{\"return\": {\"half");
        }),
        Box::new(reply_to_the_next_command),
    ]);
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.run_line("system_reset");
    terminal.enter("query-name");
    terminal.wait_for("\n\"again\"\n(QEMU)");
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        (QEMU) system_reset
        error: The server closed the connection in the middle of a message before `system_reset` was answered. It may or may not have been executed. The next command will reconnect.
        (not connected) query-name
        Connected to QEMU {VERSION} at {DIR}/q.sock.
        "again"
        (QEMU)
    "#]]);
}

#[test]
fn goes_on_without_a_server() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_queries();
    server.kill();
    terminal.wait("the notice", |screen| screen.contains(wording::WILL_RECONNECT) && screen.ends_with("(QEMU)"));
    terminal.check_line(
        "query-status",
        expect![[r#"
            error: nothing is listening on `{DIR}/q.sock`; the server has exited or listens elsewhere. Nothing was sent.
        "#]],
    );
    assert_eq!(terminal.run_line("!echo still $((1 + 1))"), "still 2\n");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn sigterm_restores_the_terminal() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let command = format!("stty -g > before; {SHELL} {}; stty -g > after; echo left; cat", server.address());
    let Some(terminal) = Terminal::start(&format!("cd \"$HOME\"; {command}"), 100, 40) else { return };
    terminal.type_text("half");
    terminal.wait_for_last("(QEMU) half");
    terminal.send_signal("TERM");
    terminal.wait_for("left");
    let read = |name: &str| std::fs::read_to_string(terminal.home.join(name)).unwrap();
    wait_until("the settings afterwards", || !read("after").is_empty());
    assert_eq!(read("before"), read("after"));
    // A terminal that still put pastes into brackets would show them here.
    terminal.paste("pasted\n");
    terminal.wait_for_last("pasted");
    terminal.wait_for("\npasted\npasted");
}

#[test]
fn leaving_at_once_leaves_no_reply_for_the_next_client() {
    let Some(server) = Server::qemu(SMALL) else { return };
    // QEMU sends replies that a client did not wait for to the next one: here the introspection for the prompt.
    for _ in 0..5 {
        let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
        terminal.wait_for_last("(QEMU)");
        terminal.press("C-d");
        assert_eq!(terminal.wait_for_end(), 0);
        let run = qmp_shell(&["-c", "query-name", &server.address()]).run().expect_status(0);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("{\"return\": {}}\n", ""));
    }
}

#[test]
fn ctrl_c_while_waiting_for_introspection_sends_nothing() {
    let (query_tx, query_rx) = channel::<()>();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let schema = conn.expect_command("query-qmp-schema");
        query_tx.send(()).unwrap();
        // The cancelled line is never sent.
        assert_eq!(conn.read_line(), "");
        conn.reply(&schema, "[]");
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    query_rx.recv().unwrap();
    terminal.wait_for_last("(QEMU)");
    terminal.enter("migrate uri=tcp:x:1");
    terminal.wait("the command's row to end", |_| terminal.cursor().0 == 0);
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        (QEMU) migrate uri=tcp:x:1
               ^
        error: cancelled while the server's introspection was awaited; nothing was sent
        (QEMU)
    "#]]);
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

/// A line that is being edited may contain a password.
#[test]
fn a_signal_leaves_no_file_of_the_editor() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("tmp")).unwrap();
    // The editor replaces the file, as many do.
    let editor = "f=$1; mv $f $f.old; cat $f.old > $f; rm $f.old; touch started; exec sleep 60";
    std::fs::write(path("editor"), format!("#!/bin/sh\ncd {}\n{editor}\n", folder.path().display())).unwrap();
    let command = format!(
        "echo $$ > {pid}; TMPDIR={tmp} VISUAL='/bin/sh {editor}' exec {shell} demo:",
        pid = path("pid").display(),
        tmp = path("tmp").display(),
        editor = path("editor").display(),
        shell = env!("CARGO_BIN_EXE_qmp-shell"),
    );
    let Some(terminal) = Terminal::start(&format!("/bin/sh -c \"{}\"", command.replace('$', "\\$")), 80, 20) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("set_password protocol=vnc password=hunter2");
    terminal.press("C-x");
    terminal.press("C-e");
    wait_until("the editor", || path("started").exists());
    let files = || std::fs::read_dir(path("tmp")).unwrap().count();
    assert_eq!(files(), 1);
    let pid: i32 = std::fs::read_to_string(path("pid")).unwrap().trim().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::TERM).unwrap();
    wait_until("the end", || files() == 0);
}
