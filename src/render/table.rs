//! Prints an array of objects as a table, a row for each object and a column for each member.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::wire::unquote;

use super::columns::{Column, Columns, GAP, Ink, MIN_COLUMN_WIDTH, Text};
use super::json_tokens::begins_number;
use super::medium::Medium;
use super::palette::Palette;
use super::units::size;
use super::{JsonStyle, write_json};

/// The cell of a member that an object does not have.
const MISSING: &str = "-";

/// The number of cells above which a table must not be mostly empty.
const MAX_SPARSE_CELLS: usize = 1 << 20;

/// The words at the end of a member's name that tell a number of bytes.
const SIZE_WORDS: &[&str] = &["size", "bytes"];

/// Writes the JSON text `raw` as a table, with line ends. Returns false, and writes nothing, if it is not an array of
/// objects with members, or if these have so few members in common that the table would be large and mostly empty.
///
/// On a terminal the table fits its width: long cells are cut, members that do not fit are named below, and sizes have
/// units. In a file, all columns begin at the left, with at least two blanks between them, and everything is whole, unless
/// long cells would make many rows as long.
pub fn write_table(raw: &str, medium: &Medium<'_>, out: &mut (impl Write + ?Sized)) -> io::Result<bool> {
    let Ok(rows) = serde_json::from_str::<Vec<Row<'_>>>(raw) else { return Ok(false) };
    if is_sparse(&rows) {
        return Ok(false);
    }
    let table = Table::new(&rows, medium.is_file());
    if table.members.is_empty() {
        return Ok(false);
    }
    out.write_all(table.draw(medium).as_bytes())?;
    Ok(true)
}

/// Returns whether most cells of a table would be empty, and there would be too many of them.
fn is_sparse(rows: &[Row<'_>]) -> bool {
    let names: HashSet<&str> = rows.iter().flat_map(|row| &row.0).map(|(name, _)| name.as_ref()).collect();
    let values: usize = rows.iter().map(|row| row.0.len()).sum();
    let cells = names.len().saturating_mul(rows.len());
    cells > MAX_SPARSE_CELLS && cells / 4 > values
}

/// The members of an object, in the server's order and spelling.
struct Row<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Row<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Row<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Row<'de>, A::Error> {
                let mut row = Vec::new();
                while let Some((Name(name), value)) = members.next_entry()? {
                    row.push((name, value));
                }
                Ok(Row(row))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The name of a member, borrowed if it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        Ok(Name(unquote(raw).unwrap_or(Cow::Borrowed(raw))))
    }
}

/// The cells of a table, by row and then by column.
struct Table<'a> {
    members: Vec<&'a str>,
    /// Whether a column has numbers only.
    are_numbers: Vec<bool>,
    rows: Vec<Vec<Text>>,
}

impl<'a> Table<'a> {
    fn new(rows: &'a [Row<'a>], is_file: bool) -> Table<'a> {
        let mut members: Vec<&str> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (name, _) in rows.iter().flat_map(|row| &row.0) {
            places.entry(name).or_insert_with(|| {
                members.push(name);
                members.len() - 1
            });
        }
        let mut are_numbers = vec![!is_file; members.len()];
        let to_cells = |row: &Row<'_>| {
            let mut cells = vec![Text::new(Ink::Dim, MISSING); members.len()];
            for (name, value) in &row.0 {
                let place = places[name.as_ref()];
                are_numbers[place] &= value.get().bytes().next().is_some_and(begins_number);
                cells[place] = cell(name, value.get(), is_file);
            }
            cells
        };
        let rows = rows.iter().map(to_cells).collect();
        Table { members, are_numbers, rows }
    }

    /// Returns the number of columns that fit when they are cut as far as they may be. The first one always does.
    fn columns_that_fit(&self, available: usize) -> usize {
        let mut used = 0;
        let fits = |place: &usize| {
            let cells = self.rows.iter().map(|row| row[*place].width());
            let width = cells.chain([Text::plain(self.members[*place]).width()]).max().unwrap_or_default();
            let least = if self.are_numbers[*place] { width } else { width.min(MIN_COLUMN_WIDTH) };
            used += least + if *place > 0 { GAP.len() } else { 0 };
            used <= available || *place == 0
        };
        (0..self.members.len()).take_while(fits).count()
    }

    fn draw(self, medium: &Medium<'_>) -> String {
        let shown = self.columns_that_fit(medium.columns);
        let columns = self.members[..shown].iter().zip(&self.are_numbers);
        let columns: Vec<Column> = columns.map(|(name, is_number)| Column::of_member(name, *is_number)).collect();
        let mut table = Columns::new(columns);
        for mut row in self.rows {
            row.truncate(shown);
            table.push(row);
        }
        let mut text = table.draw(medium);
        if shown < self.members.len() {
            let names = self.members[shown..].join(", ");
            let rest = format!("The width is not enough for {names}.\n");
            text += &Text::new(Ink::Dim, rest.trim_end()).paragraph(medium);
        }
        text
    }
}

/// Returns the cell of a member. Its text has no line ends.
fn cell(name: &str, value: &str, is_file: bool) -> Text {
    if let Some(text) = Some(value).filter(|value| value.starts_with('"')).and_then(unquote) {
        return if text.is_empty() { Text::new(Ink::Dim, value) } else { Text::plain(&text) };
    }
    let last_word = name.rsplit(['-', '_']).next().unwrap_or_default();
    if let Some(bytes) = value.parse().ok().filter(|_| !is_file && SIZE_WORDS.contains(&last_word)) {
        return Text::plain(&size(bytes));
    }
    let mut line = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = write_json(value, JsonStyle::Line, &Palette::default(), true, &mut line);
    Text::plain(&String::from_utf8_lossy(&line))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(raw: &str, columns: usize, expected: Expect) {
        let mut out = Vec::new();
        let medium = Medium { palette: &Palette::default(), columns };
        assert!(write_table(raw, &medium, &mut out).unwrap());
        expected.assert_eq(&String::from_utf8(out).unwrap());
    }

    const NODES: &str = r#"[
        {"node-name": "disk0", "ro": false, "virtual-size": 1073741824, "file": "/images/a long name.qcow2", "n": 5},
        {"node-name": "漢字\u001b", "ro": true, "virtual-size": 1000, "n": 1e3, "cache": {"direct": true}, "e": ""}
    ]"#;

    #[test]
    fn rows_without_common_members_are_not_a_table() {
        let rows: Vec<String> = (0..2000).map(|n| format!("{{\"m{n}\": {n}}}")).collect();
        let raw = format!("[{}]", rows.join(","));
        let mut out = Vec::new();
        assert!(!write_table(&raw, &Medium::file(&Palette::default()), &mut out).unwrap() && out.is_empty());
    }

    #[test]
    fn a_long_cell_does_not_make_all_rows_long() {
        let long = "x".repeat(1 << 20);
        let raw = format!("[{{\"a\": \"{long}\", \"b\": 1}}{}]", ",{\"a\": \"y\", \"b\": 2}".repeat(1000));
        let mut out = Vec::new();
        assert!(write_table(&raw, &Medium::file(&Palette::default()), &mut out).unwrap());
        assert!(out.len() < 16 << 20, "{}", out.len());
    }

    #[test]
    fn fits_the_terminal() {
        check(
            NODES,
            100,
            expect![[r#"
                node-name  ro     virtual-size  file                         n  cache             e
                disk0      false         1 GiB  /images/a long name.qcow2    5  -                 -
                漢字\x1b   true         1000 B  -                          1e3  {"direct": true}  ""
            "#]],
        );
        check(
            NODES,
            50,
            expect![[r#"
                node-name  ro     virtual-size  file             n
                disk0      false         1 GiB  /images/a lo…    5
                漢字\x1b   true         1000 B  -              1e3
                The width is not enough for cache, e.
            "#]],
        );
        check(
            NODES,
            16,
            expect![[r#"
                node-name  ro
                disk0      false
                漢字\x1b   true
                The width is not
                enough for
                virtual-size,
                file, n, cache,
                e.
            "#]],
        );
    }

    #[test]
    fn is_whole_in_a_file() {
        check(
            NODES,
            usize::MAX,
            expect![[r#"
            node-name  ro     virtual-size  file                       n    cache             e
            disk0      false  1073741824    /images/a long name.qcow2  5    -                 -
            漢字\x1b   true   1000          -                          1e3  {"direct": true}  ""
        "#]],
        );
    }

    #[test]
    fn other_values_are_not_tables() {
        for raw in ["[]", "{}", "[1]", "[{}]", "{\"a\": 1}", "[{\"a\": nan}]", "\"x\"", "[{\"a\": 1}, 2]"] {
            let mut out = Vec::new();
            let is_table = write_table(raw, &Medium::file(&Palette::default()), &mut out).unwrap();
            assert!(!is_table && out.is_empty(), "{raw}");
        }
    }
}
