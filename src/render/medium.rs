//! The place where a picture is drawn: its colours and its width.

use super::palette::Palette;

/// The place where a picture is drawn.
#[derive(Debug, Clone)]
pub struct Medium<'a> {
    pub palette: &'a Palette,
    /// The columns of the terminal, or of a file as many as it takes.
    pub columns: usize,
}

impl Medium<'_> {
    /// Returns whether lines are as long as they need.
    pub fn is_file(&self) -> bool {
        self.columns == usize::MAX
    }

    /// Returns a file: lines are as long as they need.
    pub fn file(palette: &Palette) -> Medium<'_> {
        Medium { palette, columns: usize::MAX }
    }
}
