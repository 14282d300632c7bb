//! `transaction(` … `)`: several actions in one request, all of them or none.

use crate::support::peer::Peer;
use crate::support::program::qmp_shell;
use crate::support::server::{Q35, Server};
use crate::support::terminal::Terminal;

/// A machine with one block node, `n0`.
fn machine() -> Option<Server> {
    let server = Server::qemu(Q35)?;
    let run = qmp_shell(&["-c", "blockdev-add driver=null-co node-name=n0 size=1048576", &server.address()]).run();
    assert_eq!(run.expect_status(0).lines(), [r#"{"return": {}}"#]);
    Some(server)
}

/// The bitmaps of `n0`, in order.
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
fn a_block_at_the_prompt_succeeds_fails_as_a_whole_or_is_abandoned() {
    let Some(server) = machine() else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");

    terminal.enter("transaction(");
    terminal.wait_for_last("TRANS>");
    terminal.enter("block-dirty-bitmap-add node=n0 name=a");
    terminal.enter("block-dirty-bitmap-add node=n0 name=\"b c\" granularity=65536 # the second");
    terminal.enter(")");
    terminal.wait_for("\nTRANS> )\n{}\n(QEMU)");

    // The second action cannot be done, so the first is undone.
    terminal.enter("transaction(");
    terminal.enter("block-dirty-bitmap-add node=n0 name=c");
    terminal.enter("block-dirty-bitmap-add node=nosuch name=d");
    terminal.enter(")");
    terminal.wait_for("\nGenericError: Cannot find device='nosuch' nor node-name='nosuch'\n(QEMU)");

    // A line that is wrong is reported, and typed again.
    terminal.enter("transaction(");
    terminal.enter("block-dirty-bitmap-add node=n0 node=n0");
    terminal.wait_for("\nerror: key `node` is given twice\nTRANS>");
    terminal.enter("block-dirty-bitmap-add node=n0 name=e");
    terminal.enter(") completion-mode=individual");
    terminal.wait_for("\nTRANS> ) completion-mode=individual\n{}\n(QEMU)");

    // Ctrl-C clears a line that holds something, and drops the block all the same.
    terminal.enter("transaction(");
    terminal.enter("block-dirty-bitmap-add node=n0 name=f");
    terminal.type_text("block-dirty-bitmap-add node=n0 na");
    terminal.wait("the line, and behind it the hint", |screen| {
        screen.ends_with("TRANS> block-dirty-bitmap-add node=n0 name= [granularity=] [persistent=] [disabled=]")
    });
    terminal.press("C-c");
    terminal.wait_for("The transaction is dropped; nothing was sent.\n(QEMU)");
    terminal.enter("transaction( block-dirty-bitmap-add node=n0 name=g )");
    terminal.wait_for("name=g )\n{}\n(QEMU)");

    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert_eq!(bitmaps(&server), ["a", "b c", "e", "g"]);
}

#[test]
fn a_pasted_block_with_a_wrong_line_is_not_sent_without_it() {
    let Some(server) = machine() else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    let block = "transaction(\nblock-dirty-bitmap-add node=n0 nmae=a\nblock-dirty-bitmap-add node=n0 name=b\n)";
    terminal.paste(block);
    terminal.press("Enter");
    terminal.wait_for("has no key `nmae`; did you mean `name`?");
    terminal.wait_for("error: the transaction was not sent: a line of it was wrong\n(QEMU)");
    // It comes back whole, to be mended.
    terminal.press("C-l");
    terminal.press("Up");
    terminal.wait(block, |screen| screen == format!("(QEMU) {block}"));
    terminal.press("C-c");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert_eq!(bitmaps(&server), [""; 0]);
}

#[test]
fn leaving_in_the_middle_of_a_block_sends_nothing() {
    let Some(server) = machine() else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("transaction(");
    terminal.enter("block-dirty-bitmap-add node=n0 name=a");
    terminal.wait_for_last("TRANS>");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert_eq!(bitmaps(&server), [""; 0]);
}

#[test]
fn a_script_has_blocks_of_one_line_and_of_several() {
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
fn a_wrong_line_in_a_script_spoils_its_block() {
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
    assert_eq!(
        run.lines(),
        [
            r#"{"error": {"class": "NotSent", "desc": "the transaction was not sent: a line of it was wrong"}}"#,
            r#"{"return": {}}"#,
        ]
    );
    assert!(run.stderr.contains(":3: key `node` is given twice"), "{}", run.stderr);
    assert!(run.stderr.contains(":4: the transaction was not sent"), "{}", run.stderr);
    assert_eq!(bitmaps(&server), ["b"]);
}

#[test]
fn what_is_sent_is_one_request() {
    let peer = Peer::start(|talk| {
        talk.negotiate();
        for expected in [
            r#"{"actions":[{"type":"blockdev-snapshot-sync","data":{"device":"d","snapshot-file":"/s 1"}},{"type":"abort","data":{}}],"properties":{"completion-mode":"grouped"}}"#,
            r#"{"actions":[]}"#,
        ] {
            let request: serde_json::Value = serde_json::from_str(&talk.hear()).unwrap();
            assert_eq!(request["execute"], "transaction");
            let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
            assert_eq!(request["arguments"], expected);
            talk.answer(&request["id"].to_string(), "{}");
        }
        talk.wait_for_close();
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
fn at_a_prompt_a_wrong_line_is_typed_again_and_the_block_stays() {
    let Some(server) = machine() else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    // One on a line of its own is over with it.
    terminal.enter("transaction( block-dirty-bitmap-add nod=n0 name=a )");
    terminal.wait_for("has no key `nod`; did you mean `node`?\n(QEMU)");
    terminal.enter("transaction(");
    terminal.wait_for_last("TRANS>");
    terminal.enter("block-dirty-bitmap-add node=n0 nam=a");
    terminal.wait_for("has no key `nam`; did you mean `name`?\nTRANS>");
    terminal.enter("block-dirty-bitmap-add node=n0 name=a");
    terminal.wait_for_last("TRANS>");
    terminal.enter("block-dirty-bitmap-add node=n0 nam=b )");
    terminal.wait("the second caret", |screen| {
        screen.matches("\nerror: `block-dirty-bitmap-add` has no key `nam`").count() == 2
            && screen.ends_with("\nTRANS>")
    });
    terminal.enter(") completion-mode=groupd");
    terminal.wait_for("has no value `groupd`; did you mean `grouped`?\nTRANS>");
    terminal.enter(") completion-mode=individual");
    terminal.wait_for("individual\n{}\n(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert_eq!(bitmaps(&server), ["a"], "what was right before a wrong line was kept, and nothing else");
}

#[test]
fn an_action_that_is_found_wrong_at_the_end_is_named_without_a_place() {
    // Its line was taken as it was, and is not the one that is refused.
    let lines = "transaction(\n.set check off\nabort x=1\n.set check on\n) kkké=1\nquery-name\n";
    let run = qmp_shell(&["demo:"]).input(lines).run().expect_status(1);
    let refused = r#"{"error": {"class": "NotSent", "desc": "`abort` has no key `x`; it takes no keys"}}"#;
    assert_eq!(run.lines(), [refused, r#"{"return": {"name": "demo"}}"#]);
    assert!(run.stderr.starts_with("<stdin>:5: `abort` has no key `x`"), "{}", run.stderr);
}
