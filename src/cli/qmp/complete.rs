//! `--complete`: what Tab offers for COMMAND, its arguments, and events to follow.

use std::ffi::{OsStr, OsString};

use clap::Parser;

use crate::assist::Candidate;

use super::args::QmpArgs;
use super::command_line::quote_word;
use super::external_command;
use super::servers::servers;
use crate::cli::exit_status::{Failure, Status};
use crate::cli::shell_completion;

/// What the last word of a command line is.
struct CompletionTarget {
    /// The line of `qmp-shell` that it stands on, up to it.
    before: String,
    /// It, as it is on that line.
    word: String,
    /// What leads each candidate here, and not there.
    lead: &'static str,
}

/// Prints what Tab offers at the end of a command line. The status is 1 where options and their values are looked for, or
/// there is no server that could be asked.
pub(super) fn complete(line: &str) -> Result<Status, Failure> {
    let found = shell_completion::words(line).and_then(|words| offers(&words));
    found.map_or(Ok(Status::LineFailed), |candidates| shell_completion::print(&candidates))
}

fn offers(words: &[String]) -> Option<Vec<Candidate>> {
    let args = QmpArgs::try_parse_from([&["qmp".to_owned()], words].concat()).ok()?;
    let current = words.last()?;
    let place = match (&args.events, args.words.as_slice()) {
        (None, words) => place(words)?,
        // Globs may stand behind other options too.
        (Some(globs), more) if !more.is_empty() || globs.last() == Some(current) => {
            CompletionTarget { before: ".wait ".to_owned(), word: current.clone(), lead: "" }
        }
        _ => return None,
    };
    let server = servers(&args.path).ok()?.all.into_iter().next()?;
    let mut engine = shell_completion::engine(&server.address, args.skip_negotiation, args.no_schema)?;
    let mut candidates = shell_completion::offer(&mut engine, &place.before, &place.word);
    if place.before.is_empty() {
        // Blocks of several lines have no place here.
        candidates.retain(|candidate| !candidate.text.ends_with('('));
        candidates.extend(
            external_command::all()
                .filter(|name| name.starts_with(&place.word))
                .map(|name| Candidate { description: format!("qmp-{name}"), text: name }),
        );
        candidates.sort_by(|a, b| a.text.cmp(&b.text));
        candidates.dedup_by(|a, b| a.text == b.text);
    }
    candidates.iter_mut().for_each(|candidate| candidate.text.insert_str(0, place.lead));
    Some(candidates)
}

/// Where the last of the words behind the options stands.
fn place(words: &[OsString]) -> Option<CompletionTarget> {
    let words: Vec<&str> = words.iter().map(OsString::as_os_str).map(OsStr::to_str).collect::<Option<_>>()?;
    let (current, finished) = words.split_last()?;
    let Some((command, arguments)) = finished.split_first() else {
        let is_option = current.starts_with('-');
        return (!is_option).then(|| CompletionTarget { before: String::new(), word: (*current).to_owned(), lead: "" });
    };
    let before = [(*command).to_owned()].into_iter().chain(arguments.iter().map(|word| quote_word(word)));
    let before = before.map(|word| word + " ").collect();
    let takes_names = *command == "help" || *command == "exec-oob" && arguments.is_empty();
    let (lead, word) = match current.strip_prefix("--").or_else(|| "--".strip_prefix(current).map(|_| "")) {
        Some(word) if !takes_names => ("--", word),
        _ => ("", *current),
    };
    // JSON is nothing that the user's shell would take as it is.
    let value = word.split_once('=').map_or(word, |(_, value)| value);
    (!value.starts_with(['{', '['])).then(|| CompletionTarget { before, word: word.to_owned(), lead })
}
