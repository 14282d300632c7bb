//! Commands of user-created objects under `/objects`: threads, secrets, memory, randomness.

use serde_json::{Value, json};

use super::{Command, NOTHING, command, nothing};
use crate::demo::args::{Args, check_id};
use crate::demo::catalog::find;
use crate::demo::failure::{Failure, Outcome};
use crate::demo::machine::Machine;
use crate::demo::tree::QomObject;
use crate::demo::types::{EMPTY, Enum, Member, Object, Type, Union, object, opt, req};

/// Where the objects stand.
const OBJECTS: &str = "/objects";

/// More objects than this are refused.
const LIMIT: usize = 256;

static OBJECT_TYPE: Enum =
    Enum { name: "ObjectType", values: &["iothread", "memory-backend-ram", "rng-random", "secret"] };
static POLICY: Enum = Enum { name: "HostMemPolicy", values: &["default", "preferred", "bind", "interleave"] };
static SECRET_FORMAT: Enum = Enum { name: "QCryptoSecretFormat", values: &["raw", "base64"] };
static IOTHREAD: Object = object(
    "IothreadProperties",
    &[
        opt("aio-max-batch", Type::Int),
        opt("thread-pool-min", Type::Int),
        opt("thread-pool-max", Type::Int),
        opt("poll-max-ns", Type::Int),
        opt("poll-grow", Type::Int),
        opt("poll-shrink", Type::Int),
    ],
);
static MEMORY: Object = object(
    "MemoryBackendProperties",
    &[
        opt("dump", Type::Bool),
        opt("merge", Type::Bool),
        opt("policy", Type::Enum(&POLICY)),
        opt("prealloc", Type::Bool),
        opt("share", Type::Bool),
        opt("reserve", Type::Bool),
        req("size", Type::Int),
    ],
);
static RANDOM: Object = object(
    "RngRandomProperties",
    &[Member { features: &["deprecated"], ..opt("opened", Type::Bool) }, opt("filename", Type::Str)],
);
static SECRET: Object = object(
    "SecretProperties",
    &[
        opt("format", Type::Enum(&SECRET_FORMAT)),
        opt("keyid", Type::Str),
        opt("iv", Type::Str),
        opt("data", Type::Str),
        opt("file", Type::Str),
    ],
);

/// What `object-add` takes.
pub static OBJECT_OPTIONS: Object = Object {
    name: "ObjectOptions",
    members: &[req("qom-type", Type::Enum(&OBJECT_TYPE)), req("id", Type::Str)],
    union: Some(Union {
        tag: "qom-type",
        variants: &[
            ("iothread", &IOTHREAD),
            ("memory-backend-ram", &MEMORY),
            ("rng-random", &RANDOM),
            ("secret", &SECRET),
        ],
    }),
    open: false,
};
static DEL_ARGS: Object = object("q_obj_object-del", &[req("id", Type::Str)]);

static IOTHREAD_INFO: Object = object(
    "IOThreadInfo",
    &[
        req("id", Type::Str),
        req("thread-id", Type::Int),
        req("poll-max-ns", Type::Int),
        req("poll-grow", Type::Int),
        req("poll-shrink", Type::Int),
        req("aio-max-batch", Type::Int),
    ],
);
static MEMDEV: Object = object(
    "Memdev",
    &[
        opt("id", Type::Str),
        req("size", Type::Int),
        req("merge", Type::Bool),
        req("dump", Type::Bool),
        req("prealloc", Type::Bool),
        req("share", Type::Bool),
        opt("reserve", Type::Bool),
        req("host-nodes", Type::Array(&Type::Int)),
        req("policy", Type::Enum(&POLICY)),
    ],
);

/// The commands of this file.
pub static COMMANDS: &[Command] = &[
    command("object-add", &OBJECT_OPTIONS, NOTHING, object_add),
    command("object-del", &DEL_ARGS, NOTHING, object_del),
    command("query-iothreads", &EMPTY, Type::Array(&Type::Object(&IOTHREAD_INFO)), query_iothreads),
    command("query-memdev", &EMPTY, Type::Array(&Type::Object(&MEMDEV)), query_memdev),
];

fn object_add(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let (typename, id) = (args.text("qom-type")?, args.text("id")?);
    check_id("id", id)?;
    let entry = find(typename).ok_or_else(|| Failure::new(format!("there is no type '{typename}'")))?;
    let objects = machine.tree.find_mut(OBJECTS)?;
    if objects.child(id).is_some() {
        return Err(Failure::new(format!("there is an object '{id}' already")));
    }
    if objects.children().count() >= LIMIT {
        return Err(Failure::new(format!("the demo machine has room for {LIMIT} objects at most")));
    }
    let positive = |name| args.get(name).is_none_or(|value| value.as_u64().is_some_and(|number| number > 0));
    if !positive("size") {
        return Err(Failure::new("argument 'size' must be more than 0"));
    }
    if typename == "secret" && args.get("data").is_some() == args.get("file").is_some() {
        return Err(Failure::new("a secret has either 'data' or 'file'"));
    }
    let given = args.0.iter().filter(|(name, _)| !["qom-type", "id"].contains(&name.as_str()));
    objects.add_child(id, QomObject::instance(entry, given)?);
    nothing()
}

fn object_del(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let id = args.text("id")?;
    if machine.tree.find(OBJECTS)?.child(id).is_none() {
        return Err(Failure::new(format!("there is no object '{id}'")));
    }
    let path = format!("{OBJECTS}/{id}");
    for parent in ["/machine/peripheral", "/machine/peripheral-anon"] {
        let mut devices = machine.tree.find(parent)?.children();
        if let Some((name, _)) = devices.find(|(_, device)| device.refers_to(&path)) {
            return Err(Failure::new(format!("object '{id}' is in use by device '{name}'")));
        }
    }
    if machine.tree.get("/machine", "memory-backend")? == path.as_str() {
        return Err(Failure::new(format!("object '{id}' is the machine's memory")));
    }
    machine.tree.remove(OBJECTS, id);
    nothing()
}

/// The id and the wanted properties of each object of a type.
fn query(machine: &Machine, typename: &str, names: &[&str]) -> Result<Vec<Value>, Failure> {
    let objects = machine.tree.find(OBJECTS)?.children().filter(|(_, object)| object.typename() == typename);
    let describe = |(id, object): (&str, &QomObject)| {
        let mut value = json!({"id": id});
        for name in names {
            value[*name] = object.property(name).cloned().unwrap_or_default();
        }
        value
    };
    Ok(objects.map(describe).collect())
}

fn query_iothreads(machine: &mut Machine, _: Args<'_>) -> Outcome {
    let mut list = query(machine, "iothread", &["poll-max-ns", "poll-grow", "poll-shrink", "aio-max-batch"])?;
    for (thread, value) in (4721..).zip(&mut list) {
        value["thread-id"] = Value::from(thread);
    }
    Ok(Value::Array(list))
}

fn query_memdev(machine: &mut Machine, _: Args<'_>) -> Outcome {
    let names = ["size", "merge", "dump", "prealloc", "share", "reserve", "policy"];
    let mut list = query(machine, "memory-backend-ram", &names)?;
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
    fn declared_options_are_properties_of_the_type() {
        for (typename, variant) in OBJECT_OPTIONS.union.as_ref().unwrap().variants {
            let entry = find(typename).unwrap();
            for member in variant.members {
                assert!(entry.properties().any(|property| property.name == member.name), "{typename}.{}", member.name);
            }
        }
    }

    #[test]
    fn objects_come_and_go_unless_used() {
        let mut machine = default_machine();
        run(&mut machine, "object-add", json!({"qom-type": "rng-random", "id": "r"})).unwrap();
        run(&mut machine, "device_add", json!({"driver": "virtio-rng-pci", "id": "d", "rng": "r"})).unwrap();
        let used = run(&mut machine, "object-del", json!({"id": "r"})).unwrap_err();
        assert_eq!(used, "object 'r' is in use by device 'd'");
        run(&mut machine, "object-add", json!({"qom-type": "iothread", "id": "io"})).unwrap();
        run(&mut machine, "object-del", json!({"id": "io"})).unwrap();
        let left = run(&mut machine, "query-iothreads", json!({})).unwrap();
        assert_eq!((left[0]["id"].as_str(), left.as_array().map(Vec::len)), (Some("iothread0"), Some(1)));
        assert_eq!(run(&mut machine, "object-del", json!({"id": "x"})).unwrap_err(), "there is no object 'x'");
        assert_eq!(
            run(&mut machine, "object-del", json!({"id": "ram"})).unwrap_err(),
            "object 'ram' is the machine's memory"
        );
    }

    #[test]
    fn memory_has_a_size_and_a_secret_one_source() {
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
