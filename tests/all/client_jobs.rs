//! The client library waits for jobs and migrations, and knows how those ended that have gone.

use std::time::Duration;

use qmp_shell::{Client, Empty, JobError, MigrationError};
use serde_json::{Value, json};

use crate::support::peer::Peer;
use crate::support::server::{Q35, SMALL, Server};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Starts each kind of server that has jobs, with a disk, a place to copy it to, and one that fails all writes.
fn servers_with_disks() -> impl Iterator<Item = (Server, Client)> {
    let servers = [Server::qemu(SMALL), Server::qemu_7_2(SMALL), Server::storage_daemon()];
    servers.into_iter().flatten().map(|server| {
        let client = server.client();
        for node in ["disk", "copy"] {
            let null = json!({"driver": "null-co", "node-name": node, "size": 64 << 20});
            client.execute::<Empty>("blockdev-add", null).unwrap();
        }
        let errors = ["write", "write-zeroes"].map(|kind| json!({"event": "none", "once": false, "iotype": kind}));
        let image = json!({"driver": "null-co", "size": 64 << 20});
        let bad = json!({"driver": "blkdebug", "node-name": "bad", "image": image, "inject-error": errors});
        client.execute::<Empty>("blockdev-add", bad).unwrap();
        (server, client)
    })
}

fn start_backup(client: &Client, target: &str, speed: u64, auto_dismiss: bool) {
    let arguments = json!({
        "job-id": "j", "device": "disk", "target": target, "sync": "full", "speed": speed, "auto-dismiss": auto_dismiss,
    });
    client.execute::<Empty>("blockdev-backup", arguments).unwrap();
}

#[test]
fn a_wait_for_a_job_is_true_however_early_the_job_ends() {
    for (_server, client) in servers_with_disks() {
        start_backup(&client, "copy", 0, true);
        client.wait_for_job("j", TIMEOUT).unwrap();
        // It has gone for certain, and is remembered.
        assert_eq!(client.execute::<Value>("query-jobs", ()).unwrap(), json!([]));
        client.wait_for_job("j", Duration::ZERO).unwrap();
        // The id is used again, by a job that fails.
        for auto_dismiss in [true, false] {
            start_backup(&client, "bad", 0, auto_dismiss);
            for _ in 0..2 {
                let error = client.wait_for_job("j", TIMEOUT).unwrap_err();
                assert_eq!(error.to_string(), "job `j` failed: Input/output error");
                let JobError::Failed { reason, .. } = error else { panic!("{error:?}") };
                assert_eq!(reason.as_deref(), Some("Input/output error"));
            }
        }
        client.execute::<Empty>("job-dismiss", json!({"id": "j"})).unwrap();
        let create = json!({"driver": "file", "filename": "/nonexistent/x", "size": 1});
        client.execute::<Empty>("blockdev-create", json!({"job-id": "c", "options": create})).unwrap();
        let error = client.wait_for_job("c", TIMEOUT).unwrap_err();
        assert!(error.to_string().contains("'/nonexistent/x'"), "{error}");
        // Another client has seen no event, but the server still lists this one.
        client.close();
        let other = _server.client();
        assert_eq!(other.wait_for_job("c", TIMEOUT).unwrap_err().to_string(), error.to_string());
        assert_eq!(other.wait_for_job("j", TIMEOUT).unwrap_err().to_string(), "unknown job `j`");
    }
}

#[test]
fn a_job_can_be_cancelled_or_last_too_long() {
    for (_server, client) in servers_with_disks() {
        start_backup(&client, "copy", 1, true);
        let error = client.wait_for_job("j", Duration::from_millis(50)).unwrap_err();
        let JobError::TimedOut { status: Some(status), .. } = error else { panic!("{error:?}") };
        assert_eq!(status, "running");
        let mut progress = client.follow_job("j", Duration::from_secs(60));
        assert_eq!(progress.next().unwrap().unwrap().kind, "backup");
        client.execute::<Empty>("job-cancel", json!({"id": "j"})).unwrap();
        // Each change has an event, so the long interval does not matter.
        let last = progress.by_ref().last().unwrap();
        assert!(matches!(last, Err(JobError::Cancelled { .. })), "{last:?}");
        assert!(progress.next().is_none());
        assert!(matches!(client.wait_for_job("j", TIMEOUT), Err(JobError::Cancelled { .. })));
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let (peer, client) = Peer::with_client(|conn| {
        conn.expect_command("query-jobs");
        conn.expect_command("query-migrate");
        conn.wait_for_close();
    });
    let error = client.wait_for_job("j", Duration::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "job `j` has not ended in time; the server does not answer");
    let error = client.wait_for_migration(Duration::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "the migration has not ended in time; the server does not answer");
    client.close();
    assert!(matches!(client.wait_for_job("j", TIMEOUT), Err(JobError::Execute(_))));
    drop(peer);
}

#[test]
fn a_wait_for_a_migration_is_true() {
    for start in [Server::qemu, Server::qemu_7_2] {
        let Some(server) = start(Q35) else { return };
        let client = server.client();
        assert!(matches!(client.wait_for_migration(TIMEOUT), Err(MigrationError::NotStarted)));
        client.execute::<Empty>("migrate", json!({"uri": "unix:/nonexistent/socket"})).unwrap();
        let error = client.wait_for_migration(TIMEOUT).unwrap_err();
        assert!(error.to_string().ends_with("No such file or directory"), "{error}");
        let pause = json!({"capabilities": [{"capability": "pause-before-switchover", "state": true}]});
        client.execute::<Empty>("migrate-set-capabilities", pause).unwrap();
        client.execute::<Empty>("migrate", json!({"uri": "exec:cat > /dev/null"})).unwrap();
        let error = client.wait_for_migration(Duration::from_millis(300)).unwrap_err();
        assert!(matches!(error, MigrationError::TimedOut { status: Some(_) }), "{error:?}");
        let per_cent = client.follow_migration(Duration::from_millis(50)).find_map(|item| item.unwrap().per_cent());
        assert!(per_cent.is_some());
        client.execute::<Empty>("migrate_cancel", ()).unwrap();
        assert!(matches!(client.wait_for_migration(TIMEOUT), Err(MigrationError::Cancelled)));
    }
}
