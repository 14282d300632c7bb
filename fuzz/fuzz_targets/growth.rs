//! Looks for work that grows faster than what there is to read: some bytes, again and again, to any of the readers.
//!
//! The first byte chooses the reader; the rest is a beginning, what is repeated, and an end, with a separator between them.
//! Time is what counts here, so a find is one only if the best of several runs is slow.
#![no_main]

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The length of the long input; the short one is a quarter of it.
const LONG: usize = 32 * 1024;

/// What takes less than this is no worry, whatever it grows like.
const LITTLE: Duration = Duration::from_millis(50);

/// How much longer four times the input may take: twice what is in step.
const MOST: u32 = 8;

/// Stands between the parts.
const SEPARATOR: u8 = 0x1f;

/// The processor's time, of all threads: what else the machine does is not in it.
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
    let (Some(start), Some(unit)) = (parts.next(), parts.next()) else { return };
    let end = parts.next().unwrap_or_default();
    if unit.is_empty() || rest.len() > 200 {
        return;
    }
    let of_length = |length: usize| [start, &unit.repeat(length / unit.len()), end].concat();
    let (short, long) = (of_length(LONG / 4), of_length(LONG));
    let best = |data: &[u8], runs: u32| (0..runs).map(|_| time(check, data)).min().unwrap_or_default();
    let slow = |runs| {
        let long = best(&long, runs);
        long > LITTLE && long > best(&short, runs) * MOST
    };
    assert!(!(slow(1) && slow(5)), "{name}: {}, then {}, then {}", text(start), text(unit), text(end));
});

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
