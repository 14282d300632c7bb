//! Sets lists of members: typed ones under each other with what is said below, values and features in two columns,
//! and the types whose members come in with a value.

use super::fill::{Word, width};
use super::{Layouter, Member, indented};
use crate::schema::manual::entry::{Include, Item};
use crate::schema::manual::style::{Line, Role, run};

/// Names up to this width get a column beside what is said of them.
const COLUMN: usize = 24;

/// The name of a member, its type, and whether it may be left out.
pub(super) fn header(member: &Member) -> Line {
    let mut line = vec![run(Role::Name, &member.name)];
    let mut kind = member.type_text.clone();
    if member.optional {
        kind.push_str(if kind.is_empty() { "optional" } else { ", optional" });
    }
    if !kind.is_empty() {
        line.push(run(Role::Plain, ": "));
        line.push(run(Role::Type, kind));
    }
    line
}

/// On what a member depends, as it is said beside it.
pub(super) fn condition(member: &Member) -> Option<String> {
    member.condition.as_ref().map(|condition| format!("(if {condition})"))
}

impl<'a> Layouter<'a> {
    /// Sets a list of members, with those that come in with other types.
    pub(super) fn members(&mut self, items: &'a [Item], indent: usize) {
        let mut flat = Vec::new();
        let mut variants = Vec::new();
        self.gather(items, &mut flat, &mut variants);
        let typed = flat.iter().any(|item| matches!(item, Item::Member(member) if !member.type_text.is_empty()));
        if typed {
            self.typed(&flat, indent);
        } else {
            self.named(&flat, indent);
        }
        self.variants(&variants, indent);
    }

    /// The items, each type that is taken in as a whole replaced by its own, once; those taken in for a value apart.
    fn gather(&mut self, items: &'a [Item], flat: &mut Vec<&'a Item>, variants: &mut Vec<&'a Include>) {
        for item in items {
            match item {
                Item::Include(include) if include.when.is_some() => variants.push(include),
                Item::Include(include) => match self.manual.entry(&include.of) {
                    Some(of) if self.listed.insert(&of.name) => {
                        of.items().for_each(|item| self.gather(std::slice::from_ref(item), flat, variants));
                    }
                    _ => flat.push(item),
                },
                item => flat.push(item),
            }
        }
    }

    /// Each name with its type, and below it what is said.
    fn typed(&mut self, items: &[&'a Item], indent: usize) {
        for item in items {
            match item {
                Item::Member(member) => {
                    let mut line = vec![run(Role::Plain, " ".repeat(indent))];
                    line.extend(header(member));
                    match condition(member) {
                        Some(condition) => self.with_aside(line, indent + 4, condition),
                        None => self.lines.push(line),
                    }
                    self.blocks(&member.body, indent + 4, Line::new(), false);
                }
                item => self.without_name(item, indent),
            }
        }
    }

    /// Names in one column, what is said in another. Names of which nothing is said share lines.
    fn named(&mut self, items: &[&'a Item], indent: usize) {
        let widths = items.iter().filter_map(|item| match item {
            Item::Member(member) if !member.body.is_empty() => Some(width(&member.name)),
            _ => None,
        });
        let column = widths.max().unwrap_or(0).min(COLUMN.min(self.width / 3)) + 2;
        let mut bare: Vec<&Member> = Vec::new();
        for item in items {
            match item {
                Item::Member(member) if member.body.is_empty() => bare.push(member),
                Item::Member(member) => {
                    self.bare(&std::mem::take(&mut bare), indent);
                    let mut head = header(member);
                    head.extend(condition(member).map(|condition| run(Role::Secondary, format!("  {condition}"))));
                    let wide: usize = head.iter().map(|run| width(&run.text)).sum();
                    let mut line = vec![run(Role::Plain, " ".repeat(indent))];
                    line.extend(head);
                    if wide + 2 > column {
                        self.lines.push(line);
                        line = vec![run(Role::Plain, " ".repeat(indent + column))];
                    } else {
                        line.push(run(Role::Plain, " ".repeat(column - wide)));
                    }
                    self.blocks(&member.body, indent + column, line, false);
                }
                item => {
                    self.bare(&std::mem::take(&mut bare), indent);
                    self.without_name(item, indent);
                }
            }
        }
        self.bare(&bare, indent);
    }

    /// Names with commas between them.
    fn bare(&mut self, members: &[&Member], indent: usize) {
        let mut words: Vec<Word> = Vec::new();
        for (at, member) in members.iter().enumerate() {
            let mut word = vec![run(Role::Name, &member.name)];
            if let Some(condition) = condition(member) {
                words.push(word);
                word = vec![run(Role::Secondary, condition)];
            }
            if at + 1 < members.len() {
                word.push(run(Role::Plain, ","));
            }
            words.push(word);
        }
        if !words.is_empty() {
            self.fill(words, indent, Line::new());
        }
    }

    fn without_name(&mut self, item: &'a Item, indent: usize) {
        match item {
            Item::Other(body) => self.blocks(body, indent, Line::new(), false),
            Item::Include(include) => {
                let mut line = indented(indent, run(Role::Plain, "the members of "));
                line.push(run(Role::Reference, &include.of));
                self.lines.push(line);
            }
            Item::Member(_) => {}
        }
    }

    /// The types whose members come in with a value of a tag, a value a line.
    fn variants(&mut self, variants: &[&Include], indent: usize) {
        let mut tag_before = "";
        let values = variants.iter().filter_map(|include| include.when.as_ref());
        let column = values.map(|(_, value)| width(value)).max().unwrap_or(0) + 2;
        for include in variants {
            let Some((tag, value)) = &include.when else {
                continue;
            };
            if tag != tag_before {
                let mut line = indented(indent, run(Role::Plain, "and, by "));
                line.push(run(Role::Name, tag));
                line.push(run(Role::Plain, ", the members of"));
                self.lines.push(line);
                tag_before = tag;
            }
            let mut line = indented(indent + 4, run(Role::Strong, value));
            line.push(run(Role::Plain, " ".repeat(column - width(value))));
            line.push(run(Role::Reference, &include.of));
            match &include.condition {
                Some(condition) => self.with_aside(line, indent + 4 + column, format!("(if {condition})")),
                None => self.lines.push(line),
            }
        }
    }
}
