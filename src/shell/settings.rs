//! The settings of `.set`. One table drives how they are set, shown, completed and explained.

use crate::session::is_runnable;

use super::events::filter::EventFilter;
use super::output_format::{OUTPUT_FORMATS, OutputFormat};
use super::prompt_format::PromptFormat;

/// The settings of `.set`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether each request is shown as it is sent.
    pub verbose: bool,
    pub output: OutputFormat,
    /// The pager's command; `None` turns paging off.
    pub pager: Option<String>,
    /// Whether lines that contradict the server's introspection are rejected.
    pub check: bool,
    /// Whether the shell asks before it sends `quit`.
    pub confirm: bool,
    /// Whether the shell leaves after the first line that fails.
    pub exit_on_error: bool,
    /// The keys of the line editor.
    pub keys: KeyMap,
    pub prompt: PromptFormat,
    /// Which monitor answers HMP lines.
    pub monitor: MonitorChoice,
    /// The filter of shown events.
    pub events: EventFilter,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            verbose: false,
            output: OutputFormat::Auto,
            pager: default_pager(),
            check: true,
            confirm: true,
            exit_on_error: false,
            keys: KeyMap::Emacs,
            prompt: PromptFormat::default(),
            monitor: MonitorChoice::Auto,
            events: EventFilter::All,
        }
    }
}

/// The keys of the line editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMap {
    Emacs,
    Vi,
}

/// The monitor that answers HMP lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorChoice {
    /// The server's if it has one, or else the shell's.
    Auto,
    /// The server's, through `human-monitor-command`.
    Server,
    /// The shell's, over QMP alone.
    Own,
}

/// The choices of `.set monitor` and `--monitor`, with their names and descriptions.
pub const MONITOR_CHOICES: &[(&str, MonitorChoice, &str)] = &[
    ("auto", MonitorChoice::Auto, "the server's if it has one, or else the shell's own"),
    ("own", MonitorChoice::Own, "the shell's own, over QMP alone"),
    ("server", MonitorChoice::Server, "the server's, through human-monitor-command"),
];

impl MonitorChoice {
    /// Returns the choice with this name.
    pub fn find(name: &str) -> Option<MonitorChoice> {
        MONITOR_CHOICES.iter().find(|(known, ..)| *known == name).map(|(_, choice, _)| *choice)
    }

    pub fn name(self) -> &'static str {
        MONITOR_CHOICES.iter().find(|(_, choice, _)| *choice == self).map_or("", |(name, ..)| name)
    }
}

/// `less`, with the options that git gives it.
const LESS: &str = "less -FRX";

/// Returns `$PAGER`, or `less` if it is installed.
pub(crate) fn default_pager() -> Option<String> {
    match std::env::var("PAGER") {
        Ok(pager) if !pager.trim().is_empty() => Some(pager),
        _ => is_runnable("less").then(|| LESS.to_owned()),
    }
}

/// One setting.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    /// The values to offer, with their descriptions; a setting may accept others.
    pub(crate) values: fn() -> Vec<(&'static str, &'static str)>,
    get: fn(&Settings) -> String,
    set: fn(&mut Settings, &str) -> Result<(), String>,
}

/// All settings, by name.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "check",
        help: "reject invalid lines before sending (--no-check)",
        values: on_off,
        get: |settings| format_switch(settings.check),
        set: |settings, value| parse_switch(value).map(|on| settings.check = on),
    },
    Setting {
        name: "confirm",
        help: "ask before `quit` ends QEMU",
        values: on_off,
        get: |settings| format_switch(settings.confirm),
        set: |settings, value| parse_switch(value).map(|on| settings.confirm = on),
    },
    Setting {
        name: "exit-on-error",
        help: "leave after the first line that fails (-e)",
        values: on_off,
        get: |settings| format_switch(settings.exit_on_error),
        set: |settings, value| parse_switch(value).map(|on| settings.exit_on_error = on),
    },
    Setting {
        name: "keys",
        help: "keys of the prompt, at first those of inputrc",
        values: || vec![("emacs", ""), ("vi", "")],
        get: |settings| if settings.keys == KeyMap::Vi { "vi" } else { "emacs" }.to_owned(),
        set: |settings, value| {
            settings.keys = match value {
                "emacs" => KeyMap::Emacs,
                "vi" => KeyMap::Vi,
                other => return Err(format!("expected `emacs` or `vi`, found `{other}`")),
            };
            Ok(())
        },
    },
    Setting {
        name: "monitor",
        help: "the monitor for HMP lines (--monitor)",
        values: || MONITOR_CHOICES.iter().map(|(name, _, help)| (*name, *help)).collect(),
        get: |settings| settings.monitor.name().to_owned(),
        set: |settings, value| {
            let names: Vec<&str> = MONITOR_CHOICES.iter().map(|(name, ..)| *name).collect();
            let expected = || format!("expected {}, found `{value}`", alternatives(&names));
            MonitorChoice::find(value).map(|choice| settings.monitor = choice).ok_or_else(expected)
        },
    },
    Setting {
        name: "output",
        help: "the format of replies (-o)",
        values: output_formats,
        get: |settings| settings.output.name().to_owned(),
        set: |settings, value| {
            let names: Vec<&str> = OUTPUT_FORMATS.iter().map(|entry| entry.name).collect();
            let expected = || format!("expected {}, found `{value}`", alternatives(&names));
            OutputFormat::find(value).map(|format| settings.output = format).ok_or_else(expected)
        },
    },
    Setting {
        name: "pager",
        help: "the pager for long output: on, off or a command",
        values: on_off,
        get: |settings| settings.pager.clone().unwrap_or_else(|| "off".to_owned()),
        set: |settings, value| {
            settings.pager = match value {
                "off" => None,
                "on" => default_pager().or(Some(LESS.to_owned())),
                command if shlex::split(command).is_some_and(|words| !words.is_empty()) => Some(command.to_owned()),
                _ => return Err(format!("expected `on`, `off` or a command, found `{value}`")),
            };
            Ok(())
        },
    },
    Setting {
        name: "prompt",
        help: "%n VM, %a address, %s state, %c CPU, %@ server",
        values: || vec![("default", "")],
        get: |settings| settings.prompt.text().to_owned(),
        set: |settings, value| PromptFormat::parse(value).map(|format| settings.prompt = format),
    },
    Setting {
        name: "verbose",
        help: "show each request as it is sent (-v)",
        values: on_off,
        get: |settings| format_switch(settings.verbose),
        set: |settings, value| parse_switch(value).map(|on| settings.verbose = on),
    },
];

impl Setting {
    pub(crate) fn find(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    pub(crate) fn get(&self, settings: &Settings) -> String {
        (self.get)(settings)
    }

    /// Changes the setting. The error says which values it takes.
    pub(crate) fn set(&self, settings: &mut Settings, value: &str) -> Result<(), String> {
        (self.set)(settings, value)
    }
}

fn on_off() -> Vec<(&'static str, &'static str)> {
    vec![("on", ""), ("off", "")]
}

fn output_formats() -> Vec<(&'static str, &'static str)> {
    OUTPUT_FORMATS.iter().map(|entry| (entry.name, entry.help)).collect()
}

/// Joins names as `a`, `b` or `c`.
fn alternatives(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.join(", "),
    }
}

fn format_switch(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

fn parse_switch(value: &str) -> Result<bool, String> {
    match value {
        "on" | "yes" | "true" => Ok(true),
        "off" | "no" | "false" => Ok(false),
        other => Err(format!("expected `on` or `off`, found `{other}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offered_value_can_be_set_and_read_back() {
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
        let mut settings = Settings::default();
        for setting in SETTINGS {
            for (value, _) in (setting.values)() {
                assert_eq!(setting.set(&mut settings, value), Ok(()), "{} {value}", setting.name);
                if value != "on" || setting.name != "pager" {
                    assert_eq!(setting.get(&settings), value, "{}", setting.name);
                }
            }
        }
    }

    #[test]
    fn invalid_values_are_explained() {
        let mut settings = Settings::default();
        for (name, value, error) in [
            ("check", "maybe", "expected `on` or `off`, found `maybe`"),
            ("pager", "'", "expected `on`, `off` or a command, found `'`"),
        ] {
            assert_eq!(Setting::find(name).unwrap().set(&mut settings, value), Err(error.to_owned()));
        }
        let error = Setting::find("output").unwrap().set(&mut settings, "xml").unwrap_err();
        assert!(OUTPUT_FORMATS.iter().all(|entry| error.contains(&format!("`{}`", entry.name))), "{error}");
    }
}
