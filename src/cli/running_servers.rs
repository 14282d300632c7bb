//! The servers that run on this machine: `--list`, and the choice of one where no address is given.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::discovery::{MonitorState, RunningServer, running_servers};
use crate::render::{Medium, printable};
use crate::session::Address;
use crate::shell::{OutputFormat, addresses, split_name};

use super::args::{Color, ShellArgs};
use super::color::stdout_palette;
use super::exit_status::{Failure, Status};
use super::shell_completion::print_completions;
use super::stdio::{finish_printing, report};
use crate::assist::Candidate;

/// The message if no server is chosen.
const NO_ADDRESS: &str = "no ADDRESS given and QMP_SOCKET is not set; try `qmp-shell demo:` or `qmp-shell --help`";

/// The number of answers that are not a number in the list after which the choice is given up.
const MAX_INVALID_ANSWERS: usize = 3;

/// A row of `--list`.
#[derive(Serialize)]
struct Row<'a> {
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    pid: u32,
    state: MonitorState,
}

/// Prints the monitors of the running servers.
pub(super) fn list(format: OutputFormat, color: Color) -> Result<Status, Failure> {
    let servers = running_servers();
    let rows = servers.iter().map(|server| Row {
        address: text_of(&server.address),
        name: server.name.as_deref(),
        pid: server.process,
        state: server.state,
    });
    let raw = serde_json::to_string(&rows.collect::<Vec<_>>()).map_err(|error| Failure::new(Status::Failed, error))?;
    if servers.is_empty() && format == OutputFormat::Table {
        report("no running server with a QMP socket found");
        return Ok(Status::Success);
    }
    let palette = stdout_palette(color);
    let mut out = io::stdout().lock();
    finish_printing(format.write_value(&raw, &Medium::file(&palette), io::stdout().is_terminal(), &mut out))
}

/// Prints the candidates for the last word of a command line, if it is ADDRESS.
pub(super) fn complete_address(command_line: &str) -> Result<Status, Failure> {
    /// An address in the place of the word.
    const PLACEHOLDER: &str = "unix:placeholder";
    print_completions(command_line, |words| {
        let (typed, before) = words.split_last()?;
        let before = before.iter().map(String::as_str);
        let args = ["qmp-shell"].into_iter().chain(before).chain([PLACEHOLDER]);
        let args = <ShellArgs as clap::Parser>::try_parse_from(args).ok()?;
        let is_address = !args.addresses.is_empty() && !typed.starts_with('-');
        let (name, address) = split_name(typed);
        let candidate = |found: crate::assist::Name| Candidate {
            text: name.map(|name| format!("{name}=")).unwrap_or_default() + &found.text,
            description: found.description,
        };
        is_address.then(|| addresses(address).into_iter().map(candidate).collect())
    })
}

/// Lets the user choose one of the running servers, at a terminal. Connects to none.
pub(super) fn choose() -> Result<Address, Failure> {
    let mut servers = running_servers();
    match servers.len() {
        0 => return Err(no_address(&[])),
        1 => print(&format!("Running: {}\nConnect to it? [Y/n] ", describe(&servers[0])))?,
        _ => {
            let rows = servers.iter().enumerate();
            let rows: Vec<String> = rows.map(|(i, server)| format!("{:>3}  {}\n", i + 1, describe(server))).collect();
            print(&format!("Running servers:\n{}Connect to number: ", rows.concat()))?;
        }
    }
    for _ in 0..MAX_INVALID_ANSWERS {
        let mut answer = String::new();
        // At its end, as after Ctrl-D, no server is chosen.
        if io::stdin().read_line(&mut answer).map_err(|error| Failure::new(Status::Failed, error))? == 0 {
            print("\n")?;
            break;
        }
        match chosen(answer.trim(), servers.len()) {
            Answer::Server(index) => return Ok(servers.swap_remove(index).address),
            Answer::None => break,
            Answer::Invalid if servers.len() == 1 => print("Yes or no? [Y/n] ")?,
            Answer::Invalid => print(&format!("A number from 1 to {}: ", servers.len()))?,
        }
    }
    Err(Failure::usage("no server chosen"))
}

/// Returns the error if no address is given, with the running servers.
pub(super) fn no_address(servers: &[RunningServer]) -> Failure {
    let rows: String = servers.iter().map(|server| format!("\n  {}", describe(server))).collect();
    let heading = if servers.is_empty() { "" } else { "\nrunning servers:" };
    Failure::usage(format!("{NO_ADDRESS}{heading}{rows}"))
}

/// An answer to the question which server to connect to.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Server(usize),
    None,
    Invalid,
}

/// Parses an answer to the question about `count` servers.
fn chosen(answer: &str, count: usize) -> Answer {
    match (answer.to_ascii_lowercase().as_str(), count) {
        ("" | "y" | "yes", 1) => Answer::Server(0),
        ("" | "n" | "no" | "q", _) => Answer::None,
        (number, _) => match number.parse::<usize>() {
            Ok(number) if (1..=count).contains(&number) => Answer::Server(number - 1),
            _ => Answer::Invalid,
        },
    }
}

/// Returns a server as one line, printable.
fn describe(server: &RunningServer) -> String {
    let name = server.name.as_ref().map(|name| format!("{name} at ")).unwrap_or_default();
    let text = format!("{name}{} (pid {}, {})", text_of(&server.address), server.process, server.state.name());
    printable(&text).into_owned()
}

fn text_of(address: &Address) -> String {
    address.to_os_string().to_string_lossy().into_owned()
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Failure::new(Status::Failed, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_the_answers() {
        for (answer, count, expected) in [
            ("", 1, Answer::Server(0)),
            ("Y", 1, Answer::Server(0)),
            ("n", 1, Answer::None),
            ("1", 1, Answer::Server(0)),
            ("", 2, Answer::None),
            ("2", 2, Answer::Server(1)),
            ("3", 2, Answer::Invalid),
            ("0", 2, Answer::Invalid),
            ("y", 2, Answer::Invalid),
        ] {
            assert_eq!(chosen(answer, count), expected, "{answer:?} of {count}");
        }
    }

    #[test]
    fn shows_no_control_characters() {
        let server = RunningServer {
            address: Address::Unix("/a\u{1b}[2J\nb".into()),
            name: Some("n\r\u{7}".to_owned()),
            process: 7,
            state: MonitorState::Held,
        };
        let text = describe(&server);
        assert!(!text.chars().any(char::is_control) && text.ends_with("(pid 7, held)"), "{text:?}");
    }
}
