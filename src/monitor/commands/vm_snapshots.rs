//! Snapshots of the whole VM: `savevm`, `loadvm`, `delvm`, `info snapshots`.

use std::collections::{HashMap, HashSet};

use chrono::Local;
use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::text;
use super::super::server::Failure;
use super::super::text::{items, string};
use super::image_info::TableLayout;
use super::snapshot_nodes::{SnapshotNode, snapshot_nodes};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("delvm", &[text("tag")], "delete a snapshot of the VM", delvm),
    Command::new("info snapshots", &[], "snapshots of the VM", info_snapshots),
    Command::new("loadvm", &[text("tag")], "return the VM to a snapshot", loadvm),
    Command::new("savevm", &[text("tag").optional()], "save the VM and its disks in a snapshot", savevm),
];

const NO_STATE_HOLDER: &str = "no block device can store vmstate for snapshot";

/// The prefix of the reason why a VM with a certain device cannot be saved.
const NON_MIGRATABLE: &str = "non-migratable device: ";

fn savevm(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let tag = match call.arguments.optional_text("tag") {
        Some(tag) => tag.to_owned(),
        None => Local::now().format("vm-%Y%m%d%H%M%S").to_string(),
    };
    if !call.server.has_command("snapshot-save") {
        return Err(Failure::error("the server has no QMP command `snapshot-save`"));
    }
    check_whether_migratable(call)?;
    let nodes = snapshot_nodes(call)?;
    let holder = state_holder(&nodes)?;
    let replaces_older = nodes.iter().any(|node| has_snapshot(node, &tag));
    if replaces_older {
        delete(call, &tag, &nodes)?;
    }
    let job_id = call.new_job_id();
    let arguments = json!({"job-id": job_id, "tag": tag, "vmstate": holder, "devices": names(&nodes)});
    let result = call.run_job("snapshot-save", arguments);
    if replaces_older && result.is_err() {
        call.server.show_notice(&format!("The older snapshot `{tag}` is deleted."));
    }
    result.map(|()| String::new())
}

/// Fails if the state of the VM cannot be saved. That must be known before an older snapshot is deleted.
fn check_whether_migratable(call: &mut Invocation<'_>) -> Result<(), Failure> {
    let migration = call.query("query-migrate", json!({}))?;
    let reasons = items(&migration["blocked-reasons"]).iter().filter_map(Value::as_str);
    let device = reasons.clone().find_map(|reason| reason.strip_prefix(NON_MIGRATABLE));
    match (device, reasons.clone().next()) {
        (Some(device), _) => Err(Failure::error(format!("State blocked by non-migratable device '{device}'"))),
        (None, Some(reason)) => Err(Failure::error(reason)),
        (None, None) => Ok(()),
    }
}

fn loadvm(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let tag = call.arguments.text("tag").to_owned();
    let nodes = snapshot_nodes(call)?;
    let holder = state_holder(&nodes)?;
    let job_id = call.new_job_id();
    let arguments = json!({"job-id": job_id, "tag": tag, "vmstate": holder, "devices": names(&nodes)});
    call.run_job("snapshot-load", arguments)?;
    Ok(String::new())
}

fn delvm(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let tag = call.arguments.text("tag").to_owned();
    let nodes = snapshot_nodes(call)?;
    if !nodes.is_empty() {
        delete(call, &tag, &nodes)?;
    }
    Ok(String::new())
}

/// Deletes a snapshot in all nodes that have it.
fn delete(call: &mut Invocation<'_>, tag: &str, nodes: &[SnapshotNode]) -> Result<(), Failure> {
    let job_id = call.new_job_id();
    call.run_job("snapshot-delete", json!({"job-id": job_id, "tag": tag, "devices": names(nodes)}))
}

fn has_snapshot(node: &SnapshotNode, name: &str) -> bool {
    node.snapshots.iter().any(|snapshot| string(snapshot, "name") == name)
}

fn names(nodes: &[SnapshotNode]) -> Vec<&str> {
    nodes.iter().map(|node| node.name.as_str()).collect()
}

/// Returns the name of the node that holds the state of the VM. Among nodes that all cannot, it is up to the server to
/// say why.
fn state_holder(nodes: &[SnapshotNode]) -> Result<&str, Failure> {
    let holder = nodes.iter().find(|node| node.can_hold_state).or(nodes.first());
    holder.map(|node| node.name.as_str()).ok_or_else(|| Failure::error(NO_STATE_HOLDER))
}

fn info_snapshots(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let nodes = snapshot_nodes(call)?;
    let Some(holder) = nodes.iter().find(|node| node.can_hold_state) else {
        return Ok(format!("{NO_STATE_HOLDER}\n"));
    };
    if nodes.iter().all(|node| node.snapshots.is_empty()) {
        return Ok("There is no snapshot available.\n".to_owned());
    }
    let layout = TableLayout::of_server(call)?;
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for node in &nodes {
        let names: HashSet<&str> = node.snapshots.iter().map(|snapshot| string(snapshot, "name")).collect();
        names.into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
    }
    let is_on_all = |snapshot: &&Value| counts.get(string(snapshot, "name")) == Some(&nodes.len());
    let table = |rows: Vec<String>| layout.header() + &rows.concat();

    let complete: Vec<_> = holder.snapshots.iter().filter(is_on_all).map(|one| layout.snapshot(one, "--")).collect();
    let mut text = "List of snapshots present on all disks:\n".to_owned();
    text += &if complete.is_empty() { "None\n".to_owned() } else { table(complete) };
    for node in &nodes {
        let partial = node.snapshots.iter().filter(|snapshot| !is_on_all(snapshot));
        let rows: Vec<_> = partial.map(|snapshot| layout.snapshot(snapshot, string(snapshot, "id"))).collect();
        if !rows.is_empty() {
            text += &format!("\nList of partial (non-loadable) snapshots on '{}':\n", node.label);
            text += &table(rows);
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::super::scripted_server::ScriptedServer;
    use super::*;

    /// Adds a disk with the snapshot `a`, as savevm and the others find it.
    fn with_disk(server: ScriptedServer) -> ScriptedServer {
        let node = json!({"node-name": "n0", "drv": "qcow2", "active": true, "image": {"snapshots": [{"name": "a"}]}});
        server
            .reply("query-block", json!([{"device": "d0", "inserted": {"node-name": "n0"}}]))
            .fail("x-debug-query-block-graph", Failure::error("no such command"))
            .reply("query-named-block-nodes", json!([node]))
    }

    fn jobs(number: u8, status: &str, error: Option<&str>) -> Value {
        let id = format!("savevm-{}-{number}", std::process::id());
        json!([{"id": id, "status": status, "error": error, "current-progress": 1, "total-progress": 4}])
    }

    #[test]
    fn a_failed_save_tells_that_the_older_snapshot_is_gone() {
        let server = with_disk(ScriptedServer::default().reply("query-migrate", json!({})))
            .reply("snapshot-delete", json!({}))
            .reply("query-jobs", jobs(1, "concluded", None))
            .reply("job-dismiss", json!({}))
            .reply("snapshot-save", json!({}))
            .reply("query-jobs", jobs(2, "running", None))
            .reply("query-jobs", jobs(2, "concluded", Some("No space left on device")))
            .reply("job-dismiss", json!({}));
        expect![[r#"
            query-migrate
            query-block
            x-debug-query-block-graph
            query-named-block-nodes {"flat":true}
            snapshot-delete {"job-id":"savevm-{PID}-1","tag":"a","devices":["n0"]}
            query-jobs
            job-dismiss {"id":"savevm-{PID}-1"}
            snapshot-save {"job-id":"savevm-{PID}-2","tag":"a","vmstate":"n0","devices":["n0"]}
            query-jobs
            query-jobs
            job-dismiss {"id":"savevm-{PID}-2"}
            notice: The older snapshot `a` is deleted.
            failure: Error(ServerError { class: "GenericError", desc: "No space left on device" })
        "#]]
        .assert_eq(&server.run("savevm a"));
    }

    #[test]
    fn a_vm_that_cannot_be_saved_keeps_its_older_snapshot() {
        let blocked = json!({"blocked-reasons": ["other", "non-migratable device: 0000:00:01.0/rocker"]});
        let server = ScriptedServer::default().reply("query-migrate", blocked);
        expect![[r#"
            query-migrate
            failure: Error(ServerError { class: "GenericError", desc: "State blocked by non-migratable device '0000:00:01.0/rocker'" })
        "#]]
        .assert_eq(&server.run("savevm a"));
    }

    #[test]
    fn ctrl_c_tells_which_job_goes_on() {
        let mut server = with_disk(ScriptedServer::default().reply("query-migrate", json!({})))
            .interrupt_after(9)
            .reply("snapshot-save", json!({}));
        for _ in 0..10 {
            server = server.reply("query-jobs", jobs(1, "running", None));
        }
        let log = server.run("savevm b");
        let (_, end) = log.split_once("query-jobs\nprogress").unwrap();
        expect![[r#"
            : savevm-{PID}-1: running, 25 %
            query-jobs
            progress: savevm-{PID}-1: running, 25 %
            query-jobs
            progress: savevm-{PID}-1: running, 25 %
            notice: The job `savevm-{PID}-1` may go on in the server. `.wait job savevm-{PID}-1` waits for it. In QMP mode, `query-jobs` shows it, `job-cancel id=savevm-{PID}-1` cancels it, and `job-dismiss id=savevm-{PID}-1` removes it after its end.
            failure: Interrupted
        "#]]
        .assert_eq(end);
    }

    #[test]
    fn a_lost_connection_and_a_lost_job_are_told() {
        let server = || {
            let server = ScriptedServer::default().reply("query-migrate", json!({}));
            with_disk(server).reply("snapshot-save", json!({}))
        };
        let lost_connection = server().fail("query-jobs", Failure::Ended).run("savevm b");
        let lost_job = server().reply("query-jobs", json!([{"id": "other"}, 3])).run("savevm b");
        let end = |log: &str| log.split_once("query-jobs\n").unwrap().1.to_owned();
        expect![[r#"
            notice: The job `savevm-{PID}-1` may go on in the server; `query-jobs` shows it after the next connection.
            failure: Ended
            failure: Error(ServerError { class: "GenericError", desc: "job 'savevm-{PID}-1' is gone: another client dismissed it" })
        "#]]
        .assert_eq(&(end(&lost_connection) + &end(&lost_job)));
    }

    /// Without an index for each of these lists, it takes hours in a test.
    #[test]
    fn many_nodes_and_snapshots_take_time_in_proportion() {
        const COUNT: usize = 10_000;
        let list = |item: &dyn Fn(usize) -> Value| (0..COUNT).map(item).collect::<Value>();
        let snapshots = list(&|number| json!({"name": format!("s{number}"), "id": "1"}));
        let node = |number: usize| {
            let image = if number < 2 { json!({"snapshots": snapshots}) } else { json!({}) };
            let driver = if number + 1 == COUNT { "qcow2" } else { "raw" };
            json!({"node-name": format!("n{number}"), "drv": driver, "active": true, "image": image})
        };
        let vertex = |number: usize| json!({"id": number, "type": "block-driver", "name": format!("n{number}")});
        // A circle.
        let edge = |number: usize| json!({"parent": number, "child": (number + 1) % COUNT, "name": "backing"});
        let device =
            |number: usize| json!({"device": format!("d{number}"), "inserted": {"node-name": format!("n{number}")}});
        let log = ScriptedServer::default()
            .reply("query-block", list(&device))
            .reply("x-debug-query-block-graph", json!({"nodes": list(&vertex), "edges": list(&edge)}))
            .reply("query-named-block-nodes", list(&node))
            .reply("query-version", json!({}))
            .run("info snapshots");
        assert!(log.contains("List of partial (non-loadable) snapshots on 'd1':"), "{}", &log[..1000]);
        assert_eq!(log.matches("s9999").count(), 2);
    }

    #[test]
    fn replies_of_unexpected_types_do_no_harm() {
        for reply in [json!(null), json!({}), json!([]), json!([[], 1, {"inserted": 3, "node-name": 4}]), json!("x")] {
            for line in ["info snapshots", "delvm a"] {
                ScriptedServer::default()
                    .reply("query-block", reply.clone())
                    .reply("x-debug-query-block-graph", json!({"nodes": reply, "edges": reply}))
                    .reply("query-named-block-nodes", reply.clone())
                    .reply("query-status", reply.clone())
                    .run(line);
            }
        }
    }
}
