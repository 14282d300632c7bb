//! Commands for QOM types and for properties of objects.

use serde_json::{Value, json};

use super::no_result;
use crate::demo::args::Args;
use crate::demo::error::CommandResult;
use crate::demo::machine::Machine;
use crate::demo::qapi::{Object, Type, object, optional, required};
use crate::demo::qom_types::{QomType, TYPES};

pub(super) static QOM_LIST_TYPES_ARGS: Object =
    object("q_obj_qom-list-types", &[optional("implements", Type::Str), optional("abstract", Type::Bool)]);
pub(super) static OBJECT_TYPE_INFO: Object = object(
    "ObjectTypeInfo",
    &[required("name", Type::Str), optional("abstract", Type::Bool), optional("parent", Type::Str)],
);
pub(super) static QOM_LIST_ARGS: Object = object("q_obj_qom-list", &[required("path", Type::Str)]);
pub(super) static QOM_GET_ARGS: Object =
    object("q_obj_qom-get", &[required("path", Type::Str), required("property", Type::Str)]);
pub(super) static QOM_SET_ARGS: Object = object(
    "q_obj_qom-set",
    &[required("path", Type::Str), required("property", Type::Str), required("value", Type::Any)],
);

pub(super) fn qom_list_types(_: &mut Machine, args: Args<'_>) -> CommandResult {
    let implements = args.optional_str("implements").unwrap_or("object");
    let include_abstract = args.optional_bool("abstract").unwrap_or(false);
    let matches = |qom_type: &&QomType| qom_type.is_a(implements) && (include_abstract || !qom_type.is_abstract);
    let describe = |qom_type: &QomType| {
        let mut value = json!({"name": qom_type.name});
        if qom_type.is_abstract {
            value["abstract"] = Value::Bool(true);
        }
        if let Some(parent) = qom_type.parent {
            value["parent"] = parent.into();
        }
        value
    };
    Ok(TYPES.iter().filter(matches).map(describe).collect())
}

pub(super) fn qom_list(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    machine.qom_tree.list(args.required_str("path")?)
}

pub(super) fn qom_get(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    machine.qom_tree.get(args.required_str("path")?, args.required_str("property")?)
}

pub(super) fn qom_set(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    let value = args.get("value").unwrap_or(&Value::Null);
    machine.qom_tree.set(args.required_str("path")?, args.required_str("property")?, value)?;
    no_result()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::run;
    use crate::demo::machine_config::default_machine;

    #[test]
    fn lists_types_by_interface() {
        let mut machine = default_machine();
        let list = run(&mut machine, "qom-list-types", json!({"implements": "rng-backend"})).unwrap();
        assert_eq!(list, json!([{"name": "rng-random", "parent": "rng-backend"}]));
        let args = json!({"implements": "rng-backend", "abstract": true});
        let list = run(&mut machine, "qom-list-types", args).unwrap();
        assert_eq!(list[0], json!({"name": "rng-backend", "abstract": true, "parent": "object"}));
    }

    #[test]
    fn lists_gets_and_sets_properties() {
        let mut machine = default_machine();
        let list = run(&mut machine, "qom-list", json!({"path": "/machine/peripheral"})).unwrap();
        assert!(list.as_array().unwrap().contains(&json!({"name": "net0", "type": "child<virtio-net-pci>"})));
        let machine_type = json!({"path": "/machine", "property": "type"});
        assert_eq!(run(&mut machine, "qom-get", machine_type).unwrap(), "pc-q35-10.0-machine");
        let set = |value| json!({"path": "/objects/iothread0", "property": "poll-max-ns", "value": value});
        run(&mut machine, "qom-set", set(json!(0))).unwrap();
        assert!(run(&mut machine, "qom-set", set(json!("0"))).is_err());
        assert_eq!(run(&mut machine, "query-iothreads", json!({})).unwrap()[0]["poll-max-ns"], 0);
    }
}
