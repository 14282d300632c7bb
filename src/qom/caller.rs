//! The program on whose behalf a thread serves a request of the kernel, and whether a signal waits for it.
//!
//! The kernel tells a file system to end a wait with an interrupt request, which the library `fuser` rejects. A thread that
//! waits for the server looks at the signals of the program instead.

use std::cell::Cell;
use std::fs;

thread_local! {
    /// The id of the thread that sent the request which this thread serves.
    static CALLER: Cell<u32> = const { Cell::new(0) };
}

/// Sets the thread that sent the request which the current thread is about to serve.
pub(super) fn set(thread_id: u32) {
    CALLER.set(thread_id);
}

/// Returns whether a signal waits for the program whose request the current thread serves. It is delivered only after
/// that request is answered.
pub fn caller_is_interrupted() -> bool {
    // The id is 0 if the program is in a container from which this process cannot see it.
    let thread_id = CALLER.get();
    thread_id != 0 && fs::read_to_string(format!("/proc/{thread_id}/status")).is_ok_and(|status| has_signal(&status))
}

/// Returns whether a signal that is neither blocked nor ignored is pending, according to `/proc/PID/status`.
fn has_signal(status: &str) -> bool {
    let mask = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|value| u64::from_str_radix(value.trim(), 16).ok()).unwrap_or(0)
    };
    (mask("SigPnd") | mask("ShdPnd")) & !mask("SigBlk") & !mask("SigIgn") != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_signal_interrupts_unless_it_is_blocked_or_ignored() {
        let status = |pending: u64, shared: u64, blocked: u64, ignored: u64| {
            format!(
                "Name:\tcat\nSigPnd:\t{pending:016x}\nShdPnd:\t{shared:016x}\nSigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\n"
            )
        };
        assert!(has_signal(&status(0x100, 0, 0, 0)));
        assert!(has_signal(&status(0, 2, 0x4000, 0)));
        assert!(!has_signal(&status(0, 0, 2, 2)));
        assert!(!has_signal(&status(0, 2, 2, 0)));
        assert!(!has_signal(&status(0x100, 0, 0, 0x100)));
    }

    #[test]
    fn this_thread_is_not_interrupted() {
        assert!(!caller_is_interrupted());
        set(std::process::id());
        assert!(!caller_is_interrupted());
    }
}
