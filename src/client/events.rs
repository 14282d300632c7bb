//! Events for one listener.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::wire::Event;

use super::error::ListenError;

/// The maximum number of bytes of events that are queued for one listener.
const MAX_LISTENER_BYTES: usize = 64 << 20;

pub(super) type Filter = Box<dyn Fn(&Event) -> bool + Send + Sync>;

/// The events of one listener, in order of arrival, beginning with the first after it was created.
///
/// Created by [`Client::events`](super::Client::events) and [`Client::listen`](super::Client::listen). Each thread may
/// have listeners of its own; each listener receives every event that passes its filter. An event that the server sent
/// before the reply to a command is in the queue when [`Client::execute`](super::Client::execute) returns. The
/// connection ends with the last clone of the client; events that arrived before that are still returned.
///
/// ```
/// # let qemu = qmp_shell::Client::connect("demo:")?;
/// use std::time::Duration;
/// use qmp_shell::Empty;
///
/// // A thread that follows all events to the end of the connection, and a listener for one event.
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
/// As an iterator it waits for the next event, without a limit unless [`Events::timeout`] set one. With a timeout,
/// `None` means that no event came in time, and the iterator can be used again. The end of the connection is one `Err`,
/// and `None` from then on.
#[derive(Debug)]
#[must_use = "a dropped listener receives no events"]
pub struct Events {
    pub(super) queue: Arc<EventQueue>,
    pub(super) timeout: Option<Duration>,
}

/// The events that are queued for a listener.
pub(super) struct EventQueue {
    filter: Filter,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    events: VecDeque<Event>,
    bytes: usize,
    /// Set once no more events will come.
    end: Option<ListenError>,
    /// Whether `end` has been returned to the listener.
    end_returned: bool,
}

impl fmt::Debug for EventQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventQueue").finish_non_exhaustive()
    }
}

impl EventQueue {
    pub(super) fn new(filter: Filter) -> EventQueue {
        EventQueue { filter, state: Mutex::default(), arrived: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the queue intact: every change to it is one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends an event that passes the filter. Disconnects a listener whose queue is full, so that it cannot block the
    /// others; its next `wait` returns an error.
    pub(super) fn push(&self, event: &Event) {
        if self.state().end.is_some() {
            return;
        }
        // A panic in the filter has been reported already, and must not end the other listeners or the connection.
        match catch_unwind(AssertUnwindSafe(|| (self.filter)(event))) {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => return self.end(ListenError::FilterPanicked),
        }
        let mut state = self.state();
        let bytes = mem_size(event);
        if state.bytes + bytes > MAX_LISTENER_BYTES {
            state.end = Some(ListenError::Overflow);
        } else {
            state.bytes += bytes;
            state.events.push_back(event.clone());
        }
        drop(state);
        self.arrived.notify_all();
    }

    /// Marks the end: nothing will be pushed after this.
    pub(super) fn end(&self, error: ListenError) {
        self.state().end.get_or_insert(error);
        self.arrived.notify_all();
    }

    fn pop(&self, deadline: Option<Instant>) -> Result<Option<Event>, ListenError> {
        let mut state = self.state();
        loop {
            if let Some(event) = state.events.pop_front() {
                state.bytes -= mem_size(&event);
                return Ok(Some(event));
            }
            if let Some(end) = state.end.clone() {
                state.end_returned = true;
                return Err(end);
            }
            state = match deadline {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// Returns the approximate size of a queued event in memory, in bytes. The queue's buffer may be twice as large as its
/// content.
fn mem_size(event: &Event) -> usize {
    event.text().len() + event.name().len() + 2 * size_of::<Event>()
}

impl Events {
    /// Sets how long the iterator waits for each event.
    pub fn timeout(mut self, timeout: Duration) -> Events {
        self.timeout = Some(timeout);
        self
    }

    /// Waits up to `timeout` for the next event; [`Duration::ZERO`] does not wait. Returns `Ok(None)` after the
    /// timeout.
    pub fn wait(&mut self, timeout: Duration) -> Result<Option<Event>, ListenError> {
        self.queue.pop(Instant::now().checked_add(timeout))
    }
}

impl Iterator for Events {
    type Item = Result<Event, ListenError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.queue.state().end_returned {
            return None;
        }
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.queue.pop(deadline).transpose()
    }
}
