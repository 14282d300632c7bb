//! Joins physical lines into logical ones: after a `\` at the end, and while a JSON object is unclosed.

use super::scan::{Scanner, Unclosed, is_blank};
use super::word::{Word, tokenize};

/// The language of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Commands, JSON, transactions.
    #[default]
    Qmp,
    /// HMP, where each physical line is a logical one.
    Hmp,
}

/// An assembler of logical lines. It scans every character once.
#[derive(Debug, Default)]
pub struct Assembler {
    text: String,
    /// The scanner after `text`, if the line continues.
    scanner: Option<Scanner>,
    /// The number of the first physical line in `text`.
    first: usize,
    /// The number of physical lines so far.
    count: usize,
    /// Whether the unclosed bracket belongs to a JSON object that may span lines.
    in_json: bool,
}

/// A logical line, and the number of its first physical line, counted from 1.
pub(super) type LogicalLine = (usize, String);

impl Assembler {
    pub fn new() -> Self {
        Assembler::default()
    }

    /// Adds a physical line, with or without its line end. Returns the logical line that it completes.
    pub fn push(&mut self, line: &str, language: Language) -> Option<LogicalLine> {
        self.count += 1;
        // Some editors begin a file with a byte order mark, which comes after other lines if files are joined.
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut scanner = match self.scanner.take() {
            Some(mut scanner) => {
                self.text.push('\n');
                scanner.step('\n');
                scanner
            }
            None => {
                self.first = self.count;
                if language == Language::Hmp || is_verbatim(line) {
                    return Some((self.first, line.to_owned()));
                }
                Scanner::new()
            }
        };
        let from = if self.text.is_empty() { arrow_len(line) } else { 0 };
        for c in line[from..].chars() {
            scanner.step(c);
        }
        self.text.push_str(line);
        let continues = match scanner.open() {
            Some(Unclosed::Escape) => true,
            Some(Unclosed::Bracket) => self.in_json || opens_json(&self.text),
            _ => false,
        };
        self.in_json = continues && scanner.open() == Some(Unclosed::Bracket);
        if continues {
            self.scanner = Some(scanner);
            return None;
        }
        Some((self.first, std::mem::take(&mut self.text)))
    }

    /// Returns the unfinished line at the end of the input.
    pub fn finish(&mut self) -> Option<LogicalLine> {
        self.in_json = false;
        self.scanner.take()?;
        Some((self.first, std::mem::take(&mut self.text)))
    }

    /// Returns the number of physical lines so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns whether a logical line is unfinished.
    pub fn is_open(&self) -> bool {
        self.scanner.is_some()
    }
}

/// Returns whether the unclosed bracket in `text` begins a request, or the object before a command's `KEY=VALUE` words.
/// The bracket of a value (`key={…`) does not continue the line: a typing error there must not swallow the next lines.
fn opens_json(text: &str) -> bool {
    // The tail of a dot command may be in another language, such as that of the human monitor.
    if text.trim_start_matches(is_blank).starts_with('.') {
        return false;
    }
    let words = tokenize(&text[arrow_len(text)..]).words;
    words.len() <= 3 && words.last().is_some_and(Word::is_json)
}

/// Returns whether a line is in another language: `!COMMAND`.
fn is_verbatim(line: &str) -> bool {
    line.trim_start_matches(is_blank).starts_with('!')
}

/// Returns the length of a leading `->` or `<-` of pasted JSON, with the whitespace before it.
fn arrow_len(line: &str) -> usize {
    let trimmed = line.trim_start_matches(is_blank);
    let indent = line.len() - trimmed.len();
    if trimmed.starts_with("->") || trimmed.starts_with("<-") { indent + 2 } else { 0 }
}

/// Returns whether `text`, one or more physical lines, ends with a complete logical line.
pub fn is_complete(text: &str, language: Language) -> bool {
    let mut assembler = Assembler::new();
    for line in text.split('\n') {
        assembler.push(line, language);
    }
    !assembler.is_open()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, language: Language) -> Vec<LogicalLine> {
        let mut assembler = Assembler::new();
        let mut lines: Vec<LogicalLine> = text.lines().filter_map(|line| assembler.push(line, language)).collect();
        lines.extend(assembler.finish());
        lines
    }

    fn line(number: usize, text: &str) -> LogicalLine {
        (number, text.to_owned())
    }

    #[test]
    fn backslashes_and_json_continue_a_line() {
        let text = "a \\\nb\r\n{\"x\":\n 1}\nstop\n-> {\n}\n<-{\n}\n# c \\\ncont";
        assert_eq!(
            lines(text, Language::Qmp),
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
    fn an_unclosed_quote_ends_with_its_line() {
        assert_eq!(lines("a='x\nb", Language::Qmp), [line(1, "a='x"), line(2, "b")]);
    }

    #[test]
    fn an_unclosed_bracket_in_a_value_ends_with_its_line() {
        assert_eq!(
            lines("x a={bad\nstop\nexec-oob c {\n} d=1", Language::Qmp),
            [line(1, "x a={bad"), line(2, "stop"), line(3, "exec-oob c {\n} d=1")]
        );
    }

    #[test]
    fn hmp_and_shell_lines_are_not_joined() {
        assert_eq!(lines("info {\nx \\", Language::Hmp), [line(1, "info {"), line(2, "x \\")]);
        assert_eq!(lines("!echo {\n.hmp x {\nstop", Language::Qmp).len(), 3);
    }

    #[test]
    fn finish_returns_an_incomplete_line() {
        assert_eq!(lines("stop\n{\"execute\":\n", Language::Qmp), [line(1, "stop"), line(2, "{\"execute\":")]);
        assert!(!is_complete("{\"a\":", Language::Qmp));
        assert!(is_complete("{\"a\":\n1}", Language::Qmp));
    }
}
