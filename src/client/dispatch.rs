//! Who gets what arrives: replies to their callers by id, events to their listeners.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use crate::session::{Lost, ReceiveHalf, Received, SendHalf, capabilities_request};
use crate::wire::{Event, Greeting, Incoming, Reply, Request};

use super::error::ListenError;
use super::events::Queue;
use super::pending::Outcome;

/// How many in-band commands may be under way: so many a server queues. One more, and it would stop reading, also what is
/// to overtake them.
const IN_BAND: usize = 8;

/// What callers, listeners and the reader thread share.
pub(super) struct Shared {
    pub(super) out: Mutex<SendHalf>,
    state: Mutex<State>,
    /// Fewer in-band commands are under way than before, or none will ever be answered.
    room: Condvar,
    pub(super) greeting: Option<Greeting>,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<u64, Waiting>,
    listeners: Vec<Weak<Queue>>,
    lost: Option<Lost>,
    /// A second greeting came, and is to be answered with this.
    negotiation: Option<Request>,
    negotiated_anew: bool,
}

struct Waiting {
    in_band: bool,
    caller: SyncSender<Outcome>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(out: SendHalf, greeting: Option<Greeting>) -> Shared {
        Shared { out: Mutex::new(out), state: Mutex::default(), room: Condvar::new(), greeting }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state whole: every change to it is one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more in-band command may be under way.
    pub(super) fn wait_for_room(&self) {
        let mut state = self.state();
        while state.lost.is_none() && state.waiting.values().filter(|waiting| waiting.in_band).count() >= IN_BAND {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// From now on the reply to `id` is for `caller`. Fails where no reply can come any more.
    pub(super) fn expect_reply(&self, id: u64, in_band: bool, caller: SyncSender<Outcome>) -> Result<(), Lost> {
        let mut state = self.state();
        if let Some(lost) = &state.lost {
            return Err(lost.clone());
        }
        state.waiting.insert(id, Waiting { in_band, caller });
        Ok(())
    }

    /// From now on `queue` gets events.
    pub(super) fn listen(&self, queue: &Arc<Queue>) {
        let mut state = self.state();
        match &state.lost {
            Some(lost) => queue.end(ListenError::Lost(lost.clone())),
            None => state.listeners.push(Arc::downgrade(queue)),
        }
    }

    /// Answers a second greeting, if one came: a server that was still starting when it was connected to may greet again,
    /// and then takes nothing else before. Whoever holds the sending half does it when done.
    pub(super) fn renegotiate(&self, out: &mut SendHalf) {
        let request = self.state().negotiation.take();
        if let Some(request) = request {
            let id = out.next_id();
            // A connection that is at its end will be found so by the reader.
            let _ = out.send(id, &request, None);
        }
    }

    /// Takes what arrives until the connection ends.
    pub(super) fn serve(&self, mut input: ReceiveHalf, early: impl IntoIterator<Item = Received>) {
        for item in early {
            self.take(item);
        }
        let lost = loop {
            match input.receive(None) {
                Ok(item) => self.take(item),
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
            listener.end(ListenError::Lost(lost.clone()));
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
                // This thread must not wait for one that sends: the server may not read on before we do.
                if let Ok(mut out) = self.out.try_lock() {
                    self.renegotiate(&mut out);
                }
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
        let waiting = id.and_then(|id| state.waiting.remove(&id));
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
