//! Commands that control the run state, the connection and the display passwords.

use serde_json::json;

use super::no_result;
use crate::demo::args::Args;
use crate::demo::error::{CommandError, CommandResult, ErrorClass};
use crate::demo::machine::Machine;
use crate::demo::qapi::{Enum, Object, Type, object, optional, required, union};

static CAPABILITY: Enum = Enum { name: "QMPCapability", values: &["oob"] };
pub(super) static QMP_CAPABILITIES_ARGS: Object =
    object("q_obj_qmp_capabilities", &[optional("enable", Type::Array(&Type::Enum(&CAPABILITY)))]);

static RUN_STATE: Enum = Enum {
    name: "RunState",
    values: &[
        "debug",
        "inmigrate",
        "internal-error",
        "io-error",
        "paused",
        "postmigrate",
        "prelaunch",
        "finish-migrate",
        "restore-vm",
        "running",
        "save-vm",
        "shutdown",
        "suspended",
        "watchdog",
        "guest-panicked",
        "colo",
    ],
};
pub(super) static STATUS_INFO: Object =
    object("StatusInfo", &[required("running", Type::Bool), required("status", Type::Enum(&RUN_STATE))]);

static DISPLAY_PROTOCOL: Enum = Enum { name: "DisplayProtocol", values: &["vnc", "spice"] };
static SET_PASSWORD_ACTION: Enum = Enum { name: "SetPasswordAction", values: &["keep", "fail", "disconnect"] };
static SET_PASSWORD_VNC: Object = object("SetPasswordOptionsVnc", &[optional("display", Type::Str)]);
pub(super) static SET_PASSWORD_ARGS: Object = union(
    "SetPasswordOptions",
    &[
        required("protocol", Type::Enum(&DISPLAY_PROTOCOL)),
        required("password", Type::Str),
        optional("connected", Type::Enum(&SET_PASSWORD_ACTION)),
    ],
    "protocol",
    &[("vnc", &SET_PASSWORD_VNC)],
);
pub(super) static CHANGE_VNC_PASSWORD_ARGS: Object =
    object("q_obj_change-vnc-password", &[required("password", Type::Str)]);

/// Refuses a second negotiation. The monitor handles the first one itself.
pub(super) fn qmp_capabilities(_: &mut Machine, _: Args<'_>) -> CommandResult {
    Err(CommandError::new(ErrorClass::CommandNotFound, "capabilities are already negotiated on this connection"))
}

pub(super) fn query_status(machine: &mut Machine, _: Args<'_>) -> CommandResult {
    let status = match (machine.has_ended(), machine.is_running()) {
        (true, _) => "shutdown",
        (false, true) => "running",
        (false, false) => "paused",
    };
    Ok(json!({"status": status, "running": machine.is_running()}))
}

pub(super) fn stop(machine: &mut Machine, _: Args<'_>) -> CommandResult {
    machine.stop();
    no_result()
}

pub(super) fn cont(machine: &mut Machine, _: Args<'_>) -> CommandResult {
    machine.resume();
    no_result()
}

pub(super) fn system_reset(machine: &mut Machine, _: Args<'_>) -> CommandResult {
    machine.reset();
    no_result()
}

pub(super) fn system_powerdown(machine: &mut Machine, _: Args<'_>) -> CommandResult {
    machine.power_down();
    no_result()
}

pub(super) fn quit(machine: &mut Machine, _: Args<'_>) -> CommandResult {
    machine.quit();
    no_result()
}

/// Checks the arguments and ignores the password.
pub(super) fn set_password(_: &mut Machine, args: Args<'_>) -> CommandResult {
    match (args.required_str("protocol")?, args.optional_str("connected")) {
        ("spice", _) => Err(CommandError::generic("the demo machine has only a VNC display")),
        (_, Some(action @ ("fail" | "disconnect"))) => {
            Err(CommandError::generic(format!("a VNC display does not support '{action}' for connected clients")))
        }
        _ => no_result(),
    }
}

pub(super) fn change_vnc_password(_: &mut Machine, _: Args<'_>) -> CommandResult {
    no_result()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{events, run};
    use crate::demo::machine_config::default_machine;

    #[test]
    fn reports_the_run_state() {
        let mut machine = default_machine();
        assert_eq!(run(&mut machine, "query-status", json!({})).unwrap()["status"], "running");
        run(&mut machine, "stop", json!({})).unwrap();
        assert_eq!(
            run(&mut machine, "query-status", json!({})).unwrap(),
            json!({"status": "paused", "running": false})
        );
        run(&mut machine, "cont", json!({})).unwrap();
        assert_eq!(events(&mut machine).iter().map(|event| event.0).collect::<Vec<_>>(), ["STOP", "RESUME"]);
    }

    #[test]
    fn sends_the_reason_for_a_shutdown() {
        let mut machine = default_machine();
        run(&mut machine, "system_reset", json!({})).unwrap();
        run(&mut machine, "quit", json!({})).unwrap();
        let reason = |reason| json!({"guest": false, "reason": reason});
        assert_eq!(
            events(&mut machine),
            [("RESET", reason("host-qmp-system-reset")), ("SHUTDOWN", reason("host-qmp-quit"))]
        );
        assert!(machine.has_ended());
    }

    #[test]
    fn sets_passwords_for_vnc_only() {
        let mut machine = default_machine();
        let set = |protocol, connected| json!({"protocol": protocol, "password": "x", "connected": connected});
        assert!(run(&mut machine, "set_password", set("vnc", "keep")).is_ok());
        assert!(run(&mut machine, "set_password", set("vnc", "fail")).is_err());
        assert!(run(&mut machine, "set_password", set("spice", "keep")).is_err());
    }
}
