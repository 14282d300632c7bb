//! Fuzzes [`properties::aliases`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::aliases::check(data));
