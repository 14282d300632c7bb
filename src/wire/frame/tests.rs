//! Tests of the framer: cuts of the stream, sync markers, limits, blocks.

use super::*;
use proptest::prelude::{prop_assert_eq, proptest};

fn frames(limits: Limits, chunks: &[&[u8]]) -> (Vec<Frame>, Option<FrameError>) {
    let mut framer = Framer::new(limits);
    let mut found = Vec::new();
    for chunk in chunks {
        framer.push(chunk);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

fn message(text: &str) -> Frame {
    Frame::Message(text.as_bytes().to_vec())
}

#[test]
fn messages_end_at_their_closing_brace() {
    let stream = b"{\"a\": {\r\n \"}\": [1, \"\\\"{\"]}}{}\r\n  {\"b\"\n:1}";
    let (found, error) = frames(Limits::default(), &[stream]);
    assert_eq!(error, None);
    assert_eq!(found, [message("{\"a\": {\r\n \"}\": [1, \"\\\"{\"]}}"), message("{}"), message("{\"b\"\n:1}")]);
}

#[test]
fn frames_do_not_depend_on_where_reads_cut_the_stream() {
    let stream = b"junk\n{\"k\\\\\": \"v\\\"}\", \"x\": [[{}]]}\xff{\"half\": \"\xff{}{\"last\": 1}";
    let (whole, _) = frames(Limits::default(), &[stream]);
    assert_eq!(whole.len(), 6);
    for cut in 0..stream.len() {
        if cut < 4 {
            continue; // a cut inside junk may deliver it in two pieces
        }
        let (found, _) = frames(Limits::default(), &[&stream[..cut], &stream[cut..]]);
        assert_eq!(found, whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = stream[4..].chunks(1).collect();
    let (found, _) = frames(Limits::default(), &bytes);
    assert_eq!(found, whole[1..]);
}

/// Asserts that a line end after `begun`, the beginning of a message, makes it a broken one if another message follows, or
/// if it is given up.
#[track_caller]
fn check_cut_off(begun: &str, reason: &'static str) {
    let broken = Frame::Broken(begun.as_bytes().to_vec(), reason);
    let next = "{\"return\": {}, \"id\": 8}";
    let stream = format!("{begun}\n{next}\r\n{next}");
    let expected = [broken.clone(), message(next), message(next)];
    assert_eq!(frames(Limits::default(), &[stream.as_bytes()]).0, expected, "{begun}");
    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    assert_eq!(frames(Limits::default(), &bytes).0, expected, "{begun}");

    let mut framer = Framer::new(Limits::default());
    framer.push(begun.as_bytes());
    assert!(framer.next_frame() == Ok(None) && !framer.is_cut_off());
    framer.push(b"\n");
    assert!(framer.next_frame() == Ok(None) && framer.is_cut_off());
    assert_eq!(framer.take_cut_off(), broken);
    framer.push(next.as_bytes());
    assert_eq!(framer.next_frame(), Ok(Some(message(next))));
}

#[test]
fn a_line_end_in_a_string_ends_a_message_if_the_next_begins_there() {
    let long = format!("{{\"return\": [\"{}\", \"C:\\\"], \"id\": 7}}", "long ".repeat(300));
    for begun in ["{\"return\": \"C:\\\", \"id\": 7}\r", "{\"a\": \"", long.as_str()] {
        check_cut_off(begun, "a string is not closed before the end of the line");
    }
    // Some servers send line ends in strings as they are.
    let lines = "{\"return\": \"one\ntwo\n{\n\"}";
    assert_eq!(frames(Limits::default(), &[lines.as_bytes()]).0, [message(lines)]);
}

#[test]
fn an_incomplete_line_ends_a_message_if_the_next_begins_there() {
    let long = format!("{{\"return\": [{}", "{\"a\": 1}, ".repeat(300));
    for begun in ["{\"return\": {\"a\": 1}, \"id\": 7\r", "{\"return\": [1, 2", &format!("{long}0")] {
        check_cut_off(begun, "it is not complete at the end of the line");
    }
    // Messages on several lines, also without indentation.
    for lines in ["{\r\n\"return\": [\n{\n\"a\":\n{\"b\": 1}\n},\n{}\n]\n}", &format!("{long}\n{{}}]}}")] {
        assert_eq!(frames(Limits::default(), &[lines.as_bytes()]).0, [message(lines)], "{lines}");
        for end in (0..lines.len()).filter(|end| lines.as_bytes()[*end] == b'\n' && !lines.starts_with("{\"")) {
            let mut framer = Framer::new(Limits::default());
            framer.push(&lines.as_bytes()[..=end]);
            assert!(framer.next_frame() == Ok(None) && !framer.is_cut_off(), "{end}");
        }
    }
}

#[test]
fn a_sync_marker_discards_the_unfinished_message() {
    for begun in ["{\"return\": [1, ", "{\"return\": \"x", "{\"return\": \"x\\"] {
        let stream = [begun.as_bytes(), b"\xff\n{\"return\": 5}"].concat();
        assert_eq!(frames(Limits::default(), &[&stream]).0, [Frame::SyncMarker, message("{\"return\": 5}")], "{begun}");
    }
}

#[test]
fn without_sync_markers_0xff_is_a_byte_of_the_message() {
    let mut framer = Framer::new(Limits::default());
    framer.honour_sync_markers(false);
    framer.push(b"{\"a\": \"\xff}\"}{\xff}\xff");
    for expected in
        [Frame::Message(b"{\"a\": \"\xff}\"}".to_vec()), Frame::Message(b"{\xff}".to_vec()), Frame::SyncMarker]
    {
        assert_eq!(framer.next_frame(), Ok(Some(expected)));
    }
}

#[test]
fn skips_telnet_options() {
    let stream = b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x00{\"QMP\": {}}\xfb\n";
    let expected = [
        Frame::SyncMarker,
        Frame::SyncMarker,
        Frame::SyncMarker,
        message("{\"QMP\": {}}"),
        Frame::Junk(b"\xfb".to_vec()),
    ];
    assert_eq!(frames(Limits::default(), &[stream]).0, expected);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(frames(Limits::default(), &bytes).0, expected);
}

#[test]
fn reports_messages_over_the_limits() {
    let limits = Limits { max_message_bytes: 16, max_depth: 3 };
    assert_eq!(frames(limits, &[b"{\"a\":[[[1]]]}"]).1, Some(FrameError::TooDeep(3)));
    assert_eq!(frames(limits, &[b"{\"a\": \"0123456789abcdef"]).1, Some(FrameError::TooLong(16)));
    // A message that arrives whole is rejected too.
    assert_eq!(frames(limits, &[b"{\"a\": \"0123456789abcdef\"}"]).1, Some(FrameError::TooLong(16)));
    assert_eq!(frames(limits, &[b"{\"a\": \"0123456\"}"]).1, None);
}

proptest! {
    /// Reads of single bytes never fill a block, so the test compares a scan by blocks with one byte by byte.
    #[test]
    fn long_messages_end_where_their_brace_closes(
        inner in "([\\[\\]{}\"\\\\\n]|[a-z:, \"]{1,90}){0,60}",
        deep in 0..6_usize,
        has_marker: bool,
        honour_markers: bool,
    ) {
        let mut stream = format!("{{\"{}\":{}{inner}", "k".repeat(BYTEWISE_PREFIX_BYTES), "[".repeat(deep)).into_bytes();
        if has_marker {
            stream.extend_from_slice(b"\xFF{\"a\"}");
        }
        let read = |chunks: &[&[u8]]| {
            let mut framer = Framer::new(Limits { max_depth: 8, ..Limits::default() });
            framer.honour_sync_markers(honour_markers);
            let mut found = Vec::new();
            for chunk in chunks {
                framer.push(chunk);
                while let Some(frame) = framer.next_frame().transpose() {
                    let stop = frame.is_err();
                    found.push(frame);
                    if stop {
                        return (found, Vec::new());
                    }
                }
            }
            (found, framer.partial_message().to_vec())
        };
        let singles: Vec<&[u8]> = stream.chunks(1).collect();
        let without_junk = |(frames, rest): (Vec<Result<Frame, FrameError>>, Vec<u8>)| {
            let messages = frames.into_iter().filter(|frame| !matches!(frame, Ok(Frame::Junk(_))));
            (messages.collect::<Vec<_>>(), rest)
        };
        prop_assert_eq!(without_junk(read(&[&stream])), without_junk(read(&singles)));
    }
}

#[test]
fn escapes_continue_across_blocks() {
    for pad in 0..2 * BLOCK_BYTES {
        let first = format!("{{\"{}\":\"{}\\\"}}\"}}", "k".repeat(BYTEWISE_PREFIX_BYTES), "v".repeat(pad));
        let second = format!("{{\"{}\":1}}", "v".repeat(BLOCK_BYTES));
        let stream = [first.as_bytes(), second.as_bytes()].concat();
        assert_eq!(frames(Limits::default(), &[&stream]).0, [message(&first), message(&second)], "{pad}");
    }
}

#[test]
fn takes_a_large_message_and_continues() {
    let large = format!("{{\"return\": \"{}\"}}", "x".repeat(300_000));
    let mut framer = Framer::new(Limits::default());
    framer.push(large.as_bytes());
    framer.push(b"\r\n");
    assert_eq!(framer.next_frame(), Ok(Some(message(&large))));
    framer.push(b"{\"next\": 1}");
    assert_eq!(framer.next_frame(), Ok(Some(message("{\"next\": 1}"))));
    assert_eq!(framer.next_frame(), Ok(None));
}
