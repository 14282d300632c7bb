//! Commands for dirty bitmaps, and `transaction` with the commands among them as actions.

use super::no_result;
use crate::demo::args::Args;
use crate::demo::bitmaps::Bitmaps;
use crate::demo::error::{CommandError, CommandResult};
use crate::demo::machine::Machine;
use crate::demo::qapi::{EMPTY, Enum, Object, Type, object, optional, required, union};

pub(super) static BLOCK_DIRTY_BITMAP: Object =
    object("BlockDirtyBitmap", &[required("node", Type::Str), required("name", Type::Str)]);
pub(super) static BLOCK_DIRTY_BITMAP_ADD: Object = object(
    "BlockDirtyBitmapAdd",
    &[
        required("node", Type::Str),
        required("name", Type::Str),
        optional("granularity", Type::Int),
        optional("persistent", Type::Bool),
        optional("disabled", Type::Bool),
    ],
);

static ACTION_KIND: Enum =
    Enum { name: "TransactionActionKind", values: &["abort", "block-dirty-bitmap-add", "block-dirty-bitmap-clear"] };
static ABORT_ACTION: Object = object("AbortWrapper", &[required("data", Type::Object(&EMPTY))]);
static ADD_ACTION: Object =
    object("BlockDirtyBitmapAddWrapper", &[required("data", Type::Object(&BLOCK_DIRTY_BITMAP_ADD))]);
static CLEAR_ACTION: Object = object("BlockDirtyBitmapWrapper", &[required("data", Type::Object(&BLOCK_DIRTY_BITMAP))]);
static ACTION: Object = union(
    "TransactionAction",
    &[required("type", Type::Enum(&ACTION_KIND))],
    "type",
    &[("abort", &ABORT_ACTION), ("block-dirty-bitmap-add", &ADD_ACTION), ("block-dirty-bitmap-clear", &CLEAR_ACTION)],
);
static COMPLETION_MODE: Enum = Enum { name: "ActionCompletionMode", values: &["individual", "grouped"] };
static PROPERTIES: Object =
    object("TransactionProperties", &[optional("completion-mode", Type::Enum(&COMPLETION_MODE))]);
pub(super) static TRANSACTION_ARGS: Object = object(
    "q_obj_transaction",
    &[required("actions", Type::Array(&Type::Object(&ACTION))), optional("properties", Type::Object(&PROPERTIES))],
);

pub(super) fn add_bitmap(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    bitmaps(machine, args)?.add(args)?;
    no_result()
}

pub(super) fn remove_bitmap(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    bitmaps(machine, args)?.remove(args.required_str("name")?)?;
    no_result()
}

/// Checks that the bitmap exists. There is nothing to clear, because bitmaps stay empty.
pub(super) fn clear_bitmap(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    bitmaps(machine, args)?.check_exists(args.required_str("name")?)?;
    no_result()
}

/// Returns the bitmaps of the node or drive in the argument `node`.
fn bitmaps<'a>(machine: &'a mut Machine, args: Args<'_>) -> Result<&'a mut Bitmaps, CommandError> {
    let node = machine.block_graph.node_name_of(args.required_str("node")?)?;
    Ok(&mut machine.block_graph.node_mut(&node)?.bitmaps)
}

/// Executes all actions or none. They change the block graph only, which is restored after an error.
pub(super) fn transaction(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    let before = machine.block_graph.clone();
    let actions = args.get("actions").and_then(|actions| actions.as_array());
    let mut actions = actions.into_iter().flatten().filter_map(|action| action.as_object().map(Args));
    match actions.try_for_each(|action| execute_action(machine, action)) {
        Ok(()) => no_result(),
        Err(error) => {
            machine.block_graph = before;
            Err(error)
        }
    }
}

fn execute_action(machine: &mut Machine, action: Args<'_>) -> Result<(), CommandError> {
    match action.required_str("type")? {
        "abort" => Err(CommandError::generic("transaction aborted by action 'abort'")),
        // Every other action is a command with the same name.
        command => {
            let data =
                action.optional_object("data").ok_or_else(|| CommandError::generic("missing argument 'data'"))?;
            super::find(command)?.execute(machine, data.0)?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::run;
    use crate::demo::machine::Machine;
    use crate::demo::machine_config::default_machine;

    fn bitmaps(machine: &mut Machine) -> Value {
        let nodes = run(machine, "query-named-block-nodes", json!({})).unwrap();
        let disk = nodes.as_array().unwrap().iter().find(|node| node["node-name"] == "disk0").unwrap();
        disk.get("dirty-bitmaps")
            .map_or(json!([]), |list| list.as_array().unwrap().iter().map(|bitmap| bitmap["name"].clone()).collect())
    }

    fn action(kind: &str, name: &str) -> Value {
        json!({"type": kind, "data": {"node": "disk0", "name": name}})
    }

    #[test]
    fn executes_all_actions_or_none() {
        let mut machine = default_machine();
        let add = |name| action("block-dirty-bitmap-add", name);
        let abort = json!({"type": "abort", "data": {}});
        assert!(run(&mut machine, "transaction", json!({"actions": [add("a"), abort]})).is_err());
        assert_eq!(bitmaps(&mut machine), json!([]));
        assert!(run(&mut machine, "transaction", json!({"actions": [add("a"), add("a")]})).is_err());
        assert_eq!(bitmaps(&mut machine), json!([]));
        let actions = json!({
            "actions": [add("a"), add("b"), action("block-dirty-bitmap-clear", "a")],
            "properties": {"completion-mode": "grouped"},
        });
        run(&mut machine, "transaction", actions).unwrap();
        assert_eq!(bitmaps(&mut machine), json!(["a", "b"]));
    }

    #[test]
    fn accepts_a_drive_in_place_of_its_node() {
        let mut machine = default_machine();
        run(&mut machine, "block-dirty-bitmap-add", json!({"node": "drive0", "name": "x"})).unwrap();
        assert_eq!(bitmaps(&mut machine), json!(["x"]));
        run(&mut machine, "block-dirty-bitmap-remove", json!({"node": "disk0", "name": "x"})).unwrap();
        assert_eq!(bitmaps(&mut machine), json!([]));
    }
}
