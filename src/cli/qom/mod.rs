//! `qom`: the object tree.

mod args;
mod commands;
mod complete;
mod fuse;
mod multicall;

use std::cell::OnceCell;
use std::process::ExitCode;
use std::sync::PoisonError;

use clap::{ArgMatches, CommandFactory};

use crate::client::Client;
use crate::qom::QomClient;
use crate::render::{Palette, printable};
use crate::session::{Direction, Options, SharedLog, end_log};
use crate::shell::MISSING_LINES;

use super::args::{Generate, address_from_environment};
use super::color::{stderr_palette, stdout_palette};
use super::exit_status::{Failure, Status};
use super::program::{Program, run_program};
use super::shell_completion::print_completions;
use super::stdio::report;
use args::{QomArgs, QomCommand};
use multicall::with_command_of_name;

pub fn qom() -> ExitCode {
    run_program::<QomArgs>(with_command_of_name(std::env::args_os()))
}

impl Program for QomArgs {
    fn generate(&self) -> Option<Generate> {
        self.generate.generate
    }

    fn run(self, _: &ArgMatches) -> Result<Status, Failure> {
        if let Some(line) = &self.completion.complete {
            return print_completions(line, complete::complete);
        }
        let Some(command) = &self.command else {
            return Err(Failure::usage(format!("missing COMMAND; expected one of {}", command_names())));
        };
        let address = match self.socket.clone() {
            Some(address) => Some(address),
            None => address_from_environment().map_err(Failure::usage)?,
        };
        let Some(address) = address else {
            let message = "no --socket given and QMP_SOCKET is not set; try `qom tree --socket demo:`";
            return Err(Failure::usage(message));
        };
        let color = self.common.color;
        let used_options = OnceCell::new();
        let connect = || {
            let options = match used_options.get() {
                Some(options) => options,
                None => {
                    let options = Options { wait: self.wait.wait, ..self.common.options()? };
                    used_options.get_or_init(|| options)
                }
            };
            let client = Client::connect_with_progress(&address, options, &mut announce);
            let client = client.map_err(Failure::not_connected)?;
            if self.common.verbose {
                // Not earlier, because the user did not ask for the greeting and the negotiation.
                show_messages(&options.log, stderr_palette(color));
            }
            Ok(client)
        };
        let qom = || Ok(QomClient::new(&connect()?).announcing_waits(announce));
        let run = || match command {
            QomCommand::Fuse(args) => fuse::run(args, connect),
            QomCommand::List { path, json } => commands::list(&qom()?, path, *json),
            QomCommand::Get { target, property, json } => commands::get(&qom()?, target, property.as_deref(), *json),
            QomCommand::Set { target, words } => commands::set(&qom()?, target, words),
            QomCommand::Tree { path, depth, json } => commands::tree(qom, path, *depth, *json, &stdout_palette(color)),
        };
        let status = run();
        if used_options.get().is_some_and(|options| end_log(&options.log)) {
            report(&format!("qom: {MISSING_LINES}"));
        }
        status
    }
}

/// Shows a sentence about a long wait.
fn announce(sentence: &str) {
    report(&format!("qom: {}", printable(sentence)));
}

/// Shows each message on standard error from now on.
fn show_messages(log: &SharedLog, palette: Palette) {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.get_or_insert_default().set_observer(Box::new(move |direction, message| {
        let arrow = match direction {
            Direction::Sent => "->",
            Direction::Received => "<-",
        };
        report(&palette.paint(&palette.dim, &printable(&format!("{arrow} {message}"))));
    }));
}

/// Returns the names of the commands, for a message.
fn command_names() -> String {
    let names: Vec<String> =
        QomArgs::command().get_subcommands().map(|command| format!("`{}`", command.get_name())).collect();
    names.join(", ")
}
