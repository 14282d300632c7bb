//! `.follow`: shows jobs and the migration until they end.

mod live_line;
mod meter;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthStr;

use crate::assist::Completes;
use crate::client::MigrationState;
use crate::grammar::Diagnostic;
use crate::render::{capitalise, printable};
use crate::wire::Request;

use super::super::engine::exchange::StopReason;
use super::super::line::LineOutcome;
use super::operation::job::Job;
use super::operation::migration::Migration;
use super::operation::{Operation, Progress, RestKind, ServerState, State, StatusClock};
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

/// The maximum number of operations that are followed at a time. QEMU runs a few.
const MAX_TARGETS: usize = 1000;

/// The maximum number of operations that are named in a line.
const MAX_NAMED: usize = 20;

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
    let mut follower = Follower { targets, follows_all, ..Follower::default() };
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

/// The followed operations. Those that have ended are removed.
#[derive(Default)]
struct Follower {
    targets: Vec<Target>,
    /// Whether jobs that begin are followed too.
    follows_all: bool,
    /// The ids of the jobs that have ended and that the server still lists.
    ended_jobs: HashSet<String>,
    /// Whether the server lists more jobs than are followed at a time, and whether that was said.
    has_more: bool,
    has_told_more: bool,
    has_followed: bool,
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
            if self.targets.is_empty() && !self.has_more {
                break;
            }
            self.show(invocation);
            match pause(INTERVAL, None, invocation, &|_| true) {
                StopReason::Enough | StopReason::TimedOut => {}
                stop => return self.give_up(&stop, invocation),
            }
        }
        if !self.has_followed {
            invocation.out.show_notice("There is no job, and no migration under way.");
        }
        LineOutcome::of(!self.has_failed)
    }

    /// Adds the jobs that are not followed yet, as long as there are not too many.
    fn add_jobs<'a>(&mut self, ids: impl Iterator<Item = &'a str>) {
        let is_job = |target: &&Target| target.operation.query().command == JOBS;
        let jobs = self.targets.iter().filter(is_job);
        let followed: HashSet<String> = jobs.map(|target| target.operation.label().to_owned()).collect();
        self.has_more = false;
        for id in ids.filter(|id| !followed.contains(*id) && !self.ended_jobs.contains(*id)) {
            if self.targets.len() >= MAX_TARGETS {
                self.has_more = true;
                break;
            }
            self.targets.push(Target::new(Box::new(Job::listed(id))));
        }
    }

    /// Asks the server for the state of everything, and reports what has ended.
    fn look(&mut self, is_first: bool, invocation: &mut Invocation<'_>) -> Result<(), StopReason> {
        let mut states: HashMap<String, Result<ServerState, String>> = HashMap::new();
        if self.follows_all {
            let jobs = ask(JOBS, invocation)?;
            let failure = match &jobs {
                Ok(jobs) if jobs.value.is_array() => None,
                Ok(_) => Some(format!("the reply to `{JOBS}` is not a list")),
                // A server without the command has no jobs.
                Err(error) if error.starts_with("CommandNotFound") => None,
                Err(error) => Some(format!("cannot follow jobs: `{JOBS}` failed: {error}")),
            };
            if let Some(message) = failure.filter(|_| is_first) {
                invocation.out.report_failure(&message, invocation.line, None);
                (self.has_followed, self.has_failed) = (true, true);
            }
            if let Ok(jobs) = &jobs {
                self.ended_jobs.retain(|id| jobs.job(id).is_some());
                self.add_jobs(jobs.job_ids());
                if self.has_more && !std::mem::replace(&mut self.has_told_more, true) {
                    let count = jobs.job_ids().count();
                    let notice = format!("The server has {count} jobs; {MAX_TARGETS} are followed at a time.");
                    invocation.out.show_notice(&notice);
                }
            }
            states.insert(JOBS.to_owned(), jobs);
            // Later, the migration would have to be started by another client.
            let has_migration = |target: &Target| target.operation.query().command == MIGRATION;
            if is_first && !self.targets.iter().any(has_migration) {
                let migration = ask(MIGRATION, invocation)?;
                let state = migration.as_ref().map(|state| MigrationState::of(&state.value));
                if let Ok(MigrationState::UnderWay(_)) = state {
                    self.targets.push(Target::new(Box::new(Migration)));
                }
                states.insert(MIGRATION.to_owned(), migration);
            }
        }
        self.has_followed |= !self.targets.is_empty();
        for target in &mut self.targets {
            let command = target.operation.query().command;
            if !states.contains_key(&command) {
                let state = ask(&command, invocation)?;
                states.insert(command.clone(), state);
            }
            let Some(state) = states.get(&command) else { continue };
            let events = &invocation.engine.connection.record.events;
            let progress = target.operation.progress_of_reply(state, events);
            match target.update(progress, Instant::now()) {
                Some(Ok(end)) => invocation.out.show_notice(&end),
                Some(Err(message)) => {
                    invocation.out.report_failure(&message, invocation.line, None);
                    self.has_failed = true;
                }
                None => {}
            }
        }
        let ended = self.targets.extract_if(.., |target| target.has_ended);
        let jobs = ended.filter(|target| target.operation.query().command == JOBS);
        self.ended_jobs.extend(jobs.map(|target| target.operation.label().to_owned()));
        Ok(())
    }

    /// Shows the progress of what is under way.
    fn show(&mut self, invocation: &mut Invocation<'_>) {
        let Some((columns, rows)) = invocation.out.live_size() else { return self.show_words(invocation) };
        let shown = || self.targets.iter().filter_map(|target| Some((target, target.state.as_ref()?))).take(rows);
        let names: Vec<String> = shown().map(|(target, _)| target.name()).collect();
        // A longer name is cut with its line.
        let name_columns = names.iter().map(|name| name.width().min(columns)).max().unwrap_or_default();
        let line = |((target, state), name): ((&Target, &State), &String)| {
            live_line(name, name_columns, state, &target.meter, columns)
        };
        let lines: Vec<String> = shown().zip(&names).map(line).collect();
        invocation.out.show_live(&lines);
    }

    /// Shows the progress as a line, where lines are not replaced.
    fn show_words(&mut self, invocation: &mut Invocation<'_>) {
        if self.last_line.is_some_and(|last| last.elapsed() < LINE_INTERVAL) {
            return;
        }
        self.last_line = Some(Instant::now());
        let words = self.targets.iter().filter_map(|target| {
            let state = target.state.as_ref()?;
            Some(progress_words(&target.name(), state, &target.meter))
        });
        invocation.out.show_notice(&enumeration(words, "; "));
    }

    /// Reports why following has ended before the operations did.
    fn give_up(&self, stop: &StopReason, invocation: &mut Invocation<'_>) -> LineOutcome {
        let names = enumeration(self.targets.iter().map(|target| target.operation.describe()), ", ");
        let followed = if names.is_empty() { "jobs" } else { names.as_str() };
        if matches!(stop, StopReason::Interrupted) {
            let verb = if self.targets.len() == 1 { "goes" } else { "go" };
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
fn ask(command: &str, invocation: &mut Invocation<'_>) -> Result<Result<ServerState, String>, StopReason> {
    let reply = invocation.engine.query(&Request::new(command), None.into(), &mut *invocation.out)?;
    Ok(ServerState::of(reply.body()))
}

/// Returns the first of many texts, and the number of the others.
fn enumeration(texts: impl Iterator<Item = String>, separator: &str) -> String {
    let mut texts = texts.peekable();
    let mut first: Vec<String> = texts.by_ref().take(MAX_NAMED).collect();
    if texts.peek().is_some() {
        first.push(format!("{} others", texts.count()));
    }
    first.join(separator)
}
