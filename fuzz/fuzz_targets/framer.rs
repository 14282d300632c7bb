//! Fuzzes [`properties::framer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::framer::check(data));
