//! `.exit`, `.hmp`, `.qmp` and `.set`.

use crate::grammar::{Diagnostic, DotLine, LineMode};
use crate::schema::nearest;

use super::{at_most, needs};
use crate::shell::engine::hmp::Show;
use crate::shell::engine::{Engine, LineOutcome};
use crate::shell::output::{InputLine, Output};
use crate::shell::settings::{SETTINGS, Setting};

pub(crate) fn exit(
    _engine: &mut Engine,
    line: &DotLine,
    _source: &InputLine<'_>,
    _out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    at_most(line, 0)?;
    Ok(LineOutcome::Leave)
}

pub(crate) fn hmp(
    engine: &mut Engine,
    line: &DotLine,
    source: &InputLine<'_>,
    out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    if line.rest.is_empty() {
        engine.set_language(LineMode::Hmp);
        return Ok(LineOutcome::Done);
    }
    // In a script that is not in HMP mode, output is one JSON message a line, and stays so.
    let as_text = engine.mode.interactive || engine.language() == LineMode::Hmp;
    let show = if as_text { Show::Text } else { Show::Reply };
    Ok(engine.monitor_command(&line.rest, show, source, out))
}

pub(crate) fn qmp(
    engine: &mut Engine,
    line: &DotLine,
    _source: &InputLine<'_>,
    _out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    at_most(line, 0)?;
    engine.set_language(LineMode::Qmp);
    Ok(LineOutcome::Done)
}

pub(crate) fn set(
    engine: &mut Engine,
    line: &DotLine,
    _source: &InputLine<'_>,
    out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    let Some(name) = line.words.first() else {
        let lines = SETTINGS.iter().map(|setting| shown(setting, engine));
        out.text(&lines.collect::<String>());
        return Ok(LineOutcome::Done);
    };
    let setting = Setting::find(&name.text).ok_or_else(|| {
        let near = nearest(&name.text, SETTINGS.iter().map(|setting| setting.name));
        let help = near.map_or("`.set` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        Diagnostic::new(name.span, format!("there is no setting `{}`; {help}", name.text))
    })?;
    if line.words.len() == 1 {
        out.text(&shown(setting, engine));
        return Ok(LineOutcome::Done);
    }
    let first = needs(line, 1, "a value")?;
    let value: Vec<&str> = line.words[1..].iter().map(|word| word.text.as_str()).collect();
    setting.set(&mut engine.settings, &value.join(" ")).map_err(|message| Diagnostic::new(first.span, message))?;
    Ok(LineOutcome::Done)
}

fn shown(setting: &Setting, engine: &Engine) -> String {
    format!("{:<14} {:<12} {}\n", setting.name, setting.get(&engine.settings), setting.help)
}
