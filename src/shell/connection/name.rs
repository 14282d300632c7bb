//! Names of servers: those that users write before an address, and those that are made from addresses.

use std::path::Path;

use crate::session::Address;

/// Returns whether a text can be the name of a server: letters, digits, `_`, `.` and `-`, not beginning with the latter two.
pub fn is_server_name(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    text.starts_with(|c: char| c.is_alphanumeric() || c == '_') && text.chars().all(is_part)
}

/// Splits `NAME=ADDRESS`. The name is `None` if there is none, as in the path of an existing file with a `=`.
pub fn split_name(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((name, address)) if is_server_name(name) && !Path::new(text).exists() => (Some(name), address),
        _ => (None, text),
    }
}

/// Returns a name for the server at `address` that is not among `taken`: the name of its file, host or domain, with a number
/// if another server has it.
pub(crate) fn name_of_address(address: Option<&Address>, taken: &[&str]) -> String {
    let stem_of = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let text = match address {
        Some(Address::Unix(path) | Address::Replay(path)) => stem_of(path),
        Some(Address::Ssh(address)) => stem_of(Path::new(address.path())),
        Some(Address::Libvirt(address)) => address.domain().to_owned(),
        Some(Address::Abstract(name)) => name.clone(),
        Some(Address::Tcp { host, .. }) => host.clone(),
        Some(Address::Fd(number)) => format!("fd{number}"),
        Some(address) => address.to_string().split(':').next().unwrap_or_default().to_owned(),
        None => "qemu".to_owned(),
    };
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let text: String = text.chars().map(|c| if is_part(c) { c } else { '_' }).collect();
    let base = match is_server_name(&text) {
        true => text,
        false => format!("_{text}"),
    };
    let numbered = (2..).map(|number| format!("{base}{number}"));
    std::iter::once(base.clone()).chain(numbered).find(|name| !taken.contains(&name.as_str())).unwrap_or(base)
}

/// Returns the names of several servers: those given, and others made from the addresses.
pub fn name_servers(given: &[(Option<&str>, &Address)]) -> Vec<String> {
    let mut taken: Vec<&str> = given.iter().filter_map(|(name, _)| *name).collect();
    let mut made: Vec<Option<String>> = Vec::new();
    for (name, address) in given {
        let others: Vec<&str> = taken.iter().copied().chain(made.iter().flatten().map(String::as_str)).collect();
        let new = name.is_none().then(|| name_of_address(Some(address), &others));
        made.push(new);
    }
    taken.reverse();
    made.into_iter().map(|name| name.unwrap_or_else(|| taken.pop().unwrap_or_default().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_name_from_an_address() {
        for (text, expected) in [
            ("dst=b.sock", (Some("dst"), "b.sock")),
            ("vm-1.a=host:1=2", (Some("vm-1.a"), "host:1=2")),
            ("b.sock", (None, "b.sock")),
            ("./a=b", (None, "./a=b")),
            ("exec:A=b c", (None, "exec:A=b c")),
            ("=b", (None, "=b")),
            ("-x=b", (None, "-x=b")),
            ("*=b", (None, "*=b")),
        ] {
            assert_eq!(split_name(text), expected);
        }
    }

    #[test]
    fn names_that_are_given_are_not_made_again() {
        let addresses: Vec<Address> =
            ["a.sock", "x/a.sock", "b.sock", "c.sock"].map(|text| text.parse().unwrap()).into();
        let given =
            [(None, &addresses[0]), (None, &addresses[1]), (Some("a"), &addresses[2]), (Some("d"), &addresses[3])];
        assert_eq!(name_servers(&given), ["a2", "a3", "a", "d"]);
    }

    #[test]
    fn names_servers_by_their_addresses() {
        for (address, taken, expected) in [
            ("/run/a.sock", &[][..], "a"),
            ("/run/a.sock", &["a"], "a2"),
            ("other/a.sock", &["a2", "a"], "a3"),
            ("unix:@vm one", &[], "vm_one"),
            ("host.example:1", &[], "host.example"),
            ("[::1]:1", &[], "__1"),
            ("replay:x.log", &[], "x"),
            ("fd:3", &[], "fd3"),
            ("demo:", &["demo"], "demo2"),
            ("exec:ssh a b", &[], "exec"),
            ("ssh://user@host/run/a.sock", &[], "a"),
            ("libvirt:web?qemu:///system", &["web"], "web2"),
        ] {
            assert_eq!(name_of_address(Some(&address.parse().unwrap()), taken), expected, "{address}");
        }
        assert_eq!(name_of_address(None, &[]), "qemu");
    }
}
