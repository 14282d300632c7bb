//! `.follow`, whose status and messages are true whenever a job ends, and whose lines are alive at a prompt.

use expect_test::expect;

use crate::support::jobs::{run_with_disks, servers_with_jobs};
use crate::support::peer::Peer;
use crate::support::program::{Run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server, run_hmp_line};
use crate::support::skip::skip;
use crate::support::snapshot;
use crate::support::terminal::Terminal;
use crate::support::wording;

/// Runs lines as a script after the lines that make disks, another one among them.
fn run_with_two_disks(server: &Server, lines: &str) -> Run {
    run_with_disks(server, &format!("blockdev-add driver=null-co node-name=disk1 size=64M\n{lines}"))
}

/// Returns standard error without the lines about progress, of which a fast job has none.
fn without_progress(run: &Run) -> String {
    let is_progress = |line: &str| line.contains(" %") || line.contains("): ") || line.starts_with("migration: ");
    run.stderr.lines().filter(|line| !is_progress(line)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_status_is_true_however_early_a_job_ends() {
    for server in servers_with_jobs() {
        let run = run_with_two_disks(
            &server,
            "# Each job is dismissed automatically, perhaps before the first look.\n\
             blockdev-backup job-id=j device=disk0 target=copy sync=full\n\
             .follow j\n\
             .follow j\n\
             blockdev-backup job-id=jf device=disk0 target=bad sync=full\n\
             .follow jf\n\
             blockdev-backup job-id=jf device=disk0 target=bad sync=full\n\
             .follow\n\
             # These stay.\n\
             blockdev-backup job-id=jd device=disk0 target=bad sync=full auto-dismiss=off\n\
             .follow jd\n\
             job-dismiss id=jd\n\
             blockdev-create job-id=jc options.driver=file options.filename=/nonexistent/x options.size=1\n\
             .follow all\n\
             job-dismiss id=jc\n\
             .follow jx\n\
             query-jobs\n\
             .follow\n",
        );
        snapshot::check(
            without_progress(&run.expect_status(1)),
            expect![[r#"
            Job `j` has completed.
            Job `j` has completed.
            <stdin>:10: job `jf` failed: Input/output error
            <stdin>:12: job `jf` failed: Input/output error
            <stdin>:15: job `jd` failed: Input/output error
            <stdin>:18: job `jc` failed: Could not create '/nonexistent/x': No such file or directory
            <stdin>:20: unknown job `jx`
            There is no job, and no migration under way.
        "#]],
        );
    }
}

#[test]
fn several_jobs_are_followed_to_their_ends() {
    for server in servers_with_jobs() {
        let run = run_with_two_disks(
            &server,
            "blockdev-backup job-id=j0 device=disk0 target=copy sync=full\n\
             blockdev-backup job-id=j1 device=disk1 target=bad sync=full\n\
             .follow j0 j1\n",
        );
        let stderr = without_progress(&run.expect_status(1));
        assert!(stderr.contains("Job `j0` has completed.\n"), "{stderr}");
        assert!(stderr.contains("<stdin>:7: job `j1` failed: Input/output error\n"), "{stderr}");
    }
}

#[test]
fn a_job_that_waits_for_a_command_is_followed_until_then() {
    for server in servers_with_jobs() {
        let run = run_with_two_disks(
            &server,
            "blockdev-mirror job-id=m device=disk0 target=copy sync=full\n\
             .follow m\n\
             job-complete id=m\n\
             .follow m\n\
             blockdev-backup job-id=p device=disk1 target=disk0 sync=full auto-finalize=off\n\
             .follow\n\
             job-finalize id=p\n\
             .follow p\n\
             blockdev-backup job-id=c device=disk1 target=disk0 sync=full speed=1\n\
             job-cancel id=c\n\
             .follow c\n",
        );
        snapshot::check(
            without_progress(&run.expect_status(1)),
            expect![[r#"
            Job `m` is ready; it needs `job-complete id=m` to go on.
            Job `m` has completed.
            Job `p` is pending; it needs `job-finalize id=p` to go on.
            Job `p` has completed.
            <stdin>:15: job `c` was cancelled
        "#]],
        );
    }
}

#[test]
fn commit_and_stream_are_followed() {
    for server in servers_with_jobs() {
        let create = |name: &str| {
            let path = server.path(name);
            format!(
                "blockdev-create job-id=c options.driver=file options.filename={path} options.size=0\n\
                 .follow c\n\
                 job-dismiss id=c\n\
                 blockdev-add driver=file node-name={name}-file filename={path}\n\
                 blockdev-create job-id=f options.driver=qcow2 options.file={name}-file options.size=1M\n\
                 .follow f\n\
                 job-dismiss id=f\n"
            )
        };
        let lines = [
            &create("base"),
            &create("top"),
            "blockdev-add driver=qcow2 node-name=base file=base-file\n\
             blockdev-add driver=qcow2 node-name=top file=top-file backing=base\n\
             block-commit job-id=commit device=top top-node=top base-node=base\n\
             .follow commit\n\
             job-cancel id=commit\n\
             .wait job commit\n\
             block-stream job-id=stream device=top\n\
             .follow stream\n",
        ];
        let run = run_with_two_disks(&server, &lines.concat());
        snapshot::check(
            without_progress(&run.expect_status(1)),
            expect![[r#"
            Job `c` has completed.
            Job `f` has completed.
            Job `c` has completed.
            Job `f` has completed.
            Job `commit` is ready; it needs `job-complete id=commit` to go on.
            <stdin>:24: job `commit` was cancelled
            Job `stream` has completed.
        "#]],
        );
    }
}

#[test]
fn a_script_tells_the_progress_on_standard_error() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let run = run_with_two_disks(
        &server,
        "blockdev-backup job-id=slow device=disk0 target=copy sync=full speed=32M\n\
         .follow slow\n",
    )
    .expect_status(0);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines.len() > 1 && lines[0].starts_with("slow (backup): "), "{run:?}");
    assert_eq!(lines[lines.len() - 1], "Job `slow` has completed.");
    assert!(!run.stdout.contains("slow"), "standard output has only replies: {run:?}");
}

#[test]
fn a_lost_connection_is_not_a_success() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("query-jobs");
        let job =
            r#"[{"id": "j", "type": "backup", "status": "running", "current-progress": 5, "total-progress": 10}]"#;
        conn.reply(&id, job);
    });
    let run = qmp_shell(&[&peer.address(), "-c", ".follow j"]).run().expect_status(4);
    assert_eq!(run.stderr, "j (backup): 50 %\nThe server closed the connection.\n");
}

#[test]
fn mistakes_are_pointed_at() {
    let Some(server) = Server::qemu(SMALL) else { return };
    run_with_two_disks(&server, "blockdev-backup job-id=backup0 device=disk0 target=copy sync=full speed=1\n")
        .expect_status(0);
    let lines = ".follow id=backup0\n.follow bakup0\n.follow migration\n";
    let run = qmp_shell(&["--no-events", &server.address()]).input(lines).run().expect_status(1);
    snapshot::check(
        run.stderr,
        expect![[r#"
        <stdin>:1: expected the id of a job, found `id=backup0`; did you mean `backup0`?
          .follow id=backup0
                  ^^^^^^^^^^
        <stdin>:2: unknown job `bakup0`; did you mean `backup0`?
        <stdin>:3: no migration has been started
    "#]],
    );
}

#[test]
fn migrations_are_followed_to_their_end() {
    for start in [Server::qemu, Server::qemu_7_2] {
        let Some(server) = start(Q35) else { return };
        let lines = "\
            .follow\n\
            migrate uri=unix:/nonexistent/socket\n\
            .follow migration\n\
            migrate-set-capabilities capabilities.0.capability=pause-before-switchover capabilities.0.state=on\n\
            migrate uri='exec:cat > /dev/null'\n\
            .follow migration\n\
            migrate_cancel\n\
            .follow migration\n\
            .follow\n";
        let run = qmp_shell(&["--no-events", &server.address()]).input(lines).run().expect_status(1);
        snapshot::check(
            without_progress(&run),
            expect![[r#"
                There is no job, and no migration under way.
                <stdin>:3: the migration failed: Failed to connect to '/nonexistent/socket': No such file or directory
                The migration is pre-switchover; it needs `migrate-continue state=pre-switchover` to go on.
                <stdin>:8: the migration was cancelled
                There is no job, and no migration under way.
            "#]],
        );
        let Some(server) = start(Q35) else { return };
        let lines = "\
            migrate uri='exec:cat > /dev/null'\n\
            .follow\n\
            .follow migration\n";
        let run = qmp_shell(&["--no-events", &server.address()]).input(lines).run().expect_status(0);
        assert!(run.stderr.ends_with("The migration has completed.\n"), "{run:?}");
    }
}

#[test]
fn a_migration_in_postcopy_is_followed_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("unix:{}", folder.path().join("m.sock").display());
    for start in [Server::qemu, Server::qemu_7_2] {
        let destination = [Q35, &["-incoming", &uri]].concat();
        let (Some(source), Some(destination)) = (start(Q35), start(&destination)) else { return };
        let postcopy = "migrate-set-capabilities capabilities.0.capability=postcopy-ram capabilities.0.state=on";
        let prepared = qmp_shell(&[&destination.address(), "-c", postcopy]).run();
        if prepared.status != 0 {
            skip("userfaultfd, which postcopy needs");
            return;
        }
        let waiting = qmp_shell(&["--no-events", &destination.address(), "-c", ".follow migration"]).start();
        let lines = format!(
            "{postcopy}\n\
             migrate uri={uri}\n\
             .until query-migrate | .status != \"setup\" every=0.01 timeout=20\n\
             migrate-start-postcopy\n\
             .follow migration\n"
        );
        let run = qmp_shell(&["--no-events", &source.address()]).input(lines).run().expect_status(0);
        assert!(run.stderr.ends_with("The migration has completed.\n"), "{run:?}");
        let run = Run::from(waiting.wait_with_output().unwrap()).expect_status(0);
        assert!(run.stderr.ends_with("The migration has completed.\n"), "{run:?}");
    }
}

#[test]
fn a_prompt_shows_a_live_line_and_events_above_it() {
    let Some(server) = Server::qemu(&[Q35, &["-S"]].concat()) else { return };
    let lines = "\
        blockdev-backup job-id=j0 device=disk0 target=copy sync=full speed=1M\n\
        blockdev-mirror job-id=j1 device=disk1 target=bad sync=full speed=2M on-target-error=ignore\n";
    run_with_two_disks(&server, lines).expect_status(0);
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".follow j0 j1");
    let is_alive =
        |screen: &str| screen.contains("j0 (backup)  █") && screen.contains("/s ") && screen.contains(" left");
    terminal.wait("the lines", is_alive);
    run_hmp_line(&server.path("hmp.sock"), "cont");
    let screen = terminal.wait("the event above the lines", |screen| screen.contains("RESUME") && is_alive(screen));
    let place = |text: &str| screen.find(text).unwrap_or_else(|| panic!("{text}: {screen}"));
    assert!(place("(QEMU) .follow") < place("RESUME") && place("RESUME") < place("j0 (backup)"), "{screen}");
    assert!(place("j0 (backup)") < place("j1 (mirror)"), "{screen}");
    for columns in [50, 30, 120] {
        terminal.resize(columns, 40);
        terminal.wait("one line for each job", |screen| {
            // Of the lines before, rows may be left: tmux tells the program of its new size late.
            let lines: Vec<&str> = screen.trim_end().lines().rev().take(2).collect();
            let is_wide = |line: &str| line.contains('░') && line.contains(" left");
            let is_of_job = |line: &str, name: &str| {
                line.starts_with(name) && line.contains(" %") && is_wide(line) == (columns >= 120)
            };
            is_of_job(lines[0], "j1 (mirror)") && is_of_job(lines[1], "j0 (backup)")
        });
    }
    terminal.press("C-c");
    terminal.wait_for("Stopped following; job `j0`, job `j1` go on in the server.\n(QEMU)");
    terminal.enter("job-cancel id=j1");
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".follow j1");
    terminal.wait_for(&format!("{}job `j1` was cancelled\n(QEMU)", wording::ERROR));
    let screen = terminal.screen();
    assert!(!screen.contains('█'), "{screen}");
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let Some(server) = Server::qemu(SMALL) else { return };
    run_with_two_disks(&server, "blockdev-backup job-id=j0 device=disk0 target=copy sync=full speed=1M\n")
        .expect_status(0);
    let shell = env!("CARGO_BIN_EXE_qmp-shell");
    let command = format!("TERM=dumb {shell} --no-events {}", server.address());
    let Some(terminal) = Terminal::start(&command, 100, 40) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".follow");
    terminal.wait("two lines", |screen| screen.matches("j0 (backup): ").count() >= 2 && screen.contains("/s, "));
    terminal.press("C-c");
    terminal.wait_for("Stopped following; job `j0` goes on in the server.");
}

#[test]
fn a_job_that_begins_meanwhile_is_followed_too() {
    let job = |id: &str, status: &str| {
        format!(
            r#"{{"id": "{id}", "type": "backup", "status": "{status}", "current-progress": 5, "total-progress": 10}}"#
        )
    };
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let id = conn.expect_command("query-jobs");
        conn.reply(&id, &format!("[{}]", job("a", "running")));
        let id = conn.expect_command("query-migrate");
        conn.reply_error(Some(&id), "CommandNotFound", "none");
        conn.send_event("JOB_STATUS_CHANGE", r#"{"id": "b", "status": "created"}"#);
        let id = conn.expect_command("query-jobs");
        conn.send_event("JOB_STATUS_CHANGE", r#"{"id": "a", "status": "null"}"#);
        conn.reply(&id, &format!("[{}]", job("b", "running")));
        let id = conn.expect_command("query-jobs");
        conn.send_event("BLOCK_JOB_COMPLETED", r#"{"device": "b", "error": "No space left on device"}"#);
        conn.send_event("JOB_STATUS_CHANGE", r#"{"id": "b", "status": "null"}"#);
        conn.reply(&id, "[]");
        conn.wait_for_close();
    });
    let run = qmp_shell(&["--no-events", &peer.address(), "-c", ".follow"]).run().expect_status(1);
    assert_eq!(run.stderr, "a (backup): 50 %\nJob `a` has completed.\n-c:1: job `b` failed: No space left on device\n");
}
