//! The words after the options of `qmp` as a line of `qmp-shell`.
//!
//! The user's own shell has already removed the quotes, so values are taken literally.

use std::ffi::OsString;

use clap::CommandFactory;

use super::args::QmpArgs;
use crate::grammar::{Diagnostic, Line, parse_line};

/// A command with its arguments, a request written as JSON, `help`, or `hmp` with an HMP line.
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
    /// An option of `qmp` among the arguments.
    pub(super) misplaced_option: Option<MisplacedOption>,
}

/// A word after COMMAND that looks like an option of `qmp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MisplacedOption {
    /// The key that it sets, if it is one.
    pub(super) key: Option<String>,
    /// The command line with the option at its place.
    pub(super) corrected: String,
}

impl MisplacedOption {
    /// Finds the first option of `qmp` in the words after COMMAND.
    fn find(command: &str, words: &[&str]) -> Option<MisplacedOption> {
        let program = QmpArgs::command();
        words.iter().enumerate().find_map(|(index, word)| {
            let option = program.get_arguments().find(|option| is_spelling_of(word, option))?;
            let takes_value = option.get_action().takes_values() && !word.contains('=');
            let value = words.get(index + 1).filter(|_| takes_value).map(|value| format!(" {value}"));
            let value = value.unwrap_or_default();
            let key = word.strip_prefix("--").map(|key| key.split('=').next().unwrap_or_default().to_owned());
            Some(MisplacedOption { key, corrected: format!("qmp {word}{value} {command}") })
        })
    }

    /// Returns a hint about its place.
    pub(super) fn hint(&self) -> String {
        format!("options precede COMMAND: `{}`", self.corrected)
    }
}

/// Returns whether a word is an option in its long or short form.
fn is_spelling_of(word: &str, option: &clap::Arg) -> bool {
    match word.strip_prefix("--") {
        Some(long) => long.split('=').next() == option.get_long(),
        None => word.strip_prefix('-').is_some_and(|short| short.chars().eq(option.get_short())),
    }
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
                None => Ok(CommandLine {
                    text: first.to_owned(),
                    line: parse_line(first),
                    command: None,
                    correction: None,
                    misplaced_option: None,
                }),
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
        let is_shell_command = matches!(first, "help" | "hmp");
        if first == "hmp" && rest.is_empty() {
            return Err("missing LINE after `hmp`; try `qmp hmp info status`".to_owned());
        }
        let arguments: Vec<String> = match is_shell_command {
            true => rest.iter().map(|word| (*word).to_owned()).collect(),
            false => rest.iter().map(|word| without_dashes(word)).collect(),
        };
        let words: Vec<&str> = [first].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let (text, line) = Line::from_arguments(&words);
        let command = (!is_shell_command).then(|| name.to_owned());
        let misplaced_option = MisplacedOption::find(name, rest).filter(|_| !is_shell_command);
        Ok(CommandLine { text, line, command, correction: corrected_argument(rest), misplaced_option })
    }

    /// Returns whether this is `help`, with or without a topic.
    pub(super) fn is_help(&self) -> bool {
        matches!(&self.line, Ok(Line::Dot(dot)) if dot.name == "help")
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
    fn finds_options_after_the_command() {
        for (words, expected) in [
            (vec!["stop", "--path", "a.sock"], Some((Some("path"), "qmp --path a.sock stop"))),
            (vec!["stop", "--path=a.sock"], Some((Some("path"), "qmp --path=a.sock stop"))),
            (vec!["qom-list", "--x=1", "-o", "json"], Some((None, "qmp -o json qom-list"))),
            (vec!["stop", "-v", "x"], Some((None, "qmp -v stop"))),
            (vec!["eject", "--device=cd", "-x"], None),
            (vec!["hmp", "migrate", "-v"], None),
        ] {
            let found = parse(&words).unwrap().misplaced_option;
            let found = found.as_ref().map(|option| (option.key.as_deref(), option.corrected.as_str()));
            assert_eq!(found, expected, "{words:?}");
        }
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
            (vec!["hmp"], "missing LINE after `hmp`; try `qmp hmp info status`"),
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
