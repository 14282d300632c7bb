//! Completion, hints and highlighting with the engine's knowledge of the server.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::assist::{
    ArgumentHint, Candidate, Completes, Completion, CompletionContext, DotCommandEntry, Name, NameKind, Names,
    SettingEntry, TokenStyle, complete_loosely, complete_with, fit_hint, highlight, hint,
};
use crate::discovery::{is_typable, running_servers};
use crate::grammar::{Language, Span, is_blank};
use crate::monitor;
use crate::platform::directory_of;
use crate::render::{is_printable, printable};

use super::commands::{
    ALL, DOT_COMMANDS, DotCommand, TargetedLine, check_target, expand_home, manual_for_completion, targeted_parts,
    topics,
};
use super::engine::Engine;
use super::output::tail::LastReply;
use super::settings::SETTINGS;

/// The maximum time that Tab waits for the server.
const TAB_TIMEOUT: Duration = Duration::from_millis(150);

/// Calls `f` with the server that the last command of a line names as the current one, and with the line without the name and
/// the commands before. The rest of the line keeps its place.
fn on_target<T>(engine: &mut Engine, text: &str, f: impl FnOnce(&mut Engine, &str) -> T) -> T {
    let part = targeted_parts(engine, text).pop();
    on_first_target(engine, part.as_deref().unwrap_or(text), f)
}

/// Does the same with the server that is named at the beginning of a line.
fn on_first_target<T>(engine: &mut Engine, text: &str, f: impl FnOnce(&mut Engine, &str) -> T) -> T {
    let targeted =
        TargetedLine::parse(text).filter(|targeted| engine.has_several_servers() && targeted.span.end < text.len());
    let Some(targeted) = targeted else { return f(engine, text) };
    let current = engine.current_server();
    if let Ok(Some(index)) = check_target(engine, &targeted) {
        engine.use_server(index);
    }
    let result = f(engine, &targeted.rest);
    engine.use_server(current);
    result
}

/// Completes the name of a server that ends `text`.
fn complete_target(engine: &mut Engine, text: &str) -> Option<Completion> {
    let part = targeted_parts(engine, text).pop()?;
    let targeted = TargetedLine::parse(&part)
        .filter(|targeted| engine.has_several_servers() && targeted.span.end == text.len())?;
    let mut names = server_names(engine);
    names.push(Name::new(ALL, "all servers"));
    let matching = names.into_iter().filter(|name| name.text.starts_with(targeted.name));
    let candidates = matching.map(|name| Candidate { text: format!("@{}", name.text), description: name.description });
    Some(Completion { start: targeted.span.start, candidates: candidates.collect(), ..Completion::default() })
}

/// Returns the servers, if there are several, with their addresses.
fn server_names(engine: &mut Engine) -> Vec<Name> {
    if !engine.has_several_servers() {
        return Vec::new();
    }
    let servers = engine.list_servers().into_iter();
    servers.map(|server| Name::new(server.name, printable(&server.address.unwrap_or_default()))).collect()
}

/// Completes the end of `text`. Names with control characters are not offered.
pub fn complete_line(engine: &mut Engine, text: &str) -> Completion {
    match complete_target(engine, text) {
        Some(completion) => with_printable_names(completion),
        None => on_target(engine, text, complete_untargeted),
    }
}

fn complete_untargeted(engine: &mut Engine, text: &str) -> Completion {
    let deadline = Instant::now() + TAB_TIMEOUT;
    wait_for_names(engine, text, deadline);
    // Once it is read, every completion describes commands by it.
    manual_for_completion(engine);
    with_printable_names(with_completion_context(engine, |engine, context| {
        complete_with(text, context, |kind| fetch_names(engine, kind, deadline))
    }))
}

/// Completes as [`complete_line`] does. If no candidate begins with what is typed, offers those that contain it.
pub(crate) fn complete_line_loosely(engine: &mut Engine, text: &str) -> Completion {
    match complete_target(engine, text) {
        Some(completion) => with_printable_names(completion),
        None => on_target(engine, text, complete_untargeted_loosely),
    }
}

fn complete_untargeted_loosely(engine: &mut Engine, text: &str) -> Completion {
    if let Some(expanded) = engine.aliases.expand_unfinished(text) {
        let mut completion = complete_untargeted_loosely(engine, &expanded.text);
        let Some(start) = completion.start.checked_sub(expanded.arguments_start) else { return Completion::default() };
        completion.start = expanded.typed_start + start;
        return completion;
    }
    let deadline = Instant::now() + TAB_TIMEOUT;
    wait_for_names(engine, text, deadline);
    // Once it is read, every completion describes commands by it.
    manual_for_completion(engine);
    with_printable_names(with_completion_context(engine, |engine, context| {
        complete_loosely(text, context, |kind| fetch_names(engine, kind, deadline))
    }))
}

fn with_printable_names(mut completion: Completion) -> Completion {
    completion.candidates.retain(|candidate| is_printable(&candidate.text));
    for candidate in &mut completion.candidates {
        if !is_printable(&candidate.description) {
            candidate.description = printable(&candidate.description).into_owned();
        }
    }
    completion
}

/// Waits until `deadline` for the introspection and the names that every completion of `text` needs.
pub fn wait_for_names(engine: &mut Engine, text: &str, deadline: Instant) {
    let asks_monitor = takes_hmp_line(engine, text) && !engine.uses_own_monitor();
    if let Some(server) = engine.queryable_server() {
        server.wait_for_queries(asks_monitor, deadline);
    }
}

/// Returns whether `text` ends in an HMP line.
fn takes_hmp_line(engine: &Engine, text: &str) -> bool {
    match text.trim_start().strip_prefix('.') {
        Some(rest) => {
            let name = rest.split_whitespace().next().unwrap_or_default();
            DotCommand::find_by_prefix(name).is_ok_and(|command| match command.completes {
                Completes::HmpLine | Completes::AnyLine => true,
                Completes::Line | Completes::Question(_) => {
                    engine.language() == Language::Hmp || rest.contains(" .hmp ")
                }
                _ => false,
            })
        }
        None => engine.language() == Language::Hmp,
    }
}

/// Returns the arguments that may follow `line`, in at most `columns` columns.
pub(crate) fn hint_line(engine: &mut Engine, line: &str, columns: usize) -> Option<ArgumentHint> {
    on_target(engine, line, |engine, line| hint_untargeted(engine, line, columns))
}

/// Returns the kinds of the parts of a line, for its colours.
pub(crate) fn highlight_line(engine: &mut Engine, line: &str) -> Vec<(Span, TokenStyle)> {
    on_first_target(engine, line, |engine, line| with_completion_context(engine, |_, context| highlight(line, context)))
}

fn hint_untargeted(engine: &mut Engine, line: &str, columns: usize) -> Option<ArgumentHint> {
    let expanded = engine.aliases.expand_unfinished(line);
    let line = expanded.as_ref().map_or(line, |expanded| expanded.text.as_str());
    match hmp_line(engine, line) {
        Some(hmp_line) => {
            let missing = monitor::missing_arguments(hmp_line)?;
            let text = fit_hint(missing.into_iter(), !line.ends_with(is_blank), columns)?;
            Some(ArgumentHint { text, first: None })
        }
        None => with_completion_context(engine, |_, context| hint(line, context, columns)),
    }
}

/// Returns the HMP line at the end of `text`, unless it may be a line of QMP.
fn hmp_line<'t>(engine: &Engine, text: &'t str) -> Option<&'t str> {
    let is_hmp = engine.language() == Language::Hmp;
    let Some(rest) = text.trim_start().strip_prefix('.') else { return is_hmp.then_some(text) };
    let (name, line) = rest.split_once(is_blank)?;
    match DotCommand::find_by_prefix(name).ok()?.completes {
        Completes::HmpLine => Some(line),
        Completes::AnyLine if is_hmp => Some(line),
        _ => None,
    }
}

/// Calls `f` with the completion context of the current state.
fn with_completion_context<T>(engine: &mut Engine, f: impl FnOnce(&mut Engine, &mut CompletionContext<'_>) -> T) -> T {
    let info = engine.connection.server().map(|server| &server.info);
    let schema = info.and_then(|info| info.schema());
    let commands = info.filter(|_| schema.is_none()).map(|info| info.command_names()).unwrap_or_default();
    let manual = engine.connection.server().and_then(|server| server.manual.get().cloned()).flatten();
    let (hmp_commands, hmp_info) = engine.hmp_names();
    let servers = server_names(engine);
    let dot_commands = DOT_COMMANDS.iter().map(|command| DotCommandEntry {
        name: command.name,
        aliases: command.aliases,
        summary: command.summary,
        completes: command.completes,
        tail: command.tail(),
    });
    let settings = SETTINGS.iter().map(|setting| SettingEntry {
        name: setting.name,
        help: setting.help,
        values: (setting.values)(),
    });
    let mut context = CompletionContext {
        language: engine.language(),
        in_transaction: engine.in_transaction(),
        schema: schema.as_deref(),
        manual: manual.as_deref(),
        accepts_invalid: !engine.settings.check,
        names: Names::default(),
        commands,
        hmp_commands,
        hmp_info,
        dot_commands: dot_commands.collect(),
        topics: topics(),
        settings: settings.collect(),
        aliases: engine.aliases.iter().map(|(name, line)| Name::new(name, printable(line))).collect(),
        servers,
        events: engine.connection.record.events.names(),
        last_command: engine.last_reply.as_ref().and_then(LastReply::command).map(str::to_owned),
    };
    f(engine, &mut context)
}

fn fetch_names(engine: &mut Engine, kind: &NameKind, deadline: Instant) -> Vec<Name> {
    match kind {
        NameKind::Files(typed) => files(typed, &expand_home, &|_| true),
        NameKind::Addresses(typed) => addresses(typed),
        NameKind::ServerFiles(typed) => server_files(engine, typed),
        kind => engine.live_names(kind, deadline),
    }
}

/// Returns the files whose path begins with `typed` as the server opens it. If its process is on another machine, or of
/// another user, those are guessed from this program's own.
fn server_files(engine: &mut Engine, typed: &str) -> Vec<Name> {
    let process = engine.connection.session().and_then(|session| session.peer_process());
    let locate = |folder: &str| {
        let seen_by_server = process.map(|process| {
            let link = if folder.starts_with('/') { "root" } else { "cwd" };
            directory_of(process, link).join(folder.trim_start_matches('/'))
        });
        seen_by_server.filter(|folder| folder.exists()).unwrap_or_else(|| PathBuf::from(folder))
    };
    files(typed, &locate, &|_| true)
}

/// Returns the addresses that begin with `typed`: of servers that run on this machine, `demo:`, and of sockets.
pub fn addresses(typed: &str) -> Vec<Name> {
    let servers = running_servers().into_iter().filter(|server| is_typable(&server.address));
    let mut addresses: Vec<Name> = servers
        .map(|server| {
            let name = server.name.map(|name| format!("{name}, ")).unwrap_or_default();
            let description = format!("{name}pid {}, {}", server.process, server.state.name());
            Name::new(server.address.to_os_string().to_string_lossy(), description)
        })
        .chain([Name::new("demo:", "a small machine inside the program")])
        .filter(|address| address.text.starts_with(typed))
        .collect();
    let path = typed.strip_prefix("unix:").unwrap_or(typed);
    let prefix = &typed[..typed.len() - path.len()];
    let is_socket = |path: &Path| path.metadata().is_ok_and(|meta| meta.file_type().is_socket());
    let sockets = files(path, &expand_home, &|path| path.is_dir() || is_socket(path));
    for socket in sockets {
        let description = if socket.text.ends_with('/') { "folder" } else { "socket" };
        let text = format!("{prefix}{}", socket.text);
        if !addresses.iter().any(|address| address.text == text) {
            addresses.push(Name::new(text, description));
        }
    }
    addresses
}

/// Returns the files whose path begins with `typed`, sorted; directories end with a `/`. `locate` returns the path of a
/// directory for this program. `is_wanted` gets the path of each file.
fn files(typed: &str, locate: &dyn Fn(&str) -> PathBuf, is_wanted: &dyn Fn(&Path) -> bool) -> Vec<Name> {
    let (folder, prefix) = match typed.rfind('/') {
        Some(at) => (&typed[..=at], &typed[at + 1..]),
        None => ("", typed),
    };
    let entries =
        std::fs::read_dir(locate(if folder.is_empty() { "." } else { folder })).into_iter().flatten().flatten();
    let mut files: Vec<Name> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_hidden = name.starts_with('.') && !prefix.starts_with('.');
            let is_directory = entry.path().is_dir();
            let (slash, description) = if is_directory { ("/", "folder") } else { ("", "file") };
            let matches = name.starts_with(prefix) && !is_hidden;
            (matches && is_wanted(&entry.path())).then(|| Name::new(format!("{folder}{name}{slash}"), description))
        })
        .collect();
    files.sort();
    files
}
