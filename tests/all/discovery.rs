//! Servers that run on this machine: `--list`, the choice at a terminal, Tab on ADDRESS.
//!
//! The servers of other tests run at the same time, so these look for their own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::libvirt::Libvirt;
use crate::support::program::qmp_shell;
use crate::support::server::{SMALL, Server, is_listening};
use crate::support::skip::require_program;
use crate::support::terminal::Terminal;
use crate::support::wait_until;

/// Returns the rows of `--list` of a process: name or `-`, address and state.
fn rows_of(process: u32) -> Vec<String> {
    let run = qmp_shell(&["--list", "-o", "json"]).run().expect_status(0);
    let rows: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
    let row = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("name"), text("address"), text("state"))
    };
    rows.iter().filter(|row| row["pid"] == process).map(row).collect()
}

/// A process that ends with its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn lists_each_kind_of_monitor() {
    let name = format!("qmp-shell-list-{}", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("vm.cfg");
    let in_folder = |name: &str| folder.path().join(name).display().to_string();
    let text = format!(
        "[chardev \"cfg\"]\n  backend = \"socket\"\n  path = \"{}\"\n  server = \"on\"\n  wait = \"off\"\n\
         [mon \"m\"]\n  chardev = \"cfg\"\n  mode = \"control\"\n",
        in_folder("cfg.sock")
    );
    fs::write(&config, text).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let abstract_socket = format!("unix:{name},abstract=on,server=on,wait=off");
    let tcp_socket = format!("tcp:127.0.0.1:{port},server=on,wait=off");
    let chardev = format!("socket,id=c,path={},server,nowait", in_folder("d,,e.sock"));
    let human = format!("socket,id=h,path={},server=on,wait=off", in_folder("hmp.sock"));
    let options = [
        SMALL,
        &["-name", "guest=a,,b c,debug-threads=on"],
        &["-qmp", &abstract_socket, "-qmp-pretty", &tcp_socket],
        &["-chardev", &chardev, "-mon", "chardev=c,mode=control"],
        &["-chardev", &human, "-mon", "h"],
        &["-readconfig", config.to_str().unwrap()],
    ]
    .concat();
    for start in [Server::qemu, Server::qemu_7_2] {
        let server = start(&options);
        let Some(server) = server else { return };
        let expect = |state: &str| {
            let mut expected = vec![
                format!("a,b c unix:@{name} free"),
                format!("a,b c 127.0.0.1:{port} free"),
                format!("a,b c {} {state}", server.address()),
                format!("a,b c {} free", in_folder("d,e.sock")),
                format!("a,b c {} free", in_folder("cfg.sock")),
            ];
            expected.sort();
            expected
        };
        let sorted = || {
            let mut rows = rows_of(server.id());
            rows.sort();
            rows
        };
        assert_eq!(sorted(), expect("free"));
        let client = server.client();
        assert_eq!(sorted(), expect("held"));
        client.close();
        wait_until("the end of the connection", || sorted() == expect("free"));
        let tcp = qmp_shell::Client::connect(&format!("127.0.0.1:{port}")).unwrap();
        assert!(sorted().contains(&format!("a,b c 127.0.0.1:{port} held")), "{:?}", sorted());
        tcp.close();
    }
}

#[test]
fn finds_relative_paths_and_storage_daemons() {
    let Some(qemu) = require_program("qemu-system-x86_64") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.sock").display().to_string();
    let mut command = Command::new(qemu);
    command.args(SMALL).args(["-qmp", "unix:q.sock,server=on,wait=off"]).current_dir(folder.path());
    let process = Process(command.stdin(Stdio::null()).spawn().unwrap());
    wait_until("the socket", || is_listening("q.sock"));
    assert_eq!(rows_of(process.0.id()), [format!("- {path} free")]);
    let Some(daemon) = Server::storage_daemon() else { return };
    assert_eq!(rows_of(daemon.id()), [format!("- {} free", daemon.address())]);
}

#[test]
fn names_the_vms_of_libvirt() {
    let Some(libvirt) = Libvirt::start() else { return };
    let id = libvirt.vm().unwrap();
    assert_eq!(rows_of(id), ["vm one libvirt:vm one?qemu:///session shared"]);
}

#[test]
fn connects_to_none_and_shows_no_control_characters() {
    let Some(bash) = require_program("bash") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tr\u{1b}[2Jap.sock");
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    // Not a QEMU, but its command line looks like one.
    let script = "exec -a qemu-system-fake sh -c 'read -r end' \"$@\"";
    let monitor = format!("unix:{},server=on", path.display());
    let long = "x".repeat(100_000);
    let mut command = Command::new(bash);
    command.args(["-c", script, "bash", "sh", "-name", "e\u{1b}[31mvil\r", "-qmp", &monitor, "-append", &long]);
    let process = Process(command.stdin(Stdio::piped()).spawn().unwrap());
    wait_until("the process", || !rows_of(process.0.id()).is_empty());
    assert!(rows_of(process.0.id())[0].ends_with("ap.sock unknown"), "{:?}", rows_of(process.0.id()));
    let table = qmp_shell(&["--list"]).run();
    let error = qmp_shell(&["-c", "query-name"]).run().expect_status(2);
    for text in [&table.stdout, &error.stderr] {
        assert!(text.contains("vil") && !text.contains(['\u{1b}', '\r']), "{text}");
    }
    let completed = qmp_shell(&["--list", "--complete", "qmp-shell /"]).run();
    assert!(!completed.stdout.contains('\u{1b}'), "{}", completed.stdout);
    let accepted = listener.accept().map(|(_, address)| address);
    assert_eq!(accepted.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "the program has connected");
    assert!(UnixStream::connect(&path).is_ok() && listener.accept().is_ok(), "the check itself works");
}

#[test]
fn a_terminal_offers_the_running_servers() {
    let start = |name: &str| Server::qemu(&[SMALL, &["-name", name]].concat());
    let (Some(first), Some(second)) = (start("choice-one"), start("choice-two")) else { return };
    let Some(terminal) = Terminal::start(env!("CARGO_BIN_EXE_qmp-shell"), 150, 100) else { return };
    let screen = terminal.wait_for("Connect to number:");
    let row = |server: &Server| screen.lines().find(|row| row.contains(&server.address())).unwrap().to_owned();
    assert!(row(&first).contains(&format!("choice-one at {} (pid {}, free)", first.address(), first.id())), "{screen}");
    terminal.enter("0");
    terminal.wait_for("A number from 1 to ");
    terminal.enter(row(&second).split_whitespace().next().unwrap());
    // The name of the VM may come after the first prompt.
    terminal
        .wait("the prompt", |screen| ["(QEMU)", "(choice-two)"].contains(&screen.lines().last().unwrap_or_default()));
    terminal.enter("query-name");
    terminal.wait_for("{\"name\": \"choice-two\"}\n(choice-two)");
    assert_eq!(rows_of(second.id()), [format!("choice-two {} held", second.address())]);
    // Tab offers both, and sockets.
    terminal.type_text(&format!(".connect {}", first.path("")));
    terminal.press("Tab");
    terminal.wait_for("choice-one");
    terminal.press("C-c");
    terminal.press("C-d");
    terminal.wait_for_end();
    // An empty answer chooses none.
    let Some(terminal) = Terminal::start(env!("CARGO_BIN_EXE_qmp-shell"), 150, 100) else { return };
    terminal.wait_for("Connect to number:");
    terminal.press("Enter");
    assert_eq!(terminal.wait_for_end(), 2);
    assert!(terminal.screen().contains("qmp-shell: no server chosen"), "{}", terminal.screen());
}

#[test]
fn completes_the_address_on_a_command_line() {
    let Some(server) = Server::qemu(&[SMALL, &["-name", "tab"]].concat()) else { return };
    fs::write(server.path("notes.txt"), "").unwrap();
    fs::create_dir(server.path("folder")).unwrap();
    let candidates = |line: &str| {
        let run = qmp_shell(&["--list", "--complete", line]).run();
        let rows = run.stdout.lines().map(|row| row.split_once('\t').unwrap());
        (run.status, rows.map(|(text, description)| (text.to_owned(), description.to_owned())).collect())
    };
    type Candidates = (i32, BTreeMap<String, String>);
    let (_, offered): Candidates = candidates(&format!("qmp-shell -v -c cont {}", server.path("")));
    let expected = [
        (server.path("folder/"), "folder".to_owned()),
        (server.path("hmp.sock"), "socket".to_owned()),
        (server.address(), format!("tab, pid {}, free", server.id())),
    ];
    assert_eq!(offered, BTreeMap::from(expected));
    let (_, offered): Candidates = candidates("qmp-shell de");
    assert_eq!(offered.len(), 1, "{offered:?}");
    let (_, offered): Candidates = candidates("qmp-shell demo: dst=de");
    assert!(offered.contains_key("dst=demo:"), "{offered:?}");
    for line in ["qmp-shell -", "qmp-shell -f /", "qmp-shell"] {
        let (status, offered): Candidates = candidates(line);
        assert_eq!((status, offered.len()), (1, 0), "{line}");
    }
}

#[test]
fn a_process_that_names_thousands_of_monitors_does_not_delay_the_list() {
    let mut command = Command::new("/bin/sh");
    command.arg0("qemu-system-x86_64").args(["-c", "read line", "-name", "a\u{1b}[2J\u{202e}"]);
    for number in 0..20_000 {
        command.args(["-qmp", &format!("unix:/nowhere/{number},server=on")]);
    }
    let process = Process(command.stdin(Stdio::piped()).spawn().unwrap());
    let rows = rows_of(process.0.id());
    assert_eq!(rows.len(), 16, "{rows:?}");
    let run = qmp_shell(&["--list"]).run().expect_status(0);
    assert!(run.stdout.contains("a\\x1b[2J\\u{202e}") && !run.stdout.contains(['\u{1b}', '\u{202e}']), "{run:#?}");
}
