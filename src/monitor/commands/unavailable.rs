//! The commands that no QMP command can serve.

use super::super::command::Command;
use super::super::parameter::{block_device, file_name, flag, format, index, integer, long_integer, text};

/// A reason that names what QMP lacks.
macro_rules! lacks {
    ($what:literal) => {
        concat!("QMP has no command that ", $what)
    };
}

pub(super) const COMMANDS: &[Command] = &[
    Command::unavailable(
        "boot_set",
        &[text("bootdevice")],
        "set the order of boot devices",
        lacks!("sets the boot order; `qom-set` of a device's `bootindex` does it for one device"),
    ),
    Command::unavailable(
        "gdbserver",
        &[text("device").optional()],
        "wait for a debugger",
        lacks!("starts a gdb server; start QEMU with -gdb"),
    ),
    Command::unavailable(
        "gpa2hpa",
        &[long_integer("addr")],
        "the host's physical address of a guest's",
        lacks!("translates addresses of the guest to physical ones of the host"),
    ),
    Command::unavailable(
        "hostfwd_add",
        &[text("arg1"), text("arg2").optional()],
        "forward a port of the host to the guest",
        lacks!("forwards ports; give hostfwd= to -netdev or netdev_add"),
    ),
    Command::unavailable(
        "hostfwd_remove",
        &[text("arg1"), text("arg2").optional()],
        "end the forwarding of a port",
        lacks!("ends the forwarding of ports"),
    ),
    Command::unavailable(
        "i",
        &[format("fmt"), integer("addr"), index("index")],
        "read an I/O port",
        lacks!("reads I/O ports"),
    ),
    Command::unavailable(
        "info capture",
        &[],
        "the audio captures",
        lacks!("tells about audio captures, which are deprecated"),
    ),
    Command::unavailable(
        "info cmma",
        &[],
        "the storage attributes of the guest's memory (s390x)",
        lacks!("reads CMMA attributes"),
    )
    .with_counterpart("dump-skeys"),
    Command::unavailable(
        "info lapic",
        &[integer("apic-id").optional()],
        "the state of a local APIC",
        lacks!("reads local APICs"),
    ),
    Command::unavailable(
        "info sync-profile",
        &[flag('m', "mean"), flag('n', "no_coalesce"), integer("max").optional()],
        "the results of profiling locks",
        lacks!("reads the profile of locks"),
    ),
    Command::unavailable(
        "info usbhost",
        &[],
        "the USB devices of the host",
        lacks!("lists the USB devices of the host"),
    ),
    Command::unavailable(
        "info usernet",
        &[],
        "the connections of user-mode networks",
        "QMP has no `x-query-usernet` before QEMU 11.2",
    ),
    Command::unavailable("info via", &[], "the state of VIA chips", lacks!("reads VIA chips")),
    Command::unavailable(
        "log",
        &[text("items")],
        "choose what QEMU logs",
        lacks!("chooses log items; start QEMU with -d"),
    ),
    Command::unavailable(
        "logfile",
        &[file_name("filename")],
        "choose the file of QEMU's log",
        lacks!("chooses the log file; start QEMU with -D"),
    ),
    Command::unavailable(
        "mce",
        &[
            flag('b', "broadcast"),
            integer("cpu_index"),
            integer("bank"),
            long_integer("status"),
            long_integer("mcg_status"),
            long_integer("addr"),
            long_integer("misc"),
        ],
        "inject a machine check",
        lacks!("injects machine checks"),
    ),
    Command::unavailable(
        "migration_mode",
        &[text("mode")],
        "choose how storage attributes migrate (s390x)",
        lacks!("chooses the migration of CMMA attributes"),
    )
    .with_counterpart("dump-skeys"),
    Command::unavailable(
        "mouse_set",
        &[integer("index")],
        "choose the mouse that receives events",
        lacks!("chooses the current mouse"),
    ),
    Command::unavailable(
        "o",
        &[format("fmt"), integer("addr"), integer("val")],
        "write to an I/O port",
        lacks!("writes to I/O ports"),
    ),
    Command::unavailable(
        "one-insn-per-tb",
        &[text("option").optional()],
        "execute one instruction per translation block",
        lacks!("sets this; start QEMU with -accel tcg,one-insn-per-tb=on"),
    ),
    Command::unavailable(
        "pcie_aer_inject_error",
        &[
            flag('a', "advisory_non_fatal"),
            flag('c', "correctable"),
            text("id"),
            text("error_status"),
            integer("header0").optional(),
            integer("header1").optional(),
            integer("header2").optional(),
            integer("header3").optional(),
            integer("prefix0").optional(),
            integer("prefix1").optional(),
            integer("prefix2").optional(),
            integer("prefix3").optional(),
        ],
        "inject an error of a PCIe device",
        lacks!("injects errors of PCIe devices"),
    ),
    Command::unavailable(
        "qemu-io",
        &[flag('d', "qdev"), block_device("device"), text("command")],
        "run a command of qemu-io on a block device",
        "QMP has no `x-qemu-io` before QEMU 11.2",
    ),
    Command::unavailable(
        "stopcapture",
        &[integer("n")],
        "end an audio capture",
        lacks!("ends audio captures, which are deprecated"),
    ),
    Command::unavailable(
        "singlestep",
        &[text("option").optional()],
        "execute one instruction per translation block",
        lacks!("sets this; start QEMU with -singlestep"),
    )
    // Removed from QEMU in the same version as this query.
    .with_counterpart("x-query-profile"),
    Command::unavailable(
        "sync-profile",
        &[text("op").optional()],
        "switch the profiling of locks",
        lacks!("switches the profiling of locks"),
    ),
    Command::unavailable(
        "trace-file",
        &[text("op").optional(), text("arg").optional()],
        "control the file of trace events",
        lacks!("controls the trace file"),
    ),
    Command::unavailable(
        "wavcapture",
        &[
            file_name("path"),
            text("audiodev"),
            integer("freq").optional(),
            integer("bits").optional(),
            integer("nchannels").optional(),
        ],
        "record audio to a file",
        lacks!("records audio, which is deprecated"),
    ),
];
