//! `listen`: the secret, where it goes, and the app that is started with it.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use bluum_hooks_shared::secret::Secret;
use bluum_hooks_shared::signature::SigningKey;
use bluum_hooks_tests::binary;
use bluum_hooks_tests::daemon::{self, Shared};
use bluum_hooks_tests::sink::Sink;
use bluum_hooks_tests::terminal::{self, Developer, Listen};
use bluum_hooks_tests::wait;

fn daemon() -> Shared {
    daemon::shared(&[])
}

fn secret(listen: Listen) -> String {
    listen.run().must_exit(0).stdout.trim().to_owned()
}

#[tokio::test]
async fn a_name_keeps_its_secret_and_another_has_its_own() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let first = secret(developer.listen(&["--print-secret"]));
    assert!(first.starts_with("whsec_"));
    assert_eq!(secret(developer.listen(&["--print-secret"])), first);
    assert_ne!(secret(developer.listen(&["--print-secret", "-n", "other"])), first);
    let run = developer.listen(&["--print-secret", "--json"]).run().must_exit(0);
    assert_eq!(run.json(), serde_json::json!({ "secret": first }));
    let mut listening = developer.listen(&["--exit-after", "1"]).ready().await;
    developer.publish("ord_1").await;
    listening.must_exit(0).await;
    let told = listening.stdout() + &listening.stderr();
    assert!(!told.contains(&first), "it is shown to a person, once: {told}");
}

#[tokio::test]
async fn an_env_file_gets_the_secret_and_keeps_the_rest() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".env");
    fs::write(&file, "A=1\nMY_SECRET=old\nB=2\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let target = format!("{}:MY_SECRET", file.display());
    let arguments = ["--print-secret", "--write-env", &target];
    let secret = secret(developer.listen(&arguments));
    let expected = format!("A=1\nMY_SECRET={secret}\nB=2\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    let again = developer.listen(&arguments).run().must_exit(0);
    assert!(again.stderr.contains("already"), "{again:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);

    let new = folder.path().join("new.env").display().to_string();
    let run = developer.listen(&["--print-secret", "--write-env", &new]).run().must_exit(0);
    assert!(!run.stderr.contains("tracked"), "{run:?}");
    assert_eq!(fs::read_to_string(&new).unwrap(), format!("WEBHOOK_SECRET={secret}\n"));
    assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o077, 0, "its owner's alone");

    let link = folder.path().join("link.env");
    symlink(&new, &link).unwrap();
    let link = link.display().to_string();
    let run = developer.listen(&["--print-secret", "--write-env", &link]).run().must_exit(2);
    assert!(run.stderr.contains("symbolic link"), "{run:?}");
}

#[tokio::test]
async fn a_file_that_git_tracks_is_warned_about() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".env");
    fs::write(&file, "").unwrap();
    for arguments in [&["init", "-q"][..], &["add", ".env"]] {
        let git = Command::new("git").args(arguments).current_dir(folder.path()).status();
        assert!(git.unwrap().success());
    }
    let file = file.display().to_string();
    let run = developer.listen(&["--print-secret", "--write-env", &file]).run().must_exit(0);
    assert!(run.stderr.contains("tracked by git"), "{run:?}");
}

#[tokio::test]
async fn the_apps_own_secret_signs_instead() {
    let daemon = daemon();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(200).await);
    let own = Secret::from_bytes(&[7; 32]).unwrap();
    let target = app.url("/");
    let mut listen = developer.listen(&[&target, "--sign-with", "env:APP_SECRET"]);
    listen.command.env("APP_SECRET", &*own.to_whsec());
    let listening = listen.ready().await;
    let event = developer.publish("ord_1").await;
    let request = app.until_count(1).await.remove(0);
    let timestamp = request.header("webhook-timestamp");
    let mac = SigningKey::new(&own).mac(&event, timestamp, &request.body);
    assert!(mac.is_listed(request.header("webhook-signature")), "{request:?}");
    drop(listening);
}

#[tokio::test]
async fn a_command_gets_the_secret_and_its_status_is_ours() {
    let daemon = daemon();
    let developer = Developer::join(&daemon).await;
    let secret = secret(developer.listen(&["--print-secret"]));
    let script = "test \"$WEBHOOK_SECRET\" = \"$BLUUM_WEBHOOK_SECRET\" && \
                  echo \"$WEBHOOK_SECRET\" > \"$0\"; echo from the app; exit 42";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret").display().to_string();
    let run = developer.listen(&["--", "sh", "-c", script, &file]).run().must_exit(42);
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), secret);
    assert!(run.stderr.contains("from the app") && run.stdout.is_empty(), "{run:?}");
    developer.listen(&["--", "sh", "-c", "kill -9 $$"]).run().must_exit(128 + 9);
}

/// Nothing is typed but what to keep.
#[tokio::test]
async fn the_project_and_the_profile_say_the_rest() {
    let daemon = daemon();
    let (developer, app) = (Developer::join(&daemon).await, Sink::always(401).await);
    let folder = tempfile::tempdir().unwrap();
    let (target, path) = (app.url("/in"), |name: &str| folder.path().join(name));
    let project = format!(
        "[listen]\ntargets = ['order.*={target}']\nevents = ['order.*']\n\
         secret_env = 'MY_SECRET'\n"
    );
    fs::write(path("bluum-hooks.toml"), project).unwrap();
    fs::create_dir_all(path("config/bluum-hooks")).unwrap();
    fs::write(path("config/bluum-hooks/config.toml"), "[default]\nlistener = 'ana'\n").unwrap();
    let inside = |command: &mut Command| {
        command.current_dir(folder.path()).env_remove("BLUUM_HOOKS_LISTENER");
        command.env("XDG_CONFIG_HOME", path("config")).env("XDG_STATE_HOME", path("state"));
    };
    let script = "echo app has $MY_SECRET >&2; trap 'exit 0' TERM; sleep 1000 & wait";
    let arguments = ["--json", "--save", "saved.ndjson", "--write-env", ".env"];
    let mut listen = developer.listen(&[&arguments[..], &["--", "sh", "-c", script]].concat());
    inside(&mut listen.command);
    let mut listening = listen.ready().await;
    let ready = listening.record("ready", |_| true).await;
    assert_eq!((&ready["listener"], &ready["targets"][0]), (&"ana".into(), &target.into()));
    developer.partner.publish("kyc.decided", &serde_json::json!({"id": "kyc_1"})).await;
    let event = developer.publish("ord_1").await;
    assert_eq!(app.until_count(1).await[0].event_id(), event, "of other types nothing is owed");
    listening.says("bluum-hooks verify last").await;
    let secret = fs::read_to_string(path(".env")).unwrap();
    let secret = secret.trim().strip_prefix("MY_SECRET=").unwrap();
    listening.says(&format!("app has {secret}")).await;
    listening.signal("TERM");
    listening.must_exit(0).await;

    let mut verify = binary::command(&["verify", "last"]);
    inside(&mut verify);
    let run = binary::finish(verify).must_exit(2);
    assert!(run.stderr.contains("MY_SECRET is not set"), "{run:?}");
    let mut verify = binary::command(&["verify", "last"]);
    inside(&mut verify);
    verify.env("MY_SECRET", secret);
    assert!(binary::finish(verify).must_exit(0).stdout.starts_with("✓ valid"));

    fs::write(path("bluum-hooks.toml"), "[listen]\ntargets = ['webhooks']\n").unwrap();
    let mut listen = developer.listen(&[]);
    inside(&mut listen.command);
    let run = listen.run().must_exit(2);
    assert!(run.stderr.contains("bluum-hooks.toml: 'webhooks' is no target"), "{run:?}");
}

/// Neither the app nor what it has started outlives us.
#[tokio::test]
async fn signals_are_passed_on_and_nobody_is_left_behind() {
    let daemon = daemon();
    for (signal, status) in [("TERM", 0), ("INT", 130)] {
        let developer = Developer::join(&daemon).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids").display().to_string();
        let script = "trap 'echo heard TERM; exit 0' TERM; trap 'echo heard INT; exit 0' INT; \
                      sleep 1000 & echo $$ $! > \"$0.new\"; mv \"$0.new\" \"$0\"; wait; wait";
        let mut listening = developer.listen(&["--", "sh", "-c", script, &file]).ready().await;
        let pids = wait::until("the app", async || fs::read_to_string(&file)).await;
        listening.signal(signal);
        listening.must_exit(status).await;
        assert!(listening.stderr().contains(&format!("heard {signal}")), "{}", listening.stderr());
        for pid in pids.split_whitespace() {
            terminal::until_ended(pid).await;
        }
    }
}
