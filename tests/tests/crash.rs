//! `kill -9` under load: what was answered 202 arrives, numbered without a hole, and only what was
//! in flight arrives twice.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bluum_hooks_tests::client::{Call, Client, Credentials, text};
use bluum_hooks_tests::compare;
use bluum_hooks_tests::crash::{Door, books};
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::{Partner, Webhook};
use bluum_hooks_tests::seed::{self, Chance};
use bluum_hooks_tests::sink::{Answer, Request, Sink};
use bluum_hooks_tests::wait;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

const KILLS: usize = 10;
const PUBLISHERS: u64 = 16;
/// Objects that the events are about; fewer would make events wait for each other.
const OBJECTS: u64 = 320;
const MAX_IN_FLIGHT: usize = 8;
const NAMES: [&str; 3] = ["order.accepted", "order.partially_filled", "order.filled"];
/// How long all that was accepted may take to arrive once the kills are over.
const CATCH_UP: Duration = Duration::from_secs(120);

/// The ids of the events that were answered 202.
type Accepted = Arc<Mutex<Vec<String>>>;

/// Publishes as fast as the daemon answers, through all its deaths, until the door says `Ended`.
/// The events of one object come from one publisher, with rising `n`.
async fn publish(
    publisher: u64,
    mut door: watch::Receiver<Door>,
    key: Credentials,
    tenant: String,
    accepted: Accepted,
) {
    let mut n = publisher;
    loop {
        let open = door.wait_for(|door| *door != Door::Shut).await.unwrap().clone();
        let Door::Open(base) = &open else { return };
        let client = Client::new(base, Some(&key));
        loop {
            let name = NAMES[usize::try_from(n / PUBLISHERS % 3).unwrap()];
            let data = json!({"id": format!("ord_{}", n % OBJECTS), "n": n});
            let body = json!({"event": name, "tenant": tenant, "data": data});
            n += PUBLISHERS;
            // An error is a death of the daemon: what happened to this event is not known.
            let Ok(answer) = client.try_send(Call::post("/v1/events", body.to_string())).await
            else {
                break;
            };
            let event = answer.must_be(202);
            accepted.lock().unwrap().push(text(&event, "id").to_owned());
            if *door.borrow() == Door::Ended {
                return;
            }
        }
        door.wait_for(|door| *door != open).await.unwrap();
    }
}

/// From before a kill until the daemon is back.
struct Outage {
    from: Instant,
    to: Instant,
}

/// Kills the daemon at random instants while events come in; each time serves again.
async fn kill_again_and_again(
    daemon: &mut Daemon,
    chance: &mut Chance,
    door: &watch::Sender<Door>,
    accepted: &Accepted,
) -> Vec<Outage> {
    let mut outages = Vec::new();
    for kill in 0..KILLS {
        let before = accepted.lock().unwrap().len();
        wait::until(&format!("events to be accepted before kill {kill}"), async || {
            let now = accepted.lock().unwrap().len();
            if now > before { Ok(()) } else { Err(format!("{now} accepted in all")) }
        })
        .await;
        wait::pause(chance.millis(20..500)).await;
        let from = wait::now();
        daemon.kill();
        door.send_replace(Door::Shut);
        daemon.restart();
        outages.push(Outage { from, to: wait::now() });
        door.send_replace(Door::Open(daemon.base().to_owned()));
    }
    outages
}

/// Waits until each of these events has come in at this path.
async fn until_arrived(sink: &Sink, path: &str, events: &[String]) -> Vec<Request> {
    let mut missing: HashSet<String> = events.iter().cloned().collect();
    let mut looked_at = 0;
    let what = format!("all of {} accepted events at {path}", missing.len());
    let requests = sink.until_within(CATCH_UP, &what, |requests| {
        for request in &requests[looked_at..] {
            if request.path == path {
                missing.remove(request.event_id());
            }
        }
        looked_at = requests.len();
        missing.is_empty()
    });
    requests.await.into_iter().filter(|request| request.path == path).collect()
}

/// Waits until everything owed to the webhook is delivered, and checks its numbers: 1, 2, 3 …
async fn check_deliveries(partner: &Partner, webhook: &Webhook) -> usize {
    let deliveries = wait::until_within(CATCH_UP, "every delivery to be delivered", async || {
        let deliveries = partner.deliveries(webhook).await;
        match deliveries.iter().find(|delivery| delivery["status"] != "delivered") {
            None => Ok(deliveries),
            Some(other) => Err(other.to_string()),
        }
    })
    .await;
    let numbers: Vec<u64> = deliveries.iter().filter_map(|one| one["sequence"].as_u64()).collect();
    let expected: Vec<u64> = (1..).take(deliveries.len()).collect();
    compare::same("the sequence numbers of the deliveries", &numbers, &expected);
    deliveries.len()
}

/// A repeat is an event in flight at a kill: seen before the daemon was back, seen again after the
/// kill. There are at most as many as were allowed in flight.
fn check_repeats(requests: &[Request], outages: &[Outage]) -> usize {
    let mut last: HashMap<&str, &Request> = HashMap::new();
    let mut repeats = 0;
    for request in requests {
        let Some(earlier) = last.insert(request.event_id(), request) else { continue };
        repeats += 1;
        let explained =
            outages.iter().any(|outage| earlier.at <= outage.to && request.at >= outage.from);
        assert!(explained, "no kill between {earlier:?} and {request:?}");
    }
    assert!(repeats <= KILLS * MAX_IN_FLIGHT, "{repeats} repeats after {KILLS} kills");
    repeats
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_over_ten_kills() {
    let seed = seed::from_environment();
    println!("{}={seed}", seed::VARIABLE);
    let mut chance = Chance::new(seed);
    let answer = Answer::status(200).after(Duration::from_millis(3));
    let sink = Sink::start(move |_| answer.clone()).await;
    let mut daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let webhook = |path: &str, types: &[&str]| {
        json!({
            "url": sink.url(path), "eventTypeNames": types, "max_in_flight": MAX_IN_FLIGHT,
        })
    };
    let all = partner.subscribe_as(&webhook("/all", &["*"])).await;
    let some = partner.subscribe_as(&webhook("/some", &["order.filled"])).await;

    let accepted = Accepted::default();
    let door = watch::Sender::new(Door::Open(daemon.base().to_owned()));
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let (key, tenant) = (daemon.operator_key().clone(), partner.tenant.clone());
        publishers.spawn(publish(publisher, door.subscribe(), key, tenant, accepted.clone()));
    }
    let outages = kill_again_and_again(&mut daemon, &mut chance, &door, &accepted).await;
    door.send_replace(Door::Ended);
    publishers.join_all().await;

    let accepted = accepted.lock().unwrap().clone();
    let partner = Partner { operator: daemon.operator(), ..partner };
    let filled = filled_among(&partner, &accepted).await;
    for (path, webhook, events) in [("/all", &all, &accepted), ("/some", &some, &filled)] {
        until_arrived(&sink, path, events).await;
        let owed = check_deliveries(&partner, webhook).await;
        let requests = until_arrived(&sink, path, events).await;
        books::numbered_without_a_hole(&requests, owed);
        books::in_order(&requests);
        let repeats = check_repeats(&requests, &outages);
        println!("{path}: {} accepted, {owed} owed, {repeats} repeats", events.len());
    }
    daemon.audit();
}

/// Those of the accepted events that are `order.filled`.
async fn filled_among(partner: &Partner, accepted: &[String]) -> Vec<String> {
    let accepted: HashSet<&str> = accepted.iter().map(String::as_str).collect();
    let events = partner.events().await;
    let known: HashSet<&str> = events.iter().map(|event| text(event, "id")).collect();
    let lost: Vec<&&str> = accepted.difference(&known).collect();
    assert!(lost.is_empty(), "answered 202 and not in the list of events: {lost:?}");
    let filled = events.iter().filter(|event| event["event"] == "order.filled");
    let ids = filled.map(|event| text(event, "id"));
    ids.filter(|id| accepted.contains(id)).map(str::to_owned).collect()
}
