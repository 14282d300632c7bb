//! Fuzzes [`properties::command_line`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::command_line::check(data));
