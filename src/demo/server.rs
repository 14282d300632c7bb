//! The server: a thread that reads the socket, measures time and sends the output of the monitor.
//!
//! The only file of this module that knows about sockets, threads and the clock.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use super::monitor::Monitor;

/// Starts a new machine and returns the client's end of its QMP connection. Its thread ends when the client closes the
/// connection, after `quit`, and when the guest powers down.
///
/// # Errors
/// If the socket pair or the thread cannot be created.
pub fn start() -> io::Result<OwnedFd> {
    let (client, server) = UnixStream::pair()?;
    spawn(server)?;
    Ok(client.into())
}

fn spawn(stream: UnixStream) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("demo machine".to_owned()).spawn(move || {
        // An error means that the client has closed the connection.
        let _ = serve(stream);
    })
}

/// Serves until the client closes the connection or the machine ends. As in QEMU, a client that does not read blocks the
/// machine.
fn serve(mut stream: UnixStream) -> io::Result<()> {
    let started = Instant::now();
    let mut monitor = Monitor::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        stream.write_all(monitor.take_output().as_bytes())?;
        if monitor.has_ended() {
            return Ok(());
        }
        // A read timeout of zero is not allowed.
        let timeout = |deadline: Duration| deadline.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
        stream.set_read_timeout(monitor.deadline().map(timeout))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => monitor.receive(buffer.get(..len).unwrap_or_default(), started.elapsed()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        monitor.advance(started.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    struct Client(BufReader<UnixStream>);

    impl Client {
        fn send(&mut self, text: &str) {
            self.0.get_mut().write_all(text.as_bytes()).unwrap();
        }

        /// Receives a line; empty at the end of the stream.
        fn receive(&mut self) -> String {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            line
        }
    }

    fn connect() -> (Client, thread::JoinHandle<()>) {
        let (client, server) = UnixStream::pair().unwrap();
        let thread = spawn(server).unwrap();
        let mut client = Client(BufReader::new(client));
        assert!(client.receive().starts_with("{\"QMP\": "));
        client.send("{\"execute\": \"qmp_capabilities\"}\r\n");
        assert_eq!(client.receive(), "{\"return\": {}}\r\n");
        (client, thread)
    }

    #[test]
    fn removes_a_device_unasked_and_closes_after_quit() {
        let (mut client, thread) = connect();
        client.send("{\"execute\": \"device_del\", \"arguments\": {\"id\": \"net0\"}, \"id\": 1}");
        assert_eq!(client.receive(), "{\"return\": {}, \"id\": 1}\r\n");
        assert!(client.receive().contains("\"event\": \"DEVICE_DELETED\""));
        assert!(client.receive().contains("\"device\": \"net0\""));
        client.send("{\"execute\": \"quit\"}");
        assert!(client.receive().contains("\"event\": \"SHUTDOWN\""));
        assert_eq!(client.receive(), "{\"return\": {}}\r\n");
        assert_eq!(client.receive(), "");
        thread.join().unwrap();
    }

    #[test]
    fn ends_the_thread_when_the_client_disconnects() {
        let (client, thread) = connect();
        drop(client);
        thread.join().unwrap();
    }

    #[test]
    fn accepts_a_message_in_pieces() {
        let (mut client, _thread) = connect();
        client.send("{\"execute\": \"query-");
        thread::sleep(Duration::from_millis(20));
        client.send("uuid\"}");
        assert!(client.receive().starts_with("{\"return\": {\"UUID\": "));
    }

    #[test]
    fn starts_a_new_machine_each_time() {
        let fd = start().unwrap();
        let mut client = Client(BufReader::new(UnixStream::from(fd)));
        assert!(client.receive().starts_with("{\"QMP\": "));
    }
}
