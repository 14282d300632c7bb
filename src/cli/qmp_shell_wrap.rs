//! `qmp-shell-wrap`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::ArgMatches;

use crate::session::{Address, ConnectError, Options, Session};
use crate::shell::{AsyncOutput, Connection, QemuProcess, ScriptOutput, TerminationHandler, run_scripts};
use crate::wire::Limits;

use super::args::WrapArgs;
use super::exit_status::{Failure, Status, end, of_ending};
use super::qmp_shell::{Input, engine, log, parse_flags, print_generated, prompt, script_palette};
use super::stdio::make_blocking;

/// Without `--timeout`, QEMU may take as long as it likes to greet: its end, which is seen at once, is the other limit.
const PATIENT: Duration = Duration::from_secs(24 * 3600);

/// Runs the program.
pub fn qmp_shell_wrap() -> ExitCode {
    make_blocking();
    let (args, matches) = parse_flags();
    end("qmp-shell-wrap", run(args, &matches))
}

fn run(args: WrapArgs, matches: &ArgMatches) -> Result<Status, Failure> {
    if let Some(what) = args.common.generate {
        return print_generated::<WrapArgs>(what);
    }
    if args.qemu.is_empty() {
        let message = "no QEMU command is named; try `qmp-shell-wrap qemu-system-x86_64 -M q35 -display none`";
        return Err(Failure::new(Status::Usage, anyhow!(message)));
    }
    let input = Input::new(&args.common, matches);
    let log = log(args.common.logfile.as_deref())?;
    let options = Options {
        timeout: args.timeout.unwrap_or(PATIENT),
        limits: Limits { message: args.common.max_message, ..Limits::default() },
        log: Arc::clone(&log),
        ..Options::default()
    };
    if args.common.dry_run {
        let mut engine = engine(Connection::new(None, options, false), &args.common, &input, log);
        let Input::Scripts(scripts) = input else {
            return prompt(engine, &args.common, AsyncOutput::default(), Box::new(|| {}));
        };
        return of_ending(run_scripts(&mut engine, &scripts, &mut ScriptOutput::new(script_palette(&args.common))));
    }
    let messages = AsyncOutput::default();
    let captured = matches!(input, Input::Prompt).then(|| messages.clone());
    let (qemu, socket) =
        QemuProcess::start(&args.qemu, captured).map_err(|error| Failure::new(Status::NotConnected, error))?;
    let ended = qemu.clone();
    // Until a prompt takes the signals over. QEMU may take long to start.
    let watch =
        TerminationHandler::start(move || ended.kill()).map_err(|error| Failure::new(Status::NotConnected, error))?;
    let name = Address::Exec(args.qemu[0].clone());
    let session = match Session::over(socket, &name, &options) {
        Ok(session) => session,
        Err(error) => {
            let failure = not_started(&qemu, error);
            watch.stop();
            return Err(failure);
        }
    };
    let connection = Connection::to_child(session, options, qemu.clone());
    let mut engine = engine(connection, &args.common, &input, log);
    let mut progress = |text: &str| {
        let _ = writeln!(io::stderr(), "{text}");
    };
    match input {
        Input::Scripts(scripts) => {
            let mut out = ScriptOutput::new(script_palette(&args.common));
            let ending = run_scripts(&mut engine, &scripts, &mut out);
            engine.end_child(&mut out);
            qemu.finish(&mut progress);
            watch.stop();
            engine.end_log(&mut out);
            of_ending(ending)
        }
        Input::Prompt => {
            watch.stop();
            let ended = qemu.clone();
            let result = prompt(engine, &args.common, messages, Box::new(move || ended.kill()));
            qemu.finish(&mut progress);
            result
        }
    }
}

/// QEMU's own words about why it did not start, where it ended; else what we saw of it.
fn not_started(qemu: &QemuProcess, error: ConnectError) -> Failure {
    match qemu.early_exit() {
        Some(ended) => Failure::new(Status::NotConnected, ended),
        None => {
            qemu.kill();
            match error {
                ConnectError::NoGreeting { seconds, .. } => {
                    let program = qemu.program();
                    let message = format!("`{program}` did not open its monitor within {seconds} s, and was ended");
                    Failure::new(Status::NotConnected, anyhow!(message))
                }
                error => Failure::new(Status::NotConnected, error),
            }
        }
    }
}
