//! Lines from other threads, such as the standard error of the QEMU that the shell started.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::render::sanitize;

use super::waker::PromptWaker;

/// The maximum number of bytes and lines that wait to be shown. Older ones are dropped: QEMU would not answer while it
/// is blocked by their output.
const MAX_BYTES: usize = 1 << 17;
const MAX_LINES: usize = 2000;

/// Output of lines above the line being typed. Before and after the prompt, they go to standard error.
#[derive(Debug, Clone, Default)]
pub struct AsyncOutput {
    queue: Arc<Mutex<Queue>>,
    waker: PromptWaker,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<String>,
    bytes: usize,
    /// The number of lines dropped before these.
    dropped: usize,
    /// Whether there is a prompt at which the lines can be shown.
    prompt_active: bool,
}

impl AsyncOutput {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the waker of the prompt that shows the lines.
    pub(crate) fn waker(&self) -> &PromptWaker {
        &self.waker
    }

    pub(crate) fn push(&self, line: String) {
        let mut queue = self.queue();
        match queue.prompt_active {
            true => {
                queue.push(line);
                self.waker.wake();
            }
            false => write_to_stderr(&line),
        }
    }

    /// Notes that the prompt begins or ends. At its end, writes the remaining lines to standard error.
    pub(crate) fn set_prompt_active(&self, active: bool) {
        let mut queue = self.queue();
        queue.prompt_active = active;
        if !active {
            queue.take().iter().for_each(|line| write_to_stderr(line));
        }
    }

    /// Takes the lines to show, with a note if some were dropped.
    pub(crate) fn take(&self) -> Vec<String> {
        self.queue().take()
    }
}

impl Queue {
    fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while (self.bytes > MAX_BYTES || self.lines.len() > MAX_LINES)
            && let Some(first) = self.lines.pop_front()
        {
            self.bytes -= first.len();
            self.dropped += 1;
        }
    }

    fn take(&mut self) -> Vec<String> {
        let dropped = std::mem::take(&mut self.dropped);
        let note = match dropped {
            0 => None,
            1 => Some("(1 line was dropped here.)".to_owned()),
            _ => Some(format!("({dropped} lines were dropped here.)")),
        };
        self.bytes = 0;
        note.into_iter().chain(self.lines.drain(..)).collect()
    }
}

fn write_to_stderr(line: &str) {
    let _ = writeln!(io::stderr(), "{}", sanitize(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_the_oldest_lines_and_says_how_many() {
        let output = AsyncOutput::default();
        output.set_prompt_active(true);
        for number in 0..MAX_LINES + 3 {
            output.push(format!("line {number}"));
        }
        let lines = output.take();
        assert_eq!(lines.len(), 1 + MAX_LINES);
        assert_eq!(lines[..2], ["(3 lines were dropped here.)", "line 3"]);
        assert!(output.take().is_empty());
        output.push("x".repeat(MAX_BYTES));
        output.push("y".to_owned());
        assert_eq!(output.take(), ["(1 line was dropped here.)", "y"]);
    }
}
