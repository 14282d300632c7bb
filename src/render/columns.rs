//! Aligned columns that fit the width, with lines between them that run across.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::medium::Medium;
use super::palette::Palette;
use super::sanitize::printable;
use super::wrap::fill;

/// The mark in place of text that was cut off.
const ELLIPSIS: char = '…';

/// The width to which a column may be cut.
pub(crate) const MIN_COLUMN_WIDTH: usize = 10;

/// The number of columns of all rows together above which long cells are cut, in a file too.
const MAX_DRAWN_COLUMNS: usize = 8 << 20;

/// The width of a row to which cells in a file may be cut.
const MIN_FILE_WIDTH: usize = 400;

/// The blanks between columns.
pub(crate) const GAP: &str = "  ";

/// The role of a text in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    /// A name of the first rank, such as that of a device.
    Title,
    /// A name of the second rank, such as that of a block node.
    Name,
    /// Lines of trees, titles of columns, and remarks.
    Dim,
    /// Trouble.
    Error,
}

impl Ink {
    fn code(self, palette: &Palette) -> &str {
        match self {
            Ink::Plain => "",
            Ink::Title => &palette.name,
            Ink::Name => &palette.key,
            Ink::Dim => &palette.dim,
            Ink::Error => &palette.error,
        }
    }
}

/// Text in several roles on one line. Control characters are escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(Vec<(Ink, String)>);

impl Text {
    pub(crate) fn new(ink: Ink, text: &str) -> Text {
        Text::default().with(ink, text)
    }

    pub(crate) fn plain(text: &str) -> Text {
        Text::new(Ink::Plain, text)
    }

    pub(crate) fn with(mut self, ink: Ink, text: &str) -> Text {
        if !text.is_empty() {
            self.0.push((ink, printable(text).into_owned()));
        }
        self
    }

    /// Adds another text at the end.
    pub(crate) fn append(&mut self, other: Text) {
        self.0.extend(other.0);
    }

    /// Returns the text as a line of its own, cut to the width.
    pub(crate) fn line(&self, medium: &Medium<'_>) -> String {
        let mut line = String::new();
        self.cut(medium.columns, Side::End).write(medium.palette, &mut line);
        line + "\n"
    }

    /// Returns the text as a paragraph, wrapped at the width.
    pub(crate) fn paragraph(&self, medium: &Medium<'_>) -> String {
        let text: String = self.0.iter().map(|(_, text)| text.as_str()).collect();
        let ink = self.0.first().map_or(Ink::Plain, |(ink, _)| *ink);
        let paint = |line: &str| medium.palette.paint(ink.code(medium.palette), line) + "\n";
        fill(&text, medium.columns).lines().map(paint).collect()
    }

    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    /// Returns the text, cut to a width at its end or at its beginning.
    fn cut(&self, width: usize, side: Side) -> Text {
        if self.width() <= width {
            return self.clone();
        }
        let mut room = width.saturating_sub(1);
        let mut kept = Vec::new();
        let mut take = |ink: Ink, chars: &mut dyn Iterator<Item = char>| {
            let mut part = String::new();
            for c in chars {
                let columns = c.width().unwrap_or_default();
                if columns > room {
                    room = 0;
                    break;
                }
                room -= columns;
                part.push(c);
            }
            kept.push((ink, part));
        };
        match side {
            Side::End => {
                self.0.iter().for_each(|(ink, text)| take(*ink, &mut text.chars()));
                kept.push((Ink::Dim, ELLIPSIS.to_string()));
            }
            Side::Start => {
                self.0.iter().rev().for_each(|(ink, text)| take(*ink, &mut text.chars().rev()));
                kept.iter_mut().for_each(|(_, part)| *part = part.chars().rev().collect());
                kept.push((Ink::Dim, ELLIPSIS.to_string()));
                kept.reverse();
            }
        }
        Text(kept)
    }

    fn write(&self, palette: &Palette, line: &mut String) {
        for (ink, text) in self.0.iter().filter(|(_, text)| !text.is_empty()) {
            line.push_str(&palette.paint(ink.code(palette), text));
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::plain(&text)
    }
}

/// Cuts the end of a line that may have escape codes for colours.
pub(crate) fn cut_colored(line: &str, medium: &Medium<'_>) -> String {
    let mut columns = 0;
    let mut cut_at = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\x1b' {
            // A colour ends with `m`, and other escape codes do not occur.
            chars.by_ref().find(|(_, c)| *c == 'm');
            continue;
        }
        let width = c.width().unwrap_or_default();
        if columns + width < medium.columns {
            // The last column is for the mark.
            cut_at = Some(at + c.len_utf8());
        }
        columns += width;
    }
    match columns > medium.columns {
        true => format!("{}{}{ELLIPSIS}", &line[..cut_at.unwrap_or_default()], medium.palette.reset),
        false => line.to_owned(),
    }
}

/// The side of a text where it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Start,
    End,
}

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    title: Cow<'static, str>,
    is_number: bool,
    /// The side where texts are cut. `None` if they must stay whole.
    cut: Option<Side>,
}

impl Column {
    /// Declares a column of short texts, which are never cut.
    pub(crate) const fn text(title: &'static str) -> Column {
        Column { title: Cow::Borrowed(title), is_number: false, cut: None }
    }

    /// Declares a column of numbers, which are aligned at the right.
    pub(crate) const fn number(title: &'static str) -> Column {
        Column { title: Cow::Borrowed(title), is_number: true, cut: None }
    }

    /// Declares a column with the name of a member as its title. Its texts may be cut, numbers are aligned at the right.
    pub(crate) fn of_member(name: &str, is_number: bool) -> Column {
        Column { title: Cow::Owned(name.to_owned()), is_number, cut: (!is_number).then_some(Side::End) }
    }

    /// Declares a column of long texts, whose ends may be cut off.
    pub(crate) const fn long(title: &'static str) -> Column {
        Column { title: Cow::Borrowed(title), is_number: false, cut: Some(Side::End) }
    }

    /// Declares a column of paths, whose beginnings may be cut off.
    pub(crate) const fn path(title: &'static str) -> Column {
        Column { title: Cow::Borrowed(title), is_number: false, cut: Some(Side::Start) }
    }
}

#[derive(Debug)]
enum Row {
    Cells(Vec<Text>),
    Across(Text),
    /// A sentence, which is wrapped.
    Remark(String),
}

/// Rows of cells in columns.
#[derive(Debug)]
pub(crate) struct Columns {
    columns: Cow<'static, [Column]>,
    rows: Vec<Row>,
}

/// The columns of labels and texts.
const PAIR: &[Column] = &[Column::text(""), Column::long("")];

impl Columns {
    /// Creates columns for pairs of a label and a text.
    pub(crate) fn pairs() -> Columns {
        Columns::new(PAIR)
    }

    /// Adds a label and a text, unless that is empty.
    pub(crate) fn push_pair(&mut self, label: &str, ink: Ink, text: &str) {
        if !text.is_empty() {
            self.push([Text::new(Ink::Name, label), Text::new(ink, text)]);
        }
    }

    /// Returns whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn new(columns: impl Into<Cow<'static, [Column]>>) -> Columns {
        Columns { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row. Cells that are missing are empty.
    pub(crate) fn push(&mut self, cells: impl IntoIterator<Item = Text>) {
        self.rows.push(Row::Cells(cells.into_iter().collect()));
    }

    /// Adds a line that runs across all columns.
    pub(crate) fn push_across(&mut self, text: Text) {
        self.rows.push(Row::Across(text));
    }

    /// Adds sentences about what is missing.
    pub(crate) fn push_remarks(&mut self, sentences: &[String]) {
        self.rows.extend(sentences.iter().cloned().map(Row::Remark));
    }

    /// Draws the columns that are not empty, below their titles.
    pub(crate) fn draw(&self, medium: &Medium<'_>) -> String {
        let shown = self.widths(medium.columns);
        let mut out = String::new();
        let has_cells = self.rows.iter().any(|row| matches!(row, Row::Cells(_)));
        let titles: Vec<Text> = self.columns.iter().map(|column| Text::new(Ink::Dim, &column.title)).collect();
        if has_cells && self.columns.iter().any(|column| !column.title.is_empty()) {
            self.write_cells(&titles, &shown, medium, &mut out);
        }
        for row in &self.rows {
            match row {
                Row::Cells(cells) => self.write_cells(cells, &shown, medium, &mut out),
                Row::Across(text) => out += &text.line(medium),
                Row::Remark(sentence) => {
                    let lines = fill(&printable(sentence), medium.columns);
                    lines.lines().for_each(|line| out += &Text::new(Ink::Dim, line).line(medium));
                }
            }
        }
        out
    }

    /// Returns the columns that are shown, with their widths.
    fn widths(&self, available: usize) -> Vec<(usize, usize)> {
        // One name of a megabyte must not make all rows as long.
        let available = available.min((MAX_DRAWN_COLUMNS / self.rows.len().max(1)).max(MIN_FILE_WIDTH));
        let mut widths = vec![0; self.columns.len()];
        for row in &self.rows {
            let Row::Cells(cells) = row else { continue };
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.width());
            }
        }
        let with_title = |(index, width): (usize, usize)| (index, width.max(self.columns[index].title.width()));
        let mut shown: Vec<_> =
            widths.into_iter().enumerate().filter(|(_, width)| *width > 0).map(with_title).collect();
        loop {
            let total = shown.iter().map(|(_, width)| width).sum::<usize>() + GAP.len() * shown.len().saturating_sub(1);
            let excess = total.saturating_sub(available);
            let can_shrink =
                |index: usize, width: usize, side| self.columns[index].cut == Some(side) && width > MIN_COLUMN_WIDTH;
            // Paths give up width before names do, and the widest column its lead before others give up anything.
            let has_path = shown.iter().any(|(index, width)| can_shrink(*index, *width, Side::Start));
            let side = if has_path { Side::Start } else { Side::End };
            let mut candidates: Vec<_> =
                shown.iter_mut().filter(|(index, width)| can_shrink(*index, *width, side)).collect();
            candidates.sort_by_key(|(_, width)| std::cmp::Reverse(*width));
            let second = candidates.get(1).map_or(MIN_COLUMN_WIDTH, |(_, width)| *width);
            let Some((_, widest)) = candidates.first_mut().filter(|_| excess > 0) else { return shown };
            let lead = (*widest - second).max(1);
            *widest -= excess.min(lead);
        }
    }

    fn write_cells(&self, cells: &[Text], shown: &[(usize, usize)], medium: &Medium<'_>, out: &mut String) {
        let mut line = Text::default();
        for (place, (index, width)) in shown.iter().enumerate() {
            let column = &self.columns[*index];
            let cell = cells.get(*index).cloned().unwrap_or_default();
            let cell = cell.cut(*width, column.cut.unwrap_or(Side::End));
            let blanks = " ".repeat(width - cell.width());
            let gap = if place > 0 { GAP } else { "" };
            let is_last = place + 1 == shown.len();
            let (before, after) = match column.is_number {
                true => (blanks, String::new()),
                false if is_last => (String::new(), String::new()),
                false => (String::new(), blanks),
            };
            line = line.with(Ink::Plain, &(gap.to_owned() + &before));
            line.0.extend(cell.0);
            line = line.with(Ink::Plain, &after);
        }
        line.trim_end();
        *out += &line.line(medium);
    }
}

impl Text {
    /// Removes blanks at the end.
    fn trim_end(&mut self) {
        while let Some((_, last)) = self.0.last_mut() {
            last.truncate(last.trim_end().len());
            if !last.is_empty() {
                return;
            }
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] =
        &[Column::long("NAME"), Column::number("SIZE"), Column::text("NEVER"), Column::path("FILE")];

    fn sample() -> Columns {
        let mut columns = Columns::new(COLUMNS);
        let cells =
            |name, size, file| [Text::new(Ink::Name, name), Text::plain(size), Text::default(), Text::plain(file)];
        columns.push(cells("a name that is long", "1 GiB", "/some/where/in/a/folder/disk.qcow2"));
        columns.push_across(Text::new(Ink::Title, "across everything, however long it is"));
        columns.push(cells("漢字\x1b[2J", "196 KiB", ""));
        columns
    }

    #[test]
    fn columns_are_aligned_and_cut_to_the_width() {
        let palette = Palette::default();
        let draw = |columns| sample().draw(&Medium { palette: &palette, columns });
        expect_test::expect![[r#"
            NAME                    SIZE  FILE
            a name that is long    1 GiB  /some/where/in/a/folder/disk.qcow2
            across everything, however long it is
            漢字\x1b[2J          196 KiB
        "#]]
        .assert_eq(&draw(usize::MAX));
        expect_test::expect![[r#"
            NAME                    SIZE  FILE
            a name that is long    1 GiB  …isk.qcow2
            across everything, however long it is
            漢字\x1b[2J          196 KiB
        "#]]
        .assert_eq(&draw(40));
        expect_test::expect![[r#"
            NAME           SIZE…
            a name th…    1 GiB…
            across everything, …
            漢字\x1b[…  196 KiB
        "#]]
        .assert_eq(&draw(20));
        assert_eq!(Columns::new(COLUMNS).draw(&Medium::file(&palette)), "");
    }

    #[test]
    fn coloured_lines_are_cut() {
        let palette = Palette::new(true);
        let cut = |columns| cut_colored("\x1b[34mabc\x1b[0m漢d", &Medium { palette: &palette, columns });
        assert_eq!(cut(6), "\x1b[34mabc\x1b[0m漢d");
        assert_eq!(cut(5), "\x1b[34mabc\x1b[0m…");
        assert_eq!(cut(3), "\x1b[34mab\x1b[0m…");
        assert_eq!(cut(1), "\x1b[0m…");
    }

    #[test]
    fn colours_do_not_count_as_columns() {
        let palette = Palette::new(true);
        let colored = sample().draw(&Medium { palette: &palette, columns: 40 });
        let mut plain = String::new();
        let mut rest = colored.as_str();
        while let Some((before, code)) = rest.split_once("\x1b[") {
            plain += before;
            rest = code.split_once('m').unwrap().1;
        }
        let palette = Palette::default();
        assert_eq!(plain + rest, sample().draw(&Medium { palette: &palette, columns: 40 }));
    }
}
