//! The programs, run as by a script: with arguments, standard input, output and an exit status.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

use expect_test::Expect;

use super::{snapshot, wait_until};

/// A program that is ready to run.
pub struct Program {
    command: Command,
    input: Option<Vec<u8>>,
    _home: tempfile::TempDir,
}

/// The outcome of a run.
#[derive(Debug)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub status: i32,
}

/// Prepares `qmp-shell` with these arguments.
pub fn qmp_shell(args: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_qmp-shell"), args)
}

/// Prepares `qmp-shell-wrap` with these arguments.
pub fn qmp_shell_wrap(args: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_qmp-shell-wrap"), args)
}

/// Prepares `qmp` with these arguments.
pub fn qmp(args: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_qmp"), args)
}

/// Prepares `qom` with these arguments, in a UTF-8 locale.
pub fn qom(args: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_qom"), args).env("LC_ALL", "C.UTF-8")
}

/// Prepares `qmp-share` with these arguments.
pub fn qmp_share(args: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_qmp-share"), args)
}

/// Prepares a program by its path.
pub fn program(path: &str, args: &[&str]) -> Program {
    Program::new(path, args)
}

/// The limit on a run's address space, for servers that try to exhaust memory. The program itself takes about 20 MiB,
/// and each of its threads a stack.
pub const ADDRESS_SPACE_KIB: usize = 192 << 10;

/// Runs `qmp-shell` with a limit on its address space.
pub fn run_confined(args: &[&str], address_space_kib: usize) -> Run {
    let line = format!("ulimit -v {address_space_kib}; exec \"$0\" \"$@\"");
    qmp_shell(args).under(&["/bin/sh", "-c", &line]).run()
}

/// Runs the lines as one script with `--dry-run`: the server is asked for introspection, and nothing else is sent.
pub fn dry_run(address: &str, lines: impl IntoIterator<Item = impl AsRef<str>>) -> Run {
    let lines: Vec<String> = lines.into_iter().map(|line| line.as_ref().to_owned()).collect();
    qmp_shell(&["--dry-run", address]).input(lines.join("\n")).run()
}

impl Program {
    fn new(program: &str, args: &[&str]) -> Program {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.args(args);
        for name in ["QMP_SOCKET", "QMP_PATH", "PAGER", "NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.env("XDG_STATE_HOME", home.path()).env("HOME", home.path());
        Program { command, input: None, _home: home }
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Program {
        self.command.env(name, value);
        self
    }

    /// Prepares `outer` instead, with this program and its arguments as further arguments.
    pub fn under(mut self, outer: &[&str]) -> Program {
        let mut command = Command::new(outer[0]);
        command.args(&outer[1..]).arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        self.command = command;
        self
    }

    /// Sets the folder in which it runs.
    pub fn in_folder(mut self, folder: &std::path::Path) -> Program {
        self.command.current_dir(folder);
        self
    }

    /// Sets its standard input, which is empty otherwise.
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Program {
        self.input = Some(text.into());
        self
    }

    /// Starts it with pipes on all three streams, so that a test can talk to it.
    pub fn start(mut self) -> Child {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Run {
        let mut child =
            self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout, mut stderr) =
            (child.stdin.take().unwrap(), child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let input = self.input.take().unwrap_or_default();
        // The program may stop reading early.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            text
        });
        let output = std::thread::spawn(move || {
            let mut text = Vec::new();
            stdout.read_to_end(&mut text).unwrap();
            text
        });
        wait_until("the program's end", || child.try_wait().unwrap().is_some());
        let status = child.wait().unwrap();
        writer.join().unwrap();
        Run::from(Output { status, stdout: output.join().unwrap(), stderr: errors.join().unwrap() })
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        // As in a shell, the status after a signal is 128 and its number.
        let status = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
        Run { stdout: text(output.stdout), stderr: text(output.stderr), status }
    }
}

impl Run {
    /// Checks the exit status; panics with the whole run if it differs.
    #[track_caller]
    pub fn expect_status(self, status: i32) -> Run {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// Removes the announcements of long waits, which a machine under load has more of.
    pub fn without_waits(mut self) -> Run {
        let kept = self.stderr.split_inclusive('\n').filter(|line| !line.contains("Waiting for "));
        self.stderr = kept.collect();
        self
    }

    /// Compares the whole outcome with a snapshot.
    #[track_caller]
    pub fn check(&self, expected: Expect) {
        snapshot::check(self.render(), expected);
    }

    /// Renders the run for a snapshot: standard output, standard error with each line marked, and a status other than 0.
    pub fn render(&self) -> String {
        let mut text = self.stdout.clone();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        for line in self.stderr.lines() {
            writeln!(text, "{}", format!("stderr: {line}").trim_end()).unwrap();
        }
        if self.status != 0 {
            writeln!(text, "status: {}", self.status).unwrap();
        }
        text
    }

    /// Returns standard output, line by line.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// Returns the replies on standard output, without the events between them.
    pub fn replies(&self) -> Vec<&str> {
        self.stdout.lines().filter(|line| !line.contains("\"event\"")).collect()
    }
}
