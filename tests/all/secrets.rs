//! Secrets stay out of every file: sessions full of passwords, including mistyped lines, and then a search of all files
//! that the program wrote.

use std::path::Path;

use crate::support::program::{qmp_shell, qmp_shell_wrap};
use crate::support::server::{SMALL, Server};
use crate::support::skip::require_program;
use crate::support::terminal::Terminal;
use crate::support::{wait_until, wording};

/// Lines that contain the secret `PW`: correct, mistyped, and in all spellings.
const QMP: &[&str] = &[
    "set_password protocol=vnc password=PW",
    "set_password {\"protocol\": \"vnc\"} password='PW and more'",
    "{\"execute\": \"set_password\", \"arguments\": {\"protocol\": \"vnc\", \"password\": \"PW\"}, \"id\": 1}",
    "{'execute': 'set_password', 'arguments': {'protocol': 'vnc', 'password': 'PW'}}",
    "set_password protocol=vnc pasword=PW",
    "set_password protocol=vnc passwd=PW",
    "set_pasword protocol=vnc password=PW",
    "set_pasword protocol=vnc pw=PW",
    "set-password protocol=vnc password=PW",
    "setpassword {\"protocol\": \"vnc\", \"password\": \"PW\"}",
    "change-vnc-password password=PW",
    "change_vnc_pasword pasword=PW",
    "change device=vnc target=password arg=PW",
    "object-add qom-type=secret id=s0 data=PW",
    "object-add {\"qom-type\": \"secret\", \"id\": \"s1\", \"data\": \"PW\"}",
    "object-add qom-type=secret id=s2 props={\"data\": \"PW\"}",
    "object-add qom-type=secret id=s2 props.data=PW",
    "object_add qom_type=secret id=s2 data=PW",
    "objct-add qom-type=secrt id=s3 data=PW",
    "{\"execute\": \"objct-add\", \"arguments\": {\"qom-typ\": \"secret\", \"id\": \"s3\", \"data\": \"PW\"}}",
    "qom-set path=/objects/s0 property=data value=PW",
    "qom-st path=/objects/s0 property=data value=PW",
    "guest-set-user-password username=root password=PW crypted=false",
    "guest-exec path=/usr/sbin/chpasswd input-data=PW",
    "sev-inject-launch-secret packet-header=x secret=PW",
    "human-monitor-command command-line='set_password vnc PW'",
    "human-monitor-command command-line='set_pasword vnc PW'",
    "human-monitor-comand command-line='set_password vnc PW'",
    "blockdev-add driver=https node-name=n url=https://user:PW@127.0.0.1:1/x",
    "blockdev-add driver=https node-name=n url=https://127.0.0.1:1/x cookie=PW",
    "blockdev-add {\"driver\": \"raw\", \"file\": {\"driver\": \"http\", \"url\": \"http://127.0.0.1:1/x\", \"cookie\": \"PW\"}}",
    "blockdev-ad driver=raw file.driver=http file.cookie=PW",
    "drive-mirror device=d sync=full target='json:{\"driver\": \"iscsi\", \"password\": \"PW\"}'",
    "transaction( blockdev-snapshot-sync device=d snapshot-file='json:{\"driver\": \"https\", \"cookie\": \"PW\"}' )",
    "qom-set path=/objects/s0 property=data value={\"is\": [\"PW\"]}",
    "migrate uri='exec:curl -T - https://user:PW@127.0.0.1:1/x'",
    "exec-oob set_password protocol=vnc password=PW",
    "transaction( set_password protocol=vnc password=PW )",
    ".fd /dev/null set_password protocol=vnc password=PW",
    "# set_password protocol=vnc password=PW",
    " query-name # PW",
    ".hmp set_password vnc PW",
    ".hmp set_pasword vnc PW",
    ".hmp   change vnc password PW",
    ".hmp change vnc pasword PW",
    ".hmp object_add secret,id=s4,data=PW",
    ".hmp objct_add secret,id=s5,data=PW",
    ".hmp object_add {\"qom-type\": \"secret\", \"id\": \"s6\", \"data\": \"PW\"}",
    ".hmp qom-set /objects/s4 data PW",
    ".hmp drive_add 0 if=none,file=https://user:PW@127.0.0.1:1/x",
    "migrate uri='exec:sshpass -p PW ssh nowhere.invalid'",
    "migrate channels=[{\"channel-type\": \"main\", \"addr\": {\"transport\": \"exec\", \"args\": [\"sshpass\", \"-p\", \"PW\"]}}]",
    ".hmp migrate \"exec:curl -u user:PW -T - https://127.0.0.1:1/x\"",
    "guest-exec path=/usr/bin/tool arg=[\"--password=PW\"]",
    "guest-exec path=/usr/bin/psql env=[\"PGPASSWORD=PW\"]",
    "guest-exec path=/usr/bin/curl arg.0=-u arg.1=user:PW",
    "guest-file-write handle=1 buf-b64=PW",
    "!sshpass -p PW true",
    // Wrong lines, which are shown.
    "set_password protocol=vnc password=PW connected=never",
    "set_password protocol=vnc password=PW x=1",
    "set_password protocol=vnc password={PW",
    "set_password protocol=vnc PW",
    "{\"execute\": \"set_password\", \"arguments\": {\"protocol\": \"vnc\", \"password\": \"PW\"}, \"bad\": 1}",
    "{\"execute\": \"set_password\", \"arguments\": {\"protocol\": \"vnc\", \"password\": PW}}",
    ".fd /nonexistent set_password protocol=vnc password=PW",
];

/// A line with a secret in the address of a server.
const CONNECT: &str = ".connect 'exec:sshpass -p hunter2 ssh -o BatchMode=yes nowhere.invalid'";

/// Lines for the human monitor.
const HMP: &[&str] = &[
    "set_password vnc PW",
    "set_pasword vnc PW",
    "setpassword vnc PW keep",
    "set_password vnc PW -d second keep",
    "set_password spice PW fail",
    "set_password vnc PW keep PW",
    "change vnc password PW",
    "chnge vnc password PW",
    "object_add secret,id=h0,data=PW",
    "objectadd secret,id=h1,data=PW",
    "object_add {\"qom-type\": \"secret\", \"id\": \"h2\", \"data\": \"PW\"}",
    "qom-set /objects/h0 data PW",
    "drive_add 0 if=none,file=https://user:PW@127.0.0.1:1/x",
    "drive_add 0 if=none,file.driver=iscsi,file.password=PW",
    "drive_add 0 if=none,file=json:{\"driver\": \"https\", \"cookie\": \"PW\"}",
    "migrate \"exec:curl -T - https://user:PW@127.0.0.1:1/x\"",
    ".hmp set_password vnc PW",
];

/// Lines that read a secret that an earlier line set.
const READING: &[&str] = &["qom-get path=/objects/s0 property=data", ".hmp qom-get /objects/s4 data"];

/// Puts a different secret into each line. All of them begin with `hunter2`.
fn numbered(lines: &[&str], from: usize) -> Vec<String> {
    lines.iter().zip(from..).map(|(line, number)| line.replace("PW", &format!("hunter2{number}x"))).collect()
}

/// Returns the lines with a secret in all files below `folder`.
fn leaks(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(leaks(&path));
        } else if kind.is_file() {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let lines = text.lines().filter(|line| line.contains("hunter2"));
            found.extend(lines.map(|line| format!("{}: {line}", path.display())));
        }
    }
    found
}

#[test]
fn a_script_writes_no_secret_into_any_file() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log").to_str().unwrap().to_owned();
    let temp = folder.path().to_str().unwrap();
    let address = server.address();
    let lines = [numbered(QMP, 0), READING.iter().map(|line| (*line).to_owned()).collect()].concat();
    // An unfinished line at the end.
    let unfinished = "{\"execute\": \"set_password\", \"arguments\": {\"password\": \"hunter2\",";
    let input = format!("{}\n.log off\n.log {log}\n{}\n{unfinished}", lines.join("\n"), lines.join("\n"));
    for more in [&["-v"][..], &["-v", "--no-schema"], &["-p", "--no-check"], &["-H"], &["-v", "-H", "--monitor=own"]] {
        let input = if more.contains(&"-H") { numbered(HMP, 100).join("\n") } else { input.clone() };
        let args = [&["-l", &log, &address], more].concat();
        let run = qmp_shell(&args).env("TMPDIR", temp).env("HOME", temp).env("XDG_STATE_HOME", temp).input(input).run();
        assert!(run.status == 1 && !run.stderr.contains("panicked"), "{more:?}: {run:#?}");
        // Neither requests nor wrong lines are shown with secrets.
        let shown: Vec<&str> = run.stderr.lines().filter(|line| line.contains("hunter2")).collect();
        assert_eq!(shown, [""; 0], "{more:?}");
    }
    let by_option: Vec<String> = numbered(QMP, 200).into_iter().flat_map(|line| ["-c".to_owned(), line]).collect();
    let by_option: Vec<&str> = ["-l", &log, &address].into_iter().chain(by_option.iter().map(String::as_str)).collect();
    qmp_shell(&by_option).env("TMPDIR", temp).env("HOME", temp).env("XDG_STATE_HOME", temp).run().expect_status(1);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.matches("<secret>").count() > 150, "{}", text.matches("<secret>").count());
    assert_eq!(leaks(folder.path()), [""; 0]);
    // Other values are logged.
    for kept in ["\"protocol\": \"vnc\"", "\"username\": \"root\"", "\"id\": \"s0\"", "\"driver\": \"https\""] {
        assert!(text.contains(kept), "{kept}");
    }
}

#[test]
fn a_prompt_writes_no_secret_into_any_file() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::start("PS1='$ ' /bin/sh", 150, 50) else { return };
    let home = terminal.home.display();
    let sourced = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&sourced, numbered(QMP, 300).join("\n")).unwrap();
    terminal.enter(&format!(
        "TMPDIR={home} PAGER=cat {} -v -l {home}/log {}",
        env!("CARGO_BIN_EXE_qmp-shell"),
        server.address()
    ));
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".set check off");
    let history = |name: &str| std::fs::read_to_string(terminal.home.join("qmp-shell").join(name)).unwrap_or_default();
    let enter = |lines: &[String], file: &str| {
        for (number, line) in lines.iter().enumerate() {
            terminal.enter(line);
            terminal.enter(&format!("# {number}"));
        }
        // Once this line is saved, the lines before it would have been saved, too.
        let last = format!("# the last of {}", lines.len());
        terminal.enter(&last);
        wait_until("the last line in the history", || history(file).ends_with(&format!("{last}\n")));
    };
    enter(&numbered(QMP, 400), "history");
    terminal.enter(&format!(".source {}", sourced.path().display()));
    enter(&[READING[0].to_owned(), READING[1].to_owned()], "history");
    // A line that is not entered, and one that is found and entered again.
    terminal.type_text("set_password protocol=vnc password=hunter2");
    terminal.press("C-c");
    terminal.enter(".hmp");
    terminal.wait_for_last("(qemu)");
    enter(&numbered(HMP, 500), "hmp_history");
    terminal.enter(".set monitor own");
    enter(&numbered(HMP, 600), "hmp_history");
    terminal.press("C-r");
    terminal.type_text("vnc hunter2");
    terminal.wait_for(") vnc hunter2_");
    terminal.press("Enter");
    terminal.enter(".qmp");
    // A server that is lost with a secret in flight.
    server.kill();
    terminal.enter("set_password protocol=vnc password=hunter2lost");
    terminal.wait("its end", |screen| screen.contains(wording::NOT_CONNECTED));
    terminal.enter(CONNECT);
    terminal.enter(".history");
    terminal.press("C-d");
    terminal.wait_for_last("$");
    assert_eq!(leaks(&terminal.home), [""; 0]);
    assert!(history("history").contains("# 3\n") && history("hmp_history").contains("# 3\n"));
    let log = std::fs::read_to_string(terminal.home.join("log")).unwrap();
    assert!(log.matches("<secret>").count() > 60, "{log}");
}

#[test]
fn a_wrapped_qemu_gets_secrets_that_no_file_contains() {
    let Some(qemu) = require_program("qemu-system-x86_64") else { return };
    let folder = tempfile::tempdir().unwrap();
    let temp = folder.path().to_str().unwrap();
    let log = format!("{temp}/log");
    let args = [&["-v", "-l", &log, qemu.to_str().unwrap()], SMALL].concat();
    let input = [numbered(QMP, 0), vec!["qom-list path=/objects".to_owned()]].concat().join("\n");
    let run =
        qmp_shell_wrap(&args).env("TMPDIR", temp).env("HOME", temp).env("XDG_STATE_HOME", temp).input(input).run();
    assert!(run.stdout.contains("\"name\": \"s0\""), "{run:#?}");
    assert_eq!(leaks(folder.path()), [""; 0]);
}

#[test]
fn a_log_has_neither_numeric_passwords_nor_secrets_that_are_read() {
    let Some(server) = Server::qemu(&[SMALL, &["-object", "secret,id=boot,data=hunter2boot"]].concat()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let lines = [
        "guest-set-user-password username=root password=27182818 crypted=false",
        "{\"execute\": \"guest-set-user-password\", \"arguments\": {\"username\": \"root\", \"password\": 31415926}}",
        "qom-get path=/objects/boot property=data",
        ".hmp qom-get /objects/boot data",
        "qom-list-get paths=[\"/objects/boot\"]",
        "object-add qom-type=secret id=umlaut data=hüntér2",
        "qom-get path=/objects/umlaut property=data",
        // A secret that is a part of numbers, a key of every reply, and the name of an event.
        "set_password protocol=vnc password=6710",
        "object-add qom-type=memory-backend-ram id=m size=67108864",
        "qom-get path=/objects/m property=size",
        "set_password protocol=vnc password=return",
        "set_password protocol=vnc password=STOP",
        "stop",
    ];
    let run = qmp_shell(&["--no-check", "-l", log.to_str().unwrap(), &server.address()]).input(lines.join("\n")).run();
    assert!(run.stdout.contains("hunter2boot"), "{run:#?}");
    let log = std::fs::read_to_string(&log).unwrap();
    for secret in ["27182818", "31415926", "hunter2boot", "hüntér2", "h\\u00fcnt\\u00e9r2"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    for kept in ["{\"return\": 67108864,", "\"size\": 67108864", "{\"return\": {}, ", "\"event\": \"STOP\""] {
        assert!(log.contains(kept), "{kept}: {log}");
    }
}
