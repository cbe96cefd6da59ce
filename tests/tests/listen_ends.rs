//! How `listen` ends: each exit status of its help.
#![cfg(unix)]

use std::time::Duration;

use bluum_hooks_tests::client::{Credentials, text};
use bluum_hooks_tests::daemon::{self, Daemon, Shared};
use bluum_hooks_tests::severable::Severable;
use bluum_hooks_tests::sink::{Answer, Sink};
use bluum_hooks_tests::terminal::{self, Developer, Listen};
use bluum_hooks_tests::wait;
use serde_json::{Value, json};

fn daemon() -> Shared {
    daemon::shared(&[])
}

#[tokio::test]
async fn exit_0_when_a_condition_is_met() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let app = Sink::in_turn(&[500, 200]).await;
    let target = app.url("/");
    let arguments = [&*target, "-j", "1", "--json", "--within", "1m"];
    let expect = ["--expect", "type=order.filled", "--expect", "data.id=ord_2"];
    let mut expecting = developer.listen(&[&arguments[..], &expect].concat()).ready().await;
    developer.publish("ord_2").await;
    listening_is_alive(&expecting).await;
    developer.publish("ord_2").await;
    expecting.must_exit(0).await;
    let end = expecting.record("end", |_| true).await;
    assert_eq!(end["reason"], "expect", "an answer that is no success meets nothing");

    let mut counting = developer.listen(&["--exit-after", "2"]).ready().await;
    developer.publish("ord_3").await;
    developer.publish("ord_4").await;
    counting.must_exit(0).await;
    assert!(counting.stderr().contains("2 events, 2 ok, 0 failed"), "{}", counting.stderr());
}

async fn listening_is_alive(listening: &bluum_hooks_tests::terminal::Listening) {
    listening.record("delivery", |record| record["status"] == 500).await;
    assert!(!listening.stdout().contains(r#""type":"end""#));
}

#[tokio::test]
async fn exit_0_after_sigterm_and_130_after_an_interrupt_once_all_is_finished() {
    let daemon = daemon();
    for (signal, status, reason) in [("TERM", 0, "terminated"), ("INT", 130, "interrupted")] {
        let developer = Developer::join(&daemon).await;
        let app = Sink::start(|_| Answer::status(200).after(Duration::from_millis(500))).await;
        let target = app.url("/");
        let mut listening = developer.listen(&[&target, "--json"]).ready().await;
        developer.publish("ord_1").await;
        app.until_count(1).await;
        listening.signal(signal);
        listening.must_exit(status).await;
        let delivery = listening.record("delivery", |_| true).await;
        assert_eq!(delivery["status"], 200);
        let end = listening.record("end", |_| true).await;
        assert_eq!((&end["reason"], &end["exit"]), (&json!(reason), &json!(status)));
        let webhook = developer.partner.api.list("/v1/webhooks").await.remove(0);
        let path = format!("/v1/webhooks/{}/deliveries", text(&webhook, "id"));
        // Told before the end; it is recorded in the daemon's next commit.
        wait::until("it to be delivered", async || {
            let delivery = developer.partner.api.list(&path).await.remove(0);
            if delivery["status"] == "delivered" { Ok(()) } else { Err(delivery) }
        })
        .await;
    }
}

#[tokio::test]
async fn exit_0_when_nobody_reads_stdout() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let mut listen = developer.listen(&["--json"]);
    listen.command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut process = bluum_hooks_tests::binary::Ending(listen.command.spawn().expect("spawn"));
    drop(process.0.stdout.take());
    // Written to nobody: the record that it is ready.
    let status = process.wait(wait::DEADLINE, "listen to end");
    assert_eq!(status.code(), Some(0));
}

/// Of input, output and errors, one is no terminal. Only the errors are beside the screen.
#[tokio::test]
async fn without_a_whole_terminal_there_are_plain_lines() {
    let daemon = daemon();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    for (redirected, plain) in [("<", true), (">", true), ("2>", false)] {
        std::fs::write(&file, "").expect("a file");
        let developer = Developer::join(&daemon).await;
        let redirection = format!("{redirected} {}", file.display());
        let listen = developer.listen(&["--exit-after", "1"]).on_a_terminal(&redirection);
        let mut listening = listen.start();
        wait::until("a listener that is held", async || {
            let answer = developer.partner.api.get("/v1/listeners/dev").await;
            let is_held = answer.status == 200 && answer.must_be(200)["holder"].is_object();
            if is_held { Ok(()) } else { Err(listening.stdout()) }
        })
        .await;
        let event = developer.publish("ord_1").await;
        listening.must_exit(0).await;
        let said = listening.stdout() + &std::fs::read_to_string(&file).expect("the file");
        for words in ["✓ sandbox", &event, "1 event, 1 ok, 0 failed"] {
            assert!(said.contains(words), "'{words}' with {redirected}: {said}");
        }
        assert_eq!(!said.contains('\x1b'), plain, "{redirected}: {said}");
    }
}

#[tokio::test]
async fn exit_2_for_arguments_that_cannot_be_used() {
    let nobody = Credentials { key: "apk_x".into(), secret: "x".into() };
    for (arguments, words) in [
        (&["8.8.8.8:80"][..], "--allow-remote"),
        (&["nowhere"], "no port"),
        (&["ordr.*=3000"], "did you mean 'order.*'"),
        (&["-w", "amount"], "is no condition"),
        (&["--since", "yesterday"], "no place to start"),
        (&["-n", "a b"], "is no name"),
        (&["-H", "host: x"], "--host-header"),
        (&["--within", "1s"], "--exit-after or --expect"),
        (&["--sign-with", "whsec_AAAA"], "--sign-with"),
        (&["https://localhost:1", "--ca-cert", "absent.pem"], "absent.pem"),
        (&["--takeover", "--share"], "cannot be used with"),
    ] {
        // Refused before anybody is asked: nothing listens there.
        let run = Listen::new("http://127.0.0.1:1", &nobody, arguments).run().must_exit(2);
        assert!(run.stderr.contains(words) && run.stdout.is_empty(), "{run:?}");
        assert!(!run.stderr.contains("whsec_"), "{run:?}");
    }
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let run = developer.listen(&["-e", "order.fileld"]).run().must_exit(2);
    assert!(run.stderr.contains("order.filled"), "{run:?}");
    let run = developer.listen(&["--live"]).run().must_exit(2);
    assert!(run.stderr.contains("sandbox"), "{run:?}");
}

#[tokio::test]
async fn exit_2_for_a_live_key_unless_that_is_meant() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let key = json!({"role": "tenant", "tenant": developer.partner.tenant, "livemode": true});
    let key = daemon.new_key(&key).await;
    let run = Listen::new(daemon.base(), &key, &[]).run().must_exit(2);
    assert!(run.stderr.contains("live data") && run.stderr.contains("--live"), "{run:?}");
    assert_eq!(daemon.client(Some(&key)).list("/v1/webhooks").await, [] as [Value; 0]);
    let meant = Listen::new(daemon.base(), &key, &["--live", "--json"]).ready().await;
    assert_eq!(meant.record("ready", |_| true).await["livemode"], true);
}

#[tokio::test]
async fn exit_3_for_a_key_that_is_refused_at_first_or_later() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let wrong = Credentials { key: developer.key.key.clone(), secret: "wrong".into() };
    let run = Listen::new(daemon.base(), &wrong, &[]).run().must_exit(3);
    assert!(run.stderr.contains("BLUUM_API_SECRET"), "{run:?}");
    let mut listening = developer.listen(&[]).ready().await;
    let key = format!("/v1/keys/{}", developer.key.key);
    daemon.operator().delete(&key).await.must_be(200);
    listening.must_exit(3).await;
}

#[tokio::test]
async fn exit_5_when_the_daemon_is_not_there_or_stays_away() {
    let mut daemon = Daemon::start();
    let developer = Developer::join(&daemon).await;
    let run = developer.listen_through("http://127.0.0.1:1", &[]).run().must_exit(5);
    assert!(run.stderr.contains("bluum-hooks serve"), "{run:?}");
    let mut listening = developer.listen(&["--max-offline", "1s", "--json"]).ready().await;
    daemon.kill();
    listening.must_exit(5).await;
    let error = listening.record("error", |_| true).await;
    assert_eq!((&error["code"], &error["exit"]), (&json!("unreachable"), &json!(5)));
}

#[tokio::test]
async fn exit_6_when_the_name_is_in_use_and_when_it_is_taken() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let mut first = developer.listen(&["--json", "-e", "order.*"]).ready().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("started").display().to_string();
    let run = developer.listen(&["-e", "kyc.*", "--", "touch", &file]).run().must_exit(6);
    let pid = format!("this machine, pid {}", first.id());
    for words in [&*pid, "--takeover", "--share", "--name"] {
        assert!(run.stderr.contains(words), "{run:?}");
    }
    assert_eq!(run.stderr.lines().count(), 1, "it says nothing else: {run:?}");
    assert!(!std::path::Path::new(&file).exists(), "the command is not started");
    // Nor does it change what the other one listens to; nor does asking for the secret.
    developer.listen(&["--print-secret"]).run().must_exit(0);
    let listener = developer.partner.api.get("/v1/listeners/dev").await.must_be(200);
    assert_eq!(listener["event_type_names"], json!(["order.*"]));
    let second = developer.listen(&["--takeover"]).ready().await;
    first.must_exit(6).await;
    let error = first.record("error", |_| true).await;
    assert_eq!(error["code"], "listener_busy");
    // Another name gets its own copy.
    let _other = developer.listen(&["--name", "other"]).ready().await;
    drop(second);
    let _third = developer.listen(&[]).ready().await;
}

/// Killed, and its connection is still there for the dispatcher: it need not be taken over.
#[tokio::test]
async fn a_process_that_is_dead_holds_no_name() {
    let daemon = daemon();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let proxy = Severable::before(daemon.base()).await;
    let first = developer.listen_through(&proxy.base(), &[]).ready().await;
    proxy.fall_silent();
    let run = developer.listen(&[]).run().must_exit(6);
    assert!(run.stderr.contains(&format!("pid {}", first.id())), "{run:?}");
    drop(first);
    let target = app.url("/");
    let _second = developer.listen(&[&target]).ready().await;
    developer.publish("ord_1").await;
    app.until_count(1).await;
}

#[tokio::test]
async fn share_splits_the_events() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let apps = [Sink::always(200).await, Sink::always(200).await];
    let targets = apps.each_ref().map(|app| app.url("/"));
    let _first = developer.listen(&[&targets[0], "--share"]).ready().await;
    let _second = developer.listen(&[&targets[1], "--share"]).ready().await;
    developer.publish_many(100).await;
    let counts = async || apps.each_ref().map(|app| app.requests().len());
    wait::until("all of them", async || match counts().await {
        [one, two] if one + two == 100 && one > 0 && two > 0 => Ok(()),
        counts => Err(format!("{counts:?}")),
    })
    .await;
}

#[tokio::test]
async fn exit_124_when_within_runs_out() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let run = developer.listen(&["--exit-after", "1", "--within", "1s"]).run().must_exit(124);
    assert!(run.stderr.contains("--within ran out"), "{run:?}");
}

#[tokio::test]
async fn exit_126_and_127_when_the_command_cannot_be_run() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let run = developer.listen(&["--", "no-such-command"]).run().must_exit(127);
    assert!(run.stderr.contains("no-such-command"), "{run:?}");
    developer.listen(&["--", "/"]).run().must_exit(126);
}

#[tokio::test]
async fn exit_130_after_an_interrupt_and_at_once_after_a_second() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let app = Sink::start(|_| Answer::status(200).after(Duration::from_secs(60))).await;
    let target = app.url("/");
    let mut listening = developer.listen(&[&target, "--json"]).ready().await;
    developer.publish("ord_1").await;
    app.until_count(1).await;
    let begun = wait::now();
    listening.signal("INT");
    listening.signal("INT");
    listening.must_exit(130).await;
    assert!(wait::now() - begun < Duration::from_secs(4), "the second is heard");
    // Not answered: it is for the next.
    let other = Sink::always(200).await;
    let target = other.url("/");
    let _next = developer.listen(&[&target]).ready().await;
    other.until_count(1).await;
}

/// Not even with a result that nobody takes, and an app that does not listen.
#[tokio::test]
async fn a_second_interrupt_waits_for_nothing_and_leaves_nobody_behind() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let app = Sink::start(|_| Answer::status(200).after(Duration::from_millis(500))).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pid").display().to_string();
    let script = "trap '' INT TERM; sleep 1000 & echo $! > \"$0\"; wait";
    let proxy = Severable::before(daemon.base()).await;
    let target = app.url("/");
    let arguments = [&*target, "--json", "--", "sh", "-c", script, &file];
    let mut listening = developer.listen_through(&proxy.base(), &arguments).ready().await;
    developer.publish("ord_1").await;
    app.until_count(1).await;
    proxy.fall_silent();
    listening.record("delivery", |_| true).await;
    let begun = wait::now();
    listening.signal("INT");
    wait::pause(Duration::from_millis(500)).await;
    listening.signal("INT");
    listening.must_exit(130).await;
    assert!(wait::now() - begun < Duration::from_secs(4), "the second is heard");
    terminal::until_ended(std::fs::read_to_string(&file).expect("the app's child").trim()).await;
}
