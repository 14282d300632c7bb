//! The greeting of a server, with its version.

use std::fmt;

#[cfg(feature = "programs")]
use super::text::single_line;

/// The version that a server announces in its greeting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Version {
    /// Major, minor and micro number, which compare as versions do: `numbers >= (8, 2, 0)`.
    pub numbers: (u64, u64, u64),
    /// The name that the packager gave the build; often empty.
    pub package: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, micro) = self.numbers;
        write!(f, "{major}.{minor}.{micro}")
    }
}

/// The greeting: the first message on a connection. Follows "Server Greeting" of the specification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Greeting {
    /// The server's version. `None` if it is missing or not in the known form.
    pub version: Option<Version>,
    /// The capabilities that the server offers, such as `oob`.
    pub capabilities: Vec<String>,
    /// The value of `QMP` as the server wrote it.
    text: String,
}

impl Greeting {
    /// Reads the value of `QMP`.
    pub(super) fn parse(raw: &str) -> Greeting {
        // A greeting in an unknown form must not prevent a session.
        let value: serde_json::Value = serde_json::from_str(raw).unwrap_or_default();
        let version = value.get("version").and_then(|version| {
            let qemu = version.get("qemu")?;
            let number = |key: &str| qemu.get(key)?.as_u64();
            Some(Version {
                numbers: (number("major")?, number("minor")?, number("micro")?),
                package: version.get("package").and_then(|package| package.as_str()).unwrap_or_default().to_owned(),
            })
        });
        let capabilities = value.get("capabilities").and_then(|list| list.as_array());
        let capabilities = capabilities.into_iter().flatten();
        let capabilities = capabilities.filter_map(|capability| capability.as_str().map(str::to_owned)).collect();
        Greeting { version, capabilities, text: raw.to_owned() }
    }

    /// Returns whether the server offers out-of-band execution.
    pub fn offers_oob(&self) -> bool {
        self.capabilities.iter().any(|capability| capability == "oob")
    }

    /// Returns the greeting as a message on one line, with the value of `QMP` as the server wrote it.
    #[cfg(feature = "programs")]
    pub(crate) fn to_json(&self) -> String {
        format!("{{\"QMP\": {}}}", single_line(&self.text))
    }

    /// Returns whether the server can read a request only after it has answered the one before. libvirt's
    /// `virt-qemu-qmp-proxy` is such a server, known by a package that no build of QEMU has.
    pub(crate) fn takes_one_request(&self) -> bool {
        self.version.as_ref().is_some_and(|version| version.package == format!("qemu-{version}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_greetings_in_other_forms() {
        let greeting = Greeting::parse(
            r#"{"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "p"}, "capabilities": ["oob", 5]}"#,
        );
        assert_eq!(greeting.version.as_ref().unwrap().to_string(), "10.0.2");
        assert!(greeting.offers_oob());
        assert_eq!(Greeting::parse("[]"), Greeting { text: "[]".to_owned(), ..Greeting::default() });
        for (package, takes_one) in
            [("qemu-10.0.2", true), ("qemu-10.0.2-1.fc42", false), ("v10.0.2", false), ("", false)]
        {
            let version = Some(Version { numbers: (10, 0, 2), package: package.to_owned() });
            let greeting = Greeting { version, ..Greeting::default() };
            assert_eq!(greeting.takes_one_request(), takes_one, "{package}");
        }
    }
}
