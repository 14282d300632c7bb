//! `qmp-shell-wrap`: starts QEMU and opens a shell on it.

use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;

use crate::render::printable;
use crate::session::{Address, ConnectError, Options, Session};
use crate::shell::{AsyncOutput, Connection, QemuProcess, TerminationHandler};

use super::args::{Generate, WrapArgs};
use super::exit_status::{Failure, Status};
use super::program::{Program, run_program};
use super::shell_session::{Input, new_engine, run, run_prompt, run_scripts};
use super::stdio::report;

/// The time limit for QEMU's greeting without `--timeout`: in effect none, because QEMU's exit is noticed at once.
const GREETING_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

pub fn qmp_shell_wrap() -> ExitCode {
    run_program::<WrapArgs>(std::env::args_os())
}

impl Program for WrapArgs {
    fn generate(&self) -> Option<Generate> {
        self.session.generate.generate
    }

    fn run(self, matches: &ArgMatches) -> Result<Status, Failure> {
        let args = &self.session;
        let Some(program) = self.qemu.first() else {
            let message = "missing QEMU-COMMAND; try `qmp-shell-wrap qemu-system-x86_64 -M q35 -display none`";
            return Err(Failure::usage(message));
        };
        let input = Input::new(args, matches);
        let options = Options {
            timeout: args.common.timeout.unwrap_or(GREETING_TIMEOUT),
            limits: args.request.limits(),
            ..args.common.options()?
        };
        let log = options.log.clone();
        if args.request.dry_run {
            let connection = Connection::new(None, options, false);
            return run(new_engine(connection, args, &input, log), args, input);
        }
        let async_output = AsyncOutput::default();
        let captured = input.is_prompt().then(|| async_output.clone());
        let (qemu, socket) = QemuProcess::start(&self.qemu, captured).map_err(Failure::not_connected)?;
        // QEMU may take long to start; later the prompt handles the signals itself.
        let killed = qemu.clone();
        let termination = TerminationHandler::start(move || killed.kill()).map_err(Failure::not_connected)?;
        let address = Address::Exec(program.clone());
        let mut progress = |_: &str| report(&format!("Waiting for `{}` to open its monitor.", printable(program)));
        let session = match Session::over_with_progress(socket, &address, &options, &mut progress) {
            Ok(session) => session,
            Err(error) => {
                let failure = start_failure(&qemu, error);
                termination.stop();
                return Err(failure);
            }
        };
        let engine = new_engine(Connection::to_child(session, options, qemu.clone()), args, &input, log);
        match input {
            Input::Scripts(scripts) => run_scripts(engine, args, &scripts, |engine, out| {
                engine.end_child(out);
                qemu.finish(&mut report);
                termination.stop();
            }),
            Input::Prompt => {
                termination.stop();
                let killed = qemu.clone();
                let result = run_prompt(engine, args, async_output, Box::new(move || killed.kill()));
                qemu.finish(&mut report);
                result
            }
        }
    }
}

/// Returns the failure of a QEMU that has no monitor: its exit, or else `error`. Kills QEMU.
fn start_failure(qemu: &QemuProcess, error: ConnectError) -> Failure {
    if let Some(exited) = qemu.early_exit() {
        return Failure::not_connected(exited);
    }
    qemu.kill();
    match error {
        ConnectError::NoGreeting { seconds, .. } => {
            let program = qemu.program();
            let message = format!("`{program}` did not open its monitor within {seconds} s and was terminated");
            Failure::with_message(Status::NotConnected, message)
        }
        error => Failure::not_connected(error),
    }
}
