//! The terminal itself: its modes, its size, the signals that come from it.

pub(crate) mod raw_mode;
pub(crate) mod signals;
pub(crate) mod suspend;
pub(crate) mod waker;
