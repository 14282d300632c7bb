//! The secrets that were sent over a connection: a server may say one back, and no log is to have it.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::wire::Request;

/// How many of them are looked for.
const REMEMBERED: usize = 200;

/// The secrets that were sent. For debugging, none of them is shown.
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

    /// Remembers those of a request.
    pub(super) fn remember(&self, request: &Request) {
        let mut texts = self.texts();
        for secret in request.secret_texts() {
            if !texts.iter().any(|known| known == secret) {
                texts.push(secret.to_owned());
            }
        }
        // Of very many, the last are as many as a server is likely to have kept.
        let surplus = texts.len().saturating_sub(REMEMBERED);
        texts.drain(..surplus);
    }

    /// `text` with each of them replaced.
    pub(super) fn hide_in<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        self.texts().iter().fold(text, |text, secret| match text.contains(secret.as_str()) {
            true => Cow::Owned(text.replace(secret.as_str(), "<secret>")),
            false => text,
        })
    }
}
