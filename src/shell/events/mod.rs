//! Received events: the filter of shown ones, the latest ones, and the course of jobs.

pub(crate) mod filter;
pub(crate) mod job_trace;
pub(crate) mod log;
