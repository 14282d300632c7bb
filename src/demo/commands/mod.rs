//! The table of all commands: name, arguments, return type, handler. Dispatch, the check of arguments, `query-commands`
//! and introspection read it, and it is the only place that names handlers.
//!
//! Handlers get arguments that have passed the check. They must not know about requests and replies.

mod bitmap;
mod block;
mod block_types;
mod control;
mod device;
mod job;
mod object;
mod qom;
mod query;
mod schema_types;

use serde_json::{Map, Value};

use super::args::Args;
use super::check::check_arguments;
use super::error::{CommandError, CommandResult, ErrorClass};
use super::job::JobVerb;
use super::machine::Machine;
use super::qapi::{EMPTY, Object, Type};

pub struct Command {
    pub name: &'static str,
    pub args: &'static Object,
    pub returns: Type,
    /// Whether it may be executed out of band.
    pub allows_oob: bool,
    /// QAPI features, such as `deprecated`.
    pub features: &'static [&'static str],
    handler: Handler,
}

type Handler = fn(&mut Machine, Args<'_>) -> CommandResult;

const fn command(name: &'static str, args: &'static Object, returns: Type, handler: Handler) -> Command {
    Command { name, args, returns, allows_oob: false, features: &[], handler }
}

/// The return type of a command that returns nothing.
const NO_RESULT: Type = Type::Object(&EMPTY);

/// The return type of a command that returns a list of objects.
macro_rules! list_of {
    ($object:expr) => {
        Type::Array(&Type::Object(&$object))
    };
}

#[rustfmt::skip]
static COMMANDS: &[Command] = &[
    // Run state and connection.
    command("qmp_capabilities", &control::QMP_CAPABILITIES_ARGS, NO_RESULT, control::qmp_capabilities),
    command("query-status", &EMPTY, Type::Object(&control::STATUS_INFO), control::query_status),
    command("stop", &EMPTY, NO_RESULT, control::stop),
    command("cont", &EMPTY, NO_RESULT, control::cont),
    command("system_reset", &EMPTY, NO_RESULT, control::system_reset),
    command("system_powerdown", &EMPTY, NO_RESULT, control::system_powerdown),
    command("quit", &EMPTY, NO_RESULT, control::quit),
    command("set_password", &control::SET_PASSWORD_ARGS, NO_RESULT, control::set_password),
    command("change-vnc-password", &control::CHANGE_VNC_PASSWORD_ARGS, NO_RESULT, control::change_vnc_password),
    // Queries about the machine and the server.
    command("query-version", &EMPTY, Type::Object(&query::VERSION_INFO), query::query_version),
    command("query-name", &EMPTY, Type::Object(&query::NAME_INFO), query::query_name),
    command("query-uuid", &EMPTY, Type::Object(&query::UUID_INFO), query::query_uuid),
    command("query-kvm", &EMPTY, Type::Object(&query::KVM_INFO), query::query_kvm),
    command("query-commands", &EMPTY, list_of!(query::COMMAND_INFO), query::query_commands),
    command("query-qmp-schema", &EMPTY, list_of!(schema_types::SCHEMA_INFO), query::query_qmp_schema),
    command("query-cpus-fast", &EMPTY, list_of!(query::CPU_INFO_FAST), query::query_cpus_fast),
    command("query-chardev", &EMPTY, list_of!(query::CHARDEV_INFO), query::query_chardev),
    Command { allows_oob: true, ..command("query-yank", &EMPTY, list_of!(query::YANK_INSTANCE), query::query_yank) },
    // Block nodes.
    command("query-block", &EMPTY, list_of!(block_types::BLOCK_INFO),
        |machine, _| Ok(machine.block_graph.query_drives())),
    command("query-named-block-nodes", &block::QUERY_NAMED_BLOCK_NODES_ARGS, list_of!(block_types::BLOCK_DEVICE_INFO),
        |machine, _| Ok(machine.block_graph.query_nodes())),
    command("x-debug-query-block-graph", &EMPTY, Type::Object(&block_types::BLOCK_GRAPH),
        |machine, _| Ok(machine.block_graph.query_graph(&machine.jobs.users()))),
    command("blockdev-add", &block_types::BLOCKDEV_OPTIONS, NO_RESULT, block::blockdev_add),
    command("blockdev-del", &block::BLOCKDEV_DEL_ARGS, NO_RESULT, block::blockdev_del),
    // Dirty bitmaps.
    command("block-dirty-bitmap-add", &bitmap::BLOCK_DIRTY_BITMAP_ADD, NO_RESULT, bitmap::add_bitmap),
    command("block-dirty-bitmap-remove", &bitmap::BLOCK_DIRTY_BITMAP, NO_RESULT, bitmap::remove_bitmap),
    command("block-dirty-bitmap-clear", &bitmap::BLOCK_DIRTY_BITMAP, NO_RESULT, bitmap::clear_bitmap),
    command("transaction", &bitmap::TRANSACTION_ARGS, NO_RESULT, bitmap::transaction),
    // Jobs.
    command("query-jobs", &EMPTY, list_of!(job::JOB_INFO), |machine, _| Ok(machine.jobs.query_jobs())),
    command("query-block-jobs", &EMPTY, list_of!(job::BLOCK_JOB_INFO), |machine, _| Ok(machine.jobs.query_block_jobs())),
    command("blockdev-mirror", &job::BLOCKDEV_MIRROR_ARGS, NO_RESULT, job::blockdev_mirror),
    command("job-complete", &job::JOB_ARGS, NO_RESULT,
        |machine, args| job::apply_by_id(machine, args, JobVerb::Complete)),
    command("job-cancel", &job::JOB_ARGS, NO_RESULT,
        |machine, args| job::apply_by_id(machine, args, JobVerb::Cancel { force: true })),
    command("job-pause", &job::JOB_ARGS, NO_RESULT,
        |machine, args| job::apply_by_id(machine, args, JobVerb::Pause)),
    command("job-resume", &job::JOB_ARGS, NO_RESULT,
        |machine, args| job::apply_by_id(machine, args, JobVerb::Resume)),
    command("job-finalize", &job::JOB_ARGS, NO_RESULT,
        |machine, args| job::apply_by_id(machine, args, JobVerb::Finalize)),
    command("job-dismiss", &job::JOB_ARGS, NO_RESULT,
        |machine, args| job::apply_by_id(machine, args, JobVerb::Dismiss)),
    command("block-job-complete", &job::BLOCK_JOB_ARGS, NO_RESULT,
        |machine, args| job::apply_by_device(machine, args, JobVerb::Complete)),
    command("block-job-cancel", &job::BLOCK_JOB_CANCEL_ARGS, NO_RESULT, job::block_job_cancel),
    command("block-job-pause", &job::BLOCK_JOB_ARGS, NO_RESULT,
        |machine, args| job::apply_by_device(machine, args, JobVerb::Pause)),
    command("block-job-resume", &job::BLOCK_JOB_ARGS, NO_RESULT,
        |machine, args| job::apply_by_device(machine, args, JobVerb::Resume)),
    command("block-job-set-speed", &job::BLOCK_JOB_SET_SPEED_ARGS, NO_RESULT, job::block_job_set_speed),
    // Devices.
    Command {
        features: &["json-cli", "json-cli-hotplug"],
        ..command("device_add", &device::DEVICE_ADD_ARGS, NO_RESULT, device::device_add)
    },
    command("device_del", &device::DEVICE_DEL_ARGS, NO_RESULT, device::device_del),
    command("device-list-properties", &device::DEVICE_LIST_PROPERTIES_ARGS, list_of!(device::PROPERTY_INFO),
        device::device_list_properties),
    // User-creatable objects.
    command("object-add", &object::OBJECT_OPTIONS, NO_RESULT, object::object_add),
    command("object-del", &object::OBJECT_DEL_ARGS, NO_RESULT, object::object_del),
    command("query-iothreads", &EMPTY, list_of!(object::IOTHREAD_INFO), object::query_iothreads),
    command("query-memdev", &EMPTY, list_of!(object::MEMDEV), object::query_memdev),
    // The object tree.
    command("qom-list-types", &qom::QOM_LIST_TYPES_ARGS, list_of!(qom::OBJECT_TYPE_INFO), qom::qom_list_types),
    command("qom-list", &qom::QOM_LIST_ARGS, list_of!(device::PROPERTY_INFO), qom::qom_list),
    command("qom-get", &qom::QOM_GET_ARGS, Type::Any, qom::qom_get),
    command("qom-set", &qom::QOM_SET_ARGS, NO_RESULT, qom::qom_set),
];

/// Returns all commands in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter()
}

pub fn find(name: &str) -> Result<&'static Command, CommandError> {
    let not_found = || {
        let desc = format!("the demo machine has no command '{name}'");
        CommandError::new(ErrorClass::CommandNotFound, desc)
    };
    COMMANDS.iter().find(|command| command.name == name).ok_or_else(not_found)
}

impl Command {
    /// Checks the arguments and executes the command.
    pub fn execute(&self, machine: &mut Machine, arguments: &Map<String, Value>) -> CommandResult {
        check_arguments(self.args, arguments)?;
        (self.handler)(machine, Args(arguments))
    }
}

/// Returns the result of a command that returns nothing.
fn no_result() -> CommandResult {
    Ok(Value::Object(Map::new()))
}

#[cfg(test)]
pub mod testing {
    //! Helpers for tests of handlers, which check results and events against their declarations.

    use serde_json::Value;

    use crate::demo::check::check_value;
    use crate::demo::machine::Machine;

    /// Executes a command. The error is its description.
    pub fn run(machine: &mut Machine, name: &str, arguments: Value) -> Result<Value, String> {
        let command = super::find(name).map_err(|error| error.desc)?;
        let result = command.execute(machine, arguments.as_object().unwrap());
        if let Ok(value) = &result {
            assert_eq!(check_value(command.returns, value, "return"), Ok(()), "{name} returned {value}");
        }
        result.map_err(|error| error.desc)
    }

    /// Takes the events of the machine as names and data.
    pub fn events(machine: &mut Machine) -> Vec<(&'static str, Value)> {
        let checked = machine.take_events().into_iter().map(|event| {
            let data = event.data.unwrap_or_else(|| serde_json::json!({}));
            let declared = super::Type::Object(event.event_type.data);
            assert_eq!(check_value(declared, &data, event.event_type.name), Ok(()));
            (event.event_type.name, data)
        });
        checked.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::super::machine_config::default_machine;
    use super::testing::run;
    use super::*;

    #[test]
    fn gives_each_command_a_unique_name() {
        let mut seen = HashSet::new();
        assert!(all().all(|command| seen.insert(command.name)));
    }

    #[test]
    fn returns_what_each_query_declares() {
        let mut machine = default_machine();
        for command in all().filter(|command| command.name.contains("query-")) {
            run(&mut machine, command.name, json!({})).unwrap();
        }
    }

    #[test]
    fn checks_arguments_first() {
        let mut machine = default_machine();
        assert_eq!(run(&mut machine, "stop", json!({"x": 1})).unwrap_err(), "unknown argument 'x'");
        assert!(machine.is_running());
        assert_eq!(find("nope").map(|_| ()).unwrap_err().class, ErrorClass::CommandNotFound);
    }
}
