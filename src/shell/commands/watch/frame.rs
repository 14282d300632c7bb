//! A text that is shown again and again, with marks where it has changed.

use crate::render::Palette;

use super::super::super::output::live_lines::color_code_len;

/// The latest text.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// The characters of each line, without colours; `None` before the first text.
    lines: Option<Vec<Vec<char>>>,
}

impl Frame {
    /// Takes a text with escape codes for colours, of which at most `rows` lines are kept. Returns its lines; characters that
    /// differ from those in the same place before are marked.
    pub(super) fn update(&mut self, text: &str, rows: usize, palette: &Palette) -> Vec<String> {
        let count = text.lines().count();
        let kept = if count > rows { rows.saturating_sub(1) } else { count };
        let before = self.lines.take();
        let mut shown = Vec::with_capacity(kept + 1);
        let mut plain = Vec::with_capacity(kept);
        for (index, line) in text.lines().take(kept).enumerate() {
            let old = before.as_ref().map(|before| before.get(index).map_or(&[][..], Vec::as_slice));
            let (marked, characters) = mark_changes(line, old, palette);
            shown.push(marked);
            plain.push(characters);
        }
        if count > kept {
            shown.push(palette.paint(&palette.dim, &format!("({} more lines)", count - kept)));
        }
        self.lines = Some(plain);
        shown
    }
}

/// Returns a line with marks around the characters that are not those of `old`, and its characters without colours. Without
/// an old line nothing is marked.
fn mark_changes(line: &str, old: Option<&[char]>, palette: &Palette) -> (String, Vec<char>) {
    let (mut marked, mut characters) = (String::with_capacity(line.len()), Vec::new());
    let mut is_marked = false;
    let mut color = "";
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some(len) = color_code_len(rest) {
            color = &rest[..len];
            marked.push_str(color);
            if is_marked {
                // The code may have ended the mark.
                marked.push_str(&palette.found);
            }
            rest = &rest[len..];
            continue;
        }
        let is_changed = old.is_some_and(|old| old.get(characters.len()) != Some(&c));
        if is_changed != is_marked {
            is_marked = is_changed;
            match is_changed {
                true => marked.push_str(&palette.found),
                false => {
                    marked.push_str(&palette.reset);
                    marked.push_str(if color == palette.reset { "" } else { color });
                }
            }
        }
        marked.push(c);
        characters.push(c);
        rest = &rest[c.len_utf8()..];
    }
    if is_marked {
        marked.push_str(&palette.reset);
    }
    (marked, characters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_what_changes() {
        let palette = Palette::new(true);
        let mut frame = Frame::default();
        assert_eq!(
            frame.update("ab\n\x1b[32mcd\x1b[0me\n", 9, &palette),
            ["ab", "\x1b[32mcd\x1b[0me"],
            "nothing at first"
        );
        let lines = frame.update("aB\n\x1b[32mcx\x1b[0my\nnew\n", 9, &palette);
        assert_eq!(lines, ["a\x1b[7mB\x1b[0m", "\x1b[32mc\x1b[7mx\x1b[0m\x1b[7my\x1b[0m", "\x1b[7mnew\x1b[0m"]);
        assert_eq!(
            frame.update("aB\n\x1b[32mxx\x1b[0my\nnew\n", 9, &palette)[1],
            "\x1b[32m\x1b[7mx\x1b[0m\x1b[32mx\x1b[0my"
        );
    }

    #[test]
    fn keeps_to_the_rows() {
        let mut frame = Frame::default();
        let palette = Palette::default();
        assert_eq!(frame.update("1\n2\n3\n4", 3, &palette), ["1", "2", "(2 more lines)"]);
        assert_eq!(frame.update("1\n2\n3", 3, &palette), ["1", "2", "3"]);
        assert_eq!(frame.update("", 3, &palette), [""; 0]);
    }
}
