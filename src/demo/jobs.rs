//! The list of block jobs, and the operations on them.

use std::time::Duration;

use serde_json::Value;

use super::args::check_id;
use super::error::CommandError;
use super::job::{Job, JobEffects, JobStatus, JobVerb, MirrorOptions};

const MAX_JOBS: usize = 32;

#[derive(Default)]
pub struct Jobs {
    list: Vec<Job>,
    effects: JobEffects,
}

impl Jobs {
    pub fn start(&mut self, options: MirrorOptions, now: Duration) -> Result<(), CommandError> {
        check_id("job-id", &options.id)?;
        if self.contains(&options.id) {
            return Err(CommandError::generic(format!("job '{}' already exists", options.id)));
        }
        if self.list.len() >= MAX_JOBS {
            return Err(CommandError::generic(format!("the demo machine has at most {MAX_JOBS} jobs")));
        }
        let job = Job::start(options, now, &mut self.effects);
        self.list.push(job);
        Ok(())
    }

    /// Performs an operation on a job.
    pub fn apply(&mut self, id: &str, verb: JobVerb, now: Duration) -> Result<(), CommandError> {
        let Some(job) = self.list.iter_mut().find(|job| job.options.id == id) else {
            return Err(job_not_found(id));
        };
        if !verb.is_allowed(job.status) {
            let (verb, status) = (verb.name(), job.status.name());
            return Err(CommandError::generic(format!("cannot {verb} job '{id}' in state '{status}'")));
        }
        match verb {
            JobVerb::Pause if job.status == JobStatus::Ready => job.set_status(JobStatus::Standby, &mut self.effects),
            JobVerb::Pause => {
                job.advance(now);
                job.set_status(JobStatus::Paused, &mut self.effects);
            }
            JobVerb::Resume if job.status == JobStatus::Standby => job.set_status(JobStatus::Ready, &mut self.effects),
            JobVerb::Resume => {
                job.last_advanced = now;
                job.set_status(JobStatus::Running, &mut self.effects);
            }
            JobVerb::Complete | JobVerb::Cancel { .. } => job.requested = Some(verb),
            JobVerb::Finalize => job.finalize(&mut self.effects),
            JobVerb::Dismiss => job.set_status(JobStatus::Null, &mut self.effects),
        }
        self.list.retain(|job| job.status != JobStatus::Null);
        Ok(())
    }

    /// Sets the speed limit of a job in bytes per second; 0 removes it.
    pub fn set_speed(&mut self, id: &str, speed: u64, now: Duration) -> Result<(), CommandError> {
        let Some(job) = self.list.iter_mut().find(|job| job.options.id == id) else {
            return Err(job_not_found(id));
        };
        if job.status == JobStatus::Running {
            job.advance(now);
        }
        job.options.speed = speed;
        Ok(())
    }

    /// Brings all jobs up to `now`.
    pub fn tick(&mut self, now: Duration) {
        for job in &mut self.list {
            job.tick(now, &mut self.effects);
        }
        self.list.retain(|job| job.status != JobStatus::Null);
    }

    /// Returns the time at which [`Jobs::tick`] is due next.
    pub fn deadline(&self) -> Option<Duration> {
        self.list.iter().filter_map(Job::deadline).min()
    }

    /// Takes the effects since the last call.
    pub fn take_effects(&mut self) -> JobEffects {
        std::mem::take(&mut self.effects)
    }

    pub fn contains(&self, id: &str) -> bool {
        self.list.iter().any(|job| job.options.id == id)
    }

    /// Returns an error if a job uses the node.
    pub fn check_unused(&self, node: &str) -> Result<(), CommandError> {
        let uses = |job: &&Job| {
            job.status != JobStatus::Concluded && (job.options.source == node || job.options.target == node)
        };
        match self.list.iter().find(uses) {
            Some(job) => Err(CommandError::generic(format!("node '{node}' is in use by job '{}'", job.options.id))),
            None => Ok(()),
        }
    }

    /// Returns the jobs that use nodes: the id, with the roles and names of the nodes.
    pub fn users(&self) -> Vec<(&str, [(&'static str, &str); 2])> {
        let active = self.list.iter().filter(|job| job.status != JobStatus::Concluded);
        let options = active.map(|job| &job.options);
        options
            .map(|job| (job.id.as_str(), [("source", job.source.as_str()), ("target", job.target.as_str())]))
            .collect()
    }

    /// Returns the result of `query-jobs`.
    pub fn query_jobs(&self) -> Value {
        self.list.iter().map(Job::job_info).collect()
    }

    /// Returns the result of `query-block-jobs`.
    pub fn query_block_jobs(&self) -> Value {
        self.list.iter().map(Job::block_job_info).collect()
    }
}

fn job_not_found(id: &str) -> CommandError {
    CommandError::generic(format!("job '{id}' not found"))
}

#[cfg(test)]
mod tests {
    use super::super::event::Event;
    use super::super::job::TICK_INTERVAL;
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn options(id: &str) -> MirrorOptions {
        let (id, source, target) = (id.to_owned(), "a".to_owned(), "b".to_owned());
        MirrorOptions { id, source, target, len: 1000, speed: 0, auto_finalize: true, auto_dismiss: true }
    }

    /// Takes the events, each as the new state of the job or as the name of the event.
    fn take_events(jobs: &mut Jobs) -> Vec<String> {
        let summary = |event: &Event| {
            let status = event.data.as_ref().and_then(|data| data.get("status")?.as_str());
            status.unwrap_or(event.event_type.name).to_owned()
        };
        jobs.take_effects().events.iter().map(summary).collect()
    }

    fn offset(jobs: &Jobs) -> u64 {
        jobs.query_jobs()[0]["current-progress"].as_u64().unwrap()
    }

    #[test]
    fn copies_becomes_ready_and_is_completed() {
        let mut jobs = Jobs::default();
        jobs.start(options("j"), MS(0)).unwrap();
        assert_eq!(take_events(&mut jobs), ["created", "running"]);
        assert_eq!(jobs.deadline(), Some(TICK_INTERVAL));
        jobs.tick(MS(100));
        assert_eq!(offset(&jobs), 0);
        jobs.tick(MS(2500));
        assert_eq!(offset(&jobs), 500);
        let early = jobs.apply("j", JobVerb::Complete, MS(2500)).unwrap_err();
        assert_eq!(early.desc, "cannot complete job 'j' in state 'running'");
        jobs.tick(MS(5000));
        assert_eq!(take_events(&mut jobs), ["ready", "BLOCK_JOB_READY"]);
        assert_eq!(jobs.deadline(), None);
        jobs.apply("j", JobVerb::Complete, MS(5000)).unwrap();
        assert_eq!(jobs.deadline(), Some(MS(0)));
        assert!(take_events(&mut jobs).is_empty());
        jobs.tick(MS(5000));
        let effects = jobs.take_effects();
        assert_eq!((effects.pivots[0].source.as_str(), effects.pivots[0].target.as_str()), ("a", "b"));
        assert_eq!(effects.events.len(), 5);
        assert!(!jobs.contains("j"));
    }

    #[test]
    fn finishes_a_ready_job_on_cancel_without_force() {
        for (force, last) in [(true, "BLOCK_JOB_CANCELLED"), (false, "BLOCK_JOB_COMPLETED")] {
            let mut jobs = Jobs::default();
            jobs.start(options("j"), MS(0)).unwrap();
            jobs.tick(MS(6000));
            jobs.take_effects();
            jobs.apply("j", JobVerb::Cancel { force }, MS(6000)).unwrap();
            jobs.tick(MS(6000));
            let effects = jobs.take_effects();
            assert!(effects.pivots.is_empty());
            assert!(effects.events.iter().any(|event| event.event_type.name == last));
        }
    }

    #[test]
    fn makes_no_progress_while_paused() {
        let mut jobs = Jobs::default();
        jobs.start(options("j"), MS(0)).unwrap();
        jobs.apply("j", JobVerb::Pause, MS(1000)).unwrap();
        assert_eq!(jobs.deadline(), None);
        jobs.tick(MS(9000));
        assert_eq!(offset(&jobs), 200);
        jobs.apply("j", JobVerb::Resume, MS(9000)).unwrap();
        jobs.tick(MS(10_000));
        assert_eq!(offset(&jobs), 400);
    }

    #[test]
    fn keeps_to_the_speed_limit() {
        let mut jobs = Jobs::default();
        jobs.start(MirrorOptions { speed: 10, ..options("j") }, MS(0)).unwrap();
        jobs.tick(MS(5000));
        assert_eq!(offset(&jobs), 50);
        jobs.set_speed("j", 0, MS(5000)).unwrap();
        jobs.tick(MS(10_000));
        assert_eq!(take_events(&mut jobs).last().unwrap(), "BLOCK_JOB_READY");
    }

    #[test]
    fn waits_for_finalize_and_dismiss() {
        let mut jobs = Jobs::default();
        jobs.start(MirrorOptions { auto_finalize: false, auto_dismiss: false, ..options("j") }, MS(0)).unwrap();
        jobs.tick(MS(5000));
        jobs.apply("j", JobVerb::Complete, MS(5000)).unwrap();
        jobs.tick(MS(5000));
        assert_eq!(take_events(&mut jobs)[4..], ["waiting", "pending", "BLOCK_JOB_PENDING"]);
        jobs.apply("j", JobVerb::Finalize, MS(5000)).unwrap();
        assert_eq!(take_events(&mut jobs), ["BLOCK_JOB_COMPLETED", "concluded"]);
        assert!(jobs.start(options("j"), MS(5000)).is_err());
        jobs.apply("j", JobVerb::Dismiss, MS(5000)).unwrap();
        assert_eq!(take_events(&mut jobs), ["null"]);
        assert_eq!(jobs.apply("j", JobVerb::Dismiss, MS(5000)).unwrap_err().desc, "job 'j' not found");
    }
}
