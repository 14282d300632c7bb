//! The words after the options of `qmp` as a line of `qmp-shell`.
//!
//! The user's own shell has already removed the quotes, so values are taken literally.

use std::ffi::OsString;

use crate::grammar::{Diagnostic, Line, parse_line};

/// A command with its arguments, a request written as JSON, or `help`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandLine {
    /// The line as the user would type it in `qmp-shell`, for messages.
    pub(super) text: String,
    /// The parsed line; spans refer to `text`.
    pub(super) line: Result<Line, Diagnostic>,
    /// The name of the command, unless it is written as JSON.
    pub(super) command: Option<String>,
    /// A correction of `--KEY VALUE`, a form that other programs accept.
    pub(super) correction: Option<String>,
}

impl CommandLine {
    /// Reads the words. The error is a usage error; errors in the arguments are part of the result.
    pub(super) fn parse(words: &[OsString]) -> Result<CommandLine, String> {
        let words: Vec<&str> = words
            .iter()
            .map(|word| word.to_str().ok_or_else(|| format!("invalid UTF-8 in `{}`", word.to_string_lossy())))
            .collect::<Result<_, _>>()?;
        let Some((&first, rest)) = words.split_first() else {
            return Err("missing COMMAND; try `qmp help` or `qmp --help`".to_owned());
        };
        if is_json_request(first) {
            return match rest.first() {
                None => {
                    Ok(CommandLine { text: first.to_owned(), line: parse_line(first), command: None, correction: None })
                }
                Some(word) => Err(format!("unexpected word `{word}` after the JSON request; quote the request")),
            };
        }
        let name = match (first, rest.first()) {
            ("exec-oob", Some(name)) => name,
            ("exec-oob", None) => return Err("missing COMMAND after `exec-oob`".to_owned()),
            _ => first,
        };
        if !is_command_name(name) {
            let hint = if name.contains('/') { "; quote a pattern of servers: --path '*.sock'" } else { "" };
            return Err(format!("`{name}` is not a command name{hint}"));
        }
        let arguments: Vec<String> = rest.iter().map(|word| without_dashes(word)).collect();
        let words: Vec<&str> = [first].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let (text, line) = Line::from_arguments(&words);
        let command = (first != "help").then(|| name.to_owned());
        Ok(CommandLine { text, line, command, correction: corrected_argument(rest) })
    }

    /// Returns whether this is `help`, with or without a topic.
    pub(super) fn is_help(&self) -> bool {
        matches!(self.line, Ok(Line::Dot(_)))
    }
}

/// Returns whether a word is a request written as JSON, pasted with or without its arrow.
fn is_json_request(word: &str) -> bool {
    let word = word.trim_start();
    word.strip_prefix("->").unwrap_or(word).trim_start().starts_with('{')
}

/// Returns whether a command can have this name. Words that begin other kinds of lines are not names.
fn is_command_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Returns an argument in the form `KEY=VALUE`. `--KEY=VALUE` means the same, and a bare `--KEY` sets the key to true.
pub(super) fn without_dashes(word: &str) -> String {
    match word.strip_prefix("--") {
        None | Some("") => word.to_owned(),
        Some(argument) if argument.contains('=') => argument.to_owned(),
        Some(key) => format!("{key}=true"),
    }
}

/// Returns the first word that is not an argument together with the `--KEY` before it, in the form `--KEY=VALUE`.
fn corrected_argument(words: &[&str]) -> Option<String> {
    let value = words.iter().position(|word| !word.contains('=') && !word.starts_with(['-', '{']))?;
    let key = words.get(value.checked_sub(1)?)?;
    (key.starts_with("--") && !key.contains('=')).then(|| format!("{key}={}", words[value]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<CommandLine, String> {
        CommandLine::parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn takes_arguments_with_and_without_dashes() {
        for (words, text) in [
            (vec!["query-status"], "query-status"),
            (vec!["eject", "--device=cd", "--force"], "eject device=cd force=true"),
            (vec!["eject", "device=cd", "force=on"], "eject device=cd force=on"),
            (vec!["c", "--x=a b", "--y={\"a\": [1, 2]}", "--e="], "c x='a b' y={\"a\": [1, 2]} e="),
            (vec!["c", "{\"a\": 1}", "--b=1"], "c {\"a\": 1} b=1"),
            (vec!["c", "--a=b=c", "--", "-v"], "c a=b=c -- -v"),
            (vec!["exec-oob", "yank", "instances=[]"], "exec-oob yank instances=[]"),
            (vec!["help", "apropos", "a b"], "help apropos 'a b'"),
            (vec!["{\"execute\": \"stop\"}"], "{\"execute\": \"stop\"}"),
            (vec!["-> {\"execute\": \"stop\"}"], "-> {\"execute\": \"stop\"}"),
        ] {
            assert_eq!(parse(&words).unwrap().text, text);
        }
        assert_eq!(parse(&["exec-oob", "yank"]).unwrap().command.as_deref(), Some("yank"));
        let help = parse(&["help"]).unwrap();
        assert!(help.is_help() && help.command.is_none());
        assert_eq!(parse(&["eject", "--id", "cd0"]).unwrap().correction.as_deref(), Some("--id=cd0"));
        let json = parse(&["{\"execute\": \"stop\"}"]).unwrap();
        assert!(matches!(json.line, Ok(Line::Json(_))) && json.command.is_none());
    }

    #[test]
    fn rejects_words_that_are_not_a_command() {
        for (words, message) in [
            (vec![], "missing COMMAND; try `qmp help` or `qmp --help`"),
            (vec![".wait"], "`.wait` is not a command name"),
            (vec!["!ls"], "`!ls` is not a command name"),
            (vec!["#"], "`#` is not a command name"),
            (vec![""], "`` is not a command name"),
            (vec!["a=1"], "`a=1` is not a command name"),
            (vec!["transaction(", "abort", ")"], "`transaction(` is not a command name"),
            (vec!["b.sock/", "stop"], "`b.sock/` is not a command name; quote a pattern of servers: --path '*.sock'"),
            (vec!["exec-oob"], "missing COMMAND after `exec-oob`"),
            (
                vec!["{\"execute\":", "\"stop\"}"],
                "unexpected word `\"stop\"}` after the JSON request; quote the request",
            ),
        ] {
            assert_eq!(parse(&words), Err(message.to_owned()));
        }
        // A transaction needs several lines.
        assert!(parse(&["transaction", "(", ")"]).unwrap().line.is_err());
    }
}
