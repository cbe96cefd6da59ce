//! `listen -- CMD` on a terminal: what the app prints, and the footer below it.
#![cfg(unix)]

use std::net::TcpListener;
use std::process::Command;

use bluum_hooks_tests::daemon;
use bluum_hooks_tests::terminal::Developer;

/// Prints a line for each request, without a word about flushing, and has something to say in the
/// end. What it has started lives on and holds on to its terminal.
const APP: &str = r#"
import http.server, os, signal, subprocess, sys
class App(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers['content-length']))
        print('app', self.headers['webhook-id'])
        last = self.headers['webhook-sequence'] == '12'
        print('10%\r100%', end='' if last else '\n', flush=last)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *words):
        pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit('\nlast words'))
print('terminal', sys.stdout.isatty(), sys.stderr.isatty(), *os.get_terminal_size())
print('holder', subprocess.Popen(['sleep', '60'], start_new_session=True).pid)
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), App).serve_forever()
"#;

/// All that is on the terminal and above, when these bytes have been written to it.
fn rows(bytes: &[u8]) -> Vec<String> {
    let mut terminal = vt100::Parser::new(24, 100, 1_000);
    terminal.process(bytes);
    terminal.screen_mut().set_scrollback(usize::MAX);
    let above = terminal.screen().scrollback();
    let mut rows: Vec<String> = Vec::new();
    for offset in (1..=above).rev() {
        terminal.screen_mut().set_scrollback(offset);
        rows.extend(terminal.screen().rows(0, 100).next());
    }
    terminal.screen_mut().set_scrollback(0);
    rows.extend(terminal.screen().rows(0, 100));
    rows
}

/// Nothing of the footer among its lines, and its last words before ours.
#[tokio::test]
async fn what_an_app_prints_stands_whole_among_the_lines() {
    let daemon = daemon::shared(&[]);
    let developer = Developer::join(&daemon).await;
    // Closed again: the app opens it, sooner or later.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let app = ["--exit-after", "12", "--", "python3", "-c", APP, &port];
    let listen = developer.listen(&[&[&*port], &app[..]].concat());
    let mut listening = listen.on_a_terminal("").start();
    listening.says("● connected").await;
    let mut events = Vec::new();
    for number in 1..=12 {
        events.push(developer.publish(&format!("ord_{number}")).await);
        // Its line, and so the footer below the line before.
        listening.says(&format!("  {}", events[number - 1])).await;
    }
    listening.must_exit(0).await;
    let rows = rows(listening.stdout().as_bytes());
    let shown = rows.join("\n");
    assert!(!shown.contains("──") && !shown.contains("q quit"), "remains of a footer:\n{shown}");
    let count = |whole: &str| rows.iter().filter(|row| *row == whole).count();
    assert_eq!(count("terminal True True 100 24"), 1, "{shown}");
    for event in &events {
        assert_eq!(count(&format!("app {event}")), 1, "{shown}");
        assert_eq!(shown.matches(&**event).count(), 2, "{shown}");
    }
    assert_eq!(count("100%"), 12, "the last one has no end of its own: {shown}");
    let place = |text: &str| rows.iter().position(|row| row.starts_with(text)).expect(&shown);
    assert!(place("last words") < place("12 events, 12 ok, 0 failed"), "{shown}");
    let holder = rows.iter().find_map(|row| row.strip_prefix("holder "));
    let kill = ["-c", "kill $0", holder.expect(&shown)];
    assert!(Command::new("sh").args(kill).status().unwrap().success(), "it has ended before");
}
