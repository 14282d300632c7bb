//! Received events: the filter of shown ones, and the latest ones.

pub(crate) mod filter;
pub(crate) mod log;
