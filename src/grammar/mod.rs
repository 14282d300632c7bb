//! The grammar: text in, [`Line`] out, every word with its place.
//!
//! Owns the one tokenizer that execution, completion, hints and colouring share, the lenient JSON reader, and the rule
//! that tells when typed lines make a whole one. Works on unfinished input. Knows neither server nor terminal: values
//! stay words here, and get their types from `schema`.

mod assemble;
mod command;
mod diagnostic;
mod json;
mod line;
mod number;
mod scan;
mod word;

pub use assemble::{Assembler, LineMode, is_complete};
pub use command::{Arg, Command, Key, parse_arg};
pub use diagnostic::{Diagnostic, Span};
pub use json::{DEPTH, Json, JsonKind, Member, parse_json, too_deep};
pub use line::{DotLine, JsonRequest, Line, TransactionLine, parse_line, parse_transaction_line};
pub use number::number_by_form;
pub use scan::Unclosed;
pub use word::{Tokens, Word, tokenize};
