//! The wire: what a QMP message is, and how whole messages are cut out of a stream of bytes.
//!
//! Owns the framer and the message types. Knows nothing of sockets, threads or terminals.
//! Every message keeps the server's own text; nothing here re-spells a number or reorders a key.

mod blocks;
mod frame;
mod mend;
mod message;
mod request;
mod text;

#[cfg(feature = "programs")]
pub(crate) use blocks::{BLOCK, Strings, blocks, each};
pub use frame::{Frame, FrameError, Framer, Limits};
pub use mend::to_valid_json;
pub use message::{Event, Greeting, Incoming, MessageError, Reply, ReplyBody, Timestamp, Version};
pub use request::{Request, Secrets};
#[cfg(feature = "programs")]
pub(crate) use text::end_of_string;
pub use text::{compact, quote, sample};
