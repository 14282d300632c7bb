//! `qmp-shell-wrap`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::ArgMatches;

use crate::session::{Address, ConnectError, Options, Session};
use crate::shell::{Lines, Link, Messages, Watch, Wrapped, run_scripts};
use crate::wire::Limits;

use super::args::WrapFlags;
use super::exit_status::{Failure, Status, end, of_ending};
use super::qmp_shell::{Feed, engine, parse_flags, print_generated, prompt, script_palette, transcript};
use super::stdio::have_them_wait;

/// Without `--timeout`, QEMU may take as long as it likes to greet: its end, which is seen at once, is the other limit.
const PATIENT: Duration = Duration::from_secs(24 * 3600);

/// Runs the program.
pub fn qmp_shell_wrap() -> ExitCode {
    have_them_wait();
    let (flags, matches) = parse_flags();
    end("qmp-shell-wrap", run(flags, &matches))
}

fn run(flags: WrapFlags, matches: &ArgMatches) -> Result<Status, Failure> {
    if let Some(what) = flags.common.generate {
        return print_generated::<WrapFlags>(what);
    }
    if flags.qemu.is_empty() {
        let message = "no QEMU command is named; try `qmp-shell-wrap qemu-system-x86_64 -M q35 -display none`";
        return Err(Failure::new(Status::Usage, anyhow!(message)));
    }
    let feed = Feed::new(&flags.common, matches);
    let transcript = transcript(flags.common.logfile.as_deref())?;
    let options = Options {
        timeout: flags.timeout.unwrap_or(PATIENT),
        limits: Limits { message: flags.common.max_message, ..Limits::default() },
        transcript: Arc::clone(&transcript),
        ..Options::default()
    };
    if flags.common.dry_run {
        let mut engine = engine(Link::new(None, options, false), &flags.common, &feed, transcript);
        let Feed::Scripts(scripts) = feed else {
            return prompt(engine, &flags.common, Messages::default(), Box::new(|| {}));
        };
        return of_ending(run_scripts(&mut engine, &scripts, &mut Lines::new(script_palette(&flags.common))));
    }
    let messages = Messages::default();
    let captured = matches!(feed, Feed::Prompt).then(|| messages.clone());
    let (qemu, socket) =
        Wrapped::start(&flags.qemu, captured).map_err(|error| Failure::new(Status::NotConnected, error))?;
    let ended = qemu.clone();
    // Until a prompt takes the signals over. QEMU may take long to start.
    let watch = Watch::start(move || ended.end()).map_err(|error| Failure::new(Status::NotConnected, error))?;
    let name = Address::Exec(flags.qemu[0].clone());
    let session = match Session::over(socket, &name, &options) {
        Ok(session) => session,
        Err(error) => {
            let failure = not_started(&qemu, error);
            watch.end();
            return Err(failure);
        }
    };
    let link = Link::wrapped(session, options, qemu.clone());
    let mut engine = engine(link, &flags.common, &feed, transcript);
    let mut progress = |text: &str| {
        let _ = writeln!(io::stderr(), "{text}");
    };
    match feed {
        Feed::Scripts(scripts) => {
            let mut out = Lines::new(script_palette(&flags.common));
            let ending = run_scripts(&mut engine, &scripts, &mut out);
            engine.end_qemu(&mut out);
            qemu.finish(&mut progress);
            watch.end();
            engine.end_log(&mut out);
            of_ending(ending)
        }
        Feed::Prompt => {
            watch.end();
            let ended = qemu.clone();
            let result = prompt(engine, &flags.common, messages, Box::new(move || ended.end()));
            qemu.finish(&mut progress);
            result
        }
    }
}

/// QEMU's own words about why it did not start, where it ended; else what we saw of it.
fn not_started(qemu: &Wrapped, error: ConnectError) -> Failure {
    match qemu.ended_early() {
        Some(ended) => Failure::new(Status::NotConnected, ended),
        None => {
            qemu.end();
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
