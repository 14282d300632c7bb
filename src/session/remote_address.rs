//! Addresses of servers that another program leads to: `ssh://…` and `libvirt:…`.

use std::fmt;
use std::str::FromStr;

use crate::wire::escape_unprintable;

use super::address::AddressError;

/// A Unix socket on another machine, reached with `ssh`: `ssh://[USER@]HOST[:PORT]/PATH`. The path is taken literally,
/// without percent-encoding.
///
/// ```
/// use qmp_shell::Address;
///
/// let address: Address = "ssh://root@kvm1:2222/run/vm.sock".parse()?;
/// let Address::Ssh(ssh) = &address else { unreachable!() };
/// assert_eq!((ssh.user(), ssh.host(), ssh.port(), ssh.path()), (Some("root"), "kvm1", Some(2222), "/run/vm.sock"));
/// # Ok::<(), qmp_shell::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SshAddress {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    path: String,
}

impl SshAddress {
    /// Returns the user to log in as, if it is not left to the configuration of `ssh`.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Returns the host's name or number, without brackets. It can be a name from the configuration of `ssh`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port of the SSH server, if it is not left to the configuration of `ssh`.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the absolute path of the socket on the host.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Parses what follows `ssh://`.
impl FromStr for SshAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let invalid = |reason: &str| AddressError::Ssh {
            address: escape_unprintable(&format!("ssh://{text}")),
            reason: reason.to_owned(),
        };
        let (authority, path) = match text.find('/') {
            Some(at) if text.len() > at + 1 => text.split_at(at),
            _ => return Err(invalid("missing the path of the socket after the host")),
        };
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            // Without the text, which contains the password.
            let reason = "a password cannot be part of it; `ssh` asks for it".to_owned();
            return Err(AddressError::Ssh { address: "ssh://…".to_owned(), reason });
        }
        let (host, port) = match host.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, ""))) => (host, None),
            Some(Some((host, rest))) => (host, Some(rest.strip_prefix(':').unwrap_or(""))),
            Some(None) => return Err(invalid("missing `]` after the host")),
            None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            Some(port) => {
                let number = port.parse::<u16>().ok().filter(|number| *number > 0);
                Some(number.ok_or_else(|| invalid(&format!("invalid port `{}`", escape_unprintable(port))))?)
            }
            None => None,
        };
        // `ssh` takes a word that begins with `-` for an option, and passes the host and the user to commands in its
        // configuration.
        let is_safe = |text: &str, others: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.chars().all(|c| c.is_alphanumeric() || others.contains(c))
        };
        if !is_safe(host, ".-_:%") {
            return Err(invalid(&format!("invalid host `{}`", escape_unprintable(host))));
        }
        if let Some(user) = user.filter(|user| !is_safe(user, ".-_@+=,\\")) {
            return Err(invalid(&format!("invalid user `{}`", escape_unprintable(user))));
        }
        if path.chars().any(char::is_control) {
            return Err(invalid("the path contains a control character"));
        }
        Ok(SshAddress { user: user.map(str::to_owned), host: host.to_owned(), port, path: path.to_owned() })
    }
}

impl fmt::Display for SshAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

/// A VM of libvirt, reached with its `virt-qemu-qmp-proxy`: `libvirt:DOMAIN` or `libvirt:DOMAIN?URI`.
///
/// ```
/// use qmp_shell::Address;
///
/// let address: Address = "libvirt:vm?qemu:///session".parse()?;
/// let Address::Libvirt(libvirt) = &address else { unreachable!() };
/// assert_eq!((libvirt.domain(), libvirt.uri()), ("vm", Some("qemu:///session")));
/// # Ok::<(), qmp_shell::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LibvirtAddress {
    domain: String,
    uri: Option<String>,
}

impl LibvirtAddress {
    /// Returns the VM's name, number or UUID.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Returns the URI of the connection to libvirt, if it is not left to libvirt's configuration.
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }
}

/// Parses what follows `libvirt:`. A name can contain a `?`: only one with a URI after it separates.
impl FromStr for LibvirtAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let separator = text.match_indices('?').map(|(at, _)| at).find(|at| begins_with_scheme(&text[at + 1..]));
        let (domain, uri) = match separator {
            Some(at) => (&text[..at], Some(text[at + 1..].to_owned())),
            None => (text, None),
        };
        let invalid = |reason: &str| AddressError::Libvirt {
            address: escape_unprintable(&format!("libvirt:{text}")),
            reason: reason.to_owned(),
        };
        if domain.is_empty() {
            return Err(invalid("missing the name of the domain"));
        }
        if text.chars().any(char::is_control) {
            return Err(invalid("it contains a control character"));
        }
        Ok(LibvirtAddress { domain: domain.to_owned(), uri })
    }
}

/// Returns whether text begins like a URI: `qemu:`, `qemu+ssh:`.
fn begins_with_scheme(text: &str) -> bool {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_scheme)
    })
}

impl fmt::Display for LibvirtAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.uri {
            Some(uri) => write!(f, "libvirt:{}?{uri}", self.domain),
            None => write!(f, "libvirt:{}", self.domain),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::session::Address;

    #[test]
    fn parses_and_shows_ssh_addresses() {
        for text in [
            "ssh://kvm1/run/vm.sock",
            "ssh://root@kvm1.example.org:2222/run/vm.sock",
            "ssh://[::1]:22/q",
            "ssh://u@corp@[fe80::1%eth0]/it's $(a) \"path\"?",
        ] {
            let address: Address = text.parse().unwrap();
            assert!(matches!(address, Address::Ssh(_)), "{text}");
            assert_eq!(address.to_string(), text);
            assert_eq!(address.to_os_string(), text);
        }
    }

    #[test]
    fn refuses_what_ssh_could_take_for_an_option_or_a_command() {
        for (text, reason) in [
            ("ssh://", "missing the path of the socket after the host"),
            ("ssh://host", "missing the path of the socket after the host"),
            ("ssh://host/", "missing the path of the socket after the host"),
            ("ssh:///q", "invalid host ``"),
            ("ssh://-oProxyCommand=x/q", "invalid host `-oProxyCommand=x`"),
            ("ssh://-l@h/q", "invalid user `-l`"),
            ("ssh://@h/q", "invalid user ``"),
            ("ssh://$(x)@h/q", "invalid user `$(x)`"),
            ("ssh://a`x`/q", "invalid host `a`x``"),
            ("ssh://h:x/q", "invalid port `x`"),
            ("ssh://h:/q", "invalid port ``"),
            ("ssh://[::1/q", "missing `]` after the host"),
            ("ssh://[::1]2/q", "invalid port ``"),
            ("ssh://h/a\nb", "the path contains a control character"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.ends_with(&format!(": {reason}")), "{text}: {error}");
        }
        let error = "ssh://me:hunter2@h/q".parse::<Address>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }

    #[test]
    fn parses_libvirt_addresses() {
        for (text, domain, uri) in [
            ("libvirt:vm", "vm", None),
            ("libvirt:vm?qemu:///session", "vm", Some("qemu:///session")),
            ("libvirt:-x", "-x", None),
            ("libvirt:a b?c d: e", "a b?c d: e", None),
            ("libvirt:what?", "what?", None),
            ("libvirt:what??qemu+unix:///session?socket=/s", "what?", Some("qemu+unix:///session?socket=/s")),
        ] {
            let address: Address = text.parse().unwrap();
            let Address::Libvirt(libvirt) = &address else { panic!("{text}") };
            assert_eq!((libvirt.domain(), libvirt.uri()), (domain, uri));
            assert_eq!(address.to_string(), text);
        }
        for text in ["libvirt:", "libvirt:?qemu:///system", "libvirt:a\u{1b}b"] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
