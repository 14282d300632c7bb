//! The picture of the block graph.
//!
//! A node is drawn once. The backing chain of a node goes down without further indentation, so that a chain of any length
//! fits the width; whatever else is below a node is indented.

use std::collections::{HashMap, HashSet};

use super::super::Medium;
use super::super::branch::Branch;
use super::super::columns::{Column, Columns, Ink, Text};
use super::super::units::{percent, size};
use super::{Blocks, Child, Device, Job, Node};

const COLUMNS: &[Column] = &[
    Column::long("NODE"),
    Column::text("DRIVER"),
    Column::number("SIZE"),
    Column::number("USED"),
    Column::text("MODE"),
    Column::path("FILE"),
];

/// The name of the edge to a backing file.
const BACKING: &str = "backing";

/// The role of the node that a job works on, or of the filter that it has inserted.
const MAIN_NODE: &str = "main node";

/// Draws the graph.
pub(super) fn draw(blocks: &Blocks, medium: &Medium<'_>) -> String {
    let mut drawing = Drawing::new(blocks);
    for device in &blocks.devices {
        drawing.draw_device(device);
    }
    drawing.draw_others();
    drawing.draw_unplaced_jobs();
    if blocks.devices.is_empty() && blocks.nodes.is_empty() {
        drawing.columns.push_across(Text::plain("The server has no block nodes."));
    }
    drawing.columns.push_remarks(&blocks.missing);
    drawing.columns.draw(medium)
}

/// A line of a tree that is still to be drawn.
struct Item<'a> {
    edge: &'a str,
    name: &'a str,
    branch: Branch,
    /// Whether the backing file is among the items beside this one.
    is_in_chain: bool,
    /// Whether another line has the node.
    is_reference: bool,
}

struct Drawing<'a> {
    blocks: &'a Blocks,
    /// The places of nodes by their names.
    places: HashMap<&'a str, usize>,
    parents: HashMap<&'a str, usize>,
    /// The remarks on nodes: what uses them.
    remarks: HashMap<&'a str, Vec<Text>>,
    /// The nodes that have a line, or will have one.
    claimed: HashSet<&'a str>,
    drawn: HashSet<&'a str>,
    columns: Columns,
}

impl<'a> Drawing<'a> {
    fn new(blocks: &'a Blocks) -> Drawing<'a> {
        let places = blocks.nodes.iter().enumerate().map(|(place, node)| (node.node_name.as_str(), place)).collect();
        let mut parents = HashMap::new();
        for child in blocks.nodes.iter().flat_map(|node| &node.children) {
            *parents.entry(child.node_name.as_str()).or_default() += 1;
        }
        let mut drawing = Drawing {
            blocks,
            places,
            parents,
            remarks: HashMap::new(),
            claimed: HashSet::new(),
            drawn: HashSet::new(),
            columns: Columns::new(COLUMNS),
        };
        drawing.add_remarks();
        drawing
    }

    fn add_remarks(&mut self) {
        for export in &self.blocks.exports {
            let state = if export.shutting_down { ", shutting down" } else { "" };
            let text = Text::plain("export ").with(Ink::Name, &export.id);
            let text = text.with(Ink::Plain, &format!(" ({}){state}", export.kind));
            self.remarks.entry(&export.node_name).or_default().push(text);
        }
        for job in &self.blocks.jobs {
            for Child { child: role, node_name } in &job.nodes {
                let role = if role == MAIN_NODE { String::new() } else { format!("{role} of ") };
                let text = job_text(job, &role);
                self.remarks.entry(node_name).or_default().push(text);
            }
        }
    }

    /// Draws the jobs of which the server does not tell the nodes.
    fn draw_unplaced_jobs(&mut self) {
        let unplaced: Vec<&Job> = self.blocks.jobs.iter().filter(|job| job.nodes.is_empty()).collect();
        if !unplaced.is_empty() {
            self.columns.push_across(Text::new(Ink::Title, "Jobs without nodes"));
            unplaced.into_iter().for_each(|job| self.columns.push_across(job_text(job, "   ")));
        }
    }

    fn node(&self, name: &str) -> Option<&'a Node> {
        self.places.get(name).map(|place| &self.blocks.nodes[*place])
    }

    /// Draws a device and the tree of its node.
    fn draw_device(&mut self, device: &'a Device) {
        let (first, second) = match device.device.is_empty() {
            true => (device.drive.as_str(), String::new()),
            false if device.drive.is_empty() || device.drive == device.device => {
                (device.device.as_str(), String::new())
            }
            false => (device.device.as_str(), format!(" (drive {})", device.drive)),
        };
        let mut text = Text::new(Ink::Title, first).with(Ink::Plain, &second);
        let mut states: Vec<String> = Vec::new();
        if device.device.is_empty() {
            states.push("drive that no device uses".to_owned());
        }
        let empty = (device.node_name.is_none(), "no medium");
        let flags =
            [empty, (device.removable, "removable"), (device.tray_open, "tray open"), (device.locked, "locked")];
        states.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, state)| state.to_owned()));
        let limit = |(name, value): &(String, u64)| match name.strip_prefix("bps") {
            Some(direction) => format!("limit {}/s{}", size(*value), direction_text(direction)),
            None => format!("limit {value} IOPS{}", direction_text(name.trim_start_matches("iops"))),
        };
        states.extend(device.limits.iter().map(limit));
        if !matches!(device.io_status.as_str(), "" | "ok") {
            text = text.with(Ink::Error, &format!(", I/O status {}", device.io_status));
        }
        if !states.is_empty() {
            text = text.with(Ink::Dim, &format!(": {}", states.join(", ")));
        }
        self.columns.push_across(text);
        if let Some(name) = &device.node_name {
            self.draw_tree(name, true);
        }
    }

    /// Draws the trees of the nodes that no device uses, oldest first, and then what is left.
    fn draw_others(&mut self) {
        let blocks = self.blocks;
        let names = || blocks.nodes.iter().rev().map(|node| node.node_name.as_str());
        let title = match (blocks.devices.is_empty(), blocks.knows_children) {
            (true, _) => "Block nodes",
            (_, true) => "Not attached to a device",
            (_, false) => "Other nodes",
        };
        let roots = names().filter(|name| !self.parents.contains_key(name)).collect();
        self.draw_group(title, roots);
        self.draw_group("In circles", names().collect());
    }

    /// Draws the trees of nodes that have no line yet.
    fn draw_group(&mut self, title: &str, mut names: Vec<&'a str>) {
        names.retain(|name| !self.claimed.contains(name));
        if !names.is_empty() {
            self.columns.push_across(Text::new(Ink::Title, title));
        }
        for (index, name) in names.iter().enumerate() {
            if !self.claimed.contains(name) {
                self.draw_tree(name, index + 1 == names.len());
            }
        }
    }

    /// Draws a tree below a title. `is_last` says whether no other tree follows below the title.
    fn draw_tree(&mut self, name: &'a str, is_last: bool) {
        let is_reference = !self.claimed.insert(name);
        let mut stack = vec![Item { edge: "", name, branch: Branch::root(is_last), is_in_chain: false, is_reference }];
        while let Some(item) = stack.pop() {
            let below = match self.node(item.name) {
                Some(node) if !item.is_reference => self.draw_node(&item, node),
                _ => {
                    self.draw_reference(&item);
                    continue;
                }
            };
            stack.extend(below.into_iter().rev());
        }
    }

    fn draw_reference(&mut self, item: &Item<'a>) {
        let place = match (self.node(item.name), self.drawn.contains(item.name)) {
            (None, _) => "a node that the server does not list",
            (_, true) => "shared, drawn above",
            (_, false) => "shared, drawn below",
        };
        self.columns.push_across(first_cell(item).with(Ink::Dim, &format!(" ({place})")));
    }

    /// Draws a node and the remarks on it. Returns the items below it, and those beside them.
    fn draw_node(&mut self, item: &Item<'a>, node: &'a Node) -> Vec<Item<'a>> {
        self.drawn.insert(item.name);
        let folded = node.children.first().filter(|child| self.can_fold(child));
        if let Some(folded) = folded {
            self.claimed.insert(&folded.node_name);
        }
        let below = self.items_below(item, node, folded.is_some());
        let folded = folded.and_then(|child| self.node(&child.node_name));
        let driver = folded.map_or(node.driver.clone(), |file| format!("{} on {}", node.driver, file.driver));
        let file = match folded {
            Some(folded) => folded.file.as_str(),
            None if node.children.is_empty() => node.file.as_str(),
            None => "",
        };
        let mode = if node.read_only { "ro" } else { "rw" };
        let mode = if node.active { mode.to_owned() } else { format!("{mode} inactive") };
        self.columns.push([
            first_cell(item),
            Text::plain(&driver),
            node.virtual_size.map(size).unwrap_or_default().into(),
            node.actual_size.map(size).unwrap_or_default().into(),
            Text::plain(&mode),
            Text::plain(file),
        ]);
        let mut remarks = own_remarks(node);
        remarks.extend(self.remarks.remove(item.name).unwrap_or_default());
        let bar = if below.is_empty() { "     " } else { "│    " };
        for remark in remarks {
            let prefix = item.branch.below() + bar;
            let mut line = Text::new(Ink::Dim, &prefix);
            line.append(remark);
            self.columns.push_across(line);
        }
        below
    }

    /// Returns whether a child can be a part of its parent's line: a file that has no name of its own, and no other user.
    fn can_fold(&self, child: &Child) -> bool {
        let name = child.node_name.as_str();
        let is_plain = |node: &Node| node.children.is_empty() && own_remarks(node).is_empty();
        child.child == "file"
            && name.starts_with('#')
            && self.parents.get(name) == Some(&1)
            && !self.claimed.contains(name)
            && !self.remarks.contains_key(name)
            && self.node(name).is_some_and(is_plain)
    }

    /// Returns the children of a node, and after them the backing chain.
    fn items_below(&mut self, item: &Item<'a>, node: &'a Node, is_folded: bool) -> Vec<Item<'a>> {
        let branch = item.branch.child(false);
        let mut items = Vec::new();
        let mut backing = None;
        for child in node.children.iter().skip(usize::from(is_folded)) {
            match child.child == BACKING {
                true => backing = Some(child).filter(|_| !item.is_in_chain),
                false => self.push_item(child, &branch, false, &mut items),
            }
        }
        while let Some(child) = backing {
            self.push_item(child, &branch, true, &mut items);
            let is_claimed_now = items.last().is_some_and(|item| !item.is_reference);
            let next = self.node(&child.node_name).filter(|_| is_claimed_now);
            backing = next.and_then(|node| node.children.iter().find(|child| child.child == BACKING));
        }
        if let Some(last) = items.last_mut() {
            last.branch.set_last();
        }
        items
    }

    fn push_item(&mut self, child: &'a Child, branch: &Branch, is_in_chain: bool, items: &mut Vec<Item<'a>>) {
        let name = child.node_name.as_str();
        let is_reference = !self.claimed.insert(name);
        items.push(Item { edge: &child.child, name, branch: branch.clone(), is_in_chain, is_reference });
    }
}

/// Returns the lines of the tree, the edge and the name.
fn first_cell(item: &Item<'_>) -> Text {
    let edge = if item.edge.is_empty() { String::new() } else { format!("{}: ", item.edge) };
    Text::new(Ink::Dim, &item.branch.lead()).with(Ink::Plain, &edge).with(Ink::Name, item.name)
}

/// Returns the text of a job after its role.
fn job_text(job: &Job, role: &str) -> Text {
    let progress = percent(job.current, job.total).map(|share| format!(", {share}")).unwrap_or_default();
    let text = Text::plain(&format!("{role}job ")).with(Ink::Name, &job.id);
    let text = text.with(Ink::Plain, &format!(" ({}): {}{progress}", job.kind, job.status));
    match &job.error {
        Some(error) => text.with(Ink::Error, &format!(": {error}")),
        None => text,
    }
}

/// Returns the remarks that a node's own state deserves.
fn own_remarks(node: &Node) -> Vec<Text> {
    let mut remarks = Vec::new();
    if node.corrupt {
        remarks.push(Text::new(Ink::Error, "the image is corrupt"));
    }
    let mut options = Vec::new();
    if node.encrypted {
        options.push("encrypted".to_owned());
    }
    if let Some(group) = &node.throttle_group {
        options.push(format!("throttle group {group}"));
    }
    if !node.cache.is_empty() {
        options.push(format!("cache {}", node.cache.join(" ")));
    }
    if !matches!(node.detect_zeroes.as_str(), "" | "off") {
        options.push(format!("detect zeroes {}", node.detect_zeroes));
    }
    match node.snapshots {
        0 => {}
        1 => options.push("1 internal snapshot".to_owned()),
        count => options.push(format!("{count} internal snapshots")),
    }
    if !options.is_empty() {
        remarks.push(Text::plain(&options.join(", ")));
    }
    for bitmap in &node.bitmaps {
        let text = match bitmap.name.as_str() {
            "" => Text::plain("bitmap of a job"),
            name => Text::plain("bitmap ").with(Ink::Name, name),
        };
        let flags = [
            (bitmap.recording, "recording"),
            (!bitmap.recording && !bitmap.name.is_empty(), "disabled"),
            (bitmap.persistent, "persistent"),
            (bitmap.busy, "busy"),
        ];
        let flags: String = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| format!("{flag}, ")).collect();
        let amounts = format!("{} dirty, granularity {}", size(bitmap.dirty), size(bitmap.granularity));
        let text = text.with(Ink::Plain, &format!(": {flags}{amounts}"));
        remarks.push(if bitmap.inconsistent { text.with(Ink::Error, ", inconsistent") } else { text });
    }
    remarks
}

/// Returns the direction of a limit, from the end of its name.
fn direction_text(end: &str) -> &'static str {
    match end {
        "_rd" => " of reads",
        "_wr" => " of writes",
        _ => "",
    }
}
