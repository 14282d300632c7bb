//! Fuzzes [`properties::typing`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::typing::check(data));
