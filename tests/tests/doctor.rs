//! `bluum-hooks doctor`: it finds what keeps events from arriving, and says what to do.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use bluum_hooks_tests::binary;
use bluum_hooks_tests::client::Credentials;
use bluum_hooks_tests::daemon::{self, Daemon};
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::sink::{Answer, Request, Sink};
use bluum_hooks_tests::snapshot;
use serde_json::{Value, json};

async fn key(daemon: &Daemon, partner: &Partner) -> Credentials {
    daemon.new_key(&json!({"role": "tenant", "tenant": partner.tenant})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_status_0_all_is_well() {
    let daemon = daemon::shared(&[]);
    let partner = Partner::join(&daemon).await;
    let key = key(&daemon, &partner).await;
    partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let app = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("{}/webhooks", app.local_addr().unwrap());
    let run = binary::finish(daemon.command_as(&key, &["doctor", &target, "-n", "ana@laptop"]));
    let run = run.must_exit(0);
    assert!(!run.stdout.contains('✗') && run.stderr.is_empty(), "{run:?}");
    snapshot::check("doctor/well.txt", &snapshot::neutral(&run.stdout));

    let project = tempfile::tempdir().unwrap();
    let text = format!("[listen]\ntargets = ['*={target}']");
    fs::write(project.path().join("bluum-hooks.toml"), text).unwrap();
    let mut command = daemon.command_as(&key, &["doctor", "--json"]);
    command.current_dir(project.path());
    let run = binary::finish(command).must_exit(0);
    let findings: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let target = findings.iter().find(|finding| finding["check"] == "target").unwrap();
    assert_eq!(target["well"], true, "the project's targets are looked at: {target}");
}

/// The status is that of the first that is not well; the others are looked at all the same.
#[tokio::test(flavor = "multi_thread")]
async fn exit_statuses_1_2_3_and_5_say_what_is_not_well() {
    let daemon = daemon::shared(&[]);
    let partner = Partner::join(&daemon).await;
    let key = key(&daemon, &partner).await;
    partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let (_socket, closed) = bluum_hooks_tests::sink::refusing_port();
    let closed = closed.to_string();
    let run = binary::finish(daemon.command_as(&key, &["doctor", &closed])).must_exit(1);
    assert!(run.stdout.contains("✗ target        nothing listens on 127.0.0.1:"), "{run:?}");

    let wrong = Credentials { secret: "wrong".into(), ..key.clone() };
    let run = binary::finish(daemon.command_as(&wrong, &["doctor", &closed])).must_exit(3);
    snapshot::check("doctor/unwell.txt", &snapshot::neutral(&run.stdout));

    let away = ["doctor", "--base-url", "http://127.0.0.1:9"];
    let run = binary::finish(daemon.command_as(&key, &away)).must_exit(5);
    assert!(run.stdout.contains("✗ daemon        cannot reach http://127.0.0.1:9"), "{run:?}");

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bluum-hooks.toml"), "[lissten]").unwrap();
    let mut command = daemon.command_as(&key, &["doctor"]);
    command.current_dir(folder.path());
    let run = binary::finish(command).must_exit(2);
    assert!(run.stdout.contains("✗ settings") && run.stdout.contains("lissten"), "{run:?}");
}

/// A daemon behind a proxy that keeps back streams, with another time, and a listener whose secret
/// the app does not have.
fn strange(request: &Request) -> Answer {
    let answer = Answer::status(200).header("date", "Sun, 15 Jun 2025 14:30:15 GMT");
    let json = |value: Value| Answer::status(200).saying(value.to_string());
    match &*request.path {
        "/healthz" => answer,
        "/v1/events/stream" => answer.after(Duration::from_secs(60)),
        "/v1/listeners/ana" => json(json!({"object": "listener", "name": "ana", "livemode": false,
            "webhook_id": "wh_01jxt21q000000000000000003", "created": false, "cursor": 0,
            "waiting": 0, "event_type_names": ["*"],
            "secret": "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="})),
        _ => json(json!({"id": "apk_01jxt21q000000000000000003", "object": "api_key",
            "created": 1, "livemode": false, "role": "tenant", "status": "active",
            "tenant": "tnt_01jxt21q000000000000000003"})),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_stream_and_secret_are_looked_at() {
    let daemon = Sink::start(strange).await;
    let run = |secret: &str| {
        let mut command = binary::command(&["doctor", "-n", "ana"]);
        command.env("BLUUM_BASE_URL", daemon.url("")).env("BLUUM_API_SECRET", "secret");
        command.env("BLUUM_API_KEY", "apk_01jxt21q000000000000000003");
        command.env("BLUUM_WEBHOOK_SECRET", secret);
        binary::finish(command).must_exit(1)
    };
    let said = run("whsec_QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=").stdout;
    for words in [
        "✗ clock         this clock is",
        "ahead of the daemon's",
        "✗ stream        nothing came within 6 s",
        "switch its buffering off",
        "✗ secret        BLUUM_WEBHOOK_SECRET (425ed4e4) is not the secret of",
        "listener 'ana' (22a48051)",
        "listen --write-env",
    ] {
        assert!(said.contains(words), "'{words}' in {said}");
    }
    assert!(!said.contains("whsec_"), "{said}");
    let said = run("whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=").stdout;
    assert!(said.contains("✓ secret        BLUUM_WEBHOOK_SECRET is the secret"), "{said}");
}
