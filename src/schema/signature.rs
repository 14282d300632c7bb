//! Signatures of commands, events and members according to introspection, for the top of a help page.

use super::describe::type_label;
use super::manual::{Line, Role, Run};
use super::model::{CommandInfo, Object, ObjectMember, Schema, Type, TypeId};
use super::positional::positional_member;

/// The maximum width of the column of member names.
const MAX_NAME_COLUMNS: usize = 40;

/// Returns the signature of a command or event. `None` if the server has neither with this name.
pub fn signature(schema: &Schema, name: &str, width: usize) -> Option<Vec<Line>> {
    let mut page = Page { schema, width, lines: Vec::new() };
    if let Some(command) = schema.command(name) {
        let mut features = command.features.clone();
        if command.allow_oob {
            features.insert(0, "allow-oob".to_owned());
        }
        page.add_title(name, "command", &features);
        page.add_object(schema.object(command.arguments), "takes no arguments");
        if let Some(member) = positional_member(schema, command.arguments) {
            let text = format!("  short: {name} {}", member.name.to_uppercase());
            page.lines.push(vec![Run::new(Role::Secondary, text)]);
        }
        page.add_returns(command.returns);
    } else {
        let event = schema.event(name)?;
        page.add_title(name, "event", &event.features);
        page.add_object(schema.object(event.data), "has no data");
    }
    Some(page.lines)
}

/// Returns the signature of a variant of a command: these members, with `selection`, the arguments that select it.
pub fn signature_of_variant(
    schema: &Schema,
    command: &CommandInfo,
    selection: &str,
    members: &[&ObjectMember],
    width: usize,
) -> Vec<Line> {
    let mut page = Page { schema, width, lines: Vec::new() };
    page.add_title(&command.name, &format!("command with {selection}"), &command.features);
    page.add_members(members);
    page.lines
}

/// Returns the signature of a member of a command or event: its type, and everything that the type contains. `path` is
/// dotted.
pub fn member_signature(schema: &Schema, name: &str, path: &str, width: usize) -> Option<Vec<Line>> {
    let root = schema.command(name).map(|command| command.arguments);
    let mut kind = root.or_else(|| schema.event(name).map(|event| event.data))?;
    let mut last = None;
    for part in path.split('.') {
        let member = find_member(schema, kind, part)?;
        kind = member.kind;
        last = Some(member);
    }
    let member = last?;
    let mut page = Page { schema, width, lines: Vec::new() };
    page.add_title(&format!("{name}.{path}"), &member_label(schema, member), &member.features);
    page.add_definition(kind);
    Some(page.lines)
}

/// Finds a member of an object type or of its variants, even inside arrays and alternates.
fn find_member<'a>(schema: &'a Schema, kind: TypeId, name: &str) -> Option<&'a ObjectMember> {
    match schema.definition(kind) {
        Type::Object(object) => {
            let own = object.members.iter().find(|member| member.name == name);
            own.or_else(|| object.variants.iter().find_map(|(_, variant)| find_member(schema, *variant, name)))
        }
        Type::Array(element) => find_member(schema, *element, name),
        Type::Alternate(kinds) => kinds
            .iter()
            .filter(|kind| matches!(schema.definition(**kind), Type::Object(_)))
            .find_map(|kind| find_member(schema, *kind, name)),
        _ => None,
    }
}

fn member_label(schema: &Schema, member: &ObjectMember) -> String {
    let label = type_label(schema, member.kind);
    if member.optional { format!("[{label}]") } else { label }
}

struct Page<'a> {
    schema: &'a Schema,
    width: usize,
    lines: Vec<Line>,
}

impl Page<'_> {
    fn add_title(&mut self, name: &str, kind: &str, features: &[String]) {
        let mut line = vec![Run::new(Role::Heading, name), Run::new(Role::Secondary, format!("  {kind}"))];
        if !features.is_empty() {
            line.push(Run::new(Role::Strong, format!("  {}", features.join(", "))));
        }
        self.lines.push(line);
    }

    /// Adds the members of an object, then those of each variant. `if_empty` is the text for an object without members.
    fn add_object(&mut self, object: &Object, if_empty: &str) {
        if object.members.is_empty() && object.variants.is_empty() {
            self.lines.push(vec![Run::new(Role::Secondary, format!("  {if_empty}"))]);
        }
        self.add_members(&object.members.iter().collect::<Vec<_>>());
        let Some(tag) = object.tag_member() else { return };
        for (case, variant) in &object.variants {
            let members = &self.schema.object(*variant).members;
            if members.is_empty() {
                continue;
            }
            let names: Vec<String> = members
                .iter()
                .map(|member| if member.optional { format!("[{}]", member.name) } else { member.name.clone() })
                .collect();
            let head = vec![
                Run::new(Role::Secondary, format!("  with {}=", tag.name)),
                Run::new(Role::Strong, format!("{case}:")),
            ];
            self.add_wrapped(head, &names, 6);
        }
    }

    /// Adds a line for each member.
    fn add_members(&mut self, members: &[&ObjectMember]) {
        let name_width = members.iter().map(|member| member.name.len()).max().unwrap_or(0).min(MAX_NAME_COLUMNS);
        for member in members {
            let mut line = vec![Run::new(Role::Name, format!("  {:<name_width$}", member.name))];
            line.push(Run::new(Role::Type, format!("  {}", member_label(self.schema, member))));
            if !member.features.is_empty() {
                line.push(Run::new(Role::Strong, format!("  {}", member.features.join(", "))));
            }
            if let Some(values) = self.values_of(member.kind) {
                self.add_wrapped(line, &values, name_width + 6);
            } else {
                self.lines.push(line);
            }
        }
    }

    /// Returns the values of an enumeration, or of an array of one.
    fn values_of(&self, kind: TypeId) -> Option<Vec<String>> {
        match self.schema.definition(kind) {
            Type::Enum(values) => Some(values.iter().map(|value| value.name.clone()).collect()),
            Type::Array(element) => self.values_of(*element),
            _ => None,
        }
    }

    /// Adds words after the beginning of a line, wrapped at the width. Further lines are indented by `indent`.
    fn add_wrapped(&mut self, mut line: Line, words: &[String], indent: usize) {
        let mut column: usize = line.iter().map(|run| run.text.chars().count()).sum();
        let mut text = String::new();
        for word in words {
            if column + 1 + word.len() > self.width && column > indent {
                line.push(Run::new(Role::Plain, std::mem::take(&mut text)));
                self.lines.push(std::mem::take(&mut line));
                text = " ".repeat(indent.saturating_sub(1));
                column = indent.saturating_sub(1);
            }
            text.push(' ');
            text.push_str(word);
            column += 1 + word.len();
        }
        line.push(Run::new(Role::Plain, text));
        self.lines.push(line);
    }

    fn add_returns(&mut self, kind: TypeId) {
        let (object, text) = match self.schema.definition(kind) {
            Type::Object(object) if object.members.is_empty() && object.variants.is_empty() => return,
            Type::Object(object) => (Some(object), "returns an object with"),
            Type::Array(element) => match self.schema.definition(*element) {
                Type::Object(object) => (Some(object), "returns an array of objects with"),
                _ => (None, ""),
            },
            _ => (None, ""),
        };
        match object {
            Some(object) => {
                let names: Vec<String> = object.members.iter().map(|member| member.name.clone()).collect();
                self.add_wrapped(vec![Run::new(Role::Secondary, format!("  {text}"))], &names, 6);
            }
            None => {
                let kind = type_label(self.schema, kind);
                self.lines.push(vec![Run::new(Role::Secondary, "  returns "), Run::new(Role::Type, kind)]);
            }
        }
    }

    /// Adds everything that a type contains.
    fn add_definition(&mut self, kind: TypeId) {
        match self.schema.definition(kind) {
            Type::Object(object) => self.add_object(object, "has no members"),
            Type::Array(element) => self.add_definition(*element),
            Type::Alternate(kinds) => {
                for kind in kinds {
                    self.add_definition(*kind);
                }
            }
            Type::Enum(_) => {
                let values = self.values_of(kind).unwrap_or_default();
                self.add_wrapped(vec![Run::new(Role::Secondary, "  one of")], &values, 6);
            }
            Type::Builtin(_) => {}
        }
    }
}
