//! The sections after the options in `--help` and the manual page: examples, environment, exit status.

use clap::{Command, CommandFactory};

/// An item, such as a variable or an exit status, and its description.
pub(crate) type Row = (&'static str, &'static str);

/// A heading and its rows.
pub(crate) type Section = (&'static str, &'static [Row]);

/// The arguments of a program, and the rest of its help.
pub(crate) trait HelpExt: CommandFactory {
    /// The options of the short help, by their ids, in order. The long help and the manual page begin with them.
    const COMMON_OPTIONS: &'static [&'static str];

    /// The example in the short help.
    const EXAMPLE: &'static str;

    /// The sections of the long help and of the manual page, in order.
    const SECTIONS: &'static [Section];

    /// The sections that only the manual page has, between the options and [`SECTIONS`](Self::SECTIONS).
    const MANUAL_SECTIONS: &'static [Section] = &[];

    /// The options before a command line that the program completes itself.
    const LIVE_COMPLETION: Option<&'static str> = None;

    /// Whether the manual page lists the dot commands.
    const HAS_DOT_COMMANDS: bool = false;
}

pub(crate) const QMP_SOCKET: Row = ("QMP_SOCKET", "default address");
pub(crate) const PAGER: Row = ("PAGER", "pager for output longer than the screen");
pub(crate) const EDITOR: Row = ("VISUAL, EDITOR", "editor of `.edit` and Ctrl-X Ctrl-E");
pub(crate) const KEYS: Row = ("INPUTRC", "file whose `editing-mode` selects the keys of the prompt");
pub(crate) const STATE: Row = ("XDG_STATE_HOME", "base directory of the history files");
pub(crate) const RC: Row = ("XDG_CONFIG_HOME", "base directory of the rc file");
pub(crate) const COLOR: Row = ("NO_COLOR, CLICOLOR_FORCE, TERM", "whether to use colour");

/// The files of the prompt.
pub(crate) const FILES: Section = (
    "Files",
    &[
        ("~/.config/qmp-shell/rc", "lines to run before the first prompt"),
        ("~/.local/state/qmp-shell/history", "history of QMP lines"),
        ("~/.local/state/qmp-shell/hmp_history", "history of HMP lines"),
    ],
);

pub(crate) const SUCCESS: Row = ("0", "success");
pub(crate) const LINE_FAILED: Row = ("1", "a line failed");
pub(crate) const USAGE_ERROR: Row = ("2", "usage error");
pub(crate) const NOT_CONNECTED: Row = ("3", "could not connect or negotiate");
pub(crate) const DISCONNECTED: Row = ("4", "connection lost");

/// The width of a screen on which the sections are read.
const SCREEN_COLUMNS: usize = 80;

/// Returns the options of a program for its help: common ones come first, and all others are left out of the short help,
/// which fits on a screen.
pub(crate) fn help_command<A: HelpExt>() -> Command {
    A::command().mut_args(|arg| match A::COMMON_OPTIONS.iter().position(|id| arg.get_id() == id) {
        Some(position) => arg.help_heading(None::<&'static str>).display_order(position),
        None if arg.is_positional() => arg,
        None => arg.hide_short_help(true),
    })
}

/// Returns the end of the long help. Descriptions stand next to their items, or below them if one would not fit.
pub(crate) fn after_long_help<A: HelpExt>() -> String {
    let mut text = String::new();
    for (heading, rows) in A::SECTIONS {
        let width = rows.iter().map(|(item, _)| item.len()).max().unwrap_or(0);
        let fits = rows.iter().all(|(_, description)| width + description.len() + 4 <= SCREEN_COLUMNS);
        text.push_str(&format!("{heading}:\n"));
        for (item, description) in *rows {
            text.push_str(&match fits {
                true => format!("  {item:<width$}  {description}\n"),
                false => format!("  {item}\n          {description}\n"),
            });
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}
