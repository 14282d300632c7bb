//! Words as users type them, and the values that they become. Real servers are asked for the types with `--dry-run`.

use expect_test::{Expect, expect};

use crate::support::program::{dry_run, qmp, qmp_shell, qom};
use crate::support::server::{Q35, Server};
use crate::support::snapshot;

/// Checks the requests and messages of a script, in which a server gives values their types, against a snapshot.
#[track_caller]
fn check(address: &str, lines: &[&str], expected: Expect) {
    let run = dry_run(address, lines.iter().copied());
    snapshot::check(format!("{}\n{}", run.stdout, run.stderr), expected);
}

/// Checks the requests and messages of a script without a server against a snapshot.
#[track_caller]
fn check_untyped(script: impl Into<Vec<u8>>, expected: Expect) {
    let run = qmp_shell(&["--dry-run"]).input(script).run();
    let text = format!("{}\n{}", run.stdout, run.stderr);
    let show = |c: char| match c {
        '\u{a0}' | '\u{200b}' | '\u{200c}' => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    snapshot::check(text.chars().map(show).collect::<String>(), expected);
}

#[test]
fn takes_a_range_for_a_list_of_integers() {
    let Some(server) = Server::qemu(Q35) else { return };
    check(
        &server.address(),
        &[
            "object-add qom-type=memory-backend-ram id=m size=64M host-nodes=0-1",
            "object-add qom-type=memory-backend-ram id=m size=64M host-nodes=0-1,4,0x6-0x7",
            "set-numa-node type=node cpus=2-2",
            "set-numa-node type=node cpus=3-1",
            "set-numa-node type=node cpus=0-70000",
        ],
        expect![[r#"
            {"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m", "size": 67108864, "host-nodes": [0, 1]}}
            {"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m", "size": 67108864, "host-nodes": [0, 1, 4, 6, 7]}}
            {"execute": "set-numa-node", "arguments": {"type": "node", "cpus": [2]}}
            {"error": {"class": "NotSent", "desc": "`cpus`: the first number of the range `3-1` is greater than the last"}}
            {"error": {"class": "NotSent", "desc": "`cpus`: the range `0-70000` has more than 65536 numbers"}}

            <stdin>:4: `cpus`: the first number of the range `3-1` is greater than the last
              set-numa-node type=node cpus=3-1
                                           ^^^
            <stdin>:5: `cpus`: the range `0-70000` has more than 65536 numbers
              set-numa-node type=node cpus=0-70000
                                           ^^^^^^^
        "#]],
    );
}

#[test]
fn takes_no_part_of_a_number_for_the_whole() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines = [
        "object-add qom-type=memory-backend-ram id=m size=00-5",
        "object-add qom-type=memory-backend-ram id=m size=64M host-nodes=0-",
        "object-add qom-type=memory-backend-ram id=m size=64M host-nodes.0=0-1",
        "migrate-set-parameters downtime-limit=0-300",
        "qom-set path=/machine/unattached/device[0] property=hv-version-id-build value=0-1",
        "device_add driver=virtio-net-pci host_mtu=0-1500",
        "device_add driver=virtio-net-pci host_mtu=0x5dc-",
        ".wait STOP timeout=0-5",
        ".events 0-5",
    ];
    check(
        &server.address(),
        &lines,
        expect![[r#"
        {"error": {"class": "NotSent", "desc": "expected an integer (such as 4096, 0x1000 or 4k) for `size`, found `00-5`"}}
        {"error": {"class": "NotSent", "desc": "expected an integer (such as 4096, 0x1000 or 4k) for `host-nodes`, found `0-`"}}
        {"error": {"class": "NotSent", "desc": "expected an integer (such as 4096, 0x1000 or 4k) for `host-nodes.0`, found `0-1`"}}
        {"error": {"class": "NotSent", "desc": "expected an integer (such as 4096, 0x1000 or 4k) for `downtime-limit`, found `0-300`"}}
        {"error": {"class": "NotSent", "desc": "expected an integer (such as 4096, 0x1000 or 4k) for `value`, found `0-1`"}}
        {"error": {"class": "NotSent", "desc": "expected an integer (such as 4096, 0x1000 or 4k) for `host_mtu`, found `0-1500`"}}
        {"error": {"class": "NotSent", "desc": "expected an integer (such as 4096, 0x1000 or 4k) for `host_mtu`, found `0x5dc-`"}}

        <stdin>:1: expected an integer (such as 4096, 0x1000 or 4k) for `size`, found `00-5`
          object-add qom-type=memory-backend-ram id=m size=00-5
                                                           ^^^^
        <stdin>:2: expected an integer (such as 4096, 0x1000 or 4k) for `host-nodes`, found `0-`
          object-add qom-type=memory-backend-ram id=m size=64M host-nodes=0-
                                                                          ^^
        <stdin>:3: expected an integer (such as 4096, 0x1000 or 4k) for `host-nodes.0`, found `0-1`
          object-add qom-type=memory-backend-ram id=m size=64M host-nodes.0=0-1
                                                                            ^^^
        <stdin>:4: expected an integer (such as 4096, 0x1000 or 4k) for `downtime-limit`, found `0-300`
          migrate-set-parameters downtime-limit=0-300
                                                ^^^^^
        <stdin>:5: expected an integer (such as 4096, 0x1000 or 4k) for `value`, found `0-1`
          qom-set path=/machine/unattached/device[0] property=hv-version-id-build value=0-1
                                                                                        ^^^
        <stdin>:6: expected an integer (such as 4096, 0x1000 or 4k) for `host_mtu`, found `0-1500`
          device_add driver=virtio-net-pci host_mtu=0-1500
                                                    ^^^^^^
        <stdin>:7: expected an integer (such as 4096, 0x1000 or 4k) for `host_mtu`, found `0x5dc-`
          device_add driver=virtio-net-pci host_mtu=0x5dc-
                                                    ^^^^^^
        <stdin>:8: expected a number of seconds, found `0-5`
          .wait STOP timeout=0-5
                             ^^^
        <stdin>:9: expected a number, `on`, `off`, `only` or `except`, found `0-5`
          .events 0-5
                  ^^^
    "#]],
    );
}

#[test]
fn takes_any_unicode_blank_outside_quotes_for_a_blank() {
    check_untyped(
        "(QEMU)\u{a0}block_resize\u{a0}device=d\u{a0}\u{a0}size=1\n\
         \u{3000}c\u{2003}a='x\u{a0}y'\u{202f}b=\"x\u{a0}y\"\u{2028}c=x\\\u{a0}y\n\
         \u{a0}{\u{a0}'execute':\u{a0}'c',\u{2009}'arguments': {'a': 'x\u{a0}y'}}\u{a0}\n\
         c {\u{a0}'a':\u{a0}1}\u{a0}b=[1,\u{a0}2]\u{a0}# \u{a0}\n\
         transaction(\u{a0}abort\u{a0})\n\
         \u{a0}.wait\u{a0}X\u{a0}timeout=0\n",
        expect![[r#"
            {"execute": "block_resize", "arguments": {"device": "d", "size": 1}}
            {"execute": "c", "arguments": {"a": "x\u{a0}y", "b": "x\u{a0}y", "c": "x\u{a0}y"}}
            {"execute": "c", "arguments": {"a": "x\u{a0}y"}}
            {"execute": "c", "arguments": {"a": 1, "b": [1, 2]}}
            {"execute": "transaction", "arguments": {"actions": [{"type": "abort", "data": {}}]}}

        "#]],
    );
}

#[test]
fn drops_invisible_characters_outside_quotes_and_says_so() {
    check_untyped(
        "\u{200b}query-status\u{200b}\n\
         block_\u{200b}resize device=d\u{200e} size=\u{202a}1\n\
         c a='x\u{200b}y' b=\u{feff}{'x': 1} # \u{200b}\n\
         {\u{200b}'execute': 'c\u{200b}'\u{2060}}\n\
         c a=\u{645}\u{6cc}\u{200c}\u{62e}\n",
        expect![[r#"
            {"execute": "query-status"}
            {"execute": "block_resize", "arguments": {"device": "d", "size": 1}}
            {"execute": "c", "arguments": {"a": "x\u{200b}y", "b": {"x": 1}}}
            {"execute": "c\u{200b}"}
            {"execute": "c", "arguments": {"a": "می\u{200c}خ"}}

            <stdin>:2: warning: the invisible character U+200E is dropped from `device`; to keep it, quote the value
            <stdin>:2: warning: the invisible character U+202A is dropped from `size`; to keep it, quote the value
            <stdin>:3: warning: the invisible character U+FEFF is dropped from `b`; to keep it, quote the value
        "#]],
    );
}

#[test]
fn explains_a_script_in_utf_16() {
    let script = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        "\u{feff}query-status\r\nstop\r\n".encode_utf16().flat_map(bytes).collect()
    };
    for script in [script(u16::to_le_bytes), script(u16::to_be_bytes)] {
        let run = qmp_shell(&["--dry-run"]).input(script).run().expect_status(1);
        assert!(
            run.lines().iter().all(|line| line.contains("\"a NUL character is not text; convert a script in UTF-16")),
            "{run:#?}"
        );
    }
}

#[test]
fn explains_curly_quotes() {
    check_untyped(
        "c a=“x y”\nc a=b“c” d=“x\nc a='“x”' b=’s\ndevice_del “net0”\n.wait STOP id=“x”\n\
         {“execute”: “stop”}\nc {'a': ‘b’}\nc a=[“b”]\n",
        expect![[r#"
            {"error": {"class": "NotSent", "desc": "`“` is not a quote; use `\"` or `'`, or quote the value to send it"}}
            {"error": {"class": "NotSent", "desc": "`“` is not a quote; use `\"` or `'`, or quote the value to send it"}}
            {"error": {"class": "NotSent", "desc": "`’` is not a quote; use `\"` or `'`, or quote the value to send it"}}
            {"error": {"class": "NotSent", "desc": "`“` is not a quote; use `\"` or `'`, or quote the value to send it"}}
            {"error": {"class": "NotSent", "desc": "expected a quoted key or `}`, found `“`; quote with `\"` or `'`"}}
            {"error": {"class": "NotSent", "desc": "expected a JSON value, found `‘`; quote with `\"` or `'`"}}
            {"error": {"class": "NotSent", "desc": "expected a JSON value, found `“`; quote with `\"` or `'`"}}

            <stdin>:1: `“` is not a quote; use `"` or `'`, or quote the value to send it
              c a=“x y”
                  ^^
            <stdin>:2: `“` is not a quote; use `"` or `'`, or quote the value to send it
              c a=b“c” d=“x
                         ^^
            <stdin>:3: `’` is not a quote; use `"` or `'`, or quote the value to send it
              c a='“x”' b=’s
                          ^^
            <stdin>:4: `“` is not a quote; use `"` or `'`, or quote the value to send it
              device_del “net0”
                         ^^^^^^
            <stdin>:5: `“` is not a quote; use `"` or `'`, or quote the value to send it
              .wait STOP id=“x”
                            ^^^
            <stdin>:6: expected a quoted key or `}`, found `“`; quote with `"` or `'`
              {“execute”: “stop”}
               ^
            <stdin>:7: expected a JSON value, found `‘`; quote with `"` or `'`
              c {'a': ‘b’}
                      ^
            <stdin>:8: expected a JSON value, found `“`; quote with `"` or `'`
              c a=[“b”]
                   ^
        "#]],
    );
    let run = qmp(&["--path=demo:", "nosuch", "--id=“x”"]).run();
    assert!(run.stderr.contains("has no command `nosuch`"), "{run:#?}");
}

#[test]
fn keeps_the_quotes_in_the_json_of_a_file_name() {
    check_untyped(
        r#"
c filename=json:{"driver": "nbd", 'path': "/a b"} b=1
c filename=json:{\"driver\":\"https\",\"url\":\"https://h/#a\"} b=1
c filename='json:{"driver":"nbd"}' b="json:{\"driver\":\"nbd\"}"
c {"filename": "json:{\"driver\":\"nbd\"}"}
c filename=json:{"driver":"nbd"
stop
"#,
        expect![[r#"
            {"execute": "c", "arguments": {"filename": "json:{\"driver\": \"nbd\", 'path': \"/a b\"}", "b": 1}}
            {"execute": "c", "arguments": {"filename": "json:{\"driver\":\"https\",\"url\":\"https://h/#a\"}", "b": 1}}
            {"execute": "c", "arguments": {"filename": "json:{\"driver\":\"nbd\"}", "b": "json:{\"driver\":\"nbd\"}"}}
            {"execute": "c", "arguments": {"filename": "json:{\"driver\":\"nbd\"}"}}
            {"error": {"class": "NotSent", "desc": "unclosed `{` in this word"}}
            {"execute": "stop"}

            <stdin>:6: unclosed `{` in this word
              c filename=json:{"driver":"nbd"
                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn takes_files_joined_after_a_byte_order_mark() {
    check_untyped(
        "\u{feff}stop\n\u{feff}cont\n\u{feff}{'execute': 'stop'}\n.hmp\n\u{feff}info status\n",
        expect![[r#"
            {"execute": "stop"}
            {"execute": "cont"}
            {"execute": "stop"}
            {"execute": "human-monitor-command", "arguments": {"command-line": "info status"}}

        "#]],
    );
}

#[test]
fn warns_of_backslashes_that_a_windows_path_loses() {
    check_untyped(
        r#"
guest-exec path=C:\Windows\System32\cmd.exe
guest-exec path=C:\Windows\System32\cmd.exe
guest-exec path='C:\Windows\System32\cmd.exe'
guest-exec path="C:\Windows\System32\cmd.exe" arg=[] capture-output=true
guest-exec path=C:\\Windows\\cmd.exe
guest-exec path=C:\Program\ Files\"x".exe
guest-set-user-password username=a password=a\b
c a=\'b\'\ \{\|\#
transaction( c dir=C:\tmp )
.wait X path=C:\tmp
.source C:\tmp
.hmp print C:\tmp
"#,
        expect![[r#"
            {"execute": "guest-exec", "arguments": {"path": "C:WindowsSystem32cmd.exe"}}
            {"execute": "guest-exec", "arguments": {"path": "C:WindowsSystem32cmd.exe"}}
            {"execute": "guest-exec", "arguments": {"path": "C:\\Windows\\System32\\cmd.exe"}}
            {"execute": "guest-exec", "arguments": {"path": "C:\\Windows\\System32\\cmd.exe", "arg": [], "capture-output": true}}
            {"execute": "guest-exec", "arguments": {"path": "C:\\Windows\\cmd.exe"}}
            {"error": {"class": "NotSent", "desc": "unclosed `\"` in this word"}}
            {"execute": "guest-set-user-password", "arguments": {"username": "a", "password": "ab"}}
            {"execute": "c", "arguments": {"a": "'b' {|#"}}
            {"execute": "transaction", "arguments": {"actions": [{"type": "c", "data": {"dir": "C:tmp"}}]}}
            {"execute": "human-monitor-command", "arguments": {"command-line": "print C:\\tmp"}}

            <stdin>:2: warning: a backslash is dropped from `path`; to keep it, quote the value: `path='C:\Windows\System32\cmd.exe'`
            <stdin>:7: unclosed `"` in this word
              guest-exec path=C:\Program\ Files\"x".exe
                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            <stdin>:8: warning: a backslash is dropped from `password`; to keep it, quote the value
            <stdin>:10: warning: a backslash is dropped from `dir`; to keep it, quote the value: `dir='C:\tmp'`
            <stdin>:11: warning: a backslash is dropped from `path`; to keep it, quote the value: `path='C:\tmp'`
            <stdin>:12: warning: a backslash is dropped from `C:tmp`; to keep it, quote the value: `'C:\tmp'`
            <stdin>:12: cannot read `C:tmp`: No such file or directory (os error 2)
              .source C:\tmp
                      ^^^^^^
        "#]],
    );
}

#[test]
fn looks_for_names_with_dots_before_it_nests() {
    let Some(server) = Server::qemu(Q35) else { return };
    check(
        &server.address(),
        &[
            "device_add driver=qemu64-x86_64-cpu socket-id=0 core-id=0 thread-id=0 sse4.2=off",
            "device_add driver=nvme-ns zoned=on zoned.zone_size=64M fdp.ruhs=0x1",
            "device_add driver=nvme-ns zoned.zone_size=0-64M",
            "device_add {\"driver\": \"nvme-ns\", \"zoned.zone_size\": 1} zoned.zone_size=1",
            "device_add driver=virtio-blk-pci iothread-vq-mapping.0.iothread=i iothread-vq-mapping.0.vqs=[0]",
        ],
        expect![[r#"
            {"execute": "device_add", "arguments": {"driver": "qemu64-x86_64-cpu", "socket-id": 0, "core-id": 0, "thread-id": 0, "sse4.2": false}}
            {"execute": "device_add", "arguments": {"driver": "nvme-ns", "zoned": true, "zoned.zone_size": 67108864, "fdp.ruhs": "0x1"}}
            {"error": {"class": "NotSent", "desc": "expected an integer (such as 4096, 0x1000 or 4k) for `zoned.zone_size`, found `0-64M`"}}
            {"error": {"class": "NotSent", "desc": "duplicate key `zoned.zone_size`"}}
            {"execute": "device_add", "arguments": {"driver": "virtio-blk-pci", "iothread-vq-mapping": [{"iothread": "i", "vqs": [0]}]}}

            <stdin>:3: expected an integer (such as 4096, 0x1000 or 4k) for `zoned.zone_size`, found `0-64M`
              device_add driver=nvme-ns zoned.zone_size=0-64M
                                                        ^^^^^
            <stdin>:4: duplicate key `zoned.zone_size`
              device_add {"driver": "nvme-ns", "zoned.zone_size": 1} zoned.zone_size=1
                                                                     ^^^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn takes_values_of_enumerations_that_look_like_numbers_for_strings() {
    let Some(server) = Server::qemu(Q35) else { return };
    check(
        &server.address(),
        &[
            "device_add driver=cxl-type3 x-speed=16 x-width=8",
            "device_add driver=floppy drive-type=144",
            "device_add driver=virtio-blk-pci iothread-vq-mapping=[{'iothread': 'i', 'vqs': [0]}] werror=stop",
        ],
        expect![[r#"
            {"execute": "device_add", "arguments": {"driver": "cxl-type3", "x-speed": "16", "x-width": "8"}}
            {"execute": "device_add", "arguments": {"driver": "floppy", "drive-type": "144"}}
            {"execute": "device_add", "arguments": {"driver": "virtio-blk-pci", "iothread-vq-mapping": [{"iothread": "i", "vqs": [0]}], "werror": "stop"}}

        "#]],
    );
}

#[test]
fn takes_a_list_where_qom_says_integer() {
    let Some(server) = Server::qemu(Q35) else { return };
    let lines = "object-add qom-type=memory-backend-ram id=m size=64M\n\
                 qom-set path=/objects/m property=host-nodes value=[0]\n\
                 qom-get path=/objects/m property=host-nodes\n\
                 qom-set path=/objects/m property=host-nodes value=[]\n\
                 qom-set path=/objects/m property=size value=[]\n";
    let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(1);
    assert_eq!(run.replies()[2], r#"{"return": [0]}"#);
    assert_eq!(run.replies()[3], r#"{"return": {}}"#);
    let run = qom(&["set", "--socket", &server.address(), "/objects/m.host-nodes", "[0]"]).run();
    assert_eq!(run.status, 0, "{run:#?}");
}

#[test]
fn takes_any_unicode_blank_for_a_blank_in_hmp_mode() {
    check_untyped(
        ".hmp\u{a0}info\u{a0}status\n.hmp\n\u{a0}x /4xb\u{2003}\"0\u{a0}\"\u{200b}\n",
        expect![[r#"
            {"execute": "human-monitor-command", "arguments": {"command-line": "info status"}}
            {"execute": "human-monitor-command", "arguments": {"command-line": " x /4xb \"0\u{a0}\""}}

        "#]],
    );
}
