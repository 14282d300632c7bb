//! Words: the tokenizer that everything shares.
//!
//! Never fails. Unfinished input yields its words all the same, the last one saying what is open.

use super::diagnostic::Span;
use super::scan::{CharClass, Scanner, Unclosed};

/// One word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Where it stands, quotes included.
    pub span: Span,
    /// Its text, quotes and escapes taken away.
    pub text: String,
    /// The first `=` outside quotes: its place in the line, and its place in `text`.
    pub equals: Option<(usize, usize)>,
    /// Where the JSON begins, if the word or its value begins with a bracket.
    pub bracket: Option<usize>,
    /// Whether the value (the whole word where there is no `=`) holds a quote or an escape.
    pub quoted: bool,
    /// What is open at the word's end.
    pub open: Option<Unclosed>,
}

impl Word {
    /// The text behind the `=`; the whole text where there is none.
    pub fn value(&self) -> &str {
        self.equals.map_or(self.text.as_str(), |(_, at)| &self.text[at + 1..])
    }

    /// The text before the `=`; the whole text where there is none.
    pub fn key(&self) -> &str {
        self.equals.map_or(self.text.as_str(), |(_, at)| &self.text[..at])
    }

    /// Where the value stands.
    pub fn value_span(&self) -> Span {
        Span::new(self.equals.map_or(self.span.start, |(at, _)| at + 1), self.span.end)
    }

    /// Where the key stands.
    pub fn key_span(&self) -> Span {
        Span::new(self.span.start, self.equals.map_or(self.span.end, |(at, _)| at))
    }

    /// Whether this is `text` itself, unquoted.
    pub fn is_bare(&self, text: &str) -> bool {
        !self.quoted && self.text == text
    }
}

/// A line cut into words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// The words in order.
    pub words: Vec<Word>,
    /// The comments in order, each with its `#`.
    pub comments: Vec<Span>,
}

/// Cuts `text` into words.
pub fn tokenize(text: &str) -> Tokens {
    let mut scan = Scanner::new();
    let mut tokens = Tokens::default();
    let mut word: Option<Word> = None;
    for (at, c) in text.char_indices() {
        let inside = scan.in_bracket();
        let piece = scan.step(c);
        let end = at + c.len_utf8();
        match piece {
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
        });
        current.span.end = end;
        match piece {
            CharClass::Keep => {
                if scan.in_bracket() && !inside && current.bracket.is_none() {
                    current.bracket = Some(at);
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
            CharClass::Skip if text[current.span.range()] == *"\\\n" => word = None,
            // A continued line quotes nothing: `a=1\` with its line end is still the bare value 1.
            CharClass::Skip if c == '\n' || text[at..].starts_with("\\\n") => {}
            CharClass::Skip => current.quoted = true,
            CharClass::Blank | CharClass::Comment => {}
        }
    }
    if let Some(mut word) = word {
        word.open = scan.open();
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
    fn words_end_at_white_space_outside_quotes_and_brackets() {
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
        ] {
            assert_eq!(texts(line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_word_knows_its_key_and_value() {
        let tokens = tokenize("cmd \"k\"ey='v=1'2");
        let word = &tokens.words[1];
        assert_eq!((word.key(), word.value(), word.quoted), ("key", "v=12", true));
        assert_eq!((word.key_span(), word.value_span()), (Span::new(4, 9), Span::new(10, 16)));
        assert!(!tokenize("a=1\\\n b").words[0].quoted, "a continued line quotes nothing");
        let tokens = tokenize("'k'=v");
        assert!(!tokens.words[0].quoted, "a quoted key leaves the value bare");
    }

    #[test]
    fn unfinished_words_say_what_is_open() {
        for (line, open) in [
            ("a 'b c", Some(Unclosed::Single)),
            ("a=\"b", Some(Unclosed::Double)),
            ("a={\"b", Some(Unclosed::Bracket)),
            ("a=[1, /* ", Some(Unclosed::Bracket)),
            ("a\\", Some(Unclosed::Escape)),
            ("a=[1]", None),
        ] {
            assert_eq!(tokenize(line).words.last().unwrap().open, open, "{line:?}");
        }
    }

    proptest! {
        /// For plain words, quotes and escapes, words are those of the POSIX shell, as `shlex` splits them.
        #[test]
        fn plain_words_split_as_the_shell_does(line in "[a-c \t'\"\\\\$`=.#]{0,24}") {
            let ours = tokenize(&line);
            let open = ours.words.last().is_some_and(|word| word.open.is_some());
            match shlex::split(&line) {
                Some(words) => prop_assert_eq!(ours.words.into_iter().map(|w| w.text).collect::<Vec<_>>(), words),
                None => prop_assert!(open),
            }
        }

        /// Any text at all gives words whose places are in order, on character boundaries, and hold the word.
        #[test]
        fn any_text_gives_words_in_order(line in "\\PC{0,40}") {
            let mut end = 0;
            for word in tokenize(&line).words {
                prop_assert!(word.span.start >= end && word.span.end > word.span.start);
                prop_assert!(line.is_char_boundary(word.span.start) && line.is_char_boundary(word.span.end));
                end = word.span.end;
            }
        }
    }
}
