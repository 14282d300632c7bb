//! The history of entered lines, with one file for QMP and one for HMP.
//!
//! A file is only appended to, with one write per line, so that two shells can share it and a failed start does no
//! harm. An entry of several lines is stored on one line: `\` and a line end are written as `\\` and `\n`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::grammar::{Language, line_has_secret};
use crate::render::without_controls;

/// The maximum number of entries that are loaded from the file.
const MAX_LOADED_ENTRIES: usize = 10_000;

/// The maximum number of bytes that are read at the end of the file.
const MAX_LOADED_BYTES: u64 = 8 << 20;

/// The history of one language.
#[derive(Debug, Default)]
pub struct History {
    file: Option<PathBuf>,
    entries: Vec<String>,
}

/// Returns the folder of history files: `$XDG_STATE_HOME/qmp-shell`, by default `~/.local/state/qmp-shell`.
fn folder() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    // A relative path would create files in the current directory.
    let home = || std::env::home_dir().filter(|home| home.is_absolute());
    let state = state.or_else(|| home().map(|home| home.join(".local/state")))?;
    Some(state.join("qmp-shell"))
}

impl History {
    /// Loads the history of a language. Without a folder for the file, the history is empty and kept in memory only.
    pub fn load(language: Language) -> History {
        let name = match language {
            Language::Qmp => "history",
            Language::Hmp => "hmp_history",
        };
        let Some(file) = folder().map(|folder| folder.join(name)) else {
            return History::default();
        };
        let text = read_end(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let lines = lines[lines.len().saturating_sub(MAX_LOADED_ENTRIES)..].iter();
        // An entry with control characters was not typed, and could change the terminal.
        let entries = lines.map(|line| unescape(line)).filter(|entry| without_controls(entry) == *entry).collect();
        History { file: Some(file), entries }
    }

    /// Returns the entries, oldest first.
    pub fn entries(&self) -> &[String] {
        &self.entries
    }

    /// Adds a line. Unless it contains a secret or begins with a space, it is added to the file too.
    pub fn add(&mut self, line: &str) {
        self.add_entry(line, line_has_secret(line));
    }

    /// Adds a line that is kept in memory only.
    pub(crate) fn add_unsaved(&mut self, line: &str) {
        self.add_entry(line, true);
    }

    /// Adds the lines of a transaction block as one entry.
    pub fn add_block(&mut self, lines: &[String]) {
        self.add_entry(&lines.join("\n"), lines.iter().any(|line| line_has_secret(line)));
    }

    fn add_entry(&mut self, line: &str, has_secret: bool) {
        if line.trim().is_empty() || self.entries.last().is_some_and(|last| last == line) {
            return;
        }
        self.entries.push(line.to_owned());
        if line.starts_with([' ', '\t']) || has_secret {
            return;
        }
        if let Some(file) = &self.file {
            // If the file cannot be written, the history lasts as long as the session; that needs no message.
            let _ = append(file, line);
        }
    }
}

/// Reads the end of a file, beginning with a whole line. Rejects anything but a regular file, which might never end.
fn read_end(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = regular_file(path)?.map_or(0, |meta| meta.len());
    let mut file = File::open(path)?;
    if length > MAX_LOADED_BYTES {
        file.seek(SeekFrom::End(-i64::try_from(MAX_LOADED_BYTES).unwrap_or(i64::MAX)))?;
    }
    file.take(MAX_LOADED_BYTES).read_to_end(&mut bytes)?;
    if length > MAX_LOADED_BYTES {
        let end = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
        bytes.drain(..end);
    }
    Ok(bytes)
}

/// Returns the metadata of a regular file, `None` if there is no file, and an error for anything else.
fn regular_file(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => Ok(Some(meta)),
        Ok(_) => Err(io::Error::other("not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn append(file: &Path, line: &str) -> io::Result<()> {
    regular_file(file)?;
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    // Without the lock, a line that another session is writing would look cut off. Some file systems have no locks.
    let _ = file.lock();
    // A full disk may have cut off the last line.
    let separator = if ends_with_newline(&file)? { "" } else { "\n" };
    file.write_all(format!("{separator}{}\n", escape(line)).as_bytes())
}

fn ends_with_newline(file: &File) -> io::Result<bool> {
    let mut last = [b'\n'];
    if let Some(at) = file.metadata()?.len().checked_sub(1) {
        file.read_at(&mut last, at)?;
    }
    Ok(last == [b'\n'])
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
    fn stores_entries_of_several_lines() {
        for line in ["plain", "{\n  \"a\": \"x\\n\\\\\"\n}", "a \\\nb"] {
            assert!(!escape(line).contains('\n'));
            assert_eq!(unescape(&escape(line)), line);
        }
    }

    #[test]
    fn appends_after_a_cut_off_line() {
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
                // A line longer than a page takes long to write.
                scope.spawn(move || (0..300).for_each(|n| history.add(&format!("{n} {}", name.repeat(5000)))));
            }
        });
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 600);
        assert!(text.lines().all(|line| line.len() > 5000));
    }

    #[test]
    fn keeps_secrets_and_lines_with_a_leading_space_in_memory() {
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
