//! Declarations of the types of `query-qmp-schema`.

use crate::demo::qapi::{Enum, Member, Object, Type, object, optional, required, union};

static META_TYPE: Enum =
    Enum { name: "SchemaMetaType", values: &["builtin", "enum", "array", "object", "alternate", "command", "event"] };
static JSON_TYPE: Enum =
    Enum { name: "JSONType", values: &["string", "number", "int", "boolean", "null", "object", "array", "value"] };

static BUILTIN: Object = object("SchemaInfoBuiltin", &[required("json-type", Type::Enum(&JSON_TYPE))]);
static ENUM_MEMBER: Object =
    object("SchemaInfoEnumMember", &[required("name", Type::Str), optional("features", Type::Array(&Type::Str))]);
static ENUM: Object = object(
    "SchemaInfoEnum",
    &[
        required("members", Type::Array(&Type::Object(&ENUM_MEMBER))),
        Member { features: &["deprecated"], ..required("values", Type::Array(&Type::Str)) },
    ],
);
static ARRAY: Object = object("SchemaInfoArray", &[required("element-type", Type::Str)]);
static OBJECT_MEMBER: Object = object(
    "SchemaInfoObjectMember",
    &[
        required("name", Type::Str),
        required("type", Type::Str),
        optional("default", Type::Any),
        optional("features", Type::Array(&Type::Str)),
    ],
);
static OBJECT_VARIANT: Object =
    object("SchemaInfoObjectVariant", &[required("case", Type::Str), required("type", Type::Str)]);
static OBJECT: Object = object(
    "SchemaInfoObject",
    &[
        required("members", Type::Array(&Type::Object(&OBJECT_MEMBER))),
        optional("tag", Type::Str),
        optional("variants", Type::Array(&Type::Object(&OBJECT_VARIANT))),
    ],
);
static ALTERNATE_MEMBER: Object = object("SchemaInfoAlternateMember", &[required("type", Type::Str)]);
static ALTERNATE: Object =
    object("SchemaInfoAlternate", &[required("members", Type::Array(&Type::Object(&ALTERNATE_MEMBER)))]);
static COMMAND: Object = object(
    "SchemaInfoCommand",
    &[required("arg-type", Type::Str), required("ret-type", Type::Str), optional("allow-oob", Type::Bool)],
);
static EVENT: Object = object("SchemaInfoEvent", &[required("arg-type", Type::Str)]);

pub(super) static SCHEMA_INFO: Object = union(
    "SchemaInfo",
    &[
        required("name", Type::Str),
        required("meta-type", Type::Enum(&META_TYPE)),
        optional("features", Type::Array(&Type::Str)),
    ],
    "meta-type",
    &[
        ("builtin", &BUILTIN),
        ("enum", &ENUM),
        ("array", &ARRAY),
        ("object", &OBJECT),
        ("alternate", &ALTERNATE),
        ("command", &COMMAND),
        ("event", &EVENT),
    ],
);
