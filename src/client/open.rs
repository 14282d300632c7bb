//! Opening a session to any address, including the demo machine.

use crate::demo;
use crate::session::{Address, ConnectError, Options, Session, connect};

/// Opens a session to `address`, which may be the demo machine inside the program.
pub fn open(address: &Address, options: &Options) -> Result<Session, ConnectError> {
    if *address != Address::Demo {
        return connect(address, options);
    }
    let socket = demo::start().map_err(|reason| ConnectError::Io { address: Address::Demo, reason })?;
    Session::over(socket, address, options)
}
