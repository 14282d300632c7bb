//! Sending the requests of a message log again, for `.source` and `-f`.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::grammar::{Diagnostic, Span, parse_line};
use crate::render::printable;
use crate::session::{Direction, RecordedLog};
use crate::wire::{MASK, quote, scalars};

use super::super::engine::{Engine, not_sent};
use super::super::line::{InputLine, LineOutcome};
use super::super::output::Output;
use super::run::{ParsedLine, run_parsed};
use super::source::judge_outcome;
use super::target::on_server;

/// Commands that opening a connection has sent, or will send.
const OPENING_COMMANDS: &[&str] = &["qmp_capabilities", "guest-sync", "guest-sync-delimited"];

/// The number of commands whose names the question lists.
const MAX_LISTED_COMMANDS: usize = 12;

/// A request of the user in a log.
#[derive(Debug, PartialEq, Eq)]
struct LoggedRequest {
    /// The number of its line in the log.
    line: usize,
    command: String,
    /// The name of its server, if the log is of several.
    server: Option<Arc<str>>,
    /// The request as JSON, without its id.
    text: String,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(default)]
    execute: Option<String>,
    #[serde(rename = "exec-oob", default)]
    oob: Option<String>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

/// Sends the requests of the user in a log again, after a question at a prompt. Returns the worst of their outcomes, or
/// the reason why nothing was sent.
pub(crate) fn run_log(
    engine: &mut Engine,
    name: &str,
    bytes: Vec<u8>,
    out: &mut dyn Output,
) -> Result<LineOutcome, String> {
    let log = RecordedLog::parse(bytes).map_err(|error| format!("cannot run `{name}`: {error}"))?;
    let requests = requests_of(&log).map_err(|reason| format!("cannot run `{name}`: {reason}"))?;
    check_servers(engine, &requests).map_err(|reason| format!("cannot run `{name}`: {reason}"))?;
    if engine.in_transaction() {
        return Err(format!("`{name}` is a message log, whose requests cannot be part of a transaction"));
    }
    if let Some(line) = log.cut_off_line {
        let location = InputLine { text: "", script: Some(name), number: line };
        out.show_warning("the last line of the log is incomplete, and is passed over", &location);
    }
    if requests.is_empty() {
        out.show_notice(&format!("{} has no request of a user.", printable(name)));
        return Ok(LineOutcome::Done);
    }
    let asks = engine.options.interactive && !engine.options.dry_run;
    if asks && !out.confirm(&question(name, &requests)) {
        out.show_notice("Nothing was sent.");
        return Ok(LineOutcome::Done);
    }
    let mut worst = LineOutcome::Done;
    for request in &requests {
        let line = InputLine { text: &request.text, script: Some(name), number: request.line };
        let outcome = match &request.server {
            Some(server) => {
                on_server(engine, server, &line, out, |engine, out| run_request(engine, request, &line, out))
            }
            None => run_request(engine, request, &line, out),
        };
        match judge_outcome(engine, outcome, &line, out) {
            ControlFlow::Continue(LineOutcome::Failed) => worst = LineOutcome::Failed,
            ControlFlow::Continue(_) => {}
            ControlFlow::Break(outcome) => return Ok(outcome),
        }
    }
    Ok(worst)
}

/// Checks that each server of a log is one of the shell's.
fn check_servers(engine: &Engine, requests: &[LoggedRequest]) -> Result<(), String> {
    let is_unknown = |server: &&str| engine.find_server(server).is_none();
    match requests.iter().filter_map(|request| request.server.as_deref()).find(is_unknown) {
        Some(server) => Err(format!(
            "it has requests for the server `{server}`, which is not connected; `.connect {server}=ADDRESS` adds it"
        )),
        None => Ok(()),
    }
}

/// Returns the requests of the user in a log.
fn requests_of(log: &RecordedLog) -> Result<Vec<LoggedRequest>, String> {
    let sent = log.records.iter().filter(|record| record.direction == Direction::Sent && !record.is_query);
    let mut requests = Vec::new();
    for record in sent {
        let invalid = || format!("line {} has no request: expected `execute`", record.line);
        let members: Members<'_> = serde_json::from_str(log.message(record)).map_err(|_| invalid())?;
        let (key, command) = match (members.execute, members.oob) {
            (Some(command), None) => ("execute", command),
            (None, Some(command)) => ("exec-oob", command),
            _ => return Err(invalid()),
        };
        if OPENING_COMMANDS.contains(&command.as_str()) {
            continue;
        }
        let arguments = members.arguments.map(|arguments| format!(", \"arguments\": {arguments}")).unwrap_or_default();
        let text = format!("{{\"{key}\": {}{arguments}}}", quote(&command));
        requests.push(LoggedRequest { line: record.line, command, server: record.server.clone(), text });
    }
    Ok(requests)
}

/// Returns the question before requests are sent: what they are, and which of them ends QEMU.
fn question(name: &str, requests: &[LoggedRequest]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for request in requests {
        match counts.iter_mut().find(|(command, _)| *command == request.command) {
            Some((_, count)) => *count += 1,
            None => counts.push((&request.command, 1)),
        }
    }
    let listed = counts.iter().take(MAX_LISTED_COMMANDS).map(|(command, count)| match count {
        1 => format!("`{command}`"),
        count => format!("{count} `{command}`"),
    });
    let mut list: Vec<String> = listed.collect();
    if let Some(others @ 1..) = counts.len().checked_sub(MAX_LISTED_COMMANDS) {
        list.push(format!("{others} others"));
    }
    let (number, plural) = (requests.len(), if requests.len() == 1 { "" } else { "s" });
    let mut question = format!("{name} has {number} command{plural}: {}.\n", list.join(", "));
    match requests.iter().filter(|request| masked_member(&request.text).is_some()).count() {
        0 => {}
        masked => question += &format!("Not to be sent, because a secret in them was replaced: {masked}.\n"),
    }
    if requests.iter().any(|request| request.command == "quit") {
        question += "`quit` is among them; it terminates QEMU and the VM.\n";
    }
    question + if number == 1 { "Send it?" } else { "Send them?" }
}

fn run_request(
    engine: &mut Engine,
    request: &LoggedRequest,
    line: &InputLine<'_>,
    out: &mut dyn Output,
) -> LineOutcome {
    if let Some((member, span)) = masked_member(&request.text) {
        let command = &request.command;
        let message = format!("the log has `{MASK}` in place of the value of `{member}`, so `{command}` is not sent");
        let outcome = not_sent(&Diagnostic::new(span, message), line, out);
        engine.note_outcome(outcome);
        return outcome;
    }
    run_parsed(engine, ParsedLine::from(parse_line(&request.text)), line, out)
}

/// Returns the key of the first secret that was replaced, and the place of the replacement.
fn masked_member(text: &str) -> Option<(String, Span)> {
    let masked = scalars(text).find(|value| value.is_string && value.decoded().contains(MASK))?;
    Some((masked.key.into_owned(), Span::new(masked.range.start, masked.range.end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(lines: &[&str]) -> Result<Vec<LoggedRequest>, String> {
        let text: String = lines.iter().map(|line| format!("{{\"time\": \"t\", {line}}}\n")).collect();
        requests_of(&RecordedLog::parse(text.into_bytes()).unwrap())
    }

    #[test]
    fn takes_the_requests_of_the_user_without_their_ids() {
        let taken = requests(&[
            r#""received": {"QMP": {}}"#,
            r#""query": true, "sent": {"execute": "qmp_capabilities", "id": 1}"#,
            r#""sent": {"execute": "qmp_capabilities", "id": 1}"#,
            r#""query": true, "sent": {"execute": "query-qmp-schema", "id": 2}"#,
            r#""sent": {"exec-oob": "yank", "arguments": {"a": 18446744073709551615, "b": [ ]}, "id": 3}"#,
        ]);
        let text = r#"{"exec-oob": "yank", "arguments": {"a": 18446744073709551615, "b": [ ]}}"#;
        assert_eq!(
            taken,
            Ok(vec![LoggedRequest { line: 5, command: "yank".to_owned(), server: None, text: text.to_owned() }])
        );
        assert_eq!(requests(&[r#""sent": [1]"#]).unwrap_err(), "line 1 has no request: expected `execute`");
    }

    #[test]
    fn the_question_lists_what_would_be_sent() {
        let sent = |command: &str| format!(r#""sent": {{"execute": "{command}"}}"#);
        let one = requests(&[&sent("stop")]).unwrap();
        assert_eq!(question("a.log", &one), "a.log has 1 command: `stop`.\nSend it?");
        let secret = r#""sent": {"execute": "set_password", "arguments": {"password": "<secret>"}}"#;
        let mut lines = vec![sent("stop"), sent("cont"), sent("stop"), secret.to_owned(), sent("quit")];
        lines.extend((0..10).map(|number| sent(&format!("x{number}"))));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(
            question("a.log", &requests(&lines).unwrap()),
            "a.log has 15 commands: 2 `stop`, `cont`, `set_password`, `quit`, `x0`, `x1`, `x2`, `x3`, `x4`, `x5`, `x6`, \
             `x7`, 2 others.\nNot to be sent, because a secret in them was replaced: 1.\n`quit` is among them; it \
             terminates QEMU and the VM.\nSend them?"
        );
    }

    #[test]
    fn a_replaced_secret_is_found_at_any_depth() {
        let text = r#"{"execute": "x", "arguments": {"a": "b", "props": [{"url": "http://u:<secret>@h"}]}}"#;
        let (member, span) = masked_member(text).unwrap();
        assert_eq!((member.as_str(), &text[span.range()]), ("url", r#""http://u:<secret>@h""#));
        assert_eq!(masked_member(r#"{"execute": "x", "arguments": {"a": 1}}"#), None);
    }
}
