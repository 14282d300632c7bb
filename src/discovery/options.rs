//! Options of QEMU in their two forms: `key=value,…` and JSON.

use serde_json::Value;

/// The keys and values of an option.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Options(Vec<(String, Vec<u8>)>);

impl Options {
    /// Parses an option's argument. `implied` is the key of a first value without one.
    pub(super) fn parse(argument: &[u8], implied: &str) -> Options {
        if argument.first() == Some(&b'{') {
            let value: Value = serde_json::from_slice(argument).unwrap_or_default();
            let mut options = Options::default();
            options.add_json(&value);
            return options;
        }
        let mut options = Vec::new();
        for (index, part) in split_at_commas(argument).into_iter().enumerate() {
            let option = match part.iter().position(|byte| *byte == b'=') {
                Some(at) => (text(&part[..at]), part[at + 1..].to_vec()),
                None if index == 0 => (implied.to_owned(), part),
                None => match part.strip_prefix(b"no") {
                    Some(key) => (text(key), b"off".to_vec()),
                    None => (text(&part), b"on".to_vec()),
                },
            };
            options.push(option);
        }
        Options(options)
    }

    /// Adds the members of a JSON object and of the objects in it. The type of a character device or of an address and
    /// its members, which may be nested as in QMP, become `backend`, `path` and so on, as in the other form.
    fn add_json(&mut self, value: &Value) {
        for (key, value) in value.as_object().into_iter().flatten() {
            match value {
                Value::Object(members) => {
                    if let Some(backend) = members.get("type").and_then(Value::as_str).filter(|_| key == "backend") {
                        self.push("backend", backend);
                    }
                    self.add_json(value);
                }
                Value::String(text) => self.push(key, text),
                Value::Bool(true) => self.push(key, "on"),
                Value::Bool(false) => self.push(key, "off"),
                Value::Number(number) => self.push(key, number.to_string()),
                Value::Null | Value::Array(_) => {}
            }
        }
        // In QMP, a socket listens unless it is told not to.
        if self.text("backend").as_deref() == Some("socket") && self.get("server").is_none() {
            self.push("server", "on");
        }
    }

    pub(super) fn push(&mut self, key: &str, value: impl AsRef<[u8]>) {
        self.0.push((key.to_owned(), value.as_ref().to_vec()));
    }

    /// Returns the value of a key; the last one counts.
    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_slice())
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(text)
    }

    pub(super) fn is_on(&self, key: &str) -> bool {
        matches!(self.get(key), Some(b"on" | b"yes" | b"true" | b"y"))
    }
}

/// Returns bytes as text, with U+FFFD for what is not UTF-8.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Splits at single commas. Two commas are one in a value.
fn split_at_commas(argument: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = argument.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b',' && bytes.next_if_eq(&b',').is_none() {
            parts.push(Vec::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(byte);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_keys_values_and_json() {
        let options = Options::parse(b"socket,id=a,,b,server,nowait,path=/x=y,id=c", "backend");
        assert_eq!((options.text("backend"), options.text("id")), (Some("socket".into()), Some("c".into())));
        assert!(options.is_on("server") && !options.is_on("wait"));
        assert_eq!(options.get("path"), Some(&b"/x=y"[..]));
        let nested = br#"{"id": "q", "backend": {"type": "socket", "data": {"addr": {"type": "inet", "data":
            {"host": "h", "port": "1"}}, "wait": false}}}"#;
        let options = Options::parse(nested, "backend");
        assert_eq!((options.text("backend"), options.text("port")), (Some("socket".into()), Some("1".into())));
        assert!(options.is_on("server"));
        for broken in [&b"{"[..], b"{\"a\":", b"", b",,,", b"="] {
            Options::parse(broken, "backend");
        }
    }
}
