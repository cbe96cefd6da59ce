//! The examples, run as they are.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::OnceLock;

use bluum_hooks_receiver::header::MAX_DELIVERY_BYTES;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::client::{
    Client, Headers, ID, PATIENCE, event, forged, head, length, post, secret, signed,
};

const SECRET: &str = "BLUUM_WEBHOOK_SECRET";

/// The folder with the examples, which cargo builds only where all tests are asked for.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // A test runs as <target>/<profile>/deps/<name>.
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        let mut cargo = std::process::Command::new(env!("CARGO"));
        // What cargo tells this test about itself would look to the build scripts like a change.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&*name);
            }
        }
        let profile_name = match profile.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        // As ./check builds everything, so that nothing is built twice there.
        let built = cargo
            .args(["build", "--quiet", "--workspace", "--all-features", "--examples"])
            .args(["--profile", profile_name, "--target-dir"])
            .arg(profile.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.unwrap().success(), "the examples do not build; see above");
        profile.join("examples")
    })
}

fn command(example: &str) -> Command {
    let mut command = Command::new(folder().join(example));
    command.arg("127.0.0.1:0").env_remove(SECRET).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// An example that listens.
struct Receiver {
    address: SocketAddr,
    path: String,
    printed: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Receiver {
    async fn start(example: &str) -> Self {
        let mut command = command(example);
        command.env(SECRET, &*secret().to_whsec()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut printed = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = printed.next_line().await.unwrap().unwrap();
        let url = line.strip_prefix("listening on http://").unwrap();
        let (address, path) = url.split_once('/').unwrap();
        let (address, path) = (address.parse().unwrap(), format!("/{path}"));
        Self { address, path, printed, _process: process }
    }

    async fn next_line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.printed.next_line());
        line.await.unwrap().unwrap().unwrap()
    }
}

async fn handles_events_and_refuses_the_rest(example: &str) {
    let mut receiver = Receiver::start(example).await;
    let (address, path) = (receiver.address, receiver.path.clone());
    let status =
        async |headers: &Headers, body: &str| post(address, &path, headers, body).await.status;

    let filled = event("order.filled", r#"{"id":"ord_1","status":"filled"}"#);
    let altered = filled.replace("ord_1", "ord_2");
    let other = event("order.settled", "[1, 2]");
    assert_eq!(status(&signed(&filled), &altered).await, 401, "altered");
    assert_eq!(status(&forged(), &filled).await, 401, "forged");
    assert_eq!(status(&Vec::new(), &filled).await, 400, "bare");
    assert_eq!(status(&signed("{}"), "{}").await, 400, "no event");
    let doubled = [signed(&filled), signed(&filled)].concat();
    assert_eq!(status(&doubled, &filled).await, 400, "doubled");
    let mut client = Client::connect(address).await;
    client.send(head(&path, &forged(), &length(MAX_DELIVERY_BYTES + 1))).await;
    assert_eq!(client.answer().await.status, 413, "too large");

    assert_eq!(status(&signed(&filled), &filled).await, 204);
    assert_eq!(status(&signed(&other), &other).await, 204);
    // Nothing else was printed: no handler ran for what was refused.
    let time = "2026-06-15T14:30:15.123Z";
    let line = format!("{time} {ID} order.filled ord_1 is filled");
    assert_eq!(receiver.next_line().await, line);
    let line = format!("{time} {ID} order.settled 6 bytes of data");
    assert_eq!(receiver.next_line().await, line);
}

#[tokio::test]
async fn axum_handles_events_and_refuses_the_rest() {
    handles_events_and_refuses_the_rest("axum").await;
}

#[tokio::test]
async fn tower_hyper_handles_events_and_refuses_the_rest() {
    handles_events_and_refuses_the_rest("tower_hyper").await;
}

#[tokio::test]
async fn actix_handles_events_and_refuses_the_rest() {
    handles_events_and_refuses_the_rest("actix").await;
}

async fn output(command: &mut Command) -> (Output, String, String) {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output, stdout, stderr)
}

#[tokio::test]
async fn without_a_usable_secret_they_say_what_to_set() {
    for example in ["axum", "tower_hyper", "actix"] {
        let (ended, _, stderr) = output(&mut command(example)).await;
        assert_eq!(ended.status.code(), Some(1), "{example}");
        assert!(stderr.contains("set BLUUM_WEBHOOK_SECRET to the secret"), "{example}: {stderr}");
        let (ended, _, stderr) = output(command(example).env(SECRET, "whsec_AAAA")).await;
        assert_eq!(ended.status.code(), Some(1), "{example}");
        assert!(stderr.contains("BLUUM_WEBHOOK_SECRET: "), "{example}: {stderr}");
    }
}

#[tokio::test]
async fn plain_shows_what_is_accepted_and_what_is_refused() {
    let (ended, stdout, stderr) = output(&mut command("plain")).await;
    assert!(ended.status.success(), "{stderr}");
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{stdout}");
    assert!(lines[0].starts_with("accepted: order.filled, ord_"), "{stdout}");
    assert!(lines[1].starts_with("refused with 401: no signature fits"), "{stdout}");
    assert!(lines[2].starts_with("refused with 400: the header 'webhook-signature'"), "{stdout}");
}
