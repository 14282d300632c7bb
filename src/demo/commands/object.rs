//! Commands for user-creatable objects: I/O threads, memory backends, random number generators, secrets.

use serde_json::{Value, json};

use super::no_result;
use crate::demo::args::{Args, check_id};
use crate::demo::error::{CommandError, CommandResult};
use crate::demo::machine::{Machine, PERIPHERAL, PERIPHERAL_ANON};
use crate::demo::qapi::{Enum, Member, Object, Type, object, optional, required, union};
use crate::demo::qom_tree::QomObject;
use crate::demo::qom_types::find_type;

/// The parent of all user-creatable objects.
const OBJECTS: &str = "/objects";

const MAX_OBJECTS: usize = 256;

/// The made-up id of the host thread of the first I/O thread.
const FIRST_IOTHREAD_ID: u64 = 4721;

static OBJECT_TYPE: Enum =
    Enum { name: "ObjectType", values: &["iothread", "memory-backend-ram", "rng-random", "secret"] };
static POLICY: Enum = Enum { name: "HostMemPolicy", values: &["default", "preferred", "bind", "interleave"] };
static SECRET_FORMAT: Enum = Enum { name: "QCryptoSecretFormat", values: &["raw", "base64"] };
static IOTHREAD_PROPERTIES: Object = object(
    "IothreadProperties",
    &[
        optional("aio-max-batch", Type::Int),
        optional("thread-pool-min", Type::Int),
        optional("thread-pool-max", Type::Int),
        optional("poll-max-ns", Type::Int),
        optional("poll-grow", Type::Int),
        optional("poll-shrink", Type::Int),
    ],
);
static MEMORY_PROPERTIES: Object = object(
    "MemoryBackendProperties",
    &[
        optional("dump", Type::Bool),
        optional("merge", Type::Bool),
        optional("policy", Type::Enum(&POLICY)),
        optional("prealloc", Type::Bool),
        optional("share", Type::Bool),
        optional("reserve", Type::Bool),
        required("size", Type::Int),
    ],
);
static RNG_RANDOM_PROPERTIES: Object = object(
    "RngRandomProperties",
    &[Member { features: &["deprecated"], ..optional("opened", Type::Bool) }, optional("filename", Type::Str)],
);
static SECRET_PROPERTIES: Object = object(
    "SecretProperties",
    &[
        optional("format", Type::Enum(&SECRET_FORMAT)),
        optional("keyid", Type::Str),
        optional("iv", Type::Str),
        optional("data", Type::Str),
        optional("file", Type::Str),
    ],
);

/// The arguments of `object-add`.
pub(super) static OBJECT_OPTIONS: Object = union(
    "ObjectOptions",
    &[required("qom-type", Type::Enum(&OBJECT_TYPE)), required("id", Type::Str)],
    "qom-type",
    &[
        ("iothread", &IOTHREAD_PROPERTIES),
        ("memory-backend-ram", &MEMORY_PROPERTIES),
        ("rng-random", &RNG_RANDOM_PROPERTIES),
        ("secret", &SECRET_PROPERTIES),
    ],
);
pub(super) static OBJECT_DEL_ARGS: Object = object("q_obj_object-del", &[required("id", Type::Str)]);

pub(super) static IOTHREAD_INFO: Object = object(
    "IOThreadInfo",
    &[
        required("id", Type::Str),
        required("thread-id", Type::Int),
        required("poll-max-ns", Type::Int),
        required("poll-grow", Type::Int),
        required("poll-shrink", Type::Int),
        required("aio-max-batch", Type::Int),
    ],
);
pub(super) static MEMDEV: Object = object(
    "Memdev",
    &[
        optional("id", Type::Str),
        required("size", Type::Int),
        required("merge", Type::Bool),
        required("dump", Type::Bool),
        required("prealloc", Type::Bool),
        required("share", Type::Bool),
        optional("reserve", Type::Bool),
        required("host-nodes", Type::Array(&Type::Int)),
        required("policy", Type::Enum(&POLICY)),
    ],
);

pub(super) fn object_add(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    let (type_name, id) = (args.required_str("qom-type")?, args.required_str("id")?);
    check_id("id", id)?;
    let qom_type =
        find_type(type_name).ok_or_else(|| CommandError::generic(format!("type '{type_name}' not found")))?;
    let objects = machine.qom_tree.find_mut(OBJECTS)?;
    if objects.child(id).is_some() {
        return Err(CommandError::generic(format!("object '{id}' already exists")));
    }
    if objects.children().count() >= MAX_OBJECTS {
        return Err(CommandError::generic(format!("the demo machine has at most {MAX_OBJECTS} objects")));
    }
    if args.get("size").is_some_and(|size| size.as_u64().is_none_or(|size| size == 0)) {
        return Err(CommandError::generic("argument 'size' must be greater than 0"));
    }
    if type_name == "secret" && args.get("data").is_some() == args.get("file").is_some() {
        return Err(CommandError::generic("a secret must have only one of 'data' and 'file'"));
    }
    let values = args.0.iter().filter(|(name, _)| !["qom-type", "id"].contains(&name.as_str()));
    objects.add_child(id, QomObject::instance_of(qom_type, values)?);
    no_result()
}

pub(super) fn object_del(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    let id = args.required_str("id")?;
    if machine.qom_tree.find(OBJECTS)?.child(id).is_none() {
        return Err(CommandError::generic(format!("object '{id}' not found")));
    }
    let path = format!("{OBJECTS}/{id}");
    for parent in [PERIPHERAL, PERIPHERAL_ANON] {
        let mut devices = machine.qom_tree.find(parent)?.children();
        if let Some((name, _)) = devices.find(|(_, device)| device.links_to(&path)) {
            return Err(CommandError::generic(format!("object '{id}' is in use by device '{name}'")));
        }
    }
    if machine.qom_tree.get("/machine", "memory-backend")? == path.as_str() {
        return Err(CommandError::generic(format!("object '{id}' is the memory of the machine")));
    }
    machine.qom_tree.remove_child(OBJECTS, id);
    no_result()
}

/// Returns the id and the named properties of each object of a type.
fn query_objects(machine: &Machine, type_name: &str, names: &[&str]) -> Result<Vec<Value>, CommandError> {
    let objects = machine.qom_tree.find(OBJECTS)?.children().filter(|(_, object)| object.type_name() == type_name);
    let describe = |(id, object): (&str, &QomObject)| {
        let mut value = json!({"id": id});
        for name in names {
            value[*name] = object.property(name).cloned().unwrap_or_default();
        }
        value
    };
    Ok(objects.map(describe).collect())
}

pub(super) fn query_iothreads(machine: &mut Machine, _: Args<'_>) -> CommandResult {
    let mut list = query_objects(machine, "iothread", &["poll-max-ns", "poll-grow", "poll-shrink", "aio-max-batch"])?;
    for (thread_id, value) in (FIRST_IOTHREAD_ID..).zip(&mut list) {
        value["thread-id"] = thread_id.into();
    }
    Ok(Value::Array(list))
}

pub(super) fn query_memdev(machine: &mut Machine, _: Args<'_>) -> CommandResult {
    let names = ["size", "merge", "dump", "prealloc", "share", "reserve", "policy"];
    let mut list = query_objects(machine, "memory-backend-ram", &names)?;
    for value in &mut list {
        value["host-nodes"] = json!([]);
    }
    Ok(Value::Array(list))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::run;
    use super::*;
    use crate::demo::machine_config::default_machine;

    #[test]
    fn declares_options_that_are_properties_of_the_type() {
        for (type_name, variant) in OBJECT_OPTIONS.union.as_ref().unwrap().variants {
            let qom_type = find_type(type_name).unwrap();
            for member in variant.members {
                let is_property = qom_type.properties().any(|property| property.name == member.name);
                assert!(is_property, "{type_name}.{}", member.name);
            }
        }
    }

    #[test]
    fn deletes_only_unused_objects() {
        let mut machine = default_machine();
        run(&mut machine, "object-add", json!({"qom-type": "rng-random", "id": "r"})).unwrap();
        run(&mut machine, "device_add", json!({"driver": "virtio-rng-pci", "id": "d", "rng": "r"})).unwrap();
        let used = run(&mut machine, "object-del", json!({"id": "r"})).unwrap_err();
        assert_eq!(used, "object 'r' is in use by device 'd'");
        run(&mut machine, "object-add", json!({"qom-type": "iothread", "id": "io"})).unwrap();
        run(&mut machine, "object-del", json!({"id": "io"})).unwrap();
        let left = run(&mut machine, "query-iothreads", json!({})).unwrap();
        assert_eq!((left[0]["id"].as_str(), left.as_array().map(Vec::len)), (Some("iothread0"), Some(1)));
        assert_eq!(run(&mut machine, "object-del", json!({"id": "x"})).unwrap_err(), "object 'x' not found");
        assert_eq!(
            run(&mut machine, "object-del", json!({"id": "ram"})).unwrap_err(),
            "object 'ram' is the memory of the machine"
        );
    }

    #[test]
    fn checks_memory_size_and_secret_source() {
        let mut machine = default_machine();
        let memory = |size: i64| json!({"qom-type": "memory-backend-ram", "id": "m", "size": size});
        assert!(run(&mut machine, "object-add", memory(0)).is_err());
        assert!(run(&mut machine, "object-add", memory(-1)).is_err());
        run(&mut machine, "object-add", memory(4096)).unwrap();
        assert_eq!(run(&mut machine, "query-memdev", json!({})).unwrap()[1]["size"], 4096);
        assert!(run(&mut machine, "object-add", json!({"qom-type": "secret", "id": "s"})).is_err());
        run(&mut machine, "object-add", json!({"qom-type": "secret", "id": "s", "data": "x"})).unwrap();
    }
}
