//! Finds and loads manual pages. The only file of this module that reads from the disk.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;

use super::Manual;

/// The folders that are searched unless `MANPATH` is set.
const DEFAULT_FOLDERS: &[&str] = &["/usr/local/share/man", "/usr/share/man"];

/// The maximum length of a page. The page of QEMU 10.0 has 0.8 MB.
const MAX_PAGE_BYTES: u64 = 64 << 20;

/// Returns the names of the pages that describe a server, best first.
pub fn page_names(guest_agent: bool, storage_daemon: bool) -> &'static [&'static str] {
    match (guest_agent, storage_daemon) {
        (true, _) => &["qemu-ga-ref"],
        (false, true) => &["qemu-storage-daemon-qmp-ref", "qemu-qmp-ref"],
        (false, false) => &["qemu-qmp-ref", "qemu-storage-daemon-qmp-ref"],
    }
}

/// Returns the folders in `manpath`, the value of `MANPATH`. An empty name in it stands for the default folders.
pub fn folders(manpath: Option<&OsStr>) -> Vec<PathBuf> {
    let defaults = || DEFAULT_FOLDERS.iter().map(PathBuf::from);
    let Some(manpath) = manpath.filter(|manpath| !manpath.is_empty()) else {
        return defaults().collect();
    };
    let mut found = Vec::new();
    for folder in std::env::split_paths(manpath) {
        if folder.as_os_str().is_empty() {
            found.extend(defaults());
        } else {
            found.push(folder);
        }
    }
    found
}

/// Loads the page `name` of section 7 from the first of `folders` that contains it, compressed or not. `None` if none
/// of them contains it.
///
/// # Errors
///
/// If the page exists but cannot be read.
pub fn load(name: &str, folders: &[PathBuf]) -> io::Result<Option<Manual>> {
    for folder in folders {
        for suffix in ["7.gz", "7"] {
            let file = match File::open(folder.join("man7").join(format!("{name}.{suffix}"))) {
                Ok(file) => file,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let mut bytes = Vec::new();
            if suffix.ends_with("gz") {
                MultiGzDecoder::new(file).take(MAX_PAGE_BYTES).read_to_end(&mut bytes)?;
            } else {
                file.take(MAX_PAGE_BYTES).read_to_end(&mut bytes)?;
            }
            return Ok(Some(Manual::parse(&String::from_utf8_lossy(&bytes))));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const PAGE: &[u8] = b".TH \"X\" 7 \"\" \"1.2\"\n.SS \\fBstop\\fP (Command)\ntext\n";

    #[test]
    fn loads_plain_and_compressed_pages() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().join("none"), folder.path().to_owned()];
        assert!(load("a", &folders).unwrap().is_none());
        std::fs::create_dir(folder.path().join("man7")).unwrap();
        std::fs::write(folder.path().join("man7/a.7"), PAGE).unwrap();
        let packed = File::create(folder.path().join("man7/b.7.gz")).unwrap();
        let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
        packed.write_all(PAGE).unwrap();
        packed.finish().unwrap();
        for name in ["a", "b"] {
            let manual = load(name, &folders).unwrap().unwrap();
            assert_eq!(manual.version(), Some("1.2"));
            assert!(manual.entry("stop").is_some());
        }
        std::fs::write(folder.path().join("man7/c.7.gz"), "not packed").unwrap();
        assert!(load("c", &folders).is_err());
    }

    #[test]
    fn manpath_names_the_folders() {
        let defaults: Vec<PathBuf> = DEFAULT_FOLDERS.iter().map(PathBuf::from).collect();
        assert_eq!(folders(None), defaults);
        assert_eq!(folders(Some(OsStr::new(""))), defaults);
        assert_eq!(folders(Some(OsStr::new("/a:/b"))), [PathBuf::from("/a"), PathBuf::from("/b")]);
        let mut first = vec![PathBuf::from("/a")];
        first.extend(defaults);
        assert_eq!(folders(Some(OsStr::new("/a:"))), first);
    }
}
