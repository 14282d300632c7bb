//! Addresses of sockets as QEMU's own monitor takes them.

use serde_json::{Map, Value, json};

use super::server::Failure;

/// The flags of an address of a host, which are `on` unless they have a value.
const FLAGS: [&str; 3] = ["ipv4", "ipv6", "keep-alive"];

/// Parses `HOST:PORT`, `unix:PATH`, `fd:NAME` or `vsock:CID:PORT`. Returns a `SocketAddressLegacy`.
pub(super) fn parse_socket_address(text: &str) -> Result<Value, Failure> {
    let (kind, data) = if let Some(path) = text.strip_prefix("unix:") {
        let path = Some(path).filter(|path| !path.is_empty());
        ("unix", json!({ "path": path.ok_or_else(|| Failure::error("invalid Unix socket address"))? }))
    } else if let Some(name) = text.strip_prefix("fd:") {
        let name = Some(name).filter(|name| !name.is_empty());
        ("fd", json!({ "str": name.ok_or_else(|| Failure::error("invalid file descriptor address"))? }))
    } else if let Some(vsock) = text.strip_prefix("vsock:") {
        let (cid, port) = vsock.split_once(':').ok_or_else(|| invalid_address(vsock))?;
        ("vsock", json!({ "cid": cid, "port": port }))
    } else {
        ("inet", parse_inet_address(text.strip_prefix("tcp:").unwrap_or(text))?)
    };
    Ok(json!({ "type": kind, "data": data }))
}

/// Parses `HOST:PORT,OPTION…`. A host with colons is in brackets; no host is any address.
fn parse_inet_address(text: &str) -> Result<Value, Failure> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(bracketed) => {
            bracketed.split_once("]:").ok_or_else(|| Failure::error(format!("error parsing IPv6 address '{text}'")))?
        }
        None => text.split_once(':').ok_or_else(|| invalid_address(text))?,
    };
    let (port, options) = rest.split_once(',').unwrap_or((rest, ""));
    if port.is_empty() {
        return Err(invalid_address(text));
    }
    let mut address = Map::from_iter([("host".to_owned(), host.into()), ("port".to_owned(), port.into())]);
    for option in options.split(',') {
        let (name, value) = option.split_once('=').unwrap_or((option, "on"));
        // Others are ignored.
        if name == "to" {
            let last: u16 = value.parse().map_err(|_| Failure::error("error parsing to= argument"))?;
            address.insert(name.to_owned(), last.into());
        } else if FLAGS.contains(&name) {
            address.insert(name.to_owned(), parse_flag(name, value)?.into());
        }
    }
    Ok(Value::Object(address))
}

fn parse_flag(name: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Failure::error(format!("error parsing '{name}' flag '={value}'"))),
    }
}

fn invalid_address(text: &str) -> Failure {
    Failure::error(format!("error parsing address '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_address_is_parsed() {
        for (text, address) in [
            ("unix:/x,y", json!({"type": "unix", "data": {"path": "/x,y"}})),
            ("fd:a", json!({"type": "fd", "data": {"str": "a"}})),
            ("vsock:1:2", json!({"type": "vsock", "data": {"cid": "1", "port": "2"}})),
            (":10809", json!({"type": "inet", "data": {"host": "", "port": "10809"}})),
            ("[::1]:1", json!({"type": "inet", "data": {"host": "::1", "port": "1"}})),
            (
                "a:1,to=9,ipv4,ipv6=off,x=y",
                json!({"type": "inet", "data": {"host": "a", "port": "1", "to": 9, "ipv4": true, "ipv6": false}}),
            ),
        ] {
            assert_eq!(parse_socket_address(text), Ok(address), "{text}");
        }
    }

    #[test]
    fn an_invalid_address_is_reported_in_qemus_words() {
        for (text, message) in [
            ("nosuch", "error parsing address 'nosuch'"),
            ("host:", "error parsing address 'host:'"),
            ("[::1]", "error parsing IPv6 address '[::1]'"),
            ("unix:", "invalid Unix socket address"),
            ("vsock:1", "error parsing address '1'"),
            ("a:1,ipv4=maybe", "error parsing 'ipv4' flag '=maybe'"),
        ] {
            assert_eq!(parse_socket_address(text), Err(Failure::error(message)));
        }
    }
}
