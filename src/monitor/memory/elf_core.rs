//! The notes of an ELF core, the format of `dump-guest-memory`. They hold the registers of the CPUs.
//!
//! A core may come from any server, so nothing in it is trusted: what lies outside of the file is left out.

/// The type of a program header whose segment consists of notes.
const PT_NOTE: u64 = 4;

/// The alignment of the parts of a note.
const NOTE_ALIGNMENT: usize = 4;

/// The places of the fields that are read, in bytes, for one class of ELF.
struct Layout {
    word_bytes: usize,
    /// In the file header: the place of the program headers, the size of one, and their number.
    program_headers: usize,
    header_bytes: usize,
    header_count: usize,
    /// In a program header: the place of its segment, and the segment's size in the file.
    segment: usize,
    segment_bytes: usize,
}

const ELF32: Layout = Layout {
    word_bytes: 4,
    program_headers: 0x1c,
    header_bytes: 0x2a,
    header_count: 0x2c,
    segment: 0x04,
    segment_bytes: 0x10,
};

const ELF64: Layout = Layout {
    word_bytes: 8,
    program_headers: 0x20,
    header_bytes: 0x36,
    header_count: 0x38,
    segment: 0x08,
    segment_bytes: 0x20,
};

/// An ELF core.
pub(crate) struct ElfCore<'a> {
    bytes: Bytes<'a>,
    layout: &'static Layout,
    /// The processor, as in the ELF specification.
    pub(crate) machine: u16,
}

/// A note: who defined it, its type there, and its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    pub(crate) owner: &'a [u8],
    pub(crate) kind: u64,
    pub(crate) data: Bytes<'a>,
}

/// Bytes with numbers in one byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl<'a> ElfCore<'a> {
    /// Reads the file header. `None` if the file is not an ELF core.
    pub(crate) fn parse(file: &'a [u8]) -> Option<ElfCore<'a>> {
        const ET_CORE: u64 = 4;
        let identification = file.strip_prefix(b"\x7fELF")?;
        let layout = match identification.first()? {
            1 => &ELF32,
            2 => &ELF64,
            _ => return None,
        };
        let is_big_endian = match identification.get(1)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let bytes = Bytes { bytes: file, is_big_endian };
        if bytes.number(0x10, 2)? != ET_CORE {
            return None;
        }
        Some(ElfCore { bytes, layout, machine: bytes.number(0x12, 2)? as u16 })
    }

    /// Returns whether registers have 64 bits.
    pub(crate) fn is_64_bit(&self) -> bool {
        self.layout.word_bytes == 8
    }

    /// Returns all notes, in order.
    pub(crate) fn notes(&self) -> impl Iterator<Item = Note<'a>> {
        self.note_segments().flat_map(|segment| {
            let mut place = 0;
            std::iter::from_fn(move || segment.note(&mut place))
        })
    }

    fn note_segments(&self) -> impl Iterator<Item = Bytes<'a>> {
        let (bytes, layout) = (self.bytes, self.layout);
        let first = bytes.number(layout.program_headers, layout.word_bytes).unwrap_or_default();
        let size = bytes.number(layout.header_bytes, 2).unwrap_or_default();
        let count = bytes.number(layout.header_count, 2).unwrap_or_default();
        (0..count).filter_map(move |index| {
            let header = bytes.from(first.checked_add(index * size)?)?;
            if header.number(0, 4)? != PT_NOTE {
                return None;
            }
            let segment = bytes.from(header.number(layout.segment, layout.word_bytes)?)?;
            let length = header.number(layout.segment_bytes, layout.word_bytes)?;
            Some(segment.up_to(usize::try_from(length).unwrap_or(usize::MAX)))
        })
    }
}

impl<'a> Bytes<'a> {
    /// Returns the number of `width` bytes at `place`.
    pub(crate) fn number(&self, place: usize, width: usize) -> Option<u64> {
        let bytes = self.bytes.get(place..place.checked_add(width)?)?;
        let push = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.is_big_endian { bytes.iter().fold(0, push) } else { bytes.iter().rev().fold(0, push) })
    }

    fn from(self, place: u64) -> Option<Bytes<'a>> {
        let bytes = self.bytes.get(usize::try_from(place).ok()?..)?;
        Some(Bytes { bytes, ..self })
    }

    fn up_to(self, length: usize) -> Bytes<'a> {
        Bytes { bytes: &self.bytes[..length.min(self.bytes.len())], ..self }
    }

    /// Reads the note at `place` of a segment, and moves `place` after it. `None` at the end, or if the note is not whole.
    fn note(&self, place: &mut usize) -> Option<Note<'a>> {
        let part = |place: usize, length: usize| -> Option<(&'a [u8], usize)> {
            let end = place.checked_add(length)?;
            Some((self.bytes.get(place..end)?, end.checked_next_multiple_of(NOTE_ALIGNMENT)?))
        };
        let [owner_length, length] = [0, 4].map(|offset| self.number(place.checked_add(offset)?, 4));
        let kind = self.number(place.checked_add(8)?, 4)?;
        let (owner, after) = part(place.checked_add(12)?, owner_length? as usize)?;
        let (data, after) = part(after, length? as usize)?;
        *place = after;
        let owner = owner.strip_suffix(b"\0").unwrap_or(owner);
        Some(Note { owner, kind, data: Bytes { bytes: data, ..*self } })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::{prop_assert, proptest};

    use super::*;

    /// A core with one segment of notes, as `dump-guest-memory` writes it.
    pub(crate) struct TestCore {
        pub(crate) machine: u16,
        pub(crate) word_bytes: usize,
        pub(crate) is_big_endian: bool,
    }

    impl TestCore {
        /// Returns a number in the byte order of the core.
        pub(crate) fn number(&self, value: u64, width: usize) -> Vec<u8> {
            match self.is_big_endian {
                true => value.to_be_bytes()[8 - width..].to_vec(),
                false => value.to_le_bytes()[..width].to_vec(),
            }
        }

        /// Returns the file, with notes given by owner, type and data.
        pub(crate) fn file(&self, notes: &[(&str, u64, Vec<u8>)]) -> Vec<u8> {
            let pad = |bytes: &mut Vec<u8>| bytes.resize(bytes.len().next_multiple_of(4), 0);
            let mut segment = Vec::new();
            for (owner, kind, data) in notes {
                for number in [owner.len() as u64 + 1, data.len() as u64, *kind] {
                    segment.extend(self.number(number, 4));
                }
                segment.extend(owner.bytes().chain([0]));
                pad(&mut segment);
                segment.extend(data);
                pad(&mut segment);
            }
            let layout = if self.word_bytes == 8 { &ELF64 } else { &ELF32 };
            let header = layout.header_count + 8;
            let mut file = vec![0; header + 0x38];
            let mut put = |place: usize, value: u64, width: usize| {
                file[place..place + width].copy_from_slice(&self.number(value, width));
            };
            put(0x10, 4, 2);
            put(0x12, self.machine.into(), 2);
            put(layout.program_headers, header as u64, self.word_bytes);
            put(layout.header_bytes, 0x38, 2);
            put(layout.header_count, 1, 2);
            put(header, PT_NOTE, 4);
            put(header + layout.segment, header as u64 + 0x38, self.word_bytes);
            put(header + layout.segment_bytes, segment.len() as u64, self.word_bytes);
            let class = if self.word_bytes == 8 { 2 } else { 1 };
            file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1 + u8::from(self.is_big_endian)]);
            file.extend(segment);
            file
        }
    }

    const FORMS: [(usize, bool); 4] = [(4, false), (4, true), (8, false), (8, true)];

    fn example(word_bytes: usize, is_big_endian: bool) -> Vec<u8> {
        let core = TestCore { machine: 62, word_bytes, is_big_endian };
        core.file(&[("CORE", 1, vec![1, 2, 3, 4, 5]), ("QEMU", 0, core.number(0x1122_3344, 4))])
    }

    #[test]
    fn notes_of_both_classes_and_byte_orders_are_read() {
        for (word_bytes, is_big_endian) in FORMS {
            let file = example(word_bytes, is_big_endian);
            let core = ElfCore::parse(&file).unwrap();
            assert_eq!((core.machine, core.is_64_bit()), (62, word_bytes == 8));
            let notes: Vec<Note<'_>> = core.notes().collect();
            assert_eq!(
                notes.iter().map(|note| (note.owner, note.kind)).collect::<Vec<_>>(),
                [(&b"CORE"[..], 1), (&b"QEMU"[..], 0)]
            );
            assert_eq!(notes[0].data.bytes, [1, 2, 3, 4, 5]);
            assert_eq!(notes[1].data.number(0, 4), Some(0x1122_3344));
            assert_eq!(notes[1].data.number(1, 4), None);
        }
    }

    #[test]
    fn a_core_that_ends_early_has_fewer_notes() {
        for (word_bytes, is_big_endian) in FORMS {
            let file = example(word_bytes, is_big_endian);
            for length in 0..file.len() - 1 {
                let count = ElfCore::parse(&file[..length]).map_or(0, |core| core.notes().count());
                assert!(count < 2, "{length}");
            }
        }
    }

    proptest! {
        #[test]
        fn wrong_bytes_in_a_core_do_no_harm(wrong in vec((any::<usize>(), any::<u8>()), 1..20), form in 0..4_usize) {
            let (word_bytes, is_big_endian) = FORMS[form];
            let mut file = example(word_bytes, is_big_endian);
            for (place, byte) in wrong {
                let place = place % file.len();
                file[place] = byte;
            }
            if let Some(core) = ElfCore::parse(&file) {
                // A program header that repeats reads the same notes again, 65,535 times at most.
                prop_assert!(core.notes().count() <= 65_535 * file.len() / 12);
            }
        }
    }
}
