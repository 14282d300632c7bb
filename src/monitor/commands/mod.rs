//! The table of all commands, in files by subject.

mod block_info;
mod image_info;
mod machine;

use std::sync::LazyLock;

use super::command::Command;

/// The commands of each subject.
const TABLES: &[&[Command]] = &[
    block_info::COMMANDS, //
    machine::COMMANDS,
];

/// The prefix of the names of `info` subcommands.
pub(crate) const INFO_PREFIX: &str = "info ";

/// All commands, by name.
static ALL: LazyLock<Vec<&'static Command>> = LazyLock::new(|| {
    let mut all: Vec<&Command> = TABLES.iter().copied().flatten().collect();
    all.sort_by_key(|command| command.name);
    all
});

/// Returns the commands, by name, without the subcommands of `info`.
pub(crate) fn commands() -> impl Iterator<Item = &'static Command> {
    ALL.iter().copied().filter(|command| !command.name.starts_with(INFO_PREFIX))
}

/// Returns the subcommands of `info`, by name.
pub(crate) fn info_commands() -> impl Iterator<Item = &'static Command> {
    ALL.iter().copied().filter(|command| command.name.starts_with(INFO_PREFIX))
}

/// Finds the command that a line calls. Returns it and the rest of the line, or else the name that is unknown.
pub(super) fn find(line: &str) -> Result<(&'static Command, &str), String> {
    let (name, rest) = split_name(line);
    if name == INFO_PREFIX.trim_end() {
        let (subcommand, rest) = split_name(rest.trim_start());
        let full = format!("{INFO_PREFIX}{subcommand}");
        return named(&full).map(|command| (command, rest)).ok_or(full);
    }
    named(name).map(|command| (command, rest)).ok_or_else(|| name.to_owned())
}

/// Splits a line after its first name, which ends at white space or `/`, as in `x/4xb`.
fn split_name(line: &str) -> (&str, &str) {
    let end = line.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(line.len());
    line.split_at(end)
}

fn named(name: &str) -> Option<&'static Command> {
    ALL.iter().copied().find(|command| command.name == name || command.aliases.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_summaries_are_short() {
        let mut names: Vec<&str> = ALL.iter().flat_map(|command| [&[command.name], command.aliases].concat()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
        for command in ALL.iter() {
            assert!(command.summary.len() <= 72 && !command.summary.ends_with('.'), "{}", command.name);
        }
    }
}
