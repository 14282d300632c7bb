//! QAPI types, in which commands and events are declared.
//!
//! The declarations are next to the commands; `check` and `introspect` read them.

#[derive(Clone, Copy)]
pub enum Type {
    Str,
    /// An integer of 64 bits, signed or unsigned.
    Int,
    Bool,
    Null,
    Any,
    Enum(&'static Enum),
    Array(&'static Type),
    Object(&'static Object),
    Alternate(&'static Alternate),
}

pub struct Enum {
    /// Unique among all types. Clients do not see it.
    pub name: &'static str,
    pub values: &'static [&'static str],
}

/// A struct or a union.
pub struct Object {
    /// Unique among all types. Clients do not see it.
    pub name: &'static str,
    /// The members that all variants have, including the tag.
    pub members: &'static [Member],
    pub union: Option<Union>,
    /// Whether undeclared members are accepted, as by `device_add`, which takes the properties of its driver.
    pub accepts_undeclared: bool,
}

/// The variants of a union.
pub struct Union {
    /// The name of the member that selects the variant. Its type is an enum.
    pub tag: &'static str,
    /// The members that each value of the tag adds. A value that is not listed adds none.
    pub variants: &'static [(&'static str, &'static Object)],
}

/// One of several types, distinguished by the JSON type of the value.
pub struct Alternate {
    /// Unique among all types. Clients do not see it.
    pub name: &'static str,
    /// No two have the same JSON type.
    pub branches: &'static [Type],
}

#[derive(Clone, Copy)]
pub struct Member {
    pub name: &'static str,
    pub ty: Type,
    pub optional: bool,
    /// QAPI features, such as `deprecated`.
    pub features: &'static [&'static str],
}

pub const fn required(name: &'static str, ty: Type) -> Member {
    Member { name, ty, optional: false, features: &[] }
}

pub const fn optional(name: &'static str, ty: Type) -> Member {
    Member { name, ty, optional: true, features: &[] }
}

/// Declares a struct.
pub const fn object(name: &'static str, members: &'static [Member]) -> Object {
    Object { name, members, union: None, accepts_undeclared: false }
}

/// Declares a union with its common members.
pub const fn union(
    name: &'static str,
    members: &'static [Member],
    tag: &'static str,
    variants: &'static [(&'static str, &'static Object)],
) -> Object {
    Object { name, members, union: Some(Union { tag, variants }), accepts_undeclared: false }
}

/// The struct without members: the arguments of a command that takes none, and the result of one that returns nothing.
pub static EMPTY: Object = object("q_empty", &[]);

impl Object {
    /// Returns the members that a value of the tag adds, if any.
    pub fn variant(&self, case: &str) -> Option<&'static Object> {
        let union = self.union.as_ref()?;
        union.variants.iter().find(|(name, _)| *name == case).map(|(_, object)| *object)
    }

    /// Finds a member of the object or of the variant that `case` selects.
    pub fn member(&self, name: &str, case: Option<&str>) -> Option<&'static Member> {
        let variant = case.and_then(|case| self.variant(case));
        let variant = variant.map_or(&[][..], |object| object.members);
        self.members.iter().chain(variant).find(|member| member.name == name)
    }
}
