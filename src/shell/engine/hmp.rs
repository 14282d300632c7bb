//! HMP lines, which are sent as typed through `human-monitor-command`, or executed by the shell's own monitor.

use crate::assist::Name;
use crate::schema::nearest;
use crate::wire::{Reply, quote};

use super::super::hmp::{has_succeeded, hmp_request, hmp_text, is_quit_line, parse_cpu_index, with_plain_blanks};
use super::super::line::{InputLine, LineOutcome};
use super::super::output::tail::LastReply;
use super::super::output::{Output, ReplyContext};
use super::Engine;
use super::exchange::Exchanged;

/// The form in which the human monitor's text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HmpOutput {
    Text,
    /// As the reply to `human-monitor-command`.
    Reply,
}

impl Engine {
    /// Executes an HMP line and shows the human monitor's text.
    pub(crate) fn run_hmp(
        &mut self,
        hmp_line: &str,
        form: HmpOutput,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        let hmp_line = &with_plain_blanks(hmp_line);
        // Before a monitor is chosen, and because a new session has no current CPU.
        if let Err(outcome) = self.ensure_open(line, out) {
            return outcome;
        }
        let mut words = hmp_line.split_whitespace();
        if words.next() == Some("cpu") {
            return match (words.next(), words.next()) {
                (Some(index), None) if !self.uses_own_monitor() => self.select_cpu(index, hmp_line, form, line, out),
                (None, _) => {
                    self.show_cpu(form, line, out);
                    LineOutcome::Done
                }
                _ => self.execute_hmp(hmp_line, form, line, out),
            };
        }
        let ends_qemu = is_quit_line(hmp_line);
        if ends_qemu && !self.confirm_quit(out) {
            return LineOutcome::Done;
        }
        match self.execute_hmp(hmp_line, form, line, out) {
            LineOutcome::Done if ends_qemu => self.after_quit(out),
            outcome => outcome,
        }
    }

    /// Executes an HMP line in the server's monitor or in the shell's own.
    fn execute_hmp(
        &mut self,
        hmp_line: &str,
        form: HmpOutput,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        if !self.uses_own_monitor() {
            return self.send_hmp(hmp_line, None, form, line, out);
        }
        match self.run_own_monitor(hmp_line, line, out) {
            Ok((text, outcome)) => {
                self.show_own_text(&text, outcome, hmp_line, form, line, out);
                if outcome == LineOutcome::Done {
                    self.last_reply = Some(LastReply::Text(text));
                }
                outcome
            }
            Err(outcome) => outcome,
        }
    }

    /// Shows a text of the shell's own monitor.
    fn show_own_text(
        &mut self,
        text: &str,
        outcome: LineOutcome,
        hmp_line: &str,
        form: HmpOutput,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) {
        if form == HmpOutput::Text {
            out.show_hmp_text(text, outcome == LineOutcome::Failed, line);
            return self.suggest_hmp_command(text, out);
        }
        let (reply, request) = (Reply::returning(&quote(text)), hmp_request(hmp_line, None));
        out.show_reply(&ReplyContext { reply: &reply, request: &request, late: false, hint: None }, line);
    }

    /// Shows the current CPU. HMP has no command for that, so the shell itself answers.
    fn show_cpu(&mut self, form: HmpOutput, line: &InputLine<'_>, out: &mut dyn Output) {
        let text = format!("CPU {}\n", self.connection.record.monitor.cpu_index());
        self.show_own_text(&text, LineOutcome::Done, "cpu", form, line, out);
    }

    /// Selects a CPU. QEMU forgets it after each `human-monitor-command`, so the shell sends it with every line.
    fn select_cpu(
        &mut self,
        word: &str,
        hmp_line: &str,
        form: HmpOutput,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        let index = parse_cpu_index(word);
        // The line is sent with the new index, so that QEMU checks it.
        let outcome = self.send_hmp(hmp_line, index, form, line, out);
        if outcome == LineOutcome::Done {
            if index.is_some() {
                self.connection.record.monitor.cpu = index;
            } else {
                let current = self.connection.record.monitor.cpu_index();
                out.show_notice(&format!("The CPU stays {current}: the shell needs a plain number after `cpu`."));
            }
        }
        outcome
    }

    /// Sends an HMP line for `cpu`, or else for the current one, and shows the human monitor's text.
    fn send_hmp(
        &mut self,
        hmp_line: &str,
        cpu: Option<u64>,
        form: HmpOutput,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        let request = hmp_request(hmp_line, cpu.or(self.connection.record.monitor.cpu));
        let reply = match self.exchange(&request, None, line, out) {
            Ok(Exchanged::Reply(reply)) => reply,
            Ok(Exchanged::Interrupted | Exchanged::DryRun) => return LineOutcome::Done,
            Err(outcome) => return outcome,
        };
        if self.note_missing_monitor(&reply) {
            if self.uses_own_monitor() {
                return self.execute_hmp(hmp_line, form, line, out);
            }
            out.report_failure("the server has no human monitor", line, Some("CommandNotFound"));
            return LineOutcome::Failed;
        }
        let has_succeeded = has_succeeded(&request, &reply);
        match hmp_text(&reply) {
            Some(text) if form == HmpOutput::Text => {
                out.show_hmp_text(&text, !has_succeeded, line);
                self.suggest_hmp_command(&text, out);
            }
            _ => out.show_reply(&ReplyContext { reply: &reply, request: &request, late: false, hint: None }, line),
        }
        if has_succeeded {
            self.last_reply = Some(LastReply::Reply { command: request.command, reply });
        }
        LineOutcome::of(has_succeeded)
    }

    /// Suggests a command at a prompt, if the text calls one unknown.
    fn suggest_hmp_command(&mut self, text: &str, out: &mut dyn Output) {
        if let Some(near) = self.nearest_hmp_command(text).filter(|_| self.options.interactive) {
            out.show_notice(&format!("did you mean `{near}`?"));
        }
    }

    /// Returns the HMP command that is nearest to the one which the human monitor's text calls unknown.
    fn nearest_hmp_command(&mut self, text: &str) -> Option<String> {
        let name = text.strip_prefix("unknown command: '")?.split('\'').next()?;
        let (commands, info_commands) = self.hmp_names();
        let nearest_of = |typed: &str, known: &[Name]| {
            nearest(typed, known.iter().map(|name| name.text.as_str())).map(str::to_owned)
        };
        match name.strip_prefix("info ") {
            Some(subcommand) => Some(format!("info {}", nearest_of(subcommand, &info_commands)?)),
            None => nearest_of(name, &commands),
        }
    }
}
