//! The user's own commands: names for lines, with arguments.

use std::collections::BTreeMap;

use crate::grammar::{Diagnostic, Span, Word, line_has_secret, tokenize};

/// The maximum number of aliases that a line passes through.
const MAX_DEPTH: usize = 16;

/// The maximum length of the line for which an alias stands. Aliases that repeat their arguments for others that do so
/// would make it as long as memory.
const MAX_LINE_BYTES: usize = 1 << 20;

/// The aliases of `.alias`, by name.
#[derive(Debug, Default)]
pub struct Aliases(BTreeMap<String, String>);

/// An unfinished line as the line of its alias.
pub struct UnfinishedExpansion {
    /// The line of the alias up to its arguments, and the arguments as typed.
    pub text: String,
    /// The offset of the arguments in it.
    pub arguments_start: usize,
    /// The offset of the arguments in what was typed.
    pub typed_start: usize,
}

impl Aliases {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn insert(&mut self, name: &str, line: &str) {
        self.0.insert(name.to_owned(), line.to_owned());
    }

    /// Removes an alias. Returns whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// Returns the names and lines, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, line)| (name.as_str(), line.as_str()))
    }

    /// Returns the line for which a line that begins with an alias stands; `None` if it begins with no alias. An alias
    /// in its own line is the command of that name.
    pub fn expand(&self, text: &str) -> Option<Result<String, Diagnostic>> {
        let mut expanded: Option<String> = None;
        let mut used: Vec<String> = Vec::new();
        while used.len() < MAX_DEPTH {
            let current = expanded.as_deref().unwrap_or(text);
            let words = tokenize(current).words;
            let Some((name, line)) = self.find(&words).filter(|(name, _)| !used.iter().any(|used| used == name)) else {
                break;
            };
            let name = name.to_owned();
            let next = match substitute(&name, line, current, &words[1..]) {
                Ok(next) if next.len() > MAX_LINE_BYTES => {
                    let message = format!("alias `{name}` makes a line of more than {} MiB", MAX_LINE_BYTES >> 20);
                    return Some(Err(Diagnostic::new(Span::at(text.len()), message)));
                }
                Ok(next) => next,
                // The caller points at the typed line.
                Err(diagnostic) if used.is_empty() => return Some(Err(diagnostic)),
                Err(diagnostic) => return Some(Err(Diagnostic::new(Span::at(text.len()), diagnostic.message))),
            };
            expanded = Some(next);
            used.push(name);
        }
        expanded.map(Ok)
    }

    /// Returns whether a line, or the line for which it stands, may contain a secret.
    pub fn has_secret(&self, text: &str) -> bool {
        line_has_secret(text) || matches!(self.expand(text), Some(Ok(line)) if line_has_secret(&line))
    }

    /// Returns the line for which an unfinished line stands, if its alias takes arguments only at its end.
    pub fn expand_unfinished(&self, text: &str) -> Option<UnfinishedExpansion> {
        let words = tokenize(text).words;
        let (_, line) = self.find(&words)?;
        let typed_start =
            words[0].span.end + text[words[0].span.end..].len() - text[words[0].span.end..].trim_start().len();
        if typed_start == words[0].span.end {
            return None;
        }
        let mut head = match line.find('$') {
            None => format!("{line} "),
            Some(at) if matches!(&line[at..], "$*" | "$1") => line[..at].to_owned(),
            Some(_) => return None,
        };
        let arguments_start = head.len();
        head.push_str(&text[typed_start..]);
        Some(UnfinishedExpansion { text: head, arguments_start, typed_start })
    }

    /// Returns the alias at the beginning of a line, and its line.
    fn find(&self, words: &[Word]) -> Option<(&str, &str)> {
        let first = words.first().filter(|word| !word.quoted && word.equals.is_none())?;
        self.0.get_key_value(&first.text).map(|(name, line)| (name.as_str(), line.as_str()))
    }
}

/// Puts the arguments of a line, as they are typed, into the line of its alias. Arguments that it does not mention follow
/// at its end, if it mentions none.
fn substitute(name: &str, line: &str, text: &str, arguments: &[Word]) -> Result<String, Diagnostic> {
    let all = || match (arguments.first(), arguments.last()) {
        (Some(first), Some(last)) => &text[first.span.start..last.span.end],
        _ => "",
    };
    let (mut out, mut taken, mut takes_all) = (String::new(), 0, false);
    let mut rest = line;
    while let Some(at) = rest.find('$') {
        if out.len() > MAX_LINE_BYTES {
            // The caller reports it.
            return Ok(out);
        }
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let kind = after.chars().next();
        let mut is_reference = true;
        match kind {
            Some('$') => out.push('$'),
            Some('*') => {
                takes_all = true;
                out.push_str(all());
            }
            Some(digit @ '1'..='9') => {
                let number = digit as usize - '0' as usize;
                taken = taken.max(number);
                let missing = || {
                    let message = format!("missing argument {number} of alias `{name}`, which is `{line}`");
                    Diagnostic::new(Span::at(text.trim_end().len()), message)
                };
                let word = arguments.get(number - 1).ok_or_else(missing)?;
                out.push_str(&text[word.span.range()]);
            }
            _ => {
                is_reference = false;
                out.push('$');
            }
        }
        rest = if is_reference { &after[kind.map_or(0, char::len_utf8)..] } else { after };
    }
    out.push_str(rest);
    if taken == 0 && !takes_all && !arguments.is_empty() {
        out.push(' ');
        out.push_str(all());
    } else if !takes_all && let Some(word) = arguments.get(taken) {
        let message = format!("unexpected argument `{}` of alias `{name}`, which is `{line}`", word.text);
        return Err(Diagnostic::new(word.span, message));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aliases(lines: &[(&str, &str)]) -> Aliases {
        let mut aliases = Aliases::default();
        lines.iter().for_each(|(name, line)| aliases.insert(name, line));
        aliases
    }

    #[test]
    fn expands_arguments() {
        let aliases = aliases(&[
            ("st", "query-status"),
            ("pause", "job-pause id=$1"),
            ("add", "blockdev-add driver=$2 node-name=$1"),
            ("each", "qom-list $*"),
            ("price", "!echo $$5 $x"),
            ("twice", "pause $1"),
            ("stop", "stop"),
            ("a", "b 1"),
            ("b", "a 2"),
        ]);
        for (line, expected) in [
            ("st", "query-status"),
            ("  st  ", "query-status"),
            ("st x=1 # note", "query-status x=1"),
            ("pause 'a b'", "job-pause id='a b'"),
            ("add n0 raw", "blockdev-add driver=raw node-name=n0"),
            ("each /machine x", "qom-list /machine x"),
            ("each", "qom-list "),
            ("price", "!echo $5 $x"),
            ("twice j0", "job-pause id=j0"),
            ("stop", "stop"),
            ("a 0", "a 2 1 0"),
        ] {
            assert_eq!(aliases.expand(line), Some(Ok(expected.to_owned())), "{line}");
        }
        for line in ["query-status st", "'st'", "st=1", "", "#st", ".st"] {
            assert_eq!(aliases.expand(line), None, "{line}");
        }
    }

    #[test]
    fn wrong_arguments_are_reported_in_the_typed_line() {
        let aliases = aliases(&[("pause", "job-pause id=$1"), ("p", "pause")]);
        for (line, start, end, message) in [
            ("pause  ", 5, 5, "missing argument 1 of alias `pause`, which is `job-pause id=$1`"),
            ("pause a b", 8, 9, "unexpected argument `b` of alias `pause`, which is `job-pause id=$1`"),
            ("p", 1, 1, "missing argument 1 of alias `pause`, which is `job-pause id=$1`"),
        ] {
            let expected = Diagnostic::new(Span::new(start, end), message);
            assert_eq!(aliases.expand(line), Some(Err(expected)), "{line}");
        }
    }

    #[test]
    fn aliases_that_multiply_their_arguments_are_refused() {
        let double = |next: &str| format!("{next} {}", "$*".repeat(1000));
        let lines = [("a", double("b")), ("b", double("c")), ("c", double("d"))];
        let lines: Vec<(&str, &str)> = lines.iter().map(|(name, line)| (*name, line.as_str())).collect();
        let diagnostic = aliases(&lines).expand("a 12345678").unwrap().unwrap_err();
        assert_eq!(diagnostic.message, "alias `b` makes a line of more than 1 MiB");
        assert!(aliases(&lines).expand_unfinished("a 12345678").is_none());
    }

    #[test]
    fn a_secret_may_be_in_the_line_or_in_the_alias() {
        let aliases = aliases(&[("pw", "set_password protocol=vnc password=$1"), ("st", "query-status")]);
        assert!(aliases.has_secret("pw hunter2"));
        assert!(aliases.has_secret("set_password protocol=vnc password=x"));
        assert!(!aliases.has_secret("st"));
    }

    #[test]
    fn unfinished_lines_are_completed_as_their_alias() {
        let aliases = aliases(&[("pause", "job-pause id=$1"), ("add", "x $2 $1"), ("st", "query-status")]);
        let expanded = aliases.expand_unfinished("  pause  j").unwrap();
        assert_eq!((expanded.text.as_str(), expanded.arguments_start, expanded.typed_start), ("job-pause id=j", 13, 9));
        assert_eq!(aliases.expand_unfinished("st ").unwrap().text, "query-status ");
        for line in ["pause", "add ", "job-pause "] {
            assert!(aliases.expand_unfinished(line).is_none(), "{line}");
        }
    }
}
