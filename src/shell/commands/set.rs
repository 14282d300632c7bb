//! `.set`: shows and changes settings.

use crate::assist::Completes;
use crate::grammar::Diagnostic;
use crate::schema::nearest;

use super::super::line::LineOutcome;
use super::super::settings::{SETTINGS, Setting, Settings};
use super::rc::shown_path;
use super::{Arguments, DotCommand, Invocation};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "set",
    aliases: &[],
    usage: "[NAME [VALUE]]",
    summary: "show settings, or change one",
    help: "Without NAME, shows all settings; without VALUE, shows that one. A change lasts as long as the session; put the\n\
           line into the rc file, `~/.config/qmp-shell/rc`, to keep it.",
    arguments: Arguments::RawTail,
    has_reply_slot: false,
    completes: Completes::Settings,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let Invocation { engine, dot, line, out } = invocation;
    let Some((name, values)) = dot.words.split_first() else {
        let rows = SETTINGS.iter().map(|setting| row(setting, &engine.settings));
        out.print(&rows.collect::<String>());
        return Ok(LineOutcome::Done);
    };
    let setting = Setting::find(&name.text).ok_or_else(|| {
        let near = nearest(&name.text, SETTINGS.iter().map(|setting| setting.name));
        let help = near.map_or("`.set` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        Diagnostic::new(name.span, format!("unknown setting `{}`; {help}", name.text)).with_replacement(near)
    })?;
    let value = match values {
        [] => {
            out.print(&row(setting, &engine.settings));
            return Ok(LineOutcome::Done);
        }
        [word] => {
            dot.check_words()?;
            word.text.as_str()
        }
        // Several words are a command, whose quotes are for the shell that runs it.
        [first, .., last] => &line.text[first.span.start..last.span.end],
    };
    setting.set(&mut engine.settings, value).map_err(|message| Diagnostic::new(values[0].span, message))?;
    if engine.options.interactive && line.script.is_none() && !std::mem::replace(&mut engine.knows_rc_file, true) {
        out.show_notice(&format!("This lasts as long as the session; put the line into {} to keep it.", shown_path()));
    }
    Ok(LineOutcome::Done)
}

fn row(setting: &Setting, settings: &Settings) -> String {
    format!("{:<14} {:<12} {}\n", setting.name, setting.get(settings), setting.help)
}
