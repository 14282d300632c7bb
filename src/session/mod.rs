//! Sessions: addresses, connections, negotiation, the reader thread, the transcript.
//!
//! The only owner of sockets. Knows neither terminal nor grammar. All I/O blocks, with a deadline wherever a server
//! could keep us waiting.

mod address;
mod connect;
mod connection;
mod error;
mod guest_sync;
mod listen;
mod log;
mod message_queue;
mod negotiate;
mod received;
mod redaction;
mod session;
mod socket;

pub use address::{Address, AddressError};
pub(crate) use connection::{Closer, ReceiveHalf, SendHalf};
pub use error::{ConnectError, Disconnected};
pub use listen::Listener;
pub use log::{Direction, MessageLog, Observer, SharedLog};
pub use message_queue::MessageQueue;
pub(crate) use negotiate::capabilities_request;
pub use negotiate::{Options, connect};
#[cfg(feature = "programs")]
pub(crate) use received::Backlog;
pub use received::Received;
pub use session::Session;
