//! Several lines at once, as a paste has them or a block that comes back from the history: the last of them.

use crate::grammar::{Assembler, Line, LineMode, parse_line, parse_transaction_line};

/// Where the last line of `text` begins, and whether it stands in a transaction block; `in_transaction`: the first does.
pub(super) fn last_line(text: &str, language: LineMode, in_transaction: bool) -> (usize, bool) {
    let (mut start, mut at, mut in_transaction) = (0, 0, in_transaction);
    let mut assembler = Assembler::new();
    for row in text.split_inclusive('\n').filter(|row| row.ends_with('\n')) {
        at += row.len();
        let Some((_, whole)) = assembler.push(row, language) else { continue };
        start = at;
        let transaction = match in_transaction {
            true => parse_transaction_line(&whole).ok(),
            false => match parse_line(&whole) {
                Ok(Line::Transaction(line)) if language == LineMode::Qmp => Some(line),
                _ => None,
            },
        };
        if let Some(line) = transaction {
            in_transaction = line.close.is_none();
        }
    }
    (start, in_transaction)
}
