//! The declared shapes of the block layer: options of nodes, descriptions of nodes and drives.

use crate::demo::types::{Alternate, Enum, Object, Type, Union, object, opt, req};

static DRIVER: Enum = Enum { name: "BlockdevDriver", values: &["null-aio", "null-co", "qcow2", "raw"] };
static DISCARD: Enum = Enum { name: "BlockdevDiscardOptions", values: &["ignore", "unmap"] };
static DETECT_ZEROES: Enum = Enum { name: "BlockdevDetectZeroesOptions", values: &["off", "on", "unmap"] };
static CACHE_OPTIONS: Object =
    object("BlockdevCacheOptions", &[opt("direct", Type::Bool), opt("no-flush", Type::Bool)]);

static NULL: Object = object(
    "BlockdevOptionsNull",
    &[opt("size", Type::Int), opt("latency-ns", Type::Int), opt("read-zeroes", Type::Bool)],
);
static RAW: Object = object(
    "BlockdevOptionsRaw",
    &[req("file", Type::Alternate(&REF)), opt("offset", Type::Int), opt("size", Type::Int)],
);
static QCOW2: Object = object(
    "BlockdevOptionsQcow2",
    &[
        req("file", Type::Alternate(&REF)),
        opt("backing", Type::Alternate(&REF_OR_NULL)),
        opt("lazy-refcounts", Type::Bool),
        opt("pass-discard-request", Type::Bool),
        opt("cache-size", Type::Int),
        opt("l2-cache-size", Type::Int),
    ],
);

static REF: Alternate = Alternate { name: "BlockdevRef", branches: &[Type::Object(&BLOCKDEV_OPTIONS), Type::Str] };
static REF_OR_NULL: Alternate =
    Alternate { name: "BlockdevRefOrNull", branches: &[Type::Object(&BLOCKDEV_OPTIONS), Type::Str, Type::Null] };

/// What `blockdev-add` takes.
pub static BLOCKDEV_OPTIONS: Object = Object {
    name: "BlockdevOptions",
    members: &[
        req("driver", Type::Enum(&DRIVER)),
        opt("node-name", Type::Str),
        opt("discard", Type::Enum(&DISCARD)),
        opt("cache", Type::Object(&CACHE_OPTIONS)),
        opt("read-only", Type::Bool),
        opt("auto-read-only", Type::Bool),
        opt("force-share", Type::Bool),
        opt("detect-zeroes", Type::Enum(&DETECT_ZEROES)),
    ],
    union: Some(Union {
        tag: "driver",
        variants: &[("null-aio", &NULL), ("null-co", &NULL), ("qcow2", &QCOW2), ("raw", &RAW)],
    }),
    open: false,
};

static BITMAP_INFO: Object = object(
    "BlockDirtyInfo",
    &[
        opt("name", Type::Str),
        req("count", Type::Int),
        req("granularity", Type::Int),
        req("recording", Type::Bool),
        req("busy", Type::Bool),
        req("persistent", Type::Bool),
        opt("inconsistent", Type::Bool),
    ],
);
static CACHE_INFO: Object = object(
    "BlockdevCacheInfo",
    &[req("writeback", Type::Bool), req("direct", Type::Bool), req("no-flush", Type::Bool)],
);
static IMAGE_INFO: Object = object(
    "ImageInfo",
    &[
        req("filename", Type::Str),
        req("format", Type::Str),
        opt("dirty-flag", Type::Bool),
        opt("actual-size", Type::Int),
        req("virtual-size", Type::Int),
        opt("cluster-size", Type::Int),
        opt("backing-filename", Type::Str),
        opt("backing-image", Type::Object(&IMAGE_INFO)),
    ],
);

/// One entry of `query-named-block-nodes`.
pub static DEVICE_INFO: Object = object(
    "BlockDeviceInfo",
    &[
        req("file", Type::Str),
        opt("node-name", Type::Str),
        req("ro", Type::Bool),
        req("drv", Type::Str),
        opt("backing_file", Type::Str),
        req("backing_file_depth", Type::Int),
        req("active", Type::Bool),
        req("encrypted", Type::Bool),
        req("detect_zeroes", Type::Enum(&DETECT_ZEROES)),
        req("bps", Type::Int),
        req("bps_rd", Type::Int),
        req("bps_wr", Type::Int),
        req("iops", Type::Int),
        req("iops_rd", Type::Int),
        req("iops_wr", Type::Int),
        req("image", Type::Object(&IMAGE_INFO)),
        req("cache", Type::Object(&CACHE_INFO)),
        req("write_threshold", Type::Int),
        opt("dirty-bitmaps", Type::Array(&Type::Object(&BITMAP_INFO))),
    ],
);

/// The state of a device after errors.
pub static IO_STATUS: Enum = Enum { name: "BlockDeviceIoStatus", values: &["ok", "failed", "nospace"] };

/// One entry of `query-block`.
pub static BLOCK_INFO: Object = object(
    "BlockInfo",
    &[
        req("device", Type::Str),
        opt("qdev", Type::Str),
        req("type", Type::Str),
        req("removable", Type::Bool),
        req("locked", Type::Bool),
        opt("inserted", Type::Object(&DEVICE_INFO)),
        opt("tray_open", Type::Bool),
        opt("io-status", Type::Enum(&IO_STATUS)),
    ],
);
