//! A line of the monitor: the command that it calls, and the arguments.

use super::arguments::{Surroundings, missing_parameters, parse_arguments};
use super::command::{Command, Coverage, Invocation};
use super::commands::{INFO_PREFIX, find, run_query_of_server};
use super::memory::register_value;
use super::parameter::Parameter;
use super::server::{Failure, QmpServer};
use super::state::MonitorState;
use super::words::skip_space;

/// Executes a line, and returns the text that it prints.
pub(crate) fn run_line(line: &str, server: &mut dyn QmpServer, state: &mut MonitorState) -> Result<String, Failure> {
    let start = skip_space(line);
    if start.is_empty() {
        return Ok(String::new());
    }
    let (command, rest) = find(start);
    let called = &line[..line.len() - rest.len()];
    let command = command.filter(|command| command.counterpart.is_none_or(|name| server.has_command(name)));
    if let Some(result) = run_text_query(command, called, rest, server) {
        return result;
    }
    let command = command.ok_or_else(|| Failure::line(format!("unknown command: '{called}'")))?;
    let names = command.all_names();
    let is_mirrored = command.parameters.iter().any(|parameter| parameter.mirrors.is_some());
    let schema = if is_mirrored { server.schema() } else { None };
    let mut format = state.format;
    let mut registers = |name: &str| register_value(server, state, name);
    let mut surroundings = Surroundings { registers: &mut registers, format: &mut format, schema: schema.as_deref() };
    let arguments = parse_arguments(names.trim_start_matches(INFO_PREFIX), command.parameters, rest, &mut surroundings);
    // A form is kept even if a later argument is wrong.
    state.format = format;
    let arguments = arguments.map_err(|failure| with_advice(failure, called))?;
    if let Coverage::Unavailable(reason) = command.coverage {
        return Err(Failure::error(reason));
    }
    (command.run)(&mut Invocation { command, arguments, server, state })
}

/// Returns the arguments that may still follow the beginning of a line, as help shows them. `None` if the line calls no
/// command, or if its arguments are wrong.
pub(crate) fn missing_arguments(line: &str) -> Option<Vec<String>> {
    let (command, rest) = find(skip_space(line));
    Some(missing_parameters(command?.parameters, rest)?.iter().map(Parameter::usage).collect())
}

/// Runs a subcommand of `info` that is not in the table, or that not every server can have, if this server has a query
/// for it whose reply is a text. `None` if it has none.
fn run_text_query(
    command: Option<&Command>,
    called: &str,
    arguments: &str,
    server: &mut dyn QmpServer,
) -> Option<Result<String, Failure>> {
    if command.is_some_and(|command| !matches!(command.coverage, Coverage::Unavailable(_))) {
        return None;
    }
    let mut names = called.split_ascii_whitespace();
    match (names.next(), names.next()) {
        (Some(name), Some(subcommand)) if name == INFO_PREFIX.trim_end() => {
            run_query_of_server(subcommand, arguments, server)
        }
        _ => None,
    }
}

/// Adds to a report of wrong arguments where help is. `called` is the line up to the name of its command.
fn with_advice(failure: Failure, called: &str) -> Failure {
    match failure {
        Failure::Text(text) => Failure::line(format!("{text}Try \"help {called}\" for more information")),
        failure => failure,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::commands::{commands, info_commands};
    use super::*;

    #[test]
    fn knows_the_arguments_that_may_still_follow() {
        for (line, missing) in [
            ("info", "[subcommand]"),
            ("  info  block -n", "[-v] [device]"),
            ("block_resize d", "size"),
            ("block_resize d 1k ", ""),
        ] {
            assert_eq!(missing_arguments(line).unwrap().join(" "), missing, "{line}");
        }
        for line in ["", "inf", "nosuch a", "info nosuch", "block_resize d 1k x"] {
            assert_eq!(missing_arguments(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_parsed_without_panic(
            command in prop::sample::select(commands().chain(info_commands()).collect::<Vec<_>>()),
            arguments in r#"([ /\t]?(-?[a-zA-Z]?|["'\\]|[0-9.xkE]{0,24}|[()*/%+~^|&$-]{0,4}|\PC{0,3})){0,8}"#,
        ) {
            missing_arguments(&format!("{}{arguments}", command.name));
            missing_arguments(&arguments);
        }
    }
}
