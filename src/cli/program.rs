//! The frame of every program: from its arguments to its exit status.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches};

use super::args::{Generate, HelpExt, help_command};
use super::exit_status::{Failure, Status, end_program};
use super::generate::print_generated;
use super::stdio::{finish_printing, make_blocking};

/// A program, as its parsed arguments.
pub(super) trait Program: HelpExt + FromArgMatches {
    /// Returns the value of `--generate`.
    fn generate(&self) -> Option<Generate>;

    /// Runs the program. `matches` is the parser's result, from which the arguments were made.
    fn run(self, matches: &ArgMatches) -> Result<Status, Failure>;
}

/// Runs the program with `args`, which begin with its name.
pub(super) fn run_program<P: Program>(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    make_blocking();
    let result = match parse::<P>(args) {
        Ok((program, matches)) => match program.generate() {
            Some(generate) => print_generated::<P>(generate),
            None => program.run(&matches),
        },
        Err(error) => print_usage(&error),
    };
    end_program(P::command().get_name(), result)
}

fn parse<P: Program>(args: impl IntoIterator<Item = OsString>) -> Result<(P, ArgMatches), clap::Error> {
    let matches = help_command::<P>().try_get_matches_from(args)?;
    let program = P::from_arg_matches(&matches).map_err(|error| error.format(&mut help_command::<P>()))?;
    Ok((program, matches))
}

/// Prints the help or the version on standard output, or a usage error on standard error.
fn print_usage(error: &clap::Error) -> Result<Status, Failure> {
    let written = error.print();
    if error.use_stderr() { Ok(Status::UsageError) } else { finish_printing(written) }
}
