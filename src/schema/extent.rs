//! How much types take to be told: what each consists of, members of objects apart.
//!
//! Who describes a type, or looks through it, follows arrays, alternates and variants as far as they go. In what a QEMU
//! says of itself that is a step or two; a server may say anything.

use super::introspection::{Type, TypeId};

/// The most levels of arrays, alternates and variants in each other.
const DEEPEST: usize = 16;

/// The most types that one may be told by, counted each time.
const LARGEST: u64 = 10_000;

/// Whether every type can be told: none consists of itself, or of too much. Members of objects do not count, for what is
/// given or asked for bounds how far they are followed.
pub(super) fn is_finite(types: &[Type]) -> bool {
    let mut extents = vec![1_u64; types.len()];
    // Each round looks one level deeper; what consists of itself never settles.
    for _ in 0..=DEEPEST {
        let extent = |id: &TypeId| extents[id.place()];
        let of = |found: &Type| match found {
            Type::Builtin(_) | Type::Enum(_) => 1,
            Type::Array(element) => 1 + extent(element),
            Type::Alternate(kinds) => kinds.iter().map(extent).fold(1, u64::saturating_add),
            Type::Object(object) => object.variants.iter().map(|(_, id)| extent(id)).fold(1, u64::saturating_add),
        };
        let next: Vec<u64> = types.iter().map(|found| of(found).min(LARGEST + 1)).collect();
        if next == extents {
            return extents.iter().all(|extent| *extent <= LARGEST);
        }
        extents = next;
    }
    false
}
