//! All programs in one: the name under which `qmp-shell` is called selects the program.
//!
//! Packages install `qmp-shell`, and links to it with the names of the others, in a quarter of the space.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use super::{qmp, qmp_share, qmp_shell, qmp_shell_wrap, qom};

/// Runs the program of the name under which this one is called; `qmp-shell` under any other name.
pub fn program_by_name() -> ExitCode {
    program_of(std::env::args_os().next().as_deref())()
}

/// The `main` function of a program.
type Main = fn() -> ExitCode;

fn program_of(name: Option<&OsStr>) -> Main {
    let name = name.and_then(|name| Path::new(name).file_name()).and_then(OsStr::to_str).unwrap_or_default();
    match name {
        "qmp" => qmp,
        "qmp-share" => qmp_share,
        "qmp-shell-wrap" => qmp_shell_wrap,
        // The names of links such as `qom-list`, too.
        _ if name == "qom" || name.starts_with("qom-") => qom,
        _ => qmp_shell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_selects_the_program() {
        let expected: [(&str, Main); 8] = [
            ("qmp", qmp),
            ("/usr/bin/qmp-share", qmp_share),
            ("./qmp-shell-wrap", qmp_shell_wrap),
            ("qom", qom),
            ("/usr/bin/qom-list", qom),
            ("qmp-shell", qmp_shell),
            ("renamed", qmp_shell),
            ("", qmp_shell),
        ];
        for (name, program) in expected {
            assert!(std::ptr::fn_addr_eq(program_of(Some(OsStr::new(name))), program), "{name}");
        }
        assert!(std::ptr::fn_addr_eq(program_of(None), qmp_shell as Main));
    }
}
