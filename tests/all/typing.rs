//! Words become values of the types that the server's introspection declares: tables of lines, run on real servers with
//! `--dry-run`.

use expect_test::expect;

use crate::support::peer::Peer;
use crate::support::program::{dry_run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::snapshot;

/// A line and the arguments that it sends.
type Typed = (&'static str, &'static str);

#[track_caller]
fn expect_typed(address: &str, rows: &[Typed]) {
    let run = dry_run(address, rows.iter().map(|(line, _)| *line));
    assert_eq!(run.lines().len(), rows.len(), "{run:#?}");
    for ((line, arguments), shown) in rows.iter().zip(run.lines()) {
        let command = line.split([' ', '(']).next().unwrap();
        assert_eq!(shown, format!("{{\"execute\": \"{command}\", \"arguments\": {arguments}}}"), "{line}");
    }
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:#?}");
}

/// Lines for every server with block devices.
const BLOCKS: &[Typed] = &[
    // Strings stay as they are, even if they look like other values.
    ("blockdev-del node-name=123", r#"{"node-name": "123"}"#),
    ("blockdev-del node-name=007", r#"{"node-name": "007"}"#),
    ("blockdev-del node-name=true", r#"{"node-name": "true"}"#),
    ("blockdev-del node-name=null", r#"{"node-name": "null"}"#),
    ("blockdev-del node-name=1.5G", r#"{"node-name": "1.5G"}"#),
    ("blockdev-del node-name=", r#"{"node-name": ""}"#),
    ("blockdev-del node-name=[a", r#"{"node-name": "[a"}"#),
    ("blockdev-del node-name={a}b", r#"{"node-name": "{a}b"}"#),
    ("blockdev-del node-name=[1, 2]", r#"{"node-name": "[1, 2]"}"#),
    ("blockdev-del node-name=a,b", r#"{"node-name": "a,b"}"#),
    // A word without a key is the value of the only required key.
    ("blockdev-del disk0", r#"{"node-name": "disk0"}"#),
    ("blockdev-del 007", r#"{"node-name": "007"}"#),
    ("blockdev-del 'a b'", r#"{"node-name": "a b"}"#),
    ("job-dismiss '-x'", r#"{"id": "-x"}"#),
    ("blockdev-add null-co node-name=n size=1k", r#"{"driver": "null-co", "node-name": "n", "size": 1024}"#),
    // Integers, in every spelling, up to 64 bits.
    ("block_resize node-name=n size=123", r#"{"node-name": "n", "size": 123}"#),
    ("block_resize node-name=n size=007", r#"{"node-name": "n", "size": 7}"#),
    ("block_resize node-name=n size=1.5G", r#"{"node-name": "n", "size": 1610612736}"#),
    ("block_resize node-name=n size=0.5k", r#"{"node-name": "n", "size": 512}"#),
    ("block_resize node-name=n size=4T", r#"{"node-name": "n", "size": 4398046511104}"#),
    ("block_resize node-name=n size=0x1000", r#"{"node-name": "n", "size": 4096}"#),
    ("block_resize node-name=n size=-1", r#"{"node-name": "n", "size": -1}"#),
    ("block_resize node-name=n size='4096'", r#"{"node-name": "n", "size": 4096}"#),
    (
        "blockdev-add driver=raw file=n offset=18446744073709551615 size=0xffffffffffffffff",
        r#"{"driver": "raw", "file": "n", "offset": 18446744073709551615, "size": 18446744073709551615}"#,
    ),
    // Booleans, also as in QEMU's options.
    ("query-named-block-nodes flat=on", r#"{"flat": true}"#),
    ("query-named-block-nodes flat=off", r#"{"flat": false}"#),
    ("query-named-block-nodes flat=yes", r#"{"flat": true}"#),
    ("query-named-block-nodes flat=No", r#"{"flat": false}"#),
    ("query-named-block-nodes flat=true", r#"{"flat": true}"#),
    // An enum value is a string, even if it looks like a boolean.
    ("blockdev-add driver=raw file=n discard=unmap", r#"{"driver": "raw", "file": "n", "discard": "unmap"}"#),
    ("blockdev-add driver=raw file=n detect-zeroes=on", r#"{"driver": "raw", "file": "n", "detect-zeroes": "on"}"#),
    // Arrays: with commas, as JSON, with numbered keys, of one element, empty.
    (
        "blockdev-add driver=quorum vote-threshold=2 children=a,007",
        r#"{"driver": "quorum", "vote-threshold": 2, "children": ["a", "007"]}"#,
    ),
    (
        "blockdev-add driver=quorum vote-threshold=2 children=a",
        r#"{"driver": "quorum", "vote-threshold": 2, "children": ["a"]}"#,
    ),
    (
        "blockdev-add driver=quorum vote-threshold=2 children=[\"a\", {\"driver\": \"null-co\"}]",
        r#"{"driver": "quorum", "vote-threshold": 2, "children": ["a", {"driver": "null-co"}]}"#,
    ),
    (
        "blockdev-add driver=quorum vote-threshold=2 children.1.driver=null-co children.0=a children.1.size=1M",
        r#"{"driver": "quorum", "vote-threshold": 2, "children": ["a", {"driver": "null-co", "size": 1048576}]}"#,
    ),
    (
        "blockdev-add driver=quorum vote-threshold=2 children=",
        r#"{"driver": "quorum", "vote-threshold": 2, "children": []}"#,
    ),
    // Alternates, by form.
    ("blockdev-add driver=qcow2 file=n backing=node0", r#"{"driver": "qcow2", "file": "n", "backing": "node0"}"#),
    ("blockdev-add driver=qcow2 file=n backing=null", r#"{"driver": "qcow2", "file": "n", "backing": null}"#),
    ("blockdev-add driver=qcow2 file=n backing='null'", r#"{"driver": "qcow2", "file": "n", "backing": "null"}"#),
    ("blockdev-add driver=qcow2 file=n backing=123", r#"{"driver": "qcow2", "file": "n", "backing": "123"}"#),
    (
        "blockdev-add driver=qcow2 file=n backing.driver=null-co backing.size=1k",
        r#"{"driver": "qcow2", "file": "n", "backing": {"driver": "null-co", "size": 1024}}"#,
    ),
    (
        "blockdev-add driver=qcow2 file=n backing={'driver': 'null-co', 'size': 5}",
        r#"{"driver": "qcow2", "file": "n", "backing": {"driver": "null-co", "size": 5}}"#,
    ),
    (
        "blockdev-add driver=qcow2 file=n overlap-check=all",
        r#"{"driver": "qcow2", "file": "n", "overlap-check": "all"}"#,
    ),
    (
        "blockdev-add driver=qcow2 file=n overlap-check.template=all overlap-check.main-header=off",
        r#"{"driver": "qcow2", "file": "n", "overlap-check": {"template": "all", "main-header": false}}"#,
    ),
    // A tag selects its variant anywhere in the line, at every depth.
    (
        "blockdev-add lazy-refcounts=on file.filename=007 node-name=1 file.driver=file driver=qcow2",
        r#"{"lazy-refcounts": true, "file": {"filename": "007", "driver": "file"}, "node-name": "1", "driver": "qcow2"}"#,
    ),
    (
        "blockdev-add file=n backing.file.size=1G backing.driver=raw driver=qcow2 backing.file.driver=null-co",
        r#"{"file": "n", "backing": {"file": {"size": 1073741824, "driver": "null-co"}, "driver": "raw"}, "driver": "qcow2"}"#,
    ),
    // A leading JSON object, and keys that add to it.
    (
        "blockdev-add {\"driver\": \"qcow2\", \"file\": {\"driver\": \"null-co\"}} file.size=1M read-only=on",
        r#"{"driver": "qcow2", "file": {"driver": "null-co", "size": 1048576}, "read-only": true}"#,
    ),
    // The actions of a transaction, like commands.
    (
        "transaction( block-dirty-bitmap-add node=123 name=007 granularity=64k persistent=on )",
        r#"{"actions": [{"type": "block-dirty-bitmap-add", "data": {"node": "123", "name": "007", "granularity": 65536, "persistent": true}}]}"#,
    ),
    (
        "transaction( abort ) completion-mode=grouped",
        r#"{"actions": [{"type": "abort", "data": {}}], "properties": {"completion-mode": "grouped"}}"#,
    ),
];

/// Lines for a machine.
const MACHINE: &[Typed] = &[
    ("set_link name=007 up=off", r#"{"name": "007", "up": false}"#),
    ("human-monitor-command command-line=[x", r#"{"command-line": "[x"}"#),
    ("migrate-set-parameters tls-creds=null", r#"{"tls-creds": null}"#),
    ("migrate-set-parameters tls-creds=1 max-bandwidth=1.5G", r#"{"tls-creds": "1", "max-bandwidth": 1610612736}"#),
    (
        "migrate-set-capabilities capabilities.0.state=on capabilities.0.capability=xbzrle",
        r#"{"capabilities": [{"state": true, "capability": "xbzrle"}]}"#,
    ),
    ("device_add virtio-net-pci id=1 mq=on", r#"{"driver": "virtio-net-pci", "id": "1", "mq": true}"#),
    (
        "netdev_add type=user id=1 hostfwd.0.str=tcp::22-:22",
        r#"{"type": "user", "id": "1", "hostfwd": [{"str": "tcp::22-:22"}]}"#,
    ),
    // A word is the value of an object's only required key.
    (
        "netdev_add type=user id=1 hostfwd=tcp::22-:22,tcp::80-:80 dnssearch='a,b'",
        r#"{"type": "user", "id": "1", "hostfwd": [{"str": "tcp::22-:22"}, {"str": "tcp::80-:80"}], "dnssearch": [{"str": "a,b"}]}"#,
    ),
    ("query-cpu-model-expansion type=full model=007", r#"{"type": "full", "model": {"name": "007"}}"#),
    (
        "object-add id=1 size=1G share=on qom-type=memory-backend-ram",
        r#"{"id": "1", "size": 1073741824, "share": true, "qom-type": "memory-backend-ram"}"#,
    ),
    // Properties of a device have the types that the server lists for its driver.
    (
        "device_add driver=virtio-net-pci id=123 mac=52:54:00:12:34:56 mq=on host_mtu=0x5dc acpi-index=7",
        r#"{"driver": "virtio-net-pci", "id": "123", "mac": "52:54:00:12:34:56", "mq": true, "host_mtu": 1500, "acpi-index": 7}"#,
    ),
    (
        "device_add {\"driver\": \"nvme\"} serial=007 max_ioqpairs=0x10",
        r#"{"driver": "nvme", "serial": "007", "max_ioqpairs": 16}"#,
    ),
    // A PCI address is text, though some servers report an integer: 10 is slot 0x10.
    ("device_add driver=nvme serial=1 addr=05.0", r#"{"driver": "nvme", "serial": "1", "addr": "05.0"}"#),
    ("device_add driver=nvme serial=1 addr=10", r#"{"driver": "nvme", "serial": "1", "addr": "10"}"#),
    // The value of `qom-set` has the type of the property.
    (
        "qom-set path=/machine property=kernel value=007",
        r#"{"path": "/machine", "property": "kernel", "value": "007"}"#,
    ),
    (
        "qom-set path=/machine property=graphics value=off",
        r#"{"path": "/machine", "property": "graphics", "value": false}"#,
    ),
    // An enum whose values are unknown: by form.
    ("qom-set path=/machine property=smm value=off", r#"{"path": "/machine", "property": "smm", "value": "off"}"#),
    (
        "qom-set {\"path\": \"/machine\", \"property\": \"graphics\"} value=on",
        r#"{"path": "/machine", "property": "graphics", "value": true}"#,
    ),
    ("qom-set path=/machine property=nosuch value=1", r#"{"path": "/machine", "property": "nosuch", "value": 1}"#),
];

#[test]
fn types_words_by_their_keys_on_qemu() {
    let Some(server) = Server::qemu(Q35) else { return };
    expect_typed(&server.address(), &[BLOCKS, MACHINE].concat());
}

#[test]
fn types_words_by_their_keys_on_qemu_7_2() {
    let Some(server) = Server::qemu_7_2(Q35) else { return };
    expect_typed(&server.address(), &[BLOCKS, MACHINE].concat());
}

#[test]
fn types_words_by_their_keys_on_the_storage_daemon() {
    let Some(server) = Server::storage_daemon() else { return };
    expect_typed(&server.address(), BLOCKS);
    let only_here = [(
        "block-export-add type=nbd id=1 node-name=2 writable=on bitmaps=a,b",
        r#"{"type": "nbd", "id": "1", "node-name": "2", "writable": true, "bitmaps": ["a", "b"]}"#,
    )];
    expect_typed(&server.address(), &only_here);
}

#[test]
fn sends_values_that_the_server_accepts() {
    let Some(server) = Server::qemu(Q35) else { return };
    let run = qmp_shell(&[&server.address()])
        .input(
            "blockdev-add driver=null-co node-name=n1 size=1.5M\n\
             block-dirty-bitmap-add node=n1 name=007 granularity=64k\n\
             blockdev-add driver=raw file=n1 read-only=yes node-name=[x\n\
             object-add qom-type=memory-backend-ram id=m1 size=1M\n\
             qom-set path=/objects/m1 property=prealloc value=on\n\
             qom-get path=/objects/m1 property=prealloc\n\
             query-named-block-nodes flat=on\n",
        )
        .run();
    // QEMU itself refuses the bracket in a node name.
    let run = run.expect_status(1);
    let replies = run.replies();
    let [added, bitmap, bracket, object, set, got, nodes] = replies[..] else { panic!("{run:#?}") };
    for reply in [added, bitmap, object, set] {
        assert_eq!(reply, r#"{"return": {}}"#);
    }
    assert_eq!(bracket, r#"{"error": {"class": "GenericError", "desc": "Invalid node-name: '[x'"}}"#);
    assert_eq!(got, r#"{"return": true}"#);
    for part in [r#""name": "007""#, r#""granularity": 65536"#, r#""virtual-size": 1572864"#] {
        assert!(nodes.contains(part), "{part}: {nodes}");
    }
}

#[test]
fn types_deeply_nested_arguments() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let depth = 1000;
    let line = format!(
        "blockdev-add {}{{\"driver\": \"null-co\"}}{}",
        "{\"driver\": \"qcow2\", \"file\": \"n\", \"backing\": ".repeat(depth),
        "}".repeat(depth)
    );
    let run = dry_run(&server.address(), [line.as_str()]).expect_status(0);
    assert_eq!(run.stdout.matches("\"backing\"").count(), depth);
    let wrong = line.replace("null-co", "null-ko");
    let run = dry_run(&server.address(), [wrong.as_str()]).expect_status(1);
    let names = ["`null-ko`", "`null-co`"];
    assert!(names.iter().all(|name| run.stdout.contains(name)), "{}", &run.stdout[run.stdout.len() - 200..]);
}

/// A line for a server without introspection.
const BY_FORM: &str = "guest-file-open path=007 mode=r x=1 y=1.50 z=on n=null l=a,b s=1.5G j=[1] q='1'\n";

/// The request, typed by form.
const TYPED_BY_FORM: &str = r#"{"execute": "guest-file-open", "arguments": {"path": "007", "mode": "r", "x": 1, "y": 1.50, "z": "on", "n": null, "l": "a,b", "s": "1.5G", "j": [1], "q": "1"}}"#;

#[test]
fn types_words_by_their_form_without_introspection() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(agent) = Server::guest_agent() else { return };
    for args in
        [&["--dry-run"][..], &["--dry-run", "--no-schema", &server.address()], &["--dry-run", "-N", &agent.address()]]
    {
        let run = qmp_shell(args).input(BY_FORM).run().expect_status(0);
        assert_eq!((run.lines(), run.stderr.as_str()), (vec![TYPED_BY_FORM], ""), "{args:?}");
    }
    // An unknown command is sent to the agent, which replies with its own error.
    let run = qmp_shell(&["-N", &agent.address(), "-c", "guest-pnig x=1", "-c", "guest-ping"]).run().expect_status(1);
    assert!(run.lines()[0].contains("\"CommandNotFound\""), "{run:#?}");
    assert_eq!(run.lines()[1], r#"{"return": {}}"#);
    // `--no-schema` sends no query for introspection.
    let log = server.path("log");
    qmp_shell(&["--no-schema", "-l", &log, &server.address(), "-c", "qom-list path=/"]).run().expect_status(0);
    assert!(!std::fs::read_to_string(&log).unwrap().contains("query-qmp-schema"));
}

#[test]
fn a_script_queries_introspection_once_when_a_line_needs_it() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        for bare in ["stop", "cont"] {
            let (command, id) = conn.read_request();
            assert_eq!(command, bare, "a command without arguments needs no introspection");
            conn.reply(&id, "{}");
        }
        let (command, id) = conn.read_request();
        assert_eq!(command, "query-qmp-schema");
        let schema = r#"[{"meta-type": "command", "name": "grow", "arg-type": "1", "ret-type": "0"},
            {"meta-type": "object", "name": "0", "members": []},
            {"meta-type": "object", "name": "1", "members": [{"name": "id", "type": "str"}, {"name": "by", "type": "int"}]},
            {"meta-type": "builtin", "name": "str", "json-type": "string"},
            {"meta-type": "builtin", "name": "int", "json-type": "int"}]"#;
        conn.reply(&id, &schema.replace('\n', " "));
        for by in [1024, 2048] {
            let request: serde_json::Value = serde_json::from_str(&conn.read_line()).unwrap();
            assert_eq!(request["execute"], "grow");
            assert_eq!(request["arguments"], serde_json::json!({"id": "1", "by": by}));
            conn.reply(&request["id"].to_string(), "{}");
        }
        conn.wait_for_close();
    });
    let run = qmp_shell(&[&peer.address()])
        .input("stop\ncont\ngrow id=1 by=1k\ngrow id=1 by=0x800\ngrow id=1\ngorw\n")
        .run()
        .expect_status(1);
    assert_eq!(run.lines()[..4], [r#"{"return": {}}"#; 4]);
    // Once it is known, introspection checks commands without arguments, too.
    snapshot::check(
        run.lines()[4..].join("\n"),
        expect![[r#"
            {"error": {"class": "NotSent", "desc": "missing key `by` for `grow` (an integer (such as 4096, 0x1000 or 4k))"}}
            {"error": {"class": "NotSent", "desc": "the server has no command `gorw`; did you mean `grow`?"}}
        "#]],
    );
}

#[test]
fn types_words_by_their_form_for_servers_without_introspection() {
    for answer in [
        r#"{"error": {"class": "CommandNotFound", "desc": "none"}, "id": {id}}"#,
        r#"{"return": {"not": "a list"}, "id": {id}}"#,
        r#"{"return": [{"meta-type": "command", "name": "x", "arg-type": "7", "ret-type": "7"}], "id": {id}}"#,
    ] {
        let peer = Peer::start(move |conn| {
            conn.negotiate();
            let (command, id) = conn.read_request();
            assert_eq!(command, "query-qmp-schema");
            conn.send_line(&answer.replace("{id}", &id));
            let mut line = conn.read_line();
            // It may be queried for its commands instead, for completion.
            while line.contains("query-commands") {
                let request: serde_json::Value = serde_json::from_str(&line).unwrap();
                conn.reply(&request["id"].to_string(), "[]");
                line = conn.read_line();
            }
            let request: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(request["arguments"], serde_json::json!({"a": 1, "b": "on", "c": "007"}));
            conn.reply(&request["id"].to_string(), "{}");
            conn.wait_for_close();
        });
        let run = qmp_shell(&[&peer.address(), "-c", "any a=1 b=on c=007"]).run().expect_status(0);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("{\"return\": {}}\n", ""), "{answer}");
    }
}

#[test]
fn dry_run_sends_only_queries() {
    let Some(server) = Server::qemu(Q35) else { return };
    let log = server.path("log");
    let run = qmp_shell(&["--dry-run", "-l", &log, &server.address()])
        .input("cont\nblockdev-add driver=null-co node-name=n0\ndevice_add driver=nvme serial=1\nquit\n")
        .run()
        .expect_status(0);
    assert_eq!(run.lines().len(), 4);
    let text = std::fs::read_to_string(&log).unwrap();
    let sent: Vec<&str> =
        text.lines().filter_map(|line| line.split("\"sent\": {\"execute\": \"").nth(1)?.split('"').next()).collect();
    assert_eq!(sent, ["qmp_capabilities", "query-qmp-schema", "device-list-properties"]);
    let run = qmp_shell(&[&server.address(), "-c", "query-status", "-c", "query-named-block-nodes"]).run();
    assert_eq!(
        run.lines(),
        [r#"{"return": {"status": "prelaunch", "running": false}}"#, r#"{"return": []}"#],
        "{run:#?}"
    );
}

#[test]
fn queries_the_type_of_a_property_again_after_a_change() {
    let schema = r#"[{"meta-type": "command", "name": "qom-set", "arg-type": "1", "ret-type": "0"},
        {"meta-type": "object", "name": "0", "members": []},
        {"meta-type": "object", "name": "1", "members": [{"name": "path", "type": "str"},
            {"name": "property", "type": "str"}, {"name": "value", "type": "any"}]},
        {"meta-type": "builtin", "name": "str", "json-type": "string"},
        {"meta-type": "builtin", "name": "any", "json-type": "value"}]"#;
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let (_, id) = conn.read_request();
        conn.reply(&id, &schema.replace('\n', " "));
        for (kind, value) in [("str", serde_json::json!("007")), ("uint32", serde_json::json!(7))] {
            let (command, id) = conn.read_request();
            assert_eq!(command, "qom-list");
            conn.reply(&id, &format!("[{{\"name\": \"p\", \"type\": \"{kind}\"}}]"));
            let request: serde_json::Value = serde_json::from_str(&conn.read_line()).unwrap();
            assert_eq!(request["arguments"]["value"], value);
            conn.reply(&request["id"].to_string(), "{}");
        }
        conn.wait_for_close();
    });
    qmp_shell(&[&peer.address()]).input("qom-set path=/o property=p value=007\n".repeat(2)).run().expect_status(0);
}
