//! The format of the prompt: text with the names of the VM, its state and its server in it.

use crate::grammar::Language;
use crate::render::printable;

/// A valid format; `None` inside is the default: the name of the server if there are several, else of the VM: `(web)`,
/// `(qemu web)` for the human monitor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptFormat(Option<String>);

/// The values that a format can contain.
#[derive(Debug, Clone, Default)]
pub(crate) struct PromptFields {
    /// The name of the VM, if it has one.
    pub(crate) name: Option<String>,
    pub(crate) address: String,
    /// The run state, if it is known.
    pub(crate) status: Option<String>,
    /// The index of the CPU to which HMP lines refer.
    pub(crate) cpu: u64,
    /// The name of the server, if there are several.
    pub(crate) server: Option<String>,
}

impl PromptFormat {
    /// Parses a format; `default` is the default.
    pub(crate) fn parse(text: &str) -> Result<PromptFormat, String> {
        if text == "default" {
            return Ok(PromptFormat::default());
        }
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let kind = if c == '%' { chars.next().map_or_else(String::new, String::from) } else { continue };
            if !matches!(kind.as_str(), "n" | "a" | "s" | "c" | "@" | "%") {
                return Err(format!("unknown `%{kind}`; expected `%n`, `%a`, `%s`, `%c`, `%@` or `%%`"));
            }
        }
        match text.is_empty() {
            true => Err("expected a format or `default`".to_owned()),
            false => Ok(PromptFormat(Some(text.to_owned()))),
        }
    }

    pub(crate) fn text(&self) -> &str {
        self.0.as_deref().unwrap_or("default")
    }

    /// Returns whether the name of the VM is part of it.
    pub(crate) fn shows_name(&self) -> bool {
        self.0.is_none() || self.has("%n")
    }

    /// Returns whether the run state is part of it.
    pub(crate) fn shows_status(&self) -> bool {
        self.has("%s")
    }

    fn has(&self, field: &str) -> bool {
        self.0.as_ref().is_some_and(|format| format.replace("%%", "").contains(field))
    }

    /// Returns the prompt, with a space at its end and without control characters.
    pub(crate) fn prompt(&self, fields: &PromptFields, language: Language) -> String {
        let text = match (&self.0, language) {
            (Some(format), _) => fill_in(format, fields, language),
            (None, language) => match (fields.server.as_ref().or(fields.name.as_ref()), language) {
                (Some(name), Language::Qmp) => format!("({name})"),
                (Some(name), Language::Hmp) => format!("(qemu {name})"),
                (None, Language::Qmp) => format!("({NO_NAME})"),
                (None, Language::Hmp) => "(qemu)".to_owned(),
            },
        };
        let text = printable(&text).into_owned();
        if text.ends_with(' ') { text } else { text + " " }
    }
}

/// The text that stands for a VM without one.
const NO_NAME: &str = "QEMU";

fn fill_in(format: &str, fields: &PromptFields, language: Language) -> String {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push_str(fields.name.as_deref().unwrap_or(NO_NAME)),
            Some('a') => out.push_str(&fields.address),
            Some('@') => out.push_str(fields.server.as_deref().unwrap_or_default()),
            Some('s') => out.push_str(fields.status.as_deref().unwrap_or("?")),
            Some('c') if language == Language::Hmp => out.push_str(&fields.cpu.to_string()),
            Some('c') | None => {}
            Some(other) => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_in_the_fields() {
        let fields = PromptFields {
            name: Some("vm\u{1b}[2J".to_owned()),
            address: "vm.sock".to_owned(),
            status: Some("paused".to_owned()),
            cpu: 3,
            server: None,
        };
        let unnamed = PromptFields { name: None, status: None, ..fields.clone() };
        for (format, qmp, hmp, without) in [
            ("default", "(vm\\x1b[2J) ", "(qemu vm\\x1b[2J) ", "(QEMU) "),
            ("%a:%s %c> ", "vm.sock:paused > ", "vm.sock:paused 3> ", "vm.sock:? > "),
            ("100%% %n", "100% vm\\x1b[2J ", "100% vm\\x1b[2J ", "100% QEMU "),
        ] {
            let format = PromptFormat::parse(format).unwrap();
            assert_eq!(format.prompt(&fields, Language::Qmp), qmp);
            assert_eq!(format.prompt(&fields, Language::Hmp), hmp);
            assert_eq!(format.prompt(&unnamed, Language::Qmp), without);
        }
    }

    #[test]
    fn invalid_formats_are_explained() {
        for (format, error) in [
            ("%x", "unknown `%x`; expected `%n`, `%a`, `%s`, `%c`, `%@` or `%%`"),
            ("50%", "unknown `%`; expected `%n`, `%a`, `%s`, `%c`, `%@` or `%%`"),
            ("", "expected a format or `default`"),
        ] {
            assert_eq!(PromptFormat::parse(format), Err(error.to_owned()));
        }
        assert!(PromptFormat::parse("%n %s>").unwrap().shows_status());
        assert!(PromptFormat::parse("%%%n").unwrap().shows_name());
        assert!(!PromptFormat::parse("%%s %%n").unwrap().shows_status());
        assert!(PromptFormat::default().shows_name());
        assert!(!PromptFormat::parse("%s>").unwrap().shows_name());
    }
}
