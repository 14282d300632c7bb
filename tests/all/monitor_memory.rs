//! Memory, registers and translated addresses in the shell's own monitor, compared with QEMU's on small guests.

use qmp_shell::shell::MonitorChoice;
use serde_json::{Value, json};

use super::support::hmp_machine::Machine;
use super::support::program::qmp_shell;
use super::support::random::Random;
use super::support::server::{Q35, Server};
use super::support::wait_until;
use super::support::x86_guest::{Paging, TABLES, Tables, write_guest};

/// A function that starts a version of QEMU.
type Start = fn(&[&str]) -> Option<Server>;

const VERSIONS: [Start; 2] = [Server::qemu, Server::qemu_7_2];

/// Bits of an entry.
const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const LARGE_PAGE: u64 = 1 << 7;
const NO_EXECUTION: u64 = 1 << 63;

/// The pages of tables of a random guest.
const TABLE_PAGES: usize = 12;

/// Starts a guest, and waits until its code is done.
fn start_guest(start: Start, paging: Paging, tables: &Tables, more: &[String]) -> Option<Machine> {
    let folder = tempfile::tempdir().unwrap();
    let options = write_guest(folder.path(), paging, tables);
    let options: Vec<&str> = options.iter().chain(more).map(String::as_str).chain(["-m", "64"]).collect();
    let server = start(&options)?;
    let client = server.client();
    wait_until("the guest to halt", || {
        let line = json!({ "command-line": "info registers" });
        let text: String = client.execute("human-monitor-command", line).unwrap();
        text.contains("HLT=1")
    });
    drop(client);
    Some(Machine::of(server, folder))
}

/// Runs lines in QEMU's monitor and in the shell's own. Returns each line with both texts.
fn run_both(machine: &Machine, lines: &[&str]) -> Vec<(String, String, String)> {
    let theirs = machine.run(lines, MonitorChoice::Server);
    let ours = machine.run(lines, MonitorChoice::Own);
    let texts = lines.iter().zip(theirs.into_iter().zip(ours));
    texts.map(|(line, ((theirs, _), (ours, _)))| ((*line).to_owned(), theirs, ours)).collect()
}

/// Returns a text without the notices that follow it.
fn without_notices(text: &str) -> String {
    let is_notice = |line: &&str| line.starts_with("QMP does not tell") || line.starts_with("The guest was paused");
    text.lines().filter(|line| !is_notice(line)).map(|line| format!("{line}\n")).collect()
}

/// Returns the part of QEMU's `info registers` that QMP tells.
fn known_registers(text: &str) -> String {
    let is_unknown = |line: &&str| {
        ["DR", "EFER", "FCW", "FPR", "XMM", "YMM", "ZMM", "Opmask"].iter().any(|prefix| line.starts_with(prefix))
    };
    let lines = text.lines().filter(|line| !is_unknown(line));
    lines.map(|line| line.split(" II=").next().unwrap().to_owned() + "\n").collect()
}

/// Returns tables that map the guest's code, and little more.
fn plain_tables(paging: Paging) -> Tables {
    let mut tables = Tables::new(paging, TABLE_PAGES);
    let last = paging.levels().max(1) - 1;
    for level in 0..last {
        let rights = if paging == Paging::Extended && level == 0 { PRESENT } else { PRESENT | WRITABLE };
        tables.set(level, 0, Tables::address(level + 1) | rights);
    }
    for page in 0..0x100 {
        tables.set(last, page, (page as u64) << 12 | PRESENT | WRITABLE);
    }
    tables
}

#[test]
fn registers_are_those_that_qemus_own_monitor_shows() {
    for start in VERSIONS {
        for paging in [Paging::Off].into_iter().chain(Paging::ALL) {
            let Some(machine) = start_guest(start, paging, &plain_tables(paging), &[]) else { return };
            for (line, theirs, ours) in run_both(&machine, &["info registers", "info registers -a", "info registers 0"])
            {
                assert_eq!(without_notices(&ours), known_registers(&theirs), "{paging:?}: {line}");
            }
            let names = "eax ebx ecx edx esi edi ebp esp eip pc sp fp cs ds cs.base cs.limit ss.base";
            let lines: Vec<String> = names.split(' ').map(|name| format!("print ${name}")).collect();
            for (line, theirs, ours) in run_both(&machine, &lines.iter().map(String::as_str).collect::<Vec<_>>()) {
                assert_eq!(without_notices(&ours), theirs, "{paging:?}: {line}");
            }
        }
    }
}

#[test]
fn memory_is_shown_as_in_qemus_own_monitor() {
    let formats =
        ["xb", "xh", "xw", "xg", "ob", "oh", "ow", "og", "db", "dh", "dw", "dg", "ub", "uh", "uw", "ug", "cb", "cg"];
    let shown: Vec<String> = formats.iter().map(|format| format!("x/37{format} 0xf0000")).collect();
    // Mapped up to 0x100000; memory ends at 0x4000000.
    let edges = [
        "x/4xb 0xffffc",
        "x/5xb 0xffffc",
        "x/3xg 0xffff8",
        "x/300xg 0xff800",
        "x/4xb 0x100000",
        "x/4xg 0xffffffffffffffff",
        "xp/4xg 0x3ffffe0",
        "xp/6xg 0x3ffffe0",
        "xp/6xg 0x3fffff8",
        "xp/600xg 0x3fff000",
        "xp/4xb 0x4000000",
        "xp/4xb 0xfff00000",
        "xp/4xw 0xfec00000",
        "xp/4xb 0xffffffffffffffff",
        "xp/16xb 0xfffffff0",
        "xp/20xb 0xfffffff0",
        "xp/4xg 0xa0000",
        "xp/4xg 0xc0000",
        "x/0xb 0",
        "x 0xf0000",
        "x/2 0xf0000",
        "sum 0xf0000 65536",
        "sum 0 0x200000",
        "sum 0xfffffff0 16",
        "sum 0x4000000 100",
    ];
    let lines: Vec<&str> = shown.iter().map(String::as_str).chain(edges).collect();
    for start in VERSIONS {
        for paging in [Paging::FourLevels, Paging::Large] {
            let Some(machine) = start_guest(start, paging, &plain_tables(paging), &[]) else { return };
            for (line, theirs, ours) in run_both(&machine, &lines) {
                assert_eq!(ours, theirs, "{paging:?}: {line}");
            }
        }
    }
}

/// Returns page tables with random entries: pages of all sizes, tables that several entries name, and all rights. The
/// first entries lead to the guest's code.
fn random_tables(paging: Paging, random: &mut Random) -> Tables {
    loop {
        let mut tables = plain_tables(paging);
        let last = paging.levels() - 1;
        let level_of = |page: usize| if page <= last { page } else { 1 + page % last };
        let pages_of = |level: usize| (0..TABLE_PAGES).filter(move |page| level_of(*page) == level).collect::<Vec<_>>();
        for page in 0..TABLE_PAGES {
            let level = level_of(page);
            let is_root_of_four = paging == Paging::Extended && level == 0;
            let entries = if is_root_of_four { 4 } else { tables.entries() };
            for _ in 0..if level == last { 20 } else { 2 } {
                let first = 1 + random.below(entries - 1);
                for index in first..entries.min(first + 1 + random.below(3)) {
                    let entry = random_entry(paging, level, &pages_of(level + 1), random);
                    tables.set(page, index, entry);
                }
            }
            // Only the code's page is mapped for certain.
            if page == last {
                (0..0xf0).for_each(|index| tables.set(page, index, 0));
            }
        }
        if count_mappings(paging, &tables, 0, 0) < 5000 {
            return tables;
        }
    }
}

fn random_entry(paging: Paging, level: usize, next_pages: &[usize], random: &mut Random) -> u64 {
    let is_wide = paging.entry_bytes() == 8;
    let mut entry = PRESENT | (random.below(1 << 12) as u64 & 0x7e);
    if is_wide && random.one_in(3) {
        entry |= NO_EXECUTION;
    }
    let frame = (random.below(1 << 20) as u64) << 12;
    if level == paging.levels() - 1 {
        // Bit 7 has another meaning here.
        return entry | frame | if random.one_in(3) { LARGE_PAGE } else { 0 };
    }
    if may_map(paging, level) && random.one_in(2) {
        let alignment = if is_wide { 0x1f_ffff } else { 0x3f_ffff };
        return entry | LARGE_PAGE | frame & !alignment;
    }
    let table = Tables::address(next_pages[random.below(next_pages.len())]);
    // An entry of this root has no rights.
    if paging == Paging::Extended && level == 0 { table | PRESENT } else { table | entry }
}

/// Returns whether an entry of a level may map a page.
fn may_map(paging: Paging, level: usize) -> bool {
    let from_last = paging.levels() - 1 - level;
    match paging {
        Paging::Small | Paging::Off => false,
        Paging::Large | Paging::Extended => from_last == 1,
        Paging::FourLevels | Paging::FiveLevels => from_last == 1 || from_last == 2,
    }
}

fn count_mappings(paging: Paging, tables: &Tables, page: usize, level: usize) -> usize {
    let entries = if paging == Paging::Extended && level == 0 { 4 } else { tables.entries() };
    let count = |index: usize| {
        let entry = tables.get(page, index);
        let is_page = level == paging.levels() - 1 || (may_map(paging, level) && entry & LARGE_PAGE != 0);
        match entry & PRESENT {
            0 => 0,
            _ if is_page => 1,
            _ => count_mappings(paging, tables, ((entry & 0xffff_f000) - TABLES) as usize >> 12, level + 1),
        }
    };
    (0..entries).map(count).sum()
}

#[test]
fn mappings_are_those_that_qemus_own_monitor_lists() {
    for start in VERSIONS {
        for (paging, seed) in Paging::ALL.into_iter().flat_map(|paging| [(paging, 1)]) {
            let mut random = Random(seed * 7919);
            let Some(machine) = start_guest(start, paging, &random_tables(paging, &mut random), &[]) else { return };
            // QEMU takes hours for the runs of five levels, or lists none.
            let lists: &[&str] = if paging == Paging::FiveLevels { &["info tlb"] } else { &["info tlb", "info mem"] };
            let found = run_both(&machine, lists);
            for (line, theirs, ours) in &found {
                assert_eq!(without_notices(ours), without_wrong_bit(paging, theirs), "{paging:?}, {seed}: {line}");
            }
            let tlb: Vec<&str> = found[0].1.lines().collect();
            let translated: Vec<String> = (0..40)
                .map(|_| {
                    let (address, _) = tlb[random.below(tlb.len())].split_once(": ").unwrap();
                    let offset = random.below(1 << 13) as u64;
                    let address = u64::from_str_radix(address, 16).unwrap().wrapping_add(offset);
                    format!("gva2gpa {address:#x}")
                })
                .chain(["gva2gpa 0xf0123".to_owned(), "gva2gpa 0x800000000000".to_owned()])
                .collect();
            let lines: Vec<&str> = translated.iter().map(String::as_str).collect();
            for (line, theirs, ours) in run_both(&machine, &lines) {
                assert_eq!(without_notices(&ours), theirs, "{paging:?}, {seed}: {line}");
            }
        }
    }
}

#[test]
fn mappings_of_five_levels_are_listed_where_qemus_own_monitor_lists_none() {
    let tables = plain_tables(Paging::FiveLevels);
    let Some(machine) = start_guest(Server::qemu, Paging::FiveLevels, &tables, &[]) else { return };
    let found = run_both(&machine, &["info mem"]);
    let (_, theirs, ours) = &found[0];
    let mapped = "0000000000000000-0000000000100000 0000000000100000 -rw\n";
    assert_eq!((theirs.contains("rw"), without_notices(ours).as_str()), (false, mapped), "{theirs}");
}

/// Returns QEMU's list without what is wrong in it: in physical address extension it shows the bit against execution as
/// a part of the addresses of small pages.
fn without_wrong_bit(paging: Paging, text: &str) -> String {
    if paging == Paging::Extended { text.replace(": 80000", ": 00000") } else { text.to_owned() }
}

#[test]
fn without_file_descriptors_memory_is_read_from_a_temporary_file() {
    let lines = ["x/3xg 0xf0000", "x/3xg 0xffff8", "info registers", "gva2gpa 0xf0123", "sum 0xf0000 65536"];
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tcp = format!("127.0.0.1:{port}");
    let monitor = ["-qmp".to_owned(), format!("tcp:{tcp},server=on,wait=off")];
    let tables = plain_tables(Paging::FourLevels);
    let Some(machine) = start_guest(Server::qemu, Paging::FourLevels, &tables, &monitor) else { return };
    let temporary = tempfile::tempdir().unwrap();
    let run = |address: &str| {
        let lines = lines.iter().flat_map(|line| ["-c", *line]);
        let arguments: Vec<&str> = ["-H", "--monitor", "own", address].into_iter().chain(lines).collect();
        qmp_shell(&arguments).env("TMPDIR", temporary.path().to_str().unwrap()).run().stdout
    };
    let text = run(&tcp);
    assert_eq!(text, run(&machine.server.address()));
    assert!(text.contains("00000000000f0000: 0x") && text.contains("RIP=") && text.contains("gpa: 0xf0123"), "{text}");
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "a temporary file is left");
}

#[test]
fn without_a_folder_for_temporary_files_memory_is_a_failure_with_the_reason() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tcp = format!("127.0.0.1:{port}");
    let monitor = ["-qmp".to_owned(), format!("tcp:{tcp},server=on,wait=off")];
    let tables = plain_tables(Paging::Small);
    let Some(machine) = start_guest(Server::qemu, Paging::Small, &tables, &monitor) else { return };
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone").display().to_string();
    let run = qmp_shell(&["-H", "--monitor", "own", &tcp, "-c", "x 0"]).env("TMPDIR", &gone).run();
    drop(machine);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stdout.starts_with(&format!("Error: cannot create `{gone}/qmp-shell-")), "{run:?}");
}

#[test]
fn the_server_keeps_no_descriptor_and_the_user_is_told_of_pauses_once() {
    let tables = plain_tables(Paging::FourLevels);
    let Some(machine) = start_guest(Server::qemu, Paging::FourLevels, &tables, &[]) else { return };
    let lines = ["x 0", "x 0x100000", "xp/4xg 0", "info tlb", "print $pc", "info registers", "gva2gpa 0", "sum 0 10"];
    let texts = machine.run(&lines, MonitorChoice::Own);
    let pauses = texts.iter().filter(|(text, _)| text.contains("The guest was paused")).count();
    assert_eq!(pauses, 1, "{texts:?}");
    let client = machine.server.client();
    assert_eq!(client.execute::<Value>("query-fdsets", ()).unwrap(), json!([]));
    let closed = client.execute::<Value>("closefd", json!({ "fdname": "qmp-shell-core" }));
    assert!(closed.is_err(), "the descriptor of the core is still there");
}

#[test]
fn a_stopped_guest_is_not_said_to_be_paused() {
    let Some(server) = Server::qemu(Q35) else { return };
    let machine = Machine::of(server, tempfile::tempdir().unwrap());
    let texts = machine.run(&["info registers", "print $eip"], MonitorChoice::Own);
    assert!(texts.iter().all(|(text, ok)| *ok && !text.contains("The guest was paused")), "{texts:?}");
}

#[test]
fn memory_regions_are_a_tree_by_address() {
    let Some(server) = Server::qemu(Q35) else { return };
    let machine = Machine::of(server, tempfile::tempdir().unwrap());
    let (text, ok) = machine.run(&["info mtree"], MonitorChoice::Own).remove(0);
    assert!(ok);
    let lines: Vec<&str> = text.lines().collect();
    for line in [
        "address-space: memory",
        "  0000000000000000-ffffffffffffffff (prio 0): system",
        "    0000000000000000-0000000003ffffff (prio 0): ram-below-4g",
        "    00000000fed00000-00000000fed003ff (prio 0): hpet",
        "address-space: I/O",
        "    0000000000000070-0000000000000071 (prio 0): rtc",
        "      0000000000000070-0000000000000070 (prio 0): rtc-index",
    ] {
        assert!(lines.contains(&line), "{line}\n{text}");
    }
    assert!(text.ends_with("nor which regions are disabled.\n"), "{text}");
}
