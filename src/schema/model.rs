//! The schema of a server: its commands, events and types as lookups.

/// The identity of a type within its [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeId(u32);

impl TypeId {
    pub(super) fn from_index(index: usize) -> TypeId {
        TypeId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// Everything that a server's introspection describes.
#[derive(Debug, Default)]
pub struct Schema {
    /// Sorted by name.
    pub(super) commands: Vec<CommandInfo>,
    /// Sorted by name.
    pub(super) events: Vec<EventInfo>,
    /// Indexed by [`TypeId`].
    pub(super) types: Vec<Type>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandInfo {
    pub name: String,
    /// An object type.
    pub arguments: TypeId,
    pub returns: TypeId,
    /// Whether it can be executed out of band.
    pub allow_oob: bool,
    pub features: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInfo {
    pub name: String,
    /// An object type.
    pub data: TypeId,
    pub features: Vec<String>,
}

/// A type as QAPI defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    Builtin(Builtin),
    Enum(Vec<EnumValue>),
    Array(TypeId),
    Object(Object),
    /// A value of one of these types, which its JSON type selects.
    Alternate(Vec<TypeId>),
}

/// A builtin QAPI type, as far as introspection distinguishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    Str,
    /// An integer of at most 64 bits.
    Int,
    Number,
    Bool,
    Null,
    Any,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumValue {
    pub name: String,
    pub features: Vec<String>,
}

/// An object type: common members, and variants with further ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object {
    pub members: Vec<ObjectMember>,
    /// The index in `members` of the member whose value selects the variant.
    pub tag: Option<usize>,
    /// For each value of the tag that has a variant, the object type with the variant's members.
    pub variants: Vec<(String, TypeId)>,
}

impl Object {
    /// Returns the member whose value selects the variant.
    pub fn tag_member(&self) -> Option<&ObjectMember> {
        self.members.get(self.tag?)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMember {
    pub name: String,
    pub kind: TypeId,
    pub optional: bool,
    pub features: Vec<String>,
}

/// The maximum nesting of arrays, alternates and variants in a type. QEMU's types have one or two levels.
const MAX_TYPE_LEVELS: usize = 16;

/// The maximum number of types that one type expands to, each occurrence counted.
const MAX_EXPANDED_TYPES: u64 = 10_000;

impl Schema {
    /// Returns all commands, sorted by name.
    pub fn commands(&self) -> &[CommandInfo] {
        &self.commands
    }

    /// Returns all events, sorted by name.
    pub fn events(&self) -> &[EventInfo] {
        &self.events
    }

    pub fn command(&self, name: &str) -> Option<&CommandInfo> {
        let index = self.commands.binary_search_by(|command| command.name.as_str().cmp(name)).ok()?;
        self.commands.get(index)
    }

    pub fn event(&self, name: &str) -> Option<&EventInfo> {
        let index = self.events.binary_search_by(|event| event.name.as_str().cmp(name)).ok()?;
        self.events.get(index)
    }

    /// Returns the definition of a type.
    pub fn definition(&self, id: TypeId) -> &Type {
        // Every id was checked when the introspection was read, and ids are made nowhere else.
        &self.types[id.index()]
    }

    /// Returns the definition of an object type, or an empty object for any other type.
    pub fn object(&self, id: TypeId) -> &Object {
        static EMPTY: Object = Object { members: Vec::new(), tag: None, variants: Vec::new() };
        match self.definition(id) {
            Type::Object(object) => object,
            _ => &EMPTY,
        }
    }

    /// Returns the object type that a type is, or that an alternate includes.
    pub(super) fn object_within(&self, id: TypeId) -> Option<TypeId> {
        match self.definition(id) {
            Type::Object(_) => Some(id),
            Type::Alternate(kinds) => {
                kinds.iter().copied().find(|kind| matches!(self.definition(*kind), Type::Object(_)))
            }
            _ => None,
        }
    }

    /// Returns the element type of the array type that a type is, or that an alternate includes.
    pub(super) fn element_within(&self, id: TypeId) -> Option<TypeId> {
        let element = |id: TypeId| match self.definition(id) {
            Type::Array(element) => Some(*element),
            _ => None,
        };
        match self.definition(id) {
            Type::Alternate(kinds) => kinds.iter().find_map(|kind| element(*kind)),
            _ => element(id),
        }
    }

    /// Returns whether no type is recursive through arrays, alternates and variants, or expands to more than
    /// [`MAX_EXPANDED_TYPES`] types: code that describes or searches a type follows those to the end. Members of
    /// objects do not count, since they are followed only as deep as the arguments of a line go.
    pub(super) fn is_finite(&self) -> bool {
        let mut expansions = vec![1_u64; self.types.len()];
        // Each round looks one level deeper. The numbers of a recursive type never settle.
        for _ in 0..=MAX_TYPE_LEVELS {
            let expansion = |id: &TypeId| expansions[id.index()];
            let expand = |kind: &Type| match kind {
                Type::Builtin(_) | Type::Enum(_) => 1,
                Type::Array(element) => 1 + expansion(element),
                Type::Alternate(kinds) => kinds.iter().map(expansion).fold(1, u64::saturating_add),
                Type::Object(object) => {
                    object.variants.iter().map(|(_, id)| expansion(id)).fold(1, u64::saturating_add)
                }
            };
            let next: Vec<u64> = self.types.iter().map(|kind| expand(kind).min(MAX_EXPANDED_TYPES + 1)).collect();
            if next == expansions {
                return expansions.iter().all(|expansion| *expansion <= MAX_EXPANDED_TYPES);
            }
            expansions = next;
        }
        false
    }
}
