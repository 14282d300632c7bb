//! `ssh://` addresses: with a stand-in for `ssh`, which runs the remote command here, and with a real SSH server.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use expect_test::expect;

use crate::support::program::{qmp, qmp_shell, qom};
use crate::support::server::{SMALL, Server};
use crate::support::skip::{require_program, skip_optional};
use crate::support::snapshot::{self, Table};
use crate::support::stand_in::StandIn;
use crate::support::terminal::Terminal;
use crate::support::wording;
use crate::support::{find_program, send_signal, wait_until};

/// The rest of a stand-in that runs the remote command, its last argument, in `$REMOTE_SHELL`.
const RUN: &str = "for last; do :; done; exec ${REMOTE_SHELL:-sh} -c \"$last\"";

/// Returns the ids of the processes that have `text` in their command lines.
fn processes_with(text: &str) -> Vec<String> {
    let has_text = |process: &fs::DirEntry| {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    };
    let processes = fs::read_dir("/proc").unwrap().flatten().filter(has_text);
    processes.map(|process| process.file_name().into_string().unwrap()).collect()
}

/// Waits until no process is left that has `text` in its command line.
fn wait_until_gone(text: &str) {
    wait_until("the end of the process", || processes_with(text).is_empty());
}

/// A path with characters that mean something to shells, `printf` and `socat`.
const ODD_NAME: &str = "it's $(x) `y` \"z\" 100% \\n\\\\ a:b!{[(;&é.sock";

/// Starts QEMU with a link of an odd name to its socket.
fn odd_server() -> Option<(Server, String)> {
    let server = Server::qemu(&[SMALL, &["-name", "far"]].concat())?;
    let odd = server.path(ODD_NAME);
    std::os::unix::fs::symlink(server.address(), &odd).unwrap();
    Some((server, odd))
}

#[test]
fn every_program_reaches_a_socket_with_any_name() {
    let Some((_server, odd)) = odd_server() else { return };
    let (Some(_), Some(_)) = (require_program("socat"), require_program("fish")) else { return };
    let stand_in = StandIn::new(
        "ssh",
        &format!("printf '%s|' \"$@\" | cut -d '|' -f 1-11 >\"${{0%/*}}/arguments\"; echo Welcome; {RUN}"),
    );
    let address = format!("ssh://me@host:2222{odd}");
    for shell in ["sh", "bash", "zsh", "fish"].into_iter().filter(|shell| find_program(shell).is_some()) {
        let run =
            stand_in.with(qmp_shell(&[&address, "-c", "query-name"])).env("REMOTE_SHELL", shell).run().without_waits();
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("{\"return\": {\"name\": \"far\"}}\n", ""), "{shell}");
    }
    let arguments = fs::read_to_string(stand_in.path("arguments")).unwrap();
    assert_eq!(arguments, "-T|-x|-o|ClearAllForwardings=yes|-o|ConnectTimeout=5|-p|2222|-l|me|--\n");
    assert_eq!(stand_in.with(qmp(&["--path", &address, "query-name"])).run().stdout, "name: far\n");
    assert_eq!(stand_in.with(qom(&["get", "-s", &address, "/machine.type"])).run().stdout, "none-machine\n");
    let run = stand_in.with(qmp_shell(&[&address, "-c", ".fd /dev/null getfd fdname=x"])).run();
    assert!(run.stderr.contains("only over a Unix socket"), "{run:#?}");
    wait_until_gone(stand_in.folder.path().to_str().unwrap());
}

#[test]
fn nc_serves_where_there_is_no_socat() {
    let Some((mut server, odd)) = odd_server() else { return };
    let Some(nc) = require_program("nc") else { return };
    let stand_in = StandIn::new("ssh", &format!("PATH=${{0%/*}}/remote; {RUN}"));
    fs::create_dir(stand_in.path("remote")).unwrap();
    std::os::unix::fs::symlink("/bin/sh", stand_in.path("remote/sh")).unwrap();
    let address = format!("ssh://host{odd}");
    let run = || stand_in.with(qmp(&["--path", &address, "query-name"])).run();
    assert!(run().stderr.contains("`host` has neither `socat` nor an `nc` with the option -U"), "{:#?}", run());
    std::os::unix::fs::symlink(nc, stand_in.path("remote/nc")).unwrap();
    // Each leaves the monitor to the next.
    for _ in 0..3 {
        assert_eq!(run().stdout, "name: far\n");
    }
    server.kill();
    assert!(run().stderr.contains("Connection refused"), "{:#?}", run());
}

#[test]
fn says_why_a_socket_cannot_be_reached() {
    let mut table = Table::new();
    let mut row = |label: &str, lines: &str, arguments: &[&str]| {
        table.run(label, &StandIn::new("ssh", lines).with(qmp_shell(arguments)).run().without_waits());
    };
    let address = "ssh://host/nonexistent/vm.sock";
    let one = [address, "-c", "query-name"];
    row("no such socket", RUN, &one);
    row("no such host", "echo 'ssh: Could not resolve hostname host: Name or service not known' >&2; exit 255", &one);
    row(
        "no key",
        "echo 'Warning: a\u{1b}[31m' >&2; echo 'me@host: Permission denied (publickey).' >&2; exit 255",
        &one,
    );
    row("no word", "exit 1", &one);
    row("only noise", "yes noise", &one);
    let broken = "printf '\\nqmp-shell: connected\\n'; sleep 0.3; echo 'socat: E connect: refused' >&2; exit 1";
    row("the socket refuses", broken, &one);
    row("waiting", RUN, &["--wait=1", address, "-c", "query-name"]);
    row("a list of several", RUN, &["ssh://-oProxyCommand=x/vm.sock"]);
    table.run("no ssh", &qmp_shell(&one).env("PATH", "/nonexistent").run());
    table.check(expect![[r#"
        > no such socket
        stderr: qmp-shell: cannot connect to `ssh://host/nonexistent/vm.sock`: there is no socket at `/nonexistent/vm.sock` on `host`
        status: 3

        > no such host
        stderr: qmp-shell: cannot connect to `ssh://host/nonexistent/vm.sock`: ssh: Could not resolve hostname host: Name or service not known
        status: 3

        > no key
        stderr: qmp-shell: cannot connect to `ssh://host/nonexistent/vm.sock`: me@host: Permission denied (publickey)
        status: 3

        > no word
        stderr: qmp-shell: cannot connect to `ssh://host/nonexistent/vm.sock`: `ssh` has exited without a message
        status: 3

        > only noise
        stderr: qmp-shell: `ssh://host/nonexistent/vm.sock` keeps sending data, but does not complete the negotiation
        status: 3

        > the socket refuses
        stderr: qmp-shell: cannot connect to `ssh://host/nonexistent/vm.sock`: socat: E connect: refused
        status: 3

        > waiting
        stderr: qmp-shell: cannot connect to `ssh://host/nonexistent/vm.sock`: there is no socket at `/nonexistent/vm.sock` on `host`
        status: 3

        > a list of several
        stderr: error: invalid value 'ssh://-oProxyCommand=x/vm.sock' for '[ADDRESS]...': invalid address `ssh://-oProxyCommand=x/vm.sock`: invalid host `-oProxyCommand=x`
        stderr:
        stderr: For more information, try '--help'.
        status: 2

        > no ssh
        stderr: qmp-shell: cannot connect to `ssh://host/nonexistent/vm.sock`: there is no program `ssh` in PATH
        status: 3
    "#]]);
}

#[test]
fn shows_what_ssh_says_before_the_connection() {
    let Some((_server, odd)) = odd_server() else { return };
    let stand_in = StandIn::new("ssh", &format!("echo \"Warning: Permanently added 'host'\" >&2; {RUN}"));
    let run = stand_in.with(qmp(&["--path", &format!("ssh://host{odd}"), "query-name"])).run().without_waits();
    run.check(expect![[r#"
        name: far
        stderr: qmp: ssh: Warning: Permanently added 'host'
    "#]]);
}

#[test]
fn a_password_prompt_does_not_disturb_the_line_editor() {
    let Some((mut server, odd)) = odd_server() else { return };
    let ask = "trap 'stty echo </dev/tty; exit 1' TERM; stty -echo </dev/tty; \
               printf \"me@host's password: \" >/dev/tty; read -r word </dev/tty; stty echo </dev/tty; echo >/dev/tty";
    let stand_in =
        StandIn::new("ssh", &format!("{ask}; [ \"$word\" = right ] || {{ echo Denied >&2; exit 255; }}; {RUN}"));
    std::os::unix::fs::symlink(&odd, stand_in.path("vm.sock")).unwrap();
    // The name of the VM may come before the first prompt, or after it.
    std::fs::create_dir(stand_in.path("qmp-shell")).unwrap();
    std::fs::write(stand_in.path("qmp-shell/rc"), ".set prompt (QEMU)\n").unwrap();
    let command = format!(
        "XDG_CONFIG_HOME='{}' PATH='{}' {} 'ssh://me@host{}'",
        stand_in.folder.path().display(),
        stand_in.search_path(),
        env!("CARGO_BIN_EXE_qmp-shell"),
        stand_in.path("vm.sock")
    );
    let Some(terminal) = Terminal::start(&command, 200, 40) else { return };
    terminal.wait_for("password:");
    // Longer than a wait is announced after.
    std::thread::sleep(std::time::Duration::from_millis(1200));
    terminal.enter("right");
    terminal.wait_for_last("(QEMU)");
    assert_eq!(terminal.run_line("query-name"), "{\"name\": \"far\"}\n");
    let far_end = processes_with(&format!("UNIX-CONNECT:{}", stand_in.path("vm.sock")));
    far_end.iter().for_each(|id| send_signal(id, "KILL"));
    assert_eq!(far_end.len(), 1, "{far_end:?}");
    terminal.wait_for(wording::WILL_RECONNECT);
    // Reconnecting asks again; the prompt is as it was.
    terminal.enter("query-status");
    terminal.wait("a second question", |screen| screen.lines().last().is_some_and(|line| line.ends_with("password:")));
    terminal.press("C-c");
    terminal.wait_for("was cancelled");
    terminal.enter("query-name");
    terminal.wait("a third question", |screen| screen.lines().last().is_some_and(|line| line.ends_with("password:")));
    terminal.enter("wrong");
    terminal.wait_for("Denied");
    terminal.enter("query-uuid");
    terminal.wait("a fourth question", |screen| screen.lines().last().is_some_and(|line| line.ends_with("password:")));
    terminal.enter("right");
    terminal.wait_for("\"UUID\"");
    terminal.wait_for_last("(QEMU)");
    let shown = terminal.screen().replace(stand_in.folder.path().to_str().unwrap(), "{STAND-IN}");
    snapshot::check(
        shown,
        expect![[r#"
            me@host's password:
            Connected to QEMU {VERSION} at ssh://me@host{STAND-IN}/vm.sock. Tab completes, help explains, Ctrl-D leaves.
            (QEMU) query-name
            {"name": "far"}
            The server closed the connection. The next command will reconnect.
            (QEMU) query-status
            me@host's password: error: connecting to `ssh://me@host{STAND-IN}/vm.sock` was cancelled. Nothing was sent.
            (not connected) query-name
            me@host's password:
            error: cannot connect to `ssh://me@host{STAND-IN}/vm.sock`: Denied. Nothing was sent.
            (not connected) query-uuid
            me@host's password:
            Connected to QEMU {VERSION} at ssh://me@host{STAND-IN}/vm.sock.
            {"UUID": "00000000-0000-0000-0000-000000000000"}
            (QEMU)
        "#]],
    );
    // However the shell ends, `ssh` ends too.
    terminal.send_signal("KILL");
    terminal.wait_for("[ended ");
    wait_until_gone(&format!("UNIX-CONNECT:{}", stand_in.path("vm.sock")));
    assert!(!server.has_ended());
}

/// A real SSH server on the loopback interface, which admits the user of the test by a key.
struct SshServer {
    child: Child,
    stand_in: StandIn,
}

impl SshServer {
    /// Starts the server. Records a skip if it is missing, or does not admit the user.
    fn start() -> Option<SshServer> {
        let (sshd, ssh, keygen) = (require_program("sshd")?, require_program("ssh")?, require_program("ssh-keygen")?);
        let stand_in = StandIn::new("ssh", &format!("exec '{}' -F \"${{0%/*}}/config\" \"$@\"", ssh.display()));
        for key in ["host_key", "user_key"] {
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-f"];
            let made = Command::new(&keygen).args(arguments).arg(stand_in.path(key)).status().unwrap();
            assert!(made.success());
        }
        fs::copy(stand_in.path("user_key.pub"), stand_in.path("authorized_keys")).unwrap();
        if is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = stand_in.folder.path().display();
        let server_config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\nUsePAM no\nStrictModes no\n\
             AuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\nPermitRootLogin yes\n"
        );
        fs::write(stand_in.path("sshd_config"), server_config).unwrap();
        let client_config = format!(
            "Host far\nHostName 127.0.0.1\nPort {port}\nIdentityFile {folder}/user_key\nIdentitiesOnly yes\n\
             UserKnownHostsFile {folder}/known_hosts\nStrictHostKeyChecking accept-new\n"
        );
        fs::write(stand_in.path("config"), client_config).unwrap();
        let log = fs::File::create(stand_in.path("log")).unwrap();
        let mut command = Command::new(sshd);
        command.args(["-D", "-e", "-f"]).arg(stand_in.path("sshd_config")).stdin(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap();
        let server = SshServer { child, stand_in };
        let log = || fs::read_to_string(server.stand_in.path("log")).unwrap();
        wait_until("the SSH server", || log().contains("listening"));
        let admitted = Command::new(server.stand_in.path("ssh")).args(["far", "true"]).status().unwrap().success();
        if !admitted {
            eprintln!("{}", log());
            skip_optional("an SSH server that admits this user");
            return None;
        }
        Some(server)
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[test]
fn reaches_a_socket_through_a_real_ssh_server() {
    let Some((_server, odd)) = odd_server() else { return };
    let Some(ssh) = SshServer::start() else { return };
    let address = format!("ssh://far{odd}");
    for _ in 0..2 {
        let run = ssh.stand_in.with(qmp_shell(&[&address, "-c", "query-name"])).run();
        assert_eq!((run.stdout.as_str(), run.status), ("{\"return\": {\"name\": \"far\"}}\n", 0), "{run:#?}");
    }
    let tree = ssh.stand_in.with(qom(&["tree", "-s", &address])).run().expect_status(0);
    assert!(tree.stdout.contains("none-machine"), "{}", tree.stdout);
    let missing = ssh.stand_in.with(qmp(&["--path", "ssh://far/nonexistent", "query-name"])).run().expect_status(3);
    missing.without_waits().check(expect![[r#"
        stderr: qmp: cannot connect to `ssh://far/nonexistent`: there is no socket at `/nonexistent` on `far`
        status: 3
    "#]]);
    // A killed shell does not hold the monitor.
    let mut shell = ssh.stand_in.with(qmp_shell(&[&address])).start();
    std::io::Write::write_all(shell.stdin.as_mut().unwrap(), b"query-name\n").unwrap();
    std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut [0; 8]).unwrap();
    shell.kill().unwrap();
    shell.wait().unwrap();
    let run = ssh.stand_in.with(qmp_shell(&[&address, "-c", "query-name"])).run();
    assert_eq!(run.status, 0, "{run:#?}");
    assert!(Path::new(&odd).exists());
}
