//! `qom fuse`: mounts the object tree, and serves it until it is unmounted.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::cli::exit_status::{Failure, Status};
use crate::client::Client;

#[cfg(all(feature = "fuse", target_os = "linux"))]
pub(super) use mount::run;

#[derive(Debug, Clone, Args)]
#[cfg_attr(not(all(feature = "fuse", target_os = "linux")), allow(dead_code))]
pub(super) struct FuseArgs {
    /// Directory at which to mount the tree
    #[arg(value_name = "MOUNTPOINT", value_hint = ValueHint::DirPath)]
    mountpoint: PathBuf,

    /// Do not allow properties to be set
    #[arg(long)]
    read_only: bool,

    /// Allow access by other users (requires root, or `user_allow_other` in /etc/fuse.conf)
    #[arg(long)]
    allow_other: bool,

    /// Return once the tree is mounted, and serve it in the background
    #[arg(long)]
    daemonize: bool,
}

#[cfg(not(all(feature = "fuse", target_os = "linux")))]
pub(super) fn run(_: &FuseArgs, _: impl FnOnce() -> Result<Client, Failure>) -> Result<Status, Failure> {
    let reason = if cfg!(target_os = "linux") { "its feature `fuse` was disabled" } else { "it exists on Linux only" };
    Err(Failure::usage(format!("this program was built without `qom fuse`; {reason}")))
}

#[cfg(all(feature = "fuse", target_os = "linux"))]
mod mount {
    use std::fs::File;
    use std::io::{self, Read};
    use std::mem::ManuallyDrop;
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use anyhow::{Context, anyhow};
    use rustix::process::{geteuid, setsid};
    use rustix::stdio::{dup2_stderr, dup2_stdout};
    use signal_hook::iterator::Signals;

    use super::super::commands::ONE_AT_A_TIME;
    use super::{Client, Failure, FuseArgs, Status};
    use crate::cli::stdio::{print, report};
    use crate::qom::{
        Mount, MountError, MountOptions, QomClient, QomError, QomFs, UnmountOutcome, UnmountReason,
        caller_is_interrupted, check_mountpoint,
    };
    use crate::render::printable;
    use crate::shell::termination_signals;

    /// The variable in the environment of the process that serves the tree in the background.
    const BACKGROUND_VARIABLE: &str = "QOM_FUSE_IN_BACKGROUND";

    /// Mounts the tree, and returns when it is unmounted.
    pub(in crate::cli::qom) fn run(
        args: &FuseArgs,
        connect: impl Fn() -> Result<Client, Failure>,
    ) -> Result<Status, Failure> {
        let mountpoint = check_mountpoint(&args.mountpoint).map_err(mount_failure)?;
        let in_background = std::env::var_os(BACKGROUND_VARIABLE).is_some();
        if args.daemonize && !in_background {
            return start_in_background().map_err(|error| Failure::new(Status::Failed, error));
        }
        // The client is leaked on purpose: dropping it would be reported as a lost connection.
        let client = ManuallyDrop::new(connect_and_probe(connect)?);
        let options = MountOptions { read_only: args.read_only, allow_other: args.allow_other };
        let tree = QomClient::new(&client).interrupted_by(caller_is_interrupted).without_stall_detection();
        let fs = QomFs::new(Box::new(tree), args.read_only, Box::new(report_problem));
        // From here on, a signal unmounts the tree. A signal that arrives before the mount takes effect after it.
        let signals = Signals::new(termination_signals()).map_err(|error| Failure::new(Status::Failed, error))?;
        let mount = Mount::new(fs, mountpoint, options).map_err(mount_failure)?;
        let disconnected = watch_connection(&client, mount.mountpoint());
        announce(&client, mount.mountpoint(), in_background);
        if in_background {
            let _ = detach_from_terminal().inspect_err(|error| report_problem(&error.to_string()));
        }
        serve(&mount, signals);
        Ok(if disconnected.load(Ordering::SeqCst) { Status::Disconnected } else { Status::Success })
    }

    /// Connects, and finds out whether the server takes several requests at once. Programs that use the tree would jam one
    /// that does not; it gets a second connection, with one request at a time.
    fn connect_and_probe(connect: impl Fn() -> Result<Client, Failure>) -> Result<Client, Failure> {
        let client = connect()?;
        if !matches!(QomClient::new(&client).probe(), Err(QomError::Stalled)) {
            return Ok(client);
        }
        report_problem(ONE_AT_A_TIME);
        drop(client);
        let client = connect()?;
        client.take_turns();
        Ok(client)
    }

    fn report_problem(message: &str) {
        report(&format!("qom fuse: {}", printable(message)));
    }

    fn mount_failure(error: MountError) -> Failure {
        let status = if error.is_unsuitable_mountpoint() { Status::UsageError } else { Status::Failed };
        Failure::new(status, error)
    }

    /// Prints what is mounted, and how to unmount it.
    fn announce(client: &Client, mountpoint: &Path, in_background: bool) {
        let version = client.greeting().and_then(|greeting| greeting.version.as_ref());
        let server = version.map_or_else(|| "the server".to_owned(), |version| format!("QEMU {version}"));
        let mountpoint = mountpoint.display();
        let unmount = if geteuid().is_root() { "umount" } else { "fusermount3 -u" };
        let or_key = if in_background { "" } else { "Ctrl-C or " };
        let line = format!(
            "The object tree of {server} is mounted at {mountpoint}; {or_key}`{unmount} {mountpoint}` unmounts it."
        );
        let _ = print(format!("{}\n", printable(&line)));
    }

    /// Reports the loss of the connection at once, whether or not a file is in use. Returns a flag for the loss.
    fn watch_connection(client: &Client, mountpoint: &Path) -> Arc<AtomicBool> {
        let disconnected = Arc::new(AtomicBool::new(false));
        let set_disconnected = Arc::clone(&disconnected);
        let mut events = client.listen(|_| false);
        let mountpoint = mountpoint.display().to_string();
        std::thread::spawn(move || {
            if let Some(Err(error)) = events.next() {
                set_disconnected.store(true, Ordering::SeqCst);
                report_problem(&format!("{error}; every access to {mountpoint} fails until it is unmounted"));
            }
        });
        disconnected
    }

    /// Waits until the tree is unmounted. A signal unmounts it.
    fn serve(mount: &Mount, mut signals: Signals) {
        let request_unmount = mount.unmounter();
        std::thread::spawn(move || signals.forever().for_each(|_| request_unmount()));
        let mountpoint = mount.mountpoint().display();
        while mount.wait() == UnmountReason::Requested {
            match mount.unmount() {
                Ok(UnmountOutcome::Clean) => return,
                Ok(UnmountOutcome::Busy) => {
                    return report_problem(&format!("{mountpoint} was in use, and was unmounted anyway"));
                }
                Err(error) => report_problem(&format!("cannot unmount {mountpoint}: {error}")),
            }
        }
    }

    /// Starts this program again, to serve in the background. Returns when that process has mounted the tree, or ends
    /// this process with its exit status.
    fn start_in_background() -> anyhow::Result<Status> {
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        let mut child = Command::new(std::env::current_exe().context("cannot find this program")?)
            .arg0(name)
            .args(arguments)
            .env(BACKGROUND_VARIABLE, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start this program in the background")?;
        let mut announcement = Vec::new();
        if let Some(mut output) = child.stdout.take() {
            output.read_to_end(&mut announcement)?;
        }
        if !announcement.is_empty() {
            let _ = print(announcement);
            return Ok(Status::Success);
        }
        // It has reported its error on standard error.
        match child.wait()?.code() {
            Some(code) => std::process::exit(code),
            None => Err(anyhow!("the background process was terminated before it mounted anything")),
        }
    }

    /// Releases everything that other processes may wait for: the terminal, standard output and error, the directory.
    fn detach_from_terminal() -> io::Result<()> {
        setsid()?;
        std::env::set_current_dir("/")?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stderr(&null)?;
        dup2_stdout(&null)?;
        Ok(())
    }
}
