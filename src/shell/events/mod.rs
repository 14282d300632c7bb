//! Received events: the filter of shown ones, the latest ones, and advice.

pub(crate) mod advice;
pub(crate) mod filter;
pub(crate) mod log;
pub(crate) mod members;
