//! Random JSON values for tests.

use proptest::prelude::any;
use proptest::strategy::{Just, Strategy};
use serde_json::Value;

/// Generates values of all kinds, whose keys match the pattern `keys`, with long arrays of numbers among them.
pub(super) fn json(keys: &'static str) -> impl Strategy<Value = Value> {
    let leaf = proptest::prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u8>().prop_map(Value::from),
        "[a-zé\u{4e00}\"\\\\\n{}\\[\\],: ]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        proptest::prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::vec(any::<u16>(), 0..40).prop_map(Value::from),
            proptest::collection::vec((keys, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
