//! `.wait job` and `.wait migration`, on which a script's exit status can rely: they fail if the job or the migration
//! fails, and say why.

use expect_test::expect;

use crate::support::jobs::{run_with_disks, servers_with_jobs};
use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::{Run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::snapshot;
use crate::support::terminal::Terminal;
use crate::support::wording;

#[test]
fn a_backup_that_fails_fails_the_script_with_its_error() {
    for server in servers_with_jobs() {
        let run = run_with_disks(
            &server,
            "blockdev-backup job-id=jf device=disk0 target=bad sync=full\n\
             .wait job jf\n\
             # It has gone, and still failed.\n\
             query-jobs\n\
             .wait job jf timeout=0\n",
        );
        snapshot::check(
            run.expect_status(1).stderr,
            expect![[r#"
                <stdin>:5: job `jf` failed: Input/output error
                <stdin>:8: job `jf` failed: Input/output error
            "#]],
        );
    }
}

#[test]
fn a_backup_that_succeeds_succeeds_however_late_it_is_waited_for() {
    for server in servers_with_jobs() {
        let run = run_with_disks(
            &server,
            "blockdev-backup job-id=j device=disk0 target=copy sync=full\n\
             .wait job j timeout=20\n\
             query-jobs\n\
             .wait job j timeout=0\n\
             # The id is used again, by a job that fails.\n\
             blockdev-backup job-id=j device=disk0 target=bad sync=full\n\
             .wait job j timeout=20\n\
             blockdev-backup job-id=j device=disk0 target=copy sync=full auto-dismiss=off\n\
             .wait job j timeout=20\n\
             .wait job j\n\
             job-dismiss id=j\n\
             .wait job j\n",
        );
        assert_eq!(run.stderr, "<stdin>:10: job `j` failed: Input/output error\n");
        assert_eq!(run.status, 1);
    }
}

#[test]
fn jobs_that_stay_until_they_are_dismissed_say_why_they_failed() {
    for server in servers_with_jobs() {
        let run = run_with_disks(
            &server,
            "blockdev-backup job-id=jf device=disk0 target=bad sync=full auto-dismiss=off\n\
             .wait job jf timeout=20\n\
             .wait job jf\n\
             job-dismiss id=jf\n\
             .wait job jf\n\
             blockdev-create job-id=jc options.driver=file options.filename=/nonexistent/x options.size=1\n\
             .wait job jc timeout=20\n\
             job-dismiss id=jc\n\
             .wait job jc\n",
        );
        snapshot::check(
            run.expect_status(1).stderr,
            expect![[r#"
                <stdin>:5: job `jf` failed: Input/output error
                <stdin>:6: job `jf` failed: Input/output error
                <stdin>:8: job `jf` failed: Input/output error
                <stdin>:10: job `jc` failed: Could not create '/nonexistent/x': No such file or directory
                <stdin>:12: job `jc` failed; it was dismissed before its error could be read
            "#]],
        );
    }
}

#[test]
fn a_cancelled_job_is_a_failure() {
    for server in servers_with_jobs() {
        let run = run_with_disks(
            &server,
            "blockdev-backup job-id=j device=disk0 target=copy sync=full speed=1\n\
             .wait job j timeout=0.2\n\
             job-cancel id=j\n\
             .wait job j timeout=20\n\
             blockdev-backup job-id=k device=disk0 target=copy sync=full speed=1 auto-dismiss=off\n\
             job-cancel id=k\n\
             .wait job k timeout=20\n",
        );
        snapshot::check(
            run.expect_status(1).stderr,
            expect![[r#"
                <stdin>:5: job `j` is still running (1 %) after 0.2 s
                <stdin>:7: job `j` was cancelled
                <stdin>:10: job `k` was cancelled
            "#]],
        );
    }
}

#[test]
fn a_job_that_needs_a_command_to_go_on_is_not_waited_for_in_silence() {
    let run = |server: Server| {
        run_with_disks(
            &server,
            "blockdev-backup job-id=p device=disk0 target=copy sync=full speed=1\n\
             job-pause id=p\n\
             .wait job p timeout=3\n\
             job-cancel id=p\n\
             .wait job p\n\
             blockdev-mirror job-id=m device=disk0 target=copy sync=full auto-finalize=off\n\
             .wait job m timeout=3\n\
             job-complete id=m\n\
             .wait job m timeout=3\n\
             job-finalize id=m\n\
             .wait job m\n",
        )
    };
    let running: Vec<_> = servers_with_jobs().map(|server| std::thread::spawn(move || run(server))).collect();
    for run in running {
        snapshot::check(
            run.join().unwrap().expect_status(1).stderr,
            expect![[r#"
                <stdin>:6: warning: job `p` is paused; it needs `job-resume id=p` to go on
                <stdin>:6: job `p` is still paused (1 %) after 3 s; it needs `job-resume id=p` to go on
                <stdin>:8: job `p` was cancelled
                <stdin>:10: warning: job `m` is ready; it needs `job-complete id=m` to go on
                <stdin>:10: job `m` is still ready (100 %) after 3 s; it needs `job-complete id=m` to go on
                <stdin>:12: warning: job `m` is pending; it needs `job-finalize id=m` to go on
                <stdin>:12: job `m` is still pending (100 %) after 3 s; it needs `job-finalize id=m` to go on
            "#]],
        );
    }
}

#[test]
fn a_mirror_is_awaited_until_it_can_be_completed() {
    for server in servers_with_jobs() {
        // A mirror does not write what was never written.
        std::fs::write(server.path("disk"), vec![b'x'; 1 << 20]).unwrap();
        let run = run_with_disks(
            &server,
            &format!(
                "blockdev-add driver=file node-name=data filename={}\n\
                 blockdev-add driver=null-co node-name=small size=1M\n\
                 blockdev-add driver=blkdebug node-name=full image=small inject-error.0.event=none \
                 inject-error.0.once=off inject-error.0.iotype=write\n\
                 blockdev-mirror job-id=f device=data target=full sync=full\n\
                 .wait job f status=ready timeout=20\n\
                 blockdev-backup job-id=b device=disk0 target=copy sync=full\n\
                 .wait job b status=ready timeout=20\n\
                 blockdev-mirror job-id=m device=disk0 target=copy sync=full\n\
                 .wait job m status=ready timeout=20\n\
                 job-complete id=m\n\
                 .wait job m timeout=20\n",
                server.path("disk")
            ),
        );
        snapshot::check(
            run.expect_status(1).stderr,
            expect![[r#"
                <stdin>:8: job `f` failed: Input/output error
                <stdin>:10: job `b` ended before it was ready
            "#]],
        );
    }
}

#[test]
fn a_job_of_the_demo_machine_can_be_waited_for() {
    let lines = "blockdev-add driver=null-co node-name=d size=1M\nblockdev-add driver=null-co node-name=copy size=1M\n\
                 blockdev-mirror job-id=m device=d target=copy sync=full\n.wait job m status=ready timeout=20\n\
                 job-complete id=m\n.wait job m timeout=20\n";
    let run = qmp_shell(&["--no-events", "demo:"]).input(lines).run().expect_status(0);
    assert_eq!(run.stderr, "");
}

#[test]
fn an_event_of_a_job_that_failed_ends_a_wait_with_a_warning() {
    for server in servers_with_jobs() {
        let run = run_with_disks(
            &server,
            "blockdev-backup job-id=a device=disk0 target=bad sync=full\n\
             .wait JOB_STATUS_CHANGE id=a status=null timeout=20\n\
             blockdev-backup job-id=b device=disk0 target=bad sync=full\n\
             .wait BLOCK_JOB_COMPLETED device=b timeout=20\n\
             blockdev-create job-id=c options.driver=file options.filename=/nonexistent/x options.size=1\n\
             .wait JOB_STATUS_CHANGE id=c status=concluded timeout=20\n\
             blockdev-backup job-id=d device=disk0 target=copy sync=full speed=1\n\
             job-cancel id=d\n\
             .wait JOB_STATUS_CHANGE id=d status=null timeout=20\n",
        );
        snapshot::check(
            run.expect_status(0).stderr,
            expect![[r#"
                <stdin>:5: warning: job `a` failed: Input/output error; `.wait job a` would fail
                <stdin>:7: warning: job `b` failed: Input/output error; `.wait job b` would fail
                <stdin>:9: warning: job `c` failed; `.wait job c` would fail
            "#]],
        );
    }
}

#[test]
fn mistakes_in_a_wait_for_a_job_are_pointed_at() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let lines = "blockdev-backup job-id=backup0 device=disk0 target=copy sync=full speed=1\n\
                 .wait job backpu0\n.wait job\n.wait job id=backup0\n.wait job backup0 status=raedy\n\
                 .wait job backup0 timeout=soon\n.wait job backup0 backup1\n.wait job backup0 timeout\n\
                 .wait migration timeout=soon\n.wait jobs backup0\n";
    snapshot::check(
        run_with_disks(&server, lines).expect_status(1).stderr,
        expect![[r#"
            <stdin>:5: unknown job `backpu0`; did you mean `backup0`?
            <stdin>:6: missing argument: expected the id of a job
              .wait job
                       ^
            <stdin>:7: expected the id of a job, found `id=backup0`; did you mean `backup0`?
              .wait job id=backup0
                        ^^^^^^^^^^
            <stdin>:8: expected one of `paused`, `pending`, `ready`, `standby`, found `raedy`
              .wait job backup0 status=raedy
                                       ^^^^^
            <stdin>:9: expected a number of seconds, found `soon`
              .wait job backup0 timeout=soon
                                        ^^^^
            <stdin>:10: expected `status=STATUS` or `timeout=SECONDS`, found `backup1`
              .wait job backup0 backup1
                                ^^^^^^^
            <stdin>:11: expected `status=STATUS` or `timeout=SECONDS`, found `timeout`
              .wait job backup0 timeout
                                ^^^^^^^
            <stdin>:12: expected a number of seconds, found `soon`
              .wait migration timeout=soon
                                      ^^^^
            <stdin>:13: expected `key=value`, found `backup0`
              .wait jobs backup0
                         ^^^^^^^
        "#]],
    );
}

#[test]
fn a_migration_that_fails_fails_the_script_without_events() {
    let qemus = [Server::qemu(Q35), Server::qemu_7_2(Q35)];
    for server in qemus.into_iter().flatten() {
        let lines = "\
            .wait migration\n\
            migrate uri=unix:/nonexistent/socket\n\
            .wait migration timeout=20\n\
            migrate uri='exec:cat > /dev/null'\n\
            .wait migration timeout=20\n\
            .wait migration timeout=0\n";
        let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(1);
        snapshot::check(
            run.stderr,
            expect![[r#"
                <stdin>:1: no migration has been started
                <stdin>:3: the migration failed: Failed to connect to '/nonexistent/socket': No such file or directory
            "#]],
        );
    }
}

#[test]
fn a_migration_that_needs_a_command_to_go_on_is_not_waited_for_in_silence() {
    let qemus = [Server::qemu(Q35), Server::qemu_7_2(Q35)];
    for server in qemus.into_iter().flatten() {
        let lines = "\
            migrate-set-capabilities capabilities.0.capability=pause-before-switchover capabilities.0.state=on\n\
            migrate uri='exec:cat > /dev/null'\n\
            .wait migration timeout=3\n\
            migrate_cancel\n\
            .wait migration timeout=20\n";
        let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(1);
        snapshot::check(
            run.stderr,
            expect![[r#"
                <stdin>:3: warning: the migration is pre-switchover; it needs `migrate-continue state=pre-switchover` to go on
                <stdin>:3: the migration is still pre-switchover (100 %) after 3 s; it needs `migrate-continue state=pre-switchover` to go on
                <stdin>:5: the migration was cancelled
            "#]],
        );
    }
}

#[test]
fn an_event_that_is_switched_off_is_not_waited_for_in_silence() {
    let qemus = [Server::qemu(SMALL), Server::qemu_7_2(SMALL)];
    for server in qemus.into_iter().flatten() {
        let lines = ".wait MIGRATION status=completed timeout=0.1\n\
                     migrate-set-capabilities capabilities.0.capability=events capabilities.0.state=on\n\
                     .wait migration status=completed timeout=0.1\n";
        let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(1);
        snapshot::check(
            run.stderr,
            expect![[r#"
                <stdin>:1: warning: migrations have events only with the capability `events`; `.wait migration` works without
                <stdin>:1: no event `MIGRATION status=completed` within 0.1 s
                <stdin>:3: no event `migration status=completed` within 0.1 s
            "#]],
        );
    }
}

#[test]
fn the_destination_of_a_migration_can_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", folder.path().join("m.sock").display());
    for start in [Server::qemu, Server::qemu_7_2] {
        let destination: Vec<&str> = Q35.iter().copied().chain(["-incoming", &socket]).collect();
        let (Some(source), Some(destination)) = (start(Q35), start(&destination)) else { return };
        let run = qmp_shell(&[&destination.address(), "-c", ".wait migration timeout=0.2"]).run().expect_status(1);
        assert_eq!(run.stderr, "-c:1: the migration is still setup after 0.2 s\n");
        let waiting = qmp_shell(&[&destination.address(), "-c", ".wait migration timeout=20"]).start();
        let lines = format!("migrate uri={socket}\n.wait migration timeout=20\n");
        qmp_shell(&[&source.address()]).input(lines).run().expect_status(0);
        let run = Run::from(waiting.wait_with_output().unwrap()).expect_status(0);
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn a_server_without_jobs_or_migration_is_named_as_such() {
    let Some(server) = Server::storage_daemon() else { return };
    let run = qmp_shell(&[&server.address(), "-c", ".wait migration"]).run().expect_status(1);
    snapshot::check(
        run.stderr,
        expect![[r#"
            -c:1: cannot wait for the migration: `query-migrate` failed: CommandNotFound: The command query-migrate has not been found
        "#]],
    );
}

/// Replies that there is one job, which is running.
fn reply_that_a_job_runs(conn: &mut PeerConnection) {
    let id = conn.expect_command("query-jobs");
    let job = r#"[{"id": "j", "type": "backup", "status": "running", "current-progress": 5, "total-progress": 10}]"#;
    conn.reply(&id, job);
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        conn.expect_command("query-jobs");
        conn.wait_for_close();
    });
    let run = qmp_shell(&[&peer.address(), "-c", ".wait job j timeout=0.1"]).run().expect_status(1);
    assert_eq!(run.stderr, "-c:1: cannot wait for job `j`: the server does not answer\n");
}

#[test]
fn a_connection_that_ends_meanwhile_is_not_a_success() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        reply_that_a_job_runs(conn);
    });
    let run = qmp_shell(&[&peer.address(), "-c", ".wait job j"]).run().expect_status(4);
    assert_eq!(run.stderr, "The server closed the connection.\n");
}

#[test]
fn ctrl_c_ends_a_wait_that_says_what_it_waits_for() {
    let Some(server) = Server::qemu(SMALL) else { return };
    run_with_disks(&server, "blockdev-backup job-id=j device=disk0 target=copy sync=full speed=1\n").expect_status(0);
    let Some(terminal) = Terminal::qmp_shell(&format!("--no-events {}", server.address())) else { return };
    for line in [".wait job j", ".wait STOP"] {
        terminal.wait_for_last("(QEMU)");
        terminal.enter(line);
        terminal.wait_for(wording::WAITING);
        terminal.wait("the notice", |screen| screen.trim_end().ends_with(wording::WAITING));
        terminal.press("C-c");
    }
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-name");
    terminal.wait_for("{}\n(QEMU)");
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        (QEMU) .wait job j
        Waiting for job `j`, which is running (1 %). Ctrl-C stops waiting.
        error: stopped waiting for job `j`
        (QEMU) .wait STOP
        Waiting for event `STOP`. Ctrl-C stops waiting.
        error: stopped waiting for event `STOP`
        (QEMU) query-name
        {}
        (QEMU)
    "#]]);
}

#[test]
fn a_job_that_ends_while_another_prompt_waits_is_reported_at_once() {
    let Some(server) = Server::qemu(SMALL) else { return };
    run_with_disks(&server, "").expect_status(0);
    let Some(terminal) = Terminal::qmp_shell(&format!("--no-events {}", server.address())) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("blockdev-backup job-id=j device=disk0 target=bad sync=full");
    terminal.wait_for("{}\n(QEMU)");
    terminal.enter(".wait job j");
    terminal.wait_for("job `j` failed: Input/output error\n(QEMU)");
}
