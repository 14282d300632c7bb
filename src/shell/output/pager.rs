//! The pager for output that is longer than the screen, as in git.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use unicode_width::UnicodeWidthChar;

use super::super::settings::default_pager;
use super::super::terminal::size::terminal_size;

/// The options of `less` if `LESS` is not set: leave at once if the text fits, show colours, keep the screen.
const DEFAULT_LESS_OPTIONS: &str = "FRX";

/// The status of a shell's command that Ctrl-C ended.
pub(super) const INTERRUPTED_STATUS: i32 = 128 + signal_hook::consts::SIGINT;

/// The pagers that show colours.
const COLOR_PAGERS: &[&str] = &["bat", "cat", "less", "more", "most"];

/// The distance between two tab stops of a terminal, in columns.
const TAB_COLUMNS: usize = 8;

/// Returns whether `text` does not fit on the screen.
pub(crate) fn exceeds_screen(text: &str) -> bool {
    let (columns, rows) = terminal_size();
    let rows_of = |line| 1 + shown_width(line).saturating_sub(1) / columns;
    without_colors(text).lines().map(rows_of).sum::<usize>() >= rows
}

/// Returns the number of columns that a line without escape sequences takes.
fn shown_width(line: &str) -> usize {
    line.chars().fold(0, |column, c| match c {
        '\t' => (column / TAB_COLUMNS + 1) * TAB_COLUMNS,
        c => column + c.width().unwrap_or(0),
    })
}

/// Writes `text` to standard output. At a terminal it goes through the pager, if it is longer than the screen.
pub fn show_text(text: &str) -> io::Result<()> {
    let out = io::stdout();
    if out.is_terminal()
        && exceeds_screen(text)
        && let Some(pager) = default_pager()
    {
        // Ctrl-C is for the pager, which restores the terminal.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::new(AtomicBool::new(false)));
        match page_text(&pager, text) {
            Ok(()) => return Ok(()),
            Err(message) => writeln!(io::stderr(), "error: {message}")?,
        }
    }
    let mut out = out.lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Shows `text` in the pager `command`, as [`run_pager`] does.
pub(crate) fn page_text(command: &str, text: &str) -> Result<(), String> {
    let text = if shows_colors(command) { Cow::Borrowed(text) } else { without_colors(text) };
    run_pager(command, |input| drop(input.write_all(text.as_bytes())))
}

/// Runs the pager `command`. `write` writes its input; a pager that the user leaves early closes it, which is not a
/// failure. Waits until the user leaves the pager. The error says that it failed, so that the text may not have been shown.
pub(crate) fn run_pager(command: &str, write: impl FnOnce(&mut ChildStdin)) -> Result<(), String> {
    let failed = |reason: String| format!("the pager `{command}` failed: {reason}");
    let status = pipe_into(command, write).map_err(|error| failed(error.to_string()))?;
    match status.code() {
        Some(0 | INTERRUPTED_STATUS) | None => Ok(()),
        Some(_) => Err(failed(status.to_string())),
    }
}

/// Runs `command` in the system's shell, as git and man do with a pager. `write` writes its input. Waits for its end.
pub(super) fn pipe_into(command: &str, write: impl FnOnce(&mut ChildStdin)) -> io::Result<ExitStatus> {
    let mut shell = Command::new("/bin/sh");
    // Ctrl-C is for the programs in the command; without the trap it would end the shell before them.
    shell.args(["-c", &format!("trap : INT; {command}")]).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        shell.env("LESS", DEFAULT_LESS_OPTIONS);
    }
    let mut child = shell.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        write(&mut input);
    }
    child.wait()
}

/// Returns whether the pager `command` shows colours. Other programs, such as `jq`, read the text.
pub(crate) fn shows_colors(command: &str) -> bool {
    let words = shlex::split(command).unwrap_or_default();
    let program = words.iter().find(|word| !word.contains('='));
    let name = program.and_then(|program| program.rsplit('/').next());
    name.is_some_and(|name| COLOR_PAGERS.contains(&name))
}

/// Removes the escape codes of a [palette](crate::render::Palette), the only ones in text for the terminal.
pub(super) fn without_colors(text: &str) -> Cow<'_, str> {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default();
    if first.len() == text.len() {
        return Cow::Borrowed(text);
    }
    let rest = parts.map(|part| part.split_once('m').map_or(part, |(_, text)| text));
    Cow::Owned(std::iter::once(first).chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Palette;

    #[test]
    fn only_pagers_show_colors() {
        for command in ["less", "less -FRX", "/usr/bin/less", "LESS=R LESSCHARSET=utf-8 less -S", "more", "cat"] {
            assert!(shows_colors(command), "{command}");
        }
        for command in ["jq .", "tee file | less", "lesser", "A=less", "", "'"] {
            assert!(!shows_colors(command), "{command}");
        }
    }

    #[test]
    fn removes_the_colors_of_a_palette() {
        let palette = Palette::new(true);
        for code in [&palette.key, &palette.error, &palette.dim] {
            let text = format!("mmm {} {}m\n", palette.paint(code, "a"), palette.paint(code, "m"));
            assert_eq!(without_colors(&text), "mmm a mm\n");
        }
        assert!(matches!(without_colors("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn a_failed_pager_is_reported() {
        let write = |_: &mut ChildStdin| {};
        for command in ["true", "exit 130", "kill -s KILL $$", "cat > /dev/null | true"] {
            assert_eq!(run_pager(command, write), Ok(()), "{command}");
        }
        for (command, reason) in [("exit 3", "exit status: 3"), ("/nonexistent 2>/dev/null", "exit status: 127")] {
            assert_eq!(run_pager(command, write), Err(format!("the pager `{command}` failed: {reason}")));
        }
    }

    #[test]
    fn wide_characters_and_tabs_take_several_columns() {
        for (line, width) in [("", 0), ("ab", 2), ("漢字", 4), ("a\tb", 9), ("12345678\t", 16)] {
            assert_eq!(shown_width(line), width, "{line:?}");
        }
    }
}
