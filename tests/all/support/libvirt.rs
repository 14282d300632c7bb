//! A libvirt daemon in a folder of its own, with a VM.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::skip::{require_program, skip};
use super::wait_until;

/// A user without rights, for the session daemons of tests that run as root.
const NOBODY: u32 = 65534;

/// The daemons of one user's session. Dropping it ends them and their VMs.
pub struct Libvirt {
    daemons: Vec<Child>,
    folder: TempDir,
}

impl Libvirt {
    /// Starts the daemons of a session and a stopped VM, `vm one`; another one, `off`, is defined and does not run.
    /// Records a skip if a program is missing.
    pub fn start() -> Option<Libvirt> {
        require_program("qemu-system-x86_64")?;
        let (virtlogd, libvirtd) = (require_program("virtlogd")?, require_program("libvirtd")?);
        require_program("virsh")?;
        require_program("virt-qemu-qmp-proxy")?;
        if !Command::new("/usr/bin/python3").args(["-c", "import libvirt_qemu"]).status().is_ok_and(|s| s.success()) {
            skip("libvirt's Python module");
            return None;
        }
        let mut libvirt = Libvirt { daemons: Vec::new(), folder: tempfile::tempdir().unwrap() };
        for name in ["run", "config", "cache", "data"] {
            std::fs::create_dir(libvirt.path(name)).unwrap();
        }
        if is_root() {
            for name in ["", "run", "config", "cache", "data"] {
                std::os::unix::fs::chown(libvirt.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        std::fs::set_permissions(libvirt.path("run"), std::fs::Permissions::from_mode(0o700)).unwrap();
        for daemon in [virtlogd, libvirtd] {
            let child = libvirt.command(daemon).spawn().unwrap();
            libvirt.daemons.push(child);
        }
        wait_until("libvirt's daemon", || libvirt.virsh(&["uri"]).is_some());
        libvirt.virsh(&["define", &libvirt.describe("off")]).expect("a VM");
        libvirt.create();
        Some(libvirt)
    }

    /// Starts the VM `vm one`, stopped.
    pub fn create(&self) {
        self.virsh(&["create", &self.describe("vm one"), "--paused"]).expect("a VM");
    }

    /// Writes the description of a small VM. Returns the path of the file.
    fn describe(&self, name: &str) -> String {
        let qemu = require_program("qemu-system-x86_64").unwrap();
        let description = format!(
            "<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>\
             <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>\
             <devices><emulator>{}</emulator></devices></domain>",
            qemu.display()
        );
        let file = self.path("domain.xml");
        std::fs::write(&file, description).unwrap();
        file.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the URI of its connection, for any user.
    pub fn uri(&self) -> String {
        format!("qemu+unix:///session?socket={}", self.path("run/libvirt/libvirt-sock").display())
    }

    /// Runs `virsh`. Returns its output, if it succeeded.
    pub fn virsh(&self, args: &[&str]) -> Option<String> {
        let mut virsh = self.command("virsh".into());
        let output = virsh.args(["-q", "-c", &self.uri()]).args(args).stdout(Stdio::piped()).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// Returns a command with the environment of the session.
    fn command(&self, program: PathBuf) -> Command {
        let mut command = match is_root() {
            true => Command::new("setpriv"),
            false => Command::new(&program),
        };
        if is_root() {
            let id = NOBODY.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(&program);
        }
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", self.folder.path());
        command.env("XDG_RUNTIME_DIR", self.path("run")).env("XDG_CONFIG_HOME", self.path("config"));
        command.env("XDG_CACHE_HOME", self.path("cache")).env("XDG_DATA_HOME", self.path("data"));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Returns the process id of the VM.
    pub fn vm(&self) -> Option<u32> {
        std::fs::read_to_string(self.path("run/libvirt/qemu/run/vm one.pid")).ok()?.trim().parse().ok()
    }
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        if let Some(id) = self.vm() {
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        }
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
