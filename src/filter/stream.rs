//! Splits a filter that begins with the items of an array, so that a large reply is read item by item.
//!
//! `.a.b[] | f` applies `f` to one item after the other, and `map(f) | g` collects what `f` yields for `g`. Neither needs
//! all items as values at once, which would take several times the memory of the text.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part, Path};

/// A filter as a source of items, and what becomes of them.
pub(super) struct Split<'s> {
    /// The members on the way to the array.
    pub(super) keys: Vec<&'s str>,
    /// The filter that each item goes through.
    pub(super) each: Term<&'s str>,
    /// The filter that an array of all results goes through. Without one, the results are those of the whole.
    pub(super) then: Option<Term<&'s str>>,
}

/// Splits a filter. `None` if it does not begin with the items of an array.
pub(super) fn split<'s>(term: &Term<&'s str>) -> Option<Split<'s>> {
    match term {
        Term::Path(start, path) if matches!(**start, Term::Id) => split_path(path),
        Term::BinOp(left, BinaryOp::Pipe(None), right) => {
            let split = split(left)?;
            let pipe = |left, right: &Term<&'s str>| {
                Term::BinOp(Box::new(left), BinaryOp::Pipe(None), Box::new(right.clone()))
            };
            Some(match split.then {
                None => Split { each: pipe(split.each, right), ..split },
                Some(then) => Split { then: Some(pipe(then, right)), ..split },
            })
        }
        Term::Arr(Some(items)) => collected(split(items)?),
        Term::Call("map", arguments) => match arguments.as_slice() {
            [each] => Some(Split { keys: Vec::new(), each: each.clone(), then: Some(Term::Id) }),
            _ => None,
        },
        _ => None,
    }
}

fn collected(split: Split<'_>) -> Option<Split<'_>> {
    split.then.is_none().then_some(Split { then: Some(Term::Id), ..split })
}

fn split_path<'s>(path: &Path<Term<&'s str>>) -> Option<Split<'s>> {
    let mut keys = Vec::new();
    for (index, part) in path.0.iter().enumerate() {
        match part {
            (Part::Index(Term::Str(None, text)), Opt::Essential) => match text.as_slice() {
                [StrPart::Str(key)] => keys.push(*key),
                _ => return None,
            },
            (Part::Range(None, None), _) => {
                let rest = path.0[index + 1..].to_vec();
                let each = if rest.is_empty() { Term::Id } else { Term::Path(Box::new(Term::Id), Path(rest)) };
                return Some(Split { keys, each, then: None });
            }
            _ => return None,
        }
    }
    None
}
