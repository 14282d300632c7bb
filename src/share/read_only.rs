//! The commands that read-only clients may execute.
//!
//! Unlike [`qmp_command_only_asks`](crate::schema), which keeps a user from repeating a command by mistake, this stands
//! between clients that do not trust each other. So each name is listed, and a command that is in no list is refused. A
//! test compares the lists with the commands of real servers.

use serde::Deserialize;

use crate::wire::is_secret_property;

use super::request::ClientCommand;

/// Commands that ask, change nothing that another client can notice, and reveal no secret.
const ALLOWED: &[&str] = &[
    "device-list-properties",
    "qom-get",
    "qom-list",
    "qom-list-properties",
    "qom-list-types",
    "query-accelerators",
    "query-acpi-ospm-status",
    "query-audiodevs",
    "query-balloon",
    "query-block",
    "query-block-exports",
    "query-block-jobs",
    "query-blockstats",
    "query-chardev",
    "query-chardev-backends",
    "query-colo-status",
    "query-command-line-options",
    "query-commands",
    "query-cpu-definitions",
    "query-cpu-model-baseline",
    "query-cpu-model-comparison",
    "query-cpu-model-expansion",
    "query-cpus-fast",
    "query-cryptodev",
    "query-current-machine",
    "query-dirty-rate",
    "query-display-options",
    "query-dump",
    "query-dump-guest-memory-capability",
    "query-events",
    "query-fdsets",
    "query-gic-capabilities",
    "query-hotpluggable-cpus",
    "query-hv-balloon-status-report",
    "query-iothreads",
    "query-jobs",
    "query-kvm",
    "query-machines",
    "query-memdev",
    "query-memory-devices",
    "query-memory-size-summary",
    "query-mice",
    "query-migrate",
    "query-migrate-capabilities",
    "query-migrate-parameters",
    "query-migrationthreads",
    "query-name",
    "query-named-block-nodes",
    "query-pci",
    "query-pr-managers",
    "query-qmp-schema",
    "query-replay",
    "query-rocker",
    "query-rocker-of-dpa-flows",
    "query-rocker-of-dpa-groups",
    "query-rocker-ports",
    "query-s390x-cpu-polarization",
    "query-sev",
    "query-sev-capabilities",
    "query-sev-launch-measure",
    "query-sgx",
    "query-sgx-capabilities",
    "query-spice",
    "query-stats",
    "query-stats-schemas",
    "query-status",
    "query-target",
    "query-tpm",
    "query-tpm-models",
    "query-tpm-types",
    "query-uuid",
    "query-vcpu-dirty-limit",
    "query-version",
    "query-vm-generation-id",
    "query-vnc",
    "query-vnc-servers",
    "query-xen-replication-status",
    "query-yank",
    "trace-event-get-state",
    "x-debug-query-block-graph",
    "x-query-interrupt-controllers",
    "x-query-irq",
    "x-query-jit",
    "x-query-numa",
    "x-query-opcount",
    "x-query-ramblock",
    "x-query-rdma",
    "x-query-roms",
    "x-query-usb",
    "x-query-virtio",
    "x-query-virtio-queue-element",
    "x-query-virtio-queue-status",
    "x-query-virtio-status",
    "x-query-virtio-vhost-queue-status",
    "xen-event-list",
];

/// Commands that look as if they only asked, each with the reason why they are refused.
const REFUSED: &[(&str, &str)] = &[
    ("query-rx-filter", "it changes when the next event NIC_RX_FILTER_CHANGED is sent"),
    ("query-sev-attestation-report", "it makes the security processor sign a report"),
    ("x-query-profile", "it resets counters in QEMU before 8.0"),
    ("qom-list-get", "it reads all properties at once, secret ones too"),
    ("ringbuf-read", "it removes what it reads"),
    ("human-monitor-command", "a line of the human monitor may change anything"),
];

/// Commands that change something, or reveal what is not for read-only clients, such as the contents of the guest's memory.
/// They would be refused without being listed; the list tells them from commands that have not been reviewed yet.
const CHANGING: &[&str] = &[
    "add-fd",
    "add_client",
    "announce-self",
    "balloon",
    "block-commit",
    "block-dirty-bitmap-add",
    "block-dirty-bitmap-clear",
    "block-dirty-bitmap-disable",
    "block-dirty-bitmap-enable",
    "block-dirty-bitmap-merge",
    "block-dirty-bitmap-remove",
    "block-export-add",
    "block-export-del",
    "block-job-cancel",
    "block-job-change",
    "block-job-complete",
    "block-job-dismiss",
    "block-job-finalize",
    "block-job-pause",
    "block-job-resume",
    "block-job-set-speed",
    "block-latency-histogram-set",
    "block-set-write-threshold",
    "block-stream",
    "block_resize",
    "block_set_io_throttle",
    "blockdev-add",
    "blockdev-backup",
    "blockdev-change-medium",
    "blockdev-close-tray",
    "blockdev-create",
    "blockdev-del",
    "blockdev-insert-medium",
    "blockdev-mirror",
    "blockdev-open-tray",
    "blockdev-remove-medium",
    "blockdev-reopen",
    "blockdev-set-active",
    "blockdev-snapshot",
    "blockdev-snapshot-delete-internal-sync",
    "blockdev-snapshot-internal-sync",
    "blockdev-snapshot-sync",
    "calc-dirty-rate",
    "cancel-vcpu-dirty-limit",
    "change-backing-file",
    "change-vnc-password",
    "chardev-add",
    "chardev-change",
    "chardev-remove",
    "chardev-send-break",
    "client_migrate_info",
    "closefd",
    "cont",
    "cxl-add-dynamic-capacity",
    "cxl-inject-correctable-error",
    "cxl-inject-dram-event",
    "cxl-inject-general-media-event",
    "cxl-inject-memory-module-event",
    "cxl-inject-poison",
    "cxl-inject-uncorrectable-errors",
    "cxl-release-dynamic-capacity",
    "device-sync-config",
    "device_add",
    "device_del",
    "display-reload",
    "display-update",
    "drive-backup",
    "drive-mirror",
    "dump-guest-memory",
    "dumpdtb",
    "eject",
    "expire_password",
    "getfd",
    "inject-nmi",
    "input-send-event",
    "job-cancel",
    "job-complete",
    "job-dismiss",
    "job-finalize",
    "job-pause",
    "job-resume",
    "memsave",
    "migrate",
    "migrate-continue",
    "migrate-incoming",
    "migrate-pause",
    "migrate-recover",
    "migrate-set-capabilities",
    "migrate-set-parameters",
    "migrate-start-postcopy",
    "migrate_cancel",
    "nbd-server-add",
    "nbd-server-remove",
    "nbd-server-start",
    "nbd-server-stop",
    "netdev_add",
    "netdev_del",
    "object-add",
    "object-del",
    "pmemsave",
    "qmp_capabilities",
    "qom-set",
    "quit",
    "remove-fd",
    "replay-break",
    "replay-delete-break",
    "replay-seek",
    "request-ebpf",
    "ringbuf-write",
    "rtc-reset-reinjection",
    "screendump",
    "send-key",
    "set-action",
    "set-numa-node",
    "set-vcpu-dirty-limit",
    "set_link",
    "set_password",
    "sev-inject-launch-secret",
    "snapshot-delete",
    "snapshot-load",
    "snapshot-save",
    "stop",
    "system_powerdown",
    "system_reset",
    "system_wakeup",
    "trace-event-set-state",
    "transaction",
    "watchdog-set-action",
    "x-blockdev-amend",
    "x-blockdev-change",
    "x-blockdev-set-iothread",
    "x-colo-lost-heartbeat",
    "x-debug-block-dirty-bitmap-sha256",
    "x-exit-preconfig",
    "xen-colo-do-checkpoint",
    "xen-event-inject",
    "xen-load-devices-state",
    "xen-save-devices-state",
    "xen-set-global-dirty-log",
    "xen-set-replication",
    "yank",
];

/// Returns whether it was decided for this command if read-only clients may execute it.
pub fn is_known_to_read_only_clients(name: &str) -> bool {
    let refuses = || REFUSED.iter().any(|(refused, _)| *refused == name);
    ALLOWED.binary_search(&name).is_ok() || CHANGING.binary_search(&name).is_ok() || refuses()
}

/// Returns whether a read-only client may execute a command. The error says why not.
pub(super) fn check_that_it_only_asks(command: &ClientCommand) -> Result<(), String> {
    let name = command.name.as_str();
    let refused =
        |reason: &str| Err(format!("`{}` is refused, because this socket is read-only: {reason}", shown(name)));
    if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return refused(reason);
    }
    if ALLOWED.binary_search(&name).is_err() {
        return refused(match CHANGING.binary_search(&name) {
            Ok(_) => "the command may change something, or reveal a secret",
            Err(_) => "it is not known whether the command changes something",
        });
    }
    if name == "qom-get" && reads_secret(command.arguments.as_deref()) {
        return refused("the property may be a secret");
    }
    Ok(())
}

/// Returns the beginning of a name for a message.
fn shown(name: &str) -> String {
    crate::wire::preview(name)
}

/// Returns whether the arguments of `qom-get` name a property that may be a secret.
fn reads_secret(arguments: Option<&str>) -> bool {
    #[derive(Deserialize)]
    struct Arguments {
        property: String,
    }
    let arguments = arguments.and_then(|arguments| serde_json::from_str::<Arguments>(arguments).ok());
    // The server refuses arguments without a property.
    arguments.is_some_and(|arguments| is_secret_property(&arguments.property))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::qmp_command_only_asks;

    fn check(name: &str, arguments: Option<&str>) -> Result<(), String> {
        let command = ClientCommand { name: name.to_owned(), arguments: arguments.map(str::to_owned) };
        check_that_it_only_asks(&command)
    }

    #[test]
    fn the_list_is_sorted_and_has_only_commands_that_ask() {
        assert!(ALLOWED.is_sorted() && CHANGING.is_sorted());
        for name in CHANGING {
            assert!(check(name, None).is_err(), "{name}");
        }
        for name in ALLOWED {
            assert!(qmp_command_only_asks(name), "{name}");
            assert!(REFUSED.iter().all(|(refused, _)| refused != name), "{name}");
        }
    }

    #[test]
    fn refuses_what_changes_something_and_what_is_not_known() {
        assert_eq!(check("query-block", None), Ok(()));
        for name in ["quit", "qom-set", "query-new-thing", "query-*", "human-monitor-command", "", "query-block "] {
            assert!(check(name, None).is_err(), "{name}");
        }
        assert_eq!(
            check("stop", None),
            Err("`stop` is refused, because this socket is read-only: the command may change something, or reveal a secret".to_owned())
        );
    }

    #[test]
    fn secret_properties_are_not_read() {
        for (property, is_allowed) in [("\"type\"", true), ("\"data\"", false), ("\"d\\u0061ta\"", false), ("1", true)]
        {
            let arguments = format!("{{\"path\": \"/objects/s\", \"property\": {property}}}");
            assert_eq!(check("qom-get", Some(&arguments)).is_ok(), is_allowed, "{property}");
        }
    }
}
