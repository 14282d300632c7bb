//! The reply to `query-qmp-schema`, made from the declarations of commands and events.
//!
//! As in QEMU, the names of declared types are replaced with numbers, in the order of first use. `0` is the empty
//! struct.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::commands;
use super::event::EVENTS;
use super::qapi::{Alternate, EMPTY, Enum, Member, Object, Type};

/// Returns all entities: commands and events first, then the types they use.
pub fn schema() -> Vec<Value> {
    let mut types = TypeNames::default();
    types.name_of(Type::Object(&EMPTY));
    let mut entities = Vec::new();
    for command in commands::all() {
        let mut entity = json!({
            "name": command.name, "ret-type": types.name_of(command.returns), "meta-type": "command",
            "arg-type": types.name_of(Type::Object(command.args)),
        });
        if command.allows_oob {
            entity["allow-oob"] = Value::Bool(true);
        }
        add_features(&mut entity, command.features);
        entities.push(entity);
    }
    for event in EVENTS {
        let data = types.name_of(Type::Object(event.data));
        entities.push(json!({"name": event.name, "meta-type": "event", "arg-type": data}));
    }
    // Describing a type appends the types that it uses.
    let mut index = 0;
    while let Some((name, ty)) = types.named.get(index).cloned() {
        entities.push(types.describe(name, ty));
        index += 1;
    }
    entities
}

/// The names of types in the schema.
#[derive(Default)]
struct TypeNames {
    /// The key is `declared NAME` for a declared type, and the name in the schema for a built-in type or an array.
    names: HashMap<String, String>,
    /// In the order of first use.
    named: Vec<(String, Type)>,
    next_number: usize,
}

impl TypeNames {
    /// Returns the name of a type, and assigns one at its first use.
    fn name_of(&mut self, ty: Type) -> String {
        let (key, is_declared) = match ty {
            Type::Str => ("str".to_owned(), false),
            Type::Int => ("int".to_owned(), false),
            Type::Bool => ("bool".to_owned(), false),
            Type::Null => ("null".to_owned(), false),
            Type::Any => ("any".to_owned(), false),
            Type::Array(element) => (format!("[{}]", self.name_of(*element)), false),
            Type::Enum(Enum { name, .. })
            | Type::Object(Object { name, .. })
            | Type::Alternate(Alternate { name, .. }) => (format!("declared {name}"), true),
        };
        if let Some(name) = self.names.get(&key) {
            return name.clone();
        }
        let name = if is_declared { self.next_number.to_string() } else { key.clone() };
        self.next_number += usize::from(is_declared);
        self.names.insert(key, name.clone());
        self.named.push((name.clone(), ty));
        name
    }

    fn describe(&mut self, name: String, ty: Type) -> Value {
        let builtin = |json_type| json!({"name": name, "json-type": json_type, "meta-type": "builtin"});
        match ty {
            Type::Str => builtin("string"),
            Type::Int => builtin("int"),
            Type::Bool => builtin("boolean"),
            Type::Null => builtin("null"),
            Type::Any => builtin("value"),
            Type::Array(element) => json!({"name": name, "element-type": self.name_of(*element), "meta-type": "array"}),
            Type::Enum(Enum { values, .. }) => {
                let members: Value = values.iter().map(|value| json!({"name": value})).collect();
                json!({"name": name, "members": members, "meta-type": "enum", "values": values})
            }
            Type::Alternate(alternate) => {
                let members: Value = alternate.branches.iter().map(|ty| json!({"type": self.name_of(*ty)})).collect();
                json!({"name": name, "members": members, "meta-type": "alternate"})
            }
            Type::Object(object) => self.describe_object(&name, object),
        }
    }

    fn describe_object(&mut self, name: &str, object: &Object) -> Value {
        let members: Value = object.members.iter().map(|member| self.describe_member(member)).collect();
        let mut entity = json!({"name": name, "members": members, "meta-type": "object"});
        if let Some(union) = &object.union {
            let variant = |case: &&'static str| {
                let variant = object.variant(case).unwrap_or(&EMPTY);
                json!({"case": case, "type": self.name_of(Type::Object(variant))})
            };
            let cases = object.member(union.tag, None).map_or(&[][..], |tag| match tag.ty {
                Type::Enum(Enum { values, .. }) => values,
                _ => &[],
            });
            entity["variants"] = cases.iter().map(variant).collect();
            entity["tag"] = union.tag.into();
        }
        entity
    }

    fn describe_member(&mut self, member: &Member) -> Value {
        let mut value = json!({"name": member.name});
        if member.optional {
            value["default"] = Value::Null;
        }
        value["type"] = self.name_of(member.ty).into();
        add_features(&mut value, member.features);
        value
    }
}

fn add_features(entity: &mut Value, features: &[&str]) {
    if !features.is_empty() {
        entity["features"] = features.into();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::check;
    use super::*;

    fn entity<'a>(schema: &'a [Value], name: &str) -> &'a Value {
        schema.iter().find(|entity| entity["name"] == name).unwrap()
    }

    #[test]
    fn describes_each_type_once() {
        let schema = schema();
        let names: HashSet<&str> = schema.iter().map(|entity| entity["name"].as_str().unwrap()).collect();
        assert_eq!(names.len(), schema.len());
        fn visit(value: &Value, names: &HashSet<&str>) {
            for (key, inner) in value.as_object().into_iter().flatten() {
                if ["type", "arg-type", "ret-type", "element-type"].contains(&key.as_str()) {
                    assert!(names.contains(inner.as_str().unwrap()), "{value}");
                }
                visit(inner, names);
            }
            value.as_array().into_iter().flatten().for_each(|inner| visit(inner, names));
        }
        schema.iter().for_each(|entity| visit(entity, &names));
        assert_eq!(*entity(&schema, "0"), json!({"name": "0", "members": [], "meta-type": "object"}));
    }

    #[test]
    fn gives_each_type_a_name_of_its_own() {
        // Two types with the same declared name would be confused, so the addresses of all reachable types are compared.
        let mut types = TypeNames::default();
        for command in commands::all() {
            types.name_of(Type::Object(command.args));
            types.name_of(command.returns);
        }
        let mut seen: HashMap<&str, *const u8> = HashMap::new();
        let mut queue: Vec<Type> = types.named.iter().map(|(_, ty)| *ty).collect();
        let mut visited = HashSet::new();
        while let Some(ty) = queue.pop() {
            let (name, address): (&'static str, *const u8) = match ty {
                Type::Enum(declared) => (declared.name, std::ptr::from_ref(declared).cast()),
                Type::Object(object) => (object.name, std::ptr::from_ref(object).cast()),
                Type::Alternate(alternate) => (alternate.name, std::ptr::from_ref(alternate).cast()),
                Type::Array(element) => {
                    queue.push(*element);
                    continue;
                }
                _ => continue,
            };
            assert_eq!(*seen.entry(name).or_insert(address), address, "{name}");
            if !visited.insert(address) {
                continue;
            }
            if let Type::Object(object) = ty {
                queue.extend(object.members.iter().map(|member| member.ty));
                let variants = object.union.as_ref().map_or(&[][..], |union| union.variants);
                queue.extend(variants.iter().map(|(_, object)| Type::Object(object)));
            }
            if let Type::Alternate(alternate) = ty {
                queue.extend(alternate.branches);
            }
        }
    }

    #[test]
    fn describes_a_variant_for_each_tag() {
        let schema = schema();
        let options = entity(&schema, entity(&schema, "blockdev-add")["arg-type"].as_str().unwrap());
        assert_eq!(options["tag"], "driver");
        let cases: Vec<&Value> = options["variants"].as_array().unwrap().iter().map(|case| &case["case"]).collect();
        assert_eq!(cases, ["null-aio", "null-co", "qcow2", "raw"]);
        let yank = entity(&schema, "query-yank");
        assert_eq!(yank["allow-oob"], true);
        let instance =
            entity(&schema, entity(&schema, yank["ret-type"].as_str().unwrap())["element-type"].as_str().unwrap());
        assert_eq!(instance["variants"][2], json!({"case": "migration", "type": "0"}));
    }

    #[test]
    fn conforms_to_its_own_declaration() {
        let command = commands::find("query-qmp-schema").ok().unwrap();
        assert_eq!(check::check_value(command.returns, &Value::Array(schema()), "return"), Ok(()));
    }
}
