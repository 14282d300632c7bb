//! Typing: from words to the JSON that a server expects.
//!
//! Owns the way from a [`Command`](crate::grammar::Command) to a [`Request`](crate::wire::Request): what JSON a word
//! becomes, how dotted keys nest, which arguments are secret. Today a value's type is read off its form; what a
//! server's introspection knows of types belongs in this room too, and so does what the manual pages on the user's disk
//! say of it all. Knows neither sockets nor terminal.

mod arguments;
mod form;
mod given;
mod introspection;
pub mod manual;
mod nearest;
mod request;
mod scalar;
pub mod secrets;
mod signature;
mod tree;
mod typing;

pub use form::value_by_form;
pub use given::{Expected, Given};
pub use introspection::{
    Builtin, CommandInfo, EnumValue, EventInfo, Object, ObjectMember, Schema, SchemaError, Type, TypeId,
};
pub use nearest::nearest;
pub use request::{
    Knowledge, Prepared, action_type, check_action, member_type, request_of_command, request_of_json,
    request_of_transaction, transaction_variants,
};
pub use signature::{member_signature, signature};
pub use typing::{describe, plain};
