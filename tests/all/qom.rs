//! `qom`: the object tree, listed, read, set and drawn.

use std::os::unix::fs::symlink;
use std::time::Duration;

use expect_test::expect;

use qmp_shell::Client;
use serde_json::{Value, json};

use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::{Run, program, qom};
use crate::support::server::{Q35, Server};
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;

/// Runs `qom ARGS` on this server.
fn run(address: &str, args: &[&str]) -> Run {
    qom(args).env("QMP_SOCKET", address).run()
}

#[test]
fn announces_a_long_wait_for_a_reply() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        conn.expect_pending("qom-list");
        std::thread::sleep(Duration::from_millis(5300));
        conn.reply_pending("[]");
        conn.wait_for_close();
    });
    let run = run(&peer.address(), &["list"]).expect_status(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "qom: Waiting for the reply to `qom-list`.\n"));
}

#[test]
fn lists_objects_and_reads_and_sets_properties() {
    let options = [Q35, &["-object", "iothread,id=io.0"]].concat();
    let Some(server) = Server::qemu(&options) else { return };
    let on = |args: &[&str]| run(&server.address(), args);

    // Objects and links are marked, and numbers in names are sorted by value.
    assert_eq!(on(&["list"]).expect_status(0).lines(), ["backend/", "chardevs/", "machine/", "objects/", "type"]);
    let machine = on(&["list", "/machine"]).expect_status(0);
    for name in ["q35/", "@acpi-device/", "kernel", "type"] {
        assert!(machine.lines().contains(&name), "{name} in {machine:?}");
    }
    let unattached = on(&["list", "unattached"]).stdout;
    assert!(unattached.find("device[2]/") < unattached.find("device[10]/"), "{unattached}");
    let listed: Value = serde_json::from_str(&on(&["list", "/objects", "--json"]).expect_status(0).stdout).unwrap();
    assert_eq!(listed[0], json!({"name": "io.0", "type": "child<iothread>"}));

    for (args, expected) in [
        (&["get", "/machine/q35.type"][..], "q35-pcihost\n"),
        (&["get", "/machine/q35", "type"], "q35-pcihost\n"),
        (&["get", "--json", "/machine/q35.type"], "\"q35-pcihost\"\n"),
        (&["get", "/.type"], "container\n"),
        (&["get", "machine.memory"], "size: 67108864\n"),
        (&["get", "--json", "machine.memory"], "{\"size\": 67108864}\n"),
        (&["get", "/machine.sgx-epc"], "[]\n"),
        (&["get", "/machine.kernel"], "\n"),
        (&["get", "/machine.q35"], "/machine/q35\n"),
        // Names of objects and of properties may contain dots.
        (&["get", "/objects/io.0.poll-max-ns"], "32768\n"),
        (&["get", "/machine/unattached/device[0].sse4.2"], "false\n"),
        (&["set", "/objects/io.0.poll-max-ns", "0x40k"], ""),
        (&["get", "/objects/io.0.poll-max-ns"], "65536\n"),
        (&["set", "/objects/io.0", "poll-max-ns", "1.5k"], ""),
        (&["get", "/objects/io.0", "poll-max-ns"], "1536\n"),
        (&["set", "/machine.graphics", "off"], ""),
        (&["get", "/machine.graphics"], "false\n"),
        // A string is taken as it is.
        (&["set", "/machine.append", "007"], ""),
        (&["get", "--json", "/machine.append"], "\"007\"\n"),
        (&["set", "/machine.append", "quiet \"x\" [1"], ""),
        (&["get", "/machine.append"], "quiet \"x\" [1\n"),
    ] {
        let seen = on(args).expect_status(0);
        assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), (expected, ""), "{args:?}");
    }
}

#[test]
fn reports_errors_with_suggestions() {
    let Some(server) = Server::qemu(Q35) else { return };
    let mut table = Table::new();
    for args in [
        &["list", "/machien/q35"][..],
        &["tree", "/machine/perpheral"],
        &["get", "/machine.krenel"],
        &["get", "/machine/q35/pcie.0"],
        &["set", "/machine.nope", "1"],
        &["set", "/machine.graphics", "maybe"],
        &["set", "/machine/q35.realized", "[1"],
        &["set", "/machine.type", "x"],
        &["get", "/machine"],
        &[],
    ] {
        let seen = run(&server.address(), args);
        assert_eq!((seen.stdout.as_str(), seen.stderr.lines().count()), ("", 1), "{args:?}");
        table.run(args.join(" "), &seen);
    }
    table.check(expect![[r#"
        > list /machien/q35
        stderr: qom: DeviceNotFound: Device '/machien/q35' not found; did you mean `/machine`?
        status: 1

        > tree /machine/perpheral
        stderr: qom: DeviceNotFound: Device '/machine/perpheral' not found; did you mean `/machine/peripheral`?
        status: 1

        > get /machine.krenel
        stderr: qom: GenericError: Property 'pc-q35-{VERSION}-machine.krenel' not found; did you mean `kernel`?
        status: 1

        > get /machine/q35/pcie.0
        stderr: qom: DeviceNotFound: Device '/machine/q35/pcie' not found; `/machine/q35/pcie.0` is an object; its properties follow another dot, as in `/machine/q35/pcie.0.type`
        status: 1

        > set /machine.nope 1
        stderr: qom: GenericError: Property 'pc-q35-{VERSION}-machine.nope' not found
        status: 1

        > set /machine.graphics maybe
        stderr: qom: `graphics` of `/machine`: expected true or false (on, off, yes, no), found `maybe`
        status: 1

        > set /machine/q35.realized [1
        stderr: qom: `realized` of `/machine/q35`: invalid JSON: unclosed `[`
        status: 1

        > set /machine.type x
        stderr: qom: GenericError: Property 'pc-q35-{VERSION}-machine.type' is not writable
        status: 1

        > get /machine
        stderr: qom: `/machine` does not name a property; expected PATH.PROPERTY, such as `/machine.type`
        status: 2

        >
        stderr: qom: missing COMMAND; expected one of `list`, `get`, `set`, `tree`, `fuse`
        status: 2
    "#]]);
    qom(&["frobnicate", "-s", "demo:"]).run().expect_status(2);
    let nowhere = qom(&["list"]).run().expect_status(2).stderr;
    assert!(nowhere.contains("QMP_SOCKET"), "{nowhere}");
    qom(&["list", "-s", "/nonexistent/q.sock"]).run().expect_status(3);
}

#[test]
fn draws_a_tree_with_types_and_values() {
    let drawn = run("demo:", &["tree", "/objects"]).expect_status(0).stdout;
    let expected = "\
/objects (container)
├── type: \"container\" (string)
├── iothread0/ (iothread)
│   ├── aio-max-batch: 0 (int)
│   ├── poll-grow: 0 (int)
│   ├── poll-max-ns: 32768 (int)
│   ├── poll-shrink: 0 (int)
│   ├── thread-pool-max: 64 (int)
│   ├── thread-pool-min: 0 (int)
│   └── type: \"iothread\" (string)
└── ram/ (memory-backend-ram)
";
    assert!(drawn.starts_with(expected), "{drawn}");

    let plain = qom(&["tree", "--socket=demo:", "--depth", "0", "/machine"]).env("LC_ALL", "C").run().expect_status(0);
    assert!(plain.stdout.is_ascii(), "{plain:?}");
    for line in [
        "|-- @memory-backend -> /objects/ram (memory-backend)",
        "|-- peripheral/ (container) ...",
        "`-- unattached/ (container) ...",
    ] {
        assert!(plain.lines().contains(&line), "{line} in {plain:?}");
    }
    let coloured = qom(&["tree", "-s", "demo:", "--color=always", "/objects"]).run().expect_status(0).stdout;
    assert!(coloured.contains("\u{1b}["), "{coloured}");
}

#[test]
fn draws_every_value_or_the_error_of_the_server() {
    let Some(server) = Server::qemu(Q35) else { return };
    let drawn = run(&server.address(), &["tree"]).expect_status(0).stdout;
    assert!(drawn.contains("└── objects/ (container)"), "{drawn}");
    // A value that cannot be read, and a link that is not set.
    let find = |is_wanted: fn(&str) -> bool| {
        let line = drawn.lines().find(|line| is_wanted(line)).unwrap_or_else(|| panic!("{drawn}"));
        line.trim_start_matches([' ', '│', '├', '└', '─'])
    };
    let lines = [
        find(|line| line.contains("crash-information: ")),
        find(|line| line.ends_with(" (bus)") && !line.contains("→ /")),
    ];
    snapshot::check(
        lines.join("\n"),
        expect![[r#"
            crash-information: unreadable: No crash occurred (GuestPanicInformation)
            @parent_bus → nowhere (bus)
        "#]],
    );
    assert!(drawn.lines().count() > 2000, "{drawn}");

    let seen = run(&server.address(), &["tree", "--json", "/machine"]).expect_status(0);
    let tree: Value = serde_json::from_str(&seen.stdout).unwrap();
    let client = Client::connect(&server.address()).unwrap();
    let mut objects = vec![&tree];
    let mut count = 0;
    while let Some(object) = objects.pop() {
        let at = |property: &str| json!({"path": object["path"], "property": property});
        let listed: Vec<Value> = client.execute("qom-list", json!({"path": object["path"]})).unwrap();
        let members = |key: &str| object[key].as_object().unwrap();
        assert_eq!(listed.len(), members("properties").len() + members("children").len(), "{}", object["path"]);
        for (name, property) in members("properties") {
            // Times change, and the second CPU is like the first.
            if name == "date" || name == "rtc-time" || object["path"] == "/machine/unattached/device[2]" {
                continue;
            }
            match client.execute::<Value>("qom-get", at(name)) {
                Ok(value) => assert_eq!(property["value"], value, "{name} of {}", object["path"]),
                Err(error) => assert_eq!(property["error"].as_str(), error.desc(), "{name} of {}", object["path"]),
            }
            count += 1;
        }
        assert_eq!(object["type"], object["properties"]["type"]["value"]);
        objects.extend(members("children").values());
    }
    assert!(count > 1000, "{count}");
}

/// Replies like a newer QEMU to the requests for a tree; returns the requests.
fn newer_qemu(conn: &mut PeerConnection) -> Vec<String> {
    conn.negotiate();
    let mut requests = Vec::new();
    loop {
        let line = conn.read_line();
        if line.is_empty() {
            return requests;
        }
        let request: Value = serde_json::from_str(&line).unwrap();
        let (command, id) = (request["execute"].as_str().unwrap(), request["id"].to_string());
        let paths = request["arguments"]["paths"].as_array();
        requests
            .push(format!("{command} {}", paths.map_or(request["arguments"]["path"].clone(), |paths| json!(paths))));
        let of_path = |path: &str| match path {
            "/" => {
                r#"{"properties": [{"name": "type", "type": "string", "value": "container"},
                {"name": "a\u001b[2J", "type": "child<one>", "value": "/a"}, {"name": "b", "type": "child<two>", "value": "/b"},
                {"name": "big", "type": "uint64", "value": 18446744073709551615}, {"name": "odd", "type": "x", "value": 1.50}]}"#
            }
            "/b" => {
                r#"{"properties": [{"name": "type", "type": "string", "value": "two"}, {"name": "n", "type": "any", "value": null},
                {"name": "secret", "type": "string"}, {"name": "s", "type": "str", "value": "\u001b[2J\u009b"}]}"#
            }
            other => panic!("{other}"),
        };
        let failure = |desc: &str| format!("\"error\": {{\"class\": \"GenericError\", \"desc\": \"{desc}\"}}");
        let body = match command {
            // The first of the two has been removed, which fails the request for both.
            "qom-list-get" if paths.unwrap().len() > 1 => failure("gone"),
            "qom-list-get" => format!("\"return\": [{}]", of_path(paths.unwrap()[0].as_str().unwrap())),
            "qom-list" if request["arguments"]["path"] != "/b" => failure("gone\\u001b[2J"),
            "qom-list" => r#""return": [{"name": "type", "type": "string"}, {"name": "n", "type": "any"},
                {"name": "secret", "type": "string"}, {"name": "s", "type": "str"}]"#
                .to_owned(),
            "qom-get" if request["arguments"]["property"] == "secret" => failure("is not readable"),
            "qom-get" if request["arguments"]["property"] == "n" => "\"return\": null".to_owned(),
            "qom-get" => r#""return": "\u001b[2J\u009b""#.to_owned(),
            other => panic!("{other}"),
        };
        conn.send_line(&format!("{{{}, \"id\": {id}}}", body.replace('\n', " ")));
    }
}

#[test]
fn reads_many_objects_at_once_from_a_newer_server() {
    let peer = Peer::start(|conn| {
        let requests = newer_qemu(conn);
        assert_eq!(
            requests,
            [
                "qom-list-get [\"/\"]",
                "qom-list-get [\"/a\\u001b[2J\",\"/b\"]",
                "qom-list \"/a\\u001b[2J\"",
                "qom-list \"/b\"",
                "qom-get \"/b\"",
                "qom-get \"/b\"",
                "qom-get \"/b\"",
            ]
        );
    });
    let seen = run(&peer.address(), &["tree"]).expect_status(0);
    seen.check(expect![[r#"
        / (container)
        ├── big: 18446744073709551615 (uint64)
        ├── odd: 1.50 (x)
        ├── type: "container" (string)
        ├── a\x1b[2J/: unreadable: gone\x1b[2J (one)
        └── b/ (two)
            ├── n: null (any)
            ├── s: "\u001b[2J\u009b" (str)
            ├── secret: unreadable: is not readable (string)
            └── type: "two" (string)
    "#]]);
}

#[test]
fn reads_properties_that_a_newer_server_leaves_out() {
    let peer = Peer::start(|conn| {
        let requests = newer_qemu(conn);
        assert_eq!(requests, ["qom-list-get [\"/b\"]", "qom-get \"/b\"", "qom-get \"/b\""]);
    });
    let seen = run(&peer.address(), &["tree", "--json", "/b"]).expect_status(0);
    let secret = r#""secret": {"type": "string", "error": "is not readable"}"#;
    assert!(seen.stdout.contains(secret) && seen.stdout.contains(r#""n": {"type": "any", "value": null}"#), "{seen:?}");
}

#[test]
fn distinguishes_a_lost_server_from_a_refusal() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        conn.read_line();
    });
    let seen = run(&peer.address(), &["tree"]).expect_status(4);
    assert!(seen.stdout.is_empty() && seen.stderr.starts_with("qom: "), "{seen:?}");
}

#[test]
fn a_link_with_the_name_of_an_old_tool_behaves_like_it() {
    let folder = tempfile::tempdir().unwrap();
    let tool = |name: &str, args: &[&str]| {
        let path = folder.path().join(name);
        symlink(env!("CARGO_BIN_EXE_qom"), &path).unwrap();
        program(path.to_str().unwrap(), args).run().expect_status(0).stdout
    };
    assert_eq!(tool("qom-get", &["-s", "demo:", "/.type"]), "container\n");
    assert_eq!(tool("qom-list", &["--socket", "demo:", "/objects"]), "iothread0/\nram/\ntype\n");
    assert_eq!(tool("qom-set", &["/objects/iothread0.poll-max-ns", "1k", "-s", "demo:"]), "");
    assert!(tool("qom-tree", &["--socket=demo:"]).starts_with("/ (container)\n"));
}

#[test]
fn shows_each_request_and_reply() {
    let seen = run("demo:", &["get", "-v", "/objects/iothread0", "poll-max-ns"]).expect_status(0);
    assert_eq!(seen.stdout, "32768\n");
    let shown: Vec<&str> = seen.stderr.lines().collect();
    let [request, reply] = shown.as_slice() else { panic!("{seen:#?}") };
    let (request, id) = request.rsplit_once(", \"id\": ").unwrap();
    let arguments = r#"{"path": "/objects/iothread0", "property": "poll-max-ns"}"#;
    assert_eq!(request, format!(r#"-> {{"execute": "qom-get", "arguments": {arguments}"#));
    assert_eq!(*reply, format!(r#"<- {{"return": 32768, "id": {id}"#));

    // Escaped, without secrets, and in the log, too.
    let peer = Peer::start(|conn| {
        conn.negotiate();
        conn.expect_pending("qom-list");
        conn.reply_pending("[]");
        let id = conn.expect_command("qom-set");
        conn.reply_error(Some(&id), "GenericError", "not \u{9b}2Jhunter2");
        conn.refuse_until_close();
    });
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let args = ["set", "-l", log.to_str().unwrap(), "--verbose", "/objects/sec0", "password", "hunter2"];
    let seen = run(&peer.address(), &args).expect_status(1);
    assert!(
        seen.stderr.contains(r#"<- {"error": {"class": "GenericError", "desc": "not \x9b2J<secret>"}"#),
        "{seen:#?}"
    );
    assert!(seen.stderr.contains(r#""property": "password", "value": "<secret>""#), "{seen:#?}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("qom-set") && log.contains("<secret>") && !log.contains("hunter2"), "{log}");
}

#[test]
fn ends_quietly_on_a_closed_pipe() {
    let command = format!("{} tree -s demo: | head -n 1; {0} list -s demo: | true", env!("CARGO_BIN_EXE_qom"));
    let seen = program("/bin/bash", &["-o", "pipefail", "-c", &command]).run().expect_status(0);
    assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), ("/ (container)\n", ""));
}

#[test]
fn sends_a_long_tree_to_the_pager() {
    let qom = env!("CARGO_BIN_EXE_qom");
    let command = format!("PAGER='sed -n 1,2p' {qom} tree -s demo:; {qom} list -s demo: /objects");
    let Some(terminal) = Terminal::start(&command, 80, 20) else { return };
    assert_eq!(terminal.wait_for_end(), 0);
    let screen = terminal.screen();
    assert!(screen.starts_with("/ (container)\n├── type: \"container\" (string)\niothread0/\n"), "{screen}");
}

#[test]
fn leaves_the_server_to_others_while_the_pager_runs() {
    let Some(server) = Server::qemu(Q35) else { return };
    let qom = format!("{} -s {}", env!("CARGO_BIN_EXE_qom"), server.address());
    let command = format!("PAGER=\"sh -c 'cat >/dev/null; {qom} get /machine/q35.type'\" {qom} tree /machine");
    let Some(terminal) = Terminal::start(&command, 80, 20) else { return };
    assert_eq!(terminal.wait_for_end(), 0);
    assert!(terminal.screen().starts_with("q35-pcihost\n"), "{}", terminal.screen());
}
