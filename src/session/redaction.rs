//! Redaction of secrets in messages from the server: it may echo a secret that was sent to it, which must not reach a
//! log.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::wire::Request;

/// The maximum number of secrets of one connection that are searched for.
const MAX_SECRETS: usize = 200;

/// The secrets sent over a connection. `Debug` does not show them.
#[derive(Default)]
pub(super) struct SentSecrets(Mutex<Vec<String>>);

impl fmt::Debug for SentSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentSecrets").finish_non_exhaustive()
    }
}

impl SentSecrets {
    fn texts(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the secrets of a request.
    pub(super) fn remember(&self, request: &Request) {
        let mut texts = self.texts();
        for secret in request.secret_texts() {
            if !texts.iter().any(|known| known == secret) {
                texts.push(secret.to_owned());
            }
        }
        // If a server echoes a secret, it is a recent one.
        let surplus = texts.len().saturating_sub(MAX_SECRETS);
        texts.drain(..surplus);
    }

    /// Returns `text` with each secret replaced.
    pub(super) fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        self.texts().iter().fold(text, |text, secret| match text.contains(secret.as_str()) {
            true => Cow::Owned(text.replace(secret.as_str(), "<secret>")),
            false => text,
        })
    }
}
