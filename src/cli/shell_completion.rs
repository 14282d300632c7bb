//! What Tab offers in the user's own shell: the command line there taken apart, and what the server has for it.
//!
//! Nobody wants to wait for Tab, or to see it do something: a server is given a moment, and neither is a command run to
//! reach one nor an inherited connection used up.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::assist::{Candidate, Completion};
use crate::grammar::tokenize;
use crate::session::{Address, Options, SharedLog};
use crate::shell::{Connection, Engine, Mode, Settings, complete_line, wait_for_names};

use super::exit_status::{Failure, Status};
use super::qmp_shell::finish_printing;

/// How long connecting may take, then the greeting, and then what the server says of itself.
const MOMENT: Duration = Duration::from_millis(500);

/// The words of a command line up to the cursor, without the program's name and what is set before it. The last is the
/// one being typed, and may be empty. `None` where the cursor is in no word.
pub(crate) fn words(line: &str) -> Option<Vec<String>> {
    /// Stands at the cursor.
    const CURSOR: char = '\u{1}';
    let ends = ["", "'", "\""].into_iter();
    let mut words = ends.filter_map(|end| shlex::split(&format!("{line}{CURSOR}{end}"))).next()?;
    let last = words.last_mut()?;
    last.truncate(last.strip_suffix(CURSOR)?.len());
    let name = words.iter().position(|word| !word.contains('='))?;
    words.drain(..=name);
    (!words.is_empty()).then_some(words)
}

/// What completes by what the server says, where it can be asked.
pub(crate) fn engine(address: &Address, guest_agent: bool, no_schema: bool) -> Option<Engine> {
    if matches!(address, Address::Exec(_) | Address::Fd(_)) {
        return None;
    }
    let options = Options { timeout: MOMENT, guest_agent, ..Options::default() };
    let mut connection = Connection::new(Some(address.clone()), options, false);
    connection.open(&mut |_| {}).ok()?;
    let mode = Mode { interactive: false, dry_run: false, no_schema, suggests_corrections: false };
    Some(Engine::new(connection, Settings::default(), mode, SharedLog::default()))
}

/// What the last word of a line of the shell may become: behind `before`, `word` is typed. Nothing in a candidate is
/// quoted.
pub(crate) fn offer(engine: &mut Engine, before: &str, word: &str) -> Vec<Candidate> {
    let line = format!("{before}{}", escaped(word));
    let completion = completion(engine, &line, MOMENT);
    let kept = line.get(before.len()..completion.start).unwrap_or_default();
    let unquoted = |candidate: Candidate| {
        let tokens = tokenize(&format!("{kept}{}", candidate.text));
        let [word] = tokens.words.as_slice() else { return None };
        Some(Candidate { text: word.text.clone(), description: candidate.description })
    };
    completion.candidates.into_iter().filter_map(unquoted).collect()
}

/// What Tab offers at the end of `line`, with so much time for what is asked first.
pub(crate) fn completion(engine: &mut Engine, line: &str, patience: Duration) -> Completion {
    wait_for_names(engine, line, Instant::now() + patience);
    // What lives in the server is waited for as long as at a prompt; an answer that is late serves the second look.
    complete_line(engine, line);
    engine.finish_queries();
    let completion = complete_line(engine, line);
    engine.finish_queries();
    completion
}

/// Prints `CANDIDATE<TAB>DESCRIPTION`, one a line.
pub(crate) fn print(candidates: &[Candidate]) -> Result<Status, Failure> {
    let lines = candidates.iter().map(|candidate| format!("{}\t{}\n", candidate.text, candidate.description));
    finish_printing(io::stdout().write_all(lines.collect::<String>().as_bytes()))
}

/// A word that is literally this, as the shell reads it. It may go on.
pub(crate) fn escaped(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if c.is_whitespace() || matches!(c, '\'' | '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_taken_apart_as_the_users_shell_does() {
        for (line, expected) in [
            ("qmp ", &[""][..]),
            ("qmp que", &["que"]),
            ("QMP_PATH=a ./qmp que", &["que"]),
            ("qmp --path '/run/a vm' stop ", &["--path", "/run/a vm", "stop", ""]),
            ("qmp eject --id='a b", &["eject", "--id=a b"]),
            ("qmp eject --id=\"a", &["eject", "--id=a"]),
            ("qom get /machine/device\\[0\\", &["get", "/machine/device[0"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        for line in ["", "qm", "qmp #", "A=b"] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}
