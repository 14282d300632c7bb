//! History: what was typed, one file for QMP and one for HMP.
//!
//! A file is only ever appended to, one write a line, so that two shells share it and a failed start harms nothing.
//! An entry of several lines is kept on one: `\` and line end are written `\\` and `\n`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::grammar::LineMode;
use crate::render::without_controls;
use crate::schema::secrets::line_has_secret;

/// How many entries are taken from the file.
const LOADED: usize = 10_000;

/// How many bytes at its end are looked at.
const READ: u64 = 8 << 20;

/// The history of one mode.
#[derive(Debug, Default)]
pub struct History {
    file: Option<PathBuf>,
    entries: Vec<String>,
}

/// Where history is kept: `$XDG_STATE_HOME/qmp-shell`, by default `~/.local/state/qmp-shell`.
fn folder() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    // Beginning where one happens to stand would leave files about.
    let home = || std::env::home_dir().filter(|home| home.is_absolute());
    let state = state.or_else(|| home().map(|home| home.join(".local/state")))?;
    Some(state.join("qmp-shell"))
}

impl History {
    /// The history of `mode` as its file has it; empty, and kept in memory only, where there is no place for a file.
    pub fn load(mode: LineMode) -> History {
        let name = match mode {
            LineMode::Qmp => "history",
            LineMode::Hmp => "hmp_history",
        };
        let Some(file) = folder().map(|folder| folder.join(name)) else {
            return History::default();
        };
        let text = read_end(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let lines = lines[lines.len().saturating_sub(LOADED)..].iter();
        // What nobody types, and would do something to a terminal, somebody else has put there.
        let entries = lines.map(|line| unescape(line)).filter(|entry| without_controls(entry) == *entry).collect();
        History { file: Some(file), entries }
    }

    /// Entries in order, the newest last.
    pub fn entries(&self) -> &[String] {
        &self.entries
    }

    /// Takes a line as entered: into memory, and into the file unless it carries a secret or begins with a blank.
    pub fn add(&mut self, line: &str) {
        self.keep(line, line_has_secret(line));
    }

    /// Takes the lines of a block as one entry.
    pub fn add_block(&mut self, lines: &[String]) {
        self.keep(&lines.join("\n"), lines.iter().any(|line| line_has_secret(line)));
    }

    fn keep(&mut self, line: &str, secret: bool) {
        if line.trim().is_empty() || self.entries.last().is_some_and(|last| last == line) {
            return;
        }
        self.entries.push(line.to_owned());
        if line.starts_with([' ', '\t']) || secret {
            return;
        }
        if let Some(file) = &self.file {
            // Without a place to write, history lasts as long as the session; that is no reason to trouble the user.
            let _ = append(file, line);
        }
    }
}

/// The end of a file, from the beginning of a line on. What is no file is not read: it might never end.
fn read_end(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = ordinary(path)?.map_or(0, |meta| meta.len());
    let mut file = File::open(path)?;
    if length > READ {
        file.seek(SeekFrom::End(-i64::try_from(READ).unwrap_or(i64::MAX)))?;
    }
    file.take(READ).read_to_end(&mut bytes)?;
    if length > READ {
        let end = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
        bytes.drain(..end);
    }
    Ok(bytes)
}

/// What the file system says of an ordinary file; `None` where there is nothing, an error where there is something else.
fn ordinary(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => Ok(Some(meta)),
        Ok(_) => Err(io::Error::other("no ordinary file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn append(file: &Path, line: &str) -> io::Result<()> {
    ordinary(file)?;
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    // Without the lock, a line that another session is just writing would look like a torn one. Some file systems have
    // no locks.
    let _ = file.lock();
    // A disk that was full may have torn the last line.
    let torn = if ends_torn(&file)? { "\n" } else { "" };
    file.write_all(format!("{torn}{}\n", escape(line)).as_bytes())
}

/// Whether the last line of a file has no end.
fn ends_torn(file: &File) -> io::Result<bool> {
    let mut last = [b'\n'];
    if let Some(at) = file.metadata()?.len().checked_sub(1) {
        file.read_at(&mut last, at)?;
    }
    Ok(last != [b'\n'])
}

fn escape(line: &str) -> String {
    line.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescape(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_several_lines_come_back() {
        for line in ["plain", "{\n  \"a\": \"x\\n\\\\\"\n}", "a \\\nb"] {
            assert!(!escape(line).contains('\n'));
            assert_eq!(unescape(&escape(line)), line);
        }
    }

    #[test]
    fn a_line_that_was_torn_stays_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history");
        fs::write(&file, "query-na").unwrap();
        let mut history = History { file: Some(file.clone()), entries: Vec::new() };
        history.add("stop");
        history.add("cont");
        assert_eq!(fs::read_to_string(&file).unwrap(), "query-na\nstop\ncont\n");
    }

    #[test]
    fn two_sessions_write_no_empty_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history");
        std::thread::scope(|scope| {
            for name in ["a", "b"] {
                let mut history = History { file: Some(file.clone()), entries: Vec::new() };
                // Lines of more than a page take longest to write.
                scope.spawn(move || (0..300).for_each(|n| history.add(&format!("{n} {}", name.repeat(5000)))));
            }
        });
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 600);
        assert!(text.lines().all(|line| line.len() > 5000));
    }

    #[test]
    fn secrets_and_lines_with_a_blank_stay_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/history");
        let mut history = History { file: Some(file.clone()), entries: Vec::new() };
        for line in ["query-status", " query-name", "set_password protocol=vnc password=hunter2", "stop", "stop"] {
            history.add(line);
        }
        history.add_block(
            &["transaction(", "drive-backup device=d target=nbd://u:hunter2@h/x sync=full", ")"].map(str::to_owned),
        );
        assert_eq!(history.entries().len(), 5);
        assert_eq!(fs::read_to_string(&file).unwrap(), "query-status\nstop\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
