//! The values of options and of the environment.

use std::ffi::OsString;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::session::{Address, AddressError};
use crate::shell::{MONITOR_CHOICES, MonitorChoice, OUTPUT_FORMATS, OutputFormat, split_name};

/// The short help of an argument that is the address of the server.
pub(crate) const ADDRESS_SUMMARY: &str = "Address: PATH, HOST:PORT, ssh://HOST/PATH, libvirt:VM or demo:";

/// The help of an argument that is the address of the server.
pub(crate) const ADDRESS_HELP: &str = "Address of the server: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, \
                                       ssh://HOST/PATH, libvirt:DOMAIN, fd:N, exec:COMMAND, replay:FILE or demo: \
                                       [default: $QMP_SOCKET]";

/// The help of the arguments that are the addresses of servers.
pub(crate) const SEVERAL_ADDRESSES_HELP: &str = "Address of the server: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, \
                                                 ssh://HOST/PATH, libvirt:DOMAIN, fd:N, exec:COMMAND, replay:FILE or \
                                                 demo: [default: $QMP_SOCKET]. With several, each has a name, by default \
                                                 that of its file: src=a.sock dst=b.sock";

/// An address with the name of its server, if it was given one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedAddress {
    pub(crate) name: Option<String>,
    pub(crate) address: Address,
}

/// Returns a parser for `[NAME=]ADDRESS`. Paths may have any encoding.
pub(crate) fn named_address_parser() -> impl TypedValueParser<Value = NamedAddress> {
    OsStringValueParser::new().try_map(|text| -> Result<NamedAddress, AddressError> {
        let (name, address) = match text.to_str().map(split_name) {
            Some((Some(name), address)) => (Some(name.to_owned()), address.parse()?),
            _ => (None, Address::from_os_str(&text)?),
        };
        Ok(NamedAddress { name, address })
    })
}

/// A value of `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// Use colour on a terminal that supports it
    Auto,
    /// Always use colour
    Always,
    /// Never use colour
    Never,
}

/// A value of `--generate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generate {
    /// The manual page
    Man,
    /// Completions for bash
    Bash,
    /// Completions for zsh
    Zsh,
    /// Completions for fish
    Fish,
    /// Completions for elvish
    Elvish,
    /// Completions for PowerShell
    Powershell,
}

/// Returns a parser for the names in [`OUTPUT_FORMATS`].
pub(crate) fn output_format_parser() -> impl TypedValueParser<Value = OutputFormat> {
    let values = OUTPUT_FORMATS.iter().map(|entry| PossibleValue::new(entry.name).help(entry.help));
    PossibleValuesParser::new(values).try_map(|name| OutputFormat::find(&name).ok_or("unknown output format"))
}

/// Returns a parser for the names in [`MONITOR_CHOICES`].
pub(crate) fn monitor_parser() -> impl TypedValueParser<Value = MonitorChoice> {
    let values = MONITOR_CHOICES.iter().map(|(name, _, help)| PossibleValue::new(*name).help(*help));
    PossibleValuesParser::new(values).try_map(|name| MonitorChoice::find(&name).ok_or("unknown monitor"))
}

/// Returns a parser for addresses. Paths in them may have any encoding.
pub(crate) fn address_parser() -> impl TypedValueParser<Value = Address> {
    OsStringValueParser::new().try_map(|text| Address::from_os_str(&text))
}

/// Returns the address in the environment.
pub(crate) fn address_from_environment() -> Result<Option<Address>, String> {
    let Some(text) = environment_variable("QMP_SOCKET") else { return Ok(None) };
    Address::from_os_str(&text).map(Some).map_err(|error| format!("QMP_SOCKET: {error}"))
}

/// Returns the value of an environment variable, if there is one and it is not empty.
pub(crate) fn environment_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Parses a time span in seconds.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "expected a non-negative number of seconds".to_owned())
}

/// The shortest time between two runs of a command.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// Parses the seconds between two runs of a command.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    let interval = seconds(text)?;
    match interval >= MIN_INTERVAL {
        true => Ok(interval),
        false => Err(format!("expected at least {} seconds", MIN_INTERVAL.as_secs_f64())),
    }
}

/// Parses a number of bytes, with or without a suffix for a power of 1024.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let (digits, shift) = match text.chars().last() {
        Some('k' | 'K') => (&text[..text.len() - 1], 10),
        Some('m' | 'M') => (&text[..text.len() - 1], 20),
        Some('g' | 'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: usize = digits.parse().map_err(|_| "expected a number of bytes, such as 64M".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_sizes_and_seconds() {
        assert_eq!(size("64M"), Ok(64 << 20));
        assert!(size("x").is_err() && size("99999999999999G").is_err());
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(seconds("-1").is_err() && seconds("nan").is_err());
    }
}
