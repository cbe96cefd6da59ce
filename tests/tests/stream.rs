//! The stream of events: everything, in the order of the list, live, and resumed without a gap.
#![expect(clippy::unwrap_used, reason = "a helper of tests stops where it cannot go on")]

use std::time::Duration;

use bluum_hooks_tests::client::{Call, Client, text};
use bluum_hooks_tests::compare;
use bluum_hooks_tests::daemon::{self, Daemon, Shared};
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::sse::{Frame, Stream};
use bluum_hooks_tests::wait;
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::task::JoinSet;

/// What "at once" means for an event on a busy machine.
const MOMENT: Duration = Duration::from_secs(2);
/// How long the daemon lets a stream be silent, and some more for a busy machine.
const SILENCE: Duration = Duration::from_secs(9);

fn daemon() -> Shared {
    daemon::shared(&[])
}

/// The stream of this partner, with more parameters.
fn stream(parameters: &str) -> Call {
    Call::get(format!("/v1/events/stream{parameters}"))
}

async fn publish(partner: &Partner, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        let name = ["order.accepted", "order.filled"][n % 2];
        ids.push(partner.publish(name, &json!({"id": format!("ord_{n}")})).await);
    }
    ids
}

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| text(event, "id").to_owned()).collect()
}

#[tokio::test]
async fn it_begins_at_the_beginning_and_goes_on_live() {
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    publish(&partner, 130).await;
    let mut stream = Stream::open(&partner.api, stream("")).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["cache-control"], "no-store");
    assert_eq!(stream.events(130).await, partner.events().await);

    let late = publish(&partner, 2).await;
    let events = wait::within(MOMENT, stream.events(2)).await.expect("events at once");
    assert_eq!(ids(&events), late);
}

#[tokio::test]
async fn it_is_resumed_after_the_last_event_and_filtered() {
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    let published = publish(&partner, 6).await;
    let after = published[1].as_str();
    let by_header = stream("").header("last-event-id", after);
    // A browser that reconnects repeats the address that it first had.
    let first = published[0].as_str();
    let by_both = stream(&format!("?starting_after={first}")).header("last-event-id", after);
    for call in [stream(&format!("?starting_after={after}")), by_header, by_both] {
        let events = Stream::open(&partner.api, call).await.events(4).await;
        assert_eq!(ids(&events), published[2..]);
    }
    let call = stream(&format!("?event=order.filled&tenant={}", partner.tenant));
    let events = Stream::open(&partner.operator, call).await.events(3).await;
    assert_eq!(ids(&events), [&published[1], &published[3], &published[5]].map(String::as_str));

    let everything = partner.events().await;
    let since = format!("?since={}", text(&everything[3], "timestamp"));
    let later = partner.api.list(&format!("/v1/events{since}")).await;
    assert!(later.len() < everything.len() && everything.ends_with(&later), "{since}: {later:?}");
    let events = Stream::open(&partner.api, stream(&since)).await.events(later.len()).await;
    assert_eq!(events, later);

    let mut from_now = Stream::open(&partner.api, stream("?since=2999-01-01T00:00:00Z")).await;
    publish(&partner, 1).await;
    assert_eq!(from_now.next().await, Some(Frame::Comment));

    let stranger = Partner::join(&daemon).await;
    let foreign = publish(&stranger, 1).await.remove(0);
    let after_foreign = format!("?tenant={}&starting_after={foreign}", partner.tenant);
    for (client, call, status, param) in [
        (&partner.api, stream("?event=order.fileld"), 400, "event"),
        (&partner.api, stream("?since=yesterday"), 400, "since"),
        (&partner.api, stream("?until=2026-01-01T00:00:00Z"), 400, "until"),
        (&partner.api, stream("?starting_after=nonsense"), 400, "starting_after"),
        (&partner.api, stream("").header("last-event-id", "nonsense"), 400, "Last-Event-ID"),
        (&stranger.api, stream("").header("last-event-id", after), 404, "Last-Event-ID"),
        (&partner.operator, stream(""), 400, "tenant"),
        (&partner.operator, stream(&after_foreign), 404, "starting_after"),
        (&partner.operator, Call::get(format!("/v1/events{after_foreign}")), 404, "starting_after"),
    ] {
        let refused = client.send(call).await.must_be(status);
        assert_eq!(refused["error"]["param"], param, "{refused}");
    }
}

/// However much others publish: what is not for this stream does not count as a sign of life.
#[tokio::test]
async fn nothing_of_others_comes_and_silence_has_an_end() {
    let daemon = daemon();
    let (partner, stranger) = (Partner::join(&daemon).await, Partner::join(&daemon).await);
    let live = json!({"role": "tenant", "tenant": partner.tenant, "livemode": true});
    let live = daemon.client(Some(&daemon.new_key(&live).await));
    let mut of_sandbox = Stream::open(&partner.api, stream("")).await;
    let mut of_live = Stream::open(&live, stream("")).await;
    let busy = tokio::spawn(async move {
        loop {
            publish(&stranger, 1).await;
            wait::pause(Duration::from_millis(200)).await;
        }
    });
    for stream in [&mut of_sandbox, &mut of_live] {
        let next = wait::within(SILENCE, stream.next()).await;
        assert_eq!(next.expect("a heartbeat"), Some(Frame::Comment));
    }
    busy.abort();
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    assert_eq!(text(&of_sandbox.event().await, "id"), event);
    assert_eq!(of_live.next().await, Some(Frame::Comment));
}

#[tokio::test]
async fn a_quiet_stream_outlives_the_events_it_has_seen() {
    let daemon = Daemon::start_with(&["--retention", "1s"]);
    let partner = Partner::join(&daemon).await;
    let mut open = Stream::open(&partner.api, stream("")).await;
    let seen = publish(&partner, 2).await;
    assert_eq!(ids(&open.events(2).await), seen);
    wait::until("the events to be forgotten", async || {
        let answer = partner.api.get(&format!("/v1/events/{}", seen[1])).await;
        if answer.status == 404 { Ok(()) } else { Err(answer.status) }
    })
    .await;
    let next = publish(&partner, 1).await;
    assert_eq!(ids(&open.events(1).await), next);
}

#[tokio::test]
async fn streams_are_limited_and_give_their_place_back() {
    let daemon = Daemon::start_with(&["--max-streams", "1"]);
    let partner = Partner::join(&daemon).await;
    let first = Stream::open(&partner.api, stream("")).await;
    let refused = partner.api.send(stream("")).await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.must_be(429)["error"]["code"], "BLUM-429-001");
    Stream::open(&Partner::join(&daemon).await.api, stream("")).await;
    drop(first);
    wait::until("the place to be free", async || {
        let answer = wait::within(MOMENT, partner.api.send(stream(""))).await;
        match answer {
            Some(refused) => Err(refused.must_be(429)),
            None => Ok(()),
        }
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_ends_its_streams() {
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    let key = daemon.new_key(&json!({"role": "tenant", "tenant": partner.tenant})).await;
    let mut open = Stream::open(&daemon.client(Some(&key)), stream("")).await;
    partner.operator.delete(&format!("/v1/keys/{}", key.key)).await.must_be(200);
    publish(&partner, 1).await;
    assert_eq!(open.next().await, None);
}

#[tokio::test]
async fn data_with_line_breaks_arrives_as_it_is() {
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    let data = "{\n  \"id\": \"ord_1\",\r\n\n\t\"note\": \"a\\nb\",\r  \"price\": 1.50\n}";
    let published = partner.publish_text("order.filled", data).await.must_be(202);
    let mut stream = Stream::open(&partner.api, stream("")).await;
    let Some(Frame::Event { data, .. }) = stream.next().await else { panic!("no event") };
    assert!(data.contains("1.50"), "numbers stay as they are written: {data}");
    assert_eq!(serde_json::from_str::<Value>(&data).unwrap(), published);
    assert_eq!(stream.next().await, Some(Frame::Comment), "one event and no more");
}

/// Follows the list of events page by page until so many have come.
async fn walk(client: Client, tenant: &str, count: usize) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    wait::until("the list to hold all events", async || {
        loop {
            let after = seen.last().map(|last| format!("&starting_after={last}"));
            let after = after.unwrap_or_default();
            let page = client.get(&format!("/v1/events?tenant={tenant}&limit=50{after}")).await;
            let page = page.must_be(200);
            let page = ids(page["data"].as_array().unwrap());
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        if seen.len() >= count { Ok(()) } else { Err(seen.len()) }
    })
    .await;
    seen
}

/// Publishes through the outbox, a row in a transaction of its own.
async fn publish_by_outbox(daemon: &Daemon, tenant: &str, count: usize) {
    let options = SqliteConnectOptions::new().filename(daemon.database());
    let mut connection = options.busy_timeout(wait::DEADLINE).connect().await.unwrap();
    for n in 0..count {
        let row = sqlx::query(
            "INSERT INTO outbox (tenant_id, livemode, event, data)
             VALUES (?1, 0, 'deposit.completed', json_object('id', 'dep_' || ?2))",
        );
        let n = i64::try_from(n).unwrap();
        row.bind(tenant).bind(n).execute(&mut connection).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_and_list_tell_the_same_while_many_publish() {
    const PUBLISHERS: usize = 8;
    const EACH: usize = 150;
    const ALL: usize = (PUBLISHERS + 1) * EACH;
    let mut daemon = Daemon::start();
    let partner = Partner::join(&daemon).await;
    let call = stream(&format!("?tenant={}", partner.tenant));
    let mut open = Stream::open(&partner.operator, call).await;
    let streamed = tokio::spawn(async move { ids(&open.events(ALL).await) });
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let (client, tenant) = (daemon.operator(), partner.tenant.clone());
        publishers.spawn(async move {
            let mut accepted = Vec::new();
            for n in 0..EACH {
                let data = json!({"id": format!("ord_{publisher}_{n}")});
                let body = json!({"event": "order.filled", "tenant": tenant, "data": data});
                let event = client.post("/v1/events", &body).await.must_be(202);
                accepted.push(text(&event, "id").to_owned());
            }
            accepted
        });
    }
    let walk = walk(daemon.operator(), &partner.tenant, ALL);
    let ((), walked) = tokio::join!(publish_by_outbox(&daemon, &partner.tenant, EACH), walk);
    let accepted = publishers.join_all().await.concat();
    let streamed = streamed.await.unwrap();
    compare::same("the stream, and the list page by page", &streamed, &walked);
    compare::same("the stream, and the list afterwards", &streamed, &ids(&partner.events().await));
    let known: std::collections::HashSet<&String> = streamed.iter().collect();
    assert_eq!(known.len(), ALL, "an event came twice");
    assert!(accepted.iter().all(|id| known.contains(id)), "an accepted event never came");
    daemon.audit();
}

#[tokio::test]
async fn it_ends_when_the_daemon_stops() {
    let mut daemon = Daemon::start_with(&["--grace", "30s"]);
    let partner = Partner::join(&daemon).await;
    let published = publish(&partner, 2).await;
    let mut open = Stream::open(&partner.api, stream("")).await;
    assert_eq!(ids(&open.events(2).await), published);
    let stopping = wait::now();
    assert!(daemon.terminate().success());
    let took = wait::now() - stopping;
    assert!(took < Duration::from_secs(10), "the stream held the daemon up for {took:?}");
    assert_eq!(open.next().await, None);

    daemon.restart();
    let partner = Partner { operator: daemon.operator(), ..partner };
    let late = publish(&partner, 1).await;
    let resumed = stream(&format!("?tenant={}", partner.tenant));
    let resumed = resumed.header("last-event-id", &published[1]);
    let events = Stream::open(&partner.operator, resumed).await.events(1).await;
    assert_eq!(ids(&events), late);
    daemon.audit();
}
