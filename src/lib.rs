//! A client for QEMU's machine protocol (QMP): blocking, typed by serde, with events as iterators. It is what the
//! programs of this package are built on: `qmp-shell` and `qmp-shell-wrap`, the interactive monitor; `qmp`, one command;
//! `qom`, the object tree.
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
//! // A socket's path, `HOST:PORT`, …; `demo:` is a small machine inside the program.
//! let qemu = Client::connect("demo:")?;
//!
//! let status: Status = qemu.execute("query-status", ())?;
//! println!("the machine is {}", status.status);
//!
//! // Listen before you cause what you wait for.
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
//! # What there is
//!
//! - [`Client`] connects, negotiates and executes: [`execute`](Client::execute) waits for the result,
//!   [`begin`](Client::begin) has up to eight commands under way, [`execute_oob`](Client::execute_oob) overtakes them,
//!   [`execute_with_fd`](Client::execute_with_fd) passes a descriptor along. Clones share the connection between
//!   threads.
//! - [`Events`] is one listener's events, an iterator with a [filter](Client::listen) and a [time-out](Events::timeout).
//! - [`Address`] has all the forms of an address, [`Options`] the time-outs, a log of every message, and whether the
//!   server is a guest agent. [`Listener`] is for a QEMU that connects to us.
//! - [`ExecuteError`] carries what was sent and what came, and says whether the command
//!   [may have run](ExecuteError::may_have_run). [`ConnectError`] is a sentence for a person that says what to do.
//! - [`Session`], made by [`open`], is the layer below: requests out, and every message in order of arrival, for one
//!   consumer. The shell stands on that.
//!
//! With `default-features = false` the package is this library alone: no command line, no line editor. The feature
//! `demo` adds the machine at `demo:`.
//!
//! # What it promises
//!
//! - It keeps to the QEMU Machine Protocol Specification, of which `tests/all/protocol` has a table: each statement, and the
//!   test that holds the crate to it, on real servers where they can be brought to show it.
//! - A reply finds its caller by the `id` of the request, and whatever arrives in between is kept for whom it is meant.
//!   The server's spelling of numbers, strings and keys is in [`Reply::text`] and [`Event::text`] unchanged.
//! - Every event reaches every listener whose filter lets it through, in order. One that came before a reply is there when
//!   [`execute`](Client::execute) returns.
//! - No command is ever sent twice. A lost connection is an error, and connecting again is the program's decision.
//! - Memory is bounded: a message by [`Limits`], what waits for a listener by 64 MiB.
//! - Secrets, such as the password of `set_password`, are left out of the log, out of errors and out of `Debug`. A
//!   [`Client`] finds them; a [`Session`] does not look for any, and logs no arguments.
//!
//! # Coming from qmp.py
//!
//! | there | here |
//! |---|---|
//! | `QEMUMonitorProtocol(address)` and `connect()` | [`Client::connect`] |
//! | `QEMUMonitorProtocol(address, server=True)` and `accept()` | [`Listener::bind`] and [`Client::accept`] |
//! | `connect(negotiate=False)`, for a guest agent | [`Options::guest_agent`] with [`Client::connect_with`], which synchronises |
//! | `settimeout()` | [`Options::timeout`] to connect, [`Pending::reply_within`] for one reply |
//! | `cmd(name, args)` and `command(name, **args)` | [`Client::execute`], into a type of yours or `serde_json::Value` |
//! | `cmd_obj(object)` | [`Request`], [`Client::begin`] and [`Pending::reply`] |
//! | `cmd_raw()`, the reply with its `error` | [`Pending::reply`] |
//! | `pull_event(wait)` | [`Events::wait`] |
//! | `get_events(wait)` and `clear_events()` | [`Events`] as an iterator; each listener has its own queue from the moment on at which it is made |
//! | an `EventListener` with names and a filter | [`Client::listen`] with a closure |
//! | `send_fd_scm(fd)` and then `getfd` | [`Client::execute_with_fd`] |
//! | `QMPError`, `ConnectError`, `ExecuteError` | [`ConnectError`], [`ExecuteError`], [`ListenError`] |
//! | `close()` | [`Client::close`], or dropping the last clone |
//! | a reply over 10 MB ends the session | up to [`Limits`], 1 GiB if not told otherwise |
//!
//! # The house
//!
//! What follows is for those who work on the package. The rooms are no part of the crate's face: they are reachable for
//! its own programs, tests and benchmarks, and change without notice. In the programs data flows one way, and the rooms
//! stand in that order:
//!
//! ```text
//! text line -> grammar -> Command -> schema -> Request -> session -> Reply | Event -> render -> terminal
//! ```
//!
//! ## Rooms
//!
//! A room uses rooms on lower floors and, on its own floor, those listed before it. A test reads the `use` lines and
//! fails on an arrow upwards.
//!
//! | floor | room | owns | must not know |
//! |---|---|---|---|
//! | 1 | `wire` | messages, and the framer that cuts them out of a stream | sockets, threads |
//! | 2 | `grammar` | text to `Line`, every word with its place, also of unfinished input | the server, the terminal |
//! | 2 | `schema` | what the server says of itself as lookups; what JSON a word becomes by it, and whether the server will take it; which arguments are secret; the manual pages on the user's disk | sockets, the terminal |
//! | 3 | `assist` | line and cursor to candidates, hint and look; pure, names come in as data | I/O |
//! | 3 | `session` | addresses, connections, negotiation, threads, ids, the log; the only owner of sockets | the terminal, the grammar |
//! | 3 | `render` | values, events, places in a line and the manual as text, with or without colour | sockets |
//! | 4 | `demo` | the machine inside the program: a small real QMP server over a socket pair | the shell |
//! | 4 | `client` | commands as calls with types, events for listeners, over one session; opening any address | lines, the terminal |
//! | 4 | `qom` | list, get, set and tree over a client; the file system behind `qom fuse` | the shell |
//! | 5 | `shell` | one engine, and the two ways to feed it: prompt and script | argument parsing |
//! | 6 | `cli` | flags and environment to configuration; errors to message and exit status | — |
//!
//! ## Invariants
//!
//! 1. Parsing never panics and never fails silently: a value, or an error with its place.
//! 2. One tokenizer serves execution, completion, hints and colouring.
//! 3. Only `session` opens sockets; only `shell` and `cli` touch the standard streams.
//! 4. The socket reader never waits for the terminal, short of 64 MiB of unread messages. Completion never waits for
//!    the server longer than a blink (150 ms).
//! 5. The server's spelling of numbers, strings and keys reaches the user unchanged.
//! 6. No command is ever sent twice, or sent after a reconnect, unless the user asked again.
//! 7. Everything a user typed that is secret stays out of history and log.
//!
//! ## What a line means
//!
//! Words get the types that the server's own introspection gives their keys, and what it would refuse for its name or
//! type is refused before it is sent; without introspection values are typed by their form, and nothing is checked. At a
//! prompt introspection is asked for in the background as soon as the prompt is there; a script asks at the first line
//! with arguments. A test holds our verdict to the servers' own over tens of thousands of generated requests.
//!
//! ## The ways messages are read
//!
//! A script reads the socket itself, between sending and printing: nothing stands between it and the server. At a
//! prompt a reader thread takes messages as they come into an `MessageQueue`. Either way there is one
//! consumer, the thread that runs the engine, so replies, events and what the user typed keep one order. While a line
//! is being typed, that thread sits in the line editor; a bell makes the editor redraw, and what has arrived is written
//! in front of the prompt as part of that redraw.
//!
//! A [`Client`] has a reader thread that hands each reply to its caller and each event to its listeners, who may be in
//! any thread.

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
pub mod grammar;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod qom;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod render;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod schema;
#[doc(hidden)]
pub mod session;
#[cfg(feature = "programs")]
#[doc(hidden)]
pub mod shell;
#[cfg(test)]
mod test_server;
#[doc(hidden)]
pub mod wire;

pub use client::{Client, Empty, Events, ExecuteError, ListenError, Pending, open};
pub use session::{
    Address, AddressError, ConnectError, Disconnected, Listener, MessageQueue, Options, Received, Session,
};
pub use wire::{
    Event, FrameError, Greeting, Incoming, Limits, MessageError, Reply, ReplyBody, Request, Timestamp, Version,
};
