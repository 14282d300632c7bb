//! Wraps prose at a width.

use unicode_width::UnicodeWidthStr;

/// Wraps the paragraphs of `text` at `width` columns. A line that begins with a space is kept as it is, and separates
/// paragraphs as an empty line does.
pub fn fill(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for line in text.lines() {
        if line.is_empty() || line.starts_with(' ') {
            if column > 0 {
                out.push('\n');
                column = 0;
            }
            out.push_str(line);
            out.push('\n');
            continue;
        }
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            if column > 0 && column + 1 + word.width() > width {
                out.push('\n');
                column = 0;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += word.width();
        }
    }
    if column > 0 {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn wraps_paragraphs_and_keeps_indented_lines() {
        let text = "one two three\nfour\n\n  as   it is\nfive six\n";
        assert_eq!(fill(text, 11), "one two\nthree four\n\n  as   it is\nfive six\n");
        assert_eq!(fill("averyverylongword x", 5), "averyverylongword\nx\n");
        assert_eq!(fill("", 5), "");
    }
}
