//! One command on several servers in parallel. Replies are printed as they arrive, each line with its server's name.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

use super::one_shot::{OneShot, Outcome};
use super::servers::{Server, reserve_descriptors};
use crate::cli::exit_status::{Failure, Status};
use crate::cli::stdio::finish_printing;
use crate::render::{printable, sanitize};
use crate::shell::OneShotOutput;

/// The number of file descriptors that one server may need: those of a program that runs instead of the command, with
/// its pipes. A socket is one.
const DESCRIPTORS_PER_SERVER: usize = 6;

/// The output for one server, with its name as prefix.
struct ServerOutput {
    out: Vec<u8>,
    err: Vec<u8>,
    /// Whether the command succeeded there; `None` before its last run.
    succeeded: Option<bool>,
}

/// Runs the command on each server, on at most `jobs` of them at a time, or on as many as may be
/// connected to. A failure on one does not stop the others.
pub(super) fn run(one_shot: OneShot, servers: Vec<Server>, jobs: usize) -> Result<Status, Failure> {
    let count = servers.len();
    let is_repeated = one_shot.is_repeated();
    // A command that is repeated may never end, so no server can wait for another one.
    let wanted = if is_repeated { count } else { jobs.min(count) };
    let jobs = (reserve_descriptors(wanted * DESCRIPTORS_PER_SERVER) / DESCRIPTORS_PER_SERVER).max(1);
    if is_repeated && jobs < count {
        let message = format!(
            "cannot repeat a command on {count} servers at a time: the limit on open files (`ulimit -n`) allows {jobs}"
        );
        return Err(Failure::with_message(Status::Failed, message));
    }
    let outputs = start_workers(one_shot, servers, jobs)?;
    let mut succeeded = 0;
    let mut out = io::stdout().lock();
    for output in outputs {
        succeeded += usize::from(output.succeeded == Some(true));
        if let Err(error) = out.write_all(&output.out).and_then(|()| out.flush()) {
            // Requests in flight are abandoned.
            return finish_printing(Err(error));
        }
        // A failure to write there cannot be reported anywhere.
        let _ = io::stderr().write_all(&output.err);
    }
    Ok(if succeeded == count { Status::Success } else { Status::Failed })
}

/// Starts `jobs` threads, which share the servers. Returns their output, in the order in which they finish.
fn start_workers(one_shot: OneShot, servers: Vec<Server>, jobs: usize) -> Result<Receiver<ServerOutput>, Failure> {
    let (tx, outputs) = sync_channel(jobs);
    let shared = Arc::new((one_shot, servers, AtomicUsize::new(0)));
    for worker in 0..jobs {
        let (shared, tx) = (Arc::clone(&shared), tx.clone());
        let started = Builder::new().spawn(move || {
            let (one_shot, servers, next) = &*shared;
            work(one_shot, servers, next, &tx);
        });
        // The first worker can do everything alone.
        if let Err(error) = started
            && worker == 0
        {
            return Err(Failure::with_message(Status::Failed, format!("cannot start a thread: {error}")));
        }
    }
    Ok(outputs)
}

fn work(one_shot: &OneShot, servers: &[Server], next: &AtomicUsize, tx: &SyncSender<ServerOutput>) {
    while let Some(server) = servers.get(next.fetch_add(1, Ordering::Relaxed)) {
        if tx.send(run_on(one_shot, server, tx)).is_err() {
            return;
        }
    }
}

/// Runs the command on one server. Sends the output of each run but the last, which it returns.
fn run_on(one_shot: &OneShot, server: &Server, tx: &SyncSender<ServerOutput>) -> ServerOutput {
    let new_output = || OneShotOutput::new(Vec::new(), Vec::new(), one_shot.style_for(&server.name));
    let named = |out: Vec<u8>| {
        // JSON has the name as a member already.
        if one_shot.prints_json() { out } else { with_prefix(&server.name, &out) }
    };
    let mut after_run = |output: &mut OneShotOutput<Vec<u8>, Vec<u8>>| {
        output.show_help();
        let (out, err) = std::mem::replace(output, new_output()).into_inner();
        let output = ServerOutput { out: named(out), err: with_prefix(&server.name, &err), succeeded: None };
        // Fails once the output has no reader.
        if tx.send(output).is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut output = new_output();
    let outcome = one_shot.run(Some(&server.address), Some(&server.name), &mut output, &mut after_run);
    output.show_help();
    let (out, mut err) = output.into_inner();
    let result = match outcome {
        Ok(Outcome::Ran(outcome)) => Ok((named(out), Status::from(outcome) == Status::Success)),
        Ok(Outcome::External(external)) => external.run(&server.address).map(|process| {
            err.extend_from_slice(&process.stderr);
            (with_prefix(&server.name, &process.stdout), process.status.success())
        }),
        Err(failure) => Err(failure),
    };
    let (out, succeeded) = result.unwrap_or_else(|failure| {
        err.extend_from_slice(format!("{}\n", sanitize(&failure.message())).as_bytes());
        (Vec::new(), false)
    });
    ServerOutput { out, err: with_prefix(&server.name, &err), succeeded: Some(succeeded) }
}

/// Returns `text` with the server's name before each line, and a line end after the last line.
fn with_prefix(name: &str, text: &[u8]) -> Vec<u8> {
    let prefix = format!("{}: ", printable(name));
    let mut out = Vec::with_capacity(text.len() + prefix.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(line);
    }
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_the_name_before_each_line() {
        assert_eq!(with_prefix("vm", b"a: 1\n\nb"), b"vm: a: 1\nvm: \nvm: b\n");
        assert_eq!(with_prefix("a\x1bb", b"x\n"), b"a\\x1bb: x\n");
        assert_eq!(with_prefix("vm", b""), b"");
    }
}
