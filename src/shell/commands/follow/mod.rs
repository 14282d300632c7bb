//! `.follow`: shows jobs and the migration until they end.

mod live_line;
mod meter;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::assist::Completes;
use crate::client::MigrationState;
use crate::grammar::Diagnostic;
use crate::render::{capitalise, printable};
use crate::wire::{Reply, ReplyBody, Request};

use super::super::engine::exchange::StopReason;
use super::super::line::LineOutcome;
use super::operation::job::{Job, job_ids};
use super::operation::migration::Migration;
use super::operation::{Operation, Progress, RestKind, State, StatusClock};
use super::waiting::{give_up, pause};
use super::{ANY, Arguments, DotCommand, Invocation};
use live_line::{live_line, progress_words};
use meter::Meter;

/// The time between two looks, if no event comes.
const INTERVAL: Duration = Duration::from_millis(300);

/// The minimum time between two looks, however many events come.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// The minimum time between two lines of progress where lines are not replaced.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "follow",
    aliases: &[],
    usage: "[JOB… | migration | all]",
    summary: "show the progress of jobs and of the migration until they end",
    help: "Shows a line for each with its progress, the rate, the time left and the latest rates. Without arguments, or with\n\
           `all`, it follows all jobs and the migration, also jobs that have ended since the last command was sent, and\n\
           those that begin meanwhile. Fails if one of them fails or is cancelled, with the server's reason. A job that is\n\
           `ready` or `pending` does not end by itself: it is followed until then. Ctrl-C stops following; the jobs go on.\n\
           In scripts, a line on standard error tells the progress each second.",
    arguments: Arguments::Words { min: 0, max: ANY },
    has_reply_slot: false,
    completes: Completes::JobsAndMigration,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let words = &invocation.dot.words;
    let mut targets = Vec::new();
    let mut follows_all = words.is_empty();
    for word in words {
        if word.is_bare("all") {
            follows_all = true;
        } else if word.is_bare("migration") {
            targets.push(Target::new(Box::new(Migration)));
        } else {
            targets.push(Target::new(Box::new(Job::parse_id(word)?)));
        }
    }
    let Invocation { engine, line, out, .. } = invocation;
    if engine.options.dry_run {
        return Ok(LineOutcome::Done);
    }
    if let Err(outcome) = engine.ensure_open(line, &mut **out) {
        return Ok(outcome);
    }
    let mut follower = Follower { targets, follows_all, has_failed: false, last_line: None };
    if follows_all {
        let ended = engine.connection.record.events.jobs_since_command();
        follower.add_jobs(ended.iter().map(String::as_str));
    }
    Ok(invocation.without_advice(|invocation| follower.run(invocation)))
}

/// An operation that is followed.
struct Target {
    operation: Box<dyn Operation>,
    /// Its state at the last look, if it was under way.
    state: Option<State>,
    meter: Meter,
    clock: StatusClock,
    has_ended: bool,
}

impl Target {
    fn new(operation: Box<dyn Operation>) -> Target {
        Target { operation, state: None, meter: Meter::default(), clock: StatusClock::default(), has_ended: false }
    }

    /// Returns its name, with the kind of operation if that is known.
    fn name(&self) -> String {
        let label = printable(self.operation.label());
        match &self.state {
            Some(state) if !state.kind.is_empty() => format!("{label} ({})", printable(&state.kind)),
            _ => label.into_owned(),
        }
    }

    /// Takes over its progress at a look. Returns a sentence about its end, if it has come as far as it goes by itself; the
    /// error says why it failed.
    fn update(&mut self, progress: Progress, now: Instant) -> Option<Result<String, String>> {
        let name = self.operation.describe();
        let end = match progress {
            Progress::Done => Ok(format!("{} has completed.", capitalise(&name))),
            Progress::Failed(message) => Err(message),
            Progress::UnderWay(state) => {
                if let Some(done) = state.done {
                    self.meter.add(now, done);
                }
                let rests = self.clock.rests(&state);
                let message = format!("{name} is {}{}", state.status, state.advice());
                let kind = state.rest.as_ref().map(|rest| rest.kind);
                self.state = Some(state);
                match kind.filter(|_| rests) {
                    None | Some(RestKind::Paused) => return None,
                    Some(RestKind::Finished) => Ok(format!("{}.", capitalise(&message))),
                    Some(RestKind::Stuck) => Err(message),
                }
            }
        };
        self.has_ended = true;
        Some(end)
    }
}

struct Follower {
    targets: Vec<Target>,
    /// Whether jobs that begin are followed too.
    follows_all: bool,
    has_failed: bool,
    /// The time of the last line of progress where lines are not replaced.
    last_line: Option<Instant>,
}

impl Follower {
    fn run(&mut self, invocation: &mut Invocation<'_>) -> LineOutcome {
        let mut last_look: Option<Instant> = None;
        let mut is_first = true;
        loop {
            if last_look.is_none_or(|last| last.elapsed() >= MIN_INTERVAL) {
                last_look = Some(Instant::now());
                if let Err(stop) = self.look(is_first, invocation) {
                    return self.give_up(&stop, invocation);
                }
                is_first = false;
            }
            if self.under_way().next().is_none() {
                break;
            }
            self.show(invocation);
            match pause(INTERVAL, None, invocation, &|_| true) {
                StopReason::Enough | StopReason::TimedOut => {}
                stop => return self.give_up(&stop, invocation),
            }
        }
        if self.targets.is_empty() {
            invocation.out.show_notice("There is no job, and no migration under way.");
        }
        LineOutcome::of(!self.has_failed)
    }

    fn under_way(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| !target.has_ended)
    }

    /// Adds the jobs that are not followed yet.
    fn add_jobs<'a>(&mut self, ids: impl Iterator<Item = &'a str>) {
        for id in ids {
            let is_known = |target: &Target| target.operation.label() == id && target.operation.query().command == JOBS;
            if !self.targets.iter().any(is_known) {
                self.targets.push(Target::new(Box::new(Job::new(id))));
            }
        }
    }

    /// Asks the server for the state of everything, and reports what has ended.
    fn look(&mut self, is_first: bool, invocation: &mut Invocation<'_>) -> Result<(), StopReason> {
        let mut replies: BTreeMap<String, Reply> = BTreeMap::new();
        if self.follows_all {
            let jobs = ask(JOBS, invocation)?;
            self.add_jobs(job_ids(&return_value(&jobs)));
            replies.insert(JOBS.to_owned(), jobs);
            // Later, the migration would have to be started by another client.
            let has_migration = |target: &Target| target.operation.query().command == MIGRATION;
            if is_first && !self.targets.iter().any(has_migration) {
                let migration = ask(MIGRATION, invocation)?;
                if let MigrationState::UnderWay(_) = MigrationState::of(&return_value(&migration)) {
                    self.targets.push(Target::new(Box::new(Migration)));
                }
                replies.insert(MIGRATION.to_owned(), migration);
            }
        }
        for target in self.targets.iter_mut().filter(|target| !target.has_ended) {
            let command = target.operation.query().command;
            if !replies.contains_key(&command) {
                let reply = ask(&command, invocation)?;
                replies.insert(command.clone(), reply);
            }
            let Some(reply) = replies.get(&command) else { continue };
            let events = &invocation.engine.connection.record.events;
            let progress = target.operation.progress_of_reply(reply.body(), events);
            match target.update(progress, Instant::now()) {
                Some(Ok(end)) => invocation.out.show_notice(&end),
                Some(Err(message)) => {
                    invocation.out.report_failure(&message, invocation.line, None);
                    self.has_failed = true;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Shows the progress of what is under way.
    fn show(&mut self, invocation: &mut Invocation<'_>) {
        let Some((columns, _)) = invocation.out.live_size() else { return self.show_words(invocation) };
        let name_columns = self.under_way().map(|target| target.name().width()).max().unwrap_or_default();
        let lines: Vec<String> = self
            .under_way()
            .filter_map(|target| {
                let state = target.state.as_ref()?;
                Some(live_line(&target.name(), name_columns, state, &target.meter, columns))
            })
            .collect();
        invocation.out.show_live(&lines);
    }

    /// Shows the progress as a line, where lines are not replaced.
    fn show_words(&mut self, invocation: &mut Invocation<'_>) {
        if self.last_line.is_some_and(|last| last.elapsed() < LINE_INTERVAL) {
            return;
        }
        self.last_line = Some(Instant::now());
        let words = self.under_way().filter_map(|target| {
            let state = target.state.as_ref()?;
            Some(progress_words(&target.name(), state, &target.meter))
        });
        let words: Vec<String> = words.collect();
        invocation.out.show_notice(&words.join("; "));
    }

    /// Reports why following has ended before the operations did.
    fn give_up(&self, stop: &StopReason, invocation: &mut Invocation<'_>) -> LineOutcome {
        let names: Vec<String> = self.under_way().map(|target| target.operation.describe()).collect();
        let names = names.join(", ");
        let followed = if names.is_empty() { "jobs" } else { names.as_str() };
        if matches!(stop, StopReason::Interrupted) {
            let verb = if self.under_way().count() == 1 { "goes" } else { "go" };
            invocation.out.show_notice(&match names.is_empty() {
                true => "Stopped following.".to_owned(),
                false => format!("Stopped following; {names} {verb} on in the server."),
            });
            // The user has decided so, and the operations have not failed.
            return LineOutcome::Done;
        }
        give_up(stop, followed, || format!("cannot follow {followed}: the server does not answer"), invocation)
    }
}

const JOBS: &str = "query-jobs";
const MIGRATION: &str = "query-migrate";

/// Asks the server. Only Ctrl-C limits the wait.
fn ask(command: &str, invocation: &mut Invocation<'_>) -> Result<Reply, StopReason> {
    invocation.engine.query(&Request::new(command), None.into(), &mut *invocation.out)
}

/// Returns the return value in a reply; null for an error.
fn return_value(reply: &Reply) -> Value {
    match reply.body() {
        ReplyBody::Return(raw) => serde_json::from_str(raw).unwrap_or_default(),
        ReplyBody::Error { .. } => Value::Null,
    }
}
