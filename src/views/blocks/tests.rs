//! Whole pictures of block graphs.

use serde_json::{Value, json};

use super::super::tests::ScriptedServer;

fn node(name: &str, driver: &str) -> Value {
    json!({"node-name": name, "drv": driver, "ro": false, "file": format!("/images/{name}"), "image": {
        "virtual-size": 1_u64 << 30, "actual-size": 200_704,
    }})
}

/// Returns a graph of nodes, given by name and driver, with edges, given by parent, name and child.
fn server(nodes: &[(&str, &str)], edges: &[(&str, &str, &str)]) -> ScriptedServer {
    let id = |name: &str| nodes.iter().position(|(other, _)| *other == name).unwrap_or(9999);
    let vertices: Vec<Value> = nodes
        .iter()
        .enumerate()
        .map(|(id, (name, driver))| match *driver {
            "job" => json!({"id": id, "name": name, "type": "block-job"}),
            _ => json!({"id": id, "name": name, "type": "block-driver"}),
        })
        .collect();
    let edges: Vec<Value> = edges
        .iter()
        .map(|(parent, name, child)| json!({"parent": id(parent), "child": id(child), "name": name}))
        .collect();
    let nodes: Vec<Value> =
        nodes.iter().filter(|(_, driver)| *driver != "job").map(|(name, driver)| node(name, driver)).collect();
    ScriptedServer::default()
        .reply("query-named-block-nodes", json!(nodes))
        .reply("x-debug-query-block-graph", json!({"nodes": vertices, "edges": edges}))
        .reply(
            "query-block",
            json!([{"device": "", "qdev": "/machine/peripheral/vd0/virtio-backend", "inserted": {
                "node-name": nodes.last().map(|node| node["node-name"].clone()),
            }}]),
        )
        .reply(
            "query-jobs",
            json!([{"id": "j0", "type": "mirror", "status": "running",
            "current-progress": 999, "total-progress": 1000, "error": "no \u{1b}[space"}]),
        )
        .reply("query-block-exports", json!([{"id": "e0", "type": "nbd", "node-name": "top"}]))
}

#[test]
fn a_backing_chain_is_not_indented() {
    let nodes = [
        ("j0", "job"),
        ("other", "raw"),
        ("#f0", "file"),
        ("base", "qcow2"),
        ("#f1", "file"),
        ("middle", "qcow2"),
        ("named", "file"),
        ("top", "qcow2"),
        ("mirror", "mirror_top"),
    ];
    let edges = [
        ("mirror", "backing", "top"),
        ("top", "backing", "middle"),
        ("top", "file", "named"),
        ("middle", "backing", "base"),
        ("middle", "file", "#f1"),
        ("base", "file", "#f0"),
        ("other", "file", "base"),
        ("j0", "main node", "mirror"),
        ("j0", "source", "top"),
        ("j0", "target", "lost"),
        ("other", "children.1", "lost"),
    ];
    expect_test::expect![[r#"
        NODE                   DRIVER          SIZE     USED  MODE  FILE
        vd0
        └─ mirror              mirror_top     1 GiB  196 KiB  rw
           │    job j0 (mirror): running, 99 %: no \x1b[space
           ├─ backing: top     qcow2          1 GiB  196 KiB  rw
           │  │    export e0 (nbd)
           │  │    source of job j0 (mirror): running, 99 %: no \x1b[space
           │  └─ file: named   file           1 GiB  196 KiB  rw    /images/named
           ├─ backing: middle  qcow2 on file  1 GiB  196 KiB  rw    /images/#f1
           └─ backing: base    qcow2 on file  1 GiB  196 KiB  rw    /images/#f0
        Not attached to a device
        └─ other               raw            1 GiB  196 KiB  rw
           └─ file: base (shared, drawn above)
    "#]]
    .assert_eq(&server(&nodes, &edges).draw("blocks", None, 80));
}

#[test]
fn circles_and_long_branches_are_drawn_once() {
    let edges =
        [("a", "file", "b"), ("b", "backing", "c"), ("c", "file", "a"), ("c", "backing", "b"), ("d", "file", "d")];
    let nodes = [("a", "x"), ("b", "x"), ("c", "x"), ("d", "x"), ("top", "raw")];
    expect_test::expect![[r#"
        NODE              DRIVER   SIZE     USED  MODE  FILE
        vd0
        └─ top            raw     1 GiB  196 KiB  rw    /images/top
                export e0 (nbd)
        In circles
        ├─ d              x       1 GiB  196 KiB  rw
        │  └─ file: d (shared, drawn above)
        ├─ c              x       1 GiB  196 KiB  rw
        │  ├─ file: a     x       1 GiB  196 KiB  rw
        │  │  └─ file: b (shared, drawn below)
        │  ├─ backing: b  x       1 GiB  196 KiB  rw
        │  └─ backing: c (shared, drawn above)
        Jobs without nodes
           job j0 (mirror): running, 99 %: no \x1b[space
    "#]]
    .assert_eq(&server(&nodes, &edges).draw("blocks", None, 60));

    let names: Vec<String> = (0..3_000).map(|index| format!("n{index}")).collect();
    let nodes: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "raw")).collect();
    for role in ["file", "backing"] {
        let edges: Vec<_> = names.windows(2).map(|pair| (pair[1].as_str(), role, pair[0].as_str())).collect();
        let mut server = many(&names, &nodes, &edges);
        let text = server.draw("blocks", None, 80);
        assert_eq!(text.lines().count(), names.len() + 2);
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }
}

/// Returns a large graph, whose edges are found by place and not by search.
fn many(names: &[String], nodes: &[(&str, &str)], edges: &[(&str, &str, &str)]) -> ScriptedServer {
    let id = |name: &str| name[1..].parse::<usize>().unwrap();
    let vertices: Vec<Value> =
        names.iter().map(|name| json!({"id": id(name), "name": name, "type": "block-driver"})).collect();
    let edges: Vec<Value> = edges
        .iter()
        .map(|(parent, name, child)| json!({"parent": id(parent), "child": id(child), "name": name}))
        .collect();
    let nodes: Vec<Value> = nodes.iter().map(|(name, driver)| node(name, driver)).collect();
    ScriptedServer::default()
        .reply("query-named-block-nodes", json!(nodes))
        .reply("x-debug-query-block-graph", json!({"nodes": vertices, "edges": edges}))
        .reply("query-block", json!([{"device": "d", "inserted": {"node-name": names.last()}}]))
        .reply("query-jobs", json!([]))
        .reply("query-block-exports", json!([]))
}

#[test]
fn what_a_server_lacks_is_said() {
    let mut server = ScriptedServer::default()
        .reply("query-named-block-nodes", json!([node("a", "raw"), {"node-name": "b\u{1b}[2J"}, 7]));
    expect_test::expect![[r#"
        NODE         DRIVER   SIZE     USED  MODE  FILE
        Block nodes
        ├─ b\x1b[2J                          rw
        └─ a         raw     1 GiB  196 KiB  rw    /images/a
        The server has no command `query-block`.
        The server has no command `x-debug-query-block-graph`.
        The server has no command `query-jobs`.
        An item of the reply to `query-named-block-nodes` is not an object.
    "#]]
    .assert_eq(&server.draw("blocks", None, 80));
    let mut server =
        ScriptedServer::default().reply("query-named-block-nodes", json!([])).reply("query-block", json!([]));
    assert!(server.draw("blocks", None, 80).starts_with("The server has no block nodes.\n"));
    assert!(ScriptedServer::default().view("blocks", None).is_err());
}

#[test]
fn the_state_of_a_node_is_told() {
    let mut disk = node("disk", "qcow2");
    disk["encrypted"] = json!(true);
    disk["active"] = json!(false);
    disk["detect_zeroes"] = json!("unmap");
    disk["cache"] = json!({"direct": true, "no-flush": true, "writeback": true});
    disk["image"]["snapshots"] = json!([{}, {}]);
    disk["image"]["format-specific"] = json!({"data": {"corrupt": true}});
    disk["dirty-bitmaps"] = json!([
        {"name": "b0", "recording": true, "persistent": true, "busy": false, "granularity": 65536, "count": 131_072},
        {"name": "b1", "recording": false, "busy": true, "inconsistent": true, "granularity": 4096, "count": 0},
    ]);
    disk["children"] = json!([{"child": "file", "node-name": "thr"}]);
    let mut throttle = node("thr", "throttle");
    throttle["file"] = json!("json:{\"throttle-group\": \"tg\", \"driver\": \"throttle\"}");
    throttle["ro"] = json!(true);
    let device = json!({"device": "d0", "qdev": "cd", "removable": true, "tray_open": true, "locked": true,
        "io-status": "nospace", "inserted": {"node-name": "disk", "bps": 1 << 20, "iops_rd": 99, "bps_wr": 1024}});
    let mut server = ScriptedServer::default()
        .reply("query-named-block-nodes", json!([disk, throttle]))
        .reply("query-block", json!([device, {"device": "free"}]))
        .reply("query-jobs", json!([]))
        .reply("query-block-exports", json!([]));
    expect_test::expect![[r#"
        NODE             DRIVER     SIZE     USED  MODE         FILE
        cd (drive d0), I/O status nospace: removable, tray open, locked, limit 1 MiB/s, limit 1 KiB/s of wr…
        └─ disk          qcow2     1 GiB  196 KiB  rw inactive
           │    the image is corrupt
           │    encrypted, cache direct no-flush, detect zeroes unmap, 2 internal snapshots
           │    bitmap b0: recording, persistent, 128 KiB dirty, granularity 64 KiB
           │    bitmap b1: disabled, busy, 0 B dirty, granularity 4 KiB, inconsistent
           └─ file: thr  throttle  1 GiB  196 KiB  ro           …hrottle-group": "tg", "driver": "throttle"}
                   throttle group tg
        free: drive that no device uses, no medium
        The server has no command `x-debug-query-block-graph`.
    "#]]
    .assert_eq(&server.draw("blocks", None, 100));
}
