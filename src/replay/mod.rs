//! Recorded servers: a message log as a server that answers as the recorded one did.
//!
//! Owns the index of what a log has answers to, and the server that gives them. Must not know about its clients: they are
//! at the other end of a socket pair.
//!
//! ```text
//! session (the records of a log) -> recording (which request gets which reply and events) -> server (socket, thread)
//! ```

mod build;
mod recording;
mod request;
mod server;

pub(crate) use server::start;
