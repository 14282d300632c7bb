//! The files of a tree, without a kernel: what each operation does, as the kernel would ask for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::client::Client;
use crate::qom::client::QomClient;
use crate::qom::property::Property;

use super::inodes::ROOT;
use super::source::{Source, SourceError};
use super::{Access, Attributes, Form, FsError, QomFs};

const READ: Access = Access { read: true, write: false, append: false, truncate: false };
const REWRITE: Access = Access { read: false, write: true, append: false, truncate: true };

/// A tree in memory that writes down what it is asked.
#[derive(Debug, Clone, Default)]
struct Fake(Arc<Mutex<State>>);

type Value = Result<String, SourceError>;

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Vec<(Property, Value)>>,
    asked: Vec<String>,
    lost: bool,
}

fn refusal(desc: &str) -> SourceError {
    SourceError::Refused { class: "GenericError".to_owned(), desc: desc.to_owned() }
}

impl Fake {
    /// `PATH NAME TYPE VALUE` a line; a value that begins with `!` is why it cannot be read.
    fn new(lines: &[[&str; 4]]) -> Fake {
        let fake = Fake::default();
        for [path, name, kind, value] in lines {
            let property = Property { name: (*name).to_owned(), type_name: (*kind).to_owned(), description: None };
            let value = value.strip_prefix('!').map_or(Ok((*value).to_owned()), |reason| Err(refusal(reason)));
            let mut state = fake.0.lock().unwrap();
            state.objects.entry((*path).to_owned()).or_default().push((property, value));
            if kind.starts_with("child<") {
                let below = format!("{}/{name}", path.trim_end_matches('/'));
                state.objects.entry(below).or_default();
            }
        }
        fake
    }

    fn change(&self, path: &str, name: &str, value: &str) {
        let mut state = self.0.lock().unwrap();
        let properties = state.objects.get_mut(path).unwrap();
        properties.iter_mut().find(|(property, _)| property.name == name).unwrap().1 = Ok(value.to_owned());
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    fn ask(&self, question: String) -> Result<(), SourceError> {
        let mut state = self.0.lock().unwrap();
        if state.lost {
            return Err(SourceError::Disconnected("the server closed the connection".to_owned()));
        }
        state.asked.push(question);
        Ok(())
    }
}

impl Source for Fake {
    fn list(&self, path: &str) -> Result<Vec<Property>, SourceError> {
        self.ask(format!("list {path}"))?;
        let state = self.0.lock().unwrap();
        let missing = SourceError::Refused { class: "DeviceNotFound".to_owned(), desc: String::new() };
        let properties = state.objects.get(path).ok_or(missing)?;
        Ok(properties.iter().map(|(property, _)| property.clone()).collect())
    }

    fn get(&self, path: &str, property: &str) -> Result<String, SourceError> {
        self.ask(format!("get {path} {property}"))?;
        let state = self.0.lock().unwrap();
        let missing = SourceError::Refused { class: "DeviceNotFound".to_owned(), desc: String::new() };
        let properties = state.objects.get(path).ok_or(missing)?;
        properties.iter().find(|(listed, _)| listed.name == property).unwrap().1.clone()
    }

    fn set(&self, path: &str, property: &Property, text: &str) -> Result<(), SourceError> {
        self.ask(format!("set {path} {} {text:?}", property.name))?;
        match text {
            "bad" => return Err(SourceError::NoValue("it takes a number".to_owned())),
            "late" => return Err(refusal("Attempt to set property 'x' after it was realized")),
            _ => {}
        }
        let json = serde_json::to_string(text).unwrap();
        self.change(path, &property.name, if property.type_name == "int" { text } else { &json });
        Ok(())
    }
}

/// Files with what they report.
struct Mounted {
    files: QomFs,
    fake: Fake,
    reports: Arc<Mutex<Vec<String>>>,
}

fn mounted(lines: &[[&str; 4]]) -> Mounted {
    let (fake, reports) = (Fake::new(lines), Arc::<Mutex<Vec<String>>>::default());
    let ours = Arc::clone(&reports);
    let report = Box::new(move |sentence: &str| ours.lock().unwrap().push(sentence.to_owned()));
    let files = QomFs::new(Box::new(fake.clone()), false, report);
    // For ever, as tests go; what is set, or said to be later, ends it.
    files.nodes().trust_for(Duration::from_secs(3600));
    Mounted { files, fake, reports }
}

fn machine() -> Mounted {
    mounted(&[
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

impl Mounted {
    fn lookup(&self, path: &str) -> Result<Attributes, FsError> {
        let mut inode = ROOT;
        let mut found = self.files.attributes(ROOT, None);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            found = self.files.lookup(inode, name);
            inode = found?.inode;
        }
        found
    }

    fn stat(&self, path: &str) -> Result<Attributes, FsError> {
        self.files.attributes(self.lookup(path)?.inode, None)
    }

    fn cat(&self, path: &str) -> Result<String, FsError> {
        let handle = self.files.open(self.lookup(path)?.inode, READ)?;
        let content = self.files.read(handle, 0, 1 << 20)?;
        self.files.finish(handle)?;
        Ok(String::from_utf8(content).unwrap())
    }

    /// As a shell does: opened anew, one of two descriptors closed at once, written, closed.
    fn echo(&self, text: &str, path: &str) -> Result<(), FsError> {
        let handle = self.files.open(self.lookup(path)?.inode, REWRITE)?;
        self.files.flush(handle)?;
        let written = self.files.write(handle, 0, text.as_bytes());
        self.files.flush(handle)?;
        self.files.finish(handle)?;
        written
    }

    fn ls(&self, path: &str) -> Result<Vec<String>, FsError> {
        let handle = self.files.open_directory(self.lookup(path)?.inode)?;
        let entries = self.files.entries(handle)?;
        self.files.close_directory(handle);
        let sign = |form| match form {
            Form::Directory => "/",
            Form::File => "",
            Form::Link => "@",
        };
        Ok(entries.iter().map(|entry| format!("{}{}", entry.name, sign(entry.form))).collect())
    }

    fn reports(&self) -> Vec<String> {
        std::mem::take(&mut self.reports.lock().unwrap())
    }

    /// What was seen is no longer taken for granted.
    fn later(&self) {
        self.files.nodes().invalidate();
        self.fake.asked();
    }
}

#[test]
fn objects_are_directories_and_properties_are_files() {
    let mounted = machine();
    assert_eq!(mounted.ls("").unwrap(), ["./", "../", "machine/", "type"]);
    let names = ["./", "../", "name", "cpus", "password", "bus@", "nothing", "secret", "crash", "a%2Fb%25", "sysbus/"];
    assert_eq!(mounted.ls("machine").unwrap(), names);
    for (path, form, size, mode) in [
        ("", Form::Directory, 0, 0o755),
        ("machine", Form::Directory, 0, 0o755),
        ("machine/name", Form::File, 4, 0o644),
        ("machine/cpus", Form::File, 2, 0o644),
        ("machine/password", Form::File, 8, 0o600),
        ("machine/bus", Form::Link, 6, 0o777),
        ("machine/nothing", Form::File, 0, 0o644),
        ("machine/secret", Form::File, 0, 0o200),
        ("machine/crash", Form::File, 0, 0o200),
        ("machine/a%2Fb%25", Form::File, 4, 0o644),
    ] {
        let Attributes { form: seen, size: seen_size, mode: seen_mode, .. } = mounted.stat(path).unwrap();
        assert_eq!((seen, seen_size, seen_mode), (form, size, mode), "{path}");
    }
    for (path, content) in [
        ("machine/name", Ok("q35\n")),
        ("machine/cpus", Ok("2\n")),
        ("machine/nothing", Ok("")),
        ("machine/a%2Fb%25", Ok("odd\n")),
        ("machine/sysbus", Err(FsError::IsDirectory)),
        ("machine/nope", Err(FsError::NotFound)),
        ("machine/name/x", Err(FsError::NotDirectory)),
        ("machine/secret", Err(FsError::Denied)),
        ("machine/crash", Err(FsError::NoValue)),
    ] {
        assert_eq!(mounted.cat(path), content.map(str::to_owned), "{path}");
    }
    let reports = [
        "cannot read /machine/secret: Property 'pc.secret' is not readable",
        "cannot read /machine/crash: No crash occurred",
    ];
    assert_eq!(mounted.reports(), reports);
    for (path, read, execute) in [
        ("machine", Ok(()), Ok(())),
        ("machine/name", Ok(()), Err(FsError::Denied)),
        ("machine/secret", Err(FsError::Denied), Err(FsError::Denied)),
    ] {
        let inode = mounted.lookup(path).unwrap().inode;
        assert_eq!(mounted.files.access(inode, true, false, false), read, "{path}");
        assert_eq!(mounted.files.access(inode, false, true, false), Ok(()), "{path}");
        assert_eq!(mounted.files.access(inode, false, false, execute.is_err()), execute, "{path}");
    }
}

#[test]
fn links_lead_to_their_targets_inside_the_tree() {
    let mounted = machine();
    for (path, segments) in [("machine/bus", "sysbus"), ("machine/sysbus/child[0]", "..")] {
        let inode = mounted.lookup(path).unwrap().inode;
        assert_eq!(mounted.files.read_link(inode).as_deref(), Ok(segments));
        assert_eq!(mounted.stat(path).unwrap().size, segments.len() as u64);
    }
    // A link that begins to lead somewhere is another thing, with a number of its own.
    let nowhere = mounted.lookup("machine/nothing").unwrap();
    mounted.fake.change("/machine", "nothing", "\"/machine\"");
    mounted.later();
    assert_eq!(mounted.files.attributes(nowhere.inode, None), Err(FsError::Stale));
    let somewhere = mounted.lookup("machine/nothing").unwrap();
    assert_eq!((nowhere.form, somewhere.form), (Form::File, Form::Link));
    assert_ne!(nowhere.inode, somewhere.inode);
    assert_eq!(mounted.files.read_link(somewhere.inode).as_deref(), Ok("."));
}

#[test]
fn what_is_read_is_never_old_and_never_mixed() {
    let mounted = machine();
    let inode = mounted.lookup("machine/name").unwrap().inode;
    let before = mounted.files.open(inode, READ).unwrap();
    let changed = mounted.files.attributes(inode, None).unwrap().changed;
    mounted.fake.change("/machine", "name", "\"virt-10.0\"");
    // Whoever opened it before goes on with what it was then, in however many parts it is read.
    assert_eq!(mounted.files.read(before, 0, 2).unwrap(), b"q3");
    assert_eq!(mounted.files.read(before, 2, 100).unwrap(), b"5\n");
    assert_eq!(mounted.files.attributes(inode, Some(before)).unwrap().size, 4);
    // Opened now, it is what it is now, though its size was asked for just before.
    assert_eq!(mounted.cat("machine/name").unwrap(), "virt-10.0\n");
    let seen = mounted.files.attributes(inode, None).unwrap();
    assert!(seen.size == 10 && seen.changed > changed, "{seen:?}");
    for (offset, len, part) in [(0, 4, "virt"), (8, 100, "0\n"), (10, 1, ""), (u64::MAX, 1, "")] {
        let handle = mounted.files.open(inode, READ).unwrap();
        assert_eq!(mounted.files.read(handle, offset, len).unwrap(), part.as_bytes());
    }
}

#[test]
fn no_question_is_asked_that_need_not_be() {
    let mounted = machine();
    mounted.lookup("machine/name").unwrap();
    mounted.later();
    // `ls -l`: one value for each file, and one for each link, which is the way as well.
    mounted.ls("machine").unwrap();
    assert_eq!(mounted.fake.asked(), ["list /machine", "get /machine bus", "get /machine nothing"]);
    mounted.stat("machine/name").unwrap();
    assert_eq!(mounted.fake.asked(), ["get /machine name"]);
    mounted.stat("machine/bus").unwrap();
    assert_eq!(mounted.fake.asked().len(), 0);
    mounted.later();
    // `cat`: one value, which tells the size too.
    let inode = mounted.lookup("machine/name").unwrap().inode;
    let handle = mounted.files.open(inode, READ).unwrap();
    mounted.files.attributes(inode, None).unwrap();
    mounted.files.read(handle, 0, 100).unwrap();
    mounted.files.read(handle, 4, 100).unwrap();
    assert_eq!(mounted.fake.asked(), ["get /machine name"]);
    // A name that is new is found though the directory was listed just now; one that is not there is looked for.
    let late = Property { name: "late".to_owned(), type_name: "bool".to_owned(), description: None };
    mounted.fake.0.lock().unwrap().objects.get_mut("/machine").unwrap().push((late, Ok("true".to_owned())));
    assert_eq!(mounted.cat("machine/late").unwrap(), "true\n");
}

#[test]
fn what_is_written_is_set_once_and_a_refusal_answers_the_write() {
    let mounted = machine();
    mounted.lookup("machine").unwrap();
    let sets =
        || -> Vec<String> { mounted.fake.asked().into_iter().filter(|asked| asked.starts_with("set")).collect() };
    for (text, path, outcome, asked) in [
        ("4\n", "machine/cpus", Ok(()), "set /machine cpus \"4\""),
        ("5", "machine/cpus", Ok(()), "set /machine cpus \"5\""),
        ("two\nlines\n", "machine/name", Ok(()), "set /machine name \"two\\nlines\""),
        ("\n", "machine/name", Ok(()), "set /machine name \"\""),
        ("x\n", "machine/secret", Ok(()), "set /machine secret \"x\""),
        ("bad\n", "machine/cpus", Err(FsError::Invalid), "set /machine cpus \"bad\""),
        ("late\n", "machine/cpus", Err(FsError::NotPermitted), "set /machine cpus \"late\""),
    ] {
        assert_eq!(mounted.echo(text, path), outcome, "{text:?}");
        assert_eq!(sets(), [asked]);
    }
    assert_eq!(mounted.cat("machine/cpus").unwrap(), "5\n");
    let reports = mounted.reports();
    assert_eq!(reports[0], "cannot set /machine/cpus: it takes a number");
    assert!(reports[1].ends_with("after it was realized") && reports.len() == 2, "{reports:?}");
    // Bytes that are no text are not sent.
    let handle = mounted.files.open(mounted.lookup("machine/name").unwrap().inode, REWRITE).unwrap();
    assert_eq!(mounted.files.write(handle, 0, b"\xff\n"), Err(FsError::Invalid));
    assert_eq!(mounted.files.finish(handle), Ok(()));
    assert_eq!(sets().len(), 0);
    assert_eq!(mounted.files.write(handle, 0, b"x"), Err(FsError::BadHandle));
}

#[test]
fn files_are_written_as_programs_write_them() {
    let mounted = machine();
    let name = mounted.lookup("machine/name").unwrap().inode;
    let files = &mounted.files;
    let append = Access { write: true, append: true, ..Access::default() };
    let both = Access { read: true, write: true, ..Access::default() };
    let value = || mounted.cat("machine/name").unwrap();

    // `: > FILE`, and one that is opened and closed again.
    let handle = files.open(name, REWRITE).unwrap();
    files.finish(handle).unwrap();
    assert_eq!(value(), "\n");
    let handle = files.open(name, both).unwrap();
    files.finish(handle).unwrap();
    assert!(!mounted.fake.asked().contains(&"set /machine name \"\\n\"".to_owned()));

    // `>>`, wherever the kernel believes the end to be.
    mounted.echo("one\n", "machine/name").unwrap();
    let handle = files.open(name, append).unwrap();
    files.write(handle, 0, b"two\n").unwrap();
    files.finish(handle).unwrap();
    assert_eq!(value(), "one\ntwo\n");

    // Written over in place, then cut: set once, when it is whole.
    let handle = files.open(name, both).unwrap();
    mounted.fake.asked();
    files.write(handle, 0, b"2\n").unwrap();
    assert_eq!(mounted.fake.asked().len(), 0);
    files.truncate(name, Some(handle), 2).unwrap();
    files.flush(handle).unwrap();
    files.finish(handle).unwrap();
    assert_eq!(mounted.fake.asked(), ["set /machine name \"2\""]);

    // Emptied, written, made safe, closed, as editors do.
    let handle = files.open(name, Access { write: true, ..Access::default() }).unwrap();
    files.truncate(name, Some(handle), 0).unwrap();
    files.flush(handle).unwrap();
    files.write(handle, 0, b"edited\n").unwrap();
    files.flush(handle).unwrap();
    files.finish(handle).unwrap();
    assert_eq!(value(), "edited\n");

    // More than one write has room for is one value.
    let long = "x".repeat(10_000);
    let handle = files.open(name, REWRITE).unwrap();
    mounted.fake.asked();
    files.write(handle, 0, &long.as_bytes()[..8192]).unwrap();
    assert_eq!(mounted.fake.asked().len(), 0);
    files.write(handle, 8192, &long.as_bytes()[8192..]).unwrap();
    files.finish(handle).unwrap();
    assert_eq!(mounted.fake.asked().len(), 1);
    assert_eq!(value().len(), 10_001);
    assert_eq!(files.write(files.open(name, REWRITE).unwrap(), 1 << 40, b"x"), Err(FsError::TooBig));

    // `truncate -s`, by name.
    files.truncate(name, None, 1).unwrap();
    assert_eq!(value(), "x\n");
    assert_eq!(files.write(files.open(name, READ).unwrap(), 0, b"x"), Err(FsError::BadHandle));
}

#[test]
fn nothing_can_be_set_where_that_is_ruled_out() {
    let Mounted { fake, .. } = machine();
    let files = QomFs::new(Box::new(fake.clone()), true, Box::new(|_| {}));
    let inode = files.lookup(files.lookup(ROOT, "machine").unwrap().inode, "name").unwrap().inode;
    assert_eq!(files.open(inode, REWRITE), Err(FsError::ReadOnly));
    assert_eq!(files.truncate(inode, None, 0), Err(FsError::ReadOnly));
    assert_eq!(files.access(inode, false, true, false), Err(FsError::ReadOnly));
    assert_eq!(files.attributes(inode, None).unwrap().mode, 0o444);
    assert!(!fake.asked().iter().any(|asked| asked.starts_with("set")));
}

#[test]
fn a_lost_server_is_an_error_at_once_and_said_by_others() {
    let mounted = machine();
    let inode = mounted.lookup("machine/name").unwrap().inode;
    let before = mounted.files.open(inode, READ).unwrap();
    mounted.fake.0.lock().unwrap().lost = true;
    assert_eq!(mounted.ls("machine"), Err(FsError::Disconnected));
    assert_eq!(mounted.cat("machine/name"), Err(FsError::Disconnected));
    assert_eq!(mounted.echo("x\n", "machine/name"), Err(FsError::Disconnected));
    assert_eq!(mounted.stat("machine/nope").unwrap_err(), FsError::Disconnected);
    assert_eq!(mounted.files.read(before, 0, 10).unwrap(), b"q35\n");
    assert_eq!(mounted.reports(), [format!("cannot set /machine/name: {LOST}")]);
}

const LOST: &str = "the server closed the connection";

#[test]
fn numbers_that_are_given_back_are_forgotten() {
    let mounted = machine();
    let known = || mounted.files.nodes().len();
    let before = known();
    let found = mounted.lookup("machine/name").unwrap();
    let again = mounted.lookup("machine/name").unwrap();
    assert_eq!((known(), found.inode), (before + 2, again.inode));
    mounted.files.forget(found.inode, 1);
    assert_eq!(known(), before + 2);
    mounted.files.forget(found.inode, 1);
    assert_eq!(known(), before + 1);
    mounted.files.forget(ROOT, 100);
    assert!(mounted.lookup("").is_ok());
    // The same thing has the same number when it comes back.
    assert_eq!(mounted.lookup("machine/name").unwrap().inode, found.inode);
}

#[test]
fn the_machine_inside_the_program_is_a_tree_of_files() {
    let client = Client::connect("demo:").unwrap();
    let objects = QomClient::new(&client);
    let mounted = Mounted {
        files: QomFs::new(Box::new(objects.clone()), false, Box::new(|_| {})),
        fake: Fake::default(),
        reports: Arc::default(),
    };
    assert_eq!(mounted.cat("machine/type").unwrap(), "pc-q35-10.0-machine\n");
    assert!(mounted.ls("machine/peripheral").unwrap().contains(&"net0/".to_owned()));
    mounted.echo("0x10\n", "objects/iothread0/poll-max-ns").unwrap();
    assert_eq!(objects.get("/objects/iothread0", "poll-max-ns").unwrap(), "16");
    assert_eq!(mounted.echo("many\n", "objects/iothread0/poll-max-ns"), Err(FsError::Invalid));
    assert_eq!(mounted.echo("pc\n", "machine/type"), Err(FsError::NotPermitted));
    client.close();
    assert_eq!(mounted.cat("machine/type"), Err(FsError::Disconnected));
}
