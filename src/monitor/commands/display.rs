//! Displays: the servers of remote displays, their passwords, pictures of the screen.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{file_name, flag_with_text, integer, text};
use super::super::server::Failure;
use super::super::text::{is_true, items, plain, string};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "client_migrate_info",
        &[
            text("protocol"),
            text("hostname"),
            integer("port").optional(),
            integer("tls-port").optional(),
            text("cert-subject").optional(),
        ],
        "tell remote displays where the machine migrates to",
        client_migrate_info,
    ),
    Command::new(
        "expire_password",
        &[text("protocol"), text("time"), flag_with_text('d', "display")],
        "set when the password of a remote display expires",
        expire_password,
    ),
    Command::new("info spice", &[], "the SPICE server and its channels", info_spice),
    Command::new("info vnc", &[], "the VNC servers and their clients", info_vnc),
    Command::new(
        "screendump",
        &[file_name("filename"), flag_with_text('f', "format"), text("device").optional(), integer("head").optional()],
        "save the screen of a display to a file",
        screendump,
    ),
    Command::new(
        "set_password",
        &[text("protocol"), text("password"), flag_with_text('d', "display"), text("connected").optional()],
        "set the password of a remote display",
        set_password,
    ),
];

fn screendump(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let arguments = json!({
        "filename": call.arguments.text("filename"),
        "format": call.arguments.optional_text("format"),
        "device": call.arguments.optional_text("device"),
        "head": call.arguments.optional_integer("head"),
    });
    call.execute("screendump", arguments).map_err(Failure::with_reworded_value)
}

fn set_password(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let protocol = call.arguments.text("protocol");
    let arguments = json!({
        "protocol": protocol,
        "password": call.arguments.text("password"),
        "connected": call.arguments.optional_text("connected"),
        "display": display_of(call, protocol),
    });
    let is_vnc = protocol == "vnc";
    match call.execute("set_password", arguments) {
        Err(Failure::Error(error)) if is_vnc && error.desc == "Could not set password" => {
            Err(Failure::Text(password_hint(call)? + &Failure::Error(error).text()))
        }
        result => result.map_err(Failure::with_reworded_value),
    }
}

/// Returns the line that QEMU's own monitor prints if a VNC server takes no passwords.
fn password_hint(call: &mut Invocation<'_>) -> Result<String, Failure> {
    const HINT: &str = "If you want use passwords please enable password auth using '-vnc ${dpy},password'.\n";
    let display = call.arguments.optional_text("display").unwrap_or("default").to_owned();
    let servers = call.query("query-vnc-servers", Value::Null)?;
    let is_open = |server: &Value| string(server, "id") == display && string(server, "auth") == "none";
    Ok(if items(&servers).iter().any(is_open) { HINT.to_owned() } else { String::new() })
}

/// Returns the display that a line names, for the protocol that has several.
fn display_of<'a>(call: &'a Invocation<'_>, protocol: &str) -> Option<&'a str> {
    call.arguments.optional_text("display").filter(|_| protocol == "vnc")
}

fn expire_password(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let protocol = call.arguments.text("protocol");
    let time = call.arguments.text("time");
    let arguments = json!({ "protocol": protocol, "time": time, "display": display_of(call, protocol) });
    call.execute("expire_password", arguments).map_err(Failure::with_reworded_value)
}

fn client_migrate_info(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let arguments = json!({
        "protocol": call.arguments.text("protocol"),
        "hostname": call.arguments.text("hostname"),
        "port": call.arguments.optional_integer("port"),
        "tls-port": call.arguments.optional_integer("tls-port"),
        "cert-subject": call.arguments.optional_text("cert-subject"),
    });
    call.execute("client_migrate_info", arguments)
}

fn info_vnc(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-vnc-servers", Value::Null)?;
    if items(&reply).is_empty() {
        return Ok("None\n".to_owned());
    }
    Ok(items(&reply).iter().map(vnc_server).collect())
}

fn vnc_server(server: &Value) -> String {
    let mut text = format!("{}:\n", string(server, "id"));
    let sockets = items(&server["server"]);
    for socket in sockets {
        text.push_str(&format!("  Server: {}\n    {}\n", vnc_address(socket), authentication(socket)));
    }
    for client in items(&server["clients"]) {
        text.push_str(&format!("  Client: {}\n", vnc_address(client)));
        for key in ["x509_dname", "sasl_username"] {
            let value = client.get(key).and_then(Value::as_str).unwrap_or("none");
            text.push_str(&format!("    {key}: {value}\n"));
        }
    }
    if sockets.is_empty() {
        text.push_str(&format!("  {}\n", authentication(server)));
    }
    if server.get("display").is_some() {
        text.push_str(&format!("  Display: {}\n", plain(server, "display")));
    }
    text
}

/// Returns the address of a socket, as `HOST:SERVICE (FAMILY)`.
fn vnc_address(socket: &Value) -> String {
    let kind = if is_true(socket, "websocket") { " (Websocket)" } else { "" };
    format!("{}:{} ({}{kind})", plain(socket, "host"), plain(socket, "service"), plain(socket, "family"))
}

fn authentication(server: &Value) -> String {
    let sub = server.get("vencrypt").and_then(Value::as_str).unwrap_or("none");
    format!("Auth: {} (Sub: {sub})", plain(server, "auth"))
}

fn info_spice(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-spice", Value::Null)?;
    if !is_true(&reply, "enabled") {
        return Ok("Server: disabled\n".to_owned());
    }
    let mut text = "Server:\n".to_owned();
    for (key, suffix) in [("port", ""), ("tls-port", " [tls]")] {
        if reply.get(key).is_some() {
            text.push_str(&format!("     address: {}:{}{suffix}\n", plain(&reply, "host"), plain(&reply, key)));
        }
    }
    for (label, key) in [
        ("   migrated", "migrated"),
        ("       auth", "auth"),
        ("   compiled", "compiled-version"),
        (" mouse-mode", "mouse-mode"),
    ] {
        text.push_str(&format!(" {label}: {}\n", plain(&reply, key)));
    }
    let channels = items(&reply["channels"]);
    if channels.is_empty() {
        text.push_str("Channels: none\n");
    }
    for channel in channels {
        let tls = if is_true(channel, "tls") { " [tls]" } else { "" };
        text.push_str(&format!("Channel:\n     address: {}:{}{tls}\n", plain(channel, "host"), plain(channel, "port")));
        text.push_str(&format!("     session: {}\n", plain(channel, "connection-id")));
        let (kind, id) = (plain(channel, "channel-type"), plain(channel, "channel-id"));
        text.push_str(&format!("     channel: {kind}:{id}\n"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::super::super::scripted_server::ScriptedServer;

    #[test]
    fn a_vnc_server_has_sockets_and_clients() {
        let socket =
            json!({"host": "127.0.0.1", "service": "5978", "family": "ipv4", "websocket": true, "auth": "none"});
        let client = json!({"host": "::1", "service": "50086", "family": "ipv6", "sasl_username": "fred"});
        let servers = json!([{"id": "default", "auth": "none", "server": [socket], "clients": [client]}]);
        expect![[r#"
            default:
              Server: 127.0.0.1:5978 (ipv4 (Websocket))
                Auth: none (Sub: none)
              Client: ::1:50086 (ipv6)
                x509_dname: none
                sasl_username: fred
        "#]]
        .assert_eq(&ScriptedServer::default().reply("query-vnc-servers", servers).text("info vnc"));
    }

    #[test]
    fn a_spice_server_has_an_address_and_channels() {
        let server = json!({
            "enabled": true, "migrated": false, "auth": "none", "host": "127.0.0.1", "port": 5999,
            "compiled-version": "0.15.1", "mouse-mode": "server", "channels": [],
        });
        expect![[r#"
            Server:
                 address: 127.0.0.1:5999
                migrated: false
                    auth: none
                compiled: 0.15.1
              mouse-mode: server
            Channels: none
        "#]]
        .assert_eq(&ScriptedServer::default().reply("query-spice", server).text("info spice"));
    }
}
