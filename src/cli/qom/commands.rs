//! What each command does, from what was typed to what is printed.

use std::io::{self, IsTerminal, Write};

use anyhow::anyhow;

use crate::client::ExecuteError;
use crate::qom::{PropertyKind, QomClient, QomError, TreeGlyphs, natural_cmp, write_tree, write_tree_json};
use crate::render::{JsonStyle, Palette, printable, write_flat, write_json};
use crate::schema::nearest;
use crate::shell::show_text;

use super::usage;
use crate::cli::args::Color;
use crate::cli::exit_status::{Failure, Status};
use crate::cli::qmp_shell::{finish_printing, is_colored};

/// `qom list`.
pub(crate) fn list(qom: &QomClient, path: &str, json: bool) -> Result<Status, Failure> {
    let mut properties = qom.list(path).map_err(|error| failed(qom, error, path, None))?;
    properties.sort_by(|a, b| natural_cmp(&a.name, &b.name));
    if json {
        let text = serde_json::to_string(&properties).map_err(|error| Failure::new(Status::LineFailed, error))?;
        return print_json(&text);
    }
    let mut text = String::new();
    for property in &properties {
        let name = printable(&property.name);
        text.push_str(&match property.kind() {
            PropertyKind::Child(_) => format!("{name}/\n"),
            PropertyKind::Link(_) => format!("@{name}/\n"),
            PropertyKind::Value(_) => format!("{name}\n"),
        });
    }
    finish_printing(io::stdout().write_all(text.as_bytes()))
}

/// `qom get`.
pub(crate) fn get(qom: &QomClient, target: &str, property: Option<&str>, json: bool) -> Result<Status, Failure> {
    let (path, property) = resolve(qom, target, property)?;
    let raw = qom.get(path, property).map_err(|error| failed(qom, error, path, Some(property)))?;
    if json {
        return print_json(&raw);
    }
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = write_flat(&raw, &Palette::default(), &mut text);
    if text.is_empty() {
        // What is empty has no line of its own.
        let bare = if raw.starts_with('"') { "" } else { raw.as_str() };
        text = format!("{bare}\n").into_bytes();
    }
    finish_printing(io::stdout().write_all(&text))
}

/// `qom set`.
pub(crate) fn set(qom: &QomClient, target: &str, words: &[String]) -> Result<Status, Failure> {
    let (property, value) = match words {
        [value] => (None, value),
        [property, value, ..] => (Some(property.as_str()), value),
        [] => return Err(usage("no VALUE is named".to_owned())),
    };
    let (path, property) = resolve(qom, target, property)?;
    qom.set(path, property, value).map_err(|error| failed(qom, error, path, Some(property)))?;
    Ok(Status::Success)
}

/// `qom tree`.
pub(crate) fn tree(
    qom: QomClient,
    path: &str,
    depth: Option<usize>,
    json: bool,
    color: Color,
) -> Result<Status, Failure> {
    let tree = qom.tree(path, depth).map_err(|error| failed(&qom, error, path, None))?;
    // The server is free for others while the tree is looked at: a monitor serves one client at a time.
    drop(qom);
    if json {
        let mut text = String::new();
        write_tree_json(&tree, &mut text);
        return print_json(&text);
    }
    let glyphs = if is_utf8() { TreeGlyphs::UNICODE } else { TreeGlyphs::ASCII };
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = write_tree(&tree, &glyphs, &Palette::new(is_colored(color)), &mut text);
    finish_printing(show_text(&String::from_utf8_lossy(&text)))
}

/// The object and property that were named.
fn resolve<'a>(qom: &QomClient, target: &'a str, property: Option<&'a str>) -> Result<(&'a str, &'a str), Failure> {
    if let Some(property) = property {
        return Ok((target, property));
    }
    match qom.resolve(target).map_err(|error| failed(qom, error, target, None))? {
        Some(found) => Ok(found),
        None => Err(usage(format!("`{target}` names no property: it is PATH.PROPERTY, such as `/machine.type`"))),
    }
}

/// What the server refused, with the name that was perhaps meant.
fn failed(qom: &QomClient, error: QomError, path: &str, property: Option<&str>) -> Failure {
    let status = if error.is_disconnected() { Status::Disconnected } else { Status::LineFailed };
    let advice = match (&error, property) {
        (QomError::InvalidValue { .. } | QomError::TooManyMembers { .. }, _) => None,
        _ if status == Status::Disconnected => None,
        (_, Some(property)) => advice_on_property(qom, path, property),
        (_, None) => qom.nearest_path(path).map(|near| format!("did you mean `{near}`?")),
    };
    // Which command it was that the server refused is nothing that was typed.
    let message = match &error {
        QomError::Execute(ExecuteError::Refused { .. }) => {
            format!("{}: {}", error.class().unwrap_or_default(), error.reason())
        }
        error => error.to_string(),
    };
    match advice {
        Some(advice) => Failure::new(status, anyhow!("{message}; {advice}")),
        None => Failure::new(status, anyhow!(message)),
    }
}

fn advice_on_property(qom: &QomClient, path: &str, property: &str) -> Option<String> {
    let whole = format!("{path}.{property}");
    match qom.list(path) {
        Ok(properties) => {
            if properties.iter().any(|listed| listed.name == property) {
                return None;
            }
            let near = nearest(property, properties.iter().map(|listed| listed.name.as_str()))?;
            Some(format!("did you mean `{near}`?"))
        }
        Err(_) if qom.list(&whole).is_ok() => {
            Some(format!("`{whole}` is an object, and its properties are behind another dot, as in `{whole}.type`"))
        }
        Err(_) => qom.nearest_path(path).map(|near| format!("did you mean `{near}`?")),
    }
}

/// JSON as the server spells it: indented at a terminal, one line elsewhere.
fn print_json(raw: &str) -> Result<Status, Failure> {
    let terminal = io::stdout().is_terminal();
    let layout = if terminal { JsonStyle::Indented } else { JsonStyle::Line };
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = write_json(raw, layout, &Palette::default(), terminal, &mut text);
    text.push(b'\n');
    finish_printing(io::stdout().write_all(&text))
}

/// Whether the locale's characters are those of Unicode.
fn is_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
