//! Parsing of words that are split already, such as the arguments of a program.

use super::command::{Command, check_word};
use super::diagnostic::{Diagnostic, Span};
use super::line::{DotLine, Line};
use super::word::{Word, tokenize};

impl Line {
    /// Parses a command, `help`, or `hmp` and an HMP line, from words that are split already. A quote or a blank in a
    /// word stands for itself.
    ///
    /// Returns the line as a user would type it, with words quoted if necessary, and the parsed line, whose spans refer
    /// to that text.
    pub fn from_arguments(arguments: &[&str]) -> (String, Result<Line, Diagnostic>) {
        if arguments.first() == Some(&"hmp") {
            // The human monitor has its own quotes.
            let text = arguments.join(" ");
            let line = DotLine::parse(&text, &tokenize(&text).words).map(Line::Dot);
            return (text, line);
        }
        let mut text = String::new();
        let words: Vec<Word> = arguments.iter().map(|argument| push_word(&mut text, argument)).collect();
        let line = match words.first() {
            Some(first) if first.is_bare("help") => DotLine::parse(&text, &words).map(Line::Dot),
            _ => Command::parse(&text, &words).map(Line::Command),
        };
        (text, line)
    }
}

/// Appends an argument to the text of a line. Returns it as a word of that line.
fn push_word(text: &mut String, argument: &str) -> Word {
    if !text.is_empty() {
        text.push(' ');
    }
    let start = text.len();
    if let Some(word) = bare_word(argument) {
        text.push_str(argument);
        return word.shifted(start);
    }
    let equals = argument.find('=').map(|at| {
        let key = &argument[..at];
        match bare_word(key).filter(|word| word.bracket.is_none()) {
            Some(_) => text.push_str(key),
            None => push_quoted(text, key),
        }
        text.push('=');
        (text.len() - 1, at)
    });
    push_quoted(text, equals.map_or(argument, |(_, at)| &argument[at + 1..]));
    let span = Span::new(start, text.len());
    Word { span, text: argument.to_owned(), equals, bracket: None, quoted: true, open: None, dropped: None }
}

/// Returns the argument as a word, if it needs no quotes.
fn bare_word(argument: &str) -> Option<Word> {
    let is_parenthesis = matches!(argument, "(" | ")");
    let tokens = tokenize(argument);
    let [word] = <[Word; 1]>::try_from(tokens.words).ok()?;
    let is_whole = word.text == argument && word.open.is_none() && tokens.comments.is_empty();
    let is_valid = check_word(&word).is_ok();
    // The key of `{…}=VALUE` is not JSON.
    let has_json_key = word.bracket == Some(0) && word.equals.is_some();
    (is_whole && is_valid && !is_parenthesis && !has_json_key).then_some(word)
}

fn push_quoted(text: &mut String, argument: &str) {
    text.push('\'');
    text.push_str(&argument.replace('\'', "'\\''"));
    text.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::{Json, JsonKind, Member, parse_line};
    use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

    #[test]
    fn quotes_words_that_need_it() {
        for (arguments, text) in [
            (&["query-status"][..], "query-status"),
            (&["eject", "device=cd", "force=on"], "eject device=cd force=on"),
            (&["c", "x=it's", "y=\"q\"", "z=a\\b", "e="], "c x='it'\\''s' y='\"q\"' z='a\\b' e="),
            (&["c", "x={\"a\": [1, 2]}", "y=[1]"], "c x={\"a\": [1, 2]} y=[1]"),
            (&["c", "{\"a\": 1}", "b=#1", "n=a\nb"], "c {\"a\": 1} b=#1 n='a\nb'"),
            (&["c", "x={open", "a b=c", "{\"a\": 1}=c"], "c x='{open' 'a b'='c' '{\"a\": 1}'='c'"),
            (&["c", "a=b=c", "--", "-v", "|", "(", "#no", ""], "c a=b=c -- -v '|' '(' '#no' ''"),
            (&["c", "a=“b”", "a=b“c”", "“a”=\u{a0}"], "c a='“b”' a=b“c” '“a”'='\u{a0}'"),
            (&["help", "apropos", "a b"], "help apropos 'a b'"),
            (&["hmp", "info mtree -f", "x='1'"], "hmp info mtree -f x='1'"),
        ] {
            assert_eq!(Line::from_arguments(arguments).0, text);
        }
    }

    #[test]
    fn parses_help_and_commands() {
        assert!(matches!(Line::from_arguments(&["help", "x"]).1, Ok(Line::Dot(dot)) if dot.words[0].text == "x"));
        let (_, line) = Line::from_arguments(&["hmp", "eject", "-f  cd0"]);
        assert!(matches!(line, Ok(Line::Dot(dot)) if dot.name == "hmp" && dot.tail() == "eject -f  cd0"));
        let (_, line) = Line::from_arguments(&["exec-oob", "c", "{\"a\": 1}", "b.c=1 2"]);
        let Ok(Line::Command(command)) = line else { panic!("{line:?}") };
        assert_eq!((command.name.as_str(), command.oob, command.json.is_some()), ("c", true, true));
        assert_eq!((command.args[0].key.dotted().as_str(), command.args[0].word.value()), ("b.c", "1 2"));
        // A parenthesis does not open a transaction.
        assert!(Line::from_arguments(&["transaction", "(", ")"]).1.is_err());
        assert!(Line::from_arguments(&[]).1.is_err());
    }

    /// Returns all spans of a JSON value.
    fn json_spans(json: &Json) -> Vec<Span> {
        let below: Vec<Span> = match &json.kind {
            JsonKind::Array(items) => items.iter().flat_map(json_spans).collect(),
            JsonKind::Object(members) => {
                let spans = |member: &Member| [vec![member.key_span], json_spans(&member.value)].concat();
                members.iter().flat_map(spans).collect()
            }
            _ => Vec::new(),
        };
        [vec![json.span], below].concat()
    }

    /// Returns all spans of a command.
    fn spans(command: &Command) -> Vec<Span> {
        let mut spans = vec![command.name_span];
        spans.extend(command.json.iter().flat_map(json_spans));
        for arg in &command.args {
            spans.extend([arg.key.span, arg.word.span, arg.word.key_span(), arg.word.value_span()]);
            match &arg.json {
                Some(Ok(json)) => spans.extend(json_spans(json)),
                Some(Err(diagnostic)) => spans.push(diagnostic.span),
                None => {}
            }
        }
        spans
    }

    fn arguments() -> impl Strategy<Value = Vec<String>> {
        let argument = prop_oneof![
            "\\PC{0,12}",
            "[a.=\\[\\]{}\"', 1:|()#\\\\\n\t-]{0,12}",
            "[ab .'{]{1,3}=\\PC{0,8}",
            "[\\[{][a ]?[}\\]]=[ab ]{0,2}",
            "([ab]=)?\\{\"[ab=]\": (1|\"[ {'\n=]\"|\\[1, \\{\\}\\])\\}x?",
        ];
        proptest::collection::vec(argument, 0..4)
    }

    proptest! {
        /// Keys and values are those of the words, spans refer to the text, and the text means the same when it is
        /// typed.
        #[test]
        fn takes_words_literally(arguments in arguments()) {
            let words: Vec<&str> = ["c"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
            let (text, line) = Line::from_arguments(&words);
            prop_assert_eq!(&line, &parse_line(&text));
            match line {
                Ok(Line::Command(command)) => {
                    let words = if command.json.is_some() { &words[2..] } else { &words[1..] };
                    let args: Vec<(String, &str)> =
                        command.args.iter().map(|arg| (arg.key.dotted(), arg.word.value())).collect();
                    let expected: Vec<(String, &str)> =
                        words.iter().filter_map(|word| word.split_once('=')).map(|(key, value)| (key.to_owned(), value)).collect();
                    prop_assert_eq!(args, expected);
                    prop_assert_eq!(command.args.len() + usize::from(command.positional.is_some()), words.len());
                    for span in spans(&command) {
                        prop_assert!(text.get(span.range()).is_some(), "{span:?} in {text:?}");
                    }
                }
                Ok(other) => panic!("{other:?}"),
                Err(Diagnostic { span, .. }) => prop_assert!(text.get(span.range()).is_some(), "{span:?} in {text:?}"),
            }
        }
    }
}
