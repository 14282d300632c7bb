//! An open file: the one value that its holder sees, and what is to become of it.

use std::sync::Arc;

use super::content;
use super::error::FsError;
use super::inodes::Node;

/// How long a property's text may become. None is near that, and QEMU takes its time over long ones.
const LONGEST: u64 = 64 << 10;

/// What a file is opened for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// To be read.
    pub read: bool,
    /// To be written.
    pub write: bool,
    /// Each write goes behind what is there.
    pub append: bool,
    /// What is there is dropped.
    pub truncate: bool,
}

/// An open file.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) node: Arc<Node>,
    pub(super) access: Access,
    /// What is in it; none as long as nobody asked.
    pub(super) content: Option<Vec<u8>>,
    change: Change,
}

/// A write of fewer bytes is a whole value, as programs write them: one that has more to say fills its buffer first.
const WHOLE: usize = 4096;

/// What the property was not told yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    /// The content was dropped. Whoever did that is most likely about to write: a shell drops the content, and closes
    /// one of two descriptors before its command has written anything. So it counts at the very end only.
    Emptied,
    Written,
}

impl Handle {
    pub(super) fn new(node: Arc<Node>, access: Access) -> Handle {
        let (content, change) =
            if access.truncate { (Some(Vec::new()), Change::Emptied) } else { (None, Change::None) };
        Handle { node, access, content, change }
    }

    /// A part of the content.
    pub(super) fn read(&self, offset: u64, len: usize) -> &[u8] {
        let content = self.content.as_deref().unwrap_or_default();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        &content[start..content.len().min(start.saturating_add(len))]
    }

    /// Puts bytes into the content. Returns whether it is a whole value by now, so that the property may be told at once.
    ///
    /// Who writes has to hear of a refusal in answer to the write: a shell does not look at what closing returns.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> Result<bool, FsError> {
        let content = self.content.get_or_insert_default();
        let start = if self.access.append { content.len() as u64 } else { offset };
        let end = start.saturating_add(data.len() as u64);
        if end > LONGEST {
            // What was written before is not the whole.
            self.change = Change::None;
            return Err(FsError::TooBig);
        }
        let (start, end) = (as_usize(start), as_usize(end));
        content.resize(content.len().max(end), 0);
        content[start..end].copy_from_slice(data);
        self.change = Change::Written;
        Ok(end == content.len() && (data.ends_with(b"\n") || data.len() < WHOLE))
    }

    /// Makes the content so long.
    pub(super) fn truncate(&mut self, size: u64) -> Result<(), FsError> {
        if size > LONGEST {
            return Err(FsError::TooBig);
        }
        let content = self.content.get_or_insert_default();
        if content.len() as u64 != size {
            content.resize(as_usize(size), 0);
            self.change = if size == 0 { Change::Emptied } else { Change::Written };
        }
        Ok(())
    }

    /// What is to be told the property, once: when a descriptor is closed, and at the very end.
    pub(super) fn take_change(&mut self, at_the_end: bool) -> Option<Result<String, FsError>> {
        if self.change == Change::None || self.change == Change::Emptied && !at_the_end {
            return None;
        }
        self.change = Change::None;
        let text = content::to_text(self.content.as_deref().unwrap_or_default());
        Some(text.map(str::to_owned).ok_or(FsError::Invalid))
    }
}

fn as_usize(size: u64) -> usize {
    usize::try_from(size).expect("a size that is within LONGEST")
}
