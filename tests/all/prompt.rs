//! The prompt, as a user at a terminal sees it.

use expect_test::expect;

use crate::support::peer::Peer;
use crate::support::program::qmp_shell;
use crate::support::server::{Q35, SMALL, Server, run_hmp_line};
use crate::support::skip::require_program;
use crate::support::snapshot;
use crate::support::terminal::Terminal;
use crate::support::wording;

const SHELL: &str = env!("CARGO_BIN_EXE_qmp-shell");

#[test]
fn runs_a_first_session() {
    let Some(mut server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    for line in [
        "query-status",
        "blockdev-add driver=null-co node-name=n0 size=1048576",
        "blockdev-add driver=raw node-name=r0 file.driver=null-co",
        "blockdev-add driver=raw node-name=n0 file=r0",
        "query-nmae",
    ] {
        terminal.run_line(line);
    }
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        (QEMU) query-status
        {"status": "prelaunch", "running": false}
        (QEMU) blockdev-add driver=null-co node-name=n0 size=1048576
        {}
        (QEMU) blockdev-add driver=raw node-name=r0 file.driver=null-co
        {}
        (QEMU) blockdev-add driver=raw node-name=n0 file=r0
        GenericError: Duplicate nodes with node-name='n0'
        (QEMU) query-nmae
               ^^^^^^^^^^
        error: the server has no command `query-nmae`; did you mean `query-name`?
        (QEMU)
    "#]]);
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert!(!server.has_ended(), "leaving ended the machine");
    let run = qmp_shell(&["-c", "query-status", &server.address()]).run();
    assert_eq!(run.expect_status(0).lines(), [r#"{"return": {"status": "prelaunch", "running": false}}"#]);
}

#[test]
fn breaks_the_banner_only_between_sentences() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let banner = |columns: usize| {
        let terminal = Terminal::start(&format!("{SHELL} {}", server.address()), columns, 24)?;
        let screen = terminal.wait("the prompt", |screen| screen.ends_with("\n(QEMU)"));
        terminal.press("C-d");
        assert_eq!(terminal.wait_for_end(), 0);
        Some(screen.strip_suffix("\n(QEMU)").unwrap().to_owned())
    };
    let Some(line) = banner(200) else { return };
    snapshot::check(
        &line,
        expect![[r#"
            Connected to QEMU {VERSION} at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        "#]],
    );
    assert_eq!(banner(line.len()).as_deref(), Some(line.as_str()));
    let rows = banner(line.len() - 1).unwrap();
    assert_eq!(rows.replace('\n', " "), line);
    assert_eq!(rows.lines().count(), 2, "{rows}");
    assert!(rows.lines().all(|row| row.ends_with('.')), "{rows}");
}

#[test]
fn colours_replies_errors_and_the_prompt() {
    let Some(server) = Server::qemu(Q35) else { return };
    let address = server.address();
    for (command, coloured) in [
        (format!("{SHELL} {address}"), true),
        (format!("NO_COLOR=1 {SHELL} {address}"), false),
        (format!("{SHELL} --color never {address}"), false),
        (format!("NO_COLOR=1 {SHELL} --color always {address}"), true),
    ] {
        let Some(terminal) = Terminal::start(&command, 100, 40) else { return };
        terminal.wait_for_last("(QEMU)");
        terminal.enter("query-status");
        terminal.wait_for("}\n(QEMU)");
        terminal.run_line("nosuch");
        terminal.run_line("device_del id=nosuch");
        let screen = terminal.coloured_screen();
        for part in [
            "\x1b[36m\"running\"\x1b[",
            "\x1b[32m\"prelaunch\"\x1b[",
            "\x1b[35mfalse",
            &format!("\x1b[1m\x1b[31m^^^^^^\x1b[0m\n\x1b[1m\x1b[31m{}\x1b[0m", wording::ERROR.trim_end()),
            "\x1b[1m\x1b[31mDeviceNotFound:\x1b[0m",
            "\x1b[1m\x1b[32m(QEMU)\x1b[0m",
        ] {
            assert_eq!(screen.contains(part), coloured, "{command}: {part:?} in\n{screen:?}");
        }
        assert_eq!(screen.contains('\x1b'), coloured, "{command}: {screen:?}");
    }
}

/// A command and its reply, as the reference manual shows them.
const MANUAL: &str = "-> { \"execute\": \"blockdev-add\",
     \"arguments\": {
         \"driver\": \"null-co\",
         \"node-name\": \"NODE\"
     }
   }
<- { \"return\": {} }";

#[test]
fn accepts_an_example_from_the_manual() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.paste(&MANUAL.replace("NODE", "pasted"));
    terminal.wait_for("<- { \"return\": {} }");
    terminal.press("Enter");
    terminal.wait_for("<- { \"return\": {} }\n{}\n(QEMU)");
    for row in MANUAL.replace("NODE", "typed").lines() {
        terminal.enter(row);
    }
    // The request is sent once it is complete; the `<-` line is a line of its own.
    terminal.wait_for("(QEMU) <- { \"return\": {} }\n(QEMU)");
    terminal.enter(".set pager off");
    terminal.enter("query-named-block-nodes flat=true");
    terminal.wait("both nodes", |_| {
        let text = terminal.scrollback();
        ["pasted", "typed"].iter().all(|node| text.contains(&format!("\"node-name\": \"{node}\",")))
    });
}

#[test]
fn points_at_a_mistake_in_the_line() {
    let Some(server) = Server::qemu(SMALL) else { return };
    for columns in [100, 40] {
        let Some(terminal) = Terminal::start(&format!("{SHELL} {}", server.address()), columns, 40) else { return };
        terminal.wait_for("(QEMU)");
        for (line, mistake) in [
            ("blockdev-add a=1 bb=2 a=3", "a=3"),
            ("blockdev-add node-name=a-rather-long-one bad=1 driver=null-co bad.x=2", "bad.x=2"),
            ("x n=漢字漢字 q=\"", "q=\""),
            ("block-job-pause\tdevice=1\tbad", "bad"),
        ] {
            // Pasted, because a typed tab would complete.
            terminal.paste(line);
            terminal.press("Enter");
            let screen = terminal.wait("the caret", |screen| {
                screen.lines().any(|row| !row.is_empty() && row.trim_start().trim_matches('^').is_empty())
                    && screen.ends_with("(QEMU)")
            });
            let rows: Vec<&str> = screen.lines().collect();
            let at = rows.iter().rposition(|row| row.contains('^')).unwrap();
            assert!(rows[at + 1].starts_with(wording::ERROR), "{screen}");
            // The text above the first caret; wide characters take two columns.
            let indent = rows[at].find('^').unwrap();
            let mut column = 0;
            let above: String = rows[at - 1]
                .chars()
                .skip_while(|c| {
                    let here = column;
                    column += if c.is_ascii() || *c == '…' { 1 } else { 2 };
                    here < indent
                })
                .collect();
            let start: String = mistake.chars().take(1).collect();
            assert!(above.starts_with(&start), "{columns}: `{above}` for `{mistake}` in\n{screen}");
            // The shell does not know the width of a tab, so it prints such a line again without tabs.
            let fits = "(QEMU) ".len() + line.len() < columns && !line.contains('\t');
            assert_eq!(rows[at - 1].starts_with("(QEMU) "), fits, "{screen}");
            terminal.press("C-l");
            terminal.wait("a clear screen", |screen| screen == "(QEMU)");
        }
    }
}

#[test]
fn runs_pasted_lines_in_order() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.paste("blockdev-add driver=null-co \\\n  node-name=n0\n# then\n\nblockdev-del node-name=n0\nblockdev-del node-name=n0\nquery-status");
    terminal.wait_for("\nquery-status");
    terminal.press("Enter");
    terminal.wait_for(
        "\nquery-status\n{}\n{}\nGenericError: Failed to find node with node-name='n0'\n{\"status\": \"prelaunch\"",
    );
}

#[test]
fn quit_asks_for_confirmation() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    // A file descriptor changes nothing.
    for (line, answer, shown) in
        [("quit", "n", " n"), ("quit", "", ""), ("quit", "C-c", " ^C"), (".fd /dev/null quit", "C-d", "")]
    {
        terminal.press("C-l");
        terminal.wait("a clear screen", |screen| screen == "(QEMU)");
        snapshot::check(
            terminal.ask(line),
            expect![[r#"
                `quit` terminates QEMU and the VM immediately; Ctrl-D leaves only the shell.
                Terminate QEMU? [y/N]
            "#]],
        );
        match answer {
            "C-c" | "C-d" => terminal.press(answer),
            answer => terminal.enter(answer),
        }
        terminal.wait_for(&format!("{}{shown}\n(QEMU)", wording::CONFIRM));
        // If `quit` had been sent, there would be no reply.
        terminal.enter("query-status");
        // With the prompt after it: keys pressed before would be echoed by the terminal.
        terminal.wait("the answer", |screen| screen.contains("\"running\"") && screen.ends_with("}\n(QEMU)"));
        assert!(!server.has_ended(), "after `{answer}`");
    }
    // The questions before must not be taken for this one.
    terminal.press("C-l");
    terminal.wait("a clear screen", |screen| screen == "(QEMU)");
    terminal.enter("quit");
    terminal.wait_for(wording::CONFIRM);
    terminal.enter("y");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.wait_for(wording::QEMU_ENDED);
    assert!(server.wait_for_end());
}

#[test]
fn sends_long_output_to_the_pager() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) =
        Terminal::start(&format!("PAGER='sed \"s/^/paged: /\"' {SHELL} {}", server.address()), 100, 12)
    else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-commands");
    terminal.wait_for("\"}]\n(QEMU)");
    terminal.enter("query-status");
    terminal.wait_for("(QEMU) query-status\n{\"status\": ");
    terminal.enter(".set pager off");
    terminal.enter("query-commands");
    terminal.wait_for("\"}]\n(QEMU)");
    terminal.enter(".set pager tac");
    terminal.enter("query-commands");
    terminal.wait_for("\"},\n[{\"name\": ");
}

#[test]
fn runs_the_pager_as_the_shell_does() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(_) = require_program("jq") else { return };
    let pager = "A='x y' tail -n 1 | sed 's/^/paged: /'";
    let Some(terminal) = Terminal::start(&format!("PAGER={pager:?} {SHELL} -o pretty {}", server.address()), 100, 12)
    else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-commands");
    terminal.wait_for("query-commands\npaged: ]\n(QEMU)");
    // The words are kept as they were typed, and a program that reads the reply gets it without colours.
    terminal.enter(r#".set pager jq -c '[.[]|select(."name" == "stop" or .name == "cont").name]'"#);
    terminal.enter("query-commands");
    terminal.wait_for("\n[\"cont\",\"stop\"]\n(QEMU)");
    // One quoted word is a command too, and a pipeline needs no quotes.
    for (pager, shown) in [("'head -n 1 | tr [ x'", "x"), ("tail -n 1 | tr ] y", "y")] {
        terminal.enter(&format!(".set pager {pager}"));
        terminal.enter("query-commands");
        terminal.wait_for(&format!("query-commands\n{shown}\n(QEMU)"));
    }
}

#[test]
fn shows_what_a_pager_that_fails_did_not() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(_) = require_program("jq") else { return };
    let Some(terminal) = Terminal::start(&format!("PAGER=nosuch {SHELL} {}", server.address()), 100, 8) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-commands");
    terminal.wait_for("\"}]\n(QEMU)");
    let shown = terminal.scrollback();
    assert!(shown.contains("\nerror: the pager `nosuch` failed: exit status: 127\n[{\"name\": "), "{shown}");
    let qmp = format!("PAGER=jq {} --path demo: help query-block", env!("CARGO_BIN_EXE_qmp"));
    let Some(terminal) = Terminal::start(&qmp, 100, 8) else { return };
    assert_eq!(terminal.wait_for_end(), 0);
    let shown = terminal.scrollback();
    assert!(
        shown.contains("\nerror: the pager `jq` failed: exit status: ") && shown.contains("\nquery-block  command\n"),
        "{shown}"
    );
}

#[test]
fn colours_do_not_make_output_longer_than_the_screen() {
    let reply = format!(
        "{{{}}}",
        (0..14).map(|n| format!("\"{n:038}\": {n:030}")).collect::<Vec<_>>().join(", ").replace(": 0", ": 1")
    );
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let id = conn.expect_command("query-rows");
        conn.reply(&id, &reply);
        conn.wait_for_close();
    });
    let command = format!("PAGER='sed s/^/paged:/' {SHELL} --color always --no-schema {}", peer.address());
    let Some(terminal) = Terminal::start(&command, 80, 24) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-rows");
    let screen = terminal.wait("the reply", |screen| screen.ends_with("}\n(QEMU)"));
    assert!(!screen.contains("paged:"), "{screen}");
}

#[test]
fn returns_to_the_prompt_when_the_pager_is_left() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(_) = require_program("less") else { return };
    let Some(terminal) = Terminal::start(&format!("{SHELL} {}", server.address()), 80, 12) else { return };
    terminal.wait_for("(QEMU)");
    terminal.enter("query-qmp-schema");
    terminal.wait_for_last(":");
    let page = terminal.screen();
    terminal.press("C-c");
    // While `less` handles the signal, typed keys are lost, so wait until it reads them again.
    terminal.wait("the pager to scroll", |screen| {
        if screen == page {
            terminal.press("Down");
        }
        screen != page
    });
    terminal.press("q");
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-status");
    terminal.wait_for("\"running\": true}\n(QEMU)");
}

#[test]
fn works_on_a_dumb_terminal() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::start(&format!("TERM=dumb {SHELL} {}", server.address()), 100, 40) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("{\"execute\":");
    terminal.enter("\"query-status\"}");
    terminal.wait_for("\"query-status\"}\n{\"status\": \"running\", \"running\": true}\n(QEMU)");
    assert!(!terminal.coloured_screen().contains('\x1b'));
    // Events appear at once, and the typed text is kept.
    terminal.type_text("query-sta");
    terminal.wait_for_last("(QEMU) query-sta");
    run_hmp_line(&server.path("hmp.sock"), "stop");
    let screen = terminal.wait("the event", |screen| screen.contains(" STOP") && screen.ends_with("\n(QEMU)"));
    let rows: Vec<&str> = screen.lines().rev().take(3).collect();
    assert!(rows[1].ends_with(" STOP") && rows[2] == "(QEMU) query-sta", "{screen}");
    terminal.enter("tus");
    terminal.wait_for("(QEMU) tus\n{\"status\": \"paused\",");
    terminal.wait_for_last("(QEMU)");
    assert_eq!(terminal.screen().matches(" STOP").count(), 1);
    terminal.enter("quit");
    terminal.wait_for(wording::CONFIRM);
    terminal.enter("n");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn completes_commands_dot_commands_and_files() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_queries();
    let folder = terminal.home.join("scripts");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a file.qmp"), "query-name\n").unwrap();
    let home = terminal.home.display().to_string();
    for (typed, becomes) in [
        ("query-sta", "query-stat"),
        ("query-statu", "query-status"),
        // If nothing begins like this, case and dashes are ignored, and then what contains it is offered.
        ("QUERY_STATU", "query-status"),
        ("powerd", "system_powerdown"),
        ("exec-oob migrate-pa", "exec-oob migrate-pause"),
        (".conn", ".connect"),
        (".set conf", ".set confirm"),
        ("help .sour", "help source"),
        (&format!(".source {home}/scr"), &format!(".source {home}/scripts/")),
        (&format!(".source {home}/scripts/"), &format!(".source {home}/scripts/a\\ file.qmp")),
    ] {
        terminal.type_text(typed);
        terminal.wait_for_last(&format!("(QEMU) {typed}"));
        terminal.press("Tab");
        let screen = terminal.wait_for_line(&format!("(QEMU) {becomes}"));
        if becomes == "query-stat" {
            // The candidates are listed below the line.
            let (_, listed) = screen.split_once("\n(QEMU) query-stat\n").unwrap();
            for name in ["query-stats", "query-stats-schemas", "query-status"] {
                assert!(listed.split_whitespace().any(|word| word == name), "{screen}");
            }
        }
        terminal.press("C-c");
        terminal.wait_for_last("(QEMU)");
    }
}

#[test]
fn completes_the_files_that_the_server_opens() {
    // Its current directory is that of the tests.
    let Some(server) = Server::qemu(SMALL) else { return };
    let folder = tempfile::tempdir().unwrap();
    for (line, file) in [
        ("screendump filename=Cargo.to", "Cargo.toml"),
        ("screendump filename=src/wire/mod", "src/wire/mod.rs"),
        (".hmp screendump CHANGE", "CHANGELOG.md"),
        (".source Cargo.to", ""),
    ] {
        let run = qmp_shell(&["--complete", line, &server.address()]).in_folder(folder.path()).run();
        let found = run.stdout.lines().next().unwrap_or_default().split('\t').next().unwrap();
        assert_eq!(found, file, "{line}: {run:?}");
    }
}

#[test]
fn accepts_a_completed_file_name() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    std::fs::write(terminal.home.join("it's 漢 $1 #.qmp"), "!echo sourced\n").unwrap();
    terminal.type_text(&format!(".source {}/it", terminal.home.display()));
    terminal.press("Tab");
    terminal.wait_for(".qmp");
    terminal.press("Enter");
    terminal.wait_for("\nsourced\n(QEMU)");
}

#[test]
fn the_prompt_has_the_name_and_the_state_of_the_vm() {
    let Some(server) = Server::qemu(&[Q35, &["-name", "web\u{1b}[2J"]].concat()) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    let name = r"web\x1b[2J";
    // A slow server's reply serves the next prompt.
    let wait_for_prompt = |prompt: &str| {
        terminal.wait(prompt, |screen| {
            let is_shown = screen.lines().last() == Some(prompt);
            if !is_shown {
                terminal.press("Enter");
            }
            is_shown
        });
    };
    wait_for_prompt(&format!("({name})"));
    terminal.enter(".hmp");
    terminal.wait_for_last(&format!("(qemu {name})"));
    terminal.enter(".qmp");
    terminal.wait_for_last(&format!("({name})"));
    terminal.enter(".set prompt '%a %n:%c>'");
    wait_for_prompt(&format!("{} {name}:>", server.address()));
    terminal.enter(".hmp");
    terminal.wait_for_last(&format!("{} {name}:0>", server.address()));
    terminal.enter(".qmp");
    // The state follows the events.
    terminal.enter(".set prompt '%s 100%%> '");
    wait_for_prompt("prelaunch 100%>");
    terminal.enter("cont");
    wait_for_prompt("running 100%>");
    terminal.enter("stop");
    wait_for_prompt("paused 100%>");
    // Carets are under their word.
    terminal.enter("query-nam");
    terminal.wait_for("paused 100%> query-nam\n             ^^^^^^^^^\n");
    terminal.enter(".set prompt %x");
    terminal.wait_for("error: unknown `%x`; expected `%n`, `%a`, `%s`, `%c`, `%@` or `%%`\n");
    terminal.enter(".set prompt default");
    terminal.wait_for_last(&format!("({name})"));
}
