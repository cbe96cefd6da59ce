//! What the delivery system tells about itself: to the tenant's other webhooks, and to nobody else.

use bluum_hooks_tests::client::text;
use bluum_hooks_tests::daemon::Daemon;
use bluum_hooks_tests::partner::{Partner, Webhook};
use bluum_hooks_tests::sink::{Request, Sink};
use bluum_hooks_tests::wait;
use serde_json::{Value, json};

const SYSTEM: [&str; 2] = ["webhook.*", "delivery.parked"];

async fn set_status(partner: &Partner, webhook: &Webhook, status: &str) -> Value {
    let path = format!("/v1/webhooks/{}", webhook.id);
    partner.operator.patch(&path, &json!({"status": status})).await.must_be(200)
}

/// What only the webhook's own receiver should see is not told to another.
fn without_headers(mut webhook: Value) -> Value {
    webhook["headers"] = json!({});
    webhook
}

/// Waits for this many notices and no more; gives the last, which has this name.
async fn notice(sink: &Sink, count: usize, name: &str) -> Value {
    let last = sink.until_count(count).await.pop().map(|request: Request| request.json());
    let last = last.unwrap_or_default();
    assert_eq!(last["event"], name, "{last}");
    last
}

#[tokio::test]
async fn a_webhook_that_stops_or_starts_is_told_to_the_others_of_its_tenant() {
    let mut daemon = Daemon::start();
    let (gone, other, foreign) =
        (Sink::always(410).await, Sink::always(200).await, Sink::always(200).await);
    let (partner, stranger) = (Partner::join(&daemon).await, Partner::join(&daemon).await);
    stranger.subscribe(&foreign.url("/"), &["*"]).await;
    let live = daemon.new_key(&json!({"role": "operator", "livemode": true})).await;
    let live = daemon.client(Some(&live));
    let url =
        json!({"url": "https://127.0.0.1:9/", "eventTypeNames": ["*"], "tenant": partner.tenant});
    let in_live = live.post("/v1/webhooks", &url).await.must_be(201);
    let own = json!({"authorization": "hush"});
    let webhook = json!({"url": gone.url("/"), "eventTypeNames": ["*"], "headers": own});
    let webhook = partner.subscribe_as(&webhook).await;
    partner.subscribe(&other.url("/"), &SYSTEM).await;

    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let parked = partner.until_delivery(&webhook, &event, "parked").await;
    // What follows is about the same webhook, so it comes in order.
    let about_delivery = notice(&other, 2, "delivery.parked").await;
    assert_eq!(
        (&about_delivery["data"]["id"], &about_delivery["data"]["reason"]),
        (&parked["id"], &json!("gone"))
    );
    let told = other.requests()[0].json();
    assert_eq!(told["event"], "webhook.disabled");
    // It was disabled first, and the failure that did it written then.
    let mut expected = without_headers(partner.webhook(&webhook).await);
    assert!(expected["failing_since"].take().is_string());
    assert_eq!(told["data"], expected, "and no secret");
    assert_eq!(
        (&told["data"]["status"], &told["data"]["status_reason"]),
        (&json!("disabled"), &json!("gone"))
    );

    let active = set_status(&partner, &webhook, "active").await;
    assert_eq!(notice(&other, 3, "webhook.enabled").await["data"], without_headers(active.clone()));
    assert_eq!((&active["status"], &active["status_reason"]), (&json!("active"), &Value::Null));
    set_status(&partner, &webhook, "active").await;
    let inactive = set_status(&partner, &webhook, "inactive").await;
    assert_eq!(notice(&other, 4, "webhook.disabled").await["data"], without_headers(inactive));
    // From one kind of stopped to the other nothing changes for the partner.
    set_status(&partner, &webhook, "inactive").await;

    let marker = partner.publish("webhook.enabled", &json!({"id": "wh_marker"})).await;
    let last = other.until_count(5).await.remove(4);
    assert_eq!(last.event_id(), marker, "once each");
    let of_gone = partner.deliveries(&webhook).await;
    let events: Vec<&str> = of_gone.iter().map(|delivery| text(delivery, "event")).collect();
    assert_eq!(events, ["order.filled", "webhook.enabled"], "never about itself");
    gone.until_count(1).await;
    foreign.until_count(0).await;
    let path = format!("/v1/webhooks/{}/deliveries", text(&in_live, "id"));
    assert_eq!(live.list(&path).await, [] as [Value; 0]);
    let listed: Vec<Value> = partner.events().await.split_off(1);
    let published: Vec<Value> = other.requests().iter().map(Request::json).collect();
    assert_eq!(listed, published, "notices stand in the list of events");
    daemon.audit();
}

#[tokio::test]
async fn a_delivery_that_is_given_up_is_told_and_a_notice_that_is_given_up_is_not() {
    let (mut daemon, broken, other) =
        (Daemon::start(), Sink::always(500).await, Sink::always(200).await);
    let partner = Partner::join(&daemon).await;
    let without_retry =
        json!({"url": broken.url("/"), "eventTypeNames": ["*"], "retry_schedule": []});
    let first = partner.subscribe_as(&without_retry).await;
    let second = partner.subscribe_as(&without_retry).await;
    let third = partner.subscribe(&other.url("/"), &SYSTEM).await;
    let event = partner.publish("order.filled", &json!({"id": "ord_1"})).await;

    // Both fail; each failure is told to the two others; two of the four notices fail as well.
    for webhook in [&first, &second] {
        wait::until("everything to be parked", async || {
            let deliveries = partner.deliveries(webhook).await;
            let parked = deliveries.iter().filter(|delivery| delivery["status"] == "parked");
            if parked.count() == 2 { Ok(()) } else { Err(format!("{deliveries:?}")) }
        })
        .await;
    }
    let told = other.until_count(2).await;
    for webhook in [&first, &second] {
        let parked = partner.until_delivery(webhook, &event, "parked").await;
        let about = |request: &&Request| request.json()["data"]["id"] == parked["id"];
        let notice = told.iter().find(about).map(Request::json).unwrap_or_default();
        assert_eq!(notice["event"], "delivery.parked");
        for name in ["object", "event_id", "event", "webhook_id", "sequence", "status"] {
            assert_eq!(notice["data"][name], parked[name], "'{name}' of {notice}");
        }
        assert_eq!(notice["data"]["reason"], "exhausted");
    }
    let marker = partner.publish("webhook.enabled", &json!({"id": "wh_marker"})).await;
    partner.until_delivery(&third, &marker, "delivered").await;
    let names: Vec<String> =
        partner.events().await.iter().map(|event| text(event, "event").to_owned()).collect();
    assert_eq!(names, ["order.filled", "delivery.parked", "delivery.parked", "webhook.enabled"]);
    daemon.audit();
}
