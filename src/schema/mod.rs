//! What the server knows, and what a line means by it.
//!
//! Owns the way from a [`Command`](crate::grammar::Command) to a [`Request`](crate::wire::Request): introspection as
//! lookups, the JSON that a word becomes by the type of its key, how dotted keys nest, whether the server will take the
//! names and types that are given, which arguments are secret. Also what the manual pages on the user's disk say of it
//! all. Works on unfinished lines too. Knows neither sockets nor terminal.

mod arg_tree;
mod extent;
mod infer;
mod introspection;
mod json_writer;
pub mod manual;
mod partial_arguments;
mod property;
mod request;
mod scalar;
pub mod secrets;
mod signature;
mod suggest;
mod transaction;
mod type_check;

pub use introspection::{
    Builtin, CommandInfo, EnumValue, EventInfo, Object, ObjectMember, Schema, SchemaError, Type, TypeId,
};
pub use partial_arguments::{Expected, PartialArguments};
pub use property::{builtin_of_property, property_value};
pub use request::{
    TypedRequest, TypingContext, member_type, nearest_command, request_of_command, request_of_json, unknown_command,
};
pub use signature::{member_signature, signature};
pub use suggest::{did_you_mean, nearest};
pub use transaction::{action_type, check_action, request_of_transaction, transaction_variants};
pub use type_check::{describe, may_be_empty, plain};
