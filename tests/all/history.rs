//! History: lines are recalled in the same session and in later ones, except for secrets.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::server::{SMALL, Server};
use crate::support::terminal::Terminal;
use crate::support::{wait_until, wording};

const SHELL: &str = env!("CARGO_BIN_EXE_qmp-shell");

/// Returns the lines of a history file, or none if it does not exist.
fn lines(terminal: &Terminal, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(terminal.home.join("qmp-shell").join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn saves_each_line_and_recalls_it_in_the_next_session() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let shell = format!("{SHELL} {}", server.address());
    // The first is killed, the second is left, the third cannot connect, and the fourth keeps no files.
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
    terminal.wait_for(wording::ERROR);
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
    // From its second row to its first, and then to the entry before.
    terminal.press("Up");
    terminal.press("Up");
    terminal.wait_for_last("(QEMU) query-name");
    terminal.send_signal("KILL");
    terminal.wait_for("[second]");
    terminal.wait("a second prompt", |screen| screen.ends_with("(QEMU)") && screen.contains("[second]"));
    assert_eq!(lines(&terminal, "history"), entries);

    // The entry of two lines is recalled and runs as a whole.
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
    terminal.wait_for("(QEMU) query-name\n(reverse search) ry-n_");
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
fn searches_the_history() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    for line in ["query-name", "# one", "{\n  \"execute\": \"query-kvm\"}", "query-status", "query-status"] {
        terminal.paste(line);
        terminal.press("Enter");
    }
    terminal.wait_for("\"running\": ");
    terminal.wait_for_last("(QEMU)");
    let search = |keys: &[&str], expected: &str| {
        keys.iter().for_each(|key| terminal.press(key));
        terminal.wait(expected, |screen| screen.ends_with(expected));
    };
    terminal.type_text("unsent");
    search(&["Left", "C-r"], "(QEMU) unsent\n(reverse search) _");
    search(&["q", "u", "e"], "(QEMU) query-status\n(reverse search) que_");
    search(&["C-r"], "(QEMU) {\n  \"execute\": \"query-kvm\"}\n(reverse search) que_");
    search(&["C-r"], "(QEMU) query-name\n(reverse search) que_");
    search(&["C-r"], "(QEMU) query-name\n(no older match) que_");
    search(&["C-s"], "(QEMU) {\n  \"execute\": \"query-kvm\"}\n(forward search) que_");
    search(&["C-r", "x"], "(QEMU) query-name\n(no older match) quex_");
    search(&["BSpace", "BSpace"], "(QEMU) query-status\n(reverse search) qu_");
    // Case matters.
    search(&["BSpace", "BSpace", "O"], "(QEMU) unsent\n(no older match) O_");
    for abandon in ["C-g", "C-c"] {
        search(&["BSpace", "o", "n", "e"], "(QEMU) # one\n(reverse search) one_");
        search(&[abandon], "\n(QEMU) unsent");
        assert_eq!(terminal.cursor().0, "(QEMU) unsen".len());
        search(&["C-r"], "(QEMU) unsent\n(reverse search) _");
    }
    // The other keys keep the line that was found, and have their usual effect on it.
    for (key, column) in [("Escape", 9), ("C-e", 12), ("Home", 7), ("Left", 8), ("Right", 10)] {
        search(&["o", "n", "e"], "(QEMU) # one\n(reverse search) one_");
        search(&[key], "\n(QEMU) # one");
        wait_until(key, || terminal.cursor().0 == column);
        search(&["C-r"], "(QEMU) # one\n(reverse search) _");
    }
    search(&["k", "v", "m"], "(QEMU) {\n  \"execute\": \"query-kvm\"}\n(reverse search) kvm_");
    terminal.press("C-l");
    search(&[], "(QEMU) {\n  \"execute\": \"query-kvm\"}\n(reverse search) kvm_");
    terminal.press("Enter");
    let screen = terminal.wait("the reply", |screen| screen.contains("\"present\": ") && screen.ends_with("\n(QEMU)"));
    assert!(screen.starts_with("(QEMU) {\n  \"execute\": \"query-kvm\"}\n{\"enabled\": "), "{screen}");
}

#[test]
fn recalls_a_transaction_block_as_one_entry() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    for line in ["transaction(", "block-dirty-bitmap-clear node=n nmae=x", "block-dirty-bitmap-clear node=n name=x"] {
        terminal.enter(line);
        terminal.wait_for_last("TRANS>");
    }
    // Inside the block its lines are recalled one by one.
    terminal.press("Up");
    terminal.wait_for_last("TRANS> block-dirty-bitmap-clear node=n name=x");
    terminal.press("C-u");
    terminal.enter(")");
    terminal.wait_for("\nGenericError: Node 'n' not found\n(QEMU)");
    let block = "transaction(\\nblock-dirty-bitmap-clear node=n name=x\\n)";
    let refused = "block-dirty-bitmap-clear node=n nmae=x";
    assert_eq!(lines(&terminal, "history"), [refused, block]);
    // The block can be edited and runs as a whole.
    terminal.press("C-l");
    terminal.press("Up");
    terminal.wait_for("(QEMU) transaction(\nblock-dirty-bitmap-clear node=n name=x\n)");
    terminal.press("Enter");
    terminal.wait_for("\n)\nGenericError: Node 'n' not found\n(QEMU)");
    assert_eq!(lines(&terminal, "history"), [refused, block]);
    // A dropped block leaves its lines; the reply of an example from the manual leaves nothing.
    terminal.enter("transaction(");
    terminal.enter("abort");
    terminal.wait_for_last("TRANS>");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.enter("<- { \"return\": {} }");
    terminal.enter("query-name");
    terminal.wait_for("(QEMU) query-name\n{}\n(QEMU)");
    assert_eq!(lines(&terminal, "history"), [refused, block, "transaction(", "abort", "query-name"]);
}

#[test]
fn keeps_separate_histories_for_qmp_and_hmp() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
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

/// Lines that contain the secret `sesame` or begin with a space.
const UNSAVED_LINES: &[&str] = &[
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

const UNSAVED_HMP_LINES: &[&str] = &[
    "set_password vnc sesame",
    "change vnc password sesame",
    "object_add secret,id=s3,data=sesame",
    " info name sesame",
    ".hmp set_password vnc sesame",
];

#[test]
fn keeps_secrets_and_lines_with_a_leading_space_in_memory() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    for (switch, secrets, prompt, file) in
        [("# QMP", UNSAVED_LINES, "(QEMU)", "history"), (".hmp", UNSAVED_HMP_LINES, "(qemu)", "hmp_history")]
    {
        terminal.enter(switch);
        terminal.wait_for_last(prompt);
        for line in secrets {
            terminal.enter(line);
            // Once this marker is saved, the line before it would have been saved, too.
            let marker = format!("# {}", lines(&terminal, file).len());
            terminal.enter(&marker);
            wait_until(line, || lines(&terminal, file).last() == Some(&marker));
        }
        let kept = lines(&terminal, file).join("\n");
        assert!(!kept.contains("sesame"), "{kept}");
    }
    // They are still in memory.
    terminal.wait_for_last("(qemu)");
    terminal.press("Up");
    terminal.press("Up");
    terminal.wait_for_last("(qemu) .hmp set_password vnc sesame [-d display] [connected]");
}
