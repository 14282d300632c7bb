//! HMP mode: lines go to the human monitor as typed, through `human-monitor-command`.

use crate::grammar::{Line, parse_line};
use crate::schema::nearest;
use crate::wire::{Incoming, Reply, ReplyBody, Request, quote};

use super::{Engine, LineOutcome};
use crate::shell::commands;
use crate::shell::output::{InputLine, Output, ReplyContext};
use crate::shell::server_info::Named;

/// What to do with the monitor's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// As text.
    Text,
    /// As the reply that carried it.
    Reply,
}

impl Engine {
    /// A line in HMP mode.
    pub(crate) fn run_hmp_line(&mut self, source: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
        let line = source.text.trim();
        if line.is_empty() || line.starts_with('#') {
            return LineOutcome::Done;
        }
        if line.starts_with(['.', '!']) {
            return match parse_line(source.text) {
                Ok(Line::Dot(line)) => commands::run(self, &line, source, out),
                Ok(Line::ShellEscape(command)) => commands::run_system(self, &command, source, out),
                Ok(_) => LineOutcome::Done,
                Err(fault) => {
                    out.not_sent(&fault, source, false);
                    LineOutcome::Failed
                }
            };
        }
        self.monitor_command(source.text, Show::Text, source, out)
    }

    /// Sends one line to the human monitor and shows what it says.
    pub(crate) fn monitor_command(
        &mut self,
        line: &str,
        show: Show,
        source: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if first == "cpu" {
            return match (words.next(), words.next()) {
                (Some(index), None) => self.choose_cpu(index, line, show, source, out),
                (None, _) => {
                    self.show_cpu(show, source, out);
                    LineOutcome::Done
                }
                _ => self.send_monitor_line(line, self.cpu, show, source, out).0,
            };
        }
        let ends_qemu = is_quit_line(line);
        if ends_qemu && !self.may_quit(out) {
            return LineOutcome::Done;
        }
        let verdict = self.send_monitor_line(line, self.cpu, show, source, out).0;
        match verdict {
            LineOutcome::Done if ends_qemu => self.after_quit(out),
            verdict => verdict,
        }
    }

    /// The index that later lines look at. The monitor has no word for it, so the answer is the shell's.
    fn show_cpu(&self, show: Show, source: &InputLine<'_>, out: &mut dyn Output) {
        let text = format!("CPU {}\n", self.cpu.unwrap_or(0));
        let reply = format!("{{\"return\": {}}}", quote(&text));
        match Incoming::parse(reply.into_bytes()) {
            Ok(Incoming::Reply(reply)) if show == Show::Reply => out.answer(
                &ReplyContext { reply: &reply, request: &monitor_request("cpu", self.cpu), late: false, hint: None },
                source,
            ),
            _ => out.monitor_text(&text, false, source),
        }
    }

    /// `cpu N` does not last from one call to the next in the server, so the shell keeps N and sends it with each line.
    fn choose_cpu(
        &mut self,
        word: &str,
        line: &str,
        show: Show,
        source: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        let index = cpu_index(word);
        // Sent with the index itself, for QEMU's own word on whether there is such a CPU.
        let (verdict, failed) = self.send_monitor_line(line, index.or(self.cpu), show, source, out);
        match index {
            Some(_) if !failed => self.cpu = index,
            // QEMU worked out what we cannot.
            None if !failed => out.notice(&format!(
                "The index stays {}: to the shell, `cpu` needs a plain number.",
                self.cpu.unwrap_or(0)
            )),
            _ => {}
        }
        verdict
    }

    /// Returns the verdict, and whether the monitor's text says that it failed.
    fn send_monitor_line(
        &mut self,
        line: &str,
        cpu: Option<u64>,
        show: Show,
        source: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> (LineOutcome, bool) {
        let request = monitor_request(line, cpu);
        let reply = match self.exchange(&request, None, source, out) {
            Ok(Some(reply)) => reply,
            Ok(None) => return (LineOutcome::Done, false),
            Err(verdict) => return (verdict, true),
        };
        let text = monitor_text(&reply);
        let failed = text.as_deref().is_none_or(is_failure);
        match &text {
            Some(text) if show == Show::Text => {
                out.monitor_text(text, failed, source);
                if let Some(near) = self.nearest_monitor(text).filter(|_| self.mode.interactive) {
                    out.notice(&format!("did you mean `{near}`?"));
                }
            }
            _ => out.answer(&ReplyContext { reply: &reply, request: &request, late: false, hint: None }, source),
        }
        (if failed { LineOutcome::Failed } else { LineOutcome::Done }, failed)
    }
}

impl Engine {
    /// The monitor's command that is nearest to the one that its text says it does not know.
    fn nearest_monitor(&self, text: &str) -> Option<String> {
        let name = text.strip_prefix("unknown command: '")?.split('\'').next()?;
        let of = |typed: &str, known: &[Named]| {
            nearest(typed, known.iter().map(|(name, _)| name.as_str())).map(str::to_owned)
        };
        match name.strip_prefix("info ") {
            Some(about) => Some(format!("info {}", of(about, self.server_info.info())?)),
            None => of(name, self.server_info.monitor()),
        }
    }
}

/// The request that carries a line to the human monitor.
pub(crate) fn monitor_request(line: &str, cpu: Option<u64>) -> Request {
    let mut arguments = format!("{{\"command-line\":{}", quote(line));
    if let Some(cpu) = cpu {
        arguments.push_str(&format!(",\"cpu-index\":{cpu}"));
    }
    arguments.push('}');
    let mut request = Request::new("human-monitor-command").with_arguments(arguments);
    request.mark_secrets();
    request
}

/// The text of a successful reply.
pub(crate) fn monitor_text(reply: &Reply) -> Option<String> {
    match reply.body() {
        ReplyBody::Return(raw) => {
            let text: String = serde_json::from_str(raw).ok()?;
            Some(text.replace("\r\n", "\n"))
        }
        ReplyBody::Error { .. } => None,
    }
}

/// Whether the monitor's text, which always comes as a success, tells of a failure.
pub(crate) fn is_failure(text: &str) -> bool {
    const SIGNS: &[&str] = &["unknown command:", "Error:", "invalid CPU index", "Try \"help "];
    text.lines().any(|line| SIGNS.iter().any(|sign| line.starts_with(sign)))
}

/// A CPU's index as the monitor reads numbers: decimal, hexadecimal or octal. Its sums are left to it.
fn cpu_index(word: &str) -> Option<u64> {
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

/// Whether a line ends QEMU.
fn is_quit_line(line: &str) -> bool {
    matches!(line.split_whitespace().next(), Some("quit" | "q"))
}

/// Whether a request carries such a line.
pub(crate) fn is_quit_request(request: &Request) -> bool {
    #[derive(serde::Deserialize)]
    struct Arguments {
        #[serde(rename = "command-line")]
        line: String,
    }
    request.command == "human-monitor-command"
        && request
            .arguments
            .as_deref()
            .and_then(|text| serde_json::from_str::<Arguments>(text).ok())
            .is_some_and(|arguments| is_quit_line(&arguments.line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_known_by_their_text() {
        for text in ["unknown command: 'x'\n", "Error: no\n", "trailing\nTry \"help cpu\" for more information\n"] {
            assert!(is_failure(text), "{text}");
        }
        assert!(!is_failure("VM status: paused\nprinted Error: in a line\n"));
    }

    #[test]
    fn indices_are_read_as_the_monitor_reads_them() {
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
            assert_eq!(cpu_index(word), index, "{word}");
        }
    }

    #[test]
    fn a_line_is_carried_as_typed() {
        let request = monitor_request("x /4xb \"0\"", Some(1));
        assert_eq!(request.arguments.as_deref(), Some(r#"{"command-line":"x /4xb \"0\"","cpu-index":1}"#));
        assert!(is_quit_request(&monitor_request(" q", None)));
        assert!(!monitor_request("set_password vnc hunter2", Some(0)).to_masked_json(None).contains("hunter2"));
    }
}
