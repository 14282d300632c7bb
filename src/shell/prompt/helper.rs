//! The line editor's helper: completion, whole lines, and the events in front of the prompt.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Context, Helper};
use unicode_width::UnicodeWidthStr;

use crate::assist::{Candidate, Completion, CompletionContext, TokenStyle, complete, hint, token_styles};
use crate::grammar::{Unclosed, is_complete, tokenize};
use crate::render::{Palette, is_printable, printable, without_controls};

use super::redraw::RedrawTracker;
use crate::shell::commands::{DOT_COMMANDS, expand_home, topics};
use crate::shell::engine::Engine;
use crate::shell::output::terminal;
use crate::shell::settings::SETTINGS;

/// Tab waits no longer than this for the server.
const BLINK: Duration = Duration::from_millis(150);

/// The columns of the widest prompt that a line with a hint stands behind.
const PROMPT: usize = 7;

/// The most candidates that are listed.
const MOST: usize = 20_000;

/// Shows what has arrived, as text to stand in front of the prompt.
pub(crate) type TakeAsyncOutput = Box<dyn Fn() -> String>;

/// What the editor asks.
pub(crate) struct ShellHelper {
    pub(crate) engine: Rc<RefCell<Engine>>,
    pub(crate) take_async_output: TakeAsyncOutput,
    pub(crate) palette: Palette,
    pub(crate) redraws: RedrawTracker,
}

impl ShellHelper {
    fn code(&self, look: TokenStyle) -> &str {
        match look {
            TokenStyle::Command => "",
            TokenStyle::Unknown => &self.palette.error,
            TokenStyle::Key => &self.palette.key,
            TokenStyle::Text => &self.palette.string,
            TokenStyle::Number => &self.palette.number,
            TokenStyle::Literal => &self.palette.literal,
            TokenStyle::Comment => &self.palette.dim,
        }
    }
}

impl Helper for ShellHelper {}

/// What is shown behind the cursor. It is no completion: the keys that it names have no values yet.
pub(crate) struct ArgumentHint(String);

impl Hint for ArgumentHint {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for ShellHelper {
    type Hint = ArgumentHint;

    fn hint(&self, line: &str, pos: usize, _context: &Context<'_>) -> Option<ArgumentHint> {
        if pos < line.len() || line.is_empty() {
            return None;
        }
        // Within the row: a hint that wraps would push the prompt about.
        let (columns, _) = terminal::size();
        let taken = PROMPT + line.width();
        let room = columns.checked_sub(taken + 1)?;
        let hint = with_completion_context(&mut self.engine.borrow_mut(), |known| hint(line, known, room))?;
        is_printable(&hint).then_some(ArgumentHint(hint))
    }
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
        let news = (self.take_async_output)();
        let lead = self.redraws.begin(&news);
        match news.is_empty() && lead.is_empty() {
            true => Cow::Borrowed(prompt),
            false => Cow::Owned(format!("{lead}{news}{prompt}")),
        }
    }

    /// What is pasted may hold anything. What does something to a terminal is left out here: the editor takes it to be
    /// without width.
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        if !self.palette.is_colored() || line.is_empty() {
            return without_controls(line);
        }
        let token_styles = with_completion_context(&mut self.engine.borrow_mut(), |known| token_styles(line, known));
        let mut out = String::with_capacity(line.len() * 2);
        let mut end = 0;
        for (span, look) in token_styles {
            out.push_str(&without_controls(&line[end..span.start]));
            out.push_str(&self.palette.paint(self.code(look), &without_controls(&line[span.range()])));
            end = span.end;
        }
        out.push_str(&without_controls(&line[end..]));
        Cow::Owned(out)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.palette.paint(&self.palette.dim, hint))
    }

    fn highlight_candidate<'c>(&self, candidate: &'c str, _completion: CompletionType) -> Cow<'c, str> {
        self.redraws.after_list();
        match candidate.rfind(WORDS_BEHIND) {
            Some(at) => {
                Cow::Owned(candidate[..at].to_owned() + &self.palette.paint(&self.palette.dim, &candidate[at..]))
            }
            None => Cow::Borrowed(candidate),
        }
    }

    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        self.redraws.after_key(kind != CmdKind::MoveCursor)
    }
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _context: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Completion { start, candidates } = complete_line(&mut self.engine.borrow_mut(), &line[..pos]);
        let sole = candidates.len() == 1;
        let inside_json = tokenize(&line[..pos]).words.last().is_some_and(|word| word.open == Some(Unclosed::Bracket));
        let shown = CandidateList::of(&candidates, terminal::size());
        let pairs = candidates.into_iter().take(MOST).map(|candidate| {
            let display = shown.display(&candidate);
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

/// How the candidates are listed: each with its few words, where these tell them apart and there are not too many.
struct CandidateList {
    wide: usize,
    /// To how many columns words are cut.
    words: usize,
    described: bool,
}

impl CandidateList {
    /// Words get no more columns than that for themselves.
    const WORDS: usize = 32;

    /// On a screen of so many columns and rows.
    fn of(candidates: &[Candidate], (columns, rows): (usize, usize)) -> CandidateList {
        let wide = candidates.iter().map(|candidate| candidate.text.width()).max().unwrap_or(0);
        let longest = candidates.iter().map(|candidate| candidate.about.width()).max().unwrap_or(0);
        let words = longest.min(CandidateList::WORDS);
        let tell_apart = candidates.windows(2).any(|two| two[0].about != two[1].about);
        // With their words, they still have to fit on the screen.
        let gaps = 2 * WORDS_BEHIND.len();
        let in_a_row = (columns / (wide + words + gaps)).max(1);
        // But they may fill what would be left empty.
        let words = longest.min((columns / in_a_row).saturating_sub(wide + gaps)).max(words);
        CandidateList { wide, words, described: tell_apart && candidates.len().div_ceil(in_a_row) + 2 < rows }
    }

    fn display(&self, candidate: &Candidate) -> String {
        if !self.described || candidate.about.is_empty() {
            return candidate.text.clone();
        }
        let mut words: String = candidate.about.chars().take(self.words).collect();
        if words.len() < candidate.about.len() {
            words.pop();
            words.push('…');
        }
        let gap = " ".repeat(self.wide.saturating_sub(candidate.text.width()));
        format!("{}{gap}{WORDS_BEHIND}{words}", candidate.text)
    }
}

/// Stands between a candidate and its words in a list.
const WORDS_BEHIND: &str = "  ";

/// What Tab offers at the end of `text`. A name that would do something to a terminal is not offered.
pub fn complete_line(engine: &mut Engine, text: &str) -> Completion {
    engine.learn_names_for(text, Instant::now() + BLINK);
    let mut completion = with_completion_context(engine, |known| complete(text, known));
    completion.candidates.retain(|candidate| is_printable(&candidate.text));
    for candidate in &mut completion.candidates {
        if !is_printable(&candidate.about) {
            candidate.about = printable(&candidate.about).into_owned();
        }
    }
    completion
}

/// Shows `use_it` all that is known of the server by now. Names that live in it are asked for when they are wanted.
fn with_completion_context<T>(engine: &mut Engine, use_it: impl FnOnce(&CompletionContext<'_>) -> T) -> T {
    let until = Instant::now() + BLINK;
    let metas: Vec<_> = DOT_COMMANDS.iter().map(|meta| (meta.name, meta.summary, meta.completes)).collect();
    let settings: Vec<_> = SETTINGS.iter().map(|setting| (setting.name, setting.help, setting.values)).collect();
    let events = engine.events.names();
    let topics = topics();
    let schema = engine.server_info.schema();
    let commands = if schema.is_some() { Vec::new() } else { engine.server_info.command_names() };
    let (monitor, info) = (engine.server_info.monitor().to_vec(), engine.server_info.info().to_vec());
    let (language, in_transaction) = (engine.language(), engine.in_transaction());
    let engine = RefCell::new(engine);
    use_it(&CompletionContext {
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
    })
}

/// Files whose path begins with `typed`, folders with a `/` behind, in order.
fn files(typed: &str) -> Vec<String> {
    let (folder, prefix) = match typed.rfind('/') {
        Some(at) => (&typed[..=at], &typed[at + 1..]),
        None => ("", typed),
    };
    let place = expand_home(if folder.is_empty() { "." } else { folder });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_behind_candidates_fill_the_columns_that_there_are() {
        let candidate = |text: &str, about: &str| Candidate { text: text.to_owned(), about: about.to_owned() };
        let long = "node name [granularity] [persistent] [disabled]";
        let two = [candidate("block-dirty-bitmap-add", long), candidate("block-dirty-bitmap-clear", "node name")];
        for (columns, rows, expected) in [
            // One to a row: as much as fits.
            (80, 24, format!("block-dirty-bitmap-add    {long}")),
            (70, 24, "block-dirty-bitmap-add    node name [granularity] [persistent] [dis…".to_owned()),
            // Two to a row: a half each.
            (120, 24, "block-dirty-bitmap-add    node name [granularity] [persis…".to_owned()),
            // Too many for the screen: by themselves.
            (80, 4, "block-dirty-bitmap-add".to_owned()),
        ] {
            let shown = CandidateList::of(&two, (columns, rows)).display(&two[0]);
            assert_eq!(shown, expected, "{columns}x{rows}");
            assert!(shown.width() + WORDS_BEHIND.len() <= columns);
        }
    }
}
