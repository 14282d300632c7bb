//! Events received: which are shown, and the latest of them.

pub(crate) mod filter;
pub(crate) mod log;
