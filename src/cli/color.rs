//! The decision whether to use colour: `--color`, or else `NO_COLOR`, `CLICOLOR_FORCE`, `TERM` and the terminal.

use std::io::{self, IsTerminal};

use colored::control::ShouldColorize;

use crate::render::Palette;

use super::args::Color;

/// Returns the colours of standard output.
pub(super) fn stdout_palette(color: Color) -> Palette {
    Palette::new(is_colored(color))
}

/// Returns the colours of standard error.
pub(super) fn stderr_palette(color: Color) -> Palette {
    Palette::new(is_colored(color) && (color == Color::Always || io::stderr().is_terminal()))
}

/// Returns the colours of a script's output. Programs read it, so it has none unless the user asks for them.
pub(super) fn script_palette(color: Color) -> Palette {
    Palette::new(color == Color::Always)
}

fn is_colored(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
            !is_dumb && ShouldColorize::from_env().should_colorize()
        }
    }
}
