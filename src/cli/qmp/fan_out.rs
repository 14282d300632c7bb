//! One command to several servers, in parallel: answers as they come, each led by its server's name.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

use anyhow::anyhow;

use crate::render::{printable, sanitize};
use crate::shell::OneShotOutput;

use super::external_command;
use super::one_shot::{OneShot, Outcome, status_of};
use super::servers::{Server, raise_fd_limit};
use crate::cli::exit_status::{Failure, Status, message_of};

/// What came of the command at one server, each line led by its name.
struct Answered {
    out: Vec<u8>,
    err: Vec<u8>,
    succeeded: bool,
}

/// Carries the task out at each server, so many at a time. One that fails does not stop the others.
pub(crate) fn run(one_shot: OneShot, servers: Vec<Server>, jobs: usize) -> Result<Status, Failure> {
    let jobs = jobs.min(servers.len());
    raise_fd_limit(jobs);
    let servers = Arc::new(servers);
    let answers = start(Arc::new(one_shot), &servers, jobs)?;
    let mut succeeded = 0;
    let mut out = io::stdout().lock();
    for answered in answers {
        succeeded += usize::from(answered.succeeded);
        match out.write_all(&answered.out).and_then(|()| out.flush()) {
            Ok(()) => {}
            // Whoever read our output has enough of it. What is under way is left there.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Status::Success),
            Err(error) => {
                let message = format!("cannot write to standard output: {error}");
                return Err(Failure::new(Status::LineFailed, anyhow!(message)));
            }
        }
        // A failure to write there has nowhere to be reported.
        let _ = io::stderr().write_all(&answered.err);
    }
    Ok(if succeeded == servers.len() { Status::Success } else { Status::LineFailed })
}

/// Starts the workers; their answers come in the order in which they are there.
fn start(one_shot: Arc<OneShot>, servers: &Arc<Vec<Server>>, jobs: usize) -> Result<Receiver<Answered>, Failure> {
    let (sender, answers) = sync_channel(jobs);
    let next = Arc::new(AtomicUsize::new(0));
    for number in 0..jobs {
        let (one_shot, servers, next, sender) = (one_shot.clone(), servers.clone(), next.clone(), sender.clone());
        let started = Builder::new().spawn(move || work(&one_shot, &servers, &next, &sender));
        // With some of them all the work is done as well.
        if let Err(error) = started
            && number == 0
        {
            return Err(Failure::new(Status::LineFailed, anyhow!("cannot start a thread: {error}")));
        }
    }
    Ok(answers)
}

fn work(one_shot: &OneShot, servers: &[Server], next: &AtomicUsize, answers: &SyncSender<Answered>) {
    loop {
        let Some(server) = servers.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
        if answers.send(ask(one_shot, server)).is_err() {
            return;
        }
    }
}

fn ask(one_shot: &OneShot, server: &Server) -> Answered {
    let mut output = OneShotOutput::new(Vec::new(), Vec::new(), one_shot.look(Some(&server.name)));
    let ended = one_shot.perform(Some(&server.address), &mut output);
    let (out, mut err) = output.into_inner();
    let result = match ended {
        Ok(Outcome::Ran(verdict)) => {
            // JSON on a line says by itself where it comes from.
            let out = if one_shot.is_json() { out } else { prefixed(&server.name, &out) };
            Ok((out, status_of(&verdict) == Status::Success))
        }
        Ok(Outcome::Lacks(program)) => external_command::run(&program, &one_shot.words, &server.address).map(|ran| {
            err.extend_from_slice(&ran.stderr);
            (prefixed(&server.name, &ran.stdout), ran.status.success())
        }),
        Err(failure) => Err(failure),
    };
    let (out, succeeded) = result.unwrap_or_else(|failure| {
        err.extend_from_slice(format!("{}\n", sanitize(&message_of(&failure.error))).as_bytes());
        (Vec::new(), false)
    });
    Answered { out, err: prefixed(&server.name, &err), succeeded }
}

/// Each line of `text` behind the server's name.
fn prefixed(name: &str, text: &[u8]) -> Vec<u8> {
    let lead = format!("{}: ", printable(name));
    let mut out = Vec::with_capacity(text.len() + lead.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(lead.as_bytes());
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
    fn each_line_is_led_by_the_name() {
        assert_eq!(prefixed("vm", b"a: 1\n\nb"), b"vm: a: 1\nvm: \nvm: b\n");
        assert_eq!(prefixed("a\x1bb", b"x\n"), b"a\\x1bb: x\n");
        assert_eq!(prefixed("vm", b""), b"");
    }
}
