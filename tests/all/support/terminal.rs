//! A real terminal, in tmux: types as a user does, and reads the screen.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use expect_test::Expect;

use super::skip::require_program;
use super::{snapshot, wait_until, wording};

/// The shell's prompts, as the last row of a screen shows them.
const PROMPTS: [&str; 4] = ["(QEMU)", "(qemu)", "TRANS>", wording::NOT_CONNECTED];

/// A terminal with a program in it.
pub struct Terminal {
    socket: String,
    pub home: PathBuf,
    _home: tempfile::TempDir,
}

impl Terminal {
    /// Starts `qmp-shell ARGS` in a terminal of 100 columns and 40 rows. Records a skip if tmux is missing.
    pub fn qmp_shell(args: &str) -> Option<Terminal> {
        Terminal::start(&format!("{} {args}", env!("CARGO_BIN_EXE_qmp-shell")), 100, 40)
    }

    /// Starts `qmp-shell-wrap ARGS`, as [`Terminal::qmp_shell`] does.
    pub fn qmp_shell_wrap(args: &str) -> Option<Terminal> {
        Terminal::start(&format!("{} {args}", env!("CARGO_BIN_EXE_qmp-shell-wrap")), 100, 40)
    }

    /// Runs a command line of `/bin/sh` in a terminal of this size. When it has ended, `[ended STATUS]` is shown.
    pub fn start(command: &str, columns: usize, rows: usize) -> Option<Terminal> {
        require_program("tmux")?;
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("tmux.sock").to_str().unwrap().to_owned();
        // Ctrl-C outside the line editor reaches the outer shell too, which must survive it.
        let script = format!("trap : INT; {command}; echo \"[ended $?]\"; exec sleep 1000");
        let status = Command::new("tmux")
            .args(["-S", &socket, "-f", "/dev/null", "start-server", ";"])
            // Applies only to windows created later.
            .args(["set-option", "-g", "history-limit", "20000", ";", "new-session", "-d"])
            .args(["-x", &columns.to_string(), "-y", &rows.to_string()])
            .args(["/bin/sh", "-c", &script])
            .env("XDG_STATE_HOME", home.path())
            .env("HOME", home.path())
            .env("LC_ALL", "C.UTF-8")
            .env_remove("PAGER")
            .env_remove("INPUTRC")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("QMP_SOCKET")
            .env_remove("QMP_PATH")
            .env_remove("TMUX")
            .status()
            .unwrap();
        assert!(status.success());
        Some(Terminal { socket, home: home.path().to_owned(), _home: home })
    }

    /// Runs a tmux command on this terminal; returns its output.
    pub fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux").args(["-u", "-S", &self.socket]).args(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types text as it is.
    pub fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Presses a key by tmux's name: `Enter`, `C-c`, `Tab`, `Up`.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types a line and presses Enter.
    pub fn enter(&self, line: &str) {
        self.type_text(line);
        self.press("Enter");
    }

    /// Enters a line at a prompt and waits for the next prompt; returns the output in between. Wrapped lines are joined.
    #[track_caller]
    pub fn run_line(&self, line: &str) -> String {
        self.type_text(line);
        self.output_of(line)
    }

    /// Presses Enter on a line that is already typed, and continues as [`Terminal::run_line`] does.
    #[track_caller]
    pub fn output_of(&self, line: &str) -> String {
        let rows = PROMPTS.map(|prompt| format!("{prompt} {line}"));
        // Once the line is seen, the prompt before it cannot be mistaken for the next one. A hint may follow the line.
        self.wait_in_scrollback(&format!("`{line}` at a prompt"), |text| {
            let last = text.lines().last().unwrap_or_default();
            rows.iter().any(|row| last.starts_with(row.trim_end()))
        });
        self.press("Enter");
        let output = |text: &str| {
            let (before, last) = text.split_at(text.rfind('\n')? + 1);
            let start = rows.iter().filter_map(|row| Some(before.rfind(&format!("{row}\n"))? + row.len() + 1)).max()?;
            PROMPTS.contains(&last).then(|| before[start..].to_owned())
        };
        let text = self.wait_in_scrollback(&format!("the output of `{line}`"), |text| output(text).is_some());
        output(&text).unwrap()
    }

    /// Enters a line at a prompt, and compares its output with a snapshot.
    #[track_caller]
    pub fn check_line(&self, line: &str, expected: Expect) {
        snapshot::check(self.run_line(line), expected);
    }

    /// Enters a line that asks for a confirmation, and waits for the question; returns its text.
    #[track_caller]
    pub fn ask(&self, line: &str) -> String {
        self.enter(line);
        let screen = self.wait("a question", |screen| screen.ends_with(wording::CONFIRM));
        let at = screen.rfind(&format!(" {line}\n")).unwrap_or_else(|| panic!("no `{line}` on\n{screen}"));
        screen[at + line.len() + 2..].to_owned()
    }

    /// Joins the wrapped lines of the screen and compares it with a snapshot. The caller must have waited until the
    /// screen is complete.
    #[track_caller]
    pub fn check_screen(&self, expected: Expect) {
        let capture = || self.tmux(&["capture-pane", "-p", "-J"]);
        // A prompt that is being redrawn is missing for a moment.
        let mut screen = capture();
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let next = capture();
            if next == screen {
                break;
            }
            screen = next;
        }
        let rows: Vec<&str> = screen.trim_end().lines().map(str::trim_end).collect();
        snapshot::check(rows.join("\n") + "\n", expected);
    }

    /// Pastes text as a terminal does: between the bracket sequences, if the program asked for them.
    pub fn paste(&self, text: &str) {
        self.tmux(&["set-buffer", "--", text]);
        self.tmux(&["paste-buffer", "-p"]);
    }

    pub fn resize(&self, columns: usize, rows: usize) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// Returns the id of the program's process.
    pub fn program_id(&self) -> String {
        let outer = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let outer = outer.trim();
        let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).unwrap();
        match children.split_whitespace().next() {
            Some(id) => id.to_owned(),
            None => panic!("the program has ended; the screen is\n{}", self.screen()),
        }
    }

    /// Sends a signal to the program: `TERM`, `KILL`.
    pub fn send_signal(&self, signal: &str) {
        super::send_signal(self.program_id(), signal);
    }

    /// Returns the screen, without spaces at line ends and empty lines at the end.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).trim_end().to_owned()
    }

    /// Returns the screen and all that has scrolled off it, with wrapped lines joined.
    pub fn scrollback(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-"]).trim_end().to_owned()
    }

    /// Returns the screen with its colours as escape sequences.
    pub fn coloured_screen(&self) -> String {
        reset_at_line_ends(self.tmux(&["capture-pane", "-p", "-e"]).trim_end())
    }

    /// Waits until the screen satisfies `condition`; returns the screen.
    #[track_caller]
    pub fn wait(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        wait_for_text(what, || self.screen(), condition)
    }

    /// Waits until the scrollback, without spaces at line ends, satisfies `condition`; returns the scrollback.
    #[track_caller]
    pub fn wait_in_scrollback(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let scrollback = || self.scrollback().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        wait_for_text(what, scrollback, condition)
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

    /// Waits until a line of the screen is `text`, perhaps with candidates below it; returns the screen.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> String {
        self.wait(&format!("the line `{text}`"), |screen| screen.lines().any(|line| line.trim_end() == text))
    }

    /// Waits for the prompt, and until the server has replied to the queries that the prompt sends by itself: a command
    /// sent after them is answered after them.
    #[track_caller]
    pub fn wait_for_queries(&self) {
        self.wait_for_last("(QEMU)");
        self.enter("query-version");
        self.wait_for("\"package\"");
        self.wait_for_last("(QEMU)");
    }

    /// Waits until the program exits; returns its status.
    #[track_caller]
    pub fn wait_for_end(&self) -> i32 {
        let screen = self.wait_for("[ended ");
        let at = screen.rfind("[ended ").unwrap() + "[ended ".len();
        screen[at..].split(']').next().unwrap().parse().unwrap()
    }

    /// Starts to record the bytes written to the terminal; returns a function that reads the record so far.
    pub fn record(&self) -> impl Fn() -> Vec<u8> {
        let file = self.home.join("record");
        self.tmux(&["pipe-pane", &format!("exec cat > '{}'", file.display())]);
        move || std::fs::read(&file).unwrap_or_default()
    }

    /// Returns the cursor's column and row, from 0.
    pub fn cursor(&self) -> (usize, usize) {
        let text = self.tmux(&["display-message", "-p", "#{cursor_x} #{cursor_y}"]);
        let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }
}

/// Ends the colours of each line of a screen with the line, and begins them again in the next one. tmux does so since
/// version 3.4; older versions let them continue.
fn reset_at_line_ends(screen: &str) -> String {
    let mut out = String::new();
    let mut codes: Vec<String> = Vec::new();
    for (index, line) in screen.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.extend(codes.iter().map(String::as_str));
        out.push_str(line);
        for (at, start) in line.match_indices("\x1b[") {
            let numbers = line[at + start.len()..].split('m').next().unwrap_or_default();
            if numbers.starts_with(['3', '4']) && numbers.contains(';') {
                codes.push(format!("\x1b[{numbers}m"));
                continue;
            }
            for number in numbers.split(';') {
                match number {
                    "" | "0" => codes.clear(),
                    "39" => codes.retain(|code| !code.starts_with("\x1b[3")),
                    "49" => codes.retain(|code| !code.starts_with("\x1b[4")),
                    _ => codes.push(format!("\x1b[{number}m")),
                }
            }
        }
        if !codes.is_empty() {
            out.push_str("\x1b[0m");
        }
    }
    out
}

#[test]
fn colours_end_with_each_line() {
    let (old, new) = ("\x1b[1m\x1b[31m^^\nerror:\x1b[0m x", "\x1b[1m\x1b[31m^^\x1b[0m\n\x1b[1m\x1b[31merror:\x1b[0m x");
    assert_eq!(reset_at_line_ends(old), new);
    assert_eq!(reset_at_line_ends(new), new);
    assert_eq!(reset_at_line_ends("\x1b[36ma\x1b[39m: b\nc"), "\x1b[36ma\x1b[39m: b\nc");
    assert_eq!(
        reset_at_line_ends("\x1b[2ma\n\x1b[0;1mb\nc"),
        "\x1b[2ma\x1b[0m\n\x1b[2m\x1b[0;1mb\x1b[0m\n\x1b[1mc\x1b[0m"
    );
}

/// Polls a terminal's text until it satisfies `condition`; returns the text.
#[track_caller]
fn wait_for_text(what: &str, read: impl Fn() -> String, condition: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    let deadline = std::time::Instant::now() + super::TIMEOUT;
    while std::time::Instant::now() < deadline {
        text = read();
        if condition(&text) {
            return text;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("timed out waiting for {what}; the screen is\n{text}");
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
        wait_until("tmux to exit", || self.tmux(&["list-sessions"]).is_empty());
    }
}
