//! The pager for output that is longer than the screen, as in git.

use std::io::{self, IsTerminal, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use unicode_width::UnicodeWidthChar;

use super::super::settings::default_pager;
use super::super::terminal::size::terminal_size;

/// The distance between two tab stops of a terminal, in columns.
const TAB_COLUMNS: usize = 8;

/// Returns whether `text` does not fit on the screen.
pub(crate) fn exceeds_screen(text: &str) -> bool {
    let (columns, rows) = terminal_size();
    text.lines().map(|line| 1 + shown_width(line).saturating_sub(1) / columns).sum::<usize>() >= rows
}

/// Returns the number of columns that a line takes. Its only escape sequences are colours.
fn shown_width(line: &str) -> usize {
    let mut parts = line.split('\x1b');
    let first = parts.next().unwrap_or_default();
    let colored = parts.map(|part| part.split_once('m').map_or("", |(_, text)| text));
    let chars = std::iter::once(first).chain(colored).flat_map(str::chars);
    chars.fold(0, |column, c| match c {
        '\t' => (column / TAB_COLUMNS + 1) * TAB_COLUMNS,
        c => column + c.width().unwrap_or(0),
    })
}

/// Writes `text` to standard output. At a terminal it goes through the pager, if it is longer than the screen.
pub fn show_text(text: &str) -> io::Result<()> {
    let out = io::stdout();
    if out.is_terminal() && exceeds_screen(text) {
        // Ctrl-C is for the pager, which restores the terminal.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::new(AtomicBool::new(false)));
        if let Some(mut pager) = Pager::start(&default_pager()) {
            // A pager that the user leaves early closes its input; that is not a failure.
            let _ = pager.write_all(text.as_bytes());
            return Ok(());
        }
    }
    let mut out = out.lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A running pager. Dropping it waits until the user leaves it.
pub(crate) struct Pager {
    child: Child,
    input: Option<ChildStdin>,
}

impl Pager {
    /// Starts `command`; `None` if it cannot be started.
    pub(crate) fn start(command: &str) -> Option<Pager> {
        let words = shlex::split(command)?;
        let (program, arguments) = words.split_first()?;
        let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).spawn().ok()?;
        let input = child.stdin.take();
        Some(Pager { child, input })
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.input {
            Some(input) => input.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.as_mut().map_or(Ok(()), ChildStdin::flush)
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_columns() {
        for (line, width) in [("", 0), ("ab", 2), ("\x1b[1;32m\"ab\"\x1b[0m: 1", 7), ("漢字", 4), ("a\tb", 9)] {
            assert_eq!(shown_width(line), width, "{line:?}");
        }
    }
}
