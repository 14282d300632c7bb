//! Completion in HMP mode, compared with that of QEMU's own monitor: while that monitor answers lines, and while the
//! shell's own does because the server has none.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use qmp_shell::grammar::Language;
use qmp_shell::session::{Options, SharedLog};
use qmp_shell::shell::{Connection, Engine, EngineOptions, Settings, complete_line, wait_for_names};

use super::support::TIMEOUT;
use super::support::program::{Run, qmp_shell};
use super::support::server::{Q35, Server};
use super::support::skip::require_program;
use super::support::without_hmp::hide_human_monitor;

const PROMPT: &str = "(qemu) ";

/// A character that no line contains, which marks the end of the output of a tab.
const MARK: char = '@';

/// Options for at least one object of every kind that has a name.
const DEVICES: &[&str] = &[
    "-drive",
    "id=disk0,if=none,driver=null-co,node-name=node0",
    "-drive",
    "id=disk1,if=none,driver=null-co",
    "-chardev",
    "ringbuf,id=ring0",
    "-chardev",
    "null,id=null0",
    "-netdev",
    "user,id=net0",
    "-netdev",
    "user,id=lonely0",
    "-device",
    "e1000,id=nic0,netdev=net0,romfile=",
    "-device",
    "virtio-scsi-pci,id=scsi0",
    "-device",
    "i6300esb,id=dog0",
    "-object",
    "iothread,id=thread0",
    "-object",
    "memory-backend-ram,id=mem0,size=1M",
];

/// Lines after which QEMU has candidates that the shell does not have, and the reasons: after the first argument of a
/// command, or after the named flag.
const QEMU_ONLY: &[(&[&str], &str)] = &[
    (
        &["block_job_complete", "block_job_pause", "block_job_resume", "commit", "drive_del", "dumpdtb", "logfile"],
        "it takes one such argument, and QEMU offers it again",
    ),
    (
        &[
            "block_job_cancel",
            "change -f",
            "drive_backup",
            "drive_mirror",
            "dump-guest-memory",
            "eject",
            "info block",
            "nbd_server_add",
            "qemu-io",
            "snapshot_blkdev",
        ],
        "QEMU mistakes a name for a flag or a flag for a name, and is off by one argument",
    ),
];

/// Returns the row of [`QEMU_ONLY`] for a line.
fn known_difference(line: &str) -> Option<&'static str> {
    let is_after = |lead: &str| {
        base(line).strip_prefix(lead).is_some_and(|rest| rest == " " && lead.contains(" -") || rest.trim_start() != "")
            && line[lead.len()..].starts_with(' ')
    };
    QEMU_ONLY.iter().flat_map(|(leads, _)| *leads).copied().find(|lead| is_after(lead))
}

/// A name that QMP does not tell: that of a network backend which no NIC uses.
const NOT_IN_QMP: &str = "lonely0";

/// QEMU's own monitor on its socket, with a screen for the output of its line editor.
struct Monitor {
    socket: UnixStream,
    rows: Vec<String>,
    column: usize,
    unread: String,
}

impl Monitor {
    fn connect(server: &Server) -> Monitor {
        let socket = UnixStream::connect(server.path("hmp.sock")).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut monitor = Monitor { socket, rows: vec![String::new()], column: 0, unread: String::new() };
        monitor.read_until(|row| row == PROMPT);
        monitor
    }

    fn read_until(&mut self, is_there: impl Fn(&str) -> bool) {
        while !is_there(self.rows.last().unwrap()) {
            let mut bytes = [0; 65536];
            let count = self.socket.read(&mut bytes).unwrap();
            assert!(count > 0, "the monitor has closed");
            self.draw(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    }

    /// Draws output: text, new lines, and two control sequences, cursor left and erase to the end.
    fn draw(&mut self, text: &str) {
        let text = std::mem::take(&mut self.unread) + text;
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            let row = self.rows.last_mut().unwrap();
            match c {
                '\x1b' => {
                    if rest.len() < 3 {
                        self.unread = rest.to_owned();
                        return;
                    }
                    match &rest[..3] {
                        "\x1b[D" => self.column -= 1,
                        "\x1b[K" => row.truncate(self.column),
                        other => panic!("unknown control sequence {other:?}"),
                    }
                    rest = &rest[3..];
                    continue;
                }
                '\r' => self.column = 0,
                '\n' => self.rows.push(String::new()),
                c => {
                    row.truncate(self.column);
                    row.push(c);
                    self.column += 1;
                }
            }
            rest = &rest[c.len_utf8()..];
        }
    }

    /// Returns the candidates of a tab at the end of `line`, as whole lines. Deletes the line, and never runs it.
    fn tab(&mut self, line: &str) -> BTreeSet<String> {
        self.rows.drain(..self.rows.len() - 1);
        write!(self.socket, "{line}\t{MARK}").unwrap();
        self.read_until(|row| row.ends_with(MARK));
        let last = self.rows.last().unwrap();
        let whole = last[PROMPT.len()..last.len() - MARK.len_utf8()].to_owned();
        let typed = last.len() - PROMPT.len();
        let list: Vec<String> = self.rows[1..].iter().rev().skip(1).map(|row| row.to_owned()).collect();
        self.socket.write_all(&vec![0x7f; typed]).unwrap();
        self.read_until(|row| row == PROMPT);

        let names = list.iter().flat_map(|row| row.split_whitespace());
        let offered: BTreeSet<String> = names.map(|name| format!("{}{name}", base(line))).collect();
        match offered.is_empty() && whole != line {
            true => BTreeSet::from([whole.trim_end().to_owned()]),
            false => offered,
        }
    }
}

/// Returns a line without the word at its end. Keys pressed together are separate words.
fn base(line: &str) -> &str {
    let parts: &[char] = if line.contains("sendkey ") { &[' ', '-'] } else { &[' '] };
    &line[..line.rfind(parts).map_or(0, |at| at + 1)]
}

/// Returns the candidates of the shell, as whole lines.
fn shell_candidates(engine: &mut Engine, line: &str) -> BTreeSet<String> {
    let completion = complete_line(engine, line);
    completion.candidates.iter().map(|candidate| format!("{}{}", &line[..completion.start], candidate.text)).collect()
}

/// The results of the comparison.
#[derive(Default)]
struct Tally {
    /// The compared lines.
    seen: BTreeSet<String>,
    equal: usize,
    /// The lines for which the shell has more candidates.
    more: usize,
    /// The lines for which neither has candidates.
    silent: usize,
    /// The rows of [`QEMU_ONLY`] that were found.
    known_differences: Vec<&'static str>,
    /// Reports of the other lines for which the shell lacks candidates.
    fewer: Vec<String>,
}

struct Comparison {
    monitor: Monitor,
    engine: Engine,
    /// Names that the shell cannot have.
    unknowable: &'static [&'static str],
    tally: Tally,
}

impl Comparison {
    /// Compares the human monitor of `server` with a shell that is connected to `address`.
    fn new(server: &Server, address: &str, unknowable: &'static [&'static str]) -> Comparison {
        let mut connection = Connection::new(Some(address.parse().unwrap()), Options::default(), false);
        connection.open(&mut |_| {}).unwrap();
        let mut engine = Engine::new(connection, Settings::default(), EngineOptions::default(), SharedLog::default());
        engine.set_language(Language::Hmp);
        wait_for_names(&mut engine, "", Instant::now() + TIMEOUT);
        Comparison { monitor: Monitor::connect(server), engine, unknowable, tally: Tally::default() }
    }

    /// Compares at the end of `line`; returns the candidates of QEMU.
    fn compare_at(&mut self, line: &str) -> Vec<String> {
        let mut theirs = self.monitor.tab(line);
        theirs.retain(|whole| !self.unknowable.contains(&&whole[base(line).len()..]));
        let words: Vec<String> = theirs.iter().map(|whole| whole[base(line).len()..].to_owned()).collect();
        if line.ends_with([' ', '/']) {
            // Hidden files are candidates only after a dot.
            theirs.retain(|whole| !whole[line.len()..].starts_with('.'));
        }
        let mut offered = shell_candidates(&mut self.engine, line);
        // A reply that is too late for one tab serves the next; a busy machine may need several.
        for _ in 0..10 {
            if theirs.is_subset(&offered) {
                break;
            }
            offered = shell_candidates(&mut self.engine, line);
        }
        if !self.tally.seen.insert(line.to_owned()) {
            return words;
        }
        let missing: Vec<&String> = theirs.difference(&offered).collect();
        let report = |missing: &[&String]| format!("{line:?}: {} missing, such as {:?}", missing.len(), missing[0]);
        match missing.is_empty() {
            true if theirs.is_empty() && offered.is_empty() => self.tally.silent += 1,
            true if theirs.len() == offered.len() => self.tally.equal += 1,
            true => self.tally.more += 1,
            false => match known_difference(line) {
                Some(lead) => self.tally.known_differences.push(lead),
                None => self.tally.fewer.push(report(&missing)),
            },
        }
        words
    }

    /// Compares at the first two arguments of a command, each before and after a letter is typed.
    fn compare_command(&mut self, command: &str) {
        let mut line = format!("{command} ");
        for _ in 0..2 {
            let words = self.compare_at(&line);
            let visible: Vec<&String> = words.iter().filter(|word| !word.starts_with('.')).collect();
            if let Some(letter) = visible.get(visible.len() / 2).and_then(|word| word.chars().next()) {
                self.compare_at(&format!("{line}{letter}"));
            }
            line.push_str(visible.first().map_or("x", |word| word.as_str()));
            line.push(' ');
        }
        // After each flag of the command.
        for flagged in shell_candidates(&mut self.engine, &format!("{command} -")) {
            self.compare_at(&format!("{flagged} "));
        }
    }

    /// Compares all commands and subcommands of `info`.
    fn compare_all(mut self) -> Tally {
        let commands = self.compare_at("");
        assert!(commands.len() > 100, "{commands:?}");
        let subcommands = self.compare_at("info ");
        assert!(subcommands.len() > 50, "{subcommands:?}");
        for command in commands.iter().filter(|command| *command != "info") {
            self.compare_at(&command[..1]);
            self.compare_command(command);
        }
        for subcommand in &subcommands {
            self.compare_at(&format!("info {}", &subcommand[..1]));
            self.compare_command(&format!("info {subcommand}"));
        }
        for line in [
            "sendkey ctrl-",
            "sendkey ctrl-alt-d",
            "help ",
            "help info ",
            "help device_add e1",
            "? q",
            "help info trace-events k",
            "device_add virtio-",
            "trace-event kvm_",
            "screendump /",
            "migrate_set_capability xbzrle ",
            "no-such-command ",
        ] {
            self.compare_at(line);
        }
        self.tally
    }
}

/// Returns the options of a machine with all devices, and a disk with an internal snapshot in `folder`.
fn machine_options(folder: &Path) -> Option<Vec<String>> {
    let qemu_img = require_program("qemu-img")?;
    let disk = folder.join("disk.qcow2").to_str().unwrap().to_owned();
    for arguments in [vec!["create", "-q", "-f", "qcow2", &disk, "1M"], vec!["snapshot", "-c", "before", &disk]] {
        assert!(Command::new(&qemu_img).args(arguments).status().unwrap().success());
    }
    let disk = ["-drive".to_owned(), format!("id=disk2,if=none,format=qcow2,file={disk}")];
    Some([Q35, DEVICES].concat().into_iter().map(str::to_owned).chain(disk).collect())
}

/// Compares completion on the installed QEMU and on QEMU 7.2. `hides_monitor` takes the human monitor from the shell.
fn compare(hides_monitor: bool) {
    for (name, start) in [("QEMU", Server::qemu as fn(&[&str]) -> Option<Server>), ("QEMU 7.2", Server::qemu_7_2)] {
        let folder = tempfile::tempdir().unwrap();
        let Some(options) = machine_options(folder.path()) else { return };
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let Some(server) = start(&options) else { continue };
        let comparison = match hides_monitor {
            true => Comparison::new(&server, &hide_human_monitor(&server.address(), folder.path()), &[NOT_IN_QMP]),
            false => Comparison::new(&server, &server.address(), &[]),
        };
        let Tally { seen, equal, more, silent, known_differences, fewer } = comparison.compare_all();
        let counts = format!(
            "{name}: {} positions: {equal} equal, {more} more, {} fewer; {} known differences; {silent} without candidates",
            seen.len(),
            fewer.len(),
            known_differences.len(),
        );
        eprintln!("{counts}");
        assert!(fewer.is_empty(), "{counts}\n{}", fewer.join("\n"));
        assert!(equal > 120 && more > 20, "too few comparisons: {counts}");
        for lead in QEMU_ONLY.iter().flat_map(|(leads, _)| *leads) {
            assert!(known_differences.contains(lead), "`{lead}` is no longer a difference");
        }
    }
}

#[test]
fn completes_at_least_what_the_monitor_of_qemu_completes() {
    compare(false);
}

#[test]
fn completes_as_much_without_the_monitor_of_qemu() {
    compare(true);
}

/// Returns the sorted candidates of a run with `--complete`, without their descriptions.
fn candidates(run: &Run) -> String {
    let mut texts: Vec<&str> = run.lines().iter().map(|row| row.split('\t').next().unwrap()).collect();
    texts.sort_unstable();
    texts.join(" ")
}

#[test]
fn completes_more_than_the_monitor_of_qemu() {
    let folder = tempfile::tempdir().unwrap();
    let Some(options) = machine_options(folder.path()) else { return };
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let Some(server) = Server::qemu(&options) else { return };
    std::fs::create_dir(folder.path().join("with blank")).unwrap();
    let here = folder.path().to_str().unwrap();
    for (line, offered) in [
        // After a type, its options and their values.
        ("device_add e1000,netd", "netdev="),
        ("device_add driver=e1000,id=a,multif", "multifunction="),
        ("object_add iothread,id=x,poll-g", "poll-grow="),
        ("object_add memory-backend-ram,share=", "off on"),
        ("object_add memory-backend-ram,id=m,policy=b", "bind"),
        ("netdev_add user,rest", "restrict="),
        ("device_add e1000,id=nic1,netdev=", "lonely0 net0"),
        ("object_add iothread,#", ""),
        // Flags and the arguments after them.
        ("drive_mirror -", "-f -n"),
        ("drive_mirror -n -f disk0 /dev/nul", "/dev/null"),
        ("drive_mirror -n -f disk0 file ", "qcow2 raw"),
        // Values by the type of a parameter.
        ("migrate_set_parameter cpu-throttle-tailslow ", "off on"),
        ("migrate_set_parameter multifd-compression no", "none"),
        // The object tree, segment by segment, and properties.
        ("qom-get /machine/peripheral/thr", ""),
        ("qom-get /objects/thr", "/objects/thread0"),
        ("qom-set /objects/thread0 poll-g", "poll-grow"),
        // Node names, block jobs and snapshots.
        ("nbd_server_add -w nod", "node0"),
        ("snapshot_delete_blkdev_internal disk2 b", "before"),
        ("chardev-change null0 nul", "null"),
        // Words with spaces, in quotes.
        (&format!("screendump {here}/wi"), &format!("\"{here}/with blank/")),
        (&format!("screendump \"{here}/d"), &format!("\"{here}/disk.qcow2\"")),
        // No candidates where nothing is known.
        ("mouse_move -", ""),
        ("quit ", ""),
        ("stop \"", ""),
    ] {
        for (mode, line) in [(vec!["-H"], line.to_owned()), (vec![], format!(".hmp {line}"))] {
            let run = qmp_shell(&[mode, vec!["--complete", &line, &server.address()]].concat()).run().expect_status(0);
            assert_eq!(candidates(&run), *offered, "{line}");
        }
    }
    // QMP has no query for network names, so lines of QMP get them from the monitor, too.
    for (line, offered) in
        [("set_link name=n", "net0 nic0"), ("netdev_del id=", "lonely0 net0"), ("device_add netdev=l", "lonely0")]
    {
        let run = qmp_shell(&["--complete", line, &server.address()]).run().expect_status(0);
        assert_eq!(candidates(&run), offered, "{line}");
    }
}
