//! Events for one listener.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::wire::Event;

use super::error::ListenError;

/// How many bytes of events may wait for one listener.
const ROOM: usize = 64 << 20;

/// Whether an event is for a listener.
pub(super) type Filter = Box<dyn Fn(&Event) -> bool + Send + Sync>;

/// Events for one listener, in order of arrival, from the moment on at which it began to listen.
///
/// Made by [`Client::events`](super::Client::events) and [`Client::listen`](super::Client::listen); each thread may
/// have its own, and each sees every event that its filter lets through. An event that the server sent before the reply
/// to a command is here when [`Client::execute`](super::Client::execute) returns. Events keep coming after the client
/// was dropped only until the connection ends with its last clone; what had come by then is still handed out.
///
/// ```
/// # let qemu = qmp_shell::Client::connect("demo:")?;
/// use std::time::Duration;
/// use qmp_shell::Empty;
///
/// // A thread that follows all events to the end of the connection, and one listener for a moment.
/// let all = qemu.events();
/// let log = std::thread::spawn(move || all.map_while(Result::ok).map(|event| event.name().to_owned()).collect::<Vec<_>>());
/// let mut stops = qemu.listen(|event| event.name() == "STOP");
///
/// qemu.execute::<Empty>("stop", ())?;
/// qemu.execute::<Empty>("cont", ())?;
/// assert_eq!(stops.wait(Duration::from_secs(5))?.expect("within 5 seconds").name(), "STOP");
/// assert!(stops.wait(Duration::ZERO)?.is_none());
///
/// qemu.close();
/// assert_eq!(log.join().unwrap(), ["STOP", "RESUME"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// As an iterator it waits for the next event, without end unless [`Events::timeout`] set one; then `None` means that
/// none came in time, and it may be asked again. The end of the connection is one `Err`, and `None` ever after.
#[derive(Debug)]
#[must_use = "nobody hears the events of a listener that is dropped"]
pub struct Events {
    pub(super) queue: Arc<Queue>,
    pub(super) timeout: Option<Duration>,
}

/// What waits for a listener.
pub(super) struct Queue {
    filter: Filter,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    events: VecDeque<Event>,
    bytes: usize,
    /// Why there will be no more.
    end: Option<ListenError>,
    /// That was told.
    told: bool,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    pub(super) fn new(filter: Filter) -> Queue {
        Queue { filter, state: Mutex::default(), arrived: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the queue whole: every change to it is one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over an event, if it is for this listener. One that takes nothing is cut off, and will be told: it must
    /// hold up neither the others nor the server.
    pub(super) fn push(&self, event: &Event) {
        if self.state().end.is_some() {
            return;
        }
        // A panic in it is reported by then, and is to end neither the other listeners nor the connection.
        match catch_unwind(AssertUnwindSafe(|| (self.filter)(event))) {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => return self.end(ListenError::Filter),
        }
        let mut state = self.state();
        let bytes = mem_size(event);
        if state.bytes + bytes > ROOM {
            state.end = Some(ListenError::Overflow);
        } else {
            state.bytes += bytes;
            state.events.push_back(event.clone());
        }
        drop(state);
        self.arrived.notify_all();
    }

    /// Says that no more will come.
    pub(super) fn end(&self, why: ListenError) {
        self.state().end.get_or_insert(why);
        self.arrived.notify_all();
    }

    fn pop(&self, until: Option<Instant>) -> Result<Option<Event>, ListenError> {
        let mut state = self.state();
        loop {
            if let Some(event) = state.events.pop_front() {
                state.bytes -= mem_size(&event);
                return Ok(Some(event));
            }
            if let Some(end) = state.end.clone() {
                state.told = true;
                return Err(end);
            }
            state = match until {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// About how many bytes of memory an event takes up while it waits, in a room that may be twice the size of what is in it.
fn mem_size(event: &Event) -> usize {
    event.text().len() + event.name().len() + 2 * size_of::<Event>()
}

impl Events {
    /// The same events; the iterator waits for each of them for so long and no longer.
    pub fn timeout(mut self, timeout: Duration) -> Events {
        self.timeout = Some(timeout);
        self
    }

    /// The next event; waits for it for so long, and not at all for [`Duration::ZERO`]. `Ok(None)` where none came by then.
    pub fn wait(&mut self, timeout: Duration) -> Result<Option<Event>, ListenError> {
        self.queue.pop(Instant::now().checked_add(timeout))
    }
}

impl Iterator for Events {
    type Item = Result<Event, ListenError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.queue.state().told {
            return None;
        }
        let until = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.queue.pop(until).transpose()
    }
}
