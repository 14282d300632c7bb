//! `qmp`: one command, its answer, an exit status.

mod args;
mod command_line;
mod complete;
mod external_command;
mod fan_out;
mod follow_events;
mod one_shot;
mod question;
mod servers;

use std::io::{self, BufWriter};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;

use crate::session::Options;
use crate::shell::{Output, Single};
use crate::wire::Limits;

use super::exit_status::{Failure, Status, end};
use super::qmp_shell::{finish_printing, parse_flags, print_generated, transcript};
use super::stdio::have_them_wait;
use args::QmpFlags;
use command_line::Typed;
use one_shot::{End, Task, status_of};
use servers::{Server, servers};

/// How long connecting, and then the greeting, may take where nobody says.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the program.
pub fn qmp() -> ExitCode {
    have_them_wait();
    let (flags, _) = parse_flags::<QmpFlags>();
    end("qmp", run(&flags))
}

fn run(flags: &QmpFlags) -> Result<Status, Failure> {
    if let Some(what) = flags.generate {
        return print_generated::<QmpFlags>(what);
    }
    if let Some(line) = &flags.complete {
        return complete::complete(line);
    }
    let options = Options {
        timeout: flags.timeout.filter(|_| flags.events.is_none()).unwrap_or(TIMEOUT),
        wait: flags.wait,
        guest_agent: flags.skip_negotiation,
        limits: Limits { message: flags.max_message, ..Limits::default() },
        transcript: transcript(flags.logfile.as_deref())?,
        ..Options::default()
    };
    if let Some(globs) = &flags.events {
        let globs = [globs.clone(), more_globs(flags)?].concat();
        let servers = servers(&flags.path)?;
        if servers.all.is_empty() {
            return Err(no_server());
        }
        return follow_events::follow(flags, &globs, servers, &options);
    }
    let typed = Typed::read(&flags.words).map_err(|error| Failure::new(Status::Usage, anyhow!(error)))?;
    let task = Task::new(flags, typed, options);
    let mut out = Single::new(BufWriter::with_capacity(64 * 1024, io::stdout()), io::stderr(), task.look(None));
    if !task.is_sound(&mut out) {
        return ended(Status::LineFailed, &mut out);
    }
    let mut servers = servers(&flags.path)?;
    if matches!(task.typed, Typed::Help(_)) {
        // Any of them knows as much.
        servers.all.truncate(1);
        servers.several = false;
    }
    if servers.several {
        let status = fan_out::run(task.clone(), servers.all, usize::from(flags.jobs));
        task.end_log(&mut out);
        return status;
    }
    match servers.all.first() {
        None if !task.may_do_without() => Err(no_server()),
        server => run_one(&task, server, out),
    }
}

fn run_one<O: io::Write>(
    task: &Task,
    server: Option<&Server>,
    mut out: Single<O, io::Stderr>,
) -> Result<Status, Failure> {
    let address = server.map(|server| &server.address);
    match task.perform(address, &mut out)? {
        End::Ran(verdict) => {
            out.show_help();
            task.end_log(&mut out);
            ended(status_of(&verdict), &mut out)
        }
        End::Lacks(program) => Err(external_command::become_it(&program, &task.words, address)),
    }
}

/// The end of a command that had standard output to itself.
fn ended(status: Status, out: &mut dyn Output) -> Result<Status, Failure> {
    out.flush();
    match out.take_error() {
        None => Ok(status),
        Some(error) => finish_printing(Err(error)),
    }
}

/// Globs that stand behind other options.
fn more_globs(flags: &QmpFlags) -> Result<Vec<String>, Failure> {
    let words = flags.words.iter().map(|word| word.to_string_lossy().into_owned());
    let globs: Vec<String> = words.collect();
    match globs.iter().find(|glob| glob.starts_with('-')) {
        Some(option) => {
            let message = format!("options stand before the names of events: `{option}`");
            Err(Failure::new(Status::Usage, anyhow!(message)))
        }
        None => Ok(globs),
    }
}

fn no_server() -> Failure {
    let message = "no --path is named, and neither QMP_PATH nor QMP_SOCKET is set; try `qmp --path demo: query-status`";
    Failure::new(Status::Usage, anyhow!(message))
}
