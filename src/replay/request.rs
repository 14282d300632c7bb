//! Requests as they stand in a log and as a client sends them.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The parts of a request by which its reply is found.
#[derive(Deserialize)]
pub(super) struct SentRequest<'a> {
    #[serde(rename = "execute", alias = "exec-oob")]
    pub(super) command: String,
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) id: Option<&'a RawValue>,
}
