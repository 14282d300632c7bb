//! What `.set` sets. One table drives setting, showing, completion and help.

use super::events::filter::EventFilter;

/// How replies are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputForm {
    /// Indented JSON.
    Pretty,
    /// One message a line.
    Json,
}

/// How the shell behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Show what is sent.
    pub verbose: bool,
    /// How replies are laid out.
    pub output: OutputForm,
    /// The pager's command; `None` turns paging off.
    pub pager: Option<String>,
    /// Refuse what introspection says is wrong.
    pub check: bool,
    /// Ask before `quit`.
    pub confirm: bool,
    /// Leave at the first line that fails.
    pub exit_on_error: bool,
    /// Which events are shown.
    pub events: EventFilter,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            verbose: false,
            output: OutputForm::Pretty,
            pager: Some(default_pager()),
            check: true,
            confirm: true,
            exit_on_error: false,
            events: EventFilter::All,
        }
    }
}

/// `$PAGER`, or `less` with the options that git gives it.
pub(super) fn default_pager() -> String {
    match std::env::var("PAGER") {
        Ok(pager) if !pager.trim().is_empty() => pager,
        _ => "less -FRX".to_owned(),
    }
}

/// One thing that can be set.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// The values to offer; others may be taken too.
    pub(super) values: &'static [&'static str],
    get: fn(&Settings) -> String,
    set: fn(&mut Settings, &str) -> Result<(), String>,
}

const SWITCH: &[&str] = &["on", "off"];

/// Everything that can be set.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "check",
        help: "refuse what introspection says is wrong (--no-check)",
        values: SWITCH,
        get: |settings| shown(settings.check),
        set: |settings, value| switch(value).map(|on| settings.check = on),
    },
    Setting {
        name: "confirm",
        help: "ask before `quit` ends QEMU",
        values: SWITCH,
        get: |settings| shown(settings.confirm),
        set: |settings, value| switch(value).map(|on| settings.confirm = on),
    },
    Setting {
        name: "exit-on-error",
        help: "leave at the first line that fails (-e)",
        values: SWITCH,
        get: |settings| shown(settings.exit_on_error),
        set: |settings, value| switch(value).map(|on| settings.exit_on_error = on),
    },
    Setting {
        name: "output",
        help: "how replies are laid out (-o)",
        values: &["pretty", "json"],
        get: |settings| match settings.output {
            OutputForm::Pretty => "pretty".to_owned(),
            OutputForm::Json => "json".to_owned(),
        },
        set: |settings, value| {
            settings.output = match value {
                "pretty" => OutputForm::Pretty,
                "json" => OutputForm::Json,
                _ => return Err("`output` is `pretty` or `json`".to_owned()),
            };
            Ok(())
        },
    },
    Setting {
        name: "pager",
        help: "show long output through a pager: on, off or a command",
        values: SWITCH,
        get: |settings| settings.pager.clone().unwrap_or_else(|| "off".to_owned()),
        set: |settings, value| {
            settings.pager = match value {
                "off" => None,
                "on" => Some(default_pager()),
                command if shlex::split(command).is_some_and(|words| !words.is_empty()) => Some(command.to_owned()),
                _ => return Err("`pager` is `on`, `off` or a command".to_owned()),
            };
            Ok(())
        },
    },
    Setting {
        name: "verbose",
        help: "show each request as it is sent (-v)",
        values: SWITCH,
        get: |settings| shown(settings.verbose),
        set: |settings, value| switch(value).map(|on| settings.verbose = on),
    },
];

impl Setting {
    /// The setting of this name.
    pub(super) fn find(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// The present value.
    pub(super) fn get(&self, settings: &Settings) -> String {
        (self.get)(settings)
    }

    /// Sets it; the error says what it takes.
    pub(super) fn set(&self, settings: &mut Settings, value: &str) -> Result<(), String> {
        (self.set)(settings, value)
    }
}

fn shown(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

fn switch(value: &str) -> Result<bool, String> {
    match value {
        "on" | "yes" | "true" => Ok(true),
        "off" | "no" | "false" => Ok(false),
        other => Err(format!("expected `on` or `off`, found `{other}`")),
    }
}
