//! Events on their way to the clients: one copy for all, without secrets for read-only clients.

use std::borrow::Cow;

use bytes::Bytes;

use crate::session::SentSecrets;
use crate::wire::may_contain_secret;

use super::client::Access;

/// The events that arrived since the last delivery.
#[derive(Debug, Default)]
pub(super) struct EventBatch {
    lines: String,
    /// The same without secrets, if that differs.
    masked: Option<String>,
    /// Masks what any message may contain. It knows no secrets of requests.
    masking: SentSecrets,
}

/// Events for clients of each kind.
#[derive(Debug)]
pub(super) struct Events {
    full: Bytes,
    masked: Bytes,
}

impl EventBatch {
    pub(super) fn push(&mut self, text: &str) {
        if may_contain_secret(text) {
            let masked = self.masking.redact(Cow::Borrowed(text));
            self.masked.get_or_insert_with(|| self.lines.clone()).push_str(&masked);
        } else if let Some(masked) = &mut self.masked {
            masked.push_str(text);
        }
        self.lines.push_str(text);
        for lines in [Some(&mut self.lines), self.masked.as_mut()].into_iter().flatten() {
            lines.push_str("\r\n");
        }
    }

    /// Returns the events, if there are any, and begins again.
    pub(super) fn take(&mut self) -> Option<Events> {
        if self.lines.is_empty() {
            return None;
        }
        let full = Bytes::from(std::mem::take(&mut self.lines));
        let masked = self.masked.take().map_or_else(|| full.clone(), Bytes::from);
        Some(Events { full, masked })
    }

    /// Returns a reply for a read-only client.
    pub(super) fn masked(&self, reply: String) -> String {
        match may_contain_secret(&reply) {
            true => self.masking.redact(Cow::Owned(reply)).into_owned(),
            false => reply,
        }
    }
}

impl Events {
    pub(super) fn of(&self, access: Access) -> Bytes {
        match access {
            Access::Full => self.full.clone(),
            Access::ReadOnly => self.masked.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_clients_get_events_without_secrets() {
        let mut batch = EventBatch::default();
        assert!(batch.take().is_none());
        batch.push("{\"event\": \"A\"}");
        batch.push("{\"event\": \"B\", \"data\": {\"uri\": \"nbd://u:hunter2@h/x\"}}");
        batch.push("{\"event\": \"C\"}");
        let events = batch.take().unwrap();
        let full = String::from_utf8(events.of(Access::Full).to_vec()).unwrap();
        let masked = String::from_utf8(events.of(Access::ReadOnly).to_vec()).unwrap();
        assert_eq!(full.lines().count(), 3);
        assert_eq!(masked, full.replace("\"nbd://u:hunter2@h/x\"", "\"<secret>\""));
        assert!(batch.take().is_none());
    }
}
