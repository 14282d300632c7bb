//! The words behind the options as one line of the shell.
//!
//! The user's own shell has taken its quotes away already, so a value is what it is: it is quoted anew where a blank or
//! a quote of its own would mean something. All that is wrong with it can then be pointed at.

use std::ffi::OsString;

use crate::grammar::{Line, parse_line, tokenize};

/// What the user wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommandLine {
    /// Help, with or without a topic: the line.
    Help(String),
    /// A command, and the line.
    Command {
        /// Its name.
        name: String,
        /// It and its arguments.
        line: String,
    },
    /// A request written as JSON.
    Json(String),
}

impl CommandLine {
    /// Reads the words. An error says what is wrong with the usage; what is wrong with an argument is left to whoever
    /// carries the line out.
    pub(crate) fn read(words: &[OsString]) -> Result<CommandLine, String> {
        let words: Vec<&str> = words
            .iter()
            .map(|word| word.to_str().ok_or_else(|| format!("`{}` is not UTF-8", word.to_string_lossy())))
            .collect::<Result<_, _>>()?;
        let Some((&first, rest)) = words.split_first() else {
            return Err("no COMMAND is named; try `qmp help`, or `qmp --help`".to_owned());
        };
        if first.trim_start().starts_with(['{', '-']) && first.contains('{') {
            return match rest.first() {
                None => Ok(CommandLine::Json(first.to_owned())),
                Some(word) => Err(format!("a request written as JSON is one word; quote it, `{word}` is another")),
            };
        }
        let oob = first == "exec-oob";
        let name = match rest.first() {
            Some(name) if oob => *name,
            None if oob => return Err("`exec-oob` needs a COMMAND".to_owned()),
            _ => first,
        };
        if !is_name(name) {
            let help = if name.contains('/') { "; a pattern of servers is to be quoted: --path '*.sock'" } else { "" };
            return Err(format!("`{name}` is not the name of a command{help}"));
        }
        let mut line = first.to_owned();
        for word in rest {
            line.push(' ');
            line.push_str(&quote_word(word));
        }
        if name == "help" {
            return Ok(CommandLine::Help(line));
        }
        // A block of several lines has no place here.
        if matches!(parse_line(&line), Ok(line) if !matches!(line, Line::Command(_))) {
            return Err(format!("`{line}` is not a command with its arguments; `qmp shell` takes such lines"));
        }
        Ok(CommandLine::Command { name: name.to_owned(), line })
    }

    /// The line.
    pub(crate) fn line(&self) -> &str {
        match self {
            CommandLine::Help(line) | CommandLine::Json(line) | CommandLine::Command { line, .. } => line,
        }
    }
}

/// Whether a command may be called so: what the shell would take for something else is none.
fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// One argument, in any of its forms, as a word of the line.
pub(crate) fn quote_word(word: &str) -> String {
    let word = match word.strip_prefix("--") {
        Some(flag) if !flag.is_empty() && !flag.contains('=') => format!("{flag}=true"),
        Some(option) if !option.is_empty() => option.to_owned(),
        _ => word.to_owned(),
    };
    if is_bare(&word) {
        return word;
    }
    match word.split_once('=') {
        Some((key, value)) if is_bare(key) => format!("{key}={}", quoted(value)),
        Some((key, value)) => format!("{}={}", quoted(key), quoted(value)),
        None => quoted(&word),
    }
}

/// Whether the tokenizer makes one word of it, this very one.
fn is_bare(word: &str) -> bool {
    let tokens = tokenize(word);
    let [only] = &tokens.words[..] else { return false };
    tokens.comments.is_empty()
        && only.span.range() == (0..word.len())
        && only.text == word
        && only.open.is_none()
        && !matches!(word, "|" | "(" | ")")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};

    fn read(words: &[&str]) -> Result<CommandLine, String> {
        CommandLine::read(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_in_every_form_make_one_line() {
        for (words, line) in [
            (vec!["query-status"], "query-status"),
            (vec!["eject", "--device=cd", "--force"], "eject device=cd force=true"),
            (vec!["eject", "device=cd", "force=on"], "eject device=cd force=on"),
            (
                vec!["human-monitor-command", "--command-line=info status"],
                "human-monitor-command command-line='info status'",
            ),
            (vec!["c", "--x=it's", "--y=\"q\"", "--z=a\\b", "--e="], "c x='it'\\''s' y='\"q\"' z='a\\b' e="),
            (vec!["c", "--x={\"a\": [1, 2]}", "--y=[1]"], "c x={\"a\": [1, 2]} y=[1]"),
            (vec!["c", "{\"a\": 1}", "--b=#1", "--n=a\nb"], "c {\"a\": 1} b=#1 n='a\nb'"),
            (vec!["c", "--x={open"], "c x='{open'"),
            (vec!["c", "--a=b=c", "--", "-v", "|", "#no"], "c a=b=c -- -v '|' '#no'"),
            (vec!["exec-oob", "yank", "instances=[]"], "exec-oob yank instances=[]"),
            (vec!["help", "apropos", "a b"], "help apropos 'a b'"),
            (vec!["{\"execute\": \"stop\"}"], "{\"execute\": \"stop\"}"),
            (vec!["-> {\"execute\": \"stop\"}"], "-> {\"execute\": \"stop\"}"),
        ] {
            assert_eq!(read(&words).unwrap().line(), line);
        }
        assert_eq!(read(&["stop"]).unwrap(), CommandLine::Command { name: "stop".to_owned(), line: "stop".to_owned() });
        assert!(matches!(read(&["exec-oob", "yank"]), Ok(CommandLine::Command { name, .. }) if name == "yank"));
        assert!(matches!(read(&["help"]), Ok(CommandLine::Help(_))));
    }

    #[test]
    fn what_is_no_command_is_wrong_usage() {
        for (words, message) in [
            (vec![], "no COMMAND is named; try `qmp help`, or `qmp --help`"),
            (vec![".wait"], "`.wait` is not the name of a command"),
            (vec!["!ls"], "`!ls` is not the name of a command"),
            (vec!["#"], "`#` is not the name of a command"),
            (vec![""], "`` is not the name of a command"),
            (vec!["a=1"], "`a=1` is not the name of a command"),
            (vec!["transaction(", "abort", ")"], "`transaction(` is not the name of a command"),
            (
                vec!["b.sock/", "stop"],
                "`b.sock/` is not the name of a command; a pattern of servers is to be quoted: --path '*.sock'",
            ),
            (vec!["exec-oob"], "`exec-oob` needs a COMMAND"),
            (
                vec!["{\"execute\":", "\"stop\"}"],
                "a request written as JSON is one word; quote it, `\"stop\"}` is another",
            ),
        ] {
            assert_eq!(read(&words), Err(message.to_owned()));
        }
        // A parenthesis is a word like any other here: it opens no block.
        assert!(matches!(read(&["transaction", "(", ")"]), Ok(CommandLine::Command { .. })));
    }

    proptest! {
        /// Whatever a value holds, it is the value of one word of the line.
        #[test]
        fn a_value_is_literal(value in "\\PC{0,12}", space in "[ \t\n'\"\\\\#{}\\[\\]]{0,4}") {
            let value = format!("{value}{space}");
            let line = format!("c k={}", quote_word(&format!("--k={value}")).strip_prefix("k=").unwrap());
            let words = tokenize(&line).words;
            prop_assert_eq!(words.len(), 2);
            prop_assert_eq!(words[1].value(), value);
            prop_assert_eq!(words[1].open, None);
        }
    }
}
