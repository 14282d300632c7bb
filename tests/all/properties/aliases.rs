//! Aliases: the lines for which they stand.

use qmp_shell::shell::Aliases;

use super::{assertions, spans};

/// The input is lines: a name and its line for each alias, and at the end what is typed.
pub fn check(data: &[u8]) {
    let Some(text) = assertions::text(data) else { return };
    let (definitions, typed) = text.rsplit_once('\n').unwrap_or(("", text));
    let mut aliases = Aliases::default();
    for (name, line) in definitions.lines().filter_map(|line| line.split_once(' ')) {
        aliases.insert(name, line);
    }
    match aliases.expand(typed) {
        Some(Err(diagnostic)) => spans::diagnostic(typed, &diagnostic),
        Some(Ok(line)) => assert!(line.len() <= 1 << 20, "{} bytes became {}", text.len(), line.len()),
        None => {}
    }
    if let Some(expansion) = aliases.expand_unfinished(typed) {
        assert_eq!(expansion.text[expansion.arguments_start..], typed[expansion.typed_start..]);
    }
    aliases.has_secret(typed);
}
