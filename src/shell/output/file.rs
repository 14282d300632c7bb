//! The file of `> FILE` and `>> FILE`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// A file that takes replies. It is opened before the command is sent, and its content is replaced when a reply comes: a
/// command that fails leaves it as it was.
#[derive(Debug)]
pub(crate) struct ReplyFile {
    path: PathBuf,
    file: BufWriter<File>,
    appends: bool,
    /// Whether the file did not exist before.
    is_new: bool,
    is_written: bool,
}

impl ReplyFile {
    /// Opens a file, or creates it.
    pub(crate) fn open(path: PathBuf, appends: bool) -> io::Result<ReplyFile> {
        let is_new = fs::symlink_metadata(&path).is_err();
        let mut options = OpenOptions::new();
        options.write(true).create(true).append(appends);
        // A named pipe without a reader must not keep the shell waiting.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
        let file = options.custom_flags(flags).open(&path)?;
        fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
        Ok(ReplyFile { path, file: BufWriter::new(file), appends, is_new, is_written: false })
    }

    /// Returns the file to write to, emptied at first unless it is appended to.
    pub(crate) fn writer(&mut self) -> io::Result<&mut impl Write> {
        if !std::mem::replace(&mut self.is_written, true) && !self.appends {
            let file = self.file.get_ref();
            if file.metadata()?.is_file() {
                file.set_len(0)?;
            }
        }
        Ok(&mut self.file)
    }
}

impl Drop for ReplyFile {
    fn drop(&mut self) {
        if self.is_new && !self.is_written {
            // Nothing was lost if it cannot be removed.
            let _ = fs::remove_file(&self.path);
        }
    }
}
