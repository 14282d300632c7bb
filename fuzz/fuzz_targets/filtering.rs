//! Fuzzes [`properties::filtering`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::filtering::check(data));
