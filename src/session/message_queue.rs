//! The queue between the reader thread and the consumer of its messages, in order of arrival.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

#[cfg(feature = "programs")]
use super::arrivals::ArrivalSignal;
use super::connection::{Polled, Wait};
use super::error::Disconnected;
use super::pending::StreamItem;

/// The number of queued bytes after which the reader thread stops reading, so that the server waits and nothing is
/// dropped.
const MAX_QUEUED_BYTES: usize = 64 << 20;

/// Returns the next place in the order of arrival over all queues, from 1.
fn next_place() -> u64 {
    static LAST_PLACE: AtomicU64 = AtomicU64::new(0);

    LAST_PLACE.fetch_add(1, Ordering::Relaxed) + 1
}

/// Messages that have arrived but have not been consumed.
#[derive(Default)]
pub struct MessageQueue {
    state: Mutex<State>,
    arrived: Condvar,
    consumed: Condvar,
    waker: Mutex<Option<Box<dyn Fn() + Send>>>,
    /// Raised whenever a message arrives, for a consumer of several queues.
    #[cfg(feature = "programs")]
    signal: Mutex<Option<ArrivalSignal>>,
}

#[derive(Default)]
struct State {
    /// The items, each with its place in the order of arrival over all queues.
    items: VecDeque<(u64, StreamItem)>,
    bytes: usize,
    /// Set by the reader thread at the end of the connection.
    disconnected: Option<(u64, Disconnected)>,
    /// Whether the consumer should stop waiting.
    interrupted: bool,
    /// Whether the consumer is gone.
    closed: bool,
    /// Whether the reader thread should leave after the next message.
    leaving: bool,
}

impl State {
    fn pop(&mut self) -> Option<(u64, StreamItem)> {
        let (place, item) = self.items.pop_front()?;
        self.bytes -= item.mem_size();
        Some((place, item))
    }
}

impl std::fmt::Debug for MessageQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageQueue").finish_non_exhaustive()
    }
}

impl MessageQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the queue intact: every change to it is one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a function that the reader thread calls whenever a message arrives. Also calls it immediately.
    pub fn set_waker(&self, waker: impl Fn() + Send + 'static) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(waker));
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            waker();
        }
        self.raise_signal();
    }

    #[cfg(feature = "programs")]
    fn raise_signal(&self) {
        if let Some(signal) = &*self.signal.lock().unwrap_or_else(PoisonError::into_inner) {
            signal.raise();
        }
    }

    #[cfg(not(feature = "programs"))]
    fn raise_signal(&self) {}

    /// Sets a signal that is raised whenever a message arrives, and at interrupts. The first one stays.
    #[cfg(feature = "programs")]
    pub(crate) fn set_signal(&self, signal: &ArrivalSignal) {
        let mut own = self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        if own.is_none() {
            *own = Some(signal.clone());
            signal.raise();
        }
    }

    /// Returns the place of the next item, or of the end of the connection, in the order of arrival over all queues.
    #[cfg(feature = "programs")]
    pub(super) fn next_arrival(&self) -> Option<u64> {
        let state = self.state();
        let end = || state.disconnected.as_ref().map(|(place, _)| *place);
        state.items.front().map(|(place, _)| *place).or_else(end)
    }

    /// Returns whether the consumer should stop waiting, and forgets it.
    #[cfg(feature = "programs")]
    pub(crate) fn take_interrupt(&self) -> bool {
        std::mem::take(&mut self.state().interrupted)
    }

    /// Appends an item; blocks while the queue is full.
    pub(super) fn push(&self, item: StreamItem) {
        let mut state = self.state();
        while state.bytes > MAX_QUEUED_BYTES && !state.closed {
            state = self.consumed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes += item.mem_size();
        state.items.push_back((next_place(), item));
        drop(state);
        self.arrived.notify_all();
        self.wake();
    }

    /// Marks the end of the connection: nothing will be pushed after this.
    pub(super) fn end(&self, disconnected: Disconnected) {
        self.state().disconnected.get_or_insert_with(|| (next_place(), disconnected));
        self.arrived.notify_all();
        self.wake();
    }

    /// Tells the reader thread that the consumer is gone, so that a full queue does not block it.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.consumed.notify_all();
    }

    /// Sets whether the reader thread leaves after the next message, so that another reader can take its place.
    #[cfg(feature = "programs")]
    pub(super) fn set_leaving(&self, leaving: bool) {
        self.state().leaving = leaving;
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.state().leaving
    }

    /// Wakes the consumer, which receives [`Received::Interrupted`](super::Received::Interrupted).
    pub fn interrupt(&self) {
        self.state().interrupted = true;
        self.arrived.notify_all();
        self.raise_signal();
    }

    /// Discards an interrupt that nothing waited for.
    pub fn clear_interrupt(&self) {
        self.state().interrupted = false;
    }

    /// Returns whether the reader thread has seen the end of the connection.
    #[cfg(all(test, feature = "programs"))]
    pub(crate) fn has_ended(&self) -> bool {
        self.state().disconnected.is_some()
    }

    /// Returns whether the consumer should stop waiting.
    pub(super) fn is_interrupted(&self) -> bool {
        self.state().interrupted
    }

    /// Takes the next item, waiting for it as long as `wait` says. Returns it after its place in the order of arrival.
    pub(super) fn pop(&self, wait: Wait<'_>) -> Result<(u64, Polled), Disconnected> {
        let mut state = self.state();
        loop {
            if wait.blocks() && std::mem::take(&mut state.interrupted) {
                return Ok((0, Polled::Interrupted));
            }
            if let Some((place, item)) = state.pop() {
                drop(state);
                self.consumed.notify_one();
                return Ok((place, Polled::Item(item)));
            }
            if let Some((_, disconnected)) = &state.disconnected {
                return Err(disconnected.clone());
            }
            state = match wait {
                Wait::Forever => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Wait::Until(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok((0, Polled::TimedOut));
                    }
                    self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                Wait::Buffered | Wait::Arrived => return Ok((0, Polled::TimedOut)),
                Wait::Input(_) => return Ok((0, Polled::InputReady)),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;
    use crate::wire::Message;

    fn event(text: &str) -> StreamItem {
        let text = format!("{{\"event\": \"E\", \"data\": \"{text}\"}}");
        StreamItem::Message(Message::parse(text.into_bytes()).unwrap())
    }

    fn popped(queue: &MessageQueue, wait: Wait<'_>) -> String {
        match queue.pop(wait).map(|(_, polled)| polled) {
            Ok(Polled::Item(StreamItem::Message(Message::Event(event)))) => event.data().unwrap_or_default().to_owned(),
            Ok(other) => format!("{other:?}"),
            Err(disconnected) => disconnected.to_string(),
        }
    }

    fn soon() -> Wait<'static> {
        Wait::Until(Instant::now() + Duration::from_millis(20))
    }

    #[test]
    fn keeps_order_and_ends_after_the_last_item() {
        let queue = MessageQueue::default();
        queue.push(event("a"));
        queue.push(event("b"));
        queue.end(Disconnected::Closed);
        assert_eq!(popped(&queue, Wait::Forever), "\"a\"");
        assert_eq!(popped(&queue, Wait::Buffered), "\"b\"");
        assert_eq!(popped(&queue, Wait::Forever), "the server closed the connection");
        assert_eq!(popped(&queue, Wait::Buffered), "the server closed the connection");
    }

    #[test]
    fn an_interrupt_comes_before_messages_but_only_to_a_consumer_that_waits() {
        let queue = MessageQueue::default();
        queue.push(event("a"));
        queue.push(event("b"));
        queue.interrupt();
        assert_eq!(popped(&queue, Wait::Buffered), "\"a\"", "not waiting");
        assert_eq!(popped(&queue, Wait::Forever), "Interrupted");
        assert_eq!(popped(&queue, Wait::Forever), "\"b\"");
        queue.interrupt();
        queue.clear_interrupt();
        assert_eq!(popped(&queue, soon()), "TimedOut");
    }

    #[test]
    fn wakes_for_each_message_and_for_the_end() {
        let queue = MessageQueue::default();
        queue.push(event("a"));
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        queue.set_waker(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(calls.load(Ordering::SeqCst), 1, "for what had arrived before");
        queue.push(event("b"));
        queue.end(Disconnected::Closed);
        assert_eq!(calls.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_full_queue_blocks_the_reader_until_something_is_consumed_or_the_consumer_is_gone() {
        let queue = Arc::new(MessageQueue::default());
        // One large event would take long to parse.
        const PARTS: usize = 64;
        let part = event(&"x".repeat(MAX_QUEUED_BYTES / PARTS));
        let fill = || (0..PARTS).for_each(|_| queue.push(part.clone()));
        fill();
        let reader = |queue: &Arc<MessageQueue>| {
            let queue = Arc::clone(queue);
            std::thread::spawn(move || queue.push(event("late")))
        };
        let blocked = reader(&queue);
        std::thread::sleep(Duration::from_millis(20));
        assert!(!blocked.is_finished());
        for _ in 0..PARTS {
            assert_eq!(popped(&queue, Wait::Forever).len(), MAX_QUEUED_BYTES / PARTS + 2);
        }
        blocked.join().unwrap();
        assert_eq!(popped(&queue, Wait::Forever), "\"late\"");
        fill();
        let blocked = reader(&queue);
        queue.close();
        blocked.join().unwrap();
    }
}
