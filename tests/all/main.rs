//! The tests of the programs, each readable as a user's session. One module for each capability.
//!
//! Real servers are the installed QEMU, QEMU 7.2, qemu-storage-daemon and qemu-ga. A test that needs a missing one is
//! recorded as skipped; with `QMP_SHELL_TEST_REQUIRE=1` it fails.

// Tests report failures by panicking, and counts on standard error.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

mod addresses;
mod aliases;
mod architecture;
mod checking;
mod client;
mod client_ends;
mod client_events;
mod client_jobs;
mod completion;
mod corpus;
mod dependencies;
mod discovery;
mod docs;
mod dot_commands;
mod editor_calls;
mod endurance;
mod environment;
mod escapes;
mod events;
mod examples;
mod expecting;
mod failures;
mod floods;
mod following;
mod fuse;
mod generated;
mod guest_agent;
mod help;
mod hints;
mod history;
mod hmp;
mod hmp_statuses;
mod hostile_servers;
mod interrupts;
mod libvirt;
mod line_keys;
mod log;
mod manual;
mod mistakes;
mod monitor;
mod monitor_memory;
mod one_request;
mod own_monitor;
mod pasting;
mod pipes;
mod prompt;
mod properties;
mod protocol;
mod python_compat;
mod qmp;
mod qmp_events;
mod qmp_fan_out;
mod qom;
mod queries;
mod recipes;
mod replay;
mod screen;
mod script_ends;
mod scripts;
mod secrets;
mod server_verdicts;
mod several_servers;
mod sharing;
mod sharing_end;
mod sharing_prompt;
mod shell_completion;
mod ssh;
mod transactions;
mod typing;
mod values;
mod views;
mod waiting;
mod watching;
mod without_hmp;
mod wrap;
