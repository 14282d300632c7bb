//! Subcommands of `info` whose reply is the text: queries that return one member, `human-readable-text`.
//!
//! Later servers have more of them, and they need no row in the table: `info NAME` becomes `x-query-NAME` wherever the
//! server has such a query, with the arguments that its introspection describes.

use serde_json::{Map, Value, json};

use super::super::command::{Command, Invocation};
use super::super::option_types::Scalar;
use super::super::server::{Failure, QmpServer};
use super::super::text::string;
use crate::schema::{CommandInfo, Schema, Type};
use crate::wire::Request;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("info irq", &[], "counters of interrupts", run),
    Command::new("info jit", &[], "state of the code translator", run),
    Command::new("info numa", &[], "NUMA nodes, their CPUs and memory", run),
    Command::new("info opcount", &[], "counters of translated operations", run),
    Command::new("info pic", &[], "state of the interrupt controllers", run),
    Command::new("info ramblock", &[], "blocks of RAM", run),
    Command::new("info roms", &[], "ROM images and where they are loaded", run),
    Command::new("info usb", &[], "USB devices of the guest", run),
];

/// Queries whose names differ from `x-query-NAME`.
const OTHER_NAMES: &[(&str, &str)] = &[("accel", "x-accel-stats"), ("pic", "x-query-interrupt-controllers")];

/// The summary of the subcommands that are not in the table.
pub(super) const SERVER_SUMMARY: &str = "a text of the server";

/// The only member of such a reply.
const TEXT_KEY: &str = "human-readable-text";

/// Returns the query for `info NAME`.
fn query_name(subcommand: &str) -> String {
    let other = OTHER_NAMES.iter().find(|(name, _)| *name == subcommand);
    other.map_or_else(|| format!("x-query-{subcommand}"), |(_, query)| (*query).to_owned())
}

fn run(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let subcommand = call.command.name.trim_start_matches(super::INFO_PREFIX);
    query_text(call, &query_name(subcommand))
}

/// Returns the text that is the reply to a query without arguments.
pub(super) fn query_text(call: &mut Invocation<'_>, query: &str) -> Result<String, Failure> {
    let reply = call.query(query, json!({}))?;
    Ok(string(&reply, TEXT_KEY).to_owned())
}

/// Runs `info NAME` if the server has a query with that name whose reply is a text. `None` if it has not.
pub(crate) fn run_query_of_server(
    subcommand: &str,
    arguments: &str,
    server: &mut dyn QmpServer,
) -> Option<Result<String, Failure>> {
    let schema = server.schema()?;
    let query = schema.command(&query_name(subcommand)).filter(|query| returns_text(&schema, query))?;
    Some(ask(subcommand, arguments, query, &schema, server))
}

/// Returns the subcommands of `info` that need no row in the table.
pub(super) fn subcommands_of_server(schema: &Schema) -> impl Iterator<Item = &str> {
    let queries = schema.commands().iter().filter(|query| returns_text(schema, query));
    queries.filter_map(|query| {
        let other = OTHER_NAMES.iter().find(|(_, name)| *name == query.name);
        other.map(|(subcommand, _)| *subcommand).or_else(|| query.name.strip_prefix("x-query-"))
    })
}

/// Returns the help on a subcommand that is not in the table, as a line. `None` if the server does not have it.
pub(super) fn help_of_server(schema: &Schema, subcommand: &str) -> Option<String> {
    let query = schema.command(&query_name(subcommand)).filter(|query| returns_text(schema, query))?;
    let arguments = schema.object(query.arguments).members.iter().map(|member| match member.optional {
        true => format!(" [{}]", member.name),
        false => format!(" {}", member.name),
    });
    Some(format!("{}{subcommand}{} -- {SERVER_SUMMARY}\n", super::INFO_PREFIX, arguments.collect::<String>()))
}

fn returns_text(schema: &Schema, query: &CommandInfo) -> bool {
    let [member] = schema.object(query.returns).members.as_slice() else { return false };
    member.name == TEXT_KEY
}

/// Sends a query with the words of a line as its arguments, in the order of the schema.
fn ask(
    subcommand: &str,
    line: &str,
    query: &CommandInfo,
    schema: &Schema,
    server: &mut dyn QmpServer,
) -> Result<String, Failure> {
    let wrong = |reason: &str| {
        let usage = Failure::wrong_usage(&format!("info {subcommand}")).text();
        Failure::Text(format!("{subcommand}: {reason}\n{usage}"))
    };
    let mut words = line.split_whitespace();
    let mut arguments = Map::new();
    for member in &schema.object(query.arguments).members {
        let form = match schema.definition(member.kind) {
            Type::Builtin(builtin) => Scalar::of_builtin(*builtin),
            _ => Scalar::Text,
        };
        match words.next() {
            Some(word) => {
                let value = form.parse(word).ok_or_else(|| wrong(&format!("invalid {} '{word}'", member.name)))?;
                arguments.insert(member.name.clone(), value);
            }
            None if member.optional => {}
            None => return Err(wrong(&format!("{} expected", member.name))),
        }
    }
    if words.next().is_some() {
        return Err(wrong("extraneous characters at the end of line"));
    }
    let mut request = Request::new(&query.name);
    if !arguments.is_empty() {
        request = request.with_arguments(Value::Object(arguments).to_string());
        request.mark_secrets();
    }
    Ok(string(&server.query(&request)?, TEXT_KEY).to_owned())
}
