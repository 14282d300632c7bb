//! Connecting to a Unix socket on another machine with `ssh`.
//!
//! The program at the other end is `socat` or `nc`. It is started by a script, which is sent as the remote command and
//! says when the login is complete.

use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::connect::{Connected, is_runnable};
use super::error::ConnectError;
use super::opening::{Awaited, Opening};
use super::options::{CANCEL_POLL_INTERVAL, from_now};
use super::remote_address::SshAddress;
use super::server_process::{ProcessMessages, Stream, Supervised, start_supervised};
use super::socket::wait_readable;

/// The time for a login, in which a human may have to type. By default, an SSH server waits as long.
pub(super) const MAX_LOGIN_TIME: Duration = Duration::from_secs(120);

/// The number of bytes that start-up files of the remote shell may print.
const MAX_NOISE_BYTES: usize = 64 << 10;

/// The output of the script once the login is complete. Before it, start-up files may have printed text.
const CONNECTED: &[u8] = b"\nqmp-shell: connected\n";

/// The script's messages about what is missing.
const NO_SOCKET: &str = "qmp-shell: no socket";
const NO_PERMISSION: &str = "qmp-shell: no permission";
const NO_PROGRAM: &str = "qmp-shell: no program";

/// Starts `ssh`, and waits until it has logged in.
pub(super) fn connect_ssh(opening: &mut Opening<'_>, address: &SshAddress) -> Result<Connected, ConnectError> {
    let failed =
        |reason: String, is_transient| ConnectError::Gateway { address: opening.address.clone(), reason, is_transient };
    if !is_runnable("ssh") {
        return Err(failed("there is no program `ssh` in PATH".to_owned(), false));
    }
    let io_failed = |error: io::Error| failed(format!("cannot start `ssh`: {error}"), false);
    let (socket, ssh_socket) = UnixStream::pair().map_err(io_failed)?;
    let timeout = opening.options.timeout.as_secs().max(1);
    let started = start_supervised(Stream::Standard(ssh_socket.into()), |command| {
        command.args(["ssh", "-T", "-x", "-o", "ClearAllForwardings=yes", "-o"]);
        command.arg(format!("ConnectTimeout={timeout}"));
        if let Some(port) = address.port() {
            command.args(["-p", &port.to_string()]);
        }
        if let Some(user) = address.user() {
            command.args(["-l", user]);
        }
        command.args(["--", address.host(), &remote_command(address.path())]);
    });
    let Supervised { process, messages } = started.map_err(io_failed)?;
    let socket = OwnedFd::from(socket);
    opening.wait_for(Awaited::Login);
    wait_for_login(opening, &socket, &messages, address)?;
    for line in messages.take() {
        opening.tell(&if line.starts_with("ssh: ") { line } else { format!("ssh: {line}") });
    }
    opening.wait_for(Awaited::Connection);
    Ok(Connected { process: Some(process), messages: Some(messages), ..Connected::from(socket) })
}

/// Reads until the script says that the login is complete.
fn wait_for_login(
    opening: &mut Opening<'_>,
    socket: &OwnedFd,
    messages: &ProcessMessages,
    address: &SshAddress,
) -> Result<(), ConnectError> {
    let until = from_now(MAX_LOGIN_TIME);
    let mut received = Vec::new();
    while !received.ends_with(CONNECTED) {
        opening.poll()?;
        if Instant::now() >= until {
            let seconds = MAX_LOGIN_TIME.as_secs_f64();
            return Err(ConnectError::Timeout { address: opening.address.clone(), seconds });
        }
        let io_failed = |reason: io::Error| ConnectError::Io { address: opening.address.clone(), reason };
        if !wait_readable(&[socket.as_fd()], Some(from_now(CANCEL_POLL_INTERVAL))).map_err(io_failed)?[0] {
            continue;
        }
        // Byte by byte: what follows belongs to the server.
        let mut byte = [0];
        match rustix::io::read(socket, &mut byte) {
            Ok(0) | Err(Errno::CONNRESET) => return Err(explain_end(opening, messages, address)),
            Ok(_) => received.extend_from_slice(&byte),
            Err(Errno::INTR) => {}
            Err(error) => return Err(io_failed(error.into())),
        }
        if received.len() > MAX_NOISE_BYTES {
            return Err(ConnectError::NoHandshake(opening.address.clone()));
        }
    }
    Ok(())
}

/// Returns the error for an `ssh` that has exited before the login was complete.
fn explain_end(opening: &Opening<'_>, messages: &ProcessMessages, address: &SshAddress) -> ConnectError {
    let (host, path) = (address.host(), address.path());
    let (reason, is_transient) = match messages.last().as_deref() {
        Some(NO_SOCKET) => (format!("there is no socket at `{path}` on `{host}`"), true),
        Some(NO_PERMISSION) => (format!("no permission to use `{path}` on `{host}`"), false),
        Some(NO_PROGRAM) => (format!("`{host}` has neither `socat` nor an `nc` with the option -U"), false),
        Some(line) => (line.trim_end_matches('.').to_owned(), false),
        None => ("`ssh` has exited without a message".to_owned(), false),
    };
    ConnectError::Gateway { address: opening.address.clone(), reason, is_transient }
}

/// Returns the command for the remote shell, which may be any. The script is one word in single quotes, and has none
/// inside.
fn remote_command(path: &str) -> String {
    let printed = for_printf(path);
    let printed_for_socat = for_printf(&for_socat(path));
    let connected = "echo; echo \"qmp-shell: connected\"";
    format!(
        "sh -c 'p=$(printf \"{printed}\"); s=$(printf \"{printed_for_socat}\"); \
         [ -S \"$p\" ] || {{ echo \"{NO_SOCKET}\" >&2; exit 1; }}; \
         [ -w \"$p\" ] || {{ echo \"{NO_PERMISSION}\" >&2; exit 1; }}; \
         if command -v socat >/dev/null 2>&1; then {connected}; exec socat STDIO \"UNIX-CONNECT:$s\"; fi; \
         h=$(nc -h 2>&1); \
         case \"$h\" in *-N*hutdown*) {connected}; exec nc -N -U \"$p\";; *-U*) {connected}; exec nc -U \"$p\";; esac; \
         echo \"{NO_PROGRAM}\" >&2; exit 1'"
    )
}

/// Returns a format for `printf` that prints `text`, with all unusual bytes in octal.
fn for_printf(text: &str) -> String {
    let mut format = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'/' | b'.' | b'_' | b'-' => format.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => format.push(char::from(byte)),
            // Writing to a string cannot fail.
            byte => _ = write!(format, "\\{byte:03o}"),
        }
    }
    format
}

/// Returns a path as part of an address of `socat`, to which commas, colons, quotes and brackets have a meaning.
fn for_socat(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_ascii_punctuation() && !matches!(c, '/' | '.' | '_' | '-') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_remote_command_is_one_word_of_any_shell() {
        let command = remote_command("/run/it's $(touch /x) `a` \"b\" \\ é.sock");
        let inner = command.strip_prefix("sh -c '").unwrap().strip_suffix('\'').unwrap();
        assert!(!inner.contains(['\'', '\n']) && !inner.contains("touch /x") && !inner.contains("\\\\"), "{inner}");
    }

    #[test]
    fn printf_prints_the_path() {
        let path = "/run/100% 'x' \\n \"é\",a:b!{[(*.sock";
        let output = Command::new("printf").arg(for_printf(path)).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), path);
        assert_eq!(for_socat("/a,b:c.sock é"), "/a\\,b\\:c.sock é");
    }
}
