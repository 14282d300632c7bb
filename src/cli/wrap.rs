//! `qmp-shell-wrap`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::ArgMatches;

use crate::session::{Address, ConnectError, Dialed, Options, negotiate};
use crate::shell::{Lines, Link, Messages, Wrapped, end_on_signals, run_scripts};
use crate::wire::Limits;

use super::flags::WrapFlags;
use super::shell::{Feed, engine, parse_flags, print_generated, prompt, script_palette, transcript};
use super::status::{Failure, Status, end, of_ending};

/// Without `--timeout`, QEMU may take as long as it likes to greet: its end, which is seen at once, is the other limit.
const PATIENT: Duration = Duration::from_secs(24 * 3600);

/// Runs the program.
pub fn qmp_shell_wrap() -> ExitCode {
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
    let transcript = transcript(&flags.common)?;
    let options = Options {
        timeout: flags.timeout.unwrap_or(PATIENT),
        limits: Limits {
            message: flags.common.max_message,
            ..Limits::default()
        },
        transcript: Arc::clone(&transcript),
        ..Options::default()
    };
    if flags.common.dry_run {
        let mut engine = engine(Link::new(None, options, false), &flags.common, &feed, transcript);
        let Feed::Scripts(scripts) = feed else {
            return prompt(engine, &flags.common, Messages::default(), Box::new(|| {}));
        };
        return of_ending(run_scripts(
            &mut engine,
            &scripts,
            &mut Lines::new(script_palette(&flags.common)),
        ));
    }
    let messages = Messages::default();
    let captured = matches!(feed, Feed::Prompt).then(|| messages.clone());
    let (qemu, socket) =
        Wrapped::start(&flags.qemu, captured).map_err(|error| Failure::new(Status::NotConnected, error))?;
    if let Feed::Scripts(_) = feed {
        let ended = qemu.clone();
        end_on_signals(move || ended.terminate()).map_err(|error| Failure::new(Status::NotConnected, error))?;
    }
    let name = Address::Exec(flags.qemu[0].clone());
    let session = match negotiate(
        Dialed {
            socket: socket.into(),
            peer: None,
        },
        &name,
        &options,
    ) {
        Ok(session) => session,
        Err(error) => return Err(not_started(&qemu, &messages, error)),
    };
    let mut engine = engine(Link::single(session, options), &flags.common, &feed, transcript);
    let result = match feed {
        Feed::Scripts(scripts) => {
            let mut out = Lines::new(script_palette(&flags.common));
            let ending = run_scripts(&mut engine, &scripts, &mut out);
            engine.end_qemu(&mut out);
            engine.end_log(&mut out);
            of_ending(ending)
        }
        Feed::Prompt => {
            let ended = qemu.clone();
            prompt(engine, &flags.common, messages, Box::new(move || ended.terminate()))
        }
    };
    qemu.finish();
    result
}

/// QEMU's own words about why it did not start, where it ended; else what we saw of it.
fn not_started(qemu: &Wrapped, messages: &Messages, error: ConnectError) -> Failure {
    let failure = match qemu.ended_early() {
        Some(ended) => Failure::new(Status::NotConnected, ended),
        None => {
            qemu.terminate();
            qemu.finish();
            Failure::new(Status::NotConnected, error)
        }
    };
    messages.spill();
    failure
}
