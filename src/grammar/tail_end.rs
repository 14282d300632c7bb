//! Finds the end of text in other languages on a line: jq filters, commands of the system's shell, and HMP lines.

use super::chain::Operator;
use super::scan::is_blank;

/// Words that open a compound command of the system's shell, in which `;` separates its own commands.
const SHELL_OPENERS: [&str; 8] = ["case", "for", "if", "select", "until", "while", "{", "("];

/// Words that close one.
const SHELL_CLOSERS: [&str; 4] = ["done", "esac", "fi", "}"];

/// Words after which the shell expects a command.
const SHELL_PREFIXES: [&str; 8] = ["!", "&&", "||", "|", "do", "else", "elif", "then"];

/// Returns the operator that ends a jq filter: a `;` at the end of a word, a `>>`, or a `>` before a path. A `;` in
/// brackets separates arguments, and one after `def` ends the definition; other `>` compare.
pub(super) fn filter_end(text: &str) -> Option<(usize, Operator)> {
    let bytes = text.as_bytes();
    // What each open bracket is, with `"` for a string.
    let mut open: Vec<u8> = Vec::new();
    let mut definitions = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if open.last() == Some(&b'"') {
            match byte {
                b'"' => drop(open.pop()),
                b'\\' if bytes.get(at + 1) == Some(&b'(') => {
                    open.push(b'(');
                    at += 1;
                }
                b'\\' => at += 1,
                _ => {}
            }
            at += 1;
            continue;
        }
        let is_word_start = at == 0 || bytes[at - 1].is_ascii_whitespace();
        match byte {
            b'"' | b'(' | b'[' | b'{' => open.push(byte),
            b')' | b']' | b'}' => drop(open.pop()),
            b'#' => at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |len| at + len),
            _ if !open.is_empty() => {}
            b'd' if is_word_start && text[at..].starts_with("def ") => definitions += 1,
            b';' if definitions > 0 => definitions -= 1,
            b';' if ends_word(&text[at + 1..]) => return Some((at, Operator::Semicolon)),
            b'>' if is_word_start && bytes.get(at + 1) == Some(&b'>') => return Some((at, Operator::Append)),
            b'>' if is_word_start && is_path(text[at + 1..].trim_start_matches(is_blank)) => {
                return Some((at, Operator::Write));
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn ends_word(rest: &str) -> bool {
    rest.chars().next().is_none_or(is_blank)
}

/// Returns whether a text begins with a path, which no part of a filter can be.
fn is_path(text: &str) -> bool {
    ["/", "~/", "./", "../"].iter().any(|prefix| text.starts_with(prefix))
}

/// Returns the index of the `;` that ends a command of the system's shell: at the end of a word, outside quotes, brackets
/// and compound commands.
pub(super) fn pipeline_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_usize;
    let mut is_command_next = true;
    let mut word = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') | (Some('`'), '`') => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => {
                chars.next();
                word.push(c);
            }
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => {
                quote = Some(c);
                word.push(c);
            }
            (None, '(') => {
                depth += 1;
                word.clear();
                is_command_next = true;
            }
            (None, ')') => depth = depth.saturating_sub(1),
            (None, ';') if depth_after(&word, is_command_next, depth) == 0 && ends_word(&text[at + 1..]) => {
                return Some(at);
            }
            (None, ';' | '|' | '&' | '\n') => {
                depth = depth_after(&word, is_command_next, depth);
                word.clear();
                is_command_next = true;
            }
            (None, c) if is_blank(c) => {
                if word.is_empty() {
                    continue;
                }
                depth = depth_after(&word, is_command_next, depth);
                is_command_next = is_command_next && is_opener(&word, true) || SHELL_PREFIXES.contains(&word.as_str());
                word.clear();
            }
            (None, c) => word.push(c),
        }
    }
    None
}

fn is_opener(word: &str, is_command: bool) -> bool {
    is_command && SHELL_OPENERS.contains(&word)
}

/// Returns the number of open compound commands after a word.
fn depth_after(word: &str, is_command: bool, depth: usize) -> usize {
    match word {
        word if is_opener(word, is_command) => depth + 1,
        word if is_command && SHELL_CLOSERS.contains(&word) => depth.saturating_sub(1),
        _ => depth,
    }
}

/// Returns the operator that ends an HMP line. A `|` between blanks is one only before a program or a path; others are
/// the monitor's. `>` and `>>` stand between blanks, `;` at the end of a word, all outside double quotes.
pub(super) fn hmp_operator(text: &str, is_program: &dyn Fn(&str) -> bool) -> Option<(usize, Operator)> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let is_word_start = is_blank(before);
        before = c;
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match c {
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            ';' if ends_word(&text[at + 1..]) => return Some((at, Operator::Semicolon)),
            '|' | '>' if is_word_start => {
                let operator = Operator::at_start(&text[at..])?;
                let rest = &text[at + operator.len()..];
                let next = rest.trim_start_matches(is_blank).split(is_blank).next().unwrap_or_default();
                let is_operator = match operator {
                    // At the beginning of a line, there is nothing that the monitor could do with it.
                    Operator::Pipe => at == 0 || is_path(next) || is_program(next),
                    _ => true,
                };
                if ends_word(rest) && is_operator {
                    return Some((at, operator));
                }
            }
            _ => {}
        }
    }
    None
}
