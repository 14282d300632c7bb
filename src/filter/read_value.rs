//! Reads JSON text of a server into a value of jaq.
//!
//! Differs from jaq's reader: nesting is bounded; numbers that jaq would spell differently keep their text; half a
//! surrogate pair, which a server may send in an escape, becomes the three bytes that UTF-8 has for its code point, and
//! is written as the escape again.

use bytes::Bytes;
use jaq_json::{Map, Num, Val};

use crate::wire::end_of_string;

/// The nesting depth that values of a filter may have. Values are compared, written and dropped recursively.
pub(super) const MAX_VALUE_DEPTH: usize = 10_000;

/// The longest number that is exact in arithmetic. Longer ones are floating-point numbers there.
const MAX_EXACT_DIGITS: usize = 64;

/// The depth down to which the sizes of objects and arrays are expected to repeat.
const MAX_EXPECTED_DEPTH: usize = 16;

/// The largest size for which room is made before it is needed.
const MAX_EXPECTED_SIZE: usize = 64;

/// The number of different keys that share their memory.
const MAX_SHARED_KEYS: usize = 64;

/// Reads one JSON value.
pub(super) fn read_value(text: &Bytes) -> Result<Val, String> {
    let mut reader = Reader::new(text);
    let value = reader.value(0)?;
    reader.skip_blanks();
    match reader.at == text.len() {
        true => Ok(value),
        false => Err(reader.invalid()),
    }
}

struct Reader<'a> {
    text: &'a Bytes,
    at: usize,
    /// Keys read before, by length and first byte. Most objects of an array have the same keys.
    keys: Vec<Option<Bytes>>,
    /// The numbers of members of the last objects, by depth, and those of items of the last arrays. The next ones mostly
    /// have as many.
    sizes: [[usize; 2]; MAX_EXPECTED_DEPTH],
}

/// The items of an array inside a text.
pub(super) struct Items<'a> {
    reader: Reader<'a>,
    is_first: bool,
}

impl<'a> Items<'a> {
    /// Finds the array at the end of a path of members. `None` if there is none, or the text is not valid on the way.
    pub(super) fn at(text: &'a Bytes, keys: &[String]) -> Option<Items<'a>> {
        let mut reader = Reader::new(text);
        for key in keys {
            reader.enter_member(key)?;
        }
        reader.take(b'[').then_some(Items { reader, is_first: true })
    }
}

impl Iterator for Items<'_> {
    type Item = Result<Val, String>;

    /// Reads the next item. The text after the array is not looked at.
    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.take(b']') {
            // The same bracket ends every later call.
            self.reader.at -= 1;
            return None;
        }
        if !std::mem::take(&mut self.is_first)
            && let Err(message) = self.reader.expect(b',')
        {
            return Some(Err(message));
        }
        Some(self.reader.value(0))
    }
}

impl<'a> Reader<'a> {
    fn new(text: &'a Bytes) -> Reader<'a> {
        Reader { text, at: 0, keys: vec![None; MAX_SHARED_KEYS], sizes: [[0; 2]; MAX_EXPECTED_DEPTH] }
    }

    /// Goes to the value of a member of the object that comes next.
    fn enter_member(&mut self, key: &str) -> Option<()> {
        self.take(b'{').then_some(())?;
        loop {
            self.skip_blanks();
            let is_string = self.text.get(self.at) == Some(&b'"');
            let name = is_string.then(|| self.string().ok()).flatten()?;
            self.take(b':').then_some(())?;
            if name == key {
                return Some(());
            }
            self.skip_value();
            self.take(b',').then_some(())?;
        }
    }

    /// Skips a value, which is not checked.
    fn skip_value(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    self.at = end_of_string(self.text, self.at + 1);
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' | b',' if depth == 0 => return,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }
}

impl Reader<'_> {
    fn invalid(&self) -> String {
        format!("invalid JSON at byte {}", self.at)
    }

    fn skip_blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips blanks, and the byte after them if it is `byte`.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.take(byte) { Ok(()) } else { Err(self.invalid()) }
    }

    fn value(&mut self, depth: usize) -> Result<Val, String> {
        self.skip_blanks();
        match self.text.get(self.at) {
            Some(b'"') => Ok(Val::TStr(Box::new(self.string()?))),
            Some(b'{' | b'[') if depth == MAX_VALUE_DEPTH => {
                Err(format!("the value is nested more than {MAX_VALUE_DEPTH} levels deep"))
            }
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            _ => self.scalar(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Val, String> {
        self.at += 1;
        let mut items = Vec::new();
        if !self.take(b']') {
            items.reserve_exact(self.expected(depth, 1));
            loop {
                items.push(self.value(depth)?);
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b']')?;
        }
        items.shrink_to_fit();
        self.note_size(depth, 1, items.len());
        Ok(Val::Arr(items.into()))
    }

    fn object(&mut self, depth: usize) -> Result<Val, String> {
        self.at += 1;
        let mut members = Map::default();
        if !self.take(b'}') {
            members.reserve_exact(self.expected(depth, 0));
            loop {
                self.skip_blanks();
                if self.text.get(self.at) != Some(&b'"') {
                    return Err(self.invalid());
                }
                let key = self.string()?;
                self.expect(b':')?;
                let key = self.shared(key);
                members.insert(Val::TStr(Box::new(key)), self.value(depth)?);
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b'}')?;
        }
        if members.len() != self.expected(depth, 0) {
            members.shrink_to_fit();
        }
        self.note_size(depth, 0, members.len());
        Ok(Val::obj(members))
    }

    /// Returns the size that the next object or array at a depth probably has.
    fn expected(&self, depth: usize, kind: usize) -> usize {
        self.sizes.get(depth).map_or(0, |sizes| sizes[kind])
    }

    fn note_size(&mut self, depth: usize, kind: usize, size: usize) {
        if let Some(sizes) = self.sizes.get_mut(depth) {
            sizes[kind] = size.min(MAX_EXPECTED_SIZE);
        }
    }

    /// Returns the key, in the memory of an equal one that was read before.
    fn shared(&mut self, key: Bytes) -> Bytes {
        let hash = key.len().wrapping_mul(31).wrapping_add(usize::from(key.first().copied().unwrap_or_default()));
        let slot = &mut self.keys[hash % MAX_SHARED_KEYS];
        match slot {
            Some(shared) if *shared == key => shared.clone(),
            _ => {
                *slot = Some(key.clone());
                key
            }
        }
    }

    /// Reads a string. Without escapes it shares the memory of the text.
    fn string(&mut self) -> Result<Bytes, String> {
        let start = self.at + 1;
        let end = end_of_string(self.text, start);
        if end <= start || self.text[end - 1] != b'"' {
            return Err(self.invalid());
        }
        self.at = end;
        let content = start..end - 1;
        match memchr::memchr(b'\\', &self.text[content.clone()]) {
            None => Ok(self.text.slice(content)),
            Some(_) => unescaped(&self.text[content]).map(Bytes::from).ok_or_else(|| self.invalid()),
        }
    }

    fn scalar(&mut self) -> Result<Val, String> {
        let rest = &self.text[self.at..];
        let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b':' | b' ' | b'\t' | b'\n' | b'\r');
        let len = rest.iter().position(ends).unwrap_or(rest.len());
        let word = std::str::from_utf8(&rest[..len]).map_err(|_| self.invalid())?;
        let value = match word {
            "null" => Val::Null,
            "true" => Val::Bool(true),
            "false" => Val::Bool(false),
            _ => Val::Num(number(word).ok_or_else(|| self.invalid())?),
        };
        self.at += len;
        Ok(value)
    }
}

/// Parses a number, also the `nan` and `inf` that servers write although JSON has none.
fn number(word: &str) -> Option<Num> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    if digits.is_empty() {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let is_canonical = word != "-0" && (digits.len() == 1 || !digits.starts_with('0'));
        return match is_canonical && digits.len() <= MAX_EXACT_DIGITS {
            true => Num::from_str_radix(word, 10),
            false => Some(Num::Dec(word.to_owned().into())),
        };
    }
    let float: f64 = word.parse().ok()?;
    // A floating-point number takes less memory than its text, and has the same text unless it is long or unusual.
    let is_float = !digits.as_bytes()[0].is_ascii_digit() || Num::Float(float).to_string() == word;
    Some(if is_float { Num::Float(float) } else { Num::Dec(word.to_owned().into()) })
}

/// Decodes the escapes in the content of a string.
fn unescaped(content: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let byte = *rest.get(at + 1)?;
        rest = &rest[at + 2..];
        let plain = match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 0x08,
            b'f' => 0x0c,
            b'"' | b'\\' | b'/' => byte,
            b'u' => {
                let (unit, after) = utf16_unit(rest)?;
                rest = after;
                let mut code = unit;
                if (0xd800..0xdc00).contains(&unit)
                    && let Some((low, after)) = rest.strip_prefix(b"\\u").and_then(utf16_unit)
                    && (0xdc00..0xe000).contains(&low)
                {
                    rest = after;
                    code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                }
                push_code_point(code, &mut out);
                continue;
            }
            _ => return None,
        };
        out.push(plain);
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// Reads four hexadecimal digits.
fn utf16_unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// Appends a code point in UTF-8, even half a surrogate pair.
fn push_code_point(code: u32, out: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend([0xe0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]),
    }
}
