//! Commands of the object tree: types, properties, values.

use serde_json::{Value, json};

use super::device::PROPERTY_INFO;
use super::{Command, NOTHING, command, nothing};
use crate::demo::args::Args;
use crate::demo::catalog::{TYPES, TypeEntry};
use crate::demo::failure::Outcome;
use crate::demo::machine::Machine;
use crate::demo::types::{Object, Type, object, opt, req};

static TYPES_ARGS: Object =
    object("q_obj_qom-list-types", &[opt("implements", Type::Str), opt("abstract", Type::Bool)]);
static TYPE_INFO: Object =
    object("ObjectTypeInfo", &[req("name", Type::Str), opt("abstract", Type::Bool), opt("parent", Type::Str)]);
static LIST_ARGS: Object = object("q_obj_qom-list", &[req("path", Type::Str)]);
static GET_ARGS: Object = object("q_obj_qom-get", &[req("path", Type::Str), req("property", Type::Str)]);
static SET_ARGS: Object =
    object("q_obj_qom-set", &[req("path", Type::Str), req("property", Type::Str), req("value", Type::Any)]);

/// The commands of this file.
pub static COMMANDS: &[Command] = &[
    command("qom-list-types", &TYPES_ARGS, Type::Array(&Type::Object(&TYPE_INFO)), qom_list_types),
    command("qom-list", &LIST_ARGS, Type::Array(&Type::Object(&PROPERTY_INFO)), qom_list),
    command("qom-get", &GET_ARGS, Type::Any, qom_get),
    command("qom-set", &SET_ARGS, NOTHING, qom_set),
];

fn qom_list_types(_: &mut Machine, args: Args<'_>) -> Outcome {
    let implements = args.maybe_text("implements").unwrap_or("object");
    let with_abstract = args.flag("abstract").unwrap_or(false);
    let wanted = |entry: &&TypeEntry| entry.is_a(implements) && (with_abstract || !entry.is_abstract);
    let describe = |entry: &TypeEntry| {
        let mut value = json!({"name": entry.name});
        if entry.is_abstract {
            value["abstract"] = Value::Bool(true);
        }
        if let Some(parent) = entry.parent {
            value["parent"] = parent.into();
        }
        value
    };
    Ok(TYPES.iter().filter(wanted).map(describe).collect())
}

fn qom_list(machine: &mut Machine, args: Args<'_>) -> Outcome {
    machine.tree.list(args.text("path")?)
}

fn qom_get(machine: &mut Machine, args: Args<'_>) -> Outcome {
    machine.tree.get(args.text("path")?, args.text("property")?)
}

fn qom_set(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let value = args.get("value").unwrap_or(&Value::Null);
    machine.tree.set(args.text("path")?, args.text("property")?, value)?;
    nothing()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::run;
    use crate::demo::machine_config::default_machine;

    #[test]
    fn types_are_listed_by_what_they_implement() {
        let mut machine = default_machine();
        let list = run(&mut machine, "qom-list-types", json!({"implements": "rng-backend"})).unwrap();
        assert_eq!(list, json!([{"name": "rng-random", "parent": "rng-backend"}]));
        let args = json!({"implements": "rng-backend", "abstract": true});
        let list = run(&mut machine, "qom-list-types", args).unwrap();
        assert_eq!(list[0], json!({"name": "rng-backend", "abstract": true, "parent": "object"}));
    }

    #[test]
    fn the_tree_is_read_and_written() {
        let mut machine = default_machine();
        let list = run(&mut machine, "qom-list", json!({"path": "/machine/peripheral"})).unwrap();
        assert!(list.as_array().unwrap().contains(&json!({"name": "net0", "type": "child<virtio-net-pci>"})));
        let at = json!({"path": "/machine", "property": "type"});
        assert_eq!(run(&mut machine, "qom-get", at).unwrap(), "pc-q35-10.0-machine");
        let set = |value| json!({"path": "/objects/iothread0", "property": "poll-max-ns", "value": value});
        run(&mut machine, "qom-set", set(json!(0))).unwrap();
        assert!(run(&mut machine, "qom-set", set(json!("0"))).is_err());
        assert_eq!(run(&mut machine, "query-iothreads", json!({})).unwrap()[0]["poll-max-ns"], 0);
    }
}
