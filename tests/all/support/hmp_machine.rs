//! Machines on which HMP lines are tried, and the lines' texts and outcomes.

use std::path::Path;
use std::process::Command;

use qmp_shell::grammar::Language;
use qmp_shell::render::Palette;
use qmp_shell::session::{Options, SharedLog};
use qmp_shell::shell::{
    Connection, Engine, EngineOptions, InputLine, JsonMessageWriter, LineOutcome, MonitorChoice, OneShotOutput,
    OutputFormat, OutputStyle, Settings, run_line,
};

use super::server::{Q35, Server};

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
    (
        "disks",
        "-object secret,id=s,data=abc123 -object throttle-group,id=tg,x-iops-total=77 -device virtio-scsi-pci,id=s0 \
         -drive if=none,id=d0,file={DIR}/overlay.qcow2,format=qcow2,bps=1000,iops_rd=5,iops_rd_max=10,iops_size=4096,\
         group=g1,detect-zeroes=on -device virtio-blk-pci,drive=d0,id=vd0 \
         -drive if=none,id=ro,file={DIR}/disk1.qcow2,format=qcow2,readonly=on,cache=none -device virtio-blk-pci,drive=ro \
         -drive if=none,id=cd0,media=cdrom -device ide-cd,drive=cd0,id=cd \
         -drive if=none,id=wt,file={DIR}/disk.raw,format=raw,cache=directsync,rerror=stop,werror=stop \
         -device scsi-hd,drive=wt,id=sd0,bus=s0.0 -device scsi-cd,id=cd1,bus=s0.0 \
         -drive if=none,id=un,file=null-co://,format=raw,cache=unsafe \
         -drive if=ide,index=3,media=cdrom,file={DIR}/cd.raw,format=raw,id=cd3 \
         -blockdev node-name=bn,driver=null-co,read-zeroes=on -device virtio-blk-pci,drive=bn \
         -blockdev node-name=free,driver=throttle,throttle-group=tg,file.driver=null-co",
    ),
    // Images of many formats, made by `make_images`.
    (
        "formats",
        "-blockdev node-name=vmdk,driver=vmdk,file.driver=file,file.filename={DIR}/a.vmdk \
         -blockdev node-name=vdi,driver=vdi,file.driver=file,file.filename={DIR}/a.vdi \
         -blockdev node-name=old,driver=qcow2,file.driver=file,file.filename={DIR}/old.qcow2 \
         -blockdev node-name=lazy,driver=qcow2,file.driver=file,file.filename={DIR}/lazy.qcow2 \
         -blockdev node-name=bitmaps,driver=qcow2,file.driver=file,file.filename={DIR}/bitmaps.qcow2 \
         -blockdev node-name=top,driver=qcow2,file.driver=file,file.filename={DIR}/top.qcow2 \
         -blockdev node-name=debug,driver=blkdebug,image=old \
         -blockdev node-name=part,driver=raw,offset=512,size=1023488,file.driver=null-co \
         -blockdev node-name=huge,driver=null-co,size=1151795604700004352",
    ),
    ("incoming", "-incoming defer"),
    ("bare", ""),
    ("rocker", "-device rocker,name=r0,id=r0"),
    (
        "memory",
        "-m 64,slots=4,maxmem=1G -object memory-backend-ram,size=16M,id=m0 -device pc-dimm,memdev=m0,id=dimm0 \
         -object memory-backend-file,size=16M,id=m1,mem-path={DIR}/memory,share=on,merge=off,dump=off \
         -object memory-backend-memfd,size=8M,id=m2,host-nodes=0,policy=bind,prealloc=on \
         -object memory-backend-ram,size=16M,id=m3 -device virtio-mem-pci,memdev=m3,id=vmem0,requested-size=8M \
         -object memory-backend-file,size=16M,id=m4,mem-path={DIR}/pmem,share=on -device virtio-pmem-pci,memdev=m4 \
         -machine nvdimm=on -object memory-backend-ram,size=16M,id=m5 -device nvdimm,memdev=m5",
    ),
    (
        "vnc",
        "-vnc unix:{DIR}/first.vnc,password=on -vnc unix:{DIR}/second.vnc,id=second \
         -vnc none,id=third -object tls-creds-anon,id=tls0,endpoint=server -device VGA,id=vga \
         -vnc unix:{DIR}/fourth.vnc,id=fourth,tls-creds=tls0 \
         -vnc unix:{DIR}/fifth.vnc,id=fifth,tls-creds=tls0,password=on",
    ),
    (
        "bridges",
        "-device pcie-root-port,id=rp0 -device qemu-xhci,bus=rp0 -device pci-bridge,chassis_nr=2,id=b1 \
         -device pci-bridge,chassis_nr=3,id=b2,bus=b1,addr=1 -netdev user,id=n0 -device e1000,netdev=n0,bus=b2,addr=3",
    ),
    (
        "virtio",
        "-device virtio-balloon-pci,id=balloon0 -drive if=none,id=d0,file=null-co://,format=raw \
         -device virtio-blk-pci,drive=d0,id=blk0 -netdev user,id=n0 -device virtio-net-pci,netdev=n0,id=net0 \
         -device virtio-scsi-pci,id=scsi0 -device virtio-serial-pci,id=serial0 -device virtio-gpu-pci,id=gpu0 \
         -device virtio-keyboard-pci,id=keyboard0 -object cryptodev-backend-builtin,id=cb0 \
         -device virtio-crypto-pci,cryptodev=cb0,id=crypto0",
    ),
    ("kvm", "-accel kvm,dirty-ring-size=4096 -accel tcg"),
    ("loaded", "-device loader,file={DIR}/noise,addr=0x1000000,force-raw=on"),
];

/// A server with the machine of a section, and a folder with its disks.
pub struct Machine {
    pub server: Server,
    folder: tempfile::TempDir,
}

/// The images of every machine: the options of `qemu-img create`.
const IMAGES: &[&str] = &[
    "create -f qcow2 disk0.qcow2 1M",
    "create -f qcow2 disk1.qcow2 1M",
    "create -f qcow2 disk2.qcow2 1M",
    "create -f qcow2 -b disk0.qcow2 -F qcow2 overlay.qcow2 1M",
    "create -f qcow2 -b disk2.qcow2 -F qcow2 rov.qcow2 1M",
];

const FORMAT_IMAGES: &[&str] = &[
    "create -f vmdk a.vmdk 1M",
    "create -f vdi a.vdi 1M",
    "create -f qcow2 -o compat=0.10 old.qcow2 1M",
    "create -f qcow2 -o lazy_refcounts=on lazy.qcow2 5T",
    "create -f qcow2 bitmaps.qcow2 1M",
    "bitmap --add bitmaps.qcow2 b0",
    "bitmap --add bitmaps.qcow2 b1",
    "bitmap --disable bitmaps.qcow2 b1",
    "create -f qcow2 base.qcow2 1M",
    "snapshot -c first base.qcow2",
    "snapshot -c second-with-a-name-that-is-longer base.qcow2",
    "create -f qcow2 -b base.qcow2 -F qcow2 middle.qcow2 1M",
    "create -f qcow2 -b middle.qcow2 -F qcow2 top.qcow2 2M",
];

/// Runs `qemu-img` in a folder, once for each row.
fn make_images(folder: &Path, rows: &[&str]) {
    for row in rows {
        let output = Command::new("qemu-img").args(row.split_whitespace()).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{row}: {output:?}");
    }
}

/// Returns 16 MiB without two equal pages, so that migration has something to copy.
fn noise() -> Vec<u8> {
    (0..2_u64 << 20).flat_map(|index| index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

impl Machine {
    /// Starts a machine. `section` is its name in [`MACHINES`], and further options after a space.
    pub fn start(section: &str, start: impl FnOnce(&[&str]) -> Option<Server>) -> Option<Machine> {
        super::skip::require_program("qemu-img")?;
        let (section, more) = section.split_once(' ').unwrap_or((section, ""));
        let folder = tempfile::tempdir().unwrap();
        for name in ["disk.raw", "cd.raw"] {
            std::fs::write(folder.path().join(name), vec![0; 1 << 20]).unwrap();
        }
        make_images(folder.path(), IMAGES);
        match section {
            "formats" => make_images(folder.path(), FORMAT_IMAGES),
            "loaded" => std::fs::write(folder.path().join("noise"), noise()).unwrap(),
            _ => {}
        }
        let (_, options) = MACHINES.iter().find(|(name, _)| *name == section).unwrap();
        let options = options.replace("{DIR}", folder.path().to_str().unwrap());
        let options = options + " " + &more.replace("{DIR}", folder.path().to_str().unwrap());
        let options: Vec<&str> = Q35.iter().copied().chain(options.split_whitespace()).collect();
        Some(Machine { server: start(&options)?, folder })
    }

    /// Returns the path of a file in its folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Makes a machine of a server that a test has started. `folder` has its files.
    pub fn of(server: Server, folder: tempfile::TempDir) -> Machine {
        Machine { server, folder }
    }

    /// Returns the names of all commands, and of all subcommands of `info`.
    pub fn command_names(&self) -> Vec<String> {
        let client = self.server.client();
        let list = |line: &str| -> String {
            client.execute("human-monitor-command", serde_json::json!({ "command-line": line })).unwrap()
        };
        let lists = list("help") + &list("help info");
        // Help of several lines is indented.
        let entries = lists.lines().filter(|line| line.contains(" -- ") && line.starts_with(char::is_lowercase));
        entries.map(|entry| command_name(entry).split('|').next().unwrap().to_owned()).collect()
    }

    /// Runs lines in one session, in the server's monitor or the shell's own. Returns the text of each, and whether it
    /// succeeded.
    pub fn run(&self, lines: &[&str], monitor: MonitorChoice) -> Vec<(String, bool)> {
        let mut session = self.session(monitor);
        lines.iter().map(|line| session.run(line)).collect()
    }

    /// Connects in HMP mode.
    pub fn session(&self, monitor: MonitorChoice) -> HmpSession<'_> {
        let mut connection = Connection::new(Some(self.server.address().parse().unwrap()), Options::default(), false);
        connection.open(&mut |_| {}).unwrap();
        let version = connection.session().unwrap().greeting().unwrap().version.clone().unwrap();
        let settings = Settings { monitor, ..Settings::default() };
        let mut engine = Engine::new(connection, settings, EngineOptions::default(), SharedLog::default());
        engine.set_language(Language::Hmp);
        HmpSession { machine: self, engine, version: format!("{version}{}", version.package), port: free_port() }
    }
}

/// A session on a machine, which begins in HMP mode.
pub struct HmpSession<'a> {
    machine: &'a Machine,
    engine: Engine,
    version: String,
    port: String,
}

impl HmpSession<'_> {
    /// Runs a line. Returns its text, and whether it succeeded. In the text, `{DIR}`, `{SERVER}` and `{VERSION}` stand for
    /// what varies.
    pub fn run(&mut self, line: &str) -> (String, bool) {
        let folder = self.machine.folder.path().to_str().unwrap();
        let text = line.replace("{DIR}", folder).replace("{RNG}", RNG).replace("{PORT}", &self.port);
        let mut out = OneShotOutput::new(Vec::new(), Vec::new(), style());
        let outcome = run_line(&mut self.engine, &InputLine { text: &text, script: None, number: 1 }, &mut out);
        out.show_help();
        let (stdout, stderr) = out.into_inner();
        let text = String::from_utf8_lossy(&[stdout, stderr].concat()).replace(folder, "{DIR}");
        let text = text.replace(&self.machine.server.path(""), "{SERVER}/");
        let succeeded = matches!(outcome, LineOutcome::Done | LineOutcome::Leave);
        (text.replace(&self.version, "{VERSION}"), succeeded)
    }
}

fn style() -> OutputStyle {
    let palette = Palette::new(false);
    OutputStyle {
        format: OutputFormat::Pretty,
        messages: JsonMessageWriter { palette: palette.clone(), escape_controls: true, server: None },
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
pub fn command_name(line: &str) -> String {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    match words.next() {
        Some(topic) if name == "info" && !topic.starts_with('[') => format!("info {topic}"),
        _ => name.to_owned(),
    }
}
