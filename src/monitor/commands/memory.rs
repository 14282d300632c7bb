//! Guest memory: showing it, saving it, and the values of expressions.

use serde_json::json;

use super::super::command::{Command, Invocation};
use super::super::memory::{AddressSpace, Radix, checksum, examine, printed, read_regions, storage_key};
use super::super::parameter::{Parameter, flag, format, integer, long_integer, text};
use super::super::server::Failure;

/// The part of the instructions that is missing.
#[cfg(feature = "disassembler")]
const INSTRUCTIONS_MISSING: &str = "Instructions are shown of x86 processors only.";
#[cfg(not(feature = "disassembler"))]
const INSTRUCTIONS_MISSING: &str = "Instructions cannot be shown: this program was built without its disassembler.";

const SAVED: [Parameter; 3] = [long_integer("val"), integer("size"), text("filename")];
const REGION_FLAGS: [Parameter; 4] =
    [flag('f', "flatview"), flag('d', "dispatch_tree"), flag('o', "owner"), flag('D', "disabled")];
const SHOWN: [Parameter; 2] = [format("fmt"), long_integer("addr")];

const REGIONS_MISSING: &str =
    "QMP tells neither the kinds of memory regions, nor the targets of aliases, nor which regions are disabled.";

pub(super) const COMMANDS: &[Command] = &[
    Command::new("info mtree", &REGION_FLAGS, "the memory regions", info_mtree).partial(REGIONS_MISSING),
    Command::new("info skeys", &[long_integer("addr")], "the storage key of a page (s390x)", info_skeys)
        .with_counterpart("dump-skeys"),
    Command::new("memsave", &SAVED, "save virtual memory to a file of the server", |call| {
        let cpu = call.state.cpu_index();
        save(call, "memsave", Some(cpu))
    }),
    Command::new("pmemsave", &SAVED, "save physical memory to a file of the server", |call| {
        save(call, "pmemsave", None)
    }),
    Command::new("print", &[format("fmt"), long_integer("val")], "show the value of an expression", print)
        .aliases(&["p"]),
    Command::new("sum", &[integer("start"), integer("size")], "show the checksum of physical memory", sum),
    Command::new("x", &SHOWN, "show virtual memory", |call| show(call, AddressSpace::Virtual))
        .partial(INSTRUCTIONS_MISSING),
    Command::new("xp", &SHOWN, "show physical memory", |call| show(call, AddressSpace::Physical))
        .partial(INSTRUCTIONS_MISSING),
];

fn save(call: &mut Invocation<'_>, command: &str, cpu: Option<u64>) -> Result<String, Failure> {
    let arguments = json!({
        "val": call.arguments.integer("val"),
        "size": call.arguments.integer("size"),
        "filename": call.arguments.text("filename"),
        "cpu-index": cpu,
    });
    call.execute(command, arguments)
}

fn print(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let radix = Radix::of(call.arguments.format("fmt").letter);
    Ok(printed(call.arguments.integer("val"), radix) + "\n")
}

fn sum(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let [start, size] = ["start", "size"].map(|name| call.arguments.integer(name) as u32);
    Ok(format!("{:05}\n", checksum(call.server, start, size)?))
}

fn show(call: &mut Invocation<'_>, space: AddressSpace) -> Result<String, Failure> {
    let format = call.arguments.format("fmt");
    if format.letter == 'i' {
        return show_instructions(call, space, format.count);
    }
    let address = call.arguments.integer("addr") as u64;
    examine(call.server, call.state.cpu_index(), space, address, format)
}

#[cfg(feature = "disassembler")]
fn show_instructions(call: &mut Invocation<'_>, space: AddressSpace, count: u32) -> Result<String, Failure> {
    let address = call.arguments.integer("addr") as u64;
    super::super::memory::show_instructions(call.server, call.state, space, address, count)
}

#[cfg(not(feature = "disassembler"))]
fn show_instructions(_: &mut Invocation<'_>, _: AddressSpace, _: u32) -> Result<String, Failure> {
    Err(Failure::line(INSTRUCTIONS_MISSING))
}

fn info_skeys(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let address = call.arguments.integer("addr") as u64;
    match storage_key(call.server, address)? {
        Some(key) => Ok(format!("  key: 0x{key:X}\n")),
        None => Err(Failure::error("The given address is not valid")),
    }
}

fn info_mtree(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let is_flat = call.arguments.is_on("flatview") || call.arguments.is_on("dispatch_tree");
    if is_flat {
        return Err(Failure::error("QMP does not tell which memory regions are visible"));
    }
    let text = read_regions(call.server)?.text();
    call.show_missing_part();
    Ok(text)
}
