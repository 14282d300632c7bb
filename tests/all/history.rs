//! History: what was entered comes back, in this session and in later ones; secrets do not.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::server::{SMALL, Server};
use crate::support::terminal::Terminal;
use crate::support::wait_until;

const SHELL: &str = env!("CARGO_BIN_EXE_qmp-shell");

/// The lines of a history file; none where there is no file.
fn lines(terminal: &Terminal, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(terminal.home.join("qmp-shell").join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn lines_are_on_disk_as_they_are_entered_and_recalled_by_the_next_session() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let shell = format!("{SHELL} {}", server.address());
    // The first is killed, the second is left; the third cannot start, and the fourth keeps no files.
    let Some(terminal) = Terminal::start(
        &format!("{shell}; echo [second]; {shell}; {SHELL} /nonexistent/q.sock; echo [fourth]; {shell} --no-history"),
        100,
        40,
    ) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-name");
    terminal.wait_for("(QEMU) query-name\n{}\n(QEMU)");
    terminal.enter("{\"execute\":");
    terminal.enter("   \"query-kvm\"}");
    terminal.wait_for("\"present\": ");
    terminal.enter("no such = line");
    terminal.wait_for("error: ");
    let entries = ["query-name", "{\"execute\":\\n   \"query-kvm\"}", "no such = line"];
    assert_eq!(lines(&terminal, "history"), entries);
    assert_eq!(mode(&terminal.home.join("qmp-shell/history")), 0o600);
    assert_eq!(mode(&terminal.home.join("qmp-shell")), 0o700);

    // In the same session.
    terminal.wait_for_last("(QEMU)");
    terminal.press("Up");
    terminal.wait_for_last("(QEMU) no such = line");
    terminal.press("Up");
    terminal.wait_for_last("   \"query-kvm\"}");
    // From its second row to its first, and from there to the entry before.
    terminal.press("Up");
    terminal.press("Up");
    terminal.wait_for_last("(QEMU) query-name");
    terminal.send_signal("KILL");
    terminal.wait_for("[second]");
    terminal.wait("a second prompt", |screen| screen.ends_with("(QEMU)") && screen.contains("[second]"));
    assert_eq!(lines(&terminal, "history"), entries);

    // The entry of two lines comes back whole, and runs as a whole.
    terminal.press("C-l");
    terminal.press("Up");
    terminal.wait_for_last("(QEMU) no such = line");
    terminal.press("Up");
    terminal.wait_for("(QEMU) {\"execute\":\n   \"query-kvm\"}");
    terminal.press("Enter");
    terminal.wait_for("\"present\": ");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-r");
    terminal.type_text("ry-n");
    terminal.wait_for_last("(reverse-i-search)`ry-n': query-name");
    terminal.press("Enter");
    terminal.wait_for("(QEMU) query-name\n{}\n(QEMU)");
    let entries = [&entries[..], &[entries[1], entries[0]]].concat();
    wait_until("the lines of the second session", || lines(&terminal, "history") == entries);

    terminal.press("C-d");
    terminal.wait_for("[fourth]");
    terminal.wait_for_last("(QEMU)");
    assert_eq!(lines(&terminal, "history"), entries, "a failed start leaves the file alone");
    terminal.press("C-l");
    terminal.press("Up");
    terminal.enter("query-uuid");
    terminal.wait_for("(QEMU) query-uuid\n{");
    terminal.wait_for_last("(QEMU)");
    terminal.press("Up");
    terminal.wait_for_last("(QEMU) query-uuid");
    assert_eq!(lines(&terminal, "history"), entries, "--no-history");
}

#[test]
fn a_transaction_block_comes_back_as_one_entry() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    for line in ["transaction(", "block-dirty-bitmap-clear node=n nmae=x", "block-dirty-bitmap-clear node=n name=x"] {
        terminal.enter(line);
        terminal.wait_for_last("TRANS>");
    }
    // In the block, its lines are to be had one by one.
    terminal.press("Up");
    terminal.wait_for_last("TRANS> block-dirty-bitmap-clear node=n name=x");
    terminal.press("C-u");
    terminal.enter(")");
    terminal.wait_for("\nGenericError: Node 'n' not found\n(QEMU)");
    let block = "transaction(\\nblock-dirty-bitmap-clear node=n name=x\\n)";
    let refused = "block-dirty-bitmap-clear node=n nmae=x";
    assert_eq!(lines(&terminal, "history"), [refused, block]);
    // It is edited and runs as a whole.
    terminal.press("C-l");
    terminal.press("Up");
    terminal.wait_for("(QEMU) transaction(\nblock-dirty-bitmap-clear node=n name=x\n)");
    terminal.press("Enter");
    terminal.wait_for("\n)\nGenericError: Node 'n' not found\n(QEMU)");
    assert_eq!(lines(&terminal, "history"), [refused, block]);
    // One that is dropped leaves its lines; the reply of an example out of the manual leaves nothing.
    terminal.enter("transaction(");
    terminal.enter("abort");
    terminal.press("C-c");
    terminal.wait_for("The transaction is dropped; nothing was sent.\n(QEMU)");
    terminal.enter("<- { \"return\": {} }");
    terminal.enter("query-name");
    terminal.wait_for("(QEMU) query-name\n{}\n(QEMU)");
    assert_eq!(lines(&terminal, "history"), [refused, block, "transaction(", "abort", "query-name"]);
}

#[test]
fn qmp_and_hmp_have_a_history_each() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-name");
    terminal.enter(".hmp info name");
    terminal.enter(".hmp");
    terminal.wait_for_last("(qemu)");
    terminal.press("Up");
    terminal.enter("info version");
    terminal.wait_for("(qemu) info version\n");
    terminal.wait_for_last("(qemu)");
    terminal.enter(".qmp");
    terminal.wait_for_last("(QEMU)");
    terminal.press("Up");
    terminal.wait_for_last("(QEMU) .hmp");
    assert_eq!(lines(&terminal, "history"), ["query-name", ".hmp info name", ".hmp"]);
    assert_eq!(lines(&terminal, "hmp_history"), ["info version", ".qmp"]);
    assert_eq!(mode(&terminal.home.join("qmp-shell/hmp_history")), 0o600);
}

/// Lines that carry the secret `sesame`, or begin with a blank.
const KEPT_BACK: &[&str] = &[
    "set_password protocol=vnc password=sesame",
    "change-vnc-password password=sesame",
    "guest-set-user-password username=root password=sesame crypted=false",
    "object-add qom-type=secret id=s0 data=sesame",
    "{\"execute\": \"object-add\", \"arguments\": {\"qom-type\": \"secret\", \"id\": \"s1\", \"data\": \"sesame\"}}",
    "human-monitor-command command-line='set_password vnc sesame'",
    ".hmp set_password vnc sesame",
    ".hmp object_add secret,id=s2,data=sesame",
    " query-name # sesame",
    "set_password password=sesame password=sesame",
    "set_pasword password=sesame",
    "objectadd qom-type=secret id=s4 data=sesame",
];

const KEPT_BACK_HMP: &[&str] = &[
    "set_password vnc sesame",
    "change vnc password sesame",
    "object_add secret,id=s3,data=sesame",
    " info name sesame",
    ".hmp set_password vnc sesame",
];

#[test]
fn secrets_and_lines_with_a_leading_blank_stay_in_memory() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    for (mode, secrets, prompt, file) in
        [("# QMP", KEPT_BACK, "(QEMU)", "history"), (".hmp", KEPT_BACK_HMP, "(qemu)", "hmp_history")]
    {
        terminal.enter(mode);
        terminal.wait_for_last(prompt);
        for line in secrets {
            terminal.enter(line);
            // A marker that is kept: once it is in the file, the line before it would be.
            let marker = format!("# {}", lines(&terminal, file).len());
            terminal.enter(&marker);
            wait_until(line, || lines(&terminal, file).last() == Some(&marker));
        }
        let kept = lines(&terminal, file).join("\n");
        assert!(!kept.contains("sesame"), "{kept}");
    }
    // In memory they are still there.
    terminal.wait_for_last("(qemu)");
    terminal.press("Up");
    terminal.press("Up");
    terminal.wait_for_last("(qemu) .hmp set_password vnc sesame");
}
