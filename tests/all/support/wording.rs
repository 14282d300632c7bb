//! Texts of the programs that tests wait for or look for during a session.
//!
//! Output that is compared once it is complete is a snapshot instead, which updates itself. A text belongs here only if
//! a test cannot go on before it has appeared. Each text is on one line, so that a change of wording changes one line.

/// The prompt without a connection.
pub const NOT_CONNECTED: &str = "(not connected)";

/// Before the text of an error at a prompt.
pub const ERROR: &str = "error: ";

/// After a connection was lost while a request was in flight.
pub const UNKNOWN_OUTCOME: &str = "It may or may not have been executed.";

/// In the notice that output of a wrapped QEMU was dropped.
pub const LINES_DROPPED: &str = " lines were dropped here.)";

/// In the errors of `qom fuse` on a system that does not allow mounting.
pub const CANNOT_MOUNT: [&str; 2] = ["mounting needs root or", "not allowed to open"];

/// At the end of a question.
pub const CONFIRM: &str = "[y/N]";

/// After QEMU has exited.
pub const QEMU_ENDED: &str = "QEMU has exited";

/// In the notice that the connection was lost.
pub const WILL_RECONNECT: &str = "The next command will reconnect";

/// At the beginning of the banner.
pub const CONNECTED: &str = "Connected to";

/// At the end of the notice of `.wait` at a prompt.
pub const WAITING: &str = "Ctrl-C stops waiting.";
