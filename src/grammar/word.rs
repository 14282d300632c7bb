//! The tokenizer: splits a line into words with their spans.
//!
//! It never fails. The last word of an unfinished line says what is unclosed.

use super::diagnostic::Span;
use super::scan::{CharClass, Scanner, Unclosed, is_blank};

/// The characters, other than blanks, that may need a backslash in a POSIX shell.
const SPECIAL_CHARS: &str = "|&;<>()$`\\\"'*?[]{}#~=%!";

/// A word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The range of the word, quotes included.
    pub span: Span,
    /// Its text without quotes and escapes.
    pub text: String,
    /// The first `=` outside quotes: its index in the line, and its index in `text`.
    pub equals: Option<(usize, usize)>,
    /// The index in the line of the bracket that the word or its value begins with.
    pub bracket: Option<usize>,
    /// Whether the value (the whole word if there is no `=`) contains a quote or an escape.
    pub quoted: bool,
    /// The quote, bracket or escape that is unclosed at the end of the word.
    pub open: Option<Unclosed>,
    /// The first character outside quotes that is not part of the text, although it may have been meant to be.
    pub dropped: Option<char>,
}

impl Word {
    /// Returns the text after the `=`, or the whole text if there is none.
    pub fn value(&self) -> &str {
        self.equals.map_or(self.text.as_str(), |(_, at)| &self.text[at + 1..])
    }

    /// Returns the text before the `=`, or the whole text if there is none.
    pub fn key(&self) -> &str {
        self.equals.map_or(self.text.as_str(), |(_, at)| &self.text[..at])
    }

    pub fn value_span(&self) -> Span {
        Span::new(self.equals.map_or(self.span.start, |(at, _)| at + 1), self.span.end)
    }

    pub fn key_span(&self) -> Span {
        Span::new(self.span.start, self.equals.map_or(self.span.end, |(at, _)| at))
    }

    /// Returns whether the whole word, and not only its value, begins with a bracket.
    pub fn is_json(&self) -> bool {
        self.bracket == Some(self.span.start) && self.equals.is_none()
    }

    /// Returns whether this is `text`, unquoted.
    pub fn is_bare(&self, text: &str) -> bool {
        !self.quoted && self.text == text
    }

    /// Returns whether the word begins a comment in C and JavaScript.
    pub fn is_foreign_comment(&self) -> bool {
        !self.quoted && (self.text.starts_with("//") || self.text.starts_with("/*"))
    }

    /// Returns whether the word can be the value of a key that is not named. A word that begins with a dash is an option
    /// in HMP and elsewhere.
    pub fn is_positional(&self) -> bool {
        let is_value = self.equals.is_none() && self.bracket.is_none() && self.open.is_none() && !self.text.is_empty();
        is_value && (self.quoted || !self.text.starts_with('-') && self.text != "|" && !self.is_foreign_comment())
    }

    /// Returns the word with its indices shifted, for a line in which it begins at `start` and not at 0.
    pub(super) fn shifted(mut self, start: usize) -> Word {
        self.span = Span::new(self.span.start + start, self.span.end + start);
        self.equals = self.equals.map(|(at, in_text)| (at + start, in_text));
        self.bracket = self.bracket.map(|at| at + start);
        self
    }
}

/// The words and comments of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    pub words: Vec<Word>,
    /// The spans of comments, `#` included.
    pub comments: Vec<Span>,
}

/// Splits `text` into words.
pub fn tokenize(text: &str) -> Tokens {
    let mut scanner = Scanner::new();
    let mut tokens = Tokens::default();
    let mut word: Option<Word> = None;
    for (at, c) in text.char_indices() {
        let was_in_bracket = scanner.in_bracket();
        let class = scanner.step(c);
        let end = at + c.len_utf8();
        match class {
            CharClass::Blank => {
                tokens.words.extend(word.take());
                continue;
            }
            CharClass::Comment => {
                match tokens.comments.last_mut() {
                    Some(last) if last.end == at => last.end = end,
                    _ => tokens.comments.push(Span::new(at, end)),
                }
                continue;
            }
            _ => {}
        }
        let current = word.get_or_insert_with(|| Word {
            span: Span::new(at, end),
            text: String::new(),
            equals: None,
            bracket: None,
            quoted: false,
            open: None,
            dropped: None,
        });
        current.span.end = end;
        match class {
            CharClass::Keep => {
                let is_at_value = current.text.len() == current.equals.map_or(0, |(_, at)| at + 1);
                if scanner.in_bracket() && !was_in_bracket && is_at_value {
                    current.bracket = Some(at);
                }
                current.text.push(c);
            }
            CharClass::Escaped => {
                // A backslash takes nothing away from other characters, so it was not meant as an escape.
                if !is_blank(c) && !SPECIAL_CHARS.contains(c) {
                    current.dropped = current.dropped.or(Some('\\'));
                }
                current.text.push(c);
            }
            CharClass::KeepBoth => {
                current.text.push('\\');
                current.text.push(c);
            }
            CharClass::Equals => {
                current.equals = Some((at, current.text.len()));
                current.text.push('=');
                current.quoted = false;
            }
            CharClass::Invisible => current.dropped = current.dropped.or(Some(c)),
            CharClass::Skip if text[current.span.range()] == *"\\\n" => word = None,
            // A backslash that continues the line is not a quote: `a=1\` and a line end are the bare value 1.
            CharClass::Skip if c == '\n' || text[at..].starts_with("\\\n") => {}
            CharClass::Skip => current.quoted = true,
            CharClass::Blank | CharClass::Comment => {}
        }
    }
    if let Some(mut word) = word {
        word.open = scanner.open();
        tokens.words.push(word);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn texts(line: &str) -> Vec<String> {
        tokenize(line).words.into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_end_at_whitespace_outside_quotes_and_brackets() {
        for (line, expected) in [
            ("", vec![]),
            ("  a  b\t", vec!["a", "b"]),
            ("a='b c' d", vec!["a=b c", "d"]),
            ("a=\"b c\"", vec!["a=b c"]),
            ("a=\"b \\\" \\n\"", vec!["a=b \" \\n"]),
            ("a=b\\ c", vec!["a=b c"]),
            ("a={\"x\": 1, \"y\": [1, 2]} z", vec!["a={\"x\": 1, \"y\": [1, 2]}", "z"]),
            ("a={\"x\": \"} ]\"} z", vec!["a={\"x\": \"} ]\"}", "z"]),
            ("file=/tmp/a[1 2", vec!["file=/tmp/a[1", "2"]),
            ("a \\\n b", vec!["a", "b"]),
            ("a=1 # rest", vec!["a=1"]),
            ("a=1#no comment", vec!["a=1#no", "comment"]),
            ("{'a': 1, # note }\n 'b': 2} x", vec!["{'a': 1, # note }\n 'b': 2}", "x"]),
            ("a\u{a0}b\u{3000}c='d\u{a0}e'\u{2028}f=\\\u{a0}", vec!["a", "b", "c=d\u{a0}e", "f=\u{a0}"]),
            (r#"f=json:{"a": "b c", 'd':"\"e"} g"#, vec![r#"f=json:{"a": "b c", 'd':"\"e"}"#, "g"]),
            (r#"f=json:{\"a\":\"http://b#c\"} g"#, vec![r#"f=json:{"a":"http://b#c"}"#, "g"]),
            (
                r#"f='json:{"a":1}' json:{"b c"} jso:{"a b" xjson:{"c d""#,
                vec![r#"f=json:{"a":1}"#, r#"json:{"b c"}"#, "jso:{a b", "xjson:{c d"],
            ),
            ("\u{200b}a\u{200b} b=\u{feff}{\"x\": 1}\u{ad}", vec!["a", "b={\"x\": 1}"]),
            ("a\u{200b}b 'a\u{200b}b' \u{2060} c", vec!["ab", "a\u{200b}b", "c"]),
        ] {
            assert_eq!(texts(line), expected, "{line:?}");
        }
    }

    #[test]
    fn words_have_a_key_and_a_value() {
        let tokens = tokenize("cmd \"k\"ey='v=1'2");
        let word = &tokens.words[1];
        assert_eq!((word.key(), word.value(), word.quoted), ("key", "v=12", true));
        assert_eq!((word.key_span(), word.value_span()), (Span::new(4, 9), Span::new(10, 16)));
        assert!(!tokenize("a=1\\\n b").words[0].quoted, "a continued line is not quoted");
        let tokens = tokenize("'k'=v");
        assert!(!tokens.words[0].quoted, "the value of a quoted key is not quoted");
    }

    #[test]
    fn words_tell_that_a_character_was_dropped() {
        for (line, dropped) in [
            (r"path=C:\Windows\\x", Some('\\')),
            (r"path=C:\_x", Some('\\')),
            (r"path=C:\.x", Some('\\')),
            (r"path=C:\\Windows", None),
            (r"a\ b\=\'\{\|\#", None),
            (r"'C:\Windows'", None),
            (r#""C:\Windows\\""#, None),
            ("a\\\nb", None),
            (r#"json:{\"a\": \b}"#, Some('\\')),
            ("a\u{feff}\\b", Some('\u{feff}')),
        ] {
            assert_eq!(tokenize(line).words[0].dropped, dropped, "{line}");
        }
    }

    #[test]
    fn unfinished_words_tell_what_is_unclosed() {
        for (line, open) in [
            ("a 'b c", Some(Unclosed::Single)),
            ("a=\"b", Some(Unclosed::Double)),
            ("a={\"b", Some(Unclosed::Bracket)),
            ("a=[1, /* ", Some(Unclosed::Bracket)),
            ("a=json:{\"b\": {}", Some(Unclosed::Bracket)),
            ("a\\", Some(Unclosed::Escape)),
            ("a=[1]", None),
        ] {
            assert_eq!(tokenize(line).words.last().unwrap().open, open, "{line:?}");
        }
    }

    proptest! {
        /// Without brackets, the words are those of the POSIX shell, as `shlex` splits them.
        #[test]
        fn splits_words_as_the_shell_does(line in "[a-c \t'\"\\\\$`=.#]{0,24}") {
            let tokens = tokenize(&line);
            let is_open = tokens.words.last().is_some_and(|word| word.open.is_some());
            match shlex::split(&line) {
                Some(words) => prop_assert_eq!(tokens.words.into_iter().map(|word| word.text).collect::<Vec<_>>(), words),
                None => prop_assert!(is_open),
            }
        }

        #[test]
        fn spans_are_in_order_and_on_character_boundaries(line in "\\PC{0,40}") {
            let mut end = 0;
            for word in tokenize(&line).words {
                prop_assert!(word.span.start >= end && word.span.end > word.span.start);
                prop_assert!(line.is_char_boundary(word.span.start) && line.is_char_boundary(word.span.end));
                end = word.span.end;
            }
        }
    }
}
