//! `--generate`: the manual page and completions, from the same tables as the flags and their help.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::{Shell, generate as complete};

use crate::shell::manual_section;

use super::args::{Generate, HelpExt, ShellArgs};

/// Writes what was asked for.
pub(super) fn generate<F: HelpExt>(what: Generate, out: &mut dyn Write) -> io::Result<()> {
    let mut command = F::command();
    let shell = match what {
        Generate::Man => return manual::<F>(out),
        Generate::Bash => Shell::Bash,
        Generate::Zsh => Shell::Zsh,
        Generate::Fish => Shell::Fish,
        Generate::Elvish => Shell::Elvish,
        Generate::Powershell => Shell::PowerShell,
    };
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    complete(shell, &mut command, &name, &mut text);
    let text = String::from_utf8_lossy(&text);
    let text = if F::USES_LIVE_COMPLETION { with_live(shell, &name, &text) } else { text.into_owned() };
    out.write_all(text.as_bytes())
}

/// Completions in which the program itself is asked for what it knows of the server.
fn with_live(shell: Shell, name: &str, text: &str) -> String {
    let of = |live: &str| live.replace("NAME", name);
    // The last lines for zsh begin to use what is defined before.
    let (before, live, behind) = match (shell, text.split_once("\nif [ \"$funcstack[1]\" = ")) {
        (Shell::Bash, _) => (text, of(include_str!("live/bash")), String::new()),
        (Shell::Fish, _) => (text, of(include_str!("live/fish")), String::new()),
        (Shell::Zsh, Some((before, behind))) => {
            (before, of(include_str!("live/zsh")), format!("if [ \"$funcstack[1]\" = {behind}"))
        }
        _ => (text, String::new(), String::new()),
    };
    format!("{before}{}{live}{behind}", if behind.is_empty() { "" } else { "\n" })
}

fn manual<F: HelpExt>(out: &mut dyn Write) -> io::Result<()> {
    let command = F::command();
    let is_shell = command.get_name() == ShellArgs::command().get_name();
    let manual = clap_mangen::Man::new(command);
    manual.render_title(out)?;
    manual.render_name_section(out)?;
    manual.render_synopsis_section(out)?;
    manual.render_description_section(out)?;
    manual.render_options_section(out)?;
    if is_shell {
        writeln!(out, ".SH COMMANDS TO THE SHELL")?;
        for (usage, help) in manual_section() {
            writeln!(out, ".TP\n\\fB{}\\fR\n{}", roff(&usage), roff(&help))?;
        }
    }
    for (heading, rows) in F::SECTIONS {
        writeln!(out, ".SH {}", heading.to_uppercase())?;
        for (thing, what) in *rows {
            writeln!(out, ".TP\n\\fB{}\\fR\n{}", roff(thing), roff(what))?;
        }
    }
    manual.render_version_section(out)
}

/// Text as roff takes it: no escape, no dash of its own making, no line that begins a request.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
