//! The human monitor: `-H`, `.hmp` and `.qmp`, the CPU that lines look at, failures that come as text.

use crate::support::peer::{Peer, Talk};
use crate::support::program::{qmp_shell, qmp_shell_wrap};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::terminal::Terminal;
use crate::support::wait_until;

/// A script in HMP mode, one line after the other, on a QEMU of its own.
fn session(server: &Server, lines: &[&str]) -> crate::support::program::Run {
    qmp_shell(&["-H", &server.address()]).input(lines.join("\n")).run()
}

#[test]
fn a_script_in_hmp_mode_prints_the_monitors_text_with_plain_line_ends() {
    let qemus = [Server::qemu(Q35), Server::qemu_7_2(Q35)];
    for server in qemus.into_iter().flatten() {
        let run = session(&server, &["info status", "", "help cpu"]).expect_status(0);
        let [status, help] = run.lines()[..] else { panic!("{run:#?}") };
        assert!(status.starts_with("VM status: paused"), "{status}");
        assert!(help.starts_with("cpu index -- "), "{help}");
        assert!(!run.stdout.contains('\r') && run.stdout.ends_with('\n'));
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn the_chosen_cpu_goes_with_every_line() {
    let qemus = [Server::qemu(Q35), Server::qemu_7_2(Q35)];
    for server in qemus.into_iter().flatten() {
        let cpus = |text: &str| -> Vec<String> {
            let telling = |line: &&str| ["CPU", "* CPU"].iter().any(|start| line.starts_with(start));
            let lines = text.lines().filter(telling);
            lines.map(|line| line.chars().take(8).collect()).collect()
        };
        // QEMU forgets `cpu 1` as soon as it is said; that the shell does not is seen by all that depends on it.
        let lines = ["cpu", "info registers", "cpu 1", "cpu", "info registers", "info cpus"];
        let run = session(&server, &lines).expect_status(0);
        assert_eq!(cpus(&run.stdout), ["CPU 0", "CPU#0", "CPU 1", "CPU#1", "* CPU #1"]);
    }
}

#[test]
fn a_cpu_that_is_not_there_is_refused_by_qemu_and_changes_nothing() {
    let Some(server) = Server::qemu(Q35) else { return };
    let run = session(&server, &["cpu 0x1", "cpu 7", "cpu", "cpu x", "cpu", "cpu 0+0", "cpu"]).expect_status(1);
    let heard: Vec<&str> = run.lines();
    assert_eq!(heard[0], "CPU 1");
    assert!(heard.iter().any(|line| line.starts_with("Try \"help cpu\"")), "{heard:?}");
    assert_eq!(heard.iter().filter(|line| **line == "CPU 1").count(), 3, "{heard:?}");
    // A refusal by QMP is no text of the monitor's: it goes where errors go.
    assert!(
        run.stderr.starts_with("<stdin>:2: GenericError: Parameter 'cpu-index' expects a CPU number\n"),
        "{}",
        run.stderr
    );
    // QEMU takes a sum and the shell does not: that is said.
    assert!(run.stderr.contains("The index stays 1"), "{}", run.stderr);
}

#[test]
fn a_new_server_is_looked_at_from_its_first_cpu() {
    let (Some(old), Some(new)) = (Server::qemu(Q35), Server::qemu(SMALL)) else {
        return;
    };
    let connect = format!(".connect {}", new.address());
    let run = session(&old, &["cpu 1", &connect, "cpu"]).expect_status(0);
    assert_eq!(run.stdout, "CPU 0\n");
}

#[test]
fn failures_come_as_text_and_count() {
    let qemus = [Server::qemu(Q35), Server::qemu_7_2(Q35)];
    for server in qemus.into_iter().flatten() {
        for (line, said) in [
            ("nope", "unknown command: 'nope'\n"),
            ("info nope", "unknown command: 'info nope'\n"),
            ("device_add nope", "Error: 'nope' is not a valid device model name\n"),
            ("x 3 3", "x: extraneous characters at the end of line\nTry \"help x\" for more information\n"),
        ] {
            let run = session(&server, &[line]).expect_status(1);
            assert_eq!(run.stdout, said);
            assert_eq!(run.stderr, "");
        }
        let run = qmp_shell(&["-H", "-e", &server.address()]).input("nope\ninfo name\n").run();
        assert_eq!(run.expect_status(1).stdout, "unknown command: 'nope'\n");
    }
}

#[test]
fn in_a_json_script_hmp_is_its_reply() {
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

/// Hears one line for the human monitor: the members of its arguments as JSON text. Answers with `text`.
fn hear_monitor_line(talk: &mut Talk, text: &str) -> String {
    let heard = talk.hear();
    let request: serde_json::Value = serde_json::from_str(&heard).unwrap();
    assert_eq!(request["execute"], "human-monitor-command", "{heard}");
    talk.answer(&request["id"].to_string(), &serde_json::json!(text).to_string());
    request["arguments"].to_string()
}

#[test]
fn a_line_is_sent_exactly_as_typed() {
    const LINES: &[&str] = &[
        r#"x /4xb "a  b" 'c"#,
        r"o /b 0x3f8 { [ ( \",
        "  info  name\t# not a comment ",
        "transaction(",
        r#"{"execute": "stop"}"#,
        "sendkey é|x;y",
    ];
    let peer = Peer::start(|talk| {
        talk.negotiate();
        for line in LINES {
            let arguments = hear_monitor_line(talk, "");
            assert_eq!(arguments, serde_json::json!({ "command-line": line }).to_string());
        }
        talk.wait_for_close();
    });
    // What begins with `#` or `.` is ours, and never gets there.
    let script = format!("# info name\n  .events off\n{}\n.set verbose off\n", LINES.join("\n"));
    let run = qmp_shell(&["-H", &peer.address()]).input(script).run().expect_status(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

#[test]
fn a_mistyped_command_of_the_shell_does_not_reach_the_monitor() {
    let peer = Peer::start(|talk| {
        talk.negotiate();
        talk.event("STOP", "{}");
        hear_monitor_line(talk, "CPU is fine");
        talk.wait_for_close();
    });
    let run = qmp_shell(&["-H", &peer.address(), "-c", ".evnts", "-c", "info x"]).run().expect_status(1);
    // Standard output is the monitor's alone, each line whole; errors and events go beside it.
    assert_eq!(run.stdout, "CPU is fine\n");
    assert!(run.stderr.contains("-c:1: the shell has no command `.evnts`; did you mean `.events`?"));
    assert!(run.stderr.contains(" STOP"), "{}", run.stderr);
}

#[test]
fn quit_in_a_script_just_ends_qemu() {
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
fn lines_for_the_monitor_complete_on_the_command_line() {
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
            let of_qmp = format!(".hmp {line}");
            for args in [["-H", "--complete", line], ["--no-events", "--complete", &of_qmp]] {
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
fn a_session_in_hmp_mode() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
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

    // Tab: a command, then one of `info`'s.
    terminal.type_text("inf");
    terminal.press("Tab");
    terminal.wait_for_last("(qemu) info");
    terminal.type_text("mem");
    terminal.press("Tab");
    // The candidates and no others, each with the monitor's own words about it.
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

    // A failure is red, an answer is not.
    for (line, meant) in [("inof status", "info"), ("info blokc", "info block"), ("device_dell a", "device_del")] {
        terminal.enter(line);
        terminal.wait_for(&format!("\ndid you mean `{meant}`?\n(qemu)"));
    }
    terminal.enter("nope");
    terminal.wait_for("\nunknown command: 'nope'\n(qemu)");
    let coloured = terminal.coloured_screen();
    let line = |text: &str| coloured.lines().find(|line| line.ends_with(text)).unwrap().to_owned();
    assert!(line("unknown command: 'nope'").contains("\x1b[31m"), "{coloured}");
    assert!(!line("CPU 1").contains("\x1b[31m"), "{coloured}");

    terminal.enter(".qmp");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn long_output_goes_through_the_pager() {
    let Some(server) = Server::qemu(Q35) else { return };
    let pager = server.path("pager");
    std::fs::write(&pager, "#!/bin/sh\necho \"[pager: $(wc -l) lines]\"\n").unwrap();
    let command = format!("PAGER='sh {pager}' {} -H {}", env!("CARGO_BIN_EXE_qmp-shell"), server.address());
    let Some(terminal) = Terminal::start(&command, 100, 40) else {
        return;
    };
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
fn quit_asks_at_the_prompt() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("-H {}", server.address())) else {
        return;
    };
    terminal.wait_for_last("(qemu)");
    terminal.enter("quit");
    terminal.wait_for("`quit` ends QEMU and its machine at once; Ctrl-D leaves only the shell.");
    terminal.enter("n");
    terminal.wait_for_last("(qemu)");
    assert!(!server.has_ended());
    terminal.enter("q");
    terminal.wait(": asked again", |screen| screen.matches("[y/N]").count() == 2);
    terminal.enter("y");
    terminal.wait_for("QEMU has ended.");
    assert_eq!(terminal.wait_for_end(), 0);
    assert!(server.wait_for_end());
}

/// A prompt in HMP mode asks for the names of commands, and of what `info` shows.
fn answer_completion(talk: &mut Talk) {
    for _ in ["help", "help info"] {
        let id = talk.expect("human-monitor-command");
        talk.answer(&id, "\"\"");
    }
}

#[test]
fn what_a_guest_wrote_is_harmless_on_a_terminal() {
    let peer = Peer::start(|talk| {
        talk.negotiate();
        answer_completion(talk);
        let id = talk.expect("human-monitor-command");
        talk.answer(&id, r#""title \u001b]0;owned\u0007 \u001b[2J\u202egnp.exe\r\nnext\tline\r\n""#);
        talk.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&format!("-H {}", peer.address())) else {
        return;
    };
    terminal.wait_for_last("(qemu)");
    terminal.enter("info evil");
    let screen = terminal.wait_for("next    line\n(qemu)");
    assert!(screen.contains(r"title \x1b]0;owned\x07 \x1b[2J\u{202e}gnp.exe"), "{screen}");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn an_answer_that_was_not_waited_for_is_text_all_the_same() {
    let (heard, is_heard) = std::sync::mpsc::channel();
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        answer_completion(talk);
        let slow = talk.expect("human-monitor-command");
        heard.send(()).unwrap();
        // The next line is the sign that the first was given up.
        let next = talk.expect("human-monitor-command");
        talk.answer(&slow, r#""two\r\nlines\r\n""#);
        talk.answer(&next, r#""at once\r\n""#);
        talk.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&format!("-H {}", peer.address())) else {
        return;
    };
    terminal.wait_for_last("(qemu)");
    terminal.enter("info slow");
    is_heard.recv().unwrap();
    terminal.press("C-c");
    terminal.wait_for("`human-monitor-command` is still running in the server");
    terminal.wait_for_last("(qemu)");
    terminal.enter("info next");
    terminal.wait_for("The reply to `human-monitor-command` has come:\ntwo\nlines\nat once\n(qemu)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn a_wrapped_qemu_speaks_hmp_too() {
    if Server::qemu(SMALL).is_none() {
        return;
    }
    let mut args = vec!["-H", "-c", "info name", "-c", "nope", "--", "qemu-system-x86_64"];
    args.extend(SMALL);
    args.extend(["-name", "quoted \" name"]);
    let run = qmp_shell_wrap(&args).run().expect_status(1);
    assert_eq!(run.stdout, "quoted \" name\nunknown command: 'nope'\n");
}
