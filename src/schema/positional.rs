//! A first word without a key: the value of the only key that a command requires.

use std::borrow::Cow;

use crate::grammar::{Arg, Command};

use super::model::{Builtin, ObjectMember, Schema, Type, TypeId};

/// Returns the member that a first word without a key sets: the only required one, if it is a string or an enumeration.
/// Never a number, whose unit the key tells: `balloon 512` is in MiB in HMP and in bytes in QMP.
pub fn positional_member(schema: &Schema, root: TypeId) -> Option<&ObjectMember> {
    let mut required = schema.object(root).members.iter().filter(|member| !member.optional);
    let only = required.next().filter(|_| required.next().is_none())?;
    matches!(schema.definition(only.kind), Type::Builtin(Builtin::Str) | Type::Enum(_)).then_some(only)
}

/// Returns the command with a key for its first word, if arguments of type `root` have one for it. The name of a key is
/// not taken as a value, since its own value is missing.
pub fn with_positional_key<'a>(command: &'a Command, schema: &Schema, root: TypeId) -> Cow<'a, Command> {
    let is_key = |name: &str| schema.object(root).members.iter().any(|member| member.name == name);
    let word = command.positional.as_ref().filter(|word| word.quoted || !is_key(&word.text));
    let (Some(word), Some(member)) = (word, positional_member(schema, root)) else { return Cow::Borrowed(command) };
    let mut with_key = Command { positional: None, ..command.clone() };
    with_key.args.insert(0, Arg::positional(&member.name, word));
    Cow::Owned(with_key)
}
