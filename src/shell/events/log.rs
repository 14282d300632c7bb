//! The latest events, for `.wait` and `.events`.

use std::collections::{BTreeSet, VecDeque};

use crate::client::{JobLog, job_of_event};
use crate::wire::Event;

use super::filter::matches_glob;
use super::members::{is_typed_as, member_at};

/// The maximum number of events that are kept.
const MAX_EVENTS: usize = 4096;

/// The maximum size of the events that are kept; large ones displace older ones.
const MAX_BYTES: usize = 4 << 20;

/// The latest events, the newest last.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    /// The events, each with whether a `.wait` has consumed it.
    events: VecDeque<(Event, bool)>,
    bytes: usize,
    /// The number of events that have arrived since the last command was sent.
    since_command: usize,
    /// The names of all events received.
    names: BTreeSet<String>,
    jobs: JobLog,
    /// The number of all events received.
    pub(crate) total: u64,
}

/// The maximum length of a name that completion offers.
const MAX_NAME_BYTES: usize = 200;

/// The event that `.wait` waits for.
#[derive(Debug, Clone)]
pub(crate) struct EventPattern {
    /// A glob for the name.
    pub(crate) name: String,
    /// Paths into the data, and the expected values as text.
    pub(crate) data: Vec<(Vec<String>, String)>,
}

impl EventPattern {
    fn matches(&self, event: &Event) -> bool {
        if !matches_glob(&self.name, event.name()) {
            return false;
        }
        if self.data.is_empty() {
            return true;
        }
        let data: serde_json::Value = serde_json::from_str(event.data().unwrap_or("null")).unwrap_or_default();
        let is_met =
            |(path, text): &(Vec<String>, String)| member_at(&data, path).is_some_and(|value| is_typed_as(value, text));
        self.data.iter().all(is_met)
    }
}

impl EventLog {
    pub(crate) fn push(&mut self, event: Event) {
        self.total += 1;
        let name = event.name();
        if name.len() <= MAX_NAME_BYTES && self.names.len() < MAX_EVENTS && !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
        self.jobs.push(&event);
        self.since_command += 1;
        self.bytes += event.text().len();
        self.events.push_back((event, false));
        // The newest event is kept, however large: a `.wait` may be waiting for it.
        while self.events.len() > MAX_EVENTS || self.bytes > MAX_BYTES && self.events.len() > 1 {
            let Some((oldest, _)) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.text().len();
        }
        self.since_command = self.since_command.min(self.events.len());
    }

    /// Notes that a command is being sent: earlier events no longer count for `.wait`.
    pub(crate) fn command_sent(&mut self) {
        self.since_command = 0;
    }

    /// Counts all events for `.wait` that have arrived since the number of all events was `total`.
    pub(crate) fn count_from(&mut self, total: u64) {
        let count = usize::try_from(self.total - total).unwrap_or(usize::MAX);
        self.since_command = count.min(self.events.len());
    }

    /// Consumes the first matching event since the last command, if there is one. An event counts for one `.wait` only;
    /// other events stay, so that two waits may be in either order. Skips the first `compared` of all events
    /// received, so that a wait compares each event only once.
    pub(crate) fn take(&mut self, pattern: &EventPattern, compared: u64) -> Option<Event> {
        let dropped = self.total - self.events.len() as u64;
        let compared = usize::try_from(compared.saturating_sub(dropped)).unwrap_or(usize::MAX);
        let from = compared.max(self.events.len() - self.since_command);
        let found = self.events.iter_mut().skip(from).find(|(event, taken)| !*taken && pattern.matches(event));
        let (event, taken) = found?;
        *taken = true;
        Some(event.clone())
    }

    /// Returns the last `count` events, oldest first.
    pub(crate) fn last(&self, count: usize) -> impl Iterator<Item = &Event> {
        self.events.iter().skip(self.events.len().saturating_sub(count)).map(|(event, _)| event)
    }

    /// Returns the course of the latest jobs.
    pub(crate) fn jobs(&self) -> &JobLog {
        &self.jobs
    }

    /// Returns the ids of the jobs that have had events since the last command was sent, each once.
    pub(crate) fn jobs_since_command(&self) -> BTreeSet<String> {
        self.last(self.since_command).filter_map(job_of_event).collect()
    }

    /// Returns the names of all events received, each once.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;

    fn event(name: &str, data: &str) -> Event {
        match Message::parse(format!("{{\"event\": \"{name}\", \"data\": {data}}}").into_bytes()) {
            Ok(Message::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    fn pattern(name: &str, data: &[(&str, &str)]) -> EventPattern {
        let data = data.iter().map(|(path, text)| (path.split('.').map(str::to_owned).collect(), (*text).to_owned()));
        EventPattern { name: name.to_owned(), data: data.collect() }
    }

    #[test]
    fn an_event_since_the_last_command_counts_once_in_any_order() {
        let mut recent = EventLog::default();
        recent.push(event("OLD", "{}"));
        recent.command_sent();
        recent.push(event("JOB", "{\"id\": \"j\", \"n\": {\"x\": [5, true]}}"));
        recent.push(event("STOP", "{}"));
        assert!(recent.take(&pattern("STOP", &[]), 0).is_some());
        assert!(recent.take(&pattern("J*", &[("id", "j"), ("n.x.0", "5"), ("n.x.1", "true")]), 0).is_some());
        assert!(recent.take(&pattern("JOB", &[]), 0).is_none(), "already consumed");
        assert!(recent.take(&pattern("OLD", &[]), 0).is_none(), "before the last command");
        assert!(recent.take(&pattern("STOP", &[("id", "j")]), 0).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let mut recent = EventLog::default();
        for _ in 0..3 * MAX_EVENTS {
            recent.push(event("TICK", "{}"));
        }
        assert_eq!((recent.events.len(), recent.total), (MAX_EVENTS, 3 * MAX_EVENTS as u64));
        assert_eq!(recent.last(2).count(), 2);
        for n in 0..20 {
            recent.push(event(&format!("LONG{n}{}", "x".repeat(MAX_NAME_BYTES)), "{}"));
        }
        assert_eq!(recent.names(), ["TICK"]);
    }

    #[test]
    fn keeps_one_event_larger_than_the_bound() {
        let mut recent = EventLog::default();
        recent.push(event("SMALL", "{}"));
        recent.push(event("LARGE", &format!("\"{}\"", "x".repeat(MAX_BYTES))));
        assert!(recent.take(&pattern("LARGE", &[]), 0).is_some());
        recent.push(event("NEXT", "{}"));
        assert_eq!((recent.events.len(), recent.bytes), (1, recent.events[0].0.text().len()));
    }
}
