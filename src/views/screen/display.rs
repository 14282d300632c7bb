//! The terminal on which an image is shown, and what it can show.

/// The terminal on which an image is shown.
#[derive(Debug, Clone, Default)]
pub struct Display {
    pub rows: usize,
    pub graphics: Graphics,
}

/// The way in which a terminal shows images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Graphics {
    /// The graphics protocol of kitty.
    Kitty,
    /// The inline images of iTerm2.
    ITerm,
    /// Two pixels in each cell, as its upper and its lower half.
    HalfBlocks(Colors),
}

/// The colours that a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colors {
    #[default]
    Palette256,
    TrueColor,
}

impl Default for Graphics {
    fn default() -> Graphics {
        Graphics::HalfBlocks(Colors::default())
    }
}

impl Graphics {
    /// Returns what a terminal can show, according to the environment. `get` returns a variable of it.
    pub fn of_environment(get: &dyn Fn(&str) -> Option<String>) -> Graphics {
        let variable = |name: &str| get(name).unwrap_or_default();
        let (term, program) = (variable("TERM"), variable("TERM_PROGRAM"));
        let colors = match variable("COLORTERM").as_str() {
            "truecolor" | "24bit" => Colors::TrueColor,
            _ if term.contains("direct") || term.contains("kitty") => Colors::TrueColor,
            _ => Colors::Palette256,
        };
        // A multiplexer hands on variables of the terminal in which it was started, but not images.
        let is_multiplexed =
            !variable("TMUX").is_empty() || ["tmux", "screen"].iter().any(|name| term.starts_with(name));
        if is_multiplexed {
            return Graphics::HalfBlocks(colors);
        }
        let is_kitty = !variable("KITTY_WINDOW_ID").is_empty() || term.contains("kitty");
        match program.as_str() {
            _ if is_kitty => Graphics::Kitty,
            "ghostty" => Graphics::Kitty,
            "iTerm.app" | "WezTerm" => Graphics::ITerm,
            _ if variable("LC_TERMINAL") == "iTerm2" => Graphics::ITerm,
            _ => Graphics::HalfBlocks(colors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_tells_the_terminal() {
        let blocks = Graphics::HalfBlocks;
        for (variables, expected) in [
            (&[("TERM", "xterm-256color")][..], blocks(Colors::Palette256)),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], blocks(Colors::TrueColor)),
            (&[("TERM", "xterm-kitty")], Graphics::Kitty),
            (&[("TERM", "xterm"), ("KITTY_WINDOW_ID", "1")], Graphics::Kitty),
            (&[("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")], blocks(Colors::Palette256)),
            (&[("TERM", "xterm-kitty"), ("TMUX", "/tmp/tmux")], blocks(Colors::TrueColor)),
            (&[("TERM", "xterm-ghostty"), ("TERM_PROGRAM", "ghostty")], Graphics::Kitty),
            (&[("TERM", "xterm"), ("TERM_PROGRAM", "iTerm.app")], Graphics::ITerm),
            (&[("TERM", "xterm"), ("LC_TERMINAL", "iTerm2")], Graphics::ITerm),
            (&[], blocks(Colors::Palette256)),
        ] {
            let get =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(Graphics::of_environment(&get), expected, "{variables:?}");
        }
    }
}
