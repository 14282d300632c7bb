//! The translation of addresses as QEMU's own monitor shows it.

use super::super::server::{Failure, QmpServer};
use super::super::state::MonitorState;
use super::cpu_registers::current_x86_registers;
use super::guest_memory::with_guest_memory;
use super::mapping_text::{MAX_TEXT_BYTES, MemoryRuns, write_tlb_line};
use super::memory_regions::{base_memory, read_ram_blocks, read_regions};
use super::page_walk::{MAX_TABLES, Mapping, WalkEnd, translate, walk};
use super::x86_registers::X86Registers;

/// The text for a CPU that uses addresses as they are.
const NO_PAGING: &str = "PG disabled\n";

/// The result of a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Translated {
    Unmapped,
    To(u64),
}

/// Translates a virtual address of the current CPU. `None` if its page tables are not known.
pub(crate) fn translate_address(
    server: &mut dyn QmpServer,
    state: &mut MonitorState,
    address: u64,
) -> Result<Option<Translated>, Failure> {
    let Some(registers) = current_x86_registers(server, state)? else { return Ok(None) };
    let Some(mode) = registers.paging_mode() else { return Ok(Some(Translated::To(address))) };
    if !mode.is_canonical(address) {
        return Ok(Some(Translated::Unmapped));
    }
    let found = with_guest_memory(server, 0, |memory| translate(mode, registers.cr3(), address, memory))?;
    Ok(Some(found.map_or(Translated::Unmapped, Translated::To)))
}

/// Returns the lines of `info tlb` for the current CPU. `None` if its page tables are not known.
pub(crate) fn list_mappings(server: &mut dyn QmpServer, state: &mut MonitorState) -> Result<Option<String>, Failure> {
    let Some(registers) = current_x86_registers(server, state)? else { return Ok(None) };
    let Some(mode) = registers.paging_mode() else { return Ok(Some(NO_PAGING.to_owned())) };
    let mut text = String::new();
    visit_mappings(server, &registers, &mut |mapping| {
        write_tlb_line(&mut text, mode, &mapping);
        text.len() < MAX_TEXT_BYTES
    })?;
    Ok(Some(text))
}

/// Returns the lines of `info mem` for the current CPU. `None` if its page tables are not known.
pub(crate) fn list_memory_runs(
    server: &mut dyn QmpServer,
    state: &mut MonitorState,
) -> Result<Option<String>, Failure> {
    let Some(registers) = current_x86_registers(server, state)? else { return Ok(None) };
    let Some(mode) = registers.paging_mode() else { return Ok(Some(NO_PAGING.to_owned())) };
    let mut runs = MemoryRuns::new(mode);
    visit_mappings(server, &registers, &mut |mapping| runs.add(&mapping))?;
    Ok(Some(runs.finish()))
}

/// Visits the mappings of a CPU. The user is told if not all of them were visited.
fn visit_mappings(
    server: &mut dyn QmpServer,
    registers: &X86Registers,
    visit: &mut dyn FnMut(Mapping) -> bool,
) -> Result<(), Failure> {
    let Some(mode) = registers.paging_mode() else { return Ok(()) };
    let end = with_guest_memory(server, 0, |memory| walk(mode, registers.cr3(), memory, visit))?;
    let limit = match end {
        WalkEnd::Complete => return Ok(()),
        WalkEnd::Stopped => format!("{} MiB of text", MAX_TEXT_BYTES >> 20),
        WalkEnd::TooManyTables => format!("{MAX_TABLES} page tables"),
    };
    server.show_notice(&format!("The list ends after {limit}."));
    Ok(())
}

/// Returns the line of `gpa2hva`.
pub(crate) fn host_address(server: &mut dyn QmpServer, address: u64) -> Result<String, Failure> {
    let blocks = read_ram_blocks(server)?;
    let regions = read_regions(server)?;
    let found = regions.at(address);
    let Some((region, start)) = found.first() else {
        return Err(Failure::line(format!("No memory is mapped at address {address:#x}")));
    };
    if found.iter().any(|(region, _)| region.is_switched()) {
        return Err(Failure::error(format!("QMP does not tell which of several regions is at address {address:#x}")));
    }
    let offset = address - start;
    let main_memory = base_memory(server)?;
    let named = |name: &str| blocks.iter().find(|block| block.name.rsplit('/').next() == Some(name));
    let main = || blocks.iter().find(|block| block.size == main_memory);
    let place = match region.name.as_str() {
        "ram-below-4g" => main().map(|block| (block, offset)),
        "ram-above-4g" => main().map(|block| (block, block.size.saturating_sub(region.size) + offset)),
        name => named(name).map(|block| (block, offset)),
    };
    let Some((block, offset)) = place else {
        return Err(Failure::line(format!("Memory at address {address:#x} is not RAM")));
    };
    let Some(host) = block.host_address else {
        return Err(Failure::error("the server does not tell where its process has the guest's memory"));
    };
    Ok(format!("Host virtual address for {address:#x} ({}) is {:#x}\n", block.name, host.wrapping_add(offset)))
}
