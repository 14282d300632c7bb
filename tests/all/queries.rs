//! What the programs ask a server by themselves (introspection, names for completion, the object tree), and one that
//! answers to do harm: types without end, names without measure, a tree that grows as it is read. It is no worse than a
//! server that does not answer.

use std::sync::{Arc, Mutex};

use qmp_shell::Client;
use qmp_shell::qom::QomClient;
use serde_json::{Value, json};

use crate::support::peer::{Peer, Script, Talk};
use crate::support::program::{Run, SPACE, confined};

/// A server for so many connections: `answer` returns what it says to a command, as JSON text.
fn serve(connections: usize, answer: impl Fn(&str, &Value) -> String + Send + Sync + 'static) -> Peer {
    let answer = Arc::new(answer);
    let script = || -> Script {
        let answer = Arc::clone(&answer);
        Box::new(move |talk: &mut Talk| {
            talk.negotiate();
            loop {
                let line = talk.hear();
                if line.is_empty() {
                    return;
                }
                let request: Value = serde_json::from_str(&line).unwrap();
                let value = answer(request["execute"].as_str().unwrap(), &request["arguments"]);
                talk.answer(&request["id"].to_string(), &value);
            }
        })
    };
    Peer::start_all((0..connections).map(|_| script()).collect())
}

/// An object type with one member.
fn object(name: &str, key: &str, kind: &str) -> Value {
    json!({"meta-type": "object", "name": name, "members": [{"name": key, "type": kind, "default": null}]})
}

/// A union: its member `k` is `a` or `b`, and chooses one of these.
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

/// The introspection of a server with the command `c`, whose arguments are of type `args`.
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
fn types_without_end_are_as_good_as_no_introspection() {
    let name = |n: usize| format!("t{n}");
    let chain = (0..50_000).map(|n| array(&name(n), &name(n + 1)));
    let doubling = (0..40).map(|n| alternate(&name(n), [&name(n + 1), &name(n + 1)]));
    let unions = (0..40).map(|n| union(&name(n), [&name(n + 1), &name(n + 1)]));
    let worlds: Vec<(&str, Vec<Value>)> = vec![
        ("an array of itself", vec![object("args", "k", "l"), array("l", "l")]),
        ("an alternate of itself", vec![object("args", "k", "l"), alternate("l", ["l", "str"])]),
        ("a variant of itself", vec![union("args", ["args", "none"])]),
        ("two variants of each other", vec![union("args", ["l", "none"]), union("l", ["none", "args"])]),
        ("a long chain", chain.chain([array(&name(50_000), "str"), object("args", "k", "t0")]).collect()),
        ("doubling", doubling.chain([array(&name(40), "str"), object("args", "k", "t0")]).collect()),
        ("doubling unions", unions.chain([object(&name(40), "x", "str"), union("args", ["t0", "t0"])]).collect()),
    ];
    for (what, types) in worlds {
        let text = introspection(&types);
        let peer = serve(2, move |command, _| match command {
            "query-qmp-schema" => text.clone(),
            "query-commands" => "[{\"name\": \"c\"}]".to_owned(),
            _ => "{}".to_owned(),
        });
        let address = peer.address();
        let lines = ["c k=a", "c k.0=a", "c k.k=a", "help c", "help c.k", "help c.x"];
        let lines: Vec<&str> = lines.iter().flat_map(|line| ["-c", line]).collect();
        let run = confined(&[&["--dry-run", &address], lines.as_slice()].concat(), SPACE).expect_status(1);
        assert_eq!(run.lines()[0], "{\"execute\": \"c\", \"arguments\": {\"k\": \"a\"}}", "{what}: {run:#?}");
        let offered = confined(&["--complete", "c", &address], SPACE).expect_status(0);
        assert_eq!(offered.lines(), ["c\t"], "{what}: {offered:#?}");
    }
}

#[test]
fn an_object_in_itself_is_introspection_like_any_other() {
    let text = introspection(&[object("args", "k", "args")]);
    let peer = serve(1, move |_, _| text.clone());
    let run = confined(&["--dry-run", &peer.address(), "-c", "c k.k.k.j=1"], SPACE).expect_status(1);
    assert!(run.stderr.contains("`k.k.k` of `c` has no key `j`; left to give is `k`"), "{run:#?}");
}

/// Runs `--complete LINE` on a server that answers so.
fn complete(line: &str, answer: impl Fn(&str, &Value) -> String + Send + Sync + 'static) -> Run {
    let peer = serve(1, answer);
    confined(&["--complete", line, &peer.address()], SPACE)
}

#[test]
fn names_without_measure_take_no_memory_to_speak_of() {
    let long = "k".repeat(100_000);
    let text = introspection(&[object("args", &long, "str")]);
    let peer = serve(1, move |_, _| text.clone());
    let run = confined(&["-c", "help c", &peer.address()], SPACE).expect_status(0);
    assert!(run.stderr.contains(&long), "{run:#?}");

    // Every name in the monitor's help comes with its words; here there are many, and the words are long.
    let help = format!("{}x -- {}\r\nxyz|x9 -- short\r\n", "x|".repeat(20_000), "w".repeat(20_000));
    let help = Value::from(help).to_string();
    let offered = complete(".hmp xy", move |command, _| match command {
        "human-monitor-command" => help.clone(),
        _ => "[]".to_owned(),
    });
    assert_eq!((offered.status, offered.lines()), (0, vec!["xyz\tshort"]), "{offered:#?}");

    // What is short on the wire may be large once it is read.
    let text =
        introspection(&[object("args", "k", "str")]).replace("\"c\"", "\"qom-get\"").replace("\"k\"", "\"path\"");
    let offered = complete("qom-get path=/", move |command, _| match command {
        "query-qmp-schema" => text.clone(),
        _ => format!("[{}{{}}]", "{},".repeat(6 << 20)),
    });
    assert_eq!((offered.status, offered.stdout.as_str()), (0, ""), "{}", offered.stderr);
}

/// A line being typed is not to wait until a long question is sent.
#[test]
fn nobody_is_asked_about_a_name_that_nobody_would_type() {
    let text =
        introspection(&[object("args", "k", "str")]).replace("\"c\"", "\"qom-get\"").replace("\"k\"", "\"path\"");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let line = format!("qom-get path=/{}/", "x".repeat(100_000));
    let offered = complete(&line, move |command, _| {
        hears.lock().unwrap().push(command.to_owned());
        text.clone()
    });
    assert_eq!((offered.status, offered.stdout.as_str()), (0, ""), "{}", offered.stderr);
    assert_eq!(*heard.lock().unwrap(), ["query-qmp-schema"]);
}

#[test]
fn a_tree_that_grows_as_it_is_read_is_given_up() {
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
        let tree = QomClient::new(&client).at_most(5000).tree("/", None);
        let sentence = "the server tells of more than 5000 objects and properties; `--depth` bounds what is asked for";
        assert_eq!(tree.unwrap_err().to_string(), sentence);
    }
}
