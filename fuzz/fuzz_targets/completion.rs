//! Fuzzes [`properties::completion`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::completion::check(data));
