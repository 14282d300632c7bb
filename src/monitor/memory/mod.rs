//! A guest's memory and registers, and the translation of its addresses.
//!
//! The server writes memory into files of the shell, and registers into the notes of an ELF core; both are read here.
//! Each module may use those listed before it:
//!
//! | module | owns |
//! |---|---|
//! | `elf_core` | the notes of an ELF core |
//! | `page_tables` | the forms of x86 page tables, and the meaning of their entries |
//! | `page_walk` | the translation of an address, and all mappings |
//! | `mapping_text` | mappings as text |
//! | `x86_registers`, `x86_text` | the registers of x86 processors; as text |
//! | `other_registers` | the general registers of other processors as text |
//! | `value_text` | values in memory and of expressions as text |
//! | `target` | the kind of processor that a server emulates |
//! | `passed_file` | files that the server writes into |
//! | `guest_memory` | reading memory |
//! | `cpu_registers` | reading registers |
//! | `memory_regions` | the memory regions in the object tree |
//! | `examine` | memory in lines, and its checksum |
//! | `instructions` | instructions as text |
//! | `storage_keys` | the storage keys of s390x |
//! | `translation` | translated addresses and mappings |

mod cpu_registers;
mod elf_core;
mod examine;
mod guest_memory;
#[cfg(feature = "disassembler")]
mod instructions;
mod mapping_text;
mod memory_regions;
mod other_registers;
mod page_tables;
mod page_walk;
mod passed_file;
mod storage_keys;
mod target;
mod translation;
mod value_text;
mod x86_registers;
mod x86_text;

pub(crate) use cpu_registers::{register_value, registers_texts};
pub(crate) use examine::{AddressSpace, checksum, examine};
#[cfg(feature = "disassembler")]
pub(crate) use instructions::show_instructions;
pub(crate) use memory_regions::read_regions;
pub(crate) use passed_file::PassedFile;
pub(crate) use storage_keys::storage_key;
pub(crate) use translation::{Translated, host_address, list_mappings, list_memory_runs, translate_address};
pub(crate) use value_text::{Radix, printed};
