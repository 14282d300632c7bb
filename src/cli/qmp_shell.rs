//! `qmp-shell`: an interactive monitor, and scripts.

use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;

use crate::session::Options;
use crate::shell::Connection;

use super::args::{Generate, ShellArgs, address_from_environment};
use super::exit_status::{Failure, Status};
use super::program::{Program, run_program};
use super::shell_completion::{complete_line_until, print_candidates};
use super::shell_session::{Input, new_engine, run};
use super::stdio::report;

/// The time limit of `--complete` for introspection. Longer than at the prompt, since no key press waits for it.
const COMPLETE_TIMEOUT: Duration = Duration::from_secs(2);

pub fn qmp_shell() -> ExitCode {
    run_program::<ShellArgs>(std::env::args_os())
}

impl Program for ShellArgs {
    fn generate(&self) -> Option<Generate> {
        self.session.generate.generate
    }

    fn run(self, matches: &ArgMatches) -> Result<Status, Failure> {
        let args = &self.session;
        let input = Input::new(args, matches);
        let options = Options {
            wait: self.wait.wait,
            guest_agent: self.guest_agent.skip_negotiation,
            limits: args.request.limits(),
            ..args.common.options()?
        };
        let address = match self.address {
            Some(address) => Some(address),
            None => address_from_environment().map_err(Failure::usage)?,
        };
        // A dry run and `--complete` use the server's introspection and names if there is a server.
        let can_be_offline = args.request.dry_run || self.complete.is_some();
        let is_offline = can_be_offline && (address.is_none() || args.request.no_schema);
        if address.is_none() && !is_offline {
            let message = "no ADDRESS given and QMP_SOCKET is not set; try `qmp-shell demo:` or `qmp-shell --help`";
            return Err(Failure::usage(message));
        }
        let log = options.log.clone();
        let mut connection = Connection::new(address, options, self.listen);
        if !is_offline {
            connection.open(&mut report).map_err(Failure::not_connected)?;
        }
        let mut engine = new_engine(connection, args, &input, log);
        if let Some(line) = &self.complete {
            let completion = complete_line_until(&mut engine, line, COMPLETE_TIMEOUT);
            return print_candidates(&completion.candidates);
        }
        run(engine, args, input)
    }
}
