//! The human monitor of the demo machine, for `human-monitor-command`: takes a line and returns text, even for errors.
//!
//! Owns the table of HMP commands and their output format. The commands are executed as QMP commands.

mod info;
mod memory;
mod options;

use serde_json::{Map, Value, json};

use super::commands;
use super::machine::{CPU_COUNT, Machine};

/// A command, or a topic of `info`.
struct Entry {
    /// The name and its aliases, separated by `|`.
    names: &'static str,
    /// The arguments, as shown in the help.
    usage: &'static str,
    help: &'static str,
    /// The minimum and maximum number of arguments.
    arity: (usize, usize),
    run: fn(&mut Machine, &Call<'_>) -> String,
}

/// The arguments of a command.
struct Call<'a> {
    words: &'a [&'a str],
    /// The index of the CPU that the command refers to.
    cpu: u64,
}

static COMMANDS: &[Entry] = &[
    Entry { names: "help|?", usage: "[command]", help: "list all commands, or describe one", arity: (0, 2), run: help },
    Entry { names: "info", usage: "[topic]", help: "show information about a topic", arity: (0, 9), run: info },
    Entry {
        names: "stop|s",
        usage: "",
        help: "stop the guest",
        arity: (0, 0),
        run: |machine, _| execute_qmp(machine, "stop", json!({})),
    },
    Entry {
        names: "cont|c",
        usage: "",
        help: "resume the guest",
        arity: (0, 0),
        run: |machine, _| execute_qmp(machine, "cont", json!({})),
    },
    Entry {
        names: "system_reset",
        usage: "",
        help: "press the reset button",
        arity: (0, 0),
        run: |machine, _| execute_qmp(machine, "system_reset", json!({})),
    },
    Entry {
        names: "system_powerdown",
        usage: "",
        help: "press the power button",
        arity: (0, 0),
        run: |machine, _| execute_qmp(machine, "system_powerdown", json!({})),
    },
    Entry {
        names: "quit|q",
        usage: "",
        help: "quit the machine",
        arity: (0, 0),
        run: |machine, _| execute_qmp(machine, "quit", json!({})),
    },
    Entry {
        names: "cpu",
        usage: "index",
        help: "select the CPU that later commands refer to",
        arity: (1, 1),
        run: cpu,
    },
    Entry {
        names: "device_add",
        usage: "driver[,property=value]...",
        help: "plug a device in",
        arity: (1, 1),
        run: device_add,
    },
    Entry {
        names: "device_del",
        usage: "id",
        help: "unplug a device",
        arity: (1, 1),
        run: |machine, call| execute_qmp(machine, "device_del", json!({"id": call.words.first()})),
    },
    Entry {
        names: "object_add",
        usage: "type,id=name[,property=value]...",
        help: "create an object",
        arity: (1, 1),
        run: object_add,
    },
    Entry {
        names: "object_del",
        usage: "id",
        help: "destroy an object",
        arity: (1, 1),
        run: |machine, call| execute_qmp(machine, "object-del", json!({"id": call.words.first()})),
    },
    Entry {
        names: "set_password",
        usage: "protocol password [action]",
        help: "change the password of the display",
        arity: (2, 3),
        run: set_password,
    },
];

/// Executes a line for the CPU with index `cpu`. Lines of the output end in CRLF.
pub fn run(machine: &mut Machine, line: &str, cpu: u64) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let text = match words.split_first() {
        None => String::new(),
        Some((name, rest)) => dispatch(machine, COMMANDS, "", name, &Call { words: rest, cpu }),
    };
    text.replace('\n', "\r\n")
}

fn dispatch(machine: &mut Machine, table: &[Entry], prefix: &str, name: &str, call: &Call<'_>) -> String {
    let Some(entry) = table.iter().find(|entry| entry.is_called(name)) else {
        return unknown_command(&format!("{prefix}{name}"));
    };
    let (min, max) = entry.arity;
    let problem = match call.words.len() {
        count if count < min => "too few arguments",
        count if count > max => "too many arguments",
        _ => return (entry.run)(machine, call),
    };
    format!("{prefix}{name}: {problem}\nTry \"help {prefix}{name}\" for more information\n")
}

impl Entry {
    fn is_called(&self, name: &str) -> bool {
        self.names.split('|').any(|known| known == name)
    }

    fn describe(&self, prefix: &str) -> String {
        let gap = if self.usage.is_empty() { "" } else { " " };
        format!("{prefix}{}{gap}{} -- {}\n", self.names, self.usage, self.help)
    }
}

fn unknown_command(name: &str) -> String {
    format!("unknown command: '{name}'\n")
}

/// Executes a QMP command that returns nothing. Returns an error as text.
fn execute_qmp(machine: &mut Machine, name: &str, arguments: Value) -> String {
    match query(machine, name, arguments) {
        Ok(_) => String::new(),
        Err(text) => text,
    }
}

/// Executes a QMP command and returns its result, or the error as text.
fn query(machine: &mut Machine, name: &str, arguments: Value) -> Result<Value, String> {
    let arguments = match arguments {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    };
    let result = commands::find(name).and_then(|command| command.execute(machine, &arguments));
    result.map_err(|error| format!("Error: {}\n", error.desc))
}

fn help(_: &mut Machine, call: &Call<'_>) -> String {
    let list = |table: &[Entry], prefix| table.iter().map(|entry| entry.describe(prefix)).collect();
    let one = |table: &[Entry], prefix: &str, name: &str| match table.iter().find(|entry| entry.is_called(name)) {
        Some(entry) => entry.describe(prefix),
        None => unknown_command(&format!("{prefix}{name}")),
    };
    match call.words {
        [] => list(COMMANDS, ""),
        ["info"] => list(info::TOPICS, "info "),
        ["info", topic, ..] => one(info::TOPICS, "info ", topic),
        [name, ..] => one(COMMANDS, "", name),
    }
}

fn info(machine: &mut Machine, call: &Call<'_>) -> String {
    match call.words.split_first() {
        None => help(machine, &Call { words: &["info"], cpu: call.cpu }),
        Some((topic, words)) => dispatch(machine, info::TOPICS, "info ", topic, &Call { words, cpu: call.cpu }),
    }
}

/// Checks the index. As in QEMU, the selection ends with the call; QMP clients pass `cpu-index` instead.
fn cpu(_: &mut Machine, call: &Call<'_>) -> String {
    let word = call.words.first().copied().unwrap_or_default();
    match word.parse::<u64>() {
        Ok(index) if index < CPU_COUNT => String::new(),
        _ => format!("invalid CPU index '{word}'; expected 0 to {}\n", CPU_COUNT - 1),
    }
}

fn device_add(machine: &mut Machine, call: &Call<'_>) -> String {
    let arguments = options::device_add_arguments(call.words.first().copied().unwrap_or_default());
    execute_qmp(machine, "device_add", Value::Object(arguments))
}

fn object_add(machine: &mut Machine, call: &Call<'_>) -> String {
    let arguments = options::object_add_arguments(call.words.first().copied().unwrap_or_default());
    execute_qmp(machine, "object-add", Value::Object(arguments))
}

fn set_password(machine: &mut Machine, call: &Call<'_>) -> String {
    let mut arguments = json!({"protocol": call.words.first(), "password": call.words.get(1)});
    if let Some(action) = call.words.get(2) {
        arguments["connected"] = (*action).into();
    }
    execute_qmp(machine, "set_password", arguments)
}

#[cfg(test)]
mod tests {
    use super::super::machine_config::default_machine;
    use super::*;

    fn execute(line: &str) -> String {
        run(&mut default_machine(), line, 0)
    }

    #[test]
    fn lists_and_describes_commands_and_topics() {
        let list = execute("help");
        assert_eq!(list.lines().count(), COMMANDS.len());
        assert!(list.contains("stop|s -- stop the guest\r\n"));
        assert_eq!(execute("help s"), "stop|s -- stop the guest\r\n");
        assert_eq!(execute("info"), execute("help info"));
        assert!(execute("? info status").starts_with("info status -- "));
        assert_eq!(execute("help nope"), "unknown command: 'nope'\r\n");
    }

    #[test]
    fn reports_errors_as_text() {
        assert_eq!(execute("nope x"), "unknown command: 'nope'\r\n");
        assert_eq!(execute("info nope"), "unknown command: 'info nope'\r\n");
        assert_eq!(execute("cpu"), "cpu: too few arguments\r\nTry \"help cpu\" for more information\r\n");
        assert!(execute("stop now").ends_with("Try \"help stop\" for more information\r\n"));
        assert_eq!(execute("device_del zz"), "Error: device 'zz' not found\r\n");
        assert_eq!(execute("cpu 7"), "invalid CPU index '7'; expected 0 to 1\r\n");
        assert_eq!((execute("cpu 1"), execute(""), execute("  ")), (String::new(), String::new(), String::new()));
    }

    #[test]
    fn executes_commands_through_qmp() {
        let mut machine = default_machine();
        assert_eq!(run(&mut machine, "s", 0), "");
        assert!(!machine.is_running());
        assert_eq!(run(&mut machine, "c", 0), "");
        assert!(machine.is_running());
        assert_eq!(run(&mut machine, "device_add virtio-net-pci,id=n,mq=on,host_mtu=9000", 0), "");
        assert_eq!(machine.qom_tree.get("/machine/peripheral/n", "host_mtu"), Ok(json!(9000)));
        assert_eq!(run(&mut machine, "object_add memory-backend-ram,id=m,size=16M", 0), "");
        assert_eq!(machine.qom_tree.get("/objects/m", "size"), Ok(json!(16 << 20)));
        assert_eq!(run(&mut machine, "set_password vnc secret", 0), "");
        assert!(run(&mut machine, "set_password spice secret", 0).starts_with("Error: "));
        assert_eq!(run(&mut machine, "q", 0), "");
        assert!(machine.has_ended());
    }
}
