//! The broken and malicious servers.

use std::time::Duration;

use crate::support::peer::{EVENT, GREETING};

use super::{End, Server};

/// Servers that never begin a session.
pub(super) const NO_SESSION: &[Server] = &[
    Server {
        name: "junk",
        script: |conn| conn.send(b"\x00\x17\x94\x1b[2J\x07 what\xc3\xa9ver\n"),
        end: End::Unconnected,
    },
    Server { name: "junk without end", script: |conn| conn.flood(&[b'j'; 65536]), end: End::Unconnected },
    Server {
        name: "HTML",
        script: |conn| conn.send_line("<!DOCTYPE html>\r\n<html><body>{}</body></html>"),
        end: End::Unconnected,
    },
    Server {
        name: "an HTTP response",
        script: |conn| conn.send_line("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"),
        end: End::Unconnected,
    },
    Server {
        name: "a human monitor",
        script: |conn| conn.send(b"QEMU 1.2.3 monitor - type 'help' for more information\r\n(qemu) "),
        end: End::Unconnected,
    },
    Server { name: "telnet", script: |conn| conn.send(b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x00"), end: End::TimedOut },
    Server {
        name: "telnet without end",
        script: |conn| conn.flood(&b"\xff\xfb\x01".repeat(1000)),
        end: End::Disconnected,
    },
    Server { name: "sync markers without end", script: |conn| conn.flood(&[0xff; 4096]), end: End::Disconnected },
    Server { name: "NUL bytes without end", script: |conn| conn.flood(&[0; 4096]), end: End::Unconnected },
    Server { name: "silence", script: |_| {}, end: End::TimedOut },
    Server { name: "half a greeting", script: |conn| conn.send(b"{\"QMP\": {\"vers"), end: End::TimedOut },
    Server {
        name: "a greeting that drips",
        script: |conn| {
            // In proportion to the timeout, this is one byte per second.
            let mut bytes = GREETING.bytes();
            while bytes.next().is_some_and(|byte| conn.try_send(&[byte])) {
                std::thread::sleep(Duration::from_millis(100));
            }
        },
        end: End::TimedOut,
    },
    Server { name: "whitespace without end", script: |conn| conn.flood(&[b' '; 4096]), end: End::TimedOut },
    Server {
        name: "a string without end",
        script: |conn| {
            conn.send(b"{\"QMP\": \"");
            conn.flood(&[b'x'; 65536]);
        },
        end: End::Disconnected,
    },
    Server {
        name: "nesting of a million",
        script: |conn| conn.send(format!("{{\"QMP\": {}", "[".repeat(1_000_000)).as_bytes()),
        end: End::Disconnected,
    },
    Server {
        name: "events in place of a greeting",
        script: |conn| {
            while conn.try_send(EVENT.repeat(10).as_bytes()) {
                std::thread::sleep(Duration::from_millis(5));
            }
        },
        end: End::TimedOut,
    },
    Server {
        name: "events without end in place of a greeting",
        script: |conn| conn.flood(EVENT.repeat(500).as_bytes()),
        end: End::Unconnected,
    },
    Server { name: "a greeting, and no more", script: |conn| conn.send_line(GREETING), end: End::TimedOut },
    Server {
        name: "a greeting, and events without end",
        script: |conn| {
            conn.send_line(GREETING);
            conn.flood(EVENT.repeat(500).as_bytes());
        },
        end: End::Unconnected,
    },
    Server {
        name: "greetings without end",
        script: |conn| conn.flood(format!("{GREETING}\r\n").repeat(100).as_bytes()),
        end: End::Unconnected,
    },
    Server {
        name: "a reply without a request",
        script: |conn| conn.send_line("{\"return\": {\"x\": \"y\"}}"),
        end: End::TimedOut,
    },
    Server {
        name: "another protocol in JSON",
        script: |conn| conn.send_line("{\"jsonrpc\": \"2.0\"}"),
        end: End::Unconnected,
    },
    Server {
        name: "a refusal",
        script: |conn| {
            conn.send_line(GREETING);
            let (_, id) = conn.read_request();
            let error = "{\"class\": \"GenericError\", \"desc\": \"not \\u001b[31mtoday\"}";
            conn.send_line(&format!("{{\"error\": {error}, \"id\": {id}}}"));
        },
        end: End::Unconnected,
    },
];

/// Servers that begin a session, and then reply to `query-status` in their own way.
pub(super) const IN_SESSION: &[Server] = &[
    Server {
        name: "a reply announced and never finished",
        script: |conn| {
            conn.send(b"{\"return\": \"");
            conn.flood(&[b'x'; 65536]);
        },
        end: End::Disconnected,
    },
    Server {
        name: "a list without end",
        script: |conn| {
            conn.send(b"{\"return\": [");
            conn.flood(&b"1, ".repeat(20_000));
        },
        end: End::Disconnected,
    },
    Server {
        name: "nesting of a million",
        script: |conn| conn.send(format!("{{\"return\": {}", "[{\"a\":".repeat(1_000_000)).as_bytes()),
        end: End::Disconnected,
    },
    Server {
        name: "half a reply",
        script: |conn| {
            conn.send(b"{\"return\": {\"status\": \"pau");
            conn.close();
        },
        end: End::Disconnected,
    },
    Server { name: "junk without end", script: |conn| conn.flood(&[b'j'; 65536]), end: End::Disconnected },
    Server { name: "lines without end", script: |conn| conn.flood(&b"junk\r\n".repeat(1000)), end: End::Disconnected },
    Server {
        name: "empty objects without end",
        script: |conn| conn.flood(&b"{}".repeat(1000)),
        end: End::Disconnected,
    },
    Server { name: "sync markers without end", script: |conn| conn.flood(&[0xff; 4096]), end: End::Disconnected },
    Server {
        name: "a great deal of whitespace",
        script: |conn| {
            for _ in 0..1000 {
                conn.send(&[b' '; 65536]);
            }
            conn.reply_pending("1");
        },
        end: End::Answered("1"),
    },
    Server {
        name: "events by the ten thousands",
        script: |conn| {
            for _ in 0..20 {
                conn.send(EVENT.repeat(1000).as_bytes());
            }
            conn.reply_pending("1");
        },
        end: End::Answered("1"),
    },
    Server {
        name: "a wrong id, and then the end",
        script: |conn| {
            conn.send_line("{\"return\": 0, \"id\": \"other\"}");
            conn.close();
        },
        end: End::Disconnected,
    },
    Server {
        name: "ids that are not numbers",
        script: |conn| {
            for id in ["\"other\"", "{}", "[1]", "-1", "1e9", "null", "99999999999999999999"] {
                conn.send_line(&format!("{{\"return\": 0, \"id\": {id}}}"));
            }
            conn.reply_pending("1");
        },
        end: End::Answered("1"),
    },
    Server {
        name: "lone surrogates",
        script: |conn| conn.reply_pending("\"\\ud800\\udfff \\udfff\""),
        end: End::Answered("\"\\ud800\\udfff \\udfff\""),
    },
    Server {
        name: "a string of invalid UTF-8",
        script: |conn| conn.reply_pending_bytes(b"\"\xc3\x28\xed\xa0\x80\""),
        end: End::Answered("\"\u{fffd}(\u{fffd}\u{fffd}\u{fffd}\""),
    },
    Server {
        name: "numbers that JSON does not have",
        script: |conn| conn.reply_pending("[nan, -inf, Infinity]"),
        end: End::Answered("[nan, -inf, Infinity]"),
    },
    Server {
        name: "bare control characters in a string",
        script: |conn| conn.reply_pending_bytes(b"\"a\x00b\x1bc\nd\""),
        end: End::Answered("\"a\\u0000b\\u001bc\\u000ad\""),
    },
];
