//! The memory of the monitor from one line to the next.

/// The state of the monitor on one connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MonitorState {
    /// The CPU that lines refer to, if one was selected.
    pub(crate) cpu: Option<u64>,
}

impl MonitorState {
    /// Returns the index of the CPU that lines refer to.
    pub(crate) fn cpu_index(&self) -> u64 {
        self.cpu.unwrap_or(0)
    }
}
