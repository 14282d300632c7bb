//! The servers to query: addresses and patterns from `--path` or the environment.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::cli::args::environment_variable;
use crate::cli::exit_status::{Failure, Status};
use crate::session::Address;
use crate::shell::matches_glob_exactly;

/// The number of file descriptors that the program may need besides those that are open and those of its connections:
/// for folders, name resolution and the log.
const SPARE_DESCRIPTORS: u64 = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// Its name in output that concerns several servers.
    pub(super) name: String,
    pub(super) address: Address,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Servers {
    pub(super) servers: Vec<Server>,
    /// Whether there can be several servers, so that output must name its server.
    pub(super) has_several: bool,
}

/// Returns the servers in `paths`, the values of `--path`, or else in the environment.
pub(super) fn find_servers(paths: &[OsString]) -> Result<Servers, Failure> {
    let mut found = Servers { servers: Vec::new(), has_several: paths.len() > 1 };
    let mut seen = HashSet::new();
    let named: Vec<(&str, OsString)> = match paths {
        [] => from_environment().into_iter().collect(),
        paths => paths.iter().map(|path| ("--path", path.clone())).collect(),
    };
    for (origin, text) in named {
        let failure = |status, message: String| Failure::with_message(status, format!("{origin}: {message}"));
        let addresses = if is_pattern(&text) {
            found.has_several = true;
            find_sockets(&text).map_err(|message| failure(Status::NotConnected, message))?
        } else {
            vec![Address::from_os_str(&text).map_err(|error| failure(Status::UsageError, error.to_string()))?]
        };
        for address in addresses {
            // A monitor serves one client at a time, but these addresses start a new server each time.
            let makes_server = matches!(address, Address::Demo | Address::Replay(_) | Address::Exec(_));
            if makes_server || seen.insert(address.clone()) {
                found.servers.push(Server { name: address.to_string(), address });
            }
        }
    }
    Ok(found)
}

/// Returns the variable that names servers, and its value.
fn from_environment() -> Option<(&'static str, OsString)> {
    ["QMP_PATH", "QMP_SOCKET"].into_iter().find_map(|name| Some((name, environment_variable(name)?)))
}

/// Returns the path in an address that can begin with `unix:`.
fn path_of(address: &OsStr) -> &OsStr {
    address.as_bytes().strip_prefix(b"unix:").map_or(address, OsStr::from_bytes)
}

fn has_wildcard(text: &OsStr) -> bool {
    memchr::memchr2(b'*', b'?', text.as_bytes()).is_some()
}

/// Returns whether an address is a pattern of paths: not another form of address, and not the path of an existing file.
fn is_pattern(address: &OsStr) -> bool {
    const OTHER_FORMS: &[&[u8]] = &[b"tcp:", b"fd:", b"exec:", b"ssh:", b"libvirt:", b"unix:@"];
    let path = path_of(address);
    has_wildcard(path)
        && !OTHER_FORMS.iter().any(|prefix| address.as_bytes().starts_with(prefix))
        && !Path::new(path).exists()
}

/// Returns the sockets that match a pattern, sorted.
fn find_sockets(pattern: &OsStr) -> Result<Vec<Address>, String> {
    let path = path_of(pattern).as_bytes();
    let mut found = vec![PathBuf::from(if path.starts_with(b"/") { "/" } else { "" })];
    let mut unreadable = None;
    for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(OsStr::from_bytes) {
        let mut next = Vec::new();
        for directory in found {
            if !has_wildcard(part) {
                next.push(directory.join(part));
                continue;
            }
            match matching_names(&directory, part) {
                Ok(names) => next.extend(names.into_iter().map(|name| directory.join(name))),
                // Other files can match, and directories can be removed in the meantime.
                Err(error) if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::NotFound) => {}
                Err(error) => {
                    unreadable.get_or_insert(format!(" (cannot read `{}`: {error})", directory.display()));
                }
            }
        }
        found = next;
    }
    found.retain(|path| std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()));
    found.sort();
    match found.is_empty() {
        true => Err(format!("no socket matches `{}`{}", pattern.display(), unreadable.unwrap_or_default())),
        false => Ok(found.into_iter().map(Address::Unix).collect()),
    }
}

/// Returns the names in a directory that match. As in a system shell, a name with a leading dot needs a pattern with
/// one.
fn matching_names(directory: &Path, pattern: &OsStr) -> io::Result<Vec<OsString>> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let names = std::fs::read_dir(directory)?.flatten().map(|entry| entry.file_name());
    let pattern = text_for_matching(pattern);
    let matches = |name: &OsString| {
        let name = text_for_matching(name);
        (!name.starts_with('.') || pattern.starts_with('.')) && matches_glob_exactly(&pattern, &name)
    };
    Ok(names.filter(matches).collect())
}

/// Returns a name as text, with a private-use character in the place of each byte that is not UTF-8. Each matches only
/// itself and wildcards.
fn text_for_matching(name: &OsStr) -> String {
    const FIRST_CHARACTER: u32 = 0x10_FF00;
    let mut text = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(FIRST_CHARACTER + u32::from(*byte))));
    }
    text
}

/// Raises the limit on open file descriptors for `wanted` further ones, as far as the system permits. Returns how many
/// of them may be open at a time.
pub(super) fn reserve_descriptors(wanted: usize) -> usize {
    let used = count_open_descriptors() + SPARE_DESCRIPTORS;
    let needed = used + wanted as u64;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
        // If this fails, the old limit holds.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    let room = getrlimit(Resource::Nofile).current.map(|current| current.saturating_sub(used));
    room.and_then(|room| usize::try_from(room).ok()).map_or(wanted, |room| room.min(wanted))
}

/// Returns the number of open file descriptors. Where the system does not tell, only the standard streams are counted.
fn count_open_descriptors() -> u64 {
    std::fs::read_dir("/dev/fd").map_or(3, |entries| entries.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn patterns_match_only_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::create_dir_all(at("one/deep")).unwrap();
        std::fs::create_dir_all(at("two")).unwrap();
        let _sockets: Vec<UnixDatagram> = ["b.sock", "a.sock", ".hidden.sock", "A.SOCK", "one/deep/q", "two/q"]
            .iter()
            .map(|name| UnixDatagram::bind(at(name)).unwrap())
            .collect();
        std::fs::write(at("c.sock"), "").unwrap();
        let found = |pattern: &str| -> Vec<String> {
            let prefix = format!("{}/", folder.path().display());
            match find_servers(&[at(pattern).into()]) {
                Ok(Servers { servers, has_several: true }) => {
                    servers.into_iter().map(|server| server.name.replace(&prefix, "")).collect()
                }
                Ok(other) => panic!("{other:?}"),
                Err(failure) => vec![failure.message()],
            }
        };
        assert_eq!(found("*.sock"), ["a.sock", "b.sock"]);
        assert_eq!(found("?.sock"), ["a.sock", "b.sock"]);
        assert_eq!(found(".*.sock"), [".hidden.sock"]);
        assert_eq!(found("*/q"), ["two/q"]);
        assert_eq!(found("*/*/q"), ["one/deep/q"]);
        assert_eq!(found("*.socket"), [format!("--path: no socket matches `{}`", at("*.socket"))]);
        let both = find_servers(
            &[at("a.sock"), at("*.sock"), at("a.sock"), "demo:".to_owned(), "demo:".to_owned()].map(OsString::from),
        )
        .unwrap();
        assert_eq!(both.servers.len(), 4, "each monitor once, and two demo machines");
        assert!(!find_servers(&[at("a.sock").into()]).unwrap().has_several);
    }

    #[test]
    fn paths_and_patterns_can_have_any_encoding() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
        let _sockets = [&b"v\xfem"[..], b"v\xffm", b"vm"].map(|name| UnixDatagram::bind(at(name)).unwrap());
        let found = |paths: &[&[u8]]| -> Vec<Address> {
            let paths: Vec<OsString> = paths.iter().map(|path| at(path).into_os_string()).collect();
            find_servers(&paths).unwrap().servers.into_iter().map(|server| server.address).collect()
        };
        let unix = |name: &[u8]| Address::Unix(at(name));
        assert_eq!(found(&[b"v\xffm", b"v\xfem"]), [unix(b"v\xffm"), unix(b"v\xfem")], "they are different sockets");
        assert_eq!(found(&[b"v?m"]), [unix(b"v\xfem"), unix(b"v\xffm")]);
        assert_eq!(found(&[b"*\xff*"]), [unix(b"v\xffm")]);
    }

    #[test]
    fn other_addresses_are_not_patterns() {
        for text in ["exec:cat *", "tcp:h?:1", "unix:@vm*", "demo:", "[::1]:4", "ssh://h/*", "libvirt:a?qemu:///b"] {
            assert!(!is_pattern(OsStr::new(text)), "{text}");
        }
        for text in ["unix:/run/*.sock", "vm?"] {
            assert!(is_pattern(OsStr::new(text)), "{text}");
        }
    }
}
