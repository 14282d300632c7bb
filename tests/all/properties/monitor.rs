//! The shell's own human monitor: any line on any server.

use qmp_shell::monitor::SimulatedServer;

use super::assertions;
use super::values::Values;

/// The input is a line, and the values that the server replies with.
pub fn check(data: &[u8]) {
    let (line, replies) = assertions::split_once(data, b'\n');
    let Some(line) = assertions::text(line) else { return };
    let mut server = SimulatedServer::new(Values::new(replies).collect(), b"", b"");
    let text = server.run(line);
    // A text that the server made passes through.
    assert!(text.len() < 64 << 20, "a text of {} bytes", text.len());
}
