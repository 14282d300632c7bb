//! `--complete`: completion of a command line in the user's own shell, with names from the server.
//!
//! Tab must neither block nor have side effects: the time for the server is limited, and a server that can be reached
//! only through a command or an inherited connection is not used.

use std::time::{Duration, Instant};

use crate::assist::{Candidate, Completion};
use crate::grammar::{Line, tokenize};
use crate::session::{Address, Options, SharedLog};
use crate::shell::{Connection, Engine, EngineOptions, Settings, complete_line, wait_for_names};

use super::exit_status::{Failure, Status};
use super::stdio::print;

/// The time limit for connecting, then for the greeting, and then for introspection.
const TAB_TIMEOUT: Duration = Duration::from_millis(500);

/// Completes a command line with `complete`, which takes its words, and prints the candidates. Fails if it returns
/// none: at an option or its value, or without a server.
pub(super) fn print_completions(
    command_line: &str,
    complete: impl FnOnce(&[String]) -> Option<Vec<Candidate>>,
) -> Result<Status, Failure> {
    match split_command_line(command_line).and_then(|words| complete(&words)) {
        Some(candidates) => print_candidates(&candidates),
        None => Ok(Status::Failed),
    }
}

/// Prints each candidate as a line `CANDIDATE<TAB>DESCRIPTION`.
pub(super) fn print_candidates(candidates: &[Candidate]) -> Result<Status, Failure> {
    let lines = candidates.iter().map(|candidate| format!("{}\t{}\n", candidate.text, candidate.description));
    print(lines.collect::<String>())
}

/// Splits a command line that ends at the cursor into the words after the program's name. The last word is being typed,
/// and can be empty. `None` if the cursor is not in a word after the name.
fn split_command_line(command_line: &str) -> Option<Vec<String>> {
    /// The mark of the cursor.
    const CURSOR: char = '\u{1}';
    // The word at the cursor may have an open quote.
    let mut endings = ["", "'", "\""].into_iter();
    let mut words = endings.find_map(|ending| shlex::split(&format!("{command_line}{CURSOR}{ending}")))?;
    let last = words.last_mut()?;
    last.truncate(last.strip_suffix(CURSOR)?.len());
    // `VARIABLE=VALUE` can precede the name.
    let name = words.iter().position(|word| !word.contains('='))?;
    words.drain(..=name);
    (!words.is_empty()).then_some(words)
}

/// Connects to a server that can be queried for completions.
pub(super) fn connect_for_completion(address: &Address, guest_agent: bool, no_schema: bool) -> Option<Engine> {
    if matches!(address, Address::Exec(_) | Address::Fd(_) | Address::Ssh(_) | Address::Libvirt(_)) {
        return None;
    }
    let options = Options { timeout: TAB_TIMEOUT, guest_agent, ..Options::default() };
    let mut connection = Connection::new(Some(address.clone()), options, false);
    connection.open(&mut |_| {}).ok()?;
    let engine_options = EngineOptions { no_schema, ..EngineOptions::default() };
    Some(Engine::new(connection, Settings::default(), engine_options, SharedLog::default()))
}

/// Returns the unquoted candidates for `word`, the last word of a line of `qmp-shell` that begins with `words`.
pub(super) fn complete_word(engine: &mut Engine, words: &[&str], word: &str) -> Vec<Candidate> {
    let (mut line, _) = Line::from_arguments(words);
    if !words.is_empty() {
        line.push(' ');
    }
    let start = line.len();
    line.push_str(&escape(word));
    let completion = complete_line_until(engine, &line, TAB_TIMEOUT);
    // Candidates may replace only the end of the word.
    let kept = line.get(start..completion.start).unwrap_or_default();
    let unquote = |candidate: Candidate| {
        let tokens = tokenize(&format!("{kept}{}", candidate.text));
        let [word] = tokens.words.as_slice() else { return None };
        Some(Candidate { text: word.text.clone(), description: candidate.description })
    };
    completion.candidates.into_iter().filter_map(unquote).collect()
}

/// Returns the candidates for a filter on the reply to a command.
pub(super) fn complete_filter(engine: &mut Engine, command: &[&str], filter: &str) -> Vec<Candidate> {
    // After an identity, an expression of any form is a filter.
    let before = Line::from_arguments(command).0 + " | . | ";
    let completion = complete_line_until(engine, &format!("{before}{filter}"), TAB_TIMEOUT);
    let Some(kept) = completion.start.checked_sub(before.len()).and_then(|len| filter.get(..len)) else {
        return Vec::new();
    };
    let whole = |candidate: Candidate| Candidate { text: format!("{kept}{}", candidate.text), ..candidate };
    completion.candidates.into_iter().map(whole).collect()
}

/// Completes a line of `qmp-shell`, whose server may take until `timeout` for introspection.
pub(super) fn complete_line_until(engine: &mut Engine, line: &str, timeout: Duration) -> Completion {
    wait_for_names(engine, line, Instant::now() + timeout);
    // The first attempt waits for live names as briefly as a prompt. The second also has those that arrived late.
    complete_line(engine, line);
    engine.finish_queries();
    let completion = complete_line(engine, line);
    engine.finish_queries();
    completion
}

/// Returns a word as it would be typed in `qmp-shell` without quotes, so that it can be continued.
fn escape(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    for c in word.chars() {
        if c.is_whitespace() || matches!(c, '\'' | '"' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_command_line_as_the_users_shell_does() {
        for (line, expected) in [
            ("qmp ", &[""][..]),
            ("qmp que", &["que"]),
            ("QMP_PATH=a ./qmp que", &["que"]),
            ("qmp --path '/run/a vm' stop ", &["--path", "/run/a vm", "stop", ""]),
            ("qmp eject --id='a b", &["eject", "--id=a b"]),
            ("qmp eject --id=\"a", &["eject", "--id=a"]),
            ("qom get /machine/device\\[0\\", &["get", "/machine/device[0"]),
        ] {
            assert_eq!(split_command_line(line).unwrap(), expected, "{line}");
        }
        for line in ["", "qm", "qmp #", "A=b"] {
            assert_eq!(split_command_line(line), None, "{line}");
        }
    }
}
