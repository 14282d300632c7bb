//! The arguments of `qmp-shell-wrap`.

use clap::{Parser, ValueHint};

use super::common::SessionArgs;
use super::sections::{
    COLOR, EDITOR, FILES, HelpExt, KEYS, LINE_FAILED, PAGER, RC, STATE, SUCCESS, Section, USAGE_ERROR, after_long_help,
};

/// Start QEMU and open a QMP shell on it
///
/// Takes a complete QEMU command line, and adds a private QMP connection. QEMU is terminated when the shell exits.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "qmp-shell-wrap",
    version,
    max_term_width = 100,
    override_usage = "qmp-shell-wrap [OPTIONS] [--] QEMU-COMMAND...",
    after_help = <WrapArgs as HelpExt>::EXAMPLE,
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
    const COMMON_OPTIONS: &'static [&'static str] =
        &["hmp", "command", "file", "exit_on_error", "output", "verbose", "logfile"];

    const EXAMPLE: &'static str = "Example: qmp-shell-wrap qemu-system-x86_64 -M q35 -display none -nodefaults";

    const SECTIONS: &'static [Section] = &[
        (
            "Examples",
            &[
                ("qmp-shell-wrap qemu-system-x86_64 -M q35 -display none", "open a prompt"),
                ("qmp-shell-wrap -c query-version qemu-system-x86_64 -display none", "run one command"),
            ],
        ),
        ("Environment", &[PAGER, EDITOR, KEYS, STATE, RC, COLOR]),
        FILES,
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
        ("See also", &[("qmp-shell(1)", "lines and dot commands"), ("qemu(1)", "the options of QEMU-COMMAND")]),
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
