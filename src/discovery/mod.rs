//! The QEMUs and storage daemons that run on this machine, with their QMP sockets, from their command lines.
//!
//! Connects to none of them: whether a client holds a monitor is read from the kernel's tables of sockets. On systems
//! without Linux's `/proc`, no server is found.

mod command_line;
mod options;
mod processes;
mod socket_tables;

use std::os::unix::ffi::OsStrExt;

use serde::Serialize;

use crate::session::Address;

pub use command_line::{CommandLine, LibvirtConnection, MonitorSocket, parse_command_line, parse_with_config};
use processes::{Process, server_processes};
pub use socket_tables::{SocketState, parse_tcp_sockets, parse_unix_sockets};

/// The number of monitors that are looked at in one command line. Any process can call itself a server, and name thousands.
const MAX_MONITORS_OF_PROCESS: usize = 16;

/// The number of monitors that are looked at in all.
const MAX_MONITORS: usize = 2000;

/// A QMP monitor of a running server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningServer {
    pub address: Address,
    /// The name of the VM.
    pub name: Option<String>,
    /// The id of the server's process.
    pub process: u32,
    pub state: MonitorState,
}

/// Whether a client holds a monitor, which serves one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MonitorState {
    Free,
    Held,
    /// libvirt holds it and shares it with its clients.
    Shared,
    /// The server does not listen, or its sockets cannot be seen.
    Unknown,
}

impl MonitorState {
    pub fn name(self) -> &'static str {
        match self {
            MonitorState::Free => "free",
            MonitorState::Held => "held",
            MonitorState::Shared => "shared",
            MonitorState::Unknown => "unknown",
        }
    }
}

/// The sockets of one monitor in the kernel's tables.
#[derive(Debug, Clone, Copy, Default)]
struct SocketsSeen {
    is_connected: bool,
    /// The inode of the socket that listens. The later a socket was created, the greater it is.
    listening: Option<u64>,
}

impl SocketsSeen {
    fn from_sockets(sockets: impl Iterator<Item = (u64, SocketState)>) -> SocketsSeen {
        let mut seen = SocketsSeen::default();
        for (inode, state) in sockets {
            match state {
                SocketState::Connected => seen.is_connected = true,
                SocketState::Listening => seen.listening = seen.listening.max(Some(inode)),
                SocketState::Other => {}
            }
        }
        seen
    }

    fn state(self) -> MonitorState {
        match self {
            SocketsSeen { is_connected: true, .. } => MonitorState::Held,
            SocketsSeen { listening: Some(_), .. } => MonitorState::Free,
            SocketsSeen { .. } => MonitorState::Unknown,
        }
    }
}

/// Returns the monitors of all running servers that a client can connect to, by process id.
pub fn running_servers() -> Vec<RunningServer> {
    let mut servers: Vec<(RunningServer, Option<u64>)> = Vec::new();
    for (server, listening) in server_processes().iter().flat_map(monitors_of).take(MAX_MONITORS) {
        // A path leads to the socket that was bound to it last, even if another server still listens.
        let same = |other: &RunningServer| other.address == server.address && other.state != MonitorState::Shared;
        match servers.iter_mut().find(|(other, _)| same(other)) {
            Some((other, of_other)) if listening >= *of_other => (*other, *of_other) = (server, listening),
            Some(_) => {}
            None => servers.push((server, listening)),
        }
    }
    servers.into_iter().map(|(server, _)| server).collect()
}

/// Returns the monitors of a process, each with the inode of the socket that listens.
fn monitors_of(process: &Process) -> Vec<(RunningServer, Option<u64>)> {
    let mut line = parse_command_line(&process.command_line);
    if !line.config_files.is_empty() {
        let files: Vec<Vec<u8>> = line.config_files.iter().filter_map(|path| process.read_file(path)).collect();
        line = parse_with_config(&process.command_line, &files);
    }
    let server = |address, state| RunningServer { address, name: line.name.clone(), process: process.id, state };
    let mut servers = Vec::new();
    if let (Some(connection), Some(name)) = (line.libvirt, &line.name) {
        let uri = match connection {
            LibvirtConnection::System => "",
            LibvirtConnection::Session => "?qemu:///session",
        };
        let address = format!("libvirt:{name}{uri}").parse();
        servers.extend(address.map(|address| (server(address, MonitorState::Shared), None)));
    }
    servers.extend(line.sockets.iter().take(MAX_MONITORS_OF_PROCESS).filter_map(|socket| {
        let (address, seen) = resolve(process, socket)?;
        Some((server(address, seen.state()), seen.listening))
    }));
    servers
}

/// Returns the address of a monitor's socket, and what the kernel's tables have of it.
fn resolve(process: &Process, socket: &MonitorSocket) -> Option<(Address, SocketsSeen)> {
    let seen_at = |bound: &[u8]| {
        let sockets = process.unix_sockets().into_iter();
        let own = sockets.filter(|socket| socket.path == bound && process.may_have(socket.inode));
        SocketsSeen::from_sockets(own.map(|socket| (socket.inode, socket.state)))
    };
    Some(match socket {
        MonitorSocket::Path(path) => (Address::Unix(process.locate_socket(path)), seen_at(path)),
        MonitorSocket::Abstract(name) => {
            let address = Address::Abstract(String::from_utf8(name.clone()).ok()?);
            (address, seen_at(&[b"@", name.as_slice()].concat()))
        }
        MonitorSocket::Tcp { host, port } => {
            // A server that listens on all addresses listens on the loopback address, too.
            let host = match host.as_str() {
                "" | "0.0.0.0" => "localhost",
                "::" => "::1",
                host => host,
            };
            let sockets = process.tcp_sockets().into_iter();
            let own = sockets.filter(|socket| socket.local_port == *port && process.may_have(socket.inode));
            let seen = SocketsSeen::from_sockets(own.map(|socket| (socket.inode, socket.state)));
            (Address::Tcp { host: host.to_owned(), port: *port }, seen)
        }
        MonitorSocket::Fd(fd) => {
            let inode = process.socket_at(*fd)?;
            let path = process.unix_sockets().into_iter().find(|socket| socket.inode == inode)?.path;
            let address = match path.strip_prefix(b"@") {
                Some(name) => Address::Abstract(String::from_utf8(name.to_vec()).ok()?),
                None => Address::Unix(process.locate_socket(&path)),
            };
            (address, seen_at(&path))
        }
    })
}

/// Returns whether an address can be shown and typed as it is.
pub fn is_typable(address: &Address) -> bool {
    std::str::from_utf8(address.to_os_string().as_bytes()).is_ok_and(|text| !text.chars().any(char::is_control))
}
