//! The kind of processor that a server emulates.

use serde_json::json;

use super::super::command::request;
use super::super::server::{Failure, QmpServer};
use super::super::text::string;

/// Targets of 64 bits whose names do not say so.
const WIDE: [&str; 3] = ["alpha", "s390x", "hppa"];

/// Targets whose numbers begin with the highest byte.
const BIG_ENDIAN: [&str; 13] = [
    "hppa",
    "m68k",
    "microblaze",
    "mips",
    "mips64",
    "or1k",
    "ppc",
    "ppc64",
    "s390x",
    "sh4eb",
    "sparc",
    "sparc64",
    "xtensaeb",
];

/// The kind of processor that a server emulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) address_bytes: usize,
    pub(crate) is_big_endian: bool,
}

impl Target {
    /// Queries the target of the server.
    pub(crate) fn query(server: &mut dyn QmpServer) -> Result<Target, Failure> {
        let reply = server.query(&request("query-target", json!({})))?;
        Ok(Target::named(string(&reply, "arch")))
    }

    fn named(name: &str) -> Target {
        let is_wide = name.contains("64") || WIDE.contains(&name);
        Target { address_bytes: if is_wide { 8 } else { 4 }, is_big_endian: BIG_ENDIAN.contains(&name) }
    }

    /// Returns an address, or another value of its width, without the bits that the processor does not have.
    pub(crate) fn truncate(self, value: u64) -> u64 {
        if self.address_bytes == 8 { value } else { value & u64::from(u32::MAX) }
    }
}
