//! Dispatching incoming messages: replies to their callers, events to their listeners.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use crate::session::{Disconnected, ReceiveHalf, Registered, RequestIds, Routed, Router, SendHalf};
use crate::wire::{Event, Greeting, Request};

use super::error::{ExecuteError, ListenError};
use super::events::EventQueue;
use super::job_log::JobLog;
use super::pending::{CANCEL_POLL_INTERVAL, IsCancelled, Outcome, Pending};

/// The maximum number of in-band commands in flight. QEMU queues this many; with one more it stops reading, and an
/// out-of-band command could not overtake the others.
const MAX_IN_BAND_COMMANDS: usize = 8;

/// The time after which several unanswered commands mean that the server may take only one at a time.
#[cfg(feature = "programs")]
const STALL_TIMEOUT: Duration = Duration::from_secs(2);

/// The state shared by callers, listeners and the reader thread.
pub(super) struct Dispatcher {
    out: Mutex<SendHalf>,
    state: Mutex<State>,
    /// Signalled when an in-band slot becomes free, and at the end of the connection.
    slot_freed: Condvar,
    pub(super) greeting: Option<Greeting>,
    /// Set before this process closes the connection.
    closing: AtomicBool,
    reader: OnceLock<ThreadId>,
}

struct State {
    router: Router<PendingCall>,
    /// In-band commands that are in flight or about to be sent.
    in_band_count: usize,
    /// Whether the server gets a request only after it has answered the one before. Then all commands count as in-band.
    takes_one_request: bool,
    /// The time of the last request or message.
    last_progress: Instant,
    listeners: Vec<Weak<EventQueue>>,
    /// The course of the latest jobs.
    jobs: JobLog,
    disconnected: Option<Disconnected>,
    /// The answer to a second greeting, to be sent before the next command.
    renegotiation: Option<Request>,
}

struct PendingCall {
    in_band: bool,
    caller: SyncSender<Outcome>,
}

impl State {
    fn max_in_band(&self) -> usize {
        if self.takes_one_request { 1 } else { MAX_IN_BAND_COMMANDS }
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}

/// The limit of a wait until another command may be in flight.
#[derive(Clone, Copy)]
pub(super) enum SlotWait<'a> {
    Forever,
    Until(Instant),
    /// Until the function, which is called again and again, returns true.
    #[cfg_attr(not(feature = "programs"), expect(dead_code, reason = "only the programs cancel a wait"))]
    Unless(IsCancelled<'a>),
}

impl Dispatcher {
    pub(super) fn new(
        out: SendHalf,
        router: Router<()>,
        greeting: Option<Greeting>,
        takes_one_request: bool,
    ) -> Dispatcher {
        let state = State {
            router: router.successor(),
            in_band_count: 0,
            last_progress: Instant::now(),
            takes_one_request,
            listeners: Vec::new(),
            jobs: JobLog::default(),
            disconnected: None,
            renegotiation: None,
        };
        Dispatcher {
            out: Mutex::new(out),
            state: Mutex::new(state),
            slot_freed: Condvar::new(),
            greeting,
            closing: AtomicBool::new(false),
            reader: OnceLock::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state intact: every change to it is one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces that this process is about to close the connection.
    pub(super) fn will_close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Returns whether several commands are in flight and nothing has happened for [`STALL_TIMEOUT`].
    #[cfg(feature = "programs")]
    pub(super) fn is_stalled(&self) -> bool {
        let state = self.state();
        state.in_band_count > 1 && state.last_progress.elapsed() > STALL_TIMEOUT
    }

    /// Has the server get one request at a time from now on.
    #[cfg(feature = "programs")]
    pub(super) fn take_turns(&self) {
        self.state().takes_one_request = true;
    }

    /// Sends a request. If it is in-band, first waits until fewer than [`MAX_IN_BAND_COMMANDS`] are in flight.
    pub(super) fn send(&self, request: Box<Request>, fd: Option<BorrowedFd<'_>>) -> Result<Pending, ExecuteError> {
        self.assert_outside_filter();
        let in_band = self.is_in_band(&request);
        if in_band {
            self.reserve_slot(SlotWait::Forever);
        }
        self.send_in_slot(request, fd, in_band)
    }

    /// Sends a request as [`Dispatcher::send`] does, but waits only as long as `wait` says. After that, the inner `Err`
    /// returns the request.
    pub(super) fn send_within(
        &self,
        wait: SlotWait<'_>,
        request: Box<Request>,
    ) -> Result<Result<Pending, Box<Request>>, ExecuteError> {
        self.assert_outside_filter();
        let in_band = self.is_in_band(&request);
        if in_band && !self.reserve_slot(wait) {
            return Ok(Err(request));
        }
        self.send_in_slot(request, None, in_band).map(Ok)
    }

    fn assert_outside_filter(&self) {
        let current = std::thread::current().id();
        assert!(
            self.reader.get() != Some(&current),
            "an event filter cannot execute commands: their replies would never be received"
        );
    }

    /// Returns whether a request has to wait until the server may get another one.
    fn is_in_band(&self, request: &Request) -> bool {
        !request.oob || self.state().takes_one_request
    }

    fn send_in_slot(
        &self,
        request: Box<Request>,
        fd: Option<BorrowedFd<'_>>,
        in_band: bool,
    ) -> Result<Pending, ExecuteError> {
        let (caller, outcome) = sync_channel(1);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if fd.is_some() && !out.can_pass_fds() {
            drop(out);
            self.release_slot(in_band);
            return Err(ExecuteError::CannotPassFd { request });
        }
        self.renegotiate(&mut out);
        let registered = match self.register(&request, PendingCall { in_band, caller }) {
            Ok(registered) => registered,
            Err(disconnected) => return Err(ExecuteError::NotSent { request, disconnected }),
        };
        let sent = out.send(registered.id, &request, fd);
        drop(out);
        self.renegotiate_if_idle();
        let Err(unsent) = sent else { return Ok(Pending { request, outcome }) };
        let cancelled = self.state().router.pending.cancel(registered.number);
        if let Some(call) = cancelled {
            self.release_slot(call.in_band);
        }
        let disconnected = unsent.disconnected;
        match unsent.is_partly_sent {
            true => Err(ExecuteError::Unanswered { request, disconnected }),
            false => Err(ExecuteError::NotSent { request, disconnected }),
        }
    }

    /// Waits as long as `wait` says for another in-band command to be allowed in flight, and counts it. Returns whether
    /// the request may be sent; at the end of the connection, sending it reports that.
    fn reserve_slot(&self, wait: SlotWait<'_>) -> bool {
        let mut state = self.state();
        while state.disconnected.is_none() && state.in_band_count >= state.max_in_band() {
            let time = match wait {
                SlotWait::Forever => Duration::MAX,
                SlotWait::Until(deadline) => deadline.saturating_duration_since(Instant::now()),
                SlotWait::Unless(_) => CANCEL_POLL_INTERVAL,
            };
            if time.is_zero() {
                return false;
            }
            state = self.slot_freed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0;
            if let SlotWait::Unless(is_cancelled) = wait {
                // Without the lock, because `is_cancelled` may look at the state.
                drop(state);
                if is_cancelled() {
                    return false;
                }
                state = self.state();
            }
        }
        state.in_band_count += 1;
        true
    }

    fn release_slot(&self, in_band: bool) {
        self.state().in_band_count -= usize::from(in_band);
        self.slot_freed.notify_one();
    }

    fn register(&self, request: &Request, call: PendingCall) -> Result<Registered, Disconnected> {
        let mut state = self.state();
        if let Some(disconnected) = &state.disconnected {
            return Err(disconnected.clone());
        }
        state.last_progress = Instant::now();
        Ok(state.router.pending.register(&request.command, call))
    }

    /// Calls `f` with the course of the latest jobs.
    pub(super) fn with_jobs<T>(&self, f: impl FnOnce(&JobLog) -> T) -> T {
        f(&self.state().jobs)
    }

    /// Sends events to `queue` from now on.
    pub(super) fn listen(&self, queue: &Arc<EventQueue>) {
        let mut state = self.state();
        match &state.disconnected {
            Some(disconnected) => queue.end(ListenError::Disconnected(disconnected.clone())),
            None => {
                // Dropped listeners are otherwise removed only when an event arrives.
                state.listeners.retain(|listener| listener.strong_count() > 0);
                state.listeners.push(Arc::downgrade(queue));
            }
        }
    }

    /// Answers a second greeting, if one came. The server accepts nothing else until then.
    fn renegotiate(&self, out: &mut SendHalf) {
        let request = self.state().renegotiation.take();
        if let Some(request) = request {
            // Its reply is not awaited. At the end of the connection this fails, and the reader thread reports it.
            let _ = out.send(RequestIds::random(), &request, None);
        }
    }

    /// Answers a second greeting unless another thread is sending, which then does it afterwards. The reader thread
    /// must not wait for a sender: that may be waiting for the server to read, and the server for the reader thread.
    fn renegotiate_if_idle(&self) {
        while self.state().renegotiation.is_some() {
            let Ok(mut out) = self.out.try_lock() else { return };
            self.renegotiate(&mut out);
        }
    }

    /// Dispatches messages until the connection ends.
    pub(super) fn run(&self, mut input: ReceiveHalf) {
        let _ = self.reader.set(std::thread::current().id());
        let disconnected = loop {
            let item = match input.receive() {
                Ok(item) => item,
                Err(_) if self.closing.load(Ordering::Acquire) => break Disconnected::ClosedHere,
                Err(disconnected) => break disconnected,
            };
            let mut state = self.state();
            state.last_progress = Instant::now();
            let routed = state.router.route(item);
            drop(state);
            match routed {
                Routed::Reply { entry, reply, .. } => {
                    self.release_slot(entry.in_band);
                    // Fails if the caller has dropped its `Pending`.
                    let _ = entry.caller.send(Ok(reply));
                }
                Routed::Event(event) => self.dispatch_event(&event),
                Routed::Renegotiate(request) => {
                    self.state().renegotiation = Some(request);
                    self.renegotiate_if_idle();
                }
                Routed::Greeting(_) | Routed::Unexpected(_) | Routed::SyncMarker => {}
            }
        };
        self.end(&disconnected);
    }

    fn dispatch_event(&self, event: &Event) {
        let mut state = self.state();
        state.jobs.push(event);
        state.listeners.retain(|listener| listener.strong_count() > 0);
        let listeners: Vec<Arc<EventQueue>> = state.listeners.iter().filter_map(Weak::upgrade).collect();
        drop(state);
        for listener in listeners {
            listener.push(event);
        }
    }

    /// Tells callers and listeners that the connection has ended.
    fn end(&self, disconnected: &Disconnected) {
        let mut state = self.state();
        state.disconnected = Some(disconnected.clone());
        let calls = state.router.pending.drain();
        let listeners = std::mem::take(&mut state.listeners);
        drop(state);
        self.slot_freed.notify_all();
        for call in calls {
            // Fails if the caller has dropped its `Pending`.
            let _ = call.caller.send(Err(disconnected.clone()));
        }
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            listener.end(ListenError::Disconnected(disconnected.clone()));
        }
    }
}
