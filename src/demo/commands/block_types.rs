//! Declarations of the types of the block layer: options of nodes, descriptions of nodes and drives.

use crate::demo::qapi::{Alternate, Enum, Object, Type, object, optional, required, union};

static DRIVER: Enum = Enum { name: "BlockdevDriver", values: &["null-aio", "null-co", "qcow2", "raw"] };
static DISCARD: Enum = Enum { name: "BlockdevDiscardOptions", values: &["ignore", "unmap"] };
static DETECT_ZEROES: Enum = Enum { name: "BlockdevDetectZeroesOptions", values: &["off", "on", "unmap"] };
static CACHE_OPTIONS: Object =
    object("BlockdevCacheOptions", &[optional("direct", Type::Bool), optional("no-flush", Type::Bool)]);

static NULL: Object = object(
    "BlockdevOptionsNull",
    &[optional("size", Type::Int), optional("latency-ns", Type::Int), optional("read-zeroes", Type::Bool)],
);
static RAW: Object = object(
    "BlockdevOptionsRaw",
    &[required("file", Type::Alternate(&REF)), optional("offset", Type::Int), optional("size", Type::Int)],
);
static QCOW2: Object = object(
    "BlockdevOptionsQcow2",
    &[
        required("file", Type::Alternate(&REF)),
        optional("backing", Type::Alternate(&REF_OR_NULL)),
        optional("lazy-refcounts", Type::Bool),
        optional("pass-discard-request", Type::Bool),
        optional("cache-size", Type::Int),
        optional("l2-cache-size", Type::Int),
    ],
);

static REF: Alternate = Alternate { name: "BlockdevRef", branches: &[Type::Object(&BLOCKDEV_OPTIONS), Type::Str] };
static REF_OR_NULL: Alternate =
    Alternate { name: "BlockdevRefOrNull", branches: &[Type::Object(&BLOCKDEV_OPTIONS), Type::Str, Type::Null] };

/// The arguments of `blockdev-add`.
pub(super) static BLOCKDEV_OPTIONS: Object = union(
    "BlockdevOptions",
    &[
        required("driver", Type::Enum(&DRIVER)),
        optional("node-name", Type::Str),
        optional("discard", Type::Enum(&DISCARD)),
        optional("cache", Type::Object(&CACHE_OPTIONS)),
        optional("read-only", Type::Bool),
        optional("auto-read-only", Type::Bool),
        optional("force-share", Type::Bool),
        optional("detect-zeroes", Type::Enum(&DETECT_ZEROES)),
    ],
    "driver",
    &[("null-aio", &NULL), ("null-co", &NULL), ("qcow2", &QCOW2), ("raw", &RAW)],
);

static BITMAP_INFO: Object = object(
    "BlockDirtyInfo",
    &[
        optional("name", Type::Str),
        required("count", Type::Int),
        required("granularity", Type::Int),
        required("recording", Type::Bool),
        required("busy", Type::Bool),
        required("persistent", Type::Bool),
        optional("inconsistent", Type::Bool),
    ],
);
static CACHE_INFO: Object = object(
    "BlockdevCacheInfo",
    &[required("writeback", Type::Bool), required("direct", Type::Bool), required("no-flush", Type::Bool)],
);
static IMAGE_INFO: Object = object(
    "ImageInfo",
    &[
        required("filename", Type::Str),
        required("format", Type::Str),
        optional("dirty-flag", Type::Bool),
        optional("actual-size", Type::Int),
        required("virtual-size", Type::Int),
        optional("cluster-size", Type::Int),
        optional("backing-filename", Type::Str),
        optional("backing-image", Type::Object(&IMAGE_INFO)),
    ],
);

/// An entry of `query-named-block-nodes`.
pub(super) static BLOCK_DEVICE_INFO: Object = object(
    "BlockDeviceInfo",
    &[
        required("file", Type::Str),
        optional("node-name", Type::Str),
        required("ro", Type::Bool),
        required("drv", Type::Str),
        optional("backing_file", Type::Str),
        required("backing_file_depth", Type::Int),
        required("active", Type::Bool),
        required("encrypted", Type::Bool),
        required("detect_zeroes", Type::Enum(&DETECT_ZEROES)),
        required("bps", Type::Int),
        required("bps_rd", Type::Int),
        required("bps_wr", Type::Int),
        required("iops", Type::Int),
        required("iops_rd", Type::Int),
        required("iops_wr", Type::Int),
        required("image", Type::Object(&IMAGE_INFO)),
        required("cache", Type::Object(&CACHE_INFO)),
        required("write_threshold", Type::Int),
        optional("dirty-bitmaps", Type::Array(&Type::Object(&BITMAP_INFO))),
    ],
);

pub(super) static IO_STATUS: Enum = Enum { name: "BlockDeviceIoStatus", values: &["ok", "failed", "nospace"] };

/// An entry of `query-block`.
pub(super) static BLOCK_INFO: Object = object(
    "BlockInfo",
    &[
        required("device", Type::Str),
        optional("qdev", Type::Str),
        required("type", Type::Str),
        required("removable", Type::Bool),
        required("locked", Type::Bool),
        optional("inserted", Type::Object(&BLOCK_DEVICE_INFO)),
        optional("tray_open", Type::Bool),
        optional("io-status", Type::Enum(&IO_STATUS)),
    ],
);

static GRAPH_NODE_TYPE: Enum =
    Enum { name: "XDbgBlockGraphNodeType", values: &["block-backend", "block-job", "block-driver"] };
static GRAPH_NODE: Object = object(
    "XDbgBlockGraphNode",
    &[required("id", Type::Int), required("type", Type::Enum(&GRAPH_NODE_TYPE)), required("name", Type::Str)],
);
static PERMISSION: Enum =
    Enum { name: "BlockPermission", values: &["consistent-read", "write", "write-unchanged", "resize"] };
static GRAPH_EDGE: Object = object(
    "XDbgBlockGraphEdge",
    &[
        required("parent", Type::Int),
        required("child", Type::Int),
        required("name", Type::Str),
        required("perm", Type::Array(&Type::Enum(&PERMISSION))),
        required("shared-perm", Type::Array(&Type::Enum(&PERMISSION))),
    ],
);

/// The result of `x-debug-query-block-graph`.
pub(super) static BLOCK_GRAPH: Object = object(
    "XDbgBlockGraph",
    &[
        required("nodes", Type::Array(&Type::Object(&GRAPH_NODE))),
        required("edges", Type::Array(&Type::Object(&GRAPH_EDGE))),
    ],
);
