//! The prompt: a line editor feeding the engine.

mod block_history;
mod dumb_terminal;
pub(crate) mod helper;
mod keys;
mod redraw;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Stdout, Write as _};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::error::ReadlineError;
use rustyline::history::{History as _, MemHistory};
use rustyline::{ColorMode, CompletionType, Config, Editor};
use unicode_width::UnicodeWidthStr;

use crate::grammar::{Assembler, LineMode, is_complete};
use crate::render::{Palette, sanitize};

use super::engine::{Engine, LineOutcome};
use super::history::History;
use super::output::terminal::{self, Terminal};
use super::output::{InputLine, Output};
use super::prompt::block_history::BlockHistory;
use super::prompt::dumb_terminal::DumbTerminalReader;
use super::prompt::helper::ShellHelper;
use super::prompt::keys::keys;
use super::prompt::redraw::{FirstRow, RedrawTracker};
use super::terminal::signals::InterruptHandler;
use super::terminal::waker::PromptWaker;

/// The advice under the banner.
const ADVICE: &str = "Tab completes, help explains, Ctrl-D leaves.";

/// The same, where leaving ends QEMU.
const ADVICE_WRAPPED: &str = "Tab completes, help explains, Ctrl-D ends QEMU and leaves.";

/// Lines from elsewhere, such as the wrapped QEMU's standard error: shown above the line being typed and, before and
/// after the prompt, written to standard error at once.
#[derive(Debug, Clone, Default)]
pub struct AsyncOutput {
    queue: Arc<Mutex<Queue>>,
    waker: PromptWaker,
}

/// How many bytes, and how many lines, wait to be shown. Of more than that nobody would read the first, and whoever writes
/// them is not made to wait: QEMU would not answer meanwhile.
const WAITING: (usize, usize) = (1 << 17, 2000);

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<String>,
    bytes: usize,
    /// How many lines were left out in front of these.
    left_out: usize,
    /// There is a prompt to show them at.
    attended: bool,
}

impl AsyncOutput {
    /// Adds a line.
    pub fn push(&self, line: String) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.attended {
            queue.bytes += line.len();
            queue.lines.push_back(line);
            while (queue.bytes > WAITING.0 || queue.lines.len() > WAITING.1)
                && let Some(first) = queue.lines.pop_front()
            {
                queue.bytes -= first.len();
                queue.left_out += 1;
            }
            self.waker.ring();
        } else {
            let _ = writeln!(io::stderr(), "{}", sanitize(&line));
        }
    }

    /// The prompt begins or ends.
    fn set_prompt_active(&self, attended: bool) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.attended = attended;
        if !attended {
            for line in queue.take() {
                let _ = writeln!(io::stderr(), "{}", sanitize(&line));
            }
        }
    }

    fn take(&self) -> Vec<String> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Queue {
    fn take(&mut self) -> Vec<String> {
        let left_out = std::mem::take(&mut self.left_out);
        let missing = (left_out > 0).then(|| format!("({left_out} lines were left out here.)"));
        self.bytes = 0;
        missing.into_iter().chain(self.lines.drain(..)).collect()
    }
}

/// How a prompt is set up.
pub struct PromptOptions {
    /// The colours.
    pub palette: Palette,
    /// Whether lines are kept in files.
    pub history: bool,
    /// Lines from elsewhere.
    pub messages: AsyncOutput,
    /// Run before the program ends because a signal told it to.
    pub on_end: Box<dyn Fn() + Send>,
}

/// Runs the prompt until the user leaves. The engine's link is open, or will be opened by the first command. A QEMU that
/// this program started is then told to end. Returns whether all is well: false where a failed line ended the session.
pub fn run_prompt(engine: Engine, options: PromptOptions) -> io::Result<bool> {
    let PromptOptions { palette, history, messages, on_end } = options;
    let interrupts = InterruptHandler::watch(on_end)?;
    let engine = Rc::new(RefCell::new(engine));
    let mut terminal = Terminal::new(io::stdout(), palette.clone(), interrupts.flag());
    {
        let mut engine = engine.borrow_mut();
        engine.connection().give_up_on(interrupts.flag());
        if engine.connection().is_open() {
            let welcome = engine.welcome();
            let advice = engine.connection().started().map_or(ADVICE, |_| ADVICE_WRAPPED);
            let (columns, _) = terminal::size();
            let gap = if welcome.width() + 1 + advice.width() <= columns { " " } else { "\n" };
            terminal.notice(&format!("{welcome}{gap}{advice}"));
        }
        if history {
            engine.histories = [History::load(LineMode::Qmp), History::load(LineMode::Hmp)];
        }
    }
    let waker = messages.waker.clone();
    let mut prompt = Prompt {
        editor: editor(&engine, &palette, &messages, interrupts.flag())?,
        engine,
        terminal,
        palette,
        interrupts,
        messages,
        shown_history: None,
        plain: None,
        block_history: BlockHistory::default(),
        dropped: Arc::default(),
    };
    match prompt.editor.create_external_printer() {
        Ok(printer) => {
            waker.start(printer);
            prompt.terminal.disable_echo(prompt.interrupts.stops().lent());
            prompt.bind_keys();
        }
        Err(_) => {
            let (reader, printer) = DumbTerminalReader::new()?;
            waker.start(printer);
            prompt.plain = Some(reader);
        }
    }
    prompt.messages.set_prompt_active(true);
    let result = prompt.run();
    prompt.block_history.drop_block(&mut prompt.engine.borrow_mut());
    prompt.messages.set_prompt_active(false);
    waker.end();
    prompt.engine.borrow_mut().end_qemu(&mut prompt.terminal);
    prompt.engine.borrow_mut().finish_pending_queries();
    prompt.engine.borrow_mut().end_log(&mut prompt.terminal);
    result
}

type ShellEditor = Editor<ShellHelper, MemHistory>;

fn editor(
    engine: &Rc<RefCell<Engine>>,
    palette: &Palette,
    messages: &AsyncOutput,
    flag: Arc<AtomicBool>,
) -> io::Result<ShellEditor> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .completion_prompt_limit(200)
        .max_history_size(10_000)
        .and_then(|builder| builder.history_ignore_dups(true))
        .map_err(io::Error::other)?
        // A lone ESC would otherwise hold up everything until the next key.
        .keyseq_timeout(Some(50))
        // News are shown through the prompt's colouring, so that is always on; whether there is colour is ours to say.
        .color_mode(ColorMode::Forced)
        .build();
    let history = MemHistory::with_config(&config);
    let mut editor = Editor::with_history(config, history).map_err(io::Error::other)?;
    let (engine, palette, messages) = (Rc::clone(engine), palette.clone(), messages.clone());
    let colours = palette.clone();
    let news_engine = Rc::clone(&engine);
    let take_async_output = Box::new(move || {
        messages.waker.acknowledge();
        let mut above = Terminal::new(Vec::new(), palette.clone(), Arc::clone(&flag));
        for line in messages.take() {
            above.notice(&line);
        }
        if news_engine.borrow_mut().drain(&mut above) {
            messages.waker.ring();
        }
        String::from_utf8_lossy(&above.into_inner()).into_owned()
    });
    editor.set_helper(Some(ShellHelper {
        engine,
        take_async_output,
        palette: colours,
        redraws: RedrawTracker::default(),
    }));
    Ok(editor)
}

struct Prompt {
    editor: ShellEditor,
    engine: Rc<RefCell<Engine>>,
    terminal: Terminal<Stdout>,
    palette: Palette,
    interrupts: InterruptHandler,
    messages: AsyncOutput,
    /// Whose history the editor holds.
    shown_history: Option<LineMode>,
    /// Reads lines where the terminal cannot do enough for the editor.
    plain: Option<DumbTerminalReader>,
    block_history: BlockHistory,
    /// Ctrl-C was pressed in the editor: the line it gave is to be dropped.
    dropped: Arc<AtomicBool>,
}

impl Prompt {
    fn bind_keys(&mut self) {
        for (key, handler) in keys(Arc::clone(&self.dropped), self.interrupts.stops(), self.top()) {
            self.editor.bind_sequence(key, handler);
        }
    }

    fn run(&mut self) -> io::Result<bool> {
        loop {
            self.attach_session();
            self.show_history();
            let text = self.prompt_text();
            let styled = self.palette.paint(&self.palette.prompt, text.trim_end()) + " ";
            self.messages.waker.set_editing(true);
            self.top().leave();
            let line = match &self.plain {
                None => self.editor.readline(&(text, styled.as_str())),
                Some(plain) => self.read_plainly(plain, &styled),
            };
            self.messages.waker.set_editing(false);
            // What came while Enter was pressed stands before what the line brings about.
            self.show_waiting();
            let dropped = self.dropped.swap(false, Ordering::SeqCst);
            match line {
                Ok(_) if dropped => self.drop_block(),
                Ok(line) => {
                    if let Some(well) = self.enter(&line, text.width()) {
                        if self.engine.borrow().is_quitting() {
                            self.terminal.notice("QEMU has ended.");
                        }
                        return Ok(well);
                    }
                }
                Err(ReadlineError::Interrupted) => self.drop_block(),
                Err(ReadlineError::Eof) => {
                    // Without the editor, the cursor stands behind the prompt still.
                    if self.plain.is_some() {
                        self.terminal.notice("");
                    }
                    return Ok(true);
                }
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    self.terminal.notice("What was typed is not UTF-8; the line is dropped.");
                }
                Err(ReadlineError::Io(error)) => return Err(error),
                Err(error) => return Err(io::Error::other(error)),
            }
            if let Some(error) = self.terminal.take_error() {
                return Err(error);
            }
        }
    }

    fn top(&self) -> FirstRow {
        self.editor.helper().map(|helper| helper.redraws.top()).unwrap_or_default()
    }

    fn read_plainly(&self, plain: &DumbTerminalReader, prompt: &str) -> rustyline::Result<String> {
        let news = || self.editor.helper().map(|helper| (helper.take_async_output)()).unwrap_or_default();
        let language = self.engine.borrow().language();
        plain.read(prompt, &news, &|text| is_complete(text, language))
    }

    /// Ctrl-C drops an open block too.
    fn drop_block(&mut self) {
        self.block_history.drop_block(&mut self.engine.borrow_mut());
        if self.engine.borrow_mut().abandon_transaction() {
            self.terminal.notice("The transaction is dropped; nothing was sent.");
        }
    }

    /// Points bell and Ctrl-C at the present session, and asks for the names it knows.
    fn attach_session(&mut self) {
        let mut engine = self.engine.borrow_mut();
        let inbox = engine.connection().start_reader();
        if let Some(inbox) = &inbox {
            let waker = self.messages.waker.clone();
            inbox.set_waker(move || waker.ring());
        }
        self.interrupts.set_target(inbox);
        engine.ask_names();
    }

    fn prompt_text(&self) -> &'static str {
        let mut engine = self.engine.borrow_mut();
        if engine.in_transaction() {
            return "TRANS> ";
        }
        match (engine.connection().is_open(), engine.language()) {
            (false, _) => "(not connected) ",
            (true, LineMode::Qmp) => "(QEMU) ",
            (true, LineMode::Hmp) => "(qemu) ",
        }
    }

    /// Gives the editor the history of the present language.
    fn show_history(&mut self) {
        let mut engine = self.engine.borrow_mut();
        let language = engine.language();
        if self.shown_history == Some(language) {
            return;
        }
        self.shown_history = Some(language);
        let history = self.editor.history_mut();
        // In memory, neither can fail.
        let _ = history.clear();
        for entry in engine.history().entries() {
            let _ = history.add(entry);
        }
    }

    fn show_waiting(&mut self) {
        for line in self.messages.take() {
            self.terminal.notice(&line);
        }
        self.engine.borrow_mut().drain(&mut self.terminal);
    }

    /// Carries out what was entered: one line, or the several of a paste. `Some` where the shell is to be left, and
    /// whether all is well then.
    fn enter(&mut self, entered: &str, width: usize) -> Option<bool> {
        let mut assembler = Assembler::new();
        let mut rows = entered.split('\n');
        loop {
            let language = self.engine.borrow().language();
            let whole = match rows.next() {
                Some(row) => match assembler.push(row, language) {
                    Some(whole) => whole,
                    None => continue,
                },
                None => assembler.finish()?,
            };
            self.remember(&whole.1);
            let mut engine = self.engine.borrow_mut();
            let width = if whole.1 == entered { width } else { usize::MAX / 2 };
            self.terminal.apply(&engine.settings, width);
            let inbox = engine.connection().start_reader();
            self.interrupts.set_target(inbox);
            let source = InputLine { text: &whole.1, script: None, number: whole.0 };
            let verdict = engine.run_line(&source, &mut self.terminal);
            if matches!(verdict, LineOutcome::Failed) && whole.1 != entered {
                // What comes behind it is entered already: the block would be sent without this line.
                engine.invalidate_transaction();
            }
            if self.block_history.end(matches!(verdict, LineOutcome::Failed), &mut engine) {
                // The editor's is made anew.
                self.shown_history = None;
            }
            match verdict {
                LineOutcome::Leave => return Some(true),
                LineOutcome::Failed | LineOutcome::Disconnected if engine.settings.exit_on_error => return Some(false),
                _ => {}
            }
        }
    }

    fn remember(&mut self, line: &str) {
        // The reply that an example was pasted with is nothing to come back to.
        if self.engine.borrow().language() == LineMode::Qmp && line.trim_start().starts_with("<-") {
            return;
        }
        self.block_history.begin(line, &mut self.engine.borrow_mut());
        // In memory, this cannot fail.
        let _ = self.editor.add_history_entry(line);
    }
}
