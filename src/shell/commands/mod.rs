//! Dot commands. One table drives dispatch, the check of arguments, help, completion and the documentation.
//!
//! CONTRIBUTING.md explains how to add one.

mod alias;
mod chain;
mod connect;
mod edit;
mod events;
mod exit;
mod expect;
mod explain;
mod fd;
mod follow;
mod help;
mod history;
mod hmp;
mod log;
mod logged_requests;
mod on;
mod operation;
mod qmp;
mod question;
mod rc;
mod run;
mod server_help;
mod set;
mod share;
mod shell_escape;
mod show;
mod source;
mod suggest;
mod target;
mod type_help;
mod until;
mod wait;
mod waiting;
mod watch;

use std::path::PathBuf;

use crate::assist::Completes;
use crate::grammar::{Diagnostic, DotLine, DotTail, Span, Word};
use crate::schema::nearest;

use super::engine::Engine;
use super::line::{InputLine, LineOutcome};
use super::output::Output;

pub(crate) use chain::ends_in_filter;
pub use chain::run_filtered;
pub use help::manual_section;
pub(crate) use help::topics;
pub(crate) use logged_requests::run_log;
pub(crate) use rc::run_rc_file;
pub use run::{ParsedLine, run_parsed};
pub(crate) use server_help::manual_for_completion;
pub use target::run_line;
pub(crate) use target::{ALL, TargetedLine, check_target, targeted_parts};

/// A dot command.
pub(crate) struct DotCommand {
    /// The name without its dot.
    pub(crate) name: &'static str,
    /// Other names.
    pub(crate) aliases: &'static [&'static str],
    /// The syntax of its arguments.
    pub(crate) usage: &'static str,
    /// Its purpose, in one line.
    pub(crate) summary: &'static str,
    /// The rest of its help, in paragraphs.
    pub(crate) help: &'static str,
    pub(crate) arguments: Arguments,
    /// Whether a script's output has a place for its reply, which an error fills if nothing is sent.
    pub(crate) has_reply_slot: bool,
    pub(crate) completes: Completes,
    pub(crate) run: fn(&mut Invocation<'_>) -> Result<LineOutcome, Diagnostic>,
}

/// The arguments of a dot command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arguments {
    Words {
        min: usize,
        max: usize,
    },
    /// The rest of the line, which may be in another language: quotes and escapes stay as they are, and words are not
    /// checked.
    RawTail,
}

/// The number of words of a dot command that takes any number.
pub(crate) const ANY: usize = usize::MAX;

/// All dot commands, by name.
pub(crate) const DOT_COMMANDS: &[&DotCommand] = &[
    &alias::ALIAS,
    &connect::COMMAND,
    &edit::COMMAND,
    &events::COMMAND,
    &exit::COMMAND,
    &expect::COMMAND,
    &explain::COMMAND,
    &fd::COMMAND,
    &follow::COMMAND,
    &help::COMMAND,
    &history::COMMAND,
    &hmp::COMMAND,
    &log::COMMAND,
    &on::COMMAND,
    &qmp::COMMAND,
    &set::COMMAND,
    &share::COMMAND,
    &show::COMMAND,
    &source::COMMAND,
    &alias::UNALIAS,
    &until::COMMAND,
    &wait::COMMAND,
    &watch::COMMAND,
];

/// A dot command that was entered.
pub(crate) struct Invocation<'a> {
    pub(crate) engine: &'a mut Engine,
    /// The parsed line.
    pub(crate) dot: &'a DotLine,
    pub(crate) line: &'a InputLine<'a>,
    pub(crate) out: &'a mut dyn Output,
}

impl DotCommand {
    /// Returns the dot command with this name or alias.
    pub(crate) fn find(name: &str) -> Option<&'static DotCommand> {
        DOT_COMMANDS.iter().copied().find(|command| command.name == name || command.aliases.contains(&name))
    }

    /// Returns the dot command with this name, or else the only one whose name begins like this. The error lists the
    /// commands that do.
    pub(crate) fn find_by_prefix(name: &str) -> Result<&'static DotCommand, Vec<&'static str>> {
        if let Some(command) = DotCommand::find(name) {
            return Ok(command);
        }
        let begins = |command: &&&DotCommand| !name.is_empty() && command.name.starts_with(name);
        match DOT_COMMANDS.iter().filter(begins).collect::<Vec<_>>()[..] {
            [only] => Ok(only),
            ref several => Err(several.iter().map(|command| command.name).collect()),
        }
    }

    /// Returns the name and the arguments, as in `.wait EVENT`.
    pub(crate) fn synopsis(&self) -> String {
        format!(".{} {}", self.name, self.usage).trim_end().to_owned()
    }

    /// Returns the meaning of `|`, `>` and `;` after the command.
    pub(crate) fn tail(&self) -> DotTail {
        match self.completes {
            Completes::HmpLine => DotTail::Hmp,
            Completes::AnyLine => DotTail::Line,
            // A line that is repeated may be several commands.
            Completes::Line => DotTail::Line,
            _ if self.arguments == Arguments::RawTail => DotTail::Raw,
            _ => DotTail::Words,
        }
    }

    /// Checks the number of arguments in a line.
    fn check_arguments(&self, dot: &DotLine) -> Result<(), Diagnostic> {
        let Arguments::Words { min, max } = self.arguments else { return Ok(()) };
        dot.check_words()?;
        let usage = format!("usage: `{}`", self.synopsis());
        if dot.words.len() < min {
            return Err(Diagnostic::new(Span::at(dot.end()), format!("missing argument; {usage}")));
        }
        match dot.words.get(max) {
            None => Ok(()),
            Some(word) => Err(Diagnostic::new(word.span, format!("unexpected argument `{}`; {usage}", word.text))),
        }
    }
}

/// Runs a dot command.
fn run_dot_command(engine: &mut Engine, dot: &DotLine, line: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    let found = DotCommand::find_by_prefix(&dot.name);
    let command = found.as_ref().ok().copied();
    if command.is_some_and(|command| matches!(command.arguments, Arguments::Words { .. })) {
        engine.warn(&dot.warnings(line.text), line, out);
    }
    let result = match command {
        Some(command) => command
            .check_arguments(dot)
            .and_then(|()| (command.run)(&mut Invocation { engine, dot, line, out: &mut *out })),
        None => Err(unknown_command(dot, &found.err().unwrap_or_default())),
    };
    result.unwrap_or_else(|diagnostic| {
        out.report_not_sent(&diagnostic, line, command.is_some_and(|command| command.has_reply_slot));
        LineOutcome::Failed
    })
}

/// Returns the error for a name that no dot command has. `similar` are those that begin like it.
fn unknown_command(dot: &DotLine, similar: &[&str]) -> Diagnostic {
    if !similar.is_empty() {
        let names: Vec<String> = similar.iter().map(|name| format!("`.{name}`")).collect();
        return Diagnostic::new(dot.name_span, format!("`.{}` is ambiguous: {}", dot.name, names.join(", ")));
    }
    let near = nearest(&dot.name, DOT_COMMANDS.iter().map(|command| command.name));
    let help = match near {
        Some(name) => format!("did you mean `.{name}`?"),
        None => "`.help` lists the dot commands".to_owned(),
    };
    let replacement = near.map(|name| format!(".{name}"));
    Diagnostic::new(dot.name_span, format!("unknown dot command `.{}`; {help}", dot.name)).with_replacement(replacement)
}

impl Invocation<'_> {
    /// Calls `f`, which reports failures of jobs and of the migration itself.
    fn without_advice<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let is_explained = std::mem::replace(&mut self.engine.explains_failures, false);
        let result = f(self);
        self.engine.explains_failures = is_explained;
        result
    }

    /// Returns the argument at `index`, or an error that says what is missing.
    fn word(&self, index: usize, what: &str) -> Result<&Word, Diagnostic> {
        let missing = || Diagnostic::new(Span::at(self.dot.end()), format!("missing argument: expected {what}"));
        self.dot.words.get(index).ok_or_else(missing)
    }

    /// Returns the argument at `index` as a number, or `default` if there is none. `what` names the number in errors.
    fn number(&self, index: usize, default: usize, what: &str) -> Result<usize, Diagnostic> {
        let Some(word) = self.dot.words.get(index) else { return Ok(default) };
        let invalid = |_| Diagnostic::new(word.span, format!("expected {what}, found `{}`", word.text));
        word.text.parse().map_err(invalid)
    }

    /// Rejects arguments from `index` on.
    fn no_more_words(&self, index: usize) -> Result<(), Diagnostic> {
        match self.dot.words.get(index) {
            None => Ok(()),
            Some(word) => Err(Diagnostic::new(word.span, format!("unexpected argument `{}`", word.text))),
        }
    }
}

/// Replaces `~/` at the beginning of a path with the user's home folder.
pub(crate) fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_complete() {
        assert!(DOT_COMMANDS.is_sorted_by_key(|command| command.name));
        for command in DOT_COMMANDS {
            assert!(command.summary.len() <= 66, "{}", command.name);
            assert!(command.help.ends_with('.') && !command.help.contains("  "), "{}", command.name);
            if let Arguments::Words { min, max } = command.arguments {
                assert!(min <= max && (max > 0) != command.usage.is_empty(), "{}", command.name);
            }
        }
    }
}
