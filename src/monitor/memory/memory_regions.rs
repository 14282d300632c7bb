//! The memory regions of a machine, as far as the object tree has them: their places, but neither their kinds nor the
//! targets of aliases.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

use serde_json::json;

use super::super::command::request;
use super::super::object_tree::{MAX_LEVELS, values, walk};
use super::super::server::{Failure, QmpServer};
use super::super::text::{integer, string};

/// The QOM type of a memory region.
const REGION_TYPE: &str = "memory-region";

/// The objects that have regions below them: the machine with its devices, and memory backends.
const ROOTS: [&str; 2] = ["/machine", "/objects"];

/// The maximum depth of regions in regions.
const MAX_DEPTH: usize = 64;

/// A memory region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemoryRegion {
    path: String,
    pub(crate) name: String,
    /// The address inside the container.
    address: u64,
    pub(crate) size: u64,
    priority: i64,
    /// The path of the region that this one is in. Empty for the root of an address space, and for a region that is not
    /// mapped.
    container: String,
}

/// The memory regions of a machine.
pub(crate) struct MemoryRegions {
    regions: Vec<MemoryRegion>,
    /// The indices of the regions in each container, by its path.
    contents: BTreeMap<String, Vec<usize>>,
}

/// Queries the memory regions of the machine.
pub(crate) fn read_regions(server: &mut dyn QmpServer) -> Result<MemoryRegions, Failure> {
    let mut paths = Vec::new();
    for root in ROOTS {
        let objects = walk(server, root, "container", MAX_LEVELS)?;
        paths.extend(objects.into_iter().filter(|object| object.kind == REGION_TYPE).map(|object| object.path));
    }
    const PROPERTIES: [&str; 4] = ["addr", "size", "priority", "container"];
    let places = paths.iter().flat_map(|path| PROPERTIES.map(|property| (path.clone(), property.to_owned())));
    let found = values(server, &places.collect::<Vec<_>>())?;
    let regions = paths.into_iter().zip(found.chunks_exact(PROPERTIES.len())).map(|(path, values)| MemoryRegion {
        name: region_name(&path),
        path,
        address: values[0].as_u64().unwrap_or_default(),
        size: values[1].as_u64().unwrap_or_default(),
        priority: values[2].as_i64().unwrap_or_default(),
        container: values[3].as_str().unwrap_or_default().to_owned(),
    });
    Ok(MemoryRegions::new(regions.collect()))
}

/// Returns the name of a region. The name of its object has a number in brackets, and a slash in it is escaped.
fn region_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.rsplit_once('[').map_or(name, |(name, _)| name);
    name.replace(r"\x2f", "/")
}

impl MemoryRegion {
    /// Returns whether a PC's chipset has several such regions at one place, of which it chooses one.
    pub(crate) fn is_switched(&self) -> bool {
        self.name.starts_with("pam-") || self.name.starts_with("smram")
    }
}

impl MemoryRegions {
    fn new(regions: Vec<MemoryRegion>) -> MemoryRegions {
        let mut contents: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, region) in regions.iter().enumerate().filter(|(_, region)| region.size > 0) {
            contents.entry(region.container.clone()).or_default().push(index);
        }
        for contents in contents.values_mut() {
            contents.sort_by_key(|&index| (regions[index].address, -i128::from(regions[index].priority)));
        }
        MemoryRegions { regions, contents }
    }

    /// Returns the regions in a container, which may be empty for roots: by address, and by falling priority.
    fn contents(&self, container: &str) -> impl Iterator<Item = &MemoryRegion> {
        self.contents.get(container).into_iter().flatten().map(|&index| &self.regions[index])
    }

    /// Returns the regions at a physical address that hold no others, each with the first address of the region. That of
    /// the highest priority comes first.
    pub(crate) fn at(&self, address: u64) -> Vec<(&MemoryRegion, u64)> {
        let mut found = Vec::new();
        self.collect_at(self.system().into_iter(), address, 0, &mut HashSet::new(), &mut found);
        found
    }

    /// Returns whether there is memory, or a device, at a physical address; true if the machine's regions are not known.
    pub(crate) fn has(&self, address: u64) -> bool {
        self.system().is_none() || !self.at(address).is_empty()
    }

    /// Returns the region that holds all physical addresses.
    fn system(&self) -> Option<&MemoryRegion> {
        self.contents("").find(|region| region.name == "system")
    }

    fn collect_at<'a>(
        &'a self,
        regions: impl Iterator<Item = &'a MemoryRegion>,
        address: u64,
        base: u64,
        visited: &mut HashSet<&'a str>,
        found: &mut Vec<(&'a MemoryRegion, u64)>,
    ) {
        let mut here: Vec<(&MemoryRegion, u64)> = regions
            .map(|region| (region, base.wrapping_add(region.address)))
            .filter(|(region, start)| address >= *start && address - start < region.size)
            .collect();
        here.sort_by_key(|(region, _)| -i128::from(region.priority));
        for (region, start) in here {
            if !self.contents.contains_key(&region.path) {
                found.push((region, start));
            } else if visited.insert(&region.path) {
                self.collect_at(self.contents(&region.path), address, start, visited, found);
            }
        }
    }

    /// Returns the regions as a text: a tree for each address space, and for each other region that holds some.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut visited = HashSet::new();
        for root in self.contents("").filter(|root| self.contents.contains_key(&root.path)) {
            let title = match root.name.as_str() {
                "system" => "address-space: memory".to_owned(),
                "io" => "address-space: I/O".to_owned(),
                name => format!("memory-region: {name}"),
            };
            let _ = writeln!(text, "{title}");
            self.write_tree(root, 0, 1, &mut visited, &mut text);
            text.push('\n');
        }
        text
    }

    fn write_tree<'a>(
        &'a self,
        region: &'a MemoryRegion,
        base: u64,
        depth: usize,
        visited: &mut HashSet<&'a str>,
        text: &mut String,
    ) {
        if depth > MAX_DEPTH || !visited.insert(&region.path) {
            return;
        }
        let start = base.wrapping_add(region.address);
        let end = start.wrapping_add(region.size - 1);
        let end = if region.size == u64::MAX { u64::MAX } else { end };
        let MemoryRegion { priority, name, .. } = region;
        let _ = writeln!(text, "{:indent$}{start:016x}-{end:016x} (prio {priority}): {name}", "", indent = 2 * depth);
        for inner in self.contents(&region.path) {
            self.write_tree(inner, start, depth + 1, visited, text);
        }
    }
}

/// A block of guest RAM in the server's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RamBlock {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// Its address there, if the server tells it.
    pub(crate) host_address: Option<u64>,
}

/// Queries the blocks of guest RAM.
pub(crate) fn read_ram_blocks(server: &mut dyn QmpServer) -> Result<Vec<RamBlock>, Failure> {
    let reply = server.query(&request("x-query-ramblock", json!({})))?;
    Ok(string(&reply, "human-readable-text").lines().skip(1).filter_map(parse_ram_block).collect())
}

/// Parses a row: the name, the size of a page with its unit, then offset, used size, total size and, in newer servers,
/// the address in the process.
fn parse_ram_block(row: &str) -> Option<RamBlock> {
    let (before, numbers) = row.split_at(row.find(" 0x")?);
    let (name, _unit) = before.trim().rsplit_once(char::is_whitespace)?;
    let (name, _page_size) = name.trim().rsplit_once(char::is_whitespace)?;
    let number = |cell: &str| u64::from_str_radix(cell.strip_prefix("0x")?, 16).ok();
    let numbers: Vec<u64> = numbers.split_whitespace().map_while(number).collect();
    Some(RamBlock { name: name.trim().to_owned(), size: *numbers.get(2)?, host_address: numbers.get(3).copied() })
}

/// Returns the size of the memory that the machine has without devices, or 0 if it is not known.
pub(crate) fn base_memory(server: &mut dyn QmpServer) -> Result<u64, Failure> {
    let reply = server.query(&request("query-memory-size-summary", json!({})))?;
    Ok(integer(&reply, "base-memory").try_into().unwrap_or_default())
}
