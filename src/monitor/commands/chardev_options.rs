//! The options of character devices: their types, and what they become in QMP for each back end.

use serde_json::{Map, Value, json};

use super::super::option_types::{SIZE_RULE, Scalar, variant_member_type};
use super::super::options::OptionList;
use crate::schema::{Schema, member_type};

/// The options of all back ends. QEMU accepts each of them for any back end.
const OPTIONS: &[(&str, Scalar)] = &[
    ("abstract", Scalar::Switch),
    ("append", Scalar::Switch),
    ("chardev", Scalar::Text),
    ("clipboard", Scalar::Switch),
    ("cols", Scalar::Integer),
    ("debug", Scalar::Integer),
    ("delay", Scalar::Switch),
    ("fd", Scalar::Text),
    ("height", Scalar::Integer),
    ("host", Scalar::Text),
    ("ipv4", Scalar::Switch),
    ("ipv6", Scalar::Switch),
    ("localaddr", Scalar::Text),
    ("localport", Scalar::Text),
    ("logappend", Scalar::Switch),
    ("logfile", Scalar::Text),
    ("mouse", Scalar::Switch),
    ("mux", Scalar::Switch),
    ("name", Scalar::Text),
    ("nodelay", Scalar::Switch),
    ("path", Scalar::Text),
    ("port", Scalar::Text),
    ("reconnect", Scalar::Integer),
    ("rows", Scalar::Integer),
    ("server", Scalar::Switch),
    ("signal", Scalar::Switch),
    ("size", Scalar::Size),
    ("telnet", Scalar::Switch),
    ("tight", Scalar::Switch),
    ("tls-authz", Scalar::Text),
    ("tls-creds", Scalar::Text),
    ("tn3270", Scalar::Switch),
    ("to", Scalar::Integer),
    ("wait", Scalar::Switch),
    ("websocket", Scalar::Switch),
    ("width", Scalar::Integer),
];

/// Options that not every QEMU has, each with the back end and the member that show in the schema that it has them.
const LATER_OPTIONS: &[(&str, Scalar, &str, &str)] = &[
    ("input-path", Scalar::Text, "file", "in"),
    ("reconnect-ms", Scalar::Integer, "socket", "reconnect-ms"),
    ("chardevs.0", Scalar::Text, "hub", "chardevs"),
    ("chardevs.1", Scalar::Text, "hub", "chardevs"),
    ("chardevs.2", Scalar::Text, "hub", "chardevs"),
    ("chardevs.3", Scalar::Text, "hub", "chardevs"),
];

/// Parses options. One that begins with `no` and is written without a value, such as `nodelay`, has that name if there
/// is such an option.
pub(super) fn parse_options(text: &str, type_key: &str) -> OptionList {
    let mut list = OptionList::parse(text, type_key);
    for option in list.options.iter_mut().filter(|option| option.is_short && option.value == "off") {
        let name = format!("no{}", option.key);
        if OPTIONS.iter().any(|(known, _)| *known == name) {
            (option.key, option.value) = (name, "on".to_owned());
        }
    }
    list
}

/// Returns whether a checked switch is on.
pub(super) fn is_on(value: &str) -> bool {
    Scalar::Switch.parse(value) == Some(json!(true))
}

/// Checks names and values. Returns the warnings about options without values, as lines. The error is the text that
/// QEMU prints, lines with their ends.
pub(super) fn check_options(list: &OptionList, type_key: &str, schema: Option<&Schema>) -> Result<String, String> {
    let mut text = String::new();
    for option in &list.options {
        let (key, value) = (option.key.as_str(), option.value.as_str());
        if option.is_short && matches!(key, "help" | "?") && value == "on" {
            // QEMU writes the list of options to its own standard output.
            return Err(text);
        }
        if option.is_short {
            text += &format!("warning: short-form boolean option '{}{key}' deprecated\n", short_prefix(value));
            text += &format!("Please use {key}={value} instead\n");
        }
        let form = match key == type_key {
            true => Scalar::Text,
            false => option_form(key, schema).ok_or_else(|| format!("{text}Invalid parameter '{key}'\n"))?,
        };
        if let Some(reason) = value_error(key, value, form) {
            return Err(format!("{text}{reason}\n"));
        }
    }
    Ok(text)
}

/// Returns what stands before the name of an option without a value.
fn short_prefix(value: &str) -> &'static str {
    if value == "off" { "no" } else { "" }
}

/// Returns the form of an option's value, or `None` if the server does not have the option.
fn option_form(key: &str, schema: Option<&Schema>) -> Option<Scalar> {
    if let Some((_, form)) = OPTIONS.iter().find(|(name, _)| *name == key) {
        return Some(*form);
    }
    let (_, form, backend, member) = LATER_OPTIONS.iter().find(|(name, ..)| *name == key)?;
    schema.is_none_or(|schema| has_member(schema, backend, member)).then_some(*form)
}

/// Returns whether a back end has a member in the schema.
fn has_member(schema: &Schema, backend: &str, member: &str) -> bool {
    let tagged = Map::from_iter([("type".to_owned(), json!(backend))]);
    let data = schema.command("chardev-add").and_then(|command| {
        let backend = member_type(schema, command.arguments, "backend")?;
        variant_member_type(schema, backend, &tagged, "data")
    });
    data.is_some_and(|data| member_type(schema, data, member).is_some())
}

/// Returns the reason why a value does not fit.
fn value_error(key: &str, value: &str, form: Scalar) -> Option<String> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_long = digits.len() > 19 && digits.bytes().all(|c| c.is_ascii_digit());
    match (form.parse(value), form) {
        (Some(_), _) => None,
        (None, Scalar::Switch) => Some(format!("Parameter '{key}' expects 'on' or 'off'")),
        (None, Scalar::Integer) if is_long => Some(format!("Value '{value}' is too large for parameter '{key}'")),
        (None, Scalar::Integer) => Some(format!("Parameter '{key}' expects a number")),
        (None, Scalar::Size) if is_long || digits.len() < value.len() => {
            Some(format!("Value '{value}' is out of range for parameter '{key}'"))
        }
        (None, Scalar::Size) => Some(format!("Parameter '{key}' expects {SIZE_RULE}")),
        (None, Scalar::Number | Scalar::Text) => None,
    }
}

/// A back end whose options have members of their own in QMP.
struct Backend {
    name: &'static str,
    /// The option that must be there, and the error without it.
    required: Option<(&'static str, &'static str)>,
    /// The options, and the members that they become.
    members: &'static [(&'static str, &'static str)],
}

const BACKENDS: &[Backend] = &[
    Backend { name: "dbus", required: Some(("name", "chardev: dbus: no name given")), members: &[("name", "name")] },
    Backend {
        name: "file",
        required: Some(("path", "chardev: file: no filename given")),
        members: &[("path", "out"), ("input-path", "in"), ("append", "append")],
    },
    Backend { name: "memory", required: None, members: &[("size", "size")] },
    Backend {
        name: "mux",
        required: Some(("chardev", "chardev: mux: no chardev given")),
        members: &[("chardev", "chardev")],
    },
    Backend {
        name: "parallel",
        required: Some(("path", "chardev: parallel: no device path given")),
        members: &[("path", "device")],
    },
    Backend {
        name: "pipe",
        required: Some(("path", "chardev: pipe: no device path given")),
        members: &[("path", "device")],
    },
    Backend { name: "pty", required: None, members: &[("path", "path")] },
    Backend { name: "qemu-vdagent", required: None, members: &[("clipboard", "clipboard"), ("mouse", "mouse")] },
    Backend { name: "ringbuf", required: None, members: &[("size", "size")] },
    Backend {
        name: "serial",
        required: Some(("path", "chardev: serial/tty: no device path given")),
        members: &[("path", "device")],
    },
    Backend {
        name: "spicevmc",
        required: Some(("name", "chardev: spice: no name given")),
        members: &[("name", "type")],
    },
    Backend {
        name: "spiceport",
        required: Some(("name", "chardev: spice port: no name given")),
        members: &[("name", "fqdn")],
    },
    Backend { name: "stdio", required: None, members: &[("signal", "signal")] },
    Backend {
        name: "vc",
        required: None,
        members: &[("width", "width"), ("height", "height"), ("cols", "cols"), ("rows", "rows")],
    },
];

/// Options of every back end.
const COMMON_MEMBERS: &[(&str, &str)] = &[("logfile", "logfile"), ("logappend", "logappend")];

/// Returns the `ChardevBackend` of QMP. The options must have been checked.
pub(super) fn backend(list: &OptionList, type_key: &str, schema: Option<&Schema>) -> Result<Value, String> {
    let kind = list.get(type_key).unwrap_or_default();
    let mut data = match kind {
        "hub" => members_of_hub(list),
        "socket" => members_of_socket(list)?,
        "udp" => members_of_udp(list)?,
        _ => match BACKENDS.iter().find(|backend| backend.name == kind) {
            Some(backend) => members_of(list, backend)?,
            None => Map::new(),
        },
    };
    data.extend(picked(list, COMMON_MEMBERS));
    if let Some(schema) = schema {
        // An option of another back end has no effect; so has one that this server's back end does not have.
        data.retain(|member, _| has_member(schema, kind, member));
    }
    Ok(json!({ "type": kind, "data": data }))
}

fn members_of(list: &OptionList, backend: &Backend) -> Result<Map<String, Value>, String> {
    match backend.required {
        Some((key, error)) if list.get(key).is_none() => Err(error.to_owned()),
        _ => Ok(picked(list, backend.members)),
    }
}

/// Returns the members for those options that were given.
fn picked(list: &OptionList, members: &[(&str, &str)]) -> Map<String, Value> {
    let value = |key: &str| Some(option_form(key, None)?.value(list.get(key)?));
    members.iter().filter_map(|(key, member)| Some(((*member).to_owned(), value(key)?))).collect()
}

fn members_of_hub(list: &OptionList) -> Map<String, Value> {
    let labels = list.options.iter().filter(|option| option.key.starts_with("chardevs."));
    let labels: Vec<&str> = labels.map(|option| option.value.as_str()).collect();
    Map::from_iter([("chardevs".to_owned(), json!(labels))])
}

fn members_of_socket(list: &OptionList) -> Result<Map<String, Value>, String> {
    const MEMBERS: &[(&str, &str)] = &[
        ("reconnect", "reconnect"),
        ("reconnect-ms", "reconnect-ms"),
        ("telnet", "telnet"),
        ("tls-authz", "tls-authz"),
        ("tls-creds", "tls-creds"),
        ("tn3270", "tn3270"),
        ("wait", "wait"),
        ("websocket", "websocket"),
    ];
    let is_on = |key: &str| list.get(key).is_some_and(is_on);
    if ["path", "fd", "host"].iter().filter(|key| list.get(key).is_some()).count() > 1 {
        return Err("None or one of 'path', 'fd' or 'host' option required.".to_owned());
    }
    let address = if let Some(path) = list.get("path") {
        let mut data = picked(list, &[("abstract", "abstract"), ("tight", "tight")]);
        data.insert("path".to_owned(), json!(path));
        json!({ "type": "unix", "data": data })
    } else if list.get("host").is_some() {
        if list.get("port").is_none() {
            return Err("chardev: socket: no port given".to_owned());
        }
        let members = [("host", "host"), ("port", "port"), ("to", "to"), ("ipv4", "ipv4"), ("ipv6", "ipv6")];
        json!({ "type": "inet", "data": picked(list, &members) })
    } else {
        json!({ "type": "fd", "data": { "str": list.get("fd").unwrap_or_default() } })
    };
    let mut members = picked(list, MEMBERS);
    members.insert("addr".to_owned(), address);
    // The defaults of QMP are others.
    let is_server = is_on("server");
    members.insert("server".to_owned(), json!(is_server));
    if is_server && list.get("wait").is_none() {
        members.insert("wait".to_owned(), json!(true));
    }
    // `delay=off` is the older form of `nodelay=on`.
    if list.get("nodelay").is_some() || list.get("delay").is_some() {
        members.insert("nodelay".to_owned(), json!(is_on("nodelay") || list.get("delay").is_some() && !is_on("delay")));
    }
    Ok(members)
}

fn members_of_udp(list: &OptionList) -> Result<Map<String, Value>, String> {
    let given = |key: &str| list.get(key).filter(|value| !value.is_empty());
    let port = given("port").ok_or("chardev: udp: remote port not specified")?;
    let mut remote = picked(list, &[("ipv4", "ipv4"), ("ipv6", "ipv6")]);
    remote.insert("host".to_owned(), json!(given("host").unwrap_or("localhost")));
    remote.insert("port".to_owned(), json!(port));
    let mut members = Map::from_iter([("remote".to_owned(), json!({ "type": "inet", "data": remote }))]);
    if list.get("localaddr").is_some() || list.get("localport").is_some() {
        let host = given("localaddr").unwrap_or_default();
        let port = given("localport").unwrap_or("0");
        members.insert("local".to_owned(), json!({ "type": "inet", "data": { "host": host, "port": port } }));
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(text: &str) -> String {
        backend(&OptionList::parse(text, "backend"), "backend", None)
            .map_or_else(|error| error, |value| value.to_string())
    }

    #[test]
    fn flat_options_become_nested_members() {
        for (text, expected) in [
            ("null,id=x,path=/x", r#"{"type":"null","data":{}}"#),
            ("null,logfile=a,logappend=on", r#"{"type":"null","data":{"logfile":"a","logappend":true}}"#),
            ("ringbuf,size=1k", r#"{"type":"ringbuf","data":{"size":1024}}"#),
            ("file,path=a,,b,append=on", r#"{"type":"file","data":{"out":"a,b","append":true}}"#),
            ("hub,chardevs.0=a,chardevs.1=b", r#"{"type":"hub","data":{"chardevs":["a","b"]}}"#),
            (
                "socket,path=s,server=on",
                r#"{"type":"socket","data":{"addr":{"type":"unix","data":{"path":"s"}},"server":true,"wait":true}}"#,
            ),
            (
                "socket,host=h,port=1,to=5,delay=off",
                r#"{"type":"socket","data":{"addr":{"type":"inet","data":{"host":"h","port":"1","to":5}},"server":false,"nodelay":true}}"#,
            ),
            (
                "udp,port=9,localport=8",
                r#"{"type":"udp","data":{"remote":{"type":"inet","data":{"host":"localhost","port":"9"}},"local":{"type":"inet","data":{"host":"","port":"8"}}}}"#,
            ),
            ("file", "chardev: file: no filename given"),
            ("socket,path=a,host=b", "None or one of 'path', 'fd' or 'host' option required."),
            ("socket,host=a", "chardev: socket: no port given"),
            ("udp,port=", "chardev: udp: remote port not specified"),
        ] {
            assert_eq!(nested(text), expected, "{text}");
        }
    }

    #[test]
    fn options_are_checked_in_order() {
        for (text, expected) in [
            ("null,foo=1", Err("Invalid parameter 'foo'\n")),
            ("null,mux=x,foo=1", Err("Parameter 'mux' expects 'on' or 'off'\n")),
            ("null,width=5x", Err("Parameter 'width' expects a number\n")),
            ("null,size=-1", Err("Value '-1' is out of range for parameter 'size'\n")),
            ("null,help", Err("")),
            ("null,width=-1,size=1.5k,append=y", Ok("")),
            (
                "socket,nodelay",
                Ok("warning: short-form boolean option 'nodelay' deprecated\nPlease use nodelay=on instead\n"),
            ),
            (
                "socket,nowait",
                Ok("warning: short-form boolean option 'nowait' deprecated\nPlease use wait=off instead\n"),
            ),
        ] {
            let found = check_options(&parse_options(text, "backend"), "backend", None);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }
}
