//! Images of a block device in words: a chain of images, and tables of internal snapshots.

use chrono::{Local, TimeZone};
use serde_json::Value;

use super::super::command::Invocation;
use super::super::server::Failure;
use super::super::text::{integer, is_true, items, size, string};

/// The layout of a table of snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableLayout {
    /// Blanks between the columns, `--` for an unknown instruction count.
    Current,
    /// The layout of QEMU before 9.0, without blanks between the columns.
    Old,
}

impl TableLayout {
    /// Returns the layout that the server's own monitor uses.
    pub(super) fn of_server(call: &mut Invocation<'_>) -> Result<TableLayout, Failure> {
        Ok(if call.is_older_than(9, 0)? { TableLayout::Old } else { TableLayout::Current })
    }

    /// Returns the header of the table.
    pub(super) fn header(self) -> String {
        match self {
            TableLayout::Current => self.row(["ID", "TAG", "VM_SIZE", "DATE", "VM_CLOCK", "ICOUNT"]),
            TableLayout::Old => self.row(["ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "ICOUNT"]),
        }
    }

    /// Returns the row of a snapshot. `id` takes the place of its own id.
    pub(super) fn snapshot(self, snapshot: &Value, id: &str) -> String {
        let vm_size = size(snapshot["vm-state-size"].as_u64().unwrap_or_default());
        let clock = self.clock(integer(snapshot, "vm-clock-sec"), integer(snapshot, "vm-clock-nsec"));
        let unknown = if self == TableLayout::Current { "--" } else { "" };
        let icount = snapshot["icount"].as_i64().map_or(unknown.to_owned(), |count| count.to_string());
        self.row([id, string(snapshot, "name"), &vm_size, &local_time(integer(snapshot, "date-sec")), &clock, &icount])
    }

    fn row(self, [id, tag, vm_size, date, clock, icount]: [&str; 6]) -> String {
        match self {
            TableLayout::Current => format!("{id:<7} {tag:<16} {vm_size:>8} {date:>19} {clock:>15} {icount:>10}\n"),
            TableLayout::Old => format!("{id:<10}{tag:<16}{vm_size:>9}{date:>20}{clock:>13}{icount:>11}\n"),
        }
    }

    /// Returns the time on the guest's clock.
    fn clock(self, seconds: i64, nanoseconds: i64) -> String {
        let hour_digits = if self == TableLayout::Current { 4 } else { 2 };
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        format!("{hours:0hour_digits$}:{minutes:02}:{:02}.{:03}", seconds % 60, nanoseconds / 1_000_000)
    }
}

/// Returns a time in seconds since 1970 as local date and time.
fn local_time(seconds: i64) -> String {
    let time = Local.timestamp_opt(seconds, 0).single();
    time.map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

/// Returns an image and its backing images in words.
pub(super) fn image_chain(image: &Value, layout: TableLayout) -> String {
    let chain = std::iter::successors(Some(image), |image| image.get("backing-image"));
    chain.map(|image| image_details(image, layout)).collect()
}

/// Returns whether an image or one of its backing images has snapshots.
pub(super) fn has_snapshots(image: &Value) -> bool {
    std::iter::successors(Some(image), |image| image.get("backing-image"))
        .any(|image| !items(&image["snapshots"]).is_empty())
}

fn image_details(image: &Value, layout: TableLayout) -> String {
    let bytes = |key: &str| image[key].as_u64();
    let virtual_size = bytes("virtual-size").unwrap_or_default();
    let disk_size = bytes("actual-size").map_or("unavailable".to_owned(), size);
    let mut text = format!("image: {}\nfile format: {}\n", string(image, "filename"), string(image, "format"));
    text += &format!("virtual size: {} ({virtual_size} bytes)\ndisk size: {disk_size}\n", size(virtual_size));
    if is_true(image, "encrypted") {
        text += "encrypted: yes\n";
    }
    if let Some(cluster_size) = bytes("cluster-size") {
        text += &format!("cluster_size: {cluster_size}\n");
    }
    if is_true(image, "dirty-flag") {
        text += "cleanly shut down: no\n";
    }
    if let Some(backing) = image["backing-filename"].as_str() {
        text += &format!("backing file: {backing}{}\n", actual_path(image, backing));
        if let Some(format) = image["backing-filename-format"].as_str() {
            text += &format!("backing file format: {format}\n");
        }
    }
    let snapshots = items(&image["snapshots"]);
    if !snapshots.is_empty() {
        text += "Snapshot list:\n";
        text += &layout.header();
        snapshots.iter().for_each(|snapshot| text += &layout.snapshot(snapshot, string(snapshot, "id")));
    }
    let specific = &image["format-specific"]["data"];
    if specific.as_object().is_some_and(|members| !members.is_empty()) {
        text += "Format specific information:\n";
        write_members(specific, 4, &mut text);
    }
    text
}

/// Returns the path of a backing file, if it differs from the name in the image.
fn actual_path(image: &Value, backing: &str) -> String {
    match image["full-backing-filename"].as_str() {
        None => " (cannot determine actual path)".to_owned(),
        Some(full) if full == backing => String::new(),
        Some(full) => format!(" (actual path: {full})"),
    }
}

/// Writes the members of an object or the items of an array, one on each line.
fn write_members(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, member)| write_member(&key.replace('-', " "), member, indent, text));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| write_member(&format!("[{i}]"), item, indent, text));
        }
        _ => {}
    }
}

fn write_member(label: &str, value: &Value, indent: usize, text: &mut String) {
    let shown = match value {
        Value::Object(_) | Value::Array(_) => String::new(),
        Value::String(string) => format!(" {string}"),
        other => format!(" {other}"),
    };
    *text += &format!("{:indent$}{label}:{shown}\n", "");
    write_members(value, indent + 4, text);
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_is_described_with_all_that_is_known_of_it() {
        let image = json!({
            "filename": "a.luks", "format": "luks", "virtual-size": 1_048_576, "actual-size": 262_144,
            "encrypted": true, "cluster-size": 512, "dirty-flag": true, "backing-filename": "b",
            "full-backing-filename": "/b", "backing-filename-format": "raw",
            "format-specific": {"type": "luks", "data": {
                "ivgen-alg": "plain64",
                "slots": [{"active": true, "key-offset": 4096}, {"active": false}],
                "names": ["x"],
            }},
            "backing-image": {"filename": "/b", "format": "raw", "virtual-size": 0, "format-specific": {"data": {}}},
        });
        expect![[r#"
            image: a.luks
            file format: luks
            virtual size: 1 MiB (1048576 bytes)
            disk size: 256 KiB
            encrypted: yes
            cluster_size: 512
            cleanly shut down: no
            backing file: b (actual path: /b)
            backing file format: raw
            Format specific information:
                ivgen alg: plain64
                slots:
                    [0]:
                        active: true
                        key offset: 4096
                    [1]:
                        active: false
                names:
                    [0]: x
            image: /b
            file format: raw
            virtual size: 0 B (0 bytes)
            disk size: unavailable
        "#]]
        .assert_eq(&image_chain(&image, TableLayout::Current));
    }

    #[test]
    fn columns_keep_their_places_in_both_layouts() {
        let snapshot =
            json!({"name": "a", "vm-state-size": 400_000, "vm-clock-sec": 360_123, "vm-clock-nsec": 5_000_000});
        let date = local_time(0);
        let current = TableLayout::Current.snapshot(&snapshot, "1");
        assert_eq!(current, format!("1       a                 391 KiB {date}  0100:02:03.005         --\n"));
        let old = TableLayout::Old.snapshot(&snapshot, "1");
        assert_eq!(old, format!("1         a                 391 KiB {date}100:02:03.005           \n"));
    }
}
