//! Servers that are broken or mean harm, in one table: what each does, and how a script, a prompt and a program end on
//! it. Always with a clear sentence, in bounded time and memory, and with the terminal as it was found.
//!
//! Oddities that a session survives (`odd_replies…`), servers that die under a script, and whoever is not reached at all
//! are in `failures`.

use std::time::{Duration, Instant};

use qmp_shell::{Address, Client, Options, ReplyBody};
use serde_json::Value;

use crate::support::peer::{EVENT, GREETING, Peer, Talk};
use crate::support::program::{SPACE, confined, qmp_shell};
use crate::support::terminal::Terminal;
use crate::support::{find_program, memory_of, skip};

/// How it ends.
#[derive(Clone, Copy)]
enum End {
    /// There is no session: this sentence, in which `{}` is the address.
    Unconnected(&'static str),
    /// As this, once the time for it is up.
    OutOfTime(&'static str),
    /// There is one, and it is lost over the first command.
    Disconnected(&'static str),
    /// The command is answered with this value, and whatever came beside it.
    Answered(&'static str),
}

struct Server {
    name: &'static str,
    talk: fn(&mut Talk),
    end: End,
}

const SILENCE: End = End::OutOfTime(
    "connected to `{}`, but no greeting came within 0.5 s; a monitor serves one client at a time, so another may hold it \
     (a guest agent sends no greeting: use -N)",
);
const NO_ANSWER: End = End::OutOfTime("`{}` greeted, but did not answer the capabilities negotiation within 0.5 s");
const TALKATIVE: End = End::Unconnected("`{}` talks on and on without beginning a session");
const TOO_LONG: &str = "the server sent a message of more than 1048576 bytes";
const TOO_DEEP: &str = "the server sent a message nested more than 2048 levels deep";
const NONSENSE: &str = "the server sends nothing but what is no QMP message";

/// What is at the door.
const AT_THE_DOOR: &[Server] = &[
    Server {
        name: "junk",
        talk: |talk| talk.say_raw(b"\x00\x17\x94\x1b[2J\x07 what\xc3\xa9ver\n"),
        end: End::Unconnected(
            "what listens on `{}` does not speak QMP; it sent: \\0\\u{17}\u{fffd}\\u{1b}[2J\\u{7} whatéver",
        ),
    },
    Server {
        name: "junk without end",
        talk: |talk| talk.flood(&[b'j'; 65536]),
        end: End::Unconnected(
            "what listens on `{}` does not speak QMP; it sent: \
             jjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjj",
        ),
    },
    Server {
        name: "HTML",
        talk: |talk| talk.say("<!DOCTYPE html>\r\n<html><body>{}</body></html>"),
        end: End::Unconnected("what listens on `{}` does not speak QMP; it sent: <!DOCTYPE html>\\r"),
    },
    Server {
        name: "an answer over HTTP",
        talk: |talk| talk.say("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"),
        end: End::Unconnected("what listens on `{}` does not speak QMP; it sent: HTTP/1.1 400 Bad Request\\r"),
    },
    Server {
        name: "a human monitor",
        talk: |talk| talk.say_raw(b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) "),
        end: End::Unconnected("`{}` is a human monitor (HMP) socket; QMP needs `-qmp …` or `-mon …,mode=control`"),
    },
    Server { name: "telnet", talk: |talk| talk.say_raw(b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x00"), end: SILENCE },
    Server {
        name: "telnet without end",
        talk: |talk| talk.flood(&b"\xff\xfb\x01".repeat(1000)),
        end: End::Disconnected(NONSENSE),
    },
    Server { name: "marks without end", talk: |talk| talk.flood(&[0xff; 4096]), end: End::Disconnected(NONSENSE) },
    Server {
        name: "NUL bytes without end",
        talk: |talk| talk.flood(&[0; 4096]),
        end: End::Unconnected(
            "what listens on `{}` does not speak QMP; it sent: \
             \\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\
             \\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0",
        ),
    },
    Server { name: "silence", talk: |_| {}, end: SILENCE },
    Server {
        name: "half a greeting",
        talk: |talk| talk.say_raw(b"{\"QMP\": {\"vers"),
        end: End::OutOfTime("what listens on `{}` does not speak QMP; it sent: {\"QMP\": {\"vers"),
    },
    Server {
        name: "a greeting that drips",
        talk: |talk| {
            // As one byte a second is to the usual 5 s.
            let mut bytes = GREETING.bytes();
            while bytes.next().is_some_and(|byte| talk.flows(&[byte])) {
                std::thread::sleep(Duration::from_millis(100));
            }
        },
        end: End::OutOfTime("what listens on `{}` does not speak QMP; it sent: {"),
    },
    Server { name: "white space without end", talk: |talk| talk.flood(&[b' '; 4096]), end: SILENCE },
    Server {
        name: "a string without end",
        talk: |talk| {
            talk.say_raw(b"{\"QMP\": \"");
            talk.flood(&[b'x'; 65536]);
        },
        end: End::Disconnected(TOO_LONG),
    },
    Server {
        name: "nesting of a million",
        talk: |talk| talk.say_raw(format!("{{\"QMP\": {}", "[".repeat(1_000_000)).as_bytes()),
        end: End::Disconnected(TOO_DEEP),
    },
    Server {
        name: "events in place of a greeting",
        talk: |talk| {
            while talk.flows(EVENT.repeat(10).as_bytes()) {
                std::thread::sleep(Duration::from_millis(5));
            }
        },
        end: SILENCE,
    },
    Server {
        name: "events without end in place of a greeting",
        talk: |talk| talk.flood(EVENT.repeat(500).as_bytes()),
        end: TALKATIVE,
    },
    Server { name: "a greeting, and no more", talk: |talk| talk.say(GREETING), end: NO_ANSWER },
    Server {
        name: "a greeting, and events without end",
        talk: |talk| {
            talk.say(GREETING);
            talk.flood(EVENT.repeat(500).as_bytes());
        },
        end: TALKATIVE,
    },
    Server {
        name: "greetings without end",
        talk: |talk| talk.flood(format!("{GREETING}\r\n").repeat(100).as_bytes()),
        end: TALKATIVE,
    },
    Server {
        name: "an answer to something else",
        talk: |talk| talk.say("{\"return\": {\"x\": \"y\"}}"),
        end: End::OutOfTime("what listens on `{}` does not speak QMP; it sent: {\"return\": {\"x\": \"y\"}}"),
    },
    Server {
        name: "another protocol in JSON",
        talk: |talk| talk.say("{\"jsonrpc\": \"2.0\"}"),
        end: End::Unconnected("what listens on `{}` does not speak QMP; it sent: {\"jsonrpc\": \"2.0\"}"),
    },
    Server {
        name: "a refusal",
        talk: |talk| {
            talk.say(GREETING);
            let (_, id) = talk.hear_request();
            let error = "{\"class\": \"GenericError\", \"desc\": \"not \\u001b[31mtoday\"}";
            talk.say(&format!("{{\"error\": {error}, \"id\": {id}}}"));
        },
        end: End::Unconnected("the server refused the capabilities negotiation: not \\x1b[31mtoday"),
    },
];

/// What is let in, and then answers `query-status` in its own way.
const INSIDE: &[Server] = &[
    Server {
        name: "a reply announced and never finished",
        talk: |talk| {
            talk.say_raw(b"{\"return\": \"");
            talk.flood(&[b'x'; 65536]);
        },
        end: End::Disconnected(TOO_LONG),
    },
    Server {
        name: "a list without end",
        talk: |talk| {
            talk.say_raw(b"{\"return\": [");
            talk.flood(&b"1, ".repeat(20_000));
        },
        end: End::Disconnected(TOO_LONG),
    },
    Server {
        name: "nesting of a million",
        talk: |talk| talk.say_raw(format!("{{\"return\": {}", "[{\"a\":".repeat(1_000_000)).as_bytes()),
        end: End::Disconnected(TOO_DEEP),
    },
    Server {
        name: "half a reply",
        talk: |talk| {
            talk.say_raw(b"{\"return\": {\"status\": \"pau");
            talk.close();
        },
        end: End::Disconnected("the server closed the connection in the middle of a message"),
    },
    Server { name: "junk without end", talk: |talk| talk.flood(&[b'j'; 65536]), end: End::Disconnected(NONSENSE) },
    Server {
        name: "lines without end",
        talk: |talk| talk.flood(&b"junk\r\n".repeat(1000)),
        end: End::Disconnected(NONSENSE),
    },
    Server {
        name: "empty objects without end",
        talk: |talk| talk.flood(&b"{}".repeat(1000)),
        end: End::Disconnected(NONSENSE),
    },
    Server { name: "marks without end", talk: |talk| talk.flood(&[0xff; 4096]), end: End::Disconnected(NONSENSE) },
    Server {
        name: "a great deal of white space",
        talk: |talk| {
            for _ in 0..1000 {
                talk.say_raw(&[b' '; 65536]);
            }
            talk.return_value("1");
        },
        end: End::Answered("1"),
    },
    Server {
        name: "events by the ten thousands",
        talk: |talk| {
            for _ in 0..20 {
                talk.say_raw(EVENT.repeat(1000).as_bytes());
            }
            talk.return_value("1");
        },
        end: End::Answered("1"),
    },
    Server {
        name: "a wrong id, and then the end",
        talk: |talk| {
            talk.say("{\"return\": 0, \"id\": \"whose\"}");
            talk.close();
        },
        end: End::Disconnected("the server closed the connection"),
    },
    Server {
        name: "ids that are no numbers",
        talk: |talk| {
            for id in ["\"whose\"", "{}", "[1]", "-1", "1e9", "null", "99999999999999999999"] {
                talk.say(&format!("{{\"return\": 0, \"id\": {id}}}"));
            }
            talk.return_value("1");
        },
        end: End::Answered("1"),
    },
    Server {
        name: "lone surrogates",
        talk: |talk| talk.return_value("\"\\ud800\\udfff \\udfff\""),
        end: End::Answered("\"\\ud800\\udfff \\udfff\""),
    },
    Server {
        name: "a string that is no UTF-8",
        talk: |talk| talk.return_value_raw(b"\"\xc3\x28\xed\xa0\x80\""),
        end: End::Answered("\"\u{fffd}(\u{fffd}\u{fffd}\u{fffd}\""),
    },
    Server {
        name: "numbers that are none",
        talk: |talk| talk.return_value("[nan, -inf, Infinity]"),
        end: End::Answered("[nan, -inf, Infinity]"),
    },
    Server {
        name: "bare control characters in a string",
        talk: |talk| talk.return_value_raw(b"\"a\x00b\x1bc\nd\""),
        end: End::Answered("\"a\\u0000b\\u001bc\\u000ad\""),
    },
];

impl Server {
    /// How long it is given: long enough where that is not to be seen.
    fn time(&self) -> Duration {
        Duration::from_millis(if matches!(self.end, End::OutOfTime(_)) { 500 } else { 60_000 })
    }
}

/// The server's side: what is at the door talks at once; what is inside negotiates, and hears the command.
fn start(server: &'static Server, inside: bool) -> Peer {
    Peer::start(move |talk| {
        if inside {
            talk.negotiate();
            talk.hear_command("query-status");
        }
        (server.talk)(talk);
        talk.wait_for_close();
    })
}

#[test]
fn a_script_ends_with_a_sentence_in_bounded_time_and_memory() {
    for (servers, inside) in [(AT_THE_DOOR, false), (INSIDE, true)] {
        for server in servers {
            let peer = start(server, inside);
            let address = peer.address();
            let begun = Instant::now();
            let timeout = server.time().as_secs_f64().to_string();
            let args = ["--timeout", &timeout, "--max-message", "1M", "--no-events", "-c", "query-status", &address];
            let run = confined(&args, SPACE);
            let name = server.name;
            let (sentence, status) = match server.end {
                End::Unconnected(sentence) | End::OutOfTime(sentence) => {
                    (format!("qmp-shell: {}", sentence.replace("{}", &address)), 3)
                }
                End::Disconnected(how) if !inside => {
                    (format!("qmp-shell: the connection to `{address}` ended before the session began: {how}"), 3)
                }
                End::Disconnected(how) => (
                    format!(
                        "-c:1: T{} before `query-status` was answered. Nobody can know whether it was carried out.",
                        &how[1..]
                    ),
                    4,
                ),
                End::Answered(value) => {
                    assert_eq!(run.lines(), [format!("{{\"return\": {value}}}")], "{name}: {run:#?}");
                    (String::new(), 0)
                }
            };
            assert_eq!(run.status, status, "{name}: {run:#?}");
            let last = run.stderr.lines().last().unwrap_or_default();
            assert!(status == 0 || last.starts_with(&sentence), "{name}: {run:#?}");
            assert!(run.stderr.len() < 64 << 10, "{name}: {} bytes of messages", run.stderr.len());
            assert!(begun.elapsed() < Duration::from_secs(20), "{name}: it took {:?}", begun.elapsed());
        }
    }
}

#[test]
fn a_program_gets_an_error_in_bounded_time_and_memory() {
    let mut options = Options::default();
    options.limits.message = 1 << 20;
    let before = memory_of("self", "VmRSS:");
    for (servers, inside) in [(AT_THE_DOOR, false), (INSIDE, true)] {
        for server in servers {
            let peer = start(server, inside);
            let address: Address = peer.address().parse().unwrap();
            options.timeout = server.time();
            let name = server.name;
            let client = match (Client::connect_with(&address, &options), server.end) {
                (Ok(client), End::Disconnected(_) | End::Answered(_)) if inside => client,
                (Err(error), End::Unconnected(sentence) | End::OutOfTime(sentence)) => {
                    // What a server said is made printable where it is shown, too.
                    let sentence = sentence.replace("{}", &peer.address()).replace("\\x1b", "\x1b");
                    // A flag is the shell's advice.
                    let sentence = sentence.split(" (a guest agent").next().unwrap();
                    assert!(error.to_string().starts_with(sentence), "{name}: {error}");
                    continue;
                }
                (Err(error), End::Disconnected(how)) if !inside => {
                    assert!(error.to_string().ends_with(how), "{name}: {error}");
                    continue;
                }
                (result, _) => panic!("{name}: {result:?}"),
            };
            // Nobody listens to the events, so they pile up nowhere.
            let reply = client.begin(qmp_shell::Request::new("query-status")).and_then(|pending| pending.reply());
            match (reply, server.end) {
                (Ok(reply), End::Answered(value)) => assert_eq!(reply.body(), ReplyBody::Return(value), "{name}"),
                (Err(error), End::Disconnected(how)) => {
                    assert!(error.may_have_run() && error.to_string().starts_with(how), "{name}: {error}");
                    let next = client.execute::<Value>("query-status", ()).unwrap_err();
                    assert!(!next.may_have_run(), "{name}: {next}");
                }
                (result, _) => panic!("{name}: {result:?}"),
            }
        }
    }
    // Other tests may run in this process at the same time, but none that needs much.
    let grown = memory_of("self", "VmRSS:").saturating_sub(before);
    assert!(grown < SPACE, "{grown} KiB more than before");
}

/// The modes that a terminal can be left in.
fn modes(terminal: &Terminal) -> String {
    let flags = ["cursor_flag", "insert_flag", "keypad_flag", "keypad_cursor_flag", "mouse_any_flag", "origin_flag"];
    let rest = ["wrap_flag", "alternate_on"];
    let form: Vec<String> = flags.iter().chain(&rest).map(|flag| format!("{flag}=#{{{flag}}}")).collect();
    terminal.tmux(&["display-message", "-p", &form.join(" ")])
}

#[test]
fn whoever_is_at_the_door_leaves_the_terminal_as_it_was_found() {
    at_a_terminal(AT_THE_DOOR, false);
}

#[test]
fn a_prompt_says_it_too_and_leaves_the_terminal_as_it_was_found() {
    at_a_terminal(INSIDE, true);
}

fn at_a_terminal(servers: &'static [Server], inside: bool) {
    if find_program("tmux").is_none() {
        return skip("tmux");
    }
    let terminal = Terminal::start("PS1='$ ' /bin/sh", 180, 50).unwrap();
    let raw = terminal.record();
    let stty = terminal.home.join("stty");
    // Each run ends with a word of its own, which the screen of the last run does not have.
    let run = |name: &str, line: &str| {
        terminal.enter(&format!("clear; {line}; echo \"[$?]\" {name}; stty -a > {}", stty.display()));
    };
    let ended =
        |name: &str, status: i32| terminal.wait(name, |screen| screen.ends_with(&format!("\n[{status}] {name}\n$")));
    let state = || (std::fs::read_to_string(&stty).unwrap(), modes(&terminal));
    terminal.wait_for_last("$");
    run("nothing", "echo");
    ended("nothing", 0);
    let found = state();
    let shell = format!("{} --max-message 1M --no-schema --no-events", env!("CARGO_BIN_EXE_qmp-shell"));
    for server in servers {
        let name = server.name;
        let peer = start(server, inside);
        run(name, &format!("{shell} --timeout {} {}", server.time().as_secs_f64(), peer.address()));
        if inside {
            terminal.wait_for_last("(QEMU)");
            terminal.enter("query-status");
        }
        let screen = match server.end {
            End::Answered(_) => {
                terminal.wait(name, |screen| screen.contains("query-status\n") && screen.ends_with("\n(QEMU)"))
            }
            _ if inside => terminal.wait_for_last("(not connected)"),
            _ => ended(name, 3),
        };
        let sentence = match server.end {
            End::Unconnected(sentence) | End::OutOfTime(sentence) => sentence.replace("{}", &peer.address()),
            End::Disconnected(how) => how[1..].to_owned(),
            // The value of an item in a list stands on a line of its own.
            End::Answered(value) => value.trim_matches(['[', ']']).split(", ").next().unwrap().to_owned(),
        };
        assert!(screen.replace('\n', "").contains(&sentence), "{name}: {sentence}\n{screen}");
        if inside {
            terminal.press("C-d");
            ended(name, 0);
        }
        assert_eq!(state(), found, "{name}");
    }
    // What is switched on (brackets around what is pasted) is switched off again.
    let raw = String::from_utf8_lossy(&raw()).into_owned();
    assert!(raw.rfind("\x1b[?2004h") <= raw.rfind("\x1b[?2004l"), "pastes are left in brackets");
}

/// A session of three messages from the server, one byte after the other: where the connection ends says how.
#[test]
fn a_connection_may_end_at_any_byte() {
    const REPLY: &str = "{\"return\": {\"a\": \"\\\"\\u00e9 }\"}, \"id\": ";
    let greeting = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 2}}}}\r\n";
    let length = greeting.len() + "{\"return\": {}, \"id\": 12345}\r\n".len() + REPLY.len() + "12345}\r\n".len();
    for cut in 0..=length {
        let peer = Peer::start(move |talk| {
            let mut left = cut;
            let mut say = |talk: &mut Talk, text: &str| {
                let len = left.min(text.len());
                talk.say_raw(&text.as_bytes()[..len]);
                left -= len;
                len == text.len()
            };
            if !say(talk, greeting) {
                return;
            }
            let (_, id) = talk.hear_request();
            if !say(talk, &format!("{{\"return\": {{}}, \"id\": {id}}}\r\n")) {
                return;
            }
            let id = talk.expect("x");
            say(talk, &format!("{REPLY}{id}}}\r\n"));
        });
        // Every seventh as a script; all of them through the library, which is the same way in.
        let address = peer.address();
        let greeted = greeting.len() - 2;
        let negotiated = greeting.len() + "{\"return\": {}, \"id\": 12345}".len();
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
                let amid = cut > 0 && cut < greeted || cut > greeting.len();
                assert_eq!(error.to_string().ends_with(" in the middle of a message"), amid, "{cut}: {error}");
            }
            Ok(client) => {
                assert!(cut >= negotiated, "{cut}");
                match client.execute::<Value>("x", ()) {
                    Ok(value) => assert!(cut >= answered && value["a"] == "\"é }", "{cut}: {value}"),
                    // Where the end comes right behind the negotiation, the command may meet it.
                    Err(error) => assert!(
                        cut < answered && (error.may_have_run() || cut < negotiated + "\r\n".len()),
                        "{cut}: {error}"
                    ),
                }
            }
        }
    }
}
