//! Addresses of servers, in the forms that users write.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::wire::{MASK, command_line_has_secret};

use super::remote_address::{LibvirtAddress, SshAddress};

/// The address of a server, in one of these forms: `PATH`, `unix:PATH`, `unix:@NAME`, `HOST:PORT`, `[V6]:PORT`,
/// `tcp:HOST:PORT`, `fd:N`, `ssh://[USER@]HOST[:PORT]/PATH`, `libvirt:DOMAIN`, `libvirt:DOMAIN?URI`, `exec:COMMAND`,
/// `replay:FILE` or `demo:`. A word that contains a `/` or names an existing socket is a
/// path, even if it contains a colon. As text, a command that contains a secret is shown as its first word.
///
/// ```
/// use qmp_shell::Address;
///
/// assert_eq!("/run/vm.sock".parse(), Ok(Address::Unix("/run/vm.sock".into())));
/// assert_eq!("[::1]:4444".parse(), Ok(Address::Tcp { host: "::1".to_owned(), port: 4444 }));
/// assert_eq!("exec:ssh host socat - UNIX:/vm.sock".parse(), Ok(Address::Exec("ssh host socat - UNIX:/vm.sock".into())));
/// assert_eq!("localhost:x".parse::<Address>().unwrap_err().to_string().split(';').next(), Some("invalid port `x` in address `localhost:x`"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A Unix socket in the file system.
    Unix(PathBuf),
    /// A Unix socket in the abstract namespace, its name without the leading NUL.
    Abstract(String),
    /// A TCP port.
    Tcp {
        /// The host's name or number, without brackets.
        host: String,
        /// The port number.
        port: u16,
    },
    /// The file descriptor, 3 or higher, of a stream socket that this process inherited. It is duplicated, never
    /// closed.
    Fd(RawFd),
    /// A command whose standard input and output are the stream. It is split into words as a shell does, and ends with
    /// the connection.
    Exec(String),
    /// A Unix socket on another machine.
    Ssh(SshAddress),
    /// A VM of libvirt. It gets one request at a time.
    Libvirt(LibvirtAddress),
    /// The server of a message log, which answers as it did when the log was written. The path of the log, perhaps with `#`
    /// and the name of a server or the number of a connection in it.
    Replay(PathBuf),
    /// The demo machine inside the program.
    Demo,
}

/// The error for text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is empty.
    #[error("the address is empty")]
    Empty,
    /// `HOST:PORT` with a port that is not a number from 1 to 65535.
    #[error("invalid port `{port}` in address `{address}`; for a path with a colon write `unix:{address}`")]
    Port {
        /// The whole text.
        address: String,
        /// The part that should be a port.
        port: String,
    },
    /// `fd:` without the number of a file descriptor.
    #[error("invalid file descriptor `{0}` in address `fd:{0}`")]
    Fd(String),
    /// `exec:` with a redirection, a pipe or another operator of a shell in its command, which no shell runs.
    #[error("`{0}` in an `exec:` address needs a shell; write `exec:sh -c '…'`")]
    ShellOperator(String),
    /// `ssh://` with something that is not `[USER@]HOST[:PORT]/PATH` after it.
    #[error("invalid address `{address}`: {reason}")]
    Ssh {
        /// The whole text, unless it contains a password.
        address: String,
        /// The reason.
        reason: String,
    },
    /// `libvirt:` without the name of a domain.
    #[error("invalid address `{address}`: {reason}")]
    Libvirt {
        /// The whole text.
        address: String,
        /// The reason.
        reason: String,
    },
    /// A scheme without anything after it.
    #[error("missing value after the colon in address `{0}`")]
    Incomplete(String),
}

/// Parses the text after a scheme.
type Parser = fn(&str) -> Result<Address, AddressError>;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let schemes: [(&str, Parser); 7] = [
            ("unix:", |rest| {
                Ok(match rest.strip_prefix('@') {
                    Some(name) => Address::Abstract(name.to_owned()),
                    None => Address::Unix(PathBuf::from(rest)),
                })
            }),
            ("tcp:", parse_tcp),
            ("fd:", |rest| match rest.parse::<RawFd>() {
                Ok(fd) if fd >= 0 => Ok(Address::Fd(fd)),
                _ => Err(AddressError::Fd(rest.to_owned())),
            }),
            ("exec:", parse_exec),
            ("ssh://", |rest| rest.parse().map(Address::Ssh)),
            ("libvirt:", |rest| rest.parse().map(Address::Libvirt)),
            ("replay:", |rest| Ok(Address::Replay(PathBuf::from(rest)))),
        ];
        for (scheme, parse) in schemes {
            if let Some(rest) = text.strip_prefix(scheme) {
                if scheme != "ssh://" && rest.trim().is_empty() || rest == "@" {
                    return Err(AddressError::Incomplete(text.to_owned()));
                }
                return parse(rest);
            }
        }
        if text == "demo:" || text == "demo" && !Path::new(text).exists() {
            return Ok(Address::Demo);
        }
        if text.contains('/') || !text.contains(':') || names_a_socket(text) {
            return Ok(Address::Unix(PathBuf::from(text)));
        }
        parse_tcp(text)
    }
}

impl Address {
    /// Parses an address that may not be UTF-8. If it is not UTF-8, it is a path, with or without `unix:` before it.
    pub fn from_os_str(text: &OsStr) -> Result<Self, AddressError> {
        match text.to_str() {
            Some(text) => text.parse(),
            None => {
                let bytes = text.as_bytes();
                Ok(Address::Unix(PathBuf::from(OsStr::from_bytes(bytes.strip_prefix(b"unix:").unwrap_or(bytes)))))
            }
        }
    }

    /// Returns the address as text for another program. A path keeps its bytes.
    pub fn to_os_string(&self) -> OsString {
        match self {
            Address::Unix(path) => path.as_os_str().to_owned(),
            Address::Exec(command) => format!("exec:{command}").into(),
            address => address.to_string().into(),
        }
    }
}

fn names_a_socket(text: &str) -> bool {
    std::fs::metadata(text).is_ok_and(|meta| meta.file_type().is_socket())
}

fn parse_exec(command: &str) -> Result<Address, AddressError> {
    let mut words = raw_words(command.trim());
    // `ssh` joins its arguments, for the shell at the other end.
    let reaches_a_shell = words.next().is_some_and(|program| program.rsplit('/').next() == Some("ssh"));
    match raw_words(command).find(|word| is_shell_operator(word)).filter(|_| !reaches_a_shell) {
        Some(operator) => Err(AddressError::ShellOperator(operator.to_owned())),
        None => Ok(Address::Exec(command.trim().to_owned())),
    }
}

/// Splits a command into its words, with their quotes.
fn raw_words(command: &str) -> impl Iterator<Item = &str> {
    let mut open_quote = None;
    let mut is_escaped = false;
    let words = command.split(move |c: char| {
        if std::mem::take(&mut is_escaped) {
            return false;
        }
        match (open_quote, c) {
            (None | Some('"'), '\\') => is_escaped = true,
            (None, '\'' | '"') => open_quote = Some(c),
            (Some(quote), _) if quote == c => open_quote = None,
            (None, _) => return c.is_ascii_whitespace(),
            _ => {}
        }
        false
    });
    words.filter(|word| !word.is_empty())
}

/// Returns whether a shell takes a word for an operator, or for a word with one at its end: `&`, `2>/dev/null`, `(cat;`.
fn is_shell_operator(word: &str) -> bool {
    let after_descriptor = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let ends_command = word.strip_suffix(['&', ';', '|']).is_some_and(|before| !before.ends_with('\\'));
    after_descriptor.starts_with(['<', '>']) || word.starts_with(['&', '|', ';', '(', '`']) || ends_command
}

fn parse_tcp(text: &str) -> Result<Address, AddressError> {
    let bad_port = |port: &str| AddressError::Port { address: text.to_owned(), port: port.to_owned() };
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some(parts) => parts,
        None => text.rsplit_once(':').ok_or_else(|| bad_port(""))?,
    };
    let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| bad_port(port))?;
    let host = if host.is_empty() { "localhost" } else { host };
    Ok(Address::Tcp { host: host.to_owned(), port })
}

/// Returns a command as messages show it: one that contains a secret is cut off after its first word.
pub(super) fn without_secrets(command: &str) -> Cow<'_, str> {
    match command_line_has_secret(command) {
        true => Cow::Owned(format!("{} {MASK}", command.split_whitespace().next().unwrap_or_default())),
        false => Cow::Borrowed(command),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "{}", path.display()),
            Address::Abstract(name) => write!(f, "unix:@{name}"),
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Fd(fd) => write!(f, "fd:{fd}"),
            Address::Exec(command) => write!(f, "exec:{}", without_secrets(command)),
            Address::Ssh(address) => address.fmt(f),
            Address::Libvirt(address) => address.fmt(f),
            Address::Replay(path) => write!(f, "replay:{}", path.display()),
            Address::Demo => write!(f, "demo:"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_every_form() {
        let tcp = |host: &str, port| Address::Tcp { host: host.to_owned(), port };
        for (text, expected) in [
            ("/tmp/q.sock", Address::Unix("/tmp/q.sock".into())),
            ("q.sock", Address::Unix("q.sock".into())),
            ("./a:1", Address::Unix("./a:1".into())),
            ("unix:a:b", Address::Unix("a:b".into())),
            ("unix:@vm", Address::Abstract("vm".to_owned())),
            ("localhost:4444", tcp("localhost", 4444)),
            (":4444", tcp("localhost", 4444)),
            ("[::1]:4444", tcp("::1", 4444)),
            ("tcp:[fe80::1%eth0]:1", tcp("fe80::1%eth0", 1)),
            ("tcp:h:1", tcp("h", 1)),
            ("fd:3", Address::Fd(3)),
            ("exec:ssh h socat - UNIX:/q", Address::Exec("ssh h socat - UNIX:/q".to_owned())),
            ("replay:a/b.log#dst", Address::Replay("a/b.log#dst".into())),
            ("demo:", Address::Demo),
        ] {
            assert_eq!(text.parse::<Address>(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn explains_an_invalid_address() {
        for (text, message) in [
            ("", "the address is empty"),
            ("h:x", "invalid port `x` in address `h:x`; for a path with a colon write `unix:h:x`"),
            ("h:70000", "invalid port `70000` in address `h:70000`; for a path with a colon write `unix:h:70000`"),
            ("fd:x", "invalid file descriptor `x` in address `fd:x`"),
            ("unix:", "missing value after the colon in address `unix:`"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_command_with_a_secret_is_shown_as_its_first_word() {
        let address: Address = "exec:sshpass -p hunter2 ssh h".parse().unwrap();
        assert_eq!(address.to_string(), "exec:sshpass <secret>");
        assert_eq!(format!("{address:?}"), "Address(exec:sshpass <secret>)");
        assert_eq!(address.to_os_string(), "exec:sshpass -p hunter2 ssh h");
    }

    #[test]
    fn refuses_the_operators_of_a_shell_in_a_command() {
        for (command, operator) in [
            ("cat q.out & cat > q.in", "&"),
            ("cat q.out| cat", "out|"),
            ("cat <q.in", "<q.in"),
            ("nc h 1 2>/dev/null", "2>/dev/null"),
            ("cd /run; cat", "/run;"),
            ("a && b", "&&"),
            ("(a)", "(a)"),
            ("a `b`", "`b`"),
        ] {
            let error = format!("exec:{command}").parse::<Address>().unwrap_err().to_string();
            assert!(error.starts_with('`') && error.ends_with("needs a shell; write `exec:sh -c '…'`"), "{error}");
            assert!(error.contains(operator), "{command}: {error}");
        }
        for command in [
            "sh -c 'cat q.out & cat > q.in'",
            r#"sh -c "cat q.out & cat > \"q in\"""#,
            r"a \& \> \; b\;",
            "websocat ws://h/?a=1&b=2;c",
            "ssh h socat - UNIX:/q 2>/dev/null",
            "/usr/bin/ssh h cat < /q",
            "a 5 -> b=>c",
        ] {
            assert_eq!(format!("exec:{command}").parse(), Ok(Address::Exec(command.to_owned())));
        }
    }

    #[test]
    fn an_existing_socket_is_a_path_despite_a_colon() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host:1");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(names_a_socket(path.to_str().unwrap()));
    }
}
