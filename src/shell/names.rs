//! Names the server knows, asked for once in the background: for completion and "did you mean".

use std::collections::HashMap;

use serde_json::Value;

use crate::session::{Lost, Session};
use crate::wire::{Reply, ReplyBody, Request};

use super::hmp::{monitor_request, monitor_text};

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Commands,
    Monitor,
    Info,
}

/// A name and a few words about it.
pub type Named = (String, String);

/// The names.
#[derive(Debug, Default)]
pub struct Names {
    commands: Vec<String>,
    monitor: Vec<Named>,
    info: Vec<Named>,
    asked: HashMap<u64, Question>,
    asked_qmp: bool,
    asked_hmp: bool,
}

impl Names {
    /// QMP commands, sorted.
    pub fn commands(&self) -> &[String] {
        &self.commands
    }

    /// HMP commands, with their help.
    pub fn monitor(&self) -> &[Named] {
        &self.monitor
    }

    /// Subcommands of HMP's `info`, with their help.
    pub fn info(&self) -> &[Named] {
        &self.info
    }

    /// Asks for the names of QMP commands, unless that was done.
    pub(super) fn ask_commands(&mut self, session: &mut Session, guest_agent: bool) -> Result<(), Lost> {
        if !std::mem::replace(&mut self.asked_qmp, true) {
            let command = if guest_agent { "guest-info" } else { "query-commands" };
            let id = session.send(&Request::new(command))?;
            self.asked.insert(id, Question::Commands);
        }
        Ok(())
    }

    /// Asks for the names of HMP commands, unless that was done.
    pub(super) fn ask_monitor(&mut self, session: &mut Session) -> Result<(), Lost> {
        if !std::mem::replace(&mut self.asked_hmp, true) {
            for (line, question) in [("help", Question::Monitor), ("help info", Question::Info)] {
                let id = session.send(&monitor_request(line, None))?;
                self.asked.insert(id, question);
            }
        }
        Ok(())
    }

    /// Whether an answer is still to come.
    pub(super) fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Takes the reply to `id` if it answers a question of ours. A refusal leaves the names empty.
    pub(super) fn take_reply(&mut self, id: u64, reply: &Reply) -> bool {
        let Some(question) = self.asked.remove(&id) else {
            return false;
        };
        match question {
            Question::Commands => {
                if let ReplyBody::Return(raw) = reply.body() {
                    self.commands = command_names(raw);
                }
            }
            Question::Monitor => self.monitor = monitor_names(&monitor_text(reply).unwrap_or_default(), ""),
            Question::Info => self.info = monitor_names(&monitor_text(reply).unwrap_or_default(), "info "),
        }
        true
    }
}

/// Names out of `query-commands` (a list) or `guest-info` (a list among its members; disabled commands are left out).
fn command_names(raw: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(raw).unwrap_or_default();
    let list = value.as_array().or_else(|| value.get("supported_commands")?.as_array());
    let mut names: Vec<String> = list
        .into_iter()
        .flatten()
        .filter(|item| item.get("enabled") != Some(&Value::Bool(false)))
        .filter_map(|item| item.get("name")?.as_str().map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Names out of the monitor's own help: `name|alias args -- words`, behind `prefix`.
fn monitor_names(text: &str, prefix: &str) -> Vec<Named> {
    let mut names = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix(prefix) else {
            continue;
        };
        let Some((usage, words)) = rest.split_once(" -- ") else {
            continue;
        };
        let name = usage.split_whitespace().next().unwrap_or_default();
        names.extend(
            name.split('|')
                .filter(|name| !name.is_empty())
                .map(|name| (name.to_owned(), words.to_owned())),
        );
    }
    names.sort();
    names.dedup_by(|a, b| a.0 == b.0);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_all_three_sources() {
        assert_eq!(
            command_names(r#"[{"name": "stop"}, {"name": "cont"}]"#),
            ["cont", "stop"]
        );
        assert_eq!(
            command_names(
                r#"{"version": "1", "supported_commands": [{"name": "guest-ping", "enabled": true}, {"name": "x", "enabled": false}]}"#
            ),
            ["guest-ping"]
        );
        let text = "cont|c  -- go on\ninfo [subcommand] -- show\n\t continued\nx /fmt addr -- dump\n";
        let names: Vec<String> = monitor_names(text, "").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["c", "cont", "info", "x"]);
        assert_eq!(monitor_names("info block [-n] -- show blocks\n", "info ")[0].0, "block");
    }
}
