//! The shell's own monitor on servers with commands that no QEMU has yet.

use expect_test::expect;

use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::qmp_shell;
use crate::support::snapshot;

/// Introspection with a query whose reply is a text, and with a query for several objects.
const SCHEMA: &str = r#"[
    {"name": "x-query-frobs", "meta-type": "command", "arg-type": "1", "ret-type": "2", "features": ["unstable"]},
    {"name": "x-query-opaque", "meta-type": "command", "arg-type": "1", "ret-type": "1"},
    {"name": "qom-list-get", "meta-type": "command", "arg-type": "3", "ret-type": "[1]"},
    {"name": "query-qmp-schema", "meta-type": "command", "arg-type": "1", "ret-type": "[1]"},
    {"name": "1", "meta-type": "object", "members": [
        {"name": "cpu", "type": "int"}, {"name": "verbose", "type": "bool", "default": null}]},
    {"name": "2", "meta-type": "object", "members": [{"name": "human-readable-text", "type": "str"}]},
    {"name": "3", "meta-type": "object", "members": [{"name": "paths", "type": "[str]"}]},
    {"name": "[1]", "meta-type": "array", "element-type": "1"},
    {"name": "[str]", "meta-type": "array", "element-type": "str"},
    {"name": "int", "meta-type": "builtin", "json-type": "int"},
    {"name": "bool", "meta-type": "builtin", "json-type": "boolean"},
    {"name": "str", "meta-type": "builtin", "json-type": "string"}
]"#;

/// Answers requests until the client closes: introspection, and others with the return value or error that `answer`
/// returns.
fn answer_all(conn: &mut PeerConnection, answer: fn(&serde_json::Value) -> Result<String, &'static str>) {
    conn.negotiate();
    while let Some(request) = conn.next_request() {
        let id = request["id"].to_string();
        match (request["execute"].as_str().unwrap(), answer(&request)) {
            ("query-qmp-schema", _) => conn.reply(&id, &SCHEMA.replace('\n', " ")),
            (_, Ok(value)) => conn.reply(&id, &value),
            (_, Err(desc)) => conn.reply_error(Some(&id), "GenericError", desc),
        }
    }
}

/// Runs lines in the own monitor on a server that answers with `answer`. Returns the output.
fn run(lines: &[&str], answer: fn(&serde_json::Value) -> Result<String, &'static str>) -> String {
    let peer = Peer::start(move |conn| answer_all(conn, answer));
    let address = peer.address();
    let mut words = vec!["-H", "--monitor", "own", &address];
    lines.iter().for_each(|line| words.extend(["-c", line]));
    let output = qmp_shell(&words).run();
    output.stdout
}

#[test]
fn a_query_that_nobody_knows_becomes_a_subcommand_of_info() {
    let lines = [
        "info frobs 0x10",
        "info frobs 1 on",
        "info  frobs  2  off ",
        "info frobs",
        "info frobs x",
        "info frobs 1 maybe",
        "info frobs 1 on 2",
        "info opaque 1",
        "info nothing",
    ];
    let output = run(&lines, |request| {
        let text = format!("{}\n", request["arguments"]);
        Ok(serde_json::json!({ "human-readable-text": text }).to_string())
    });
    snapshot::check(
        output,
        expect![[r#"
            {"cpu":16}
            {"cpu":1,"verbose":true}
            {"cpu":2,"verbose":false}
            frobs: cpu expected
            Try "help info frobs" for more information
            frobs: invalid cpu 'x'
            Try "help info frobs" for more information
            frobs: invalid verbose 'maybe'
            Try "help info frobs" for more information
            frobs: extraneous characters at the end of line
            Try "help info frobs" for more information
            unknown command: 'info opaque'
            unknown command: 'info nothing'
        "#]],
    );
}

#[test]
fn help_lists_the_subcommands_that_only_this_server_has() {
    let entry = "info frobs cpu [verbose] -- a text of the server";
    let output = run(&["help info"], |_| Err("no"));
    assert_eq!(output.lines().last(), Some(entry));
    assert_eq!(run(&["help info frobs"], |_| Err("no")), format!("{entry}\n"));
}

#[test]
fn many_objects_are_listed_in_one_reply() {
    let output = run(&["info qom-tree"], |request| {
        let children = |path: &str| match path {
            "/machine" => r#"[{"name": "b", "type": "child<T>"}, {"name": "a", "type": "child<T>", "value": 1}]"#,
            "/machine/a" => r#"[{"name": "x", "type": "child<U>"}]"#,
            _ => "[]",
        };
        let arguments = &request["arguments"];
        match request["execute"].as_str().unwrap() {
            "qom-get" => Ok("\"M\"".to_owned()),
            "qom-list" => Ok(children(arguments["path"].as_str().unwrap()).to_owned()),
            "qom-list-get" => {
                let paths: Vec<&str> =
                    arguments["paths"].as_array().unwrap().iter().flat_map(|path| path.as_str()).collect();
                assert!(paths.len() > 1);
                let lists = paths.iter().map(|path| format!("{{\"properties\": {}}}", children(path)));
                Ok(format!("[{}]", lists.collect::<Vec<_>>().join(", ")))
            }
            _ => Err("no"),
        }
    });
    assert_eq!(output, "/machine (M)\n  /a (T)\n    /x (U)\n  /b (T)\n");
}

#[test]
fn objects_that_vanish_are_asked_for_one_by_one() {
    let output = run(&["info qom-tree"], |request| {
        let path = request["arguments"]["path"].as_str().unwrap_or_default();
        match (request["execute"].as_str().unwrap(), path) {
            ("qom-get", _) => Ok("\"M\"".to_owned()),
            ("qom-list", "/machine") => {
                Ok(r#"[{"name": "a", "type": "child<T>"}, {"name": "b", "type": "child<T>"}]"#.to_owned())
            }
            ("qom-list", "/machine/a") => Ok(r#"[{"name": "x", "type": "child<U>"}]"#.to_owned()),
            _ => Err("gone"),
        }
    });
    assert_eq!(output, "/machine (M)\n  /a (T)\n    /x (U)\n  /b (T)\n");
}

#[test]
fn replies_of_other_types_are_no_harm() {
    let lines =
        ["info qom-tree", "qom-list /", "qom-get / x", "info qtree", "info network", "info qdm", "chardev-add help"];
    for value in ["{}", "[]", "null", "5", "\"text\"", "[null, 5, {}, {\"name\": 5, \"type\": []}]"] {
        // Whatever is printed, the shell lives to the last line.
        let value = serde_json::to_string(&serde_json::from_str::<serde_json::Value>(value).unwrap()).unwrap();
        let peer = Peer::start(move |conn| {
            conn.negotiate();
            while let Some(request) = conn.next_request() {
                conn.reply(&request["id"].to_string(), &value);
            }
        });
        let address = peer.address();
        let mut words = vec!["-H", "--monitor", "own", &address];
        lines.iter().for_each(|line| words.extend(["-c", line]));
        words.extend(["-c", "info nosuch"]);
        let run = qmp_shell(&words).run();
        assert!(run.stdout.ends_with("unknown command: 'info nosuch'\n"), "{}", run.stdout);
    }
}
