//! Joins physical lines into logical ones: after a `\` at the end, and while a JSON object is unclosed. Splits lines of
//! several objects, and leaves out the prompts and output of a pasted session.

use super::scan::{Scanner, Unclosed, is_blank};
use super::transcript::{Transcript, arrow_len, begins_anew, next_object, without_arrow, without_continuation_prompt};
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
    transcript: Transcript,
}

/// A logical line, and the number of its first physical line, counted from 1.
pub(super) type LogicalLine = (usize, String);

impl Assembler {
    pub fn new() -> Self {
        Assembler::default()
    }

    /// Begins another entry at a prompt: physical lines are counted from 1 again. `is_pasted` says whether it follows the
    /// entry before too fast for a human.
    pub fn begin_entry(&mut self, is_pasted: bool) {
        let mut transcript = std::mem::take(&mut self.transcript);
        transcript.resume(is_pasted);
        *self = Assembler { transcript, ..Assembler::default() };
    }

    /// Adds a physical line, with or without its line end. Returns the logical lines that it completes: several if it has
    /// several JSON objects, none if it is part of the output in a pasted session.
    pub fn push(&mut self, line: &str, language: Language) -> Vec<LogicalLine> {
        self.count += 1;
        // Some editors begin a file with a byte order mark, which comes after other lines if files are joined.
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut lines = Vec::new();
        if self.in_json && begins_anew(line) {
            lines.extend(self.finish());
        }
        let typed = match &self.scanner {
            // Elsewhere, the dots are part of a value.
            Some(scanner) if self.in_json || scanner.continues_between_words() => {
                without_continuation_prompt(line).into()
            }
            Some(_) => line.into(),
            None => match self.transcript.typed_part(line, language == Language::Hmp) {
                Some(typed) => typed,
                None => return lines,
            },
        };
        let mut rest = &*typed;
        while let Some(next) = self.add(rest, language, &mut lines) {
            rest = &rest[next..];
        }
        lines
    }

    /// Adds a part of a physical line: up to its second JSON object, whose offset is returned, or else all of it.
    fn add(&mut self, line: &str, language: Language, lines: &mut Vec<LogicalLine>) -> Option<usize> {
        let mut scanner = match self.scanner.take() {
            Some(mut scanner) => {
                self.text.push('\n');
                scanner.step('\n');
                scanner
            }
            None => {
                self.first = self.count;
                if language == Language::Hmp || is_verbatim(line) {
                    lines.push((self.first, line.to_owned()));
                    return None;
                }
                Scanner::new()
            }
        };
        let from = if self.text.is_empty() { arrow_len(line) } else { 0 };
        let is_object = without_arrow(if self.text.is_empty() { line } else { &self.text }).starts_with('{');
        let mut next = None;
        for (at, c) in line[from..].char_indices() {
            let was_in_bracket = scanner.in_bracket();
            scanner.step(c);
            if is_object && was_in_bracket && !scanner.in_bracket() {
                let end = from + at + c.len_utf8();
                next = next_object(&line[end..]).map(|offset| end + offset);
                if next.is_some() {
                    break;
                }
            }
        }
        self.text.push_str(&line[..next.unwrap_or(line.len())]);
        let continues = match scanner.open() {
            Some(Unclosed::Escape) => true,
            Some(Unclosed::Bracket) => self.in_json || opens_json(&self.text),
            _ => false,
        };
        self.in_json = continues && scanner.open() == Some(Unclosed::Bracket);
        if continues {
            self.scanner = Some(scanner);
        } else {
            lines.extend(self.take_line());
        }
        next
    }

    /// Returns the line that is being read, if it was typed.
    fn take_line(&mut self) -> Option<LogicalLine> {
        let text = std::mem::take(&mut self.text);
        self.transcript.is_typed(&text).then_some((self.first, text))
    }

    /// Returns the unfinished line at the end of the input.
    pub fn finish(&mut self) -> Option<LogicalLine> {
        self.in_json = false;
        self.scanner.take()?;
        self.take_line()
    }

    /// Returns the number of physical lines so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns whether a logical line is unfinished.
    pub fn is_open(&self) -> bool {
        self.scanner.is_some()
    }

    /// Returns a notice about lines that were passed over although they may have been meant, once.
    pub fn take_notice(&mut self) -> Option<String> {
        let lines = match self.transcript.take_doubtful() {
            0 => return None,
            1 => "1 line was".to_owned(),
            count => format!("{count} lines were"),
        };
        Some(format!("{lines} passed over as output of a line with a prompt."))
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
    // After a `|` comes a filter.
    words.len() <= 3 && words.last().is_some_and(Word::is_json) && !words.iter().any(|word| word.is_bare("|"))
}

/// Returns whether a line is in another language: `!COMMAND`.
fn is_verbatim(line: &str) -> bool {
    line.trim_start_matches(is_blank).starts_with('!')
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
    use super::super::line::{Line, parse_line};
    use super::super::transcript::typed_start;
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    fn lines(text: &str, language: Language) -> Vec<LogicalLine> {
        let mut assembler = Assembler::new();
        let mut lines: Vec<LogicalLine> = text.lines().flat_map(|line| assembler.push(line, language)).collect();
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
                line(10, "# c \\"),
                line(11, "cont"),
            ]
        );
    }

    #[test]
    fn several_objects_on_a_line_are_several_lines() {
        assert_eq!(
            lines(
                "{\"execute\": \"a\"}{\"execute\": \"b\",\n\"id\": \"}{\"\n} {\"execute\":\n\"c\"} -> {} cont",
                Language::Qmp
            ),
            [
                line(1, "{\"execute\": \"a\"}"),
                line(1, "{\"execute\": \"b\",\n\"id\": \"}{\"\n} "),
                line(3, "{\"execute\":\n\"c\"} "),
                line(4, "-> {} cont"),
            ]
        );
    }

    #[test]
    fn a_pasted_session_is_what_was_typed_in_it() {
        let session = "(QEMU) query-status\n{\n  \"execute\": \"query-status\"\n}\n{\"status\": \"paused\"}\n[\n  {\"a\": 1},\n]\n\
                       12:01:02.345 STOP\nerror: no\n(QEMU-VM1) transaction(\nTRANS> abort\nTRANS> )\n\
                       -> {\"execute\": \"transaction\"}\n...\n<- {\"return\": {}}\n{\"timestamp\": {...},\n\"event\": \"STOP\"}\n\
                       $ ls \\\n  -l\n<- {\"execute\": \"stop\"}\n(qemu) info name\n(qemu my vm) info kvm\nstop\n(QEMU)";
        let typed = [
            "query-status",
            "transaction(",
            "abort",
            ")",
            "<- {\"execute\": \"stop\"}",
            ".hmp info name",
            ".hmp info kvm",
        ];
        let found: Vec<String> = lines(session, Language::Qmp).into_iter().map(|(_, text)| text).collect();
        assert_eq!(found, typed);
        let session = "info name\n(qemu) info status\nVM status: paused\n\n.qmp\n(QEMU) help\nquit -- quit";
        let typed = ["info name", "info status", ".qmp", "help"];
        let found: Vec<String> = lines(session, Language::Hmp).into_iter().map(|(_, text)| text).collect();
        assert_eq!(found, typed);
    }

    #[test]
    fn an_unclosed_object_ends_before_a_prompt_or_an_arrow() {
        assert_eq!(
            lines("-> {\"execute\":\n(QEMU) stop\n<- {\n-> {\"execute\": \"cont\"}", Language::Qmp),
            [line(1, "-> {\"execute\":"), line(2, "stop"), line(4, "-> {\"execute\": \"cont\"}")]
        );
    }

    #[test]
    fn old_documents_have_other_arrows() {
        let session =
            "C: { \"execute\": \"stop\" }\nS: { \"return\": {} }\n→ {\"execute\": \"cont\"}\n← {\"x\": 1}\nC: x";
        let found: Vec<String> = lines(session, Language::Qmp).into_iter().map(|(_, text)| text).collect();
        assert_eq!(found, ["C: { \"execute\": \"stop\" }", "→ {\"execute\": \"cont\"}", "C: x"]);
        assert!(found[..2].iter().all(|line| matches!(parse_line(line), Ok(Line::Json(_)))));
    }

    #[test]
    fn only_the_request_after_its_command_is_an_echo() {
        let count = |text| lines(text, Language::Qmp).len();
        assert_eq!(count("(QEMU) stop\n{\"execute\": \"stop\"}\n{\"execute\": \"stop\"}"), 2);
        assert_eq!(count("(QEMU) stop\n{\"execute\": \"cont\"}"), 2);
        assert_eq!(count("(QEMU) stop\ncont\n{\"execute\": \"stop\"}"), 3);
        assert_eq!(count("(QEMU) {\"execute\": \"stop\"}\n-> {\"execute\": \"stop\"}"), 1);
        assert_eq!(count("(QEMU) .hmp quit\n-> {\"execute\": \"human-monitor-command\"}"), 1);
        assert_eq!(count("stop\n{\"execute\": \"stop\"}"), 2);
        assert_eq!(lines("(qemu) {\"execute\": \"stop\"}", Language::Qmp), [line(1, "{\"execute\": \"stop\"}")]);
        assert_eq!(count("(QEMU) transaction(\n{\"type\": \"abort\"}\n)"), 3);
    }

    #[test]
    fn tells_of_lines_that_may_have_been_meant() {
        let mut assembler = Assembler::new();
        assembler.push("(qemu) info name", Language::Qmp);
        assembler.push("stop", Language::Qmp);
        assert_eq!(
            assembler.take_notice().as_deref(),
            Some("1 line was passed over as output of a line with a prompt.")
        );
        assembler.begin_entry(true);
        assert_eq!(assembler.push("stop", Language::Qmp), []);
        assert!(assembler.take_notice().is_some());
        assembler.begin_entry(false);
        assert_eq!(assembler.push("stop", Language::Qmp), [line(1, "stop")]);
        assembler.push("(QEMU) stop", Language::Qmp);
        assembler.begin_entry(false);
        assert_eq!(assembler.push("{\"execute\": \"stop\"}", Language::Qmp), []);
        assert!(assembler.take_notice().is_some() && assembler.take_notice().is_none());
    }

    #[test]
    fn dots_before_a_continuation_are_left_out_between_words() {
        let text = "a \\\n... b=1\n{\"x\":\n  ... 1}\na b=\"1 \\\n... 2\"\na b=1\\\n... 2";
        assert_eq!(
            lines(text, Language::Qmp),
            [line(1, "a \\\n b=1"), line(3, "{\"x\":\n 1}"), line(5, "a b=\"1 \\\n... 2\""), line(7, "a b=1\\\n... 2"),]
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

    proptest! {
        /// Every logical line is part of what was entered, in order, and `.hmp` is all that is added.
        #[test]
        fn logical_lines_are_parts_of_the_text(
            parts in proptest::collection::vec(
                proptest::sample::select(&[
                    "(QEMU)", "(qemu)", "(", ")", "TRANS>", "$", " ", "\n", "->", "<-", "→", "C:", "{", "}", "[", "]", "\"", "'", "\\",
                    "#", "...", ".", "\"execute\": \"stop\"", "\"return\": {}", "stop", "a=1", "漢", "//", "/*", ":", ",",
                ][..]),
                0..24,
            ),
        ) {
            let text = parts.concat();
            for language in [Language::Qmp, Language::Hmp] {
                let rows: Vec<&str> = text.split('\n').collect();
                let found = lines(&text, language);
                prop_assert!(found.is_sorted_by_key(|(number, _)| *number));
                for (number, line) in found {
                    for (part, row) in line.split('\n').zip(&rows[number - 1..]) {
                        prop_assert!(row.contains(part.strip_prefix(".hmp ").unwrap_or(part)), "{part:?} in {row:?}");
                    }
                    let _ = parse_line(&line);
                }
                is_complete(&text, language);
            }
            prop_assert!(text.is_char_boundary(typed_start(&text)));
        }
    }
}
