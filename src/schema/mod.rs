//! Typing: from words to the JSON that a server expects.
//!
//! Owns the way from a [`Command`](crate::grammar::Command) to a [`Request`](crate::wire::Request): what JSON a word
//! becomes, how dotted keys nest, which arguments are secret. Today a value's type is read off its form; what a
//! server's introspection knows of types belongs in this room too, and so does what the manual pages on the user's disk
//! say of it all. Knows neither sockets nor terminal.

mod arguments;
mod form;
pub mod manual;
mod nearest;
mod request;
pub mod secrets;

pub use form::value_by_form;
pub use nearest::nearest;
pub use request::{request_of_command, request_of_json, request_of_transaction};
