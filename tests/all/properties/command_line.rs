//! The command lines of servers and the kernel's tables of sockets: whatever another process wrote into them.

use qmp_shell::discovery::{
    MonitorSocket, parse_command_line, parse_tcp_sockets, parse_unix_sockets, parse_with_config,
};

/// The input is a command line, a configuration file, and a table.
pub fn check(data: &[u8]) {
    let line = parse_command_line(data);
    let arguments = data.split(|byte| *byte == 0).count();
    assert!(line.sockets.len() < arguments.max(1), "more monitors than options");
    assert!(line.config_files.len() < arguments.max(1), "more files than options");
    for socket in &line.sockets {
        match socket {
            MonitorSocket::Path(text) | MonitorSocket::Abstract(text) => assert!(text.len() <= data.len()),
            MonitorSocket::Tcp { port, .. } => assert!(*port > 0),
            MonitorSocket::Fd(_) => {}
        }
    }
    let with_config = parse_with_config(data, &[data.to_vec()]);
    assert!(with_config.sockets.len() >= line.sockets.len() || with_config.libvirt.is_some());
    let lines = data.split(|byte| *byte == b'\n').count();
    assert!(parse_unix_sockets(data).len() <= lines && parse_tcp_sockets(data).len() <= lines);
}
