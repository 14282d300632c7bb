//! Fuzzes [`properties::monitor`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::monitor::check(data));
