//! The one table of commands: name, arguments, return type, handler. Dispatch, the check of arguments,
//! `query-commands` and introspection all read it.
//!
//! The table is in parts, one file a topic. Handlers see arguments that have passed the check.

mod about;
mod bitmap;
mod block;
mod block_types;
mod device;
mod job;
mod object;
mod qom;
mod run;
mod schema_types;

use serde_json::{Map, Value};

use super::args::Args;
use super::check;
use super::failure::{Class, Failure, Outcome};
use super::machine::Machine;
use super::types::{EMPTY, Object, Type};

pub use object::OBJECT_OPTIONS;

/// One command.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub args: &'static Object,
    /// What it returns.
    pub returns: Type,
    /// Whether it may run out-of-band.
    pub oob: bool,
    /// Features, such as `deprecated`.
    pub features: &'static [&'static str],
    /// What it does.
    run: Handler,
}

type Handler = fn(&mut Machine, Args<'_>) -> Outcome;

/// What a command without a result is declared to return.
const NOTHING: Type = Type::Object(&EMPTY);

const fn command(name: &'static str, args: &'static Object, returns: Type, run: Handler) -> Command {
    Command { name, args, returns, oob: false, features: &[], run }
}

static PARTS: &[&[Command]] = &[
    run::COMMANDS,
    about::COMMANDS,
    block::COMMANDS,
    bitmap::COMMANDS,
    job::COMMANDS,
    device::COMMANDS,
    object::COMMANDS,
    qom::COMMANDS,
];

/// All commands.
pub fn all() -> impl Iterator<Item = &'static Command> {
    PARTS.iter().flat_map(|part| part.iter())
}

/// The command of this name.
pub fn find(name: &str) -> Result<&'static Command, Failure> {
    let unknown = || Failure::of(Class::CommandNotFound, format!("the demo machine has no command '{name}'"));
    all().find(|command| command.name == name).ok_or_else(unknown)
}

impl Command {
    /// Checks the arguments and runs the command.
    pub fn execute(&self, machine: &mut Machine, arguments: &Map<String, Value>) -> Outcome {
        check::arguments(self.args, arguments)?;
        (self.run)(machine, Args(arguments))
    }
}

/// The result of a command that returns nothing.
fn nothing() -> Outcome {
    Ok(Value::Object(Map::new()))
}

#[cfg(test)]
pub mod testing {
    //! What the tests of all handlers need: a command by name, its result held against its declaration.

    use serde_json::Value;

    use crate::demo::check;
    use crate::demo::machine::Machine;

    /// Runs a command on arguments given as a JSON object; a failure becomes its description.
    pub fn run(machine: &mut Machine, name: &str, arguments: Value) -> Result<Value, String> {
        let command = super::find(name).map_err(|failure| failure.desc)?;
        let outcome = command.execute(machine, arguments.as_object().unwrap());
        if let Ok(value) = &outcome {
            assert_eq!(check::value(command.returns, value, "return"), Ok(()), "{name} returned {value}");
        }
        outcome.map_err(|failure| failure.desc)
    }

    /// Takes the machine's events, each held against its declaration, as name and data.
    pub fn events(machine: &mut Machine) -> Vec<(&'static str, Value)> {
        let checked = machine.take_events().into_iter().map(|event| {
            let data = event.data.unwrap_or_else(|| serde_json::json!({}));
            let declared = super::Type::Object(event.kind.data);
            assert_eq!(check::value(declared, &data, event.kind.name), Ok(()));
            (event.kind.name, data)
        });
        checked.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::super::machine_config::default_machine;
    use super::testing::run;
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut seen = HashSet::new();
        assert!(all().all(|command| seen.insert(command.name)));
    }

    #[test]
    fn every_query_answers_as_declared() {
        let mut machine = default_machine();
        for command in all().filter(|command| command.name.starts_with("query-")) {
            run(&mut machine, command.name, json!({})).unwrap();
        }
    }

    #[test]
    fn arguments_are_checked_first() {
        let mut machine = default_machine();
        assert_eq!(run(&mut machine, "stop", json!({"x": 1})).unwrap_err(), "argument 'x' is not known here");
        assert!(machine.is_running());
        assert_eq!(find("nope").map(|_| ()).unwrap_err().class, Class::CommandNotFound);
    }
}
