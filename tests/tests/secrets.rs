//! What is secret: signing secrets rotated without a gap; they, private keys and partners' headers
//! sealed in the database, and in no log.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bluum_hooks_dispatcher::random::SystemRandom;
use bluum_hooks_dispatcher::vault::{Vault, VaultKey};
use bluum_hooks_receiver::{Verifier, now};
use bluum_hooks_shared::asymmetric::PrivateKey;
use bluum_hooks_tests::binary::{self, Run};
use bluum_hooks_tests::client::{Call, text};
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::{Partner, Webhook, first_about};
use bluum_hooks_tests::sink::Sink;
use bluum_hooks_tests::wait;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use standardwebhooks::Webhook as Independent;

/// 32 bytes that are no random key, in base64.
const OTHER_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// The value of a header that a partner wants on its deliveries.
const TOKEN: &str = "Bearer of-the-partner-alone";

/// A webhook with everything that is to be kept secret.
async fn guarded(partner: &Partner, sink: &Sink) -> Webhook {
    let headers = json!({"authorization": TOKEN});
    let body = json!({
        "url": sink.url("/in"), "eventTypeNames": ["order.*"], "headers": headers, "ed25519": true,
    });
    let webhook = partner.subscribe_as(&body).await;
    assert_eq!(partner.webhook(&webhook).await["headers"], headers, "its owner may see them");
    webhook
}

async fn joined_guarded(daemon: &Daemon) -> (Sink, Partner, Webhook) {
    let sink = Sink::always(200).await;
    let partner = Partner::join(daemon).await;
    let webhook = guarded(&partner, &sink).await;
    (sink, partner, webhook)
}

async fn connect(daemon: &Daemon) -> SqliteConnection {
    SqliteConnectOptions::new().filename(daemon.database()).connect().await.unwrap()
}

/// The private keys of a webhook, which only the sealing key opens.
async fn private_keys(daemon: &Daemon, webhook: &Webhook) -> Vec<[u8; 32]> {
    let key = VaultKey::parse(&std::fs::read_to_string(key_file(daemon)).unwrap()).unwrap();
    let vault = Vault::new(&key, Arc::new(SystemRandom));
    let secrets: String = sqlx::query_scalar("SELECT secrets FROM webhooks WHERE id = ?1")
        .bind(&webhook.id)
        .fetch_one(&mut connect(daemon).await)
        .await
        .unwrap();
    let secrets: Vec<Value> = serde_json::from_str(&secrets).unwrap();
    let open = |secret: &Value| {
        let sealed = serde_json::from_value(secret["private_key"].clone()).unwrap();
        let seed = vault.open(&format!("{}/ed25519", webhook.id), &sealed).unwrap();
        seed.as_slice().try_into().unwrap()
    };
    secrets.iter().map(open).collect()
}

fn key_file(daemon: &Daemon) -> PathBuf {
    daemon.folder().join("hooks.db.key")
}

fn key_id(file: &Path) -> String {
    let key = std::fs::read_to_string(file).unwrap();
    let vault_key = VaultKey::parse(&key).unwrap();
    assert!(!key.contains(&vault_key.id()), "the id gives the key away");
    vault_key.id()
}

/// Whether these bytes stand in one of the files of the database.
fn stored(daemon: &Daemon, bytes: &[u8]) -> bool {
    let mut found = false;
    for suffix in ["", "-wal", "-shm"] {
        let mut file = daemon.database().into_os_string();
        file.push(suffix);
        let contents = std::fs::read(file).unwrap_or_default();
        found |= contents.windows(bytes.len()).any(|window| window == bytes);
    }
    found
}

#[tokio::test]
async fn the_database_holds_no_secret_that_can_be_read() {
    let mut daemon = Daemon::start();
    let (_sink, partner, webhook) = joined_guarded(&daemon).await;
    let second = partner.rotated(&webhook, 86_400).await;
    let seeds = private_keys(&daemon, &webhook).await;
    let public_keys = seeds.iter().map(|seed| PrivateKey::from_seed(seed).public_key().to_string());
    let public_keys: Vec<_> = public_keys.collect();
    assert_eq!(partner.webhook(&webhook).await["public_keys"], json!(public_keys));
    for stopped in [false, true] {
        if stopped {
            assert!(daemon.terminate().success());
        }
        assert!(stored(&daemon, webhook.id.as_bytes()), "the search finds what is there");
        assert!(stored(&daemon, key_id(&key_file(&daemon)).as_bytes()), "what is sealed is there");
        for secret in [&webhook.secret, &second] {
            let base64 = secret.strip_prefix("whsec_").unwrap();
            let bytes = BASE64_STANDARD.decode(base64).unwrap();
            assert!(!stored(&daemon, base64.as_bytes()), "the text of a secret is in the database");
            assert!(!stored(&daemon, &bytes), "the bytes of a secret are in the database");
        }
        for seed in &seeds {
            for text in [&seed[..], BASE64_STANDARD.encode(seed).as_bytes()] {
                assert!(!stored(&daemon, text), "a private key is in the database");
            }
        }
        assert!(!stored(&daemon, TOKEN.as_bytes()), "a partner's header is in the database");
        let key = std::fs::read_to_string(key_file(&daemon)).unwrap();
        assert!(!stored(&daemon, key.trim().as_bytes()), "the key is in the database");
    }
}

/// Tries to serve the database of a daemon that has ended.
fn serve(daemon: &Daemon, options: &[&str], key: Option<&str>) -> Run {
    let mut command = binary::command(&["serve", "--listen", "127.0.0.1:0"]);
    command.args(["--database", &daemon.url()]).args(options);
    command.envs(key.map(|key| ("BLUUM_HOOKS_SECRETS_KEY", key)));
    binary::finish(command)
}

/// Checks that nothing was bound, and that one line says why, with these words.
fn check_refused(run: Run, code: i32, words: &[&str]) {
    let run = run.must_exit(code);
    assert_eq!(run.stdout, "", "it listened: {run:?}");
    let errors: Vec<_> = run.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{run:?}");
    for word in words {
        assert!(errors[0].contains(word), "expected '{word}' in {run:?}");
    }
    assert!(!run.stderr.contains(OTHER_KEY.trim_end_matches('=')), "it shows the key: {run:?}");
}

#[tokio::test]
async fn a_key_that_is_not_the_right_one_is_refused_before_anything_is_bound() {
    let mut daemon = Daemon::start();
    Partner::joined(&daemon).await;
    daemon.kill();
    let file = key_file(&daemon);
    let name = file.display().to_string();
    let (right, wrong) = (key_id(&file), "72cd6e84");
    let other = daemon.folder().join("other.key");
    std::fs::write(&other, format!("{OTHER_KEY}\n")).unwrap();
    assert_eq!(key_id(&other), wrong);
    let other = other.display().to_string();

    let advice = "--secrets-key-file";
    let options = [advice, &other];
    check_refused(serve(&daemon, &options, None), 1, &[&right, wrong, &other, advice]);
    let variable = "BLUUM_HOOKS_SECRETS_KEY";
    check_refused(serve(&daemon, &[], Some(OTHER_KEY)), 1, &[&right, wrong, variable, advice]);
    let half = OTHER_KEY.replace('=', "");
    check_refused(serve(&daemon, &[], Some(&half)), 2, &[variable, "32 bytes in base64"]);

    let absent = daemon.folder().join("absent.key").display().to_string();
    check_refused(serve(&daemon, &[advice, &absent], None), 1, &[&right, &absent, advice]);
    let aside = daemon.folder().join("aside.key");
    std::fs::rename(&file, &aside).unwrap();
    check_refused(serve(&daemon, &[], None), 1, &[&right, &name, advice]);
    assert!(!file.exists(), "a new key would hide that the old one is lost");
    std::fs::write(&file, "no key").unwrap();
    check_refused(serve(&daemon, &[], None), 2, &[&right, &name, "32 bytes in base64"]);

    std::fs::rename(&aside, &file).unwrap();
    daemon.restart();
}

#[tokio::test]
async fn what_is_sealed_opens_nowhere_but_where_it_belongs_and_that_is_our_fault() {
    let mut daemon = Daemon::start();
    let (sink, mut partner, first) = joined_guarded(&daemon).await;
    let second = guarded(&partner, &sink).await;
    daemon.kill();
    let mut events = Vec::new();
    const FIRST: &str = "FROM webhooks ORDER BY number LIMIT 1";
    for (owner, moved) in [
        (&second, format!("secrets = (SELECT secrets {FIRST})")),
        (&second, format!("headers = (SELECT headers {FIRST})")),
        (
            &second,
            format!(
                "secrets = json_set(secrets, '$[0].private_key', json((
                    SELECT secrets -> '$[0].private_key' {FIRST}
                )))"
            ),
        ),
        (&first, "secrets = json_set(secrets, '$[0].sealed', headers ->> 'sealed')".to_owned()),
        (&first, "headers = secrets -> '$[0].private_key'".to_owned()),
    ] {
        let mut connection = connect(&daemon).await;
        let keep = "CREATE TEMP TABLE kept AS SELECT number, secrets, headers FROM webhooks";
        sqlx::query(keep).execute(&mut connection).await.unwrap();
        let moved = format!("UPDATE webhooks SET {moved}");
        sqlx::query(AssertSqlSafe(moved.clone())).execute(&mut connection).await.unwrap();
        daemon.restart();
        partner.operator = daemon.operator();
        let object = json!({"id": format!("ord_{}", events.len())});
        let event = partner.publish("order.filled", &object).await;
        events.push(event.clone());
        let delivery = until_our_fault(&partner, owner, &event).await;
        assert_eq!((text(&delivery, "status"), &delivery["failures"]), ("waiting", &json!(0)));
        let log = daemon.log();
        assert!(log.contains(&owner.id) && log.contains("belongs to something else"), "{log}");
        let ready = partner.operator.get("/readyz").await.must_be(200);
        assert_eq!(
            (text(&ready, "status"), &ready["faults"][0]["fault"]),
            ("degraded", &json!("secrets"))
        );
        daemon.kill();
        let restore = "UPDATE webhooks SET secrets = kept.secrets, headers = kept.headers
            FROM kept WHERE kept.number = webhooks.number";
        sqlx::query(restore).execute(&mut connection).await.unwrap();
    }
    daemon.restart();
    partner.operator = daemon.operator();
    for (event, webhook) in events.iter().flat_map(|event| [(event, &first), (event, &second)]) {
        let delivery = partner.until_delivery(webhook, event, "delivered").await;
        assert_eq!(delivery["failures"], 0, "{delivery}");
    }
}

/// Waits for an attempt that did not happen, through a fault of ours.
async fn until_our_fault(partner: &Partner, webhook: &Webhook, event: &str) -> Value {
    wait::until("an attempt that was our fault", async || {
        let deliveries = partner.deliveries(webhook).await;
        let Some(delivery) = deliveries.iter().find(|one| text(one, "event_id") == event) else {
            return Err(json!(deliveries));
        };
        let path = format!("/v1/deliveries/{}", text(delivery, "id"));
        let delivery = partner.operator.get(&path).await.must_be(200);
        if delivery["attempts"][0]["outcome"] == "our_fault" { Ok(delivery) } else { Err(delivery) }
    })
    .await
}

#[tokio::test]
async fn rekey_seals_everything_with_the_new_key() {
    let mut daemon = Daemon::start();
    let (sink, partner, webhook) = joined_guarded(&daemon).await;
    let public_key = partner.webhook(&webhook).await["public_keys"][0].as_str().unwrap().to_owned();
    partner.rotated(&webhook, 86_400).await;
    let (old, new) = (key_file(&daemon), daemon.folder().join("new.key"));
    let (url, name) = (daemon.url(), new.display().to_string());
    let rekey = ["secrets", "rekey", "--database", &url, "--new-key-file", &name, "--json"];
    let running = binary::run(&rekey).must_exit(1);
    assert!(running.stderr.contains("another dispatcher"), "{running:?}");
    assert!(!new.exists(), "a key was made for nothing");
    daemon.kill();

    let old_id = key_id(&old);
    let done = binary::run(&rekey).must_exit(0).json();
    let new_id = key_id(&new);
    let expected = json!({"webhooks": 1, "secrets": 2, "old_key_id": old_id, "new_key_id": new_id});
    assert_eq!(done, expected);
    assert!(stored(&daemon, new_id.as_bytes()));
    assert!(!stored(&daemon, old_id.as_bytes()), "something is still sealed with the old key");
    check_refused(serve(&daemon, &[], None), 1, &[&old_id, &new_id]);
    check_refused(binary::run(&rekey[..6]), 1, &[&old_id, &new_id]);

    std::fs::rename(&new, &old).unwrap();
    let same = ["secrets", "rekey", "--database", &url, "--new-key-file"];
    let same = binary::run(&[&same[..], &[&*old.display().to_string()]].concat());
    check_refused(same, 2, &[&new_id]);
    daemon.restart();
    let partner = Partner { operator: daemon.operator(), ..partner };
    let request = partner.delivered(&sink).await;
    let library = Independent::new(&webhook.secret).unwrap();
    assert!(library.verify(&request.body, &request.headers).is_ok());
    let verifier: Verifier = public_key.parse().unwrap();
    verifier.verify(&request.headers, &request.body, now()).unwrap();
    assert_eq!(request.header("authorization"), TOKEN);
}

/// An answer that shows a secret is kept for whoever asks again, and kept sealed.
#[tokio::test]
async fn kept_answers_show_no_secret_and_outlive_a_new_key() {
    let mut daemon = Daemon::start();
    let (_, partner, webhook) = Partner::joined(&daemon).await;
    let url = "http://127.0.0.1:9/";
    let url = json!({"url": url, "eventTypeNames": ["*"], "tenant": partner.tenant});
    let calls = [
        ("/v1/webhooks".to_owned(), url, "secret"),
        (format!("/v1/webhooks/{}/secrets", webhook.id), json!({}), "secret"),
        ("/v1/keys".to_owned(), json!({"role": "operator"}), "api_secret"),
    ]
    .map(|(path, body, secret)| {
        let call = Call::post(&path, body.to_string()).header("idempotency-key", &path);
        (call, secret)
    });
    let mut first = Vec::new();
    for (call, secret) in &calls {
        let answer = partner.operator.send(call.clone()).await;
        let shown = text(&answer.must_be(201), secret).to_owned();
        let plain = shown.strip_prefix("whsec_").unwrap_or(&shown).to_owned();
        assert!(!stored(&daemon, plain.as_bytes()), "{} is kept as it is", call.path);
        if let Ok(bytes) = BASE64_STANDARD.decode(&plain) {
            assert!(!stored(&daemon, &bytes), "{} is kept in bytes", call.path);
        }
        first.push(answer.body);
    }
    daemon.kill();
    let (url, old, new) = (daemon.url(), key_file(&daemon), daemon.folder().join("new.key"));
    let name = new.display().to_string();
    let old_id = key_id(&old);
    binary::run(&["secrets", "rekey", "--database", &url, "--new-key-file", &name]).must_exit(0);
    assert!(!stored(&daemon, old_id.as_bytes()), "something is still sealed with the old key");
    std::fs::rename(&new, &old).unwrap();
    daemon.restart();
    for ((call, _), first) in calls.into_iter().zip(first) {
        let again = daemon.operator().send(call).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.body, first);
    }
    daemon.audit();
}

/// With every log on, and through every place that holds a secret: made, rotated, signed with, read
/// back at the start.
#[tokio::test]
async fn no_log_shows_a_secret_or_a_payload() {
    let mut daemon = Daemon::start();
    daemon.restart_logging("trace");
    let (sink, partner, webhook) = joined_guarded(&daemon).await;
    let second = partner.rotated(&webhook, 86_400).await;
    let key = daemon.new_key(&json!({"role": "tenant", "tenant": partner.tenant})).await;
    daemon.client(Some(&key)).get("/v1/webhooks").await.must_be(200);
    let marker = "the-payload-in-a-log";
    let data = json!({"id": "ord_1", "note": marker});
    let event = partner.publish("order.filled", &data).await;
    first_about(&sink, &event).await;
    partner.until_delivery(&webhook, &event, "delivered").await;
    assert!(daemon.terminate().success());
    daemon.restart();
    assert!(daemon.terminate().success());

    let log = daemon.log();
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "the logs were off");
    let sealing = std::fs::read_to_string(key_file(&daemon)).unwrap();
    let mut hidden = vec![("the payload", marker.to_owned())];
    hidden.push(("a partner's header", TOKEN.to_owned()));
    for seed in private_keys(&daemon, &webhook).await {
        hidden.push(("a private key", BASE64_STANDARD.encode(seed)));
        hidden.push(("the bytes of a private key", format!("{:?}", &seed[..8]).replace(']', "")));
    }
    for secret in [&webhook.secret, &second] {
        hidden.push(("a signing secret", secret.strip_prefix("whsec_").unwrap().to_owned()));
    }
    for credentials in [&key, daemon.operator_key()] {
        hidden.push(("an API secret", credentials.secret.clone()));
        let header = credentials.header();
        hidden.push(("the header of a key", header.strip_prefix("Basic ").unwrap().to_owned()));
    }
    hidden.push(("the sealing key", sealing.trim().to_owned()));
    for (what, text) in hidden {
        let line = log.lines().find(|line| line.contains(&text));
        assert!(line.is_none(), "{what} is in the log: {}", line.expect("a line"));
    }
}
