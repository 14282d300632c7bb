//! `qom`: the object tree, listed, read, set and drawn.

use std::os::unix::fs::symlink;

use qmp_shell::Client;
use serde_json::{Value, json};

use crate::support::peer::{Peer, Talk};
use crate::support::program::{Run, program, qom};
use crate::support::server::{Q35, Server};
use crate::support::terminal::Terminal;

/// `qom ARGS` on this server.
fn run(address: &str, args: &[&str]) -> Run {
    qom(args).env("QMP_SOCKET", address).run()
}

#[test]
fn an_object_is_listed_and_its_properties_are_read_and_set() {
    let options = [Q35, &["-object", "iothread,id=io.0"]].concat();
    let Some(server) = Server::qemu(&options) else { return };
    let on = |args: &[&str]| run(&server.address(), args);

    // What holds others is told from what has a value, and the order is that of a person.
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
        (&["get", "/machine.type"][..], "pc-q35-10.0-machine\n"),
        (&["get", "/machine", "type"], "pc-q35-10.0-machine\n"),
        (&["get", "--json", "/machine.type"], "\"pc-q35-10.0-machine\"\n"),
        (&["get", "/.type"], "container\n"),
        (&["get", "machine.memory"], "size: 67108864\n"),
        (&["get", "--json", "machine.memory"], "{\"size\": 67108864}\n"),
        (&["get", "/machine.sgx-epc"], "[]\n"),
        (&["get", "/machine.kernel"], "\n"),
        (&["get", "/machine.q35"], "/machine/q35\n"),
        // Names of objects and of properties may hold dots.
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
fn what_is_wrong_is_said_with_the_name_that_was_meant() {
    let Some(server) = Server::qemu(Q35) else { return };
    for (args, status, message) in [
        (&["list", "/machien/q35"][..], 1, "DeviceNotFound: Device '/machien/q35' not found; did you mean `/machine`?"),
        (
            &["tree", "/machine/perpheral"],
            1,
            "DeviceNotFound: Device '/machine/perpheral' not found; did you mean `/machine/peripheral`?",
        ),
        (
            &["get", "/machine.krenel"],
            1,
            "GenericError: Property 'pc-q35-10.0-machine.krenel' not found; did you mean `kernel`?",
        ),
        (
            &["get", "/machine/q35/pcie.0"],
            1,
            "DeviceNotFound: Device '/machine/q35/pcie' not found; `/machine/q35/pcie.0` is an object, and its properties \
             are behind another dot, as in `/machine/q35/pcie.0.type`",
        ),
        (&["set", "/machine.nope", "1"], 1, "GenericError: Property 'pc-q35-10.0-machine.nope' not found"),
        (
            &["set", "/machine.graphics", "maybe"],
            1,
            "`graphics` of `/machine`: it takes true or false (on, off, yes, no), not `maybe`",
        ),
        (&["set", "/machine/q35.realized", "[1"], 1, "`realized` of `/machine/q35`: in the JSON: "),
        (&["set", "/machine.type", "x"], 1, "GenericError: "),
        (&["get", "/machine"], 2, "`/machine` names no property: it is PATH.PROPERTY, such as `/machine.type`"),
        (&[], 2, "no COMMAND is named; it is one of `list`, `get`, `set`, `tree`"),
    ] {
        let seen = run(&server.address(), args).expect_status(status);
        assert!(seen.stderr.starts_with(&format!("qom: {message}")), "{args:?}: {seen:?}");
        assert_eq!((seen.stdout.as_str(), seen.stderr.lines().count()), ("", 1), "{args:?}");
    }
    qom(&["frobnicate", "-s", "demo:"]).run().expect_status(2);
    let nowhere = qom(&["list"]).run().expect_status(2).stderr;
    assert!(nowhere.contains("QMP_SOCKET"), "{nowhere}");
    qom(&["list", "-s", "/nonexistent/q.sock"]).run().expect_status(3);
}

#[test]
fn a_tree_is_drawn_with_types_and_values() {
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
        "/machine (pc-q35-10.0-machine)",
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
fn a_tree_says_what_the_server_says_and_why_where_it_says_nothing() {
    let Some(server) = Server::qemu(Q35) else { return };
    let drawn = run(&server.address(), &["tree"]).expect_status(0).stdout;
    for line in ["crash-information: unreadable: No crash occurred (GuestPanicInformation)", "└── objects/ (container)"]
    {
        assert!(drawn.contains(line), "{line} in\n{drawn}");
    }
    assert!(drawn.contains("→ nowhere (bus)"), "{drawn}");
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
            // Time goes on, and a second CPU says what the first does.
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

/// Answers what a tree of a new server needs; says which commands were asked for.
fn newer_qemu(talk: &mut Talk) -> Vec<String> {
    talk.negotiate();
    let mut asked = Vec::new();
    loop {
        let heard = talk.hear();
        if heard.is_empty() {
            return asked;
        }
        let request: Value = serde_json::from_str(&heard).unwrap();
        let (command, id) = (request["execute"].as_str().unwrap(), request["id"].to_string());
        let paths = request["arguments"]["paths"].as_array();
        asked.push(format!("{command} {}", paths.map_or(request["arguments"]["path"].clone(), |paths| json!(paths))));
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
            // The first of the two has gone since, so there is no answer for both.
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
        talk.say(&format!("{{{}, \"id\": {id}}}", body.replace('\n', " ")));
    }
}

#[test]
fn a_newer_server_is_asked_for_many_objects_at_once() {
    let peer = Peer::start(|talk| {
        let asked = newer_qemu(talk);
        assert_eq!(
            asked,
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
    let expected = "\
/ (container)
├── big: 18446744073709551615 (uint64)
├── odd: 1.50 (x)
├── type: \"container\" (string)
├── a\\x1b[2J/: unreadable: gone\\x1b[2J (one)
└── b/ (two)
    ├── n: null (any)
    ├── s: \"\\u001b[2J\\u009b\" (str)
    ├── secret: unreadable: is not readable (string)
    └── type: \"two\" (string)
";
    assert_eq!(seen.stdout, expected);
}

#[test]
fn what_a_newer_server_leaves_out_is_asked_for_by_itself() {
    let peer = Peer::start(|talk| {
        let asked = newer_qemu(talk);
        assert_eq!(asked, ["qom-list-get [\"/b\"]", "qom-get \"/b\"", "qom-get \"/b\""]);
    });
    let seen = run(&peer.address(), &["tree", "--json", "/b"]).expect_status(0);
    let secret = r#""secret": {"type": "string", "error": "is not readable"}"#;
    assert!(seen.stdout.contains(secret) && seen.stdout.contains(r#""n": {"type": "any", "value": null}"#), "{seen:?}");
}

#[test]
fn a_server_that_goes_away_is_told_from_one_that_refuses() {
    let peer = Peer::start(|talk| {
        talk.negotiate();
        talk.hear();
    });
    let seen = run(&peer.address(), &["tree"]).expect_status(4);
    assert!(seen.stdout.is_empty() && seen.stderr.starts_with("qom: "), "{seen:?}");
}

#[test]
fn a_link_named_after_the_old_tool_is_that_tool() {
    let folder = tempfile::tempdir().unwrap();
    let tool = |name: &str, args: &[&str]| {
        let path = folder.path().join(name);
        symlink(env!("CARGO_BIN_EXE_qom"), &path).unwrap();
        program(path.to_str().unwrap(), args).run().expect_status(0).stdout
    };
    assert_eq!(tool("qom-get", &["-s", "demo:", "/machine.type"]), "pc-q35-10.0-machine\n");
    assert_eq!(tool("qom-list", &["--socket", "demo:", "/objects"]), "iothread0/\nram/\ntype\n");
    assert_eq!(tool("qom-set", &["/objects/iothread0.poll-max-ns", "1k", "-s", "demo:"]), "");
    assert!(tool("qom-tree", &["--socket=demo:"]).starts_with("/ (container)\n"));
}

#[test]
fn each_request_and_reply_is_shown_on_request() {
    let seen = run("demo:", &["get", "-v", "/objects/iothread0", "poll-max-ns"]).expect_status(0);
    assert_eq!(seen.stdout, "32768\n");
    let said: Vec<&str> = seen.stderr.lines().collect();
    let [request, reply] = said.as_slice() else { panic!("{seen:#?}") };
    let (request, id) = request.rsplit_once(", \"id\": ").unwrap();
    let arguments = r#"{"path":"/objects/iothread0","property":"poll-max-ns"}"#;
    assert_eq!(request, format!(r#"-> {{"execute": "qom-get", "arguments": {arguments}"#));
    assert_eq!(*reply, format!(r#"<- {{"return": 32768, "id": {id}"#));

    // In the log as well, and harmless, and without what is secret.
    let peer = Peer::start(|talk| {
        talk.negotiate();
        talk.hear_command("qom-list");
        talk.return_value("[]");
        let id = talk.expect("qom-set");
        talk.refuse(Some(&id), "GenericError", "not \u{9b}2Jhunter2");
        talk.refuse_until_close();
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
fn a_closed_pipe_ends_it_quietly() {
    let command = format!("{} tree -s demo: | head -n 1; {0} list -s demo: | true", env!("CARGO_BIN_EXE_qom"));
    let seen = program("/bin/bash", &["-o", "pipefail", "-c", &command]).run().expect_status(0);
    assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), ("/ (container)\n", ""));
}

#[test]
fn a_tree_longer_than_the_screen_goes_through_the_pager() {
    let qom = env!("CARGO_BIN_EXE_qom");
    let command = format!("PAGER='sed -n 1,2p' {qom} tree -s demo:; {qom} list -s demo: /objects");
    let Some(terminal) = Terminal::start(&command, 80, 20) else { return };
    assert_eq!(terminal.wait_for_end(), 0);
    let screen = terminal.screen();
    assert!(screen.starts_with("/ (container)\n├── type: \"container\" (string)\niothread0/\n"), "{screen}");
}

#[test]
fn the_server_is_free_for_others_while_a_tree_is_looked_at() {
    let Some(server) = Server::qemu(Q35) else { return };
    let qom = format!("{} -s {}", env!("CARGO_BIN_EXE_qom"), server.address());
    let command = format!("PAGER=\"sh -c 'cat >/dev/null; {qom} get /machine.type'\" {qom} tree /machine");
    let Some(terminal) = Terminal::start(&command, 80, 20) else { return };
    assert_eq!(terminal.wait_for_end(), 0);
    assert!(terminal.screen().starts_with("pc-q35-10.0-machine\n"), "{}", terminal.screen());
}
