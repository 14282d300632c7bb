//! `.show screen`: the guest's screen in each kind of terminal, and as a file.

use std::fs;

use crate::support::program::qmp_shell;
use crate::support::server::Server;
use crate::support::terminal::Terminal;

const VGA: &[&str] = &["-M", "q35", "-m", "64", "-display", "none", "-nodefaults", "-S", "-device", "VGA"];

#[test]
fn the_screen_is_kept_in_a_file() {
    for start in [Server::qemu, Server::qemu_7_2] {
        let Some(server) = start(VGA) else { return };
        let (png, ppm) = (server.path("a.png"), server.path("a.ppm"));
        // QEMU 7.2 does not close what is removed while the guest is stopped.
        let lines = format!("cont\n.show screen {png}\n.show screen {ppm}\nquery-fdsets\n.show screen {png}x\n");
        let seen = qmp_shell(&["-p", &server.address()]).input(lines).run().expect_status(1);
        // The guest's display may change its size when it is first drawn.
        let sizes: Vec<&str> = seen.stdout.lines().filter_map(|line| Some(line.split_once(" pixels")?.0)).collect();
        let [first, size] = sizes[..] else { panic!("{}", seen.render()) };
        assert_eq!(seen.stdout, format!("{{}}\n{first} pixels, kept in {png}\n{size} pixels, kept in {ppm}\n[]\n"));
        assert!(seen.stderr.contains("expected a file that ends in `.png` or `.ppm`"), "{}", seen.stderr);
        assert!(fs::read(png).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
        let image = fs::read(ppm).unwrap();
        let (width, height) = size.split_once(" × ").unwrap();
        assert!(image.starts_with(format!("P6\n{width} {height}\n255\n").as_bytes()));
    }
}

#[test]
fn a_server_that_takes_no_descriptor_writes_into_a_folder() {
    let Some(server) = Server::qemu(VGA) else { return };
    let address = format!("exec:socat - UNIX-CONNECT:{}", server.address());
    let folder = tempfile::tempdir().unwrap();
    let run = qmp_shell(&["-p", &address]).env("TMPDIR", folder.path().to_str().unwrap());
    let seen = run.input(".show screen\n").run().expect_status(0);
    assert!(seen.stdout.contains(" pixels\n"), "{}", seen.stdout);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn each_terminal_gets_what_it_can_show() {
    let Some(server) = Server::qemu(VGA) else { return };
    for (environment, code) in [
        ("TERM=xterm-256color", "\x1b[38;5;"),
        ("TERM=xterm-256color COLORTERM=truecolor", "\x1b[38;2;"),
        ("TERM=xterm-256color KITTY_WINDOW_ID=1", "\x1b_Ga=T,f=100,q=2,"),
        ("TERM=xterm-256color TERM_PROGRAM=iTerm.app", "\x1b]1337;File=inline=1;"),
        // Inside a multiplexer.
        ("TERM=tmux-256color KITTY_WINDOW_ID=1", "\x1b[38;5;"),
    ] {
        let variables = "-u TMUX -u KITTY_WINDOW_ID -u TERM_PROGRAM -u LC_TERMINAL -u COLORTERM";
        let command = format!(
            "env {variables} {environment} {} --no-history {}",
            env!("CARGO_BIN_EXE_qmp-shell"),
            server.address()
        );
        let Some(terminal) = Terminal::start(&command, 80, 24) else { return };
        terminal.wait_for_last("(QEMU)");
        let recorded = terminal.record();
        terminal.enter(".show screen");
        terminal.wait_for(" pixels");
        terminal.wait_for_last("(QEMU)");
        let output = String::from_utf8_lossy(&recorded()).into_owned();
        assert!(output.contains(code), "{environment}: {output:?}");
    }
}
