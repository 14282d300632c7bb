//! `--complete`: completion of COMMAND and its arguments, and of event names.

use std::ffi::{OsStr, OsString};

use clap::Parser;

use crate::assist::Candidate;

use super::args::{FILTER_OPTION, QmpArgs};
use super::command_line::without_dashes;
use super::external_command::{external_commands, program_name};
use super::servers::find_servers;
use crate::cli::shell_completion::{complete_filter, complete_word, connect_for_completion};

/// The word to complete, as part of a line of `qmp-shell`.
struct CurrentWord {
    /// The words before it.
    before: Vec<String>,
    word: String,
    /// The dashes before each candidate in the user's shell.
    prefix: &'static str,
    /// Whether it is a filter on the reply to the command before it.
    is_filter: bool,
}

/// Returns the candidates for the last of the words of a command line. `None` for an option or its value, and without a
/// server.
pub(super) fn complete(words: &[String]) -> Option<Vec<Candidate>> {
    let args = QmpArgs::try_parse_from([&["qmp".to_owned()], words].concat()).ok()?;
    let last = words.last()?;
    let current = match (&args.events, args.words.as_slice()) {
        (None, words) => current_word(words)?,
        // Globs can follow other options too.
        (Some(globs), more) if !more.is_empty() || globs.last() == Some(last) => {
            CurrentWord { before: vec![".wait".to_owned()], word: last.clone(), prefix: "", is_filter: false }
        }
        _ => return None,
    };
    let server = find_servers(&args.path).ok()?.servers.into_iter().next()?;
    let (guest_agent, no_schema) = (args.guest_agent.skip_negotiation, args.request.no_schema);
    let mut engine = connect_for_completion(&server.address, guest_agent, no_schema)?;
    let before: Vec<&str> = current.before.iter().map(String::as_str).collect();
    if current.is_filter {
        return Some(complete_filter(&mut engine, &before, &current.word));
    }
    let mut candidates = complete_word(&mut engine, &before, &current.word);
    if before.is_empty() {
        // A transaction needs several lines.
        candidates.retain(|candidate| !candidate.text.ends_with('('));
        let external = external_commands().filter(|command| command.starts_with(&current.word));
        candidates.extend(external.map(|text| Candidate { description: program_name(&text), text }));
        candidates.sort_by(|a, b| a.text.cmp(&b.text));
        candidates.dedup_by(|a, b| a.text == b.text);
    }
    let keys = candidates.iter_mut().filter(|candidate| candidate.text.contains('=') || candidate.text.ends_with('.'));
    keys.for_each(|key| key.text.insert_str(0, current.prefix));
    Some(candidates)
}

/// Returns the last of the words after the options. `None` if it cannot be completed.
fn current_word(words: &[OsString]) -> Option<CurrentWord> {
    let words: Vec<&str> = words.iter().map(OsString::as_os_str).map(OsStr::to_str).collect::<Option<_>>()?;
    let (&last, before) = words.split_last()?;
    let Some((&command, arguments)) = before.split_first() else {
        let is_option = last.starts_with('-');
        return (!is_option).then(|| CurrentWord {
            before: Vec::new(),
            word: last.to_owned(),
            prefix: "",
            is_filter: false,
        });
    };
    let line_before = |arguments: &[&str]| -> Vec<String> {
        [command.to_owned()].into_iter().chain(arguments.iter().map(|word| without_dashes(word))).collect()
    };
    if let Some((&FILTER_OPTION, arguments)) = arguments.split_last()
        && !matches!(command, "help" | "hmp")
    {
        return Some(CurrentWord {
            before: line_before(arguments),
            word: last.to_owned(),
            prefix: "",
            is_filter: true,
        });
    }
    let takes_names = matches!(command, "help" | "hmp") || command == "exec-oob" && arguments.is_empty();
    let undashed = match last {
        // Not yet more than the dashes of `--KEY`.
        "" | "-" => Some(""),
        last => last.strip_prefix("--"),
    };
    let (prefix, word) = match undashed {
        Some(word) if !takes_names => ("--", word),
        _ => ("", last),
    };
    // Brackets and quotes of JSON would have to be quoted for the user's shell.
    let value = word.split_once('=').map_or(word, |(_, value)| value);
    let before = match (command, arguments) {
        ("hmp", arguments) => [".hmp"].iter().chain(arguments).map(|word| (*word).to_owned()).collect(),
        (_, arguments) => line_before(arguments),
    };
    (!value.starts_with(['{', '['])).then(|| CurrentWord { before, word: word.to_owned(), prefix, is_filter: false })
}
