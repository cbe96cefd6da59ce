//! The command line: what it prints and where, what its errors say, how it ends.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of tests may stop the test")]

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use bluum_hooks_shared::catalogue::CATALOGUE;
use bluum_hooks_tests::binary::{self, Run};
use bluum_hooks_tests::client::{Client, text};
use bluum_hooks_tests::daemon::{self, Daemon};
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::sink::{Answer, Sink};
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

/// The options of `serve` for a database in this folder.
fn database(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("hooks.db").display())
}

fn keys(object: &Value) -> BTreeSet<&str> {
    let object = object.as_object().unwrap_or_else(|| panic!("{object} is no object"));
    object.keys().map(String::as_str).collect()
}

/// Checks that a command failed as an operator likes it: one line that begins with `error:`, holds
/// these words, and goes on to the next step; no stack trace, and nothing on stdout.
fn check_error(run: Run, code: i32, words: &[&str]) {
    let run = run.must_exit(code);
    let errors: Vec<&str> =
        run.stderr.lines().filter(|line| line.to_lowercase().starts_with("error:")).collect();
    assert_eq!(errors.len(), 1, "expected one line 'error: …' in {run:?}");
    for word in words {
        assert!(errors[0].contains(word), "expected '{word}' in the error of {run:?}");
    }
    let next_step = errors[0].contains("; ") || run.stderr.contains("try '--help'");
    assert!(next_step, "expected the next step in {run:?}");
    for noise in ["panicked at", "stack backtrace", "RUST_BACKTRACE"] {
        assert!(!run.stderr.contains(noise), "'{noise}' is not for operators: {run:?}");
    }
    assert_eq!(run.stdout, "", "nothing was done, so nothing is on stdout: {run:?}");
}

#[test]
fn init_prints_the_keys_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path());
    let keys_made = binary::run(&["init", "--database", &url, "--json"]).must_exit(0).json();
    assert_eq!(keys(&keys_made), BTreeSet::from(["operator", "tenant"]));
    assert_eq!(keys(&keys_made["operator"]), BTreeSet::from(["api_key", "api_secret"]));
    assert_eq!(keys(&keys_made["tenant"]), BTreeSet::from(["api_key", "api_secret", "id"]));
    for (owner, name, prefix) in
        [("operator", "api_key", "apk_"), ("tenant", "api_key", "apk_"), ("tenant", "id", "tnt_")]
    {
        assert!(text(&keys_made[owner], name).starts_with(prefix), "{owner}.{name}");
    }
    assert!(text(&keys_made["operator"], "api_secret").len() >= 32, "the secret is short");
}

#[tokio::test]
async fn serve_begins_by_saying_where_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path());
    let serve = ["serve", "--database", &url, "--listen", "127.0.0.1:0"];

    let (process, line) = daemon::first_line(binary::command(&serve), folder.path());
    let base = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("'{line}'"));
    let port = base.strip_prefix("http://127.0.0.1:").and_then(|port| port.parse::<u16>().ok());
    assert!(port.is_some_and(|port| port > 0), "'{line}'");
    assert_eq!(Client::new(base, None).get("/healthz").await.status, 200);
    drop(process);

    let mut json = binary::command(&serve);
    json.arg("--json");
    let (_process, line) = daemon::first_line(json, folder.path());
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(keys(&line), BTreeSet::from(["listening"]));
    assert_eq!(Client::new(text(&line, "listening"), None).get("/healthz").await.status, 200);
}

#[test]
fn wrong_settings_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path());
    let config = folder.path().join("hooks.toml");
    std::fs::write(&config, "lissten = \"127.0.0.1:0\"\n").unwrap();
    let config = config.display().to_string();
    let no_file = folder.path().join("absent.toml").display().to_string();
    let cases = [
        ("--retry-schedule", "1x", "1x"),
        ("--listen", "nonsense", "nonsense"),
        ("--allow-target", "10.0.0.0/99", "10.0.0.0/99"),
        ("--no-such-option", "", "--no-such-option"),
        ("--config", &no_file, "absent.toml"),
        ("--config", &config, "lissten"),
    ];
    for (option, value, word) in cases {
        let run = binary::run(&["serve", "--database", &url, option, value]);
        check_error(run, 2, &[word]);
        assert!(!folder.path().join("hooks.db").exists(), "{option} {value}: a database was made");
    }
    check_error(binary::run(&["serve", "--database", "mysql://here/it"]), 2, &["mysql"]);
    check_error(binary::run(&["srve"]), 2, &["srve"]);
}

/// For scripts, an error is one JSON object on one line, whoever found it.
#[test]
fn wrong_arguments_are_json_where_json_is_asked_for() {
    let mut by_variable = binary::command(&["srve"]);
    by_variable.env("BLUUM_HOOKS_JSON", "1");
    for run in [binary::run(&["--json", "srve"]), binary::finish(by_variable)] {
        let run = run.must_exit(2);
        let error: Value = serde_json::from_str(&run.stderr).unwrap();
        assert_eq!((run.stderr.lines().count(), &error["error"]["exit"]), (1, &json!(2)));
        assert_eq!(run.stdout, "");
    }
    let help = binary::run(&["--json", "--help"]).must_exit(0);
    assert!(help.stdout.contains("Usage:"), "{help:?}");
}

#[test]
fn what_the_machine_refuses_is_said_clearly() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no/such/folder/hooks.db").display().to_string();
    let unreachable = format!("sqlite:{nowhere}");
    check_error(binary::run(&["serve", "--database", &unreachable]), 1, &[&nowhere]);

    let url_of_none = format!("sqlite:{}", folder.path().join("none.db").display());
    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, "this is no database at all, but a line of text").unwrap();
    let garbage = garbage.display().to_string();
    check_error(
        binary::run(&["serve", "--database", &format!("sqlite:{garbage}")]),
        1,
        &[&garbage, "this file is something else"],
    );
    check_error(binary::run(&["audit", "--database", &url_of_none]), 1, &["no such database"]);

    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let url = database(folder.path());
    check_error(binary::run(&["serve", "--database", &url, "--listen", &taken]), 1, &[&taken]);
}

#[tokio::test]
async fn a_second_dispatcher_on_a_database_is_refused() {
    let daemon = Daemon::start();
    let url = daemon.url();
    let second = binary::run(&["serve", "--database", &url, "--listen", "127.0.0.1:0"]);
    check_error(second, 1, &["hooks.db", "another"]);
    daemon.operator().get("/v1/events").await.must_be(200);
}

/// SIGTERM: what is in flight is finished and recorded, the rest waits for the next start, and
/// nothing is sent twice.
#[tokio::test]
async fn sigterm_finishes_what_is_in_flight_and_gives_back_the_rest() {
    const EVENTS: usize = 40;
    let sink = Sink::start(|_| Answer::status(200).after(Duration::from_millis(300))).await;
    let mut daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let webhook = json!({"url": sink.url("/"), "eventTypeNames": ["order.*"], "max_in_flight": 4});
    partner.subscribe_as(&webhook).await;
    for n in 0..EVENTS {
        partner.publish("order.filled", &json!({"id": format!("ord_{n}")})).await;
    }
    sink.until("requests in flight", |requests| requests.len() >= 2).await;
    // Ends in a thread of its own, so that the sink can answer meanwhile.
    let (status, daemon) =
        tokio::task::spawn_blocking(move || (daemon.terminate(), daemon)).await.unwrap();
    assert!(status.success(), "{status}");
    let sent = sink.look(<[_]>::len);
    assert!(sent < EVENTS, "everything was sent: this run shows nothing");

    let states = states(&daemon).await;
    let count = |state| states.iter().filter(|&found| found == state).count();
    assert_eq!((count("leased"), count("delivered")), (0, sent), "{states:?}");

    let mut daemon = daemon;
    daemon.restart();
    let requests = sink.until_count(EVENTS).await;
    let events: BTreeSet<&str> = requests.iter().map(|request| request.event_id()).collect();
    assert_eq!(events.len(), EVENTS, "an event came twice");
}

/// The state of every delivery in the database of a daemon that has ended.
async fn states(daemon: &Daemon) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(daemon.database());
    let mut connection = options.connect().await.unwrap();
    sqlx::query_scalar("SELECT state FROM deliveries").fetch_all(&mut connection).await.unwrap()
}

/// Every event of the journey has a line with the partner's 2xx, and one line counts them.
#[test]
fn demo_tells_the_whole_journey() {
    let run = binary::run(&["demo"]).must_exit(0);
    let is_event = |line: &&str| CATALOGUE.iter().any(|event| line.contains(event.name));
    let journey: Vec<&str> = run.stdout.lines().filter(is_event).collect();
    for name in ["account.created", "deposit.completed", "order.filled", "withdrawal.completed"] {
        assert!(journey.iter().any(|line| line.contains(name)), "{name} is missing: {run:?}");
    }
    for line in &journey {
        let accepted = line.split_whitespace().any(|word| word == "200" || word == "204");
        assert!(accepted && line.contains("evt_"), "'{line}' tells no success: {run:?}");
    }
    let count = format!("{} events", journey.len());
    let words = [count.as_str(), "delivered", "verified"];
    let summed_up = run.stdout.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(summed_up, "no line says that {count} were delivered and verified: {run:?}");
}

#[test]
fn help_fits_a_hundred_columns() {
    let overview = binary::run(&["--help"]).must_exit(0);
    let commands: Vec<&str> = overview
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|&command| command != "help")
        .collect();
    for name in ["init", "serve", "demo", "audit"] {
        assert!(commands.contains(&name), "'{name}' is not among the commands {commands:?}");
    }
    let mut wide = Vec::new();
    for command in commands {
        let help = binary::run(&[command, "--help"]).must_exit(0);
        let lines = overview.stdout.lines().chain(help.stdout.lines());
        wide.extend(lines.filter(|line| line.chars().count() > 100).map(str::to_owned));
    }
    assert!(wide.is_empty(), "wider than 100 columns:\n{}", wide.join("\n"));
}

/// Whoever publishes for the wrong tenant, or to production, looks here first: with any key.
#[tokio::test]
async fn whoami_tells_the_key_and_where_it_asks() {
    let daemon = Daemon::start();
    let tenant = json!({"role": "tenant", "tenant": daemon.tenant_id()});
    let investor =
        json!({"role": "investor", "tenant": daemon.tenant_id(), "investor_id": "inv_1"});
    let (tenant, investor) = (daemon.new_key(&tenant).await, daemon.new_key(&investor).await);
    for (role, key) in
        [("operator", daemon.operator_key()), ("tenant", &tenant), ("investor", &investor)]
    {
        let ask = |arguments: &[&str]| {
            let mut command = binary::command(arguments);
            command.env("BLUUM_BASE_URL", daemon.base());
            command.env("BLUUM_API_KEY", &key.key).env("BLUUM_API_SECRET", &key.secret);
            binary::finish(command).must_exit(0)
        };
        let shown = ask(&["whoami"]).stdout;
        let asks = format!("{}, from BLUUM_BASE_URL", daemon.base());
        for words in [&*key.key, role, "sandbox", &asks] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        let json = ask(&["whoami", "--json"]).json();
        assert_eq!(
            (text(&json["key"], "id"), &json["key"]["livemode"]),
            (&*key.key, &json!(false))
        );
    }
    let other = daemon.client(Some(&tenant)).get(&format!("/v1/keys/{}", investor.key)).await;
    assert_eq!(other.status, 403, "another's key is not its to see");
    check_error(binary::run(&["whoami"]), 3, &["BLUUM_API_KEY is not set"]);
}

#[test]
fn shells_and_man_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = binary::run(&["completions", shell]).must_exit(0).stdout;
        assert!(script.contains("BLUUM_HOOKS_COMPLETE"), "{shell}: it asks what comes next");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let run = binary::run(&["man", &path]).must_exit(0);
    assert_eq!(run.stdout, "");
    let page = std::fs::read_to_string(folder.path().join("bluum-hooks-verify.1")).unwrap();
    assert!(page.contains("Check a signature, and say why it does not match"), "{page}");
    check_error(binary::run(&["man", "/no/such/folder"]), 2, &["/no/such/folder"]);
}
