//! Fuzzes [`properties::words`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::words::check(data));
