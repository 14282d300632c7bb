//! `help COMMAND`, `help EVENT`, `help TYPE.member`, `help apropos WORD`: what introspection and the manual say.

use std::rc::Rc;

use crate::schema::manual::{Line, Manual, Role, Run, man_path};
use crate::schema::{Schema, member_signature, signature};

use crate::shell::engine::Engine;

/// The pages of the manual that belong to the server, read at the first question.
pub(crate) type Manuals = Option<Rc<Vec<Manual>>>;

/// A page on a command, an event, a type or a member of one; `None` where nobody knows it.
pub(crate) fn explain(engine: &mut Engine, topic: &str, width: usize) -> Option<Vec<Line>> {
    let schema = engine.learn_schema().ok().flatten();
    let manuals = manuals(engine, schema.as_deref());
    let mut lines = Vec::new();
    let by_member = topic.split_once('.');
    if let Some(schema) = schema.as_deref() {
        let found = match by_member {
            Some((name, path)) => member_signature(schema, name, path, width),
            None => signature(schema, topic, width),
        };
        lines.extend(found.unwrap_or_default());
    }
    let said = manuals.iter().find_map(|manual| prose(manual, topic, width));
    match said {
        Some(prose) => {
            if lines.is_empty() {
                lines.push(prose.heading);
            } else if let Some(since) = prose.since {
                // One head is enough where introspection has given it.
                lines.push(vec![Run { role: Role::Secondary, text: format!("  since {since}") }]);
            }
            lines.push(Vec::new());
            lines.extend(prose.body);
            lines.extend(other_version(engine, prose.manual));
        }
        None if lines.is_empty() => return None,
        None if manuals.is_empty() => lines.extend(no_manual(engine)),
        None => {}
    }
    Some(lines)
}

/// What a manual says on a topic.
struct Prose<'a> {
    heading: Line,
    since: Option<&'a str>,
    body: Vec<Line>,
    manual: &'a Manual,
}

fn prose<'a>(manual: &'a Manual, topic: &str, width: usize) -> Option<Prose<'a>> {
    if let Some(entry) = manual.entry(topic) {
        let (heading, body) = (manual.heading(entry), manual.layout(entry, width));
        return Some(Prose { heading, since: entry.since.as_deref(), body, manual });
    }
    let (name, path) = topic.split_once('.')?;
    let found = manual.member(name, path)?;
    let heading = vec![Run { role: Role::Heading, text: topic.to_owned() }];
    Some(Prose { heading, since: None, body: manual.layout_member(found, width), manual })
}

/// Entries that hold a word, each with the sentence; names alone where no manual is installed.
pub(crate) fn apropos(engine: &mut Engine, word: &str, width: usize) -> Vec<Line> {
    let schema = engine.learn_schema().ok().flatten();
    let manuals = manuals(engine, schema.as_deref());
    let mut lines: Vec<Line> = Vec::new();
    for hit in manuals.iter().flat_map(|manual| manual.search(word)) {
        let room = width.saturating_sub(4 + hit.entry.name.len());
        let mut sentence: String = hit.sentence.chars().take(room.max(20)).collect();
        if sentence.len() < hit.sentence.len() {
            sentence.pop();
            sentence.push('…');
        }
        let name = Run { role: Role::Name, text: hit.entry.name.clone() };
        let line = vec![name, Run { role: Role::Plain, text: format!("  {sentence}") }];
        if !lines.iter().any(|other| other.first() == line.first()) {
            lines.push(line);
        }
    }
    if manuals.is_empty() {
        let wanted = word.to_lowercase().replace('_', "-");
        let names = schema.iter().flat_map(|schema| {
            let commands = schema.commands().iter().map(|command| command.name.clone());
            commands.chain(schema.events().iter().map(|event| event.name.clone())).collect::<Vec<_>>()
        });
        let fitting = names.filter(|name| name.to_lowercase().replace('_', "-").contains(&wanted));
        lines.extend(fitting.map(|text| vec![Run { role: Role::Name, text }]));
        lines.extend(no_manual(engine));
    }
    lines
}

/// Everything that has a page: for "did you mean".
pub(crate) fn known_names(engine: &mut Engine) -> Vec<String> {
    let schema = engine.learn_schema().ok().flatten();
    let manuals = manuals(engine, schema.as_deref());
    let mut names = engine.server_info.command_names();
    names.extend(schema.iter().flat_map(|schema| schema.events().iter().map(|event| event.name.clone())));
    names.extend(manuals.iter().flat_map(|manual| manual.entries().iter().map(|entry| entry.name.clone())));
    names
}

/// The manual pages that belong to the server; none where none is installed.
fn manuals(engine: &mut Engine, schema: Option<&Schema>) -> Rc<Vec<Manual>> {
    if let Some(manuals) = &engine.manuals {
        return Rc::clone(manuals);
    }
    let guest_agent = engine.connection.options().guest_agent;
    // The one server without a machine.
    let storage_daemon = schema.is_some_and(|schema| schema.command("query-status").is_none());
    let folders = man_path::folders(std::env::var_os("MANPATH").as_deref());
    let pages = man_path::page_names(guest_agent, storage_daemon).iter();
    let found = pages.filter_map(|name| man_path::load(name, &folders).ok().flatten()).take(1).collect();
    Rc::clone(engine.manuals.insert(Rc::new(found)))
}

fn aside(text: String) -> Vec<Line> {
    vec![Vec::new(), vec![Run { role: Role::Secondary, text }]]
}

/// Says that no manual page is installed, and what would bring it.
fn no_manual(engine: &Engine) -> Vec<Line> {
    let (page, package) = match engine.connection.options().guest_agent {
        true => ("qemu-ga-ref(7)", "qemu-guest-agent"),
        false => ("qemu-qmp-ref(7)", "qemu-system-common"),
    };
    aside(format!("There is more in the manual page {page}, which is not installed (Debian: package {package})."))
}

/// Says so where manual and server are of different versions.
fn other_version(engine: &mut Engine, manual: &Manual) -> Vec<Line> {
    let greeting = engine.connection.session().and_then(|session| session.greeting());
    let server = greeting.and_then(|greeting| greeting.version.as_ref()).map(ToString::to_string);
    match (manual.version(), server) {
        (Some(page), Some(server)) if !server.starts_with(page) && !page.starts_with(&server) => {
            aside(format!("The manual page is of QEMU {page}, the server of {server}."))
        }
        _ => Vec::new(),
    }
}
