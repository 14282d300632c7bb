//! The flags, as typed: their names, values and help.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgMatches, Args, CommandFactory, Parser, ValueEnum, ValueHint};

use crate::session::Address;
use crate::shell::Script;

/// What `--color` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// Colour on a terminal that can show it.
    Auto,
    /// Colour always.
    Always,
    /// Never colour.
    Never,
}

/// What `--output` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFlag {
    /// Indented JSON.
    Pretty,
    /// One JSON message a line.
    Json,
}

/// What `--generate` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generate {
    /// The manual page.
    Man,
    /// Completions for bash.
    Bash,
    /// Completions for zsh.
    Zsh,
    /// Completions for fish.
    Fish,
    /// Completions for elvish.
    Elvish,
    /// Completions for PowerShell.
    Powershell,
}

/// The flags about the way to the server.
pub(crate) const HEADING_CONNECTION: &str = "Connecting";

/// The flags that look at lines, or at the program itself.
pub(crate) const HEADING_INSTEAD: &str = "Instead of running lines";

/// The flags that say what is shown and kept.
pub(crate) const HEADING_OUTPUT: &str = "What is shown and kept";

/// Flags of both shells.
#[derive(Debug, Clone, Args)]
pub(crate) struct CommonArgs {
    /// Start in HMP mode: lines go to the human monitor
    #[arg(short = 'H', long)]
    pub(crate) hmp: bool,

    /// Show each request as it is sent
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// In a script, indent replies; errors and events go to standard error
    #[arg(short, long)]
    pub(crate) pretty: bool,

    /// Append every message, both ways, to FILE
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) logfile: Option<PathBuf>,

    /// Run LINE and exit; may be repeated, also among -f
    #[arg(short, long, value_name = "LINE", allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,

    /// Run the lines of SCRIPT (`-`: standard input) and exit; may be repeated
    #[arg(short, long, value_name = "SCRIPT", value_hint = ValueHint::FilePath)]
    pub(crate) file: Vec<PathBuf>,

    /// Stop at the first line that fails
    #[arg(short, long)]
    pub(crate) exit_on_error: bool,

    /// How replies are written [default: pretty at a prompt, json in scripts]
    #[arg(short, long, value_name = "FORM", conflicts_with = "pretty")]
    pub(crate) output: Option<OutputFlag>,

    /// Do not show events
    #[arg(long, help_heading = HEADING_OUTPUT)]
    pub(crate) no_events: bool,

    /// When to use colour; auto has none in scripts
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = HEADING_OUTPUT)]
    pub(crate) color: Color,

    /// Neither read nor write the history file
    #[arg(long, help_heading = HEADING_OUTPUT)]
    pub(crate) no_history: bool,

    /// Send even what the server's introspection says is wrong
    #[arg(long, help_heading = HEADING_OUTPUT)]
    pub(crate) no_check: bool,

    /// Never ask the server for its introspection: no checking, types by form, less for Tab
    #[arg(long, help_heading = HEADING_OUTPUT)]
    pub(crate) no_schema: bool,

    /// Refuse longer messages from the server; bytes, or with k, M or G
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size, help_heading = HEADING_OUTPUT)]
    pub(crate) max_message: usize,

    /// Print the JSON that each line would send; send none of it
    #[arg(long, help_heading = HEADING_INSTEAD)]
    pub(crate) dry_run: bool,

    /// Print the manual page, or completions for a shell
    #[arg(long, value_name = "WHAT", help_heading = HEADING_INSTEAD)]
    pub(crate) generate: Option<Generate>,
}

impl CommonArgs {
    /// What `-c` and `-f` name, in the order in which they were given; `matches` is what these flags were made from.
    pub(crate) fn scripts(&self, matches: &ArgMatches) -> Vec<Script> {
        let places = |name| matches.indices_of(name).into_iter().flatten();
        let lines = places("command").zip(self.command.iter().map(|line| Script::Lines(vec![line.clone()])));
        let files = places("file").zip(self.file.iter().map(|file| match file.to_str() {
            Some("-") => Script::Stdin,
            _ => Script::File(file.clone()),
        }));
        let mut placed: Vec<(usize, Script)> = lines.chain(files).collect();
        placed.sort_by_key(|(place, _)| *place);
        let mut scripts: Vec<Script> = Vec::with_capacity(placed.len());
        for (_, script) in placed {
            match (scripts.last_mut(), script) {
                // Neighbouring lines are one script, so that a block may go over several of them.
                (Some(Script::Lines(lines)), Script::Lines(more)) => lines.extend(more),
                (_, script) => scripts.push(script),
            }
        }
        scripts
    }
}

/// An interactive QEMU monitor, over QMP alone
///
/// At a terminal, a prompt with line editing, completion and events as they happen. With lines from standard input, -c
/// or -f, a script: replies and events come as JSON Lines on standard output.
#[derive(Debug, Clone, Parser)]
#[command(name = "qmp-shell", version, max_term_width = 100, args_override_self = true, override_usage = "qmp-shell [OPTIONS] [ADDRESS]", after_help = AFTER_HELP, after_long_help = sections::<ShellArgs>())]
pub(crate) struct ShellArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// For a guest agent: synchronise instead of negotiating
    #[arg(short = 'N', long)]
    pub(crate) skip_negotiation: bool,

    /// How long connecting, and then the greeting, may take
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds, help_heading = HEADING_CONNECTION)]
    pub(crate) timeout: Duration,

    /// Wait until the server is there, for ever or for SECONDS
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "1e9", value_parser = seconds, help_heading = HEADING_CONNECTION)]
    pub(crate) wait: Option<Duration>,

    /// Listen on ADDRESS; the server connects to us
    #[arg(long, help_heading = HEADING_CONNECTION)]
    pub(crate) listen: bool,

    /// Print what Tab would offer at the end of LINE
    #[arg(long, value_name = "LINE", allow_hyphen_values = true, help_heading = HEADING_INSTEAD)]
    pub(crate) complete: Option<String>,

    /// Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default:
    /// $QMP_SOCKET]
    #[arg(value_name = "ADDRESS", value_parser = address_parser(), value_hint = ValueHint::AnyPath)]
    pub(crate) address: Option<Address>,
}

/// Start QEMU with a private QMP connection, and open a shell on it
///
/// Takes a QEMU command line as it is; QMP is added. When the shell is left, QEMU is ended.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "qmp-shell-wrap",
    version,
    max_term_width = 100,
    override_usage = "qmp-shell-wrap [OPTIONS] [--] QEMU-COMMAND...",
    after_help = WRAP_AFTER_HELP,
    after_long_help = sections::<WrapArgs>()
)]
pub(crate) struct WrapArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// How long QEMU may take to greet [default: as long as it runs]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = HEADING_CONNECTION)]
    pub(crate) timeout: Option<Duration>,

    /// QEMU and its options
    #[arg(value_name = "QEMU-COMMAND", trailing_var_arg = true, allow_hyphen_values = false, value_hint = ValueHint::CommandWithArguments)]
    pub(crate) qemu: Vec<String>,
}

const AFTER_HELP: &str = "\
Try it without QEMU: qmp-shell demo:
Exit status: 0 all succeeded, 1 a line failed, 2 wrong usage,
             3 no connection, 4 connection lost.";

const WRAP_AFTER_HELP: &str = "\
Example: qmp-shell-wrap qemu-system-x86_64 -M q35 -display none -nodefaults
Exit status: 0 all succeeded, 1 a line failed, 2 wrong usage,
             3 QEMU did not start, 4 QEMU ended before the script.";

/// What stands behind the options in `--help` and in the manual page: a heading, and rows of a thing and what it is.
pub(crate) type Section = (&'static str, &'static [(&'static str, &'static str)]);

/// A program's flags, and what there is to say beyond them.
pub(crate) trait HelpExt: CommandFactory {
    /// In this order.
    const SECTIONS: &'static [Section];

    /// Whether the program answers `--complete` for the user's own shell.
    const USES_LIVE_COMPLETION: bool = false;
}

impl HelpExt for ShellArgs {
    const SECTIONS: &'static [Section] = &[
        (
            "Examples",
            &[
                ("qmp-shell demo:", "a small machine inside the program"),
                ("qmp-shell /tmp/q.sock", "a prompt"),
                ("qmp-shell -p -c query-status /tmp/q.sock", "one command"),
                ("qmp-shell /tmp/q.sock < script.qmp", "a script"),
                ("qmp-shell -H localhost:4444", "the human monitor"),
                ("qmp-shell 'exec:ssh host socat - UNIX:/tmp/q.sock'", "over ssh"),
            ],
        ),
        ENVIRONMENT_OF_SHELL,
        (
            "Exit status",
            &[
                ("0", "all succeeded"),
                ("1", "a line failed"),
                ("2", "wrong usage"),
                ("3", "could not connect or negotiate"),
                ("4", "connection lost before the script's end"),
            ],
        ),
    ];
}

impl HelpExt for WrapArgs {
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
                ("0", "all succeeded"),
                ("1", "a line failed"),
                ("2", "wrong usage"),
                ("3", "QEMU did not start"),
                ("4", "QEMU ended before the script"),
            ],
        ),
        ("See also", &[("qmp-shell(1)", "the commands to the shell, and the environment")]),
    ];
}

const ENVIRONMENT_OF_SHELL: Section = (
    "Environment",
    &[
        ("QMP_SOCKET", "the address where none is named"),
        ("PAGER", "shows what is longer than the screen"),
        ("XDG_STATE_HOME", "where the history is kept, in qmp-shell/"),
        ("NO_COLOR, CLICOLOR_FORCE, TERM", "whether there is colour"),
    ],
);

/// The sections as text for a terminal.
pub(crate) fn sections<F: HelpExt>() -> String {
    let mut text = String::new();
    for (heading, rows) in F::SECTIONS {
        // A long thing does not push the other rows out of sight.
        let width = rows.iter().map(|(thing, _)| thing.len()).filter(|len| *len <= 40).max();
        text.push_str(&format!("{heading}:\n"));
        for (thing, what) in *rows {
            text.push_str(&format!("  {thing:<width$}  {what}\n", width = width.unwrap_or(0)));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

/// The address that the environment names; set to nothing, it names none.
pub(crate) fn address_of_environment() -> Result<Option<Address>, String> {
    match std::env::var_os("QMP_SOCKET") {
        Some(text) if !text.is_empty() => match Address::from_os(&text) {
            Ok(address) => Ok(Some(address)),
            Err(error) => Err(format!("QMP_SOCKET: {error}")),
        },
        _ => Ok(None),
    }
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "expected a number of seconds that is not negative".to_owned())
}

pub(crate) fn size(text: &str) -> Result<usize, String> {
    let (digits, shift) = match text.chars().last() {
        Some('k' | 'K') => (&text[..text.len() - 1], 10),
        Some('m' | 'M') => (&text[..text.len() - 1], 20),
        Some('g' | 'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: usize = digits.parse().map_err(|_| "expected a number of bytes, such as 64M".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

/// Reads an address, whose path may be in any encoding.
pub(crate) fn address_parser() -> impl TypedValueParser<Value = Address> {
    OsStringValueParser::new().try_map(|text| Address::from_os(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    #[test]
    fn flags_are_consistent() {
        ShellArgs::command().debug_assert();
        WrapArgs::command().debug_assert();
    }

    #[test]
    fn a_mistyped_flag_is_not_taken_for_qemus() {
        assert!(WrapArgs::try_parse_from(["w", "--pertty", "qemu"]).is_err());
        let args = WrapArgs::try_parse_from(["w", "-p", "qemu", "-p", "--", "x"]).unwrap();
        assert_eq!(args.qemu, ["qemu", "-p", "--", "x"]);
        assert!(args.common.pretty);
    }

    #[test]
    fn lines_and_files_keep_their_order() {
        let matches =
            ShellArgs::command().get_matches_from(["q", "-f", "a", "-c", "x", "demo:", "-cy", "--file=-", "-c", "z"]);
        let args = ShellArgs::from_arg_matches(&matches).unwrap();
        let lines = |lines: &[&str]| Script::Lines(lines.iter().map(|line| (*line).to_owned()).collect());
        assert_eq!(
            args.common.scripts(&matches),
            [Script::File("a".into()), lines(&["x", "y"]), Script::Stdin, lines(&["z"])]
        );
    }

    #[test]
    fn sizes_and_seconds() {
        assert_eq!(size("64M"), Ok(64 << 20));
        assert!(size("x").is_err() && size("99999999999999G").is_err());
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(seconds("-1").is_err() && seconds("nan").is_err());
    }
}
