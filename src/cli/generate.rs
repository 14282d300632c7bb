//! `--generate`: the manual page and completions, from the same tables as the options and their help.

use clap_complete::Shell;

use super::args::{Generate, HelpExt, help_command};
use super::exit_status::{Failure, Status};
use super::manual_page::manual_page;
use super::stdio::print;

/// Prints the manual page of a program, or its completions for a shell.
pub(super) fn print_generated<A: HelpExt>(generate: Generate) -> Result<Status, Failure> {
    let shell = match generate {
        Generate::Man => return print(manual_page::<A>()),
        Generate::Bash => Shell::Bash,
        Generate::Zsh => Shell::Zsh,
        Generate::Fish => Shell::Fish,
        Generate::Elvish => Shell::Elvish,
        Generate::Powershell => Shell::PowerShell,
    };
    print(completions::<A>(shell))
}

/// The generated line that would insert the names of files as they are: `$(…)` in one would be run. Without candidates,
/// bash completes files itself, and quotes their names.
const UNQUOTED_FILES: &str = "COMPREPLY=($(compgen -f \"${cur}\"))";

fn completions<A: HelpExt>(shell: Shell) -> String {
    let mut command = help_command::<A>();
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, &name, &mut text);
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if shell == Shell::Bash {
        text = text.replace(UNQUOTED_FILES, "COMPREPLY=()");
    }
    if shell == Shell::Fish && command.get_arguments().any(|argument| argument.is_trailing_var_arg_set()) {
        text = with_options_before_words(&command, &text);
    }
    match A::LIVE_COMPLETION {
        Some(options) => with_live_completion(shell, &name, options, &text),
        None => text,
    }
}

/// Changes completions for fish, so that options are offered only before the first word that is not one.
fn with_options_before_words(command: &clap::Command, text: &str) -> String {
    let name = command.get_name();
    let condition = format!("__fish_{}_before_words", name.replace('-', "_"));
    let options = command.get_arguments().filter_map(|argument| {
        let names = [argument.get_short().map(String::from), argument.get_long().map(str::to_owned)];
        let names = names.into_iter().flatten().collect::<Vec<_>>().join("/");
        let value = match argument.get_num_args() {
            Some(values) if !values.takes_values() => "",
            Some(values) if values.min_values() == 0 => "=?",
            _ => "=",
        };
        (!argument.is_positional()).then(|| format!("'{names}{value}'"))
    });
    let options = options.collect::<Vec<_>>().join(" ");
    // An option that lacks its value is a failure of `argparse`, and the value is to be completed.
    let function = format!(
        "function {condition}\n    set -l words (commandline -opc)\n    argparse -s {options} -- $words[2..] 2>/dev/null\n    \
         or return 0\n    not set -q argv[1]\nend\n\n"
    );
    function + &text.replace(&format!("complete -c {name} -"), &format!("complete -c {name} -n {condition} -"))
}

/// Adds live completion, which asks the program itself, to the completions of a shell that can do it.
fn with_live_completion(shell: Shell, name: &str, options: &str, text: &str) -> String {
    let named = |script: &str| script.replace("NAME", name).replace("OPTIONS", options);
    match shell {
        Shell::Bash => {
            // The functions of bash have names without dashes.
            let script =
                include_str!("live_completion/bash").replace("_NAME", &format!("_{}", name.replace('-', "__")));
            format!("{text}{}", named(&script))
        }
        Shell::Fish => format!("{text}{}", named(include_str!("live_completion/fish"))),
        Shell::Zsh => {
            // The last lines already use the functions that are defined before them.
            let end = text.find("\nif [ \"$funcstack[1]\" = ").unwrap_or(text.len());
            let (definitions, uses) = text.split_at(end);
            format!("{definitions}\n{}{}", named(include_str!("live_completion/zsh")), uses.trim_start())
        }
        _ => text.to_owned(),
    }
}
