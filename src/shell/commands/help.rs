//! `.help`: explains the shell, and commands, events and types of the server.

use crate::assist::{Completes, Name};
use crate::grammar::Diagnostic;
use crate::render::fill;
use crate::schema::nearest;

use super::super::line::LineOutcome;
use super::super::settings::SETTINGS;
use super::super::terminal::size::terminal_size;
use super::type_help::type_page;
use super::{ANY, Arguments, DOT_COMMANDS, DotCommand, Invocation, server_help};

/// The width of prose.
const PROSE_COLUMNS: usize = 78;

/// The minimum and maximum width of a page on the server.
const MIN_COLUMNS: usize = 40;
const MAX_COLUMNS: usize = 100;

/// The shell escape, which is listed with the dot commands.
const SHELL_ESCAPE: (&str, &str) = ("!COMMAND", "run a command in the system's shell");

const SHELL_ESCAPE_HELP: &str = "Runs a command in the system's shell.";

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "help",
    aliases: &["h"],
    usage: "[TOPIC | apropos WORD]",
    summary: "explain the shell, or a command, event or type of the server",
    help: "Without TOPIC, shows an overview. TOPIC is a dot command, with or without its dot, or `line`, `keys`,\n\
           `settings`; or a command or event of the server, a type of its manual, or a member of one of these:\n\
           `help blockdev-add`, `help STOP`, `help blockdev-add.driver`; or a variant of a command:\n\
           `help blockdev-add driver=qcow2`; or a type of devices or objects: `help virtio-blk-pci`. The arguments come from the server's own\n\
           introspection; their meaning comes from the manual page, if it is installed. `apropos` searches for a word.",
    arguments: Arguments::Words { min: 0, max: ANY },
    has_reply_slot: false,
    completes: Completes::Topics,
    run,
};

/// A topic that is not a command.
struct Topic {
    name: &'static str,
    summary: &'static str,
    text: fn() -> String,
}

const TOPICS: &[Topic] = &[
    Topic { name: "line", summary: "the syntax of a line", text: || LINE_HELP.to_owned() },
    Topic { name: "keys", summary: "keys at the prompt", text: || KEYS_HELP.to_owned() },
    Topic { name: "settings", summary: "the settings of `.set`", text: settings_help },
];

const LINE_HELP: &str = "\
A line is one of:

  COMMAND [{JSON}] [KEY=VALUE]…  device_del id=d0
  COMMAND VALUE [KEY=VALUE]…     device_del d0, if one key is required and is not a number
  exec-oob COMMAND …             the same, out of band
  {\"execute\": …}                 a request as pasted from a manual; may span several
                                 lines. A leading `->` is accepted, and pasted `<-`
                                 replies are skipped
  transaction(  …  )             one action per line; properties follow the `)`
  .NAME …                        a dot command
  @NAME …, @* …                  a command for one of several servers, or for all
  !COMMAND                       a command for the system's shell
  # …                            a comment

Words end at whitespace outside quotes and brackets; quotes and `\\` work as in the POSIX shell, and `\\` at the end \
continues the line. Dots in a key nest, numbers make arrays:

  blockdev-add driver=raw node-name=r0 file.driver=null-co
  x-command list.0=a list.1=b

A value takes the type that the server gives its key: an integer may be 0x… or end in k, M, G, T, P or E, a boolean may \
be on or off, an array may be a,b,c. If the type is not known, integers, numbers, true, false, null and JSON are taken \
as such, and everything else as a string. A quoted value is always a string.
";

const KEYS_HELP: &str = "  \
  Tab            complete, or list       Ctrl-R         search the history
  Up, Down       earlier, later lines that begin like this one
  Right, End     take the dim hint       Alt-.          last word of the line before
  Ctrl-A, Ctrl-E start, end of the line  Ctrl-X Ctrl-E  open the line in $EDITOR
  Ctrl-C         drop the line; while waiting for a reply, stop waiting
  Ctrl-D         leave; the VM keeps running
  Ctrl-L         clear the screen        Ctrl-W, Ctrl-U delete a word, the line
  Ctrl-_         undo                    Ctrl-Z         suspend the shell
";

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let Some(word) = invocation.dot.words.first() else {
        invocation.out.print(&overview());
        return Ok(LineOutcome::Done);
    };
    let topic = word.text.trim_start_matches('.');
    let columns = terminal_size().0.clamp(MIN_COLUMNS, MAX_COLUMNS);
    if topic == "apropos" {
        invocation.no_more_words(2)?;
        let word = invocation.word(1, "a word to search for")?.clone();
        let lines = server_help::apropos(invocation.engine, &word.text, columns, invocation.out);
        if lines.is_empty() {
            return Err(Diagnostic::new(word.span, format!("no documentation for `{}`", word.text)));
        }
        invocation.out.show_page(&lines);
        return Ok(LineOutcome::Done);
    }
    if let [_, arguments @ ..] = invocation.dot.words.as_slice()
        && !arguments.is_empty()
        && let Some(page) = server_help::variant_page(
            invocation.engine,
            topic,
            invocation.line.text,
            arguments,
            columns,
            invocation.out,
        )
    {
        invocation.out.show_page(&page?);
        return Ok(LineOutcome::Done);
    }
    invocation.no_more_words(1)?;
    if let Some(text) = shell_page(topic) {
        invocation.out.print(&fill(&text, PROSE_COLUMNS));
    } else if let Some(lines) = server_help::page(invocation.engine, topic, columns, invocation.out) {
        invocation.out.show_page(&lines);
    } else if let Some(lines) = type_page(invocation, topic, columns) {
        invocation.out.show_page(&lines);
    } else {
        let mut names = server_help::known_names(invocation.engine, invocation.out);
        names.extend(DOT_COMMANDS.iter().map(|command| command.name.to_owned()));
        names.extend(TOPICS.iter().map(|topic| topic.name.to_owned()));
        let help = match nearest(topic, names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `help {name}`?"),
            None => "`help apropos WORD` searches for a word".to_owned(),
        };
        return Err(Diagnostic::new(word.span, format!("unknown topic `{}`; {help}", word.text)));
    }
    Ok(LineOutcome::Done)
}

/// Returns the page on a dot command or another topic of the shell.
fn shell_page(topic: &str) -> Option<String> {
    if topic == "set" {
        return Some(settings_help());
    }
    if topic.starts_with('!') {
        return Some(format!("{}\n    {}\n\n{SHELL_ESCAPE_HELP}\n", SHELL_ESCAPE.0, SHELL_ESCAPE.1));
    }
    match TOPICS.iter().find(|known| known.name == topic) {
        Some(topic) => Some((topic.text)()),
        None => DotCommand::find(topic).map(command_page),
    }
}

fn command_page(command: &DotCommand) -> String {
    format!("{}\n    {}\n\n{}\n", command.synopsis(), command.summary, command.help)
}

fn settings_help() -> String {
    let mut text = command_page(&super::set::COMMAND);
    text.push('\n');
    for setting in SETTINGS {
        let values: Vec<&str> = (setting.values)().into_iter().map(|(value, _)| value).collect();
        text.push_str(&format!("  {:<14} {} ({})\n", setting.name, setting.help, values.join(", ")));
    }
    text
}

/// Returns the topics that are not commands.
pub(crate) fn topics() -> Vec<Name> {
    TOPICS.iter().map(|topic| Name::new(topic.name, topic.summary)).collect()
}

fn overview() -> String {
    let mut text = String::from(
        "Type a QMP command with its arguments, such as `device_del id=d0`, or JSON as\n\
         in QEMU's manual; Tab completes. Dot commands control the shell itself:\n\n",
    );
    for command in DOT_COMMANDS {
        text.push_str(&format!("  .{:<9} {}\n", command.name, command.summary));
    }
    text.push_str(&format!("  {:<10} {}\n\n", SHELL_ESCAPE.0, SHELL_ESCAPE.1));
    text.push_str("`help NAME` explains one of them, a command or event of the server, or one of\nthese topics:\n\n");
    for topic in TOPICS {
        text.push_str(&format!("  {:<10} {}\n", topic.name, topic.summary));
    }
    text
}

/// Returns the synopsis and the help of each dot command, for the manual page.
pub fn manual_section() -> Vec<(String, String)> {
    let commands = DOT_COMMANDS.iter().map(|command| (command.synopsis(), command.help.replace('\n', " ")));
    commands.chain([(SHELL_ESCAPE.0.to_owned(), SHELL_ESCAPE_HELP.to_owned())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_topic_has_a_page() {
        for name in DOT_COMMANDS.iter().map(|command| command.name).chain(TOPICS.iter().map(|topic| topic.name)) {
            assert!(shell_page(name).is_some_and(|page| page.len() > 40), "{name}");
            assert!(overview().contains(name), "{name}");
        }
        assert!(overview().lines().all(|line| line.chars().count() < 80), "{}", overview());
    }
}
