//! The arguments of `qmp-shell-wrap`.

use clap::{Parser, ValueHint};

use super::common::SessionArgs;
use super::sections::{HelpExt, LINE_FAILED, SUCCESS, Section, USAGE_ERROR, after_help, after_long_help};

/// Start QEMU and open a QMP shell on it
///
/// Takes a complete QEMU command line, and adds a private QMP connection. QEMU is terminated when the shell exits.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "qmp-shell-wrap",
    version,
    max_term_width = 100,
    override_usage = "qmp-shell-wrap [OPTIONS] [--] QEMU-COMMAND...",
    after_help = after_help::<WrapArgs>(),
    after_long_help = after_long_help::<WrapArgs>(),
    mut_arg("timeout", |arg| arg.help("Time limit for QEMU's greeting [default: none, as long as QEMU runs]"))
)]
pub(crate) struct WrapArgs {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    /// QEMU and its options
    #[arg(
        value_name = "QEMU-COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = false,
        value_hint = ValueHint::CommandWithArguments
    )]
    pub(crate) qemu: Vec<String>,
}

impl HelpExt for WrapArgs {
    const EXAMPLE: &'static str = "Example: qmp-shell-wrap qemu-system-x86_64 -M q35 -display none -nodefaults";

    const SECTIONS: &'static [Section] = &[
        (
            "Examples",
            &[
                ("qmp-shell-wrap qemu-system-x86_64 -M q35 -display none", "a prompt"),
                ("qmp-shell-wrap -c query-version qemu-system-x86_64 -display none", "one command"),
            ],
        ),
        (
            "Exit status",
            &[
                SUCCESS,
                LINE_FAILED,
                USAGE_ERROR,
                ("3", "QEMU did not start"),
                ("4", "QEMU exited before the end of the script"),
            ],
        ),
        ("See also", &[("qmp-shell(1)", "dot commands and environment")]),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn options_are_consistent() {
        WrapArgs::command().debug_assert();
    }

    #[test]
    fn options_after_the_program_are_those_of_qemu() {
        assert!(WrapArgs::try_parse_from(["w", "--pertty", "qemu"]).is_err());
        let args = WrapArgs::try_parse_from(["w", "-p", "qemu", "-p", "--", "x"]).unwrap();
        assert_eq!(args.qemu, ["qemu", "-p", "--", "x"]);
        assert!(args.session.pretty);
    }
}
