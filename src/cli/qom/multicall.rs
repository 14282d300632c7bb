//! The name that the program was called by: through a link named `qom-list` it is `qom list`.

use std::ffi::OsString;
use std::path::Path;

use clap::CommandFactory;

use super::args::QomArgs;

/// The command line with the command that the program's name is, where it is one.
pub(crate) fn with_command_of_name(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.collect();
    let name = args.first().and_then(|name| Path::new(name).file_name()).and_then(|name| name.to_str());
    let command = name.and_then(|name| name.strip_prefix("qom-"));
    if let Some(command) = command.filter(|name| QomArgs::command().find_subcommand(name).is_some()) {
        let command = command.into();
        args.insert(1, command);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_links_name_is_the_command() {
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
