//! Help on commands, events and types of the server: from its introspection, and from the manual page on the local
//! disk.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::assist::NameKind;
use crate::grammar::{Diagnostic, Word, missing_key};
use crate::schema::manual::{Hit, Line, LookupResult, Manual, Role, Run, man_path};
use crate::schema::{
    Expected, PartialArguments, Schema, Type, did_you_mean, member_signature, positional_member, signature,
    signature_of_variant,
};

use super::super::engine::Engine;
use super::super::output::Output;

/// The time that the server may take to list its types.
const TYPES_TIMEOUT: Duration = Duration::from_secs(2);

/// The maximum width of the names in the results of a search; longer ones move their sentence.
const MAX_NAME_COLUMNS: usize = 36;

/// The minimum width of a sentence in the results of a search.
const MIN_SENTENCE_COLUMNS: usize = 20;

/// Returns the page on a command, an event, a type or a member of one; `None` if it is unknown.
pub(super) fn page(engine: &mut Engine, topic: &str, columns: usize, out: &mut dyn Output) -> Option<Vec<Line>> {
    let schema = engine.wait_for_schema(out).ok().flatten();
    let manual = manual(engine, schema.as_deref());
    let mut lines = Vec::new();
    if let Some(schema) = schema.as_deref() {
        let found = match topic.split_once('.') {
            Some((name, path)) => member_signature(schema, name, path, columns),
            None => signature(schema, topic, columns),
        };
        lines.extend(found.unwrap_or_default());
    }
    match manual.as_deref().and_then(|manual| manual_text(manual, topic, columns)) {
        Some(text) => {
            if lines.is_empty() {
                lines.push(text.heading);
            } else if let Some(since) = text.since {
                // Introspection has given the heading already.
                lines.push(vec![Run { role: Role::Secondary, text: format!("  since {since}") }]);
            }
            lines.push(Vec::new());
            lines.extend(text.body);
            lines.extend(version_note(engine, manual.as_deref()?));
        }
        None if lines.is_empty() => return None,
        None if manual.is_none() => lines.extend(no_manual_note(engine)),
        None => {}
    }
    Some(lines)
}

/// Returns the page on a command with arguments that select a variant. `None` if the server does not have the command.
pub(super) fn variant_page(
    engine: &mut Engine,
    command: &str,
    text: &str,
    words: &[Word],
    columns: usize,
    out: &mut dyn Output,
) -> Option<Result<Vec<Line>, Diagnostic>> {
    let schema = engine.wait_for_schema(out).ok().flatten()?;
    let info = schema.command(command)?;
    let positional = positional_member(&schema, info.arguments).map(|member| member.name.as_str());
    let arguments = PartialArguments::of_words(text, words, positional);
    let expected = arguments.expected(&schema, info.arguments, &[])?;
    let is_short = positional.is_some() && words.first().is_some_and(Word::is_positional);
    let with_keys = &words[usize::from(is_short)..];
    if let Some(diagnostic) = with_keys.iter().find_map(|word| wrong_argument(&schema, &expected, word)) {
        return Some(Err(diagnostic));
    }
    let others: Vec<_> =
        expected.members.iter().copied().filter(|member| !expected.given.contains(&member.name)).collect();
    let selection: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let mut lines = signature_of_variant(&schema, info, &selection.join(" "), &others, columns);
    if let Some(manual) = manual(engine, Some(&schema))
        && let Some(entry) = manual.entry(command)
    {
        let documented = manual.members(entry);
        let is_selected = |result: &LookupResult<'_>| {
            result.when.is_none_or(|(tag, value)| arguments.text_at(&[tag]).as_deref() == Some(value))
        };
        for member in others {
            let has_name = |result: &&LookupResult<'_>| result.member.name == member.name;
            let selected = documented.iter().filter(has_name).find(|result| is_selected(result));
            // The manual names only the first of several variants with the same members.
            let Some(result) = selected.or_else(|| documented.iter().find(has_name)) else { continue };
            lines.push(Vec::new());
            lines.extend(manual.layout_member(LookupResult { when: None, ..*result }, columns));
        }
        lines.extend(version_note(engine, &manual));
    }
    Some(Ok(lines))
}

/// Returns the error for an argument that a command does not take.
fn wrong_argument(schema: &Schema, expected: &Expected<'_>, word: &Word) -> Option<Diagnostic> {
    if word.equals.is_none() {
        return Some(missing_key(word));
    }
    let name = word.key().split('.').next().unwrap_or_default();
    let Some(member) = expected.members.iter().find(|member| member.name == name) else {
        let near = did_you_mean(name, expected.members.iter().map(|member| member.name.as_str()));
        return Some(Diagnostic::new(word.key_span(), format!("unknown key `{name}`{near}")));
    };
    let Type::Enum(values) = schema.definition(member.kind) else { return None };
    let is_known = values.iter().any(|value| value.name == word.value());
    let near = did_you_mean(word.value(), values.iter().map(|value| value.name.as_str()));
    let message = format!("unknown value `{}` for `{name}`{near}", word.value());
    (!is_known).then(|| Diagnostic::new(word.value_span(), message))
}

/// The manual's text on a topic.
struct ManualText {
    heading: Line,
    since: Option<String>,
    body: Vec<Line>,
}

fn manual_text(manual: &Manual, topic: &str, columns: usize) -> Option<ManualText> {
    if let Some(entry) = manual.entry(topic) {
        let (heading, body) = (manual.heading(entry), manual.layout(entry, columns));
        return Some(ManualText { heading, since: entry.since.clone(), body });
    }
    let (name, path) = topic.split_once('.')?;
    let member = manual.member(name, path)?;
    let heading = vec![Run { role: Role::Heading, text: topic.to_owned() }];
    Some(ManualText { heading, since: None, body: manual.layout_member(member, columns) })
}

/// Returns the entries that contain a word, best first, each with a sentence. Without a manual, returns only names.
pub(super) fn apropos(engine: &mut Engine, word: &str, columns: usize, out: &mut dyn Output) -> Vec<Line> {
    let schema = engine.wait_for_schema(out).ok().flatten();
    let manual = manual(engine, schema.as_deref());
    let Some(manual) = manual.as_deref() else {
        let normalise = |name: &str| name.to_lowercase().replace('_', "-");
        let names = schema.iter().flat_map(|schema| names_of(schema));
        let matching = names.filter(|name| normalise(name).contains(&normalise(word)));
        let mut lines: Vec<Line> = matching.map(|text| vec![Run { role: Role::Name, text }]).collect();
        lines.extend(no_manual_note(engine));
        return lines;
    };
    let mut hits = manual.search(word);
    let mut seen = HashSet::new();
    hits.retain(|hit| seen.insert(hit.entry.name.as_str()));
    let longest = hits.iter().map(|hit| hit.entry.name.len()).max().unwrap_or(0);
    let name_columns = longest.min(MAX_NAME_COLUMNS);
    let row = |hit: &Hit<'_>| {
        let name = format!("{:<name_columns$}", hit.entry.name);
        let room = columns.saturating_sub(name.len() + 2).max(MIN_SENTENCE_COLUMNS);
        let mut sentence: String = hit.sentence.chars().take(room).collect();
        if sentence.len() < hit.sentence.len() {
            sentence.pop();
            sentence.push('…');
        }
        vec![Run::new(Role::Name, name), Run::new(Role::Plain, format!("  {sentence}"))]
    };
    hits.iter().map(row).collect()
}

/// Returns the names of everything that has a page, for suggestions.
pub(super) fn known_names(engine: &mut Engine, out: &mut dyn Output) -> Vec<String> {
    let schema = engine.wait_for_schema(out).ok().flatten();
    let manual = manual(engine, schema.as_deref());
    let mut names = engine.connection.server().map(|server| server.info.command_names()).unwrap_or_default();
    names.extend(schema.iter().flat_map(|schema| names_of(schema)));
    names.extend(manual.iter().flat_map(|manual| manual.entries().iter().map(|entry| entry.name.clone())));
    let devices = engine.live_names(&NameKind::DeviceTypes, Instant::now() + TYPES_TIMEOUT);
    let objects = engine.live_names(&NameKind::ObjectTypes, Instant::now() + TYPES_TIMEOUT);
    names.extend(devices.into_iter().chain(objects).map(|kind| kind.text));
    names
}

/// Returns the names of commands and events.
fn names_of(schema: &Schema) -> Vec<String> {
    let commands = schema.commands().iter().map(|command| command.name.clone());
    commands.chain(schema.events().iter().map(|event| event.name.clone())).collect()
}

/// Returns the manual page, whose sentences describe the commands that Tab lists.
pub(crate) fn manual_for_completion(engine: &mut Engine) -> Option<Rc<Manual>> {
    let schema = engine.connection.server()?.info.schema();
    manual(engine, Some(&*schema?))
}

/// Returns the manual page of the server, if it is installed. It is read when it is first needed.
fn manual(engine: &mut Engine, schema: Option<&Schema>) -> Option<Rc<Manual>> {
    if let Some(manual) = engine.connection.server().and_then(|server| server.manual.get().cloned()) {
        return manual;
    }
    let is_guest_agent = engine.connection.is_guest_agent();
    // The storage daemon has no VM whose status could be queried.
    let is_storage_daemon = schema.is_some_and(|schema| schema.command("query-status").is_none());
    let folders = man_path::folders(std::env::var_os("MANPATH").as_deref());
    let pages = man_path::page_names(is_guest_agent, is_storage_daemon).iter();
    let manual = pages.filter_map(|name| man_path::load(name, &folders).ok().flatten()).next().map(Rc::new);
    if let Some(server) = engine.connection.server() {
        return server.manual.get_or_init(|| manual).clone();
    }
    manual
}

fn note(text: String) -> Vec<Line> {
    vec![Vec::new(), vec![Run { role: Role::Secondary, text }]]
}

fn no_manual_note(engine: &Engine) -> Vec<Line> {
    let (page, package) = match engine.connection.is_guest_agent() {
        true => ("qemu-ga-ref(7)", "qemu-guest-agent"),
        false => ("qemu-qmp-ref(7)", "qemu-system-common"),
    };
    note(format!("{page} says more; it is in Debian's package {package}."))
}

/// Returns a note if the manual and the server have different versions.
fn version_note(engine: &mut Engine, manual: &Manual) -> Vec<Line> {
    let greeting = engine.connection.session().and_then(|session| session.greeting());
    let server = greeting.and_then(|greeting| greeting.version.as_ref()).map(ToString::to_string);
    match (manual.version(), server) {
        (Some(page), Some(server)) if !server.starts_with(page) && !page.starts_with(&server) => {
            note(format!("The manual page is for QEMU {page}; the server is QEMU {server}."))
        }
        _ => Vec::new(),
    }
}
