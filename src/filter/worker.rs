//! The thread in which a filter runs, and the queue of its results.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};
use std::time::Duration;

use bytes::Bytes;
use jaq_core::{Ctx, Error, Vars};
use jaq_json::{Val, ValX};

use crate::wire::unquote;

use super::FilterError;
use super::compile::{Program, Stage};
use super::guard::{Guard, Kind, STACK_BYTES};
use super::read_value::{Items, read_value};
use super::write_value::write_value;

/// The message of [`FilterError::Failed`] after a panic in the interpreter, which is a fault of this package or of that one.
pub const PANIC_MESSAGE: &str = "the filter failed for an unknown reason";

/// The time between two looks at the caller's interrupt.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);

/// The size of results in the queue at which the filter waits until they are taken.
const MAX_QUEUED_BYTES: usize = 1 << 20;

/// The length of a text from which on it is read item by item, if the filter can be applied so.
const MIN_STREAMED_BYTES: usize = 1 << 20;

/// The number of characters at the beginning of an error that are kept.
const MAX_START_CHARS: usize = 100;

/// The number of characters at the end of an error that are kept.
const MAX_END_CHARS: usize = 40;

/// Calls `f` in a thread with a large stack.
pub(super) fn on_large_stack<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let thread = spawn(f)?;
    thread.join().map_err(|_| "the filter cannot be compiled".to_owned())
}

fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Result<thread::JoinHandle<T>, String> {
    let builder = Builder::new().name("filter".to_owned()).stack_size(STACK_BYTES);
    builder.spawn(f).map_err(|error| format!("cannot start a thread for the filter: {error}"))
}

/// The results that the caller has not taken, and what else both sides must know.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    is_cancelled: AtomicBool,
}

#[derive(Default)]
struct State {
    results: Vec<String>,
    bytes: usize,
    end: Option<Result<(), String>>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a result, when there is room. Returns false if no more are wanted.
    fn push(&self, result: String) -> bool {
        let mut state = self.lock();
        while state.bytes >= MAX_QUEUED_BYTES && !self.is_cancelled.load(Ordering::Relaxed) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes += result.len() + size_of::<String>();
        state.results.push(result);
        // The caller waits only for the first result.
        let is_awaited = state.results.len() == 1;
        drop(state);
        if is_awaited {
            self.changed.notify_all();
        }
        self.is_wanted()
    }

    /// Returns whether the caller still waits for results.
    fn is_wanted(&self) -> bool {
        !self.is_cancelled.load(Ordering::Relaxed)
    }

    /// Takes all results, and the end if it has come. Waits a moment if there is nothing.
    fn take(&self) -> (Vec<String>, Option<Result<(), String>>) {
        let mut state = self.lock();
        if state.results.is_empty() && state.end.is_none() {
            let waited = self.changed.wait_timeout(state, INTERRUPT_INTERVAL);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.bytes = 0;
        let taken = (std::mem::take(&mut state.results), state.end.take());
        drop(state);
        self.changed.notify_all();
        taken
    }

    fn finish(&self, end: Result<(), String>) {
        self.lock().end = Some(end);
        self.changed.notify_all();
    }

    /// Makes the filter end at its next check.
    fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        let _state = self.lock();
        self.changed.notify_all();
    }
}

/// The results of a running filter. Dropping them ends it.
pub struct Results {
    queue: Arc<Queue>,
    /// Results that were taken from the queue, the next one last.
    taken: Vec<String>,
    end: Option<Result<(), String>>,
}

impl Results {
    /// Starts a filter on a JSON text.
    pub(super) fn start(program: &Arc<Program>, json: &str) -> Results {
        let queue = Arc::new(Queue::default());
        let (worker_queue, program) = (Arc::clone(&queue), Arc::clone(program));
        let text = Bytes::copy_from_slice(json.as_bytes());
        let thread = spawn(move || {
            let work = || run_program(&program, &text, &worker_queue);
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                worker_queue.finish(Err(PANIC_MESSAGE.to_owned()));
            }
        });
        Results { queue, taken: Vec::new(), end: thread.err().map(Err) }
    }

    /// Returns the next result as compact JSON, or `None` after the last one. `is_interrupted` is called several times
    /// per second, and ends the filter when it returns true.
    pub fn next(&mut self, is_interrupted: &mut dyn FnMut() -> bool) -> Option<Result<String, FilterError>> {
        loop {
            if let Some(result) = self.taken.pop() {
                return Some(Ok(result));
            }
            match self.end.take() {
                None => {}
                Some(Ok(())) => {
                    self.end = Some(Ok(()));
                    return None;
                }
                Some(Err(message)) => {
                    self.end = Some(Ok(()));
                    return Some(Err(FilterError::Failed(message)));
                }
            }
            if is_interrupted() {
                self.queue.cancel();
                self.end = Some(Ok(()));
                return Some(Err(FilterError::Interrupted));
            }
            (self.taken, self.end) = self.queue.take();
            self.taken.reverse();
        }
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        self.queue.cancel();
    }
}

/// Runs a filter in this thread, and queues its results and its end.
fn run_program(program: &Program, text: &Bytes, queue: &Queue) {
    let guard = Guard::new(&program.filter.lut, &queue.is_cancelled);
    let run = Run { program, guard: &guard, queue };
    if let Some(stream) = program.stream.as_ref().filter(|_| text.len() >= MIN_STREAMED_BYTES)
        && let Some(mut items) = Items::at(text, &stream.keys)
    {
        return run.stream(stream.collects, &mut items);
    }
    match read_value(text) {
        Ok(value) => run.finish_with(Stage::Whole, value),
        Err(message) => queue.finish(Err(message)),
    }
}

/// A run of a filter.
struct Run<'a> {
    program: &'a Program,
    guard: &'a Guard<'a>,
    queue: &'a Queue,
}

impl<'a> Run<'a> {
    fn results(&self, stage: Stage, value: Val) -> impl Iterator<Item = ValX<'a>> {
        let context = Ctx::<Kind>::new(self.guard, Vars::new([Val::from(stage as usize)]));
        self.program.filter.id.run((context, value))
    }

    /// Queues the results for a value, and the end. The values are dropped after the caller has learned of the end: that
    /// may take as long as reading them.
    fn finish_with(&self, stage: Stage, value: Val) {
        let mut results = self.results(stage, value);
        let end = results.by_ref().try_for_each(|result| self.queue_result(result));
        self.queue.finish(end.map_or_else(|end| end, Ok));
    }

    /// Applies the filter to one item after the other.
    fn stream(&self, collects: bool, items: &mut Items<'_>) {
        let mut collected = Vec::new();
        for item in items.by_ref() {
            let item = match item {
                Ok(item) if self.queue.is_wanted() => item,
                Ok(_) => return self.queue.finish(Ok(())),
                Err(message) => return self.queue.finish(Err(message)),
            };
            let end = self.results(Stage::Item, item).try_for_each(|result| match collects {
                true => self.value_of(result).map(|value| collected.push(value)),
                false => self.queue_result(result),
            });
            if let Err(end) = end {
                return self.queue.finish(end);
            }
        }
        match collects {
            true => self.finish_with(Stage::Collected, collected.into_iter().collect()),
            false => self.queue.finish(Ok(())),
        }
    }

    /// Queues a result. The error is the end of the filter.
    fn queue_result(&self, result: ValX<'a>) -> Result<(), Result<(), String>> {
        let value = self.value_of(result)?;
        let mut json = String::new();
        write_value(&value, &mut json);
        if self.queue.push(json) { Ok(()) } else { Err(Ok(())) }
    }

    /// Returns the value of a result, or the end of the filter.
    fn value_of(&self, result: ValX<'a>) -> Result<Val, Result<(), String>> {
        result.map_err(|exception| match exception.get_err() {
            Ok(error) => Err(message_of(&error)),
            Err(_) => self.guard.exceeded().map_or(Ok(()), |limit| Err(limit.to_owned())),
        })
    }
}

/// Returns the message of an error. The value of `error(VALUE)` is its message.
fn message_of(error: &Error<Val>) -> String {
    let mut message = ShortMessage::default();
    // Never fails.
    let _ = write!(message, "{error}");
    let text = message.text();
    match unquote(&text) {
        Some(unquoted) if text.starts_with('"') => unquoted.into_owned(),
        _ => text,
    }
}

/// The beginning and the end of a text that may be as long as a reply, since errors quote the value.
#[derive(Default)]
struct ShortMessage {
    start: String,
    start_chars: usize,
    end: VecDeque<char>,
    is_cut: bool,
}

impl ShortMessage {
    fn text(self) -> String {
        let gap = if self.is_cut { "…" } else { "" };
        self.start + gap + &self.end.iter().collect::<String>()
    }
}

impl Write for ShortMessage {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.start_chars < MAX_START_CHARS {
                self.start_chars += 1;
                self.start.push(c);
                continue;
            }
            if self.end.len() == MAX_END_CHARS {
                self.end.pop_front();
                self.is_cut = true;
            }
            self.end.push_back(c);
        }
        Ok(())
    }
}
