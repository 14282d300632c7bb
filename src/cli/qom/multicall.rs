//! Commands that the name of the program selects: called through a link named `qom-list`, it is `qom list`.

use std::ffi::OsString;
use std::path::Path;

use clap::CommandFactory;

use super::args::QomArgs;

/// Returns the program's arguments. If its name contains a command, that is inserted after the name.
pub(super) fn with_command_of_name(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.collect();
    let name = args.first().and_then(|name| Path::new(name).file_name()).and_then(|name| name.to_str());
    let command = name.and_then(|name| name.strip_prefix("qom-")).map(str::to_owned);
    if let Some(command) = command.filter(|name| QomArgs::command().find_subcommand(name).is_some()) {
        args.insert(1, command.into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_command_from_the_name_of_the_program() {
        for (typed, expected) in [
            ("/usr/bin/qom-list /", "/usr/bin/qom-list list /"),
            ("qom-set -s x a.b 1", "qom-set set -s x a.b 1"),
            ("qom list", "qom list"),
            ("qom-nothing", "qom-nothing"),
            ("", ""),
        ] {
            let args = typed.split(' ').map(OsString::from);
            assert_eq!(with_command_of_name(args).join(" ".as_ref()), OsString::from(expected));
        }
    }
}
