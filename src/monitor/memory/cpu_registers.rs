//! The registers of a guest's CPUs, which the server writes into the core of `dump-guest-memory`.

use std::os::fd::AsFd;

use serde_json::json;

use super::super::command::request;
use super::super::server::{Failure, QmpServer};
use super::super::state::MonitorState;
use super::super::text::is_true;
use super::elf_core::ElfCore;
use super::passed_file::{PassedFile, memory_file, read_file};
use super::target::Target;
use super::x86_registers::{X86Registers, is_register_name, x86_registers};
use super::{other_registers, x86_text};

/// The name of the file descriptor that the server writes the core to.
const FD_NAME: &str = "qmp-shell-core";

/// The events of a dump, which the user did not ask for.
const DUMP_EVENTS: &[&str] = &["DUMP_COMPLETED", "RESUME", "STOP"];

/// Addresses at which machines have memory. A core has at least one page.
const RAM_ADDRESSES: [u64; 4] = [0, 0x4000_0000, 0x8000_0000, 0x1_0000_0000];

/// The size of the memory in the core, in bytes.
const PAGE_BYTES: u64 = 4096;

/// The maximum size of a core: the registers of thousands of CPUs.
const MAX_CORE_BYTES: usize = 64 << 20;

/// Returns a core with the registers of all CPUs. If that pauses the guest, the user is told, once on a connection.
fn read_core(server: &mut dyn QmpServer, state: &mut MonitorState) -> Result<Vec<u8>, Failure> {
    let was_running =
        !state.has_told_of_pauses && is_true(&server.query(&request("query-status", json!({})))?, "running");
    let mut failure = None;
    for address in RAM_ADDRESSES {
        let dumped = if server.can_receive_fds() { dump_to_fd(server, address) } else { dump_to_file(server, address) };
        match dumped {
            Ok(core) => {
                if was_running {
                    state.has_told_of_pauses = true;
                    server.show_notice("The guest was paused for a few milliseconds, to read its registers.");
                }
                return Ok(core);
            }
            Err(Failure::Error(error)) if error.desc.contains("no guest memory") => failure = Some(error),
            Err(other) => return Err(other),
        }
    }
    Err(failure.map_or(Failure::Ended, Failure::Error))
}

fn dump_to_fd(server: &mut dyn QmpServer, address: u64) -> Result<Vec<u8>, Failure> {
    let file = memory_file()?;
    server.execute_with_fd(&request("getfd", json!({ "fdname": FD_NAME })), file.as_fd())?;
    let dumped = dump(server, &format!("fd:{FD_NAME}"), address);
    if matches!(dumped, Err(Failure::Error(_))) {
        // A descriptor that was used is gone already.
        let _ = server.execute(&request("closefd", json!({ "fdname": FD_NAME })));
    }
    dumped?;
    read_file(&file, MAX_CORE_BYTES)
}

fn dump_to_file(server: &mut dyn QmpServer, address: u64) -> Result<Vec<u8>, Failure> {
    let file = PassedFile::temporary()?;
    let core = dump(server, &format!("file:{}", file.server_path), address).and_then(|()| file.read(MAX_CORE_BYTES));
    file.remove(server);
    core
}

fn dump(server: &mut dyn QmpServer, protocol: &str, address: u64) -> Result<(), Failure> {
    let arguments = json!({ "paging": false, "protocol": protocol, "begin": address, "length": PAGE_BYTES });
    server.execute_quietly(&request("dump-guest-memory", arguments), DUMP_EVENTS).map(|_| ())
}

/// Returns the core that the server wrote.
fn parse_core(file: &[u8]) -> Result<ElfCore<'_>, Failure> {
    ElfCore::parse(file).ok_or_else(|| Failure::error("the server wrote no core with registers"))
}

/// Returns the registers of all CPUs as `info registers` shows them.
pub(crate) fn registers_texts(server: &mut dyn QmpServer, state: &mut MonitorState) -> Result<Vec<String>, Failure> {
    let file = read_core(server, state)?;
    let core = parse_core(&file)?;
    if X86Registers::are_in(&core) {
        return Ok(x86_registers(&core).iter().map(x86_text::registers_text).collect());
    }
    other_registers::registers_texts(&core)
        .ok_or_else(|| Failure::error("the shell does not know the registers of this processor"))
}

/// Returns the registers of the current CPU of an x86 machine. `None` for another machine.
pub(crate) fn current_x86_registers(
    server: &mut dyn QmpServer,
    state: &mut MonitorState,
) -> Result<Option<X86Registers>, Failure> {
    let file = read_core(server, state)?;
    let mut all = x86_registers(&parse_core(&file)?);
    let index = usize::try_from(state.cpu_index()).unwrap_or(usize::MAX);
    Ok((index < all.len()).then(|| all.swap_remove(index)))
}

/// Returns the register of the current CPU with this name in expressions.
pub(crate) fn register_value(server: &mut dyn QmpServer, state: &mut MonitorState, name: &str) -> Result<i64, Failure> {
    let unknown = || Failure::line("unknown register");
    // Reading registers pauses the guest.
    if !is_register_name(name) {
        return Err(unknown());
    }
    let target = Target::query(server)?;
    let registers = current_x86_registers(server, state)?;
    let value = registers.and_then(|registers| registers.named(name)).ok_or_else(unknown)?;
    // Registers of 32 bits have a sign.
    Ok(if target.address_bytes == 4 { (value as i32).into() } else { value })
}
