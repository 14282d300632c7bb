//! The arguments in a line, parsed as QEMU's own monitor does.

use super::command::Command;
use super::commands::find;
use super::expression::evaluate;
use super::parameter::{Parameter, ParameterKind};
use super::server::Failure;

/// The arguments of a command, by the names of their parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Arguments {
    values: Vec<(&'static str, Argument)>,
}

/// The value of an argument.
#[derive(Debug, Clone, PartialEq)]
enum Argument {
    Text(String),
    Integer(i64),
    Switch(bool),
}

impl Arguments {
    fn get(&self, name: &str) -> Option<&Argument> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns a text argument, or an empty text if it was left out.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.optional_text(name).unwrap_or_default()
    }

    /// Returns a text argument, unless it was left out.
    pub(crate) fn optional_text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Argument::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns an integer argument or a size in bytes, or 0 if it was left out.
    pub(crate) fn integer(&self, name: &str) -> i64 {
        self.optional_integer(name).unwrap_or_default()
    }

    /// Returns an integer argument or a size in bytes, unless it was left out.
    pub(crate) fn optional_integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Argument::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns whether a flag was given, or a switch is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.optional_switch(name).unwrap_or_default()
    }

    /// Returns whether a switch is on, unless it was left out.
    pub(crate) fn optional_switch(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Argument::Switch(on) => Some(*on),
            _ => None,
        }
    }
}

/// Parses a line. `None` for a blank one.
pub(super) fn parse_line(line: &str) -> Result<Option<(&'static Command, Arguments)>, Failure> {
    let line = line.trim_start();
    if line.is_empty() {
        return Ok(None);
    }
    let (command, rest) = find(line).map_err(|name| Failure::line(format!("unknown command: '{name}'")))?;
    let mut arguments = Arguments::default();
    let mut rest = rest.trim_start();
    for parameter in command.parameters {
        let (value, after) = parse_argument(parameter, rest)?;
        rest = after.trim_start();
        arguments.values.extend(value.map(|value| (parameter.name, value)));
    }
    if !rest.is_empty() {
        return Err(Failure::line(format!("{}: extraneous characters at the end of line", command.name)));
    }
    Ok(Some((command, arguments)))
}

fn parse_argument<'a>(parameter: &Parameter, text: &'a str) -> Result<(Option<Argument>, &'a str), Failure> {
    if text.is_empty() {
        return Ok((None, text));
    }
    let word_end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(word_end);
    Ok(match parameter.kind {
        ParameterKind::Flag(letter) => match word.strip_prefix('-') {
            Some(flag) if flag.chars().eq([letter]) => (Some(Argument::Switch(true)), rest),
            _ => (None, text),
        },
        ParameterKind::FlagWithText(_) | ParameterKind::Format => (None, text),
        ParameterKind::Switch => (Some(Argument::Switch(word == "on")), rest),
        ParameterKind::RestOfLine => (Some(Argument::Text(text.to_owned())), ""),
        ParameterKind::Integer | ParameterKind::LongInteger => {
            let (value, rest) = evaluate(text)?;
            (Some(Argument::Integer(value)), rest)
        }
        ParameterKind::Mebibytes | ParameterKind::Size => {
            let (value, rest) = evaluate(text)?;
            (Some(Argument::Integer(value << 20)), rest)
        }
        _ => (Some(Argument::Text(word.to_owned())), rest),
    })
}
