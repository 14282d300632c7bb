//! The layout of manual pages: lines without line ends and control characters, and no empty line at the end.

use qmp_shell::render::{Palette, manual_text};
use qmp_shell::schema::manual::{Line, Manual};

use super::assertions;

/// The first byte of the input is the width; the rest is a page.
pub fn check(data: &[u8]) {
    let Some((width, page)) = data.split_first() else { return };
    let width = usize::from(*width);
    let page = String::from_utf8_lossy(page);
    let manual = Manual::parse(&page);
    for entry in manual.entries().iter().take(8) {
        check_lines(&[manual.heading(entry)]);
        check_lines(&manual.layout(entry, width));
        for found in manual.members(entry).into_iter().take(8) {
            check_lines(&manual.layout_member(found, width));
        }
    }
}

fn check_lines(lines: &[Line]) {
    for run in lines.iter().flatten() {
        assert!(!run.text.contains('\n'), "a line contains a line end");
    }
    assert!(!lines.last().is_some_and(Vec::is_empty), "an empty line at the end");
    assertions::has_no_controls(&manual_text(lines, &Palette::default()));
}
