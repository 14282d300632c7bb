//! The server of a share: whatever it sends, each client gets valid messages, and one reply to each request at most.

use qmp_shell::share::{Access, Simulation};
use qmp_shell::wire::Message;

use super::assertions;

/// The input is the messages of the server, one a line. Before each, a client sends a request.
pub fn check(data: &[u8]) {
    let mut share = Simulation::new();
    let clients = [Access::Full, Access::ReadOnly].map(|access| share.connect(access));
    for client in &clients {
        share.send(*client, b"{\"execute\": \"qmp_capabilities\"}");
    }
    let mut heard = vec![Vec::new(); clients.len()];
    let mut asked = 0;
    for message in data.split(|byte| *byte == b'\n') {
        for client in &clients {
            let request = format!("{{\"execute\": \"query-name\", \"id\": \"mine-{asked}\"}}\n");
            share.send(*client, request.as_bytes());
        }
        asked += 1;
        share.take_outgoing();
        share.server_says(message.trim_ascii());
        for (client, heard) in clients.iter().zip(&mut heard) {
            heard.extend(share.take_output(*client));
        }
    }
    for heard in &heard {
        let text = assertions::text(heard).expect("messages are UTF-8");
        assert!(text.ends_with("}\r\n"));
        for line in text.lines() {
            assert!(Message::parse(line.into()).is_ok(), "a client gets `{line}`");
        }
        for number in 0..asked {
            let id = format!("\"id\": \"mine-{number}\"}}\r\n");
            assert!(text.matches(&id).count() <= 1, "two replies to one request");
        }
    }
}
