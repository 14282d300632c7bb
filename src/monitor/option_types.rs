//! Types of option values: texts become JSON by the server's schema or by the types of properties.
//!
//! A text that does not fit its type stays a text. The server then rejects it at its own place among its other checks,
//! and [`Dialect::translate`] gives its error the words that QEMU's own monitor uses.

use serde_json::error::Category;
use serde_json::{Map, Value, json};

use crate::schema::{Builtin, PropertyType, Schema, Type, TypeId, member_type, property_value};

use super::server::Failure;
use super::size::parse_bytes;

/// The form of a scalar value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Text,
    Integer,
    /// An integer that may have a fraction and a suffix.
    Size,
    Number,
    Switch,
}

impl Scalar {
    /// Returns the form of a property, by its member in the reply to `device-list-properties` or `qom-list`.
    pub(crate) fn of_property(property: &Value) -> Scalar {
        let member = |key: &str| property.get(key).and_then(Value::as_str);
        match member("type").unwrap_or_default() {
            "size" => Scalar::Size,
            kind => match PropertyType::of(kind, member("description")) {
                PropertyType::Builtin(builtin) => Scalar::of_builtin(builtin),
                _ => Scalar::Text,
            },
        }
    }

    /// Returns the form of values of a type of the schema.
    pub(crate) fn of_builtin(builtin: Builtin) -> Scalar {
        match builtin {
            Builtin::Int => Scalar::Integer,
            Builtin::Number => Scalar::Number,
            Builtin::Bool => Scalar::Switch,
            Builtin::Str | Builtin::Null | Builtin::Any => Scalar::Text,
        }
    }

    /// Returns the value of a text, or `None` if it does not fit.
    pub(crate) fn parse(self, text: &str) -> Option<Value> {
        match self {
            Scalar::Text => Some(json!(text)),
            Scalar::Integer => parse_integer(text),
            Scalar::Size => parse_bytes(text).map(|size| json!(size)),
            Scalar::Number => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| json!(number)),
            Scalar::Switch => parse_switch(text).map(|on| json!(on)),
        }
    }

    /// Returns the value of a text, or the text itself if it does not fit.
    pub(crate) fn value(self, text: &str) -> Value {
        self.parse(text).unwrap_or_else(|| json!(text))
    }
}

/// Parses an integer of 64 bits as C does: decimal, octal after `0`, hexadecimal after `0x`.
fn parse_integer(text: &str) -> Option<Value> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace());
    let (is_negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        None => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match is_negative {
        true => 0_i64.checked_sub_unsigned(magnitude).map(|value| json!(value)),
        false => Some(json!(magnitude)),
    }
}

/// Parses a switch in any form that QEMU accepts.
fn parse_switch(text: &str) -> Option<bool> {
    match text {
        "on" | "yes" | "true" | "y" => Some(true),
        "off" | "no" | "false" | "n" => Some(false),
        _ => None,
    }
}

/// Parses JSON as QEMU does, strings in single quotes included. The error is the message of QEMU.
pub(crate) fn parse_json(text: &str) -> Result<Value, Failure> {
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let lenient = property_value(text, PropertyType::Unknown).ok().filter(|_| text.contains('\''));
    lenient.and_then(|json| serde_json::from_str(&json).ok()).ok_or_else(|| {
        Failure::error(match error.classify() {
            Category::Eof => "JSON parse error, premature EOI",
            _ if error.to_string().starts_with("trailing characters") => "Expecting at most one JSON value",
            _ => "JSON parse error, expecting value",
        })
    })
}

/// Gives the members of an object their types by the schema. Texts stand for all scalars; those of integers have the form
/// `integer`.
pub(crate) fn typed_object(
    schema: &Schema,
    object: TypeId,
    members: &Map<String, Value>,
    integer: Scalar,
) -> Map<String, Value> {
    let typed_member = |(key, value): (&String, &Value)| {
        let value = match variant_member_type(schema, object, members, key) {
            Some(kind) => typed(schema, kind, value, integer),
            None => value.clone(),
        };
        (key.clone(), value)
    };
    members.iter().map(typed_member).collect()
}

fn typed(schema: &Schema, kind: TypeId, value: &Value, integer: Scalar) -> Value {
    match (schema.definition(kind), value) {
        (Type::Builtin(Builtin::Int), Value::String(text)) => integer.value(text),
        (Type::Builtin(builtin), Value::String(text)) => Scalar::of_builtin(*builtin).value(text),
        (Type::Array(element), Value::Array(items)) => {
            items.iter().map(|item| typed(schema, *element, item, integer)).collect()
        }
        (Type::Object(_), Value::Object(members)) => Value::Object(typed_object(schema, kind, members, integer)),
        (Type::Alternate(kinds), Value::Object(_)) => {
            let is_object = |kind: &&TypeId| matches!(schema.definition(**kind), Type::Object(_));
            kinds.iter().find(is_object).map_or_else(|| value.clone(), |kind| typed(schema, *kind, value, integer))
        }
        _ => value.clone(),
    }
}

/// Returns the type of a member of an object, in the variant that its other members select.
pub(crate) fn variant_member_type(
    schema: &Schema,
    object: TypeId,
    members: &Map<String, Value>,
    key: &str,
) -> Option<TypeId> {
    member_type(schema, object, key).or_else(|| {
        let definition = schema.object(object);
        let tag = members.get(&definition.tag_member()?.name)?.as_str()?;
        let (_, variant) = definition.variants.iter().find(|(case, _)| case == tag)?;
        variant_member_type(schema, *variant, members, key)
    })
}

/// The words of one of QEMU's parsers for values of the wrong type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    integer: &'static str,
    size: &'static str,
    /// The words after which an unknown key follows, and those after it.
    unknown_key: [&'static str; 2],
}

/// The explanation of sizes that QEMU gives in errors.
pub(crate) const SIZE_RULE: &str = "a non-negative number below 2^64\n\
    Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.";

const UNEXPECTED: [&str; 2] = ["Parameter '", "' is unexpected"];

impl Dialect {
    /// The options of devices and objects.
    pub(crate) const OPTIONS: Dialect = Dialect { integer: "integer", size: "size", unknown_key: UNEXPECTED };

    /// The options of network back ends.
    pub(crate) const NETDEV: Dialect = Dialect {
        integer: "an int64 value",
        size: "a size value representible as a non-negative int64",
        unknown_key: ["Invalid parameter '", "'"],
    };

    /// A value of its own, as in `qom-set`.
    pub(crate) const VALUE: Dialect = Dialect { integer: "int64", size: SIZE_RULE, unknown_key: UNEXPECTED };

    /// Returns the failure for an error of the server, in these words. `form` returns the form of a key's value.
    pub(crate) fn translate(&self, failure: Failure, form: impl Fn(&str) -> Scalar) -> Failure {
        failure.map_error(|desc| {
            let desc = with_dotted_indices(desc);
            Some(self.translated(&desc, form).unwrap_or(desc))
        })
    }

    fn translated(&self, desc: &str, form: impl Fn(&str) -> Scalar) -> Option<String> {
        let between = |[start, end]: [&str; 2]| desc.strip_prefix(start)?.strip_suffix(end);
        if let Some(key) = between(UNEXPECTED) {
            return Some(self.unknown_key.join(key));
        }
        let (key, expected) = match between(["Parameter '", "' expects uint64"]) {
            Some(key) if form(key) == Scalar::Size => (key, self.size),
            Some(key) => (key, self.integer),
            None => {
                let (key, kind) = desc.strip_prefix("Invalid parameter type for '")?.split_once("', expected: ")?;
                let expected = match kind {
                    "integer" => self.integer,
                    "boolean" => "'on' or 'off'",
                    "number" => "number",
                    _ => return None,
                };
                (key, expected)
            }
        };
        Some(format!("Parameter '{key}' expects {expected}"))
    }
}

/// Returns an error with the places of parameters as option lists write them: `rules.0.match` for `rules[0].match`.
fn with_dotted_indices(desc: &str) -> String {
    let Some((before, rest)) = desc.split_once('[').filter(|_| desc.starts_with("Parameter '")) else {
        return desc.to_owned();
    };
    match rest.split_once(']').filter(|(index, _)| !index.is_empty() && index.bytes().all(|c| c.is_ascii_digit())) {
        Some((index, after)) => format!("{before}.{index}{after}"),
        None => desc.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_c() {
        for (text, expected) in [
            ("5", json!(5)),
            ("-5", json!(-5)),
            ("+5", json!(5)),
            (" 5", json!(5)),
            ("010", json!(8)),
            ("0", json!(0)),
            ("0x1F", json!(31)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(Scalar::Integer.parse(text), Some(expected), "{text}");
        }
        for text in ["", "abc", "1x", "1k", "1.5", "5 ", "--5", "0x", "08", "0+5", "18446744073709551616"] {
            assert_eq!(Scalar::Integer.value(text), json!(text));
        }
    }

    #[test]
    fn sizes_have_fractions_and_suffixes() {
        for (text, expected) in [
            ("0", 0),
            ("1048576b", 1 << 20),
            ("1m", 1 << 20),
            ("1.5k", 1536),
            (".5M", 1 << 19),
            ("1.M", 1 << 20),
            ("1.3k", 1331),
            (" 1M", 1 << 20),
            ("0x100000", 1 << 20),
        ] {
            assert_eq!(parse_bytes(text), Some(expected), "{text}");
        }
        for text in ["", "abc", "1MB", "1e6", "-1", "0x100k", "1.5", ".", ".M", "1.2.3k", "16E", "99999999999999999999"]
        {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn properties_have_forms() {
        for (kind, form) in [
            ("size", Scalar::Size),
            ("uint32", Scalar::Integer),
            ("bool", Scalar::Switch),
            ("str", Scalar::Text),
            ("OnOffAuto", Scalar::Text),
            ("link<rng-backend>", Scalar::Text),
        ] {
            assert_eq!(Scalar::of_property(&json!({"name": "x", "type": kind})), form, "{kind}");
        }
        assert_eq!(Scalar::Switch.value("yes"), json!(true));
        assert_eq!(Scalar::Switch.value("ON"), json!("ON"));
        assert_eq!(Scalar::Number.value("1.5"), json!(1.5));
    }

    #[test]
    fn json_is_parsed_with_the_errors_of_qemu() {
        assert_eq!(parse_json("{'a': [1]}"), Ok(json!({"a": [1]})));
        assert_eq!(parse_json("7"), Ok(json!(7)));
        for (text, message) in [
            ("{", "JSON parse error, premature EOI"),
            ("", "JSON parse error, premature EOI"),
            ("{} x", "Expecting at most one JSON value"),
            ("{\"a\": 1,}", "JSON parse error, expecting value"),
        ] {
            assert_eq!(parse_json(text), Err(Failure::error(message)), "{text}");
        }
    }

    #[test]
    fn members_get_the_types_of_their_variant() {
        let schema = Schema::parse(
            r#"[
            {"name": "object-add", "meta-type": "command", "arg-type": "0", "ret-type": "1"},
            {"name": "0", "meta-type": "object", "tag": "kind", "variants": [{"case": "a", "type": "2"}],
                "members": [{"name": "kind", "type": "str"}]},
            {"name": "1", "meta-type": "object", "members": []},
            {"name": "2", "meta-type": "object", "members": [{"name": "list", "type": "[int]"},
                {"name": "limits", "type": "3"}]},
            {"name": "3", "meta-type": "object", "members": [{"name": "on", "type": "bool"}]},
            {"name": "[int]", "meta-type": "array", "element-type": "int"},
            {"name": "int", "meta-type": "builtin", "json-type": "int"},
            {"name": "bool", "meta-type": "builtin", "json-type": "boolean"},
            {"name": "str", "meta-type": "builtin", "json-type": "string"}
        ]"#,
        )
        .unwrap();
        let object = schema.command("object-add").unwrap().arguments;
        let members = json!({"kind": "a", "list": ["1", "x"], "limits": {"on": "off"}, "other": "1"});
        let typed = typed_object(&schema, object, members.as_object().unwrap(), Scalar::Integer);
        let expected = json!({"kind": "a", "list": [1, "x"], "limits": {"on": false}, "other": "1"});
        assert_eq!(Value::Object(typed), expected);
    }

    #[test]
    fn errors_are_translated() {
        let form = |key: &str| if key == "size" { Scalar::Size } else { Scalar::Integer };
        for (dialect, desc, expected) in [
            (
                Dialect::OPTIONS,
                "Invalid parameter type for 'a.b', expected: integer",
                "Parameter 'a.b' expects integer",
            ),
            (Dialect::OPTIONS, "Parameter 'size' expects uint64", "Parameter 'size' expects size"),
            (Dialect::OPTIONS, "Parameter 'x' expects uint64", "Parameter 'x' expects integer"),
            (Dialect::OPTIONS, "Parameter 'foo' is unexpected", "Parameter 'foo' is unexpected"),
            (Dialect::OPTIONS, "Parameter 'rules[0].policy' is missing", "Parameter 'rules.0.policy' is missing"),
            (Dialect::NETDEV, "Parameter 'foo' is unexpected", "Invalid parameter 'foo'"),
            (Dialect::VALUE, "Invalid parameter type for 'x', expected: integer", "Parameter 'x' expects int64"),
            (
                Dialect::VALUE,
                "Invalid parameter type for 'x', expected: boolean",
                "Parameter 'x' expects 'on' or 'off'",
            ),
        ] {
            assert_eq!(dialect.translate(Failure::error(desc), form).text(), format!("Error: {expected}\n"));
        }
        let brackets = Failure::error("Parameter 'x' does not accept value '[]'");
        assert_eq!(Dialect::OPTIONS.translate(brackets.clone(), form), brackets);
        let other = Failure::error("Invalid parameter type for 'x', expected: array");
        assert_eq!(Dialect::VALUE.translate(other.clone(), form), other);
    }
}
