//! The block jobs: mirrors that move with time. Owns their states, the rules between them and the events they cause.
//!
//! Knows names of nodes but not the nodes; what a finished mirror means for them is handed out as a [`Pivot`].

use std::time::Duration;

use serde_json::{Value, json};

use super::args::check_id;
use super::event::{
    BLOCK_JOB_CANCELLED, BLOCK_JOB_COMPLETED, BLOCK_JOB_PENDING, BLOCK_JOB_READY, Event, EventType, JOB_STATUS_CHANGE,
};
use super::failure::Failure;

/// How often a running job advances.
pub const TICK: Duration = Duration::from_millis(200);

/// How long a mirror takes where no speed limit makes it longer.
const WHOLE: Duration = Duration::from_secs(5);

/// More jobs than this are refused.
const LIMIT: usize = 32;

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
    fn name(self) -> &'static str {
        match self {
            Verb::Complete => "complete",
            Verb::Cancel { .. } => "cancel",
            Verb::Pause => "pause",
            Verb::Resume => "resume",
            Verb::Finalize => "finalize",
            Verb::Dismiss => "dismiss",
        }
    }

    fn allowed(self, status: Status) -> bool {
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

#[derive(Debug)]
struct Job {
    plan: Plan,
    status: Status,
    offset: u64,
    /// When it last advanced.
    moved: Duration,
    /// Asked for, to be done at the next tick: the reply goes out before the events of its consequences.
    wish: Option<Verb>,
    /// Whether the target takes over at the end.
    pivots: bool,
    error: Option<&'static str>,
}

/// All jobs, and what they have caused since it was last collected.
#[derive(Default)]
pub struct Jobs {
    list: Vec<Job>,
    events: Vec<Event>,
    pivots: Vec<Pivot>,
}

impl Jobs {
    /// Starts a mirror.
    pub fn start(&mut self, plan: Plan, now: Duration) -> Result<(), Failure> {
        check_id("job-id", &plan.id)?;
        if self.list.iter().any(|job| job.plan.id == plan.id) {
            return Err(Failure::new(format!("a job '{}' exists already", plan.id)));
        }
        if self.list.len() >= LIMIT {
            return Err(Failure::new("the demo machine runs no more jobs than it has"));
        }
        let status = Status::Created;
        let mut job = Job { plan, status, offset: 0, moved: now, wish: None, pivots: true, error: None };
        self.events.push(status_change(&job.plan.id, status));
        job.become_(Status::Running, &mut self.events);
        self.list.push(job);
        Ok(())
    }

    /// Asks something of the job `id`.
    pub fn ask(&mut self, id: &str, verb: Verb, now: Duration) -> Result<(), Failure> {
        let Some(job) = self.list.iter_mut().find(|job| job.plan.id == id) else {
            return Err(Failure::new(format!("there is no job '{id}'")));
        };
        if !verb.allowed(job.status) {
            let (verb, status) = (verb.name(), job.status.name());
            return Err(Failure::new(format!("job '{id}' is {status}: '{verb}' cannot be done in that state")));
        }
        match verb {
            Verb::Pause if job.status == Status::Ready => job.become_(Status::Standby, &mut self.events),
            Verb::Pause => {
                job.advance(now);
                job.become_(Status::Paused, &mut self.events);
            }
            Verb::Resume if job.status == Status::Standby => job.become_(Status::Ready, &mut self.events),
            Verb::Resume => {
                job.moved = now;
                job.become_(Status::Running, &mut self.events);
            }
            Verb::Complete | Verb::Cancel { .. } => job.wish = Some(verb),
            Verb::Finalize => job.finalize(&mut self.events, &mut self.pivots),
            Verb::Dismiss => job.become_(Status::Null, &mut self.events),
        }
        self.list.retain(|job| job.status != Status::Null);
        Ok(())
    }

    /// Sets a job's speed limit, in bytes a second; 0 lifts it.
    pub fn set_speed(&mut self, id: &str, speed: u64, now: Duration) -> Result<(), Failure> {
        let Some(job) = self.list.iter_mut().find(|job| job.plan.id == id) else {
            return Err(Failure::new(format!("there is no job '{id}'")));
        };
        if job.status == Status::Running {
            job.advance(now);
        }
        job.plan.speed = speed;
        Ok(())
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Duration) {
        for job in &mut self.list {
            if job.status == Status::Running && now >= job.moved + TICK {
                job.advance(now);
                if job.offset == job.plan.len {
                    job.become_(Status::Ready, &mut self.events);
                    self.events.push(job.report(&BLOCK_JOB_READY));
                }
            }
            match job.wish.take() {
                Some(Verb::Cancel { force: false }) if matches!(job.status, Status::Ready | Status::Standby) => {
                    job.pivots = false;
                    job.conclude(&mut self.events, &mut self.pivots);
                }
                Some(Verb::Cancel { .. }) => job.abort(&mut self.events),
                Some(_) => job.conclude(&mut self.events, &mut self.pivots),
                None => {}
            }
        }
        self.list.retain(|job| job.status != Status::Null);
    }

    /// When the next tick is due, on the clock of [`Jobs::tick`].
    pub fn deadline(&self) -> Option<Duration> {
        let due = |job: &Job| match (job.wish, job.status) {
            (Some(_), _) => Some(Duration::ZERO),
            (None, Status::Running) => Some(job.moved + TICK),
            _ => None,
        };
        self.list.iter().filter_map(due).min()
    }

    /// Takes what has been caused since the last call.
    pub fn collect(&mut self) -> (Vec<Event>, Vec<Pivot>) {
        (std::mem::take(&mut self.events), std::mem::take(&mut self.pivots))
    }

    /// Whether there is a job of this name.
    pub fn has(&self, id: &str) -> bool {
        self.list.iter().any(|job| job.plan.id == id)
    }

    /// The job that uses a node, by name.
    pub fn user_of(&self, node: &str) -> Option<&str> {
        let uses = |job: &&Job| job.status != Status::Concluded && (job.plan.source == node || job.plan.target == node);
        self.list.iter().find(uses).map(|job| job.plan.id.as_str())
    }

    /// What `query-jobs` returns.
    pub fn query_jobs(&self) -> Value {
        self.list.iter().map(Job::as_job).collect()
    }

    /// What `query-block-jobs` returns.
    pub fn query_block_jobs(&self) -> Value {
        self.list.iter().map(Job::as_block_job).collect()
    }
}

impl Job {
    fn become_(&mut self, status: Status, events: &mut Vec<Event>) {
        self.status = status;
        events.push(status_change(&self.plan.id, status));
    }

    /// Moves on by what the time since the last move allows.
    fn advance(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.moved).as_millis();
        let full = u128::from(self.plan.len);
        let mut bytes = full * elapsed / WHOLE.as_millis();
        if self.plan.speed > 0 {
            bytes = bytes.min(u128::from(self.plan.speed) * elapsed / 1000);
        }
        let reached = (u128::from(self.offset) + bytes).min(full);
        self.offset = u64::try_from(reached).unwrap_or(self.plan.len);
        self.moved = now;
    }

    fn conclude(&mut self, events: &mut Vec<Event>, pivots: &mut Vec<Pivot>) {
        self.become_(Status::Waiting, events);
        self.become_(Status::Pending, events);
        if self.plan.auto_finalize {
            self.finalize(events, pivots);
        } else {
            events.push(Event::with(&BLOCK_JOB_PENDING, json!({"type": "mirror", "id": self.plan.id})));
        }
    }

    fn finalize(&mut self, events: &mut Vec<Event>, pivots: &mut Vec<Pivot>) {
        if self.pivots {
            pivots.push(Pivot { source: self.plan.source.clone(), target: self.plan.target.clone() });
        }
        events.push(self.report(&BLOCK_JOB_COMPLETED));
        self.end(events);
    }

    fn abort(&mut self, events: &mut Vec<Event>) {
        self.become_(Status::Aborting, events);
        self.error = Some("given up on request");
        events.push(self.report(&BLOCK_JOB_CANCELLED));
        self.end(events);
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        self.become_(Status::Concluded, events);
        if self.plan.auto_dismiss {
            self.become_(Status::Null, events);
        }
    }

    fn report(&self, kind: &'static EventType) -> Event {
        let Plan { id, len, speed, .. } = &self.plan;
        Event::with(kind, json!({"device": id, "len": len, "offset": self.offset, "speed": speed, "type": "mirror"}))
    }

    fn as_job(&self) -> Value {
        let mut value = json!({
            "current-progress": self.offset, "status": self.status.name(), "total-progress": self.plan.len,
            "type": "mirror", "id": self.plan.id,
        });
        if let Some(error) = self.error {
            value["error"] = error.into();
        }
        value
    }

    fn as_block_job(&self) -> Value {
        let Plan { id, len, speed, auto_finalize, auto_dismiss, .. } = &self.plan;
        json!({
            "auto-finalize": auto_finalize, "io-status": "ok", "device": id, "auto-dismiss": auto_dismiss,
            "busy": self.status == Status::Running, "len": len, "offset": self.offset, "status": self.status.name(),
            "paused": matches!(self.status, Status::Paused | Status::Standby), "speed": speed,
            "ready": matches!(self.status, Status::Ready | Status::Standby), "type": "mirror", "actively-synced": false,
        })
    }
}

fn status_change(id: &str, status: Status) -> Event {
    Event::with(&JOB_STATUS_CHANGE, json!({"status": status.name(), "id": id}))
}
