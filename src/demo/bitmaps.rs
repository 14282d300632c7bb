//! The dirty bitmaps of a block node. They stay empty, because no guest writes.

use serde_json::{Value, json};

use super::args::Args;
use super::error::CommandError;

const MAX_BITMAPS_PER_NODE: usize = 64;

const MAX_NAME_BYTES: usize = 1023;

const DEFAULT_GRANULARITY_BYTES: u64 = 65536;

#[derive(Debug, Clone)]
struct Bitmap {
    name: String,
    granularity: u64,
    persistent: bool,
    recording: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Bitmaps {
    list: Vec<Bitmap>,
}

impl Bitmaps {
    /// Adds a bitmap as described by the arguments of `block-dirty-bitmap-add`.
    pub fn add(&mut self, args: Args<'_>) -> Result<(), CommandError> {
        let name = args.required_str("name")?;
        let granularity = args.optional_u64("granularity").unwrap_or(DEFAULT_GRANULARITY_BYTES);
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(CommandError::generic(format!("the name of a bitmap must have 1 to {MAX_NAME_BYTES} bytes")));
        }
        if !granularity.is_power_of_two() || !(512..=1 << 31).contains(&granularity) {
            return Err(CommandError::generic(
                "argument 'granularity' must be a power of two between 512 and 2147483648",
            ));
        }
        if self.contains(name) {
            return Err(CommandError::generic(format!("bitmap '{name}' already exists on this node")));
        }
        if self.list.len() >= MAX_BITMAPS_PER_NODE {
            return Err(CommandError::generic(format!(
                "a node of the demo machine has at most {MAX_BITMAPS_PER_NODE} bitmaps"
            )));
        }
        let persistent = args.optional_bool("persistent").unwrap_or(false);
        let recording = !args.optional_bool("disabled").unwrap_or(false);
        self.list.push(Bitmap { name: name.to_owned(), granularity, persistent, recording });
        Ok(())
    }

    pub fn remove(&mut self, name: &str) -> Result<(), CommandError> {
        self.check_exists(name)?;
        self.list.retain(|bitmap| bitmap.name != name);
        Ok(())
    }

    /// Returns an error if there is no bitmap with this name.
    pub fn check_exists(&self, name: &str) -> Result<(), CommandError> {
        if self.contains(name) {
            return Ok(());
        }
        Err(CommandError::generic(format!("bitmap '{name}' not found on this node")))
    }

    fn contains(&self, name: &str) -> bool {
        self.list.iter().any(|bitmap| bitmap.name == name)
    }

    /// Returns the member `dirty-bitmaps` of the node's description, or `None` if there are no bitmaps.
    pub fn query(&self) -> Option<Value> {
        let entry = |bitmap: &Bitmap| {
            json!({
                "name": bitmap.name, "recording": bitmap.recording, "persistent": bitmap.persistent, "busy": false,
                "granularity": bitmap.granularity, "count": 0,
            })
        };
        (!self.list.is_empty()).then(|| self.list.iter().map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(bitmaps: &mut Bitmaps, args: Value) -> String {
        bitmaps.add(Args(args.as_object().unwrap())).err().map_or("ok".to_owned(), |error| error.desc)
    }

    #[test]
    fn adds_and_removes_a_bitmap_once() {
        let mut bitmaps = Bitmaps::default();
        assert_eq!(bitmaps.query(), None);
        assert_eq!(add(&mut bitmaps, json!({"name": "b", "disabled": true})), "ok");
        assert_eq!(add(&mut bitmaps, json!({"name": "b"})), "bitmap 'b' already exists on this node");
        assert_eq!(bitmaps.query().unwrap()[0]["recording"], false);
        assert_eq!(bitmaps.check_exists("b"), Ok(()));
        assert_eq!(bitmaps.remove("b"), Ok(()));
        assert_eq!(bitmaps.remove("b").unwrap_err().desc, "bitmap 'b' not found on this node");
    }

    #[test]
    fn rejects_a_granularity_that_is_not_a_power_of_two() {
        for bad in [0, 256, 1000, u64::MAX] {
            let error = add(&mut Bitmaps::default(), json!({"name": "b", "granularity": bad}));
            assert!(error.starts_with("argument 'granularity'"), "{error}");
        }
    }
}
