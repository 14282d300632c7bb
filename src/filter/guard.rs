//! Bounds on running filters: time, stack, depth of values and length of strings.
//!
//! A filter can run without end or recurse without end only through a definition that calls itself, `reduce`, `foreach`
//! or `range`. So a check is put into these. An error that a check raises cannot be caught by the filter.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use jaq_core::box_iter::box_once;
use jaq_core::data::HasLut;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::native::{Fun, v};
use jaq_core::ops::Math;
use jaq_core::path::Part;
use jaq_core::{DataT, Exn, Lut, Native};
use jaq_json::{Num, Val};

use super::read_value::MAX_VALUE_DEPTH;

/// The stack of a filter's thread. Only what is used takes memory.
pub(super) const STACK_BYTES: usize = 256 << 20;

/// The part of the stack that recursive calls may use. The rest is for values: the deepest that can come up between two
/// checks of the depth takes 100 MiB to drop.
const MAX_CALL_STACK_BYTES: usize = 96 << 20;

/// The number of checks after which the depth of a value is checked once, since that takes longer.
const DEPTH_CHECK_INTERVAL: u32 = 256;

/// The longest string that `*` may make.
const MAX_REPEATED_BYTES: usize = 256 << 20;

/// The names of the checks. A filter cannot call them, since they are not words of the language.
const CHECK: &str = "!check";
const MULTIPLY: &str = "!multiply";
const FACTOR: &str = "$!factor";

/// The kind of data that filters run with.
pub(super) struct Kind;

impl DataT for Kind {
    type V<'a> = Val;
    type Data<'a> = &'a Guard<'a>;
}

/// The state of one run of a filter.
pub(super) struct Guard<'a> {
    lut: &'a Lut<Kind>,
    is_cancelled: &'a AtomicBool,
    stack_start: usize,
    checks: Cell<u32>,
    /// The limit that the filter exceeded.
    exceeded: Cell<Option<&'static str>>,
}

impl<'a> HasLut<'a, Kind> for &'a Guard<'a> {
    fn lut(&self) -> &'a Lut<Kind> {
        self.lut
    }
}

impl<'a> Guard<'a> {
    /// Creates the guard of a run in this thread.
    pub(super) fn new(lut: &'a Lut<Kind>, is_cancelled: &'a AtomicBool) -> Guard<'a> {
        Guard { lut, is_cancelled, stack_start: stack_position(), checks: Cell::new(0), exceeded: Cell::new(None) }
    }

    /// Returns the limit that the filter exceeded.
    pub(super) fn exceeded(&self) -> Option<&'static str> {
        self.exceeded.get()
    }

    fn check(&self, value: &Val) -> Result<(), Exn<'a, Val>> {
        let checks = self.checks.get().wrapping_add(1);
        self.checks.set(checks);
        if self.stack_start.abs_diff(stack_position()) > MAX_CALL_STACK_BYTES {
            return self.exceed("the filter recurses too deeply");
        }
        if checks.is_multiple_of(DEPTH_CHECK_INTERVAL) && is_too_deep(value) {
            return self.exceed("the filter nests values too deeply");
        }
        match self.is_cancelled.load(Ordering::Relaxed) {
            true => Err(Exn::halt(0)),
            false => Ok(()),
        }
    }

    fn exceed<T>(&self, limit: &'static str) -> Result<T, Exn<'a, Val>> {
        self.exceeded.set(Some(limit));
        Err(Exn::halt(1))
    }
}

/// Returns the address of a variable on the stack.
fn stack_position() -> usize {
    let variable = 0_u8;
    std::ptr::from_ref(&variable).addr()
}

/// Returns whether a value is nested too deeply, judged by the first and last items on the way down.
fn is_too_deep(value: &Val) -> bool {
    let exceeds = |next: fn(&Val) -> Option<&Val>| {
        std::iter::successors(Some(value), |value| next(value)).nth(MAX_VALUE_DEPTH).is_some()
    };
    exceeds(first_item) || exceeds(last_item)
}

fn first_item(value: &Val) -> Option<&Val> {
    match value {
        Val::Arr(items) => items.first(),
        Val::Obj(members) => members.first().map(|(_, member)| member),
        _ => None,
    }
}

fn last_item(value: &Val) -> Option<&Val> {
    match value {
        Val::Arr(items) => items.last(),
        Val::Obj(members) => members.last().map(|(_, member)| member),
        _ => None,
    }
}

/// Returns the functions that [`guard`] and the filters call.
pub(super) fn functions() -> Vec<Fun<Kind>> {
    let check = Native::<Kind>::new(|cv| box_once(cv.0.data().check(&cv.1).map(|()| cv.1)))
        .with_paths(|cv| box_once(cv.0.data().check(&cv.1.0).map(|()| cv.1)))
        .with_update(|cv, update| match cv.0.data().check(&cv.1) {
            Ok(()) => update(cv.1),
            Err(exception) => box_once(Err(exception)),
        });
    let multiply = Native::<Kind>::new(|mut cv| {
        let (right, left) = (cv.0.pop_var(), cv.0.pop_var());
        let product = match repeated_bytes(&left, &right) > MAX_REPEATED_BYTES {
            true => cv.0.data().exceed("the filter makes a string of more than 256 MiB"),
            false => (left * right).map_err(Exn::from),
        };
        box_once(product)
    });
    let range = Native::<Kind>::new(|mut cv| {
        let (by, to, from) = (cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var());
        let guard = *cv.0.data();
        let zero = Val::from(0_usize);
        let (is_up, is_down) = (by > zero, by < zero);
        let mut next = Some(from);
        Box::new(std::iter::from_fn(move || {
            let current = next.take()?;
            let goes_on = if is_up {
                current < to
            } else if is_down {
                current > to
            } else {
                current != to
            };
            if !goes_on {
                return None;
            }
            if let Err(exception) = guard.check(&current) {
                return Some(Err(exception));
            }
            match current.clone() + by.clone() {
                Ok(following) => next = Some(following),
                Err(error) => return Some(Err(error.into())),
            }
            Some(Ok(current))
        }))
    });
    vec![(CHECK, v(0), check), (MULTIPLY, v(2), multiply), ("range", v(3), range)]
}

/// Returns the length of the string that a multiplication makes. Only integers repeat strings.
fn repeated_bytes(left: &Val, right: &Val) -> usize {
    let (text, times) = match (left, right) {
        (Val::TStr(text) | Val::BStr(text), Val::Num(times)) => (text, times),
        (Val::Num(times), Val::TStr(text) | Val::BStr(text)) => (text, times),
        _ => return 0,
    };
    let times = match times {
        Num::Int(times) => usize::try_from(*times).unwrap_or(0),
        Num::BigInt(times) if **times > 0.into() => usize::MAX,
        _ => 0,
    };
    text.len().saturating_mul(times)
}

/// Puts checks into a definition, and calls `note_call` with the name of each function that it calls.
pub(super) fn guard_definition<'s>(definition: &mut Def<&'s str>, note_call: &mut dyn FnMut(&'s str)) {
    let name = definition.name;
    let mut calls_itself = false;
    guard(&mut definition.body, &mut |called| {
        calls_itself |= called == name;
        note_call(called);
    });
    if calls_itself {
        check_first(&mut definition.body);
    }
}

/// Puts a check before a term.
fn check_first(term: &mut Term<&str>) {
    let check = Box::new(Term::Call(CHECK, Vec::new()));
    *term = Term::BinOp(check, BinaryOp::Pipe(None), Box::new(std::mem::take(term)));
}

/// Puts checks into a term, and calls `note_call` with the name of each function that it calls.
fn guard<'s>(term: &mut Term<&'s str>, note_call: &mut dyn FnMut(&'s str)) {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) | Term::Arr(None) => {}
        Term::Str(_, parts) => {
            for part in parts {
                if let StrPart::Term(term) = part {
                    guard(term, note_call);
                }
            }
        }
        Term::Arr(Some(term)) | Term::Neg(term) | Term::Label(_, term) => guard(term, note_call),
        Term::Obj(members) => {
            for (key, value) in members {
                guard(key, note_call);
                value.iter_mut().for_each(|value| guard(value, note_call));
            }
        }
        Term::BinOp(left, operator, right) => {
            guard(left, note_call);
            guard(right, note_call);
            if let BinaryOp::Pipe(Some(pattern)) = operator {
                guard_pattern(pattern, note_call);
            }
            guard_product(term);
        }
        Term::Fold(_, source, pattern, arguments) => {
            guard(source, note_call);
            guard_pattern(pattern, note_call);
            arguments.iter_mut().for_each(|argument| guard(argument, note_call));
            arguments.iter_mut().skip(1).take(1).for_each(check_first);
        }
        Term::TryCatch(body, handler) => {
            guard(body, note_call);
            handler.iter_mut().for_each(|handler| guard(handler, note_call));
        }
        Term::IfThenElse(branches, otherwise) => {
            for (condition, branch) in branches {
                guard(condition, note_call);
                guard(branch, note_call);
            }
            otherwise.iter_mut().for_each(|branch| guard(branch, note_call));
        }
        Term::Def(definitions, rest) => {
            definitions.iter_mut().for_each(|definition| guard_definition(definition, note_call));
            guard(rest, note_call);
        }
        Term::Call(name, arguments) => {
            note_call(name);
            arguments.iter_mut().for_each(|argument| guard(argument, note_call));
        }
        Term::Path(start, path) => {
            guard(start, note_call);
            for (part, _) in &mut path.0 {
                match part {
                    Part::Index(index) => guard(index, note_call),
                    Part::Range(from, to) => {
                        from.iter_mut().chain(to).for_each(|bound| guard(bound, note_call));
                    }
                }
            }
        }
    }
}

fn guard_pattern<'s>(pattern: &mut Pattern<&'s str>, note_call: &mut dyn FnMut(&'s str)) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(items) => items.iter_mut().for_each(|item| guard_pattern(item, note_call)),
        Pattern::Obj(members) => {
            for (key, value) in members {
                guard(key, note_call);
                guard_pattern(value, note_call);
            }
        }
    }
}

/// Replaces `l * r` and `l *= r`, so that the length of repeated strings is bounded.
fn guard_product(term: &mut Term<&str>) {
    *term = match std::mem::take(term) {
        Term::BinOp(left, BinaryOp::Math(Math::Mul), right) => Term::Call(MULTIPLY, vec![*left, *right]),
        Term::BinOp(left, BinaryOp::UpdateMath(Math::Mul), right) => {
            let product = Term::Call(MULTIPLY, vec![Term::Id, Term::Var(FACTOR)]);
            let update = Term::BinOp(left, BinaryOp::Update, Box::new(product));
            Term::BinOp(right, BinaryOp::Pipe(Some(Pattern::Var(FACTOR))), Box::new(update))
        }
        other => other,
    };
}
