//! The object tree, many paths at a time: one request for each level of the tree where the server can do that.

use serde_json::{Value, json};

use super::command::request;
use super::server::{Failure, QmpServer};
use super::text::{items, string};

/// The maximum depth of a tree. QEMU's own have about ten levels.
pub(crate) const MAX_LEVELS: usize = 64;

/// The number of objects at which a tree ends. A machine has hundreds; a server may describe a tree without end.
pub(crate) const MAX_OBJECTS: usize = 100_000;

/// The number of objects that are listed before their number is looked at.
const MAX_LISTED_AT_ONCE: usize = 1000;

/// The path of the machine.
pub(crate) const MACHINE: &str = "/machine";

/// Types whose objects have no children: most objects of a machine.
const CHILDLESS_TYPES: &[&str] = &["irq", "memory-region"];

/// A property of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) kind: String,
}

impl Property {
    fn of_reply(entry: &Value) -> Property {
        Property { name: string(entry, "name").to_owned(), kind: string(entry, "type").to_owned() }
    }

    /// Returns the type of the child that the property is. A name that cannot be part of a path leads to no child: with
    /// an empty one, the path would be that of the object itself.
    pub(crate) fn child_type(&self) -> Option<&str> {
        let is_part = !self.name.is_empty() && !self.name.contains('/');
        self.kind.strip_prefix("child<")?.strip_suffix('>').filter(|_| is_part)
    }

    /// Returns the type of the object that the property links to.
    pub(crate) fn link_type(&self) -> Option<&str> {
        self.kind.strip_prefix("link<")?.strip_suffix('>')
    }
}

/// Returns the properties of the objects at `paths`. An object that cannot be listed has none.
pub(crate) fn list_all(server: &mut dyn QmpServer, paths: &[String]) -> Result<Vec<Vec<Property>>, Failure> {
    if let Some(lists) = list_at_once(server, paths)? {
        return Ok(lists);
    }
    let requests: Vec<_> = paths.iter().map(|path| request("qom-list", json!({ "path": path }))).collect();
    let replies = server.query_all(&requests)?;
    Ok(replies.iter().map(|reply| reply.as_ref().map(properties_of).unwrap_or_default()).collect())
}

fn properties_of(reply: &Value) -> Vec<Property> {
    items(reply).iter().map(Property::of_reply).collect()
}

/// Returns the properties of the objects in one reply, or `None` if the server cannot do that or an object has gone.
fn list_at_once(server: &mut dyn QmpServer, paths: &[String]) -> Result<Option<Vec<Vec<Property>>>, Failure> {
    const COMMAND: &str = "qom-list-get";
    let is_known = server.schema().is_some_and(|schema| schema.command(COMMAND).is_some());
    if !is_known || paths.len() < 2 {
        return Ok(None);
    }
    let reply = match server.query(&request(COMMAND, json!({ "paths": paths }))) {
        Err(Failure::Error(_)) => return Ok(None),
        reply => reply?,
    };
    let lists: Vec<_> = items(&reply).iter().map(|object| properties_of(&object["properties"])).collect();
    Ok((lists.len() == paths.len()).then_some(lists))
}

/// Returns the values of properties, given as paths and names. One that cannot be read is null.
pub(crate) fn values(server: &mut dyn QmpServer, properties: &[(String, String)]) -> Result<Vec<Value>, Failure> {
    let get = |(path, property): &(String, String)| request("qom-get", json!({ "path": path, "property": property }));
    let requests: Vec<_> = properties.iter().map(get).collect();
    Ok(server.query_all(&requests)?.into_iter().map(Result::unwrap_or_default).collect())
}

/// Fails if the server has no machine, as a storage daemon has none.
pub(crate) fn require_machine(server: &mut dyn QmpServer) -> Result<(), Failure> {
    match server.query(&request("qom-get", json!({ "path": MACHINE, "property": "type" }))) {
        Err(Failure::Error(_)) => Err(Failure::error("the server has no machine")),
        reply => reply.map(|_| ()),
    }
}

/// An object of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TreeObject {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) path: String,
    /// Its properties; none for types without children.
    pub(crate) properties: Vec<Property>,
    /// The indices of its children, sorted by name.
    pub(crate) children: Vec<usize>,
}

impl TreeObject {
    fn new(name: &str, kind: &str, path: String) -> TreeObject {
        TreeObject { name: name.to_owned(), kind: kind.to_owned(), path, properties: Vec::new(), children: Vec::new() }
    }
}

/// Returns the object at `path`, which has the type `kind`, and the objects below it, of which those on the first
/// `levels` levels are listed. The first is the root.
pub(crate) fn walk(
    server: &mut dyn QmpServer,
    path: &str,
    kind: &str,
    levels: usize,
) -> Result<Vec<TreeObject>, Failure> {
    let root = path.trim_end_matches('/');
    let mut objects = vec![TreeObject::new(root.rsplit('/').next().unwrap_or_default(), kind, root.to_owned())];
    let mut level = vec![0];
    for _ in 0..levels {
        let slash_if_empty = |path: &str| if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        let mut next = Vec::new();
        for indices in level.chunks(MAX_LISTED_AT_ONCE) {
            let paths: Vec<String> =
                indices.iter().map(|index: &usize| slash_if_empty(&objects[*index].path)).collect();
            for (&index, properties) in indices.iter().zip(list_all(server, &paths)?) {
                next.extend(add_children(&mut objects, index, properties));
            }
            if objects.len() > MAX_OBJECTS {
                return Ok(objects);
            }
        }
        level = next;
        if level.is_empty() {
            break;
        }
    }
    Ok(objects)
}

/// Adds the children of the object at `index`, with its properties. Returns the indices of those that may have children.
fn add_children(objects: &mut Vec<TreeObject>, index: usize, properties: Vec<Property>) -> Vec<usize> {
    let mut parents = Vec::new();
    let mut children: Vec<(&Property, &str)> =
        properties.iter().filter_map(|property| Some((property, property.child_type()?))).collect();
    children.sort_unstable_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    // The same path is the same object.
    children.dedup_by(|(one, _), (other, _)| one.name == other.name);
    for (property, kind) in children {
        let path = format!("{}/{}", objects[index].path, property.name);
        let child = objects.len();
        objects[index].children.push(child);
        objects.push(TreeObject::new(&property.name, kind, path));
        if !CHILDLESS_TYPES.contains(&kind) {
            parents.push(child);
        }
    }
    objects[index].properties = properties;
    parents
}
