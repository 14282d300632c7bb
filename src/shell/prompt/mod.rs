//! The prompt: a line editor that feeds the engine.

mod block_history;
mod candidate_list;
mod dumb_terminal;
mod external_editor;
mod helper;
mod history_keys;
mod history_search;
mod inputrc;
mod keys;
mod redraw;
mod rows_below;

use std::cell::{Cell, RefCell};
use std::io::{self, Stdout};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::{History as _, MemHistory};
use rustyline::{ColorMode, CompletionType, Config, EditMode, Editor};
use unicode_width::UnicodeWidthStr;

use crate::grammar::{Assembler, Language, is_complete};
use crate::render::Palette;

use super::commands::{run_line, run_rc_file};
use super::engine::Engine;
use super::line::{InputLine, LineOutcome};
use super::output::Output;
use super::output::terminal::TerminalOutput;
use super::prompt_format::PromptFields;
use super::settings::KeyMap;
use super::terminal::async_output::AsyncOutput;
use super::terminal::signals::InterruptHandler;
use super::terminal::size::terminal_size;
use block_history::BlockHistory;
use dumb_terminal::DumbTerminalReader;
use external_editor::edit_text;
use helper::ShellHelper;
use keys::{KeyTargets, LineKeys, key_bindings};
use redraw::{FirstRow, RedrawTracker};

/// The advice after the banner.
const ADVICE: &str = "Tab completes, help explains, Ctrl-D leaves.";

/// The advice in a shell with several servers.
const ADVICE_WITH_SERVERS: &str =
    "`@NAME LINE` runs a line there, `@* LINE` everywhere, `.on NAME` switches; Ctrl-D leaves.";

/// The advice in a shell that started QEMU.
const ADVICE_WITH_CHILD: &str = "Tab completes, help explains, Ctrl-D ends QEMU and leaves.";

/// The time that the first prompt, and later ones, wait for the name and the state of the VM, if they show it. A later
/// reply serves the next prompt.
const FIRST_PROMPT_TIMEOUT: Duration = Duration::from_millis(15);
const PROMPT_TIMEOUT: Duration = Duration::from_millis(150);

/// The maximum number of history entries in the editor.
const MAX_HISTORY_ENTRIES: usize = 10_000;

/// The time, in milliseconds, that the editor waits for the rest of an escape sequence. Without a limit, a lone Esc would delay
/// all output until the next key.
const ESCAPE_TIMEOUT_MS: u16 = 50;

/// The time within which a line that is pasted without brackets is read; typing a line takes longer.
const MAX_PASTED_LINE_TIME: Duration = Duration::from_millis(100);

/// The set-up of a prompt.
pub struct PromptOptions {
    pub palette: Palette,
    /// Whether history files are read and written.
    pub history: bool,
    /// Whether the lines of the rc file are run.
    pub rc: bool,
    /// Lines from other threads, which are shown at the prompt.
    pub async_output: AsyncOutput,
    /// A function that is called before a signal ends the program.
    pub on_end: Box<dyn Fn() + Send>,
}

/// Runs the prompt until the user leaves. The first command opens the connection if it is not open. At the end, ends
/// the QEMU that this program started. Returns false if a failed line ended the session (`-e`).
pub fn run_prompt(engine: Engine, options: PromptOptions) -> io::Result<bool> {
    let PromptOptions { palette, history, rc, async_output, on_end } = options;
    let interrupts = InterruptHandler::start(on_end)?;
    let engine = Rc::new(RefCell::new(engine));
    let mut terminal = TerminalOutput::new(io::stdout(), palette.clone(), interrupts.interrupted());
    {
        let mut engine = engine.borrow_mut();
        engine.settings.keys = inputrc::key_map();
        engine.with_each_server(|engine| engine.connection.set_cancel_flag(interrupts.interrupted()));
        if engine.connection.is_open() || engine.has_several_servers() {
            show_banner(&mut engine, &mut terminal);
        }
        if history {
            engine.load_histories();
        }
    }
    let keys = LineKeys::default();
    let mut prompt = Prompt {
        editor: new_editor(&engine, &palette, &async_output, interrupts.interrupted(), &keys)?,
        engine,
        terminal,
        palette,
        interrupts,
        async_output,
        loaded_history: None,
        dumb_terminal: None,
        block_history: BlockHistory::default(),
        keys,
        assembler: Assembler::new(),
        is_pasted: false,
        initial_text: String::new(),
    };
    prompt.start_waker()?;
    prompt.async_output.set_prompt_active(true);
    let leaves = rc && prompt.run_rc_file() == LineOutcome::Leave;
    let result = if leaves { Ok(true) } else { prompt.run() };
    prompt.end();
    result
}

fn show_banner(engine: &mut Engine, terminal: &mut TerminalOutput<Stdout>) {
    if engine.has_several_servers() {
        engine.with_each_server(|engine| {
            engine.label(true, terminal);
            terminal.show_notice(&engine.banner());
            engine.announce_monitor(terminal);
        });
        engine.label(false, terminal);
        return terminal.show_notice(ADVICE_WITH_SERVERS);
    }
    let banner = engine.banner();
    let advice = engine.connection.child().map_or(ADVICE, |_| ADVICE_WITH_CHILD);
    let (columns, _) = terminal_size();
    let gap = if banner.width() + 1 + advice.width() <= columns { " " } else { "\n" };
    terminal.show_notice(&format!("{banner}{gap}{advice}"));
    engine.announce_monitor(terminal);
}

type ShellEditor = Editor<ShellHelper, MemHistory>;

fn new_editor(
    engine: &Rc<RefCell<Engine>>,
    palette: &Palette,
    async_output: &AsyncOutput,
    interrupted: Arc<AtomicBool>,
    keys: &LineKeys,
) -> io::Result<ShellEditor> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(MAX_HISTORY_ENTRIES)
        .and_then(|builder| builder.history_ignore_dups(true))
        .map_err(io::Error::other)?
        // Output is shown through the highlighting of the prompt, so that must be on; the palette decides about colour.
        .color_mode(ColorMode::Forced)
        .build();
    let history = MemHistory::with_config(&config);
    let mut editor = Editor::with_history(config, history).map_err(io::Error::other)?;
    let take_async_output = {
        let (engine, palette, async_output) = (Rc::clone(engine), palette.clone(), async_output.clone());
        Box::new(move || take_async_output(&engine, &palette, &async_output, &interrupted))
    };
    editor.set_helper(Some(ShellHelper {
        engine: Rc::clone(engine),
        take_async_output,
        palette: palette.clone(),
        redraws: RedrawTracker::default(),
        keys: keys.clone(),
        prompt_columns: Cell::default(),
        cursor: Cell::default(),
    }));
    Ok(editor)
}

/// Returns everything that has arrived, as text to show above the line being typed.
fn take_async_output(
    engine: &RefCell<Engine>,
    palette: &Palette,
    async_output: &AsyncOutput,
    interrupted: &Arc<AtomicBool>,
) -> String {
    async_output.waker().acknowledge();
    let mut above = TerminalOutput::new(Vec::new(), palette.clone(), Arc::clone(interrupted));
    for line in async_output.take() {
        above.show_notice(&line);
    }
    if engine.borrow_mut().drain(&mut above) {
        // There is more: another redraw shows it.
        async_output.waker().wake();
    }
    String::from_utf8_lossy(&above.into_inner()).into_owned()
}

struct Prompt {
    editor: ShellEditor,
    engine: Rc<RefCell<Engine>>,
    terminal: TerminalOutput<Stdout>,
    palette: Palette,
    interrupts: InterruptHandler,
    async_output: AsyncOutput,
    /// The language whose history is loaded into the editor.
    loaded_history: Option<Language>,
    /// The reader of lines if the terminal is too limited for the editor.
    dumb_terminal: Option<DumbTerminalReader>,
    block_history: BlockHistory,
    keys: LineKeys,
    assembler: Assembler,
    /// Whether the line was read too fast to be typed by a human.
    is_pasted: bool,
    /// The text with which the next line begins.
    initial_text: String,
}

impl Prompt {
    /// Starts the waker with the editor's printer. If there is none, prepares to read lines from a dumb terminal.
    fn start_waker(&mut self) -> io::Result<()> {
        match self.editor.create_external_printer() {
            Ok(printer) => {
                self.async_output.waker().start(printer);
                self.terminal.disable_echo(self.interrupts.suspend_handler().released());
                let targets = KeyTargets {
                    keys: self.keys.clone(),
                    suspend: self.interrupts.suspend_handler(),
                    first_row: self.first_row(),
                    waker: self.async_output.waker().clone(),
                };
                for (event, handler) in key_bindings(targets) {
                    self.editor.bind_sequence(event, handler);
                }
            }
            Err(_) => {
                let (reader, printer) = DumbTerminalReader::new()?;
                self.async_output.waker().start(printer);
                self.dumb_terminal = Some(reader);
            }
        }
        Ok(())
    }

    /// Runs the lines of the rc file.
    fn run_rc_file(&mut self) -> LineOutcome {
        self.attach_session();
        let mut engine = self.engine.borrow_mut();
        self.terminal.apply(&engine.settings, 0);
        run_rc_file(&mut engine, &mut self.terminal)
    }

    fn run(&mut self) -> io::Result<bool> {
        loop {
            self.attach_session();
            self.load_history();
            let line = self.read_line();
            // Output that arrived before Enter was pressed comes before that of the line.
            self.show_waiting_output();
            let is_dropped = self.keys.dropped.swap(false, Ordering::SeqCst);
            let is_opened = self.keys.opened.swap(false, Ordering::SeqCst);
            match line {
                Ok(_) if is_dropped => self.drop_block(),
                Ok((line, _)) if is_opened => self.edit(line),
                Ok((line, prompt_width)) => {
                    if let Some(succeeded) = self.enter(&line, prompt_width) {
                        if self.engine.borrow().is_quitting() {
                            self.terminal.show_notice("QEMU has exited.");
                        }
                        return Ok(succeeded);
                    }
                    let text = self.engine.borrow_mut().line_to_edit.take();
                    if let Some(text) = text {
                        self.edit(text);
                    }
                }
                Err(ReadlineError::Interrupted) => self.drop_block(),
                Err(ReadlineError::Eof) => {
                    // Without the editor, the cursor is still after the prompt.
                    if self.dumb_terminal.is_some() {
                        self.terminal.show_notice("");
                    }
                    return Ok(true);
                }
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    self.terminal.show_notice("The input is not valid UTF-8; the line was dropped.");
                }
                Err(ReadlineError::Io(error)) => return Err(error),
                Err(error) => return Err(io::Error::other(error)),
            }
            if let Some(error) = self.terminal.write_error().take() {
                return Err(error);
            }
        }
    }

    /// Reads lines until they are complete. Returns them, and the width of the prompt.
    fn read_line(&mut self) -> rustyline::Result<(String, usize)> {
        let text = self.prompt_text();
        self.editor.set_edit_mode(match self.engine.borrow().settings.keys {
            KeyMap::Emacs => EditMode::Emacs,
            KeyMap::Vi => EditMode::Vi,
        });
        // Setting the mode sets this too.
        self.editor.set_keyseq_timeout(Some(ESCAPE_TIMEOUT_MS));
        let styled = self.palette.paint(&self.palette.prompt, text.trim_end()) + " ";
        self.async_output.waker().set_editing(true);
        self.first_row().mark_left();
        if let Some(helper) = self.editor.helper() {
            helper.prompt_columns.set(text.width());
        }
        self.keys.history.begin_line(self.terminal.take_correction());
        let start = Instant::now();
        let line = match &self.dumb_terminal {
            None => {
                let initial = std::mem::take(&mut self.initial_text);
                self.editor.readline_with_initial(&(text.as_str(), styled.as_str()), (&initial, ""))
            }
            Some(reader) => self.read_from_dumb_terminal(reader, &styled),
        };
        self.async_output.waker().set_editing(false);
        self.keys.search.end();
        self.is_pasted = start.elapsed() < MAX_PASTED_LINE_TIME;
        line.map(|line| (line, text.width()))
    }

    /// Opens a line in the user's editor. The text that it leaves is the beginning of the next line.
    fn edit(&mut self, text: String) {
        if self.dumb_terminal.is_some() {
            self.terminal.write_error_line("this terminal has no line editor to return the text to");
            return;
        }
        let mut result = Ok(String::new());
        self.terminal.with_terminal_released(&mut || result = edit_text(&text));
        // Ctrl-C was for the editor.
        self.terminal.take_interrupt();
        self.initial_text = result.unwrap_or_else(|message| {
            self.terminal.write_error_line(&message);
            text
        });
    }

    fn read_from_dumb_terminal(&self, reader: &DumbTerminalReader, prompt: &str) -> rustyline::Result<String> {
        let output = || self.editor.helper().map(|helper| (helper.take_async_output)()).unwrap_or_default();
        let language = self.engine.borrow().language();
        reader.read(prompt, &output, &|text| is_complete(text, language))
    }

    fn first_row(&self) -> FirstRow {
        self.editor.helper().map(|helper| helper.redraws.first_row()).unwrap_or_default()
    }

    /// Attaches the waker and the interrupt handler to the current session, and starts its queries.
    fn attach_session(&mut self) {
        let mut engine = self.engine.borrow_mut();
        let queues = engine.start_readers();
        for queue in &queues {
            let waker = self.async_output.waker().clone();
            queue.set_waker(move || waker.wake());
        }
        self.interrupts.set_targets(queues);
        let asks_monitor = engine.language() == Language::Hmp && !engine.uses_own_monitor();
        let format = engine.settings.prompt.clone();
        let timeout = if self.loaded_history.is_some() { PROMPT_TIMEOUT } else { FIRST_PROMPT_TIMEOUT };
        if let Some(server) = engine.queryable_server() {
            server.query_vm(&format);
            server.start_queries(asks_monitor);
            server.wait_for_vm(Instant::now() + timeout);
        }
        if engine.has_several_servers() {
            engine.with_each_server(|engine| {
                if let Some(server) = engine.queryable_server() {
                    server.start_queries(asks_monitor);
                }
            });
        }
    }

    fn prompt_text(&self) -> String {
        let mut engine = self.engine.borrow_mut();
        if engine.in_transaction() {
            return "TRANS> ".to_owned();
        }
        let address = engine.connection.address().map(ToString::to_string).unwrap_or_default();
        let cpu = engine.connection.record.monitor.cpu_index();
        let label = engine.server_label().map(str::to_owned);
        let Some(server) = engine.connection.server() else {
            let label = label.map(|name| format!("{name}: ")).unwrap_or_default();
            return format!("({label}not connected) ");
        };
        let (name, status) = (server.info.vm_name.clone(), server.info.run_state.clone());
        engine.settings.prompt.prompt(&PromptFields { name, address, status, cpu, server: label }, engine.language())
    }

    /// Loads the history of the current language into the editor, unless it is loaded.
    fn load_history(&mut self) {
        let mut engine = self.engine.borrow_mut();
        let language = engine.language();
        if self.loaded_history == Some(language) {
            return;
        }
        self.loaded_history = Some(language);
        let history = self.editor.history_mut();
        // A history in memory cannot fail.
        let _ = history.clear();
        for entry in engine.history().entries() {
            let _ = history.add(entry);
        }
    }

    fn show_waiting_output(&mut self) {
        for line in self.async_output.take() {
            self.terminal.show_notice(&line);
        }
        self.engine.borrow_mut().drain(&mut self.terminal);
    }

    /// Drops an open transaction block.
    fn drop_block(&mut self) {
        let mut engine = self.engine.borrow_mut();
        self.block_history.drop_block(&mut engine);
        if engine.abandon_transaction() {
            self.terminal.show_notice("The transaction was dropped; nothing was sent.");
        }
    }

    /// Runs the entered text: one line, or the several lines of a paste. Returns `Some` if the shell should be left;
    /// the value is false if a failed line is the reason (`-e`).
    fn enter(&mut self, entered: &str, prompt_width: usize) -> Option<bool> {
        self.assembler.begin_entry(self.is_pasted);
        // After the last row comes what it leaves unfinished.
        for row in entered.split('\n').map(Some).chain([None]) {
            let language = self.engine.borrow().language();
            let lines = match row {
                Some(row) => self.assembler.push(row, language),
                None => self.assembler.finish().into_iter().collect(),
            };
            for (number, text) in lines {
                let is_whole = text == entered;
                // Messages about a paste show its lines again, because these are not directly above the messages.
                let prompt_width = if is_whole { prompt_width } else { usize::MAX / 2 };
                let outcome = self.run_line(number, &text, prompt_width, !is_whole);
                let exits_on_error = self.engine.borrow().settings.exit_on_error;
                match outcome {
                    LineOutcome::Leave => return Some(true),
                    LineOutcome::Failed | LineOutcome::Disconnected if exits_on_error => return Some(false),
                    _ => {}
                }
            }
        }
        if let Some(notice) = self.assembler.take_notice() {
            self.terminal.show_notice(&notice);
        }
        if entered.contains('\n') {
            // One line of a paste, corrected, would not be what was entered.
            self.terminal.take_correction();
        }
        None
    }

    /// Runs one line, and keeps it in the history.
    fn run_line(&mut self, number: usize, text: &str, prompt_width: usize, is_pasted: bool) -> LineOutcome {
        let mut engine = self.engine.borrow_mut();
        self.block_history.begin(text, &mut engine);
        // A history in memory cannot fail.
        let _ = self.editor.add_history_entry(text);
        self.terminal.apply(&engine.settings, prompt_width);
        self.interrupts.set_targets(engine.start_readers());
        let line = InputLine { text, script: None, number };
        let outcome = run_line(&mut engine, &line, &mut self.terminal);
        let failed = outcome == LineOutcome::Failed;
        if failed && is_pasted {
            // Later lines have been entered already: the block would be sent without this line.
            engine.invalidate_transaction();
        }
        if self.block_history.end(failed, &mut engine) {
            self.loaded_history = None;
        }
        outcome
    }

    /// Ends the prompt, and the QEMU that this program started.
    fn end(mut self) {
        let mut engine = self.engine.borrow_mut();
        self.block_history.drop_block(&mut engine);
        self.async_output.set_prompt_active(false);
        self.async_output.waker().close();
        engine.end_child(&mut self.terminal);
        engine.finish_all_queries();
        engine.end_log(&mut self.terminal);
    }
}
