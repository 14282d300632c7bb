//! qmp-shell: an interactive QEMU monitor for people, over QMP alone.

pub mod assist;
pub mod demo;
pub mod grammar;
pub mod render;
pub mod schema;
pub mod session;
pub mod shell;
pub mod wire;
