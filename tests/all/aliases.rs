//! Aliases, the rc file, and dot commands by their first letters.

use std::fs;

use expect_test::expect;

use crate::support::program::qmp_shell;
use crate::support::snapshot::Table;
use crate::support::terminal::Terminal;

/// Starts a prompt on the demo machine whose rc file has this text.
fn with_rc(rc: &str, options: &str) -> Option<(Terminal, tempfile::TempDir)> {
    let config = tempfile::tempdir().unwrap();
    fs::create_dir(config.path().join("qmp-shell")).unwrap();
    fs::write(config.path().join("qmp-shell/rc"), rc).unwrap();
    let program = env!("CARGO_BIN_EXE_qmp-shell");
    let command = format!("XDG_CONFIG_HOME={} {program} {options} demo:", config.path().display());
    Some((Terminal::start(&command, 100, 30)?, config))
}

#[test]
fn the_rc_file_runs_before_the_first_prompt() {
    let rc = ".set output json\n.alias st query-status\nqury-status\n.alias pause job-pause id=$1\n";
    let Some((terminal, config)) = with_rc(rc, "") else { return };
    // An error names the file and the line, and the lines after it run.
    let name = format!("{}/qmp-shell/rc:3: ", config.path().display());
    terminal.wait_in_scrollback("the error", |text| text.contains(&name) && text.ends_with("(QEMU)"));
    terminal.check_line(
        "st",
        expect![[r#"
        {"return": {"status": "running", "running": true}}
    "#]],
    );
    terminal.check_line(
        "pause j0",
        expect![[r#"
        {"error": {"class": "GenericError", "desc": "job 'j0' not found"}}
    "#]],
    );
    // Its lines are not in the history.
    terminal.press("Up");
    terminal.press("Up");
    terminal.press("Up");
    terminal.wait_for_line("(QEMU) st");
}

#[test]
fn the_rc_file_is_for_prompts_that_want_it() {
    let Some((terminal, config)) = with_rc("nosuch\n", "--no-rc") else { return };
    let screen = terminal.wait_for_last("(QEMU)");
    assert!(!screen.contains("nosuch"), "{screen}");
    let home = config.path().to_str().unwrap();
    let run = qmp_shell(&["demo:", "-c", "stop"]).env("XDG_CONFIG_HOME", home).run().expect_status(0);
    assert!(!run.stderr.contains("nosuch"), "{run:?}");
}

#[test]
fn aliases_stand_for_lines_with_arguments() {
    let Some(terminal) = Terminal::qmp_shell("demo:") else { return };
    terminal.wait_for_queries();
    terminal.run_line(".set output json");
    let mut table = Table::new();
    for line in [
        ".alias",
        ".alias st query-status",
        ".alias each qom-list $1",
        ".alias stop cont",
        ".alias st",
        ".alias a.b x",
        "st",
        "st x=1",
        "each",
        "each /chardevs x",
        ".unalias stop",
        ".unalias stop",
    ] {
        table.row(line, terminal.run_line(line));
    }
    table.check(expect![[r#"
        > .alias

        > .alias st query-status

        > .alias each qom-list $1

        > .alias stop cont
        warning: the alias `stop` hides the command `stop`

        > .alias st
        st             query-status

        > .alias a.b x
                      ^^^
        error: expected a name of letters, digits, `-` and `_`, found `a.b`

        > st
        {"return": {"status": "running", "running": true}}

        > st x=1
          query-status x=1
                       ^
        error: alias st: unknown key `x` for `query-status`; it takes no keys

        > each
                   ^
        error: missing argument 1 of alias `each`, which is `qom-list $1`

        > each /chardevs x
                              ^
        error: unexpected argument `x` of alias `each`, which is `qom-list $1`

        > .unalias stop

        > .unalias stop
                        ^^^^
        error: no alias `stop`; `.alias` lists them
    "#]]);
    // Tab completes an alias, and after it as after its command.
    terminal.type_text("each /cha");
    terminal.wait("the path", |screen| {
        // Tab does not wait long for a busy server.
        terminal.press("Tab");
        screen.lines().any(|line| line.starts_with("(QEMU) each /chardevs"))
    });
    terminal.press("C-c");
    terminal.type_text("eac");
    terminal.press("Tab");
    terminal.wait("the alias", |screen| screen.lines().last().is_some_and(|line| line.starts_with("(QEMU) each ")));
}

#[test]
fn a_secret_given_to_an_alias_is_not_saved() {
    let Some(terminal) = Terminal::qmp_shell("demo:") else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.run_line(".alias pw set_password protocol=vnc password=$1");
    terminal.run_line("pw sesame");
    terminal.run_line("query-status");
    let saved = fs::read_to_string(terminal.home.join("qmp-shell/history")).unwrap();
    assert_eq!(saved, "query-status\n");
    // Nor is it suggested on the screen.
    terminal.type_text("pw");
    let screen =
        terminal.wait("the line", |screen| screen.lines().last().is_some_and(|line| line.starts_with("(QEMU) pw")));
    assert_eq!(screen.lines().last().unwrap(), "(QEMU) pw");
}

#[test]
fn scripts_have_aliases_of_their_own() {
    let script = ".alias st query-status\nst\n.alias st\nnosuch\nst y=1\n";
    let run = qmp_shell(&["demo:"]).input(script).run().expect_status(1);
    expect![[r#"
        {"return": {"status": "running", "running": true}}
        {"error": {"class": "CommandNotFound", "desc": "the demo machine has no command 'nosuch'"}}
        {"error": {"class": "NotSent", "desc": "unknown key `y` for `query-status`; it takes no keys"}}
    "#]]
    .assert_eq(&run.stdout);
}

#[test]
fn dot_commands_are_found_by_their_first_letters() {
    let Some(terminal) = Terminal::qmp_shell("demo:") else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.check_line(
        ".ev",
        expect![[r#"
        events: on; 0 received
    "#]],
    );
    terminal.check_line(
        ".ex x",
        expect![[r#"
                   ^^^
            error: `.ex` is ambiguous: `.exit`, `.expect`, `.explain`
        "#]],
    );
    assert!(terminal.run_line(".h set").starts_with(".set [NAME [VALUE]]"));
    terminal.type_text(".ev onl");
    terminal.press("Tab");
    terminal.wait_for_line("(QEMU) .ev only");
}

#[test]
fn a_setting_says_how_long_it_lasts() {
    let Some(terminal) = Terminal::qmp_shell("demo:") else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.check_line(
        ".set verbose off",
        expect![[r#"
        This lasts as long as the session; put the line into ~/.config/qmp-shell/rc to keep it.
    "#]],
    );
    assert_eq!(terminal.run_line(".set verbose off"), "");
}
