//! Tables between `.TS` and `.TE`. Owns their rows; how wide a column becomes is decided where they are set.

use super::escape;
use super::text::Text;

/// The rows of a table: what its lines say behind the format, which ends with a point.
pub(super) fn rows(lines: &[&str]) -> Vec<Vec<Text>> {
    let format = lines.iter().position(|line| line.trim_end().ends_with('.'));
    let mut rows = Vec::new();
    let mut row = Vec::new();
    // The lines of a cell that spans several, between `T{` and `T}`.
    let mut block: Option<String> = None;
    for line in &lines[format.map_or(0, |at| at + 1)..] {
        let mut rest = *line;
        if let Some(words) = &mut block {
            let Some(behind) = line.strip_prefix("T}") else {
                words.push_str(line);
                words.push('\n');
                continue;
            };
            row.push(escape::text(words));
            block = None;
            match behind.strip_prefix('\t') {
                Some(behind) => rest = behind,
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
                block = Some(String::new());
            } else {
                row.push(escape::text(cell));
            }
        }
        if block.is_none() {
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
    fn cells_stand_on_a_line_or_between_braces() {
        let lines = "center;\n|l|l|.\n_\nT{\na b\nT}\tT{\nc\nT}\n_\nd\te\n=\nT{\nopen";
        let rows = rows(&lines.lines().collect::<Vec<_>>());
        let plain: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(Text::plain).collect()).collect();
        assert_eq!(plain, [["a b", "c"], ["d", "e"]]);
    }
}
