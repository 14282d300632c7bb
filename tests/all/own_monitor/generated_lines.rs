//! Generated lines: the errors for wrong arguments are those of QEMU's own monitor.
//!
//! A generator calls each command of the shell's monitor with arguments of all kinds, most of them wrong. Texts are
//! compared if either monitor rejects the arguments, and for all expressions of `print`.
//!
//! `QMP_SHELL_TEST_LINES=N` makes N lines for each server (by default 3000), `QMP_SHELL_TEST_SEED=S` sets the seed.

use qmp_shell::shell::MonitorChoice;

use crate::support::hmp_machine::Machine;
use crate::support::random::Random;
use crate::support::server::Server;

/// A command, and its parameters as its help shows them.
struct Usage {
    name: String,
    parameters: Vec<String>,
}

/// Commands that would act, write files, or take long. Their lines end with [`SPOILER`].
const SPOILED: &[&str] = &[
    "calc_dirty_rate",
    "cont",
    "dump-guest-memory",
    "gdbserver",
    "info mtree",
    "info qom-tree",
    "info qtree",
    // QEMU ends with a large number.
    "info sync-profile",
    "log",
    "logfile",
    "loadvm",
    "memsave",
    "migrate",
    "migrate_incoming",
    "migrate_recover",
    "nbd_server_start",
    "o",
    "pmemsave",
    "quit",
    "savevm",
    "screendump",
    "sum",
    "system_powerdown",
    "system_reset",
    "trace-file",
    "wavcapture",
];

/// The beginning of a quoted text that does not end. No parameter takes it, and none comes after the last one.
const SPOILER: &str = "\"";

/// Commands that QEMU has for other targets only, or in other builds and versions, or with other modules.
const NOT_INSTALLED: &[&str] = &[
    "dump-skeys",
    "info cmma",
    "info profile",
    "info rdma",
    "info skeys",
    "info usbhost",
    "info via",
    "migration_mode",
    "singlestep",
    "trace-file",
];

/// Commands that QEMU 7.2 does not have, or not with all their flags.
const NOT_IN_7_2: &[&str] = &["dump-guest-memory", "info qtree", "one-insn-per-tb"];

/// Returns whether QEMU 7.2 reads a size in the line in another way: it knows no fraction without digits before it, and
/// takes suffixes after hexadecimal digits.
fn has_other_size_in_7_2(line: &str) -> bool {
    let mut words = line.split_whitespace().map(|word| word.trim_start_matches('+'));
    words.any(|word| {
        word.starts_with('.') || word.starts_with("0x") && word.contains(['k', 'K', 'm', 'G', 't', 'P', '.'])
    })
}

const VALUES: &[&str] = &[
    "nosuch",
    "/nosuch/a",
    "on",
    "off",
    "0",
    "1",
    "-1",
    "0x10",
    "4294967296",
    "99999999999999999999",
    "1.5",
    "2k",
    "+1.25M",
    "1.5B",
    "0x1k",
    "\"a b\"",
    "\"a\\\"\\n\\\\b\"",
    "\"a\\q\"",
    "\"open",
    "\"\"",
    "in\"side",
    "$nosuch",
    "'a'",
    "-f",
    "-n",
    "-zz",
    "-",
    "x,id=1",
    "x,id=a,,b",
    "x,y=1,id=a",
    "/4xb",
    "é",
    "~",
    ".1",
];

struct Generator {
    random: Random,
    commands: Vec<Usage>,
}

impl Generator {
    fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.random.below(texts.len())]
    }

    fn line(&mut self) -> String {
        if self.random.one_in(5) && self.commands.iter().any(|usage| usage.name == "print") {
            return format!("print{} {}", self.format(), self.expression());
        }
        let index = self.random.below(self.commands.len());
        let Usage { name, parameters } = &self.commands[index];
        let (name, parameters) = (name.clone(), parameters.clone());
        let mut line = match self.random.below(20) {
            0 => format!(" {}", name.replace(' ', "  ")),
            1 => format!("{name}x"),
            2 => format!("{name}/"),
            _ => name.clone(),
        };
        for parameter in &parameters {
            let argument = self.argument(parameter);
            if !argument.starts_with('/') && !argument.is_empty() {
                line.push_str(self.pick(&[" ", " ", " ", " ", "  ", "\t"]));
            }
            line.push_str(&argument);
        }
        if self.random.one_in(4) {
            line = format!("{line} {}", self.pick(VALUES));
        }
        if SPOILED.contains(&name.as_str()) {
            // Another quote would end it.
            line = format!("{} {SPOILER}", line.replace(SPOILER, ""));
        }
        line
    }

    /// Returns an argument for a parameter, which may be wrong. It is empty if the argument is left out.
    fn argument(&mut self, parameter: &str) -> String {
        if self.random.one_in(8) {
            return String::new();
        }
        if self.random.one_in(4) {
            return self.pick(VALUES).to_owned();
        }
        let inner = parameter.trim_matches(['[', ']']);
        match inner {
            "/fmt" => self.format(),
            "on|off" => self.pick(&["on", "off", "o", "ON"]).to_owned(),
            flag if flag.starts_with('-') => match self.random.below(3) {
                0 => String::new(),
                1 => flag.to_owned(),
                _ => flag[..2].to_owned(),
            },
            index if index.starts_with('.') => format!(".{}", self.expression()),
            _ => match self.random.below(5) {
                0 => self.expression(),
                1 => self.size(),
                2 => self.random.below(3).to_string(),
                _ => self.pick(VALUES).to_owned(),
            },
        }
    }

    fn format(&mut self) -> String {
        let mut format = "/".to_owned();
        if self.random.one_in(3) {
            format.push_str(&self.random.below(9).to_string());
        }
        for _ in 0..self.random.below(4) {
            format
                .push_str(self.pick(&["x", "d", "u", "o", "c", "b", "h", "w", "g", "x", "d", "u", "s", "1", "-", "/"]));
        }
        if self.random.one_in(2) { String::new() } else { format }
    }

    fn size(&mut self) -> String {
        let parts = [
            self.pick(&["", "", "", "+", "-"]),
            self.pick(&["", "0", "1", "017", "0x1f", "4095", "9223372036854775807", "8796093022207"]),
            self.pick(&["", "", ".", ".5", ".015625"]),
            self.pick(&["", "", "b", "K", "m", "G", "t", "P", "e", "x", "kB", " k"]),
        ];
        parts.concat()
    }

    /// Generates an expression. QEMU ends if one divides the smallest number by -1, so divisions have small operands.
    fn expression(&mut self) -> String {
        let (numbers, operators): (&[&str], &[&str]) = match self.random.one_in(2) {
            true => (&["0", "1", "7", "010", "0x1F", "09", "'a'"], &["+", "-", "*", "/", "%", "&", "|", "^"]),
            false => (
                &[
                    "3",
                    "0xffffffff",
                    "$pc",
                    "$eip",
                    "$cs.base",
                    "$edx",
                    "9223372036854775807",
                    "18446744073709551615",
                    "18446744073709551616",
                ],
                &["+", "-", "*", "&", "|", "^"],
            ),
        };
        let mut expression = String::new();
        let mut open = 0;
        loop {
            while self.random.one_in(4) {
                let sign = self.pick(&["-", "~", "+", "(", "( "]);
                open += sign.matches('(').count();
                expression.push_str(sign);
            }
            let is_wrong = self.random.one_in(25);
            let wrong = ["", "$", "$nosuch.x", "'", "'ab'", "x", "é", "0x", "\"1\"", ",", "#"];
            expression.push_str(if is_wrong { self.pick(&wrong) } else { self.pick(numbers) });
            while open > 0 && self.random.one_in(3) {
                expression.push(')');
                open -= 1;
            }
            if self.random.one_in(3) {
                break;
            }
            let gap = self.pick(&["", "", " "]);
            let operator = if self.random.one_in(40) { "~" } else { self.pick(operators) };
            expression.push_str(&format!("{gap}{operator}{gap}"));
        }
        if !self.random.one_in(10) {
            expression.push_str(&")".repeat(open));
        }
        expression
    }
}

/// Returns the usage of all commands of the shell's monitor.
fn usages(machine: &Machine) -> Vec<Usage> {
    let lists = machine.run(&["help", "help info"], MonitorChoice::Own);
    let lines = lists.iter().flat_map(|(text, _)| text.lines());
    lines
        .map(|line| {
            let usage = line.split(" -- ").next().unwrap();
            let mut words = usage.split(' ').map(str::to_owned);
            let name = words.next().unwrap();
            let name = match name.as_str() {
                "info" if !line.starts_with("info [") => format!("info {}", words.next().unwrap()),
                _ => name.split('|').next().unwrap().to_owned(),
            };
            // A flag with a value is one parameter.
            let mut parameters: Vec<String> = Vec::new();
            for word in words {
                match parameters.last_mut() {
                    Some(last) if last.starts_with('[') && !last.ends_with(']') => *last = format!("{last} {word}"),
                    _ => parameters.push(word),
                }
            }
            Usage { name, parameters }
        })
        .collect()
}

/// Returns whether a monitor rejected a line without calling the command.
fn is_rejection(text: &str) -> bool {
    text.starts_with("unknown command: ") || text.lines().last().is_some_and(|line| line.contains("Try \"help "))
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn compare(start: fn(&[&str]) -> Option<Server>, left_out: &[&str], has_other_meaning: fn(&str) -> bool) {
    let (Some(theirs), Some(ours)) = (Machine::start("q35", start), Machine::start("q35", start)) else { return };
    let seed = number("QMP_SHELL_TEST_SEED", 0x2545_F491_4F6C_DD1D);
    eprintln!("QMP_SHELL_TEST_SEED={seed}");
    let mut commands = usages(&ours);
    commands.retain(|usage| ![NOT_INSTALLED, left_out].concat().contains(&usage.name.as_str()));
    let mut generator = Generator { random: Random(seed), commands };
    let count = number("QMP_SHELL_TEST_LINES", 3000);
    let lines: Vec<String> =
        (0..count).map(|_| generator.line()).filter(|line| line.trim() != "cpu" && !has_other_meaning(line)).collect();
    let client = theirs.server.client();
    let run_theirs = |line: &&str| -> String {
        let text: String =
            client.execute("human-monitor-command", serde_json::json!({ "command-line": line })).unwrap();
        text.replace("\r\n", "\n")
    };
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let results = ours.run(&lines, MonitorChoice::Own);
    let mut differences = Vec::new();
    let mut compared = 0;
    for (line, (found, _)) in lines.iter().zip(results) {
        let expected = run_theirs(line);
        if is_rejection(&expected) || is_rejection(&found) || line.starts_with("print") {
            compared += 1;
            if expected != found {
                differences.push(format!("> {line}\nQEMU: {expected}ours: {found}"));
            }
        }
    }
    eprintln!("{} lines, {compared} compared", lines.len());
    assert!(compared * 2 > lines.len(), "too few lines were compared: {compared} of {}", lines.len());
    assert!(differences.is_empty(), "{} of {compared} lines:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn wrong_arguments_have_the_errors_of_qemus_own_monitor() {
    compare(Server::qemu, &[], |_| false);
}

#[test]
fn wrong_arguments_have_the_errors_of_qemu_7_2() {
    compare(Server::qemu_7_2, NOT_IN_7_2, has_other_size_in_7_2);
}
