//! All block jobs of the machine: finding them by name, and the rules of what may be asked of them when.

use std::time::Duration;

use serde_json::Value;

use super::args::check_id;
use super::failure::Failure;
use super::job::{Job, PendingEvents, Plan, Status, Verb};

/// More jobs than this are refused.
const LIMIT: usize = 32;

/// All jobs, and what they have caused since it was last collected.
#[derive(Default)]
pub struct Jobs {
    list: Vec<Job>,
    out: PendingEvents,
}

impl Jobs {
    /// Starts a mirror.
    pub fn start(&mut self, plan: Plan, now: Duration) -> Result<(), Failure> {
        check_id("job-id", &plan.id)?;
        if self.list.iter().any(|job| job.plan.id == plan.id) {
            return Err(Failure::new(format!("a job '{}' exists already", plan.id)));
        }
        if self.list.len() >= LIMIT {
            return Err(Failure::new(format!("the demo machine runs {LIMIT} jobs at most")));
        }
        let job = Job::start(plan, now, &mut self.out);
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
            Verb::Pause if job.status == Status::Ready => job.change(Status::Standby, &mut self.out),
            Verb::Pause => {
                job.advance(now);
                job.change(Status::Paused, &mut self.out);
            }
            Verb::Resume if job.status == Status::Standby => job.change(Status::Ready, &mut self.out),
            Verb::Resume => {
                job.moved = now;
                job.change(Status::Running, &mut self.out);
            }
            Verb::Complete | Verb::Cancel { .. } => job.wish = Some(verb),
            Verb::Finalize => job.finalize(&mut self.out),
            Verb::Dismiss => job.change(Status::Null, &mut self.out),
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
            job.tick(now, &mut self.out);
        }
        self.list.retain(|job| job.status != Status::Null);
    }

    /// When the next tick is due, on the clock of [`Jobs::tick`].
    pub fn deadline(&self) -> Option<Duration> {
        self.list.iter().filter_map(Job::deadline).min()
    }

    /// Takes what has been caused since the last call.
    pub fn collect(&mut self) -> PendingEvents {
        std::mem::take(&mut self.out)
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

#[cfg(test)]
mod tests {
    use super::super::job::TICK;
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn plan(id: &str) -> Plan {
        let (id, source, target) = (id.to_owned(), "a".to_owned(), "b".to_owned());
        Plan { id, source, target, len: 1000, speed: 0, auto_finalize: true, auto_dismiss: true }
    }

    /// Each event collected, in a word: the state entered, or the event's name.
    fn story(jobs: &mut Jobs) -> Vec<String> {
        let word = |event: &super::super::event::Event| {
            let status = event.data.as_ref().and_then(|data| data.get("status")?.as_str());
            status.unwrap_or(event.kind.name).to_owned()
        };
        jobs.collect().events.iter().map(word).collect()
    }

    fn offset(jobs: &Jobs) -> u64 {
        jobs.query_jobs()[0]["current-progress"].as_u64().unwrap()
    }

    #[test]
    fn a_mirror_moves_becomes_ready_and_is_completed() {
        let mut jobs = Jobs::default();
        jobs.start(plan("j"), MS(0)).unwrap();
        assert_eq!(story(&mut jobs), ["created", "running"]);
        assert_eq!(jobs.deadline(), Some(TICK));
        jobs.tick(MS(100));
        assert_eq!(offset(&jobs), 0);
        jobs.tick(MS(2500));
        assert_eq!(offset(&jobs), 500);
        let early = jobs.ask("j", Verb::Complete, MS(2500)).unwrap_err();
        assert_eq!(early.desc, "job 'j' is running: 'complete' cannot be done in that state");
        jobs.tick(MS(5000));
        assert_eq!(story(&mut jobs), ["ready", "BLOCK_JOB_READY"]);
        assert_eq!(jobs.deadline(), None);
        jobs.ask("j", Verb::Complete, MS(5000)).unwrap();
        assert_eq!(jobs.deadline(), Some(MS(0)));
        assert!(story(&mut jobs).is_empty());
        jobs.tick(MS(5000));
        let out = jobs.collect();
        assert_eq!((out.pivots[0].source.as_str(), out.pivots[0].target.as_str()), ("a", "b"));
        assert_eq!(out.events.len(), 5);
        assert!(!jobs.has("j"));
    }

    #[test]
    fn cancelling_depends_on_force_once_ready() {
        for (force, last) in [(true, "BLOCK_JOB_CANCELLED"), (false, "BLOCK_JOB_COMPLETED")] {
            let mut jobs = Jobs::default();
            jobs.start(plan("j"), MS(0)).unwrap();
            jobs.tick(MS(6000));
            jobs.collect();
            jobs.ask("j", Verb::Cancel { force }, MS(6000)).unwrap();
            jobs.tick(MS(6000));
            let out = jobs.collect();
            assert!(out.pivots.is_empty());
            assert!(out.events.iter().any(|event| event.kind.name == last));
        }
    }

    #[test]
    fn a_paused_job_stands_still() {
        let mut jobs = Jobs::default();
        jobs.start(plan("j"), MS(0)).unwrap();
        jobs.ask("j", Verb::Pause, MS(1000)).unwrap();
        assert_eq!(jobs.deadline(), None);
        jobs.tick(MS(9000));
        assert_eq!(offset(&jobs), 200);
        jobs.ask("j", Verb::Resume, MS(9000)).unwrap();
        jobs.tick(MS(10_000));
        assert_eq!(offset(&jobs), 400);
    }

    #[test]
    fn a_speed_limit_slows_it_down() {
        let mut jobs = Jobs::default();
        jobs.start(Plan { speed: 10, ..plan("j") }, MS(0)).unwrap();
        jobs.tick(MS(5000));
        assert_eq!(offset(&jobs), 50);
        jobs.set_speed("j", 0, MS(5000)).unwrap();
        jobs.tick(MS(10_000));
        assert_eq!(story(&mut jobs).last().unwrap(), "BLOCK_JOB_READY");
    }

    #[test]
    fn finalizing_and_dismissing_by_hand() {
        let mut jobs = Jobs::default();
        jobs.start(Plan { auto_finalize: false, auto_dismiss: false, ..plan("j") }, MS(0)).unwrap();
        jobs.tick(MS(5000));
        jobs.ask("j", Verb::Complete, MS(5000)).unwrap();
        jobs.tick(MS(5000));
        assert_eq!(story(&mut jobs)[4..], ["waiting", "pending", "BLOCK_JOB_PENDING"]);
        jobs.ask("j", Verb::Finalize, MS(5000)).unwrap();
        assert_eq!(story(&mut jobs), ["BLOCK_JOB_COMPLETED", "concluded"]);
        assert!(jobs.start(plan("j"), MS(5000)).is_err());
        jobs.ask("j", Verb::Dismiss, MS(5000)).unwrap();
        assert_eq!(story(&mut jobs), ["null"]);
        assert_eq!(jobs.ask("j", Verb::Dismiss, MS(5000)).unwrap_err().desc, "there is no job 'j'");
    }
}
