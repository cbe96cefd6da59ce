//! Every way to call the API wrongly, and what it answers: the documented envelope and code.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bluum_hooks_tests::client::{Call, Client, Credentials, Response, is_json, text};
use bluum_hooks_tests::daemon::{self, Shared};
use bluum_hooks_tests::partner::Partner;
use bluum_hooks_tests::sink::Sink;
use http::Method;
use serde_json::{Value, json};

/// A mistake and the answer that it must get.
struct Mistake {
    name: &'static str,
    call: Call,
    status: u16,
    code: &'static str,
    param: Option<&'static str>,
    says: Vec<&'static str>,
}

fn mistake(name: &'static str, call: Call, status: u16, code: &'static str) -> Mistake {
    Mistake { name, call, status, code, param: None, says: Vec::new() }
}

impl Mistake {
    /// The request field that the answer must name.
    fn param(mut self, name: &'static str) -> Self {
        self.param = Some(name);
        self
    }

    /// Words that the message must contain.
    fn says(mut self, words: &[&'static str]) -> Self {
        self.says = words.to_vec();
        self
    }
}

/// What `error.type` is for a status.
fn kind(status: u16) -> &'static str {
    match status {
        400 | 405 | 413 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        _ => "api_error",
    }
}

/// What is wrong with the answer to a mistake, if anything.
fn complaint(mistake: &Mistake, response: &Response) -> Option<String> {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let error = &body["error"];
    let mut expected = json!({"type": kind(mistake.status), "code": mistake.code});
    expected["message"] = error["message"].clone();
    if let Some(param) = mistake.param {
        expected["param"] = json!(param);
    } else if let Some(param) = error.get("param") {
        expected["param"] = param.clone();
    }
    let message = error["message"].as_str().unwrap_or_default();
    let unsaid = mistake.says.iter().find(|words| !message.contains(*words));
    let fine = response.status.as_u16() == mistake.status
        && is_json(&response.headers)
        && body == json!({ "error": expected })
        && !message.is_empty()
        && unsaid.is_none();
    (!fine).then(|| {
        let Mistake { name, status, .. } = mistake;
        format!("{name}: expected {status} {expected} saying {:?}, came {response:?}", mistake.says)
    })
}

/// Makes every mistake and reports all wrong answers at once.
async fn check(client: &Client, mistakes: Vec<Mistake>) {
    let mut complaints = Vec::new();
    for mistake in mistakes {
        let response = client.send(mistake.call.clone()).await;
        complaints.extend(complaint(&mistake, &response));
    }
    assert!(
        complaints.is_empty(),
        "{} wrong answers:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

fn daemon() -> Shared {
    daemon::shared(&[])
}

fn post(path: &str, body: &Value) -> Call {
    Call::post(path, body.to_string())
}

/// An id of the right form that nothing has.
fn nobody(prefix: &str) -> String {
    format!("{prefix}_00000000000000000000000000")
}

/// The body of a webhook without fault, with one field replaced.
fn webhook_with(daemon: &Shared, name: &str, value: &Value) -> Value {
    let url = "http://127.0.0.1:9/in";
    let tenant = daemon.tenant_id();
    let mut body = json!({"url": url, "eventTypeNames": ["order.*"], "tenant": tenant});
    body[name] = value.clone();
    body
}

#[tokio::test]
async fn credentials() {
    let daemon = daemon();
    let revoked = daemon.new_key(&json!({"role": "tenant", "tenant": daemon.tenant_id()})).await;
    let revocation = format!("/v1/keys/{}", revoked.key);
    daemon.operator().delete(&revocation).await.must_be(200);

    let real = daemon.operator_key();
    let other_secret = Credentials { secret: "wrong".to_owned(), ..real.clone() };
    let other_key = Credentials { key: nobody("apk"), ..real.clone() };
    let no_colon = format!("Basic {}", BASE64_STANDARD.encode("apk_without_a_colon"));
    let with = |value: &str| Call::get("/v1/webhooks").header("authorization", value);
    check(
        &daemon.client(None),
        vec![
            mistake("no credentials", Call::get("/v1/webhooks"), 401, "BLUM-401-001"),
            mistake("a bearer token", with("Bearer abc"), 401, "BLUM-401-002"),
            mistake("no base64", with("Basic %%%"), 401, "BLUM-401-002"),
            mistake("no colon", with(&no_colon), 401, "BLUM-401-002"),
            mistake("another secret", with(&other_secret.header()), 401, "BLUM-401-003"),
            mistake("an unknown key", with(&other_key.header()), 401, "BLUM-401-003"),
            mistake("a revoked key", with(&revoked.header()), 401, "BLUM-401-004"),
        ],
    )
    .await;
}

#[tokio::test]
async fn routes_and_methods() {
    let daemon = daemon();
    let operator = daemon.operator();
    let mistakes = vec![
        mistake("an unknown route", Call::get("/v1/nothing"), 404, "BLUM-404-002"),
        mistake("a route below one", Call::get("/v1/events/a/b/c"), 404, "BLUM-404-002"),
        mistake("no such method", Call::new(Method::PUT, "/v1/webhooks"), 405, "BLUM-405-001"),
    ];
    check(&operator, mistakes).await;

    let refused = operator.delete("/v1/events").await;
    refused.must_be(405);
    let allow = refused.header("allow").unwrap_or_default();
    let mut allowed: Vec<&str> = allow.split(',').map(str::trim).collect();
    allowed.retain(|&method| method != "HEAD");
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "POST"], "in the Allow header of {refused:?}");
}

#[tokio::test]
async fn bodies() {
    let daemon = daemon();
    let (tenant, url) = (daemon.tenant_id(), "http://127.0.0.1:9/in");
    let no_event = json!({"tenant": tenant, "data": {}});
    let no_data = json!({"tenant": tenant, "event": "order.filled"});
    let typo = json!({"tenant": tenant, "event": "order.fild", "data": {"id": "ord_1"}});
    let large = json!({"id": "x".repeat(256 * 1024)});
    let large = json!({"tenant": tenant, "event": "order.filled", "data": large});
    let no_url = json!({"tenant": tenant, "eventTypeNames": ["order.*"]});
    let no_type = json!({ "tenant": tenant, "url": url });
    let old_name = json!({"tenant": tenant, "url": url, "events": ["order.*"]});
    let colour = webhook_with(&daemon, "colour", &json!("red"));
    let both_names = webhook_with(&daemon, "event_type_names", &json!(["*"]));
    let no_pattern = webhook_with(&daemon, "eventTypeNames", &json!(["oder.*"]));
    let whenever = webhook_with(&daemon, "ordering", &json!("whenever"));
    let (events, webhooks) = ("/v1/events", "/v1/webhooks");
    check(
        &daemon.operator(),
        vec![
            mistake("half a JSON", Call::post(webhooks, "{\"url\":"), 400, "BLUM-400-001"),
            mistake("no body at all", Call::post(events, ""), 400, "BLUM-400-001"),
            mistake("no url", post(webhooks, &no_url), 400, "BLUM-400-002")
                .param("url")
                .says(&["'url'"]),
            mistake("no event types", post(webhooks, &no_type), 400, "BLUM-400-002")
                .param("eventTypeNames"),
            mistake("events for eventTypeNames", post(webhooks, &old_name), 400, "BLUM-400-002")
                .param("eventTypeNames")
                .says(&["'events'", "'eventTypeNames'"]),
            mistake("no event", post(events, &no_event), 400, "BLUM-400-002").param("event"),
            mistake("no data", post(events, &no_data), 400, "BLUM-400-002").param("data"),
            mistake("an unknown field", post(webhooks, &colour), 400, "BLUM-400-001")
                .param("colour"),
            mistake("one list under two names", post(webhooks, &both_names), 400, "BLUM-400-001")
                .param("eventTypeNames"),
            mistake("an unknown event", post(events, &typo), 400, "BLUM-400-004")
                .param("event")
                .says(&["order.filled"]),
            mistake("an unknown pattern", post(webhooks, &no_pattern), 400, "BLUM-400-004")
                .says(&["order.*"]),
            mistake("an unknown enum value", post(webhooks, &whenever), 400, "BLUM-400-004")
                .param("ordering")
                .says(&["object", "none"]),
            mistake("more than 256 KiB", post(events, &large), 413, "BLUM-400-008"),
        ],
    )
    .await;
}

#[tokio::test]
async fn urls() {
    let daemon = daemon();
    let long = format!("http://127.0.0.1:9/{}", "x".repeat(2_048));
    let mistakes = [
        ("no URL", "partner dot example"),
        ("no host", "http://"),
        ("no HTTP", "ftp://partner.example/in"),
        ("user and password", "http://user:secret@127.0.0.1:9/in"),
        ("a fragment", "http://127.0.0.1:9/in#part"),
        ("a private address", "http://10.0.0.1/in"),
        ("a private address in disguise", "http://[::ffff:10.0.0.1]/in"),
        ("too long", &long),
    ]
    .map(|(name, url)| {
        let body = webhook_with(&daemon, "url", &json!(url));
        mistake(name, post("/v1/webhooks", &body), 400, "BLUM-400-003").param("url")
    });
    check(&daemon.operator(), mistakes.into()).await;
}

#[tokio::test]
async fn ids_and_pages() {
    let uuid = "/v1/webhooks/6f9619ff-8b86-d011-b42d-00c04fc964ff";
    let get = |path: String| Call::get(path);
    let limit = |value: &str| get(format!("/v1/events?limit={value}"));
    let webhook = format!("/v1/webhooks/{}", nobody("wh"));
    let delivery = format!("/v1/deliveries/{}", nobody("dlv"));
    let other_kind = format!("/v1/webhooks/{}", nobody("evt"));
    let unknown = "BLUM-404-001";
    check(
        &daemon().operator(),
        vec![
            mistake("an unknown webhook", get(webhook.clone()), 404, unknown),
            mistake("its deliveries", get(format!("{webhook}/deliveries")), 404, unknown),
            mistake("an unknown event", get(format!("/v1/events/{}", nobody("evt"))), 404, unknown),
            mistake("an unknown delivery", get(delivery), 404, unknown),
            mistake("no text at all", Call::get("/v1/events/%ff"), 404, unknown).param("id"),
            mistake("a raw UUID", Call::get(uuid), 400, "BLUM-400-003").says(&["UUID", "wh_"]),
            mistake("an id of another kind", get(other_kind), 400, "BLUM-400-003").says(&["wh_"]),
            mistake("no page at all", limit("0"), 400, "BLUM-400-001").param("limit"),
            mistake("too large a page", limit("201"), 400, "BLUM-400-001").param("limit"),
            mistake("no number", limit("abc"), 400, "BLUM-400-001").param("limit"),
        ],
    )
    .await;
}

#[tokio::test]
async fn roles() {
    let daemon = daemon();
    let investor =
        json!({"role": "investor", "tenant": daemon.tenant_id(), "investor_id": "inv_1"});
    let investor = daemon.new_key(&investor).await;
    let body = webhook_with(&daemon, "name", &json!("mine"));
    check(
        &daemon.client(Some(&investor)),
        vec![
            mistake("an investor lists", Call::get("/v1/webhooks"), 403, "BLUM-403-001"),
            mistake("an investor creates", post("/v1/webhooks", &body), 403, "BLUM-403-001"),
        ],
    )
    .await;
    check(
        &daemon.tenant(),
        vec![
            mistake("a tenant lists tenants", Call::get("/v1/tenants"), 403, "BLUM-403-001"),
            mistake("a tenant lists keys", Call::get("/v1/keys"), 403, "BLUM-403-001"),
        ],
    )
    .await;
}

/// What belongs to another tenant is not forbidden but unknown: even that it exists is private.
#[tokio::test]
async fn another_tenants_things_do_not_exist() {
    let daemon = daemon();
    let owner = Partner::join(&daemon).await;
    let stranger = Partner::join(&daemon).await;
    let webhook = owner.subscribe("http://127.0.0.1:9/in", &["order.*"]).await;
    let event = owner.publish("order.filled", &json!({"id": "ord_1"})).await;
    let deliveries = owner.deliveries(&webhook).await;
    let delivery = format!("/v1/deliveries/{}", text(&deliveries[0], "id"));
    let webhook = format!("/v1/webhooks/{}", webhook.id);
    let unknown = "BLUM-404-001";
    check(
        &stranger.api,
        vec![
            mistake("read the webhook", Call::get(webhook.clone()), 404, unknown),
            mistake("delete it", Call::new(Method::DELETE, webhook.clone()), 404, unknown),
            mistake("change it", Call::new(Method::PATCH, &webhook).body("{}"), 404, unknown),
            mistake("its deliveries", Call::get(format!("{webhook}/deliveries")), 404, unknown),
            mistake("read the event", Call::get(format!("/v1/events/{event}")), 404, unknown),
            mistake("read the delivery", Call::get(delivery), 404, unknown),
        ],
    )
    .await;
    for list in ["/v1/webhooks", "/v1/events"] {
        assert_eq!(stranger.api.list(list).await, [] as [Value; 0], "in {list} of a stranger");
    }
    owner.api.get(&webhook).await.must_be(200);
}

/// `Client` asserts `X-Request-Id` on every answer; here it is also new each time.
#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let daemon = daemon();
    let client = daemon.client(None);
    let mut ids = Vec::new();
    for path in ["/healthz", "/readyz", "/metrics", "/", "/v1/openapi.json", "/nothing", "/v1/x"] {
        let response = client.get(path).await;
        ids.push(response.header("x-request-id").unwrap().to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 7, "an id came twice: {ids:?}");
}

#[tokio::test]
async fn a_list_goes_on_after_one_of_its_own_even_if_that_was_deleted() {
    let (daemon, sink) = (daemon(), Sink::always(200).await);
    let partner = Partner::join(&daemon).await;
    let mut owed = Vec::new();
    for object in ["ord_1", "ord_2"] {
        let webhook = partner.subscribe(&sink.url("/"), &["*"]).await;
        let event = partner.publish("order.filled", &json!({"id": object})).await;
        owed.push((partner.until_delivery(&webhook, &event, "delivered").await, webhook, event));
    }
    let [(_, first, event), (delivery, second, _)] = &owed[..] else { panic!("two webhooks") };
    let delivery = text(delivery, "id");
    for list in [format!("/v1/webhooks/{}", first.id), format!("/v1/events/{event}")] {
        let path = format!("{list}/deliveries?starting_after={delivery}");
        let refused = partner.operator.get(&path).await.must_be(404);
        assert_eq!(refused["error"]["param"], "starting_after", "{path}");
    }
    partner.operator.delete(&format!("/v1/webhooks/{}", first.id)).await.must_be(200);
    let rest = format!("/v1/webhooks?tenant={}&starting_after={}", partner.tenant, first.id);
    let rest = partner.operator.list(&rest).await;
    assert_eq!(rest.iter().map(|one| text(one, "id")).collect::<Vec<_>>(), [&second.id]);
}
