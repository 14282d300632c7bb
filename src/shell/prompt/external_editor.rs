//! Editing a line in the user's editor.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::session::{OwnedFile, is_runnable};

/// The editors that are tried if neither `VISUAL` nor `EDITOR` is set.
const DEFAULT_EDITORS: [&str; 2] = ["vi", "nano"];

/// The maximum number of bytes that are read back.
const MAX_TEXT_BYTES: u64 = 16 << 20;

/// Runs the user's editor on `text`. Returns the text that it leaves, without the line end of its last line.
pub(super) fn edit_text(text: &str) -> Result<String, String> {
    let command = editor_command().ok_or("no editor is installed; set VISUAL or EDITOR")?;
    let failed = |reason: String| format!("the editor `{command}` failed: {reason}");
    let file = TemporaryFile::create(text).map_err(|error| format!("cannot write a file for the editor: {error}"))?;
    // As git does. Ctrl-C is for the editor; without the trap it would end the shell before it.
    let script = format!("trap : INT\n{command} \"$1\"");
    let status = Command::new("/bin/sh").args(["-c", &script, "sh"]).arg(&file.path).status();
    let status = status.map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        return Err(failed(status.to_string()));
    }
    let text = file.read().map_err(|error| format!("cannot read what the editor wrote: {error}"))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Returns `$VISUAL`, `$EDITOR`, or an editor that is installed.
fn editor_command() -> Option<String> {
    let set = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| std::env::var(name).ok());
    let installed = DEFAULT_EDITORS.into_iter().filter(|editor| is_runnable(editor)).map(str::to_owned);
    set.filter(|command| !command.trim().is_empty()).chain(installed).next()
}

/// A file that only the user can read, and that is removed after use, or before a signal ends the program: a line may contain
/// a secret.
struct TemporaryFile {
    path: PathBuf,
    _removed: OwnedFile,
}

impl TemporaryFile {
    fn create(text: &str) -> io::Result<TemporaryFile> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("qmp-shell-{}-{number}.qmp", std::process::id()));
            // Another user may have made a file, or a link, with this name.
            let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            let file_on_disk = TemporaryFile { _removed: OwnedFile::by_name(path.clone()), path };
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            return Ok(file_on_disk);
        }
    }

    fn read(&self) -> io::Result<String> {
        let mut text = String::new();
        File::open(&self.path)?.take(MAX_TEXT_BYTES).read_to_string(&mut text)?;
        Ok(text)
    }
}
