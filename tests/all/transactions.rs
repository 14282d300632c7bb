//! `transaction(` … `)`: several actions in one request, which succeeds or fails as a whole.

use expect_test::expect;

use crate::support::peer::Peer;
use crate::support::program::qmp_shell;
use crate::support::server::{Q35, Server};
use crate::support::snapshot;
use crate::support::terminal::Terminal;

/// Starts a machine with one block node, `n0`.
fn machine() -> Option<Server> {
    let server = Server::qemu(Q35)?;
    let run = qmp_shell(&["-c", "blockdev-add driver=null-co node-name=n0 size=1048576", &server.address()]).run();
    assert_eq!(run.expect_status(0).lines(), [r#"{"return": {}}"#]);
    Some(server)
}

/// Returns the sorted names of the bitmaps of `n0`.
fn bitmaps(server: &Server) -> Vec<String> {
    let run = qmp_shell(&["-c", "query-named-block-nodes flat=true", &server.address()]).run();
    let reply: serde_json::Value = serde_json::from_str(run.expect_status(0).lines()[0]).unwrap();
    let node = &reply["return"][0];
    assert_eq!(node["node-name"], "n0");
    let list = node["dirty-bitmaps"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<String> = list.iter().map(|map| map["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_block_at_the_prompt_succeeds_or_fails_as_a_whole() {
    let Some(server) = machine() else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");

    terminal.enter("transaction(");
    terminal.wait_for_last("TRANS>");
    terminal.enter("block-dirty-bitmap-add node=n0 name=a");
    terminal.enter("block-dirty-bitmap-add node=n0 name=\"b c\" granularity=65536 # the second");
    terminal.enter(")");
    terminal.wait_for("\nTRANS> )\n{}\n(QEMU)");

    // The second action fails, so the first is undone.
    terminal.enter("transaction(");
    terminal.enter("block-dirty-bitmap-add node=n0 name=c");
    terminal.enter("block-dirty-bitmap-add node=nosuch name=d");
    terminal.enter(")");
    terminal.wait_for("\nGenericError: Cannot find device='nosuch' nor node-name='nosuch'\n(QEMU)");

    // An invalid line is reported, and can be repeated.
    terminal.run_line("transaction(");
    terminal.check_line(
        "block-dirty-bitmap-add node=n0 node=n0",
        expect![[r#"
                                                  ^^^^
            error: duplicate key `node`
        "#]],
    );
    terminal.enter("block-dirty-bitmap-add node=n0 name=e");
    terminal.enter(") completion-mode=individual");
    terminal.wait_for("\nTRANS> ) completion-mode=individual\n{}\n(QEMU)");

    // Ctrl-C drops the block, even while a line is being typed.
    terminal.enter("transaction(");
    terminal.enter("block-dirty-bitmap-add node=n0 name=f");
    terminal.type_text("block-dirty-bitmap-add node=n0 na");
    // The hint is the line before, which begins like this one.
    terminal.wait("the line with its hint", |screen| screen.ends_with("TRANS> block-dirty-bitmap-add node=n0 name=f"));
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    // The notice after the dropped line.
    let screen = terminal.screen();
    let (_, notice) = screen.rsplit_once("TRANS>").unwrap();
    snapshot::check(
        notice,
        expect![[r#"
             block-dirty-bitmap-add node=n0 na
            The transaction was dropped; nothing was sent.
            (QEMU)
        "#]],
    );
    terminal.enter("transaction( block-dirty-bitmap-add node=n0 name=g )");
    terminal.wait_for("name=g )\n{}\n(QEMU)");

    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert_eq!(bitmaps(&server), ["a", "b c", "e", "g"]);
}

#[test]
fn does_not_send_a_pasted_block_with_an_invalid_line() {
    let Some(server) = machine() else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    let block = "transaction(\nblock-dirty-bitmap-add node=n0 nmae=a\nblock-dirty-bitmap-add node=n0 name=b\n)";
    terminal.paste(block);
    terminal.press("Enter");
    terminal.wait("the prompt", |screen| screen.contains("^^^^") && screen.ends_with("\n(QEMU)"));
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        (QEMU) transaction(
        block-dirty-bitmap-add node=n0 nmae=a
        block-dirty-bitmap-add node=n0 name=b
        )
          block-dirty-bitmap-add node=n0 nmae=a
                                         ^^^^
        error: unknown key `nmae` for `block-dirty-bitmap-add`; did you mean `name`?
        error: the transaction was not sent, because one of its lines was wrong
        (QEMU)
    "#]]);
    // The block is recalled as a whole, to be corrected.
    terminal.press("C-l");
    terminal.press("Up");
    terminal.wait(block, |screen| screen == format!("(QEMU) {block}"));
    terminal.press("C-c");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert_eq!(bitmaps(&server), [""; 0]);
}

#[test]
fn leaving_inside_a_block_sends_nothing() {
    let Some(server) = machine() else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("transaction(");
    terminal.enter("block-dirty-bitmap-add node=n0 name=a");
    terminal.wait_for_last("TRANS>");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert_eq!(bitmaps(&server), [""; 0]);
}

#[test]
fn runs_blocks_in_a_script() {
    let Some(server) = machine() else { return };
    let run = qmp_shell(&[&server.address()])
        .input(
            "transaction( block-dirty-bitmap-add node=n0 name=a )\n\
             transaction(\n\
             # a comment, and an empty line\n\
             \n\
             block-dirty-bitmap-add node=n0 name=b\n\
             block-dirty-bitmap-add \\\n node=n0 name=c\n\
             ) completion-mode=individual\n\
             transaction(\n\
             block-dirty-bitmap-add node=n0 name=d\n\
             block-dirty-bitmap-remove node=n0 name=nosuch\n\
             )\n\
             query-name\n",
        )
        .run()
        .expect_status(1);
    assert_eq!(
        run.lines(),
        [
            r#"{"return": {}}"#,
            r#"{"return": {}}"#,
            r#"{"error": {"class": "GenericError", "desc": "Dirty bitmap 'nosuch' not found"}}"#,
            r#"{"return": {}}"#,
        ]
    );
    assert_eq!(bitmaps(&server), ["a", "b", "c"]);
}

#[test]
fn an_invalid_line_in_a_script_invalidates_its_block() {
    let Some(server) = machine() else { return };
    let run = qmp_shell(&[&server.address()])
        .input(
            "transaction(\n\
             block-dirty-bitmap-add node=n0 name=a\n\
             block-dirty-bitmap-add node=n0 node=n0\n\
             )\n\
             transaction( block-dirty-bitmap-add node=n0 name=b )\n",
        )
        .run()
        .expect_status(1);
    run.check(expect![[r#"
        {"error": {"class": "NotSent", "desc": "the transaction was not sent, because one of its lines was wrong"}}
        {"return": {}}
        stderr: <stdin>:3: duplicate key `node`
        stderr:   block-dirty-bitmap-add node=n0 node=n0
        stderr:                                  ^^^^
        stderr: <stdin>:4: the transaction was not sent, because one of its lines was wrong
        status: 1
    "#]]);
    assert_eq!(bitmaps(&server), ["b"]);
}

#[test]
fn sends_a_block_as_one_request() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        for expected in [
            r#"{"actions":[{"type":"blockdev-snapshot-sync","data":{"device":"d","snapshot-file":"/s 1"}},{"type":"abort","data":{}}],"properties":{"completion-mode":"grouped"}}"#,
            r#"{"actions":[]}"#,
        ] {
            let request: serde_json::Value = serde_json::from_str(&conn.read_line()).unwrap();
            assert_eq!(request["execute"], "transaction");
            let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
            assert_eq!(request["arguments"], expected);
            conn.reply(&request["id"].to_string(), "{}");
        }
        conn.wait_for_close();
    });
    qmp_shell(&[&peer.address(), "--no-schema"])
        .input(
            "transaction(\nblockdev-snapshot-sync device=d snapshot-file='/s 1'\nabort\n) completion-mode=grouped\n\
             transaction( )\n",
        )
        .run()
        .expect_status(0);
}

#[test]
fn an_invalid_line_at_the_prompt_can_be_repeated() {
    let Some(server) = machine() else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    // A block on one line ends with the line.
    for line in [
        "transaction( block-dirty-bitmap-add nod=n0 name=a )",
        "transaction(",
        "block-dirty-bitmap-add node=n0 nam=a",
        "block-dirty-bitmap-add node=n0 name=a",
        "block-dirty-bitmap-add node=n0 nam=b )",
        ") completion-mode=groupd",
        ") completion-mode=individual",
    ] {
        terminal.run_line(line);
    }
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        (QEMU) transaction( block-dirty-bitmap-add nod=n0 name=a )
                                                   ^^^
        error: unknown key `nod` for `block-dirty-bitmap-add`; did you mean `node`?
        (QEMU) transaction(
        TRANS> block-dirty-bitmap-add node=n0 nam=a
                                              ^^^
        error: unknown key `nam` for `block-dirty-bitmap-add`; did you mean `name`?
        TRANS> block-dirty-bitmap-add node=n0 name=a
        TRANS> block-dirty-bitmap-add node=n0 nam=b )
                                              ^^^
        error: unknown key `nam` for `block-dirty-bitmap-add`; did you mean `name`?
        TRANS> ) completion-mode=groupd
                                 ^^^^^^
        error: unknown value `groupd` for `completion-mode`; did you mean `grouped`?
        TRANS> ) completion-mode=individual
        {}
        (QEMU)
    "#]]);
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert_eq!(bitmaps(&server), ["a"], "valid lines before and after an invalid one are kept");
}

#[test]
fn a_wrong_line_opens_its_block() {
    // The actions after it are not executed by themselves.
    let lines = "transaction( block-dirty-bitmap-add disk0\nabort\n)\ntransaction( block-dirty-bitmap-add disk0 )\n\
                 transaction(abort)\nquery-name\n";
    let run = qmp_shell(&["demo:"]).input(lines).run();
    run.check(expect![[r#"
        {"error": {"class": "NotSent", "desc": "the transaction was not sent, because one of its lines was wrong"}}
        {"error": {"class": "NotSent", "desc": "expected `key=value`, found `disk0`; it needs `node`, `name`"}}
        {"error": {"class": "NotSent", "desc": "expected spaces around the parentheses: `transaction( ACTION … )`"}}
        {"return": {}}
        stderr: <stdin>:1: expected `key=value`, found `disk0`; it needs `node`, `name`
        stderr:   transaction( block-dirty-bitmap-add disk0
        stderr:                                       ^^^^^
        stderr: <stdin>:3: the transaction was not sent, because one of its lines was wrong
        stderr: <stdin>:4: expected `key=value`, found `disk0`; it needs `node`, `name`
        stderr:   transaction( block-dirty-bitmap-add disk0 )
        stderr:                                       ^^^^^
        stderr: <stdin>:5: expected spaces around the parentheses: `transaction( ACTION … )`
        stderr:   transaction(abort)
        stderr:   ^^^^^^^^^^^^^^^^^^
        status: 1
    "#]]);
    let Some(terminal) = Terminal::qmp_shell("demo:") else { return };
    terminal.wait_for_last("(QEMU)");
    for line in ["transaction( block-dirty-bitmap-add disk0", "abort", ".history 3", ")", ".history 2"] {
        terminal.run_line(line);
    }
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at demo:. Tab completes, help explains, Ctrl-D leaves.
        (QEMU) transaction( block-dirty-bitmap-add disk0
                                                   ^^^^^
        error: expected `key=value`, found `disk0`; it needs `node`, `name`
        TRANS> abort
        TRANS> .history 3
            1  transaction( block-dirty-bitmap-add disk0
            2  .history 3
        TRANS> )
        GenericError: transaction aborted by action 'abort'
        (QEMU) .history 2
            3  transaction(
               abort
               )
            4  .history 2
        (QEMU)
    "#]]);
}

#[test]
fn reports_an_invalid_action_at_the_end_of_its_block() {
    // Its line was accepted before, so the error has no span.
    let lines = "transaction(\n.set check off\nabort x=1\n.set check on\n) kkké=1\nquery-name\n";
    let run = qmp_shell(&["demo:"]).input(lines).run().expect_status(1);
    run.check(expect![[r#"
        {"error": {"class": "NotSent", "desc": "unknown key `x` for `abort`; it takes no keys"}}
        {"return": {}}
        stderr: <stdin>:5: unknown key `x` for `abort`; it takes no keys
        stderr:   ) kkké=1
        stderr:   ^
        status: 1
    "#]]);
}
