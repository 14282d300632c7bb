//! `-v`, `-l` and `.log`: messages in both directions, shown and logged, with secrets masked.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use expect_test::expect;

use crate::support::peer::Peer;
use crate::support::program::{qmp, qmp_shell, qom};
use crate::support::server::{Q35, SMALL, Server, run_hmp_line};
use crate::support::snapshot;
use crate::support::terminal::Terminal;
use crate::support::wait_until;

/// Reads a log: the direction and the message of each line. Checks the times.
fn read_log(path: &str) -> Vec<(String, serde_json::Value)> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let mut last = String::new();
    text.lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let members = value.as_object().unwrap();
            let is_query = members.get("query").is_some_and(|query| *query == true);
            assert_eq!(members.len(), 2 + usize::from(is_query), "{line}");
            let time = members["time"].as_str().unwrap();
            assert!(time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
            assert!(time >= last.as_str(), "the times are not in order: {line}");
            last = time.to_owned();
            let (direction, message) =
                members.iter().find(|(key, _)| !["time", "query"].contains(&key.as_str())).unwrap();
            assert!(direction == "sent" || direction == "received", "{line}");
            (direction.clone(), message.clone())
        })
        .collect()
}

/// Returns a log in short: `> command`, `< EVENT`, `< return`, `< error`, `< QMP`.
fn outline(path: &str) -> Vec<String> {
    let short = |(direction, message): (String, serde_json::Value)| {
        let name = |key: &str| message.get(key).and_then(|name| name.as_str()).map(str::to_owned);
        let kind = ["QMP", "return", "error"].into_iter().find(|key| message.get(*key).is_some());
        let what = name("execute").or(name("exec-oob")).or(name("event")).or(kind.map(str::to_owned));
        format!("{} {}", if direction == "sent" { ">" } else { "<" }, what.unwrap())
    };
    read_log(path).into_iter().map(short).collect()
}

fn mode(path: &str) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn logs_every_message_in_both_directions() {
    let Some(server) = Server::qemu(Q35) else { return };
    let log = server.path("log");
    let args = [server.address(), "-l".to_owned(), log.clone(), "--no-events".to_owned()];
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let run = qmp_shell(&args)
        .input("cont\n.wait RESUME timeout=10\ntypo 'x\nnonsense\nexec-oob query-yank\n.hmp info status\n")
        .run()
        .expect_status(1);
    assert_eq!(run.lines().len(), 5, "{run:#?}");
    let session = [
        "< QMP",
        "> qmp_capabilities",
        "< return",
        "> cont",
        "< RESUME",
        "< return",
        "> nonsense",
        "< error",
        "> query-yank",
        "< return",
        "> human-monitor-command",
        "< return",
    ];
    assert_eq!(outline(&log), session, "hidden events are logged, and only requests that were sent");
    assert_eq!(mode(&log), 0o600);
    // Requests are logged as they were sent, and each reply has the id of its request.
    let lines = read_log(&log);
    assert_eq!(lines[8].1["exec-oob"], "query-yank");
    for at in [1, 6, 8, 10] {
        assert_eq!(lines[at].1["id"], lines[at + 1].1["id"]);
        assert!(lines[at].1["id"].is_u64());
    }
    // The next session is appended.
    qmp_shell(&args).input("stop\n").run().expect_status(0);
    let next = ["< QMP", "> qmp_capabilities", "< return", "> stop", "< STOP", "< return"];
    assert_eq!(outline(&log), [&session[..], &next[..]].concat());
    assert_eq!(mode(&log), 0o600);
}

#[test]
fn logs_messages_in_the_spelling_of_the_server() {
    let log = tempfile::tempdir().unwrap();
    let path = log.path().join("log").to_str().unwrap().to_owned();
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("x");
        conn.send_line(&format!("{{\"return\": {{\"z\": 18446744073709551615,\r\n \"a\": 1e3}}, \"id\": {id}}}"));
        conn.wait_for_close();
    });
    qmp_shell(&[&peer.address(), "--no-schema", "-l", &path, "-c", "x big=18446744073709551615"])
        .run()
        .expect_status(0);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#"{"execute": "x", "arguments": {"big": 18446744073709551615}, "id": "#), "{text}");
    assert!(text.contains(r#"{"return": {"z": 18446744073709551615,"#) && text.contains(r#""a": 1e3}"#), "{text}");
    assert_eq!(read_log(&path).len(), 5, "a message of two lines becomes one line");
}

#[test]
fn opens_and_closes_logs_during_a_session() {
    let Some(server) = Server::qemu(Q35) else { return };
    let (first, second) = (server.path("first log"), server.path("second"));
    let lines = format!(
        "query-name\n.log '{first}'\nquery-status\n.log {second}\ncont\n.log off\nquery-uuid\n.log \"{first}\"\nstop\n\
         .log\n.log /nonexistent/log\nquery-kvm\n"
    );
    let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(1);
    assert_eq!(run.replies().len(), 6, "{run:#?}");
    snapshot::check(
        &run.stderr,
        expect![[r#"
            <stdin>:10: missing argument; usage: `.log FILE | off`
              .log
                  ^
            <stdin>:11: cannot write `/nonexistent/log`: No such file or directory (os error 2)
              .log /nonexistent/log
                   ^^^^^^^^^^^^^^^^
        "#]],
    );
    assert_eq!(
        outline(&first),
        ["> query-status", "< return", "> stop", "< STOP", "< return", "> query-kvm", "< return"],
        "a log that cannot be opened leaves the current one open"
    );
    assert_eq!(outline(&second), ["> cont", "< RESUME", "< return"]);
    assert_eq!((mode(&first), mode(&second)), (0o600, 0o600));
}

#[test]
fn masks_secrets_in_the_log_and_in_verbose_output() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let log = server.path("log");
    let lines = [
        "set_password protocol=vnc password=hunter2",
        "set_password {\"protocol\": \"vnc\"} password='hunter2 and more'",
        "{\"execute\": \"set_password\", \"arguments\": {\"password\": \"hunter2\", \"protocol\": \"vnc\"}, \"id\": 1}",
        "change-vnc-password password=hunter2",
        "object-add qom-type=secret id=s0 data=hunter2",
        "object-add {\"qom-type\": \"secret\", \"id\": \"s1\", \"data\": \"hunter2\"}",
        "qom-set path=/objects/s0 property=data value=hunter2",
        "guest-set-user-password username=root password=hunter2 crypted=false",
        "human-monitor-command command-line='set_password vnc hunter2'",
        ".hmp set_password vnc hunter2",
        ".hmp change vnc password hunter2",
        ".hmp object_add secret,id=s2,data=hunter2",
        ".hmp object_add {\"qom-type\": \"secret\", \"id\": \"s3\", \"data\": \"hunter2\"}",
        ".hmp qom-set /objects/s2 data hunter2",
        ".hmp",
        "set_password vnc hunter2",
        "  change vnc password hunter2",
    ];
    // Without the check, because one of them is a command of the guest agent.
    let run =
        qmp_shell(&[&server.address(), "-v", "-l", &log, "--no-check"]).input(lines.join("\n")).run().expect_status(1);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(!run.stderr.contains("hunter2"), "{run:#?}");
    let sent = |text: &str| text.matches("<secret>").count();
    assert_eq!((sent(&text), sent(&run.stderr)), (lines.len() - 1, lines.len() - 1), "{text}");
    // The rest of these requests is logged.
    for part in [
        r#""sent": {"execute": "set_password", "arguments": {"protocol": "vnc", "password": "<secret>"}, "id": "#,
        r#""sent": {"execute": "object-add", "arguments": {"qom-type": "secret", "id": "s0", "data": "<secret>"}"#,
        r#"{"username": "root", "password": "<secret>", "crypted": false}"#,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The server got the secrets: the objects exist.
    let run = qmp_shell(&[&server.address(), "-c", "qom-list path=/objects"]).run().expect_status(0);
    for id in ["s0", "s1", "s2", "s3"] {
        assert!(run.stdout.contains(&format!("\"name\": \"{id}\"")), "{run:#?}");
    }
}

#[test]
fn refuses_to_log_into_the_socket_of_the_server() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    qmp_shell(&["-l", &address, &address, "-c", "query-name"]).run().check(expect![[r#"
        stderr: qmp-shell: cannot write the log file `{DIR}/q.sock`: it is a pipe without a reader
        status: 2
    "#]]);
    qmp_shell(&[&address, "-c", &format!(".log {address}")]).run().expect_status(1);
    assert!(std::fs::metadata(Path::new(&address)).unwrap().file_type().is_socket());
    // The socket, which the Python tool would have replaced, still works.
    let log = server.path("log");
    qmp_shell(&["-l", &log, &address, "-c", "query-name"]).run().expect_status(0);
    qmp_shell(&[&address, "-c", "query-name"]).run().expect_status(0);
}

#[test]
fn warns_of_a_log_that_cannot_be_written() {
    let Some(server) = Server::qemu(SMALL) else { return };
    for lines in ["query-name\n", "query-name\n.log off\nquery-name\n"] {
        let run = qmp_shell(&[&server.address(), "-l", "/dev/full"]).input(lines).run().expect_status(0);
        snapshot::check(
            &run.stderr,
            expect![[r#"
            warning: some lines could not be written to the log
        "#]],
        );
    }
}

#[test]
fn a_log_whose_reader_stalls_does_not_stop_the_session() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("log").to_str().unwrap().to_owned();
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // It can be opened, but nothing is read.
    let _reader = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
    let lines = "query-qmp-schema\n".repeat(5) + "query-name\n";
    let run = qmp_shell(&[&server.address(), "-l", &fifo]).input(lines).run().expect_status(0);
    assert_eq!(run.lines().last(), Some(&"{\"return\": {}}"));
    assert_eq!(run.stderr, "warning: some lines could not be written to the log\n");
    for (run, name) in [
        (qom(&["tree", "-l", &fifo, "-s", &server.address(), "/machine"]).run(), "qom"),
        (qmp(&["-l", &fifo, "--path", &server.address(), "query-qmp-schema"]).run(), "qmp"),
    ] {
        assert_eq!(run.stderr, format!("{name}: warning: some lines could not be written to the log\n"));
        run.expect_status(0);
    }
}

#[test]
fn a_log_with_a_slow_reader_is_complete() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("log").to_str().unwrap().to_owned();
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let path = fifo.clone();
    let reading = std::thread::spawn(move || {
        use std::io::Read;
        let (mut file, mut text) = (std::fs::File::open(path).unwrap(), Vec::new());
        let mut piece = [0; 16384];
        while let Ok(len @ 1..) = file.read(&mut piece) {
            text.extend_from_slice(&piece[..len]);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        String::from_utf8(text).unwrap()
    });
    wait_until("the reader", || {
        let run = qmp_shell(&[&server.address(), "-l", &fifo, "-c", "query-qmp-schema", "-c", "query-name"]).run();
        assert!(run.stderr.is_empty() || run.stderr.contains("without a reader"), "{run:#?}");
        run.status == 0
    });
    let log = reading.join().unwrap();
    assert!(
        log.len() > 200_000 && log.ends_with("}\n") && log.contains("\"execute\": \"query-name\""),
        "{}",
        log.len()
    );
}

#[test]
fn verbose_shows_each_request_before_its_reply() {
    let Some(server) = Server::qemu(SMALL) else { return };
    // Both streams in one pipe, as a terminal has them.
    let script = format!(
        "{} {} -v -c 'query-name' -c '{{\"execute\": \"query-name\", \"id\": \"me\"}}' -c 'typo \"x' -c '.hmp info name' 2>&1",
        env!("CARGO_BIN_EXE_qmp-shell"),
        server.address()
    );
    let output = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
    snapshot::check(
        String::from_utf8_lossy(&output.stdout),
        expect![[r#"
            -> {"execute": "query-name"}
            {"return": {}}
            -> {"execute": "query-name", "id": "me"}
            {"return": {}, "id": "me"}
            {"error": {"class": "NotSent", "desc": "unclosed `\"` in this word"}}
            -c:3: unclosed `"` in this word
              typo "x
                   ^^
            -> {"execute": "human-monitor-command", "arguments": {"command-line": "info name"}}
            {"return": ""}
        "#]],
    );
}

#[test]
fn logs_at_the_prompt() {
    let Some(server) = Server::qemu(Q35) else { return };
    let log = server.path("log");
    let Some(terminal) = Terminal::qmp_shell(&format!("{} -v -p -l {log}", server.address())) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-status");
    terminal.wait_for(
        "(QEMU) query-status\n-> {\"execute\": \"query-status\"}\n{\n  \"status\": \"prelaunch\",\n  \"running\": false\n}\n(QEMU)",
    );
    terminal.enter("set_password protocol=vnc password=hunter2");
    terminal.wait_for("\"password\": \"<secret>\"}}\nGenericError: ");
    terminal.enter(".set verbose off");
    terminal.enter("query-name");
    terminal.wait_for("(QEMU) query-name\n{}\n(QEMU)");
    // An event at an idle prompt is logged at once.
    run_hmp_line(&server.path("hmp.sock"), "cont");
    terminal.wait_for(" RESUME");
    wait_until("the event in the log", || outline(&log).last().is_some_and(|last| last == "< RESUME"));
    assert_eq!(mode(&log), 0o600);
    assert!(!std::fs::read_to_string(&log).unwrap().contains("hunter2"));
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    let seen = outline(&log);
    for line in ["< QMP", "> query-status", "> set_password", "< error", "> query-name"] {
        assert!(seen.iter().any(|seen| seen == line), "{line}: {seen:?}");
    }
}
