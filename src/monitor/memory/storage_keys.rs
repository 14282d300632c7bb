//! The storage keys of s390x guests, one for each page of memory.

use serde_json::json;

use super::super::server::{Failure, QmpServer};
use super::guest_memory::with_guest_memory;

/// The number of bits of an address inside a page.
const PAGE_SHIFT: u32 = 12;

/// The maximum size of the server's list, which has about 60 bytes for a page: that of 16 GiB of memory.
const MAX_LIST_BYTES: usize = 256 << 20;

/// Returns the storage key of the page at a physical address. `None` if there is no such page.
pub(crate) fn storage_key(server: &mut dyn QmpServer, address: u64) -> Result<Option<u8>, Failure> {
    let list = with_guest_memory(server, 0, |memory| memory.write_file("dump-skeys", &json!({}), MAX_LIST_BYTES))?;
    let list = list.map_err(|error| Failure::error(error.desc.trim_end_matches(" - nothing to dump")))?;
    let list = String::from_utf8_lossy(&list);
    Ok(list.lines().filter_map(parse_key).find(|(page, _)| *page == address >> PAGE_SHIFT).map(|(_, key)| key))
}

/// Parses a line such as `page=001: key(96) => ACC=6, …`. Returns the number of the page and its key.
fn parse_key(line: &str) -> Option<(u64, u8)> {
    let (page, rest) = line.strip_prefix("page=")?.split_once(": key(")?;
    let (key, _) = rest.split_once(')')?;
    Some((u64::from_str_radix(page, 16).ok()?, key.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_the_servers_list() {
        for (line, expected) in [
            ("page=001: key(96) => ACC=6, FP=0, REF=0, ch=0, reserved=0", Some((1, 96))),
            ("page=3fff: key(0) => ACC=0", Some((0x3fff, 0))),
            ("page=3fff: key(256)", None),
            ("page=x: key(1)", None),
            ("page=1: key(1", None),
            ("", None),
        ] {
            assert_eq!(parse_key(line), expected, "{line}");
        }
    }
}
