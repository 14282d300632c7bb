//! A block job: a mirror with its states, its progress and its events.
//!
//! Must not know about block nodes, except their names: a finished mirror returns a [`Pivot`] to be applied to them.

use std::time::Duration;

use serde_json::{Value, json};

use super::event::{
    BLOCK_JOB_CANCELLED, BLOCK_JOB_COMPLETED, BLOCK_JOB_PENDING, BLOCK_JOB_READY, Event, EventType, JOB_STATUS_CHANGE,
};

/// The time between two steps of a running job.
pub const TICK_INTERVAL: Duration = Duration::from_millis(200);

/// The duration of a mirror without a speed limit.
const FULL_COPY_TIME: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    Created,
    Running,
    Paused,
    /// Everything is copied; the job can be completed.
    Ready,
    /// Paused while ready.
    Standby,
    Waiting,
    /// Waits for `job-finalize`.
    Pending,
    Aborting,
    /// Finished, but still listed.
    Concluded,
    /// About to be removed from the list.
    Null,
}

impl JobStatus {
    /// Returns QMP's name for the state.
    pub fn name(self) -> &'static str {
        match self {
            JobStatus::Created => "created",
            JobStatus::Running => "running",
            JobStatus::Paused => "paused",
            JobStatus::Ready => "ready",
            JobStatus::Standby => "standby",
            JobStatus::Waiting => "waiting",
            JobStatus::Pending => "pending",
            JobStatus::Aborting => "aborting",
            JobStatus::Concluded => "concluded",
            JobStatus::Null => "null",
        }
    }
}

/// An operation on a job, as in QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobVerb {
    /// Finishes the job and replaces the source with the target.
    Complete,
    /// Aborts the job. Without `force`, a mirror that is ready finishes instead, but keeps the source in use.
    Cancel {
        force: bool,
    },
    Pause,
    Resume,
    Finalize,
    Dismiss,
}

impl JobVerb {
    /// Returns the name for error messages.
    pub fn name(self) -> &'static str {
        match self {
            JobVerb::Complete => "complete",
            JobVerb::Cancel { .. } => "cancel",
            JobVerb::Pause => "pause",
            JobVerb::Resume => "resume",
            JobVerb::Finalize => "finalize",
            JobVerb::Dismiss => "dismiss",
        }
    }

    /// Returns whether the operation is possible in this state.
    pub fn is_allowed(self, status: JobStatus) -> bool {
        use JobStatus::{Concluded, Created, Paused, Pending, Ready, Running, Standby, Waiting};
        match self {
            JobVerb::Complete => status == Ready,
            JobVerb::Cancel { .. } => {
                matches!(status, Created | Running | Paused | Ready | Standby | Waiting | Pending)
            }
            JobVerb::Pause => matches!(status, Created | Running | Ready),
            JobVerb::Resume => matches!(status, Paused | Standby),
            JobVerb::Finalize => status == Pending,
            JobVerb::Dismiss => status == Concluded,
        }
    }
}

/// The effect of a finished mirror: `source` must be replaced with `target` wherever it is used. Both are node names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pivot {
    pub source: String,
    pub target: String,
}

/// Effects of jobs that have not been applied yet.
#[derive(Default)]
pub struct JobEffects {
    pub events: Vec<Event>,
    pub pivots: Vec<Pivot>,
}

/// The options of a mirror.
#[derive(Debug, Clone)]
pub struct MirrorOptions {
    pub id: String,
    /// The name of the node to copy.
    pub source: String,
    /// The name of the node to copy to.
    pub target: String,
    /// In bytes.
    pub len: u64,
    /// The limit in bytes per second; 0 means no limit.
    pub speed: u64,
    pub auto_finalize: bool,
    pub auto_dismiss: bool,
}

#[derive(Debug)]
pub struct Job {
    pub options: MirrorOptions,
    pub status: JobStatus,
    /// The time when it last made progress.
    pub last_advanced: Duration,
    /// Completion or cancellation that is delayed to the next tick, so that its events come after the reply.
    pub requested: Option<JobVerb>,
    /// The number of bytes copied.
    offset: u64,
    /// Whether the target replaces the source at the end.
    is_pivoting: bool,
    error: Option<&'static str>,
}

impl Job {
    /// Creates a running job.
    pub fn start(options: MirrorOptions, now: Duration, effects: &mut JobEffects) -> Self {
        let status = JobStatus::Created;
        let mut job =
            Job { options, status, offset: 0, last_advanced: now, requested: None, is_pivoting: true, error: None };
        job.set_status(JobStatus::Created, effects);
        job.set_status(JobStatus::Running, effects);
        job
    }

    /// Changes the state and reports it with an event.
    pub fn set_status(&mut self, status: JobStatus, effects: &mut JobEffects) {
        self.status = status;
        effects
            .events
            .push(Event::with_data(&JOB_STATUS_CHANGE, json!({"status": status.name(), "id": self.options.id})));
    }

    /// Brings the job up to `now`: it makes progress, becomes ready, finishes or aborts.
    pub fn tick(&mut self, now: Duration, effects: &mut JobEffects) {
        if self.status == JobStatus::Running && now >= self.last_advanced + TICK_INTERVAL {
            self.advance(now);
            if self.offset == self.options.len {
                self.set_status(JobStatus::Ready, effects);
                effects.events.push(self.block_job_event(&BLOCK_JOB_READY));
            }
        }
        match self.requested.take() {
            Some(JobVerb::Cancel { force: false }) if matches!(self.status, JobStatus::Ready | JobStatus::Standby) => {
                self.is_pivoting = false;
                self.conclude(effects);
            }
            Some(JobVerb::Cancel { .. }) => self.abort(effects),
            Some(_) => self.conclude(effects),
            None => {}
        }
    }

    /// Returns the time at which the next tick is due.
    pub fn deadline(&self) -> Option<Duration> {
        match (self.requested, self.status) {
            (Some(_), _) => Some(Duration::ZERO),
            (None, JobStatus::Running) => Some(self.last_advanced + TICK_INTERVAL),
            _ => None,
        }
    }

    /// Copies as much as is possible in the time since the last call.
    pub fn advance(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.last_advanced).as_millis();
        let total = u128::from(self.options.len);
        // Rounded up, so that the smallest job makes progress too.
        let mut bytes = (total * elapsed).div_ceil(FULL_COPY_TIME.as_millis());
        if self.options.speed > 0 {
            bytes = bytes.min((u128::from(self.options.speed) * elapsed).div_ceil(1000));
        }
        let offset = (u128::from(self.offset) + bytes).min(total);
        self.offset = u64::try_from(offset).unwrap_or(self.options.len);
        self.last_advanced = now;
    }

    fn conclude(&mut self, effects: &mut JobEffects) {
        self.set_status(JobStatus::Waiting, effects);
        self.set_status(JobStatus::Pending, effects);
        if self.options.auto_finalize {
            self.finalize(effects);
        } else {
            effects.events.push(Event::with_data(&BLOCK_JOB_PENDING, json!({"type": "mirror", "id": self.options.id})));
        }
    }

    /// Ends the state `pending`, with success.
    pub fn finalize(&mut self, effects: &mut JobEffects) {
        if self.is_pivoting {
            effects.pivots.push(Pivot { source: self.options.source.clone(), target: self.options.target.clone() });
        }
        effects.events.push(self.block_job_event(&BLOCK_JOB_COMPLETED));
        self.end(effects);
    }

    fn abort(&mut self, effects: &mut JobEffects) {
        self.set_status(JobStatus::Aborting, effects);
        self.error = Some("cancelled");
        effects.events.push(self.block_job_event(&BLOCK_JOB_CANCELLED));
        self.end(effects);
    }

    fn end(&mut self, effects: &mut JobEffects) {
        self.requested = None;
        self.set_status(JobStatus::Concluded, effects);
        if self.options.auto_dismiss {
            self.set_status(JobStatus::Null, effects);
        }
    }

    fn block_job_event(&self, event_type: &'static EventType) -> Event {
        let MirrorOptions { id, len, speed, .. } = &self.options;
        Event::with_data(
            event_type,
            json!({"device": id, "len": len, "offset": self.offset, "speed": speed, "type": "mirror"}),
        )
    }

    /// Returns the job's entry in `query-jobs`.
    pub fn job_info(&self) -> Value {
        let mut value = json!({
            "current-progress": self.offset, "status": self.status.name(), "total-progress": self.options.len,
            "type": "mirror", "id": self.options.id,
        });
        if let Some(error) = self.error {
            value["error"] = error.into();
        }
        value
    }

    /// Returns the job's entry in `query-block-jobs`.
    pub fn block_job_info(&self) -> Value {
        let MirrorOptions { id, len, speed, auto_finalize, auto_dismiss, .. } = &self.options;
        json!({
            "auto-finalize": auto_finalize, "io-status": "ok", "device": id, "auto-dismiss": auto_dismiss,
            "busy": self.status == JobStatus::Running, "len": len, "offset": self.offset, "status": self.status.name(),
            "paused": matches!(self.status, JobStatus::Paused | JobStatus::Standby), "speed": speed,
            "ready": matches!(self.status, JobStatus::Ready | JobStatus::Standby), "type": "mirror", "actively-synced": false,
        })
    }
}
