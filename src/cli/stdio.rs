//! The standard streams as a program is given them.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Has all three wait for the other end. Whoever shared them before us may have told them not to, as build servers do; what is
/// written faster than it is read would be lost.
pub(crate) fn make_blocking() {
    for stream in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
        // A stream that is closed has nothing to be told.
        if let Ok(args) = fcntl_getfl(stream)
            && args.contains(OFlags::NONBLOCK)
        {
            let _ = fcntl_setfl(stream, args - OFlags::NONBLOCK);
        }
    }
}
