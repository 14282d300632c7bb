//! The formats in which replies are written.

use std::io::{self, Write};

use crate::render::{JsonStyle, Palette, write_flat, write_json};

/// The format of replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Return values as `a.b[0].c: value`, one line for each value.
    Flat,
    /// Whole messages, each on one line.
    Json,
    /// Return values as indented JSON.
    Pretty,
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
        format: OutputFormat::Flat,
        name: "flat",
        help: "One line for each value, such as `a.b[0].c: value`",
    },
    OutputFormatEntry { format: OutputFormat::Json, name: "json", help: "The whole reply as JSON on one line" },
    OutputFormatEntry { format: OutputFormat::Pretty, name: "pretty", help: "The return value as indented JSON" },
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
        palette: &Palette,
        escape_controls: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let style = match self {
            OutputFormat::Flat => return write_flat(raw, palette, out),
            OutputFormat::Json => JsonStyle::Line,
            OutputFormat::Pretty => JsonStyle::Indented,
        };
        write_json(raw, style, palette, escape_controls, out)?;
        out.write_all(b"\n")
    }
}
