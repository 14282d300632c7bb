//! `qmp-shell-wrap`: a QEMU that starts and ends with the shell, and leaves no files.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::expect;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::program::qmp_shell_wrap;
use crate::support::server::{SMALL, Server};
use crate::support::skip::{require_program, skip};
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;
use crate::support::{wait_until, wording};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A QEMU command line, whose processes are recognised by the process name in its `-name`. The VM has no name.
struct QemuCommand {
    program: String,
    options: Vec<String>,
    name: String,
}

impl QemuCommand {
    fn new(program: &str, options: &[&str]) -> QemuCommand {
        let name = format!("process=wrapped-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        QemuCommand {
            program: program.to_owned(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
            name,
        }
    }

    /// Prepares the installed QEMU. Records a skip if it is missing.
    fn qemu() -> Option<QemuCommand> {
        require_program("qemu-system-x86_64")?;
        Some(QemuCommand::new("qemu-system-x86_64", SMALL))
    }

    /// Returns it as a line of the shell.
    fn line(&self) -> String {
        format!("{} {} -name {}", self.program, self.options.join(" "), self.name)
    }

    /// Returns it as arguments after `own`.
    fn arguments<'a>(&'a self, own: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = own.to_vec();
        arguments.push(&self.program);
        arguments.extend(self.options.iter().map(String::as_str));
        arguments.extend(["-name", &self.name]);
        arguments
    }

    /// Returns the processes with this name among their arguments, and their programs.
    fn processes(&self) -> Vec<(Pid, String)> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let found = entries.filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut words = line.split('\0');
            let program = words.next()?.to_owned();
            let has_name = words.any(|word| word == self.name);
            has_name.then_some((Pid::from_raw(pid)?, program))
        });
        found.collect()
    }

    /// Waits for the process whose program ends with `program`.
    fn process(&self, program: &str) -> Pid {
        let find = || self.processes().into_iter().find(|(_, called)| called.ends_with(program));
        wait_until("the process", || find().is_some());
        find().unwrap().0
    }

    /// Checks that no process is left.
    #[track_caller]
    fn assert_gone(&self) {
        assert_eq!(self.processes(), [], "processes are left");
    }
}

impl Drop for QemuCommand {
    /// Kills the processes that a failed test has left.
    fn drop(&mut self) {
        for (process, _) in self.processes() {
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

/// Writes a script in `folder` that gets QEMU's arguments; returns its path.
fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("script");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn runs_a_session_at_the_prompt() {
    let Some(mut qemu) = QemuCommand::qemu() else { return };
    qemu.options = ["-M", "q35", "-display", "none", "-nodefaults"].map(str::to_owned).to_vec();
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION}. Tab completes, help explains, Ctrl-D ends QEMU and leaves.
        (QEMU)
    "#]]);
    terminal.enter("query-status");
    terminal.wait_for("{\"status\": \"running\", \"running\": true}\n(QEMU)");
    // During a question, Ctrl-C is a signal to all processes of the terminal, but not to QEMU.
    terminal.wait_for_last("(QEMU)");
    snapshot::check(
        terminal.ask("quit"),
        expect![[r#"
            `quit` terminates QEMU and the VM immediately; so does leaving this shell, which started it.
            Terminate QEMU? [y/N]
        "#]],
    );
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-c");
    terminal.wait("a new prompt", |screen| screen.ends_with("\n(QEMU)\n(QEMU)"));
    assert_eq!(terminal.run_line("query-name"), "{}\n");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.assert_gone();
    assert!(!terminal.screen().contains("SHUTDOWN"), "{}", terminal.screen());
}

#[test]
fn quit_ends_the_shell_as_well() {
    let Some(qemu) = QemuCommand::qemu() else { return };
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("quit");
    terminal.wait_for(wording::CONFIRM);
    terminal.enter("y");
    terminal.wait_for(&format!(
        "SHUTDOWN {{\"guest\": false, \"reason\": \"host-qmp-quit\"}}\n{{}}\n{}",
        wording::QEMU_ENDED
    ));
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.assert_gone();
}

#[test]
fn ends_qemu_at_the_end_of_a_script() {
    let Some(qemu) = QemuCommand::qemu() else { return };
    let mut commands = vec![qemu];
    match std::env::var("QMP_SHELL_TEST_QEMU72") {
        Ok(program) => {
            let extra = std::env::var("QMP_SHELL_TEST_QEMU72_ARGS").unwrap_or_default();
            let options: Vec<&str> = SMALL.iter().copied().chain(extra.split_whitespace()).collect();
            commands.push(QemuCommand::new(&program, &options));
        }
        Err(_) => skip("QEMU 7.2 (QMP_SHELL_TEST_QEMU72)"),
    }
    for qemu in &commands {
        for (own, script, status, count) in [
            (&[][..], "query-status\nquery-name\n", 0, 2),
            (&["--"], "query-status\nnope\n", 1, 2),
            (&["-e"], "nope\nquery-status\n", 1, 1),
            (&[], "", 0, 0),
            (&[], "quit\n", 0, 1),
            (&["-H"], "quit\n", 0, 0),
            (&["-c", "query-status", "--"], "nope\n", 0, 1),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let run = qmp_shell_wrap(&qemu.arguments(own))
                .env("TMPDIR", folder.path().to_str().unwrap())
                .in_folder(folder.path())
                .input(script)
                .run()
                .expect_status(status);
            assert_eq!(run.replies().len(), count, "{run:#?}");
            qemu.assert_gone();
            // No file is left, and no socket.
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}

#[test]
fn wraps_the_storage_daemon() {
    if Server::storage_daemon().is_none() {
        return;
    }
    let daemon = ["--blockdev", "null-co,node-name=n0"];
    let mut args = vec!["-c", "query-named-block-nodes flat=true", "--", "qemu-storage-daemon"];
    args.extend(daemon);
    let run = qmp_shell_wrap(&args).run().expect_status(0);
    assert!(run.stdout.contains(r#""node-name": "n0""#), "{run:#?}");
}

#[test]
fn does_nothing_without_standard_input() {
    let Some(qemu) = QemuCommand::qemu() else { return };
    let line = format!("{} {} <&-", env!("CARGO_BIN_EXE_qmp-shell-wrap"), qemu.line());
    let output = std::process::Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"");
    qemu.assert_gone();
}

#[test]
fn reports_programs_that_cannot_be_started() {
    let Some(qemu) = QemuCommand::qemu() else { return };
    let mut table = Table::new();
    for args in [
        &["qemu-system-x86_64", "-nonsense"][..],
        &["no-such-qemu", "-M", "q35"],
        &["--pertty", "qemu-system-x86_64"],
        &["-p"],
        &["--", "--pertty"],
    ] {
        let run = qmp_shell_wrap(args).input("query-status\n").run();
        table.run(args.join(" "), &run);
    }
    table.check(expect![[r#"
        > qemu-system-x86_64 -nonsense
        stderr: qemu-system-x86_64: -nonsense: invalid option
        stderr: qmp-shell-wrap: `qemu-system-x86_64` exited before its monitor was available (exit status: 1)
        status: 3

        > no-such-qemu -M q35
        stderr: qmp-shell-wrap: cannot run `no-such-qemu`: No such file or directory (os error 2)
        status: 3

        > --pertty qemu-system-x86_64
        stderr: error: unexpected argument '--pertty' found
        stderr:
        stderr:   tip: a similar argument exists: '--pretty'
        stderr:   tip: to pass '--pertty' as a value, use '-- --pertty'
        stderr:
        stderr: Usage: qmp-shell-wrap [OPTIONS] [--] QEMU-COMMAND...
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > -p
        stderr: qmp-shell-wrap: missing QEMU-COMMAND; try `qmp-shell-wrap qemu-system-x86_64 -M q35 -display none`
        status: 2

        > -- --pertty
        stderr: qmp-shell-wrap: cannot run `--pertty`: No such file or directory (os error 2)
        status: 3
    "#]]);
    // A dry run needs no QEMU.
    let run = qmp_shell_wrap(&["--dry-run", "-c", "query-status", "no-such-qemu"]).run();
    assert_eq!(run.expect_status(0).stdout, "{\"execute\": \"query-status\"}\n");

    // The same at a terminal.
    let Some(terminal) = Terminal::qmp_shell_wrap(&format!("{} -nonsense", qemu.line())) else { return };
    assert_eq!(terminal.wait_for_end(), 3);
    let screen = terminal.screen();
    assert!(screen.starts_with("qemu-system-x86_64: -nonsense: invalid option\n"), "{screen}");
}

#[test]
fn reports_a_killed_qemu_at_the_prompt() {
    let Some(qemu) = QemuCommand::qemu() else { return };
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else { return };
    terminal.wait_for_queries();
    terminal.type_text("query-sta");
    kill_process(qemu.process("qemu-system-x86_64"), Signal::KILL).unwrap();
    terminal.wait("the notice", |screen| screen.contains("SIGKILL") && screen.ends_with("(QEMU) query-sta"));
    let screen = terminal.screen();
    let notice = screen.lines().find(|line| line.contains("SIGKILL")).unwrap();
    snapshot::check(
        notice,
        expect![[r#"
            The server closed the connection. QEMU has exited (signal: 9 (SIGKILL)).
        "#]],
    );
    terminal.type_text("tus");
    snapshot::check(
        terminal.output_of("query-status"),
        expect![[r#"
            error: not connected; QEMU has exited (signal: 9 (SIGKILL)).
        "#]],
    );
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.assert_gone();
}

#[test]
fn a_killed_qemu_ends_the_script_with_status_4() {
    let Some(qemu) = QemuCommand::qemu() else { return };
    let mut shell = qmp_shell_wrap(&qemu.arguments(&[])).start();
    let mut replies = BufReader::new(shell.stdout.take().unwrap());
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(b"query-name\n").unwrap();
    let mut reply = String::new();
    replies.read_line(&mut reply).unwrap();
    assert_eq!(reply, "{\"return\": {}}\n");
    // It ends at once, though its input is still open.
    kill_process(qemu.process("qemu-system-x86_64"), Signal::KILL).unwrap();
    assert_eq!(shell.wait().unwrap().code(), Some(4));
    let mut messages = String::new();
    shell.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
    snapshot::check(
        messages,
        expect![[r#"
            The server closed the connection. QEMU has exited (signal: 9 (SIGKILL)).
        "#]],
    );
    qemu.assert_gone();
}

#[test]
fn ends_qemu_when_it_gets_a_signal() {
    let Some(prompt) = QemuCommand::qemu() else { return };
    if let Some(terminal) = Terminal::qmp_shell_wrap(&prompt.line()) {
        terminal.wait_for_last("(QEMU)");
        kill_process(prompt.process("qmp-shell-wrap"), Signal::TERM).unwrap();
        assert_eq!(terminal.wait_for_end(), 128 + 15);
        prompt.assert_gone();
    }
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let Some(script) = QemuCommand::qemu() else { return };
        let mut shell = qmp_shell_wrap(&script.arguments(&["-c", "query-status", "-f", "-"])).start();
        let _open = shell.stdin.take();
        let mut reply = String::new();
        let mut stdout = BufReader::new(shell.stdout.take().unwrap());
        stdout.read_line(&mut reply).unwrap();
        kill_process(script.process("qmp-shell-wrap"), signal).unwrap();
        assert_eq!(shell.wait().unwrap().code(), Some(128 + signal.as_raw()));
        script.assert_gone();
    }
}

#[test]
fn qemu_ends_with_a_shell_that_is_killed() {
    let Some(qemu) = QemuCommand::qemu() else { return };
    let mut shell = qmp_shell_wrap(&qemu.arguments(&["-c", "query-status", "-f", "-"])).start();
    let _open = shell.stdin.take();
    let mut reply = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut reply).unwrap();
    kill_process(qemu.process("qmp-shell-wrap"), Signal::KILL).unwrap();
    shell.wait().unwrap();
    wait_until("QEMU to end", || qemu.processes().is_empty());
}

#[test]
fn nohup_keeps_the_shell_and_its_qemu_running() {
    let Some(qemu) = QemuCommand::qemu() else { return };
    let mut shell = qmp_shell_wrap(&qemu.arguments(&["-f", "-"]))
        .under(&["/bin/sh", "-c", "trap '' HUP; exec \"$0\" \"$@\""])
        .start();
    let (mut stdin, mut stdout) = (shell.stdin.take().unwrap(), BufReader::new(shell.stdout.take().unwrap()));
    for hang_up in [true, false] {
        stdin.write_all(b"query-status\n").unwrap();
        let mut reply = String::new();
        stdout.read_line(&mut reply).unwrap();
        assert!(reply.contains("running"), "{reply}");
        if hang_up {
            kill_process(qemu.process("qmp-shell-wrap"), Signal::HUP).unwrap();
        }
    }
    drop(stdin);
    assert!(shell.wait().unwrap().success());
    qemu.assert_gone();
}

#[test]
fn shows_the_output_of_a_slow_start_and_can_be_interrupted() {
    let Some(mut qemu) = QemuCommand::qemu() else { return };
    let folder = tempfile::tempdir().unwrap();
    qemu.program = script(
        folder.path(),
        "echo 'qemu: waiting for something' >&2\nwhile [ ! -e \"${0%/*}/go\" ]; do sleep 0.02; done\n\
         exec qemu-system-x86_64 \"$@\"",
    );
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else { return };
    terminal.wait_for("qemu: waiting for something");
    terminal.press("C-c");
    assert_eq!(terminal.wait_for_end(), 128 + 2);
    qemu.assert_gone();

    // With a timeout.
    qmp_shell_wrap(&qemu.arguments(&["--timeout", "0.2"])).run().check(expect![[r#"
        stderr: qemu: waiting for something
        stderr: qmp-shell-wrap: `{DIR}/script` did not open its monitor within 0.2 s and was terminated
        status: 3
    "#]]);
    qemu.assert_gone();

    // QEMU starts after all.
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else { return };
    terminal.wait_for("qemu: waiting for something");
    std::fs::write(folder.path().join("go"), "").unwrap();
    terminal.wait_for(&format!("qemu: waiting for something\n{}", wording::CONNECTED));
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.assert_gone();
}

#[test]
fn shows_the_output_of_qemu_above_the_line_being_typed() {
    let Some(mut qemu) = QemuCommand::qemu() else { return };
    let folder = tempfile::tempdir().unwrap();
    qemu.program = script(
        folder.path(),
        "(while [ ! -e \"${0%/*}/go\" ]; do sleep 0.02; done\n\
         echo 'qemu: warning: on standard error' >&2\n\
         printf 'on \\033[2Jstandard output\\r\\n') &\n\
         exec qemu-system-x86_64 \"$@\"",
    );
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("query-sta");
    terminal.wait_for_last("(QEMU) query-sta");
    std::fs::write(folder.path().join("go"), "").unwrap();
    terminal.wait_for("qemu: warning: on standard error\non \\x1b[2Jstandard output\n(QEMU) query-sta");
    terminal.enter("tus");
    terminal.wait_for("\"running\": true}\n(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn ends_a_script_around_qemu() {
    for text in ["qemu-system-x86_64 \"$@\"; exit 7", "qemu-system-x86_64 \"$@\" & wait", "qemu-system-x86_64 \"$@\" &"]
    {
        let Some(mut qemu) = QemuCommand::qemu() else { return };
        let folder = tempfile::tempdir().unwrap();
        qemu.program = script(folder.path(), text);
        // At the end of the script.
        let run = qmp_shell_wrap(&qemu.arguments(&["-c", "query-status"])).run().expect_status(0);
        assert!(run.stdout.contains("\"running\": true"), "{text}: {run:#?}");
        qemu.assert_gone();
        // By a signal.
        let mut shell = qmp_shell_wrap(&qemu.arguments(&["-c", "query-status", "-f", "-"])).start();
        let _open = shell.stdin.take();
        let mut reply = String::new();
        let mut stdout = BufReader::new(shell.stdout.take().unwrap());
        stdout.read_line(&mut reply).unwrap();
        kill_process(qemu.process("qmp-shell-wrap"), Signal::TERM).unwrap();
        assert_eq!(shell.wait().unwrap().code(), Some(128 + 15));
        // The shell does not wait for a process that is not its child.
        wait_until("QEMU's end", || qemu.processes().is_empty());
    }
}

#[test]
fn distinguishes_a_closed_monitor_from_the_end_of_qemu() {
    let Some(mut qemu) = QemuCommand::qemu() else { return };
    let folder = tempfile::tempdir().unwrap();
    // A script that outlives QEMU and does not hold its monitor.
    qemu.program = script(
        folder.path(),
        "qemu-system-x86_64 \"$@\" &\n\
         fd=${*##*fd=}; fd=${fd%% *}; eval \"exec $fd>&-\"\n\
         wait\nexec sh -c 'while :; do sleep 0.02; done' sh \"$@\"",
    );
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else { return };
    terminal.wait_for_queries();
    kill_process(qemu.process("qemu-system-x86_64"), Signal::KILL).unwrap();
    let before = terminal.screen();
    let screen = terminal.wait("the notice", |screen| screen != before && screen.ends_with("\n(QEMU)"));
    // The notice is the last line before the prompt.
    snapshot::check(
        screen.lines().rev().nth(1).unwrap(),
        expect![[r#"
            The server closed the connection. QEMU still runs without its monitor; leaving the shell ends it.
        "#]],
    );
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.assert_gone();
}

#[test]
fn ends_only_the_qemu_that_it_started() {
    let (Some(mut other), Some(qemu)) = (Server::qemu(SMALL), QemuCommand::qemu()) else { return };
    let connect = format!(".connect {}", other.address());
    let run = qmp_shell_wrap(&qemu.arguments(&["-c", &connect, "-c", "query-name"])).run().expect_status(0);
    assert_eq!(run.stdout, "{\"return\": {}}\n");
    qemu.assert_gone();
    assert!(!other.has_ended());

    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else { return };
    terminal.wait_for_last("(QEMU)");
    // A connection to QEMU that was given up could not be opened again.
    let refused = terminal.run_line(".connect /typo");
    assert!(refused.trim_end().ends_with("the connection to QEMU stays open"), "{refused}");
    assert_eq!(terminal.run_line("query-name"), "{}\n");
    terminal.check_line(
        &connect,
        expect![[r#"
        Connected to QEMU {VERSION} at {DIR}/q.sock.
    "#]],
    );
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.assert_gone();
    assert!(!other.has_ended());
    // It still runs and serves clients.
    let run = crate::support::program::qmp_shell(&[&other.address(), "-c", "query-name"]).run();
    assert_eq!(run.expect_status(0).stdout, "{\"return\": {}}\n");
}
