//! The grammar of lines: the tokenizer, the line parser, and the assembler of logical lines.

use qmp_shell::grammar::{
    Arg, Assembler, Command, Language, Line, Span, Tokens, is_blank, is_complete, parse_line, parse_transaction_line,
    tokenize,
};

use super::{assertions, spans};

/// The input is text of one or more lines.
pub fn check(data: &[u8]) {
    let Some(text) = assertions::text(data) else { return };
    let tokens = tokenize(text);
    check_tokens(text, &tokens);
    check_shlex(text, &tokens);
    match parse_line(text) {
        Ok(line) => check_line(text, &line),
        Err(diagnostic) => spans::diagnostic(text, &diagnostic),
    }
    match parse_transaction_line(text) {
        Ok(line) => {
            line.action.iter().for_each(|command| check_command(text, command));
            line.close.iter().flatten().for_each(|arg| check_arg(text, arg));
        }
        Err(diagnostic) => spans::diagnostic(text, &diagnostic),
    }
    check_assembler(text);
}

fn check_tokens(text: &str, tokens: &Tokens) {
    let mut all: Vec<Span> = tokens.words.iter().map(|word| word.span).chain(tokens.comments.iter().copied()).collect();
    all.sort_by_key(|span| span.start);
    spans::in_order(all.iter().copied());
    let mut end = 0;
    for span in all.iter().copied().chain([Span::at(text.len())]) {
        spans::inside(text, span);
        let between = text[end..span.start].replace("\\\n", "");
        assert!(between.chars().all(is_blank), "{between:?} is not in a word");
        end = span.end;
    }
    for (index, word) in tokens.words.iter().enumerate() {
        spans::inside(text, word.key_span());
        spans::inside(text, word.value_span());
        if let Some((at, _)) = word.equals {
            assert_eq!(&text[at..=at], "=");
            assert_eq!(format!("{}={}", word.key(), word.value()), word.text);
        }
        if let Some(at) = word.bracket {
            assert!(text[at..].starts_with(['{', '[']) && word.span.range().contains(&at));
        }
        assert!(word.open.is_none() || index + 1 == tokens.words.len(), "a word before the last is unclosed");
    }
}

/// Asserts that a line is split like a POSIX shell does, if it has nothing that a shell does not know. A continued line
/// between two words is excluded, since it is a word for `shlex`, though not for a shell.
fn check_shlex(text: &str, tokens: &Tokens) {
    let is_foreign_blank = |c: char| is_blank(c) && !" \t\n".contains(c);
    if text.contains(['#', '{', '[', '\0']) || text.contains("\\\n") || text.contains(is_foreign_blank) {
        return;
    }
    let is_open = tokens.words.last().is_some_and(|word| word.open.is_some());
    match shlex::split(text) {
        Some(words) => {
            let tokens: Vec<&str> = tokens.words.iter().map(|word| word.text.as_str()).collect();
            assert_eq!(tokens, words, "a shell splits the line in another way");
        }
        None => assert!(is_open, "a shell finds an unclosed quote"),
    }
}

fn check_line(text: &str, line: &Line) {
    match line {
        Line::Blank | Line::ShellEscape(_) => {}
        Line::Dot(line) => {
            spans::inside(text, line.name_span);
            assert!(text.replace("\\\n", "").contains(line.tail()));
            assert!(!line.name.starts_with('.'));
        }
        Line::Json(request) => {
            spans::inside(text, request.command_span);
            for json in request.arguments.iter().chain(&request.id) {
                spans::inside(text, json.span);
            }
        }
        Line::Command(command) => check_command(text, command),
        Line::Transaction(line) => {
            line.action.iter().for_each(|command| check_command(text, command));
            line.close.iter().flatten().for_each(|arg| check_arg(text, arg));
        }
    }
}

fn check_command(text: &str, command: &Command) {
    assert!(!command.name.is_empty());
    spans::inside(text, command.name_span);
    spans::in_order(command.args.iter().map(|arg| arg.word.span));
    command.args.iter().for_each(|arg| check_arg(text, arg));
    assert!(command.max_word_bytes() <= text.len());
}

fn check_arg(text: &str, arg: &Arg) {
    spans::inside(text, arg.key.span);
    assert!(!arg.key.parts.is_empty() && arg.key.parts.iter().all(|part| !part.is_empty()));
    assert_eq!(arg.key.dotted(), arg.word.key());
    match &arg.json {
        Some(Ok(json)) => spans::inside(text, json.span),
        Some(Err(diagnostic)) => spans::diagnostic(text, diagnostic),
        None => {}
    }
}

/// Asserts that logical lines consist of parts of physical lines, in order.
fn check_assembler(text: &str) {
    let typed: Vec<&str> = text.split('\n').collect();
    for mode in [Language::Qmp, Language::Hmp] {
        let mut assembler = Assembler::new();
        let mut lines: Vec<_> = typed.iter().flat_map(|line| assembler.push(line, mode)).collect();
        assert_eq!(is_complete(text, mode), !assembler.is_open());
        lines.extend(assembler.finish());
        assert!(lines.is_sorted_by_key(|(number, _)| *number), "a line comes before an earlier one");
        for (number, line) in &lines {
            for (row, typed) in line.split('\n').zip(&typed[number - 1..]) {
                assert!(typed.contains(row.strip_prefix(".hmp ").unwrap_or(row)), "a line is changed: {row:?}");
            }
        }
    }
}
