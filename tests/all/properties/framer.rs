//! The framer: its frames do not depend on how reads cut the stream, and no byte is lost.

use qmp_shell::wire::{Frame, FrameError, Framer, Limits};

/// The first two bytes select the limits, whether sync markers are honoured, and the cuts; the rest is the stream.
pub fn check(data: &[u8]) {
    let [choice, seed, stream @ ..] = data else { return };
    let honour_markers = choice & 1 == 0;
    let has_small_limits = choice & 2 != 0;
    let mut limits = Limits::default();
    if has_small_limits {
        (limits.max_message_bytes, limits.max_depth) = (64, 4);
    }
    let (whole, end) = read(std::iter::once(stream), limits, honour_markers);
    if end.is_ok() {
        check_all_bytes(stream, &whole, &end, honour_markers);
    }
    let singles = read(stream.chunks(1), limits, honour_markers);
    let pieces = read(cut(stream, *seed).into_iter(), limits, honour_markers);
    for (frames, other) in [singles, pieces] {
        if has_small_limits {
            // A limit can be noticed sooner or later, but never before the frames that come first.
            let agree = normalized(&whole).iter().zip(&normalized(&frames)).all(|(one, other)| one == other);
            assert!(agree, "other cuts give other frames");
        } else {
            assert_eq!(normalized(&whole), normalized(&frames), "other cuts give other frames");
            assert_eq!(end, other, "other cuts give another end");
        }
    }
    for frame in &whole {
        if let Frame::Message(message) | Frame::Broken(message, _) = frame {
            assert!(message.len() <= limits.max_message_bytes);
            assert!(message.first() == Some(&b'{'));
        }
        if let Frame::Message(message) = frame {
            assert!(matches!(message.last(), Some(b'}' | b']')));
        }
    }
}

/// Returns the frames of a stream, and the unfinished message or the error at its end.
fn read<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    limits: Limits,
    honour_markers: bool,
) -> (Vec<Frame>, Result<Vec<u8>, FrameError>) {
    let mut framer = Framer::new(limits);
    framer.honour_sync_markers(honour_markers);
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    let partial = framer.partial_message().to_vec();
    (frames, Ok(partial))
}

/// Cuts the stream into pieces whose lengths depend on `seed`.
fn cut(stream: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed) + 1;
    let mut rest = stream;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let length = (state >> 16) as usize % 40;
        let (piece, tail) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

/// Joins consecutive junk frames and removes their whitespace, which depend on the cuts.
fn normalized(frames: &[Frame]) -> Vec<Frame> {
    let mut normalized: Vec<Frame> = Vec::new();
    for frame in frames {
        let Frame::Junk(junk) = frame else {
            normalized.push(frame.clone());
            continue;
        };
        let junk = junk.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        match normalized.last_mut() {
            Some(Frame::Junk(last)) => last.extend(junk),
            _ => normalized.push(Frame::Junk(junk.collect())),
        }
    }
    normalized
}

/// Asserts that the stream consists of its frames, whitespace, telnet options, and messages that a sync marker
/// discards.
fn check_all_bytes(stream: &[u8], frames: &[Frame], end: &Result<Vec<u8>, FrameError>, honour_markers: bool) {
    let mut rest = stream;
    let mut after_marker = false;
    for frame in frames {
        rest = skip_ignored(rest, after_marker);
        let (Frame::Message(bytes) | Frame::Broken(bytes, _) | Frame::Junk(bytes)) = frame else {
            // A sync marker, perhaps after the beginning of a message.
            let at = rest.iter().position(|byte| *byte == 0xFF).expect("a sync marker in the stream");
            assert!(at == 0 || honour_markers && rest[0] == b'{', "a sync marker discarded more than a message");
            after_marker = at == 0;
            rest = &rest[at + 1..];
            continue;
        };
        assert!(!bytes.is_empty(), "an empty frame");
        rest = rest
            .strip_prefix(bytes.as_slice())
            .unwrap_or_else(|| panic!("{frame:?} does not follow in {}", rest.escape_ascii()));
        after_marker = false;
    }
    let rest = skip_ignored(rest, after_marker);
    let Ok(partial) = end else { return };
    assert!(rest == partial || rest.len() == 1 && after_marker, "the unfinished message is not the rest of the stream");
}

/// Skips whitespace and, after a sync marker, a telnet option.
fn skip_ignored(mut rest: &[u8], after_marker: bool) -> &[u8] {
    if let [0xFB..=0xFE, _, tail @ ..] = rest
        && after_marker
    {
        rest = tail;
    }
    let len = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    &rest[len..]
}
