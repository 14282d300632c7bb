//! Text of a manual page: spans, each in one face. Knows nothing of roff.

/// How a span stands out from the prose around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Face {
    /// Prose.
    #[default]
    Plain,
    /// What is to be typed or read as it stands: names of members, values, options.
    Bold,
    /// A reference to another entry, or stress.
    Italic,
}

/// A piece of text in one face.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// How it stands out.
    pub face: Face,
    /// Its characters; never empty.
    pub text: String,
}

/// A paragraph's text: one blank between words, none around them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    spans: Vec<Span>,
}

impl Text {
    /// Its spans in order.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Whether it has no characters.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Its characters without their faces.
    pub fn plain(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// Whether all of it is bold.
    pub fn is_bold(&self) -> bool {
        !self.is_empty() && self.spans.iter().all(|span| span.face == Face::Bold)
    }

    /// Appends a character.
    pub(super) fn push(&mut self, face: Face, c: char) {
        match self.spans.last_mut() {
            Some(last) if last.face == face => last.text.push(c),
            _ => self.spans.push(Span { face, text: c.to_string() }),
        }
    }

    /// Appends `text` behind a blank.
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

    /// What stands behind the first `len` bytes of [`Text::plain`], without the blanks around it.
    pub(super) fn behind(mut self, mut len: usize) -> Text {
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

    /// Without the blanks around it.
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

#[cfg(test)]
mod tests {
    use super::super::escape::text;
    use super::*;

    #[test]
    fn a_text_is_cut_where_its_plain_form_is() {
        let whole = text("\\fBname\\fP (\\fIType\\fP) \\-\\- what it is");
        assert_eq!(whole.plain(), "name (Type) -- what it is");
        assert_eq!(whole.clone().behind(15).plain(), "what it is");
        assert!(whole.behind(99).is_empty());
    }

    #[test]
    fn appended_texts_have_a_blank_between_them() {
        let mut both = text("\\fBa\\fP");
        both.append(text("\\fBb\\fP c"));
        both.append(Text::default());
        assert_eq!(both.plain(), "a b c");
        assert_eq!(both.spans().len(), 4);
        assert_eq!(both.spans()[1].face, Face::Plain);
    }
}
