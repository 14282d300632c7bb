//! `query-qmp-schema`: the declarations of commands and events as QEMU spells introspection.
//!
//! Type names are numbers in the order of their first use, so that no client can lean on them. `0` is the empty object.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::commands;
use super::event::EVENTS;
use super::types::{Alternate, EMPTY, Enum, Member, Object, Type};

/// All entities: commands and events first, then the types they use.
pub fn schema() -> Vec<Value> {
    let mut types = Types::default();
    types.of(Type::Object(&EMPTY));
    let mut entities = Vec::new();
    for command in commands::all() {
        let mut entity = json!({
            "name": command.name, "ret-type": types.of(command.returns), "meta-type": "command",
            "arg-type": types.of(Type::Object(command.args)),
        });
        if command.oob {
            entity["allow-oob"] = Value::Bool(true);
        }
        add_features(&mut entity, command.features);
        entities.push(entity);
    }
    for event in EVENTS {
        let data = types.of(Type::Object(event.data));
        entities.push(json!({"name": event.name, "meta-type": "event", "arg-type": data}));
    }
    // Describing a type may name further ones, which are appended while this runs.
    let mut index = 0;
    while let Some((name, ty)) = types.list.get(index).cloned() {
        entities.push(types.describe(name, ty));
        index += 1;
    }
    entities
}

/// The names given so far.
#[derive(Default)]
struct Types {
    /// Names by the declared name of enumerations, objects and alternates, and the schema's names of the rest.
    names: HashMap<String, String>,
    /// The types in the order of their names.
    list: Vec<(String, Type)>,
    numbers: usize,
}

impl Types {
    /// The name of a type, given now if it has none.
    fn of(&mut self, ty: Type) -> String {
        let (key, fixed) = match ty {
            Type::Str => ("str".to_owned(), true),
            Type::Int => ("int".to_owned(), true),
            Type::Bool => ("bool".to_owned(), true),
            Type::Null => ("null".to_owned(), true),
            Type::Any => ("any".to_owned(), true),
            Type::Array(element) => (format!("[{}]", self.of(*element)), true),
            Type::Enum(Enum { name, .. })
            | Type::Object(Object { name, .. })
            | Type::Alternate(Alternate { name, .. }) => (format!("declared {name}"), false),
        };
        if let Some(name) = self.names.get(&key) {
            return name.clone();
        }
        let name = if fixed { key.clone() } else { self.numbers.to_string() };
        self.numbers += usize::from(!fixed);
        self.names.insert(key, name.clone());
        self.list.push((name.clone(), ty));
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
            Type::Array(element) => json!({"name": name, "element-type": self.of(*element), "meta-type": "array"}),
            Type::Enum(words) => {
                let members: Value = words.values.iter().map(|word| json!({"name": word})).collect();
                json!({"name": name, "members": members, "meta-type": "enum", "values": words.values})
            }
            Type::Alternate(alternate) => {
                let members: Value = alternate.branches.iter().map(|ty| json!({"type": self.of(*ty)})).collect();
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
                json!({"case": case, "type": self.of(Type::Object(variant))})
            };
            let cases = object.member(union.tag, None).map_or(&[][..], |tag| match tag.ty {
                Type::Enum(words) => words.values,
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
        value["type"] = self.of(member.ty).into();
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
    fn every_name_that_is_used_is_described_once() {
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
    fn declared_names_mean_one_type() {
        // Two types of one declared name would be taken for each other: compare addresses over all that is reachable.
        let mut types = Types::default();
        for command in commands::all() {
            types.of(Type::Object(command.args));
            types.of(command.returns);
        }
        let mut seen: HashMap<&str, *const u8> = HashMap::new();
        let mut queue: Vec<Type> = types.list.iter().map(|(_, ty)| *ty).collect();
        let mut visited = HashSet::new();
        while let Some(ty) = queue.pop() {
            let (name, address): (&'static str, *const u8) = match ty {
                Type::Enum(words) => (words.name, std::ptr::from_ref(words).cast()),
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
    fn a_union_has_a_tag_and_a_variant_for_each_case() {
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
    fn the_schema_is_of_the_type_it_declares_for_itself() {
        let command = commands::find("query-qmp-schema").ok().unwrap();
        assert_eq!(check::value(command.returns, &Value::Array(schema()), "return"), Ok(()));
    }
}
