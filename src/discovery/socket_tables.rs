//! The kernel's tables of sockets, `/proc/net/unix` and `/proc/net/tcp`.

/// A Unix socket with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSocket {
    pub inode: u64,
    pub state: SocketState,
    /// The path that it was bound to. An abstract name begins with `@`.
    pub path: Vec<u8>,
}

/// A TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpSocket {
    pub inode: u64,
    pub state: SocketState,
    pub local_port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketState {
    Listening,
    Connected,
    Other,
}

/// Parses `/proc/net/unix`. Sockets that are not accepted yet have no inode and are left out.
pub fn parse_unix_sockets(table: &[u8]) -> Vec<UnixSocket> {
    table.split(|byte| *byte == b'\n').filter_map(parse_unix_socket).collect()
}

fn parse_unix_socket(line: &[u8]) -> Option<UnixSocket> {
    /// The number of columns before the path, which can contain spaces.
    const COLUMNS: usize = 7;
    let mut columns = Vec::with_capacity(COLUMNS);
    let mut rest = line;
    for _ in 0..COLUMNS {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(|byte| *byte == b' ')?;
        columns.push(&rest[..end]);
        rest = &rest[end..];
    }
    let inode = std::str::from_utf8(columns[6]).ok()?.parse().ok().filter(|inode| *inode != 0)?;
    let state = match (columns[3], columns[5]) {
        (b"00010000", _) => SocketState::Listening,
        (_, b"03") => SocketState::Connected,
        _ => SocketState::Other,
    };
    Some(UnixSocket { inode, state, path: rest[1..].to_vec() })
}

/// Parses `/proc/net/tcp` or `/proc/net/tcp6`.
pub fn parse_tcp_sockets(table: &[u8]) -> Vec<TcpSocket> {
    let lines = table.split(|byte| *byte == b'\n').skip(1);
    lines.filter_map(|line| parse_tcp_socket(&String::from_utf8_lossy(line))).collect()
}

fn parse_tcp_socket(line: &str) -> Option<TcpSocket> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (_, port) = columns.get(1)?.rsplit_once(':')?;
    let state = match *columns.get(3)? {
        "0A" => SocketState::Listening,
        "01" => SocketState::Connected,
        _ => SocketState::Other,
    };
    let inode = columns.get(9)?.parse().ok()?;
    Some(TcpSocket { inode, state, local_port: u16::from_str_radix(port, 16).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_table_of_unix_sockets() {
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            00000000236a37ab: 00000002 00000000 00010000 0001 01 320 /run/a b.sock\n\
            00000000236a37ac: 00000003 00000000 00000000 0001 03   321 q.sock\n\
            00000000236a37ad: 00000003 00000000 00000000 0001 03     0 q.sock\n\
            00000000236a37ae: 00000003 00000000 00000000 0001 03 322\n\
            00000000236a37af: 00000002 00000000 00010000 0001 01 323 @n\xff\nnoise";
        let sockets = parse_unix_sockets(table);
        let seen: Vec<_> = sockets.iter().map(|s| (s.inode, s.state, s.path.as_slice())).collect();
        assert_eq!(
            seen,
            [
                (320, SocketState::Listening, &b"/run/a b.sock"[..]),
                (321, SocketState::Connected, b"q.sock"),
                (323, SocketState::Listening, b"@n\xff"),
            ]
        );
    }

    #[test]
    fn parses_the_table_of_tcp_sockets() {
        let table =
            b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:08FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 32030457 1\n   \
            1: 0100007F:08FB 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 7 1\nnoise";
        let socket = |inode, state| TcpSocket { inode, state, local_port: 2299 };
        let expected = [socket(32030457, SocketState::Listening), socket(7, SocketState::Connected)];
        assert_eq!(parse_tcp_sockets(table), expected);
    }
}
