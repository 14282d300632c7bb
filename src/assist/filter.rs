//! Completion and hints in a jq filter after `|`: members by the return type of the command, the values of enums after
//! a comparison, and functions.

use crate::filter::functions;
use crate::grammar::{JsonKind, parse_json, tokenize};
use crate::schema::Schema;
use crate::wire::quote;

use super::filter_tokens::{Token, is_word_char, tokens};
use super::filter_types::{FilterTyping, FrameKind, Member, Shape};
use super::types::{Candidate, Completion, CompletionContext};

/// Functions that take a string which may be a value of an enum.
const TAKING_VALUES: [&str; 6] = ["test", "startswith", "endswith", "contains", "ltrimstr", "rtrimstr"];

impl CompletionContext<'_> {
    /// Returns the type of what a filter after `command` is applied to. Without a command it is the last reply.
    pub(super) fn filter_input(&self, command: &str, schema: &Schema) -> Option<Shape> {
        match &self.last_command {
            Some(last) if command.trim().is_empty() => return_type(last, schema),
            _ => returns_of(command, schema),
        }
    }
}

fn return_type(command: &str, schema: &Schema) -> Option<Shape> {
    schema.command(command).map(|command| Shape::Schema(command.returns))
}

/// Returns the type of the return values of a command line, as far as the introspection tells it.
fn returns_of(command: &str, schema: &Schema) -> Option<Shape> {
    let words = tokenize(command).words;
    let words: Vec<_> = words.iter().skip_while(|word| word.is_bare("exec-oob") || word.text == "->").collect();
    let first = words.first()?;
    let name = match first.bracket {
        None => first.text.clone(),
        Some(start) => {
            let (json, _) = parse_json(command, start).ok()?;
            let JsonKind::Object(members) = json.kind else { return None };
            let execute = members.into_iter().find(|member| member.key.starts_with("exec"))?;
            execute.value.as_str()?
        }
    };
    return_type(&name, schema)
}

/// Completes the end of a filter. `input` is the type of what it is applied to.
pub(super) fn complete_filter(filter: &str, input: Option<Shape>, schema: Option<&Schema>) -> Completion {
    let tokens = tokens(filter);
    if let (Some(schema), Some(input)) = (schema, input) {
        if let Some((start, Token::OpenText(typed))) = tokens.last() {
            return complete_text(filter, *start, typed, schema, input, &tokens[..tokens.len() - 1]);
        }
        let is_part = |c: char| is_word_char(c) || c == '-';
        let start = filter.trim_end_matches(is_part).len();
        if filter[..start].ends_with('.') && !filter[..start].ends_with("..") {
            return complete_member(&filter[start..], start, schema, input, &tokens);
        }
        let typing = FilterTyping::read(schema, input.clone(), &before(&tokens, start));
        if let Some(frame) = typing.frame().filter(|frame| matches!(frame.kind, FrameKind::Object(_, None))) {
            return offer_members(&filter[start..], start, &frame.input.members(schema), schema);
        }
    }
    if matches!(tokens.last(), Some((_, Token::OpenText(_)))) {
        return Completion::default();
    }
    complete_function(filter, &tokens)
}

/// Returns the pieces of a hint about the value before the cursor: its type, or the values that it can have.
pub(super) fn hint_in_filter(filter: &str, input: Shape, schema: &Schema) -> Option<Vec<String>> {
    let tokens = tokens(filter);
    if filter.ends_with(char::is_whitespace) || matches!(tokens.last()?, (_, Token::OpenText(_))) {
        return None;
    }
    let typing = FilterTyping::read(schema, input, &tokens);
    let value = typing.frame()?.value.clone()?;
    let label = value.label(schema)?;
    let values = value.enum_values(schema);
    match values.split_first() {
        None => Some(vec![format!("→ {label}")]),
        Some((first, rest)) => {
            let others = rest.iter().map(|value| format!("| {value}"));
            Some([format!("→ {first}")].into_iter().chain(others).collect())
        }
    }
}

/// Returns the tokens that begin before an offset.
fn before(tokens: &[(usize, Token)], end: usize) -> Vec<(usize, Token)> {
    tokens.iter().filter(|(start, _)| *start < end).cloned().collect()
}

/// Completes a member whose name begins at `start`, after a dot.
fn complete_member(typed: &str, start: usize, schema: &Schema, input: Shape, tokens: &[(usize, Token)]) -> Completion {
    let typing = FilterTyping::read(schema, input, &before(tokens, start - 1));
    let Some(frame) = typing.frame() else { return Completion::default() };
    let base = frame.value.as_ref().unwrap_or(&frame.input);
    if base.is_array(schema) && typed.is_empty() && frame.value.is_none() {
        let has_members = !base.item(schema).members(schema).is_empty();
        let text = if has_members { "[]." } else { "[]" };
        let candidates = vec![Candidate::new(text, "each item")];
        return Completion { start, candidates, missing: Vec::new() };
    }
    offer_members(typed, start, &base.members(schema), schema)
}

/// Offers members. A name with a dash is quoted.
fn offer_members(typed: &str, start: usize, members: &[Member], schema: &Schema) -> Completion {
    let matching = members.iter().filter(|member| member.name.starts_with(typed));
    let candidates = matching.map(|member| {
        let name = &member.name;
        let is_plain =
            !name.is_empty() && name.chars().all(is_word_char) && !name.starts_with(|c: char| c.is_ascii_digit());
        let text = if is_plain { name.clone() } else { quote(name) };
        Candidate::new(text, describe(member, schema))
    });
    Completion { start, candidates: candidates.collect(), missing: Vec::new() }
}

fn describe(member: &Member, schema: &Schema) -> String {
    let label = member.shape.label(schema).unwrap_or_else(|| "any".to_owned());
    if member.optional { format!("{label}, optional") } else { label }
}

/// Completes a string that begins with its quote at `start`: a member after a dot or in brackets, or a value.
fn complete_text(
    filter: &str,
    start: usize,
    typed: &str,
    schema: &Schema,
    input: Shape,
    tokens: &[(usize, Token)],
) -> Completion {
    if filter[..start].ends_with('.') {
        let before_dot = &tokens[..tokens.len() - 1];
        let typing = FilterTyping::read(schema, input, before_dot);
        let base = typing.frame().map(|frame| frame.value.clone().unwrap_or_else(|| frame.input.clone()));
        return offer_texts(
            typed,
            start,
            base.iter().flat_map(|base| base.members(schema)).map(|member| {
                let description = describe(&member, schema);
                (member.name, description)
            }),
        );
    }
    let typing = FilterTyping::read(schema, input, tokens);
    let Some(frame) = typing.frame() else { return Completion::default() };
    if frame.kind == FrameKind::Index {
        let members = typing.outer_frame().and_then(|outer| outer.value.clone()).unwrap_or(Shape::Unknown);
        let named = |member: Member| {
            let description = describe(&member, schema);
            (member.name, description)
        };
        return offer_texts(typed, start, members.members(schema).into_iter().map(named));
    }
    let compared = match &frame.kind {
        FrameKind::Call(name) if frame.compared.is_none() && TAKING_VALUES.contains(&name.as_str()) => {
            Some(&frame.input)
        }
        _ => frame.compared.as_ref(),
    };
    let values = compared.map(|shape| shape.enum_values(schema)).unwrap_or_default();
    offer_texts(typed, start, values.into_iter().map(|value| (value.to_owned(), String::new())))
}

fn offer_texts(typed: &str, start: usize, texts: impl Iterator<Item = (String, String)>) -> Completion {
    let matching = texts.filter(|(text, _)| text.starts_with(typed));
    let candidates = matching.map(|(text, description)| Candidate::new(format!("\"{text}\""), description));
    Completion { start, candidates: candidates.collect(), missing: Vec::new() }
}

/// Completes the name of a function.
fn complete_function(filter: &str, tokens: &[(usize, Token)]) -> Completion {
    let Some((start, Token::Word(typed))) = tokens.last() else { return Completion::default() };
    if start + typed.len() != filter.len() {
        return Completion::default();
    }
    let matching = functions().into_iter().filter(|function| function.name.starts_with(typed.as_str()));
    let candidates = matching.map(|function| {
        let bracket = if function.needs_arguments { "(" } else { "" };
        Candidate::new(format!("{}{bracket}", function.name), "")
    });
    Completion { start: *start, candidates: candidates.collect(), missing: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assist::{CompletionContext, complete, hint};

    const SCHEMA: &str = r#"[
        {"name": "query-status", "meta-type": "command", "arg-type": "0", "ret-type": "1"},
        {"name": "query-block", "meta-type": "command", "arg-type": "0", "ret-type": "[3]"},
        {"name": "query-names", "meta-type": "command", "arg-type": "0", "ret-type": "[str]"},
        {"name": "qom-get", "meta-type": "command", "arg-type": "0", "ret-type": "any"},
        {"name": "0", "meta-type": "object", "members": []},
        {"name": "1", "meta-type": "object", "members": [
            {"name": "running", "type": "bool"}, {"name": "status", "type": "2"}]},
        {"name": "2", "meta-type": "enum", "members": [{"name": "paused"}, {"name": "running"}]},
        {"name": "3", "meta-type": "object", "tag": "status", "members": [
            {"name": "node-name", "type": "str"}, {"name": "device", "type": "str"}, {"name": "status", "type": "2"},
            {"name": "children", "type": "[3]", "default": null}, {"name": "ref", "type": "5"}],
            "variants": [{"case": "paused", "type": "1"}, {"case": "running", "type": "4"}]},
        {"name": "4", "meta-type": "object", "members": [{"name": "speed", "type": "int"}]},
        {"name": "5", "meta-type": "alternate", "members": [{"type": "str"}, {"type": "4"}]},
        {"name": "[3]", "meta-type": "array", "element-type": "3"},
        {"name": "[str]", "meta-type": "array", "element-type": "str"},
        {"name": "str", "meta-type": "builtin", "json-type": "string"},
        {"name": "int", "meta-type": "builtin", "json-type": "int"},
        {"name": "any", "meta-type": "builtin", "json-type": "value"},
        {"name": "bool", "meta-type": "builtin", "json-type": "boolean"}
    ]"#;

    fn completed(line: &str) -> String {
        let schema = Schema::parse(SCHEMA).unwrap();
        let context = CompletionContext { schema: Some(&schema), ..CompletionContext::default() };
        let completion = complete(line, &context);
        let texts: Vec<String> = completion.candidates.into_iter().map(|candidate| candidate.text).collect();
        match texts.is_empty() {
            true => String::new(),
            false => format!("{}[{}]", &line[..completion.start], texts.join(" ")),
        }
    }

    #[test]
    fn completes_members_by_the_return_type() {
        let block = "\"node-name\" device status children ref running speed";
        for (line, expected) in [
            ("query-status | .", "query-status | .[running status]"),
            ("query-status | .st", "query-status | .[status]"),
            ("query-block | .", "query-block | .[[].]"),
            ("query-block | .[].", &format!("query-block | .[].[{block}]")),
            ("query-block | .[0].de", "query-block | .[0].[device]"),
            ("query-block | .[].node-n", "query-block | .[].[\"node-name\"]"),
            ("query-block | .[].\"nod", "query-block | .[].[\"node-name\"]"),
            ("query-block | .[][\"nod", "query-block | .[][[\"node-name\"]"),
            ("query-block | .[1:][0].de", "query-block | .[1:][0].[device]"),
            ("query-block | .[] | .s", "query-block | .[] | .[status speed]"),
            ("query-block | .[].children[].children[0].de", "query-block | .[].children[].children[0].[device]"),
            ("query-block | .[]?.ref.", "query-block | .[]?.ref.[speed]"),
            ("query-block | map(.de", ""),
            ("query-block | . | map(.de", "query-block | . | map(.[device]"),
            (
                "query-block | . | map(select(.device == \"x\")) | .[0].de",
                "query-block | . | map(select(.device == \"x\")) | .[0].[device]",
            ),
            ("query-block | .[] | select(.r", "query-block | .[] | select(.[ref running]"),
            (
                "query-block | . | group_by(.status) | .[0][0].de",
                "query-block | . | group_by(.status) | .[0][0].[device]",
            ),
            (
                "query-block | [.[] | {n: .device, x: .ref}] | .[].",
                "query-block | [.[] | {n: .device, x: .ref}] | .[].[n x]",
            ),
            ("query-block | .[] | {de", "query-block | .[] | {[device]"),
            ("query-block | .[0] as $b | $b.de", "query-block | .[0] as $b | $b.[device]"),
            ("query-block | first(.[] | .children[]).de", ""),
            ("query-block | . | first(.[] | .children[]).de", "query-block | . | first(.[] | .children[]).[device]"),
            ("query-block | (.[0], .[1]).de", ""),
            ("query-block | .[] | (.ref // .children[]).s", "query-block | .[] | (.ref // .children[]).[speed status]"),
            (
                "query-block | .[] | if .status == \"paused\" then .r",
                "query-block | .[] | if .status == \"paused\" then .[ref running]",
            ),
            ("query-block | .[] | to_entries | .[].", "query-block | .[] | to_entries | .[].[key value]"),
            ("qom-get | .", ""),
            ("nothing | .", ""),
            ("{\"execute\": \"query-status\"} | .r", "{\"execute\": \"query-status\"} | .[running]"),
            ("query-block; query-status | .r", "query-block; query-status | .[running]"),
            ("query-status | .; query-st", "query-status | .; [query-status]"),
            ("query-status | jq .", ""),
            ("query-names | .", "query-names | .[[]]"),
        ] {
            assert_eq!(completed(line), expected, "{line}");
        }
    }

    #[test]
    fn completes_values_and_functions() {
        for (line, expected) in [
            (
                "query-block | .[] | select(.status == \"",
                "query-block | .[] | select(.status == [\"paused\" \"running\"]",
            ),
            ("query-block | .[] | select(.status != \"r", "query-block | .[] | select(.status != [\"running\"]"),
            ("query-block | .[] | select(.status | test(\"p", "query-block | .[] | select(.status | test([\"paused\"]"),
            ("query-status | .status == \"pa", "query-status | .status == [\"paused\"]"),
            ("query-status | .running == \"", ""),
            ("query-block | .[] | sele", "query-block | .[] | [select(]"),
            ("query-block | .[] | @ts", "query-block | .[] | [@tsv]"),
            ("query-block | .[] | group", "query-block | .[] | [group_by(]"),
            ("query-block | .[] | \"sele", ""),
            ("query-block | .[] ", ""),
        ] {
            assert_eq!(completed(line), expected, "{line}");
        }
    }

    #[test]
    fn hints_name_the_type() {
        let schema = Schema::parse(SCHEMA).unwrap();
        let context = CompletionContext { schema: Some(&schema), ..CompletionContext::default() };
        for (line, expected) in [
            ("query-status | .running", Some(" → bool")),
            ("query-status | .status", Some(" → paused | running")),
            ("query-block | .", Some(" → [object]")),
            ("query-block | .[0].ref", Some(" → str or object")),
            ("query-block | .[0].device ", None),
            ("query-block | .[0] | length", Some(" → number")),
            ("qom-get | .", None),
            ("query-block | .[0].nothing", None),
            ("query-block | less", None),
        ] {
            let shown = hint(line, &context, 40).map(|hint| hint.text);
            assert_eq!(shown.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn any_text_can_be_read() {
        for text in
            [".[", "{", "{\"a", ".a.", "((((", "]})", "\"\\", ".[].\"", "$", "@", ".. | .", "é.é", "if then else end ."]
        {
            for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
                completed(&format!("query-block | .{}", &text[..end]));
            }
        }
    }
}
