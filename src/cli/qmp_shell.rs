//! `qmp-shell`: an interactive monitor, and scripts.

use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;

use crate::discovery::running_servers;
use crate::session::{Address, Options};
use crate::shell::{Connection, OutputFormat, name_servers};

use super::args::{Generate, NamedAddress, ShellArgs, address_from_environment};
use super::exit_status::{Failure, Status};
use super::program::{Program, run_program};
use super::running_servers::{choose, complete_address, list, no_address};
use super::shell_completion::{complete_line_until, print_candidates};
use super::shell_session::{Input, new_engine, run};
use super::stdio::report;

/// The time limit of `--complete` for introspection. Longer than at the prompt, since no key press waits for it.
const COMPLETE_TIMEOUT: Duration = Duration::from_secs(2);

pub fn qmp_shell() -> ExitCode {
    run_program::<ShellArgs>(std::env::args_os())
}

/// Rejects two servers with the same name.
fn check_names(addresses: &[NamedAddress]) -> Result<(), Failure> {
    let names: Vec<&str> = addresses.iter().filter_map(|given| given.name.as_deref()).collect();
    let is_repeated = |(index, name): &(usize, &&str)| names[..*index].contains(*name);
    match names.iter().enumerate().find(is_repeated) {
        Some((_, name)) => Err(Failure::usage(format!("two servers are named `{name}`"))),
        None => Ok(()),
    }
}

/// Rejects a command in the place of a second server: a word that is not written like an address and does not name a socket.
fn check_commands(addresses: &[NamedAddress], waits: bool) -> Result<(), Failure> {
    let is_command = |given: &&NamedAddress| match &given.address {
        Address::Unix(path) => given.name.is_none() && is_command_name(&path.to_string_lossy()) && !path.exists(),
        _ => false,
    };
    match addresses.iter().skip(1).find(is_command).filter(|_| !waits) {
        Some(NamedAddress { address, .. }) => {
            let message = format!("there is no socket at `{address}`; a command is an option: `-c '{address} …'`");
            Err(Failure::usage(message))
        }
        None => Ok(()),
    }
}

fn is_command_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

impl Program for ShellArgs {
    fn generate(&self) -> Option<Generate> {
        self.session.generate.generate
    }

    fn run(self, matches: &ArgMatches) -> Result<Status, Failure> {
        let args = &self.session;
        if self.list {
            let format = if args.pretty { OutputFormat::Pretty } else { OutputFormat::Table };
            return match &self.complete {
                Some(line) => complete_address(line),
                None => list(args.request.output.unwrap_or(format), args.common.color),
            };
        }
        let input = Input::new(args, matches);
        let options = Options {
            wait: self.wait.wait,
            guest_agent: self.guest_agent.skip_negotiation,
            limits: args.request.limits(),
            ..args.common.options()?
        };
        check_names(&self.addresses)?;
        check_commands(&self.addresses, self.wait.wait.is_some())?;
        let given: Vec<_> = self.addresses.iter().map(|given| (given.name.as_deref(), &given.address)).collect();
        let mut servers =
            name_servers(&given).into_iter().zip(self.addresses.iter().map(|given| given.address.clone()));
        let first = servers.next();
        let has_several = self.addresses.len() > 1;
        let is_named = has_several || self.addresses.first().is_some_and(|given| given.name.is_some());
        let (name, address) = match first {
            Some((name, address)) => (Some(name).filter(|_| is_named), Some(address)),
            None => (None, address_from_environment().map_err(Failure::usage)?),
        };
        // A dry run and `--complete` use the server's introspection and names if there is a server.
        let can_be_offline = args.request.dry_run || self.complete.is_some();
        let is_offline = can_be_offline && (address.is_none() || args.request.no_schema);
        let address = match address {
            None if !is_offline && (self.listen || !input.is_prompt()) => return Err(no_address(&running_servers())),
            None if !is_offline => Some(choose()?),
            address => address,
        };
        let log = options.log.clone();
        let mut connection = Connection::new(address, options.clone(), self.listen);
        if let Some(name) = name {
            connection.set_name(name);
        }
        if !is_offline && !has_several {
            connection.open(&mut report).map_err(Failure::not_connected)?;
        }
        let mut engine = new_engine(connection, args, &input, log);
        for (name, address) in servers {
            let connection = Connection::new(Some(address), options.clone(), self.listen);
            engine.add_server(connection, name).map_err(Failure::not_connected)?;
        }
        if !is_offline && has_several {
            engine.open_all(&mut report).map_err(Failure::not_connected)?;
        }
        if let Some(line) = &self.complete {
            let completion = complete_line_until(&mut engine, line, COMPLETE_TIMEOUT);
            return print_candidates(&completion.candidates);
        }
        run(engine, args, input)
    }
}
