//! The scalar values in JSON text, each with the keys above it.

use std::borrow::Cow;
use std::ops::Range;

use super::text::{end_of_string, unquote};

/// A string, a number, `true`, `false` or `null` in the value of a member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar<'a> {
    /// The key of the outermost object's member that contains it.
    pub(crate) member: Cow<'a, str>,
    /// The innermost key above it. Array items have the key of their array; numeric keys count as indices.
    pub(crate) key: Cow<'a, str>,
    /// Whether it is the value of the member itself.
    pub(crate) is_member: bool,
    pub(crate) is_string: bool,
    /// The decoded string, or the text of another value. `None` if a string does not decode to text.
    pub(crate) text: Option<Cow<'a, str>>,
    /// Its byte range in the JSON text, quotes included.
    pub(crate) range: Range<usize>,
}

/// Returns the scalar values of an object, in order. In invalid JSON, whatever is neither a key nor punctuation counts as
/// a value.
pub(crate) fn scalars(json: &str) -> Scalars<'_> {
    Scalars { json, at: 0, keys: Vec::new() }
}

impl Scalar<'_> {
    /// Returns the decoded string or the text of another value; nothing for a string that does not decode.
    pub(crate) fn decoded(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    pub(crate) fn is_null(&self) -> bool {
        !self.is_string && self.decoded() == "null"
    }
}

/// Returns the decoded text of a string or another scalar.
pub(crate) fn scalar_text(raw: &str) -> Option<Cow<'_, str>> {
    if raw.starts_with('"') { unquote(raw) } else { Some(Cow::Borrowed(raw)) }
}

/// The iterator of [`scalars`].
pub(crate) struct Scalars<'a> {
    json: &'a str,
    at: usize,
    /// The current key in each open object or array. They are not on the call stack, which deep JSON would overflow.
    keys: Vec<Cow<'a, str>>,
}

impl<'a> Scalars<'a> {
    /// Returns the end of the scalar that begins at `start`.
    fn end_of_scalar(&self, start: usize) -> usize {
        let bytes = self.json.as_bytes();
        match bytes[start] {
            b'"' => end_of_string(bytes, start + 1),
            _ => {
                let rest = &bytes[start..];
                rest.iter()
                    .position(|byte| is_punctuation(*byte) || *byte == b'"')
                    .map_or(bytes.len(), |len| start + len)
            }
        }
    }

    fn set_key(&mut self, name: Cow<'a, str>) {
        match self.keys.as_mut_slice() {
            [.., outer, key] if name.parse::<usize>().is_ok() => key.clone_from(outer),
            [.., key] => *key = name,
            [] => {}
        }
    }
}

impl<'a> Iterator for Scalars<'a> {
    type Item = Scalar<'a>;

    fn next(&mut self) -> Option<Scalar<'a>> {
        let bytes = self.json.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if is_punctuation(*byte) {
                match byte {
                    b'{' | b'[' => self.keys.push(self.keys.last().cloned().unwrap_or_default()),
                    b'}' | b']' => drop(self.keys.pop()),
                    _ => {}
                }
                self.at += 1;
                continue;
            }
            let range = self.at..self.end_of_scalar(self.at);
            self.at = range.end;
            let raw = &self.json[range.clone()];
            let is_string = raw.starts_with('"');
            let text = scalar_text(raw);
            if is_string && self.json[self.at..].trim_ascii_start().starts_with(':') {
                self.set_key(text.unwrap_or(Cow::Borrowed(raw)));
                continue;
            }
            let [member, rest @ ..] = self.keys.as_slice() else { continue };
            let key = rest.last().unwrap_or(member).clone();
            return Some(Scalar { member: member.clone(), key, is_member: rest.is_empty(), is_string, text, range });
        }
        None
    }
}

fn is_punctuation(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':') || byte.is_ascii_whitespace()
}

/// Returns `text` with the parts at `ranges`, which are in order, replaced. `None` if a range does not fit.
pub(crate) fn replace_ranges<'r>(
    text: &str,
    replacements: impl IntoIterator<Item = (Range<usize>, Cow<'r, str>)>,
) -> Option<String> {
    let mut replaced = String::with_capacity(text.len());
    let mut end = 0;
    for (range, replacement) in replacements {
        replaced.push_str(text.get(end..range.start)?);
        replaced.push_str(&replacement);
        end = range.end;
    }
    replaced.push_str(text.get(end..)?);
    Some(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_values_under_their_keys() {
        let json = r#"{"a": "x", "b": [1, {"c": true, "0": ["y", null]}], "d\u0061": {"e": "\ud800"}}"#;
        let found: Vec<_> = scalars(json)
            .map(|scalar| {
                let text = scalar.text.map(Cow::into_owned);
                format!("{}/{}{}={text:?}", scalar.member, scalar.key, if scalar.is_member { "!" } else { "" })
            })
            .collect();
        assert_eq!(
            found,
            [
                r#"a/a!=Some("x")"#,
                r#"b/b=Some("1")"#,
                r#"b/c=Some("true")"#,
                r#"b/b=Some("y")"#,
                r#"b/b=Some("null")"#,
                "da/e=None",
            ]
        );
    }

    #[test]
    fn everything_but_keys_and_punctuation_is_a_value_in_invalid_json() {
        let found = |json| scalars(json).map(|scalar| json[scalar.range].to_owned()).collect::<Vec<String>>();
        assert_eq!(found("{\"a\": 'x y', \"b\": \"open"), ["'x", "y'", "\"open"]);
        assert_eq!(found("{\"a\": hunter\"2\" }} 5"), ["hunter", "\"2\""]);
    }

    #[test]
    fn replaces_ranges_that_fit() {
        let one = |range| replace_ranges("abcd", [(range, Cow::Borrowed("-"))]);
        assert_eq!(one(1..3).as_deref(), Some("a-d"));
        assert_eq!(one(3..9), None);
    }
}
