//! The prompt, as a person at a terminal meets it.

use crate::support::server::{Q35, Server};
use crate::support::terminal::Terminal;

#[test]
fn a_first_session() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.wait_for("Connected to QEMU 10.0.2 at ");
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-status");
    terminal.wait_for("(QEMU) query-status\n{\n  \"status\": \"prelaunch\",\n  \"running\": false\n}\n(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}
