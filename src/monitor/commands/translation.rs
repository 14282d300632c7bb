//! The translation of addresses: of guests to physical ones, and of physical ones to those of the server's process.

use super::super::command::{Command, Invocation};
use super::super::memory::{Translated, host_address, list_mappings, list_memory_runs, translate_address};
use super::super::parameter::long_integer;
use super::super::server::Failure;

const ONLY_X86: &str = "The shell knows the page tables of x86 processors only.";

const ALIASES_ASSUMED: &str = "QMP does not tell the targets of aliases: the RAM of a PC is taken for one block, and \
                               addresses where a PC may have either RAM or ROM are refused.";

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "gpa2hva",
        &[long_integer("addr")],
        "translate a physical address to one in the server's process",
        |call| {
            let address = call.arguments.integer("addr") as u64;
            host_address(call.server, address)
        },
    )
    .partial(ALIASES_ASSUMED),
    Command::new("gva2gpa", &[long_integer("addr")], "translate a virtual address to a physical one", gva2gpa)
        .partial(ONLY_X86),
    Command::new("info mem", &[], "the virtual addresses that are mapped, and their access rights", |call| {
        list_memory_runs(call.server, call.state).and_then(known)
    })
    .partial(ONLY_X86),
    Command::new("info tlb", &[], "all mappings of virtual addresses", |call| {
        list_mappings(call.server, call.state).and_then(known)
    })
    .partial(ONLY_X86),
];

fn gva2gpa(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let address = call.arguments.integer("addr") as u64;
    Ok(match translate_address(call.server, call.state, address).and_then(known)? {
        Translated::Unmapped => "Unmapped\n".to_owned(),
        Translated::To(0) => "gpa: 0\n".to_owned(),
        Translated::To(physical) => format!("gpa: {physical:#x}\n"),
    })
}

/// Returns what is known, or the failure that this processor's page tables are not.
fn known<T>(value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::error(ONLY_X86))
}
