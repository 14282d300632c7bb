//! Lays out lists of members: typed members with their documentation below, values and features in two columns, and the
//! variants with the types that they include.

use unicode_width::UnicodeWidthStr;

use super::fill::{Word, line_width};
use super::{Layouter, Member, indented};
use crate::schema::manual::entry::{Include, Item};
use crate::schema::manual::style::{Line, Role, Run};

/// The maximum width of the column of names.
const MAX_NAME_COLUMNS: usize = 24;

/// Returns the name and the type of a member.
pub(super) fn header(member: &Member) -> Line {
    let mut line = vec![Run::new(Role::Name, &member.name)];
    let mut kind = member.type_text.clone();
    if member.optional {
        kind.push_str(if kind.is_empty() { "optional" } else { ", optional" });
    }
    if !kind.is_empty() {
        line.push(Run::new(Role::Plain, ": "));
        line.push(Run::new(Role::Type, kind));
    }
    line
}

/// Returns the note about the build options that a member depends on.
pub(super) fn condition_note(condition: Option<&str>) -> Option<String> {
    condition.map(|condition| format!("(if {condition})"))
}

impl<'a> Layouter<'a> {
    /// Adds a list of members, including those of the types that it refers to.
    pub(super) fn add_members(&mut self, items: &'a [Item], indent: usize) {
        let mut flat = Vec::new();
        let mut variants = Vec::new();
        self.flatten(items, &mut flat, &mut variants);
        let has_types = flat.iter().any(|item| matches!(item, Item::Member(member) if !member.type_text.is_empty()));
        if has_types {
            self.add_typed_members(&flat, indent);
        } else {
            self.add_untyped_members(&flat, indent);
        }
        self.add_variants(&variants, indent);
    }

    /// Collects the items, with each included type replaced by its own items once. Variants are collected separately.
    fn flatten(&mut self, items: &'a [Item], flat: &mut Vec<&'a Item>, variants: &mut Vec<&'a Include>) {
        for item in items {
            match item {
                Item::Include(include) if include.when.is_some() => variants.push(include),
                Item::Include(include) => match self.manual.entry(&include.type_name) {
                    Some(included) if self.listed.insert(&included.name) => {
                        included.items().for_each(|item| self.flatten(std::slice::from_ref(item), flat, variants));
                    }
                    _ => flat.push(item),
                },
                item => flat.push(item),
            }
        }
    }

    /// Adds each member with its type, and its documentation below.
    fn add_typed_members(&mut self, items: &[&'a Item], indent: usize) {
        for item in items {
            match item {
                Item::Member(member) => {
                    let mut line = vec![Run::new(Role::Plain, " ".repeat(indent))];
                    line.extend(header(member));
                    self.add_line_with_condition(line, indent + 4, member.condition.as_deref());
                    self.add_blocks(&member.body, indent + 4, Line::new(), false);
                }
                item => self.add_unnamed_item(item, indent),
            }
        }
    }

    fn add_line_with_condition(&mut self, line: Line, indent: usize, condition: Option<&str>) {
        match condition_note(condition) {
            Some(note) => self.add_line_with_note(line, indent, note),
            None => self.lines.push(line),
        }
    }

    /// Adds names in one column and their documentation in another. Names without documentation share lines.
    fn add_untyped_members(&mut self, items: &[&'a Item], indent: usize) {
        let widths = items.iter().filter_map(|item| match item {
            Item::Member(member) if !member.body.is_empty() => Some(member.name.width()),
            _ => None,
        });
        let column = widths.max().unwrap_or(0).min(MAX_NAME_COLUMNS.min(self.width / 3)) + 2;
        let mut undocumented: Vec<&Member> = Vec::new();
        for item in items {
            match item {
                Item::Member(member) if member.body.is_empty() => undocumented.push(member),
                Item::Member(member) => {
                    self.add_names(&std::mem::take(&mut undocumented), indent);
                    let mut header = header(member);
                    let note = condition_note(member.condition.as_deref());
                    header.extend(note.map(|note| Run::new(Role::Secondary, format!("  {note}"))));
                    let header_width = line_width(&header);
                    let mut line = vec![Run::new(Role::Plain, " ".repeat(indent))];
                    line.extend(header);
                    if header_width + 2 > column {
                        self.lines.push(line);
                        line = vec![Run::new(Role::Plain, " ".repeat(indent + column))];
                    } else {
                        line.push(Run::new(Role::Plain, " ".repeat(column - header_width)));
                    }
                    self.add_blocks(&member.body, indent + column, line, false);
                }
                item => {
                    self.add_names(&std::mem::take(&mut undocumented), indent);
                    self.add_unnamed_item(item, indent);
                }
            }
        }
        self.add_names(&undocumented, indent);
    }

    /// Adds names separated by commas.
    fn add_names(&mut self, members: &[&Member], indent: usize) {
        let mut words: Vec<Word> = Vec::new();
        for (index, member) in members.iter().enumerate() {
            let mut word = vec![Run::new(Role::Name, &member.name)];
            if let Some(note) = condition_note(member.condition.as_deref()) {
                words.push(word);
                word = vec![Run::new(Role::Secondary, note)];
            }
            if index + 1 < members.len() {
                word.push(Run::new(Role::Plain, ","));
            }
            words.push(word);
        }
        if !words.is_empty() {
            self.fill(words, indent, Line::new());
        }
    }

    fn add_unnamed_item(&mut self, item: &'a Item, indent: usize) {
        match item {
            Item::Other(body) => self.add_blocks(body, indent, Line::new(), false),
            Item::Include(include) => {
                let mut line = indented(indent, Run::new(Role::Plain, "the members of "));
                line.push(Run::new(Role::Reference, &include.type_name));
                self.lines.push(line);
            }
            Item::Member(_) => {}
        }
    }

    /// Adds a line for each variant: the value of the tag, and the type whose members it includes.
    fn add_variants(&mut self, variants: &[&Include], indent: usize) {
        let mut current_tag = "";
        let values = variants.iter().filter_map(|include| include.when.as_ref());
        let column = values.map(|(_, value)| value.width()).max().unwrap_or(0) + 2;
        for include in variants {
            let Some((tag, value)) = &include.when else {
                continue;
            };
            if tag != current_tag {
                let mut line = indented(indent, Run::new(Role::Plain, "and, depending on "));
                line.push(Run::new(Role::Name, tag));
                line.push(Run::new(Role::Plain, ", the members of"));
                self.lines.push(line);
                current_tag = tag;
            }
            let mut line = indented(indent + 4, Run::new(Role::Strong, value));
            line.push(Run::new(Role::Plain, " ".repeat(column - value.width())));
            line.push(Run::new(Role::Reference, &include.type_name));
            self.add_line_with_condition(line, indent + 4 + column, include.condition.as_deref());
        }
    }
}
