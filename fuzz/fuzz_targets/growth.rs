//! Searches for input that takes more than linear time to read, by repeating a part of it many times.
//!
//! The first byte selects the reader; the rest is a prefix, the part to repeat, and a suffix, with separators between them.
//! An input is reported only if the fastest of several runs is slow.
#![no_main]

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The length of the long input; the short one is a quarter of it.
const LONG_INPUT_BYTES: usize = 32 * 1024;

/// Less time is never reported.
const MIN_SLOW_TIME: Duration = Duration::from_millis(50);

/// The factor by which the long input may be slower: twice as much as linear.
const MAX_GROWTH: u32 = 8;

const SEPARATOR: u8 = 0x1f;

/// Measures the processor time of all threads, so that other processes do not count.
fn time(check: fn(&[u8]), data: &[u8]) -> Duration {
    let spent = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default();
    let start = spent();
    check(data);
    spent().saturating_sub(start)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let readers = properties::READERS;
    let (name, check) = readers[usize::from(*choice) % readers.len()];
    let mut parts = rest.splitn(3, |byte| *byte == SEPARATOR);
    let (Some(prefix), Some(unit)) = (parts.next(), parts.next()) else { return };
    let suffix = parts.next().unwrap_or_default();
    if unit.is_empty() || rest.len() > 200 {
        return;
    }
    let input = |length: usize| [prefix, &unit.repeat(length / unit.len()), suffix].concat();
    let (short, long) = (input(LONG_INPUT_BYTES / 4), input(LONG_INPUT_BYTES));
    let fastest = |data: &[u8], runs: u32| (0..runs).map(|_| time(check, data)).min().unwrap_or_default();
    let is_slow = |runs| {
        let long = fastest(&long, runs);
        long > MIN_SLOW_TIME && long > fastest(&short, runs) * MAX_GROWTH
    };
    assert!(!(is_slow(1) && is_slow(5)), "{name}: {}, then {}, then {}", text(prefix), text(unit), text(suffix));
});

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
