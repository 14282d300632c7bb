//! The recipes of docs/servers.md: TLS with client certificates, containers, managers of VMs. Each command that is tried
//! is in the document.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::program::{program, qmp_shell};
use crate::support::server::{SMALL, Server};
use crate::support::skip::require_program;

const NAMED: &str = "{\"return\": {\"name\": \"far\"}}\n";

/// Returns the address in the document that contains `text`.
fn recipe(text: &str) -> String {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/servers.md");
    let document = fs::read_to_string(document).unwrap();
    let line = document.lines().find(|line| line.starts_with("qmp-shell") && line.contains(text));
    let line = line.unwrap_or_else(|| panic!("docs/servers.md has no `{text}`"));
    line.split('\'').nth(1).unwrap().to_owned()
}

/// Makes an authority, and certificates for the server and a client, in `folder`, as in QEMU's documentation.
fn make_certificates(folder: &Path) {
    let certtool = |arguments: &[&str]| {
        let output = Command::new("certtool").args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    for (name, template) in [
        ("ca", "cn = \"authority\"\nca\ncert_signing_key\n"),
        ("server", "cn = \"localhost\"\ndns_name = \"localhost\"\ntls_www_server\nsigning_key\nencryption_key\n"),
        ("client", "cn = \"client\"\ntls_www_client\nsigning_key\nencryption_key\n"),
    ] {
        fs::write(folder.join("template"), template).unwrap();
        let (key, certificate) = (format!("{name}-key.pem"), format!("{name}-cert.pem"));
        certtool(&["--generate-privkey", "--key-type=rsa", "--bits=2048", "--outfile", &key]);
        let own = ["--load-privkey", &key, "--template", "template", "--outfile", &certificate];
        if name == "ca" {
            certtool(&[&["--generate-self-signed"], &own[..]].concat());
        } else {
            let authority = ["--load-ca-certificate", "ca-cert.pem", "--load-ca-privkey", "ca-key.pem"];
            certtool(&[&["--generate-certificate"], &authority[..], &own[..]].concat());
        }
    }
}

#[test]
fn tls_with_client_certificates() {
    for program in ["certtool", "gnutls-cli", "socat", "openssl"] {
        if require_program(program).is_none() {
            return;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let credentials = format!("tls-creds-x509,id=tls0,dir={},endpoint=server,verify-peer=on", folder.path().display());
    let chardev = format!("socket,id=qmp,host=127.0.0.1,port={port},server=on,wait=off,tls-creds=tls0");
    let monitor = ["-object", &credentials, "-chardev", &chardev, "-mon", "chardev=qmp,mode=control"];
    let Some(_server) = Server::qemu(&[SMALL, &["-name", "far"], &monitor].concat()) else { return };
    for tool in ["socat - OPENSSL", "gnutls-cli", "openssl s_client"] {
        let address = recipe(tool).replace("host:4444", &format!("localhost:{port}"));
        let run = qmp_shell(&[&address, "-c", "query-name"]).in_folder(folder.path()).run();
        assert_eq!((run.stdout.as_str(), run.status), (NAMED, 0), "{address}: {run:#?}");
    }
    // Without the client's certificate, the server does not answer.
    let address = format!("exec:socat - OPENSSL:localhost:{port},cafile=ca-cert.pem");
    let run = qmp_shell(&[&address, "-c", "query-name"]).in_folder(folder.path()).run();
    assert_eq!((run.stdout.as_str(), run.status), ("", 3), "{run:#?}");
}

#[test]
fn a_program_in_a_container() {
    let Some(server) = Server::qemu(&[SMALL, &["-name", "far"]].concat()) else { return };
    let Some(_) = require_program("socat") else { return };
    let folder = tempfile::tempdir().unwrap();
    // Each takes the options before the name of the container, and runs the rest here.
    for (tool, skipped) in [("docker", 3), ("podman", 3), ("kubectl", 6)] {
        let script = format!("#!/bin/sh\n[ \"$1 $2\" = 'exec -i' ] || exit 9\nshift {skipped}\nexec \"$@\"\n");
        let stand_in = folder.path().join(tool);
        fs::write(&stand_in, script).unwrap();
        fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).unwrap();
        let address = recipe(tool).replace("/run/vm.sock", &server.address());
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let run = qmp_shell(&[&address, "-c", "query-name"]).env("PATH", &path).run();
        assert_eq!((run.stdout.as_str(), run.status), (NAMED, 0), "{address}: {run:#?}");
    }
}

#[test]
fn managers_of_vms_are_found_by_their_options() {
    let Some(qemu) = require_program("qemu-system-x86_64") else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let config = format!(
        "# Machine\n[machine]\ngraphics = \"off\"\ntype = \"none\"\n\n# Qemu control\n[chardev \"monitor\"]\n\
         backend = \"socket\"\npath = \"{}\"\nserver = \"on\"\nwait = \"off\"\n\n\
         [mon]\nchardev = \"monitor\"\nmode = \"control\"\n",
        at("qemu.monitor")
    );
    fs::write(at("qemu.conf"), config).unwrap();
    // Its own client is not there, and it tries again for ever.
    let events = format!("socket,id=qmp-event,path={},reconnect=5", at("qmeventd.sock"));
    let proxmox = format!("socket,id=qmp,path={},server=on,wait=off", at("100.qmp"));
    let lima = format!("unix:{},server=on,wait=off", at("qmp.sock"));
    for (options, name) in [
        (
            vec!["-chardev", &proxmox, "-mon", "chardev=qmp,mode=control", "-chardev", &events]
                .into_iter()
                .chain(["-mon", "chardev=qmp-event,mode=control", "-M", "none"])
                .collect::<Vec<_>>(),
            "100.qmp",
        ),
        (vec!["-M", "none", "-qmp", &lima], "qmp.sock"),
        (vec!["-readconfig", &at("qemu.conf")], "qemu.monitor"),
    ] {
        let mut command = Command::new(&qemu);
        command.args(["-name", "managed", "-display", "none", "-nodefaults", "-monitor", "none"]).args(&options);
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        crate::support::wait_until("the socket", || crate::support::server::is_listening(&at(name)));
        let list = program(env!("CARGO_BIN_EXE_qmp-shell"), &["--list", "-o", "json"]).run();
        child.kill().unwrap();
        child.wait().unwrap();
        let rows: Vec<serde_json::Value> = serde_json::from_str(&list.stdout).unwrap();
        let rows: Vec<_> = rows.iter().filter(|row| row["pid"] == child.id()).collect();
        assert_eq!((rows.len(), rows[0]["address"].as_str()), (1, Some(at(name).as_str())), "{options:?}");
    }
}
