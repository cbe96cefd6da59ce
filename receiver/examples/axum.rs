//! A receiver on axum: prints every verified event in one line.
//!
//! `BLUUM_WEBHOOK_SECRET=whsec_… cargo run --example axum --features axum`, then let a webhook
//! point to <http://127.0.0.1:3000/webhooks>.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use bluum_hooks_receiver::axum::Webhook;
use bluum_hooks_receiver::{Data, Event, Verifier};

async fn receive(Webhook(event): Webhook<Event>) -> StatusCode {
    let what = match &event.data {
        Data::Order(order) => format!("{} is {}", order.id, order.status),
        Data::Deposit(deposit) => format!("{} is {}", deposit.id, deposit.status),
        Data::Unreadable { reason } => format!("cannot be read: {reason}"),
        _ => format!("{} bytes of data", event.raw_data().len()),
    };
    println!("{} {} {} {what}", event.timestamp, event.id, event.name);
    StatusCode::NO_CONTENT
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = std::env::var("BLUUM_WEBHOOK_SECRET")
        .map_err(|_| "set BLUUM_WEBHOOK_SECRET to the secret shown when the webhook was created")?;
    let verifier =
        Verifier::parse(&secret).map_err(|error| format!("BLUUM_WEBHOOK_SECRET: {error}"))?;
    let app = Router::new().route("/webhooks", post(receive)).with_state(verifier);
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}/webhooks", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
