//! The rc file: lines that every prompt runs first.

use std::io;
use std::path::PathBuf;

use super::super::engine::Engine;
use super::super::line::LineOutcome;
use super::super::output::Output;
use super::source::{read_file, run_text};

/// Returns the path of the rc file: `$XDG_CONFIG_HOME/qmp-shell/rc`, by default `~/.config/qmp-shell/rc`.
fn path() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::home_dir().filter(|home| home.is_absolute());
    let config = config.or_else(|| home().map(|home| home.join(".config")))?;
    Some(config.join("qmp-shell/rc"))
}

/// Returns the path of the rc file for messages.
pub(super) fn shown_path() -> String {
    let Some(path) = path() else { return "the rc file".to_owned() };
    let below_home = std::env::home_dir().and_then(|home| path.strip_prefix(home).ok().map(PathBuf::from));
    below_home.map_or_else(|| path.display().to_string(), |path| format!("~/{}", path.display()))
}

/// Runs the lines of the rc file, if there is one. A line that fails is reported, and does not end the session.
pub(crate) fn run_rc_file(engine: &mut Engine, out: &mut dyn Output) -> LineOutcome {
    let Some(path) = path() else { return LineOutcome::Done };
    let name = path.display().to_string();
    let bytes = match read_file(&path, out) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return LineOutcome::Done,
        Err(error) => {
            out.show_notice(&format!("cannot read `{name}`: {error}"));
            return LineOutcome::Failed;
        }
    };
    let exits_on_error = std::mem::take(&mut engine.settings.exit_on_error);
    let outcome = run_text(engine, &name, &String::from_utf8_lossy(&bytes), out);
    engine.settings.exit_on_error |= exits_on_error;
    engine.take_failed();
    outcome
}
