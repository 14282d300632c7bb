//! `.help` and `.history`.

use crate::grammar::{Diagnostic, DotLine};
use crate::render::fill;
use crate::schema::nearest;

use super::help_topics::{apropos, explain, known_names};
use super::{DOT_COMMANDS, DotCommand, at_most, needs};
use crate::shell::engine::{Engine, LineOutcome};
use crate::shell::output::terminal;
use crate::shell::output::{InputLine, Output};
use crate::shell::settings::SETTINGS;

/// Prose is set to this many columns.
const WIDTH: usize = 78;

/// Topics that are no command.
const TOPICS: &[(&str, &str, &str)] = &[
    (
        "line",
        "what may stand on a line",
        "A line is one of:\n\
         \n\
         \x20 COMMAND [{JSON}] [KEY=VALUE]…  device_del id=d0\n\
         \x20 exec-oob COMMAND …             the same, out of band\n\
         \x20 {\"execute\": …}                 a request as pasted from a manual, over as many\n\
         \x20                                lines as it takes; a leading `->` is taken,\n\
         \x20                                pasted `<-` replies are skipped\n\
         \x20 transaction(  …  )             an action a line; properties behind the `)`\n\
         \x20 .NAME …                        a command to the shell\n\
         \x20 !COMMAND                       a command for the system's shell\n\
         \x20 # …                            a comment\n\
         \n\
         Words end at blanks outside quotes and brackets; quotes and `\\` are the POSIX shell's, and `\\` at the end \
         continues the line. Dots in a key nest, numbers make arrays:\n\
         \n\
         \x20 blockdev-add driver=raw node-name=r0 file.driver=null-co\n\
         \x20 x-command list.0=a list.1=b\n\
         \n\
         A value takes the type that the server gives its key: an integer may be 0x… or end in k, M, G, T, P or E, a \
         boolean be on or off, an array a,b,c. Where the type is not known, what looks like an integer, a number, true, \
         false, null or JSON is one. What is quoted is a string.\n",
    ),
    (
        "keys",
        "keys at the prompt",
        "  Tab            complete                Ctrl-R         search the history\n\
         \x20 Up, Down       earlier, later lines    Ctrl-A, Ctrl-E start, end of the line\n\
         \x20 Ctrl-C         drop the line; while a reply is awaited, go on without it\n\
         \x20 Ctrl-D         leave; the machine goes on\n\
         \x20 Ctrl-L         clear the screen        Ctrl-W, Ctrl-U delete a word, the line\n\
         \x20 Ctrl-_         undo                    Ctrl-Z         suspend the shell\n",
    ),
    ("settings", "what `.set` sets", ""),
];

pub(crate) fn help(
    engine: &mut Engine,
    line: &DotLine,
    _source: &InputLine<'_>,
    out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    let Some(word) = line.words.first() else {
        out.text(&overview());
        return Ok(LineOutcome::Done);
    };
    let topic = word.text.trim_start_matches('.');
    let width = terminal::size().0.clamp(40, 100);
    if topic == "apropos" {
        let word = needs(line, 1, "a word to search for")?;
        at_most(line, 2)?;
        let lines = apropos(engine, &word.text, width);
        if lines.is_empty() {
            return Err(Diagnostic::new(word.span, format!("nothing is said of `{}`", word.text)));
        }
        out.page(&lines);
        return Ok(LineOutcome::Done);
    }
    at_most(line, 1)?;
    if let Some(page) = page(topic) {
        out.text(&fill(&page, WIDTH));
    } else if let Some(lines) = explain(engine, topic, width) {
        out.page(&lines);
    } else {
        let mut names = known_names(engine);
        names.extend(DOT_COMMANDS.iter().map(|command| command.name.to_owned()));
        names.extend(TOPICS.iter().map(|topic| topic.0.to_owned()));
        let help = match nearest(topic, names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `help {name}`?"),
            None => "`help apropos WORD` searches".to_owned(),
        };
        return Err(Diagnostic::new(word.span, format!("there is no help on `{}`; {help}", word.text)));
    }
    Ok(LineOutcome::Done)
}

/// The page on one topic.
fn page(topic: &str) -> Option<String> {
    if topic == "settings" || topic == "set" {
        let mut page = DotCommand::find("set").map(command_page).unwrap_or_default();
        page.push('\n');
        for setting in SETTINGS {
            page.push_str(&format!("  {:<14} {} ({})\n", setting.name, setting.help, setting.values.join(", ")));
        }
        return Some(page);
    }
    if let Some((_, _, text)) = TOPICS.iter().find(|(name, ..)| *name == topic) {
        return Some((*text).to_owned());
    }
    DotCommand::find(topic).map(command_page)
}

fn command_page(command: &DotCommand) -> String {
    format!("{}\n    {}\n\n{}\n", usage(command), command.summary, command.help)
}

fn usage(command: &DotCommand) -> String {
    format!(".{} {}", command.name, command.usage).trim_end().to_owned()
}

/// Topics that are no command, each with a few words.
pub(crate) fn topics() -> Vec<(&'static str, &'static str)> {
    TOPICS.iter().map(|(name, summary, _)| (*name, *summary)).collect()
}

/// The overview.
pub fn overview() -> String {
    let mut text = String::from(
        "Type a QMP command with its arguments, such as `device_del id=d0`, or JSON as\n\
         in QEMU's manual; Tab completes. Commands to the shell begin with a dot:\n\n",
    );
    for command in DOT_COMMANDS {
        text.push_str(&format!("  .{:<9} {}\n", command.name, command.summary));
    }
    text.push_str(&format!("  {:<10} {}\n\n", "!COMMAND", "run a command in the system's shell"));
    text.push_str("`help NAME` explains one of them, a command or event of the server, or one of\nthese topics:\n\n");
    for (name, summary, _) in TOPICS {
        text.push_str(&format!("  {name:<10} {summary}\n"));
    }
    text
}

/// The commands to the shell as a section of the manual page: usage, then everything there is to say.
pub fn manual_section() -> Vec<(String, String)> {
    DOT_COMMANDS
        .iter()
        .map(|command| (usage(command), command.help.replace('\n', " ")))
        .chain([("!COMMAND".to_owned(), "Runs a command in the system's shell.".to_owned())])
        .collect()
}

pub(crate) fn history(
    engine: &mut Engine,
    line: &DotLine,
    _source: &InputLine<'_>,
    out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    at_most(line, 1)?;
    let count = match line.words.first() {
        None => 20,
        Some(word) => {
            word.text.parse::<usize>().map_err(|_| Diagnostic::new(word.span, "expected a number of lines"))?
        }
    };
    let entries = engine.history().entries();
    let first = entries.len().saturating_sub(count);
    let lines = entries[first..]
        .iter()
        .enumerate()
        .map(|(index, entry)| format!("{:>5}  {}\n", first + index + 1, entry.replace('\n', "\n       ")));
    out.text(&lines.collect::<String>());
    Ok(LineOutcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_topic_has_its_page() {
        for name in DOT_COMMANDS.iter().map(|command| command.name).chain(TOPICS.iter().map(|topic| topic.0)) {
            assert!(page(name).is_some_and(|page| page.len() > 40), "{name}");
            assert!(overview().contains(name), "{name}");
        }
        assert!(overview().lines().all(|line| line.chars().count() < 80), "{}", overview());
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(DOT_COMMANDS.is_sorted_by_key(|command| command.name));
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
    }
}
