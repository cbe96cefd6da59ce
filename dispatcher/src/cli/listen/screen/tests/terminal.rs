//! The show on a terminal of its own: a real one for the program, and for us bytes in and out.
#![cfg(unix)]

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// How long anything may take to appear.
const AT_MOST: Duration = Duration::from_secs(30);
/// Python makes the terminal; the shell says its size, and in the end in which mode it is.
const PYTHON: &str = "import pty, sys; pty.spawn(sys.argv[1:])";
const SHELL: &str = "stty rows 24 cols 100; \"$@\"; stty -a | grep -o '[-]*icanon' | tr c C";

struct Shown {
    program: Child,
    keys: ChildStdin,
    bytes: Receiver<Vec<u8>>,
    terminal: vt100::Parser,
}

impl Shown {
    fn new(kind: &str) -> Self {
        let this = std::env::current_exe().unwrap();
        let mut program = Command::new("python3")
            .args(["-c", PYTHON, "sh", "-c", SHELL, "sh"])
            .arg(this)
            .args(["screen::tests::demo", "--ignored", "--nocapture"])
            .envs([("TERM", "xterm-256color"), ("BLUUM_DEMO", kind), ("RUST_BACKTRACE", "0")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keys, mut out) = (program.stdin.take().unwrap(), program.stdout.take().unwrap());
        let (send, bytes) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                let _ = send.send(buffer[..count].to_vec());
            }
        });
        Self { program, keys, bytes, terminal: vt100::Parser::new(24, 100, 0) }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Until the terminal looks like that.
    fn until(&mut self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        while !holds(self.terminal.screen()) {
            match self.bytes.recv_timeout(AT_MOST) {
                Ok(bytes) => self.terminal.process(&bytes),
                Err(_) => panic!("no {what}:\n{}", self.terminal.screen().contents()),
            }
        }
    }

    fn until_seen(&mut self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    /// After the end: the terminal is as it was.
    fn ends(mut self) {
        self.until_seen("iCanon");
        let screen = self.terminal.screen();
        let contents = screen.contents();
        assert!(!contents.contains("-iCanon"), "still raw:\n{contents}");
        assert!(!contents.contains("q quit") && !contents.contains("──"), "{contents}");
        assert!(contents.contains(" events, "), "no summary:\n{contents}");
        assert!(!screen.hide_cursor() && !screen.alternate_screen());
        assert!(self.program.wait().unwrap().success());
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // Without its terminal the show ends too.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[test]
fn the_terminal_is_given_back_as_it_was() {
    let mut shown = Shown::new("");
    shown.until_seen("order.accepted  evt_");
    shown.press("\r");
    shown.until_seen("[request]");
    assert!(shown.terminal.screen().alternate_screen());
    shown.press("q");
    shown.until("lines", |screen| !screen.alternate_screen());
    shown.until_seen("q quit");
    // Nobody could wake us here, so the system does not stop us: we go on by ourselves.
    shown.press("\x1a");
    shown.until("cursor", |screen| !screen.hide_cursor());
    shown.until("footer", |screen| screen.hide_cursor() && screen.contents().contains("q quit"));
    shown.press("i");
    shown.until("full screen", vt100::Screen::alternate_screen);
    shown.press("q");
    shown.ends();
}

#[test]
fn a_panic_is_seen_and_the_screen_goes_on() {
    let mut shown = Shown::new("panic");
    shown.until_seen("a panic, to see what is left");
    shown.until("footer", |screen| screen.hide_cursor() && screen.contents().contains("q quit"));
    assert!(shown.terminal.screen().contents().contains("a panic, to see what is left"));
    shown.press("\x03");
    shown.ends();
}
