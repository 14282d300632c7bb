//! The functions that filters can call: those of the jaq crates, except what reaches outside the filter, and those of jq
//! that jaq leaves to its own program.

use bytes::Bytes;
use jaq_core::box_iter::box_once;
use jaq_core::load::parse::Def;
use jaq_core::native::{Fun, v};
use jaq_core::{Error, Exn, Native};
use jaq_json::Val;

use super::guard::{self, Kind};
use super::read_value::read_value;
use super::write_value::write_value;

/// Functions of jaq that write to standard error, read the environment or end the program.
const OUTSIDE: [&str; 9] =
    ["env", "halt", "halt_error", "stderr", "debug", "stderr_empty", "debug_empty", "input", "inputs"];

/// Functions of jq in terms of others.
const DEFINITIONS: &str = include_str!("functions.jq");

/// Returns the functions with a definition in the language, without checks.
pub(super) fn definitions() -> Vec<Def<&'static str>> {
    let own = jaq_core::load::parse(DEFINITIONS, |parser| parser.defs()).unwrap_or_default();
    let all = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    all.filter(|definition| !OUTSIDE.contains(&definition.name)).chain(own).collect()
}

/// Returns the functions written in Rust.
pub(super) fn natives() -> Vec<Fun<Kind>> {
    let mut own = guard::functions();
    own.extend([
        ("fromjson", v(0), Native::new(|cv| box_once(from_json(&cv.1).map_err(Exn::from)))),
        ("tsv_row", v(0), Native::new(|cv| box_once(row(&cv.1, "\t", tsv_string).map_err(Exn::from)))),
        ("csv_row", v(0), Native::new(|cv| box_once(row(&cv.1, ",", csv_string).map_err(Exn::from)))),
    ]);
    let others: Vec<_> = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs()).collect();
    let is_replaced = |name: &str, arity| {
        OUTSIDE.contains(&name) || own.iter().any(|(own, args, _)| *own == name && args.len() == arity)
    };
    let kept: Vec<_> = others.into_iter().filter(|(name, args, _)| !is_replaced(name, args.len())).collect();
    own.into_iter().chain(kept).collect()
}

/// A function or format that a filter can call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub name: &'static str,
    /// Whether it cannot be called without arguments.
    pub needs_arguments: bool,
}

/// Returns the functions and formats that a filter can call, by name.
pub fn functions() -> Vec<Function> {
    let native = natives().into_iter().map(|(name, arguments, _)| (name, arguments.len()));
    let defined = definitions().into_iter().map(|definition| (definition.name, definition.args.len()));
    let mut all: Vec<(&str, usize)> = defined.chain(native).collect();
    all.retain(|(name, _)| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '@') && !is_internal(name));
    all.sort_unstable();
    // The form with the fewest arguments comes first.
    all.dedup_by_key(|(name, _)| *name);
    all.into_iter().map(|(name, arguments)| Function { name, needs_arguments: arguments > 0 }).collect()
}

/// Returns whether a function exists only for the definitions of others.
fn is_internal(name: &str) -> bool {
    name.ends_with('_')
        || name.ends_with("_row")
        || name.ends_with("_empty")
        || name.starts_with("escape_")
        || name.starts_with("unescape_")
        || name.starts_with("encode_")
        || name.starts_with("decode_")
        || matches!(name, "capture_of_match" | "split_matches" | "matches" | "key_values" | "path_value" | "totype")
}

fn from_json(value: &Val) -> Result<Val, Error<Val>> {
    let Val::TStr(text) = value else { return Err(Error::typ(value.clone(), "string")) };
    read_value(text).map_err(|message| Error::str(format!("cannot parse a string as JSON: {message}")))
}

/// Joins the items of an array into a row of a table.
fn row(value: &Val, separator: &str, write_string: fn(&str, &mut String)) -> Result<Val, Error<Val>> {
    let Val::Arr(cells) = value else { return Err(Error::typ(value.clone(), "array")) };
    let mut row = String::new();
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            row.push_str(separator);
        }
        match cell {
            Val::Null => {}
            Val::TStr(text) | Val::BStr(text) => write_string(&String::from_utf8_lossy(text), &mut row),
            Val::Bool(_) | Val::Num(_) => write_value(cell, &mut row),
            Val::Arr(_) | Val::Obj(_) => return Err(Error::typ(cell.clone(), "cell of a table")),
        }
    }
    Ok(Val::utf8_str(Bytes::from(row)))
}

fn tsv_string(text: &str, row: &mut String) {
    for c in text.chars() {
        match c {
            '\t' => row.push_str("\\t"),
            '\n' => row.push_str("\\n"),
            '\r' => row.push_str("\\r"),
            '\\' => row.push_str("\\\\"),
            c => row.push(c),
        }
    }
}

fn csv_string(text: &str, row: &mut String) {
    row.push('"');
    row.push_str(&text.replace('"', "\"\""));
    row.push('"');
}
