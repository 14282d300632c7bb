//! The order in which rustyline calls its helper. The prompt relies on it to tell the editor's own redraws from those that
//! the waker causes; a new version of rustyline may change it.

use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, ExternalPrinter, Helper};

use crate::support::terminal::Terminal;
use crate::support::wait_until;

/// The environment variable with which this test runs as the program in the terminal. Its value is the folder of its
/// files.
const PROGRAM_FOLDER: &str = "QMP_SHELL_TEST_EDITOR_CALLS";

/// The time to wait for the calls of a step.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Keys, by tmux's names, and the calls that follow each. `print` is a message from another thread, which is how the
/// waker causes a redraw.
const STEPS: &[(&str, &str)] = &[
    ("", "change draw "),
    ("print", "draw "),
    // A key that changes the line causes `change` before its redraw. The next movement still causes a redraw, later
    // ones do not.
    ("q", "change draw "),
    ("Left", "move draw "),
    ("Right", "move "),
    ("BSpace", "change draw "),
    ("q", "change draw "),
    // A completion counts as a change, even if it changes nothing.
    ("Tab", "change draw "),
    ("Tab", "change draw "),
    ("C-u", "change draw "),
    ("z", "change draw "),
    ("Tab", "change draw "),
    // Clearing the screen counts as a change.
    ("C-l", "change draw "),
    ("Left", "move draw "),
    ("Enter", "change draw "),
];

/// A helper that records the calls on which the prompt relies, and answers as the prompt's own helper does.
struct RecordingHelper(File);

impl RecordingHelper {
    fn record(&self, call: &str) {
        (&self.0).write_all(format!("{call} ").as_bytes()).unwrap();
    }
}

impl Helper for RecordingHelper {}

impl Validator for RecordingHelper {}

impl Hinter for RecordingHelper {
    type Hint = String;
}

impl Completer for RecordingHelper {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _context: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let candidate = if line.starts_with('z') { "zoo" } else { &line[..pos] };
        Ok((0, vec![candidate.to_owned()]))
    }
}

impl Highlighter for RecordingHelper {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        self.record("draw");
        Cow::Borrowed(prompt)
    }

    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        let is_move = kind == CmdKind::MoveCursor;
        self.record(if is_move { "move" } else { "change" });
        !is_move
    }
}

/// Reads a line with the editor, and makes it print when the file `print` appears.
fn run_editor(folder: &Path) {
    let config =
        Config::builder().completion_type(CompletionType::List).color_mode(rustyline::ColorMode::Forced).build();
    let mut editor = Editor::<RecordingHelper, rustyline::history::MemHistory>::with_history(
        config,
        rustyline::history::MemHistory::new(),
    )
    .unwrap();
    editor.set_helper(Some(RecordingHelper(File::create(folder.join("calls")).unwrap())));
    let mut printer = editor.create_external_printer().unwrap();
    let trigger = folder.join("print");
    std::thread::spawn(move || {
        wait_until("the request to print", || trigger.exists());
        printer.print("printed\n".to_owned()).unwrap();
    });
    let _ = editor.readline("> ");
}

#[test]
fn rustyline_calls_its_helper_in_the_expected_order() {
    if let Some(folder) = std::env::var_os(PROGRAM_FOLDER) {
        return run_editor(&PathBuf::from(folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let test = "editor_calls::rustyline_calls_its_helper_in_the_expected_order";
    let command =
        format!("{PROGRAM_FOLDER}={} {} --exact {test} --nocapture", folder.path().display(), program.display());
    let Some(terminal) = Terminal::start(&command, 80, 24) else { return };
    terminal.wait_for_last(">");
    let calls = || std::fs::read_to_string(folder.path().join("calls")).unwrap();
    let mut expected = String::new();
    for (key, new_calls) in STEPS {
        match *key {
            "" => {}
            "print" => drop(File::create(folder.path().join("print")).unwrap()),
            key => terminal.press(key),
        }
        expected.push_str(new_calls);
        let started = Instant::now();
        while calls() != expected && started.elapsed() < TIMEOUT {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(
            calls(),
            expected,
            "rustyline calls its helper in another order after `{key}` than src/shell/prompt/redraw.rs relies on"
        );
    }
}
