//! `--complete`: completion of objects and their properties.

use clap::Parser;

use crate::assist::Candidate;
use crate::qom::property_splits;
use crate::shell::Engine;

use super::args::{QomArgs, QomCommand};
use crate::cli::args::address_from_environment;
use crate::cli::shell_completion::{complete_word, connect_for_completion};

/// Returns the candidates for the last of the words of a command line. `None` for an option or its value, and without a
/// server.
pub(super) fn complete(words: &[String]) -> Option<Vec<Candidate>> {
    let current = words.last().filter(|word| !word.starts_with('-'))?;
    let args = QomArgs::try_parse_from([&["qom".to_owned()], words].concat()).ok()?;
    let address = args.socket.clone().or_else(|| address_from_environment().ok().flatten())?;
    let connect = || connect_for_completion(&address, false, false);
    Some(match args.command? {
        QomCommand::List { path, .. } | QomCommand::Tree { path, .. } if path == *current => {
            complete_object(&mut connect()?, current)
        }
        QomCommand::Get { target, property: None, .. } if target == *current => {
            complete_target(&mut connect()?, current)
        }
        QomCommand::Get { target, property: Some(property), .. } if property == *current => {
            complete_property(&mut connect()?, &target, current)
        }
        QomCommand::Set { target, words } if words.as_slice() == [current.as_str()] => {
            complete_property(&mut connect()?, &target, current)
        }
        _ => return None,
    })
}

/// Completes the path of an object.
fn complete_object(engine: &mut Engine, typed: &str) -> Vec<Candidate> {
    complete_value(engine, &["qom-list"], "path", typed)
}

/// Completes the name of a property of the object at `path`.
fn complete_property(engine: &mut Engine, path: &str, typed: &str) -> Vec<Candidate> {
    complete_value(engine, &["qom-get", &format!("path={path}")], "property", typed)
}

/// Completes `PATH.PROPERTY`. A dot can follow the path of an object, and a slash too if there are objects below it.
fn complete_target(engine: &mut Engine, typed: &str) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for object in complete_object(engine, typed) {
        let path = object.text.trim_end_matches('/');
        candidates.push(Candidate { text: format!("{path}."), description: object.description.clone() });
        if path != object.text {
            candidates.push(object);
        }
    }
    // The names of objects can contain dots, so any dot can be the one before the property.
    for (path, property) in property_splits(&format!("{typed}\0")) {
        let properties = complete_property(engine, path, property.trim_end_matches('\0')).into_iter();
        candidates.extend(properties.map(|name| Candidate { text: format!("{path}.{}", name.text), ..name }));
    }
    candidates
}

/// Completes the value of `key` after the words of a line of `qmp-shell`.
fn complete_value(engine: &mut Engine, words: &[&str], key: &str, typed: &str) -> Vec<Candidate> {
    let prefix = format!("{key}=");
    let candidates = complete_word(engine, words, &format!("{prefix}{typed}"));
    let value = |candidate: Candidate| {
        let text = candidate.text.strip_prefix(&prefix)?.to_owned();
        Some(Candidate { text, ..candidate })
    };
    candidates.into_iter().filter_map(value).collect()
}
