//! `demo`: daemon, partner and a journey of events, on loopback and a temporary database.

use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::routing::post;
use bluum_hooks_receiver::axum::Webhook;
use bluum_hooks_receiver::{Event, Verifier};
use bluum_hooks_shared::api::{self, Delivery, DeliveryStatus, List};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::args::DemoArgs;
use super::daemon::Daemon;
use super::failure::{Failure, Status};
use super::init::KeyPair;
use super::journey::{Books, summary};
use super::print::Printer;
use super::trigger::{Draft, Scenario, Story};
use crate::client::Client;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Sources};
use crate::random::SystemRandom;
use crate::telemetry;

/// How long each event may take from publishing to being recorded.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to ask whether a delivery is recorded.
const ASK_AGAIN: Duration = Duration::from_millis(2);

pub(super) async fn run(args: &DemoArgs, printer: Printer) -> Result<(), Failure> {
    telemetry::start(false, if args.logs { "info" } else { "error" });
    let folder = tempfile::tempdir().map_err(|error| Failure::unexpected(&error))?;
    let database = format!("sqlite:{}", folder.path().join("demo.db").display());
    let flags = [
        ("database", database),
        ("listen", "127.0.0.1:0".to_owned()),
        ("allow_target", "127.0.0.0/8".to_owned()),
        // It asks all the time what has become of the events.
        ("rate_limit_sandbox", "0".to_owned()),
    ];
    let sources = Sources::new(flags.into(), |_| None, Default::default());
    let config = Config::read(&sources)?;
    let grace = config.grace;
    let mut daemon = Daemon::start(config).await?;
    let credentials = daemon.credentials.take();
    let credentials = credentials.ok_or_else(|| broken("the new database has no keys"))?;
    let base = format!("http://{}", daemon.address);
    let told = tell(&base, &credentials.operator, &credentials.tenant.key, printer).await;
    daemon.stop(grace, std::future::pending()).await;
    told
}

/// A partner's HTTP handler: verified events go into its channel.
#[derive(Clone)]
struct Partner {
    verifier: Verifier,
    received: mpsc::UnboundedSender<Event>,
}

impl FromRef<Partner> for Verifier {
    fn from_ref(partner: &Partner) -> Self {
        partner.verifier.clone()
    }
}

async fn receive(State(partner): State<Partner>, Webhook(event): Webhook<Event>) -> StatusCode {
    match partner.received.send(event) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn tell(
    base: &str,
    operator: &KeyPair,
    tenant: &KeyPair,
    printer: Printer,
) -> Result<(), Failure> {
    let client = |pair: &KeyPair| {
        Client::new(base, &pair.api_key.to_string(), &pair.api_secret)
            .map_err(|error| Failure::unexpected(&error))
    };
    let (publisher, partner) = (client(operator)?, client(tenant)?);
    let (url, mut received) = open_partner(&partner).await?;
    let opened = format!(
        "daemon   {base}  on a temporary database, every commit synced\n\
         partner  {url}  subscribed to *, verifying with bluum-hooks-receiver\n\n\
         TIME          ST     LATENCY  TYPE                           \
         ID                              WHAT THE PARTNER VERIFIED"
    );
    printer.line(&opened, &json!({"type": "ready", "daemon": base, "partner": url}));

    let mut books = Books::default();
    let journey = Scenario::find("journey").ok_or_else(|| broken("there is no journey"))?;
    let story = Story::all(&journey, SystemClock::new().now(), &SystemRandom)?;
    for draft in &story {
        play(draft, &publisher, &mut received, &mut books, printer).await?;
    }
    let count = story.len();
    let balance = books.balance().ok_or_else(|| broken("the amounts do not add up"))?;
    let closing = format!(
        "\n{count} events accepted, delivered, verified and recorded, each once.\n{}\n\n\
         Next: `bluum-hooks serve`, and README.md for a receiver of your own.",
        books.to_text()
    );
    let summary = json!({"type": "end", "events": count, "delivered": count, "balance": balance});
    printer.line(&closing, &summary);
    Ok(())
}

/// Registers a webhook as a partner would, and serves it.
async fn open_partner(
    client: &Client,
) -> Result<(String, mpsc::UnboundedReceiver<Event>), Failure> {
    let failed = |error: std::io::Error| Failure::unexpected(&error);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let url = format!("http://{}/webhooks", listener.local_addr().map_err(failed)?);
    let body = json!({"url": url, "eventTypeNames": ["*"], "name": "demo"});
    let answer = client.post("/v1/webhooks", &body).await?;
    let webhook: api::Webhook = client.read(&answer)?;
    let secret = webhook.secret.ok_or_else(|| broken("no secret came with the webhook"))?;
    let verifier = Verifier::parse(&secret).map_err(|error| Failure::unexpected(&error))?;
    let (sender, received) = mpsc::unbounded_channel();
    let app = Router::new()
        .route("/webhooks", post(receive))
        .with_state(Partner { verifier, received: sender });
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok((url, received))
}

/// Publishes one event and follows it to the end.
async fn play(
    draft: &Draft,
    client: &Client,
    received: &mut mpsc::UnboundedReceiver<Event>,
    books: &mut Books,
    printer: Printer,
) -> Result<(), Failure> {
    let clock = SystemClock::new();
    let published = clock.monotonic();
    let answer = client.post("/v1/events", &draft.publication(None)).await?;
    let accepted = Event::parse(&answer).map_err(|error| Failure::unexpected(&error))?;
    let arrival = tokio::time::timeout(PATIENCE, received.recv()).await;
    let name = &accepted.name;
    let event = arrival.ok().flatten().ok_or_else(|| broken(&format!("{name} did not arrive")))?;
    let latency = clock.monotonic().saturating_sub(published);
    if event.id != accepted.id {
        return Err(broken(&format!("{} arrived instead of {}", event.id, accepted.id)));
    }
    books.enter(&event).ok_or_else(|| broken(&format!("the amounts of {name} are odd")))?;
    let status = recorded(client, &event.id, &clock).await?;

    let time = clock.now().to_string();
    let time = time.get(11..23).unwrap_or_default();
    let millis = latency.as_secs_f64() * 1000.0;
    let what = summary(&event);
    let id = &event.id;
    printer.line(
        &format!("{time}  {status}  {millis:>6.1} ms  {name:<29}  {id}  {what}"),
        &json!({
            "type": "delivery", "event": id, "event_type": name, "status": status,
            "latency_ms": millis, "verified": true, "recorded": "delivered",
        }),
    );
    Ok(())
}

/// Waits until the daemon says that the event is delivered; returns the status it recorded.
async fn recorded(client: &Client, event: &str, clock: &SystemClock) -> Result<u16, Failure> {
    let give_up_at = clock.now().plus(PATIENCE);
    while clock.now() < give_up_at {
        let answer = client.get(&format!("/v1/events/{event}/deliveries")).await?;
        let owed: List<Delivery> = client.read(&answer)?;
        if let Some(delivery) = owed.data.first()
            && delivery.status == DeliveryStatus::Delivered
        {
            let answer = client.get(&format!("/v1/deliveries/{}", delivery.id)).await?;
            let delivery: Delivery = client.read(&answer)?;
            let attempts = delivery.attempts.unwrap_or_default();
            let status = attempts.last().and_then(|attempt| attempt.status);
            return status.ok_or_else(|| broken("a delivery without an answer"));
        }
        clock.sleep_until(clock.now().plus(ASK_AGAIN)).await;
    }
    Err(broken(&format!("{event} was not recorded as delivered")))
}

fn broken(what: &str) -> Failure {
    Failure::new(Status::Failed, what).then("run it again with --logs and report what it says")
}
