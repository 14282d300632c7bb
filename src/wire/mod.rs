//! The wire layer: QMP messages, and the framer that cuts them out of a stream of bytes.
//!
//! Owns the framer, the types of messages from the server, the request with its two spellings (for the server and for
//! people), and the rules for which values are secret. Must not know about sockets, threads or terminals. Each
//! message keeps the server's own text: nothing here changes the spelling of a number or the order of keys.

mod command_line;
mod frame;
mod greeting;
mod message;
mod recover;
mod request;
mod scalars;
mod secrets;
mod simd_scan;
mod text;
#[cfg(feature = "programs")]
mod value;

pub(crate) use command_line::command_line_has_secret;
pub use frame::{Frame, FrameError, Framer, Limits};
pub use greeting::{Greeting, Version};
pub use message::{Event, Message, MessageError, Reply, ReplyBody, Timestamp};
pub use recover::to_valid_json;
pub use request::Request;
pub(crate) use request::{MASK, MASKED_STRING};
pub(crate) use scalars::{Scalar, replace_ranges, scalars};
pub(crate) use secrets::{Revealed, is_secret_in_message, may_contain_secret};
pub(crate) use text::escape_unprintable;
pub use text::{preview, quote, single_line};

#[cfg(feature = "programs")]
pub(crate) use for_programs::*;
pub(crate) use secrets::is_secret_property;

/// Functions for the modules above, beyond the public interface.
#[cfg(feature = "programs")]
mod for_programs {
    pub(crate) use super::request::HMP_COMMAND;
    pub(crate) use super::secrets::{hmp_line_has_secret, is_harmless_key, mentions_secret};
    pub(crate) use super::simd_scan::{BLOCK_BYTES, StringFinder, blocks, set_bits};
    pub(crate) use super::text::{end_of_string, spaced, unquote};
    pub(crate) use super::value::{MAX_VALUE_MEMORY, parse_value, value_memory};
}
