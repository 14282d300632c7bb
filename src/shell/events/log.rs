//! The latest events, for `.wait` and `.events N`.

use std::collections::{BTreeSet, VecDeque};

use crate::wire::Event;

use super::filter::matches;

/// How many events are kept.
const KEPT: usize = 4096;

/// Past this many bytes, large events push older ones out.
const KEPT_BYTES: usize = 4 << 20;

/// The latest events, the newest last.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    events: VecDeque<(Event, bool)>,
    bytes: usize,
    /// How many of the events at the end came since the last command was sent.
    since: usize,
    /// The names of all that came.
    names: BTreeSet<String>,
    /// How many events came in all.
    pub(crate) total: u64,
}

/// A longer name of an event is none that anybody types, and not offered.
const LONGEST_NAME: usize = 200;

/// What `.wait` waits for.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    /// A glob for the name.
    pub(crate) name: String,
    /// Dotted paths into the data, and the text that must stand there.
    pub(crate) data: Vec<(Vec<String>, String)>,
}

impl Awaited {
    fn fits(&self, event: &Event) -> bool {
        if !matches(&self.name, event.name()) {
            return false;
        }
        if self.data.is_empty() {
            return true;
        }
        let data: serde_json::Value = serde_json::from_str(event.data().unwrap_or("null")).unwrap_or_default();
        self.data.iter().all(|(path, expected)| {
            let mut value = Some(&data);
            for part in path {
                value = value.and_then(|value| match part.parse::<usize>() {
                    Ok(index) if value.is_array() => value.get(index),
                    _ => value.get(part),
                });
            }
            match value {
                Some(serde_json::Value::String(text)) => text == expected,
                // As JSON text: a `Value` itself equals a string only where it is one.
                Some(other) => format!("{other}") == *expected,
                None => false,
            }
        })
    }
}

impl EventLog {
    /// An event came.
    pub(crate) fn push(&mut self, event: Event) {
        self.total += 1;
        let name = event.name();
        if name.len() <= LONGEST_NAME && self.names.len() < KEPT && !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
        self.since += 1;
        self.bytes += event.text().len();
        self.events.push_back((event, false));
        // The newest stays, however large it is: it may be waited for.
        while self.events.len() > KEPT || self.bytes > KEPT_BYTES && self.events.len() > 1 {
            let Some((oldest, _)) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.text().len();
        }
        self.since = self.since.min(self.events.len());
    }

    /// A command is sent: what came before does not count for `.wait` any more.
    pub(crate) fn command_sent(&mut self) {
        self.since = 0;
    }

    /// Takes the first fitting event since the last command, if it came. The same event serves one `.wait` only; the
    /// others stay, so that two waits may be written in either order. Passes over the first `looked_at` of all events
    /// that came: a wait looks at each event once.
    pub(crate) fn take(&mut self, awaited: &Awaited, looked_at: u64) -> bool {
        let dropped = self.total - self.events.len() as u64;
        let looked_at = usize::try_from(looked_at.saturating_sub(dropped)).unwrap_or(usize::MAX);
        let from = looked_at.max(self.events.len() - self.since);
        let found = self.events.iter_mut().skip(from).find(|(event, taken)| !*taken && awaited.fits(event));
        found.map(|(_, taken)| *taken = true).is_some()
    }

    /// The last `count` events, oldest first.
    pub(crate) fn last(&self, count: usize) -> impl Iterator<Item = &Event> {
        self.events.iter().skip(self.events.len().saturating_sub(count)).map(|(event, _)| event)
    }

    /// The names of all events that came, each once.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Incoming;

    fn event(name: &str, data: &str) -> Event {
        match Incoming::parse(format!("{{\"event\": \"{name}\", \"data\": {data}}}").into_bytes()) {
            Ok(Incoming::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    fn awaited(name: &str, data: &[(&str, &str)]) -> Awaited {
        let data = data.iter().map(|(path, text)| (path.split('.').map(str::to_owned).collect(), (*text).to_owned()));
        Awaited { name: name.to_owned(), data: data.collect() }
    }

    #[test]
    fn an_event_before_the_wait_counts_once_and_order_does_not_matter() {
        let mut recent = EventLog::default();
        recent.push(event("OLD", "{}"));
        recent.command_sent();
        recent.push(event("JOB", "{\"id\": \"j\", \"n\": {\"x\": [5, true]}}"));
        recent.push(event("STOP", "{}"));
        assert!(recent.take(&awaited("STOP", &[]), 0));
        assert!(recent.take(&awaited("J*", &[("id", "j"), ("n.x.0", "5"), ("n.x.1", "true")]), 0));
        assert!(!recent.take(&awaited("JOB", &[]), 0), "it has served already");
        assert!(!recent.take(&awaited("OLD", &[]), 0), "it came before the command");
        assert!(!recent.take(&awaited("STOP", &[("id", "j")]), 0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut recent = EventLog::default();
        for _ in 0..3 * KEPT {
            recent.push(event("TICK", "{}"));
        }
        assert_eq!((recent.events.len(), recent.total), (KEPT, 3 * KEPT as u64));
        assert_eq!(recent.last(2).count(), 2);
        for n in 0..20 {
            recent.push(event(&format!("LONG{n}{}", "x".repeat(LONGEST_NAME)), "{}"));
        }
        assert_eq!(recent.names(), ["TICK"]);
    }

    #[test]
    fn an_event_larger_than_all_that_is_kept_is_seen() {
        let mut recent = EventLog::default();
        recent.push(event("SMALL", "{}"));
        recent.push(event("LARGE", &format!("\"{}\"", "x".repeat(KEPT_BYTES))));
        assert!(recent.take(&awaited("LARGE", &[]), 0));
        recent.push(event("NEXT", "{}"));
        assert_eq!((recent.events.len(), recent.bytes), (1, recent.events[0].0.text().len()));
    }
}
