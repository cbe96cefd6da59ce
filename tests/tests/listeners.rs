//! Listeners: deliveries that go down a stream, with nothing lost when it breaks.

use bluum_hooks_tests::client::{Call, text};
use bluum_hooks_tests::daemon::{self, Daemon, Shared};
use bluum_hooks_tests::listening::{self, Listener, Offer};
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::wait;
use http::Method;
use serde_json::{Value, json};

fn daemon() -> Shared {
    daemon::shared(&[])
}

/// A partner with a listener for everything.
async fn listener(daemon: &Daemon) -> (Partner, Listener) {
    let partner = Partner::join(daemon).await;
    let listener = Listener::put(&partner.api, "ana@laptop", &json!({})).await;
    (partner, listener)
}

async fn publish(partner: &Partner, count: usize) -> Vec<String> {
    let mut ids = Vec::with_capacity(count);
    for n in 0..count {
        ids.push(partner.publish("order.filled", &json!({"id": "ord_1", "n": n})).await);
    }
    ids
}

/// Publishes so many, a thousand in a request.
async fn publish_many(partner: &Partner, count: usize) {
    let one = json!({"event": "order.filled", "tenant": partner.tenant, "data": {"id": "ord_1"}});
    for done in (0..count).step_by(1_000) {
        let batch = vec![one.clone(); 1_000.min(count - done)];
        partner.operator.post("/v1/events/batch", &json!(batch)).await.must_be(202);
    }
}

/// Waits until the deliveries of the listener have these statuses.
async fn until(listener: &Listener, statuses: &[&str]) -> Vec<Value> {
    wait::until("the deliveries to be as they should", async || {
        let deliveries = listener.deliveries().await;
        let now: Vec<_> = deliveries.iter().map(|one| text(one, "status").to_owned()).collect();
        if now == statuses { Ok(deliveries) } else { Err(format!("{now:?}")) }
    })
    .await
}

fn events(offers: &[Offer]) -> Vec<&str> {
    offers.iter().map(Offer::event).collect()
}

#[tokio::test]
async fn what_goes_down_is_what_a_url_would_get_and_its_result_is_the_attempt() {
    let daemon = daemon();
    let (partner, listener) = listener(&daemon).await;
    assert_eq!(listener.made["created"], true);
    let mut stream = listener.stream("?window=4").await;
    assert_eq!((&stream.hello["window"], &stream.hello["waiting"]), (&json!(4), &json!(0)));
    let ids = publish(&partner, 2).await;
    let offers = stream.offers(2).await;
    assert_eq!(events(&offers), ids);
    assert_eq!(offers.iter().map(|offer| offer.id).collect::<Vec<_>>(), [1, 2]);
    assert!(offers.iter().all(|offer| listener.verifies(offer)));
    let event: Value = serde_json::from_slice(&offers[1].body()).unwrap();
    assert_eq!((text(&event, "id"), &event["data"]["n"]), (&*ids[1], &json!(1)));

    let taken = listener.answer(&offers[0], 204).await;
    assert_eq!(taken, json!({"accepted": 1, "unknown": []}));
    let body = "eyJlcnJvciI6Im5vIn0=";
    let failed = json!({"outcome": "response", "status": 500, "body_b64": body});
    listener.tell(&offers[1], &failed).await;
    let deliveries = until(&listener, &["delivered", "parked"]).await;
    assert_eq!(deliveries[1]["reason"], "exhausted", "without retries a failure is final");
    let path = format!("/v1/deliveries/{}", text(&deliveries[1], "id"));
    let attempt = &partner.api.get(&path).await.must_be(200)["attempts"][0];
    assert_eq!(
        (&attempt["status"], text(attempt, "response_body")),
        (&json!(500), r#"{"error":"no"}"#)
    );
    let again = listener.answer(&offers[0], 204).await;
    assert_eq!(again, json!({"accepted": 0, "unknown": [offers[0].data["delivery"]]}));
}

#[tokio::test]
async fn the_name_keeps_its_secret_and_its_place() {
    let daemon = daemon();
    let (partner, first) = listener(&daemon).await;
    let ids = publish(&partner, 3).await;
    let wanted = json!({"events": ["order.*", "!order.accepted"], "timeout_seconds": 5});
    let again = Listener::put(&partner.api, "ana@laptop", &wanted).await;
    assert_eq!(again.made["created"], false);
    for same in ["secret", "webhook_id"] {
        assert_eq!(again.made[same], first.made[same]);
    }
    assert_eq!((&again.made["waiting"], &again.made["cursor"]), (&json!(3), &json!(3)));
    let names = again.made["event_type_names"].as_array().unwrap();
    assert!(names.contains(&json!("order.filled")) && !names.contains(&json!("order.accepted")));
    partner.publish("kyc.decided", &json!({"id": "kyc_1"})).await;
    let mut stream = again.stream("").await;
    assert_eq!(events(&stream.offers(3).await), ids, "nothing was lost while nobody listened");
    let other = Listener::put(&partner.api, "ben@desk", &json!({})).await;
    assert_ne!(other.made["secret"], first.made["secret"]);
    assert_eq!(other.made["waiting"], 0, "a new one begins now");
}

#[tokio::test]
async fn what_was_not_answered_comes_again_and_what_was_does_not() {
    let daemon = daemon();
    let (partner, listener) = listener(&daemon).await;
    let ids = publish(&partner, 4).await;
    let mut stream = listener.stream("").await;
    let offers = stream.offers(4).await;
    listener.answer(&offers[1], 200).await;
    drop(stream);
    // Known to nobody yet, and not asked for: told all the same.
    listener.answer(&offers[2], 200).await;
    until(&listener, &["leased", "delivered", "delivered", "leased"]).await;
    let mut stream = listener.stream("?takeover=true").await;
    let again = stream.offers(2).await;
    assert_eq!(events(&again), [&*ids[0], &*ids[3]]);
    for (offer, before) in again.iter().zip([&offers[0], &offers[3]]) {
        assert_eq!(offer.data["redelivered"], true);
        for same in ["delivery", "attempt", "headers", "body_b64"] {
            assert_eq!(offer.data[same], before.data[same]);
        }
        listener.answer(offer, 200).await;
    }
    until(&listener, &["delivered"; 4]).await;
}

#[tokio::test]
async fn a_daemon_that_dies_loses_nothing() {
    let mut daemon = Daemon::start();
    let (partner, before) = listener(&daemon).await;
    let ids = publish(&partner, 3).await;
    let mut stream = before.stream("").await;
    let offers = stream.offers(3).await;
    before.answer(&offers[0], 200).await;
    until(&before, &["delivered", "leased", "leased"]).await;
    daemon.kill();
    daemon.restart();
    let client = daemon.client(Some(
        &daemon
            .new_key(&json!({
                "role": "tenant", "tenant": partner.tenant,
            }))
            .await,
    ));
    let after = Listener::put(&client, "ana@laptop", &json!({})).await;
    assert_eq!(after.made["secret"], before.made["secret"]);
    let mut stream = after.stream("").await;
    let again = stream.offers(2).await;
    let mut came = events(&again);
    came.sort_unstable();
    assert_eq!(came, ids[1..]);
    for offer in &again {
        assert_eq!(offer.data["redelivered"], true);
        after.answer(offer, 200).await;
    }
    until(&after, &["delivered"; 3]).await;
}

#[tokio::test]
async fn the_window_is_never_exceeded() {
    let daemon = daemon();
    let (partner, listener) = listener(&daemon).await;
    let ids = publish(&partner, 7).await;
    let mut stream = listener.stream("?window=2").await;
    let mut came = Vec::new();
    let mut open = stream.offers(2).await;
    while let Some(offer) = (!open.is_empty()).then(|| open.remove(0)) {
        let leased = listener.deliveries().await;
        let leased = leased.iter().filter(|one| one["status"] == "leased").count();
        assert!(leased <= 2, "{leased} are under way");
        listener.answer(&offer, 200).await;
        came.push(offer.event().to_owned());
        if came.len() + open.len() < ids.len() {
            open.push(stream.offer().await);
        }
    }
    assert_eq!(came, ids);
}

#[tokio::test]
async fn one_listens_unless_they_share_or_take_over() {
    let daemon = daemon();
    let (partner, listener) = listener(&daemon).await;
    let mut first = listener.stream("?instance=a&machine=laptop&pid=4242&window=1").await;
    let call = || Call::get(listener.path("/stream?instance=b"));
    let refused = partner.api.send(call()).await.must_be(409);
    let message = text(&refused["error"], "message");
    assert!(message.contains("from laptop (process 4242)"), "{message}");
    assert_eq!(listener.now().await["holder"]["pid"], 4242);

    let mut second = listener.stream("?instance=b&share=true&window=1").await;
    publish(&partner, 2).await;
    let mut both = [first.offer().await, second.offer().await];
    both.sort_by_key(|offer| offer.id);
    let [one, two] = both;
    assert_ne!(one, two, "each delivery goes to one of them");

    let mut third = listener.stream("?instance=c&takeover=true").await;
    for ended in [&mut first, &mut second] {
        let (event, _, data) = ended.next().await.unwrap();
        assert_eq!((&*event, &data["reason"]), ("bye", &json!("takeover")));
        assert!(ended.next().await.is_none());
    }
    let mut rest = third.offers(2).await;
    rest.sort_by_key(|offer| offer.id);
    assert_eq!(events(&rest), [one.event(), two.event()]);
    // The same process once more: its last stream is dead, whatever the daemon believes.
    let mut fourth = listener.stream("?instance=c").await;
    assert_eq!(fourth.offers(2).await.len(), 2);
    assert!(third.next().await.is_some_and(|(event, ..)| event == "bye"));
}

#[tokio::test]
async fn what_fails_is_tried_again_where_that_is_wanted() {
    let daemon = Daemon::start_with(&["--retry-schedule", "1s"]);
    let partner = Partner::join(&daemon).await;
    let listener = Listener::put(&partner.api, "ana", &json!({"retry": true})).await;
    let mut stream = listener.stream("").await;
    publish(&partner, 1).await;
    let first = stream.offer().await;
    let refused = json!({"outcome": "connect_error", "error": "connection refused"});
    listener.tell(&first, &refused).await;
    let second = stream.offer().await;
    assert_eq!((&second.data["attempt"], second.id), (&json!(2), first.id));
    listener.answer(&second, 410).await;
    until(&listener, &["parked"]).await;
    let webhook = partner.api.get("/v1/webhooks").await.must_be(200);
    assert_eq!(webhook["data"][0]["status"], "active", "410 is a mistake of the developer");
}

#[tokio::test]
async fn what_is_declined_comes_again_and_what_is_filtered_out_is_done_with() {
    let daemon = daemon();
    let (partner, listener) = listener(&daemon).await;
    let mut stream = listener.stream("").await;
    publish(&partner, 1).await;
    let offer = stream.offer().await;
    listener.tell(&offer, &json!({"outcome": "working"})).await;
    listener.tell(&offer, &json!({"outcome": "cancelled"})).await;
    let again = stream.offer().await;
    assert_eq!((&again.data["attempt"], &again.data["redelivered"]), (&json!(1), &json!(true)));
    listener.tell(&again, &json!({"outcome": "filtered"})).await;
    let delivered = until(&listener, &["delivered"]).await;
    let path = format!("/v1/deliveries/{}", text(&delivered[0], "id"));
    let attempt = &partner.api.get(&path).await.must_be(200)["attempts"][0];
    assert_eq!(text(attempt, "response_body"), "not forwarded: the listener filters it out");
}

#[tokio::test]
async fn it_goes_on_from_where_it_is_told_to() {
    let daemon = daemon();
    let (partner, listener) = listener(&daemon).await;
    let skipped = publish(&partner, 3).await;
    assert_eq!(listener.seek("now").await, json!({"skipped": 3, "owed": 0, "cursor": 3}));
    let deliveries = until(&listener, &["parked"; 3]).await;
    assert!(deliveries.iter().all(|one| one["reason"] == "skipped"));
    let mut stream = listener.stream("").await;
    let later = publish(&partner, 1).await;
    let offer = stream.offer().await;
    assert_eq!(offer.event(), later[0]);
    listener.answer(&offer, 200).await;
    until(&listener, &["parked", "parked", "parked", "delivered"]).await;

    assert_eq!(listener.seek("last").await["owed"], 3);
    let offers = stream.offers(3).await;
    assert_eq!(events(&offers), skipped);
    for offer in &offers {
        listener.answer(offer, 200).await;
    }
    until(&listener, &["delivered"; 4]).await;
    listener.seek(2).await;
    assert_eq!(events(&stream.offers(2).await), [&*skipped[2], &*later[0]], "after number 2");
}

#[tokio::test]
async fn what_came_before_the_listener_can_be_had() {
    let daemon = daemon();
    let partner = Partner::join(&daemon).await;
    publish(&partner, 1).await;
    let ids = publish(&partner, 3).await;
    let since = text(&partner.events().await[1], "timestamp").to_owned();
    partner.publish("kyc.decided", &json!({"id": "kyc_1"})).await;
    let listener = Listener::put(&partner.api, "ana", &json!({"events": ["order.*"]})).await;
    assert_eq!(listener.seek(since).await["owed"], 3);
    let mut stream = listener.stream("").await;
    let offers = stream.offers(3).await;
    assert_eq!(events(&offers), ids);
    assert!(offers.iter().all(|offer| listener.verifies(offer)));
}

#[tokio::test]
async fn no_more_is_kept_than_is_promised_and_the_gap_is_told() {
    let daemon = daemon();
    let (partner, listener) = listener(&daemon).await;
    publish_many(&partner, 10_050).await;
    let mut stream = listener.stream("?window=1").await;
    assert_eq!(stream.hello["waiting"], 10_000);
    let (event, _, gap) = stream.next().await.unwrap();
    assert_eq!(event, "gap");
    assert_eq!(gap, json!({"from": 1, "to": 50, "count": 50, "reason": "retention"}));
    let offer = stream.offer().await;
    assert_eq!(offer.id, 51);
    listener.answer(&offer, 200).await;
    // A gap is told until something after it was attempted, and that is recorded in a moment.
    wait::until("the answer to be recorded", async || {
        let now = listener.now().await;
        if now["waiting"] == 9_999 { Ok(()) } else { Err(now) }
    })
    .await;
    drop(stream);
    let mut stream = listener.stream("?window=1&takeover=true").await;
    assert_eq!(stream.offer().await.id, 52, "the gap is told once");
    let path = format!("/v1/webhooks/{}/deliveries", text(&listener.made, "webhook_id"));
    let parked = partner.api.list(&format!("{path}?status=parked")).await;
    assert_eq!(parked.len(), 50);
    assert!(parked.iter().all(|one| one["reason"] == "expired"), "visible, and can be replayed");
}

#[tokio::test]
async fn a_listener_that_is_deleted_says_goodbye() {
    let daemon = daemon();
    let (partner, listener) = listener(&daemon).await;
    let mut stream = listener.stream("").await;
    publish(&partner, 1).await;
    stream.offer().await;
    let deleted = partner.api.delete(&listener.path("")).await.must_be(200);
    assert_eq!(deleted, json!({"id": "ana@laptop", "object": "listener", "deleted": true}));
    let (event, _, data) = stream.next().await.unwrap();
    assert_eq!((&*event, &data["reason"]), ("bye", &json!("deleted")));
    for path in ["", "/stream"] {
        let gone = partner.api.get(&listener.path(path)).await.must_be(404);
        assert_eq!(gone["error"]["param"], "name");
    }
    until(&listener, &["parked"]).await;
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let daemon = daemon();
    let (partner, listener) = listener(&daemon).await;
    for (name, body, words) in [
        (".hidden", json!({}), "not in front"),
        ("a%20b", json!({}), "letters, digits"),
        ("a", json!({"events": ["order.fileld"]}), "order.filled"),
        ("a", json!({"events": ["*", "!*"]}), "excludes everything"),
        ("a", json!({"timeout_seconds": 61}), "between 1 and 60"),
        ("a", json!({"event": []}), "did you mean 'events'?"),
    ] {
        let refused = listening::put(&partner.api, name, &body).await.must_be(400);
        let message = text(&refused["error"], "message");
        assert!(message.contains(words), "{name} {body}: {message}");
    }
    for (method, rest, body, words) in [
        (Method::GET, "/stream?window=0", "", "between 1 and 256"),
        (Method::GET, "/stream?takeover=true&share=true", "", "exclude each other"),
        (Method::POST, "/results", "[]", "1 to 256"),
        (Method::POST, "/results", r#"[{"delivery":"dlv_1","attempt":1}]"#, "array of results"),
        (Method::POST, "/seek", r#"{"to":"yesterday"}"#, "RFC 3339"),
        (Method::POST, "/seek", r#"{"to":-1}"#, "sequence number"),
        (Method::POST, "/seek", "{}", "'to' is missing"),
    ] {
        let call = Call::new(method, listener.path(rest)).body(body.to_owned());
        let refused = partner.api.send(call).await.must_be(400);
        let message = text(&refused["error"], "message");
        assert!(message.contains(words), "{rest} {body}: {message}");
    }
    let path = format!("/v1/webhooks/{}", text(&listener.made, "webhook_id"));
    let moved = partner.api.patch(&path, &json!({"url": "https://partner.example/"})).await;
    assert_eq!(moved.must_be(400)["error"]["param"], "url");
    let made = json!({"url": "listener:ana", "eventTypeNames": ["*"]});
    partner.api.post("/v1/webhooks", &made).await.must_be(400);
}

#[tokio::test]
async fn results_are_not_slowed_by_the_limit_of_requests() {
    let daemon = Daemon::start_with(&["--rate-limit-sandbox", "20"]);
    let (_, listener) = listener(&daemon).await;
    for _ in 0..100 {
        let result = json!([{
            "delivery": "dlv_01kv5v1cak0000000000000007", "attempt": 1, "outcome": "working",
        }]);
        listener.client.post(&listener.path("/results"), &result).await.must_be(200);
    }
}
