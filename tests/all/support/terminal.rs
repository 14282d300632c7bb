//! A real terminal: tmux, with what a person would type and see.

use std::path::PathBuf;
use std::process::Command;

use super::{find_program, skip, wait_until};

/// A terminal with a program in it.
pub struct Terminal {
    socket: String,
    pub home: PathBuf,
    _home: tempfile::TempDir,
}

impl Terminal {
    /// `qmp-shell ARGS` in a terminal of 100 columns and 40 rows; `None` (skipped) where there is no tmux.
    pub fn qmp_shell(args: &str) -> Option<Terminal> {
        Terminal::start(&format!("{} {args}", env!("CARGO_BIN_EXE_qmp-shell")), 100, 40)
    }

    /// `qmp-shell-wrap ARGS`, as [`Terminal::qmp_shell`].
    pub fn qmp_shell_wrap(args: &str) -> Option<Terminal> {
        Terminal::start(&format!("{} {args}", env!("CARGO_BIN_EXE_qmp-shell-wrap")), 100, 40)
    }

    /// A command line of the shell in a terminal of this size. When the command ends, `[ended STATUS]` is shown.
    pub fn start(command: &str, columns: usize, rows: usize) -> Option<Terminal> {
        if find_program("tmux").is_none() {
            skip("tmux");
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("tmux.sock").to_str().unwrap().to_owned();
        // Ctrl-C while the program is not in its editor reaches the outer shell too, which is to outlive it.
        let script = format!("trap : INT; {command}; echo \"[ended $?]\"; exec sleep 1000");
        let status = Command::new("tmux")
            .args(["-S", &socket, "-f", "/dev/null", "start-server", ";"])
            // Holds for windows made later only.
            .args(["set-option", "-g", "history-limit", "20000", ";", "new-session", "-d"])
            .args(["-x", &columns.to_string(), "-y", &rows.to_string()])
            .args(["/bin/sh", "-c", &script])
            .env("XDG_STATE_HOME", home.path())
            .env("HOME", home.path())
            .env("LC_ALL", "C.UTF-8")
            .env_remove("PAGER")
            .env_remove("QMP_SOCKET")
            .env_remove("QMP_PATH")
            .env_remove("TMUX")
            .status()
            .unwrap();
        assert!(status.success());
        Some(Terminal { socket, home: home.path().to_owned(), _home: home })
    }

    /// Runs a tmux command on this terminal; returns what it prints.
    pub fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux").args(["-u", "-S", &self.socket]).args(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types text as it is.
    pub fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Presses keys by tmux's names: `Enter`, `C-c`, `Tab`, `Up`.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types a line and presses Enter.
    pub fn enter(&self, line: &str) {
        self.type_text(line);
        self.press("Enter");
    }

    /// Pastes text as a terminal does, in brackets where the program asked for them.
    pub fn paste(&self, text: &str) {
        self.tmux(&["set-buffer", "--", text]);
        self.tmux(&["paste-buffer", "-p"]);
    }

    /// Makes the terminal this large.
    pub fn resize(&self, columns: usize, rows: usize) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// The id of the program's process.
    pub fn program_id(&self) -> String {
        let outer = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let outer = outer.trim();
        let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).unwrap();
        match children.split_whitespace().next() {
            Some(id) => id.to_owned(),
            None => panic!("the program has ended; the screen is\n{}", self.screen()),
        }
    }

    /// Sends the program a signal: `TERM`, `KILL`.
    pub fn send_signal(&self, signal: &str) {
        let status = Command::new("kill").args(["-s", signal, &self.program_id()]).status();
        assert!(status.unwrap().success());
    }

    /// What is on the screen, without blanks at line ends and empty lines at the end.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).trim_end().to_owned()
    }

    /// The screen and all that has scrolled off it, wrapped lines joined.
    pub fn scrollback(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-"]).trim_end().to_owned()
    }

    /// The screen with its colours as escape sequences.
    pub fn coloured_screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"]).trim_end().to_owned()
    }

    /// Waits until the screen fulfils `condition`; returns it.
    #[track_caller]
    pub fn wait(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        let until = std::time::Instant::now() + super::PATIENCE;
        while std::time::Instant::now() < until {
            screen = self.screen();
            if condition(&screen) {
                return screen;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("waited in vain for {what}; the screen is\n{screen}");
    }

    /// Waits until `text` is on the screen; returns the screen.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    /// Waits until the last line of the screen is `text`; returns the screen.
    #[track_caller]
    pub fn wait_for_last(&self, text: &str) -> String {
        self.wait(&format!("the last line `{text}`"), |screen| screen.lines().last() == Some(text))
    }

    /// Waits for the prompt, and until the server has answered what the prompt asks it by itself: it answers in order.
    #[track_caller]
    pub fn settle(&self) {
        self.wait_for_last("(QEMU)");
        self.enter("query-version");
        self.wait_for("\"package\"");
        self.wait_for_last("(QEMU)");
    }

    /// Waits for the program's end; returns its status.
    #[track_caller]
    pub fn wait_for_end(&self) -> i32 {
        let screen = self.wait_for("[ended ");
        let at = screen.rfind("[ended ").unwrap() + "[ended ".len();
        screen[at..].split(']').next().unwrap().parse().unwrap()
    }

    /// Records from now on what is written to the terminal; returns what reads the record. What was written by the time
    /// of the reading is in it.
    pub fn record(&self) -> impl Fn() -> Vec<u8> {
        let file = self.home.join("record");
        self.tmux(&["pipe-pane", &format!("exec cat > '{}'", file.display())]);
        move || std::fs::read(&file).unwrap_or_default()
    }

    /// Where the cursor is: column and row, from 0.
    pub fn cursor(&self) -> (usize, usize) {
        let text = self.tmux(&["display-message", "-p", "#{cursor_x} #{cursor_y}"]);
        let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
        wait_until("tmux's end", || self.tmux(&["list-sessions"]).is_empty());
    }
}
