//! `.watch`: runs a line again and again, in place.

mod frame;
mod only_asks;

use std::time::{Duration, Instant};

use chrono::Local;

use crate::assist::Completes;
use crate::grammar::{Diagnostic, Span, Word};
use crate::render::{Palette, printable};

use super::super::engine::Engine;
use super::super::engine::exchange::StopReason;
use super::super::line::{InputLine, LineOutcome};
use super::super::output::Output;
use super::super::output::captured::CapturedOutput;
use super::waiting::{give_up, pause};
use super::{Arguments, DotCommand, Invocation, run_line};
use frame::Frame;
use only_asks::check_that_line_only_asks;

/// The time between two runs, and the shortest.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// The rows that a frame does not use: its title, and one that stays free.
const OTHER_ROWS: usize = 2;

/// The name under which lines run that may change something.
const FORCED_NAME: &str = "watch!";

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "watch",
    aliases: &[FORCED_NAME],
    usage: "[SECONDS] LINE",
    summary: "run LINE again and again, in place, and mark what changes",
    help: "Runs LINE every 2 seconds, or every SECONDS, until Ctrl-C: `.watch query-jobs`, `.watch 0.5 .hmp info registers`.\n\
           What has changed since the last time is marked, and events appear above. A line that may change something in\n\
           the server is refused; `.watch! LINE` runs it all the same. In scripts, and in a terminal that cannot replace\n\
           lines, each reply is printed.",
    arguments: Arguments::RawTail,
    has_reply_slot: false,
    completes: Completes::Line,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let (interval, start) = parse_interval(&invocation.dot.words)?;
    if start >= invocation.dot.words.len() {
        invocation.word(start, "a line")?;
    }
    let Invocation { engine, dot, line, out } = invocation;
    let text = line.text[dot.words[start].span.start..].trim_end();
    let offset = dot.words[start].span.start;
    if engine.in_transaction() {
        return Err(Diagnostic::new(dot.name_span, "a transaction is not sent before it is complete"));
    }
    if engine.is_watching {
        return Err(Diagnostic::new(dot.name_span, "a line that is repeated cannot repeat another one"));
    }
    if dot.name != FORCED_NAME {
        check_that_line_only_asks(engine, text).map_err(|diagnostic| Diagnostic {
            span: Span::new(diagnostic.span.start + offset, diagnostic.span.end + offset),
            ..diagnostic
        })?;
    }
    if engine.options.dry_run {
        return Ok(run_line(engine, &InputLine { text, ..**line }, &mut **out));
    }
    if let Err(outcome) = engine.ensure_open(line, &mut **out) {
        return Ok(outcome);
    }
    let text = text.to_owned();
    engine.is_watching = true;
    let outcome = watch(&text, interval, invocation);
    invocation.engine.is_watching = false;
    Ok(outcome)
}

/// Parses the seconds before the line. Returns the index of the word at which the line begins, too.
fn parse_interval(words: &[Word]) -> Result<(Duration, usize), Diagnostic> {
    let seconds = |word: &Word| word.text.parse::<f64>().ok().filter(|_| word.equals.is_none());
    let Some((word, seconds)) = words.first().and_then(|word| Some((word, seconds(word)?))) else {
        return Ok((DEFAULT_INTERVAL, 0));
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(interval) if interval >= MIN_INTERVAL => Ok((interval, 1)),
        _ => {
            let least = MIN_INTERVAL.as_secs_f64();
            let message = format!("expected a number of seconds, at least {least}, found `{}`", word.text);
            Err(Diagnostic::new(word.span, message))
        }
    }
}

/// Runs a line until the user or the server ends it.
fn watch(text: &str, interval: Duration, invocation: &mut Invocation<'_>) -> LineOutcome {
    let title = format!("Every {} s: {}", interval.as_secs_f64(), printable(text));
    let mut frame = Frame::default();
    loop {
        let start = Instant::now();
        let Invocation { engine, line, out, .. } = invocation;
        let Run { outcome, is_interrupted, lines } =
            run_once(engine, &InputLine { text, ..**line }, &title, &mut frame, &mut **out);
        out.show_live(&lines);
        let is_over = matches!(outcome, LineOutcome::Leave | LineOutcome::Disconnected);
        if is_over || is_interrupted || out.has_failed() {
            out.keep_live();
            return if is_over { outcome } else { LineOutcome::Done };
        }
        if !engine.connection.is_open() {
            // The connection was lost, and the line reported that. It is not opened again for a line that repeats.
            out.keep_live();
            return LineOutcome::Failed;
        }
        loop {
            let left = interval.saturating_sub(start.elapsed());
            match pause(left, None, invocation, &|_| true) {
                // The event has taken the place of the lines.
                StopReason::Enough => invocation.out.show_live(&lines),
                StopReason::TimedOut => break,
                StopReason::Interrupted => {
                    invocation.out.keep_live();
                    return LineOutcome::Done;
                }
                stop => {
                    invocation.out.keep_live();
                    return give_up(&stop, "the next run", String::new, invocation);
                }
            }
        }
    }
}

/// One run of the line.
struct Run {
    outcome: LineOutcome,
    is_interrupted: bool,
    /// The lines to show, if they are shown in place.
    lines: Vec<String>,
}

/// Runs the line once.
fn run_once(engine: &mut Engine, line: &InputLine<'_>, title: &str, frame: &mut Frame, out: &mut dyn Output) -> Run {
    let Some((_, rows)) = out.live_size() else {
        let outcome = run_line(engine, line, out);
        return Run { outcome, is_interrupted: out.take_interrupt(), lines: Vec::new() };
    };
    let (palette, _) = out.style();
    let mut captured = CapturedOutput::new(out);
    let outcome = run_line(engine, line, &mut captured);
    captured.take_interrupt();
    let (text, is_interrupted) = captured.into_text();
    let mut lines = vec![title_line(title, &palette)];
    lines.extend(frame.update(&text, rows.saturating_sub(OTHER_ROWS).max(1), &palette));
    Run { outcome, is_interrupted, lines }
}

/// Returns the title with the time of day.
fn title_line(title: &str, palette: &Palette) -> String {
    palette.paint(&palette.dim, &format!("{} {title}", Local::now().format("%H:%M:%S")))
}
