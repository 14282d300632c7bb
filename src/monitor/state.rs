//! The memory of the monitor from one line to the next.

/// The state of the monitor on one connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MonitorState {
    /// The CPU that lines refer to, if one was selected.
    pub(crate) cpu: Option<u64>,
    /// The form in which values were last shown.
    pub(crate) format: ValueFormat,
    /// The number of jobs that lines have started.
    pub(crate) jobs_started: u64,
    /// The mouse buttons that are pressed, a bit for each.
    pub(crate) mouse_buttons: i64,
    /// Whether the user knows that reading registers pauses a running guest.
    pub(crate) has_told_of_pauses: bool,
}

/// The form in which `x`, `xp` and `print` show values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ValueFormat {
    /// The number of values.
    pub(crate) count: u32,
    /// `x`, `d`, `u`, `o`, `c`, or `i` for instructions.
    pub(crate) letter: char,
    /// The bytes of a value: 1, 2, 4 or 8.
    pub(crate) size: u8,
}

impl Default for ValueFormat {
    fn default() -> ValueFormat {
        ValueFormat { count: 1, letter: 'x', size: 4 }
    }
}

impl MonitorState {
    /// Returns the index of the CPU that lines refer to.
    pub(crate) fn cpu_index(&self) -> u64 {
        self.cpu.unwrap_or(0)
    }
}
