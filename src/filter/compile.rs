//! Compiles a filter together with the functions that it can call.

use jaq_core::load::lex::Lexer;
use jaq_core::load::parse::{Def, Parser};
use jaq_core::load::{Arena, File, Loader};

use crate::grammar::{Diagnostic, Span};

use super::diagnose::{lexing_error, parsing_error, undefined_error};
use super::functions::{definitions, natives};
use super::guard::{Kind, guard, guard_definition};

/// A compiled filter.
pub(super) type Program = jaq_core::Filter<Kind>;

/// The name under which the filter is defined. Its text is not the main program, because jaq lets only definitions be
/// changed after they are parsed.
const MAIN: &str = "main__";

/// Compiles the text of a filter.
pub(super) fn compile(text: &str) -> Result<Program, Diagnostic> {
    let tokens = Lexer::new(text).lex().map_err(|errors| lexing_error(text, &errors))?;
    let parsed = Parser::new(&tokens).parse(|parser| parser.term());
    let mut body = parsed.map_err(|errors| parsing_error(text, &errors))?;
    guard(&mut body, &mut |_| {});

    let mut prelude: Vec<Def<&str>> = definitions();
    prelude.iter_mut().for_each(|definition| guard_definition(definition, &mut |_| {}));
    prelude.push(Def { name: MAIN, args: Vec::new(), body });
    let arena = Arena::default();
    let modules = Loader::new(prelude)
        .load(&arena, File { code: MAIN, path: () })
        .map_err(|_| whole(text, "the functions of filters cannot be loaded"))?;
    jaq_core::Compiler::default().with_funs(natives()).compile(modules).map_err(|errors| {
        let undefined = errors.iter().flat_map(|(_, errors)| errors);
        undefined_error(text, undefined)
    })
}

fn whole(text: &str, message: &str) -> Diagnostic {
    Diagnostic::new(Span::new(0, text.len()), message)
}
