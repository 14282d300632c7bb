//! Compiles a filter together with the functions that it can call.

use jaq_core::load::lex::Lexer;
use jaq_core::load::parse::{Def, Parser, Term};
use jaq_core::load::{Arena, File, Loader};

use crate::grammar::{Diagnostic, Span};

use super::diagnose::{lexing_error, parsing_error, undefined_error};
use super::functions::{definitions, natives};
use super::guard::{Kind, guard_definition};
use super::stream::split;

/// A compiled filter.
pub(super) struct Program {
    pub(super) filter: jaq_core::Filter<Kind>,
    /// The way to read a large value item by item.
    pub(super) stream: Option<Stream>,
}

/// The way to read a value item by item.
pub(super) struct Stream {
    /// The members on the way to the array of items.
    pub(super) keys: Vec<String>,
    /// Whether all results become one array, which goes through the filter for [`Stage::Collected`].
    pub(super) collects: bool,
}

/// The part of a filter that is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The filter itself.
    Whole,
    /// The filter of each item.
    Item,
    /// The filter of the collected results.
    Collected,
}

/// The main program, which runs the definition for a stage. The filter's own text is a definition, because jaq lets only
/// those be changed after they are parsed.
const MAIN: &str = "if $stage__ == 0 then whole__ elif $stage__ == 1 then item__ else collected__ end";

/// The variable with the number of the stage.
const STAGE: &str = "$stage__";

/// Compiles the text of a filter.
pub(super) fn compile(text: &str) -> Result<Program, Diagnostic> {
    let tokens = Lexer::new(text).lex().map_err(|errors| lexing_error(text, &errors))?;
    let parsed = Parser::new(&tokens).parse(|parser| parser.term());
    let body = parsed.map_err(|errors| parsing_error(text, &errors))?;
    let split = split(&body);
    let stream = split.as_ref().map(|split| Stream {
        keys: split.keys.iter().map(|key| (*key).to_owned()).collect(),
        collects: split.then.is_some(),
    });
    let (item, collected) = split.map_or((Term::Id, None), |split| (split.each, split.then));

    let mut prelude: Vec<Def<&str>> = definitions();
    let stages = [("whole__", body), ("item__", item), ("collected__", collected.unwrap_or_default())];
    prelude.extend(stages.map(|(name, body)| Def { name, args: Vec::new(), body }));
    prelude.iter_mut().for_each(|definition| guard_definition(definition, &mut |_| {}));
    let arena = Arena::default();
    let modules = Loader::new(prelude)
        .load(&arena, File { code: MAIN, path: () })
        .map_err(|_| whole(text, "the functions of filters cannot be loaded"))?;
    let compiler = jaq_core::Compiler::default().with_funs(natives()).with_global_vars([STAGE]);
    let filter = compiler.compile(modules).map_err(|errors| {
        let undefined = errors.iter().flat_map(|(_, errors)| errors);
        undefined_error(text, undefined)
    })?;
    Ok(Program { filter, stream })
}

fn whole(text: &str, message: &str) -> Diagnostic {
    Diagnostic::new(Span::new(0, text.len()), message)
}
