//! The human monitor: `-H`, `.hmp` and `.qmp`, the chosen CPU, failures reported as text.

use expect_test::expect;

use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::{qmp, qmp_shell, qmp_shell_wrap};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;
use crate::support::{wait_until, wording};

/// Runs lines as a script in HMP mode.
fn run_hmp(server: &Server, lines: &[&str]) -> crate::support::program::Run {
    qmp_shell(&["-H", &server.address()]).input(lines.join("\n")).run()
}

#[test]
fn prints_the_text_of_the_monitor_with_plain_line_ends() {
    let qemus = [Server::qemu(Q35), Server::qemu_7_2(Q35)];
    for server in qemus.into_iter().flatten() {
        let run = run_hmp(&server, &["info status", "", "help cpu"]).expect_status(0);
        let [status, help] = run.lines()[..] else { panic!("{run:#?}") };
        assert!(status.starts_with("VM status: paused"), "{status}");
        assert!(help.starts_with("cpu index -- "), "{help}");
        assert!(!run.stdout.contains('\r') && run.stdout.ends_with('\n'));
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn applies_the_chosen_cpu_to_every_line() {
    let qemus = [Server::qemu(Q35), Server::qemu_7_2(Q35)];
    for server in qemus.into_iter().flatten() {
        let cpus = |text: &str| -> Vec<String> {
            let names_cpu = |line: &&str| ["CPU", "* CPU"].iter().any(|start| line.starts_with(start));
            let lines = text.lines().filter(names_cpu);
            lines.map(|line| line.chars().take(8).collect()).collect()
        };
        // QEMU itself forgets the CPU after each line.
        let lines = ["cpu", "info registers", "cpu 1", "cpu", "info registers", "info cpus"];
        let run = run_hmp(&server, &lines).expect_status(0);
        assert_eq!(cpus(&run.stdout), ["CPU 0", "CPU#0", "CPU 1", "CPU#1", "* CPU #1"]);
    }
}

#[test]
fn an_unknown_cpu_changes_nothing() {
    let Some(server) = Server::qemu(Q35) else { return };
    let run = run_hmp(&server, &["cpu 0x1", "cpu 7", "cpu", "cpu x", "cpu", "cpu 0+0", "cpu"]).expect_status(1);
    let lines: Vec<&str> = run.lines();
    assert_eq!(lines[0], "CPU 1");
    assert!(lines.iter().any(|line| line.starts_with("Try \"help cpu\"")), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| **line == "CPU 1").count(), 3, "{lines:?}");
    // An error of QMP goes to standard error, unlike the text of the monitor. QEMU accepts a sum; the shell does not,
    // and says so.
    snapshot::check(
        &run.stderr,
        expect![[r#"
            <stdin>:2: GenericError: Parameter 'cpu-index' expects a CPU number
            The CPU stays 1: the shell needs a plain number after `cpu`.
        "#]],
    );
}

#[test]
fn a_new_server_starts_with_its_first_cpu() {
    let (Some(old), Some(new)) = (Server::qemu(Q35), Server::qemu(SMALL)) else { return };
    let connect = format!(".connect {}", new.address());
    let run = run_hmp(&old, &["cpu 1", &connect, "cpu"]).expect_status(0);
    assert_eq!(run.stdout, "CPU 0\n");
}

#[test]
fn counts_error_texts_as_failures() {
    let qemus = [Server::qemu(Q35), Server::qemu_7_2(Q35)];
    for server in qemus.into_iter().flatten() {
        for (line, output) in [
            ("nope", "unknown command: 'nope'\n"),
            ("info nope", "unknown command: 'info nope'\n"),
            ("device_add nope", "Error: 'nope' is not a valid device model name\n"),
            ("x 3 3", "x: extraneous characters at the end of line\nTry \"help x\" for more information\n"),
        ] {
            let run = run_hmp(&server, &[line]).expect_status(1);
            assert_eq!(run.stdout, output);
            assert_eq!(run.stderr, "");
        }
        let run = qmp_shell(&["-H", "-e", &server.address()]).input("nope\ninfo name\n").run();
        assert_eq!(run.expect_status(1).stdout, "unknown command: 'nope'\n");
    }
}

#[test]
fn a_drive_that_cannot_be_added_or_deleted_ends_a_script() {
    let qemus = [Server::qemu(Q35), Server::qemu_7_2(Q35)];
    for server in qemus.into_iter().flatten() {
        for (line, output) in [
            (
                "drive_add 0 if=none,file=/nonexistent,id=d",
                "Could not open '/nonexistent': No such file or directory\n",
            ),
            ("drive_del nosuch", "Device 'nosuch' not found\n"),
        ] {
            let run = qmp_shell(&["-H", "-e", &server.address()]).input(format!("{line}\ninfo status\n")).run();
            assert_eq!(run.expect_status(1).stdout, output);
        }
        let run = run_hmp(&server, &["drive_add 0 if=none,driver=null-co,id=d", "drive_del d"]).expect_status(0);
        assert_eq!(run.stdout, "OK\n");
    }
}

#[test]
fn a_line_of_the_monitor_fails_however_it_is_sent() {
    let qemus = [Server::qemu(Q35), Server::qemu_7_2(Q35)];
    for server in qemus.into_iter().flatten() {
        let address = server.address();
        for (line, status) in [("device_add foo", 1), ("drive_del foo", 1), ("info status", 0), ("stop", 0)] {
            let argument = format!("--command-line={line}");
            qmp(&["--path", &address, "human-monitor-command", &argument]).run().expect_status(status);
            for form in [
                format!(".hmp {line}"),
                format!("human-monitor-command command-line='{line}'"),
                format!("{{\"execute\": \"human-monitor-command\", \"arguments\": {{\"command-line\": \"{line}\"}}}}"),
                format!(".fd /dev/null human-monitor-command command-line='{line}'"),
            ] {
                qmp_shell(&[&address, "-c", &form]).run().expect_status(status);
            }
        }
    }
}

#[test]
fn a_json_script_prints_hmp_output_as_a_reply() {
    let Some(server) = Server::qemu(Q35) else { return };
    let script = "\
        .hmp cpu 1\n\
        .hmp cpu\n\
        .hmp info version\n\
        .hmp cpu 7\n\
        .hmp nope\n\
        .hmp\n\
        info version\n\
        .qmp\n\
        query-status\n";
    let run = qmp_shell(&[&server.address()]).input(script).run().expect_status(1);
    let [chosen, cpu, version, bad, unknown, text, status] = run.lines()[..] else { panic!("{run:#?}") };
    assert_eq!(chosen, r#"{"return": ""}"#);
    assert_eq!(cpu, r#"{"return": "CPU 1\n"}"#);
    assert_eq!(version, format!("{{\"return\": \"{text}\\r\\n\"}}"));
    assert_eq!(bad, r#"{"error": {"class": "GenericError", "desc": "Parameter 'cpu-index' expects a CPU number"}}"#);
    assert_eq!(unknown, r#"{"return": "unknown command: 'nope'\r\n"}"#);
    assert_eq!(status, r#"{"return": {"status": "prelaunch", "running": false}}"#);
}

/// Reads a line for the human monitor and replies with `text`; returns the arguments as JSON text.
fn read_hmp_line(conn: &mut PeerConnection, text: &str) -> String {
    let line = conn.read_line();
    let request: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(request["execute"], "human-monitor-command", "{line}");
    conn.reply(&request["id"].to_string(), &serde_json::json!(text).to_string());
    request["arguments"].to_string()
}

#[test]
fn sends_lines_exactly_as_typed() {
    const LINES: &[&str] = &[
        r#"x /4xb "a  b" 'c"#,
        r"o /b 0x3f8 { [ ( \",
        "  info  name\t# not a comment ",
        "transaction(",
        r#"{"execute": "stop"}"#,
        "sendkey é|x;y",
    ];
    let peer = Peer::start(|conn| {
        conn.negotiate();
        for line in LINES {
            let arguments = read_hmp_line(conn, "");
            assert_eq!(arguments, serde_json::json!({ "command-line": line }).to_string());
        }
        conn.wait_for_close();
    });
    // Comments and dot commands are not sent.
    let script = format!("# info name\n  .events off\n{}\n.set verbose off\n", LINES.join("\n"));
    let run = qmp_shell(&["-H", &peer.address()]).input(script).run().expect_status(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

#[test]
fn does_not_send_a_mistyped_dot_command_to_the_monitor() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        conn.send_event("STOP", "{}");
        read_hmp_line(conn, "CPU is fine");
        conn.wait_for_close();
    });
    let run = qmp_shell(&["-H", &peer.address(), "-c", ".evnts", "-c", "info x"]).run().expect_status(1);
    // Standard output is for the monitor's text; errors and events go to standard error. The event may come at any time.
    assert_eq!(run.stdout, "CPU is fine\n");
    assert!(run.stderr.contains(" STOP"), "{}", run.stderr);
    let errors: Vec<&str> = run.stderr.lines().filter(|line| !line.contains(" STOP")).collect();
    snapshot::check(
        errors.join("\n"),
        expect![[r#"
            -c:1: unknown dot command `.evnts`; did you mean `.events`?
              .evnts
              ^^^^^^
        "#]],
    );
}

#[test]
fn quit_ends_qemu_without_a_question_in_a_script() {
    for (args, line) in [(&["-H"][..], "quit"), (&["-H"], "q"), (&[], ".hmp quit")] {
        let Some(mut server) = Server::qemu(SMALL) else { return };
        let address = server.address();
        let mut args = args.to_vec();
        args.push(&address);
        qmp_shell(&args).input(format!("{line}\n")).run().expect_status(0);
        assert!(server.wait_for_end());
    }
}

#[test]
fn completes_hmp_lines_on_the_command_line() {
    let qemus = [Server::qemu(SMALL), Server::qemu_7_2(SMALL)];
    for server in qemus.into_iter().flatten() {
        for (line, candidates) in [
            ("info reg", "registers"),
            ("info stat", "stats status"),
            ("help info reg", "registers"),
            ("help cpu", "cpu"),
            ("system_r", "system_reset"),
            ("co", "commit cont"),
            ("sto", "stop stopcapture"),
            ("info registers ", ""),
        ] {
            let dot_command = format!(".hmp {line}");
            for args in [["-H", "--complete", line], ["--no-events", "--complete", &dot_command]] {
                let address = server.address();
                let args: Vec<&str> = args.into_iter().chain([address.as_str()]).collect();
                let run = qmp_shell(&args).run().expect_status(0);
                let names: Vec<&str> = run.lines().into_iter().map(|line| line.split('\t').next().unwrap()).collect();
                assert_eq!(names.join(" "), candidates, "{line}");
            }
        }
    }
}

#[test]
fn runs_a_session_in_hmp_mode() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    // One line, without leaving QMP.
    terminal.enter(".hmp info status");
    terminal.wait_for("(QEMU) .hmp info status\nVM status: paused (prelaunch)\n(QEMU)");
    terminal.enter(".hmp");
    terminal.wait_for_last("(qemu)");
    terminal.enter("cpu 1");
    terminal.enter("cpu");
    terminal.wait_for("(qemu) cpu\nCPU 1\n(qemu)");
    terminal.enter("cpu 7");
    terminal.wait_for("(qemu) cpu 7\nGenericError: Parameter 'cpu-index' expects a CPU number\n(qemu)");

    // Tab completes a command, then a subcommand of `info`.
    terminal.type_text("inf");
    terminal.press("Tab");
    terminal.wait_for_last("(qemu) info [subcommand]");
    terminal.type_text("mem");
    terminal.press("Tab");
    // Only the candidates, each with the monitor's own description.
    let screen = terminal.wait_for("memory_size_summary  ");
    for candidate in ["mem ", "memdev ", "memory-devices "] {
        assert!(screen.contains(candidate), "{candidate}: {screen}");
    }
    assert!(!screen.contains("mtree") && screen.contains("show"), "{screen}");
    terminal.press("BSpace");
    terminal.press("BSpace");
    terminal.press("BSpace");
    terminal.type_text("cpu");
    terminal.press("Tab");
    terminal.wait_for_last("(qemu) info cpus");
    terminal.press("Enter");
    terminal.wait_for("* CPU #1");

    terminal.wait_for_last("(qemu)");
    let mut table = Table::new();
    for line in ["inof status", "info blokc", "device_dell a"] {
        table.row(line, terminal.run_line(line));
    }
    table.check(expect![[r#"
        > inof status
        unknown command: 'inof'
        did you mean `info`?

        > info blokc
        unknown command: 'info blokc'
        did you mean `info block`?

        > device_dell a
        unknown command: 'device_dell'
        did you mean `device_del`?
    "#]]);
    // Error texts are red, other texts are not.
    terminal.enter("nope");
    terminal.wait_for("\nunknown command: 'nope'\n(qemu)");
    let coloured = terminal.coloured_screen();
    let line = |text: &str| coloured.lines().find(|line| line.contains(text)).unwrap().to_owned();
    assert!(line("unknown command: 'nope'").contains("\x1b[31m"), "{coloured}");
    assert!(!line("CPU 1").contains("\x1b[31m"), "{coloured}");

    terminal.enter(".qmp");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn sends_long_output_to_the_pager() {
    let Some(server) = Server::qemu(Q35) else { return };
    let pager = server.path("pager");
    std::fs::write(&pager, "#!/bin/sh\necho \"[pager: $(wc -l) lines]\"\n").unwrap();
    let command = format!("PAGER='sh {pager}' {} -H {}", env!("CARGO_BIN_EXE_qmp-shell"), server.address());
    let Some(terminal) = Terminal::start(&command, 100, 40) else { return };
    terminal.wait_for_last("(qemu)");
    terminal.enter("info mtree");
    let screen = terminal.wait_for("lines]");
    assert!(!screen.contains("address-space"), "{screen}");
    terminal.enter("info status");
    terminal.wait_for("VM status: ");
    terminal.enter(".set pager off");
    terminal.enter("info mtree");
    wait_until("all of it", || terminal.scrollback().contains("\naddress-space: memory\n"));
}

#[test]
fn quit_asks_for_confirmation_at_the_prompt() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("-H {}", server.address())) else { return };
    terminal.wait_for_last("(qemu)");
    snapshot::check(
        terminal.ask("quit"),
        expect![[r#"
            `quit` terminates QEMU and the VM immediately; Ctrl-D leaves only the shell.
            Terminate QEMU? [y/N]
        "#]],
    );
    terminal.enter("n");
    terminal.wait_for_last("(qemu)");
    assert!(!server.has_ended());
    terminal.enter("q");
    terminal.wait("the question again", |screen| screen.matches(wording::CONFIRM).count() == 2);
    terminal.enter("y");
    terminal.wait_for(wording::QEMU_ENDED);
    assert_eq!(terminal.wait_for_end(), 0);
    assert!(server.wait_for_end());
}

/// Replies to the queries of a prompt in HMP mode: for commands, and for subcommands of `info`.
fn reply_to_queries(conn: &mut PeerConnection) {
    for _ in ["help", "help info"] {
        let id = conn.expect_command("human-monitor-command");
        conn.reply(&id, "\"\"");
    }
}

#[test]
fn escapes_control_characters_from_the_guest() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        reply_to_queries(conn);
        let id = conn.expect_command("human-monitor-command");
        conn.reply(&id, r#""title \u001b]0;owned\u0007 \u001b[2J\u202egnp.exe\r\nnext\tline\r\n""#);
        conn.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&format!("-H {}", peer.address())) else { return };
    terminal.wait_for_last("(qemu)");
    terminal.enter("info evil");
    let screen = terminal.wait_for("next    line\n(qemu)");
    assert!(screen.contains(r"title \x1b]0;owned\x07 \x1b[2J\u{202e}gnp.exe"), "{screen}");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn prints_a_late_reply_as_text() {
    let (sent_tx, sent_rx) = std::sync::mpsc::channel();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        reply_to_queries(conn);
        let slow = conn.expect_command("human-monitor-command");
        sent_tx.send(()).unwrap();
        // The next line shows that the user stopped waiting for the first.
        let next = conn.expect_command("human-monitor-command");
        conn.reply(&slow, r#""two\r\nlines\r\n""#);
        conn.reply(&next, r#""at once\r\n""#);
        conn.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&format!("-H {}", peer.address())) else { return };
    terminal.wait_for_last("(qemu)");
    terminal.enter("info slow");
    sent_rx.recv().unwrap();
    terminal.press("C-c");
    terminal.wait_for_last("(qemu)");
    terminal.enter("info next");
    terminal.wait_for("\ntwo\nlines\nat once\n(qemu)");
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        (qemu) info slow
        `human-monitor-command` is still running in the server; its reply is shown when it arrives.
        (qemu) info next
        The reply to `human-monitor-command` has arrived:
        two
        lines
        at once
        (qemu)
    "#]]);
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn runs_hmp_lines_on_a_wrapped_qemu() {
    if Server::qemu(SMALL).is_none() {
        return;
    }
    let mut args = vec!["-H", "-c", "info name", "-c", "nope", "--", "qemu-system-x86_64"];
    args.extend(SMALL);
    args.extend(["-name", "quoted \" name"]);
    let run = qmp_shell_wrap(&args).run().expect_status(1);
    assert_eq!(run.stdout, "quoted \" name\nunknown command: 'nope'\n");
}
