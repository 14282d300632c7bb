//! The terminal as a device: modes, size, signals, and output that arrives while a line is typed.

pub(crate) mod async_output;
pub(crate) mod raw_mode;
pub(crate) mod signals;
pub(crate) mod size;
pub(crate) mod suspend;
pub(crate) mod waker;
