//! The demo machine: a small QMP server inside the program, to try the shell and the client without QEMU.
//!
//! Owns a simulated machine (run state, block nodes, jobs, devices, objects) and its server. Must not know about its
//! clients: they are at the other end of a socket pair.
//!
//! ```text
//! server (socket, thread) -> monitor (negotiation, framing) -> commands (one table) -> machine (state, time, events)
//!                                                                  |
//!                                               check, introspect -+- read the same table
//! ```
//!
//! Only `server` knows about the socket and the clock. Everything else is plain state, which gets input and the time as
//! arguments.

mod args;
mod bitmaps;
mod block_graph;
mod check;
mod commands;
mod error;
mod event;
mod introspect;
mod job;
mod jobs;
mod machine;
mod machine_config;
mod monitor;
mod properties;
mod qapi;
mod qom_tree;
mod qom_types;
mod reply;
mod request;
mod server;

pub use server::start;
