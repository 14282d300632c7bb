//! Opening a session with an address of any kind, including the servers inside the program.

#[cfg(feature = "demo")]
use crate::demo::start as start_demo;
use crate::replay::start as start_recorded;
use crate::session::{Address, ConnectError, Options, Session, connect};

/// Opens a session with the server at `address`. `demo:` starts a demo machine, if this build has one (cargo feature
/// `demo`).
pub fn open(address: &Address, options: &Options) -> Result<Session, ConnectError> {
    open_with_progress(address, options, &mut |_| {})
}

/// Opens a session as [`open`] does. Calls `progress` with a sentence about each long wait.
pub(crate) fn open_with_progress(
    address: &Address,
    options: &Options,
    progress: &mut dyn FnMut(&str),
) -> Result<Session, ConnectError> {
    let started = match address {
        Address::Demo => start_demo(),
        Address::Replay(log) => start_recorded(log),
        _ => return connect(address, options, progress),
    };
    let socket = started.map_err(|reason| ConnectError::Io { address: address.clone(), reason })?;
    Session::over(socket, address, options)
}

#[cfg(not(feature = "demo"))]
fn start_demo() -> std::io::Result<std::os::fd::OwnedFd> {
    let message = "this build has no demo machine (cargo feature `demo`)";
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, message))
}

#[cfg(all(test, not(feature = "demo")))]
mod tests {
    use super::*;

    #[test]
    fn reports_that_there_is_no_demo_machine() {
        let error = open(&Address::Demo, &Options::default()).unwrap_err();
        let message = "cannot connect to `demo:`: this build has no demo machine (cargo feature `demo`)";
        assert_eq!(error.to_string(), message);
    }
}
