//! `--complete`: what Tab offers for objects and their properties.

use clap::Parser;

use crate::assist::Candidate;
use crate::qom::property_splits;
use crate::shell::Engine;

use super::args::{QomArgs, QomCommand};
use crate::cli::args::address_of_environment;
use crate::cli::exit_status::{Failure, Status};
use crate::cli::shell_completion;

/// Prints what Tab offers at the end of a command line. The status is 1 where options and their values are looked for, or
/// there is no server that could be asked.
pub(super) fn complete(line: &str) -> Result<Status, Failure> {
    let found = shell_completion::words(line).and_then(|words| offers(&words));
    found.map_or(Ok(Status::LineFailed), |candidates| shell_completion::print(&candidates))
}

fn offers(words: &[String]) -> Option<Vec<Candidate>> {
    let current = words.last().filter(|word| !word.starts_with('-'))?;
    let args = QomArgs::try_parse_from([&["qom".to_owned()], words].concat()).ok()?;
    let address = args.socket.clone().or_else(|| address_of_environment().ok().flatten())?;
    let engine = || shell_completion::engine(&address, false, false);
    Some(match args.command? {
        QomCommand::List { path, .. } | QomCommand::Tree { path, .. } if path == *current => {
            objects(&mut engine()?, current)
        }
        QomCommand::Get { target, property: None, .. } if target == *current => targets(&mut engine()?, current),
        QomCommand::Get { target, property: Some(property), .. } if property == *current => {
            properties(&mut engine()?, &target, current)
        }
        QomCommand::Set { target, words } if words.as_slice() == [current.as_str()] => {
            properties(&mut engine()?, &target, current)
        }
        _ => return None,
    })
}

/// Objects whose path begins with `typed`.
fn objects(engine: &mut Engine, typed: &str) -> Vec<Candidate> {
    stripped(shell_completion::offer(engine, "qom-list ", &format!("path={typed}")), "path=")
}

/// Properties of the object at `path` whose name begins with `typed`.
fn properties(engine: &mut Engine, path: &str, typed: &str) -> Vec<Candidate> {
    let before = format!("qom-get path={} ", shell_completion::escaped(path));
    stripped(shell_completion::offer(engine, &before, &format!("property={typed}")), "property=")
}

/// What `PATH.PROPERTY` may become: behind an object stands a dot, or the way to one below it.
fn targets(engine: &mut Engine, typed: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    for candidate in objects(engine, typed) {
        let path = candidate.text.trim_end_matches('/');
        found.push(Candidate { text: format!("{path}."), description: candidate.description.clone() });
        if path != candidate.text {
            found.push(candidate);
        }
    }
    // Names of objects may hold dots too, so each may be the one in the middle.
    for (path, property) in property_splits(&format!("{typed}\0")) {
        let property = property.trim_end_matches('\0');
        let of_it = properties(engine, path, property).into_iter();
        found.extend(of_it.map(|candidate| Candidate { text: format!("{path}.{}", candidate.text), ..candidate }));
    }
    found
}

fn stripped(candidates: Vec<Candidate>, key: &str) -> Vec<Candidate> {
    let strip =
        |candidate: Candidate| Some(Candidate { text: candidate.text.strip_prefix(key)?.to_owned(), ..candidate });
    candidates.into_iter().filter_map(strip).collect()
}
