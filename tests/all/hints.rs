//! Hints after the cursor and colours of a line while it is typed: tables of lines with the schema of the demo machine, and
//! a real terminal.

use expect_test::expect;

use qmp_shell::assist::{ArgumentHint, Completes, CompletionContext, DotCommandEntry, TokenStyle, highlight, hint};
use qmp_shell::grammar::{DotTail, Language};
use qmp_shell::schema::Schema;
use qmp_shell::session::{Address, Options, Received, Session};
use qmp_shell::wire::{ReplyBody, Request};

use crate::support::program::qmp_shell;
use crate::support::server::{Q35, Server};
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;
use crate::support::wait_until;

fn demo_schema() -> Schema {
    let mut session = Session::over(qmp_shell::demo::start().unwrap(), &Address::Demo, &Options::default()).unwrap();
    session.send(&Request::new("query-qmp-schema")).unwrap();
    loop {
        if let Received::Reply { reply, .. } = session.receive(None).unwrap() {
            let ReplyBody::Return(raw) = reply.body() else { panic!("{reply:?}") };
            return Schema::parse(raw).unwrap();
        }
    }
}

fn text(hint: Option<ArgumentHint>) -> Option<String> {
    hint.map(|hint| hint.text)
}

fn known(schema: &Schema, language: Language, in_transaction: bool) -> CompletionContext<'_> {
    let events = DotCommandEntry {
        name: "events",
        aliases: &[],
        summary: "",
        completes: Completes::EventFilter,
        tail: DotTail::Words,
    };
    CompletionContext {
        language,
        in_transaction,
        schema: Some(schema),
        dot_commands: vec![events],
        ..CompletionContext::default()
    }
}

#[test]
fn hints_name_the_missing_keys() {
    let schema = demo_schema();
    let known_qmp = known(&schema, Language::Qmp, false);
    for (line, room, expected) in [
        ("", 60, None),
        ("device_", 60, None),
        ("device_del", 60, Some(" id=")),
        ("device_del ", 60, Some("id=")),
        ("device_del i", 60, Some("d=")),
        ("device_del id=", 60, None),
        ("device_del id=x ", 60, None),
        ("device_del x ", 60, None),
        ("blockdev-add null-co ", 16, Some("[node-name=] …")),
        // Objects continue with a dot, down to the required keys.
        ("blockdev-add driver=qcow2 node-name=n file.driver=null-co ", 30, Some("[discard=] [cache.] …")),
        ("blockdev-add driver=qcow2 ", 36, Some("file= [node-name=] [discard=] …")),
        ("blockdev-add driver=raw file.node-name=n ", 36, Some("file.driver= [node-name=] …")),
        ("blockdev-add driver=raw file.node-name=n file.d", 36, Some("river= [node-name=] [discard=] …")),
        ("blockdev-add driver=null-co node-name=n discard=ignore ", 12, Some("[cache.] …")),
        ("qom-set ", 60, Some("path= property= value=")),
        ("qom-set prop", 60, Some("erty= path= value=")),
        ("qom-set property=x ", 60, Some("path= value=")),
        ("qom-set {\"path\": \"/\"} ", 60, Some("property= value=")),
        ("qom-set path=", 60, None),
        ("qom-set path='a b", 60, None),
        ("qom-set path={", 60, None),
        ("qom-set path=x # note ", 60, None),
        ("qom-set ", 14, Some("path= …")),
        ("qom-set ", 3, None),
        ("exec-oob qom-set ", 60, Some("path= property= value=")),
        ("no-such-command ", 60, None),
        ("transaction( block-dirty-bitmap-clear ", 60, Some("node= name=")),
        (".events ", 60, None),
    ] {
        assert_eq!(text(hint(line, &known_qmp, room)).as_deref(), expected, "{line:?} in {room} columns");
    }
    assert_eq!(
        text(hint("block-dirty-bitmap-clear ", &known(&schema, Language::Qmp, true), 60)).as_deref(),
        Some("node= name=")
    );
    assert_eq!(hint("device_del ", &known(&schema, Language::Hmp, false), 60), None);
}

#[test]
fn styles_every_token_of_a_line() {
    let schema = demo_schema();
    let seen = |line: &str, language: Language| -> String {
        let known = known(&schema, language, false);
        let pieces = highlight(line, &known).into_iter().map(|(span, look)| {
            let mark = match look {
                TokenStyle::Command => 'c',
                TokenStyle::UnknownCommand => '!',
                TokenStyle::Key => 'k',
                TokenStyle::String => 't',
                TokenStyle::Number => 'n',
                TokenStyle::Literal => 'l',
                TokenStyle::Comment => '#',
                TokenStyle::Refused => 'X',
            };
            (span.range(), mark)
        });
        let mut marks: Vec<char> = vec![' '; line.len()];
        for (range, mark) in pieces {
            marks[range].fill(mark);
        }
        marks.into_iter().collect::<String>().trim_end().to_owned()
    };
    use Language::{Hmp, Qmp};
    for (line, language, expected) in [
        ("query-st", Qmp, "cccccccc"),
        ("query-st ", Qmp, "!!!!!!!!"),
        ("query-xx", Qmp, "!!!!!!!!"),
        ("exec-oob query-yank", Qmp, "cccccccc cccccccccc"),
        ("qom-set path=x value=5 a=true b='1' # n", Qmp, "ccccccc kkkk t kkkkk n X llll X ttt ###"),
        ("qom-set {\"a\": [1, \"x\", null]} b=2", Qmp, "ccccccc  XXX   n  ttt  llll   X n"),
        ("qom-set value={\"a\": \"un", Qmp, "ccccccc kkkkk  kkk  ttt"),
        ("{\"execute\": \"stop\"", Qmp, " kkkkkkkkk  tttttt"),
        // A paste has styles on its first line only.
        ("query-status\n-> {\"execute\": 5}\nquery-xx ", Qmp, "cccccccccccc"),
        ("qom-set path=x \\\nvalue=5 ", Qmp, "ccccccc kkkk t   kkkkk n"),
        // Values have the style of their type.
        ("device_del id=5", Qmp, "cccccccccc kk t"),
        ("device_del id=on ", Qmp, "cccccccccc kk tt"),
        ("blockdev-add driver=null-co size=4k node-name=7", Qmp, "cccccccccccc kkkkkk ttttttt kkkk nn kkkkkkkkk t"),
        ("blockdev-add driver=null-co read-zeroes=yes", Qmp, "cccccccccccc kkkkkk ttttttt kkkkkkkkkkk lll"),
        (
            "transaction( block-dirty-bitmap-clear node=1 name=2 )",
            Qmp,
            "cccccccccccc cccccccccccccccccccccccc kkkk t kkkk t",
        ),
        // What Enter would refuse.
        ("device_del id=x nope=1 ", Qmp, "cccccccccc kk t XXXX n"),
        ("device_del nope=1", Qmp, "cccccccccc XXXX n"),
        ("device_del id=x id=y ", Qmp, "cccccccccc kk t XX t"),
        ("blockdev-add driver=null-co size=many nod=n ", Qmp, "cccccccccccc kkkkkk ttttttt kkkk XXXX XXX t"),
        ("blockdev-add driver=null-co size=many", Qmp, "cccccccccccc kkkkkk ttttttt kkkk XXXX"),
        ("blockdev-add driver=null-co read-zeroes=maybe", Qmp, "cccccccccccc kkkkkk ttttttt kkkkkkkkkkk XXXXX"),
        ("blockdev-add driver=nulll-co node-name=n", Qmp, "cccccccccccc kkkkkk XXXXXXXX kkkkkkkkk t"),
        (
            "{\"execute\": \"device_del\", \"arguments\": {\"nope\": 1}}",
            Qmp,
            " kkkkkkkkk  tttttttttttt  kkkkkkkkkkk   XXXXXX  n",
        ),
        (
            "transaction( block-dirty-bitmap-clear node=1 nme=2 ",
            Qmp,
            "cccccccccccc cccccccccccccccccccccccc kkkk t XXX n",
        ),
        ("stop now ", Qmp, "cccc XXX"),
        // What is merely unfinished.
        ("blockdev-add ", Qmp, "cccccccccccc"),
        ("blockdev-add driver=null-co size=", Qmp, "cccccccccccc kkkkkk ttttttt kkkk"),
        ("blockdev-add driver=null-co size=0x", Qmp, "cccccccccccc kkkkkk ttttttt kkkk nn"),
        ("blockdev-add driver=null-co size=-", Qmp, "cccccccccccc kkkkkk ttttttt kkkk n"),
        ("blockdev-add driver=null-co si", Qmp, "cccccccccccc kkkkkk ttttttt"),
        ("blockdev-add read-zeroes=on ", Qmp, "cccccccccccc kkkkkkkkkkk ll"),
        ("blockdev-add driver=null", Qmp, "cccccccccccc kkkkkk tttt"),
        ("blockdev-add driver=null-co read-zeroes=t", Qmp, "cccccccccccc kkkkkk ttttttt kkkkkkkkkkk l"),
        ("blockdev-add driver='null", Qmp, "cccccccccccc kkkkkk ttttt"),
        ("blockdev-add driver=qcow2 file.dri", Qmp, "cccccccccccc kkkkkk ttttt"),
        ("no-such pa", Qmp, "!!!!!!!"),
        ("stop no", Qmp, "cccc"),
        ("device_add driver=x whatever=1 ", Qmp, "cccccccccc kkkkkk t kkkkkkkk n"),
        (".events on", Qmp, "ccccccc"),
        (".evnets", Qmp, "!!!!!!!"),
        ("!ls -l", Qmp, ""),
        ("info status", Hmp, ""),
        ("# note", Hmp, "######"),
    ] {
        assert_eq!(seen(line, language), expected, "{line}");
    }
}

#[test]
fn shows_dim_hints_and_unknown_commands_in_red() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-name");
    terminal.wait_for("{}");
    terminal.type_text("block_resize ");
    terminal.wait_for_last("(QEMU) block_resize size= [device=] [node-name=]");
    // The cursor stays at the end of the typed text; the hint no longer names keys that were typed.
    assert_eq!(terminal.cursor().0, "(QEMU) block_resize ".len());
    terminal.type_text("size=1 ");
    terminal.wait_for_last("(QEMU) block_resize size=1 [device=] [node-name=]");
    assert!(terminal.coloured_screen().contains("\u{1b}[2m[device=] [node-name=]"), "{}", terminal.coloured_screen());
    // Enter removes the hint.
    terminal.press("C-u");
    terminal.type_text("device_del");
    terminal.wait_for_last("(QEMU) device_del id=");
    snapshot::check(
        terminal.output_of("device_del"),
        expect![[r#"
                   ^^^^^^^^^^
            error: missing key `id` for `device_del` (a string)
        "#]],
    );
    assert!(terminal.screen().contains("(QEMU) device_del\n"), "{}", terminal.screen());
    // The required keys below a key that has been started, and those of the variant that its tag selects.
    terminal.type_text("nbd-server-start ");
    terminal.wait_for("(QEMU) nbd-server-start addr.type= [");
    terminal.type_text("addr.type=unix addr.d");
    terminal.wait_for("(QEMU) nbd-server-start addr.type=unix addr.data.path= [");
    terminal.press("C-u");
    terminal.type_text("chardev-add id=c backend.type=null ");
    terminal.wait_for_last("(QEMU) chardev-add id=c backend.type=null backend.data={}");
    terminal.press("C-u");
    terminal.type_text("query-staus ");
    terminal.wait_for_last("(QEMU) query-staus");
    assert!(terminal.coloured_screen().contains("\u{1b}[1m\u{1b}[31mquery-staus"), "{}", terminal.coloured_screen());
}

#[test]
fn shows_the_missing_arguments_of_hmp_commands() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("-H {}", server.address())) else { return };
    terminal.wait_for_last("(qemu)");
    for (typed, shown) in [
        ("info block", "(qemu) info block [-n] [-v] [device]"),
        (" -v", "(qemu) info block -v [device]"),
        (" -z", "(qemu) info block -v -z"),
    ] {
        terminal.type_text(typed);
        terminal.wait_for_last(shown);
    }
    terminal.press("C-u");
    terminal.enter(".qmp");
    terminal.wait_for_last("(QEMU)");
    terminal.type_text(".hmp help ");
    terminal.wait_for_last("(QEMU) .hmp help [command]");
    // The colour of the word before it may end in the same sequence.
    let is_dim = |screen: &str| ["[2m[command]", ";2m[command]"].iter().any(|dim| screen.contains(dim));
    wait_until("a dim hint", || is_dim(&terminal.coloured_screen()));
}

#[test]
fn suggests_live_names_after_an_error_reply() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    for line in [
        "blockdev-add driver=null-co node-name=overlay0",
        "object-add qom-type=iothread id=io0",
        "object-add qom-type=throttle-group id=tg0",
    ] {
        assert_eq!(terminal.run_line(line), "{}\n");
    }
    let mut table = Table::new();
    for line in [
        "blockdev-del node-name=overlya0",
        "blockdev-del node-name=zzzz",
        // A drive or a node, and objects of one type.
        "block-commit device=ovrelay0",
        "blockdev-add driver=throttle node-name=t0 file=overlay0 throttle-group=tg1",
        "blockdev-add driver=throttle node-name=t0 file=overlay0 throttle-group=io1",
        // These names depend on another argument.
        "qom-get path=/machine property=kernle",
        "device_add driver=pc-dimm memdv=m0",
    ] {
        table.row(line, terminal.run_line(line));
    }
    table.check(expect![[r#"
        > blockdev-del node-name=overlya0
        GenericError: Failed to find node with node-name='overlya0'
        did you mean `overlay0`?

        > blockdev-del node-name=zzzz
        GenericError: Failed to find node with node-name='zzzz'

        > block-commit device=ovrelay0
        DeviceNotFound: Device 'ovrelay0' not found
        did you mean `overlay0`?

        > blockdev-add driver=throttle node-name=t0 file=overlay0 throttle-group=tg1
        GenericError: Throttle group 'tg1' does not exist
        did you mean `tg0`?

        > blockdev-add driver=throttle node-name=t0 file=overlay0 throttle-group=io1
        GenericError: Throttle group 'io1' does not exist

        > qom-get path=/machine property=kernle
        GenericError: Property 'pc-q35-{VERSION}-machine.kernle' not found
        did you mean `kernel`?

        > device_add driver=pc-dimm memdv=m0
        GenericError: Property 'pc-dimm.memdv' not found
        did you mean `memdev`?
    "#]]);
}

#[test]
fn hints_at_the_form_of_values_that_only_qemu_rejects() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines = "device_add driver=virtio-net-pci,id=n0\n\
                 query-cpu-model-expansion type=static model.name=max model.props.avx=on\n\
                 [{\"execute\": \"query-status\"}, {\"execute\": \"query-name\"}]\n\
                 // a comment\nquery-status // a comment\nquery-foo\nquery-cpu\n\
                 device_add driver=max-x86_64-cpu id=c core-2\n";
    qmp_shell(&[&server.address()]).input(lines).run().check(expect![[r#"
        {"error": {"class": "GenericError", "desc": "'virtio-net-pci,id=n0' is not a valid device model name"}}
        {"error": {"class": "GenericError", "desc": "Invalid parameter type for 'model.props.avx', expected: boolean"}}
        {"error": {"class": "NotSent", "desc": "expected a command or a request, found an array; enter the requests in it one at a time"}}
        {"error": {"class": "NotSent", "desc": "expected a command, found `//`; comments begin with `#`"}}
        {"error": {"class": "NotSent", "desc": "expected `key=value`, found `//`; comments begin with `#`"}}
        {"error": {"class": "NotSent", "desc": "the server has no command `query-foo`"}}
        {"error": {"class": "NotSent", "desc": "the server has no command `query-cpu`"}}
        {"error": {"class": "NotSent", "desc": "expected `key=value`, found `core-2`"}}
        stderr: <stdin>:1: did you mean `device_add driver=virtio-net-pci id=n0`?
        stderr: <stdin>:2: did you mean `model.props.avx=true`?
        stderr: <stdin>:3: expected a command or a request, found an array; enter the requests in it one at a time
        stderr:   [{"execute": "query-status"}, {"execute": "query-name"}]
        stderr:   ^
        stderr: <stdin>:4: expected a command, found `//`; comments begin with `#`
        stderr:   // a comment
        stderr:   ^^
        stderr: <stdin>:5: expected `key=value`, found `//`; comments begin with `#`
        stderr:   query-status // a comment
        stderr:                ^^
        stderr: <stdin>:6: the server has no command `query-foo`
        stderr:   query-foo
        stderr:   ^^^^^^^^^
        stderr: <stdin>:7: the server has no command `query-cpu`
        stderr:   query-cpu
        stderr:   ^^^^^^^^^
        stderr: <stdin>:8: expected `key=value`, found `core-2`
        stderr:   device_add driver=max-x86_64-cpu id=c core-2
        stderr:                                         ^^^^^^
        status: 1
    "#]]);
}
