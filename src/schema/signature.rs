//! What may be sent, and what comes back, as introspection tells it: the head of a help page.

use super::manual::{Line, Role, Run};
use super::model::{Object, ObjectMember, Schema, Type, TypeId};
use super::type_check::type_label;

/// Names longer than this stand out of their column.
const WIDEST: usize = 40;

/// The signature of a command or event; `None` where the server has neither of this name.
pub fn signature(schema: &Schema, name: &str, width: usize) -> Option<Vec<Line>> {
    let mut page = Page { schema, width, lines: Vec::new() };
    if let Some(command) = schema.command(name) {
        let mut marks = command.features.clone();
        if command.allow_oob {
            marks.insert(0, "allow-oob".to_owned());
        }
        page.title(name, "command", &marks);
        page.object(schema.object(command.arguments), "takes no arguments");
        page.returns(command.returns);
    } else {
        let event = schema.event(name)?;
        page.title(name, "event", &event.features);
        page.object(schema.object(event.data), "carries no data");
    }
    Some(page.lines)
}

/// What may stand at a key of a command or event: its type, in full. `path` is dotted.
pub fn member_signature(schema: &Schema, name: &str, path: &str, width: usize) -> Option<Vec<Line>> {
    let root = schema.command(name).map(|command| command.arguments);
    let mut kind = root.or_else(|| schema.event(name).map(|event| event.data))?;
    let mut found = None;
    for part in path.split('.') {
        let member = find_member(schema, kind, part)?;
        kind = member.kind;
        found = Some(member);
    }
    let member = found?;
    let mut page = Page { schema, width, lines: Vec::new() };
    page.title(&format!("{name}.{path}"), &member_type(schema, member), &member.features);
    page.type_in_full(kind);
    Some(page.lines)
}

/// A member of an object type, be it in a variant; through arrays and alternates.
fn find_member<'a>(schema: &'a Schema, kind: TypeId, name: &str) -> Option<&'a ObjectMember> {
    match schema.kind(kind) {
        Type::Object(object) => {
            let own = object.members.iter().find(|member| member.name == name);
            own.or_else(|| object.variants.iter().find_map(|(_, variant)| find_member(schema, *variant, name)))
        }
        Type::Array(element) => find_member(schema, *element, name),
        Type::Alternate(kinds) => kinds
            .iter()
            .filter(|kind| matches!(schema.kind(**kind), Type::Object(_)))
            .find_map(|kind| find_member(schema, *kind, name)),
        _ => None,
    }
}

fn member_type(schema: &Schema, member: &ObjectMember) -> String {
    let label = type_label(schema, member.kind);
    if member.optional { format!("[{label}]") } else { label }
}

struct Page<'a> {
    schema: &'a Schema,
    width: usize,
    lines: Vec<Line>,
}

fn run(role: Role, text: impl Into<String>) -> Run {
    Run { role, text: text.into() }
}

impl Page<'_> {
    fn title(&mut self, name: &str, kind: &str, marks: &[String]) {
        let mut line = vec![run(Role::Heading, name), run(Role::Secondary, format!("  {kind}"))];
        if !marks.is_empty() {
            line.push(run(Role::Strong, format!("  {}", marks.join(", "))));
        }
        self.lines.push(line);
    }

    /// Members of an object, then what each variant adds.
    fn object(&mut self, object: &Object, nothing: &str) {
        if object.members.is_empty() && object.variants.is_empty() {
            self.lines.push(vec![run(Role::Secondary, format!("  {nothing}"))]);
        }
        let wide = object.members.iter().map(|member| member.name.len()).max().unwrap_or(0).min(WIDEST);
        for member in &object.members {
            let mut line = vec![run(Role::Name, format!("  {:<wide$}", member.name))];
            line.push(run(Role::Type, format!("  {}", member_type(self.schema, member))));
            if !member.features.is_empty() {
                line.push(run(Role::Strong, format!("  {}", member.features.join(", "))));
            }
            if let Some(values) = self.values_of(member.kind) {
                self.filled(line, &values, wide + 6);
            } else {
                self.lines.push(line);
            }
        }
        let Some(tag) = object.tag.and_then(|tag| object.members.get(tag)) else { return };
        for (case, variant) in &object.variants {
            let members = &self.schema.object(*variant).members;
            if members.is_empty() {
                continue;
            }
            let names: Vec<String> = members
                .iter()
                .map(|member| if member.optional { format!("[{}]", member.name) } else { member.name.clone() })
                .collect();
            let lead =
                vec![run(Role::Secondary, format!("  with {}=", tag.name)), run(Role::Strong, format!("{case}:"))];
            self.filled(lead, &names, 6);
        }
    }

    /// The values of an enumeration, where a type is one or an array of one.
    fn values_of(&self, kind: TypeId) -> Option<Vec<String>> {
        match self.schema.kind(kind) {
            Type::Enum(values) => Some(values.iter().map(|value| value.name.clone()).collect()),
            Type::Array(element) => self.values_of(*element),
            _ => None,
        }
    }

    /// Words behind what leads them, filled to the width; further lines are indented by `indent`.
    fn filled(&mut self, mut line: Line, words: &[String], indent: usize) {
        let mut column: usize = line.iter().map(|run| run.text.chars().count()).sum();
        let mut text = String::new();
        for word in words {
            if column + 1 + word.len() > self.width && column > indent {
                line.push(run(Role::Plain, std::mem::take(&mut text)));
                self.lines.push(std::mem::take(&mut line));
                text = " ".repeat(indent.saturating_sub(1));
                column = indent.saturating_sub(1);
            }
            text.push(' ');
            text.push_str(word);
            column += 1 + word.len();
        }
        line.push(run(Role::Plain, text));
        self.lines.push(line);
    }

    fn returns(&mut self, kind: TypeId) {
        let (object, lead) = match self.schema.kind(kind) {
            Type::Object(object) if object.members.is_empty() && object.variants.is_empty() => return,
            Type::Object(object) => (Some(object), "returns an object with"),
            Type::Array(element) => match self.schema.kind(*element) {
                Type::Object(object) => (Some(object), "returns an array of objects with"),
                _ => (None, ""),
            },
            _ => (None, ""),
        };
        match object {
            Some(object) => {
                let names: Vec<String> = object.members.iter().map(|member| member.name.clone()).collect();
                self.filled(vec![run(Role::Secondary, format!("  {lead}"))], &names, 6);
            }
            None => {
                let kind = type_label(self.schema, kind);
                self.lines.push(vec![run(Role::Secondary, "  returns "), run(Role::Type, kind)]);
            }
        }
    }

    fn type_in_full(&mut self, kind: TypeId) {
        match self.schema.kind(kind) {
            Type::Object(object) => self.object(object, "has no members"),
            Type::Array(element) => self.type_in_full(*element),
            Type::Alternate(kinds) => {
                for kind in kinds {
                    self.type_in_full(*kind);
                }
            }
            Type::Enum(_) => {
                let values = self.values_of(kind).unwrap_or_default();
                self.filled(vec![run(Role::Secondary, "  one of")], &values, 6);
            }
            Type::Builtin(_) => {}
        }
    }
}
