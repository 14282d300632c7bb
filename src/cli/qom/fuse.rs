//! What `qom fuse` takes, and what becomes of it in a program that was built without it.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// What `qom fuse` takes.
#[derive(Debug, Clone, Args)]
#[cfg_attr(not(feature = "fuse"), allow(dead_code))]
pub(super) struct FuseArgs {
    /// The directory at which to mount the tree
    #[arg(value_name = "MOUNTPOINT", value_hint = ValueHint::DirPath)]
    pub(super) mountpoint: PathBuf,

    /// Let nothing be set
    #[arg(long)]
    pub(super) read_only: bool,

    /// Let other users in too (for root, or where /etc/fuse.conf says `user_allow_other`)
    #[arg(long)]
    pub(super) allow_other: bool,

    /// Return once it is mounted, and serve it from the background
    #[arg(long)]
    pub(super) daemonize: bool,
}

#[cfg(feature = "fuse")]
pub(super) use super::mount::run;

#[cfg(not(feature = "fuse"))]
pub(super) use without::run;

#[cfg(not(feature = "fuse"))]
mod without {
    use anyhow::anyhow;

    use crate::cli::exit_status::{Failure, Status};
    use crate::client::Client;

    use super::FuseArgs;

    /// Says that this program cannot.
    pub(in super::super) fn run(_: &FuseArgs, _: impl FnOnce() -> Result<Client, Failure>) -> Result<Status, Failure> {
        let message = "this program was built without `qom fuse`: its feature `fuse` was off";
        Err(Failure::new(Status::Usage, anyhow!(message)))
    }
}
