//! Completion at the end of a line: finds out which kind of line it is, and calls the module for that kind.

use crate::grammar::{Assembler, Language, Line, TailKind, Word, last_part, parse_line, parse_transaction_line};

use super::command::complete_command;
use super::dot_command::{complete_dot_command, complete_file};
use super::filter::complete_filter;
use super::hmp::complete_hmp;
use super::matching::Matching;
use super::name_kind::NameKind;
use super::types::{Completion, CompletionContext, Lookup, Name};

/// The maximum number of rounds of fetching names for one completion: the children of a path, the children of the only
/// child, and so on.
const MAX_FETCH_ROUNDS: usize = 6;

/// Completes the end of `text`, the input up to the cursor. If it has several lines, completes the last one.
///
/// It is a pure function: [`Completion::missing`] lists the names that the context lacks.
pub fn complete(text: &str, context: &CompletionContext<'_>) -> Completion {
    complete_matching(text, context, Matching::Prefix)
}

fn complete_matching(text: &str, context: &CompletionContext<'_>, matching: Matching) -> Completion {
    let (start, in_transaction) = last_line(text, context.language, context.in_transaction);
    let completer = Completer { context, in_transaction, lookup: Lookup::new(&context.names, matching) };
    let mut completion = completer.complete_line(&text[start..]);
    completion.start += start;
    completion.missing = completer.lookup.into_missing();
    completion
}

/// Completes as [`complete`] does, and fetches missing names between one attempt and the next.
pub fn complete_with(
    text: &str,
    context: &mut CompletionContext<'_>,
    mut fetch: impl FnMut(&NameKind) -> Vec<Name>,
) -> Completion {
    complete_and_fetch(text, context, Matching::Prefix, &mut fetch)
}

/// Completes as [`complete_with`] does. If no candidate begins with what is typed, offers those that do so apart from
/// case, `-` and `_`, or else those that contain it.
pub fn complete_loosely(
    text: &str,
    context: &mut CompletionContext<'_>,
    mut fetch: impl FnMut(&NameKind) -> Vec<Name>,
) -> Completion {
    let mut attempts =
        Matching::STRICTEST_FIRST.iter().map(|matching| complete_and_fetch(text, context, *matching, &mut fetch));
    attempts.find(|completion| !completion.candidates.is_empty()).unwrap_or_default()
}

fn complete_and_fetch(
    text: &str,
    context: &mut CompletionContext<'_>,
    matching: Matching,
    fetch: &mut impl FnMut(&NameKind) -> Vec<Name>,
) -> Completion {
    let mut completion = complete_matching(text, context, matching);
    for _ in 0..MAX_FETCH_ROUNDS {
        if completion.missing.is_empty() {
            break;
        }
        for kind in std::mem::take(&mut completion.missing) {
            let names = fetch(&kind);
            context.names.insert(kind, names);
        }
        completion = complete_matching(text, context, matching);
    }
    completion
}

/// The context of one line, and the names looked up for it.
pub(super) struct Completer<'a> {
    pub(super) context: &'a CompletionContext<'a>,
    /// Whether the line is in a transaction block.
    pub(super) in_transaction: bool,
    pub(super) lookup: Lookup<'a>,
}

impl Completer<'_> {
    /// Offers those of `names` that match `typed`, in place of the text from `start` on.
    pub(super) fn offer<'n>(
        &self,
        typed: &str,
        start: usize,
        names: impl IntoIterator<Item = (&'n str, &'n str)>,
    ) -> Completion {
        Completion::of_names(typed, self.lookup.matching, start, names)
    }

    /// Completes a line, which may have several commands.
    pub(super) fn complete_line(&self, text: &str) -> Completion {
        self.complete_parts(text, false)
    }

    /// Completes the last part of a line: its command, or what comes after `|` and `>`. `takes_filter` says whether
    /// everything after `|` is a filter.
    pub(super) fn complete_parts(&self, text: &str, takes_filter: bool) -> Completion {
        let part = self.context.with_split_rules(|rules| last_part(text, rules));
        let Some(tail) = &part.tail else {
            let blanks = " ".repeat(part.command.start);
            return self.complete_command(&(blanks + &text[part.command.start..]));
        };
        match &tail.kind {
            TailKind::Pipeline(span) if !takes_filter || span.range().is_empty() => Completion::default(),
            TailKind::Filter(span, None) | TailKind::Pipeline(span) => {
                let command = &text[part.command.range()];
                let input = self.context.schema.and_then(|schema| self.context.filter_input(command, schema));
                let mut completion = complete_filter(&text[span.start..], input, self.context.schema);
                completion.start += span.start;
                completion
            }
            TailKind::Filter(_, Some(redirect)) | TailKind::Redirect(redirect) => {
                complete_file(&redirect.file, redirect.span.start, self)
            }
        }
    }

    /// Completes a line that begins at an offset of `text`.
    pub(super) fn complete_line_from(&self, text: &str, start: usize) -> Completion {
        self.complete_line(&(" ".repeat(start) + &text[start..]))
    }

    fn complete_command(&self, text: &str) -> Completion {
        let trimmed = text.trim_start();
        if trimmed.starts_with(['!', '#']) {
            return Completion::default();
        }
        if trimmed.starts_with('.') {
            return complete_dot_command(text, self);
        }
        if self.context.language == Language::Hmp {
            return complete_hmp(text, text.len() - trimmed.len(), self);
        }
        complete_command(text, self)
    }
}

/// Returns the byte offset of the last line of `text`, and whether that line is in a transaction block.
/// `in_transaction` says whether the first line is.
fn last_line(text: &str, language: Language, in_transaction: bool) -> (usize, bool) {
    let (mut start, mut end, mut in_transaction) = (0, 0, in_transaction);
    let mut assembler = Assembler::new();
    for row in text.split_inclusive('\n').filter(|row| row.ends_with('\n')) {
        end += row.len();
        for (_, line) in assembler.push(row, language) {
            let transaction = match in_transaction {
                true => parse_transaction_line(&line).ok(),
                false => match parse_line(&line) {
                    Ok(Line::Transaction(transaction)) if language == Language::Qmp => Some(transaction),
                    _ => None,
                },
            };
            if let Some(transaction) = transaction {
                in_transaction = transaction.close.is_none();
            }
        }
        if !assembler.is_open() {
            start = end;
        }
    }
    (start, in_transaction)
}

/// Splits the words of a line into those before the one being typed, that word, and its byte offset.
pub(super) fn split_at_cursor<'w>(text: &str, words: &'w [Word]) -> (Vec<&'w str>, &'w str, usize) {
    let (before, typed, start) = match words.split_last() {
        Some((word, before)) if word.span.end == text.len() => (before, word.text.as_str(), word.span.start),
        _ => (words, "", text.len()),
    };
    (before.iter().map(|word| word.text.as_str()).collect(), typed, start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assist::{Completes, DotCommandEntry, SettingEntry};
    use crate::grammar::DotTail;

    fn completed(line: &str, language: Language) -> (usize, String) {
        let names = |names: &[&str]| names.iter().map(|name| Name::new(*name, "")).collect::<Vec<_>>();
        let dot_commands = [
            ("events", Completes::EventFilter),
            ("fd", Completes::FileThenCommand(&[("read-only", "")])),
            ("hmp", Completes::HmpLine),
            ("set", Completes::Settings),
            ("source", Completes::Files),
            ("help", Completes::Topics),
            ("wait", Completes::Wait),
            ("watch", Completes::Line),
        ];
        let mut context = CompletionContext {
            language,
            commands: ["query-block", "query-status", "quit"].map(str::to_owned).to_vec(),
            hmp_commands: names(&["help", "info", "quit"]),
            hmp_info: names(&["block", "registers"]),
            dot_commands: dot_commands
                .map(|(name, completes)| DotCommandEntry {
                    name,
                    aliases: &[],
                    summary: "",
                    completes,
                    tail: DotTail::Words,
                })
                .to_vec(),
            topics: names(&["line"]),
            settings: vec![SettingEntry { name: "pager", help: "", values: vec![("on", ""), ("off", "")] }],
            events: ["STOP", "RESUME"].map(str::to_owned).to_vec(),
            ..CompletionContext::default()
        };
        let completion = complete_with(line, &mut context, |kind| match kind {
            NameKind::Files(typed) => {
                names(&["a b", "ac"]).into_iter().filter(|file| file.text.starts_with(typed)).collect()
            }
            _ => Vec::new(),
        });
        let texts: Vec<String> = completion.candidates.into_iter().map(|candidate| candidate.text).collect();
        (completion.start, texts.join(" "))
    }

    #[test]
    fn completes_each_kind_of_line() {
        use Language::{Hmp, Qmp};
        for (line, language, start, expected) in [
            ("", Qmp, 0, "exec-oob help query-block query-status quit transaction("),
            ("q", Qmp, 0, "query-block query-status quit"),
            ("  query-s", Qmp, 2, "query-status"),
            ("exec-oob qui", Qmp, 9, "quit"),
            ("quit ", Qmp, 0, ""),
            ("help s", Qmp, 5, "set source"),
            (".s", Qmp, 0, ".set .source"),
            (".set p", Qmp, 5, "pager"),
            (".set pager o", Qmp, 11, "on off"),
            (".source a", Qmp, 8, "a\\ b ac"),
            (".fd ac q", Qmp, 7, "query-block query-status quit"),
            (".events o", Qmp, 8, "off on only"),
            (".events only S", Qmp, 13, "STOP"),
            (".wait R", Qmp, 6, "RESUME"),
            (".wait STOP t", Qmp, 11, "timeout="),
            (".hmp in", Qmp, 5, "info"),
            (".hmp info r", Qmp, 10, "registers"),
            ("in", Hmp, 0, "info"),
            ("info b", Hmp, 5, "block"),
            ("help i", Hmp, 5, "info"),
            ("help info r", Hmp, 10, "registers"),
            ("info block x", Hmp, 0, ""),
            (".se", Hmp, 0, ".set"),
            ("!l", Qmp, 0, ""),
        ] {
            assert_eq!(completed(line, language), (start, expected.to_owned()), "{line:?}");
        }
    }

    #[test]
    fn lists_the_kinds_of_names_that_it_lacks() {
        let completion = complete(
            ".log /tmp/x",
            &CompletionContext {
                dot_commands: vec![DotCommandEntry {
                    name: "log",
                    aliases: &[],
                    summary: "",
                    completes: Completes::Files,
                    tail: DotTail::Words,
                }],
                ..CompletionContext::default()
            },
        );
        assert_eq!(completion.missing, [NameKind::Files("/tmp/x".to_owned())]);
    }

    #[test]
    fn finds_the_last_of_several_lines() {
        for (text, expected) in [
            ("stop", (0, false)),
            ("stop\nco", (5, false)),
            ("transaction(\nab", (13, true)),
            ("transaction(\nabort\n)\nst", (21, false)),
            ("{\"execute\":\n\"st", (0, false)),
        ] {
            assert_eq!(last_line(text, Language::Qmp, false), expected, "{text:?}");
        }
    }
}
