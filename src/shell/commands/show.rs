//! `.show`: shows a picture of what takes several replies.

use crate::assist::Completes;
use crate::grammar::{Diagnostic, Word};
use crate::schema::nearest;
use crate::views::{Display, Graphics, Inquiry, TOPICS, Topic};

use super::super::line::LineOutcome;
use super::super::terminal::size::terminal_size;
use super::{Arguments, DotCommand, Invocation, expand_home};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "show",
    aliases: &[],
    usage: "[TOPIC [ARGUMENT]]",
    summary: "show a picture of a topic, such as `blocks`; alone, list them",
    help: "Sends several queries and draws a picture of their replies: `.show blocks`. In the formats `json` and `flat` the\n\
           data itself is shown. A picture says which queries the server does not know. Without TOPIC, lists the topics.",
    arguments: Arguments::Words { min: 0, max: 2 },
    has_reply_slot: true,
    completes: Completes::Views(TOPIC_NAMES),
    run,
};

/// The names of the topics and their descriptions, for completion.
const TOPIC_NAMES: &[(&str, &str)] = &{
    let mut names = [("", ""); TOPICS.len()];
    let mut index = 0;
    while index < TOPICS.len() {
        names[index] = (TOPICS[index].name, TOPICS[index].summary);
        index += 1;
    }
    names
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let Some((name, arguments)) = invocation.dot.words.split_first() else {
        invocation.out.print(&TOPICS.iter().map(row).collect::<String>());
        return Ok(LineOutcome::Done);
    };
    let topic = find_topic(name)?;
    let argument = arguments.first();
    if let Some(word) = argument.filter(|_| topic.argument.is_empty()) {
        return Err(Diagnostic::new(
            word.span,
            format!("`.show {}` takes no argument, found `{}`", topic.name, word.text),
        ));
    }
    if let Some(word) = argument {
        (topic.check)(&word.text).map_err(|message| Diagnostic::new(word.span, message))?;
    }
    let argument = argument.map(|word| expand_home(&word.text).display().to_string());
    let (_, rows) = terminal_size();
    let display = Display { rows, graphics: Graphics::of_environment(&|name| std::env::var(name).ok()) };
    let inquiry = Inquiry { argument: argument.as_deref(), display };
    let Invocation { engine, line, out, .. } = invocation;
    if let Err(outcome) = engine.ensure_open(line, &mut **out) {
        return Ok(outcome);
    }
    let view = match engine.with_qmp_server(line, &mut **out, |server| (topic.run)(server, &inquiry)) {
        Ok(Ok(view)) => view,
        Ok(Err(failure)) => {
            let error = failure.into_error();
            out.report_failure(&error.desc, line, Some(&error.class));
            return Ok(LineOutcome::Failed);
        }
        Err(outcome) => return Ok(outcome),
    };
    out.show_view(&*view);
    Ok(LineOutcome::Done)
}

fn row(topic: &Topic) -> String {
    let usage = format!("{} {}", topic.name, topic.argument);
    format!("{usage:<18} {}\n", topic.summary)
}

fn find_topic(word: &Word) -> Result<&'static Topic, Diagnostic> {
    TOPICS.iter().find(|topic| topic.name == word.text).ok_or_else(|| {
        let near = nearest(&word.text, TOPICS.iter().map(|topic| topic.name));
        let help = near.map_or("`.show` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        Diagnostic::new(word.span, format!("unknown topic `{}`; {help}", word.text))
    })
}
