//! The wire layer: QMP messages, and the framer that cuts them out of a stream of bytes.
//!
//! Owns the framer, the types of messages from the server, the request with its two spellings (for the server and for
//! people), and the rules for which arguments are secret. Must not know sockets, threads or terminals. Each message keeps
//! the server's own text: nothing here changes the spelling of a number or the order of keys.

mod frame;
mod message;
mod recover;
mod request;
mod secrets;
mod simd_scan;
mod text;

pub use frame::{Frame, FrameError, Framer, Limits};
pub use message::{Event, Greeting, Incoming, MessageError, Reply, ReplyBody, Timestamp, Version};
pub use recover::to_valid_json;
pub use request::Request;
#[cfg(feature = "programs")]
pub(crate) use secrets::is_secret_property;
pub(crate) use secrets::{hmp_line_has_secret, mentions_secret};
#[cfg(feature = "programs")]
pub(crate) use simd_scan::{BLOCK_BYTES, StringFinder, blocks, set_bits};
pub(crate) use text::spaced;
#[cfg(feature = "programs")]
pub(crate) use text::{end_of_string, unquote};
pub use text::{preview, quote, single_line};
