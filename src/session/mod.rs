//! Sessions: addresses, connections, negotiation, the reader thread, the transcript.
//!
//! The only owner of sockets. Knows neither terminal nor grammar. All I/O blocks, with a deadline wherever a server
//! could keep us waiting.

mod address;
mod dial;
mod error;
mod guest;
mod halves;
mod inbox;
mod listen;
mod negotiate;
mod received;
mod secrets;
mod socket;
mod stream;
mod transcript;

pub use address::{Address, AddressError};
pub use error::{ConnectError, Lost};
pub(crate) use halves::{Closer, ReceiveHalf, SendHalf};
pub use inbox::Inbox;
pub use listen::Listener;
pub(crate) use negotiate::capabilities_request;
pub use negotiate::{Options, connect};
#[cfg(feature = "programs")]
pub(crate) use received::Aside;
pub use received::Received;
pub use stream::Session;
pub use transcript::{Direction, SharedTranscript, Transcript, Witness};
