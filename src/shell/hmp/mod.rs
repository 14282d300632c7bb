//! HMP lines inside `human-monitor-command`, their success, and QEMU's `quit` in both languages.

mod verdict;

use std::borrow::Cow;

use crate::grammar::is_blank;
use crate::wire::{HMP_COMMAND, Reply, ReplyBody, Request, quote};

/// Returns the request that executes an HMP line. `cpu` is the CPU that the line refers to.
pub(crate) fn hmp_request(line: &str, cpu: Option<u64>) -> Request {
    let mut arguments = format!("{{\"command-line\":{}", quote(line));
    if let Some(cpu) = cpu {
        arguments.push_str(&format!(",\"cpu-index\":{cpu}"));
    }
    arguments.push('}');
    let mut request = Request::new(HMP_COMMAND).with_arguments(arguments);
    request.mark_secrets();
    request
}

/// Returns an HMP line with blanks that the human monitor takes for blanks: outside quotes, those of Unicode become spaces,
/// and invisible characters are dropped, as in a line of QMP mode.
pub(crate) fn with_plain_blanks(line: &str) -> Cow<'_, str> {
    let is_foreign = |c: char| !c.is_ascii() && is_blank(c);
    if !line.contains(is_foreign) {
        return Cow::Borrowed(line);
    }
    let mut plain = String::with_capacity(line.len());
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in line.chars() {
        let was_escaped = std::mem::take(&mut is_escaped);
        match c {
            '\\' if is_quoted && !was_escaped => is_escaped = true,
            '"' if !was_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        match c {
            c if is_quoted || !is_foreign(c) => plain.push(c),
            c if c.is_whitespace() => plain.push(' '),
            _ => {}
        }
    }
    Cow::Owned(plain)
}

/// Returns the human monitor's text in a successful reply, with plain line ends.
pub(crate) fn hmp_text(reply: &Reply) -> Option<String> {
    match reply.body() {
        ReplyBody::Return(raw) => {
            let text: String = serde_json::from_str(raw).ok()?;
            Some(text.replace("\r\n", "\n"))
        }
        ReplyBody::Error { .. } => None,
    }
}

/// Returns the HMP line that a request executes, if it is one for the human monitor.
fn hmp_line(request: &Request) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Arguments {
        #[serde(rename = "command-line")]
        line: String,
    }
    let arguments = request.arguments.as_deref().filter(|_| request.command == HMP_COMMAND)?;
    serde_json::from_str::<Arguments>(arguments).ok().map(|arguments| arguments.line)
}

/// Returns whether a request succeeded, according to its reply and, in a reply of the human monitor, to the text.
pub(crate) fn has_succeeded(request: &Request, reply: &Reply) -> bool {
    match hmp_line(request) {
        Some(line) => hmp_text(reply).is_some_and(|text| !verdict::reports_failure(&line, &text)),
        None => reply.succeeded(),
    }
}

/// Parses a CPU index as the human monitor does: decimal, hexadecimal or octal. `None` for an expression (`1+2`), which
/// only the monitor can evaluate.
pub(crate) fn parse_cpu_index(word: &str) -> Option<u64> {
    let digits = |text: &str, radix| {
        let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        all.then(|| u64::from_str_radix(text, radix).ok()).flatten()
    };
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(text) => digits(text, 16),
        None if word.len() > 1 && word.starts_with('0') => digits(word, 8),
        None => digits(word, 10),
    }
}

/// Returns the request that ends QEMU.
pub(crate) fn quit_request() -> Request {
    Request::new("quit")
}

/// Returns whether an HMP line ends QEMU.
pub(crate) fn is_quit_line(line: &str) -> bool {
    matches!(line.split_whitespace().next(), Some("quit" | "q"))
}

/// Returns whether a request ends QEMU, in either language.
pub(crate) fn is_quit(request: &Request) -> bool {
    request.command == quit_request().command || hmp_line(request).is_some_and(|line| is_quit_line(&line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;

    #[test]
    fn blanks_outside_quotes_become_spaces() {
        for (line, plain) in [
            ("info\u{a0}status\u{200b}", "info status"),
            ("x \"a\u{a0}\\\"\u{a0}b\"\u{a0}\tc", "x \"a\u{a0}\\\"\u{a0}b\" \tc"),
            ("sendkey \u{645}\u{200c}", "sendkey \u{645}\u{200c}"),
        ] {
            assert_eq!(with_plain_blanks(line), plain);
        }
    }

    #[test]
    fn parses_cpu_indices_as_the_human_monitor_does() {
        for (word, index) in [
            ("1", Some(1)),
            ("0x1f", Some(31)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("1+1", None),
            ("+1", None),
            ("0x", None),
            ("x", None),
        ] {
            assert_eq!(parse_cpu_index(word), index, "{word}");
        }
    }

    #[test]
    fn sends_a_line_as_typed() {
        let request = hmp_request("x /4xb \"0\"", Some(1));
        let arguments: serde_json::Value = serde_json::from_str(request.arguments.as_deref().unwrap()).unwrap();
        assert_eq!(arguments, serde_json::json!({"command-line": "x /4xb \"0\"", "cpu-index": 1}));
        assert!(!hmp_request("set_password vnc hunter2", Some(0)).to_masked_json(None).contains("hunter2"));
    }

    #[test]
    fn the_text_decides_only_about_lines_of_the_human_monitor() {
        let succeeded = |request: &Request, reply: &str| match Message::parse(reply.as_bytes().to_vec()) {
            Ok(Message::Reply(reply)) => has_succeeded(request, &reply),
            other => panic!("{other:?}"),
        };
        let stop = hmp_request("stop", None);
        assert!(succeeded(&stop, r#"{"return": ""}"#));
        for reply in [r#"{"return": "no\r\n"}"#, r#"{"return": {}}"#, r#"{"error": {"class": "E", "desc": ""}}"#] {
            assert!(!succeeded(&stop, reply), "{reply}");
        }
        assert!(succeeded(&Request::new("qom-get"), r#"{"return": "Error: no"}"#));
        assert!(!succeeded(&Request::new("stop"), r#"{"error": {"class": "E", "desc": ""}}"#));
    }

    #[test]
    fn recognises_quit_in_both_languages() {
        for request in [quit_request(), hmp_request(" q", None), hmp_request("quit", Some(1))] {
            assert!(is_quit(&request), "{request:?}");
        }
        for request in [Request::new("stop"), hmp_request("info quit", None), Request::new(HMP_COMMAND)] {
            assert!(!is_quit(&request), "{request:?}");
        }
    }
}
