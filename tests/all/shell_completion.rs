//! Tab in the user's shell: commands, keys, values and paths on a command line of `qmp` or `qom`.

use std::path::Path;
use std::time::Instant;

use crate::support::TIMEOUT;
use crate::support::peer::Peer;
use crate::support::program::{Program, program, qmp, qom};
use crate::support::server::{Q35, Server};
use crate::support::skip::require_program;
use crate::support::terminal::Terminal;

/// Returns the candidates of a program for a command line, separated by spaces.
fn candidates_of(program: fn(&[&str]) -> Program, address: &str, line: &str) -> String {
    let program = program(&["--complete", line]).env("QMP_SOCKET", address).env("PATH", "/nonexistent");
    let run = program.run().expect_status(0);
    assert_eq!(run.stderr, "", "{line}");
    let candidates = run.stdout.lines().map(|line| line.split_once('\t').unwrap().0);
    candidates.collect::<Vec<_>>().join(" ")
}

#[test]
fn completes_in_the_spelling_of_the_line() {
    let options = [Q35, &["-object", "iothread,id=io.0", "-blockdev", "null-co,node-name=disk0"]].concat();
    let Some(server) = Server::qemu(&options) else { return };
    let address = server.address();
    let by_path = format!("qmp --timeout 9 --path={address} -o json block_resi");
    for (line, expected) in [
        ("qmp query-name", "query-name query-named-block-nodes"),
        ("QMP_PATH=x ./qmp -v query-cpu-m", "query-cpu-model-expansion"),
        (by_path.as_str(), "block_resize"),
        ("qmp blockdev-add --dri", "--driver="),
        ("qmp blockdev-add dri", "driver="),
        ("qmp block_resize ", "--size= --device= --node-name="),
        ("qmp block_resize --size=1 --", "--device= --node-name="),
        ("qmp block_resize --node-name=d", "--node-name=disk0"),
        ("qmp block_resize --node-name='d", "--node-name=disk0"),
        ("qmp blockdev-add driver=qcow2 --file.dri", "--file.driver="),
        ("qmp blockdev-add --driver=raw file.driver=fil", "file.driver=file"),
        ("qmp system_wakeu", "system_wakeup"),
        ("qmp exec-oob migrate-p", "migrate-pause"),
        ("qmp help system_wak", "system_wakeup"),
        ("qmp --events BLOCK_JOB_C", "BLOCK_JOB_CANCELLED BLOCK_JOB_COMPLETED"),
        ("qmp --events STOP --count 3 RESU", "RESUME"),
        ("qmp query-status --jq .", ".running .status"),
        ("qmp query-block --jq '.[] | select(.dev", ".[] | select(.device"),
        ("qmp query-block --jq 'map(.io-", "map(.\"io-status\""),
        ("qmp qom-list --path=/machine --jq len", "length"),
        ("qmp transac", "transaction"),
        ("qmp frobnicate --x", ""),
    ] {
        assert_eq!(candidates_of(qmp, &address, line), expected, "{line}");
    }
    for (line, expected) in [
        ("qom list /mach", "/machine/"),
        ("qom tree -d 1 /obj", "/objects/"),
        ("qom get /obj", "/objects. /objects/"),
        ("qom get /machine.graph", "/machine.graphics"),
        ("qom get /objects/io.0.poll-m", "/objects/io.0.poll-max-ns"),
        ("qom get --json /objects/io", "/objects/io.0."),
        ("qom get /machine graph", "graphics"),
        ("qom set /machine graph", "graphics"),
        ("qom get /machine/unattached/device[0].realiz", "/machine/unattached/device[0].realized"),
        ("qom get /machine/unattached/device\\[0\\].realiz", "/machine/unattached/device[0].realized"),
        ("qom list /nowhere/x", ""),
    ] {
        assert_eq!(candidates_of(qom, &address, line), expected, "{line}");
    }
    // Options and their values are completed by the shell, without the program.
    for line in ["qmp --pa", "qmp -", "qmp --path /ru", "qmp --color a", "qmp", "qmp --nonsense x", "qmp c {\"a"] {
        let run = qmp(&["--complete", line]).env("QMP_SOCKET", &address).run().expect_status(1);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""), "{line}");
    }
    for line in ["qom li", "qom list --js", "qom list -s /r", "qom list / ", "qom fuse /mn"] {
        let run = qom(&["--complete", line]).env("QMP_SOCKET", &address).run().expect_status(1);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""), "{line}");
    }
    // Completion leaves the server as it was.
    assert!(server.client().execute::<serde_json::Value>("query-status", ()).is_ok());
}

#[test]
fn completes_external_commands() {
    let programs = Path::new(env!("CARGO_BIN_EXE_qmp")).parent().unwrap();
    let run = qmp(&["--complete", "qmp --path demo: sh"]).env("PATH", programs.to_str().unwrap()).run();
    assert_eq!(run.expect_status(0).lines(), ["share\tqmp-share", "shell\tqmp-shell", "shell-wrap\tqmp-shell-wrap"]);
}

#[test]
fn gives_up_quickly_without_a_server() {
    // A monitor that serves another client sends no greeting.
    let busy = Peer::start(|conn| conn.wait_for_close());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("was-run");
    let command = format!("exec:touch {}", file.display());
    for address in [busy.address().as_str(), "/nonexistent/q.sock", "localhost:1", &command, "fd:0", "nonsense:x", ""] {
        let start = Instant::now();
        for (program, line) in [(qmp as fn(&[&str]) -> Program, "qmp query-st"), (qom, "qom list /ma")] {
            // The peer accepts one client only.
            if address == busy.address() && line.starts_with("qom") {
                continue;
            }
            let run = program(&["--complete", line]).env("QMP_SOCKET", address).run().expect_status(1);
            assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""), "{address}");
        }
        assert!(start.elapsed() < TIMEOUT / 10, "{address}");
    }
    assert!(!file.exists(), "a command was run");
}

#[test]
fn fish_offers_options_only_before_the_command() {
    let Some(_) = require_program("fish") else { return };
    for (completions, line, expected) in [
        ("qmp.fish", "qmp --no-sch", "--no-schema"),
        ("qmp.fish", "qmp -o j", "json"),
        ("qmp.fish", "qmp -o json --no-sch", "--no-schema"),
        ("qmp.fish", "qmp block-commit --no-sch", ""),
        ("qmp.fish", "qmp --path vm.sock -v block-commit --no-sch", ""),
        ("qmp-shell.fish", "qmp-shell -v dem", "demo:"),
        ("qmp-shell.fish", "qmp-shell --no-sch", "--no-schema"),
        ("qmp-shell-wrap.fish", "qmp-shell-wrap --no-sch", "--no-schema"),
        ("qmp-shell-wrap.fish", "qmp-shell-wrap qemu-system-x86_64 --no-sch", ""),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(completions);
        let script = format!("source {}; complete -C '{line}'", file.display());
        let programs = Path::new(env!("CARGO_BIN_EXE_qmp-shell")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let fish = program("fish", &["--no-config", "-c", &script]).env("QMP_PATH", "/nonexistent");
        let run = fish.env("PATH", &path).run();
        let found = run.stdout.split(['\t', '\n']).next().unwrap_or_default();
        assert_eq!(found, expected, "{line}: {run:?}");
    }
}

/// The name of a file in the folder must not become a command.
#[test]
fn bash_quotes_the_names_of_files() {
    let Some(_) = require_program("bash") else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("$(touch${IFS}evil)"), "").unwrap();
    let completions = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    let rc_folder = tempfile::tempdir().unwrap();
    let rc = rc_folder.path().join("rc");
    let sources = ["qmp.bash", "qom.bash", "qmp-share.bash"].map(|name| completions.join(name).display().to_string());
    let sources: String = sources.iter().map(|path| format!("source {path}\n")).collect();
    std::fs::write(&rc, format!("cd {}\nPS1='$ '\n{sources}", folder.path().display())).unwrap();
    let command = format!("bash --noprofile --rcfile {}", rc.display());
    let Some(terminal) = Terminal::start(&command, 100, 30) else { return };
    terminal.wait_for_last("$");
    for line in ["qmp --path ./", "qmp --timeout ./", "qom --socket ./", "qmp-share --read-only ./"] {
        terminal.type_text(line);
        terminal.press("Tab");
        terminal
            .wait("the name", |screen| screen.trim_end().ends_with(&format!("{line}\\$\\(touch\\$\\{{IFS\\}}evil\\)")));
        terminal.press("C-u");
        terminal.wait_for_last("$");
    }
}

#[test]
fn bash_completes_from_the_server_and_from_options() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(_) = require_program("bash") else { return };
    let completions = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    let programs = Path::new(env!("CARGO_BIN_EXE_qmp")).parent().unwrap();
    let file = server.path("rc");
    let lines =
        ["qmp.bash", "qom.bash", "qmp-shell.bash"].map(|name| format!("source {}\n", completions.join(name).display()));
    std::fs::write(&file, format!("PS1='$ '\nPATH={}:$PATH\n{}", programs.display(), lines.concat())).unwrap();
    let command = format!("QMP_SOCKET={} bash --noprofile --rcfile {file}", server.address());
    let Some(terminal) = Terminal::start(&command, 100, 40) else { return };
    terminal.wait_for_last("$");
    for (typed, becomes) in [
        ("qmp query-statu", "$ qmp query-status x"),
        ("qmp blockdev-add --dri", "$ qmp blockdev-add --driver=x"),
        ("qmp blockdev-add --driver=qco", "$ qmp blockdev-add --driver=qcowx"),
        ("qmp blockdev-add driver=qcow2 file.dri", "$ qmp blockdev-add driver=qcow2 file.driver=x"),
        ("qmp query-block --jq .[].rem", "$ qmp query-block --jq .\\[\\].removable x"),
        ("qmp --skip", "$ qmp --skip-negotiation x"),
        ("qmp --path /nonexistent --no-sch", "$ qmp --path /nonexistent --no-schema x"),
        ("qom get /machine.graph", "$ qom get /machine.graphics x"),
        ("qom list /machine/unattached/devi", "$ qom list /machine/unattached/device\\[x"),
        ("qom list /machine/unattached/device\\[1", "$ qom list /machine/unattached/device\\[1x"),
        ("qom fus", "$ qom fuse x"),
        ("qmp-shell --no-sch", "$ qmp-shell --no-schema x"),
        ("qmp-shell -v dem", "$ qmp-shell -v demo: x"),
        (&format!("qmp-shell {}", server.path("q")), &format!("$ qmp-shell {} x", server.address())),
    ] {
        terminal.type_text(typed);
        terminal.press("Tab");
        // The next character shows where Tab left the cursor.
        terminal.type_text("x");
        terminal.wait_for_last(becomes);
        terminal.press("C-u");
        terminal.wait_for_last("$");
    }
}
