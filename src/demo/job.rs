//! One block job, a mirror: its states, its progress, and the events of each change.
//!
//! Knows names of nodes but not the nodes; what a finished mirror means for them is handed out as a [`Pivot`].

use std::time::Duration;

use serde_json::{Value, json};

use super::event::{
    BLOCK_JOB_CANCELLED, BLOCK_JOB_COMPLETED, BLOCK_JOB_PENDING, BLOCK_JOB_READY, Event, EventType, JOB_STATUS_CHANGE,
};

/// How often a running job advances.
pub const TICK: Duration = Duration::from_millis(200);

/// How long a mirror takes where no speed limit makes it longer.
const WHOLE: Duration = Duration::from_secs(5);

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Begun, not yet running.
    Created,
    /// Copying.
    Running,
    /// Told to rest while copying.
    Paused,
    /// Copied; every further write goes to both sides.
    Ready,
    /// Told to rest when ready.
    Standby,
    /// About to finish.
    Waiting,
    /// Waits for `job-finalize`.
    Pending,
    /// On the way to failure.
    Aborting,
    /// Finished; the result can still be read.
    Concluded,
    /// Gone.
    Null,
}

impl Status {
    /// The state as QMP spells it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Ready => "ready",
            Status::Standby => "standby",
            Status::Waiting => "waiting",
            Status::Pending => "pending",
            Status::Aborting => "aborting",
            Status::Concluded => "concluded",
            Status::Null => "null",
        }
    }
}

/// What a client may ask of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Finish, and let the target take the source's place.
    Complete,
    /// Give up. Without force, a mirror that is ready ends as a success that leaves the source in its place.
    Cancel {
        /// Give up even when ready.
        force: bool,
    },
    /// Rest.
    Pause,
    /// Go on.
    Resume,
    /// Leave the pending state.
    Finalize,
    /// Forget the concluded job.
    Dismiss,
}

impl Verb {
    /// The verb as failures spell it.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Complete => "complete",
            Verb::Cancel { .. } => "cancel",
            Verb::Pause => "pause",
            Verb::Resume => "resume",
            Verb::Finalize => "finalize",
            Verb::Dismiss => "dismiss",
        }
    }

    /// Whether a job in this state can be asked so.
    pub fn allowed(self, status: Status) -> bool {
        use Status::{Concluded, Created, Paused, Pending, Ready, Running, Standby, Waiting};
        match self {
            Verb::Complete => status == Ready,
            Verb::Cancel { .. } => matches!(status, Created | Running | Paused | Ready | Standby | Waiting | Pending),
            Verb::Pause => matches!(status, Created | Running | Ready),
            Verb::Resume => matches!(status, Paused | Standby),
            Verb::Finalize => status == Pending,
            Verb::Dismiss => status == Concluded,
        }
    }
}

/// A finished mirror: what used `source` uses `target` from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pivot {
    /// The node that was copied.
    pub source: String,
    /// The node that takes its place.
    pub target: String,
}

/// What jobs have caused and nobody has collected yet.
#[derive(Default)]
pub struct PendingEvents {
    /// Events, in order.
    pub events: Vec<Event>,
    /// Finished mirrors.
    pub pivots: Vec<Pivot>,
}

/// What a new mirror is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name.
    pub id: String,
    /// The node that is copied.
    pub source: String,
    /// The node that is copied to.
    pub target: String,
    /// Bytes to copy.
    pub len: u64,
    /// Bytes a second at most; 0 sets no limit.
    pub speed: u64,
    /// Whether to finish without `job-finalize`.
    pub auto_finalize: bool,
    /// Whether to vanish without `job-dismiss`.
    pub auto_dismiss: bool,
}

/// A running mirror.
#[derive(Debug)]
pub struct Job {
    /// What it was started as; the speed may change.
    pub plan: Plan,
    /// Its state.
    pub status: Status,
    /// When it last advanced.
    pub moved: Duration,
    /// Asked for, to be done at the next tick: the reply goes out before the events of its consequences.
    pub wish: Option<Verb>,
    /// Bytes copied.
    offset: u64,
    /// Whether the target takes over at the end.
    pivots: bool,
    error: Option<&'static str>,
}

impl Job {
    /// A job that starts running at once.
    pub fn start(plan: Plan, now: Duration, out: &mut PendingEvents) -> Self {
        let status = Status::Created;
        let mut job = Job { plan, status, offset: 0, moved: now, wish: None, pivots: true, error: None };
        job.change(Status::Created, out);
        job.change(Status::Running, out);
        job
    }

    /// Enters a state and says so.
    pub fn change(&mut self, status: Status, out: &mut PendingEvents) {
        self.status = status;
        out.events.push(Event::with(&JOB_STATUS_CHANGE, json!({"status": status.name(), "id": self.plan.id})));
    }

    /// Does what is due: moves on, becomes ready, finishes or gives up as it was asked to.
    pub fn tick(&mut self, now: Duration, out: &mut PendingEvents) {
        if self.status == Status::Running && now >= self.moved + TICK {
            self.advance(now);
            if self.offset == self.plan.len {
                self.change(Status::Ready, out);
                out.events.push(self.report(&BLOCK_JOB_READY));
            }
        }
        match self.wish.take() {
            Some(Verb::Cancel { force: false }) if matches!(self.status, Status::Ready | Status::Standby) => {
                self.pivots = false;
                self.conclude(out);
            }
            Some(Verb::Cancel { .. }) => self.abort(out),
            Some(_) => self.conclude(out),
            None => {}
        }
    }

    /// When the next tick is due.
    pub fn deadline(&self) -> Option<Duration> {
        match (self.wish, self.status) {
            (Some(_), _) => Some(Duration::ZERO),
            (None, Status::Running) => Some(self.moved + TICK),
            _ => None,
        }
    }

    /// Moves on by what the time since the last move allows.
    pub fn advance(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.moved).as_millis();
        let full = u128::from(self.plan.len);
        // Rounded up, so that the smallest job moves, too.
        let mut bytes = (full * elapsed).div_ceil(WHOLE.as_millis());
        if self.plan.speed > 0 {
            bytes = bytes.min((u128::from(self.plan.speed) * elapsed).div_ceil(1000));
        }
        let reached = (u128::from(self.offset) + bytes).min(full);
        self.offset = u64::try_from(reached).unwrap_or(self.plan.len);
        self.moved = now;
    }

    fn conclude(&mut self, out: &mut PendingEvents) {
        self.change(Status::Waiting, out);
        self.change(Status::Pending, out);
        if self.plan.auto_finalize {
            self.finalize(out);
        } else {
            out.events.push(Event::with(&BLOCK_JOB_PENDING, json!({"type": "mirror", "id": self.plan.id})));
        }
    }

    /// Leaves the pending state.
    pub fn finalize(&mut self, out: &mut PendingEvents) {
        if self.pivots {
            out.pivots.push(Pivot { source: self.plan.source.clone(), target: self.plan.target.clone() });
        }
        out.events.push(self.report(&BLOCK_JOB_COMPLETED));
        self.end(out);
    }

    fn abort(&mut self, out: &mut PendingEvents) {
        self.change(Status::Aborting, out);
        self.error = Some("given up on request");
        out.events.push(self.report(&BLOCK_JOB_CANCELLED));
        self.end(out);
    }

    fn end(&mut self, out: &mut PendingEvents) {
        self.wish = None;
        self.change(Status::Concluded, out);
        if self.plan.auto_dismiss {
            self.change(Status::Null, out);
        }
    }

    fn report(&self, kind: &'static EventType) -> Event {
        let Plan { id, len, speed, .. } = &self.plan;
        Event::with(kind, json!({"device": id, "len": len, "offset": self.offset, "speed": speed, "type": "mirror"}))
    }

    /// Its entry in `query-jobs`.
    pub fn as_job(&self) -> Value {
        let mut value = json!({
            "current-progress": self.offset, "status": self.status.name(), "total-progress": self.plan.len,
            "type": "mirror", "id": self.plan.id,
        });
        if let Some(error) = self.error {
            value["error"] = error.into();
        }
        value
    }

    /// Its entry in `query-block-jobs`.
    pub fn as_block_job(&self) -> Value {
        let Plan { id, len, speed, auto_finalize, auto_dismiss, .. } = &self.plan;
        json!({
            "auto-finalize": auto_finalize, "io-status": "ok", "device": id, "auto-dismiss": auto_dismiss,
            "busy": self.status == Status::Running, "len": len, "offset": self.offset, "status": self.status.name(),
            "paused": matches!(self.status, Status::Paused | Status::Standby), "speed": speed,
            "ready": matches!(self.status, Status::Ready | Status::Standby), "type": "mirror", "actively-synced": false,
        })
    }
}
