//! The framer: the same stream in any pieces gives the same frames, and no byte of it is lost.

use qmp_shell::wire::{Frame, FrameError, Framer, Limits};

/// The first two bytes choose the limits, whether marks are heeded, and the pieces; the rest is the stream.
pub fn check(data: &[u8]) {
    let [choice, seed, stream @ ..] = data else { return };
    let heed = choice & 1 == 0;
    let small = choice & 2 != 0;
    let mut limits = Limits::default();
    if small {
        (limits.message, limits.depth) = (64, 4);
    }
    let (whole, end) = read(std::iter::once(stream), limits, heed);
    if end.is_ok() {
        account(stream, &whole, &end, heed);
    }
    let singles = read(stream.chunks(1), limits, heed);
    let pieces = read(cut(stream, *seed).into_iter(), limits, heed);
    for (frames, other) in [singles, pieces] {
        if small {
            // A limit may be noticed sooner or later, but never before what comes first is handed over.
            let both = solid(&whole).iter().zip(&solid(&frames)).all(|(one, other)| one == other);
            assert!(both, "other frames in other pieces");
        } else {
            assert_eq!(solid(&whole), solid(&frames), "other frames in other pieces");
            assert_eq!(end, other, "another end in other pieces");
        }
    }
    for frame in &whole {
        if let Frame::Message(message) = frame {
            assert!(message.len() <= limits.message);
            assert!(message.first() == Some(&b'{') && matches!(message.last(), Some(b'}' | b']')));
        }
    }
}

/// The frames of a stream that comes in pieces; in the end what is begun, or why it goes no further.
fn read<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    limits: Limits,
    heed: bool,
) -> (Vec<Frame>, Result<Vec<u8>, FrameError>) {
    let mut framer = Framer::new(limits);
    framer.honor_sync_markers(heed);
    let mut found = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
    }
    let pending = framer.partial_message().to_vec();
    (found, Ok(pending))
}

/// Pieces of lengths that `seed` chooses.
fn cut(stream: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed) + 1;
    let mut rest = stream;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let length = (state >> 16) as usize % 40;
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// Junk may come in more pieces than one, and blanks at their ends are none of it.
fn solid(frames: &[Frame]) -> Vec<Frame> {
    let mut found: Vec<Frame> = Vec::new();
    for frame in frames {
        let Frame::Junk(junk) = frame else {
            found.push(frame.clone());
            continue;
        };
        let junk = junk.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        match found.last_mut() {
            Some(Frame::Junk(before)) => before.extend(junk),
            _ => found.push(Frame::Junk(junk.collect())),
        }
    }
    found
}

/// Walks along the stream with its frames: between them stand only blanks, answers of telnet, and what a mark drops.
fn account(stream: &[u8], frames: &[Frame], end: &Result<Vec<u8>, FrameError>, heed: bool) {
    let mut rest = stream;
    let mut after_mark = false;
    for frame in frames {
        rest = skip_blank(rest, after_mark);
        let (Frame::Message(bytes) | Frame::Junk(bytes)) = frame else {
            // A mark, and before it perhaps the beginning of a message.
            let at = rest.iter().position(|byte| *byte == 0xFF).expect("a mark is in the stream");
            assert!(at == 0 || heed && rest[0] == b'{', "a mark dropped what is no message");
            after_mark = at == 0;
            rest = &rest[at + 1..];
            continue;
        };
        assert!(!bytes.is_empty(), "an empty frame");
        rest = rest
            .strip_prefix(bytes.as_slice())
            .unwrap_or_else(|| panic!("{frame:?} is not next in {}", rest.escape_ascii()));
        after_mark = false;
    }
    let rest = skip_blank(rest, after_mark);
    let Ok(pending) = end else { return };
    assert!(rest == pending || rest.len() == 1 && after_mark, "what is left is not what is pending");
}

fn skip_blank(mut rest: &[u8], after_mark: bool) -> &[u8] {
    if let [0xFB..=0xFE, _, behind @ ..] = rest
        && after_mark
    {
        rest = behind;
    }
    let len = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    &rest[len..]
}
