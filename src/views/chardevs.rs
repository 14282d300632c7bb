//! `.show chardevs`: the character devices, and what uses them.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use crate::monitor::text::{is_true, items, string};
use crate::monitor::{Failure, QmpServer};
use crate::qom::natural_cmp;

use super::ask::ask_all;
use super::columns::{Column, Columns, Ink, Text};
use super::device_list::{Found, with_properties};
use super::{Medium, Picture};

const COLUMNS: &[Column] =
    &[Column::long("CHARDEV"), Column::path("BACK END"), Column::text("OPEN"), Column::long("USED BY")];

/// The property of a device that names its character device.
const CHARDEV: &str = "chardev";

#[derive(Debug, Serialize)]
pub(super) struct Chardevs {
    chardevs: Vec<Chardev>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Chardev {
    id: String,
    backend: String,
    /// Whether something in the server has opened it.
    open: bool,
    used_by: Vec<User>,
}

/// A device that uses a character device.
#[derive(Debug, Serialize)]
struct User {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// Asks for the character devices, and for the devices that have one.
pub(super) fn ask(server: &mut dyn QmpServer) -> Result<Chardevs, Failure> {
    let mut replies = ask_all(server, &[("query-chardev", Value::Null)])?;
    let chardevs = replies.take_objects(0)?;
    let users = with_properties(server, &[CHARDEV])?;
    let mut users_of: HashMap<&str, Vec<&Found>> = HashMap::new();
    for user in &users {
        user.values.iter().filter(|id| !id.is_empty()).for_each(|id| users_of.entry(id).or_default().push(user));
    }
    let chardev = |entry: &Value| {
        let id = string(entry, "label");
        let uses = users_of.get(id).into_iter().flatten();
        Chardev {
            id: id.to_owned(),
            backend: string(entry, "filename").to_owned(),
            open: is_true(entry, "frontend-open"),
            used_by: uses.map(|user| User { name: user.name.clone(), kind: user.kind.clone() }).collect(),
        }
    };
    let mut chardevs: Vec<Chardev> = items(&chardevs).iter().map(chardev).collect();
    chardevs.sort_by(|one, other| natural_cmp(&one.id, &other.id));
    Ok(Chardevs { chardevs, missing: replies.missing })
}

impl Picture for Chardevs {
    fn draw(&self, medium: &Medium<'_>) -> String {
        let mut columns = Columns::new(COLUMNS);
        for chardev in &self.chardevs {
            let users: Vec<String> =
                chardev.used_by.iter().map(|user| format!("{} ({})", user.name, user.kind)).collect();
            let users = match (users.is_empty(), chardev.open) {
                (false, _) => Text::plain(&users.join(", ")),
                (true, true) => Text::new(Ink::Dim, "a monitor, or another part of the server"),
                (true, false) => Text::new(Ink::Dim, "nothing that QMP tells"),
            };
            columns.push([
                Text::new(Ink::Name, &chardev.id),
                Text::plain(&chardev.backend),
                Text::plain(if chardev.open { "yes" } else { "no" }),
                users,
            ]);
        }
        if self.chardevs.is_empty() {
            columns.push_across(Text::plain("The server has no character devices."));
        }
        columns.push_remarks(&self.missing);
        columns.draw(medium)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::ScriptedServer;

    #[test]
    fn users_are_found_in_the_object_tree() {
        let mut server = ScriptedServer::default()
            .reply(
                "query-chardev",
                json!([
                    {"label": "ser10", "filename": "null", "frontend-open": true},
                    {"label": "ser9", "filename": "unix:/run/\u{1b}/a.sock,server=on", "frontend-open": false},
                    {"label": "compat_monitor0", "filename": "unix:/tmp/vm.sock", "frontend-open": true},
                ]),
            )
            .reply(r#"qom-list {"path":"/machine/peripheral"}"#, json!([{"name": "com1", "type": "child<isa-serial>"}]))
            .reply(r#"qom-list {"path":"/machine/peripheral/com1"}"#, json!([{"name": "chardev", "type": "str"}]))
            .reply(r#"qom-get {"path":"/machine/peripheral/com1","property":"chardev"}"#, json!("ser10"))
            .reply("qom-list", json!([]));
        expect_test::expect![[r#"
            CHARDEV          BACK END                   OPEN  USED BY
            compat_monitor0  unix:/tmp/vm.sock          yes   a monitor, or another part of the server
            ser9             …un/\x1b/a.sock,server=on  no    nothing that QMP tells
            ser10            null                       yes   com1 (isa-serial)
        "#]]
        .assert_eq(&server.draw("chardevs", None, 90));
        let mut server = ScriptedServer::default().reply("query-chardev", json!([]));
        expect_test::expect![[r#"
            The server has no character devices.
        "#]]
        .assert_eq(&server.draw("chardevs", None, 90));
    }
}
