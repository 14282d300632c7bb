//! Commands to the shell. One table drives dispatch, help and completion.

mod connect;
mod events;
mod files;
mod help;
mod help_topics;
mod modes;
mod suggest;

use crate::assist::Completes;
use crate::grammar::{Diagnostic, DotLine, Span};
use crate::schema::nearest;

use super::engine::{Engine, LineOutcome};
use super::output::{InputLine, Output};

pub(crate) use files::{STDIN, expand_home, run_system};
pub use help::manual_section;
pub(crate) use help::topics;
pub(crate) use help_topics::Manuals;

/// One command to the shell.
pub struct DotCommand {
    /// Its name, without the dot.
    pub name: &'static str,
    /// What may stand behind the name.
    pub usage: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// All there is to say, in paragraphs.
    pub help: &'static str,
    /// What Tab offers behind the name.
    pub completes: Completes,
    run: Run,
}

type Run = fn(&mut Engine, &DotLine, &InputLine<'_>, &mut dyn Output) -> Result<LineOutcome, Diagnostic>;

/// Every command to the shell, by name.
pub const DOT_COMMANDS: &[DotCommand] = &[
    DotCommand {
        name: "connect",
        usage: "[ADDRESS]",
        summary: "connect to a server, or to the present one again",
        help: "Closes the present connection and opens one to ADDRESS: PATH, unix:PATH, unix:@NAME, HOST:PORT,\n\
               [V6]:PORT, fd:N, exec:COMMAND or demo:. Without ADDRESS, connects to the same server again.",
        completes: Completes::Files,
        run: connect::connect,
    },
    DotCommand {
        name: "events",
        usage: "[N | on | off | only GLOB… | except GLOB…]",
        summary: "show the last N events, or choose which events are shown",
        help: "With a number, shows that many of the latest events, hidden ones too. `on` shows events as they come,\n\
               `off` hides them; `only JOB_* STOP` shows those alone, `except RTC_CHANGE` all but those. Without an\n\
               argument, says which are shown, and shows the last ten. Hidden events still count for `.wait` and\n\
               stand in the log.",
        completes: Completes::Events,
        run: events::events,
    },
    DotCommand {
        name: "exit",
        usage: "",
        summary: "leave the shell; the machine goes on (also Ctrl-D)",
        help: "Leaves the shell. QEMU is not touched; under qmp-shell-wrap, which started it, QEMU is ended too.",
        completes: Completes::Nothing,
        run: modes::exit,
    },
    DotCommand {
        name: "fd",
        usage: "PATH COMMAND [KEY=VALUE]…",
        summary: "send a command with PATH opened and its descriptor attached",
        help: "Opens PATH for reading and writing, or for reading where it cannot be written, and sends COMMAND with\n\
               the descriptor attached: `.fd /dev/kvm getfd fdname=kvm`, `.fd disk.img add-fd fdset-id=1`. Descriptors\n\
               travel over Unix sockets only.",
        completes: Completes::FileThenCommand,
        run: files::fd,
    },
    DotCommand {
        name: "help",
        usage: "[TOPIC | apropos WORD]",
        summary: "explain the shell, or a command, event or type of the server",
        help: "Without TOPIC, an overview. TOPIC is a command of the shell, with or without its dot, or `line`,\n\
               `keys`, `settings`; or a command or event of the server, a type of its manual, or a member of one of\n\
               these: `help blockdev-add`, `help STOP`, `help blockdev-add.driver`. What may be sent is the server's\n\
               own word; what it means comes from the manual page that is installed. `apropos` searches for a word.",
        completes: Completes::Topics,
        run: help::help,
    },
    DotCommand {
        name: "history",
        usage: "[N]",
        summary: "show the last N lines that were entered (20)",
        help: "Shows lines entered in this and earlier sessions. QMP and HMP have a history each. ScriptOutput that carry a\n\
               secret or begin with a blank are kept in memory only. Ctrl-R searches.",
        completes: Completes::Nothing,
        run: help::history,
    },
    DotCommand {
        name: "hmp",
        usage: "[LINE]",
        summary: "send LINE to the human monitor, or switch to HMP mode",
        help: "With LINE, sends it to the human monitor and shows its answer. Without, switches: from then on lines go\n\
               to the human monitor as typed; only those that begin with `.`, `#` or `!` are the shell's. `cpu N`\n\
               chooses the CPU that later lines look at. `.qmp` switches back.",
        completes: Completes::Monitor,
        run: modes::hmp,
    },
    DotCommand {
        name: "log",
        usage: "FILE | off",
        summary: "record every message both ways in FILE",
        help: "Appends to FILE, one JSON object a line: {\"time\": …, \"sent\": …} or {\"time\": …, \"received\": …}. Values\n\
               of secret arguments are replaced. A new file gets mode 0600. `off` closes it.",
        completes: Completes::Files,
        run: files::log,
    },
    DotCommand {
        name: "qmp",
        usage: "",
        summary: "switch back from HMP mode",
        help: "From then on lines are QMP commands again.",
        completes: Completes::Nothing,
        run: modes::qmp,
    },
    DotCommand {
        name: "set",
        usage: "[NAME [VALUE]]",
        summary: "show settings, or set one",
        help: "Without NAME, shows all settings; without VALUE, that one.",
        completes: Completes::Settings,
        run: modes::set,
    },
    DotCommand {
        name: "source",
        usage: "FILE",
        summary: "carry out the lines of FILE",
        help: "Carries out the lines of FILE as if they were typed here. AsyncOutput name file and line. Files may source\n\
               others, 16 deep at the most.",
        completes: Completes::Files,
        run: files::source,
    },
    DotCommand {
        name: "wait",
        usage: "EVENT [KEY=VALUE]… [timeout=SECONDS]",
        summary: "wait for an event",
        help: "Waits for an event by name (or glob) whose data have these values: `.wait JOB_STATUS_CHANGE id=j0\n\
               status=ready timeout=10`. Events since the last command was sent count too, each for one wait only, so\n\
               a script has no race. Keys may be dotted. Time running out is a failure.",
        completes: Completes::EventNames,
        run: events::wait,
    },
];

impl DotCommand {
    /// The command of this name.
    pub fn find(name: &str) -> Option<&'static DotCommand> {
        DOT_COMMANDS.iter().find(|command| command.name == name)
    }
}

/// Carries out a line that is a command to the shell.
pub(crate) fn run(engine: &mut Engine, line: &DotLine, source: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    let name = if line.name == "quit" { "exit" } else { line.name.as_str() };
    let result = match DotCommand::find(name) {
        Some(command) => (command.run)(engine, line, source, out),
        None => Err(unknown(line)),
    };
    result.unwrap_or_else(|fault| {
        // Lines that would have been answered by the server leave a gap in a script's output that has to be filled.
        out.not_sent(&fault, source, matches!(name, "hmp" | "fd"));
        LineOutcome::Failed
    })
}

fn unknown(line: &DotLine) -> Diagnostic {
    let near = nearest(&line.name, DOT_COMMANDS.iter().map(|command| command.name));
    let help = match near {
        Some(name) => format!("did you mean `.{name}`?"),
        None => "`.help` lists them".to_owned(),
    };
    Diagnostic::new(line.name_span, format!("the shell has no command `.{}`; {help}", line.name))
}

/// Refuses more words than `most`.
fn at_most(line: &DotLine, most: usize) -> Result<(), Diagnostic> {
    match line.words.get(most) {
        None => Ok(()),
        Some(word) => Err(Diagnostic::new(word.span, format!("`.{}` takes nothing here", line.name))),
    }
}

/// The first word, or a fault that says what is missing.
fn needs<'a>(line: &'a DotLine, index: usize, what: &str) -> Result<&'a crate::grammar::Word, Diagnostic> {
    let end = line.words.last().map_or(line.name_span.end, |word| word.span.end);
    line.words.get(index).ok_or_else(|| Diagnostic::new(Span::at(end), format!("`.{}` needs {what} here", line.name)))
}
