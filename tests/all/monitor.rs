//! Completion in HMP mode, held against the yardstick: QEMU's own monitor, asked with a real tab.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use qmp_shell::grammar::LineMode;
use qmp_shell::session::{Options, SharedLog};
use qmp_shell::shell::{Connection, Engine, Mode, Settings, complete_line, wait_for_names};

use super::support::program::{Run, qmp_shell};
use super::support::server::{Q35, Server};
use super::support::{PATIENCE, find_program, skip};

const PROMPT: &str = "(qemu) ";

/// No line holds it, so it shows where the answer to a tab ends.
const MARK: char = '@';

/// A machine with something of every kind that can be named.
const FURNISHED: &[&str] = &[
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

/// What QEMU offers and we do not, and why not: behind the first argument of a command, or behind a flag that is named.
const FEWER: &[(&[&str], &str)] = &[
    (
        &["block_job_complete", "block_job_pause", "block_job_resume", "commit", "drive_del", "dumpdtb", "logfile"],
        "it takes one such argument, and QEMU offers the same again",
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
        "QEMU takes a name for a flag or a flag for a name, and so is off by one argument",
    ),
];

/// Which row of [`FEWER`] a line falls under.
fn excuse(line: &str) -> Option<&'static str> {
    let is_behind = |lead: &str| {
        base(line).strip_prefix(lead).is_some_and(|rest| rest == " " && lead.contains(" -") || rest.trim_start() != "")
            && line[lead.len()..].starts_with(' ')
    };
    FEWER.iter().flat_map(|(leads, _)| *leads).copied().find(|lead| is_behind(lead))
}

/// QEMU's own monitor on its socket, its line editor's output put on a screen of our own.
struct Monitor {
    socket: UnixStream,
    rows: Vec<String>,
    column: usize,
    unread: String,
}

impl Monitor {
    fn connect(server: &Server) -> Monitor {
        let socket = UnixStream::connect(server.path("hmp.sock")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut monitor = Monitor { socket, rows: vec![String::new()], column: 0, unread: String::new() };
        monitor.read_until(|row| row == PROMPT);
        monitor
    }

    fn read_until(&mut self, is_there: impl Fn(&str) -> bool) {
        while !is_there(self.rows.last().unwrap()) {
            let mut bytes = [0; 65536];
            let count = self.socket.read(&mut bytes).unwrap();
            assert!(count > 0, "the monitor is gone");
            self.draw(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    }

    /// Draws what came: text, new lines, and the two control sequences that matter, cursor left and erase to the end.
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

    /// What a tab at the end of `line` offers, as whole lines. The line is taken back, never run.
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

/// A line without the word that its end completes. Keys held together are completed each for itself.
fn base(line: &str) -> &str {
    let parts: &[char] = if line.contains("sendkey ") { &[' ', '-'] } else { &[' '] };
    &line[..line.rfind(parts).map_or(0, |at| at + 1)]
}

/// What we offer, as whole lines.
fn ours(engine: &mut Engine, line: &str) -> BTreeSet<String> {
    let completion = complete_line(engine, line);
    completion.candidates.iter().map(|candidate| format!("{}{}", &line[..completion.start], candidate.text)).collect()
}

/// How the two compare at one position after the other.
#[derive(Default)]
struct Tally {
    /// The positions, each counted once.
    seen: BTreeSet<String>,
    equal: usize,
    more: usize,
    /// Neither offers anything.
    silent: usize,
    /// By their row of [`FEWER`].
    excused: Vec<&'static str>,
    fewer: Vec<String>,
}

struct Comparison {
    monitor: Monitor,
    engine: Engine,
    tally: Tally,
}

impl Comparison {
    fn new(server: &Server) -> Comparison {
        let mut link = Connection::new(Some(server.address().parse().unwrap()), Options::default(), false);
        link.open(&mut |_| {}).unwrap();
        let mut engine = Engine::new(link, Settings::default(), Mode::default(), SharedLog::default());
        engine.set_language(LineMode::Hmp);
        wait_for_names(&mut engine, "", Instant::now() + PATIENCE);
        Comparison { monitor: Monitor::connect(server), engine, tally: Tally::default() }
    }

    /// Compares at the end of `line`; returns the words that QEMU offers there.
    fn at(&mut self, line: &str) -> Vec<String> {
        let mut theirs = self.monitor.tab(line);
        let words: Vec<String> = theirs.iter().map(|whole| whole[base(line).len()..].to_owned()).collect();
        if line.ends_with([' ', '/']) {
            // As in any shell, a hidden file is offered once its dot is typed.
            theirs.retain(|whole| !whole[line.len()..].starts_with('.'));
        }
        let mut offered = ours(&mut self.engine, line);
        // At a prompt a slow answer is there at the next tab; on a busy machine one more may be needed.
        for _ in 0..10 {
            if theirs.is_subset(&offered) {
                break;
            }
            offered = ours(&mut self.engine, line);
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
            false => match excuse(line) {
                Some(lead) => self.tally.excused.push(lead),
                None => self.tally.fewer.push(report(&missing)),
            },
        }
        words
    }

    /// Compares at the first arguments of a command, each also with a letter typed.
    fn command(&mut self, command: &str) {
        let mut line = format!("{command} ");
        for _ in 0..2 {
            let words = self.at(&line);
            let visible: Vec<&String> = words.iter().filter(|word| !word.starts_with('.')).collect();
            if let Some(letter) = visible.get(visible.len() / 2).and_then(|word| word.chars().next()) {
                self.at(&format!("{line}{letter}"));
            }
            line.push_str(visible.first().map_or("x", |word| word.as_str()));
            line.push(' ');
        }
        // Behind each flag that the command has, by our own word.
        for flagged in ours(&mut self.engine, &format!("{command} -")) {
            self.at(&format!("{flagged} "));
        }
    }

    /// Compares over every command, and the subcommands of `info`.
    fn all(mut self) -> Tally {
        let commands = self.at("");
        assert!(commands.len() > 100, "{commands:?}");
        let subcommands = self.at("info ");
        assert!(subcommands.len() > 50, "{subcommands:?}");
        for command in commands.iter().filter(|command| *command != "info") {
            self.at(&command[..1]);
            self.command(command);
        }
        for subcommand in &subcommands {
            self.at(&format!("info {}", &subcommand[..1]));
            self.command(&format!("info {subcommand}"));
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
            self.at(line);
        }
        self.tally
    }
}

/// The options of the furnished machine, its disk with an internal snapshot in `folder`.
fn default_machine(folder: &Path) -> Option<Vec<String>> {
    let Some(qemu_img) = find_program("qemu-img") else {
        skip("qemu-img");
        return None;
    };
    let disk = folder.join("disk.qcow2").to_str().unwrap().to_owned();
    for arguments in [vec!["create", "-q", "-f", "qcow2", &disk, "1M"], vec!["snapshot", "-c", "before", &disk]] {
        assert!(Command::new(&qemu_img).args(arguments).status().unwrap().success());
    }
    let disk = ["-drive".to_owned(), format!("id=disk2,if=none,format=qcow2,file={disk}")];
    Some([Q35, FURNISHED].concat().into_iter().map(str::to_owned).chain(disk).collect())
}

#[test]
fn we_complete_at_least_what_the_monitor_of_qemu_does() {
    for (name, start) in [("QEMU 10.0", Server::qemu as fn(&[&str]) -> Option<Server>), ("QEMU 7.2", Server::qemu_7_2)]
    {
        let folder = tempfile::tempdir().unwrap();
        let Some(options) = default_machine(folder.path()) else { return };
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let Some(server) = start(&options) else { continue };
        let Tally { seen, equal, more, silent, excused, fewer } = Comparison::new(&server).all();
        let counts = format!(
            "{name}: {} positions: {equal} equal, {more} more, {} fewer; {} where QEMU errs; {silent} where nobody offers anything",
            seen.len(),
            fewer.len(),
            excused.len(),
        );
        eprintln!("{counts}");
        assert!(fewer.is_empty(), "{counts}\n{}", fewer.join("\n"));
        assert!(equal > 120 && more > 20, "the test has lost sight of the monitor: {counts}");
        for lead in FEWER.iter().flat_map(|(leads, _)| *leads) {
            assert!(excused.contains(lead), "`{lead}` needs no excuse");
        }
    }
}

/// What a run with `--complete` printed, without the words about each, in order.
fn candidates(run: &Run) -> String {
    let mut texts: Vec<&str> = run.lines().iter().map(|row| row.split('\t').next().unwrap()).collect();
    texts.sort_unstable();
    texts.join(" ")
}

#[test]
fn the_shell_goes_further_than_the_monitor() {
    let folder = tempfile::tempdir().unwrap();
    let Some(options) = default_machine(folder.path()) else { return };
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let Some(server) = Server::qemu(&options) else { return };
    std::fs::create_dir(folder.path().join("with blank")).unwrap();
    let here = folder.path().to_str().unwrap();
    for (line, offered) in [
        // Behind a type, its options and their values.
        ("device_add e1000,netd", "netdev="),
        ("device_add driver=e1000,id=a,multif", "multifunction="),
        ("object_add iothread,id=x,poll-g", "poll-grow="),
        ("object_add memory-backend-ram,share=", "off on"),
        ("object_add memory-backend-ram,id=m,policy=b", "bind"),
        ("netdev_add user,rest", "restrict="),
        ("device_add e1000,id=nic1,netdev=", "lonely0 net0"),
        ("object_add iothread,#", ""),
        // Flags, and what stands behind them.
        ("drive_mirror -", "-f -n"),
        ("drive_mirror -n -f disk0 /dev/nul", "/dev/null"),
        ("drive_mirror -n -f disk0 file ", "qcow2 raw"),
        // Values of a parameter by its type.
        ("migrate_set_parameter cpu-throttle-tailslow ", "off on"),
        ("migrate_set_parameter multifd-compression no", "none"),
        // The object tree, segment by segment, and the properties of what is found there.
        ("qom-get /machine/peripheral/thr", ""),
        ("qom-get /objects/thr", "/objects/thread0"),
        ("qom-set /objects/thread0 poll-g", "poll-grow"),
        // Node names, block jobs and snapshots where they go.
        ("nbd_server_add -w nod", "node0"),
        ("snapshot_delete_blkdev_internal disk2 b", "before"),
        ("chardev-change null0 nul", "null"),
        // Words with blanks in quotes.
        (&format!("screendump {here}/wi"), &format!("\"{here}/with blank/")),
        (&format!("screendump \"{here}/d"), &format!("\"{here}/disk.qcow2\"")),
        // Nothing where nothing is known.
        ("mouse_move -", ""),
        ("quit ", ""),
        ("stop \"", ""),
    ] {
        for (mode, line) in [(vec!["-H"], line.to_owned()), (vec![], format!(".hmp {line}"))] {
            let run = qmp_shell(&[mode, vec!["--complete", &line, &server.address()]].concat()).run().expect_status(0);
            assert_eq!(candidates(&run), *offered, "{line}");
        }
    }
    // QMP has no question for the network's names; its lines get them from the monitor too.
    for (line, offered) in
        [("set_link name=n", "net0 nic0"), ("netdev_del id=", "lonely0 net0"), ("device_add netdev=l", "lonely0")]
    {
        let run = qmp_shell(&["--complete", line, &server.address()]).run().expect_status(0);
        assert_eq!(candidates(&run), offered, "{line}");
    }
}
