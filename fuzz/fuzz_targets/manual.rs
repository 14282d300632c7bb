//! Fuzzes [`properties::manual`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::manual::check(data));
