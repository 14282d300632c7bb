//! The declared shape of introspection itself.

use crate::demo::types::{Enum, Member, Object, Type, Union, object, opt, req};

static META_TYPE: Enum =
    Enum { name: "SchemaMetaType", values: &["builtin", "enum", "array", "object", "alternate", "command", "event"] };
static JSON_TYPE: Enum =
    Enum { name: "JSONType", values: &["string", "number", "int", "boolean", "null", "object", "array", "value"] };

static BUILTIN: Object = object("SchemaInfoBuiltin", &[req("json-type", Type::Enum(&JSON_TYPE))]);
static ENUM_MEMBER: Object =
    object("SchemaInfoEnumMember", &[req("name", Type::Str), opt("features", Type::Array(&Type::Str))]);
static ENUM: Object = object(
    "SchemaInfoEnum",
    &[
        req("members", Type::Array(&Type::Object(&ENUM_MEMBER))),
        Member { features: &["deprecated"], ..req("values", Type::Array(&Type::Str)) },
    ],
);
static ARRAY: Object = object("SchemaInfoArray", &[req("element-type", Type::Str)]);
static OBJECT_MEMBER: Object = object(
    "SchemaInfoObjectMember",
    &[
        req("name", Type::Str),
        req("type", Type::Str),
        opt("default", Type::Any),
        opt("features", Type::Array(&Type::Str)),
    ],
);
static OBJECT_VARIANT: Object = object("SchemaInfoObjectVariant", &[req("case", Type::Str), req("type", Type::Str)]);
static OBJECT: Object = object(
    "SchemaInfoObject",
    &[
        req("members", Type::Array(&Type::Object(&OBJECT_MEMBER))),
        opt("tag", Type::Str),
        opt("variants", Type::Array(&Type::Object(&OBJECT_VARIANT))),
    ],
);
static ALTERNATE_MEMBER: Object = object("SchemaInfoAlternateMember", &[req("type", Type::Str)]);
static ALTERNATE: Object =
    object("SchemaInfoAlternate", &[req("members", Type::Array(&Type::Object(&ALTERNATE_MEMBER)))]);
static COMMAND: Object = object(
    "SchemaInfoCommand",
    &[req("arg-type", Type::Str), req("ret-type", Type::Str), opt("allow-oob", Type::Bool)],
);
static EVENT: Object = object("SchemaInfoEvent", &[req("arg-type", Type::Str)]);

/// One entity of `query-qmp-schema`.
pub static SCHEMA_INFO: Object = Object {
    name: "SchemaInfo",
    members: &[
        req("name", Type::Str),
        req("meta-type", Type::Enum(&META_TYPE)),
        opt("features", Type::Array(&Type::Str)),
    ],
    union: Some(Union {
        tag: "meta-type",
        variants: &[
            ("builtin", &BUILTIN),
            ("enum", &ENUM),
            ("array", &ARRAY),
            ("object", &OBJECT),
            ("alternate", &ALTERNATE),
            ("command", &COMMAND),
            ("event", &EVENT),
        ],
    }),
    open: false,
};
