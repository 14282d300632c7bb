//! Input that a guest controls: its registers in the core that the server writes, its page tables and its memory.

use qmp_shell::monitor::SimulatedServer;
use serde_json::json;

const LINES: &[&str] = &[
    "info registers",
    "info registers -a",
    "info tlb",
    "info mem",
    "gva2gpa 0x7fff12345678",
    "gva2gpa 0xffffffff81000000",
    "x /40xg $rsp",
    "x /300i $pc",
    "xp /20xb 0xfffffffffffffff8",
    "x /8c 0x1000",
    "print $rip+$cr3*2",
    "sum 0 1000",
];

/// The first byte selects the line, and the next two tell the length of the core; the memory follows it.
pub fn check(data: &[u8]) {
    let [line, low, high, rest @ ..] = data else { return };
    let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (core, memory) = rest.split_at(length);
    let line = LINES[usize::from(*line) % LINES.len()];
    let replies =
        json!([{"arch": if *high & 0x80 == 0 { "x86_64" } else { "ppc64" }, "running": true, "status": "paused"}]);
    let replies = replies.as_array().cloned().unwrap_or_default();
    let text = SimulatedServer::new(replies, core, memory).run(line);
    assert!(text.is_empty() || text.ends_with('\n'), "a text without its line end: {text:?}");
    assert!(text.len() < 300 << 20);
}
