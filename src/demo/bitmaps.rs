//! The dirty bitmaps of one node. They never get dirty: no guest writes here.

use serde_json::{Value, json};

use super::args::Args;
use super::failure::Failure;

/// More bitmaps than this on one node are refused.
const LIMIT: usize = 64;

const DEFAULT_GRANULARITY: u64 = 65536;

#[derive(Debug, Clone)]
struct Bitmap {
    name: String,
    granularity: u64,
    persistent: bool,
    recording: bool,
}

/// All bitmaps of a node.
#[derive(Debug, Clone, Default)]
pub struct Bitmaps {
    list: Vec<Bitmap>,
}

impl Bitmaps {
    /// Adds one, as the arguments of `block-dirty-bitmap-add` describe it.
    pub fn add(&mut self, args: Args<'_>) -> Result<(), Failure> {
        let name = args.text("name")?;
        let granularity = args.number("granularity").unwrap_or(DEFAULT_GRANULARITY);
        if name.is_empty() || name.len() > 1023 {
            return Err(Failure::new("the name of a bitmap has 1 to 1023 bytes"));
        }
        if !granularity.is_power_of_two() || !(512..=1 << 31).contains(&granularity) {
            return Err(Failure::new("'granularity' must be a power of two from 512 to 2147483648"));
        }
        if self.list.iter().any(|bitmap| bitmap.name == name) {
            return Err(Failure::new(format!("a bitmap '{name}' exists already on this node")));
        }
        if self.list.len() >= LIMIT {
            return Err(Failure::new(format!("a node of the demo machine has {LIMIT} bitmaps at most")));
        }
        let persistent = args.flag("persistent").unwrap_or(false);
        let recording = !args.flag("disabled").unwrap_or(false);
        self.list.push(Bitmap { name: name.to_owned(), granularity, persistent, recording });
        Ok(())
    }

    /// Removes one.
    pub fn remove(&mut self, name: &str) -> Result<(), Failure> {
        self.clear(name)?;
        self.list.retain(|bitmap| bitmap.name != name);
        Ok(())
    }

    /// Clears one, which has nothing to clear: all it does is to find it.
    pub fn clear(&self, name: &str) -> Result<(), Failure> {
        if self.list.iter().any(|bitmap| bitmap.name == name) {
            return Ok(());
        }
        Err(Failure::new(format!("there is no bitmap '{name}' on this node")))
    }

    /// The list as a node's description has it; `None` where there is no bitmap.
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
        bitmaps.add(Args(args.as_object().unwrap())).err().map_or("ok".to_owned(), |failure| failure.desc)
    }

    #[test]
    fn bitmaps_are_added_once_and_removed() {
        let mut bitmaps = Bitmaps::default();
        assert_eq!(bitmaps.query(), None);
        assert_eq!(add(&mut bitmaps, json!({"name": "b", "disabled": true})), "ok");
        assert_eq!(add(&mut bitmaps, json!({"name": "b"})), "a bitmap 'b' exists already on this node");
        assert_eq!(bitmaps.query().unwrap()[0]["recording"], false);
        assert_eq!(bitmaps.clear("b"), Ok(()));
        assert_eq!(bitmaps.remove("b"), Ok(()));
        assert_eq!(bitmaps.remove("b").unwrap_err().desc, "there is no bitmap 'b' on this node");
    }

    #[test]
    fn granularity_is_a_power_of_two() {
        for bad in [0, 256, 1000, u64::MAX] {
            assert!(
                add(&mut Bitmaps::default(), json!({"name": "b", "granularity": bad})).starts_with("'granularity'")
            );
        }
    }
}
