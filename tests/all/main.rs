//! The tests of the programs, each readable as what a user typed and saw. One module a capability.
//!
//! Real servers are QEMU 10.0 and 7.2, qemu-storage-daemon and qemu-ga. A test that needs one says so on skipping;
//! with `QMP_SHELL_TEST_REQUIRE=1` a skip is a failure.

// A test says what went wrong by panicking, and what it skips on standard error.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

mod addresses;
mod architecture;
mod checking;
mod client;
mod client_ends;
mod client_events;
mod completion;
mod corpus;
mod docs;
mod dot_commands;
mod endurance;
mod environment;
mod escapes;
mod events;
mod failures;
mod floods;
mod fuse;
mod generated;
mod guest_agent;
mod help;
mod hints;
mod history;
mod hmp;
mod hostile_servers;
mod interrupts;
mod log;
mod manual;
mod monitor;
mod prompt;
mod protocol;
mod python_compat;
mod qmp;
mod qmp_events;
mod qmp_fan_out;
mod qom;
mod queries;

mod script_ends;
mod scripts;
mod secrets;
mod server_verdicts;
mod shell_completion;
mod transactions;
mod typing;
mod wrap;
