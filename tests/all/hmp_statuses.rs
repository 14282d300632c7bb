//! The verdicts on all commands of the human monitor, row by row as in `hmp_statuses.table`, whose rows
//! `UPDATE_EXPECT=1 tests/run` rewrites.
//!
//! A row is `> LINE`, and after it the verdict and the text, or those of each QEMU. The header of a section names its
//! machine.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use qmp_shell::grammar::Language;
use qmp_shell::render::Palette;
use qmp_shell::session::{Options, SharedLog};
use qmp_shell::shell::{
    Connection, Engine, EngineOptions, InputLine, JsonMessageWriter, LineOutcome, OneShotOutput, OutputFormat,
    OutputStyle, Settings, run_line,
};

use crate::support::server::{Q35, Server, program_version};
use crate::support::skip::skip;
use crate::support::snapshot::{is_updating, normalise};

const TABLE: &str = include_str!("hmp_statuses.table");

/// The number of lines of a text that the table shows, and of characters of each. A longer answer is not shown at all.
const SHOWN_LINES: usize = 2;
const SHOWN_COLUMNS: usize = 110;

/// The path of a virtio device, `{RNG}` in the table.
const RNG: &str = "/machine/peripheral/rng0/virtio-backend";

/// Options of the machines, by section, in addition to [`Q35`]. `{DIR}` is a folder with disks.
const MACHINES: &[(&str, &str)] = &[
    (
        "q35",
        "-machine usb=on -audiodev none,id=a0 -vnc none -device VGA -device usb-tablet -object iothread,id=io0 \
         -drive if=none,id=d0,file={DIR}/disk0.qcow2,format=qcow2 -device virtio-blk-pci,drive=d0 \
         -drive if=none,id=d1,file={DIR}/disk1.qcow2,format=qcow2 -device virtio-blk-pci,drive=d1 \
         -drive if=none,id=cd0,media=cdrom -device ide-cd,drive=cd0,id=cd \
         -netdev user,id=n0 -device e1000e,netdev=n0,id=e0 -device pcie-root-port,id=rp0 \
         -chardev ringbuf,id=ring,size=16 -chardev null,id=ser0 -device isa-serial,chardev=ser0 \
         -device virtio-balloon-pci -device virtio-rng-pci,id=rng0 \
         -device vmgenid,guid=6c33c5a0-5b35-44e5-a1ca-8c2a20e8d5cd",
    ),
    ("snapshots", "-drive if=none,id=d0,file={DIR}/overlay.qcow2,format=qcow2 -device virtio-blk-pci,drive=d0"),
    ("incoming", "-incoming defer"),
    ("rocker", "-device rocker,name=r0,id=r0"),
];

/// The verdict and the text of a row on one server, as in the table.
type Verdict = (u8, Vec<String>);

/// A server with the machine of a section, and a folder with its disks.
struct Machine {
    server: Server,
    folder: tempfile::TempDir,
}

impl Machine {
    fn start(section: &str, start: impl FnOnce(&[&str]) -> Option<Server>) -> Option<Machine> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("disk.raw"), vec![0; 1 << 20]).unwrap();
        let backing = ["-b", "disk0.qcow2", "-F", "qcow2"];
        for (name, options) in [("disk0", &[][..]), ("disk1", &[]), ("overlay", &backing)] {
            let mut qemu_img = Command::new("qemu-img");
            qemu_img.args(["create", "-q", "-f", "qcow2"]).args(options).arg(format!("{name}.qcow2")).arg("1M");
            assert!(qemu_img.current_dir(&folder).status().unwrap().success());
        }
        let (_, options) = MACHINES.iter().find(|(name, _)| *name == section).unwrap();
        let options = options.replace("{DIR}", folder.path().to_str().unwrap());
        let options: Vec<&str> = Q35.iter().copied().chain(options.split_whitespace()).collect();
        Some(Machine { server: start(&options)?, folder })
    }

    /// Returns the names of all commands, and of all subcommands of `info`.
    fn command_names(&self) -> Vec<String> {
        let client = self.server.client();
        let list = |line: &str| -> String {
            client.execute("human-monitor-command", serde_json::json!({ "command-line": line })).unwrap()
        };
        let lists = list("help") + &list("help info");
        // Help of several lines is indented.
        let entries = lists.lines().filter(|line| line.contains(" -- ") && line.starts_with(char::is_lowercase));
        entries.map(|entry| command_name(entry).split('|').next().unwrap().to_owned()).collect()
    }

    /// Runs lines in one session.
    fn run(&self, lines: &[&str]) -> Vec<Verdict> {
        let folder = self.folder.path().to_str().unwrap();
        let port = free_port();
        let mut connection = Connection::new(Some(self.server.address().parse().unwrap()), Options::default(), false);
        connection.open(&mut |_| {}).unwrap();
        let version = connection.session().unwrap().greeting().unwrap().version.clone().unwrap();
        let version = format!("{version}{}", version.package);
        let mut engine = Engine::new(connection, Settings::default(), EngineOptions::default(), SharedLog::default());
        engine.set_language(Language::Hmp);
        let run_one = |line: &&str| {
            let text = line.replace("{DIR}", folder).replace("{RNG}", RNG).replace("{PORT}", &port);
            let mut out = OneShotOutput::new(Vec::new(), Vec::new(), style());
            let outcome = run_line(&mut engine, &InputLine { text: &text, script: None, number: 1 }, &mut out);
            out.show_help();
            let (stdout, stderr) = out.into_inner();
            let text = String::from_utf8_lossy(&[stdout, stderr].concat()).replace(folder, "{DIR}");
            let succeeded = matches!(outcome, LineOutcome::Done | LineOutcome::Leave);
            (u8::from(!succeeded), shown(&text.replace(&version, "{VERSION}"), succeeded))
        };
        lines.iter().map(run_one).collect()
    }
}

fn style() -> OutputStyle {
    let palette = Palette::new(false);
    OutputStyle {
        format: OutputFormat::Pretty,
        messages: JsonMessageWriter { palette: palette.clone(), escape_controls: true },
        stderr_palette: palette,
        prefix: "",
        server_name: None,
        is_paged: false,
    }
}

/// Returns a TCP port that is free at the moment.
fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

/// Returns the name of the command in a line, with the subcommand of `info`.
fn command_name(line: &str) -> String {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    match words.next() {
        Some(topic) if name == "info" && !topic.starts_with('[') => format!("info {topic}"),
        _ => name.to_owned(),
    }
}

/// Returns the part of a text that the table shows, with placeholders for what varies.
fn shown(text: &str, is_answer: bool) -> Vec<String> {
    // QEMU 7.2 may lack modules that 10.0 brings along.
    let is_shown = |line: &&str| !line.trim().is_empty() && !line.starts_with("failed to open module");
    let lines: Vec<&str> = text.lines().filter(is_shown).collect();
    let count = if is_answer && lines.len() > SHOWN_LINES { 0 } else { lines.len().min(SHOWN_LINES) };
    let mut shown: Vec<String> = lines[..count].iter().map(|line| without_numbers(line)).collect();
    if lines.len() > count {
        shown.push("…".to_owned());
    }
    shown
}

/// Replaces the numbers of threads and terminals, and long ones, which are addresses and times. Cuts the line.
fn without_numbers(line: &str) -> String {
    const MIN_DIGITS: usize = 4;
    let line = normalise(&line.trim_end().replace('\t', " "));
    let mut out = String::new();
    let mut rest = line.trim_end();
    while let Some(c) = rest.chars().next() {
        let run = &rest[..rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len())];
        let is_number = run.contains(|c: char| c.is_ascii_digit());
        let is_id = ["thread_id=", "/dev/pts/"].iter().any(|name| out.ends_with(name));
        let (shown, len) = match is_number && (is_id || run.len() >= MIN_DIGITS) {
            true => ("{N}", run.len()),
            // A run of letters and digits is shown whole, lest its end be taken for a number.
            false => (&rest[..run.len().max(c.len_utf8())], run.len().max(c.len_utf8())),
        };
        out.push_str(shown);
        rest = &rest[len..];
    }
    let cut: String = out.chars().take(SHOWN_COLUMNS).collect();
    if cut == out { out } else { format!("{cut}…") }
}

/// Writes the verdicts of a row.
fn write_verdicts(new: Verdict, old: Verdict, table: &mut String) {
    let rows = if new == old { vec![("", new)] } else { vec![("10.0: ", new), ("7.2:  ", old)] };
    for (qemu, (status, text)) in rows {
        writeln!(table, "{}", format!("  {qemu}{status} {}", text.join(" ⏎ ")).trim_end()).unwrap();
    }
}

/// Compares the table with the one that was found, or rewrites it.
fn check(found: &str) {
    if is_updating() {
        return std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/hmp_statuses.table"), found).unwrap();
    }
    let lines = TABLE.lines().zip(found.lines()).filter(|(expected, found)| expected != found);
    let differing: Vec<String> = lines.map(|(expected, found)| format!("-{expected}\n+{found}")).collect();
    assert!(found == TABLE, "{} lines differ:\n{}", differing.len(), differing.join("\n"));
}

#[test]
fn every_command_has_the_verdict_of_the_table() {
    if !program_version("qemu-system-x86_64").starts_with("10.0.") {
        return skip("QEMU 10.0");
    }
    let mut sections = TABLE.split("\n== ");
    let mut table = sections.next().unwrap().to_owned();
    let (mut known, mut tried) = (BTreeSet::new(), BTreeSet::new());
    for section in sections {
        let (name, rows) = section.split_once('\n').unwrap();
        let (Some(new), Some(old)) = (Machine::start(name, Server::qemu), Machine::start(name, Server::qemu_7_2))
        else {
            return;
        };
        let lines: Vec<&str> = rows.lines().filter_map(|line| line.strip_prefix("> ")).collect();
        known.extend([&new, &old].into_iter().flat_map(Machine::command_names));
        tried.extend(lines.iter().map(|line| command_name(line)));
        let mut verdicts = new.run(&lines).into_iter().zip(old.run(&lines));
        writeln!(table, "\n== {name}").unwrap();
        for line in rows.lines().filter(|line| !line.starts_with("  ")) {
            writeln!(table, "{line}").unwrap();
            if line.starts_with("> ") {
                let (new, old) = verdicts.next().unwrap();
                write_verdicts(new, old, &mut table);
            }
        }
    }
    let missing: Vec<&String> = known.difference(&tried).collect();
    assert!(missing.is_empty(), "the table has no rows for {missing:?}");
    check(&table);
}
