//! Options and arguments: their names, values and help. Those that only `qmp` or `qom` has are in its module.

mod common;
mod sections;
mod shell;
mod values;
mod wrap;

pub(super) use common::{
    CommonArgs, CompletionArgs, GenerateArgs, GuestAgentArgs, HEADING_ACTIONS, HEADING_CONNECTION, RequestArgs,
    SessionArgs, WaitArgs,
};
pub(super) use sections::{
    COLOR, DISCONNECTED, HelpExt, NOT_CONNECTED, PAGER, QMP_SOCKET, SUCCESS, Section, USAGE_ERROR, after_long_help,
    help_command,
};
pub(super) use shell::ShellArgs;
pub(super) use values::{
    ADDRESS_HELP, ADDRESS_SUMMARY, Color, Generate, NamedAddress, address_from_environment, address_parser,
    environment_variable, interval,
};
pub(super) use wrap::WrapArgs;
