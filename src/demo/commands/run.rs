//! Commands that run, stop and end the machine, and those of the connection itself.

use serde_json::json;

use super::{Command, NOTHING, command, nothing};
use crate::demo::args::Args;
use crate::demo::failure::{Class, Failure, Outcome};
use crate::demo::hmp;
use crate::demo::machine::{CPUS, Machine};
use crate::demo::types::{EMPTY, Enum, Object, Type, Union, object, opt, req};

static CAPABILITY: Enum = Enum { name: "QMPCapability", values: &["oob"] };
static CAPABILITIES_ARGS: Object =
    object("q_obj_qmp_capabilities", &[opt("enable", Type::Array(&Type::Enum(&CAPABILITY)))]);

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
static STATUS_INFO: Object = object("StatusInfo", &[req("running", Type::Bool), req("status", Type::Enum(&RUN_STATE))]);

static HMP_ARGS: Object =
    object("q_obj_human-monitor-command", &[req("command-line", Type::Str), opt("cpu-index", Type::Int)]);

static DISPLAY_PROTOCOL: Enum = Enum { name: "DisplayProtocol", values: &["vnc", "spice"] };
static SET_PASSWORD_ACTION: Enum = Enum { name: "SetPasswordAction", values: &["keep", "fail", "disconnect"] };
static SET_PASSWORD_VNC: Object = object("SetPasswordOptionsVnc", &[opt("display", Type::Str)]);
static SET_PASSWORD_ARGS: Object = Object {
    name: "SetPasswordOptions",
    members: &[
        req("protocol", Type::Enum(&DISPLAY_PROTOCOL)),
        req("password", Type::Str),
        opt("connected", Type::Enum(&SET_PASSWORD_ACTION)),
    ],
    union: Some(Union { tag: "protocol", variants: &[("vnc", &SET_PASSWORD_VNC)] }),
    open: false,
};
static CHANGE_PASSWORD_ARGS: Object = object("q_obj_change-vnc-password", &[req("password", Type::Str)]);

/// The commands of this file.
pub static COMMANDS: &[Command] = &[
    command("qmp_capabilities", &CAPABILITIES_ARGS, NOTHING, qmp_capabilities),
    command("query-status", &EMPTY, Type::Object(&STATUS_INFO), query_status),
    command("stop", &EMPTY, NOTHING, stop),
    command("cont", &EMPTY, NOTHING, cont),
    command("system_reset", &EMPTY, NOTHING, system_reset),
    command("system_powerdown", &EMPTY, NOTHING, system_powerdown),
    command("quit", &EMPTY, NOTHING, quit),
    Command {
        features: &["savevm-monitor-nodes"],
        ..command("human-monitor-command", &HMP_ARGS, Type::Str, human_monitor_command)
    },
    command("set_password", &SET_PASSWORD_ARGS, NOTHING, set_password),
    command("change-vnc-password", &CHANGE_PASSWORD_ARGS, NOTHING, change_vnc_password),
];

/// The monitor handles the command while it is in place; here it is always late.
fn qmp_capabilities(_: &mut Machine, _: Args<'_>) -> Outcome {
    Err(Failure::of(Class::CommandNotFound, "capabilities have been negotiated already on this connection"))
}

fn query_status(machine: &mut Machine, _: Args<'_>) -> Outcome {
    let status = match (machine.has_ended(), machine.is_running()) {
        (true, _) => "shutdown",
        (false, true) => "running",
        (false, false) => "paused",
    };
    Ok(json!({"status": status, "running": machine.is_running()}))
}

fn stop(machine: &mut Machine, _: Args<'_>) -> Outcome {
    machine.stop();
    nothing()
}

fn cont(machine: &mut Machine, _: Args<'_>) -> Outcome {
    machine.resume();
    nothing()
}

fn system_reset(machine: &mut Machine, _: Args<'_>) -> Outcome {
    machine.reset();
    nothing()
}

fn system_powerdown(machine: &mut Machine, _: Args<'_>) -> Outcome {
    machine.power_down();
    nothing()
}

fn quit(machine: &mut Machine, _: Args<'_>) -> Outcome {
    machine.quit();
    nothing()
}

fn human_monitor_command(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let cpu = args.number("cpu-index").unwrap_or(0);
    if cpu >= CPUS {
        return Err(Failure::new(format!("there is no CPU {cpu}: 'cpu-index' goes from 0 to {}", CPUS - 1)));
    }
    Ok(hmp::run(machine, args.text("command-line")?, cpu).into())
}

/// Passwords are looked at by nobody and kept nowhere.
fn set_password(_: &mut Machine, args: Args<'_>) -> Outcome {
    match (args.text("protocol")?, args.maybe_text("connected")) {
        ("spice", _) => Err(Failure::new("the demo machine has a VNC display and no SPICE")),
        (_, Some(action @ ("fail" | "disconnect"))) => {
            Err(Failure::new(format!("a VNC display cannot '{action}' those who are connected")))
        }
        _ => nothing(),
    }
}

fn change_vnc_password(_: &mut Machine, _: Args<'_>) -> Outcome {
    nothing()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{events, run};
    use crate::demo::machine_config::default_machine;

    #[test]
    fn the_run_state_follows_stop_and_cont() {
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
    fn quitting_says_why() {
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
    fn passwords_are_for_vnc() {
        let mut machine = default_machine();
        let set = |protocol, connected| json!({"protocol": protocol, "password": "x", "connected": connected});
        assert!(run(&mut machine, "set_password", set("vnc", "keep")).is_ok());
        assert!(run(&mut machine, "set_password", set("vnc", "fail")).is_err());
        assert!(run(&mut machine, "set_password", set("spice", "keep")).is_err());
    }

    #[test]
    fn a_cpu_index_out_of_range_is_a_failure_of_qmp() {
        let mut machine = default_machine();
        let line = json!({"command-line": "info registers", "cpu-index": 2});
        assert_eq!(
            run(&mut machine, "human-monitor-command", line).unwrap_err(),
            "there is no CPU 2: 'cpu-index' goes from 0 to 1"
        );
    }
}
