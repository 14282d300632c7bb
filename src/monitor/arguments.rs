//! The arguments in a line, parsed as QEMU's own monitor does.

use crate::schema::Schema;

use super::expression::{Registers, evaluate};
use super::options::OptionList;
use super::parameter::{Parameter, ParameterKind};
use super::server::Failure;
use super::size::parse_size;
use super::state::ValueFormat;
use super::words::{is_space, parse_word, shown_char, skip_space, split_before};

/// The arguments of a command, by the names of their parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arguments {
    declared: &'static [Parameter],
    values: Vec<(&'static str, Argument)>,
}

/// The value of an argument.
#[derive(Debug, Clone, PartialEq)]
enum Argument {
    Text(String),
    Integer(i64),
    Switch(bool),
    Format(ValueFormat),
}

impl Arguments {
    fn get(&self, name: &str) -> Option<&Argument> {
        debug_assert!(self.declared.iter().any(|parameter| parameter.name == name), "undeclared parameter `{name}`");
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

    /// Returns the form in which values are shown: of this line, or else of the last one that had a form.
    pub(crate) fn format(&self, name: &str) -> ValueFormat {
        match self.get(name) {
            Some(Argument::Format(format)) => *format,
            _ => ValueFormat::default(),
        }
    }
}

/// The things that arguments refer to besides the line.
pub(super) struct Surroundings<'a> {
    pub(super) registers: &'a mut Registers<'a>,
    /// The form in which values were last shown.
    pub(super) format: &'a mut ValueFormat,
    /// The introspection of the server, if it matters for the command.
    pub(super) schema: Option<&'a Schema>,
}

/// Parses the arguments in `text`. `command` is the name of the command in messages.
pub(super) fn parse_arguments(
    command: &str,
    declared: &'static [Parameter],
    text: &str,
    surroundings: &mut Surroundings<'_>,
) -> Result<Arguments, Failure> {
    let is_known = |parameter: &&Parameter| surroundings.schema.is_none_or(|schema| parameter.is_known_to(schema));
    let parameters: Vec<Parameter> = declared.iter().filter(is_known).copied().collect();
    let mut arguments = Arguments { declared, values: Vec::new() };
    let mut rest = skip_space(text);
    for (index, parameter) in parameters.iter().enumerate() {
        let mut argument = ArgumentParser { command, parameter, later: &parameters[index + 1..], rest };
        let value = argument.parse(surroundings)?;
        rest = skip_space(argument.rest);
        arguments.values.extend(value.map(|value| (parameter.name, value)));
    }
    match rest {
        "" => Ok(arguments),
        _ => Err(Failure::line(format!("{command}: extraneous characters at the end of line"))),
    }
}

/// Returns the parameters that may still follow the arguments in `text`, the beginning of a line. `None` if an argument is
/// wrong.
pub(super) fn missing_parameters(parameters: &'static [Parameter], text: &str) -> Option<&'static [Parameter]> {
    let mut surroundings =
        Surroundings { registers: &mut |_| Ok(0), format: &mut ValueFormat::default(), schema: None };
    let mut rest = skip_space(text);
    for (index, parameter) in parameters.iter().enumerate() {
        if rest.is_empty() {
            return Some(&parameters[index..]);
        }
        let mut argument = ArgumentParser { command: "", parameter, later: &parameters[index + 1..], rest };
        argument.parse(&mut surroundings).ok()?;
        rest = skip_space(argument.rest);
    }
    rest.is_empty().then_some(&[])
}

/// One argument while it is parsed.
struct ArgumentParser<'a> {
    command: &'a str,
    parameter: &'a Parameter,
    /// The parameters after this one.
    later: &'a [Parameter],
    /// The line from the argument on, and after parsing from its end on.
    rest: &'a str,
}

impl ArgumentParser<'_> {
    /// Parses the argument. `None` if it was left out.
    fn parse(&mut self, surroundings: &mut Surroundings<'_>) -> Result<Option<Argument>, Failure> {
        let kind = self.parameter.kind;
        let is_attached =
            matches!(kind, ParameterKind::Flag(_) | ParameterKind::FlagWithText(_) | ParameterKind::Format);
        if self.parameter.is_optional && self.rest.is_empty() && !is_attached {
            return Ok(None);
        }
        Ok(match kind {
            ParameterKind::Text => Some(self.text("string")?),
            ParameterKind::FileName => Some(self.text("filename")?),
            ParameterKind::BlockDevice => Some(self.text("block device name")?),
            ParameterKind::RestOfLine => Some(self.rest_of_line()?),
            ParameterKind::Options => Some(self.options()?),
            ParameterKind::Integer => Some(self.integer(surroundings)?),
            ParameterKind::Index => match self.rest.strip_prefix('.') {
                Some(rest) => {
                    self.rest = rest;
                    Some(self.integer(surroundings)?)
                }
                None => None,
            },
            ParameterKind::LongInteger => Some(Argument::Integer(self.expression(surroundings)?)),
            ParameterKind::Mebibytes => Some(self.mebibytes(surroundings)?),
            ParameterKind::Size => {
                let (size, rest) = parse_size(self.rest).ok_or_else(|| Failure::line("invalid size"))?;
                self.rest = rest;
                Some(Argument::Integer(size))
            }
            ParameterKind::Switch => Some(self.switch()?),
            ParameterKind::Flag(letter) => self.flag(letter)?.then_some(Argument::Switch(true)),
            ParameterKind::FlagWithText(letter) => match self.flag(letter)? {
                true => Some(self.flag_value(letter)?),
                false => None,
            },
            ParameterKind::Format => Some(self.format(surroundings.format)?),
        })
    }

    /// Returns a message that names the command.
    fn failure(&self, message: String) -> Failure {
        Failure::line(format!("{}: {message}", self.command))
    }

    fn word(&mut self) -> Option<Argument> {
        let (word, rest) = parse_word(self.rest)?;
        self.rest = rest;
        Some(Argument::Text(word))
    }

    fn text(&mut self, expected: &str) -> Result<Argument, Failure> {
        self.word().ok_or_else(|| self.failure(format!("{expected} expected")))
    }

    fn rest_of_line(&mut self) -> Result<Argument, Failure> {
        match std::mem::take(&mut self.rest) {
            "" => Err(self.failure("string expected".to_owned())),
            text => Ok(Argument::Text(text.to_owned())),
        }
    }

    /// Parses options as one word. Only their `id` is checked here; QEMU reports a wrong one elsewhere.
    fn options(&mut self) -> Result<Argument, Failure> {
        if self.rest.is_empty() {
            return Ok(Argument::Text(String::new()));
        }
        match self.word() {
            Some(Argument::Text(options)) if OptionList::parse(&options, "").has_valid_id() => {
                Ok(Argument::Text(options))
            }
            _ => Err(Failure::Text(String::new())),
        }
    }

    fn expression(&mut self, surroundings: &mut Surroundings<'_>) -> Result<i64, Failure> {
        let (value, rest) = evaluate(self.rest, surroundings.registers)?;
        self.rest = rest;
        Ok(value)
    }

    fn integer(&mut self, surroundings: &mut Surroundings<'_>) -> Result<Argument, Failure> {
        let value = self.expression(surroundings)?;
        match u32::try_from(value) {
            Ok(value) => Ok(Argument::Integer(value.into())),
            Err(_) => Err(Failure::line(format!("'{}' has failed: integer is for 32-bit values", self.command))),
        }
    }

    fn mebibytes(&mut self, surroundings: &mut Surroundings<'_>) -> Result<Argument, Failure> {
        let value = self.expression(surroundings)?;
        match value < 0 {
            true => Err(Failure::line("enter a positive value")),
            false => Ok(Argument::Integer(value << 20)),
        }
    }

    fn switch(&mut self) -> Result<Argument, Failure> {
        let (word, rest) = split_before(self.rest, is_space);
        self.rest = rest;
        match word {
            "on" => Ok(Argument::Switch(true)),
            "off" => Ok(Argument::Switch(false)),
            _ => Err(Failure::line("Expected 'on' or 'off'")),
        }
    }

    /// Skips this flag, and returns whether it was there.
    fn flag(&mut self, letter: char) -> Result<bool, Failure> {
        let Some(after) = self.rest.strip_prefix('-') else { return Ok(false) };
        let found = after.chars().next();
        if found == Some(letter) {
            self.rest = &after[letter.len_utf8()..];
            return Ok(true);
        }
        match found {
            _ if self.is_declared_later(found) => Ok(false),
            Some(found) => Err(self.failure(format!("unsupported option -{}", shown_char(found)))),
            // QEMU takes the end of the line for a letter, and its message then ends without a line end.
            None => Err(Failure::Text(format!("{}: unsupported option -", self.command))),
        }
    }

    /// Returns whether a later parameter is the flag `letter`, or any flag for `None`. QEMU searches for `-` and the
    /// letter in their declarations, so a name such as `read-only-mode` counts too.
    fn is_declared_later(&self, letter: Option<char>) -> bool {
        let searched: String = ['-'].into_iter().chain(letter).collect();
        self.later.iter().any(|parameter| {
            let flag = parameter.kind.flag();
            parameter.name.contains(&searched) || flag.is_some() && (letter.is_none() || flag == letter)
        })
    }

    fn flag_value(&mut self, letter: char) -> Result<Argument, Failure> {
        self.word().ok_or_else(|| self.failure(format!("value expected for -{letter}")))
    }

    /// Parses `/` with a count, a format and a size, and keeps the latter two for lines without them.
    fn format(&mut self, last: &mut ValueFormat) -> Result<Argument, Failure> {
        let Some(after) = self.rest.strip_prefix('/') else { return Ok(Argument::Format(*last)) };
        let (word, rest) = split_before(after, is_space);
        let (digits, letters) = split_before(word, |c| !c.is_ascii_digit());
        let mut format = *last;
        if !digits.is_empty() {
            let count =
                digits.bytes().fold(0_i32, |count, digit| count.wrapping_mul(10).wrapping_add(i32::from(digit - b'0')));
            format.count = u32::try_from(count).unwrap_or(0);
        }
        for c in letters.chars() {
            match c {
                'o' | 'd' | 'u' | 'x' | 'i' | 'c' => format.letter = c,
                'b' => format.size = 1,
                'h' => format.size = 2,
                'w' => format.size = 4,
                'g' => format.size = 8,
                _ => return Err(Failure::line(format!("invalid char in format: '{}'", shown_char(c)))),
            }
        }
        // Instructions have no size.
        if format.letter == 'i' {
            format.size = last.size;
        }
        self.rest = rest;
        *last = ValueFormat { count: 1, ..format };
        Ok(Argument::Format(format))
    }
}

#[cfg(test)]
mod tests {
    use super::super::parameter::{
        block_device, file_name, flag, flag_with_text, format, index, integer, long_integer, mebibytes, options,
        rest_of_line, size, switch, text,
    };
    use super::*;

    const DRIVE: &[Parameter] = &[
        flag('n', "reuse"),
        flag('f', "full"),
        block_device("device"),
        text("target"),
        switch("read-only").optional(),
    ];
    const SCREEN: &[Parameter] =
        &[file_name("file"), flag_with_text('d', "display"), text("kind").optional(), integer("head").optional()];
    const NUMBERS: &[Parameter] = &[mebibytes("target"), size("size"), long_integer("address")];
    const PORT: &[Parameter] = &[format("format"), integer("port"), index("index")];
    const OPTIONS: &[Parameter] = &[options("options")];
    const REST: &[Parameter] = &[rest_of_line("json")];

    /// Parses the arguments of a command `c`, with `format` as the last form of values.
    fn parse_with(parameters: &'static [Parameter], text: &str, format: &mut ValueFormat) -> Result<String, String> {
        let mut registers = |_: &str| Err(Failure::line("unknown register"));
        let mut surroundings = Surroundings { registers: &mut registers, format, schema: None };
        let arguments = parse_arguments("c", parameters, text, &mut surroundings).map_err(|failure| failure.text())?;
        let shown = arguments.values.iter().map(|(name, value)| match value {
            Argument::Text(text) => format!("{name}={text}"),
            Argument::Integer(value) => format!("{name}={value}"),
            Argument::Switch(on) => format!("{name}={on}"),
            Argument::Format(ValueFormat { count, letter, size }) => format!("{name}={count}{letter}{size}"),
        });
        Ok(shown.collect::<Vec<_>>().join("|"))
    }

    fn parse(parameters: &'static [Parameter], text: &str) -> Result<String, String> {
        parse_with(parameters, text, &mut ValueFormat::default())
    }

    #[test]
    fn arguments_have_the_names_of_their_parameters() {
        for (parameters, text, arguments) in [
            (DRIVE, " a b", "device=a|target=b"),
            (DRIVE, " -n -f a b off", "reuse=true|full=true|device=a|target=b|read-only=false"),
            (DRIVE, " -nf a", "reuse=true|device=f|target=a"),
            (DRIVE, " -f -n b", "full=true|device=-n|target=b"),
            (DRIVE, "/a \"b c\"", "device=/a|target=b c"),
            (SCREEN, " a", "file=a"),
            (SCREEN, " a -dx k 1+1", "file=a|display=x|kind=k|head=2"),
            (NUMBERS, " 1+1 1.5k -1", "target=2097152|size=1536|address=-1"),
            (PORT, " /2xb 1.2", "format=2x1|port=1|index=2"),
            (PORT, " 4294967295", "format=1x4|port=4294967295"),
            (OPTIONS, "", "options="),
            (OPTIONS, " \"a,id=b_1,id=,c=d e\"", "options=a,id=b_1,id=,c=d e"),
            (REST, "  a \"b ", "json=a \"b "),
        ] {
            assert_eq!(parse(parameters, text), Ok(arguments.to_owned()), "{text}");
        }
    }

    #[test]
    fn errors_are_those_of_qemus_own_monitor() {
        for (parameters, text, error) in [
            (DRIVE, "", "c: block device name expected\n"),
            (DRIVE, " a \"b", "c: string expected\n"),
            (DRIVE, " a b on c", "c: extraneous characters at the end of line\n"),
            (DRIVE, " a b yes", "Expected 'on' or 'off'\n"),
            (DRIVE, " -z", "c: unsupported option -z\n"),
            (DRIVE, " -n -n", "c: unsupported option -n\n"),
            (DRIVE, " -n -é", "c: unsupported option -\u{fffd}\n"),
            (SCREEN, "", "c: filename expected\n"),
            (SCREEN, " a -d", "c: value expected for -d\n"),
            (SCREEN, " a -", "c: unsupported option -"),
            (SCREEN, " a b -1", "'c' has failed: integer is for 32-bit values\n"),
            (NUMBERS, " -1", "enter a positive value\n"),
            (NUMBERS, " 1 x", "invalid size\n"),
            (NUMBERS, " 1 1", "unexpected end of expression\n"),
            (NUMBERS, " $nosuch", "unknown register\n"),
            (PORT, "/xs 1", "invalid char in format: 's'\n"),
            (OPTIONS, " a,id=1", ""),
            (OPTIONS, " a,id=b,,c", ""),
            (OPTIONS, " \"a", ""),
            (REST, "  ", "c: string expected\n"),
        ] {
            assert_eq!(parse(parameters, text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn knows_the_parameters_that_may_still_follow() {
        for (parameters, text, missing) in [
            (DRIVE, "", "[-n] [-f] device target [on|off]"),
            (DRIVE, " -n", "[-f] device target [on|off]"),
            (DRIVE, " -f", "device target [on|off]"),
            (DRIVE, " a \"b\" ", "[on|off]"),
            (DRIVE, " a b on", ""),
            (SCREEN, " a -d b", "[kind] [head]"),
            (NUMBERS, " 1+$ax", "size address"),
            (PORT, "/x", "port [.index]"),
        ] {
            let usages = missing_parameters(parameters, text).unwrap().iter().map(Parameter::usage);
            assert_eq!(usages.collect::<Vec<_>>().join(" "), missing, "{text}");
        }
        for (parameters, text) in [(DRIVE, " \"a"), (DRIVE, " a b on c"), (DRIVE, " -z"), (NUMBERS, " 1+")] {
            assert_eq!(missing_parameters(parameters, text), None, "{text}");
        }
    }

    #[test]
    fn the_last_format_and_size_are_kept() {
        let mut format = ValueFormat::default();
        for (text, shown) in [
            ("1", "1x4"),
            ("/3db 1", "3d1"),
            ("1", "1d1"),
            ("/i 1", "1i1"),
            ("/h 1", "1i1"),
            ("/x 1", "1x1"),
            ("/0g 1", "0x8"),
            ("/ 1", "1x8"),
        ] {
            assert_eq!(parse_with(PORT, text, &mut format), Ok(format!("format={shown}|port=1")), "{text}");
        }
        assert!(parse_with(PORT, "/bq 1", &mut format).is_err());
        assert_eq!(format.size, 8);
        assert!(parse_with(PORT, "/b z", &mut format).is_err());
        assert_eq!(format.size, 1);
    }
}
