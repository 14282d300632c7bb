//! Fuzzes [`properties::upstream`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::upstream::check(data));
