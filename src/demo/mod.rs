//! The demo machine: a small real QMP server inside the program, for a shell that has no QEMU to talk to.
//!
//! Owns a make-believe machine (run state, block nodes, jobs, devices, objects) and the server in front of it. Knows
//! nothing of the shell: all it has is one end of a socket pair, and what comes over it is treated like any client.
//!
//! ```text
//! server (socket, thread) -> monitor (negotiation, framing) -> commands (one table) -> machine (state, time, events)
//!                                                                  |
//!                                          check, introspect, hmp -+- read the same table
//! ```
//!
//! Only `server` knows a socket or a clock. Everything below it is plain state that is handed bytes and the time.

mod args;
mod bitmaps;
mod blocks;
mod catalog;
mod check;
mod commands;
mod event;
mod failure;
mod hmp;
mod introspect;
mod job;
mod jobs;
mod machine;
mod machine_config;
mod monitor;
mod properties;
mod reply;
mod request;
mod server;
mod tree;
mod types;

pub use server::start;
