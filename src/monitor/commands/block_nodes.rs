//! Devices and nodes as arguments: QEMU names most by device, a storage daemon has nodes only.

use serde_json::{Value, json};

use super::super::command::Invocation;
use super::super::server::Failure;
use super::super::text::{items, string};

impl Invocation<'_> {
    /// Returns whether the server is a storage daemon, which has block nodes but no devices.
    pub(super) fn is_storage_daemon(&mut self) -> bool {
        !self.server.has_command("query-status")
    }

    /// Returns the argument `device`.
    pub(super) fn device(&self) -> String {
        self.arguments.text("device").to_owned()
    }

    /// Executes a request that opens an image. QEMU's own monitor names an image that another process has locked.
    pub(super) fn execute_opening(&mut self, file: &str, command: &str, arguments: Value) -> Result<String, Failure> {
        self.execute(command, arguments).map_err(|failure| match failure {
            Failure::Error(error) if error.desc.starts_with("Failed to get ") && error.desc.ends_with(" lock") => {
                Failure::error(format!("{}\nIs another process using the image [{file}]?", error.desc))
            }
            failure => failure,
        })
    }

    /// Returns the devices as `query-block` does. The nodes of a storage daemon take their place.
    pub(super) fn devices(&mut self) -> Result<Vec<Value>, Failure> {
        if !self.is_storage_daemon() {
            return Ok(items(&self.query("query-block", json!({}))?).to_vec());
        }
        let nodes = self.query("query-named-block-nodes", json!({}))?;
        Ok(items(&nodes).iter().map(|node| json!({ "device": node["node-name"], "inserted": node })).collect())
    }

    /// Returns the device of `query-block` with a name, if there is one.
    pub(super) fn find_device(&mut self, name: &str) -> Result<Option<Value>, Failure> {
        let devices = self.query("query-block", json!({}))?;
        Ok(items(&devices).iter().find(|device| string(device, "device") == name && !name.is_empty()).cloned())
    }
}
