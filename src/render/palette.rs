//! The colours of output, by the role of the text.

use colored::Color;

/// The escape codes for each role; all empty if output has no colour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Palette {
    /// Keys of objects.
    pub key: String,
    pub string: String,
    pub number: String,
    /// `true`, `false`, `null`.
    pub literal: String,
    pub error: String,
    /// The label of a warning.
    pub warning: String,
    /// Names of events and commands.
    pub name: String,
    /// Secondary text: times, hints, notices.
    pub dim: String,
    pub prompt: String,
    /// Text that a search found.
    pub found: String,
    /// Ends any of the above.
    pub reset: String,
}

impl Palette {
    /// Creates the palette for output with or without colour. Of the 16 colours that every terminal has, these are legible
    /// on black and on white: blue is too dark on black, yellow too bright on white.
    pub fn new(is_colored: bool) -> Palette {
        if !is_colored {
            return Palette::default();
        }
        let code = |color: Color| format!("\x1b[{}m", color.to_fg_str());
        let bold = |color: Color| format!("\x1b[1;{}m", color.to_fg_str());
        Palette {
            key: code(Color::Cyan),
            string: code(Color::Green),
            number: code(Color::Magenta),
            literal: code(Color::Magenta),
            error: bold(Color::Red),
            warning: "\x1b[1m".to_owned(),
            name: bold(Color::Magenta),
            dim: "\x1b[2m".to_owned(),
            prompt: bold(Color::Green),
            found: "\x1b[7m".to_owned(),
            reset: "\x1b[0m".to_owned(),
        }
    }

    /// Returns the palette for a message about a failure.
    pub fn for_failures(&self) -> Palette {
        Palette { name: self.error.clone(), string: self.error.clone(), ..self.clone() }
    }

    pub fn is_colored(&self) -> bool {
        !self.reset.is_empty()
    }

    /// Returns `text` between `code`, one of the codes of this palette, and the reset code.
    pub fn paint(&self, code: &str, text: &str) -> String {
        format!("{code}{text}{}", if code.is_empty() { "" } else { &self.reset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_colour_is_hard_to_read_on_black_or_on_white() {
        let palette = Palette::new(true);
        let Palette { key, string, number, literal, error, warning, name, dim, prompt, found, reset: _ } = &palette;
        for code in [key, string, number, literal, error, warning, name, dim, prompt, found] {
            for hard in ["30", "33", "34", "37"] {
                assert!(!code.contains(hard), "{code:?}");
            }
        }
    }
}
