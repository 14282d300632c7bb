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

/// All formats, with their names and descriptions for `-o` and `.set output`.
pub const OUTPUT_FORMATS: &[(OutputFormat, &str, &str)] = &[
    (OutputFormat::Flat, "flat", "One line for each value, such as `a.b[0].c: value`"),
    (OutputFormat::Json, "json", "The whole reply as JSON on one line"),
    (OutputFormat::Pretty, "pretty", "The return value as indented JSON"),
];

impl OutputFormat {
    pub(crate) fn name(self) -> &'static str {
        OUTPUT_FORMATS.iter().find(|(format, ..)| *format == self).map_or("", |(_, name, _)| name)
    }

    /// Writes a return value, with line ends. `escape_controls` makes it safe for a terminal.
    pub(crate) fn write_value(
        self,
        raw: &str,
        palette: &Palette,
        escape_controls: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let layout = match self {
            OutputFormat::Flat => return write_flat(raw, palette, out),
            OutputFormat::Json => JsonStyle::Line,
            OutputFormat::Pretty => JsonStyle::Indented,
        };
        write_json(raw, layout, palette, escape_controls, out)?;
        out.write_all(b"\n")
    }
}

impl std::str::FromStr for OutputFormat {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        OUTPUT_FORMATS.iter().find(|(_, known, _)| *known == name).map(|(format, ..)| *format).ok_or(())
    }
}
