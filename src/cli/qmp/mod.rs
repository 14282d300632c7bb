//! `qmp`: sends one command, or follows events.

mod args;
mod command_line;
mod complete;
mod external_command;
mod fan_out;
mod follow_events;
mod one_shot;
mod servers;

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::ArgMatches;

use super::args::Generate;
use super::exit_status::{Failure, Status};
use super::program::{Program, run_program};
use super::shell_completion::print_completions;
use super::stdio::{finish_printing, report};
use crate::session::{Options, end_log};
use crate::shell::{MISSING_LINES, OneShotOutput, Output};
use args::QmpArgs;
use command_line::CommandLine;
use one_shot::{OneShot, Outcome};
use servers::{Server, find_servers};

const STDOUT_BUFFER_BYTES: usize = 64 * 1024;

pub fn qmp() -> ExitCode {
    run_program::<QmpArgs>(std::env::args_os())
}

impl Program for QmpArgs {
    fn generate(&self) -> Option<Generate> {
        self.generate.generate
    }

    fn run(mut self, _: &ArgMatches) -> Result<Status, Failure> {
        if let Some(line) = &self.completion.complete {
            return print_completions(line, complete::complete);
        }
        let mut options = Options {
            wait: self.wait.wait,
            guest_agent: self.guest_agent.skip_negotiation,
            limits: self.request.limits(),
            ..self.common.options()?
        };
        if let Some(globs) = &self.events {
            // With `--events`, `--timeout` limits the time for following.
            options.timeout = Options::default().timeout;
            let globs = [globs.clone(), globs_after_options(&self)?].concat();
            let servers = find_servers(&self.path)?;
            if servers.servers.is_empty() {
                return Err(no_server(None));
            }
            let status = follow_events::follow(&self, &globs, servers, &options);
            if end_log(&options.log) {
                report(&format!("qmp: {MISSING_LINES}"));
            }
            return status;
        }
        self.take_trailing_filter()?;
        let command_line = CommandLine::parse(&self.words).map_err(Failure::usage)?;
        run_command(&self, OneShot::new(&self, command_line, options))
    }
}

fn run_command(args: &QmpArgs, one_shot: OneShot) -> Result<Status, Failure> {
    let stdout = BufWriter::with_capacity(STDOUT_BUFFER_BYTES, io::stdout());
    let mut out = OneShotOutput::new(stdout, io::stderr(), one_shot.style());
    if let Some(error) = one_shot.syntax_error() {
        let servers = find_servers(&args.path).ok().filter(|servers| !servers.has_several);
        let server = servers.as_ref().and_then(|servers| servers.servers.first());
        let outcome = one_shot.reject(error, server.map(|server| &server.address), &mut out);
        return finish(outcome.into(), &mut out);
    }
    let mut servers = find_servers(&args.path)?;
    if one_shot.is_help() {
        // One server is enough for help.
        servers.servers.truncate(1);
        servers.has_several = false;
    }
    if servers.has_several {
        let status = fan_out::run(one_shot.clone(), servers.servers, args.jobs.into());
        one_shot.end_log(&mut out);
        return status;
    }
    let server = servers.servers.first();
    if server.is_none() && !one_shot.can_run_offline() {
        return Err(no_server(one_shot.option_hint()));
    }
    run_on_one(&one_shot, server, out)
}

fn run_on_one<O: Write>(
    one_shot: &OneShot,
    server: Option<&Server>,
    mut out: OneShotOutput<O, io::Stderr>,
) -> Result<Status, Failure> {
    let address = server.map(|server| &server.address);
    let mut after_run = |out: &mut OneShotOutput<O, io::Stderr>| {
        out.show_help();
        out.flush();
        if out.has_failed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match one_shot.run(address, None, &mut out, &mut after_run)? {
        Outcome::Ran(outcome) => {
            out.show_help();
            one_shot.end_log(&mut out);
            finish(outcome.into(), &mut out)
        }
        Outcome::External(external) => Err(external.exec(address)),
    }
}

/// Flushes the output. Returns `status`, or the result of a write error.
fn finish(status: Status, out: &mut dyn Output) -> Result<Status, Failure> {
    out.flush();
    match out.write_error().take() {
        None => Ok(status),
        Some(error) => finish_printing(Err(error)),
    }
}

/// Returns the globs that other options separate from `--events`.
fn globs_after_options(args: &QmpArgs) -> Result<Vec<String>, Failure> {
    let globs: Vec<String> = args.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match globs.iter().find(|glob| glob.starts_with('-')) {
        Some(option) => Err(Failure::usage(format!("options must precede event names: `{option}`"))),
        None => Ok(globs),
    }
}

fn no_server(hint: Option<String>) -> Failure {
    let hint = hint.unwrap_or_else(|| "try `qmp --path demo: query-status`".to_owned());
    Failure::usage(format!("no --path given, and neither QMP_PATH nor QMP_SOCKET is set; {hint}"))
}
