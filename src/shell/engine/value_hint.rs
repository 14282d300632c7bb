//! Hints for values of the wrong type that only the server rejects: those of a guest agent, which has no introspection,
//! and those inside the type `any`.

use serde_json::Value;

use crate::wire::Request;

/// Returns the argument that was meant, if an error says that its type or form is wrong.
pub(super) fn meant_argument(request: &Request, desc: &str) -> Option<String> {
    let has_secrets = request.to_masked_json(None) != request.to_json(None);
    let arguments: Value = serde_json::from_str(request.arguments.as_deref()?).ok()?;
    if has_secrets {
        let (key, expected) = rejected_argument(desc)?;
        return (expected == "array" && arguments[key].is_string()).then(|| format!("{key}.0=…"));
    }
    if request.command == "device_add" {
        return with_blanks(arguments["driver"].as_str()?, desc);
    }
    let (key, expected) = rejected_argument(desc)?;
    let key = key.replace('[', ".").replace(']', "");
    let value = key.split('.').try_fold(&arguments, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        value => value.get(part),
    })?;
    match (expected, value) {
        ("boolean", Value::String(text)) => match text.as_str() {
            "on" | "yes" => Some(format!("{key}=true")),
            "off" | "no" => Some(format!("{key}=false")),
            _ => None,
        },
        ("string", Value::Number(_) | Value::Bool(_)) => Some(format!("{key}='{value}'")),
        ("array", Value::String(text)) => {
            let items = text.split(',').enumerate().map(|(index, item)| format!("{key}.{index}={item}"));
            Some(items.collect::<Vec<_>>().join(" "))
        }
        ("array", Value::Number(_)) => Some(format!("{key}.0={value}")),
        _ => None,
    }
}

/// Returns the parameter that an error is about, and the expected type.
fn rejected_argument(desc: &str) -> Option<(&str, &str)> {
    if let Some(rest) = desc.strip_prefix("Invalid parameter type for '") {
        return rest.split_once("', expected: ");
    }
    // A choice of a boolean and an enumeration.
    let (key, value) = desc.strip_prefix("Parameter '")?.split_once("' does not accept value '")?;
    matches!(value, "on'" | "off'").then_some((key, "boolean"))
}

/// Returns the line with blanks, if `driver` is a driver and more as on QEMU's command line.
fn with_blanks(driver: &str, desc: &str) -> Option<String> {
    let (_, options) = driver.split_once(',')?;
    let has_options = options.split(',').all(|option| option.contains('='));
    (has_options && desc.contains(driver)).then(|| format!("device_add driver={}", driver.replace(',', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_form_that_the_server_expects() {
        let invalid = |key: &str, expected: &str| format!("Invalid parameter type for '{key}', expected: {expected}");
        for (command, arguments, desc, meant) in [
            ("guest-exec", r#"{"arg": "-a"}"#, invalid("arg", "array"), Some("arg.0=…")),
            ("c", r#"{"arg": "-a,b"}"#, invalid("arg", "array"), Some("arg.0=-a arg.1=b")),
            ("c", r#"{"arg": ["x", 5]}"#, invalid("arg[1]", "string"), Some("arg.1='5'")),
            (
                "c",
                r#"{"model": {"props": {"avx": "on"}}}"#,
                invalid("model.props.avx", "boolean"),
                Some("model.props.avx=true"),
            ),
            ("c", r#"{"x": "no"}"#, "Parameter 'x' does not accept value 'no'".to_owned(), None),
            ("c", r#"{"x": "off"}"#, "Parameter 'x' does not accept value 'off'".to_owned(), Some("x=false")),
            ("c", r#"{"x": "maybe"}"#, invalid("x", "boolean"), None),
            ("c", r#"{"y": 1}"#, invalid("x", "string"), None),
            (
                "device_add",
                r#"{"driver": "e1000,id=n,mac=x"}"#,
                "'e1000,id=n,mac=x' is not a valid device model name".to_owned(),
                Some("device_add driver=e1000 id=n mac=x"),
            ),
            ("device_add", r#"{"driver": "SUNW,tcx"}"#, "'SUNW,tcx' is not valid".to_owned(), None),
            ("set_password", r#"{"password": "x"}"#, invalid("password", "string"), None),
        ] {
            let mut request = Request::new(command).with_arguments(arguments);
            request.mark_secrets();
            assert_eq!(meant_argument(&request, &desc).as_deref(), meant, "{arguments} {desc}");
        }
    }
}
