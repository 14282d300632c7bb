//! What interrupts a session at the prompt: Ctrl-C, Ctrl-D, what is typed ahead, signals, and a server that goes.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::channel;

use crate::support::peer::{GREETING, Peer, port_without_room};
use crate::support::program::qmp_shell;
use crate::support::server::{SMALL, Server};
use crate::support::terminal::Terminal;
use crate::support::wait_until;

const SHELL: &str = env!("CARGO_BIN_EXE_qmp-shell");

#[test]
fn ctrl_c_clears_the_line() {
    let peer = Peer::start(|talk| {
        talk.negotiate();
        let id = talk.expect("query-status");
        talk.answer(&id, "\"asked\"");
        talk.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else {
        return;
    };
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
fn ctrl_c_while_a_reply_is_awaited_gives_the_prompt_back_and_the_reply_comes_later() {
    let (release, released) = channel::<()>();
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        let slow = talk.expect("job-slow");
        let quick = talk.expect("query-name");
        talk.answer(&quick, "\"quick\"");
        released.recv().unwrap();
        talk.answer(&slow, "{\"late\": 1}");
        talk.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("job-slow");
    // Only a command that was sent can be given up, so wait until the editor has let go of the line.
    terminal.wait("the command's row to end", |_| terminal.cursor().0 == 0);
    terminal.press("C-c");
    terminal.wait_for("`job-slow` is still running in the server; its reply will be shown when it comes.\n(QEMU)");
    terminal.enter("query-name");
    terminal.wait_for("(QEMU) query-name\n\"quick\"\n(QEMU)");
    terminal.type_text("half a l");
    terminal.wait_for_last("(QEMU) half a l");
    release.send(()).unwrap();
    terminal.wait_for("The reply to `job-slow` has come:\n{\n  \"late\": 1\n}\n(QEMU) half a l");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

/// Whatever else is waited for between two prompts, Ctrl-C gives it up.
#[test]
fn ctrl_c_gives_up_connecting_and_reading() {
    let Some(terminal) = Terminal::start("PS1='$ ' /bin/sh", 200, 40) else { return };
    let path = |name: &str| terminal.home.join(name).to_str().unwrap().to_owned();
    let gives_up = |line: &str, sentence: &str| {
        terminal.enter(line);
        terminal.wait("the editor to let go of the line", |_| terminal.cursor().0 == 0);
        terminal.press("C-c");
        terminal.wait(sentence, |screen| screen.contains(sentence) && screen.ends_with("(not connected)"));
    };
    let _silent = UnixListener::bind(path("silent")).unwrap();
    terminal.enter(&format!("mkfifo {}; {SHELL} --no-schema --wait --timeout 600 demo:", path("pipe")));
    terminal.wait_for_last("(QEMU)");
    for name in ["silent", "none"] {
        let sentence = format!("error: connecting to `{}` was given up. Nothing was sent.", path(name));
        gives_up(&format!(".connect {}", path(name)), &sentence);
    }
    let (port, _crowd) = port_without_room();
    let host = format!("127.0.0.1:{port}");
    gives_up(&format!(".connect {host}"), &format!("error: connecting to `{host}` was given up. Nothing was sent."));
    let pipe = path("pipe");
    gives_up(&format!(".source {pipe}"), &format!("error: cannot read `{pipe}`: stopped by Ctrl-C"));
    terminal.press("C-d");
    terminal.wait_for_last("$");

    // A server that connects to us, and then does not come back.
    terminal.enter(&format!("clear; {SHELL} --no-schema --listen {}", path("ours")));
    terminal.wait_for("Listening on");
    let server = UnixStream::connect(path("ours")).unwrap();
    (&server).write_all(GREETING.as_bytes()).unwrap();
    let mut heard = String::new();
    BufReader::new(&server).read_line(&mut heard).unwrap();
    let id = serde_json::from_str::<serde_json::Value>(&heard).unwrap()["id"].take();
    (&server).write_all(format!("{{\"return\": {{}}, \"id\": {id}}}").as_bytes()).unwrap();
    terminal.wait_for_last("(QEMU)");
    drop(server);
    terminal.wait_for("The next command connects again.");
    gives_up("query-name", &format!("error: connecting to `{}` was given up. Nothing was sent.", path("ours")));
    terminal.press("C-d");
    terminal.wait_for_last("$");
}

#[test]
fn what_is_typed_ahead_of_a_slow_command_is_kept() {
    let (release, released) = channel::<()>();
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        let slow = talk.expect("job-slow");
        released.recv().unwrap();
        talk.answer(&slow, "\"done\"");
        for command in ["query-name", "query-uuid"] {
            let id = talk.expect(command);
            talk.answer(&id, &format!("\"{command}\""));
        }
        talk.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("job-slow");
    terminal.enter("query-name");
    terminal.enter("query-uuid");
    terminal.type_text("unfinished");
    // Nothing of it is shown amid the output that is to come.
    terminal.wait_for_last("(QEMU) job-slow");
    release.send(()).unwrap();
    terminal.wait_for(
        "(QEMU) job-slow\n\"done\"\n(QEMU) query-name\n\"query-name\"\n(QEMU) query-uuid\n\"query-uuid\"\n(QEMU) unfinished",
    );
}

#[test]
fn ctrl_d_typed_ahead_leaves_once_the_reply_is_there() {
    let (release, released) = channel::<()>();
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        let slow = talk.expect("job-slow");
        released.recv().unwrap();
        talk.answer(&slow, "\"done\"");
        talk.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("job-slow");
    terminal.press("C-d");
    terminal.wait_for_last("(QEMU) job-slow");
    release.send(()).unwrap();
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.wait_for("\"done\"\n(QEMU)\n[ended 0]");
}

#[test]
fn what_is_typed_right_behind_ctrl_c_is_kept() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("dropped");
    terminal.wait_for_last("(QEMU) dropped");
    // In one go, as a terminal sends what a quick hand types.
    terminal.tmux(&["send-keys", "C-c", "query-name", "Enter"]);
    terminal.wait_for("(QEMU) dropped\n(QEMU) query-name\n{}\n(QEMU)");
}

#[test]
fn a_server_that_dies_while_a_line_is_typed_is_reported_above_it() {
    let (end, ended) = channel::<()>();
    let peer = Peer::start_all(vec![
        Box::new(move |talk| {
            talk.negotiate();
            talk.hear_request();
            ended.recv().unwrap();
        }),
        Box::new(|talk| {
            talk.negotiate();
            let id = talk.expect("query-name");
            talk.answer(&id, "\"again\"");
            talk.wait_for_close();
        }),
    ]);
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else {
        return;
    };
    terminal.type_text("query-n");
    terminal.wait_for_last("(QEMU) query-n");
    end.send(()).unwrap();
    terminal.wait_for("The server closed the connection. The next command connects again.\n(QEMU) query-n");
    terminal.enter("ame");
    terminal.wait_for("(QEMU) query-name\nConnected to QEMU 10.0.2 at ");
    terminal.wait_for("\n\"again\"\n(QEMU)");
}

#[test]
fn a_server_that_dies_in_mid_reply_leaves_a_sentence_and_only_the_next_command_is_sent() {
    let peer = Peer::start_all(vec![
        Box::new(|talk| {
            talk.negotiate();
            talk.expect("system_reset");
            talk.say_raw(b"{\"return\": {\"half");
        }),
        Box::new(|talk| {
            talk.negotiate();
            // Anything but this would fail the expectation, the unanswered command above all.
            let id = talk.expect("query-name");
            talk.answer(&id, "\"again\"");
            talk.wait_for_close();
        }),
    ]);
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("system_reset");
    let screen = terminal.wait_for_last("(not connected)");
    let words = screen.replace('\n', "");
    assert!(
        words.contains(
            "error: The server closed the connection in the middle of a message before `system_reset` was \
             answered. Nobody can know whether it was carried out. The next command connects again."
        ),
        "{screen}"
    );
    terminal.enter("query-name");
    terminal.wait_for("(not connected) query-name\nConnected to QEMU 10.0.2 at ");
    terminal.wait_for("\n\"again\"\n(QEMU)");
}

#[test]
fn a_server_that_has_gone_for_good_does_not_end_the_shell() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.settle();
    server.kill();
    terminal.wait_for("The server closed the connection. The next command connects again.\n(QEMU)");
    terminal.enter("query-status");
    let screen = terminal.wait_for_last("(not connected)");
    assert!(screen.replace('\n', "").contains("Nothing was sent."), "{screen}");
    terminal.enter("!echo still $((1 + 1))");
    terminal.wait_for("\nstill 2\n(not connected)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn being_told_to_end_leaves_the_terminal_as_it_was() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let command = format!("stty -g > before; {SHELL} {}; stty -g > after; echo left; cat", server.address());
    let Some(terminal) = Terminal::start(&format!("cd \"$HOME\"; {command}"), 100, 40) else {
        return;
    };
    terminal.type_text("half");
    terminal.wait_for_last("(QEMU) half");
    terminal.send_signal("TERM");
    terminal.wait_for("left");
    let read = |name: &str| std::fs::read_to_string(terminal.home.join(name)).unwrap();
    wait_until("what stty says afterwards", || !read("after").is_empty());
    assert_eq!(read("before"), read("after"));
    // A terminal that still put pastes into brackets would show them here.
    terminal.paste("pasted\n");
    terminal.wait_for_last("pasted");
    terminal.wait_for("\npasted\npasted");
}

#[test]
fn leaving_at_once_leaves_no_answer_behind_for_the_next_client() {
    let Some(server) = Server::qemu(SMALL) else { return };
    // QEMU gives the next client what the last one did not wait for: here, the introspection asked for at the prompt.
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
fn ctrl_c_while_introspection_is_awaited_sends_nothing() {
    let (asked, is_asked) = channel::<()>();
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        let (command, schema) = talk.hear_request();
        assert_eq!(command, "query-qmp-schema");
        asked.send(()).unwrap();
        // The line that was given up never comes.
        assert_eq!(talk.hear(), "");
        talk.answer(&schema, "[]");
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    is_asked.recv().unwrap();
    terminal.wait_for_last("(QEMU)");
    terminal.enter("migrate uri=tcp:x:1");
    terminal.wait("the command's row to end", |_| terminal.cursor().0 == 0);
    terminal.press("C-c");
    terminal.wait_for("nothing was sent\n(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}
