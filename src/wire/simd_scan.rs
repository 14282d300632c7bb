//! JSON text in blocks of 64 bytes, each seen as sets of places: where its quotes are, its brackets, its strings.
//!
//! One comparison looks at many bytes, and what is between two places of interest costs nothing.

use wide::u8x16;

/// Places in a block: the lowest bit is its first byte.
pub(crate) type BitMask64 = u64;

/// How many bytes a block has.
pub(crate) const BLOCK: usize = 64;

/// 64 bytes of JSON text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block([u8x16; 4]);

impl Block {
    /// The block that these bytes are.
    pub(crate) fn new(bytes: &[u8; BLOCK]) -> Block {
        let (lanes, _) = bytes.as_chunks();
        Block(std::array::from_fn(|lane| u8x16::new(lanes[lane])))
    }

    /// Where `byte` stands.
    pub(crate) fn equal(&self, byte: u8) -> BitMask64 {
        self.places(|lane| lane.simd_eq(u8x16::splat(byte)))
    }

    /// Where `[` and `{` stand.
    pub(crate) fn opening(&self) -> BitMask64 {
        self.brackets(b'{')
    }

    /// Where `]` and `}` stand.
    pub(crate) fn closing(&self) -> BitMask64 {
        self.brackets(b'}')
    }

    /// A bracket and its brace differ in one bit.
    fn brackets(&self, brace: u8) -> BitMask64 {
        self.places(|lane| (lane | u8x16::splat(b'{' ^ b'[')).simd_eq(u8x16::splat(brace)))
    }

    fn places(&self, test: impl Fn(u8x16) -> u8x16) -> BitMask64 {
        self.0.iter().rev().fold(0, |places, lane| places << 16 | BitMask64::from(test(*lane).to_bitmask() as u16))
    }
}

/// Tells strings from what is outside of them, one block after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Strings {
    /// All ones where the last block ended inside a string.
    inside: BitMask64,
    /// The last block ended with a backslash that escapes what follows.
    escaping: bool,
}

/// What [`Strings`] finds in a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// The strings, with the quotes that begin them and without those that end them.
    pub(crate) strings: BitMask64,
    /// All backslashes.
    pub(crate) backslashes: BitMask64,
}

impl Strings {
    /// As if a block before the first had ended inside a string, or not.
    pub(crate) fn new(inside: bool) -> Strings {
        Strings { inside: if inside { !0 } else { 0 }, escaping: false }
    }

    /// Whether the last block ended inside a string.
    pub(crate) fn inside(&self) -> bool {
        self.inside != 0
    }

    /// Whether the last block ended with a backslash that escapes what follows.
    pub(crate) fn escaping(&self) -> bool {
        self.escaping
    }

    /// The strings of the next block. A backslash escapes outside of strings too, where JSON has none.
    pub(crate) fn next(&mut self, block: &Block) -> Found {
        let backslashes = block.equal(b'\\');
        let quotes = block.equal(b'"') & !self.escaped_by(backslashes);
        // Each bit becomes the parity of all the bits up to it.
        let mut strings = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            strings ^= strings << shift;
        }
        strings ^= self.inside;
        self.inside = if strings >> (BLOCK - 1) == 1 { !0 } else { 0 };
        Found { strings, backslashes }
    }

    /// What these backslashes escape; one that is escaped itself escapes nothing.
    fn escaped_by(&mut self, backslashes: BitMask64) -> BitMask64 {
        let mut escaped = BitMask64::from(self.escaping);
        self.escaping = false;
        // Few strings have any, so they are gone through one by one.
        let mut left = backslashes & !escaped;
        while left != 0 {
            let next = (left & left.wrapping_neg()) << 1;
            self.escaping = next == 0;
            escaped |= next;
            left = left & (left - 1) & !next;
        }
        escaped
    }
}

/// The blocks of a text; the last is filled up with blanks.
#[cfg(any(test, feature = "programs"))]
pub(crate) fn blocks(text: &[u8]) -> impl Iterator<Item = Block> {
    let (whole, rest) = text.as_chunks();
    let mut last = [b' '; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    whole.iter().map(Block::new).chain([Block::new(&last)])
}

/// Goes through `places` from the first to the last.
pub(crate) fn each(mut places: BitMask64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = (places != 0).then(|| places.trailing_zeros() as usize)?;
        places &= places - 1;
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};

    /// What is in strings and what are brackets outside, byte after byte.
    fn plainly(text: &[u8]) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
        let (mut strings, mut opening, mut closing) = (Vec::new(), Vec::new(), Vec::new());
        let (mut inside, mut escaped) = (false, false);
        for (at, byte) in text.iter().enumerate() {
            let quote = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            inside ^= quote;
            match byte {
                _ if inside => strings.push(at),
                b'[' | b'{' => opening.push(at),
                b']' | b'}' => closing.push(at),
                _ => {}
            }
        }
        (strings, opening, closing)
    }

    fn by_blocks(text: &[u8]) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
        let mut state = Strings::default();
        let (mut strings, mut opening, mut closing) = (Vec::new(), Vec::new(), Vec::new());
        for (number, block) in blocks(text).enumerate() {
            let found = state.next(&block);
            let add = |to: &mut Vec<usize>, places| {
                to.extend(each(places).map(|at| BLOCK * number + at).filter(|at| *at < text.len()));
            };
            add(&mut strings, found.strings);
            add(&mut opening, block.opening() & !found.strings);
            add(&mut closing, block.closing() & !found.strings);
        }
        (strings, opening, closing)
    }

    proptest! {
        #[test]
        fn blocks_tell_what_a_look_at_each_byte_tells(text in "[\"\\\\{}\\[\\];\u{3b} a]{0,200}") {
            prop_assert_eq!(by_blocks(text.as_bytes()), plainly(text.as_bytes()));
        }

        #[test]
        fn backslashes_in_long_rows_too(text in "(\\\\{0,70}\"{0,2}x{0,60}){0,6}") {
            prop_assert_eq!(by_blocks(text.as_bytes()), plainly(text.as_bytes()));
        }
    }
}
