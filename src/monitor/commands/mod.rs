//! The table of all commands, in files by subject.

mod backends;
mod block;
mod block_info;
mod block_jobs;
mod block_nodes;
mod character_data;
mod chardev;
mod chardev_options;
mod commit;
mod cpus;
mod device;
mod device_details;
mod dirty_rates;
mod disk_snapshots;
mod display;
mod drive_add;
mod drive_options;
mod dump;
mod help;
mod image_info;
mod input;
mod links;
mod machine;
mod media;
mod memory;
mod memory_devices;
mod migration;
mod migration_parameters;
mod migration_status;
mod nbd;
mod netdev;
mod object;
mod pci;
mod qom;
mod qtree;
mod registers;
mod replay;
mod rocker;
mod snapshot_nodes;
mod statistics;
mod text_replies;
mod tracing;
mod translation;
mod unavailable;
mod virtio;
mod vm_snapshots;

use std::sync::LazyLock;

use super::command::Command;
use super::words::{is_space, skip_space, split_before};
use crate::schema::Schema;

pub(super) use text_replies::run_query_of_server;

/// The commands of each subject.
const TABLES: &[&[Command]] = &[
    backends::COMMANDS,
    block::COMMANDS,
    block_info::COMMANDS,
    block_jobs::COMMANDS,
    character_data::COMMANDS,
    chardev::COMMANDS,
    commit::COMMANDS,
    cpus::COMMANDS,
    device::COMMANDS,
    dirty_rates::COMMANDS,
    disk_snapshots::COMMANDS,
    display::COMMANDS,
    drive_add::COMMANDS,
    dump::COMMANDS,
    help::COMMANDS,
    input::COMMANDS,
    links::COMMANDS,
    machine::COMMANDS,
    media::COMMANDS,
    memory::COMMANDS,
    memory_devices::COMMANDS,
    migration::COMMANDS,
    migration_parameters::COMMANDS,
    migration_status::COMMANDS,
    nbd::COMMANDS,
    netdev::COMMANDS,
    object::COMMANDS,
    pci::COMMANDS,
    qom::COMMANDS,
    qtree::COMMANDS,
    registers::COMMANDS,
    replay::COMMANDS,
    rocker::COMMANDS,
    statistics::COMMANDS,
    text_replies::COMMANDS,
    tracing::COMMANDS,
    translation::COMMANDS,
    unavailable::COMMANDS,
    virtio::COMMANDS,
    vm_snapshots::COMMANDS,
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

/// Names with their summaries.
type Summaries = Vec<(String, &'static str)>;

/// Returns the names of the commands and of the subcommands of `info` that the server can have, sorted, with their
/// summaries.
pub(crate) fn command_names(schema: Option<&Schema>) -> (Summaries, Summaries) {
    let can_have = |command: &&Command| {
        let has = |name| schema.is_none_or(|schema| schema.command(name).is_some());
        command.counterpart.is_none_or(has)
    };
    let names = |command: &'static Command| {
        let all = [command.name].into_iter().chain(command.aliases.iter().copied());
        all.map(|name| (name.trim_start_matches(INFO_PREFIX).to_owned(), command.summary))
    };
    let mut subcommands: Vec<_> = info_commands().filter(can_have).flat_map(names).collect();
    for name in schema.into_iter().flat_map(text_replies::subcommands_of_server) {
        if subcommands.iter().all(|(known, _)| known != name) {
            subcommands.push((name.to_owned(), text_replies::SERVER_SUMMARY));
        }
    }
    let mut commands: Vec<_> = commands().filter(can_have).flat_map(names).collect();
    commands.sort();
    subcommands.sort();
    (commands, subcommands)
}

/// Finds the command that a line calls. Returns it, unless its name is unknown, and the rest of the line after the name.
pub(super) fn find(line: &str) -> (Option<&'static Command>, &str) {
    let (name, rest) = split_name(line);
    let arguments = skip_space(rest);
    if name != INFO_PREFIX.trim_end() || arguments.is_empty() {
        return (named(name), rest);
    }
    if rest.starts_with('/') {
        return (None, rest);
    }
    let (subcommand, rest) = split_name(arguments);
    (named(&format!("{INFO_PREFIX}{subcommand}")), rest)
}

/// Splits a line after its first name, which ends at white space or `/`, as in `x/4xb`.
fn split_name(line: &str) -> (&str, &str) {
    split_before(line, |c| is_space(c) || c == '/')
}

/// Returns the command with a name, such as `stop`, `s` or `info status`.
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
