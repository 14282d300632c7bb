//! The text of a manual page: spans, each in one face. Must not know about roff.

/// The typeface of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Face {
    #[default]
    Plain,
    /// Literal text: names of members, values, options.
    Bold,
    /// References to other entries, and emphasis.
    Italic,
}

/// A piece of text in one face.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub face: Face,
    /// Not empty.
    pub text: String,
}

/// The text of a paragraph: one space between words, none at either end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    spans: Vec<Span>,
}

impl Text {
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Returns the characters without their faces.
    pub fn plain(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// Returns whether the text is not empty and all of it is bold.
    pub fn is_bold(&self) -> bool {
        !self.is_empty() && self.spans.iter().all(|span| span.face == Face::Bold)
    }

    pub(super) fn push(&mut self, face: Face, c: char) {
        match self.spans.last_mut() {
            Some(last) if last.face == face => last.text.push(c),
            _ => self.spans.push(Span { face, text: c.to_string() }),
        }
    }

    /// Appends a space and `text`.
    pub(super) fn append(&mut self, text: Text) {
        if !self.is_empty() && !text.is_empty() {
            self.push(Face::Plain, ' ');
        }
        for span in text.spans {
            match self.spans.last_mut() {
                Some(last) if last.face == span.face => last.text.push_str(&span.text),
                _ => self.spans.push(span),
            }
        }
    }

    /// Returns the text after the first `len` bytes of [`Text::plain`], trimmed.
    pub(super) fn after(mut self, mut len: usize) -> Text {
        let mut kept = Vec::new();
        for mut span in std::mem::take(&mut self.spans) {
            if len >= span.text.len() {
                len -= span.text.len();
                continue;
            }
            span.text = span.text.get(len..).unwrap_or_default().to_owned();
            len = 0;
            kept.push(span);
        }
        Text { spans: kept }.trimmed()
    }

    /// Removes spaces at both ends.
    pub(super) fn trimmed(mut self) -> Text {
        if let Some(first) = self.spans.first_mut() {
            first.text = first.text.trim_start().to_owned();
        }
        if let Some(last) = self.spans.last_mut() {
            last.text.truncate(last.text.trim_end().len());
        }
        self.spans.retain(|span| !span.text.is_empty());
        self
    }
}

/// Returns the sentences of a paragraph. A sentence ends at a full stop, `!` or `?` before a space and a capital.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut ends = rest.match_indices(['.', '!', '?']).map(|(at, _)| at + 1);
        let end = ends.find(|end| {
            let mut next = rest[*end..].chars();
            next.next() == Some(' ') && next.next().is_some_and(|c| !c.is_lowercase())
        });
        let (sentence, tail) = rest.split_at(end.unwrap_or(rest.len()));
        rest = tail.trim_start();
        Some(sentence)
    })
}

#[cfg(test)]
mod tests {
    use super::super::escape::unescape_text as text;
    use super::*;

    #[test]
    fn sentences_end_before_a_capital() {
        let found: Vec<&str> = sentences("One, e.g. this. Two 1.5 times! Three").collect();
        assert_eq!(found, ["One, e.g. this.", "Two 1.5 times!", "Three"]);
        assert_eq!(sentences("").count(), 0);
    }

    #[test]
    fn after_counts_bytes_of_the_plain_text() {
        let whole = text("\\fBname\\fP (\\fIType\\fP) \\-\\- what it is");
        assert_eq!(whole.plain(), "name (Type) -- what it is");
        assert_eq!(whole.clone().after(15).plain(), "what it is");
        assert!(whole.after(99).is_empty());
    }

    #[test]
    fn append_adds_a_space() {
        let mut both = text("\\fBa\\fP");
        both.append(text("\\fBb\\fP c"));
        both.append(Text::default());
        assert_eq!(both.plain(), "a b c");
        assert_eq!(both.spans().len(), 4);
        assert_eq!(both.spans()[1].face, Face::Plain);
    }
}
