//! The wait for messages of several sessions at once.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::connection::Wait;
use super::socket::wait_readable;

/// A signal that several message queues raise, so that one consumer can wait for all of them. It stays raised until it is
/// cleared. Clones are the same signal.
#[derive(Debug, Clone)]
pub(crate) struct ArrivalSignal(Arc<(UnixStream, UnixStream)>);

/// The end of a wait for a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Something has arrived, or the consumer was interrupted.
    Raised,
    TimedOut,
    /// The descriptor of [`Wait::Input`] is readable.
    InputReady,
}

impl ArrivalSignal {
    pub(crate) fn new() -> io::Result<ArrivalSignal> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(ArrivalSignal(Arc::new((reader, writer))))
    }

    pub(super) fn raise(&self) {
        let (_, writer) = &*self.0;
        // If the socket is full, it wakes the reader already.
        let _ = (&*writer).write(&[0]);
    }

    /// Clears the signal. Must be called before the queues are looked at, so that later arrivals raise it again.
    pub(crate) fn clear(&self) {
        let (reader, _) = &*self.0;
        let mut buffer = [0; 256];
        loop {
            match (&*reader).read(&mut buffer) {
                Ok(len) if len == buffer.len() => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    }

    /// Waits as long as `wait` says until the signal is raised.
    pub(crate) fn wait(&self, wait: Wait<'_>) -> io::Result<Woken> {
        let (reader, _) = &*self.0;
        let signal = reader.as_fd();
        let ready = match wait {
            Wait::Buffered | Wait::Arrived => return Ok(Woken::TimedOut),
            Wait::Forever => wait_readable(&[signal], None)?,
            Wait::Until(deadline) => wait_readable(&[signal], Some(deadline))?,
            Wait::Input(input) => wait_readable(&[signal, input], None)?,
        };
        Ok(match ready[..] {
            [_, true] => Woken::InputReady,
            [true, ..] => Woken::Raised,
            _ => Woken::TimedOut,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn soon() -> Wait<'static> {
        Wait::Until(Instant::now() + Duration::from_millis(10))
    }

    #[test]
    fn stays_raised_until_it_is_cleared() {
        let signal = ArrivalSignal::new().unwrap();
        assert_eq!(signal.wait(soon()).unwrap(), Woken::TimedOut);
        // More often than the socket has room for.
        (0..20_000).for_each(|_| signal.raise());
        assert_eq!(signal.wait(Wait::Forever).unwrap(), Woken::Raised);
        assert_eq!(signal.wait(Wait::Forever).unwrap(), Woken::Raised);
        signal.clear();
        assert_eq!(signal.wait(soon()).unwrap(), Woken::TimedOut);
    }

    #[test]
    fn input_ends_the_wait_too() {
        let signal = ArrivalSignal::new().unwrap();
        let (input, mut writer) = UnixStream::pair().unwrap();
        signal.raise();
        assert_eq!(signal.wait(Wait::Input(input.as_fd())).unwrap(), Woken::Raised);
        writer.write_all(b"x").unwrap();
        assert_eq!(signal.wait(Wait::Input(input.as_fd())).unwrap(), Woken::InputReady);
    }
}
