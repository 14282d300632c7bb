//! `qmp`: one command, its answer, an exit status.

mod args;
mod command_line;
mod complete;
mod external_command;
mod fan_out;
mod follow_events;
mod one_shot;
mod servers;

use std::io::{self, BufWriter};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;

use crate::session::Options;
use crate::shell::{OneShotOutput, Output};
use crate::wire::Limits;

use super::exit_status::{Failure, Status, end};
use super::qmp_shell::{finish_printing, log, parse_flags, print_generated};
use super::stdio::make_blocking;
use args::QmpArgs;
use command_line::CommandLine;
use one_shot::{OneShot, Outcome, status_of};
use servers::{Server, servers};

/// How long connecting, and then the greeting, may take where nobody says.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the program.
pub fn qmp() -> ExitCode {
    make_blocking();
    let (args, _) = parse_flags::<QmpArgs>();
    end("qmp", run(&args))
}

fn run(args: &QmpArgs) -> Result<Status, Failure> {
    if let Some(what) = args.generate {
        return print_generated::<QmpArgs>(what);
    }
    if let Some(line) = &args.complete {
        return complete::complete(line);
    }
    let options = Options {
        timeout: args.timeout.filter(|_| args.events.is_none()).unwrap_or(TIMEOUT),
        wait: args.wait,
        guest_agent: args.skip_negotiation,
        limits: Limits { message: args.max_message, ..Limits::default() },
        log: log(args.logfile.as_deref())?,
        ..Options::default()
    };
    if let Some(globs) = &args.events {
        let globs = [globs.clone(), more_globs(args)?].concat();
        let servers = servers(&args.path)?;
        if servers.all.is_empty() {
            return Err(no_server());
        }
        return follow_events::follow(args, &globs, servers, &options);
    }
    let typed = CommandLine::read(&args.words).map_err(|error| Failure::new(Status::Usage, anyhow!(error)))?;
    let one_shot = OneShot::new(args, typed, options);
    let mut out =
        OneShotOutput::new(BufWriter::with_capacity(64 * 1024, io::stdout()), io::stderr(), one_shot.look(None));
    if !one_shot.validate(&mut out) {
        return ended(Status::LineFailed, &mut out);
    }
    let mut servers = servers(&args.path)?;
    if matches!(one_shot.typed, CommandLine::Help(_)) {
        // Any of them knows as much.
        servers.all.truncate(1);
        servers.several = false;
    }
    if servers.several {
        let status = fan_out::run(one_shot.clone(), servers.all, usize::from(args.jobs));
        one_shot.end_log(&mut out);
        return status;
    }
    match servers.all.first() {
        None if !one_shot.may_do_without() => Err(no_server()),
        server => run_one(&one_shot, server, out),
    }
}

fn run_one<O: io::Write>(
    one_shot: &OneShot,
    server: Option<&Server>,
    mut out: OneShotOutput<O, io::Stderr>,
) -> Result<Status, Failure> {
    let address = server.map(|server| &server.address);
    match one_shot.perform(address, &mut out)? {
        Outcome::Ran(verdict) => {
            out.show_help();
            one_shot.end_log(&mut out);
            ended(status_of(&verdict), &mut out)
        }
        Outcome::Lacks(program) => Err(external_command::exec(&program, &one_shot.words, address)),
    }
}

/// The end of a command that had standard output to itself.
fn ended(status: Status, out: &mut dyn Output) -> Result<Status, Failure> {
    out.flush();
    match out.write_error().take() {
        None => Ok(status),
        Some(error) => finish_printing(Err(error)),
    }
}

/// Globs that stand behind other options.
fn more_globs(args: &QmpArgs) -> Result<Vec<String>, Failure> {
    let words = args.words.iter().map(|word| word.to_string_lossy().into_owned());
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
