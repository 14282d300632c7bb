//! Malicious replies to the queries that the programs send by themselves (introspection, names for completion, the
//! object tree): endless types, very long names, a tree that grows while it is read. They do no more harm than a
//! missing reply.

use std::sync::{Arc, Mutex};

use expect_test::expect;

use qmp_shell::Client;
use qmp_shell::qom::QomClient;
use serde_json::{Value, json};

use crate::support::peer::{Peer, PeerConnection, Script};
use crate::support::program::{ADDRESS_SPACE_KIB, Run, run_confined};
use crate::support::snapshot;

/// Starts a server for this many connections. `reply` returns the value for a command, as JSON text.
fn serve(connections: usize, reply: impl Fn(&str, &Value) -> String + Send + Sync + 'static) -> Peer {
    let reply = Arc::new(reply);
    let script = || -> Script {
        let reply = Arc::clone(&reply);
        Box::new(move |conn: &mut PeerConnection| {
            conn.negotiate();
            while let Some(request) = conn.next_request() {
                let value = reply(request["execute"].as_str().unwrap(), &request["arguments"]);
                conn.reply(&request["id"].to_string(), &value);
            }
        })
    };
    Peer::start_all((0..connections).map(|_| script()).collect())
}

/// Describes an object type with one member.
fn object(name: &str, key: &str, kind: &str) -> Value {
    json!({"meta-type": "object", "name": name, "members": [{"name": key, "type": kind, "default": null}]})
}

/// Describes a union whose tag `k` is `a` or `b`.
fn union(name: &str, variants: [&str; 2]) -> Value {
    let variants = json!([{"case": "a", "type": variants[0]}, {"case": "b", "type": variants[1]}]);
    let members = json!([{"name": "k", "type": "enum", "default": null}]);
    json!({"meta-type": "object", "name": name, "members": members, "tag": "k", "variants": variants})
}

fn array(name: &str, of: &str) -> Value {
    json!({"meta-type": "array", "name": name, "element-type": of})
}

fn alternate(name: &str, of: [&str; 2]) -> Value {
    json!({"meta-type": "alternate", "name": name, "members": [{"type": of[0]}, {"type": of[1]}]})
}

/// Returns the introspection of a server with the command `c`, whose arguments are of type `args`.
fn introspection(types: &[Value]) -> String {
    let mut all = vec![
        json!({"meta-type": "command", "name": "c", "arg-type": "args", "ret-type": "none"}),
        json!({"meta-type": "object", "name": "none", "members": []}),
        json!({"meta-type": "builtin", "name": "str", "json-type": "string"}),
        json!({"meta-type": "enum", "name": "enum", "members": [{"name": "a"}, {"name": "b"}]}),
    ];
    all.extend_from_slice(types);
    Value::from(all).to_string()
}

#[test]
fn ignores_introspection_with_endless_types() {
    let name = |n: usize| format!("t{n}");
    let chain = (0..50_000).map(|n| array(&name(n), &name(n + 1)));
    let doubling = (0..40).map(|n| alternate(&name(n), [&name(n + 1), &name(n + 1)]));
    let unions = (0..40).map(|n| union(&name(n), [&name(n + 1), &name(n + 1)]));
    let cases: Vec<(&str, Vec<Value>)> = vec![
        ("an array of itself", vec![object("args", "k", "l"), array("l", "l")]),
        ("an alternate of itself", vec![object("args", "k", "l"), alternate("l", ["l", "str"])]),
        ("a variant of itself", vec![union("args", ["args", "none"])]),
        ("two variants of each other", vec![union("args", ["l", "none"]), union("l", ["none", "args"])]),
        ("a long chain", chain.chain([array(&name(50_000), "str"), object("args", "k", "t0")]).collect()),
        ("doubling", doubling.chain([array(&name(40), "str"), object("args", "k", "t0")]).collect()),
        ("doubling unions", unions.chain([object(&name(40), "x", "str"), union("args", ["t0", "t0"])]).collect()),
    ];
    for (case, types) in cases {
        let text = introspection(&types);
        let peer = serve(2, move |command, _| match command {
            "query-qmp-schema" => text.clone(),
            "query-commands" => "[{\"name\": \"c\"}]".to_owned(),
            _ => "{}".to_owned(),
        });
        let address = peer.address();
        let lines = ["c k=a", "c k.0=a", "c k.k=a", "help c", "help c.k", "help c.x"];
        let lines: Vec<&str> = lines.iter().flat_map(|line| ["-c", line]).collect();
        let run =
            run_confined(&[&["--dry-run", &address], lines.as_slice()].concat(), ADDRESS_SPACE_KIB).expect_status(1);
        assert_eq!(run.lines()[0], "{\"execute\": \"c\", \"arguments\": {\"k\": \"a\"}}", "{case}: {run:#?}");
        let offered = run_confined(&["--complete", "c", &address], ADDRESS_SPACE_KIB).expect_status(0);
        assert_eq!(offered.lines(), ["c\t"], "{case}: {offered:#?}");
    }
}

#[test]
fn accepts_an_object_that_contains_itself() {
    let text = introspection(&[object("args", "k", "args")]);
    let peer = serve(1, move |_, _| text.clone());
    let run = run_confined(&["--dry-run", &peer.address(), "-c", "c k.k.k.j=1"], ADDRESS_SPACE_KIB).expect_status(1);
    snapshot::check(
        run.stderr.lines().next().unwrap(),
        expect![[r#"
            -c:1: unknown key `k.k.k.j` for `c`; the only other key is `k.k.k.k`
        "#]],
    );
}

/// Runs `--complete LINE` on a server with these replies.
fn complete(line: &str, reply: impl Fn(&str, &Value) -> String + Send + Sync + 'static) -> Run {
    let peer = serve(1, reply);
    run_confined(&["--complete", line, &peer.address()], ADDRESS_SPACE_KIB)
}

#[test]
fn long_names_take_little_memory() {
    let long = "k".repeat(100_000);
    let text = introspection(&[object("args", &long, "str")]);
    let peer = serve(1, move |_, _| text.clone());
    let run = run_confined(&["-c", "help c", &peer.address()], ADDRESS_SPACE_KIB).expect_status(0);
    assert!(run.stderr.contains(&long), "{run:#?}");

    // The shell repeats a description in the monitor's help for each of the names before it: here 20,000 names of a
    // long description.
    let help = format!("{}x -- {}\r\nxyz|x9 -- short\r\n", "x|".repeat(20_000), "w".repeat(20_000));
    let help = Value::from(help).to_string();
    let text = introspection(&[object("args", "k", "str")]).replace("\"c\"", "\"human-monitor-command\"");
    let offered = complete(".hmp xy", move |command, _| match command {
        "human-monitor-command" => help.clone(),
        "query-qmp-schema" => text.clone(),
        _ => "[]".to_owned(),
    });
    assert_eq!((offered.status, offered.lines()), (0, vec!["xyz\tshort"]), "{offered:#?}");

    // A short text may take much memory once it is parsed.
    let text =
        introspection(&[object("args", "k", "str")]).replace("\"c\"", "\"qom-get\"").replace("\"k\"", "\"path\"");
    let offered = complete("qom-get path=/", move |command, _| match command {
        "query-qmp-schema" => text.clone(),
        _ => format!("[{}{{}}]", "{},".repeat(6 << 20)),
    });
    assert_eq!((offered.status, offered.stdout.as_str()), (0, ""), "{}", offered.stderr);
}

/// A long query would delay the line being typed.
#[test]
fn sends_no_query_for_an_absurdly_long_name() {
    let text =
        introspection(&[object("args", "k", "str")]).replace("\"c\"", "\"qom-get\"").replace("\"k\"", "\"path\"");
    let commands = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&commands);
    let line = format!("qom-get path=/{}/", "x".repeat(100_000));
    let offered = complete(&line, move |command, _| {
        log.lock().unwrap().push(command.to_owned());
        text.clone()
    });
    assert_eq!((offered.status, offered.stdout.as_str()), (0, ""), "{}", offered.stderr);
    assert_eq!(*commands.lock().unwrap(), ["query-qmp-schema"]);
}

#[test]
fn gives_up_a_tree_that_grows_without_end() {
    for bulk in [true, false] {
        let peer = serve(1, move |command, arguments| {
            let members: Vec<Value> =
                (0..10).map(|n| json!({"name": format!("o{n}"), "type": "child<container>"})).collect();
            match command {
                "qom-list-get" if bulk => {
                    let objects = arguments["paths"].as_array().unwrap().iter();
                    Value::from_iter(objects.map(|_| json!({"properties": members}))).to_string()
                }
                "qom-list" => Value::from(members).to_string(),
                _ => "null".to_owned(),
            }
        });
        let client = Client::connect(&peer.address()).unwrap();
        let tree = QomClient::new(&client).with_max_tree_members(5000).tree("/", None);
        snapshot::check(
            tree.unwrap_err().to_string(),
            expect![[r#"
                the tree has more than 5000 objects and properties; limit it with `--depth`
            "#]],
        );
    }
}
