//! What a QAPI type is: the vocabulary in which commands and events are declared.
//!
//! Owns the shapes only. The declarations stand beside the commands; `check` and `introspect` read them.

/// One type.
#[derive(Clone, Copy)]
pub enum Type {
    /// A string.
    Str,
    /// A whole number within 64 bits, signed or not.
    Int,
    /// A truth value.
    Bool,
    /// Only `null`.
    Null,
    /// Any JSON value.
    Any,
    /// One of several words.
    Enum(&'static Enum),
    /// A list of one type.
    Array(&'static Type),
    /// An object, which may be a union.
    Object(&'static Object),
    /// One of several types, told apart by the JSON type.
    Alternate(&'static Alternate),
}

/// An enumeration.
pub struct Enum {
    /// Unique among all types; never shown to a client.
    pub name: &'static str,
    /// The words.
    pub values: &'static [&'static str],
}

/// An object type.
pub struct Object {
    /// Unique among all types; never shown to a client.
    pub name: &'static str,
    /// The members that every value has, a union's tag among them.
    pub members: &'static [Member],
    /// Further members that depend on a tag.
    pub union: Option<Union>,
    /// Whether members beyond the declared ones are let through: `device_add` takes any property of its driver.
    pub open: bool,
}

/// The variable part of an object type.
pub struct Union {
    /// The member whose value selects the variant; its type is an enumeration.
    pub tag: &'static str,
    /// The members that each value of the tag brings. A value that is not listed brings none.
    pub variants: &'static [(&'static str, &'static Object)],
}

/// A type that is one of several.
pub struct Alternate {
    /// Unique among all types; never shown to a client.
    pub name: &'static str,
    /// The possible types, no two with the same JSON type.
    pub branches: &'static [Type],
}

/// One member of an object.
#[derive(Clone, Copy)]
pub struct Member {
    /// Its key.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// Whether it may be left out.
    pub optional: bool,
    /// Features, such as `deprecated`.
    pub features: &'static [&'static str],
}

/// A member that must be there.
pub const fn req(name: &'static str, ty: Type) -> Member {
    Member { name, ty, optional: false, features: &[] }
}

/// A member that may be there.
pub const fn opt(name: &'static str, ty: Type) -> Member {
    Member { name, ty, optional: true, features: &[] }
}

/// An object type of fixed members.
pub const fn object(name: &'static str, members: &'static [Member]) -> Object {
    Object { name, members, union: None, open: false }
}

/// The object without members: what a command without arguments takes and what one without a result returns.
pub static EMPTY: Object = object("q_empty", &[]);

impl Object {
    /// The variant that a value of the tag selects, if this is a union that gives it members.
    pub fn variant(&self, case: &str) -> Option<&'static Object> {
        let union = self.union.as_ref()?;
        union.variants.iter().find(|(name, _)| *name == case).map(|(_, object)| *object)
    }

    /// The member of this name, of the object itself or of the variant that `case` selects.
    pub fn member(&self, name: &str, case: Option<&str>) -> Option<&'static Member> {
        let variant = case.and_then(|case| self.variant(case));
        let variant = variant.map_or(&[][..], |object| object.members);
        self.members.iter().chain(variant).find(|member| member.name == name)
    }
}
