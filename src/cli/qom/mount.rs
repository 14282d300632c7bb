//! `qom fuse`: mounts the object tree, and stays until it is unmounted.

use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, anyhow};
use rustix::process::{geteuid, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdout};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::client::Client;
use crate::qom::{Mount, MountError, MountOptions, QomClient, QomFs, UnmountOutcome, UnmountReason, check_mountpoint};
use crate::render::printable;

use super::fuse::FuseArgs;
use crate::cli::exit_status::{Failure, Status};

/// Tells the process in the background that it is that one.
const BACKGROUND: &str = "QOM_FUSE_IN_BACKGROUND";

/// Mounts the tree, and returns when it is unmounted.
pub(super) fn run(args: &FuseArgs, connect: impl FnOnce() -> Result<Client, Failure>) -> Result<Status, Failure> {
    let place = check_mountpoint(&args.mountpoint).map_err(not_mounted)?;
    let in_background = std::env::var_os(BACKGROUND).is_some();
    if args.daemonize && !in_background {
        return start_in_background().map_err(|error| Failure::new(Status::LineFailed, error));
    }
    // It goes with the process: to close it before would look like its loss.
    let client = ManuallyDrop::new(connect()?);
    let options = MountOptions { read_only: args.read_only, allow_other: args.allow_other };
    let fs = QomFs::new(Box::new(QomClient::new(&client)), args.read_only, Box::new(report_problem));
    let failed = |error: io::Error| Failure::new(Status::LineFailed, error);
    // From here on a signal unmounts. One that comes sooner than the mount waits for it.
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(failed)?;
    let mount = Mount::new(fs, place, options).map_err(not_mounted)?;
    let lost = watch_connection(&client, mount.mountpoint());
    greet(&client, mount.mountpoint(), in_background);
    if in_background {
        let _ = leave_the_terminal().inspect_err(|error| report_problem(&error.to_string()));
    }
    serve(&mount, signals);
    Ok(if lost.load(Ordering::SeqCst) { Status::Disconnected } else { Status::Success })
}

/// Writes a message to standard error. Errors are ignored, since standard error may be closed.
fn report_problem(message: &str) {
    let line = format!("qom fuse: {}\n", printable(message));
    let _ = io::stderr().write_all(line.as_bytes());
}

fn not_mounted(error: MountError) -> Failure {
    let status = if error.is_mountpoint() { Status::Usage } else { Status::LineFailed };
    Failure::new(status, error)
}

/// Says what is mounted where, and how to end it.
fn greet(client: &Client, place: &Path, in_background: bool) {
    let version = client.greeting().and_then(|greeting| greeting.version.as_ref());
    let server = version.map_or_else(|| "the server".to_owned(), |version| format!("QEMU {version}"));
    let place = place.display();
    let unmount = if geteuid().is_root() { "umount" } else { "fusermount3 -u" };
    let or_key = if in_background { "" } else { "Ctrl-C or " };
    let line = format!("The object tree of {server} is mounted at {place}; {or_key}`{unmount} {place}` ends it.");
    let mut out = io::stdout();
    let _ = writeln!(out, "{}", printable(&line)).and_then(|()| out.flush());
}

/// Says it when the server goes, whether or not anybody asks something just then.
fn watch_connection(client: &Client, place: &Path) -> Arc<AtomicBool> {
    let lost = Arc::new(AtomicBool::new(false));
    let ours = Arc::clone(&lost);
    let mut events = client.listen(|_| false);
    let place = place.display().to_string();
    std::thread::spawn(move || {
        if let Some(Err(error)) = events.next() {
            ours.store(true, Ordering::SeqCst);
            report_problem(&format!("{error}; all of {place} is an input/output error until it is unmounted"));
        }
    });
    lost
}

/// Waits until it is unmounted, or a signal asks for that.
fn serve(mount: &Mount, mut signals: Signals) {
    let end = mount.unmounter();
    std::thread::spawn(move || signals.forever().for_each(|_| end()));
    let place = mount.mountpoint().display();
    while mount.wait() == UnmountReason::Requested {
        match mount.unmount() {
            Ok(UnmountOutcome::Clean) => return,
            Ok(UnmountOutcome::Busy) => {
                return report_problem(&format!("{place} was in use, and is unmounted all the same"));
            }
            Err(error) => report_problem(&format!("cannot unmount {place}: {error}")),
        }
    }
}

/// Starts this program again, to serve in the background; returns once that has mounted, or failed to.
fn start_in_background() -> anyhow::Result<Status> {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let mut child = Command::new(std::env::current_exe().context("cannot find this program")?)
        .arg0(name)
        .args(arguments)
        .env(BACKGROUND, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start this program in the background")?;
    let mut greeting = Vec::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_end(&mut greeting)?;
    }
    if !greeting.is_empty() {
        let _ = io::stdout().write_all(&greeting);
        return Ok(Status::Success);
    }
    // It has said why on standard error.
    match child.wait()?.code() {
        Some(code) => std::process::exit(code),
        None => Err(anyhow!("the process in the background was ended before it had mounted anything")),
    }
}

/// Lets go of everything that somebody may wait for the end of: the terminal, the streams, the folder.
fn leave_the_terminal() -> io::Result<()> {
    setsid()?;
    std::env::set_current_dir("/")?;
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stderr(&nowhere)?;
    dup2_stdout(&nowhere)?;
    Ok(())
}
