//! The devices and objects that have certain properties, with the values.

use serde_json::Value;

use crate::monitor::object_tree::{TreeObject, values, walk};
use crate::monitor::{Failure, QmpServer};

/// The folders of devices and of user-created objects.
const FOLDERS: [&str; 4] = ["/machine/peripheral", "/machine/peripheral-anon", "/machine/unattached", "/objects"];

/// A device or an object.
#[derive(Debug)]
pub(super) struct Found {
    /// The id, or the path of one without an id.
    pub(super) name: String,
    pub(super) kind: String,
    /// The values of the wanted properties; empty for those that it does not have.
    pub(super) values: Vec<String>,
}

/// Returns the devices and objects that have the first of the properties. A server without an object tree has none.
pub(super) fn with_properties(server: &mut dyn QmpServer, names: &[&str]) -> Result<Vec<Found>, Failure> {
    let mut objects: Vec<TreeObject> = Vec::new();
    for folder in FOLDERS {
        // The folder, and the objects in it.
        let has_first = |object: &TreeObject| {
            object.properties.iter().any(|property| Some(&property.name.as_str()) == names.first())
        };
        objects.extend(walk(server, folder, "container", 2)?.into_iter().skip(1).filter(has_first));
    }
    let wanted = objects.iter().flat_map(|object| names.iter().map(|name| (object.path.clone(), (*name).to_owned())));
    let values = values(server, &wanted.collect::<Vec<_>>())?;
    let found = objects.into_iter().zip(values.chunks(names.len().max(1))).map(|(object, values)| Found {
        name: name_of(&object.path).to_owned(),
        kind: object.kind,
        values: values.iter().map(text_of).collect(),
    });
    Ok(found.collect())
}

/// Returns the id of an object in a folder of users' objects, or the path of another.
pub(super) fn name_of(path: &str) -> &str {
    let id = ["/machine/peripheral/", "/objects/"].into_iter().find_map(|folder| path.strip_prefix(folder));
    id.filter(|id| !id.contains('/')).unwrap_or(path)
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}
