//! Commands for block nodes.

use super::no_result;
use crate::demo::args::Args;
use crate::demo::error::CommandResult;
use crate::demo::machine::Machine;
use crate::demo::qapi::{Object, Type, object, optional, required};

pub(super) static QUERY_NAMED_BLOCK_NODES_ARGS: Object =
    object("q_obj_query-named-block-nodes", &[optional("flat", Type::Bool)]);
pub(super) static BLOCKDEV_DEL_ARGS: Object = object("q_obj_blockdev-del", &[required("node-name", Type::Str)]);

pub(super) fn blockdev_add(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    machine.block_graph.add(args)?;
    no_result()
}

pub(super) fn blockdev_del(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    let name = args.required_str("node-name")?;
    machine.jobs.check_unused(name)?;
    machine.block_graph.remove(name)?;
    no_result()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::run;
    use crate::demo::machine_config::default_machine;

    #[test]
    fn adds_lists_and_deletes_nodes() {
        let mut machine = default_machine();
        let options = json!({
            "driver": "qcow2", "node-name": "new", "file": {"driver": "null-co", "size": 1_048_576}, "backing": null,
        });
        run(&mut machine, "blockdev-add", options).unwrap();
        let nodes = run(&mut machine, "query-named-block-nodes", json!({"flat": true})).unwrap();
        let node = nodes.as_array().unwrap().iter().find(|node| node["node-name"] == "new").unwrap();
        assert_eq!(node["image"]["virtual-size"], 1_048_576);
        assert_eq!(
            node["file"],
            "json:{\"driver\": \"qcow2\", \"file\": {\"driver\": \"null-co\", \"size\": 1048576}}"
        );
        run(&mut machine, "blockdev-del", json!({"node-name": "new"})).unwrap();
        let error = run(&mut machine, "blockdev-del", json!({"node-name": "new"})).unwrap_err();
        assert_eq!(error, "node 'new' not found");
    }

    #[test]
    fn rejects_options_of_another_driver() {
        let mut machine = default_machine();
        let options = json!({"driver": "raw", "node-name": "n", "file": {"driver": "null-co", "file": "x"}});
        assert_eq!(run(&mut machine, "blockdev-add", options).unwrap_err(), "unknown argument 'file.file'");
    }
}
