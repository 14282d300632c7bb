//! A server whose replies and files are given, for fuzzing.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::wire::Request;

use super::line::{missing_arguments, run_line};
use super::server::{Failure, QmpServer, ServerError};
use super::state::MonitorState;

/// The number of requests after which the connection ends.
const MAX_REQUESTS: usize = 300;

/// The number of pauses after which the user presses Ctrl-C.
const MAX_PAUSES: usize = 5;

/// The maximum size of a block of memory that the server writes.
const MAX_BLOCK_BYTES: u64 = 1 << 20;

/// A server that gives the same replies again and again, in order, to whatever it is asked.
#[derive(Debug, Default)]
pub struct SimulatedServer {
    replies: Vec<Value>,
    /// The core with the registers of the guest, or the image of its screen.
    file: Vec<u8>,
    /// The guest's memory, which repeats.
    memory: Vec<u8>,
    requests: usize,
    pauses: usize,
    passed: Vec<File>,
}

impl SimulatedServer {
    /// Creates a server. A reply that is an object with a string `error` is an error.
    pub fn new(replies: Vec<Value>, file: &[u8], memory: &[u8]) -> SimulatedServer {
        SimulatedServer { replies, file: file.to_vec(), memory: memory.to_vec(), ..SimulatedServer::default() }
    }

    /// Executes a line of the monitor. Returns its text, or that of its failure.
    pub fn run(&mut self, line: &str) -> String {
        missing_arguments(line);
        run_line(line, self, &mut MonitorState::default()).unwrap_or_else(|failure| failure.text())
    }

    fn next_reply(&mut self) -> Result<Value, Failure> {
        if self.requests >= MAX_REQUESTS {
            return Err(Failure::Ended);
        }
        let index = self.requests % self.replies.len().max(1);
        self.requests += 1;
        let reply = self.replies.get(index).cloned().unwrap_or_default();
        match reply.get("error").and_then(Value::as_str) {
            Some(desc) => Err(ServerError { class: "GenericError".to_owned(), desc: desc.to_owned() }.into()),
            None => Ok(reply),
        }
    }

    /// Writes what a command asks for into a file that was passed. False if the command writes nothing.
    fn write(&mut self, request: &Request) -> bool {
        let arguments: Value = serde_json::from_str(request.arguments.as_deref().unwrap_or("{}")).unwrap_or_default();
        let name = arguments["filename"].as_str().and_then(|name| name.strip_prefix("/proc/self/fd/"));
        let file = match name.and_then(|index| index.parse().ok()) {
            Some(index) => self.passed.get::<usize>(index),
            None => self.passed.last(),
        };
        let Some(file) = file else { return false };
        let bytes = match request.command.as_str() {
            "dump-guest-memory" | "screendump" => self.file.clone(),
            "memsave" | "pmemsave" if !self.memory.is_empty() => {
                let start = arguments["val"].as_i64().unwrap_or_default() as u64 % self.memory.len() as u64;
                let length = arguments["size"].as_u64().unwrap_or_default().min(MAX_BLOCK_BYTES);
                self.memory.iter().cycle().skip(start as usize).take(length as usize).copied().collect()
            }
            _ => return false,
        };
        file.set_len(0).is_ok() && file.write_all_at(&bytes, 0).is_ok()
    }
}

impl QmpServer for SimulatedServer {
    fn query(&mut self, _: &Request) -> Result<Value, Failure> {
        self.next_reply()
    }

    fn execute(&mut self, request: &Request) -> Result<Value, Failure> {
        let reply = self.next_reply()?;
        Ok(if self.write(request) { json!({}) } else { reply })
    }

    fn execute_with_fd(&mut self, _: &Request, fd: BorrowedFd<'_>) -> Result<Value, Failure> {
        let reply = self.next_reply()?;
        let Ok(file) = fd.try_clone_to_owned() else { return Ok(reply) };
        let number = self.passed.len();
        self.passed.push(file.into());
        Ok(json!({ "fd": number, "fdset-id": number }))
    }

    fn can_receive_fds(&mut self) -> bool {
        true
    }

    fn pause(&mut self, _: Duration) -> Result<(), Failure> {
        self.pauses += 1;
        if self.pauses > MAX_PAUSES { Err(Failure::Interrupted) } else { Ok(()) }
    }
}
