//! Keyboard and mouse.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{integer, text};
use super::super::server::Failure;
use super::super::text::{is_true, items, plain, string};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("info mice", &[], "the mice, with a star at the current one", info_mice),
    Command::new("mouse_button", &[integer("state")], "press and release buttons (1 left, 2 middle, 4 right)", buttons),
    Command::new("mouse_move", &[text("dx"), text("dy"), text("dz").optional()], "move the mouse", move_mouse),
    Command::new("sendkey", &[text("keys"), integer("hold_ms").optional()], "press keys, as in ctrl-alt-f1", sendkey),
];

fn info_mice(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-mice", Value::Null)?;
    if items(&reply).is_empty() {
        return Ok("No mouse devices connected\n".to_owned());
    }
    let line = |mouse: &Value| {
        let star = if is_true(mouse, "current") { '*' } else { ' ' };
        let mode = if is_true(mouse, "absolute") { " (absolute)" } else { "" };
        format!("{star} Mouse #{}: {}{mode}\n", plain(mouse, "index"), string(mouse, "name"))
    };
    Ok(items(&reply).iter().map(line).collect())
}

/// Sends keys, which are names or hexadecimal numbers with `-` in between.
fn sendkey(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let names: Vec<&str> = call.arguments.text("keys").split('-').collect();
    let keys: Vec<Value> = names.iter().map(|name| key_value(name)).collect::<Result<_, _>>()?;
    let arguments = json!({ "keys": keys, "hold-time": call.arguments.optional_integer("hold_ms") });
    call.execute("send-key", arguments).map_err(|failure| match failure.refused_value() {
        Some(name) => invalid_key(name),
        None => failure,
    })
}

/// Returns a key as `send-key` takes it.
fn key_value(name: &str) -> Result<Value, Failure> {
    let code = match name {
        "" => return Err(invalid_key(name)),
        "<" => "less",
        name => name,
    };
    match code.strip_prefix("0x") {
        Some(digits) => {
            let number = i32::from_str_radix(digits, 16).map_err(|_| invalid_key(name))?;
            Ok(json!({ "type": "number", "data": number }))
        }
        None => Ok(json!({ "type": "qcode", "data": code })),
    }
}

fn invalid_key(name: &str) -> Failure {
    Failure::line(format!("invalid parameter: {name}"))
}

fn move_mouse(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let distance = |name: &str| leading_integer(call.arguments.text(name));
    let (dx, dy, dz) = (distance("dx"), distance("dy"), distance("dz"));
    let mut events = vec![relative("x", dx), relative("y", dy)];
    if dz != 0 {
        let wheel = if dz > 0 { "wheel-up" } else { "wheel-down" };
        events.extend([button(wheel, true), button(wheel, false)]);
    }
    send_events(call, &events)
}

/// The bits of a mouse button state.
const BUTTONS: &[(i64, &str)] = &[(1, "left"), (2, "middle"), (4, "right")];

fn buttons(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let state = call.arguments.integer("state");
    let changed = state ^ std::mem::replace(&mut call.state.mouse_buttons, state);
    let events: Vec<Value> = BUTTONS
        .iter()
        .filter(|(bit, _)| changed & bit != 0)
        .map(|(bit, name)| button(name, state & bit != 0))
        .collect();
    if events.is_empty() { Ok(String::new()) } else { send_events(call, &events) }
}

/// Sends input events. As in QEMU's own monitor, events that no device takes, and those of a guest that does not run, are
/// lost without an error.
fn send_events(call: &mut Invocation<'_>, events: &[Value]) -> Result<String, Failure> {
    match call.execute("input-send-event", json!({ "events": events })) {
        Err(Failure::Error(_)) => Ok(String::new()),
        result => result,
    }
}

fn relative(axis: &str, value: i64) -> Value {
    json!({ "type": "rel", "data": { "axis": axis, "value": value } })
}

fn button(name: &str, is_down: bool) -> Value {
    json!({ "type": "btn", "data": { "button": name, "down": is_down } })
}

/// Parses the integer that a text begins with, in C's notation. 0 if there is none.
fn leading_integer(text: &str) -> i64 {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    sign * i64::from_str_radix(&digits[..end], radix).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::leading_integer;

    #[test]
    fn a_distance_is_the_integer_that_a_text_begins_with() {
        for (text, value) in
            [("5", 5), ("-12x", -12), ("0x1F", 31), ("-0x10", -16), ("017", 15), ("+3", 3), ("x", 0), ("", 0)]
        {
            assert_eq!(leading_integer(text), value, "{text}");
        }
    }
}
