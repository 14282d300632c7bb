//! `.show qom`: an object with its properties and values, and the objects in it with theirs.

use serde_json::{Value, json};

use crate::monitor::text::{items, string};
use crate::monitor::{Failure, QmpServer, request};
use crate::qom::{Property, Tree, TreeGlyphs, write_tree, write_tree_json};
use crate::wire::Request;

use super::columns::cut_colored;
use super::{Medium, View};

/// The levels of objects that are shown with their properties.
const LEVELS: usize = 2;

/// The maximum number of properties. Machines have hundreds at the levels shown.
const MAX_MEMBERS: usize = 50_000;

/// The object that is shown without an argument.
const ROOT: &str = "/";

pub(super) struct QomTree(Tree);

/// Asks for the object at a path, and for the objects in it.
pub(super) fn ask(server: &mut dyn QmpServer, path: Option<&str>) -> Result<QomTree, Failure> {
    let mut tree = Tree::new(path.unwrap_or(ROOT));
    let mut level = vec![0];
    let mut members = 0;
    for depth in 0..LEVELS {
        let lists: Vec<Request> =
            level.iter().map(|object| request("qom-list", json!({ "path": tree.node(*object).path }))).collect();
        let mut wanted = Vec::new();
        let mut next = Vec::new();
        for (object, reply) in level.into_iter().zip(server.query_all(&lists)?) {
            match reply {
                Ok(reply) => {
                    let properties: Vec<_> = items(&reply).iter().map(|entry| (property(entry), None)).collect();
                    members += properties.len();
                    if members > MAX_MEMBERS {
                        let desc =
                            format!("more than {MAX_MEMBERS} properties; choose an object further down the tree");
                        return Err(Failure::error(desc));
                    }
                    let unread = tree.set_members(object, properties);
                    next.extend(unread.children);
                    wanted.extend(unread.values.into_iter().map(|member| (object, member)));
                }
                Err(error) if depth == 0 => return Err(error.into()),
                Err(error) => tree.set_failed(object, error.desc),
            }
        }
        let get = |(object, member): &(usize, usize)| {
            let (path, property) = (&tree.node(*object).path, tree.member_name(*object, *member));
            request("qom-get", json!({ "path": path, "property": property }))
        };
        let gets: Vec<Request> = wanted.iter().map(get).collect();
        for ((object, member), value) in wanted.into_iter().zip(server.query_all(&gets)?) {
            tree.set_value(object, member, value.map(|value| value.to_string()).map_err(|error| error.desc));
        }
        level = next;
    }
    Ok(QomTree(tree))
}

fn property(entry: &Value) -> Property {
    Property { name: string(entry, "name").to_owned(), type_name: string(entry, "type").to_owned(), description: None }
}

impl View for QomTree {
    fn json(&self) -> String {
        let mut text = String::new();
        write_tree_json(&self.0, &mut text);
        text
    }

    fn draw(&self, medium: &Medium<'_>) -> String {
        let mut text = Vec::new();
        // Writing to memory does not fail.
        let _ = write_tree(&self.0, &TreeGlyphs::UNICODE, medium.palette, &mut text);
        let text = String::from_utf8_lossy(&text);
        text.lines().map(|line| cut_colored(line, medium) + "\n").collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::ScriptedServer;

    #[test]
    fn two_levels_have_values() {
        let list = |path: &str| format!(r#"qom-list {{"path":"{path}"}}"#);
        let get = |path: &str, property: &str| format!(r#"qom-get {{"path":"{path}","property":"{property}"}}"#);
        let mut server = ScriptedServer::default()
            .reply(
                &list("/objects"),
                json!([{"name": "type", "type": "string"}, {"name": "m\u{1b}", "type": "child<memory>"},
                {"name": "gone", "type": "child<x>"}]),
            )
            .reply(&get("/objects", "type"), json!("container"))
            .reply(
                r#"qom-list {"path":"/objects/m\u001b"}"#,
                json!([{"name": "size", "type": "int"}, {"name": "r", "type": "child<y>"},
                {"name": "text", "type": "string"}]),
            )
            .reply(r#"qom-get {"path":"/objects/m\u001b","property":"size"}"#, json!(u64::MAX))
            .reply(
                r#"qom-get {"path":"/objects/m\u001b","property":"text"}"#,
                json!("a very long text that does not fit on the line"),
            );
        expect_test::expect![[r#"
            /objects (container)
            ├── type: "container" (string)
            ├── gone/: unreadable: the server has no QMP comm…
            └── m\x1b/ (memory)
                ├── size: 18446744073709551615 (int)
                ├── text: "a very long text that does not fit…
                └── r/ (y) …
        "#]]
        .assert_eq(&server.draw("qom", Some("/objects"), 50));
        assert!(ScriptedServer::default().view("qom", Some("/nowhere")).is_err());
    }
}
