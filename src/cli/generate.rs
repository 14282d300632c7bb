//! `--generate`: the manual page and completions, from the same tables as the options and their help.

use std::io::{self, Write};

use clap_complete::Shell;

use crate::shell::manual_section;

use super::args::{Generate, HelpExt};
use super::exit_status::{Failure, Status};
use super::stdio::{finish_printing, print};

/// Prints the manual page of a program, or its completions for a shell.
pub(super) fn print_generated<A: HelpExt>(generate: Generate) -> Result<Status, Failure> {
    let shell = match generate {
        Generate::Man => return print_manual_page::<A>(),
        Generate::Bash => Shell::Bash,
        Generate::Zsh => Shell::Zsh,
        Generate::Fish => Shell::Fish,
        Generate::Elvish => Shell::Elvish,
        Generate::Powershell => Shell::PowerShell,
    };
    print(completions::<A>(shell))
}

fn print_manual_page<A: HelpExt>() -> Result<Status, Failure> {
    let mut text = Vec::new();
    finish_printing(manual_page::<A>(&mut text).and_then(|()| io::stdout().write_all(&text)))
}

fn completions<A: HelpExt>(shell: Shell) -> String {
    let mut command = A::command();
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, &name, &mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    if A::USES_LIVE_COMPLETION { with_live_completion(shell, &name, &text) } else { text }
}

/// Adds live completion, which asks the program itself, to the completions of a shell that can do it.
fn with_live_completion(shell: Shell, name: &str, text: &str) -> String {
    let named = |script: &str| script.replace("NAME", name);
    match shell {
        Shell::Bash => format!("{text}{}", named(include_str!("live_completion/bash"))),
        Shell::Fish => format!("{text}{}", named(include_str!("live_completion/fish"))),
        Shell::Zsh => {
            // The last lines already use the functions that are defined before them.
            let end = text.find("\nif [ \"$funcstack[1]\" = ").unwrap_or(text.len());
            let (definitions, uses) = text.split_at(end);
            format!("{definitions}\n{}{}", named(include_str!("live_completion/zsh")), uses.trim_start())
        }
        _ => text.to_owned(),
    }
}

fn manual_page<A: HelpExt>(out: &mut dyn Write) -> io::Result<()> {
    let page = clap_mangen::Man::new(A::command());
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    if A::HAS_DOT_COMMANDS {
        let rows = manual_section();
        let rows = rows.iter().map(|(usage, help)| (usage.as_str(), help.as_str()));
        render_section("Dot commands", rows, out)?;
    }
    for (heading, rows) in A::SECTIONS {
        render_section(heading, rows.iter().copied(), out)?;
    }
    page.render_version_section(out)
}

fn render_section<'a>(
    heading: &str,
    rows: impl Iterator<Item = (&'a str, &'a str)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, ".SH {}", heading.to_uppercase())?;
    for (item, text) in rows {
        writeln!(out, ".TP\n\\fB{}\\fR\n{}", roff(item), roff(text))?;
    }
    Ok(())
}

/// Escapes text for roff: its backslashes, its dashes, and a first character that would begin a request.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
