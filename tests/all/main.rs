//! The tests of the programs, each readable as what a user typed and saw. One module a capability.
//!
//! Real servers are QEMU 10.0 and 7.2, qemu-storage-daemon and qemu-ga. A test that needs one says so on skipping;
//! with `QMP_SHELL_TEST_REQUIRE=1` a skip is a failure.

// A test says what went wrong by panicking, and what it skips on standard error.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

mod addresses;
mod checking;
mod completion;
mod corpus;
mod events;
mod failures;
mod generated;
mod guest_agent;
mod help;
mod hints;
mod history;
mod hmp;
mod house;
mod interrupts;
mod log;
mod manual;
mod meta;
mod monitor;
mod prompt;
mod python;
mod readme;
mod scripts;
mod transactions;
mod typing;
mod verdicts;
mod wrap;
