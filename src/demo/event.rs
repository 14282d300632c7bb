//! The events of the machine: their declarations, and one that has happened. Stamps no time: the monitor does, as it sends.

use serde_json::Value;

use super::types::{EMPTY, Enum, Object, Type, object, opt, req};

/// The declaration of an event.
pub struct EventType {
    /// Its name.
    pub name: &'static str,
    /// What its data hold.
    pub data: &'static Object,
}

/// An event that has happened.
#[derive(Clone)]
pub struct Event {
    /// Which one.
    pub kind: &'static EventType,
    /// Its data; `None` where the declaration has no members.
    pub data: Option<Value>,
}

static SHUTDOWN_CAUSE: Enum = Enum {
    name: "ShutdownCause",
    values: &[
        "none",
        "host-error",
        "host-qmp-quit",
        "host-qmp-system-reset",
        "host-signal",
        "host-ui",
        "guest-shutdown",
        "guest-reset",
        "guest-panic",
        "subsystem-reset",
        "snapshot-load",
    ],
};

static SHUTDOWN_DATA: Object =
    object("q_obj_SHUTDOWN", &[req("guest", Type::Bool), req("reason", Type::Enum(&SHUTDOWN_CAUSE))]);
static DEVICE_DELETED_DATA: Object =
    object("q_obj_DEVICE_DELETED", &[opt("device", Type::Str), req("path", Type::Str)]);
static JOB_STATUS_DATA: Object =
    object("q_obj_JOB_STATUS_CHANGE", &[req("id", Type::Str), req("status", Type::Enum(&JOB_STATUS))]);
static BLOCK_JOB_DATA: Object = object(
    "q_obj_BLOCK_JOB",
    &[
        req("type", Type::Enum(&JOB_TYPE)),
        req("device", Type::Str),
        req("len", Type::Int),
        req("offset", Type::Int),
        req("speed", Type::Int),
    ],
);
static BLOCK_JOB_COMPLETED_DATA: Object = object(
    "q_obj_BLOCK_JOB_COMPLETED",
    &[
        req("type", Type::Enum(&JOB_TYPE)),
        req("device", Type::Str),
        req("len", Type::Int),
        req("offset", Type::Int),
        req("speed", Type::Int),
        opt("error", Type::Str),
    ],
);
static BLOCK_JOB_PENDING_DATA: Object =
    object("q_obj_BLOCK_JOB_PENDING", &[req("type", Type::Enum(&JOB_TYPE)), req("id", Type::Str)]);

/// The kinds of jobs. This machine only mirrors.
pub static JOB_TYPE: Enum = Enum {
    name: "JobType",
    values: &[
        "commit",
        "stream",
        "mirror",
        "backup",
        "create",
        "amend",
        "snapshot-load",
        "snapshot-save",
        "snapshot-delete",
    ],
};

/// The states of a job.
pub static JOB_STATUS: Enum = Enum {
    name: "JobStatus",
    values: &[
        "undefined",
        "created",
        "running",
        "paused",
        "ready",
        "standby",
        "waiting",
        "pending",
        "aborting",
        "concluded",
        "null",
    ],
};

/// The machine ends.
pub static SHUTDOWN: EventType = EventType { name: "SHUTDOWN", data: &SHUTDOWN_DATA };
/// The guest was asked to power down.
pub static POWERDOWN: EventType = EventType { name: "POWERDOWN", data: &EMPTY };
/// The machine was reset.
pub static RESET: EventType = EventType { name: "RESET", data: &SHUTDOWN_DATA };
/// The guest stands still.
pub static STOP: EventType = EventType { name: "STOP", data: &EMPTY };
/// The guest goes on.
pub static RESUME: EventType = EventType { name: "RESUME", data: &EMPTY };
/// A device has gone.
pub static DEVICE_DELETED: EventType = EventType { name: "DEVICE_DELETED", data: &DEVICE_DELETED_DATA };
/// A job went from one state to another.
pub static JOB_STATUS_CHANGE: EventType = EventType { name: "JOB_STATUS_CHANGE", data: &JOB_STATUS_DATA };
/// A block job may be completed.
pub static BLOCK_JOB_READY: EventType = EventType { name: "BLOCK_JOB_READY", data: &BLOCK_JOB_DATA };
/// A block job waits for `job-finalize`.
pub static BLOCK_JOB_PENDING: EventType = EventType { name: "BLOCK_JOB_PENDING", data: &BLOCK_JOB_PENDING_DATA };
/// A block job has done its work.
pub static BLOCK_JOB_COMPLETED: EventType = EventType { name: "BLOCK_JOB_COMPLETED", data: &BLOCK_JOB_COMPLETED_DATA };
/// A block job was given up.
pub static BLOCK_JOB_CANCELLED: EventType = EventType { name: "BLOCK_JOB_CANCELLED", data: &BLOCK_JOB_DATA };

/// All events, for introspection.
pub static EVENTS: &[&EventType] = &[
    &SHUTDOWN,
    &POWERDOWN,
    &RESET,
    &STOP,
    &RESUME,
    &DEVICE_DELETED,
    &JOB_STATUS_CHANGE,
    &BLOCK_JOB_READY,
    &BLOCK_JOB_PENDING,
    &BLOCK_JOB_COMPLETED,
    &BLOCK_JOB_CANCELLED,
];

impl Event {
    /// An event without data.
    pub fn bare(kind: &'static EventType) -> Self {
        Event { kind, data: None }
    }

    /// An event with data, a value of the declared type.
    pub fn with(kind: &'static EventType, data: Value) -> Self {
        Event { kind, data: Some(data) }
    }
}
