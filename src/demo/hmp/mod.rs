//! The human monitor, as `human-monitor-command` reaches it: one line in, text out, failures included.
//!
//! Owns the table of its commands and the look of their output; what they do, they do through the commands of QMP.

mod info;
mod memory;
mod options;

use serde_json::{Map, Value, json};

use super::commands;
use super::machine::{CPUS, Machine};

/// One command, here or under `info`.
struct Entry {
    /// Its name and its short forms, as the help shows them.
    names: &'static str,
    /// What it takes, as the help shows it.
    usage: &'static str,
    /// What it does.
    help: &'static str,
    /// How few and how many words it takes.
    words: (usize, usize),
    run: fn(&mut Machine, &Call<'_>) -> String,
}

/// A command with its words.
struct Call<'a> {
    words: &'a [&'a str],
    /// The CPU that the call is about.
    cpu: u64,
}

static COMMANDS: &[Entry] = &[
    Entry { names: "help|?", usage: "[command]", help: "list the commands, or describe one", words: (0, 2), run: help },
    Entry {
        names: "info",
        usage: "[topic]",
        help: "show what there is to know about a topic",
        words: (0, 9),
        run: info,
    },
    Entry {
        names: "stop|s",
        usage: "",
        help: "make the guest stand still",
        words: (0, 0),
        run: |machine, _| qmp(machine, "stop", json!({})),
    },
    Entry {
        names: "cont|c",
        usage: "",
        help: "let the guest go on",
        words: (0, 0),
        run: |machine, _| qmp(machine, "cont", json!({})),
    },
    Entry {
        names: "system_reset",
        usage: "",
        help: "press the reset button",
        words: (0, 0),
        run: |machine, _| qmp(machine, "system_reset", json!({})),
    },
    Entry {
        names: "system_powerdown",
        usage: "",
        help: "press the power button",
        words: (0, 0),
        run: |machine, _| qmp(machine, "system_powerdown", json!({})),
    },
    Entry {
        names: "quit|q",
        usage: "",
        help: "end the machine",
        words: (0, 0),
        run: |machine, _| qmp(machine, "quit", json!({})),
    },
    Entry {
        names: "cpu",
        usage: "index",
        help: "choose the CPU that later commands are about",
        words: (1, 1),
        run: cpu,
    },
    Entry {
        names: "device_add",
        usage: "driver[,property=value]...",
        help: "plug a device in",
        words: (1, 1),
        run: device_add,
    },
    Entry {
        names: "device_del",
        usage: "id",
        help: "unplug a device",
        words: (1, 1),
        run: |machine, call| qmp(machine, "device_del", json!({"id": call.words.first()})),
    },
    Entry {
        names: "object_add",
        usage: "type,id=name[,property=value]...",
        help: "make an object",
        words: (1, 1),
        run: object_add,
    },
    Entry {
        names: "object_del",
        usage: "id",
        help: "destroy an object",
        words: (1, 1),
        run: |machine, call| qmp(machine, "object-del", json!({"id": call.words.first()})),
    },
    Entry {
        names: "set_password",
        usage: "protocol password [action]",
        help: "change the password of the display",
        words: (2, 3),
        run: set_password,
    },
];

/// Runs one line for the CPU `cpu`; the text has CRLF at the end of each line.
pub fn run(machine: &mut Machine, line: &str, cpu: u64) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let text = match words.split_first() {
        None => String::new(),
        Some((name, rest)) => dispatch(machine, COMMANDS, "", name, &Call { words: rest, cpu }),
    };
    text.replace('\n', "\r\n")
}

fn dispatch(machine: &mut Machine, table: &[Entry], before: &str, name: &str, call: &Call<'_>) -> String {
    let Some(entry) = table.iter().find(|entry| entry.is_called(name)) else {
        return unknown(&format!("{before}{name}"));
    };
    let (least, most) = entry.words;
    let wrong = match call.words.len() {
        count if count < least => "it takes more words than that",
        count if count > most => "it takes fewer words than that",
        _ => return (entry.run)(machine, call),
    };
    format!("{before}{name}: {wrong}\nTry \"help {before}{name}\" for more information\n")
}

impl Entry {
    fn is_called(&self, name: &str) -> bool {
        self.names.split('|').any(|known| known == name)
    }

    fn describe(&self, before: &str) -> String {
        let gap = if self.usage.is_empty() { "" } else { " " };
        format!("{before}{}{gap}{} -- {}\n", self.names, self.usage, self.help)
    }
}

fn unknown(name: &str) -> String {
    format!("unknown command: '{name}'\n")
}

/// Runs a command of QMP; its failure becomes text, as everything here does.
fn qmp(machine: &mut Machine, name: &str, arguments: Value) -> String {
    match ask(machine, name, arguments) {
        Ok(_) => String::new(),
        Err(text) => text,
    }
}

/// The result of a command of QMP, or its failure as text.
fn ask(machine: &mut Machine, name: &str, arguments: Value) -> Result<Value, String> {
    let arguments = match arguments {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    };
    let outcome = commands::find(name).and_then(|command| command.execute(machine, &arguments));
    outcome.map_err(|failure| format!("Error: {}\n", failure.desc))
}

fn help(_: &mut Machine, call: &Call<'_>) -> String {
    let list = |table: &[Entry], before| table.iter().map(|entry| entry.describe(before)).collect();
    let one = |table: &[Entry], before: &str, name: &str| match table.iter().find(|entry| entry.is_called(name)) {
        Some(entry) => entry.describe(before),
        None => unknown(&format!("{before}{name}")),
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

/// The choice does not outlive the call, as in QEMU: who wants it to, says `cpu-index` each time.
fn cpu(_: &mut Machine, call: &Call<'_>) -> String {
    let word = call.words.first().copied().unwrap_or_default();
    match word.parse::<u64>() {
        Ok(index) if index < CPUS => String::new(),
        _ => format!("there is no CPU '{word}'; they go from 0 to {}\n", CPUS - 1),
    }
}

fn device_add(machine: &mut Machine, call: &Call<'_>) -> String {
    let arguments = options::device(call.words.first().copied().unwrap_or_default());
    qmp(machine, "device_add", Value::Object(arguments))
}

fn object_add(machine: &mut Machine, call: &Call<'_>) -> String {
    let arguments = options::object(call.words.first().copied().unwrap_or_default());
    qmp(machine, "object-add", Value::Object(arguments))
}

fn set_password(machine: &mut Machine, call: &Call<'_>) -> String {
    let mut arguments = json!({"protocol": call.words.first(), "password": call.words.get(1)});
    if let Some(action) = call.words.get(2) {
        arguments["connected"] = (*action).into();
    }
    qmp(machine, "set_password", arguments)
}

#[cfg(test)]
mod tests {
    use super::super::machine_config::default_machine;
    use super::*;

    fn say(line: &str) -> String {
        run(&mut default_machine(), line, 0)
    }

    #[test]
    fn help_lists_describes_and_knows_info() {
        let list = say("help");
        assert_eq!(list.lines().count(), COMMANDS.len());
        assert!(list.contains("stop|s -- make the guest stand still\r\n"));
        assert_eq!(say("help s"), "stop|s -- make the guest stand still\r\n");
        assert_eq!(say("info"), say("help info"));
        assert!(say("? info status").starts_with("info status -- "));
        assert_eq!(say("help nope"), "unknown command: 'nope'\r\n");
    }

    #[test]
    fn what_is_unknown_or_wrong_is_text() {
        assert_eq!(say("nope x"), "unknown command: 'nope'\r\n");
        assert_eq!(say("info nope"), "unknown command: 'info nope'\r\n");
        assert_eq!(say("cpu"), "cpu: it takes more words than that\r\nTry \"help cpu\" for more information\r\n");
        assert!(say("stop now").ends_with("Try \"help stop\" for more information\r\n"));
        assert_eq!(say("device_del zz"), "Error: there is no device 'zz'\r\n");
        assert_eq!(say("cpu 7"), "there is no CPU '7'; they go from 0 to 1\r\n");
        assert_eq!((say("cpu 1"), say(""), say("  ")), (String::new(), String::new(), String::new()));
    }

    #[test]
    fn commands_do_what_those_of_qmp_do() {
        let mut machine = default_machine();
        assert_eq!(run(&mut machine, "s", 0), "");
        assert!(!machine.is_running());
        assert_eq!(run(&mut machine, "c", 0), "");
        assert!(machine.is_running());
        assert_eq!(run(&mut machine, "device_add virtio-net-pci,id=n,mq=on,host_mtu=9000", 0), "");
        assert_eq!(machine.tree.get("/machine/peripheral/n", "host_mtu"), Ok(json!(9000)));
        assert_eq!(run(&mut machine, "object_add memory-backend-ram,id=m,size=16M", 0), "");
        assert_eq!(machine.tree.get("/objects/m", "size"), Ok(json!(16 << 20)));
        assert_eq!(run(&mut machine, "set_password vnc secret", 0), "");
        assert!(run(&mut machine, "set_password spice secret", 0).starts_with("Error: "));
        assert_eq!(run(&mut machine, "q", 0), "");
        assert!(machine.has_ended());
    }
}
