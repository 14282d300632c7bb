//! Sessions: addresses, connections, negotiation, the reader thread, the message log.
//!
//! Owns all sockets. Does not know about the terminal or the grammar. All I/O blocks, with a deadline wherever a server
//! could make the client wait.

mod address;
#[cfg(feature = "programs")]
mod arrivals;
#[cfg(feature = "programs")]
mod channel;
mod connect;
mod connection;
mod error;
mod guest_sync;
#[cfg(feature = "programs")]
mod handover;
mod libvirt;
mod listen;
mod log;
mod log_reader;
mod log_writer;
mod message_queue;
mod negotiate;
mod opening;
mod options;
mod owned_file;
mod pending;
#[cfg(feature = "programs")]
mod query;
mod received;
mod redaction;
mod remote_address;
mod server_process;
#[expect(clippy::module_inception, reason = "named after its type")]
mod session;
#[cfg(feature = "programs")]
mod shared_socket;
mod socket;
mod ssh;

pub use address::{Address, AddressError};
#[cfg(feature = "programs")]
pub(crate) use arrivals::{ArrivalSignal, Woken};
#[cfg(feature = "programs")]
pub(crate) use channel::Channel;
#[cfg(feature = "programs")]
pub(crate) use connect::is_runnable;
pub use connection::Wait;
pub(crate) use connection::{Closer, ReceiveHalf, SendHalf};
pub use error::{ConnectError, Disconnected};
pub use listen::Listener;
pub use log::{Direction, MessageLog, Observer, SharedLog, end_log};
#[cfg(feature = "programs")]
pub(crate) use log_reader::{LOG_PREFIX_BYTES, is_message_log};
pub(crate) use log_reader::{LogError, Record, RecordedLog};
pub use message_queue::MessageQueue;
pub use negotiate::connect;
pub use options::Options;
#[cfg(feature = "programs")]
pub(crate) use owned_file::OwnedFile;
#[cfg(feature = "programs")]
pub use owned_file::remove_owned_files;
#[cfg(feature = "programs")]
pub(crate) use pending::StreamItem;
pub(crate) use pending::{Registered, RequestIds, Routed, Router};
pub use received::{Received, Unexpected};
#[cfg(feature = "programs")]
pub(crate) use redaction::SentSecrets;
pub use remote_address::{LibvirtAddress, SshAddress};
pub(crate) use session::Halves;
pub use session::Session;
#[cfg(feature = "programs")]
pub(crate) use session::{Taken, Waited};
#[cfg(feature = "programs")]
pub use shared_socket::{SharedSocket, SharedSocketError, SharedSocketOptions};
