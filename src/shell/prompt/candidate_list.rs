//! The list of candidates below the line: with descriptions, if they differ and the list still fits on the screen.

use unicode_width::UnicodeWidthStr;

use crate::assist::Candidate;

/// The gap between a candidate and its description, and between two columns.
pub(super) const GAP: &str = "  ";

/// The maximum width that descriptions take from other candidates.
const MAX_DESCRIPTION_COLUMNS: usize = 32;

/// One text of a list, with a note after it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// Secondary text; may be empty.
    pub(super) note: String,
}

impl Cell {
    pub(super) fn width(&self) -> usize {
        self.text.width() + self.note.width()
    }
}

/// The layout of a list.
pub(super) struct CandidateList {
    candidate_columns: usize,
    /// The width to which descriptions are cut.
    description_columns: usize,
    has_descriptions: bool,
}

impl CandidateList {
    /// Lays out a list for a screen with this number of columns and rows.
    pub(super) fn new(candidates: &[Candidate], (columns, rows): (usize, usize)) -> CandidateList {
        let widest = |width: fn(&Candidate) -> usize| candidates.iter().map(width).max().unwrap_or(0);
        let candidate_columns = widest(|candidate| candidate.text.width());
        let longest_description = widest(|candidate| candidate.description.width());
        let min_description = longest_description.min(MAX_DESCRIPTION_COLUMNS);
        let differ = candidates.windows(2).any(|two| two[0].description != two[1].description);
        let gaps = 2 * GAP.len();
        let per_row = (columns / (candidate_columns + min_description + gaps)).max(1);
        // Descriptions may fill columns that would stay empty.
        let available = (columns / per_row).saturating_sub(candidate_columns + gaps);
        CandidateList {
            candidate_columns,
            description_columns: longest_description.min(available).max(min_description),
            has_descriptions: differ && candidates.len().div_ceil(per_row) + 2 < rows,
        }
    }

    /// Returns a candidate as it is listed.
    pub(super) fn format(&self, candidate: &Candidate) -> Cell {
        if !self.has_descriptions || candidate.description.is_empty() {
            return Cell { text: candidate.text.clone(), note: String::new() };
        }
        let mut description: String = candidate.description.chars().take(self.description_columns).collect();
        if description.len() < candidate.description.len() {
            description.pop();
            description.push('…');
        }
        let padding = " ".repeat(self.candidate_columns.saturating_sub(candidate.text.width()));
        Cell { text: format!("{}{padding}{GAP}", candidate.text), note: description }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_fill_the_columns_available() {
        let candidate =
            |text: &str, description: &str| Candidate { text: text.to_owned(), description: description.to_owned() };
        let long = "node name [granularity] [persistent] [disabled]";
        let two = [candidate("block-dirty-bitmap-add", long), candidate("block-dirty-bitmap-clear", "node name")];
        for (columns, rows, expected) in [
            // One in a row: as much as fits.
            (80, 24, format!("block-dirty-bitmap-add    {long}")),
            (70, 24, "block-dirty-bitmap-add    node name [granularity] [persistent] [dis…".to_owned()),
            // Two in a row: half each.
            (120, 24, "block-dirty-bitmap-add    node name [granularity] [persis…".to_owned()),
            // Too many rows: without descriptions.
            (80, 4, "block-dirty-bitmap-add".to_owned()),
        ] {
            let listed = CandidateList::new(&two, (columns, rows)).format(&two[0]);
            assert_eq!(format!("{}{}", listed.text, listed.note), expected, "{columns}x{rows}");
            assert!(listed.width() + GAP.len() <= columns);
        }
    }
}
