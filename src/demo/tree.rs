//! The object tree: paths, properties, children. Owns QOM's rules of reading and writing; makes no device by itself.

use serde_json::{Value, json};

use super::catalog::TypeEntry;
use super::check;
use super::failure::{Class, Failure};
use super::properties::type_of;

/// One object of the tree.
#[derive(Debug, Clone)]
pub struct QomObject {
    typename: String,
    members: Vec<(String, Slot)>,
}

#[derive(Debug, Clone)]
enum Slot {
    Child(QomObject),
    Property { kind: String, value: Value, live: bool },
}

impl QomObject {
    /// An object that has nothing but its type.
    pub fn new(typename: &str) -> Self {
        QomObject { typename: typename.to_owned(), members: Vec::new() }
    }

    /// An instance of a type: each property as `given`, else by its default. What is given and no property of the
    /// type, or not of the property's kind, is a failure.
    pub fn instance<'a>(
        entry: &TypeEntry,
        given: impl Iterator<Item = (&'a String, &'a Value)>,
    ) -> Result<Self, Failure> {
        let mut object = QomObject::new(entry.name);
        for property in entry.properties() {
            let value = property.default.value().unwrap_or_else(|| "".into());
            object.add(property.name, property.kind, value, property.live);
        }
        for (name, value) in given {
            let Some(Slot::Property { kind, value: slot, .. }) = object.slot_mut(name) else {
                return Err(Failure::new(format!("type '{}' has no property '{name}'", entry.name)));
            };
            check::value(type_of(kind), value, name)?;
            *slot = value.clone();
        }
        Ok(object)
    }

    /// Adds a property, which clients may set where it is `live`.
    pub fn add(&mut self, name: &str, kind: &str, value: impl Into<Value>, live: bool) {
        let (kind, value) = (kind.to_owned(), value.into());
        self.members.push((name.to_owned(), Slot::Property { kind, value, live }));
    }

    /// Adds a child.
    pub fn add_child(&mut self, name: &str, child: QomObject) {
        self.members.push((name.to_owned(), Slot::Child(child)));
    }

    /// The name of its type.
    pub fn typename(&self) -> &str {
        &self.typename
    }

    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&Value> {
        match self.slot(name)? {
            Slot::Property { value, .. } => Some(value),
            Slot::Child(_) => None,
        }
    }

    /// Gives a property another value, whether clients may or not.
    pub fn replace(&mut self, name: &str, new: impl Into<Value>) {
        if let Some(Slot::Property { value, .. }) = self.slot_mut(name) {
            *value = new.into();
        }
    }

    /// Whether a link property holds this path.
    pub fn refers_to(&self, path: &str) -> bool {
        let refers = |slot: &Slot| matches!(slot, Slot::Property { kind, value, .. } if kind.starts_with("link<") && value == path);
        self.members.iter().any(|(_, slot)| refers(slot))
    }

    /// A child by name.
    pub fn child(&self, name: &str) -> Option<&QomObject> {
        match self.slot(name)? {
            Slot::Child(child) => Some(child),
            Slot::Property { .. } => None,
        }
    }

    /// All children with their names.
    pub fn children(&self) -> impl Iterator<Item = (&str, &QomObject)> {
        self.members.iter().filter_map(|(name, slot)| match slot {
            Slot::Child(child) => Some((name.as_str(), child)),
            Slot::Property { .. } => None,
        })
    }

    fn slot(&self, name: &str) -> Option<&Slot> {
        self.members.iter().find(|(key, _)| key == name).map(|(_, slot)| slot)
    }

    fn slot_mut(&mut self, name: &str) -> Option<&mut Slot> {
        self.members.iter_mut().find(|(key, _)| key == name).map(|(_, slot)| slot)
    }
}

/// The whole tree.
#[derive(Debug, Clone)]
pub struct Tree {
    root: QomObject,
}

impl Tree {
    /// A tree around its root.
    pub fn new(root: QomObject) -> Self {
        Tree { root }
    }

    /// The object at an absolute path.
    pub fn find(&self, path: &str) -> Result<&QomObject, Failure> {
        let object = parts(path).and_then(|mut names| names.try_fold(&self.root, |object, name| object.child(name)));
        object.ok_or_else(|| no_path(path))
    }

    /// The object at an absolute path, to be changed.
    pub fn find_mut(&mut self, path: &str) -> Result<&mut QomObject, Failure> {
        let mut object = &mut self.root;
        for name in parts(path).ok_or_else(|| no_path(path))? {
            object = match object.slot_mut(name) {
                Some(Slot::Child(child)) => child,
                _ => return Err(no_path(path)),
            };
        }
        Ok(object)
    }

    /// Removes the child `name` of the object at `parent`, if it is there.
    pub fn remove(&mut self, parent: &str, name: &str) {
        if let Ok(parent) = self.find_mut(parent) {
            parent.members.retain(|(key, _)| key != name);
        }
    }

    /// What `qom-list` returns.
    pub fn list(&self, path: &str) -> Result<Value, Failure> {
        let object = self.find(path)?;
        let mut list = vec![json!({"name": "type", "type": "string"})];
        list.extend(object.members.iter().map(|(name, slot)| match slot {
            Slot::Child(child) => json!({"name": name, "type": format!("child<{}>", child.typename)}),
            Slot::Property { kind, .. } => json!({"name": name, "type": kind}),
        }));
        Ok(Value::Array(list))
    }

    /// What `qom-get` returns: a child reads as its path.
    pub fn get(&self, path: &str, property: &str) -> Result<Value, Failure> {
        let object = self.find(path)?;
        match object.slot(property) {
            _ if property == "type" => Ok(object.typename.as_str().into()),
            Some(Slot::Property { value, .. }) => Ok(value.clone()),
            Some(Slot::Child(_)) => Ok(format!("{}/{property}", path.trim_end_matches('/')).into()),
            None => Err(no_property(object, property)),
        }
    }

    /// What `qom-set` does.
    pub fn set(&mut self, path: &str, property: &str, new: &Value) -> Result<(), Failure> {
        let object = self.find_mut(path)?;
        let missing = no_property(object, property);
        match object.slot_mut(property) {
            Some(Slot::Property { kind, value, live: true }) => {
                check::value(type_of(kind), new, property)?;
                *value = new.clone();
                Ok(())
            }
            None if property != "type" => Err(missing),
            _ => Err(Failure::new(format!("property '{property}' cannot be set now"))),
        }
    }
}

/// The names along an absolute path.
fn parts(path: &str) -> Option<impl Iterator<Item = &str>> {
    path.strip_prefix('/').map(|rest| rest.split('/').filter(|name| !name.is_empty()))
}

fn no_path(path: &str) -> Failure {
    Failure::of(Class::DeviceNotFound, format!("there is no object at '{path}'"))
}

fn no_property(object: &QomObject, name: &str) -> Failure {
    Failure::new(format!("an object of type '{}' has no property '{name}'", object.typename))
}

#[cfg(test)]
mod tests {
    use super::super::catalog::find;
    use super::*;

    fn tree() -> Tree {
        let given = json!({"poll-grow": 4});
        let thread = QomObject::instance(find("iothread").unwrap(), given.as_object().unwrap().iter()).unwrap();
        let mut objects = QomObject::new("container");
        objects.add_child("io0", thread);
        let mut root = QomObject::new("container");
        root.add("fixed", "bool", true, false);
        root.add_child("objects", objects);
        Tree::new(root)
    }

    #[test]
    fn paths_lead_to_objects() {
        let tree = tree();
        assert_eq!(tree.find("/objects/io0/").unwrap().typename(), "iothread");
        for missing in ["/nope", "objects", "", "/objects/io0/poll-grow"] {
            assert_eq!(tree.find(missing).unwrap_err().class, Class::DeviceNotFound, "{missing}");
        }
        assert_eq!(tree.list("/objects").unwrap()[1], json!({"name": "io0", "type": "child<iothread>"}));
    }

    #[test]
    fn properties_are_read_and_written() {
        let mut tree = tree();
        assert_eq!(tree.get("/objects/io0", "type"), Ok(json!("iothread")));
        assert_eq!(tree.get("/", "objects"), Ok(json!("/objects")));
        assert_eq!(tree.get("/objects/io0", "poll-grow"), Ok(json!(4)));
        assert_eq!(tree.set("/objects/io0", "poll-grow", &json!(8)), Ok(()));
        assert_eq!(tree.get("/objects/io0", "poll-grow"), Ok(json!(8)));
        let wrong = tree.set("/objects/io0", "poll-grow", &json!("8")).unwrap_err();
        assert_eq!(wrong.desc, "argument 'poll-grow' must be a whole number within 64 bits");
        assert_eq!(tree.set("/", "fixed", &json!(false)).unwrap_err().desc, "property 'fixed' cannot be set now");
        let missing = tree.get("/objects/io0", "zz").unwrap_err();
        assert_eq!(missing.desc, "an object of type 'iothread' has no property 'zz'");
    }

    #[test]
    fn instances_take_only_their_properties() {
        let entry = find("iothread").unwrap();
        let given = json!({"colour": 1});
        let failure = QomObject::instance(entry, given.as_object().unwrap().iter()).unwrap_err();
        assert_eq!(failure.desc, "type 'iothread' has no property 'colour'");
    }
}
