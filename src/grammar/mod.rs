//! The grammar layer, which parses text into a [`Line`], every word with its span.
//!
//! Owns the tokenizer that execution, completion, hints and highlighting share, the lenient JSON parser, and the rule
//! for when physical lines make a complete one. Works on unfinished input. Must not know about the server or the
//! terminal: values stay words here, and get their types in `schema`.

mod arguments;
mod assemble;
mod chain;
mod command;
mod diagnostic;
mod json;
mod line;
mod number;
mod scan;
mod secrets;
mod tail_end;
mod transcript;
mod word;

pub use assemble::{Assembler, Language, is_complete};
pub use chain::{DotTail, Part, Redirect, SplitRules, Tail, TailKind, last_part, split_line};
pub use command::{Arg, Command, Key, missing_key};
pub use diagnostic::{Correction, Diagnostic, Span};
pub use json::{Json, JsonKind, MAX_DEPTH, Member, comment_end, parse_json, string_end, too_deep};
pub use line::{
    DotLine, JsonRequest, Line, TransactionLine, end_of_transaction, opens_transaction, parse_line,
    parse_transaction_line, words_in_transaction,
};
pub use number::{out_of_range, parse_number};
pub use scan::{Unclosed, is_blank};
pub use secrets::{line_has_secret, mask_secrets, mask_secrets_in_message};
pub use transcript::typed_start;
pub use word::{Tokens, Word, tokenize};
