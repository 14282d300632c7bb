//! Guest memory as `x` and `xp` show it, and its checksum.

use std::fmt::Write;

use super::super::server::{Failure, QmpServer};
use super::super::state::ValueFormat;
use super::guest_memory::{GuestMemory, with_guest_memory};
use super::memory_regions::{MemoryRegions, base_memory, read_regions};
use super::target::Target;
use super::value_text::{Radix, bsd_checksum, line_bytes, write_values};

/// The maximum number of bytes that are shown.
const MAX_SHOWN_BYTES: u64 = 16 << 20;

/// The number of bytes that are read at once: whole lines.
const CHUNK_BYTES: u64 = 1 << 20;

/// Physical addresses below this one, and inside the memory that a machine was started with, belong to memory or to
/// devices if memory begins at 0.
const LOW_BYTES: u64 = 2 << 30;

/// The memory that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressSpace {
    /// As a CPU sees it.
    Virtual,
    Physical,
}

/// Returns memory from `address` on, in lines. If one cannot be read, the failure has the lines before it too.
pub(crate) fn examine(
    server: &mut dyn QmpServer,
    cpu: u64,
    space: AddressSpace,
    address: u64,
    format: ValueFormat,
) -> Result<String, Failure> {
    let size = usize::from(format.size);
    let length = u64::from(format.count) * size as u64;
    if length > MAX_SHOWN_BYTES {
        let limit = MAX_SHOWN_BYTES >> 20;
        return Err(Failure::line(format!("at most {limit} MiB can be shown; `memsave` and `pmemsave` save more")));
    }
    let target = Target::query(server)?;
    let (address, digits) = match space {
        AddressSpace::Virtual => (target.truncate(address), 2 * target.address_bytes),
        AddressSpace::Physical => (address, 16),
    };
    let radix = Radix::of(format.letter);
    let value_bytes = if radix == Radix::Character { 1 } else { size };
    let mut physical = PhysicalMap::default();
    with_guest_memory(server, cpu, |memory| {
        let mut text = String::new();
        for offset in (0..length).step_by(CHUNK_BYTES as usize) {
            let start = address.wrapping_add(offset);
            let wanted = CHUNK_BYTES.min(length - offset) as usize;
            let bytes = match space {
                AddressSpace::Virtual => memory.read_virtual(start, wanted as u64)?,
                AddressSpace::Physical => memory.read_physical(start, wanted as u64)?,
            };
            for place in (0..wanted).step_by(line_bytes(size)) {
                let line_start = start.wrapping_add(place as u64);
                let line_end = (place + line_bytes(size)).min(wanted);
                let _ = write!(text, "{line_start:0digits$x}:");
                let line = match bytes.get(place..line_end) {
                    Some(line) if space == AddressSpace::Virtual || physical.has(memory, line_start, line)? => line,
                    _ => {
                        text.push_str(" Cannot access memory\n");
                        return Err(Failure::Text(text));
                    }
                };
                write_values(&mut text, line, value_bytes, radix, target.is_big_endian);
                text.push('\n');
            }
        }
        Ok(text)
    })
}

/// The physical addresses that have memory or devices. The server reads zeros from others.
#[derive(Default)]
struct PhysicalMap {
    low_end: Option<u64>,
    regions: Option<MemoryRegions>,
}

impl PhysicalMap {
    /// Returns whether memory or a device is at the addresses of a line that was read as `bytes`. The server is asked only if
    /// the bytes leave it open.
    fn has(&mut self, memory: &mut GuestMemory<'_>, address: u64, bytes: &[u8]) -> Result<bool, Failure> {
        let [Some(&first), Some(&last)] = [bytes.first(), bytes.last()] else { return Ok(true) };
        if first != 0 && last != 0 {
            return Ok(true);
        }
        let Some(end) = address.checked_add(bytes.len() as u64 - 1) else { return Ok(false) };
        let low_end = match self.low_end {
            Some(low_end) => low_end,
            None => *self.low_end.insert(base_memory(memory.server)?.min(LOW_BYTES)),
        };
        if end < low_end {
            return Ok(true);
        }
        let regions = match &mut self.regions {
            Some(regions) => regions,
            None => self.regions.insert(read_regions(memory.server)?),
        };
        Ok(regions.has(address) && regions.has(end))
    }
}

/// Returns the checksum of physical memory. Addresses have 32 bits, and a range up to their end is empty, as in QEMU's own
/// monitor.
pub(crate) fn checksum(server: &mut dyn QmpServer, start: u32, size: u32) -> Result<u16, Failure> {
    let length = if start.checked_add(size).is_some() { u64::from(size) } else { 0 };
    with_guest_memory(server, 0, |memory| {
        let mut sum = 0;
        for offset in (0..length).step_by(CHUNK_BYTES as usize) {
            let bytes = memory.read_physical(u64::from(start) + offset, CHUNK_BYTES.min(length - offset))?;
            sum = bsd_checksum(sum, &bytes);
        }
        Ok(sum)
    })
}
