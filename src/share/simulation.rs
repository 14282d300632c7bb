//! A share whose clients and server are byte strings, for fuzzing.

use std::io::IoSlice;

use crate::session::{RequestIds, StreamItem};
use crate::wire::Message;

use super::client::{Access, ClientId};
use super::core::{Share, Upstream};

/// A share without sockets.
#[derive(Debug)]
pub struct Simulation(Share);

impl Simulation {
    /// Creates a share of a server that offers `oob`.
    pub fn new() -> Simulation {
        let greeting = b"{\"QMP\": {\"version\": null, \"capabilities\": [\"oob\"]}}".to_vec();
        let greeting = match Message::parse(greeting) {
            Ok(Message::Greeting(greeting)) => greeting,
            _ => Default::default(),
        };
        Simulation(Share::new(Upstream { greeting, can_pass_fds: true, ids: RequestIds::default() }, 0, true))
    }

    pub fn connect(&mut self, access: Access) -> ClientId {
        self.0.connect(access)
    }

    pub fn disconnect(&mut self, client: ClientId) {
        self.0.disconnect(client);
    }

    /// Takes bytes of a client. Returns false if it does not want any now.
    pub fn send(&mut self, client: ClientId, bytes: &[u8]) -> bool {
        let wants = self.0.wants_input(client) && !bytes.is_empty();
        if wants {
            self.0.receive(client, bytes.to_vec(), Vec::new());
        }
        wants
    }

    /// Returns and removes the bytes for a client.
    pub fn take_output(&mut self, client: ClientId) -> Vec<u8> {
        let mut output = Vec::new();
        while self.0.has_output(client) {
            let mut slices = [IoSlice::new(&[]); 8];
            let count = self.0.output(client, &mut slices);
            let start = output.len();
            slices[..count].iter().for_each(|slice| output.extend_from_slice(slice));
            self.0.advance_output(client, output.len() - start);
        }
        output
    }

    /// Returns and removes the bytes for the server.
    pub fn take_outgoing(&mut self) -> Vec<u8> {
        let mut outgoing = Vec::new();
        while let Some((bytes, _)) = self.0.outgoing() {
            let len = bytes.len();
            outgoing.extend_from_slice(bytes);
            self.0.advance_outgoing(len);
        }
        outgoing
    }

    /// Takes a message of the server.
    pub fn server_says(&mut self, message: &[u8]) {
        let item = Message::parse(message.to_vec()).map_or_else(StreamItem::NotQmp, StreamItem::Message);
        self.0.receive_item(item);
        self.0.deliver_events();
        self.0.take_records();
    }
}

impl Default for Simulation {
    fn default() -> Self {
        Simulation::new()
    }
}
