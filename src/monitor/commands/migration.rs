//! Migration: starting, following and steering it.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{flag, switch, text};
use super::super::server::Failure;
use super::super::text::{is_true, items, on_off, string, unsigned};

/// The interval at which a migration is followed.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

pub(super) const COMMANDS: &[Command] = &[
    Command::new("info migrate_capabilities", &[], "the capabilities of migration, on or off", info_capabilities),
    Command::new(
        "migrate",
        &[
            flag('d', "detach"),
            flag('b', "blk").mirroring("migrate", "blk"),
            flag('i', "inc").mirroring("migrate", "inc"),
            flag('r', "resume"),
            text("uri"),
        ],
        "migrate the machine, and wait until it has moved unless -d is given",
        migrate,
    ),
    Command::new("migrate_cancel", &[], "cancel the migration", |call| call.execute("migrate_cancel", Value::Null)),
    Command::new("migrate_continue", &[text("state")], "continue a migration that pauses in a state", migrate_continue),
    Command::new("migrate_incoming", &[text("uri")], "wait for a migration, after -incoming defer", migrate_incoming),
    Command::new("migrate_pause", &[], "pause a migration after copying on demand began", |call| {
        call.execute("migrate-pause", Value::Null)
    }),
    Command::new("migrate_recover", &[text("uri")], "wait for the rest of a paused migration", |call| {
        let uri = call.arguments.text("uri").to_owned();
        call.execute("migrate-recover", json!({ "uri": uri }))
    }),
    Command::new(
        "migrate_set_capability",
        &[text("capability"), switch("state")],
        "switch a capability of migration",
        set_capability,
    ),
    Command::new(
        "migrate_start_postcopy",
        &[],
        "start the guest at the destination, and copy the rest on demand",
        |call| call.execute("migrate-start-postcopy", Value::Null),
    ),
    Command::new("x_colo_lost_heartbeat", &[], "tell COLO that its peer is lost", |call| {
        call.execute("x-colo-lost-heartbeat", Value::Null)
    }),
];

fn migrate(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let given = |name: &str| call.arguments.is_on(name).then_some(true);
    let arguments = json!({
        "uri": call.arguments.text("uri"),
        "blk": given("blk"),
        "inc": given("inc"),
        "resume": given("resume"),
    });
    let is_detached = call.arguments.is_on("detach");
    call.execute("migrate", arguments)?;
    if is_detached {
        return Ok(String::new());
    }
    let result = follow(call);
    if matches!(result, Err(Failure::Interrupted)) {
        call.server.show_notice(
            "The migration goes on in the server. `.wait migration` waits for it, `migrate_cancel` cancels it.",
        );
    }
    result
}

/// Waits until a migration no longer copies. Returns the failure of one that did not succeed.
fn follow(call: &mut Invocation<'_>) -> Result<String, Failure> {
    loop {
        let migration = call.query("query-migrate", Value::Null)?;
        match string(&migration, "status") {
            "setup" | "active" | "device" | "wait-unplug" | "cancelling" => {}
            "failed" => {
                let reason = migration.get("error-desc").and_then(Value::as_str);
                return Err(Failure::error(reason.unwrap_or("the migration failed")));
            }
            "cancelled" => return Err(Failure::error("the migration was cancelled")),
            _ => return Ok(String::new()),
        }
        call.server.show_progress(&progress(&migration));
        call.server.pause(POLL_INTERVAL)?;
    }
}

fn progress(migration: &Value) -> String {
    let (total, remaining) = (unsigned(&migration["ram"], "total"), unsigned(&migration["ram"], "remaining"));
    let status = string(migration, "status");
    match total.saturating_sub(remaining).saturating_mul(100).checked_div(total) {
        Some(percent) => format!("migration {status}: {percent} % of the memory copied"),
        None => format!("migration {status}"),
    }
}

fn migrate_incoming(call: &mut Invocation<'_>) -> Result<String, Failure> {
    // Without it, QEMU ends if the migration fails; older ones always do.
    let exit_on_error = call.takes_argument("migrate-incoming", "exit-on-error").then_some(false);
    let uri = call.arguments.text("uri").to_owned();
    call.execute("migrate-incoming", json!({ "uri": uri, "exit-on-error": exit_on_error }))
}

fn migrate_continue(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let state = call.arguments.text("state").to_owned();
    call.execute("migrate-continue", json!({ "state": state })).map_err(Failure::with_reworded_value)
}

fn set_capability(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let capability = json!({ "capability": call.arguments.text("capability"), "state": call.arguments.is_on("state") });
    let arguments = json!({ "capabilities": [capability] });
    call.execute("migrate-set-capabilities", arguments).map_err(Failure::with_reworded_value)
}

fn info_capabilities(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-migrate-capabilities", Value::Null)?;
    let line = |one: &Value| format!("{}: {}\n", string(one, "capability"), on_off(is_true(one, "state")));
    Ok(items(&reply).iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::super::super::scripted_server::ScriptedServer;

    #[test]
    fn a_migration_is_followed_until_it_ends() {
        let active = json!({"status": "active", "ram": {"total": 400, "remaining": 100}});
        let server = ScriptedServer::default()
            .reply("migrate", json!({}))
            .reply("query-migrate", json!({"status": "setup"}))
            .reply("query-migrate", active.clone())
            .reply("query-migrate", json!({"status": "failed", "error-desc": "no space"}));
        expect![[r#"
            migrate {"uri":"exec:false"}
            query-migrate
            progress: migration setup
            query-migrate
            progress: migration active: 75 % of the memory copied
            query-migrate
            failure: Error(ServerError { class: "GenericError", desc: "no space" })
        "#]]
        .assert_eq(&server.run("migrate exec:false"));

        let server = ScriptedServer::default().reply("migrate", json!({})).reply("query-migrate", active);
        expect![[r#"
            migrate {"uri":"tcp:h:1","resume":true}
            query-migrate
            progress: migration active: 75 % of the memory copied
            notice: The migration goes on in the server. `.wait migration` waits for it, `migrate_cancel` cancels it.
            failure: Interrupted
        "#]]
        .assert_eq(&server.interrupt_after(0).run("migrate -r tcp:h:1"));
    }
}
