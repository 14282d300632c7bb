//! The line editor's helper: completion, whole lines, and the events in front of the prompt.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use crate::assist::{Completion, Known, complete};
use crate::grammar::{Open, is_complete, tokenize};

use super::engine::Engine;
use super::meta::{META, topics};
use super::settings::SETTINGS;

/// Tab waits no longer than this for the server.
const BLINK: Duration = Duration::from_millis(150);

/// The most candidates that are listed.
const MOST: usize = 5000;

/// Shows what has arrived, as text to stand in front of the prompt.
pub(super) type ShowNews = Box<dyn Fn() -> String>;

/// What the editor asks.
pub(super) struct ShellHelper {
    pub(super) engine: Rc<RefCell<Engine>>,
    pub(super) show_news: ShowNews,
}

impl Helper for ShellHelper {}

impl Hinter for ShellHelper {
    type Hint = String;
}

impl Validator for ShellHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let language = self.engine.borrow().language();
        match is_complete(context.input(), language) {
            true => Ok(ValidationResult::Valid(None)),
            false => Ok(ValidationResult::Incomplete),
        }
    }
}

impl Highlighter for ShellHelper {
    /// Called at each redraw, with the cursor at the beginning of a cleared row: what is put in front of the prompt
    /// stays above it for good, and the editor, which reckons from the prompt on, never notices.
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        match (self.show_news)() {
            news if news.is_empty() => Cow::Borrowed(prompt),
            news => Cow::Owned(news + prompt),
        }
    }
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _context: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Completion { start, candidates } = complete_line(&mut self.engine.borrow_mut(), &line[..pos]);
        let sole = candidates.len() == 1;
        let inside_json = tokenize(&line[..pos]).words.last().is_some_and(|word| word.open == Some(Open::Bracket));
        let pairs = candidates.into_iter().take(MOST).map(|candidate| {
            let display = candidate.text.clone();
            let mut replacement = candidate.text;
            let last = replacement.chars().last();
            // What ends the word may stand behind the cursor already.
            if last.is_some_and(|c| matches!(c, '"' | '\'' | '=' | '.') && line[pos..].starts_with(c)) {
                replacement.pop();
            } else if sole
                && !inside_json
                && !line[pos..].starts_with(char::is_whitespace)
                && !replacement.ends_with(['/', '=', '(', '.', ' '])
            {
                // A word that is finished is followed by a blank, unless more of it may come.
                replacement.push(' ');
            }
            Pair { display, replacement }
        });
        Ok((start, pairs.collect()))
    }
}

/// What Tab offers at the end of `text`.
pub fn complete_line(engine: &mut Engine, text: &str) -> Completion {
    let until = Instant::now() + BLINK;
    engine.learn_names_for(text, until);
    let metas: Vec<_> = META.iter().map(|meta| (meta.name, meta.summary, meta.completes)).collect();
    let settings: Vec<_> = SETTINGS.iter().map(|setting| (setting.name, setting.help, setting.values)).collect();
    let events = engine.recent.names();
    let topics = topics();
    let schema = engine.learned.schema();
    let (commands, monitor, info) =
        (engine.learned.command_names(), engine.learned.monitor().to_vec(), engine.learned.info().to_vec());
    let (language, in_transaction) = (engine.language(), engine.in_transaction());
    let engine = RefCell::new(engine);
    let known = Known {
        language,
        in_transaction,
        schema: schema.as_deref(),
        live: &|live| engine.borrow_mut().live_names(live, until),
        commands: &commands,
        monitor: &monitor,
        info: &info,
        metas: &metas,
        topics: &topics,
        settings: &settings,
        events: &events,
        files: &files,
    };
    complete(text, &known)
}

/// Files whose path begins with `typed`, folders with a `/` behind, in order.
fn files(typed: &str) -> Vec<String> {
    let (folder, prefix) = match typed.rfind('/') {
        Some(at) => (&typed[..=at], &typed[at + 1..]),
        None => ("", typed),
    };
    let place = match (folder.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ if folder.is_empty() => std::path::PathBuf::from("."),
        _ => std::path::PathBuf::from(folder),
    };
    let mut found: Vec<String> = std::fs::read_dir(place)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let hidden = name.starts_with('.') && !prefix.starts_with('.');
            let fits = name.starts_with(prefix) && !hidden;
            let slash = if entry.path().is_dir() { "/" } else { "" };
            fits.then(|| format!("{folder}{name}{slash}"))
        })
        .collect();
    found.sort();
    found
}
