//! The server: the one thread that reads the socket, keeps the clock and sends what the monitor says.
//!
//! The only file of this room that knows sockets, threads and the time of day.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use super::monitor::Monitor;

/// Starts a fresh machine; returns the client's end of its QMP connection. The machine's thread ends when that end is
/// closed, and after `quit` or a power-down of the guest.
///
/// # Errors
/// Where the host refuses a pair of sockets or a thread.
pub fn start() -> io::Result<OwnedFd> {
    let (client, server) = UnixStream::pair()?;
    spawn(server)?;
    Ok(client.into())
}

fn spawn(stream: UnixStream) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("demo machine".to_owned()).spawn(move || {
        // The client has gone: that is how most connections end, and there is nobody left to tell.
        let _gone = serve(stream);
    })
}

/// Serves until the client or the machine ends. A client that does not read holds the machine up, as it does QEMU.
fn serve(mut stream: UnixStream) -> io::Result<()> {
    let start = Instant::now();
    let mut monitor = Monitor::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        stream.write_all(monitor.take_output().as_bytes())?;
        if monitor.has_ended() {
            return Ok(());
        }
        // A timeout of zero would mean none at all.
        let wait = |due: Duration| due.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        stream.set_read_timeout(monitor.deadline().map(wait))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => monitor.feed(buffer.get(..len).unwrap_or_default(), start.elapsed()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        monitor.advance(start.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    struct Client(BufReader<UnixStream>);

    impl Client {
        fn say(&mut self, text: &str) {
            self.0.get_mut().write_all(text.as_bytes()).unwrap();
        }

        /// The next line; empty at the end of the stream.
        fn hear(&mut self) -> String {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            line
        }
    }

    fn connect() -> (Client, thread::JoinHandle<()>) {
        let (client, server) = UnixStream::pair().unwrap();
        let thread = spawn(server).unwrap();
        let mut client = Client(BufReader::new(client));
        assert!(client.hear().starts_with("{\"QMP\": "));
        client.say("{\"execute\": \"qmp_capabilities\"}\r\n");
        assert_eq!(client.hear(), "{\"return\": {}}\r\n");
        (client, thread)
    }

    #[test]
    fn a_device_goes_by_itself_and_quit_ends_the_connection() {
        let (mut client, thread) = connect();
        client.say("{\"execute\": \"device_del\", \"arguments\": {\"id\": \"net0\"}, \"id\": 1}");
        assert_eq!(client.hear(), "{\"return\": {}, \"id\": 1}\r\n");
        assert!(client.hear().contains("\"event\": \"DEVICE_DELETED\""));
        assert!(client.hear().contains("\"device\": \"net0\""));
        client.say("{\"execute\": \"quit\"}");
        assert!(client.hear().contains("\"event\": \"SHUTDOWN\""));
        assert_eq!(client.hear(), "{\"return\": {}}\r\n");
        assert_eq!(client.hear(), "");
        thread.join().unwrap();
    }

    #[test]
    fn the_thread_ends_with_the_client() {
        let (client, thread) = connect();
        drop(client);
        thread.join().unwrap();
    }

    #[test]
    fn a_message_may_come_in_pieces() {
        let (mut client, _thread) = connect();
        client.say("{\"execute\": \"query-");
        thread::sleep(Duration::from_millis(20));
        client.say("uuid\"}");
        assert!(client.hear().starts_with("{\"return\": {\"UUID\": "));
    }

    #[test]
    fn each_start_is_a_machine_of_its_own() {
        let fd = start().unwrap();
        let mut client = Client(BufReader::new(UnixStream::from(fd)));
        assert!(client.hear().starts_with("{\"QMP\": "));
    }
}
