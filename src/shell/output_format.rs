//! The formats in which replies are written.

use std::io::{self, Write};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::render::{JsonStyle, Medium, write_fitted, write_flat, write_json, write_table};

/// The format of replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Return values as JSON in few lines, and text for people as text.
    Auto,
    /// Return values as `a.b[0].c: value`, one line for each value.
    Flat,
    /// Whole messages, each on one line.
    Json,
    /// Return values as indented JSON.
    Pretty,
    /// Arrays of objects as tables, other values as in [`OutputFormat::Auto`].
    Table,
}

/// The name of a format, and its description for `-o` and `.set output`.
#[derive(Debug, Clone, Copy)]
pub struct OutputFormatEntry {
    pub format: OutputFormat,
    pub name: &'static str,
    pub help: &'static str,
}

/// All formats, by name.
pub const OUTPUT_FORMATS: &[OutputFormatEntry] = &[
    OutputFormatEntry {
        format: OutputFormat::Auto,
        name: "auto",
        help: "The return value as JSON in few lines, or as text if it is for people",
    },
    OutputFormatEntry {
        format: OutputFormat::Flat,
        name: "flat",
        help: "One line for each value, such as `a.b[0].c: value`",
    },
    OutputFormatEntry { format: OutputFormat::Json, name: "json", help: "The whole reply as JSON on one line" },
    OutputFormatEntry { format: OutputFormat::Pretty, name: "pretty", help: "The return value as indented JSON" },
    OutputFormatEntry {
        format: OutputFormat::Table,
        name: "table",
        help: "An array of objects as a table, other values as in `auto`",
    },
];

impl OutputFormat {
    /// Returns the format of this name.
    pub fn find(name: &str) -> Option<OutputFormat> {
        OUTPUT_FORMATS.iter().find(|entry| entry.name == name).map(|entry| entry.format)
    }

    pub(crate) fn name(self) -> &'static str {
        OUTPUT_FORMATS.iter().find(|entry| entry.format == self).map_or("", |entry| entry.name)
    }

    /// Whether whole replies are written, errors included. In the other formats, standard output has return values
    /// only.
    pub fn shows_whole_replies(self) -> bool {
        self == OutputFormat::Json
    }

    /// Whether a view is shown as its picture, and not as its data.
    pub(crate) fn shows_pictures(self) -> bool {
        !matches!(self, OutputFormat::Json | OutputFormat::Flat)
    }

    /// Writes a return value, with line ends. `escape_controls` makes JSON safe for a terminal; other formats always
    /// are.
    pub(crate) fn write_value(
        self,
        raw: &str,
        medium: &Medium<'_>,
        escape_controls: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if matches!(self, OutputFormat::Auto | OutputFormat::Flat | OutputFormat::Table)
            && let Some(text) = text_for_people(raw)
        {
            return write_flat(text, medium.palette, out);
        }
        match self {
            OutputFormat::Table if write_table(raw, medium, out)? => return Ok(()),
            OutputFormat::Auto | OutputFormat::Table => {
                let columns = if medium.is_file() { COLUMNS_IN_FILES } else { medium.columns };
                write_fitted(raw, columns, medium.palette, escape_controls, out)?;
            }
            OutputFormat::Flat => return write_flat(raw, medium.palette, out),
            OutputFormat::Json => write_json(raw, JsonStyle::Line, medium.palette, escape_controls, out)?,
            OutputFormat::Pretty => write_json(raw, JsonStyle::Indented, medium.palette, escape_controls, out)?,
        }
        out.write_all(b"\n")
    }
}

/// The width of JSON in the format `auto` in a file.
const COLUMNS_IN_FILES: usize = 80;

/// Returns the JSON string that is text for people: the only member of the replies to `x-query-*`, or the text of the human
/// monitor, which has line ends.
pub(crate) fn text_for_people(raw: &str) -> Option<&str> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct HumanReadableText<'a> {
        #[serde(borrow, rename = "human-readable-text")]
        text: &'a RawValue,
    }
    let raw = raw.trim_ascii();
    let text = match raw.as_bytes().first() {
        Some(b'"') => Some(raw).filter(|text| text.ends_with("\\r\\n\"")),
        Some(b'{') => serde_json::from_str::<HumanReadableText<'_>>(raw).ok().map(|reply| reply.text.get()),
        _ => None,
    };
    text.filter(|text| text.starts_with('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Palette;

    fn write(format: OutputFormat, raw: &str) -> String {
        let mut out = Vec::new();
        format.write_value(raw, &Medium { palette: &Palette::default(), columns: 30 }, true, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_for_people_is_text() {
        for format in [OutputFormat::Auto, OutputFormat::Flat, OutputFormat::Table] {
            for (raw, text) in [
                (r#"{"human-readable-text": "a\u001b\r\n b\n"}"#, "a\\x1b\n b\n"),
                (r#""VM status: running\r\n""#, "VM status: running\n"),
                (r#"{"human-readable-text": ""}"#, ""),
            ] {
                assert_eq!(write(format, raw), text);
            }
        }
        let other = r#"{"human-readable-text": "a", "b": 1}"#;
        assert_eq!(write(OutputFormat::Auto, other), "{\n  \"human-readable-text\": \"a\",\n  \"b\": 1\n}\n");
        assert_eq!(write(OutputFormat::Auto, r#"{"human-readable-text": 1}"#), "{\"human-readable-text\": 1}\n");
        assert_eq!(write(OutputFormat::Auto, "\"a\\nb\""), "\"a\\nb\"\n");
        assert_eq!(write(OutputFormat::Pretty, r#""a\r\n""#), "\"a\\r\\n\"\n");
    }

    #[test]
    fn what_is_not_a_table_is_written_as_in_auto() {
        assert_eq!(write(OutputFormat::Table, "[{\"a\": 1}, {\"a\": 20}]"), " a\n 1\n20\n");
        for raw in ["{\"a\": 1}", "[1, 2]", "[]", "3"] {
            assert_eq!(write(OutputFormat::Table, raw), format!("{raw}\n"));
        }
    }
}
