//! qmp-shell: an interactive QEMU monitor for people, over QMP alone.
//!
//! The crate behind the programs `qmp-shell` and `qmp-shell-wrap`. Data flows one way, and the rooms stand in that
//! order:
//!
//! ```text
//! text line -> grammar -> Command -> schema -> Request -> session -> Reply | Event -> render -> terminal
//! ```
//!
//! # Rooms
//!
//! A room uses rooms on lower floors and, on its own floor, those listed before it. A test reads the `use` lines and
//! fails on an arrow upwards.
//!
//! | floor | room | owns | must not know |
//! |---|---|---|---|
//! | 1 | [`wire`] | messages, and the framer that cuts them out of a stream | sockets, threads |
//! | 2 | [`grammar`] | text to [`Line`](grammar::Line), every word with its place, also of unfinished input | the server, the terminal |
//! | 2 | [`schema`] | what the server says of itself as lookups; what JSON a word becomes by it, and whether the server will take it; which arguments are secret; the manual pages on the user's disk | sockets, the terminal |
//! | 3 | [`assist`] | line and cursor to candidates, hint and look; pure, names come in as data | I/O |
//! | 3 | [`session`] | addresses, connections, negotiation, threads, ids, the log; the only owner of sockets | the terminal, the grammar |
//! | 3 | [`render`] | values, events, places in a line and the manual as text, with or without colour | sockets |
//! | 4 | [`demo`] | the machine inside the program: a small real QMP server over a socket pair | the shell |
//! | 5 | [`shell`] | one engine, and the two ways to feed it: prompt and script | argument parsing |
//! | 6 | [`cli`] | flags and environment to configuration; errors to message and exit status | — |
//!
//! # Invariants
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
//! # What a line means
//!
//! Words get the types that the server's own introspection gives their keys, and what it would refuse for its name or
//! type is refused before it is sent; without introspection values are typed by their form, and nothing is checked. At a
//! prompt introspection is asked for in the background as soon as the prompt is there; a script asks at the first line
//! with arguments. A test holds our verdict to the servers' own over tens of thousands of generated requests.
//!
//! # The two ways messages are read
//!
//! A script reads the socket itself, between sending and printing: nothing stands between it and the server. At a
//! prompt a reader thread takes messages as they come into an [`Inbox`](session::Inbox). Either way there is one
//! consumer, the thread that runs the engine, so replies, events and what the user typed keep one order. While a line
//! is being typed, that thread sits in the line editor; a bell makes the editor redraw, and what has arrived is written
//! in front of the prompt as part of that redraw.

pub mod assist;
pub mod cli;
pub mod demo;
pub mod grammar;
pub mod render;
pub mod schema;
pub mod session;
pub mod shell;
pub mod wire;
