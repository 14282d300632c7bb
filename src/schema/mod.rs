//! The schema layer: what a server's introspection describes, and what a line means according to it.
//!
//! Owns the conversion of a [`Command`](crate::grammar::Command) to a [`Request`](crate::wire::Request): introspection
//! as lookups, the nesting of dotted keys, the type of each word by its key, and the check whether the server will
//! accept the names and types. Also reads the manual pages on the local disk. Works on unfinished lines. Must not know
//! about sockets or the terminal.

mod arg_tree;
mod context;
mod describe;
mod example;
mod infer;
mod introspection;
mod json_writer;
mod level;
pub mod manual;
mod model;
mod partial_arguments;
mod positional;
mod property;
mod read_only;
mod request;
mod return_path;
mod scalar;
mod signature;
mod spelling;
mod suggest;
mod transaction;
mod type_check;
mod unknown_key;

pub use context::TypingContext;
pub use describe::{may_be_empty, type_label};
pub use example::word_fits;
pub use introspection::SchemaError;
pub use model::{Builtin, CommandInfo, EnumValue, EventInfo, Object, ObjectMember, Schema, Type, TypeId};
pub use partial_arguments::{Continuation, Expected, PartialArguments};
pub use positional::{positional_member, with_positional_key};
pub use property::{PropertyType, property_value};
pub use read_only::{hmp_line_only_asks, qmp_command_only_asks};
pub use request::{TypedRequest, member_type, nearest_command, request_of_command, request_of_json, unknown_command};
pub use return_path::{UnknownMember, members_at, types_at};
pub use signature::{member_signature, signature, signature_of_variant};
pub use spelling::line_of_request;
pub use suggest::{did_you_mean, nearest};
pub use transaction::{action_type, check_action, request_of_transaction, transaction_variants, unknown_action};
