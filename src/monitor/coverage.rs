//! The coverage of the human monitor's commands, for the manual.

use std::fmt::Write;

use super::command::{Command, Coverage};
use super::commands::{commands, info_commands};

/// The width of the lines that list names.
const LINE_WIDTH: usize = 120;

/// Returns the commands as Markdown: those that QMP serves completely, those of which it serves a part with what is
/// missing, and those that it does not serve with the reason.
pub fn coverage_table() -> String {
    let all = || commands().chain(info_commands());
    let complete: Vec<&Command> = all().filter(|command| command.coverage == Coverage::Full).collect();
    let partial = all().filter_map(|command| match command.coverage {
        Coverage::Partial(missing) => Some((command.name, missing)),
        _ => None,
    });
    let unavailable = all().filter_map(|command| match command.coverage {
        Coverage::Unavailable(reason) => Some((command.name, reason)),
        _ => None,
    });
    let (partial, unavailable): (Vec<_>, Vec<_>) = (partial.collect(), unavailable.collect());
    let count = complete.len() + partial.len() + unavailable.len();
    let mut text = format!("{} of {count} commands work completely:\n\n", complete.len());
    push_names(&complete, &mut text);
    let _ = write!(text, "\n{} work in part:\n\n", partial.len());
    push_rows("what is missing", &partial, &mut text);
    let _ = write!(text, "\n{} cannot be had over QMP:\n\n", unavailable.len());
    push_rows("reason", &unavailable, &mut text);
    text
}

fn push_names(commands: &[&Command], text: &mut String) {
    let mut line = String::new();
    for (at, command) in commands.iter().enumerate() {
        let end = if at + 1 == commands.len() { "." } else { "," };
        let name = format!("`{}`{end}", command.name);
        if line.len() + 1 + name.len() > LINE_WIDTH {
            text.push_str(&line);
            text.push('\n');
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&name);
    }
    text.push_str(&line);
    text.push('\n');
}

fn push_rows(heading: &str, rows: &[(&str, &str)], text: &mut String) {
    let _ = write!(text, "| command | {heading} |\n|---|---|\n");
    for (name, sentence) in rows {
        let _ = writeln!(text, "| `{name}` | {sentence} |");
    }
}
