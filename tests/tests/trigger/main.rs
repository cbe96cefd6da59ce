//! `trigger`: what it sends arrives signed, whole and in order, or wrong in just the way asked for.
#![expect(clippy::unwrap_used, reason = "a helper of tests may stop the test")]

mod daemon;
mod server;

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use bluum_hooks_receiver::{Event, Verifier, VerifyError, now};
use bluum_hooks_shared::catalogue::CATALOGUE;
use bluum_hooks_tests::binary::{self, Run};
use bluum_hooks_tests::client::text;
use bluum_hooks_tests::sink::{Answer, Request, Sink};
use serde_json::{Value, json};
use tempfile::TempDir;

const SECRET: &str = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
const SCENARIOS: [&str; 9] = [
    "journey",
    "market-buy",
    "limit-partial",
    "order-rejected",
    "ach-deposit",
    "deposit-failed",
    "withdrawal",
    "kyc-approved",
    "kyc-declined",
];

/// `trigger` with these arguments, and the secret in a variable.
fn trigger(arguments: &[&str]) -> Run {
    let mut command = binary::command(&[&["trigger"], arguments].concat());
    command.env("WEBHOOK_SECRET", SECRET);
    binary::finish(command)
}

fn verify(request: &Request, secret: &str) -> Result<Event, VerifyError> {
    let verifier = Verifier::parse(secret).unwrap();
    let verified = verifier.verify(&request.headers, &request.body, now())?;
    Ok(verified.event().unwrap())
}

/// A receiver that takes what verifies, and refuses the rest.
async fn receiver() -> Sink {
    Sink::start(|request| match verify(request, SECRET) {
        Ok(_) => Answer::status(204),
        Err(error) => Answer::status(error.status()),
    })
    .await
}

/// Its lines, each JSON.
fn lines(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn file(name: &str, content: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn what_there_is_is_listed() {
    let listed = trigger(&[]).must_exit(0).stdout;
    let names = CATALOGUE.iter().map(|known| known.name).chain(SCENARIOS);
    for name in names.clone() {
        let line = listed.lines().find(|line| line.split_whitespace().any(|word| word == name));
        assert!(line.is_some_and(|line| line.trim_end().ends_with('.')), "{name}: {listed}");
    }
    let listed = lines(&trigger(&["--json"]).must_exit(0));
    let listed: BTreeSet<_> = listed.iter().map(|line| text(line, "name")).collect();
    assert_eq!(listed, names.collect());
}

const OWN: &str = r#"{
  "name": "own",
  "vars": {"order": "ord_{{ ulid() }}", "amount": "1200.00", "half": "{{ amount * 0.5 }}"},
  "steps": [
    {"type": "order.accepted", "set": {"data.id": "{{ order }}", "+data.note": "{{ half }} USD"}},
    {"wait": "1s"},
    {"type": "order.filled", "set": {"data.id": "{{ order }}"}, "unset": ["data.symbol"],
     "expect": "2xx"},
    {"type": "order.filled", "same_as": -1, "fault": "duplicate"}
  ]
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_scenario_of_ones_own_is_told_step_by_step() {
    let (_folder, path) = file("own.json", OWN);
    let file = format!("@{path}");
    let sink = receiver().await;
    trigger(&[&file, "--to", &sink.url("/"), "-s", "amount=100.00"]).must_exit(0);
    let requests = sink.until_count(3).await;
    let data: Vec<Value> = requests.iter().map(|request| request.json()["data"].clone()).collect();
    assert_eq!(data[0]["note"], "50.000 USD");
    assert_eq!(data[0]["id"], data[1]["id"]);
    assert_eq!(data[1].get("symbol"), None);
    assert!(requests[1].at - requests[0].at >= Duration::from_millis(900));
    assert_eq!(requests[1].body, requests[2].body);
    assert_eq!(requests[2].attempt(), 2);

    let failing = Sink::in_turn(&[200, 500]).await;
    let run = trigger(&[&file, "--to", &failing.url("/")]).must_exit(8);
    assert_eq!(failing.requests().len(), 2, "the story ends at what was not as expected");
    assert!(run.stderr.contains("order.filled expects 2xx, and was answered 500; "));
}

#[test]
fn the_projects_samples_and_scenarios_come_before_ours() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = binary::command(&[&["trigger"], arguments].concat());
        command.current_dir(folder.path());
        binary::finish(command)
    };
    let write = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    write("bluum-hooks.toml", "[trigger]\nfixtures = 'ours'\n");
    let missing = run(&["order.filled", "--dry-run"]).must_exit(2);
    assert!(missing.stderr.contains("correct trigger.fixtures in "), "{missing:?}");
    fs::create_dir(folder.path().join("ours")).unwrap();
    write("ours/order.filled.json", "{\n  \"id\": \"ord_ours\",\n  \"note\": \"a  b\"\n}\n");
    write("ours/own.json", OWN);
    write("ours/journey.json", r#"{"steps": [{"type": "order.filled"}]}"#);
    write("ours/broken.json", "{");
    for (arguments, note) in [
        (&["order.filled", "-s", "data.id=x"][..], "a  b"),
        (&["journey"][..], "a  b"),
        (&["order.filled", "-s", "data.note=c"][..], "c"),
    ] {
        let told = lines(&run(&[arguments, &["--dry-run", "--json"]].concat()).must_exit(0));
        assert_eq!((told.len(), text(&told[0]["data"], "note")), (1, note), "{arguments:?}");
    }
    let near = run(&["oown", "--dry-run"]).must_exit(4);
    assert!(near.stderr.contains("did you mean 'own'?"), "{near:?}");
    let broken = run(&["broken"]).must_exit(2);
    assert!(broken.stderr.contains("broken.json: this is not JSON"), "{broken:?}");
    let listed = run(&["--json"]).must_exit(0);
    assert!(listed.stderr.contains("broken.json"), "{listed:?}");
    let listed = lines(&listed);
    let named = |name: &str| listed.iter().filter(|line| line["name"] == name).count();
    assert_eq!((named("own"), named("journey"), named("broken")), (1, 1, 0));
    write("ours/order.filled.json", "[]");
    let failure = run(&["order.filled", "--dry-run"]).must_exit(2);
    assert!(failure.stderr.contains("order.filled.json: this is no object"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_scenario_of_the_readme_works_as_it_stands_there() {
    let readme = fs::read_to_string(binary::workspace().join("README.md")).unwrap();
    let blocks = readme.split("```json\n").filter_map(|rest| rest.split("```").next());
    let scenario = blocks.into_iter().find(|block| block.contains("\"steps\"")).unwrap();
    let (_folder, path) = file("canceled.json", scenario);
    let sink = receiver().await;
    trigger(&[&format!("@{path}"), "--to", &sink.url("/"), "-s", "quantity=7"]).must_exit(0);
    let requests = sink.until_count(3).await;
    let last = requests[2].json();
    assert_eq!((text(&last, "event"), &last), ("order.canceled", &requests[1].json()));
    assert_eq!(text(&last["data"], "remaining_quantity"), "3");
}

#[test]
fn a_dry_run_prints_and_needs_nobody() {
    let run = trigger(&["market-buy", "--dry-run", "--json", "-s", "quantity=3"]).must_exit(0);
    let names: Vec<_> = lines(&run).iter().map(|it| text(it, "event").to_owned()).collect();
    assert_eq!(names, ["order.accepted", "wallet.updated", "order.filled", "wallet.updated"]);
    assert_eq!(lines(&run)[3]["data"]["transaction"]["amount"], "535.50");
    let set = ["order.filled", "--dry-run", "-s", "data.filled_quantity=7", "--unset", "data.side"];
    let run = trigger(&[&set[..], &["-s", "+data.x=[1]", "-s", "investor_id=inv_x"]].concat());
    let event: Value = run.must_exit(0).json();
    assert_eq!(event["data"]["filled_quantity"], "7", "amounts are texts");
    assert_eq!((&event["data"]["x"], event["data"].get("side")), (&json!([1]), None));
    assert_eq!(event["investor_id"], "inv_x");
}

/// What is in the editor is sent; `sed` is the editor.
#[cfg(unix)]
#[test]
fn data_can_be_edited() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let vi = folder.path().join("vi");
    std::fs::write(&vi, "#!/bin/sh\nexec sed -i.bak s/AAPL/TSLA/ \"$1\"\n").unwrap();
    std::fs::set_permissions(&vi, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let edit = |editor: &str| {
        let mut command =
            binary::command(&["trigger", "order.filled", "--edit", "--dry-run", "--json"]);
        command.env_remove("VISUAL").env("EDITOR", editor).env("PATH", &path);
        binary::finish(command)
    };
    let edited = edit("sed -i.bak s/AAPL/MSFT/").must_exit(0).json();
    assert_eq!(text(&edited["data"], "symbol"), "MSFT");
    assert_eq!(text(&edit(" ").must_exit(0).json()["data"], "symbol"), "TSLA", "else it is vi");
    for (editor, words) in [
        ("sed -i.bak s/AAPL/\"/", "what was edited is not JSON"),
        ("false", "the editor 'false' failed"),
        ("/no/such/editor", "cannot be run"),
    ] {
        let run = edit(editor).must_exit(2);
        assert!(run.stderr.contains(words) && run.stdout.is_empty(), "{run:?}");
    }
}

#[test]
fn what_cannot_be_done_is_told_before_anything_is() {
    let (_folder, path) = file("own.json", OWN);
    let own = format!("@{path}");
    let broken = OWN.replace("data.symbol", "data.simbol");
    let (_folder, path) = file("broken.json", &broken);
    let broken = format!("@{path}");
    let cases: [(&[&str], i32, &str); 18] = [
        (&["order.fileld"], 4, "no event type or scenario 'order.fileld'; did you mean 'order.fil"),
        (&["--to", "3000"], 2, "<WHAT|--like <EVENT>>"),
        (&["market-buj"], 4, "did you mean 'market-buy'?"),
        (&["order.filled", "-s", "data.staus=x"], 2, "did you mean 'data.status'?"),
        (&["order.filled", "-s", "data.status"], 2, "write PATH=VALUE"),
        (&["order.filled", "--unset", "data.staus"], 2, "did you mean 'data.status'?"),
        (&["journey", "-s", "quantiti=1"], 2, "no variable 'quantiti'; did you mean 'quantity'?"),
        (&["journey", "--edit"], 2, "--edit is for one event, and journey is a scenario; "),
        (&["journey", "--like", "evt_1"], 2, "--like is for one event"),
        (&["order.filled", "--fault", "reorder"], 2, "one event has no order; "),
        (&["order.filled", "--fault", "duplicate"], 2, "publishing cannot do 'duplicate'; "),
        (&["order.filled", "--fault", "bad-signature"], 2, "send to a server with --to"),
        (&["order.filled", "--fault", "dup"], 2, "there is no fault 'dup'"),
        (&["order.filled", "--to", "nowhere"], 2, "write '3000', '3000/webhooks'"),
        (&["order.filled", "--rate", "x"], 2, "write '10/s'"),
        (&[&own], 2, "publishing cannot do 'duplicate'"),
        (&[&broken], 2, "own: step 3: there is no 'data.simbol' in order.filled; did you mean"),
        (&["@/no/such/file.json"], 2, "cannot read @/no/such/file.json"),
    ];
    for (arguments, status, words) in cases {
        let run = trigger(arguments).must_exit(status);
        assert!(run.stderr.contains(words) && run.stdout.is_empty(), "{run:?}");
    }
    let run = trigger(&["order.filled"]).must_exit(3);
    assert!(run.stderr.contains("BLUUM_API_KEY is not set"), "{run:?}");
}
