//! Snapshots: whole outputs compared with `expect!` literals, which `UPDATE_EXPECT=1 tests/run` rewrites.
//!
//! First, [`normalise`] replaces text that differs between two runs or two machines with placeholders.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Mutex;

use expect_test::Expect;

use super::program::Run;

/// Returns whether snapshots are being rewritten instead of compared.
pub fn is_updating() -> bool {
    // nextest runs every test in a process of its own, and two processes would overwrite each other's changes.
    let is_updating = std::env::var_os("UPDATE_EXPECT").is_some();
    let is_in_nextest = std::env::var_os("NEXTEST").is_some();
    assert!(!(is_updating && is_in_nextest), "UPDATE_EXPECT needs `cargo test`; use `UPDATE_EXPECT=1 tests/run`");
    is_updating
}

/// Normalises a text and compares it with its snapshot.
#[track_caller]
pub fn check(actual: impl AsRef<str>, expected: Expect) {
    /// The texts of the snapshots compared so far, by their positions. A snapshot may be compared several times, but
    /// can be rewritten only once.
    static SEEN: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);

    let mut actual = normalise(actual.as_ref());
    // Gives every literal several lines: rustfmt may move a literal of one line, and expect-test then does not find it.
    if !actual.ends_with('\n') {
        actual.push('\n');
    }
    if !is_updating() {
        return expected.assert_eq(&actual);
    }
    let mut seen = SEEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let place = expected.position.to_string();
    match seen.get_or_insert_default().insert(place.clone(), actual.clone()) {
        None => expected.assert_eq(&actual),
        Some(before) => assert_eq!(before, actual, "{place}: one snapshot for two different texts"),
    }
}

/// Inputs and their outputs, for one snapshot.
#[derive(Default)]
pub struct Table {
    text: String,
}

impl Table {
    pub fn new() -> Table {
        Table::default()
    }

    /// Adds an input and its output.
    pub fn row(&mut self, input: impl AsRef<str>, output: impl AsRef<str>) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        for line in input.as_ref().split('\n') {
            writeln!(self.text, "{}", format!("> {line}").trim_end()).unwrap();
        }
        self.text.push_str(output.as_ref());
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Adds an input and the outcome of its run.
    pub fn run(&mut self, input: impl AsRef<str>, run: &Run) {
        self.row(input, run.render());
    }

    #[track_caller]
    pub fn check(self, expected: Expect) {
        check(self.text, expected);
    }
}

/// Replaces text that differs between two runs or two machines:
///
/// | placeholder | stands for |
/// |---|---|
/// | `{DIR}` | a temporary folder, such as the one with a server's sockets |
/// | `{BIN}` | the folder with the programs under test |
/// | `{VERSION}` | a QEMU version, of three numbers, or of two in a machine type |
/// | `{PORT}` | a TCP port of the local host |
/// | `{TIME}` | a time of day with milliseconds |
///
/// Control characters other than line ends are written as escapes.
pub fn normalise(text: &str) -> String {
    let temporary = std::env::temp_dir().join(".tmp").display().to_string();
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_qmp")).parent().unwrap().display().to_string();
    let text = text.replace(&programs, "{BIN}");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let replaced = replace_temporary(rest, &temporary)
            .or_else(|| replace_version(rest, &out))
            .or_else(|| replace_port(rest))
            .or_else(|| replace_time(rest, &out));
        if let Some((placeholder, len)) = replaced {
            out.push_str(placeholder);
            rest = &rest[len..];
            continue;
        }
        match c {
            '\n' => out.push(c),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// A placeholder, and the length of the text that it replaces.
type Replaced = (&'static str, usize);

/// Replaces a temporary folder, which `tempfile` names `.tmp` and six more characters.
fn replace_temporary(rest: &str, temporary: &str) -> Option<Replaced> {
    let name = rest.strip_prefix(temporary)?.get(..6)?;
    name.chars().all(|c| c.is_ascii_alphanumeric()).then_some(("{DIR}", temporary.len() + 6))
}

/// Replaces the version in `QEMU 1.2.3` and `pc-q35-1.2`; `before` is the text so far.
fn replace_version(rest: &str, before: &str) -> Option<Replaced> {
    let parts = if before.ends_with("QEMU ") {
        3
    } else if before.ends_with("pc-q35-") {
        2
    } else {
        return None;
    };
    let version = &rest[..rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len())];
    // A full stop at the end of a sentence is not part of the version.
    let version = version.trim_end_matches('.');
    (version.split('.').count() == parts).then_some(("{VERSION}", version.len()))
}

fn replace_port(rest: &str) -> Option<Replaced> {
    const HOST: &str = "127.0.0.1:";
    let digits = rest.strip_prefix(HOST)?.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 1).then_some(("127.0.0.1:{PORT}", HOST.len() + digits))
}

fn replace_time(rest: &str, before: &str) -> Option<Replaced> {
    const SHAPE: &str = "00:00:00.000";
    let time = rest.get(..SHAPE.len())?;
    let is_time = time.bytes().zip(SHAPE.bytes()).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        mark => byte == mark,
    });
    (is_time && !before.ends_with(|c: char| c.is_ascii_digit())).then_some(("{TIME}", SHAPE.len()))
}

#[test]
fn replaces_only_what_varies() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "QEMU 12.3.4 at {}/q.sock. QEMU 1.2.34 (QEMU 3 of 4), pc-q35-12.3-machine, 127.0.0.1:4444, 12:01:02.345 STOP\x1b\n",
        folder.path().display()
    );
    let normalised = "QEMU {VERSION} at {DIR}/q.sock. QEMU {VERSION} (QEMU 3 of 4), pc-q35-{VERSION}-machine, \
                      127.0.0.1:{PORT}, {TIME} STOP\\u{1b}\n";
    assert_eq!(normalise(&text), normalised);
}
