//! The rows below the line until the next key: the candidates of a completion, a page of them at a time, or a message.
//!
//! They are part of the editor's hint, which it draws and removes together with the line.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::render::Palette;

use super::candidate_list::{Cell, GAP};

/// The rows that may be shown. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct RowsBelow(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    shown: Option<Page>,
    /// The page that was shown before the last key, if that key was Tab.
    before_tab: Option<Page>,
    /// The rows that were returned last, without and with colour.
    drawn: (String, String),
}

/// One page of a list, or a message.
#[derive(Debug, Clone)]
struct Page {
    cells: Vec<Cell>,
    number: usize,
}

/// The room for rows below the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl RowsBelow {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a key was pressed, which hides the rows. Returns whether there were any. `is_tab` says whether it is
    /// Tab, which can show the next page.
    pub(super) fn key_pressed(&self, is_tab: bool) -> bool {
        let mut state = self.state();
        let shown = state.shown.take();
        let was_shown = shown.is_some();
        state.before_tab = shown.filter(|_| is_tab);
        was_shown
    }

    /// Shows a list. If it is the list that Tab has hidden, shows its next page.
    pub(super) fn show_list(&self, cells: Vec<Cell>) {
        let mut state = self.state();
        let number = match state.before_tab.take() {
            Some(page) if page.cells == cells => page.number + 1,
            _ => 0,
        };
        state.shown = Some(Page { cells, number });
    }

    pub(super) fn show_message(&self, message: &str) {
        self.show_list(vec![Cell { text: String::new(), note: message.to_owned() }]);
    }

    pub(super) fn are_shown(&self) -> bool {
        self.state().shown.is_some()
    }

    /// Returns the rows, each after a line end; `None` if none are shown or there is no room.
    pub(super) fn rows(&self, room: Room, palette: &Palette) -> Option<String> {
        let mut state = self.state();
        let rows = state.shown.as_ref()?.rows(room);
        let text = |palette: &Palette| -> String {
            let row = |cells: &Vec<Cell>| -> String {
                cells.iter().map(|cell| format!("{}{}", cell.text, palette.paint(&palette.dim, &cell.note))).collect()
            };
            rows.iter().map(|cells| format!("\n{}", row(cells))).collect()
        };
        state.drawn = (text(&Palette::new(false)), text(palette));
        (!rows.is_empty()).then(|| state.drawn.0.clone())
    }

    /// Returns the rows with colour, if `rows` are those that were returned last.
    pub(super) fn painted(&self, rows: &str) -> Option<String> {
        let state = self.state();
        (state.drawn.0 == rows).then(|| state.drawn.1.clone())
    }
}

impl Page {
    /// Returns the rows of the page, with blanks between their cells.
    fn rows(&self, Room { columns, rows }: Room) -> Vec<Vec<Cell>> {
        // The cursor would wrap after the last column.
        let columns = columns.saturating_sub(1);
        let width = self.cells.iter().map(Cell::width).max().unwrap_or(0) + GAP.len();
        let per_row = ((columns + GAP.len()) / width).max(1);
        let fits = self.cells.len().div_ceil(per_row) <= rows;
        let page_cells = if fits { rows } else { rows.saturating_sub(1) } * per_row;
        if page_cells == 0 {
            return Vec::new();
        }
        let first = self.number % self.cells.len().div_ceil(page_cells).max(1) * page_cells;
        let cells = &self.cells[first..self.cells.len().min(first + page_cells)];
        let height = cells.len().div_ceil(per_row);
        let mut rows: Vec<Vec<Cell>> = (0..height)
            .map(|row| {
                let mut row: Vec<Cell> =
                    cells.iter().skip(row).step_by(height).map(|cell| cut(cell, columns)).collect();
                let last = row.len().saturating_sub(1);
                for cell in &mut row[..last] {
                    let padding = " ".repeat(width.saturating_sub(cell.width()));
                    if cell.note.is_empty() { &mut cell.text } else { &mut cell.note }.push_str(&padding);
                }
                row
            })
            .collect();
        if !fits {
            let (from, to) = (first + 1, first + cells.len());
            let note = format!("{from} to {to} of {}; Tab shows more", self.cells.len());
            rows.push(vec![cut(&Cell { text: String::new(), note }, columns)]);
        }
        rows
    }
}

/// Returns as much of a cell as fits into `columns`.
fn cut(cell: &Cell, columns: usize) -> Cell {
    let mut cell = cell.clone();
    while cell.width() > columns {
        if cell.note.pop().is_none() && cell.text.pop().is_none() {
            break;
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(texts: &[&str]) -> Vec<Cell> {
        texts.iter().map(|text| Cell { text: (*text).to_owned(), note: String::new() }).collect()
    }

    fn shown(below: &RowsBelow, columns: usize, rows: usize) -> String {
        below.rows(Room { columns, rows }, &Palette::new(false)).unwrap_or_default()
    }

    #[test]
    fn lists_by_columns_and_pages() {
        let below = RowsBelow::default();
        below.show_list(cells(&["aa", "b", "cc", "d", "ee"]));
        assert_eq!(shown(&below, 80, 10), "\naa  b   cc  d   ee");
        assert_eq!(shown(&below, 8, 10), "\naa  d\nb   ee\ncc");
        assert_eq!(shown(&below, 8, 2), "\naa  b\n1 to 2 ");
        assert_eq!(shown(&below, 4, 0), "");
        for page in ["\naa  b\n1 to 2 of 5; Tab shows more", "\ncc  d\n3 to 4 of 5; Tab shows more"] {
            let screen = shown(&below, 8, 2);
            assert!(page.starts_with(&screen), "{screen}");
            assert!(below.key_pressed(true));
            below.show_list(cells(&["aa", "b", "cc", "d", "ee"]));
        }
        assert_eq!(shown(&below, 8, 2), "\nee\n5 to 5 ");
        assert!(below.key_pressed(false));
        assert!(!below.are_shown());
        below.show_list(cells(&["aa", "b", "cc", "d", "ee"]));
        assert_eq!(shown(&below, 8, 2), "\naa  b\n1 to 2 ");
    }

    #[test]
    fn a_row_is_never_wider_than_the_screen() {
        let below = RowsBelow::default();
        below.show_list(vec![Cell { text: "漢字  ".to_owned(), note: "description".to_owned() }]);
        assert_eq!(shown(&below, 10, 3), "\n漢字  des");
        below.show_message("no match");
        assert_eq!(shown(&below, 5, 3), "\nno m");
        assert_eq!(below.painted("\nno m").as_deref(), Some("\nno m"));
    }
}
