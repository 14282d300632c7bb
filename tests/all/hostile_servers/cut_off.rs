//! A connection that ends at any byte.

use std::collections::BTreeSet;

use expect_test::expect;
use qmp_shell::{Client, Options};
use serde_json::Value;

use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::qmp_shell;
use crate::support::snapshot::Table;

/// Cuts a session of three messages after each byte.
#[test]
fn reports_a_connection_that_ends_at_any_byte() {
    const REPLY: &str = "{\"return\": {\"a\": \"\\\"\\u00e9 }\"}, \"id\": ";
    let greeting = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 2}}}}\r\n";
    let length = greeting.len() + "{\"return\": {}, \"id\": 123456789}\r\n".len() + REPLY.len() + "1}\r\n".len();
    let mut ends = BTreeSet::new();
    for cut in 0..=length {
        let peer = Peer::start(move |conn| {
            let mut left = cut;
            let mut say = |conn: &mut PeerConnection, text: &str| {
                let len = left.min(text.len());
                conn.send(&text.as_bytes()[..len]);
                left -= len;
                len == text.len()
            };
            if !say(conn, greeting) {
                return;
            }
            let (_, id) = conn.read_request();
            if !say(conn, &format!("{{\"return\": {{}}, \"id\": {id}}}\r\n")) {
                return;
            }
            let id = conn.expect_command("x");
            say(conn, &format!("{REPLY}{id}}}\r\n"));
        });
        // Every seventh as a script, the others through the library, which shares the code.
        let address = peer.address();
        let greeted = greeting.len() - 2;
        let negotiated = greeting.len() + "{\"return\": {}, \"id\": 123456789}".len();
        let answered = length - 2;
        if cut % 7 == 0 {
            let run = qmp_shell(&[&address, "--no-schema", "-c", "x"]).run();
            let status = match cut {
                _ if cut >= answered => 0,
                _ if cut >= negotiated => 4,
                _ => 3,
            };
            assert_eq!(run.status, status, "{cut}: {run:#?}");
            assert!(status == 0 || run.stderr.lines().count() == 1, "{cut}: {run:#?}");
            continue;
        }
        match Client::connect_with(&address.parse().unwrap(), &Options::default()) {
            Err(error) => {
                assert!(cut < negotiated, "{cut}: {error}");
                let in_message = cut > 0 && cut < greeted || cut > greeting.len();
                ends.insert((in_message, error.to_string().replace(&address, "{ADDRESS}")));
            }
            Ok(client) => {
                assert!(cut >= negotiated, "{cut}");
                match client.execute::<Value>("x", ()) {
                    Ok(value) => assert!(cut >= answered && value["a"] == "\"é }", "{cut}: {value}"),
                    // Right after the negotiation, the end may be noticed before the command is sent.
                    Err(error) => assert!(
                        cut < answered && (error.may_have_run() || cut < negotiated + "\r\n".len()),
                        "{cut}: {error}"
                    ),
                }
            }
        }
    }
    let mut table = Table::new();
    for (in_message, error) in ends {
        table.row(if in_message { "in a message" } else { "between messages" }, error);
    }
    table.check(expect![[r#"
        > between messages
        the connection to `{ADDRESS}` ended before negotiation was complete: the server closed the connection

        > in a message
        the connection to `{ADDRESS}` ended before negotiation was complete: the server closed the connection in the middle of a message
    "#]]);
}
