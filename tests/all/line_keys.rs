//! Keys at the prompt: a table of what is pressed and of what is then at the prompt, in a real terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::terminal::Terminal;

/// The lines entered before the table, oldest first.
const HISTORY: &[&str] = &["stop", "job-cancel nosuch", "query-name", "cont", "query-block"];

/// Keys, and what is then at the prompt: the line with its hint, and the rows below it. `<Up>` is a key by tmux's name; all
/// else is typed. Each row begins with an empty line and the same history.
const TABLE: &[(&str, &str)] = &[
    // Tab completes as far as all candidates agree, and lists them below the line.
    ("query-st<Tab>", "query-status"),
    ("query-b<Tab>", "query-block\nquery-block       query-block-jobs"),
    // The next key removes the list, whatever it does.
    ("query-b<Tab><Left>", "query-block"),
    ("query-b<Tab>-<Tab>", "query-block-jobs"),
    ("job-dismiss x<Tab>", "job-dismiss x\nno match"),
    ("job-dismiss x<Tab>y", "job-dismiss xy"),
    // Case, `-` and `_` do not matter; what contains the text is offered last.
    ("QUERY_STA<Tab>", "query-status"),
    ("powerd<Tab>", "system_powerdown"),
    ("dismi<Tab>nosuch", "job-dismiss nosuch"),
    ("zzz<Tab>", "zzz\nno match"),
    // The only way forward.
    (
        "blockdev-add driver=raw file.dri<Tab>null-co fi<Tab>node<Tab>",
        "blockdev-add driver=raw file.driver=null-co file.node-name=",
    ),
    // The hint of keys, and the suggestion from the history before it.
    ("job-cancel", "job-cancel nosuch"),
    ("job-pause", "job-pause id="),
    ("job-cancel<Right>!", "job-cancel nosuch!"),
    ("job-cancel<End>!", "job-cancel nosuch!"),
    ("job-cancel<C-f>!", "job-cancel nosuch!"),
    ("job-cancel<C-e>!", "job-cancel nosuch!"),
    ("job-pause<Right>!", "job-pause id=!"),
    ("job-cancel<Left><Right>!", "job-cancel!"),
    // Up and Down search for the typed beginning.
    ("<Up>", "query-block"),
    ("<Up><Up>", "cont"),
    ("<Up><Up><Down>", "query-block"),
    ("quer<Up><Up>", "query-name"),
    ("quer<Up><Up><Up><Up>", "query-version"),
    ("quer<Up><Up><Down><Down>!", "quer!"),
    ("quer<C-p><C-p>", "cont"),
    // The last word of the line before.
    ("job-pause <M-.>", "job-pause query-block"),
    ("job-pause <M-.><M-.><M-.><M-.>!", "job-pause nosuch!"),
    // The search keeps its line at Esc, and abandons it at Ctrl-G.
    ("x<C-r>anc<Escape>", "job-cancel nosuch"),
    ("x<C-r>anc<C-g>!", "x!"),
    ("<C-r>zz", "\n(no older match) zz_"),
    // A line that was refused comes back corrected.
    ("query-blok<Enter><Up>", "query-block"),
    ("job-dismiss i=x<Enter><Up>", "job-dismiss id=x"),
    (
        "blockdev-add driver=raw node-name=r file.drver=null-co<Enter><Up>",
        "blockdev-add driver=raw node-name=r file.driver=null-co",
    ),
    ("query-blok<Enter><Up><Up>", "query-blok"),
    ("stop x=1<Enter><Up>", "stop x=1"),
    // The editor of the test appends ` edited`.
    ("stop<C-x><C-e>", "stop edited"),
    (".edit<Enter>", "query-block edited"),
    (".edit cont<Enter>!", "cont edited!"),
    // A bare value.
    ("qom-list /chardevs<Enter><Up>", "qom-list /chardevs"),
];

/// Presses the keys of a row of the table.
fn press_all(terminal: &Terminal, keys: &str) {
    for (index, part) in keys.split('<').enumerate() {
        let (key, text) = if index == 0 { ("", part) } else { part.split_once('>').unwrap() };
        if !key.is_empty() {
            terminal.press(key);
        }
        if !text.is_empty() {
            terminal.type_text(text);
        }
    }
}

/// Returns what is at the prompt: everything after the last one on the screen.
fn at_prompt<'s>(screen: &'s str, prompt: &str) -> Option<&'s str> {
    let is_prompt = |at: &usize| *at == 0 || screen[..*at].ends_with('\n');
    let start = screen.rmatch_indices(prompt).map(|(at, _)| at).find(is_prompt)?;
    Some(screen[start + prompt.len()..].trim_start_matches(' '))
}

/// Enters the lines of the history, and clears the screen.
#[track_caller]
fn enter_history(terminal: &Terminal, prompt: &str) {
    for line in HISTORY {
        terminal.enter(line);
    }
    clear(terminal, prompt);
}

#[track_caller]
fn clear(terminal: &Terminal, prompt: &str) {
    terminal.press("C-l");
    terminal.wait("an empty screen", |screen| screen == prompt);
}

#[track_caller]
fn check(terminal: &Terminal, prompt: &str, table: &[(&str, &str)]) {
    enter_history(terminal, prompt);
    for (keys, expected) in table {
        press_all(terminal, keys);
        terminal.wait(&format!("`{expected}` after `{keys}`"), |screen| {
            let rows: Vec<&str> = at_prompt(screen, prompt).unwrap_or_default().lines().map(str::trim_end).collect();
            rows.join("\n") == *expected
        });
        terminal.press("C-c");
        match keys.contains("Enter") {
            true => enter_history(terminal, prompt),
            false => clear(terminal, prompt),
        }
    }
}

/// Starts the program on the demo machine, with an editor that appends ` edited`.
fn start(folder: &Path) -> Option<Terminal> {
    let editor = folder.join("editor");
    fs::write(&editor, "#!/bin/sh\nsed -i 's/$/ edited/' \"$1\"\n").unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let variables =
        format!("PAGER=cat MANPATH=/nonexistent EDITOR={} INPUTRC={}/inputrc", editor.display(), folder.display());
    Terminal::start(&format!("{variables} {} demo:", env!("CARGO_BIN_EXE_qmp-shell")), 100, 30)
}

#[test]
fn keys_do_as_in_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let Some(terminal) = start(folder.path()) else { return };
    terminal.wait_for_queries();
    check(&terminal, "(QEMU)", TABLE);
}

/// Rows as in [`TABLE`], with the keys of vi.
const VI_TABLE: &[(&str, &str)] = &[
    ("query-st<Tab>", "query-status"),
    ("job-cancel<Right>!", "job-cancel nosuch!"),
    ("quer<Up><Up>", "query-name"),
    ("query-name<Escape>0dw", "-name"),
    ("query-name<Escape>0lix", "qxuery-name"),
    ("query-name<Escape>ccstop", "stop"),
    ("<Escape>k", "query-block"),
    ("<Escape>kkj", "query-block"),
    ("x<C-r>anc<Escape>", "job-cancel nosuch"),
    ("stop<Escape>v", "stop edited"),
    ("query-blok<Enter><Escape>k", "query-block"),
];

#[test]
fn keys_of_vi_do_as_in_the_table() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("inputrc"), "set editing-mode vi\n").unwrap();
    let Some(terminal) = start(folder.path()) else { return };
    terminal.wait_for_queries();
    check(&terminal, "(QEMU)", VI_TABLE);
    // Events appear while text is inserted and after Esc, and the line stays.
    for (command, key, event) in [("device_del net0", "", "DEVICE_DELETED"), ("system_powerdown", "Escape", "SHUTDOWN")]
    {
        terminal.enter(command);
        terminal.type_text("quer");
        if !key.is_empty() {
            terminal.press(key);
        }
        let screen = terminal.wait("the event and the line", |screen| {
            screen.contains(event) && screen.lines().any(|row| row.starts_with("(QEMU) quer"))
        });
        assert!(screen.rfind(event) < screen.rfind("(QEMU) quer"), "{screen}");
        terminal.press("C-c");
    }
    terminal.enter(".set keys emacs");
    terminal.type_text("query-name");
    terminal.press("C-a");
    terminal.type_text("x");
    terminal.wait_for_line("(not connected) xquery-name");
}
