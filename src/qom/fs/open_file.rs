//! An open file: the content that its holder sees, and whether it still has to be written to the property.

use std::sync::Arc;

use super::content;
use super::error::FsError;
use super::inodes::FsNode;

/// The maximum length of a property's text. Real ones are far shorter, and QEMU is slow with long ones.
const MAX_CONTENT_BYTES: usize = 64 << 10;

/// The size of the buffer in programs that write. A shorter write is a whole value, because a program that has more to
/// write fills its buffer first.
const WRITER_BUFFER_BYTES: usize = 4096;

/// The purpose for which a file is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenMode {
    pub read: bool,
    pub write: bool,
    pub append: bool,
    pub truncate: bool,
}

#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) node: Arc<FsNode>,
    pub(super) mode: OpenMode,
    /// `None` until the value is read.
    pub(super) content: Option<Vec<u8>>,
    change: Change,
}

/// A change of the content that the property has not been set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    /// Takes effect only when the last descriptor is closed: a shell that redirects to the file truncates it and closes
    /// one of two descriptors before its command has written anything.
    Truncated,
    Written,
}

impl OpenFile {
    pub(super) fn new(node: Arc<FsNode>, mode: OpenMode) -> OpenFile {
        let (content, change) =
            if mode.truncate { (Some(Vec::new()), Change::Truncated) } else { (None, Change::None) };
        OpenFile { node, mode, content, change }
    }

    /// Returns at most `len` bytes of the content.
    pub(super) fn read(&self, offset: u64, len: usize) -> &[u8] {
        let content = self.content.as_deref().unwrap_or_default();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        &content[start..content.len().min(start.saturating_add(len))]
    }

    /// Writes to the content. Returns whether the value seems complete, so that the property should be set at once: a
    /// refusal must fail the write, because a shell ignores errors when it closes a file.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> Result<bool, FsError> {
        let content = self.content.get_or_insert_default();
        let start = if self.mode.append { content.len() as u64 } else { offset };
        let end = start.saturating_add(data.len() as u64);
        let (Ok(start), Ok(end)) = (content_size(start), content_size(end)) else {
            // The earlier writes alone are not the whole value.
            self.change = Change::None;
            return Err(FsError::TooLarge);
        };
        content.resize(content.len().max(end), 0);
        content[start..end].copy_from_slice(data);
        self.change = Change::Written;
        Ok(end == content.len() && (data.ends_with(b"\n") || data.len() < WRITER_BUFFER_BYTES))
    }

    /// Shortens the content, or extends it with zero bytes.
    pub(super) fn truncate(&mut self, size: u64) -> Result<(), FsError> {
        let size = content_size(size)?;
        let content = self.content.get_or_insert_default();
        if content.len() != size {
            content.resize(size, 0);
            self.change = if size == 0 { Change::Truncated } else { Change::Written };
        }
        Ok(())
    }

    /// Takes the text that the property must be set to, if any. `is_release` says that the last descriptor is closed.
    pub(super) fn take_change(&mut self, is_release: bool) -> Option<Result<String, FsError>> {
        if self.change == Change::None || self.change == Change::Truncated && !is_release {
            return None;
        }
        self.change = Change::None;
        let text = content::from_content(self.content.as_deref().unwrap_or_default());
        Some(text.map(str::to_owned).ok_or(FsError::InvalidValue))
    }
}

fn content_size(size: u64) -> Result<usize, FsError> {
    usize::try_from(size).ok().filter(|size| *size <= MAX_CONTENT_BYTES).ok_or(FsError::TooLarge)
}
