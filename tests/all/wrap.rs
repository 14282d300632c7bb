//! `qmp-shell-wrap`: a QEMU that begins and ends with the shell, and leaves nothing behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::program::qmp_shell_wrap;
use crate::support::server::{SMALL, Server};
use crate::support::terminal::Terminal;
use crate::support::{find_program, skip, wait_until};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A QEMU command line to be wrapped, known among all processes by its `-name`.
struct Wrapped {
    program: String,
    options: Vec<String>,
    name: String,
}

impl Wrapped {
    fn new(program: &str, options: &[&str]) -> Wrapped {
        let name = format!("wrapped-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        Wrapped {
            program: program.to_owned(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
            name,
        }
    }

    /// QEMU 10.0; `None` (skipped) where there is none.
    fn qemu() -> Option<Wrapped> {
        if find_program("qemu-system-x86_64").is_none() {
            skip("qemu-system-x86_64");
            return None;
        }
        Some(Wrapped::new("qemu-system-x86_64", SMALL))
    }

    /// As a command line of the shell, so that tests can put a script in front.
    fn line(&self) -> String {
        format!("{} {} -name {}", self.program, self.options.join(" "), self.name)
    }

    /// As arguments behind `own`.
    fn arguments<'a>(&'a self, own: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = own.to_vec();
        arguments.push(&self.program);
        arguments.extend(self.options.iter().map(String::as_str));
        arguments.extend(["-name", &self.name]);
        arguments
    }

    /// The processes that have this name among their arguments, by what they are called.
    fn processes(&self) -> Vec<(Pid, String)> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let found = entries.filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut words = line.split('\0');
            let program = words.next()?.to_owned();
            let is_ours = words.any(|word| word == self.name);
            is_ours.then_some((Pid::from_raw(pid)?, program))
        });
        found.collect()
    }

    /// The one process whose program ends with `program`, once it is there.
    fn process(&self, program: &str) -> Pid {
        let find = || self.processes().into_iter().find(|(_, called)| called.ends_with(program));
        wait_until("the process", || find().is_some());
        find().unwrap().0
    }

    /// Holds the shell to having left nothing.
    #[track_caller]
    fn is_gone(&self) {
        assert_eq!(self.processes(), [], "left behind");
    }
}

impl Drop for Wrapped {
    /// A test that fails leaves nothing behind either.
    fn drop(&mut self) {
        for (process, _) in self.processes() {
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

/// A script in `folder` that QEMU's command line is handed to.
fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("script");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_session_at_the_prompt() {
    let Some(mut qemu) = Wrapped::qemu() else { return };
    qemu.options = ["-M", "q35", "-display", "none", "-nodefaults"].map(str::to_owned).to_vec();
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else {
        return;
    };
    terminal.wait_for("Connected to QEMU 10.0.2. Tab completes, help explains, Ctrl-D ends QEMU and leaves.");
    terminal.enter("query-status");
    terminal.wait_for("{\n  \"status\": \"running\",\n  \"running\": true\n}\n(QEMU)");
    // While a question is open, Ctrl-C is a signal to all that runs in the terminal, but not to QEMU.
    terminal.enter("quit");
    terminal.wait_for("`quit` ends QEMU and its machine at once; so does leaving this shell, which started it.");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-c");
    terminal.wait("a new prompt", |screen| screen.ends_with("\n(QEMU)\n(QEMU)"));
    terminal.enter("query-name");
    terminal.wait_for(&format!("\"name\": \"{}\"\n}}\n(QEMU)", qemu.name));
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.is_gone();
    assert!(!terminal.screen().contains("SHUTDOWN"), "{}", terminal.screen());
}

#[test]
fn quit_ends_the_shell_as_well() {
    let Some(qemu) = Wrapped::qemu() else { return };
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("quit");
    terminal.wait_for("[y/N]");
    terminal.enter("y");
    terminal.wait_for("SHUTDOWN {\"guest\": false, \"reason\": \"host-qmp-quit\"}\n{}\nQEMU has ended.");
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.is_gone();
}

#[test]
fn the_end_of_a_script_ends_qemu() {
    let Some(qemu) = Wrapped::qemu() else { return };
    let mut wrapped = vec![qemu];
    match std::env::var("QMP_SHELL_TEST_QEMU72") {
        Ok(program) => {
            let extra = std::env::var("QMP_SHELL_TEST_QEMU72_ARGS").unwrap_or_default();
            let options: Vec<&str> = SMALL.iter().copied().chain(extra.split_whitespace()).collect();
            wrapped.push(Wrapped::new(&program, &options));
        }
        Err(_) => skip("QEMU 7.2 (QMP_SHELL_TEST_QEMU72)"),
    }
    for qemu in &wrapped {
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
            qemu.is_gone();
            // No socket, and nothing else.
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}

#[test]
fn qemu_storage_daemon_is_wrapped_as_well() {
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
fn without_standard_input_there_is_nothing_to_do() {
    let Some(qemu) = Wrapped::qemu() else { return };
    let line = format!("{} {} <&-", env!("CARGO_BIN_EXE_qmp-shell-wrap"), qemu.line());
    let output = std::process::Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"");
    qemu.is_gone();
}

#[test]
fn what_cannot_be_started_is_said_at_once() {
    let Some(qemu) = Wrapped::qemu() else { return };
    for (args, status, words) in [
        (
            &["qemu-system-x86_64", "-nonsense"][..],
            3,
            &[
                "qemu-system-x86_64: -nonsense: invalid option\n",
                "qmp-shell-wrap: `qemu-system-x86_64` ended before its monitor was up (exit status: 1)\n",
            ][..],
        ),
        (
            &["no-such-qemu", "-M", "q35"],
            3,
            &["qmp-shell-wrap: cannot run `no-such-qemu`: No such file or directory (os error 2)\n"],
        ),
        (&["--pertty", "qemu-system-x86_64"], 2, &["error: unexpected argument '--pertty' found\n"]),
        (&["-p"], 2, &["qmp-shell-wrap: no QEMU command is named"]),
        (&["--", "--pertty"], 3, &["qmp-shell-wrap: cannot run `--pertty`: "]),
    ] {
        let run = qmp_shell_wrap(args).input("query-status\n").run().expect_status(status);
        assert_eq!(run.stdout, "");
        for words in words {
            assert!(run.stderr.contains(words), "{args:?}: {}", run.stderr);
        }
    }
    // What only shows what would be sent needs no QEMU.
    let run = qmp_shell_wrap(&["--dry-run", "-c", "query-status", "no-such-qemu"]).run();
    assert_eq!(run.expect_status(0).stdout, "{\"execute\": \"query-status\"}\n");

    // At a terminal, just so.
    let Some(terminal) = Terminal::qmp_shell_wrap(&format!("{} -nonsense", qemu.line())) else {
        return;
    };
    assert_eq!(terminal.wait_for_end(), 3);
    let screen = terminal.screen();
    assert!(screen.starts_with("qemu-system-x86_64: -nonsense: invalid option\n"), "{screen}");
}

#[test]
fn a_qemu_that_is_killed_is_missed_at_the_prompt() {
    let Some(qemu) = Wrapped::qemu() else { return };
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else {
        return;
    };
    terminal.settle();
    terminal.type_text("query-sta");
    kill_process(qemu.process("qemu-system-x86_64"), Signal::KILL).unwrap();
    terminal.wait_for("The server closed the connection. QEMU has ended (signal: 9 (SIGKILL)).\n(QEMU) query-sta");
    terminal.enter("tus");
    terminal.wait_for(
        "error: not connected, and there is no way back: QEMU has ended (signal: 9 (SIGKILL)).\n(not connected)",
    );
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.is_gone();
}

#[test]
fn a_qemu_that_is_killed_ends_the_script_with_status_4() {
    let Some(qemu) = Wrapped::qemu() else { return };
    let mut shell = qmp_shell_wrap(&qemu.arguments(&[])).start();
    let mut replies = BufReader::new(shell.stdout.take().unwrap());
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(b"query-name\n").unwrap();
    let mut reply = String::new();
    replies.read_line(&mut reply).unwrap();
    assert!(reply.contains(&qemu.name), "{reply}");
    // The script goes on for as long as its input is open, and yet ends at once.
    kill_process(qemu.process("qemu-system-x86_64"), Signal::KILL).unwrap();
    assert_eq!(shell.wait().unwrap().code(), Some(4));
    let mut said = String::new();
    shell.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "The server closed the connection. QEMU has ended (signal: 9 (SIGKILL)).\n");
    qemu.is_gone();
}

#[test]
fn being_told_to_end_ends_qemu_first() {
    let Some(prompt) = Wrapped::qemu() else { return };
    if let Some(terminal) = Terminal::qmp_shell_wrap(&prompt.line()) {
        terminal.wait_for_last("(QEMU)");
        kill_process(prompt.process("qmp-shell-wrap"), Signal::TERM).unwrap();
        assert_eq!(terminal.wait_for_end(), 128 + 15);
        prompt.is_gone();
    }
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let Some(script) = Wrapped::qemu() else { return };
        let mut shell = qmp_shell_wrap(&script.arguments(&["-c", "query-status", "-f", "-"])).start();
        let _open = shell.stdin.take();
        let mut reply = String::new();
        let mut stdout = BufReader::new(shell.stdout.take().unwrap());
        stdout.read_line(&mut reply).unwrap();
        kill_process(script.process("qmp-shell-wrap"), signal).unwrap();
        assert_eq!(shell.wait().unwrap().code(), Some(128 + signal.as_raw()));
        script.is_gone();
    }
}

#[test]
fn a_qemu_that_takes_long_to_start_is_heard_and_can_be_given_up() {
    let Some(mut qemu) = Wrapped::qemu() else { return };
    let folder = tempfile::tempdir().unwrap();
    qemu.program = script(
        folder.path(),
        "echo 'qemu: waiting for something' >&2\nwhile [ ! -e \"${0%/*}/go\" ]; do sleep 0.02; done\n\
         exec qemu-system-x86_64 \"$@\"",
    );
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else {
        return;
    };
    terminal.wait_for("qemu: waiting for something");
    terminal.press("C-c");
    assert_eq!(terminal.wait_for_end(), 128 + 2);
    qemu.is_gone();

    // A limit, for those who want one.
    let run = qmp_shell_wrap(&qemu.arguments(&["--timeout", "0.2"])).run().expect_status(3);
    let sentence = format!("qmp-shell-wrap: `{}` did not open its monitor within 0.2 s, and was ended\n", qemu.program);
    assert!(run.stderr.ends_with(&sentence), "{}", run.stderr);
    qemu.is_gone();

    // Or it starts after all.
    let terminal = Terminal::qmp_shell_wrap(&qemu.line()).unwrap();
    terminal.wait_for("qemu: waiting for something");
    std::fs::write(folder.path().join("go"), "").unwrap();
    terminal.wait_for("qemu: waiting for something\nConnected to QEMU 10.0.2.");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.is_gone();
}

#[test]
fn what_qemu_says_comes_above_the_line_being_typed() {
    let Some(mut qemu) = Wrapped::qemu() else { return };
    let folder = tempfile::tempdir().unwrap();
    qemu.program = script(
        folder.path(),
        "(while [ ! -e \"${0%/*}/go\" ]; do sleep 0.02; done\n\
         echo 'qemu: warning: on standard error' >&2\n\
         printf 'on \\033[2Jstandard output\\r\\n') &\n\
         exec qemu-system-x86_64 \"$@\"",
    );
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("query-sta");
    terminal.wait_for_last("(QEMU) query-sta");
    std::fs::write(folder.path().join("go"), "").unwrap();
    terminal.wait_for("qemu: warning: on standard error\non \\x1b[2Jstandard output\n(QEMU) query-sta");
    terminal.enter("tus");
    terminal.wait_for("\"running\": true\n}\n(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn a_script_around_qemu_is_ended_with_it() {
    for text in ["qemu-system-x86_64 \"$@\"; exit 7", "qemu-system-x86_64 \"$@\" & wait", "qemu-system-x86_64 \"$@\" &"]
    {
        let Some(mut qemu) = Wrapped::qemu() else { return };
        let folder = tempfile::tempdir().unwrap();
        qemu.program = script(folder.path(), text);
        // By the script's end.
        let run = qmp_shell_wrap(&qemu.arguments(&["-c", "query-status"])).run().expect_status(0);
        assert!(run.stdout.contains("\"running\": true"), "{text}: {run:#?}");
        qemu.is_gone();
        // By a signal.
        let mut shell = qmp_shell_wrap(&qemu.arguments(&["-c", "query-status", "-f", "-"])).start();
        let _open = shell.stdin.take();
        let mut reply = String::new();
        let mut stdout = BufReader::new(shell.stdout.take().unwrap());
        stdout.read_line(&mut reply).unwrap();
        kill_process(qemu.process("qmp-shell-wrap"), Signal::TERM).unwrap();
        assert_eq!(shell.wait().unwrap().code(), Some(128 + 15));
        // What is no child of the shell's ends in its own time.
        wait_until("QEMU's end", || qemu.processes().is_empty());
    }
}

#[test]
fn a_closed_monitor_is_not_the_end_of_qemu() {
    let Some(mut qemu) = Wrapped::qemu() else { return };
    let folder = tempfile::tempdir().unwrap();
    // Lives on when QEMU has gone, and has nothing of its monitor.
    qemu.program = script(
        folder.path(),
        "qemu-system-x86_64 \"$@\" &\n\
         fd=${*##*fd=}; fd=${fd%% *}; eval \"exec $fd>&-\"\n\
         wait\nexec sh -c 'while :; do sleep 0.02; done' sh \"$@\"",
    );
    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else {
        return;
    };
    terminal.settle();
    kill_process(qemu.process("qemu-system-x86_64"), Signal::KILL).unwrap();
    terminal.wait_for(
        "The server closed the connection. QEMU still runs, without its monitor; leaving the shell ends it.\n(QEMU)",
    );
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.is_gone();
}

#[test]
fn leaving_ends_the_qemu_that_was_started_and_no_other() {
    let (Some(mut other), Some(qemu)) = (Server::qemu(SMALL), Wrapped::qemu()) else {
        return;
    };
    let connect = format!(".connect {}", other.address());
    let run = qmp_shell_wrap(&qemu.arguments(&["-c", &connect, "-c", "query-name"])).run().expect_status(0);
    assert_eq!(run.stdout, "{\"return\": {}}\n");
    qemu.is_gone();
    assert!(!other.has_ended());

    let Some(terminal) = Terminal::qmp_shell_wrap(&qemu.line()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(&connect);
    terminal.wait_for(&format!("Connected to QEMU 10.0.2 at {}.\n(QEMU)", other.address()));
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    qemu.is_gone();
    assert!(!other.has_ended());
    // Still there, and still served.
    let run = crate::support::program::qmp_shell(&[&other.address(), "-c", "query-name"]).run();
    assert_eq!(run.expect_status(0).stdout, "{\"return\": {}}\n");
}
