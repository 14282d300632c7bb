//! `.expect` and `.until`: conditions on what a command returns.

use expect_test::expect;

use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::qmp_shell;
use crate::support::server::{Q35, SMALL, Server, run_hmp_line};
use crate::support::snapshot;
use crate::support::terminal::Terminal;
use crate::support::wording;

#[test]
fn expectations_that_are_met_are_silent() {
    for server in [Server::qemu(Q35), Server::qemu_7_2(Q35)].into_iter().flatten() {
        let lines = "\
            blockdev-add driver=null-co node-name=disk0 size=1M\n\
            blockdev-add driver=null-co node-name=disk1 size=2M\n\
            .expect query-status status=prelaunch running=off\n\
            .expect query-named-block-nodes flat=on node-name=disk1 image.virtual-size=0x200000\n\
            .expect query-named-block-nodes flat=on | map(select(.drv == \"null-co\")) | length == 2\n\
            .expect query-named-block-nodes | .[] | select(.[\"node-name\"] == \"disk1\") ro=false drv=null-co\n\
            .expect query-block | length == 0\n\
            .expect query-block-jobs\n\
            .expect qom-get path=/machine property=type | . == \"pc-q35\" or startswith(\"pc-q35\")\n\
            .expect human-monitor-command command-line='info status' | test(\"paused\")\n\
            .expect qom-list /machine name=peripheral\n\
            .until query-status status=prelaunch every=0.1 timeout=5\n\
            .until query-status | .status == \"prelaunch\" timeout=5\n\
            .expect query-block | any(.[]; .x) | not; .expect query-status status=prelaunch; .expect query-name\n";
        let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(0);
        assert_eq!(run.stderr, "");
        assert_eq!(run.lines().len(), 2, "only replies to commands are printed: {run:?}");
    }
}

#[test]
fn expectations_that_are_not_met_show_what_was_there() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines = "\
        .expect query-status status=running\n\
        .expect query-status running=on status=prelaunch\n\
        .expect query-block-jobs device=j0\n\
        .expect query-status | .running\n\
        .expect query-block | .[]\n\
        .expect query-cpus-fast | .[0] cpu-index=1\n\
        .expect query-status | .status | keys\n\
        .expect qom-get path=/none property=x\n\
        .until query-status status=running every=0.05 timeout=0.1\n\
        .until query-status | .running timeout=0\n\
        .until qom-get path=/none property=x timeout=0.1\n";
    let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(1);
    assert_eq!(run.stdout, "");
    snapshot::check(
        run.stderr,
        expect![[r#"
        <stdin>:1: expected `status=running`, found `prelaunch`
          .expect query-status status=running
                               ^^^^^^^^^^^^^^
        <stdin>:2: expected `running=on`, found `false`
          .expect query-status running=on status=prelaunch
                               ^^^^^^^^^^
        <stdin>:3: expected `device=j0`, found an empty array
          .expect query-block-jobs device=j0
                                   ^^^^^^^^^
        <stdin>:4: the filter yields `false` for `{"status": "prelaunch", "running": false}`
          .expect query-status | .running
                                 ^^^^^^^^
        <stdin>:5: the filter yields nothing for `[]`
          .expect query-block | .[]
                                ^^^
        <stdin>:6: expected `cpu-index=1`, found `0`
          .expect query-cpus-fast | .[0] cpu-index=1
                                         ^^^^^^^^^^^
        <stdin>:7: cannot use "prelaunch" as iterable (array or object)
          .expect query-status | .status | keys
                                 ^^^^^^^^^^^^^^
        <stdin>:8: DeviceNotFound: Device '/none' not found
          .expect qom-get path=/none property=x
                  ^^^^^^^
        <stdin>:9: not within 0.1 s: expected `status=running`, found `prelaunch`
          .until query-status status=running every=0.05 timeout=0.1
                              ^^^^^^^^^^^^^^
        <stdin>:10: not within 0 s: the filter yields `false` for `{"status": "prelaunch", "running": false}`
          .until query-status | .running timeout=0
                                ^^^^^^^^
        <stdin>:11: not within 0.1 s: DeviceNotFound: Device '/none' not found
          .until qom-get path=/none property=x timeout=0.1
                 ^^^^^^^
    "#]],
    );
}

#[test]
fn mistakes_are_pointed_at() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines = "\
        .expect\n\
        .expect | .x\n\
        .expect query-statsu status=running\n\
        .expect query-status statsu=running\n\
        .expect query-status status=runing\n\
        .expect query-cpus-fast 0.props.core-di=1\n\
        .expect query-rx-filter nmae=x\n\
        .expect query-status | .status ==\n\
        .expect query-status | .status == \"running\" timeout=5 | foo\n\
        .expect query-status | foo(1)\n\
        .expect query-status |\n\
        .expect query-status status\n\
        .until query-status status=running timeout=soon\n\
        .until stop | .x\n\
        .until quit\n";
    let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(1);
    snapshot::check(
        run.stderr,
        expect![[r#"
        <stdin>:1: missing argument: expected a command
          .expect
                 ^
        <stdin>:2: expected a command
          .expect | .x
                      ^
        <stdin>:3: the server has no command `query-statsu`; did you mean `query-status`?
          .expect query-statsu status=running
                  ^^^^^^^^^^^^
        <stdin>:4: `query-status` has no key `statsu`, and returns no member `statsu`; did you mean `status`?
          .expect query-status statsu=running
                               ^^^^^^
        <stdin>:5: `status` has no value `runing`; did you mean `running`?
          .expect query-status status=runing
                                      ^^^^^^
        <stdin>:6: what `query-cpus-fast` returns has no member `core-di` there; did you mean `core-id`?
          .expect query-cpus-fast 0.props.core-di=1
                                  ^^^^^^^^^^^^^^^
        <stdin>:7: `query-rx-filter` has no key `nmae`, and returns no member `nmae`; did you mean `name`?
          .expect query-rx-filter nmae=x
                                  ^^^^
        <stdin>:8: expected a term such as `.name` at the end of the filter
          .expect query-status | .status ==
                                           ^
        <stdin>:9: expected the end of the filter, found `timeout`
          .expect query-status | .status == "running" timeout=5 | foo
                                                      ^^^^^^^
        <stdin>:10: unknown function `foo`; did you mean `floor`?
          .expect query-status | foo(1)
                                 ^^^
        <stdin>:11: expected a term such as `.name` at the end of the filter
          .expect query-status |
                                ^
        <stdin>:12: expected `key=value`, found `status`
          .expect query-status status
                               ^^^^^^
        <stdin>:13: expected a number of seconds, found `soon`
          .until query-status status=running timeout=soon
                                                     ^^^^
        <stdin>:14: `stop` may change something each time; `.until` repeats only commands that ask
          .until stop | .x
                 ^^^^
        <stdin>:15: `quit` may change something each time; `.until` repeats only commands that ask
          .until quit
                 ^^^^
    "#]],
    );
}

#[test]
fn without_introspection_conditions_come_after_the_filter() {
    let lines = "\
        .expect query-status | . status=prelaunch\n\
        .expect query-named-block-nodes flat=true\n\
        .until query-status | .running == false timeout=5\n";
    let Some(server) = Server::qemu(Q35) else { return };
    let run = qmp_shell(&["--no-schema", &server.address()]).input(lines).run().expect_status(0);
    assert_eq!(run.stderr, "");
}

/// Replies to `query-jobs` with an error, with other replies, and in the end with one that has a job that is ready.
fn become_ready(conn: &mut PeerConnection) {
    conn.negotiate();
    let id = conn.expect_command("query-jobs");
    conn.reply_error(Some(&id), "GenericError", "not yet");
    for reply in ["[]", r#"[{"id": "j0", "status": "running"}]"#, r#"[{"id": "j0", "status": "ready"}]"#] {
        let id = conn.expect_command("query-jobs");
        conn.reply(&id, reply);
    }
    conn.wait_for_close();
}

#[test]
fn until_asks_again_until_it_is_true() {
    for condition in ["| . id=j0 status=ready", "| any(.[]; .status == \"ready\")", "| .[0] | .status == \"ready\""] {
        let peer = Peer::start(become_ready);
        let line = format!(".until query-jobs {condition} every=0.01 timeout=60");
        let run = qmp_shell(&["--no-schema", &peer.address(), "-c", &line]).run().expect_status(0);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""), "{condition}");
    }
    // An event makes it ask at once.
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("query-status");
        conn.reply(&id, r#"{"running": false}"#);
        conn.send_event("RESUME", "{}");
        let id = conn.expect_command("query-status");
        conn.reply(&id, r#"{"running": true}"#);
        conn.wait_for_close();
    });
    let line = ".until query-status | .running every=1000";
    qmp_shell(&["--no-schema", "--no-events", &peer.address(), "-c", line]).run().expect_status(0);
}

#[test]
fn until_repeats_a_command_until_it_succeeds() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let lines = "\
        blockdev-add driver=null-co node-name=disk0 size=64M\n\
        blockdev-add driver=null-co node-name=copy size=64M\n\
        blockdev-backup job-id=j device=disk0 target=copy sync=full speed=64M\n\
        # It is in use until the job has ended.\n\
        .until blockdev-del node-name=disk0 every=0.1 timeout=30\n\
        .expect query-named-block-nodes | map(select(.[\"node-name\"] == \"disk0\")) == []\n";
    let run = qmp_shell(&["--no-events", &server.address()]).input(lines).run().expect_status(0);
    assert_eq!(run.stderr, "");
}

#[test]
fn a_server_that_has_gone_or_does_not_answer_is_named() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("query-status");
        conn.reply(&id, "{}");
    });
    let line = ".until query-status | .running every=0.01";
    let run = qmp_shell(&["--no-schema", &peer.address(), "-c", line]).run().expect_status(4);
    assert!(run.stderr.starts_with("The server closed the connection"), "{run:?}");
    let peer = Peer::start(|conn| {
        conn.negotiate();
        conn.expect_command("query-status");
        conn.wait_for_close();
    });
    let line = ".until query-status | .running timeout=0";
    let run = qmp_shell(&["--no-schema", &peer.address(), "-c", line]).run().expect_status(1);
    assert_eq!(run.stderr, "-c:1: cannot wait for `query-status`: the server does not answer\n");
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("query-foo");
        conn.reply_error(Some(&id), "CommandNotFound", "no such command");
        conn.wait_for_close();
    });
    let run = qmp_shell(&["--no-schema", &peer.address(), "-c", ".until query-foo | .x"]).run().expect_status(1);
    assert!(run.stderr.contains("CommandNotFound: no such command"), "{run:?}");
}

#[test]
fn a_prompt_shows_what_is_there_and_can_be_interrupted() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("--no-events {}", server.address())) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".until query-status status=running");
    terminal.wait_for(wording::WAITING);
    terminal.wait_for("expected `status=running`, found `prelaunch`");
    run_hmp_line(&server.path("hmp.sock"), "cont");
    terminal.wait_for_last("(QEMU)");
    assert!(!terminal.screen().contains("found `prelaunch`"), "{}", terminal.screen());
    terminal.enter(".until query-status | .status == \"paused\"");
    terminal.wait_for("the filter yields `false` for `{\"status\": \"running\", \"running\": true}`");
    terminal.press("C-c");
    terminal.wait_for("error: stopped waiting for `query-status`\n(QEMU)");
    // A filter that does not end. The key may come before the reply, which the filter needs.
    while !terminal.screen().contains("error: the filter was interrupted") {
        terminal.enter(".expect query-status | last(repeat(.))");
        terminal.wait("the line without a prompt after it", |screen| screen.trim_end().ends_with("last(repeat(.))"));
        terminal.press("C-c");
        terminal.wait_for_last("(QEMU)");
    }
    terminal.enter(".expect query-status status=paused");
    terminal.wait_for(
        "                            ^^^^^^^^^^^^^\nerror: expected `status=paused`, found `running`\n(QEMU)",
    );
}
