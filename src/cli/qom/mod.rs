//! `qom`: the object tree.

mod args;
mod commands;
mod complete;
mod fuse;
#[cfg(feature = "fuse")]
mod mount;
mod multicall;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::PoisonError;

use anyhow::anyhow;
use clap::{CommandFactory, Parser};

use crate::client::Client;
use crate::qom::QomClient;
use crate::render::{Palette, printable};
use crate::session::{Direction, Options, SharedLog};

use super::args::{Color, address_of_environment};
use super::exit_status::{Failure, Status, end};
use super::qmp_shell::{is_colored_beside, log, print_generated};
use super::stdio::make_blocking;
use args::{QomArgs, QomCommand};
use multicall::with_command_of_name;

/// Runs the program.
pub fn qom() -> ExitCode {
    make_blocking();
    let args = QomArgs::parse_from(with_command_of_name(std::env::args_os()));
    end("qom", run(args))
}

fn run(args: QomArgs) -> Result<Status, Failure> {
    if let Some(what) = args.generate {
        return print_generated::<QomArgs>(what);
    }
    if let Some(line) = &args.complete {
        return complete::complete(line);
    }
    let Some(command) = &args.command else {
        return Err(usage(format!("no COMMAND is named; it is one of {}", commands())));
    };
    let address = match args.socket.clone() {
        Some(address) => Some(address),
        None => address_of_environment().map_err(usage)?,
    };
    let Some(address) = address else {
        return Err(usage("no --socket is named, and QMP_SOCKET is not set; try `qom tree --socket demo:`".to_owned()));
    };
    let connect = || {
        let options = Options {
            timeout: args.timeout,
            wait: args.wait,
            log: log(args.logfile.as_deref())?,
            ..Options::default()
        };
        let client =
            Client::connect_with(&address, &options).map_err(|error| Failure::new(Status::NotConnected, error))?;
        if args.verbose {
            // Greeting and negotiation are nothing that the user asked for.
            show_messages(&options.log, args.color);
        }
        Ok(client)
    };
    let qom = || Ok(QomClient::new(&connect()?));
    match command {
        QomCommand::Fuse(args) => fuse::run(args, connect),
        QomCommand::List { path, json } => commands::list(&qom()?, path, *json),
        QomCommand::Get { target, property, json } => commands::get(&qom()?, target, property.as_deref(), *json),
        QomCommand::Set { target, words } => commands::set(&qom()?, target, words),
        QomCommand::Tree { path, depth, json } => commands::tree(qom()?, path, *depth, *json, args.color),
    }
}

/// Shows each message from now on. A failure to write it has nowhere to be reported.
fn show_messages(log: &SharedLog, color: Color) {
    let palette = Palette::new(is_colored_beside(color));
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.get_or_insert_default().set_observer(Box::new(move |direction, message| {
        let arrow = match direction {
            Direction::Sent => "->",
            Direction::Received => "<-",
        };
        let line = palette.paint(&palette.dim, &printable(&format!("{arrow} {message}")));
        let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
    }));
}

fn usage(message: String) -> Failure {
    Failure::new(Status::Usage, anyhow!(message))
}

/// The names of the commands, for a person.
fn commands() -> String {
    let names: Vec<String> =
        QomArgs::command().get_subcommands().map(|command| format!("`{}`", command.get_name())).collect();
    names.join(", ")
}
