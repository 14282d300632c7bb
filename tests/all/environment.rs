//! Unusual environments: closed and full streams, paths with invalid UTF-8, read-only folders, limited terminals, resized
//! windows, signals.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use expect_test::expect;

use crate::support::peer::Peer;
use crate::support::program::{Program, Run, qmp, qmp_shell, qom};
use crate::support::skip::require_program;
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;
use crate::support::{TIMEOUT, find_program, wait_until, wording};

const SHELL: &str = env!("CARGO_BIN_EXE_qmp-shell");

/// Runs a line of `/bin/sh`, in which `$q` is `qmp-shell`, in the folder `home`.
fn sh(line: &str, home: &Path) -> Run {
    Command::new("/bin/sh")
        .args(["-c", line])
        .env("q", SHELL)
        .env("HOME", home)
        .env("XDG_STATE_HOME", home)
        .env_remove("QMP_SOCKET")
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into()
}

#[test]
fn reports_full_and_closed_streams() {
    let home = tempfile::tempdir().unwrap();
    let mut table = Table::new();
    for (line, status) in [
        ("$q demo: -c query-status > /dev/full", 1),
        ("$q demo: -p -c query-status > /dev/full", 1),
        ("$q -H demo: -c 'info status' > /dev/full", 1),
        ("yes query-status | head -n 10000 | $q demo: > /dev/full", 1),
        ("$q --dry-run -c 'x a=1' > /dev/full", 1),
        ("$q --complete query-sta demo: > /dev/full", 1),
        ("$q --generate man > /dev/full", 1),
        ("$q --help > /dev/full", 1),
        ("$q --version > /dev/full", 1),
        // Messages are lost, but the status is not.
        ("$q demo: -c 'x y' 2> /dev/full > /dev/null", 1),
        ("$q demo: -p -c 'x y' 2>&-", 1),
        ("$q --bogus 2> /dev/full", 2),
        ("$q /nonexistent/q.sock -c x 2> /dev/full", 3),
        ("$q demo: -v -c query-status 2> /dev/full", 0),
        // No other file may take the place of a closed stream, least of all the socket of the server.
        ("$q demo: -c query-status -c 'device_del id=x' >&-", 1),
        ("$q demo: -c query-status <&- >&- 2>&-", 0),
        ("$q demo: <&-", 0),
        ("$q demo: < /", 1),
        // An endless file, and a pipe without a reader.
        ("$q demo: < /dev/zero", 1),
        ("$q demo: -f /dev/zero", 2),
        ("mkfifo pipe; $q demo: -l pipe -c query-name", 2),
        ("$q demo: -c '.log pipe'", 1),
    ] {
        let run = sh(line, home.path()).expect_status(status);
        table.run(line, &run);
    }
    table.check(expect![[r#"
        > $q demo: -c query-status > /dev/full
        stderr: qmp-shell: cannot write to standard output: No space left on device (os error 28)
        status: 1

        > $q demo: -p -c query-status > /dev/full
        stderr: qmp-shell: cannot write to standard output: No space left on device (os error 28)
        status: 1

        > $q -H demo: -c 'info status' > /dev/full
        stderr: qmp-shell: cannot write to standard output: No space left on device (os error 28)
        status: 1

        > yes query-status | head -n 10000 | $q demo: > /dev/full
        stderr: qmp-shell: cannot write to standard output: No space left on device (os error 28)
        status: 1

        > $q --dry-run -c 'x a=1' > /dev/full
        stderr: qmp-shell: cannot write to standard output: No space left on device (os error 28)
        status: 1

        > $q --complete query-sta demo: > /dev/full
        stderr: qmp-shell: cannot write to standard output: No space left on device (os error 28)
        status: 1

        > $q --generate man > /dev/full
        stderr: qmp-shell: cannot write to standard output: No space left on device (os error 28)
        status: 1

        > $q --help > /dev/full
        stderr: qmp-shell: cannot write to standard output: No space left on device (os error 28)
        status: 1

        > $q --version > /dev/full
        stderr: qmp-shell: cannot write to standard output: No space left on device (os error 28)
        status: 1

        > $q demo: -c 'x y' 2> /dev/full > /dev/null
        status: 1

        > $q demo: -p -c 'x y' 2>&-
        status: 1

        > $q --bogus 2> /dev/full
        status: 2

        > $q /nonexistent/q.sock -c x 2> /dev/full
        status: 3

        > $q demo: -v -c query-status 2> /dev/full
        {"return": {"status": "running", "running": true}}

        > $q demo: -c query-status -c 'device_del id=x' >&-
        status: 1

        > $q demo: -c query-status <&- >&- 2>&-

        > $q demo: <&-

        > $q demo: < /
        stderr: qmp-shell: cannot read standard input: Is a directory (os error 21)
        status: 1

        > $q demo: < /dev/zero
        stderr: qmp-shell: cannot read standard input: a line is longer than 134217728 bytes
        status: 1

        > $q demo: -f /dev/zero
        stderr: qmp-shell: cannot read the script `/dev/zero`: a line is longer than 134217728 bytes
        status: 2

        > mkfifo pipe; $q demo: -l pipe -c query-name
        stderr: qmp-shell: cannot write the log file `pipe`: it is a pipe without a reader
        status: 2

        > $q demo: -c '.log pipe'
        stderr: -c:1: cannot write `pipe`: it is a pipe without a reader
        stderr:   .log pipe
        stderr:        ^^^^
        status: 1
    "#]]);
}

/// A build server may hand out nonblocking streams. Output that is written faster than it is read must not be lost.
#[test]
fn waits_for_nonblocking_streams() {
    use rustix::pipe::{PipeFlags, pipe_with};
    let full = 64 << 10;
    let line = format!("x a={}\n", "y".repeat(4 * full));
    let home = tempfile::tempdir().unwrap();
    let (input, lines) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
    let (output, written) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
    for end in [&lines, &output] {
        rustix::io::ioctl_fionbio(end, false).unwrap();
    }
    let mut child = Command::new(SHELL)
        .args(["--dry-run", "--no-history"])
        .env("HOME", home.path())
        .env_remove("QMP_SOCKET")
        .stdin(input)
        .stdout(written)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut lines, mut output) = (std::fs::File::from(lines), std::fs::File::from(output));
    // More than either pipe buffers.
    lines.write_all(line.as_bytes()).unwrap();
    wait_until("a full pipe, or the end", || {
        rustix::io::ioctl_fionread(&output).unwrap() == full as u64 || child.try_wait().unwrap().is_some()
    });
    let mut text = vec![0; "{\"execute\": \"x\", \"arguments\": {\"a\": \"\"}}\n".len() + 4 * full];
    output.read_exact(&mut text).unwrap();
    drop(lines);
    assert!(text.ends_with(b"yy\"}}\n"));
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}

/// Puts two bytes of invalid UTF-8 before a name.
fn invalid_utf8(name: &str) -> OsString {
    OsString::from_vec([b"\xff\xfe", name.as_bytes()].concat())
}

#[test]
fn accepts_paths_with_invalid_utf8() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join(invalid_utf8("home"));
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join("lines"), "query-name\n").unwrap();
    std::fs::write(home.join(invalid_utf8("script")), "nonsense x\n.source ~/lines\n").unwrap();
    let socket = home.join(invalid_utf8("q.sock"));
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let serve = std::thread::spawn(move || {
        for _ in 0..8 {
            let (stream, _) = listener.accept().unwrap();
            let mut answers = vec!["{\"QMP\": {}}\r\n".to_owned()];
            let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
            loop {
                std::io::Write::write_all(&mut &stream, answers.remove(0).as_bytes()).unwrap();
                let mut line = String::new();
                if std::io::BufRead::read_line(&mut reader, &mut line).unwrap_or(0) == 0 {
                    break;
                }
                let request: serde_json::Value = serde_json::from_str(&line).unwrap();
                answers.push(format!("{{\"return\": {{}}, \"id\": {}}}\r\n", request["id"]));
            }
        }
    });
    let by_scheme = OsString::from_vec([b"unix:", socket.as_os_str().as_bytes()].concat());
    let run = |address: Option<&OsStr>, variable: &OsStr| {
        Command::new(SHELL)
            .args(["--no-schema", "-f"])
            .arg(home.join(invalid_utf8("script")))
            .arg("-l")
            .arg(home.join(invalid_utf8("log")))
            .args(address)
            .env("HOME", &home)
            .env("QMP_SOCKET", variable)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    for (address, variable) in
        [(Some(socket.as_os_str()), OsStr::new("")), (Some(&by_scheme), OsStr::new("")), (None, socket.as_os_str())]
    {
        let output = run(address, variable);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stdout.ends_with("{\"return\": {}}\n"), "{stdout}{stderr}");
        snapshot::check(
            stderr.replace(&*home.to_string_lossy(), "{HOME}"),
            expect![[r#"
            {HOME}/��script:1: expected `key=value`, found `x`
              nonsense x
                       ^
        "#]],
        );
    }
    // `qmp`, and the programs that it runs.
    let pattern = home.join(OsString::from_vec(b"\xff*.sock".to_vec()));
    let program = Path::new(env!("CARGO_BIN_EXE_qmp"));
    let qmp = |path: Option<&OsStr>, variable: &OsStr, words: &[&str]| {
        let path = path.map(|path| [OsStr::new("--path"), path]);
        let mut command = Command::new(program);
        command.arg("--no-schema").args(path.into_iter().flatten()).args(words).env("HOME", &home);
        let output = command.env("QMP_PATH", variable).env("PATH", program.parent().unwrap()).output().unwrap();
        (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (nothing, socket) = (OsStr::new(""), socket.as_os_str());
    let answer = "{\"return\": {}}\n";
    let with_path = format!("{{\"path\": \"{}\", \"return\": {{}}}}\n", socket.display());
    for (path, variable, words, expected) in [
        (Some(socket), nothing, &["-ojson", "query-name"][..], answer),
        (None, socket, &["-ojson", "query-name"], answer),
        (Some(pattern.as_os_str()), nothing, &["-ojson", "query-name"], &with_path),
        (None, socket, &["shell", "-c", "query-name"], answer),
    ] {
        assert_eq!(qmp(path, variable, words), (expected.to_owned(), String::new()));
    }
    serve.join().unwrap();
    let log = std::fs::read_to_string(home.join(invalid_utf8("log"))).unwrap();
    assert_eq!(log.matches("query-name").count(), 3, "{log}");
    let output = run(Some(home.join(invalid_utf8("none")).as_os_str()), OsStr::new(""));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    snapshot::check(
        stderr.replace(&*home.to_string_lossy(), "{HOME}"),
        expect![[r#"
            qmp-shell: there is no socket at `{HOME}/��none`; a QEMU started with `-qmp unix:{HOME}/��none,server=on,wait=off` creates one
        "#]],
    );
}

/// Starts a terminal with `/bin/sh`, in which `$q` is `qmp-shell`.
fn terminal(columns: usize, rows: usize) -> Option<Terminal> {
    let terminal = Terminal::start(&format!("cd; q={SHELL} PS1='$ ' /bin/sh"), columns, rows)?;
    terminal.wait_for_last("$");
    Some(terminal)
}

#[test]
fn keeps_history_in_memory_without_a_writable_file() {
    let Some(terminal) = terminal(120, 40) else { return };
    terminal.enter("mkdir work pipe pipe/qmp-shell folder folder/qmp-shell folder/qmp-shell/history; cd work");
    terminal.enter("echo kept > ../file; mkfifo ../pipe/qmp-shell/history");
    let superuser = std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    let mut places = vec![
        "XDG_STATE_HOME=$HOME/file $q".to_owned(),
        "XDG_STATE_HOME=$HOME/pipe $q".to_owned(),
        "XDG_STATE_HOME=$HOME/folder $q".to_owned(),
        "XDG_STATE_HOME=/proc/self $q".to_owned(),
    ];
    if superuser && find_program("setpriv").is_some() {
        // A user without a name, a home, or any writable folder; every user may run this copy of the program.
        let shared =
            tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir();
        let shared = shared.unwrap().keep();
        std::fs::copy(SHELL, shared.join("q")).unwrap();
        let drop_rights = "setpriv --reuid=54321 --regid=54321 --clear-groups";
        places.push(format!("env -u HOME -u XDG_STATE_HOME {drop_rights} {}/q", shared.display()));
        places.push(format!("HOME= XDG_STATE_HOME= {drop_rights} {}/q", shared.display()));
        places.push(format!("HOME=here XDG_STATE_HOME=there {drop_rights} {}/q", shared.display()));
        places.push(format!("XDG_STATE_HOME=/root {drop_rights} {}/q", shared.display()));
    }
    for place in &places {
        terminal.enter(&format!("clear; {place} demo:"));
        terminal.wait(place, |screen| screen.contains(wording::CONNECTED) && screen.ends_with("(QEMU)"));
        terminal.enter("query-name");
        terminal.wait(place, |screen| screen.contains("query-name\n{") && screen.ends_with("(QEMU)"));
        terminal.press("Up");
        terminal.wait_for_last("(QEMU) query-name");
        terminal.press("C-c");
        terminal.press("C-d");
        terminal.wait_for_last("$");
        assert!(!terminal.screen().contains("panicked"), "{place}: {}", terminal.screen());
    }
    assert_eq!(
        std::fs::read_dir(terminal.home.join("work")).unwrap().count(),
        0,
        "a file is left in the working directory"
    );
    assert_eq!(std::fs::read_to_string(terminal.home.join("file")).unwrap(), "kept\n");
    for place in places {
        if let Some(program) = place.rsplit(' ').next().filter(|program| program.starts_with('/')) {
            let _ = std::fs::remove_dir_all(Path::new(program).parent().unwrap());
        }
    }
}

#[test]
fn two_shells_append_whole_lines_to_one_history() {
    let Some(first) = terminal(100, 30) else { return };
    let Some(second) = terminal(100, 30) else { return };
    let lines = |name: &str| {
        (0..300).map(|number| format!("# {name} {number} {}\n", name.repeat(number % 60))).collect::<String>()
    };
    for terminal in [&first, &second] {
        terminal.enter(&format!("XDG_STATE_HOME={} $q demo:", first.home.display()));
        terminal.wait_for_last("(QEMU)");
    }
    // Both at once.
    first.paste(&lines("a"));
    second.paste(&lines("b"));
    first.press("Enter");
    second.press("Enter");
    let history = || std::fs::read_to_string(first.home.join("qmp-shell/history")).unwrap_or_default();
    wait_until("all lines", || history().lines().count() >= 600);
    let mut kept: Vec<String> = history().lines().map(str::to_owned).collect();
    let mut typed: Vec<String> = [lines("a"), lines("b")].concat().lines().map(str::to_owned).collect();
    kept.sort();
    typed.sort();
    assert_eq!(kept, typed);
}

#[test]
fn works_on_limited_terminals() {
    for kind in ["env -u TERM", "env TERM=", "env TERM=dumb", "env TERM=vt52", "env TERM=nonsense"] {
        let Some(terminal) = terminal(100, 30) else { return };
        let raw = terminal.record();
        terminal.enter(&format!("{kind} $q demo:"));
        terminal.wait(kind, |screen| screen.contains(wording::CONNECTED) && screen.ends_with("(QEMU)"));
        terminal.enter("query-status");
        terminal.wait(kind, |screen| screen.contains("\"running\": true") && screen.ends_with("(QEMU)"));
        terminal.enter("stop");
        terminal.wait(kind, |screen| screen.contains(" STOP") && screen.ends_with("(QEMU)"));
        terminal.enter("typo x");
        terminal.wait_for(wording::ERROR);
        // A dumb terminal gets only text.
        let sent = String::from_utf8_lossy(&raw()).into_owned();
        let (_, sent) = sent.split_once(wording::CONNECTED).unwrap();
        assert!(!kind.contains("dumb") || !sent.contains('\x1b'), "{kind}: {sent:?}");
        terminal.press("C-d");
        terminal.wait_for_last("$");
    }
}

#[test]
fn works_in_a_window_of_any_size() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        // Events as long as the session lasts.
        while conn.try_send(
            b"{\"event\": \"TICK\", \"data\": {\"some\": \"words to fill a row or two of the window with\"}}\r\n",
        ) {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    });
    let Some(terminal) = terminal(100, 30) else { return };
    terminal.enter(&format!("PAGER=cat $q --no-schema {}", peer.address()));
    terminal.wait_for("TICK");
    let sizes = [(1, 1), (2, 30), (7, 3), (8, 2), (40, 1), (300, 2), (13, 50), (100, 30)];
    for (columns, rows) in sizes {
        terminal.type_text("ab");
        terminal.resize(columns, rows);
        terminal.type_text("cd");
        terminal.press("Tab");
        terminal.press("Left");
        terminal.press("Right");
    }
    terminal.type_text("=1");
    let typed = "abcd".repeat(sizes.len()) + "=1";
    terminal.wait_for(&typed);
    terminal.press("Enter");
    // The line is whole, whatever the screen shows.
    let history = || std::fs::read_to_string(terminal.home.join("qmp-shell/history")).unwrap_or_default();
    wait_until("the line in the history", || !history().is_empty());
    assert_eq!(history(), typed + "\n");
    terminal.enter(".events off");
    terminal.wait_for_last("(QEMU)");
    // Help, errors and an unfinished line in a window of one character.
    terminal.resize(1, 1);
    for line in ["help", ".set", "a b", "a \"b", "{\"a\":", "}"] {
        terminal.enter(line);
        // Ctrl-C while a line runs drops all typed keys, also those of the next line, so wait until it is done.
        if !line.contains(['"', '{']) {
            wait_until("the line in the history", || history().ends_with(&format!("{line}\n")));
        }
        terminal.press("C-c");
    }
    terminal.resize(100, 30);
    terminal.enter("# back");
    terminal.wait("the line in the history", |_| history().ends_with("# back\n"));
    terminal.wait("a prompt", |screen| screen.ends_with("(QEMU)"));
    assert!(!terminal.scrollback().contains("panicked"));
    terminal.press("C-d");
    terminal.wait_for_last("$");
}

#[test]
fn continues_after_ctrl_z() {
    // bash restores the terminal itself when a job stops, dash leaves that to the job.
    for (program, interactive) in [("bash", "bash --norc -i"), ("dash", "dash -i")] {
        if require_program(program).is_some() {
            suspend_and_continue(interactive);
        }
    }
}

/// Starts a server that gives a sign when it has received the command `slow`, and another sign makes it reply.
fn slow_server() -> (Peer, Receiver<()>, Sender<()>) {
    let (sent_tx, sent_rx) = channel();
    let (reply_tx, reply_rx) = channel();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let id = conn.expect_command("slow");
        sent_tx.send(()).unwrap();
        reply_rx.recv_timeout(TIMEOUT).unwrap();
        conn.reply(&id, "\"at last\"");
        conn.wait_for_close();
    });
    (peer, sent_rx, reply_tx)
}

fn suspend_and_continue(outer: &str) {
    let Some(terminal) = terminal(100, 30) else { return };
    let (peer, sent_rx, reply_tx) = slow_server();
    // The text tells the prompt of this shell from that of the shell before it.
    terminal.enter(&format!("echo started; PS1='$ ' exec {outer}"));
    terminal.wait("the outer shell", |screen| screen.ends_with("\nstarted\n$"));
    let state = |name: &str| {
        terminal.enter(&format!("stty -a > {name}; echo saved {name}"));
        terminal.wait("the settings", |screen| screen.ends_with(&format!("\nsaved {name}\n$")));
        std::fs::read_to_string(terminal.home.join(name)).unwrap()
    };
    let before = state("before");
    terminal.enter(&format!("$q --no-schema {}", peer.address()));
    terminal.wait_for_last("(QEMU)");
    // At the prompt, with half a line.
    terminal.type_text("slo");
    terminal.wait_for_last("(QEMU) slo");
    terminal.press("C-z");
    terminal.wait("the outer shell", |screen| screen.contains("Stopped") && screen.ends_with("\n$"));
    assert_eq!(state("stopped"), before);
    terminal.enter("fg");
    terminal.wait("the half line", |screen| screen.ends_with("(QEMU) slo"));
    terminal.enter("w");
    // While waiting for a reply.
    sent_rx.recv_timeout(TIMEOUT).unwrap();
    terminal.press("C-z");
    terminal.wait("the outer shell", |screen| screen.matches("Stopped").count() == 2 && screen.ends_with("\n$"));
    assert_eq!(state("waiting"), before);
    terminal.enter("fg");
    reply_tx.send(()).unwrap();
    terminal.wait("the reply", |screen| screen.ends_with("\"at last\"\n(QEMU)"));
    terminal.press("C-d");
    terminal.wait("the end", |screen| screen.ends_with("\n$"));
    assert_eq!(state("after"), before);
}

/// A terminal that is stopped by Ctrl-S takes no output.
#[test]
fn exits_while_the_terminal_is_stopped() {
    let Some(terminal) = terminal(100, 30) else { return };
    terminal.enter("exec $q demo:");
    terminal.wait_for_last("(QEMU)");
    let id = terminal.program_id();
    // Ctrl-S stops the terminal only outside the editor.
    terminal.enter(".wait SHUTDOWN");
    terminal.wait("the editor to accept the line", |_| terminal.cursor().0 == 0);
    terminal.press("C-s");
    terminal.screen();
    terminal.send_signal("TERM");
    let runs = || std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    wait_until("the shell to exit", || !runs());
    terminal.press("C-q");
    assert_eq!(terminal.wait_for_end(), 143);
}

#[test]
fn ignores_ctrl_z_without_job_control() {
    let (peer, sent_rx, reply_tx) = slow_server();
    // Its parent is a shell without job control, in the same process group.
    let Some(terminal) = Terminal::qmp_shell(&format!("--no-schema {}", peer.address())) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("slo");
    terminal.press("C-z");
    terminal.enter("w");
    sent_rx.recv_timeout(TIMEOUT).unwrap();
    terminal.press("C-z");
    reply_tx.send(()).unwrap();
    terminal.wait("the reply", |screen| screen.ends_with("\"at last\"\n(QEMU)"));
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn exits_when_the_terminal_closes() {
    let Some(terminal) = terminal(100, 30) else { return };
    terminal.enter("$q demo:");
    terminal.wait_for_last("(QEMU)");
    terminal.enter("!echo $PPID");
    let screen = terminal.wait("its id", |screen| screen.contains("PPID\n") && screen.ends_with("(QEMU)"));
    let id: u32 = screen.lines().rev().nth(1).unwrap().parse().unwrap();
    assert!(Path::new(&format!("/proc/{id}")).exists());
    drop(terminal);
    let runs = || std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    wait_until("the shell to exit", || !runs());
}

#[test]
fn uses_colour_as_the_help_says() {
    type Start = fn(&[&str]) -> Program;
    let asked: [(Start, &[&str], bool); 3] = [
        (qmp_shell, &["-p", "-c", "query-status", "demo:"], false),
        (qmp, &["--path", "demo:", "query-status"], true),
        (qom, &["tree", "-s", "demo:", "/objects"], true),
    ];
    let mut table = Table::new();
    for ((program, words, has_colour), name) in asked.into_iter().zip(["qmp-shell", "qmp", "qom"]) {
        let help = program(&["--help"]).run().expect_status(0).stdout;
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, option) = help.split_once("--color").unwrap();
        table.row(name, option.split(" [default").next().unwrap().trim());
        // Not in a pipe, unless the environment or the option asks for it.
        let is_coloured = |args: &[&str], name: &str, value: &str| {
            let run = program(args).env("TERM", "xterm").env(name, value).run().expect_status(0);
            run.stdout.contains("\x1b[")
        };
        assert!(!is_coloured(words, "LANG", "C"));
        assert_eq!(is_coloured(words, "CLICOLOR_FORCE", "1"), has_colour, "{words:?}");
        let always = [&["--color=always"], words].concat();
        assert!(is_coloured(&always, "NO_COLOR", "1"), "{always:?}");
    }
    table.check(expect![[r#"
        > qmp-shell
        <WHEN> When to use colour; auto means never in scripts Possible values: - auto: Use colour on a terminal that supports it - always: Always use colour - never: Never use colour

        > qmp
        <WHEN> When to use colour Possible values: - auto: Use colour on a terminal that supports it - always: Always use colour - never: Never use colour

        > qom
        <WHEN> When to use colour Possible values: - auto: Use colour on a terminal that supports it - always: Always use colour - never: Never use colour
    "#]]);
    let programs = Path::new(SHELL).parent().unwrap().display();
    let line = |(_, words, _): &(Start, &[&str], bool), name: &str| format!("{programs}/{name} {}", words.join(" "));
    for (row, name) in asked.iter().zip(["qmp-shell", "qmp", "qom"]) {
        let Some(terminal) = Terminal::start(&format!("export PAGER=; {}", line(row, name)), 80, 24) else { return };
        terminal.wait_for("[ended 0]");
        assert_eq!(terminal.coloured_screen().contains("\x1b["), row.2, "{name}: {}", terminal.coloured_screen());
    }
}

#[test]
fn links_to_the_shell_are_the_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, args: &[&str]| {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_qmp-shell"), &link).unwrap();
        let output = std::process::Command::new(link).args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for name in ["qmp-shell", "qmp-shell-wrap", "qmp", "qom", "qmp-share"] {
        assert_eq!(run(name, &["--version"]), format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
    }
    assert_eq!(run("qom-get", &["-s", "demo:", "/machine.type"]), "pc-q35-10.0-machine\n");
}
