//! The command line of a QEMU or a storage daemon, as the kernel shows it, to its QMP monitors.

use std::os::fd::RawFd;

use super::options::{Options, text};

/// The id that libvirt gives the character device of its monitor.
const LIBVIRT_CHARDEV: &str = "charmonitor";

/// The monitors of a server, by its command line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    /// The name of the VM.
    pub name: Option<String>,
    /// The connection of libvirt that the VM belongs to.
    pub libvirt: Option<LibvirtConnection>,
    /// The sockets on which it speaks QMP with a client that connects.
    pub sockets: Vec<MonitorSocket>,
    /// The paths of its configuration files, in order.
    pub config_files: Vec<Vec<u8>>,
}

/// A connection of libvirt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LibvirtConnection {
    System,
    Session,
}

/// A socket that a server listens on, as its command line has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MonitorSocket {
    /// The path can be relative to the directory in which the server was started.
    Path(Vec<u8>),
    Abstract(Vec<u8>),
    Tcp {
        host: String,
        port: u16,
    },
    /// A descriptor that the server inherited.
    Fd(RawFd),
}

/// The character devices and monitors of a command line, which come in any order.
#[derive(Debug, Default)]
struct Parts {
    name: Option<String>,
    chardevs: Vec<(String, Options)>,
    /// The ids of the character devices of QMP monitors.
    monitors: Vec<String>,
    /// Sockets that are named in the option of the monitor.
    sockets: Vec<MonitorSocket>,
    config_files: Vec<Vec<u8>>,
    is_libvirt_session: bool,
}

/// Returns whether `program`, a path or a name, is a QEMU or a storage daemon.
pub fn is_server(program: &[u8]) -> bool {
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.starts_with(b"qemu-system-")
        || name.starts_with(b"qemu-storage-daemon")
        || matches!(name, b"qemu-kvm" | b"kvm")
}

/// Parses a command line whose arguments each end with a NUL.
pub fn parse_command_line(bytes: &[u8]) -> CommandLine {
    parse_with_config(bytes, &[])
}

/// Parses a command line and the text of its configuration files.
pub fn parse_with_config(bytes: &[u8], config_files: &[Vec<u8>]) -> CommandLine {
    let mut parts = Parts::default();
    for file in config_files {
        parts.add_config_file(file);
    }
    let mut arguments = bytes.split(|byte| *byte == 0);
    let program = arguments.next().unwrap_or_default();
    let is_storage_daemon = text(program).contains("storage-daemon");
    while let Some(argument) = arguments.next() {
        let Some(option) = argument.strip_prefix(b"-") else { continue };
        let option = option.strip_prefix(b"-").unwrap_or(option);
        // The storage daemon also takes `--OPTION=ARGUMENT`.
        let (name, attached) = match option.iter().position(|byte| *byte == b'=') {
            Some(at) if is_storage_daemon => (&option[..at], Some(&option[at + 1..])),
            _ => (option, None),
        };
        let mut value = || attached.or_else(|| arguments.next()).unwrap_or_default();
        match name {
            b"name" => parts.name = Options::parse(value(), "guest").text("guest"),
            b"chardev" => parts.add_chardev(Options::parse(value(), "backend")),
            b"mon" => parts.add_monitor(&Options::parse(value(), "chardev"), "readline"),
            b"monitor" if is_storage_daemon => parts.add_monitor(&Options::parse(value(), "chardev"), "control"),
            b"qmp" | b"qmp-pretty" => parts.add_qmp(value()),
            b"readconfig" => parts.config_files.push(value().to_vec()),
            b"object" => {
                let file = Options::parse(value(), "qom-type").text("file").unwrap_or_default();
                parts.is_libvirt_session |= file.contains("/libvirt/qemu/") && !file.starts_with("/var/lib/libvirt/");
            }
            _ => {}
        }
    }
    parts.finish()
}

impl Parts {
    fn add_chardev(&mut self, options: Options) {
        if let Some(id) = options.text("id") {
            self.chardevs.push((id, options));
        }
    }

    fn add_monitor(&mut self, options: &Options, default_mode: &str) {
        let mode = options.text("mode").unwrap_or_else(|| default_mode.to_owned());
        if let Some(chardev) = options.text("chardev").filter(|_| mode == "control") {
            self.monitors.push(chardev);
        }
    }

    /// Adds the argument of `-qmp`: `unix:PATH,…`, `tcp:HOST:PORT,…` or `chardev:ID`.
    fn add_qmp(&mut self, argument: &[u8]) {
        let Some(at) = argument.iter().position(|byte| *byte == b':') else { return };
        let (kind, rest) = (&argument[..at], &argument[at + 1..]);
        match kind {
            b"chardev" => self.monitors.push(text(rest)),
            b"unix" => self.sockets.extend(listening_socket(&Options::parse(rest, "path"))),
            b"tcp" | b"telnet" => {
                let mut options = Options::parse(rest, "address");
                let address = options.text("address").unwrap_or_default();
                if let Some((host, port)) = address.rsplit_once(':') {
                    options.push("host", host.trim_start_matches('[').trim_end_matches(']'));
                    options.push("port", port);
                    self.sockets.extend(listening_socket(&options));
                }
            }
            _ => {}
        }
    }

    /// Adds the sections `[chardev "ID"]`, `[mon …]` and `[name]` of a configuration file.
    fn add_config_file(&mut self, file: &[u8]) {
        let mut section = (String::new(), Options::default());
        for line in text(file).lines().map(str::trim).chain(["[end]"]) {
            if let Some(heading) = line.strip_prefix('[') {
                let (kind, options) = std::mem::take(&mut section);
                match kind.as_str() {
                    "chardev" => self.add_chardev(options),
                    "mon" => self.add_monitor(&options, "readline"),
                    "name" => self.name = options.text("guest").or(self.name.take()),
                    _ => {}
                }
                let heading = heading.split(']').next().unwrap_or_default();
                let (kind, id) = heading.split_once(char::is_whitespace).unwrap_or((heading, ""));
                section.0 = kind.to_owned();
                if !id.is_empty() {
                    section.1.push("id", id.trim().trim_matches('"'));
                }
            } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                section.1.push(key.trim(), value.trim().trim_matches('"'));
            }
        }
    }

    fn finish(self) -> CommandLine {
        let mut line = CommandLine { name: self.name, sockets: self.sockets, ..CommandLine::default() };
        line.config_files = self.config_files;
        for monitor in &self.monitors {
            let chardev = self.chardevs.iter().rev().find(|(id, _)| id == monitor);
            let Some((_, options)) =
                chardev.filter(|(_, options)| options.text("backend").as_deref() == Some("socket"))
            else {
                continue;
            };
            let is_libvirt = monitor == LIBVIRT_CHARDEV && line.name.is_some();
            match is_libvirt {
                true if self.is_libvirt_session => line.libvirt = Some(LibvirtConnection::Session),
                true => line.libvirt = Some(LibvirtConnection::System),
                false => line.sockets.extend(listening_socket(options)),
            }
        }
        line
    }
}

/// Returns the socket that a client can connect to without TLS and WebSocket.
fn listening_socket(options: &Options) -> Option<MonitorSocket> {
    if !options.is_on("server") || options.is_on("websocket") || options.get("tls-creds").is_some() {
        return None;
    }
    if let Some(path) = options.get("path") {
        return match options.is_on("abstract") {
            true => Some(MonitorSocket::Abstract(path.to_vec())),
            false => Some(MonitorSocket::Path(path.to_vec())),
        };
    }
    if let Some(port) = options.text("port") {
        let port = port.parse().ok().filter(|port| *port > 0)?;
        return Some(MonitorSocket::Tcp { host: options.text("host").unwrap_or_default(), port });
    }
    options.text("fd")?.parse().ok().map(MonitorSocket::Fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> CommandLine {
        parse_command_line(words.join("\0").as_bytes())
    }

    fn path(path: &str) -> MonitorSocket {
        MonitorSocket::Path(path.as_bytes().to_vec())
    }

    #[test]
    fn finds_the_monitors_of_qemu() {
        let tcp = |host: &str, port| MonitorSocket::Tcp { host: host.to_owned(), port };
        for (words, expected) in [
            (&["-qmp", "unix:/a,,b.sock,server=on,wait=off"][..], vec![path("/a,b.sock")]),
            (&["--qmp-pretty", "unix:q.sock,server,nowait"], vec![path("q.sock")]),
            (&["-qmp", "unix:/a"], vec![]),
            (&["-qmp", "unix:/a,server=off"], vec![]),
            (&["-qmp", "stdio"], vec![]),
            (&["-qmp", "unix:n,abstract=on,server=on"], vec![MonitorSocket::Abstract(b"n".to_vec())]),
            (&["-qmp", "tcp:localhost:4444,server=on"], vec![tcp("localhost", 4444)]),
            (&["-qmp", "tcp:[::1]:4444,server"], vec![tcp("::1", 4444)]),
            (&["-qmp", "tcp::4444,server=on,tls-creds=t"], vec![]),
            (&["-mon", "chardev=c,mode=control", "-chardev", "socket,id=c,path=/c,server=on"], vec![path("/c")]),
            (&["-chardev", "socket,id=c,host=h,port=1,server=on", "-mon", "c,mode=control"], vec![tcp("h", 1)]),
            (&["-chardev", "socket,id=c,path=/c,server=on", "-qmp", "chardev:c"], vec![path("/c")]),
            (&["-chardev", "socket,id=c,path=/c,server=on", "-mon", "chardev=c"], vec![]),
            (&["-chardev", "socket,id=c,path=/c,server=on", "-mon", "chardev=c,mode=readline"], vec![]),
            (&["-chardev", "pty,id=c", "-mon", "chardev=c,mode=control"], vec![]),
            (&["-chardev", "socket,id=c,fd=3", "-mon", "chardev=c,mode=control"], vec![]),
            (&["-chardev", "socket,id=c,fd=3,server=on", "-mon", "c,mode=control"], vec![MonitorSocket::Fd(3)]),
            (&["-monitor", "unix:/hmp,server=on"], vec![]),
            (
                &[
                    "-chardev",
                    r#"{"id":"c","backend":{"type":"socket","data":{"addr":{"type":"unix","data":{"path":"/c"}}}}}"#,
                    "-mon",
                    "chardev=c,mode=control",
                ],
                vec![path("/c")],
            ),
        ] {
            let line = parse(&[&["/usr/bin/qemu-system-x86_64"], words].concat());
            assert_eq!(line.sockets, expected, "{words:?}");
        }
        assert_eq!(parse(&["kvm", "-name", "a,,b,process=x"]).name.as_deref(), Some("a,b"));
        assert_eq!(parse(&["kvm", "-name", "guest=vm,debug-threads=on"]).name.as_deref(), Some("vm"));
    }

    #[test]
    fn finds_the_monitors_of_a_storage_daemon() {
        for words in [
            &["--chardev", "socket,id=q,path=/q,server=on,wait=off", "--monitor", "chardev=q"][..],
            &["--chardev=socket,id=q,path=/q,server=on", "--monitor=q"],
            &["--chardev", "socket,id=q,path=/q,server=on", "--monitor", r#"{"chardev": "q", "mode": "control"}"#],
        ] {
            assert_eq!(parse(&[&["qemu-storage-daemon"], words].concat()).sockets, [path("/q")], "{words:?}");
        }
    }

    #[test]
    fn recognises_the_vms_of_libvirt() {
        let words = |file: &str| {
            let secret = format!(r#"{{"qom-type":"secret","id":"masterKey0","file":"{file}"}}"#);
            let chardev = "socket,id=charmonitor,fd=23,server=on,wait=off";
            let monitor = "chardev=charmonitor,id=monitor,mode=control";
            ["qemu", "-name", "guest=vm,debug-threads=on", "-object", &secret, "-chardev", chardev, "-mon", monitor]
                .join("\0")
        };
        for (file, expected) in [
            ("/var/lib/libvirt/qemu/domain-1-vm/master-key.aes", LibvirtConnection::System),
            ("/home/u/.config/libvirt/qemu/lib/domain-1-vm/master-key.aes", LibvirtConnection::Session),
        ] {
            let line = parse_command_line(words(file).as_bytes());
            assert_eq!((line.libvirt, line.sockets), (Some(expected), vec![]));
        }
    }

    #[test]
    fn reads_configuration_files() {
        let line = parse(&["kvm", "-readconfig", "vm.cfg"]);
        assert_eq!(line.config_files, [b"vm.cfg"]);
        let config = "# qemu config file\n[chardev \"q\"]\n  backend = \"socket\"\n  path = \"/q\"\n  server = \"on\"\n\n\
                      [mon \"m\"]\n  chardev = \"q\"\n  mode = \"control\"\n[name]\n  guest = \"vm\"\n";
        let line = parse_with_config(b"kvm\0-readconfig\0vm.cfg", &[config.as_bytes().to_vec()]);
        assert_eq!((line.sockets, line.name.as_deref()), (vec![path("/q")], Some("vm")));
    }

    #[test]
    fn knows_the_programs() {
        for program in ["/usr/bin/qemu-system-x86_64", "kvm", "/usr/libexec/qemu-kvm", "qemu-storage-daemon"] {
            assert!(is_server(program.as_bytes()), "{program}");
        }
        for program in ["", "qemu-ga", "bash", "/opt/kvm/x", "qemu-img"] {
            assert!(!is_server(program.as_bytes()), "{program}");
        }
    }
}
