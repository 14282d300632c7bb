//! A proxy that makes a QEMU look as if it had been built without its human monitor: `human-monitor-command` is hidden in
//! the introspection and refused. File descriptors pass through.

use std::io::{BufRead, BufReader, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

const HIDDEN: &str = "human-monitor-command";

/// Serves one client after another on a socket in `folder`, and returns its path. Ends with the test's process.
pub fn hide_human_monitor(server: &str, folder: &std::path::Path) -> String {
    let path: PathBuf = folder.join("without-hmp.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = server.to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(upstream) = UnixStream::connect(&server) else { return };
            let replies = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || pass_replies(replies.0, replies.1));
            pass_requests(&client, &upstream);
            let _ = upstream.shutdown(std::net::Shutdown::Both);
        }
    });
    path.to_str().unwrap().to_owned()
}

/// Passes messages of the server on, with another name in the place of the hidden command.
fn pass_replies(upstream: UnixStream, mut client: UnixStream) {
    for line in BufReader::new(upstream).lines().map_while(Result::ok) {
        let line = line.replace(&format!("\"{HIDDEN}\""), "\"hidden-command\"") + "\r\n";
        if client.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    let _ = client.shutdown(std::net::Shutdown::Both);
}

/// Passes requests on, each with its file descriptors, and refuses the hidden command.
fn pass_requests(client: &UnixStream, upstream: &UnixStream) {
    let mut pending = Vec::new();
    let mut fds: Vec<OwnedFd> = Vec::new();
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = vec![0; 64 << 10];
        let received = recvmsg(client, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::empty());
        let Ok(received) = received else { return };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        if received.bytes == 0 {
            return;
        }
        pending.extend_from_slice(&bytes[..received.bytes]);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let request: serde_json::Value = serde_json::from_slice(&line).unwrap();
            if request["execute"] == HIDDEN {
                let error = serde_json::json!({
                    "id": request["id"],
                    "error": {"class": "CommandNotFound", "desc": "The command human-monitor-command has not been found"},
                });
                let mut client = client;
                client.write_all(format!("{error}\r\n").as_bytes()).unwrap();
                continue;
            }
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
            if !borrowed.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(&borrowed));
            }
            sendmsg(upstream, &[IoSlice::new(&line)], &mut control, SendFlags::empty()).unwrap();
            fds.clear();
        }
    }
}
