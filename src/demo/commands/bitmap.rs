//! Commands of dirty bitmaps, and `transaction`, which is made of them.

use super::{Command, NOTHING, command, nothing};
use crate::demo::args::Args;
use crate::demo::failure::{Failure, Outcome};
use crate::demo::machine::Machine;
use crate::demo::types::{EMPTY, Enum, Object, Type, Union, object, opt, req};

static BITMAP: Object = object("BlockDirtyBitmap", &[req("node", Type::Str), req("name", Type::Str)]);
static BITMAP_ADD: Object = object(
    "BlockDirtyBitmapAdd",
    &[
        req("node", Type::Str),
        req("name", Type::Str),
        opt("granularity", Type::Int),
        opt("persistent", Type::Bool),
        opt("disabled", Type::Bool),
    ],
);

static ACTION_KIND: Enum =
    Enum { name: "TransactionActionKind", values: &["abort", "block-dirty-bitmap-add", "block-dirty-bitmap-clear"] };
static ABORT: Object = object("AbortWrapper", &[req("data", Type::Object(&EMPTY))]);
static ADD: Object = object("BlockDirtyBitmapAddWrapper", &[req("data", Type::Object(&BITMAP_ADD))]);
static CLEAR: Object = object("BlockDirtyBitmapWrapper", &[req("data", Type::Object(&BITMAP))]);
static ACTION: Object = Object {
    name: "TransactionAction",
    members: &[req("type", Type::Enum(&ACTION_KIND))],
    union: Some(Union {
        tag: "type",
        variants: &[("abort", &ABORT), ("block-dirty-bitmap-add", &ADD), ("block-dirty-bitmap-clear", &CLEAR)],
    }),
    open: false,
};
static COMPLETION_MODE: Enum = Enum { name: "ActionCompletionMode", values: &["individual", "grouped"] };
static PROPERTIES: Object = object("TransactionProperties", &[opt("completion-mode", Type::Enum(&COMPLETION_MODE))]);
static TRANSACTION_ARGS: Object = object(
    "q_obj_transaction",
    &[req("actions", Type::Array(&Type::Object(&ACTION))), opt("properties", Type::Object(&PROPERTIES))],
);

/// The commands of this file.
pub static COMMANDS: &[Command] = &[
    command("block-dirty-bitmap-add", &BITMAP_ADD, NOTHING, add),
    command("block-dirty-bitmap-remove", &BITMAP, NOTHING, remove),
    command("block-dirty-bitmap-clear", &BITMAP, NOTHING, clear),
    command("transaction", &TRANSACTION_ARGS, NOTHING, transaction),
];

fn add(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let node = machine.blocks.root_of(args.text("node")?)?;
    machine.blocks.node_mut(&node)?.bitmaps.add(args)?;
    nothing()
}

fn remove(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let node = machine.blocks.root_of(args.text("node")?)?;
    machine.blocks.node_mut(&node)?.bitmaps.remove(args.text("name")?)?;
    nothing()
}

fn clear(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let node = machine.blocks.root_of(args.text("node")?)?;
    machine.blocks.node(&node)?.bitmaps.clear(args.text("name")?)?;
    nothing()
}

/// All or nothing. The actions touch the block layer alone, so what it was before is what a failure leaves.
fn transaction(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let before = machine.blocks.clone();
    let actions = args.get("actions").and_then(|actions| actions.as_array());
    let actions = actions.into_iter().flatten().filter_map(|action| action.as_object().map(Args));
    let outcome = actions.map(|action| act(machine, action)).collect::<Result<Vec<_>, _>>();
    match outcome {
        Ok(_) => nothing(),
        Err(failure) => {
            machine.blocks = before;
            Err(failure)
        }
    }
}

fn act(machine: &mut Machine, action: Args<'_>) -> Outcome {
    let data = action.object("data").ok_or_else(|| Failure::new("argument 'data' is missing"))?;
    match action.text("type")? {
        "block-dirty-bitmap-add" => add(machine, data),
        "block-dirty-bitmap-clear" => clear(machine, data),
        _ => Err(Failure::new("the action 'abort' has made the transaction fail, as it is there to do")),
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
    fn a_transaction_is_all_or_nothing() {
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
    fn a_drive_stands_for_its_node() {
        let mut machine = default_machine();
        run(&mut machine, "block-dirty-bitmap-add", json!({"node": "drive0", "name": "x"})).unwrap();
        assert_eq!(bitmaps(&mut machine), json!(["x"]));
        run(&mut machine, "block-dirty-bitmap-remove", json!({"node": "disk0", "name": "x"})).unwrap();
        assert_eq!(bitmaps(&mut machine), json!([]));
    }
}
