//! Commands of block nodes.

use super::block_types::{BLOCK_INFO, BLOCKDEV_OPTIONS, DEVICE_INFO};
use super::{Command, NOTHING, command, nothing};
use crate::demo::args::Args;
use crate::demo::failure::{Failure, Outcome};
use crate::demo::machine::Machine;
use crate::demo::types::{EMPTY, Object, Type, object, opt, req};

static NODES_ARGS: Object = object("q_obj_query-named-block-nodes", &[opt("flat", Type::Bool)]);
static DEL_ARGS: Object = object("q_obj_blockdev-del", &[req("node-name", Type::Str)]);

/// The commands of this file.
pub static COMMANDS: &[Command] = &[
    command("query-block", &EMPTY, Type::Array(&Type::Object(&BLOCK_INFO)), query_block),
    command("query-named-block-nodes", &NODES_ARGS, Type::Array(&Type::Object(&DEVICE_INFO)), query_nodes),
    command("blockdev-add", &BLOCKDEV_OPTIONS, NOTHING, blockdev_add),
    command("blockdev-del", &DEL_ARGS, NOTHING, blockdev_del),
];

fn query_block(machine: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(machine.blocks.query_drives())
}

fn query_nodes(machine: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(machine.blocks.query_nodes())
}

fn blockdev_add(machine: &mut Machine, args: Args<'_>) -> Outcome {
    machine.blocks.add(args)?;
    nothing()
}

fn blockdev_del(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let name = args.text("node-name")?;
    if let Some(job) = machine.jobs.user_of(name) {
        return Err(Failure::new(format!("node '{name}' is in use by job '{job}'")));
    }
    machine.blocks.remove(name)?;
    nothing()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::run;
    use crate::demo::machine_config::default_machine;

    #[test]
    fn nodes_are_added_seen_and_deleted() {
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
        let again = run(&mut machine, "blockdev-del", json!({"node-name": "new"})).unwrap_err();
        assert_eq!(again, "there is no block node 'new'");
    }

    #[test]
    fn members_of_the_wrong_driver_are_refused() {
        let mut machine = default_machine();
        let options = json!({"driver": "raw", "node-name": "n", "file": {"driver": "null-co", "file": "x"}});
        assert_eq!(run(&mut machine, "blockdev-add", options).unwrap_err(), "argument 'file.file' is not known here");
    }
}
