//! Help on the commands, and the lines that were entered.

use super::super::command::{Command, Coverage, Invocation};
use super::super::parameter::{rest_of_line, text};
use super::super::server::Failure;
use super::super::words::{parse_word, skip_space};
use super::text_replies::{help_of_server, subcommands_of_server};
use super::{INFO_PREFIX, commands, info_commands, named};

const INFO: &str = INFO_PREFIX.trim_ascii_end();

/// The maximum number of words after `help`.
const MAX_HELP_WORDS: usize = 16;

/// The maximum number of lines that `info history` lists, as in QEMU's own monitor.
const MAX_HISTORY_LINES: usize = 64;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("help", &[rest_of_line("command").optional()], "explain the commands, or one of them", help)
        .aliases(&["?"]),
    Command::new("info", &[text("subcommand").optional()], "show the state of a part of the machine", |call| {
        Ok(list_of_info(call))
    }),
    Command::new("info history", &[], "the latest lines that were entered", info_history),
];

fn help(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let Some(words) = parse_words(call.arguments.text("command")) else { return Ok(String::new()) };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (name, command) = match words.as_slice() {
        [] => return Ok(list(commands())),
        [INFO] => return Ok(list_of_info(call)),
        [INFO, subcommand, ..] => {
            let name = format!("{INFO} {subcommand}");
            let command = named(&name);
            (name, command)
        }
        [name, ..] => (name.to_string(), named(name).filter(|command| !command.name.starts_with(INFO_PREFIX))),
    };
    let text = command.map(explain).or_else(|| {
        let subcommand = name.strip_prefix(INFO_PREFIX)?;
        help_of_server(&*call.server.schema()?, subcommand)
    });
    text.ok_or_else(|| Failure::line(format!("unknown command: '{name}'")))
}

/// Splits a text into words. `None` if a quote in it does not end, or if there are more words than
/// [`MAX_HELP_WORDS`]; QEMU's own monitor then prints nothing.
fn parse_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = skip_space(text);
    while !rest.is_empty() {
        let (word, after) = parse_word(rest)?;
        words.push(word);
        rest = skip_space(after);
    }
    (words.len() <= MAX_HELP_WORDS).then_some(words)
}

/// Returns the usage and the summary of each command, in a line.
fn list(commands: impl Iterator<Item = &'static Command>) -> String {
    commands.map(entry).collect()
}

/// Returns the subcommands of `info`, and those that only this server has.
fn list_of_info(call: &mut Invocation<'_>) -> String {
    let mut text = list(info_commands());
    if let Some(schema) = call.server.schema() {
        let others = subcommands_of_server(&schema).filter(|name| named(&format!("{INFO_PREFIX}{name}")).is_none());
        text.extend(others.filter_map(|name| help_of_server(&schema, name)));
    }
    text
}

fn entry(command: &Command) -> String {
    let mark = match command.coverage {
        Coverage::Unavailable(_) => " (not available over QMP)",
        Coverage::Full | Coverage::Partial(_) => "",
    };
    format!("{} -- {}{mark}\n", command.usage(), command.summary)
}

/// Returns the usage and the summary of a command, and what QMP cannot serve of it.
fn explain(command: &Command) -> String {
    match command.coverage {
        Coverage::Full => entry(command),
        Coverage::Partial(sentence) | Coverage::Unavailable(sentence) => format!("{}{sentence}\n", entry(command)),
    }
}

fn info_history(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let lines = call.server.history();
    let latest = &lines[lines.len().saturating_sub(MAX_HISTORY_LINES)..];
    Ok(latest.iter().enumerate().map(|(index, line)| format!("{index}: '{line}'\n")).collect())
}
