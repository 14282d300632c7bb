//! The declarations of events, and events that have happened. The monitor adds the time when it sends them.

use serde_json::Value;

use super::qapi::{EMPTY, Enum, Object, Type, object, optional, required};

pub struct EventType {
    pub name: &'static str,
    pub data: &'static Object,
}

#[derive(Clone)]
pub struct Event {
    pub event_type: &'static EventType,
    /// `None` if the declaration has no members.
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
    object("q_obj_SHUTDOWN", &[required("guest", Type::Bool), required("reason", Type::Enum(&SHUTDOWN_CAUSE))]);
static DEVICE_DELETED_DATA: Object =
    object("q_obj_DEVICE_DELETED", &[optional("device", Type::Str), required("path", Type::Str)]);
static JOB_STATUS_DATA: Object =
    object("q_obj_JOB_STATUS_CHANGE", &[required("id", Type::Str), required("status", Type::Enum(&JOB_STATUS))]);
static BLOCK_JOB_DATA: Object = object(
    "q_obj_BLOCK_JOB",
    &[
        required("type", Type::Enum(&JOB_TYPE)),
        required("device", Type::Str),
        required("len", Type::Int),
        required("offset", Type::Int),
        required("speed", Type::Int),
    ],
);
static BLOCK_JOB_COMPLETED_DATA: Object = object(
    "q_obj_BLOCK_JOB_COMPLETED",
    &[
        required("type", Type::Enum(&JOB_TYPE)),
        required("device", Type::Str),
        required("len", Type::Int),
        required("offset", Type::Int),
        required("speed", Type::Int),
        optional("error", Type::Str),
    ],
);
static BLOCK_JOB_PENDING_DATA: Object =
    object("q_obj_BLOCK_JOB_PENDING", &[required("type", Type::Enum(&JOB_TYPE)), required("id", Type::Str)]);

/// The kinds of jobs that QEMU has. This machine has mirrors only.
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

pub static SHUTDOWN: EventType = EventType { name: "SHUTDOWN", data: &SHUTDOWN_DATA };
pub static POWERDOWN: EventType = EventType { name: "POWERDOWN", data: &EMPTY };
pub static RESET: EventType = EventType { name: "RESET", data: &SHUTDOWN_DATA };
pub static STOP: EventType = EventType { name: "STOP", data: &EMPTY };
pub static RESUME: EventType = EventType { name: "RESUME", data: &EMPTY };
pub static DEVICE_DELETED: EventType = EventType { name: "DEVICE_DELETED", data: &DEVICE_DELETED_DATA };
pub static JOB_STATUS_CHANGE: EventType = EventType { name: "JOB_STATUS_CHANGE", data: &JOB_STATUS_DATA };
/// A block job can be completed.
pub static BLOCK_JOB_READY: EventType = EventType { name: "BLOCK_JOB_READY", data: &BLOCK_JOB_DATA };
/// A block job waits for `job-finalize`.
pub static BLOCK_JOB_PENDING: EventType = EventType { name: "BLOCK_JOB_PENDING", data: &BLOCK_JOB_PENDING_DATA };
pub static BLOCK_JOB_COMPLETED: EventType = EventType { name: "BLOCK_JOB_COMPLETED", data: &BLOCK_JOB_COMPLETED_DATA };
pub static BLOCK_JOB_CANCELLED: EventType = EventType { name: "BLOCK_JOB_CANCELLED", data: &BLOCK_JOB_DATA };

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
    pub fn without_data(event_type: &'static EventType) -> Self {
        Event { event_type, data: None }
    }

    /// Creates an event with data of the declared type.
    pub fn with_data(event_type: &'static EventType, data: Value) -> Self {
        Event { event_type, data: Some(data) }
    }
}
