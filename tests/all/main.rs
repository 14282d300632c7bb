//! The tests of the programs, each readable as what a user typed and saw. One module a capability.
//!
//! Real servers are QEMU 10.0 and 7.2, qemu-storage-daemon and qemu-ga. A test that needs one says so on skipping;
//! with `QMP_SHELL_TEST_REQUIRE=1` a skip is a failure.

// A test says what went wrong by panicking, and what it skips on standard error.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

mod addresses;
mod checking;
mod client;
mod client_ends;
mod client_events;
mod completion;
mod corpus;
mod editor_calls;
mod endurance;
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
mod hostile;
mod house;
mod interrupts;
mod log;
mod manual;
mod meta;
mod monitor;
mod prompt;
mod protocol;
mod python;
mod qmp;
mod qmp_events;
mod qmp_several;
mod qom;
mod questions;
mod readme;
mod script_ends;
mod scripts;
mod secrets;
mod surroundings;
mod tab;
mod transactions;
mod typing;
mod verdicts;
mod wrap;
