//! Lines as people paste and pipe them: requests from scripts for other programs, sessions with their prompts and
//! replies, and the installed documents of QEMU. The documents are not quoted here; what they ask for is read from them.

use std::path::{Path, PathBuf};

use expect_test::expect;
use qmp_shell::schema::manual::{Manual, man_path};

use crate::scripts::{NOTHING, PRELAUNCH, write};
use crate::support::program::{Run, qmp, qmp_shell};
use crate::support::server::{Q35, Server};
use crate::support::skip::skip;
use crate::support::snapshot;
use crate::support::terminal::Terminal;
use crate::support::wording;

/// Runs a script in each of the ways in which one can be given; all must have the same output.
#[track_caller]
fn run_in_all_ways(options: &[&str], script: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "pasted", script);
    let file = file.to_str().unwrap();
    let piped = qmp_shell(options).input(script).run();
    let source = format!(".source {file}");
    for arguments in [["-f", file], ["-c", script], ["-c", &source]] {
        let run = qmp_shell(&[options, &arguments].concat()).run();
        assert_eq!((&run.stdout, run.status), (&piped.stdout, piped.status), "{arguments:?}\n{script}");
    }
    piped
}

#[test]
fn a_script_for_netcat_begins_with_the_negotiation() {
    let Some(server) = Server::qemu(Q35) else { return };
    let script = "{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"query-status\"}\n";
    let run = run_in_all_ways(&["-e", &server.address()], script).expect_status(0);
    assert_eq!((run.lines(), run.stderr.as_str()), (vec![NOTHING, PRELAUNCH], ""));

    let script = "qmp_capabilities\nqmp_capabilities enable=oob\n\
                  {'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}, 'id': [1]}\n";
    let run = run_in_all_ways(&["-e", &server.address()], script).expect_status(0);
    assert_eq!(run.lines(), [NOTHING, NOTHING, r#"{"return": {}, "id": [1]}"#]);
    for arguments in [["qmp_capabilities", "enable=oob"].as_slice(), &[r#"{"execute": "qmp_capabilities"}"#]] {
        let run = qmp(&[&["--path", &server.address()], arguments].concat()).run().expect_status(0);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    }
}

#[test]
fn a_capability_that_the_server_does_not_offer_is_refused() {
    let Some(server) = Server::qemu(Q35) else { return };
    let script = r#"{"execute": "qmp_capabilities", "arguments": {"enable": ["x"]}}"#;
    let run = run_in_all_ways(&[&server.address()], script).expect_status(1);
    assert!(run.stdout.contains("does not accept value 'x'"), "{run:?}");
}

#[test]
fn several_requests_on_a_line_run_in_order() {
    let Some(server) = Server::qemu(Q35) else { return };
    let script = "{\"execute\":\"query-status\"}{\"execute\":\"query-name\",\"id\":1} -> {\"execute\":\"query-status\"}\n\
                  {\n  \"execute\": \"query-name\"\n} {\n  \"execute\":\n  \"query-status\"\n}\n\
                  {\"execute\":\"query-status\"} {\"return\": {}}\n\
                  transaction(\n{\"type\": \"abort\"} {\"type\": \"abort\"},\n)\n";
    let run = run_in_all_ways(&[&server.address()], script).expect_status(1);
    let aborted = r#"{"error": {"class": "GenericError", "desc": "Transaction aborted using Abort action"}}"#;
    let named = r#"{"return": {}, "id": 1}"#;
    assert_eq!(run.lines(), [PRELAUNCH, named, PRELAUNCH, NOTHING, PRELAUNCH, PRELAUNCH, aborted]);

    let script = "{\"execute\": \"query-nam\"} {\"execute\": \"query-name\"}\n";
    let run = run_in_all_ways(&["-e", &server.address()], script).expect_status(1);
    assert_eq!(run.lines().len(), 1, "{run:?}");

    let script = "{\"execute\": \"query-name\"} {\"execute\": \"query-name\", \"idd\": 1}\n";
    let run = qmp_shell(&[&server.address()]).input(script).run().expect_status(1);
    assert_eq!(run.lines().len(), 2);
    snapshot::check(
        run.stderr,
        expect![[r#"
        <stdin>:1: unknown member `idd`; a request has `execute` or `exec-oob`, `arguments` and `id`
          {"execute": "query-name", "idd": 1}
                                    ^^^^^
    "#]],
    );
}

#[test]
fn arrows_the_other_way_round_are_taken() {
    let Some(server) = Server::qemu(Q35) else { return };
    let script = "<- {\"execute\": \"query-name\"}\n-> {\"return\": {}}\n<- {\"execute\":\n\"query-status\"}\n";
    let run = run_in_all_ways(&["-e", &server.address()], script).expect_status(0);
    assert_eq!((run.lines(), run.stderr.as_str()), (vec![NOTHING, PRELAUNCH], ""));
    let run = qmp_shell(&[&server.address()]).input("<- query-name\n").run().expect_status(1);
    snapshot::check(
        run.stderr,
        expect![[r#"
        <stdin>:1: expected a JSON request after `<-`
          <- query-name
          ^^
    "#]],
    );
}

/// A session of a QMP shell with `-v`, as a forum shows it.
const SESSION: &str = r#"Welcome to the QMP low-level shell!
Connected to QEMU 8.2.2

(QEMU) query-status
{
    "execute": "query-status",
    "arguments": {}
}
{"return": {"status": "prelaunch", "running": false}}
(QEMU-VM1) query-status
{
  "status": "prelaunch",
  "running": false
}
[...]
(QEMU) transaction(
TRANS> abort
TRANS> )
-> {"execute": "transaction", "arguments": {"actions": [{"type": "abort", "data": {}}]}}
{"error": {"class": "GenericError", "desc": "Transaction aborted using Abort action"}}
12:01:02.345 STOP
{"timestamp": {"seconds": 1, "microseconds": 2},
 "event": "STOP"}
...
(qemu) info status
VM status: paused (prelaunch)
quit
(QEMU) query-status
(QEMU) "#;

#[test]
fn a_pasted_session_runs_again() {
    let Some(server) = Server::qemu(Q35) else { return };
    let run = run_in_all_ways(&[&server.address()], SESSION).expect_status(1);
    let aborted = r#"{"error": {"class": "GenericError", "desc": "Transaction aborted using Abort action"}}"#;
    let text = r#"{"return": "VM status: paused (prelaunch)\r\n"}"#;
    assert_eq!(run.lines(), [PRELAUNCH, PRELAUNCH, aborted, text, PRELAUNCH]);
    assert_eq!(run.stderr, "2 lines were passed over as output of a line with a prompt.\n");

    let session = "$ ./qmp-shell vm.sock\nConnecting\n\n(QEMU)\u{a0}query-status\n";
    let run = run_in_all_ways(&[&server.address()], session).expect_status(0);
    assert_eq!(run.lines(), [PRELAUNCH]);
}

#[test]
fn the_echo_of_a_line_without_its_prompt_is_not_sent_again() {
    let Some(server) = Server::qemu(Q35) else { return };
    let script = "query-named-block-nodes flat=on\n-> {\"execute\": \"query-named-block-nodes\", \"arguments\": {\"flat\": true}}\n\
                  {\"return\": []}\n-> {\"execute\": \"query-name\"}\n-> {\"execute\": \"query-name\"}\n\
                  query-name\n{\"execute\": \"query-name\"}\nquery-name\n-> {\"execute\": \"query-name\", \"id\": 1}\n";
    let run = run_in_all_ways(&[&server.address()], script).expect_status(0);
    let named = r#"{"return": {}, "id": 1}"#;
    assert_eq!(run.lines(), [r#"{"return": []}"#, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, named]);
    assert_eq!(run.stderr, "<stdin>:2: warning: the echo of the line before was not sent again\n");

    let script = "set_password protocol=vnc password=hunter2\n\
                  -> {\"execute\": \"set_password\", \"arguments\": {\"protocol\": \"vnc\", \"password\": \"<secret>\"}}\n";
    let run = run_in_all_ways(&[&server.address()], script).expect_status(1);
    assert_eq!(run.lines().len(), 1, "{run:?}");
}

#[test]
fn a_session_of_socat_runs_again() {
    let Some(server) = Server::qemu(Q35) else { return };
    let session = "user@host:~$ socat - UNIX-CONNECT:/tmp/qmp.sock\n\
                   {\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\n\
                   {\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"info name\"}}\n\
                   {\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"\"}}\n\
                   {\"execute\": \"qmp_capabilities\"}\n{\"return\": {}}\n{\"execute\": \"query-status\"}\n^C\n";
    let run = run_in_all_ways(&[&server.address()], session).expect_status(0);
    assert_eq!((run.lines(), run.stderr.as_str()), (vec![r#"{"return": ""}"#, NOTHING, PRELAUNCH], ""));
}

#[test]
fn a_pasted_session_of_the_human_monitor_runs_again() {
    let Some(server) = Server::qemu(Q35) else { return };
    let session = "(qemu) info status\nVM status: paused (prelaunch)\n(qemu) help quit\nquit|q  -- quit the emulator\n\
                   quit\n(qemu) info name\n(qemu)\n";
    let run = run_in_all_ways(&["-H", &server.address()], session).expect_status(0);
    assert_eq!(run.stdout, "VM status: paused (prelaunch)\nquit|q  -- quit the emulator\n");
}

#[test]
fn sessions_are_pasted_at_the_prompt() {
    let Some(server) = Server::qemu(Q35) else { return };
    for is_bracketed in [true, false] {
        let Some(terminal) = Terminal::qmp_shell(&format!("--no-history {}", server.address())) else { return };
        terminal.wait_for_queries();
        terminal.tmux(&["send-keys", "C-l"]);
        // Without brackets, each row is a line of its own; the output of the human monitor has no form.
        let session = SESSION.split("(QEMU) query-status\n").nth(1).unwrap();
        let session = format!("(QEMU) query-status\n{}", session.split("(QEMU-VM1)").next().unwrap());
        let session = format!("{session}(QEMU) transaction(\nTRANS> abort\nTRANS> )\n(QEMU) query-name\n");
        terminal.tmux(&["set-buffer", "--", &session]);
        terminal.tmux(if is_bracketed { &["paste-buffer", "-p"] } else { &["paste-buffer"] });
        terminal.press("Enter");
        let screen = terminal.wait("the last reply", |screen| screen.contains("\n{}\n") && screen.ends_with("(QEMU)"));
        assert_eq!(screen.matches("\"running\": false}\n").count(), 1, "{screen}");
        assert_eq!(screen.matches("GenericError: Transaction aborted").count(), 1, "{screen}");
        assert!(!screen.contains("error:"), "{screen}");
    }
}

#[test]
fn a_line_is_completed_after_its_pasted_prompt() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("--no-history {}", server.address())) else { return };
    terminal.wait_for_queries();
    terminal.paste("(QEMU) query-nam");
    terminal.press("Tab");
    terminal.wait_for_line("(QEMU) (QEMU) query-name");
    terminal.press("Enter");
    terminal.wait_for("(QEMU) (QEMU) query-name\n{}\n(QEMU)");
}

#[test]
fn the_human_monitors_sessions_are_pasted_at_the_prompt() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("-H --no-history {}", server.address())) else { return };
    terminal.wait_for_last("(qemu)");
    terminal.paste("(qemu) info status\nVM status: paused\nquit\n(qemu) info status\n(qemu)");
    terminal.press("Enter");
    let screen = terminal.wait_for("2 lines were passed over as output of a line with a prompt.");
    assert_eq!(screen.matches("VM status: paused (prelaunch)").count(), 2, "{screen}");
    terminal.enter("info name");
    terminal.wait_for_last("(qemu)");

    // Without brackets, each row is a line of its own.
    terminal.press("C-l");
    terminal.wait("a cleared screen", |screen| screen == "(qemu)");
    terminal.tmux(&["set-buffer", "--", "(qemu) info status\nVM status: paused\nquit\n(qemu) info status\n"]);
    terminal.tmux(&["paste-buffer"]);
    let screen = terminal.wait("both replies", |screen| {
        screen.matches("VM status: paused (prelaunch)").count() == 2 && screen.ends_with("(qemu)")
    });
    assert_eq!(screen.matches("1 line was passed over").count(), 2, "{screen}");
}

#[test]
fn quit_is_asked_about_in_every_form() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("--no-history {}", server.address())) else { return };
    terminal.wait_for_queries();
    for line in [
        "human-monitor-command command-line=quit",
        "human-monitor-command {\"command-line\": \" q \"}",
        "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"\\u0071uit\"}}",
        "{\"execute\": \"query-name\"} {\"execute\": \"quit\"}",
        ".fd /dev/null human-monitor-command command-line=quit",
        ".hmp quit",
        "(qemu) quit",
        "(QEMU) quit",
    ] {
        terminal.ask(line);
        terminal.enter("n");
        terminal.wait_for_last("(QEMU)");
    }
}

/// Returns the folder of the documents of the installed QEMU; records a skip if it is missing.
fn documents() -> Option<PathBuf> {
    let folder = Path::new("/usr/share/doc/qemu-system-common");
    if !folder.join("interop/bitmaps.html").exists() {
        skip("the documents of QEMU in /usr/share/doc/qemu-system-common");
        return None;
    }
    Some(folder.to_owned())
}

/// Returns the text of HTML, without its tags.
fn without_markup(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        let shown = part.split_once('>').map_or(part, |(_, shown)| shown);
        text.push_str(shown);
    }
    let entities = [("&quot;", "\""), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    entities.iter().fold(text, |text, (entity, character)| text.replace(entity, character))
}

/// Returns the code blocks of an HTML document.
fn code_blocks(file: &Path) -> Vec<String> {
    let html = std::fs::read_to_string(file).unwrap();
    let blocks = html.split("<pre>").skip(1).filter_map(|block| block.split_once("</pre>"));
    blocks.map(|(block, _)| without_markup(block)).collect()
}

/// Returns all HTML files below a folder.
fn html_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| match path.is_dir() {
        true => html_files(&path),
        false => vec![path],
    });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "html")).collect()
}

/// Returns the commands that a block asks for, in order. A block with prompts shows other requests only as echoes.
fn requested(block: &str) -> Vec<String> {
    let rows: Vec<&str> = block.lines().map(str::trim_start).collect();
    if rows.iter().any(|row| row.starts_with("(QEMU)") || row.starts_with("(qemu)")) {
        let typed = rows.iter().filter_map(|row| match row.strip_prefix("(qemu) ") {
            Some(line) => (!line.is_empty()).then(|| "human-monitor-command".to_owned()),
            None => Some(row.strip_prefix("(QEMU) ")?.split_whitespace().next()?.to_owned()),
        });
        return typed.collect();
    }
    let quoted = block.replace('\'', "\"");
    let after = |key: &str| -> Vec<(usize, String)> {
        let key = format!("\"{key}\"");
        let found = quoted.match_indices(&key).filter_map(|(at, _)| {
            let value = quoted[at + key.len()..].trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
            Some((at, value.split('"').next()?.to_owned()))
        });
        found.collect()
    };
    let mut commands = [after("execute"), after("exec-oob")].concat();
    commands.sort();
    commands.into_iter().map(|(_, command)| command).collect()
}

/// Returns whether a document itself is wrong: its braces do not match, it stops at a comma, or it shows a form instead
/// of a request.
fn is_wrong(block: &str) -> bool {
    block.trim_end().ends_with(',')
        || block.matches('{').count() != block.matches('}').count()
        || block.contains("json-string")
        || block.contains("\"execute\": }")
}

/// Returns the commands of the requests that a dry run shows.
fn shown(run: &Run) -> Vec<String> {
    let command = |line: &&str| -> String {
        let request: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = request.get("execute").or(request.get("exec-oob"));
        name.unwrap_or_else(|| panic!("{line}")).as_str().unwrap().to_owned()
    };
    run.lines().iter().map(command).collect()
}

#[test]
fn code_blocks_of_the_documents_are_pasted_as_they_stand() {
    let Some(folder) = documents() else { return };
    let (mut count, mut wrong) = (0, 0);
    for file in html_files(&folder) {
        for block in code_blocks(&file).iter().filter(|block| !requested(block).is_empty()) {
            if is_wrong(block) {
                wrong += 1;
                continue;
            }
            count += 1;
            let run = qmp_shell(&["--dry-run", "--no-schema"]).input(block.as_str()).run();
            assert_eq!((run.status, shown(&run)), (0, requested(block)), "{}\n{block}\n{run:?}", file.display());
        }
    }
    assert!(count > 250 && wrong < 10, "{count} blocks, and {wrong} wrong ones");
}

#[test]
fn documents_are_pasted_whole_in_all_ways() {
    let Some(folder) = documents() else { return };
    for name in ["interop/live-block-operations", "interop/bitmaps", "system/cpu-hotplug", "system/devices/virtio-pmem"]
    {
        let blocks = code_blocks(&folder.join(format!("{name}.html")));
        // Drawings are neither requests nor part of a session.
        let sessions: Vec<&str> = blocks
            .iter()
            .map(String::as_str)
            .filter(|block| block.contains(['{', '$', ')']))
            .skip_while(|block| !block.contains("(QEMU)") && !block.contains("->") && !block.contains("(qemu)"))
            .collect();
        let expected: Vec<String> = sessions.iter().flat_map(|block| requested(block)).collect();
        let document = sessions.join("\n");
        let run = run_in_all_ways(&["--dry-run", "--no-schema"], &document).expect_status(0);
        assert_eq!(shown(&run), expected, "{name}");
    }
}

#[test]
fn documents_are_pasted_at_the_prompt() {
    let Some(folder) = documents() else { return };
    for name in ["interop/live-block-operations", "interop/bitmaps", "system/cpu-hotplug"] {
        let blocks = code_blocks(&folder.join(format!("{name}.html")));
        let sessions: Vec<&str> =
            blocks.iter().map(String::as_str).filter(|block| !requested(block).is_empty()).collect();
        let expected: Vec<String> = sessions.iter().flat_map(|block| requested(block)).collect();
        for is_bracketed in [true, false] {
            let Some(terminal) = Terminal::qmp_shell("--dry-run --no-schema --no-history demo:") else { return };
            terminal.wait_for_last(wording::NOT_CONNECTED);
            let file = write(&terminal.home, "pasted", sessions.join("\n") + "\n{\"execute\": \"the-end\"}");
            terminal.tmux(&["load-buffer", file.to_str().unwrap()]);
            terminal.tmux(if is_bracketed { &["paste-buffer", "-p"] } else { &["paste-buffer"] });
            terminal.press("Enter");
            let end = format!("{{\"execute\": \"the-end\"}}\n{}", wording::NOT_CONNECTED);
            let text = terminal.wait_in_scrollback("the end", |text| text.ends_with(&end));
            let requests: Vec<String> = text
                .lines()
                .filter_map(|row| serde_json::from_str::<serde_json::Value>(row).ok()?.get("execute").cloned())
                .map(|name| name.as_str().unwrap().to_owned())
                .filter(|name| name != "the-end")
                .collect();
            assert!(!text.contains("error:"), "{name}\n{text}");
            assert_eq!(requests, expected, "{name}, bracketed: {is_bracketed}\n{text}");
        }
    }
}

#[test]
fn examples_of_the_manual_pages_are_pasted_as_they_stand() {
    for page in ["qemu-qmp-ref", "qemu-storage-daemon-qmp-ref", "qemu-ga-ref"] {
        let Some(manual): Option<Manual> = man_path::load(page, &man_path::folders(None)).unwrap() else {
            skip(&format!("manual page {page}(7)"));
            continue;
        };
        let examples: Vec<String> = manual.entries().iter().flat_map(|entry| entry.examples()).collect();
        let examples: Vec<&String> = examples.iter().filter(|example| !is_wrong(example)).collect();
        let expected: Vec<String> = examples.iter().flat_map(|example| requested(example)).collect();
        let script: String = examples.iter().map(|example| format!("{example}\n")).collect();
        let run = qmp_shell(&["--dry-run", "--no-schema"]).input(script).run();
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{page}");
        assert_eq!(shown(&run), expected, "{page}");
    }
}
