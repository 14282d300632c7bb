//! Which servers are meant: addresses and patterns from the flags and the environment.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::session::Address;
use crate::shell::matches_glob_exactly;

use crate::cli::exit_status::{Failure, Status};

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// What its lines are led by.
    pub(super) name: String,
    pub(super) address: Address,
}

/// All servers that were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Servers {
    pub(super) all: Vec<Server>,
    /// There may be several: what comes from one says from which.
    pub(super) several: bool,
}

/// The servers that `--path` names, or else the environment.
pub(super) fn servers(paths: &[OsString]) -> Result<Servers, Failure> {
    let mut servers = Servers { all: Vec::new(), several: paths.len() > 1 };
    let mut seen = HashSet::new();
    let named: Vec<(&str, OsString)> = match paths {
        [] => from_environment().into_iter().collect(),
        paths => paths.iter().map(|path| ("--path", path.clone())).collect(),
    };
    for (origin, text) in named {
        let addresses = if is_pattern(&text) {
            servers.several = true;
            sockets(&text).map_err(|error| Failure::new(Status::NotConnected, anyhow!("{origin}: {error}")))?
        } else {
            vec![Address::from_os(&text).map_err(|error| Failure::new(Status::Usage, anyhow!("{origin}: {error}")))?]
        };
        for address in addresses {
            let name = address.to_string();
            // A monitor serves one client at a time; what makes a new one each time is no such.
            let shared = !matches!(address, Address::Demo | Address::Exec(_));
            if !shared || seen.insert(address.clone()) {
                servers.all.push(Server { name, address });
            }
        }
    }
    Ok(servers)
}

/// The variable that names servers, and its text; set to nothing, it names none.
fn from_environment() -> Option<(&'static str, OsString)> {
    let set = |name| Some((name, std::env::var_os(name).filter(|text| !text.is_empty())?));
    set("QMP_PATH").or_else(|| set("QMP_SOCKET"))
}

/// The path in a text that may begin with `unix:`.
fn path_in(text: &OsStr) -> &OsStr {
    text.as_bytes().strip_prefix(b"unix:").map_or(text, OsStr::from_bytes)
}

/// Whether there is a star or a question mark.
fn has_wildcard(text: &OsStr) -> bool {
    memchr::memchr2(b'*', b'?', text.as_bytes()).is_some()
}

/// Whether a text is a pattern of paths: no other form of an address, nor the name of something that is there.
fn is_pattern(text: &OsStr) -> bool {
    const SCHEMES: &[&str] = &["tcp:", "fd:", "exec:", "unix:@"];
    let path = path_in(text);
    has_wildcard(path)
        && !SCHEMES.iter().any(|scheme| text.as_bytes().starts_with(scheme.as_bytes()))
        && !Path::new(path).exists()
}

/// The sockets that fit a pattern, in order.
fn sockets(pattern: &OsStr) -> Result<Vec<Address>, String> {
    let path = path_in(pattern).as_bytes();
    let mut found = vec![PathBuf::from(if path.starts_with(b"/") { "/" } else { "" })];
    let mut trouble = None;
    for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(OsStr::from_bytes) {
        let mut next = Vec::new();
        for folder in found {
            if !has_wildcard(part) {
                next.push(folder.join(part));
                continue;
            }
            match names_in(&folder, part) {
                Ok(names) => next.extend(names.into_iter().map(|name| folder.join(name))),
                Err(error) => {
                    // Of files among the folders, and of what has gone meanwhile, there is nothing to say.
                    let beside_the_point = [io::ErrorKind::NotADirectory, io::ErrorKind::NotFound];
                    if !beside_the_point.contains(&error.kind()) {
                        trouble.get_or_insert(format!(" (cannot read `{}`: {error})", folder.display()));
                    }
                }
            }
        }
        found = next;
    }
    found.retain(|path| std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_socket()));
    found.sort();
    match found.is_empty() {
        true => Err(format!("no socket fits `{}`{}", pattern.display(), trouble.unwrap_or_default())),
        false => Ok(found.into_iter().map(Address::Unix).collect()),
    }
}

/// The names in a folder that fit. As in the shell, those that begin with a dot are meant only by a pattern that does.
fn names_in(folder: &Path, pattern: &OsStr) -> io::Result<Vec<OsString>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(folder)?.flatten().map(|entry| entry.file_name());
    let pattern = text_for_matching(pattern);
    let fits = |name: &OsString| {
        let name = text_for_matching(name);
        (!name.starts_with('.') || pattern.starts_with('.')) && matches_glob_exactly(&pattern, &name)
    };
    Ok(entries.filter(fits).collect())
}

/// A name as text, in which a character for private use stands for each byte that is not UTF-8: it fits itself alone.
fn text_for_matching(name: &OsStr) -> String {
    const PRIVATE: u32 = 0x10_FF00;
    let mut text = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(PRIVATE + u32::from(*byte))));
    }
    text
}

/// Makes room for so many connections at a time, as far as the system lets us.
pub(super) fn raise_fd_limit(connections: usize) {
    /// What a program has open besides.
    const BESIDES: u64 = 64;
    let needed = connections as u64 + BESIDES;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
        // Where it fails, connecting will say so.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn patterns_find_sockets_and_nothing_else() {
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
            let lead = format!("{}/", folder.path().display());
            let names = |all: Vec<Server>| all.into_iter().map(|server| server.name.replace(&lead, "")).collect();
            servers(&[at(pattern).into()]).map_or_else(
                |failure| vec![failure.error.to_string()],
                |servers| {
                    assert!(servers.several);
                    names(servers.all)
                },
            )
        };
        assert_eq!(found("*.sock"), ["a.sock", "b.sock"]);
        assert_eq!(found("?.sock"), ["a.sock", "b.sock"]);
        assert_eq!(found(".*.sock"), [".hidden.sock"]);
        assert_eq!(found("*/q"), ["two/q"]);
        assert_eq!(found("*/*/q"), ["one/deep/q"]);
        assert_eq!(found("*.socket"), [format!("--path: no socket fits `{}`", at("*.socket"))]);
        let both = servers(
            &[at("a.sock"), at("*.sock"), at("a.sock"), "demo:".to_owned(), "demo:".to_owned()].map(OsString::from),
        )
        .unwrap();
        assert_eq!(both.all.len(), 4, "each monitor once, and two machines of our own");
        assert!(!servers(&[at("a.sock").into()]).unwrap().several);
    }

    #[test]
    fn paths_and_patterns_may_be_in_any_encoding() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
        let _sockets = [&b"v\xfem"[..], b"v\xffm", b"vm"].map(|name| UnixDatagram::bind(at(name)).unwrap());
        let found = |paths: &[&[u8]]| -> Vec<Address> {
            let paths: Vec<OsString> = paths.iter().map(|path| at(path).into_os_string()).collect();
            servers(&paths).unwrap().all.into_iter().map(|server| server.address).collect()
        };
        let unix = |name: &[u8]| Address::Unix(at(name));
        assert_eq!(found(&[b"v\xffm", b"v\xfem"]), [unix(b"v\xffm"), unix(b"v\xfem")], "they only look alike");
        assert_eq!(found(&[b"v?m"]), [unix(b"v\xfem"), unix(b"v\xffm")]);
        assert_eq!(found(&[b"*\xff*"]), [unix(b"v\xffm")]);
    }

    #[test]
    fn other_addresses_are_no_patterns() {
        for text in ["exec:cat *", "tcp:h?:1", "unix:@vm*", "demo:", "[::1]:4"] {
            assert!(!is_pattern(OsStr::new(text)), "{text}");
        }
        for text in ["unix:/run/*.sock", "vm?"] {
            assert!(is_pattern(OsStr::new(text)), "{text}");
        }
    }
}
