//! `sign` and `verify`, as somebody uses them who wonders why a signature does not match.
#![expect(clippy::unwrap_used, reason = "a helper of tests may stop the test")]

use std::fs;
use std::path::Path;

use bluum_hooks_tests::binary::{self, Run};
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::terminal::Developer;
use serde_json::{Value, json};

const SECRET: &str = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
const BODY: &str = r#"{"event": "order.filled", "data": {}}"#;

fn at(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    fs::write(folder.join(name), content).unwrap();
    format!("@{}", folder.join(name).display())
}

/// `sign --json` of this body, with the secret in a file.
fn signed(folder: &Path, body: &[u8]) -> (String, String) {
    let body = at(folder, "body.json", body);
    let secret = at(folder, "secret.txt", SECRET).replacen('@', "file:", 1);
    let sign = ["sign", "--body", &body, "--secret", &secret, "--json"];
    let signed = binary::run(&sign).must_exit(0).stdout;
    (at(folder, "signed.json", signed), secret)
}

fn verify(request: &str, secret: &str) -> Run {
    binary::run(&["verify", request, "--secret", secret, "--json"])
}

#[test]
fn what_is_signed_verifies_whatever_the_body() {
    let folder = tempfile::tempdir().unwrap();
    for body in [BODY.as_bytes(), b"", b"\xff\x00\r\n"] {
        let (request, secret) = signed(folder.path(), body);
        let found = verify(&request, &secret).must_exit(0).json();
        assert_eq!((&found["valid"], text(&found, "reason")), (&json!(true), "valid"));
    }
}

#[test]
fn headers_and_body_may_come_apart() {
    let folder = tempfile::tempdir().unwrap();
    let body = at(folder.path(), "body.json", BODY);
    let secret = at(folder.path(), "secret.txt", SECRET).replacen('@', "file:", 1);
    let sign = ["sign", "--body", &body, "--secret", &secret, "--id", "evt_1"];
    let headers = binary::run(&sign).must_exit(0).stdout;
    let mut arguments = vec!["verify", "--body", &body, "--secret", &secret];
    assert!(headers.starts_with("webhook-id: evt_1\nwebhook-timestamp: "), "{headers}");
    headers.lines().for_each(|line| arguments.extend(["-H", line]));
    let found = binary::run(&arguments).must_exit(0).stdout;
    assert!(found.starts_with("✓ valid (key ") && found.ends_with(" ago)\n"), "{found}");
}

#[test]
fn what_does_not_match_is_explained_with_status_7() {
    let folder = tempfile::tempdir().unwrap();
    let (request, secret) = signed(folder.path(), BODY.as_bytes());
    let mut changed: Value =
        serde_json::from_str(&fs::read_to_string(request.trim_start_matches('@')).unwrap())
            .unwrap();
    changed["request"]["body"] = json!(BODY.replace(' ', ""));
    let changed = at(folder.path(), "changed.json", changed.to_string());
    let run = binary::run(&["verify", &changed, "--secret", &secret]).must_exit(7);
    assert_eq!(run.stderr, "", "it is what was asked for, and no error");
    assert!(run.stdout.starts_with("✗ matches JSON with"), "{}", run.stdout);
    assert!(run.stdout.contains("\n  the body was parsed and written again"), "{}", run.stdout);
    let found = verify(&changed, &secret).must_exit(7).json();
    assert_eq!((&found["valid"], text(&found, "reason")), (&json!(false), "json"));
}

#[test]
fn what_cannot_be_verified_is_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let (request, secret) = signed(folder.path(), BODY.as_bytes());
    for (arguments, words) in [
        (vec!["verify", "--secret", &secret], "nothing to verify"),
        (vec!["verify", &request, "--secret", SECRET], "others can read arguments"),
        (vec!["verify", &request, "--secret", "env:BLUUM_NOT_SET"], "BLUUM_NOT_SET is not set"),
        (vec!["verify", "request.txt", "--secret", &secret], "write @request.txt for a file"),
        (vec!["verify", "-", "--secret", "-"], "standard input can only be one of them"),
        (vec!["verify", &secret.replacen("file:", "@", 1), "--secret", &secret], "neither JSON"),
    ] {
        let run = binary::run(&arguments).must_exit(2);
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains(words), "{run:?}");
        assert!(!run.stderr.contains("QUFB"), "{run:?}");
    }
}

#[tokio::test]
async fn the_listeners_secret_is_tried_as_well() {
    let daemon = Daemon::start();
    let developer = Developer::join(&daemon).await;
    let folder = tempfile::tempdir().unwrap();
    let secret = developer.listen(&["--print-secret"]).run().must_exit(0).stdout;
    let own = at(folder.path(), "own.txt", secret.trim()).replacen('@', "file:", 1);
    let (_, other) = signed(folder.path(), BODY.as_bytes());
    let body = at(folder.path(), "body.json", BODY);
    let sign = ["sign", "--body", &body, "--secret", &own, "--json"];
    let request = at(folder.path(), "own.json", binary::run(&sign).must_exit(0).stdout);
    let verify = |request: &str, name: &str| {
        let arguments = ["verify", request, "--secret", &other];
        let mut command = daemon.command_as(&developer.key, &arguments);
        command.env("BLUUM_HOOKS_LISTENER", name);
        binary::finish(command).must_exit(7)
    };
    let told = verify(&request, "dev").stdout;
    let words = format!("✗ signed with the secret of listener 'dev', not with {other}\n");
    assert!(told.starts_with(&words), "{told}");
    let text = fs::read_to_string(request.trim_start_matches('@')).unwrap();
    let changed = at(folder.path(), "changed.json", text.replace("order", "0rder"));
    for (request, name) in [(&request, "nobody"), (&changed, "dev")] {
        let told = verify(request, name).stdout;
        assert!(told.starts_with("✗ no match with the key"), "{told}");
    }
}

/// `listen --save` leaves behind which file it wrote.
#[test]
fn last_is_the_last_delivery_that_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let mut command = binary::command(&["verify", "last"]);
        command.env("XDG_STATE_HOME", folder.path()).env("BLUUM_WEBHOOK_SECRET", SECRET);
        binary::finish(command)
    };
    assert!(run().must_exit(2).stderr.contains("listen --save FILE"));
    let (request, _) = signed(folder.path(), BODY.as_bytes());
    let request = fs::read_to_string(request.trim_start_matches('@')).unwrap();
    let mut record: Value = serde_json::from_str(&request).unwrap();
    record["type"] = json!("delivery");
    let lines = format!("{}\n{record}\n{}\n", json!({"type": "delivery"}), json!({"type": "end"}));
    let saved = at(folder.path(), "events.ndjson", lines);
    fs::create_dir(folder.path().join("bluum-hooks")).unwrap();
    let pointer = folder.path().join("bluum-hooks/last-saved");
    fs::write(&pointer, saved.trim_start_matches('@')).unwrap();
    assert!(run().must_exit(0).stdout.starts_with("✓ valid"));
    fs::write(folder.path().join("events.ndjson"), "{\"type\":\"end\"}\n").unwrap();
    assert!(run().must_exit(2).stderr.contains("there is no delivery in"));
}
