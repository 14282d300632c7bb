//! Fuzzes [`properties::setter`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::setter::check(data));
