//! Fuzzes [`properties::layout`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::layout::check(data));
