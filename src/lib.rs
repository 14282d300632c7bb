//! A blocking client for QMP, the QEMU Machine Protocol: commands are typed calls, events are iterators.
//!
//! It talks to QEMU, to `qemu-storage-daemon` and to guest agents. The programs of this package are built on it:
//! `qmp-shell` and `qmp-shell-wrap`, an interactive monitor; `qmp`, which runs one command; `qom`, which shows the
//! object tree; `qmp-share`, which serves one monitor to many clients.
//!
//! ```
//! use std::time::Duration;
//!
//! use qmp_shell::{Client, Empty};
//! use serde::Deserialize;
//! use serde_json::json;
//!
//! #[derive(Deserialize)]
//! struct Status {
//!     status: String,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The path of a socket, `HOST:PORT`, …; `demo:` is a small machine inside the program.
//! let qemu = Client::connect("demo:")?;
//!
//! let status: Status = qemu.execute("query-status", ())?;
//! println!("the VM is {}", status.status);
//!
//! // Create the listener before the command that causes the event.
//! let mut stops = qemu.listen(|event| event.name() == "STOP");
//! qemu.execute::<Empty>("stop", ())?;
//! assert!(stops.wait(Duration::from_secs(5))?.is_some());
//!
//! let size: Result<Empty, _> = qemu.execute("block_resize", json!({"node-name": "nowhere", "size": 4096}));
//! println!("{}", size.unwrap_err());
//! # Ok(())
//! # }
//! ```
//!
//! The directory `examples` has complete programs: the status of a VM, following a job and a migration,
//! hotplug, many servers.
//!
//! # Contents
//!
//! - [`Client`] connects, negotiates and executes commands: [`execute`](Client::execute) waits for the result,
//!   [`start`](Client::start) keeps up to eight commands in flight, [`execute_oob`](Client::execute_oob) overtakes them,
//!   [`execute_with_fd`](Client::execute_with_fd) passes a file descriptor. Clones share the connection between threads.
//! - [`Events`] are the events of one listener: an iterator with a [filter](Client::listen) and a
//!   [timeout](Events::timeout).
//! - [`wait_for_job`](Client::wait_for_job) and [`wait_for_migration`](Client::wait_for_migration) wait for a good end;
//!   [`follow_job`](Client::follow_job) and [`follow_migration`](Client::follow_migration) are iterators over the progress
//!   until then. [`JobError`] and [`MigrationError`] have the server's reason.
//! - [`Address`] is the address of a server in any form. [`Options`] holds timeouts, a message log, and whether the
//!   server is a guest agent. [`Listener`] accepts connections from a QEMU that connects to the client.
//! - [`ExecuteError`] carries the request and the reply, and tells whether the command [may have been
//!   executed](ExecuteError::may_have_run). [`ConnectError`] is a message for the user, with advice.
//! - [`Session`], returned by [`open`], is the layer below the client: it sends requests and receives every message in
//!   order of arrival, for one consumer. Use it to show messages as they come.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `programs` | yes | the five programs, with the line editor, the command-line options and everything else that only they use |
//! | `fuse` | yes | `qom fuse`, on Linux |
//! | `demo` | yes | the machine at the address `demo:` |
//! | `disassembler` | yes | instructions in `x/i` of the shell's own monitor |
//!
//! `default-features = false` leaves the client library.
//!
//! # Guarantees
//!
//! - It follows the QEMU Machine Protocol Specification. `tests/all/protocol` has a table of the specification's
//!   statements and the test for each, against real servers if they can be made to show the behaviour.
//! - A reply is matched to its caller by the `id` of the request. [`Reply::text`] and [`Event::text`] keep the server's
//!   own spelling of numbers, strings and keys.
//! - Every event reaches every listener whose filter passes it, in order. An event that the server sent before a reply is in
//!   its queues when [`execute`](Client::execute) returns.
//! - A command is sent at most once. A lost connection is an error; whether to connect again is up to the program.
//! - Memory is bounded: a message by [`Limits`], the queue of a listener by 64 MiB, the values that the shell's own
//!   queries return by 384 MiB.
//! - Secrets, such as the password of `set_password`, are masked in the log, in errors and in `Debug` output. A [`Client`]
//!   searches requests for them. A [`Session`] does not; it masks all arguments in the log.
//!
//! # Coming from qmp.py
//!
//! | qmp.py | this crate |
//! |---|---|
//! | `QEMUMonitorProtocol(address)` and `connect()` | [`Client::connect`] |
//! | `QEMUMonitorProtocol(address, server=True)` and `accept()` | [`Listener::bind`] and [`Client::accept`] |
//! | `connect(negotiate=False)`, for a guest agent | [`Options::guest_agent`] with [`Client::connect_with`], which synchronises with the agent |
//! | `settimeout()` | [`Options::timeout`] to connect, [`Client::start_within`] to send, [`Pending::reply_within`] for one reply |
//! | `cmd(name, args)` and `command(name, **args)` | [`Client::execute`], into your own type or `serde_json::Value` |
//! | `cmd_obj(object)` | [`Request`], [`Client::start`] and [`Pending::reply`] |
//! | `cmd_raw()`, which returns errors as values | [`Pending::reply`] |
//! | `pull_event(wait)` | [`Events::wait`] |
//! | `get_events(wait)` and `clear_events()` | [`Events`] as an iterator; each listener has a queue of its own, which begins when it is created |
//! | a loop over `query-jobs`, and `job-dismiss` | [`Client::wait_for_job`] |
//! | an `EventListener` with names and a filter | [`Client::listen`] with a closure |
//! | `send_fd_scm(fd)` and then `getfd` | [`Client::execute_with_fd`] |
//! | `QMPError`, `ConnectError`, `ExecuteError` | [`ConnectError`], [`ExecuteError`], [`ListenError`] |
//! | `close()` | [`Client::close`], or dropping the last clone |
//! | a reply over 10 MB ends the session | [`Limits`]: 1 GiB by default |

// # Architecture: layers and modules
//
// The modules below are not part of the crate's interface. They are public and hidden for the programs, tests and
// benchmarks of the package, and change without notice. In the programs, data flows one way:
//
//     text line -> grammar -> Command -> schema -> Request -> session -> Reply | Event -> render -> terminal
//
// A module uses those in its row and no others; a test compares the table with the code. A module comes after all that it
// uses.
//
// | module | owns | uses |
// |---|---|---|
// | `platform` | the calls that operating systems have in different forms | |
// | `wire` | messages, the framer that cuts them out of a stream, the rules for secrets | |
// | `grammar` | text to `Line`, each word with its span, unfinished input included | `wire` |
// | `session` | addresses, connections, negotiation, ids, the reader thread, the message log; all sockets | `platform`, `wire` |
// | `replay` | recorded servers: a message log as a server that answers as the recorded one did | `wire`, `session` |
// | `demo` | the demo machine: a small QMP server over a socket pair | `wire` |
// | `client` | commands as typed calls, events for listeners, opening any address | `wire`, `session`, `replay`, `demo` |
// | `discovery` | the servers that run on this machine, from their command lines | `session` |
// | `filter` | jq inside the programs: a filter and JSON text to results | `wire`, `grammar` |
// | `schema` | introspection as lookups, typing and checking of arguments, the manual pages of QEMU | `wire`, `grammar` |
// | `share` | one connection for many clients: a state machine, and the loop that serves it | `platform`, `wire`, `session` |
// | `monitor` | the human monitor over QMP alone: a line of HMP to requests, and replies to its text; pure | `platform`, `wire`, `schema` |
// | `render` | values, events, diagnostics and manual text as output, with or without colour | `wire`, `grammar`, `schema` |
// | `assist` | a line and a cursor to candidates, hint and highlighting; pure: live names are passed in as data | `wire`, `filter`, `grammar`, `schema` |
// | `qom` | the object tree over a client; the file system of `qom fuse` | `wire`, `client`, `schema`, `render` |
// | `views` | pictures of what takes several replies, for `.show`; pure, but for images | `wire`, `monitor`, `qom`, `render` |
// | `shell` | the engine that executes lines, and the prompt and scripts that feed it | `platform`, `wire`, `filter`, `grammar`, `session`, `client`, `discovery`, `schema`, `share`, `monitor`, `render`, `assist`, `views` |
// | `cli` | arguments and environment to configuration, errors to messages and exit statuses | `wire`, `filter`, `grammar`, `session`, `client`, `discovery`, `schema`, `share`, `render`, `assist`, `qom`, `shell` |
//
// ## Invariants
//
// 1. Parsing never panics and never fails silently: it returns a value, or an error with its span.
// 2. One tokenizer serves execution, completion, hints and highlighting.
// 3. Only `session` opens sockets; only `shell` and `cli` use the standard streams.
// 4. The socket reader does not wait for the terminal until 64 MiB of messages are unread. Completion waits at most
//    150 ms for the server.
// 5. The server's spelling of numbers, strings and keys reaches the user unchanged.
// 6. A command is sent at most once. After a reconnect nothing is sent again unless the user enters it again.
// 7. A secret that the user types stays out of history and log.
// 8. All that the shell knows of a server ends with the connection: `shell::server`, and the record in
//    `shell::connection`. A request is sent only to the server for which it was built.
//
// ## How a line is understood
//
// Words get the types that the server's introspection gives their keys. A name or type that the server would reject is
// rejected before it is sent. A line waits for a slow server to send its introspection: it is never sent with another
// meaning. If the server has none, values are typed by their form and nothing is checked. A prompt queries introspection
// in the background as soon as it appears; a script queries it at the first line with arguments. A test compares the
// verdicts with those of real servers, over tens of thousands of generated requests.
//
// ## How messages are received
//
// `session::pending` gives requests their ids, matches replies to them, and decides what a reply without an id, an
// unknown id and a second greeting mean. `Session::poll` is the only function that receives messages of a session; its
// parameter says what else ends the wait (a deadline, Ctrl-C, standard input). In a script, the engine's thread reads
// the socket itself, between sending and printing. At a prompt, a reader thread moves messages to a `MessageQueue`.
// Either way the engine's thread is the only consumer, so replies, events and the user's lines stay in order. While a
// line is typed, it is inside the line editor; a waker makes the editor redraw, and what has arrived is written above
// the prompt as part of that redraw.
//
// Some servers take one request at a time, and not all of them say so. A request of the shell therefore waits in the
// session until those before are answered. It does not wait if it is out-of-band, nor for a command that the user stopped
// waiting for, which may never be answered.
//
// A `Client` has a reader thread of its own, which uses `session::pending` too, and hands each reply to its caller and
// each event to its listeners, in any thread.

#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod assist;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod cli;
mod client;
#[cfg(feature = "demo")]
#[doc(hidden)]
pub mod demo;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod discovery;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod filter;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod grammar;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod monitor;
mod platform;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod qom;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod render;
mod replay;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod schema;
#[doc(hidden)]
pub mod session;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod share;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod shell;
#[cfg(test)]
mod test_server;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod views;
#[doc(hidden)]
pub mod wire;

pub use client::{
    Client, Empty, Events, ExecuteError, FollowedJob, FollowedMigration, JobError, JobProgress, ListenError,
    MigrationError, MigrationProgress, Pending, open,
};
pub use session::{
    Address, AddressError, ConnectError, Disconnected, LibvirtAddress, Listener, MessageQueue, Options, Received,
    Session, SshAddress, Unexpected,
};
pub use wire::{Event, FrameError, Greeting, Limits, MessageError, Reply, ReplyBody, Request, Timestamp, Version};
