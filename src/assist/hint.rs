//! The hint behind the cursor: which keys are still to be given, required ones first.

use crate::grammar::{LineMode, tokenize};
use crate::schema::{Given, ObjectMember, action_type};

use super::complete::Known;

/// What the rest of the line may be, at most `room` columns wide; what is typed already is dropped from it.
pub fn hint(line: &str, known: &Known<'_>, room: usize) -> Option<String> {
    let schema = known.schema?;
    if known.language == LineMode::Hmp || line.contains('\n') {
        return None;
    }
    let tokens = tokenize(line);
    let mut words = tokens.words.as_slice();
    let mut in_block = known.in_transaction;
    if let [first, rest @ ..] = words
        && matches!(first.text.as_str(), "exec-oob" | "transaction(")
    {
        in_block |= first.text == "transaction(";
        words = rest;
    }
    let (name, mut words) = words.split_first()?;
    let root = match in_block {
        true => action_type(schema, &name.text)?,
        false => schema.command(&name.text)?.arguments,
    };
    let is_open = tokens.words.last().is_some_and(|word| word.open.is_some());
    if is_open || !tokens.comments.is_empty() {
        return None;
    }
    // A word that is being typed: the beginning of a key is completed, anything else has to be finished first.
    let mut typed = "";
    let ends_open = !line.ends_with([' ', '\t']);
    if ends_open && let Some((last, before)) = words.split_last() {
        if last.equals.is_some() || last.bracket.is_some() || last.text.contains('.') {
            return None;
        }
        typed = &last.text;
        words = before;
    }
    let given = Given::of_words(line, words);
    let expected = given.expected(schema, root, &[])?;
    let mut missing = expected.missing();
    if !typed.is_empty() {
        // The key being typed comes first, what is typed of it left out.
        let at = missing.iter().position(|member| member.name.starts_with(typed))?;
        let member = missing.remove(at);
        missing.insert(0, member);
    }
    let needs_blank = typed.is_empty() && ends_open;
    Some(spelled(&missing, typed, needs_blank, room)).filter(|text| !text.is_empty())
}

/// The keys of `missing` in at most `room` columns. Of the first, `typed` is on the line already.
fn spelled(missing: &[&ObjectMember], typed: &str, needs_blank: bool, room: usize) -> String {
    let mut text = String::new();
    for (index, member) in missing.iter().enumerate() {
        let piece = match (index, typed) {
            (0, "") | (1.., _) if member.optional => format!("[{}=]", member.name),
            (0, typed) => format!("{}=", &member.name[typed.len()..]),
            _ => format!("{}=", member.name),
        };
        let gap = if index > 0 || needs_blank { " " } else { "" };
        if text.chars().count() + gap.len() + piece.chars().count() + 2 > room {
            if room > text.chars().count() + 2 && !text.is_empty() {
                text.push_str(" …");
            }
            break;
        }
        text.push_str(gap);
        text.push_str(&piece);
    }
    text
}
