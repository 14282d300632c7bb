//! Fuzzes [`properties::printing`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::printing::check(data));
