//! `--generate`: the manual page and completions, from the same tables as the flags and their help.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::{Shell, generate as complete};

use crate::shell::manual_section;

use super::flags::{Documented, Generate, ShellFlags};

/// Writes what was asked for.
pub(super) fn generate<F: Documented>(what: Generate, out: &mut dyn Write) -> io::Result<()> {
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
    complete(shell, &mut command, name, &mut text);
    out.write_all(&text)
}

fn manual<F: Documented>(out: &mut dyn Write) -> io::Result<()> {
    let command = F::command();
    let is_shell = command.get_name() == ShellFlags::command().get_name();
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
