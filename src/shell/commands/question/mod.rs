//! A command whose reply is to be true: `COMMAND [KEY=VALUE]… [| FILTER] [MEMBER=VALUE]…`.
//!
//! A `KEY=VALUE` before the `|` is an argument if the command has that key, and otherwise a condition on a member of what
//! the command returns. After the filter, all are conditions on what the filter yields.

mod condition;

use std::time::Duration;

use crate::filter::{Filter, FilterError};
use crate::grammar::{Command, Diagnostic, Span, Word};
use crate::schema::{CommandInfo, Schema, qmp_command_only_asks};
use crate::wire::{Reply, ReplyBody, Request, parse_value, preview};

use super::super::output::Output;
use super::Invocation;
use super::waiting::parse_seconds;
use condition::{Condition, check_all};

/// A command, and when its reply is true.
pub(super) struct Question {
    pub(super) request: Request,
    filter: Option<(Filter, Span)>,
    conditions: Vec<Condition>,
    /// The place of the command in the line.
    pub(super) command_span: Span,
    pub(super) timing: Timing,
}

/// The words about time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Timing {
    pub(super) interval: Option<Duration>,
    pub(super) timeout: Option<Duration>,
}

/// A judgement on a reply.
pub(super) enum Verdict {
    True,
    /// It is not true; the diagnostic says what was there instead.
    False(Diagnostic),
    /// It never will be.
    Never(Diagnostic),
    Interrupted,
}

/// The words of a line, by their role.
#[derive(Default)]
struct Words<'a> {
    /// The command and its arguments.
    command: Vec<Word>,
    conditions: Vec<&'a Word>,
    timing: Timing,
}

impl Question {
    /// Parses the line. `has_timing` says whether `every` and `timeout` are words about time.
    pub(super) fn parse(invocation: &mut Invocation<'_>, has_timing: bool) -> Result<Question, Diagnostic> {
        invocation.word(0, "a command")?;
        let Invocation { engine, dot, line, out } = invocation;
        let before = dot.words.iter().position(is_pipe).unwrap_or(dot.words.len());
        let (before, after) = dot.words.split_at(before);
        let name = command_name(before).ok_or_else(|| Diagnostic::new(Span::at(dot.end()), "expected a command"))?;
        let schema = match before.iter().any(|word| word.equals.is_some()) || !after.is_empty() {
            true => engine.wait_for_schema(&mut **out)?,
            false => None,
        };
        let info = schema.as_ref().and_then(|schema| schema.command(&name.text).map(|info| (&**schema, info)));
        let mut words = sort_words(before, info, has_timing)?;
        let filter =
            after.first().map(|pipe| parse_filter(line.text, pipe, after, has_timing, &mut words)).transpose()?;
        let conditions: Vec<Condition> =
            words.conditions.iter().map(|word| Condition::parse(word)).collect::<Result<_, _>>()?;
        if let Some((schema, info)) = info.filter(|_| filter.is_none() && engine.settings.check) {
            conditions.iter().try_for_each(|condition| condition.check(schema, info.returns, &info.name))?;
        }
        let command = Command::parse(line.text, &words.command)?;
        let request = engine.prepare(&command, line, &mut **out)?;
        engine.check_characters(&request, line.text)?;
        Ok(Question { request, filter, conditions, command_span: name.span, timing: words.timing })
    }

    /// Returns whether any reply without an error is true.
    pub(super) fn has_no_condition(&self) -> bool {
        self.filter.is_none() && self.conditions.is_empty()
    }

    /// Returns whether the command changes nothing in the server.
    pub(super) fn only_asks(&self) -> bool {
        qmp_command_only_asks(&self.request.command)
    }

    /// Judges a reply.
    pub(super) fn judge(&self, reply: &Reply, out: &mut dyn Output) -> Verdict {
        let raw = match reply.body() {
            ReplyBody::Return(raw) => raw,
            ReplyBody::Error { class, desc } => {
                let message = format!("{class}: {}", self.request.without_secrets(desc));
                let diagnostic = Diagnostic::new(self.command_span, message);
                return match class {
                    "CommandNotFound" => Verdict::Never(diagnostic),
                    _ => Verdict::False(diagnostic),
                };
            }
        };
        let Some((filter, span)) = &self.filter else { return self.judge_value(raw) };
        let results = match filter.results(raw, &mut || out.take_interrupt()) {
            Ok(results) => results,
            Err(FilterError::Interrupted) => return Verdict::Interrupted,
            Err(FilterError::Failed(message)) => return Verdict::False(Diagnostic::new(*span, message)),
        };
        let is_true = |result: &String| !matches!(result.as_str(), "null" | "false");
        let shown = results.join(", ");
        if results.is_empty() || self.conditions.is_empty() && !results.iter().all(is_true) {
            let yielded = if results.is_empty() { "nothing".to_owned() } else { format!("`{}`", preview(&shown)) };
            let message = format!("the filter yields {yielded} for `{}`", preview(raw));
            return Verdict::False(Diagnostic::new(*span, message));
        }
        for result in &results {
            if let Verdict::False(diagnostic) = self.judge_value(result) {
                return Verdict::False(diagnostic);
            }
        }
        Verdict::True
    }

    fn judge_value(&self, raw: &str) -> Verdict {
        if self.conditions.is_empty() {
            return Verdict::True;
        }
        let unreadable = |error| Diagnostic::new(self.command_span, format!("the value {error}"));
        let checked = parse_value(raw).map_err(unreadable).and_then(|value| check_all(&self.conditions, &value));
        checked.map_or_else(Verdict::False, |()| Verdict::True)
    }
}

/// Returns whether a word begins with the `|` before a filter.
fn is_pipe(word: &Word) -> bool {
    !word.quoted && word.text.starts_with('|')
}

/// Returns the word with the name of the command.
fn command_name(words: &[Word]) -> Option<&Word> {
    let has_prefix = words.first().is_some_and(|word| word.is_bare("exec-oob"));
    words.get(usize::from(has_prefix))
}

/// Sorts the words before a filter.
fn sort_words<'a>(
    words: &'a [Word],
    info: Option<(&Schema, &CommandInfo)>,
    has_timing: bool,
) -> Result<Words<'a>, Diagnostic> {
    let mut sorted = Words::default();
    for word in words {
        let first_part = word.key().split('.').next().unwrap_or_default();
        let is_key = |name: &str| info.is_some_and(|(schema, info)| schema.accepts_key(info, name));
        if word.equals.is_some() && has_timing && !is_key(first_part) && sorted.timing.take(word)? {
            continue;
        }
        // Without introspection, all are arguments.
        match word.equals.is_some() && info.is_some() && !is_key(first_part) {
            true => sorted.conditions.push(word),
            false => sorted.command.push(word.clone()),
        }
    }
    Ok(sorted)
}

/// Parses the filter after `pipe`, and sorts the words after it.
fn parse_filter<'a>(
    text: &str,
    pipe: &Word,
    words: &'a [Word],
    has_timing: bool,
    sorted: &mut Words<'a>,
) -> Result<(Filter, Span), Diagnostic> {
    let conditions = words.iter().rev().take_while(|word| is_condition(word)).count();
    let (filter, conditions) = words.split_at(words.len() - conditions);
    for word in conditions {
        if !(has_timing && sorted.timing.take(word)?) {
            sorted.conditions.push(word);
        }
    }
    let start = pipe.span.start + 1;
    let end = filter.last().map_or(start, |word| word.span.end);
    let start = end - text[start..end].trim_start().len();
    let span = Span::new(start, end);
    let filter = Filter::parse(&text[start..end]).map_err(|diagnostic| Diagnostic {
        span: Span::new(diagnostic.span.start + start, diagnostic.span.end + start),
        ..diagnostic
    })?;
    Ok((filter, span))
}

/// Returns whether a word at the end of a filter is a condition, which no jq looks like.
fn is_condition(word: &Word) -> bool {
    let is_name = |key: &str| {
        key.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    word.equals.is_some() && is_name(word.key()) && !word.value().starts_with('=')
}

impl Timing {
    /// Takes a word, if it is about time.
    fn take(&mut self, word: &Word) -> Result<bool, Diagnostic> {
        match word.key() {
            "every" => self.interval = Some(parse_seconds(word)?),
            "timeout" => self.timeout = Some(parse_seconds(word)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
