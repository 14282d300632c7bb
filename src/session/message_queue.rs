//! The queue between the reader thread and the one who consumes its messages, in order of arrival.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::error::Disconnected;
use super::received::Received;

/// How many bytes of messages may wait. Beyond it the reader lets the server wait: nothing is dropped.
const ROOM: usize = 64 << 20;

/// Messages that have arrived and were not consumed yet.
#[derive(Default)]
pub struct MessageQueue {
    state: Mutex<State>,
    arrived: Condvar,
    taken: Condvar,
    alarm: Mutex<Option<Box<dyn Fn() + Send>>>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Received>,
    bytes: usize,
    lost: Option<Disconnected>,
    interrupted: bool,
    abandoned: bool,
}

impl std::fmt::Debug for MessageQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageQueue").finish_non_exhaustive()
    }
}

impl MessageQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the queue whole: every change to it is one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `alarm` is called, from the reader thread, whenever something has arrived.
    pub fn set_waker(&self, alarm: impl Fn() + Send + 'static) {
        *self.alarm.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(alarm));
        self.ring();
    }

    fn ring(&self) {
        if let Some(alarm) = &*self.alarm.lock().unwrap_or_else(PoisonError::into_inner) {
            alarm();
        }
    }

    /// Adds a message; waits while the inbox is full.
    pub(super) fn push(&self, item: Received) {
        let mut state = self.state();
        while state.bytes > ROOM && !state.abandoned {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes += item.mem_size();
        state.queue.push_back(item);
        drop(state);
        self.arrived.notify_all();
        self.ring();
    }

    /// Says that nothing more will come.
    pub(super) fn end(&self, lost: Disconnected) {
        self.state().lost.get_or_insert(lost);
        self.arrived.notify_all();
        self.ring();
    }

    /// Lets the reader go on without a consumer.
    pub(super) fn abandon(&self) {
        self.state().abandoned = true;
        self.taken.notify_all();
    }

    /// Wakes the consumer, which gets [`Received::Interrupted`].
    pub fn interrupt(&self) {
        self.state().interrupted = true;
        self.arrived.notify_all();
    }

    /// Whether there is something to consume.
    pub fn is_ready(&self) -> bool {
        let state = self.state();
        !state.queue.is_empty() || state.lost.is_some()
    }

    /// The next message; waits for one until `until`, for ever where that is `None`.
    pub(super) fn pop(&self, until: Option<Instant>) -> Result<Received, Disconnected> {
        let mut state = self.state();
        loop {
            if std::mem::take(&mut state.interrupted) {
                return Ok(Received::Interrupted);
            }
            if let Some(item) = state.queue.pop_front() {
                state.bytes -= item.mem_size();
                drop(state);
                self.taken.notify_one();
                return Ok(item);
            }
            if let Some(lost) = &state.lost {
                return Err(lost.clone());
            }
            state = match until {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(Received::TimedOut);
                    }
                    self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Whether the consumer is to be interrupted.
    pub(super) fn is_interrupted(&self) -> bool {
        self.state().interrupted
    }

    /// Forgets an interruption that nobody waited for.
    pub fn clear_interrupt(&self) {
        self.state().interrupted = false;
    }
}
