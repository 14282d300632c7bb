//! Tests of the file system without a kernel: calls of its operations, in the order in which the kernel makes them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::client::ExecuteError;
use crate::qom::error::QomError;
use crate::qom::property::Property;
use crate::session::Disconnected;
use crate::wire::{Message, Request, quote};

use super::inodes::ROOT;
use super::source::ObjectSource;
use super::{Attributes, FileKind, FsError, OpenMode, QomFs};

const READ: OpenMode = OpenMode { read: true, write: false, append: false, truncate: false };
const REWRITE: OpenMode = OpenMode { read: false, write: true, append: false, truncate: true };

/// A tree in memory that records its calls.
#[derive(Debug, Clone, Default)]
struct FakeSource(Arc<Mutex<FakeState>>);

/// A value as JSON text, or the description of the error that reading it returns.
type FakeValue = Result<String, String>;

#[derive(Debug, Default)]
struct FakeState {
    objects: BTreeMap<String, Vec<(Property, FakeValue)>>,
    calls: Vec<String>,
    is_disconnected: bool,
}

/// Returns the error of a command that the server refused.
pub(super) fn refusal(class: &str, description: &str) -> QomError {
    let text = format!(r#"{{"error": {{"class": {}, "desc": {}}}}}"#, quote(class), quote(description));
    let Ok(Message::Reply(reply)) = Message::parse(text.into_bytes()) else { panic!("not a reply") };
    ExecuteError::Refused { request: Box::new(Request::new("qom-get")), reply: Box::new(reply) }.into()
}

/// Returns the error of a command on a lost connection.
fn disconnected() -> QomError {
    ExecuteError::NotSent { request: Box::new(Request::new("qom-get")), disconnected: Disconnected::Closed }.into()
}

impl FakeSource {
    /// Creates a tree from `[path, name, type, value]`. A value that begins with `!` is an error.
    fn new(properties: &[[&str; 4]]) -> FakeSource {
        let source = FakeSource::default();
        for [path, name, type_name, value] in properties {
            let property = Property { name: (*name).to_owned(), type_name: (*type_name).to_owned(), description: None };
            let value = value.strip_prefix('!').map_or(Ok((*value).to_owned()), |error| Err(error.to_owned()));
            let mut state = source.0.lock().unwrap();
            state.objects.entry((*path).to_owned()).or_default().push((property, value));
            if type_name.starts_with("child<") {
                let child = format!("{}/{name}", path.trim_end_matches('/'));
                state.objects.entry(child).or_default();
            }
        }
        source
    }

    fn set_value(&self, path: &str, name: &str, value: &str) {
        let mut state = self.0.lock().unwrap();
        let properties = state.objects.get_mut(path).unwrap();
        properties.iter_mut().find(|(property, _)| property.name == name).unwrap().1 = Ok(value.to_owned());
    }

    /// Takes the calls since it was last called.
    fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    fn record(&self, call: String) -> Result<(), QomError> {
        let mut state = self.0.lock().unwrap();
        if state.is_disconnected {
            return Err(disconnected());
        }
        state.calls.push(call);
        Ok(())
    }
}

impl ObjectSource for FakeSource {
    fn list(&self, path: &str) -> Result<Vec<Property>, QomError> {
        self.record(format!("list {path}"))?;
        let state = self.0.lock().unwrap();
        let properties = state.objects.get(path).ok_or_else(|| refusal("DeviceNotFound", ""))?;
        Ok(properties.iter().map(|(property, _)| property.clone()).collect())
    }

    fn get(&self, path: &str, property: &str) -> Result<String, QomError> {
        self.record(format!("get {path} {property}"))?;
        let state = self.0.lock().unwrap();
        let properties = state.objects.get(path).ok_or_else(|| refusal("DeviceNotFound", ""))?;
        let (_, value) = properties.iter().find(|(listed, _)| listed.name == property).unwrap();
        value.clone().map_err(|description| refusal("GenericError", &description))
    }

    fn set(&self, path: &str, property: &Property, text: &str) -> Result<(), QomError> {
        self.record(format!("set {path} {} {text:?}", property.name))?;
        match text {
            "bad" => {
                let (path, property) = (path.to_owned(), property.name.clone());
                return Err(QomError::InvalidValue { path, property, message: "it takes a number".to_owned() });
            }
            "late" => return Err(refusal("GenericError", "Attempt to set property 'x' after it was realized")),
            _ => {}
        }
        let json = serde_json::to_string(text).unwrap();
        self.set_value(path, &property.name, if property.type_name == "int" { text } else { &json });
        Ok(())
    }
}

/// A file system with its source and its reports.
struct TestFs {
    fs: QomFs,
    source: FakeSource,
    reports: Arc<Mutex<Vec<String>>>,
}

impl TestFs {
    fn new(properties: &[[&str; 4]]) -> TestFs {
        let (source, reports) = (FakeSource::new(properties), Arc::<Mutex<Vec<String>>>::default());
        let report = {
            let reports = Arc::clone(&reports);
            Box::new(move |message: &str| reports.lock().unwrap().push(message.to_owned()))
        };
        let fs = QomFs::new(Box::new(source.clone()), false, report);
        // Longer than any test: only a write and `expire_cache` invalidate the cache.
        fs.inodes().set_cache_ttl(Duration::from_secs(3600));
        TestFs { fs, source, reports }
    }
}

fn machine() -> TestFs {
    TestFs::new(&[
        ["/", "machine", "child<pc>", ""],
        ["/", "type", "string", "\"container\""],
        ["/machine", "name", "string", "\"q35\""],
        ["/machine", "cpus", "int", "2"],
        ["/machine", "password", "string", "\"hunter2\""],
        ["/machine", "bus", "link<bus>", "\"/machine/sysbus\""],
        ["/machine", "nothing", "link<bus>", "\"\""],
        ["/machine", "secret", "string", "!Property 'pc.secret' is not readable"],
        ["/machine", "crash", "Info", "!No crash occurred"],
        ["/machine", "a/b%", "string", "\"odd\""],
        ["/machine", "sysbus", "child<bus>", ""],
        ["/machine/sysbus", "child[0]", "link<pc>", "\"/machine\""],
    ])
}

impl TestFs {
    fn lookup(&self, path: &str) -> Result<Attributes, FsError> {
        let mut inode = ROOT;
        let mut attributes = self.fs.attributes(ROOT, None);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            attributes = self.fs.lookup(inode, name);
            inode = attributes?.inode;
        }
        attributes
    }

    fn stat(&self, path: &str) -> Result<Attributes, FsError> {
        self.fs.attributes(self.lookup(path)?.inode, None)
    }

    fn cat(&self, path: &str) -> Result<String, FsError> {
        let handle = self.fs.open(self.lookup(path)?.inode, READ)?;
        let content = self.fs.read(handle, 0, 1 << 20)?;
        self.fs.release(handle)?;
        Ok(String::from_utf8(content).unwrap())
    }

    /// Makes the calls of a shell redirection: open, close one of two descriptors, write, close.
    fn echo(&self, text: &str, path: &str) -> Result<(), FsError> {
        let handle = self.fs.open(self.lookup(path)?.inode, REWRITE)?;
        self.fs.flush(handle)?;
        let written = self.fs.write(handle, 0, text.as_bytes());
        self.fs.flush(handle)?;
        self.fs.release(handle)?;
        written
    }

    fn ls(&self, path: &str) -> Result<Vec<String>, FsError> {
        let handle = self.fs.open_directory(self.lookup(path)?.inode)?;
        let entries = self.fs.read_directory(handle)?;
        self.fs.release_directory(handle);
        let suffix = |kind| match kind {
            FileKind::Directory => "/",
            FileKind::File => "",
            FileKind::Link => "@",
        };
        Ok(entries.iter().map(|entry| format!("{}{}", entry.file_name, suffix(entry.kind))).collect())
    }

    fn take_reports(&self) -> Vec<String> {
        std::mem::take(&mut self.reports.lock().unwrap())
    }

    /// Invalidates cached values, and drops the calls so far.
    fn expire_cache(&self) {
        self.fs.inodes().invalidate_values();
        self.source.take_calls();
    }
}

#[test]
fn shows_objects_as_directories_and_properties_as_files() {
    let machine = machine();
    assert_eq!(machine.ls("").unwrap(), ["./", "../", "machine/", "type"]);
    let names = ["./", "../", "name", "cpus", "password", "bus@", "nothing", "secret", "crash", "a%2Fb%25", "sysbus/"];
    assert_eq!(machine.ls("machine").unwrap(), names);
    for (path, kind, size, mode) in [
        ("", FileKind::Directory, 0, 0o755),
        ("machine", FileKind::Directory, 0, 0o755),
        ("machine/name", FileKind::File, 4, 0o644),
        ("machine/cpus", FileKind::File, 2, 0o644),
        ("machine/password", FileKind::File, 8, 0o600),
        ("machine/bus", FileKind::Link, 6, 0o777),
        ("machine/nothing", FileKind::File, 0, 0o644),
        ("machine/secret", FileKind::File, 0, 0o200),
        ("machine/crash", FileKind::File, 0, 0o200),
        ("machine/a%2Fb%25", FileKind::File, 4, 0o644),
    ] {
        let attributes = machine.stat(path).unwrap();
        assert_eq!((attributes.kind, attributes.size, attributes.mode), (kind, size, mode), "{path}");
    }
    for (path, content) in [
        ("machine/name", Ok("q35\n")),
        ("machine/cpus", Ok("2\n")),
        ("machine/nothing", Ok("")),
        ("machine/a%2Fb%25", Ok("odd\n")),
        ("machine/sysbus", Err(FsError::IsDirectory)),
        ("machine/nope", Err(FsError::NotFound)),
        ("machine/name/x", Err(FsError::NotDirectory)),
        ("machine/secret", Err(FsError::AccessDenied)),
        ("machine/crash", Err(FsError::NoValue)),
    ] {
        assert_eq!(machine.cat(path), content.map(str::to_owned), "{path}");
    }
    let reports = [
        "cannot read /machine/secret: Property 'pc.secret' is not readable",
        "cannot read /machine/crash: No crash occurred",
    ];
    assert_eq!(machine.take_reports(), reports);
    for (path, read, execute) in [
        ("machine", Ok(()), Ok(())),
        ("machine/name", Ok(()), Err(FsError::AccessDenied)),
        ("machine/secret", Err(FsError::AccessDenied), Err(FsError::AccessDenied)),
    ] {
        let inode = machine.lookup(path).unwrap().inode;
        assert_eq!(machine.fs.access(inode, true, false, false), read, "{path}");
        assert_eq!(machine.fs.access(inode, false, true, false), Ok(()), "{path}");
        assert_eq!(machine.fs.access(inode, false, false, execute.is_err()), execute, "{path}");
    }
}

#[test]
fn points_links_to_their_targets_in_the_tree() {
    let machine = machine();
    for (path, target) in [("machine/bus", "sysbus"), ("machine/sysbus/child[0]", "..")] {
        let inode = machine.lookup(path).unwrap().inode;
        assert_eq!(machine.fs.read_link(inode).as_deref(), Ok(target));
        assert_eq!(machine.stat(path).unwrap().size, target.len() as u64);
    }
    // A link that is set becomes another kind of file, with an inode of its own.
    let unset = machine.lookup("machine/nothing").unwrap();
    machine.source.set_value("/machine", "nothing", "\"/machine\"");
    machine.expire_cache();
    assert_eq!(machine.fs.attributes(unset.inode, None), Err(FsError::Stale));
    let set = machine.lookup("machine/nothing").unwrap();
    assert_eq!((unset.kind, set.kind), (FileKind::File, FileKind::Link));
    assert_ne!(unset.inode, set.inode);
    assert_eq!(machine.fs.read_link(set.inode).as_deref(), Ok("."));
}

#[test]
fn reads_the_value_at_opening() {
    let machine = machine();
    let inode = machine.lookup("machine/name").unwrap().inode;
    let before = machine.fs.open(inode, READ).unwrap();
    let changed = machine.fs.attributes(inode, None).unwrap().changed;
    machine.source.set_value("/machine", "name", "\"virt-10.0\"");
    // A file that was open before keeps the old value, however it is read.
    assert_eq!(machine.fs.read(before, 0, 2).unwrap(), b"q3");
    assert_eq!(machine.fs.read(before, 2, 100).unwrap(), b"5\n");
    assert_eq!(machine.fs.attributes(inode, Some(before)).unwrap().size, 4);
    // A file opened now has the new value, although the size was cached just before.
    assert_eq!(machine.cat("machine/name").unwrap(), "virt-10.0\n");
    let attributes = machine.fs.attributes(inode, None).unwrap();
    assert!(attributes.size == 10 && attributes.changed > changed, "{attributes:?}");
    for (offset, len, expected) in [(0, 4, "virt"), (8, 100, "0\n"), (10, 1, ""), (u64::MAX, 1, "")] {
        let handle = machine.fs.open(inode, READ).unwrap();
        assert_eq!(machine.fs.read(handle, offset, len).unwrap(), expected.as_bytes());
    }
}

#[test]
fn sends_no_needless_requests() {
    let machine = machine();
    machine.lookup("machine/name").unwrap();
    machine.expire_cache();
    // `ls -l` needs one value for each link and each file. That of a link is cached from the listing.
    machine.ls("machine").unwrap();
    assert_eq!(machine.source.take_calls(), ["list /machine", "get /machine bus", "get /machine nothing"]);
    machine.stat("machine/name").unwrap();
    assert_eq!(machine.source.take_calls(), ["get /machine name"]);
    machine.stat("machine/bus").unwrap();
    assert_eq!(machine.source.take_calls().len(), 0);
    machine.expire_cache();
    // `cat` needs one value, which gives the size too.
    let inode = machine.lookup("machine/name").unwrap().inode;
    let handle = machine.fs.open(inode, READ).unwrap();
    machine.fs.attributes(inode, None).unwrap();
    machine.fs.read(handle, 0, 100).unwrap();
    machine.fs.read(handle, 4, 100).unwrap();
    assert_eq!(machine.source.take_calls(), ["get /machine name"]);
    // A new name is found although the cached listing lacks it.
    let late = Property { name: "late".to_owned(), type_name: "bool".to_owned(), description: None };
    machine.source.0.lock().unwrap().objects.get_mut("/machine").unwrap().push((late, Ok("true".to_owned())));
    assert_eq!(machine.cat("machine/late").unwrap(), "true\n");
}

#[test]
fn sets_a_value_once_and_fails_the_write_if_refused() {
    let machine = machine();
    machine.lookup("machine").unwrap();
    let sets =
        || -> Vec<String> { machine.source.take_calls().into_iter().filter(|call| call.starts_with("set")).collect() };
    for (text, path, expected, call) in [
        ("4\n", "machine/cpus", Ok(()), "set /machine cpus \"4\""),
        ("5", "machine/cpus", Ok(()), "set /machine cpus \"5\""),
        ("two\nlines\n", "machine/name", Ok(()), "set /machine name \"two\\nlines\""),
        ("\n", "machine/name", Ok(()), "set /machine name \"\""),
        ("x\n", "machine/secret", Ok(()), "set /machine secret \"x\""),
        ("bad\n", "machine/cpus", Err(FsError::InvalidValue), "set /machine cpus \"bad\""),
        ("late\n", "machine/cpus", Err(FsError::NotPermitted), "set /machine cpus \"late\""),
    ] {
        assert_eq!(machine.echo(text, path), expected, "{text:?}");
        assert_eq!(sets(), [call]);
    }
    assert_eq!(machine.cat("machine/cpus").unwrap(), "5\n");
    let reports = machine.take_reports();
    assert_eq!(reports[0], "cannot set /machine/cpus: it takes a number");
    assert!(reports[1].ends_with("after it was realized") && reports.len() == 2, "{reports:?}");
    // Invalid UTF-8 is not sent.
    let handle = machine.fs.open(machine.lookup("machine/name").unwrap().inode, REWRITE).unwrap();
    assert_eq!(machine.fs.write(handle, 0, b"\xff\n"), Err(FsError::InvalidValue));
    assert_eq!(machine.fs.release(handle), Ok(()));
    assert_eq!(sets().len(), 0);
    assert_eq!(machine.fs.write(handle, 0, b"x"), Err(FsError::BadHandle));
}

#[test]
fn supports_the_ways_in_which_programs_write() {
    let machine = machine();
    let name = machine.lookup("machine/name").unwrap().inode;
    let fs = &machine.fs;
    let append = OpenMode { write: true, append: true, ..OpenMode::default() };
    let read_write = OpenMode { read: true, write: true, ..OpenMode::default() };
    let value = || machine.cat("machine/name").unwrap();

    // `: > FILE`, and a file that is only opened and closed.
    let handle = fs.open(name, REWRITE).unwrap();
    fs.release(handle).unwrap();
    assert_eq!(value(), "\n");
    let handle = fs.open(name, read_write).unwrap();
    fs.release(handle).unwrap();
    assert!(!machine.source.take_calls().contains(&"set /machine name \"\\n\"".to_owned()));

    // `>>`, whatever offset the kernel assumes.
    machine.echo("one\n", "machine/name").unwrap();
    let handle = fs.open(name, append).unwrap();
    fs.write(handle, 0, b"two\n").unwrap();
    fs.release(handle).unwrap();
    assert_eq!(value(), "one\ntwo\n");

    // Overwritten in place, then truncated: set once, when the value is complete.
    let handle = fs.open(name, read_write).unwrap();
    machine.source.take_calls();
    fs.write(handle, 0, b"2\n").unwrap();
    assert_eq!(machine.source.take_calls().len(), 0);
    fs.truncate(name, Some(handle), 2).unwrap();
    fs.flush(handle).unwrap();
    fs.release(handle).unwrap();
    assert_eq!(machine.source.take_calls(), ["set /machine name \"2\""]);

    // Truncated, written, synced and closed, as editors do.
    let handle = fs.open(name, OpenMode { write: true, ..OpenMode::default() }).unwrap();
    fs.truncate(name, Some(handle), 0).unwrap();
    fs.flush(handle).unwrap();
    fs.write(handle, 0, b"edited\n").unwrap();
    fs.flush(handle).unwrap();
    fs.release(handle).unwrap();
    assert_eq!(value(), "edited\n");

    // Several writes make one value.
    let long = "x".repeat(10_000);
    let handle = fs.open(name, REWRITE).unwrap();
    machine.source.take_calls();
    fs.write(handle, 0, &long.as_bytes()[..8192]).unwrap();
    assert_eq!(machine.source.take_calls().len(), 0);
    fs.write(handle, 8192, &long.as_bytes()[8192..]).unwrap();
    fs.release(handle).unwrap();
    assert_eq!(machine.source.take_calls().len(), 1);
    assert_eq!(value().len(), 10_001);
    assert_eq!(fs.write(fs.open(name, REWRITE).unwrap(), 1 << 40, b"x"), Err(FsError::TooLarge));

    // `truncate -s` has no handle.
    fs.truncate(name, None, 1).unwrap();
    assert_eq!(value(), "x\n");
    assert_eq!(fs.write(fs.open(name, READ).unwrap(), 0, b"x"), Err(FsError::BadHandle));
}

#[test]
fn refuses_writes_on_a_read_only_mount() {
    let TestFs { source, .. } = machine();
    let fs = QomFs::new(Box::new(source.clone()), true, Box::new(|_| {}));
    let inode = fs.lookup(fs.lookup(ROOT, "machine").unwrap().inode, "name").unwrap().inode;
    assert_eq!(fs.open(inode, REWRITE), Err(FsError::ReadOnly));
    assert_eq!(fs.truncate(inode, None, 0), Err(FsError::ReadOnly));
    assert_eq!(fs.access(inode, false, true, false), Err(FsError::ReadOnly));
    assert_eq!(fs.attributes(inode, None).unwrap().mode, 0o444);
    assert!(!source.take_calls().iter().any(|call| call.starts_with("set")));
}

#[test]
fn fails_at_once_when_the_connection_is_lost() {
    let machine = machine();
    let inode = machine.lookup("machine/name").unwrap().inode;
    let before = machine.fs.open(inode, READ).unwrap();
    machine.source.0.lock().unwrap().is_disconnected = true;
    assert_eq!(machine.ls("machine"), Err(FsError::Disconnected));
    assert_eq!(machine.cat("machine/name"), Err(FsError::Disconnected));
    assert_eq!(machine.echo("x\n", "machine/name"), Err(FsError::Disconnected));
    assert_eq!(machine.stat("machine/nope").unwrap_err(), FsError::Disconnected);
    assert_eq!(machine.fs.read(before, 0, 10).unwrap(), b"q35\n");
    assert_eq!(machine.take_reports(), [format!("cannot set /machine/name: {}", disconnected())]);
}

#[test]
fn forgets_inodes_that_the_kernel_forgets() {
    let machine = machine();
    let count = || machine.fs.inodes().len();
    let before = count();
    let found = machine.lookup("machine/name").unwrap();
    let again = machine.lookup("machine/name").unwrap();
    assert_eq!((count(), found.inode), (before + 2, again.inode));
    machine.fs.forget(found.inode, 1);
    assert_eq!(count(), before + 2);
    machine.fs.forget(found.inode, 1);
    assert_eq!(count(), before + 1);
    machine.fs.forget(ROOT, 100);
    assert!(machine.lookup("").is_ok());
    // The same property gets the same inode again.
    assert_eq!(machine.lookup("machine/name").unwrap().inode, found.inode);
}

#[test]
#[cfg(feature = "demo")]
fn shows_the_demo_machine_as_files() {
    let client = crate::client::Client::connect("demo:").unwrap();
    let qom = crate::qom::client::QomClient::new(&client);
    let fs = QomFs::new(Box::new(qom.clone()), false, Box::new(|_| {}));
    let machine = TestFs { fs, source: FakeSource::default(), reports: Arc::default() };
    assert_eq!(machine.cat("machine/type").unwrap(), "pc-q35-10.0-machine\n");
    assert!(machine.ls("machine/peripheral").unwrap().contains(&"net0/".to_owned()));
    machine.echo("0x10\n", "objects/iothread0/poll-max-ns").unwrap();
    assert_eq!(qom.get("/objects/iothread0", "poll-max-ns").unwrap(), "16");
    assert_eq!(machine.echo("many\n", "objects/iothread0/poll-max-ns"), Err(FsError::InvalidValue));
    assert_eq!(machine.echo("pc\n", "machine/type"), Err(FsError::NotPermitted));
    client.close();
    assert_eq!(machine.cat("machine/type"), Err(FsError::Disconnected));
}
