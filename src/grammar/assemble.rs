//! Physical lines in, whole lines out: `\` at the end, and JSON over as many lines as it takes.

use super::scan::{Scanner, Unclosed};
use super::word::tokenize;

/// Which of the shell's two languages a line is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineMode {
    /// QMP: commands, JSON, transactions.
    #[default]
    Qmp,
    /// HMP: every physical line is whole, whatever it holds.
    Hmp,
}

/// Puts whole lines together. Looks at every character once.
#[derive(Debug, Default)]
pub struct Assembler {
    text: String,
    scan: Option<Scanner>,
    /// The number of the physical line that `text` begins on.
    first: usize,
    /// Physical lines taken so far.
    count: usize,
    /// The open bracket is that of a JSON object which may go over several lines.
    in_json: bool,
}

/// A whole line and the number of its first physical line, counted from 1.
pub(super) type LogicalLine = (usize, String);

impl Assembler {
    /// An assembler at the start of its input.
    pub fn new() -> Self {
        Assembler::default()
    }

    /// Takes one physical line, with or without its line end; returns the whole line that it completes.
    pub fn push(&mut self, line: &str, mode: LineMode) -> Option<LogicalLine> {
        self.count += 1;
        let line = if self.count == 1 {
            // A byte order mark, as some editors put before everything.
            line.strip_prefix('\u{feff}').unwrap_or(line)
        } else {
            line
        };
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut scan = match self.scan.take() {
            Some(mut scan) => {
                self.text.push('\n');
                scan.step('\n');
                scan
            }
            None => {
                self.first = self.count;
                if mode == LineMode::Hmp || is_verbatim(line) {
                    return Some((self.first, line.to_owned()));
                }
                Scanner::new()
            }
        };
        let from = if self.text.is_empty() { prefix_len(line) } else { 0 };
        for c in line[from..].chars() {
            scan.step(c);
        }
        self.text.push_str(line);
        let goes_on = match scan.open() {
            Some(Unclosed::Escape) => true,
            Some(Unclosed::Bracket) => self.in_json || opens_json(&self.text),
            _ => false,
        };
        self.in_json = goes_on && scan.open() == Some(Unclosed::Bracket);
        if goes_on {
            self.scan = Some(scan);
            return None;
        }
        Some((self.first, std::mem::take(&mut self.text)))
    }

    /// The unfinished line, at the end of the input.
    pub fn finish(&mut self) -> Option<LogicalLine> {
        self.in_json = false;
        self.scan.take()?;
        Some((self.first, std::mem::take(&mut self.text)))
    }

    /// Physical lines taken so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether a line has been begun and not ended.
    pub fn is_open(&self) -> bool {
        self.scan.is_some()
    }
}

/// Whether the bracket that is open at the end of `text` begins a request or the object that leads a command's
/// arguments. The bracket of a value (`key={…`) does not: a mistake there must not swallow the lines that follow.
fn opens_json(text: &str) -> bool {
    // The tail of a dot command may be in another language, such as that of the human monitor.
    if text.trim_start().starts_with('.') {
        return false;
    }
    let words = tokenize(&text[prefix_len(text)..]).words;
    words.len() <= 3 && words.last().is_some_and(|word| word.equals.is_none())
}

/// Whether the rest of the line is in another language: `!COMMAND`.
fn is_verbatim(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('!')
}

/// The length of a leading `->` or `<-`, which the JSON behind it does not need a blank after.
fn prefix_len(line: &str) -> usize {
    let trimmed = line.trim_start();
    let blank = line.len() - trimmed.len();
    if trimmed.starts_with("->") || trimmed.starts_with("<-") { blank + 2 } else { 0 }
}

/// Whether `text`, perhaps of several physical lines, ends where a line may end.
pub fn is_complete(text: &str, mode: LineMode) -> bool {
    let mut assembler = Assembler::new();
    for line in text.split('\n') {
        assembler.push(line, mode);
    }
    !assembler.is_open()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, mode: LineMode) -> Vec<LogicalLine> {
        let mut assembler = Assembler::new();
        let mut whole: Vec<LogicalLine> = text.lines().filter_map(|line| assembler.push(line, mode)).collect();
        whole.extend(assembler.finish());
        whole
    }

    fn line(number: usize, text: &str) -> LogicalLine {
        (number, text.to_owned())
    }

    #[test]
    fn a_backslash_continues_and_json_takes_its_lines() {
        let text = "a \\\nb\r\n{\"x\":\n 1}\nstop\n-> {\n}\n<-{\n}\n# c \\\ncont";
        assert_eq!(
            lines(text, LineMode::Qmp),
            [
                line(1, "a \\\nb"),
                line(3, "{\"x\":\n 1}"),
                line(5, "stop"),
                line(6, "-> {\n}"),
                line(8, "<-{\n}"),
                line(10, "# c \\"),
                line(11, "cont"),
            ]
        );
    }

    #[test]
    fn an_open_quote_ends_with_its_line() {
        assert_eq!(lines("a='x\nb", LineMode::Qmp), [line(1, "a='x"), line(2, "b")]);
    }

    #[test]
    fn an_open_bracket_in_a_value_ends_with_its_line() {
        assert_eq!(
            lines("x a={bad\nstop\nexec-oob c {\n} d=1", LineMode::Qmp),
            [line(1, "x a={bad"), line(2, "stop"), line(3, "exec-oob c {\n} d=1")]
        );
    }

    #[test]
    fn other_languages_keep_their_lines() {
        assert_eq!(lines("info {\nx \\", LineMode::Hmp), [line(1, "info {"), line(2, "x \\")]);
        assert_eq!(lines("!echo {\n.hmp x {\nstop", LineMode::Qmp).len(), 3);
    }

    #[test]
    fn what_is_not_finished_is_still_handed_over() {
        assert_eq!(lines("stop\n{\"execute\":\n", LineMode::Qmp), [line(1, "stop"), line(2, "{\"execute\":")]);
        assert!(!is_complete("{\"a\":", LineMode::Qmp));
        assert!(is_complete("{\"a\":\n1}", LineMode::Qmp));
    }
}
