//! The commands of `qom`, except `fuse`: they query the server and print its reply.

use std::io::{self, IsTerminal};

use crate::client::ExecuteError;
use crate::qom::{PropertyKind, QomClient, QomError, TreeGlyphs, natural_cmp, write_tree, write_tree_json};
use crate::render::{JsonStyle, Palette, printable, write_flat, write_json};
use crate::schema::nearest;
use crate::shell::show_text;

use crate::cli::args::environment_variable;
use crate::cli::exit_status::{Failure, Status};
use crate::cli::stdio::{finish_printing, print, report};

/// The notice about a server that takes one request at a time.
pub(super) const ONE_AT_A_TIME: &str = "the server does not answer several requests at once; it gets one at a time";

pub(super) fn list(qom: &QomClient, path: &str, json: bool) -> Result<Status, Failure> {
    let mut properties = qom.list(path).map_err(|error| failure(qom, &error, path, None))?;
    properties.sort_by(|a, b| natural_cmp(&a.name, &b.name));
    if json {
        let text = serde_json::to_string(&properties).map_err(|error| Failure::new(Status::Failed, error))?;
        return print_json(&text);
    }
    let lines = properties.iter().map(|property| {
        let name = printable(&property.name);
        match property.kind() {
            PropertyKind::Child(_) => format!("{name}/\n"),
            PropertyKind::Link(_) => format!("@{name}/\n"),
            PropertyKind::Value(_) => format!("{name}\n"),
        }
    });
    print(lines.collect::<String>())
}

pub(super) fn get(qom: &QomClient, target: &str, property: Option<&str>, json: bool) -> Result<Status, Failure> {
    let (path, property) = resolve(qom, target, property)?;
    let raw = qom.get(path, property).map_err(|error| failure(qom, &error, path, Some(property)))?;
    if json {
        return print_json(&raw);
    }
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = write_flat(&raw, &Palette::default(), &mut text);
    if text.is_empty() {
        // An empty value has no line in this format.
        let value = if raw.starts_with('"') { "" } else { raw.as_str() };
        text = format!("{value}\n").into_bytes();
    }
    print(text)
}

/// Sets a property. `words` is `VALUE`, or `PROPERTY VALUE`.
pub(super) fn set(qom: &QomClient, target: &str, words: &[String]) -> Result<Status, Failure> {
    let (property, value) = match words {
        [value] => (None, value),
        [property, value, ..] => (Some(property.as_str()), value),
        [] => return Err(Failure::usage("missing VALUE")),
    };
    let (path, property) = resolve(qom, target, property)?;
    qom.set(path, property, value).map_err(|error| failure(qom, &error, path, Some(property)))?;
    Ok(Status::Success)
}

/// Shows a tree. `connect` opens a connection; a server that does not answer several requests at once gets a second one.
pub(super) fn tree(
    connect: impl Fn() -> Result<QomClient, Failure>,
    path: &str,
    depth: Option<usize>,
    json: bool,
    palette: &Palette,
) -> Result<Status, Failure> {
    let mut qom = connect()?;
    let mut tree = qom.tree(path, depth);
    if matches!(tree, Err(QomError::Stalled)) {
        report(&format!("qom: {ONE_AT_A_TIME}"));
        // The unanswered requests may have confused the server.
        drop(qom);
        qom = connect()?.taking_turns();
        tree = qom.tree(path, depth);
    }
    let tree = tree.map_err(|error| failure(&qom, &error, path, None))?;
    // A monitor serves one client at a time, and a pager may stay open for long.
    drop(qom);
    if json {
        let mut text = String::new();
        write_tree_json(&tree, &mut text);
        return print_json(&text);
    }
    let glyphs = if is_utf8_locale() { TreeGlyphs::UNICODE } else { TreeGlyphs::ASCII };
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = write_tree(&tree, &glyphs, palette, &mut text);
    finish_printing(show_text(&String::from_utf8_lossy(&text)))
}

/// Returns the path and the property that `target` names, alone or with `property`.
fn resolve<'a>(qom: &QomClient, target: &'a str, property: Option<&'a str>) -> Result<(&'a str, &'a str), Failure> {
    if let Some(property) = property {
        return Ok((target, property));
    }
    match qom.resolve(target).map_err(|error| failure(qom, &error, target, None))? {
        Some(resolved) => Ok(resolved),
        None => {
            let message =
                format!("`{target}` does not name a property; expected PATH.PROPERTY, such as `/machine.type`");
            Err(Failure::usage(message))
        }
    }
}

/// Returns the failure for an error about an object, or about its `property`, with a suggestion.
fn failure(qom: &QomClient, error: &QomError, path: &str, property: Option<&str>) -> Failure {
    let status = if error.is_disconnected() { Status::Disconnected } else { Status::Failed };
    let suggestion = match (error, property) {
        (QomError::InvalidValue { .. } | QomError::TooManyMembers { .. }, _) => None,
        _ if status == Status::Disconnected => None,
        (_, Some(property)) => suggest_property(qom, path, property),
        (_, None) => suggest_path(qom, path),
    };
    let message = match error {
        // The name of the QMP command is left out, because the user did not type it.
        QomError::Execute(ExecuteError::Refused { .. }) => {
            format!("{}: {}", error.class().unwrap_or_default(), error.reason())
        }
        error => error.to_string(),
    };
    let suggestion = suggestion.map(|suggestion| format!("; {suggestion}")).unwrap_or_default();
    Failure::with_message(status, message + &suggestion)
}

fn suggest_path(qom: &QomClient, path: &str) -> Option<String> {
    qom.nearest_path(path).map(|near| format!("did you mean `{near}`?"))
}

fn suggest_property(qom: &QomClient, path: &str, property: &str) -> Option<String> {
    let whole = format!("{path}.{property}");
    match qom.list(path) {
        Ok(properties) if properties.iter().any(|listed| listed.name == property) => None,
        Ok(properties) => {
            let near = nearest(property, properties.iter().map(|listed| listed.name.as_str()))?;
            Some(format!("did you mean `{near}`?"))
        }
        Err(_) if qom.list(&whole).is_ok() => {
            Some(format!("`{whole}` is an object; its properties follow another dot, as in `{whole}.type`"))
        }
        Err(_) => suggest_path(qom, path),
    }
}

/// Prints JSON in the server's spelling: indented at a terminal, on one line otherwise.
fn print_json(raw: &str) -> Result<Status, Failure> {
    let is_terminal = io::stdout().is_terminal();
    let style = if is_terminal { JsonStyle::Indented } else { JsonStyle::Line };
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = write_json(raw, style, &Palette::default(), is_terminal, &mut text);
    text.push(b'\n');
    print(text)
}

/// Returns whether the locale's character encoding is UTF-8.
fn is_utf8_locale() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(environment_variable).unwrap_or_default();
    let locale = locale.to_string_lossy().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
