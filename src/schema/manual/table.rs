//! Parses tables between `.TS` and `.TE`. `layout` chooses the widths of the columns.

use super::escape;
use super::text::Text;

/// Returns the rows of a table: the lines after its column format, which ends with a full stop.
pub(super) fn parse_rows(lines: &[&str]) -> Vec<Vec<Text>> {
    let format = lines.iter().position(|line| line.trim_end().ends_with('.'));
    let mut rows = Vec::new();
    let mut row = Vec::new();
    // The lines of an unfinished cell between `T{` and `T}`.
    let mut open_cell: Option<String> = None;
    for line in &lines[format.map_or(0, |at| at + 1)..] {
        let mut rest = *line;
        if let Some(text) = &mut open_cell {
            let Some(after) = line.strip_prefix("T}") else {
                text.push_str(line);
                text.push('\n');
                continue;
            };
            row.push(escape::unescape_text(text));
            open_cell = None;
            match after.strip_prefix('\t') {
                Some(after) => rest = after,
                None => {
                    rows.push(std::mem::take(&mut row));
                    continue;
                }
            }
        } else if line.starts_with('.') || !line.is_empty() && line.chars().all(|c| matches!(c, '_' | '=' | '-')) {
            continue;
        }
        for cell in rest.split('\t') {
            if cell.trim_end() == "T{" {
                open_cell = Some(String::new());
            } else {
                row.push(escape::unescape_text(cell));
            }
        }
        if open_cell.is_none() {
            rows.push(std::mem::take(&mut row));
        }
    }
    if !row.is_empty() {
        rows.push(row);
    }
    rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_cells_on_a_line_and_between_braces() {
        let lines = "center;\n|l|l|.\n_\nT{\na b\nT}\tT{\nc\nT}\n_\nd\te\n=\nT{\nopen";
        let rows = parse_rows(&lines.lines().collect::<Vec<_>>());
        let plain: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(Text::plain).collect()).collect();
        assert_eq!(plain, [["a b", "c"], ["d", "e"]]);
    }
}
