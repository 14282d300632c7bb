//! Shares: one connection to a QMP server, served to any number of clients, each as if it were alone.
//!
//! `core` is a state machine without sockets; `server` is the loop that moves bytes between it and the sockets. Requests
//! of clients are read by `lexer`, `string_token` and `request`, by the rules of QEMU's parser; `client` holds what each
//! client awaits, `read_only` what it may execute, and `turns` whose request is sent next.

mod client;
mod connections;
mod core;
mod events;
mod lexer;
mod output;
mod read_only;
mod records;
mod reply;
mod request;
mod server;
mod simulation;
mod string_token;
mod turns;

pub use client::Access;
pub use read_only::is_known_to_read_only_clients;
pub use server::{Change, Notice, ShareEnd, Sharer, Stop};
pub use simulation::Simulation;
