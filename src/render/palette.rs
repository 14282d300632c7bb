//! Colours by meaning.

use colored::Color;

/// The escape codes of each kind of text; all empty where there is no colour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Palette {
    /// Keys of objects.
    pub key: String,
    /// Strings.
    pub string: String,
    /// Numbers.
    pub number: String,
    /// `true`, `false`, `null`.
    pub literal: String,
    /// Errors.
    pub error: String,
    /// Names of events and commands.
    pub name: String,
    /// What stands back: times, hints, notices.
    pub dim: String,
    /// The prompt.
    pub prompt: String,
    /// What ends any of the above.
    pub reset: String,
}

impl Palette {
    /// The palette for a stream with or without colour.
    pub fn new(colour: bool) -> Palette {
        if !colour {
            return Palette::default();
        }
        let code = |colour: Color| format!("\x1b[{}m", colour.to_fg_str());
        let bold = |colour: Color| format!("\x1b[1;{}m", colour.to_fg_str());
        Palette {
            key: code(Color::Blue),
            string: code(Color::Green),
            number: code(Color::Cyan),
            literal: code(Color::Magenta),
            error: bold(Color::Red),
            // Not yellow: on a light ground nobody can read it.
            name: bold(Color::Magenta),
            dim: "\x1b[2m".to_owned(),
            prompt: bold(Color::Green),
            reset: "\x1b[0m".to_owned(),
        }
    }

    /// Whether there is colour at all.
    pub fn is_colored(&self) -> bool {
        !self.reset.is_empty()
    }

    /// `text` between `code` and its end.
    pub fn paint(&self, code: &str, text: &str) -> String {
        format!("{code}{text}{}", if code.is_empty() { "" } else { &self.reset })
    }
}
