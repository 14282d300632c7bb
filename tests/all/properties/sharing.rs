//! Shares: whatever one client sends, another is served, only valid requests reach the server, and each message to a client
//! is valid.

use std::collections::{BTreeMap, BTreeSet};

use qmp_shell::schema::qmp_command_only_asks;
use qmp_shell::share::{Access, Simulation};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

const NEGOTIATE: &[u8] = b"{\"execute\": \"qmp_capabilities\"}";

/// The id of the witness's request.
const WITNESS: &str = "witness";

/// The first two bytes select the access of the client, whether it negotiates by itself, and the cuts; the rest is the
/// stream that it sends.
pub fn check(data: &[u8]) {
    let [choice, seed, stream @ ..] = data else { return };
    let access = if choice & 1 == 0 { Access::Full } else { Access::ReadOnly };
    let stream = if choice & 2 == 0 { [NEGOTIATE, stream].concat() } else { stream.to_vec() };
    let whole = serve(access, &[&stream]);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*seed % 7) + 1).collect();
    let cut = serve(access, &pieces);
    assert_eq!(sorted(&whole), sorted(&cut), "other cuts give other replies");
}

/// Returns the lines in an order that does not depend on which out-of-band reply overtakes which in-band one.
fn sorted(output: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = output.split(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines
}

/// Serves a client that sends `pieces`, and a witness that sends one request in the middle. Returns what the client got.
fn serve(access: Access, pieces: &[&[u8]]) -> Vec<u8> {
    let mut share = Simulation::new();
    let (client, witness) = (share.connect(access), share.connect(Access::Full));
    share.send(witness, NEGOTIATE);
    let mut answered = 0;
    let mut output = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        if index == pieces.len() / 2 {
            let request = format!("{{\"execute\": \"query-name\", \"id\": \"{WITNESS}\"}}");
            assert!(share.send(witness, request.as_bytes()), "the witness is held back");
        }
        // A client that is held back is served, until it wants more or is closed.
        while !share.send(client, piece) {
            let before = output.len();
            answer(&mut share, access, &mut answered);
            output.extend(share.take_output(client));
            if before == output.len() {
                break;
            }
        }
    }
    loop {
        let before = (output.len(), answered);
        answer(&mut share, access, &mut answered);
        output.extend(share.take_output(client));
        if before == (output.len(), answered) {
            break;
        }
    }
    check_lines(&output);
    let heard = share.take_output(witness);
    check_lines(&heard);
    let heard = String::from_utf8_lossy(&heard);
    assert_eq!(heard.matches(&format!("\"id\": \"{WITNESS}\"")).count(), usize::from(!pieces.is_empty()), "{heard}");
    share.disconnect(client);
    assert!(share.take_outgoing().is_empty());
    output
}

/// Answers all requests, as a server that takes each for a success.
fn answer(share: &mut Simulation, access: Access, answered: &mut usize) {
    let outgoing = share.take_outgoing();
    if outgoing.is_empty() {
        return;
    }
    let text = std::str::from_utf8(&outgoing).expect("requests are UTF-8");
    assert!(text.ends_with('\n'));
    let mut ids = BTreeSet::new();
    for line in text.lines() {
        let request: BTreeMap<String, &RawValue> = serde_json::from_str(line).expect("requests are JSON objects");
        let id: u64 = request["id"].get().parse().expect("the id is a number");
        assert!(ids.insert(id), "pending requests have different ids");
        *answered += 1;
        let name = request.get("execute").or(request.get("exec-oob")).expect("requests have a command");
        let name: String = serde_json::from_str(name.get()).expect("the command is a string");
        assert!(access == Access::Full || qmp_command_only_asks(&name), "`{name}` changes something");
        assert!(name != "qmp_capabilities", "the negotiation is the share's");
        let known = ["execute", "exec-oob", "arguments", "id"];
        assert!(request.keys().all(|key| known.contains(&key.as_str())) && request.len() <= 3, "{line}");
        share.server_says(format!("{{\"return\": {{}}, \"id\": {id}}}").as_bytes());
    }
}

fn check_lines(output: &[u8]) {
    let text = std::str::from_utf8(output).expect("messages are UTF-8");
    assert!(text.is_empty() || text.ends_with("}\r\n"));
    for line in text.lines() {
        let message: Result<BTreeMap<String, IgnoredAny>, _> = serde_json::from_str(line);
        message.unwrap_or_else(|error| panic!("{error} in `{line}`"));
    }
}
