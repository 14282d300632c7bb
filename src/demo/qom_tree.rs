//! The tree of QOM objects: paths, children, properties, and the rules for reading and setting them.
//!
//! Must not know how devices are created.

use serde_json::{Value, json};

use super::check::check_value;
use super::error::{CommandError, ErrorClass};
use super::properties::value_type;
use super::qom_types::QomType;

#[derive(Debug, Clone)]
pub struct QomObject {
    type_name: String,
    members: Vec<(String, Member)>,
}

#[derive(Debug, Clone)]
enum Member {
    Child(QomObject),
    Property { type_name: String, value: Value, is_settable: bool },
}

impl QomObject {
    /// Creates an object without members.
    pub fn new(type_name: &str) -> Self {
        QomObject { type_name: type_name.to_owned(), members: Vec::new() }
    }

    /// Creates an instance of a type with the given property values, and defaults for the others. Fails if the type has
    /// no such property, or the property has another type.
    pub fn instance_of<'a>(
        qom_type: &QomType,
        values: impl Iterator<Item = (&'a String, &'a Value)>,
    ) -> Result<Self, CommandError> {
        let mut object = QomObject::new(qom_type.name);
        for property in qom_type.properties() {
            let default = property.default.to_json().unwrap_or_else(|| "".into());
            object.add_property(property.name, property.type_name, default, property.is_settable);
        }
        for (name, new) in values {
            let Some(Member::Property { type_name, value, .. }) = object.member_mut(name) else {
                return Err(CommandError::generic(format!("type '{}' has no property '{name}'", qom_type.name)));
            };
            check_value(value_type(type_name), new, name)?;
            *value = new.clone();
        }
        Ok(object)
    }

    /// Adds a property. Clients may set it if `is_settable`.
    pub fn add_property(&mut self, name: &str, type_name: &str, value: impl Into<Value>, is_settable: bool) {
        let (type_name, value) = (type_name.to_owned(), value.into());
        self.members.push((name.to_owned(), Member::Property { type_name, value, is_settable }));
    }

    pub fn add_child(&mut self, name: &str, child: QomObject) {
        self.members.push((name.to_owned(), Member::Child(child)));
    }

    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// Returns the value of a property.
    pub fn property(&self, name: &str) -> Option<&Value> {
        match self.member(name)? {
            Member::Property { value, .. } => Some(value),
            Member::Child(_) => None,
        }
    }

    /// Sets a property, even one that clients may not set.
    pub fn set_property(&mut self, name: &str, new: impl Into<Value>) {
        if let Some(Member::Property { value, .. }) = self.member_mut(name) {
            *value = new.into();
        }
    }

    /// Returns whether a link property points to the object at `path`.
    pub fn links_to(&self, path: &str) -> bool {
        let links = |member: &Member| match member {
            Member::Property { type_name, value, .. } => type_name.starts_with("link<") && value == path,
            Member::Child(_) => false,
        };
        self.members.iter().any(|(_, member)| links(member))
    }

    pub fn child(&self, name: &str) -> Option<&QomObject> {
        match self.member(name)? {
            Member::Child(child) => Some(child),
            Member::Property { .. } => None,
        }
    }

    /// Returns the children with their names.
    pub fn children(&self) -> impl Iterator<Item = (&str, &QomObject)> {
        self.members.iter().filter_map(|(name, member)| match member {
            Member::Child(child) => Some((name.as_str(), child)),
            Member::Property { .. } => None,
        })
    }

    fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|(key, _)| key == name).map(|(_, member)| member)
    }

    fn member_mut(&mut self, name: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|(key, _)| key == name).map(|(_, member)| member)
    }
}

#[derive(Debug, Clone)]
pub struct QomTree {
    root: QomObject,
}

impl QomTree {
    pub fn new(root: QomObject) -> Self {
        QomTree { root }
    }

    /// Finds the object at an absolute path.
    pub fn find(&self, path: &str) -> Result<&QomObject, CommandError> {
        let object = names(path).and_then(|mut names| names.try_fold(&self.root, |object, name| object.child(name)));
        object.ok_or_else(|| object_not_found(path))
    }

    /// Finds the object at an absolute path for a change.
    pub fn find_mut(&mut self, path: &str) -> Result<&mut QomObject, CommandError> {
        let mut object = &mut self.root;
        for name in names(path).ok_or_else(|| object_not_found(path))? {
            object = match object.member_mut(name) {
                Some(Member::Child(child)) => child,
                _ => return Err(object_not_found(path)),
            };
        }
        Ok(object)
    }

    /// Removes a child of the object at `parent` if it exists.
    pub fn remove_child(&mut self, parent: &str, name: &str) {
        if let Ok(parent) = self.find_mut(parent) {
            parent.members.retain(|(key, _)| key != name);
        }
    }

    /// Returns the result of `qom-list`.
    pub fn list(&self, path: &str) -> Result<Value, CommandError> {
        let object = self.find(path)?;
        let mut list = vec![json!({"name": "type", "type": "string"})];
        list.extend(object.members.iter().map(|(name, member)| match member {
            Member::Child(child) => json!({"name": name, "type": format!("child<{}>", child.type_name)}),
            Member::Property { type_name, .. } => json!({"name": name, "type": type_name}),
        }));
        Ok(Value::Array(list))
    }

    /// Returns the result of `qom-get`. A child reads as its path.
    pub fn get(&self, path: &str, property: &str) -> Result<Value, CommandError> {
        let object = self.find(path)?;
        match object.member(property) {
            _ if property == "type" => Ok(object.type_name.as_str().into()),
            Some(Member::Property { value, .. }) => Ok(value.clone()),
            Some(Member::Child(_)) => Ok(format!("{}/{property}", path.trim_end_matches('/')).into()),
            None => Err(property_not_found(object, property)),
        }
    }

    /// Executes `qom-set`.
    pub fn set(&mut self, path: &str, property: &str, new: &Value) -> Result<(), CommandError> {
        let object = self.find_mut(path)?;
        let not_found = property_not_found(object, property);
        match object.member_mut(property) {
            Some(Member::Property { type_name, value, is_settable: true }) => {
                check_value(value_type(type_name), new, property)?;
                *value = new.clone();
                Ok(())
            }
            None if property != "type" => Err(not_found),
            _ => Err(CommandError::generic(format!("property '{property}' cannot be set now"))),
        }
    }
}

/// Splits an absolute path into names.
fn names(path: &str) -> Option<impl Iterator<Item = &str>> {
    path.strip_prefix('/').map(|rest| rest.split('/').filter(|name| !name.is_empty()))
}

fn object_not_found(path: &str) -> CommandError {
    CommandError::new(ErrorClass::DeviceNotFound, format!("object '{path}' not found"))
}

fn property_not_found(object: &QomObject, name: &str) -> CommandError {
    CommandError::generic(format!("an object of type '{}' has no property '{name}'", object.type_name))
}

#[cfg(test)]
mod tests {
    use super::super::qom_types::find_type;
    use super::*;

    fn tree() -> QomTree {
        let values = json!({"poll-grow": 4});
        let thread =
            QomObject::instance_of(find_type("iothread").unwrap(), values.as_object().unwrap().iter()).unwrap();
        let mut objects = QomObject::new("container");
        objects.add_child("io0", thread);
        let mut root = QomObject::new("container");
        root.add_property("fixed", "bool", true, false);
        root.add_child("objects", objects);
        QomTree::new(root)
    }

    #[test]
    fn finds_objects_by_path() {
        let tree = tree();
        assert_eq!(tree.find("/objects/io0/").unwrap().type_name(), "iothread");
        for missing in ["/nope", "objects", "", "/objects/io0/poll-grow"] {
            assert_eq!(tree.find(missing).unwrap_err().class, ErrorClass::DeviceNotFound, "{missing}");
        }
        assert_eq!(tree.list("/objects").unwrap()[1], json!({"name": "io0", "type": "child<iothread>"}));
    }

    #[test]
    fn gets_and_sets_properties() {
        let mut tree = tree();
        assert_eq!(tree.get("/objects/io0", "type"), Ok(json!("iothread")));
        assert_eq!(tree.get("/", "objects"), Ok(json!("/objects")));
        assert_eq!(tree.get("/objects/io0", "poll-grow"), Ok(json!(4)));
        assert_eq!(tree.set("/objects/io0", "poll-grow", &json!(8)), Ok(()));
        assert_eq!(tree.get("/objects/io0", "poll-grow"), Ok(json!(8)));
        let wrong = tree.set("/objects/io0", "poll-grow", &json!("8")).unwrap_err();
        assert_eq!(wrong.desc, "argument 'poll-grow' must be a 64-bit integer");
        assert_eq!(tree.set("/", "fixed", &json!(false)).unwrap_err().desc, "property 'fixed' cannot be set now");
        let error = tree.get("/objects/io0", "zz").unwrap_err();
        assert_eq!(error.desc, "an object of type 'iothread' has no property 'zz'");
    }

    #[test]
    fn rejects_unknown_properties_of_an_instance() {
        let iothread = find_type("iothread").unwrap();
        let values = json!({"colour": 1});
        let error = QomObject::instance_of(iothread, values.as_object().unwrap().iter()).unwrap_err();
        assert_eq!(error.desc, "type 'iothread' has no property 'colour'");
    }
}
