//! Who gets what arrives: replies to their callers by id, events to their listeners.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::ThreadId;

use crate::session::{Disconnected, ReceiveHalf, Received, SendHalf, capabilities_request};
use crate::wire::{Event, Greeting, Incoming, Reply, Request};

use super::error::{ExecuteError, ListenError};
use super::events::Queue;
use super::pending::{Outcome, Pending};

/// How many in-band commands may be under way: so many a server queues. One more, and it would stop reading, also what is
/// to overtake them.
const IN_BAND: usize = 8;

/// What callers, listeners and the reader thread share.
pub(super) struct Shared {
    out: Mutex<SendHalf>,
    state: Mutex<State>,
    /// Fewer in-band commands are under way than before, or none will ever be answered.
    room: Condvar,
    pub(super) greeting: Option<Greeting>,
    /// The end that is to come is of our own making.
    closing: AtomicBool,
    reader: OnceLock<ThreadId>,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<u64, PendingCall>,
    /// How many in-band commands are under way, or about to be sent.
    in_band: usize,
    listeners: Vec<Weak<Queue>>,
    lost: Option<Disconnected>,
    /// A second greeting came, and is to be answered with this.
    negotiation: Option<Request>,
    negotiated_anew: bool,
}

struct PendingCall {
    in_band: bool,
    caller: SyncSender<Outcome>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl State {
    /// The command of this id is no longer under way. Who waited for its reply.
    fn take_waiting(&mut self, id: u64) -> Option<PendingCall> {
        let waiting = self.waiting.remove(&id)?;
        self.in_band -= usize::from(waiting.in_band);
        Some(waiting)
    }
}

impl Shared {
    pub(super) fn new(out: SendHalf, greeting: Option<Greeting>) -> Shared {
        Shared {
            out: Mutex::new(out),
            state: Mutex::default(),
            room: Condvar::new(),
            greeting,
            closing: AtomicBool::new(false),
            reader: OnceLock::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state whole: every change to it is one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the end of the connection is our doing, not the server's.
    pub(super) fn will_close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Sends a request, when there is room for one more.
    pub(super) fn send(&self, request: Box<Request>, fd: Option<BorrowedFd<'_>>) -> Result<Pending, ExecuteError> {
        let current = std::thread::current().id();
        assert!(
            self.reader.get() != Some(&current),
            "a filter of events cannot execute commands: none would be answered"
        );
        if !request.oob {
            self.reserve_slot();
        }
        let (caller, outcome) = sync_channel(1);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if fd.is_some() && !out.passes_descriptors() {
            drop(out);
            self.release_slot(!request.oob);
            return Err(ExecuteError::NoDescriptors { request });
        }
        self.renegotiate(&mut out);
        let id = out.next_id();
        if let Err(lost) = self.expect_reply(id, !request.oob, caller) {
            return Err(ExecuteError::NotSent { request, lost });
        }
        let sent = out.send(id, &request, fd);
        drop(out);
        self.renegotiate_if_free();
        let Err(unsent) = sent else { return Ok(Pending { request, outcome }) };
        let waiting = self.state().take_waiting(id);
        if waiting.is_some() {
            self.room.notify_one();
        }
        match unsent.in_part {
            // The server may have made sense of the part.
            true => Err(ExecuteError::Unanswered { request, lost: unsent.lost }),
            false => Err(ExecuteError::NotSent { request, lost: unsent.lost }),
        }
    }

    /// Waits until one more in-band command may be under way, and counts it as that.
    fn reserve_slot(&self) {
        let mut state = self.state();
        while state.lost.is_none() && state.in_band >= IN_BAND {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.in_band += 1;
    }

    /// Gives back room that was taken for nothing.
    fn release_slot(&self, in_band: bool) {
        self.state().in_band -= usize::from(in_band);
        self.room.notify_one();
    }

    /// From now on the reply to `id` is for `caller`. Fails where no reply can come any more.
    fn expect_reply(&self, id: u64, in_band: bool, caller: SyncSender<Outcome>) -> Result<(), Disconnected> {
        let mut state = self.state();
        if let Some(lost) = &state.lost {
            return Err(lost.clone());
        }
        state.waiting.insert(id, PendingCall { in_band, caller });
        Ok(())
    }

    /// From now on `queue` gets events.
    pub(super) fn listen(&self, queue: &Arc<Queue>) {
        let mut state = self.state();
        match &state.lost {
            Some(lost) => queue.end(ListenError::Disconnected(lost.clone())),
            None => {
                // Where no event comes to show who has gone, many may have.
                state.listeners.retain(|listener| listener.strong_count() > 0);
                state.listeners.push(Arc::downgrade(queue));
            }
        }
    }

    /// Answers a second greeting, if one came: a server that was still starting when it was connected to may greet again,
    /// and then takes nothing else before.
    fn renegotiate(&self, out: &mut SendHalf) {
        let request = self.state().negotiation.take();
        if let Some(request) = request {
            let id = out.next_id();
            // A connection that is at its end will be found so by the reader.
            let _ = out.send(id, &request, None);
        }
    }

    /// As [`Shared::renegotiate`], unless somebody sends: who does looks here afterwards. So a greeting is answered
    /// whoever of the two came first, and the reader thread waits for no sender: the server may not read on before we do.
    fn renegotiate_if_free(&self) {
        while self.state().negotiation.is_some() {
            let Ok(mut out) = self.out.try_lock() else { return };
            self.renegotiate(&mut out);
        }
    }

    /// Takes what arrives until the connection ends.
    pub(super) fn serve(&self, mut input: ReceiveHalf, early: impl IntoIterator<Item = Received>) {
        let _ = self.reader.set(std::thread::current().id());
        for item in early {
            self.take(item);
        }
        let lost = loop {
            match input.receive(None) {
                Ok(item) => self.take(item),
                Err(_) if self.closing.load(Ordering::Acquire) => break Disconnected::ClosedHere,
                Err(lost) => break lost,
            }
        };
        let mut state = self.state();
        state.lost = Some(lost.clone());
        let waiting = std::mem::take(&mut state.waiting);
        let listeners = std::mem::take(&mut state.listeners);
        drop(state);
        self.room.notify_all();
        for waiting in waiting.into_values() {
            // A caller who has gone does not mind.
            let _ = waiting.caller.send(Err(lost.clone()));
        }
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            listener.end(ListenError::Disconnected(lost.clone()));
        }
    }

    fn take(&self, item: Received) {
        match item {
            Received::Message(Incoming::Reply(reply)) => self.take_reply(reply),
            Received::Message(Incoming::Event(event)) => self.take_event(&event),
            Received::Message(Incoming::Greeting(greeting)) => {
                let mut state = self.state();
                if std::mem::replace(&mut state.negotiated_anew, true) {
                    return;
                }
                state.negotiation = Some(capabilities_request(&greeting));
                drop(state);
                self.renegotiate_if_free();
            }
            // What is no message answers nobody.
            _ => {}
        }
    }

    fn take_reply(&self, reply: Reply) {
        let mut state = self.state();
        let id = match reply.id() {
            Some(id) => id.parse().ok(),
            // It answers what the server could not read: the oldest that is under way.
            None => state.waiting.keys().next().copied(),
        };
        // One that nobody waits for is the reply to a capabilities request of ours, or to an earlier client's command.
        let waiting = id.and_then(|id| state.take_waiting(id));
        drop(state);
        if let Some(waiting) = waiting {
            self.room.notify_one();
            // A caller who has gone does not mind.
            let _ = waiting.caller.send(Ok(reply));
        }
    }

    fn take_event(&self, event: &Event) {
        let mut state = self.state();
        state.listeners.retain(|listener| listener.strong_count() > 0);
        let listeners: Vec<Arc<Queue>> = state.listeners.iter().filter_map(Weak::upgrade).collect();
        drop(state);
        for listener in listeners {
            listener.push(event);
        }
    }
}
