//! Fuzzes [`properties::guest_memory`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::guest_memory::check(data));
