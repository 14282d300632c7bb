//! The wire: what a QMP message is, and how whole messages are cut out of a stream of bytes.
//!
//! Owns the framer and the message types. Knows nothing of sockets, threads or terminals.
//! Every message keeps the server's own text; nothing here re-spells a number or reorders a key.

mod frame;
mod message;
mod recover;
mod request;
mod simd_scan;
mod text;

pub use frame::{Frame, FrameError, Framer, Limits};
pub use message::{Event, Greeting, Incoming, MessageError, Reply, ReplyBody, Timestamp, Version};
pub use recover::to_valid_json;
pub use request::{Request, Secrets};
#[cfg(feature = "programs")]
pub(crate) use simd_scan::{BLOCK, Strings, blocks, each};
#[cfg(feature = "programs")]
pub(crate) use text::end_of_string;
pub use text::{compact, preview, quote};
