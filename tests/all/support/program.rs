//! The programs run as scripts run them: arguments, standard input, what came out, and the exit status.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use super::wait_until;

/// A program to be run.
pub struct Program {
    command: Command,
    input: Option<Vec<u8>>,
    _home: tempfile::TempDir,
}

/// What a run left.
#[derive(Debug)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub status: i32,
}

/// `qmp-shell` with these arguments.
pub fn qmp_shell(args: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_qmp-shell"), args)
}

/// `qmp-shell-wrap` with these arguments.
pub fn qmp_shell_wrap(args: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_qmp-shell-wrap"), args)
}

/// `qmp` with these arguments.
pub fn qmp(args: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_qmp"), args)
}

/// `qom` with these arguments, where the locale's characters are those of Unicode.
pub fn qom(args: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_qom"), args).env("LC_ALL", "C.UTF-8")
}

/// A program by its path.
pub fn program(path: &str, args: &[&str]) -> Program {
    Program::new(path, args)
}

/// What a run may take of an address space at the most, in KiB, where a server may try to make it take more. The program
/// alone has some 20 MiB of it, and each of its threads its stack.
pub const SPACE: usize = 192 << 10;

/// Runs `qmp-shell` in an address space of so many KiB.
pub fn confined(args: &[&str], space: usize) -> Run {
    let line = format!("ulimit -v {space}; exec \"$0\" \"$@\"");
    qmp_shell(args).under(&["/bin/sh", "-c", &line]).run()
}

/// The lines as one script, with a server's introspection and nothing sent.
pub fn dry_run<'a>(address: &str, lines: impl IntoIterator<Item = &'a str>) -> Run {
    let lines: Vec<&str> = lines.into_iter().collect();
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

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Program {
        self.command.env(name, value);
        self
    }

    /// Runs it by another program, which is given it and its arguments behind its own.
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

    /// Runs it in this folder.
    pub fn in_folder(mut self, folder: &std::path::Path) -> Program {
        self.command.current_dir(folder);
        self
    }

    /// What it reads from standard input. Without, that is empty.
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Program {
        self.input = Some(text.into());
        self
    }

    /// Starts it with pipes on all three streams, to talk to it while it runs.
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
        // A program that stops reading early is no failure of the test's.
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
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        use std::os::unix::process::ExitStatusExt;
        Run {
            stdout: text(output.join().unwrap()),
            stderr: text(errors.join().unwrap()),
            status: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        }
    }
}

impl Run {
    /// Holds the run to a status; shows all of it where that is another.
    #[track_caller]
    pub fn expect_status(self, status: i32) -> Run {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// Standard output, line by line.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// The replies on standard output, without the events between them.
    pub fn replies(&self) -> Vec<&str> {
        self.stdout.lines().filter(|line| !line.contains("\"event\"")).collect()
    }
}
