//! Received events: the filter of shown ones, the latest ones, the course of jobs, and advice.

pub(crate) mod advice;
pub(crate) mod filter;
pub(crate) mod job_trace;
pub(crate) mod log;
