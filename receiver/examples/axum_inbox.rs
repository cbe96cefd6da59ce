//! A receiver on axum that books each fill once, however often it is delivered, and if it dies.
//!
//! `BLUUM_WEBHOOK_SECRET=whsec_… cargo run --example axum_inbox --features axum,sqlite`, then let a
//! webhook point to <http://127.0.0.1:3000/webhooks>. Kill it and start it again as you like: what
//! it has booked is in `fills.db` (another one: `DATABASE_URL=sqlite:…`).
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::str::FromStr;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bluum_hooks_receiver::axum::Webhook;
use bluum_hooks_receiver::inbox::{HandlerError, Inbox, InboxError, Outcome};
use bluum_hooks_receiver::{Data, Event, Verifier};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Sqlite, SqliteConnection, SqlitePool};

async fn receive(
    State(inbox): State<Inbox<Sqlite>>,
    Webhook(event): Webhook<Event>,
) -> Result<Outcome<()>, InboxError> {
    let outcome = inbox.handle(&event, book).await?;
    println!("{} {}: {outcome:?}", event.name, event.id);
    Ok(outcome)
}

/// Writes with `tx` are committed together with the event's id, or not at all.
async fn book(tx: &mut SqliteConnection, event: &Event) -> Result<(), HandlerError> {
    let Data::Order(order) = &event.data else { return Ok(()) };
    if event.name == "order.filled" {
        let quantity = order.filled_quantity.ok_or("filled, and no quantity")?;
        sqlx::query("INSERT INTO fills (order_id, quantity) VALUES ($1, $2)")
            .bind(order.id.to_string())
            .bind(quantity.to_string())
            .execute(tx)
            .await?;
    }
    Ok(())
}

pub async fn app(verifier: Verifier, pool: SqlitePool) -> Result<Router, HandlerError> {
    // Nothing here forbids a second row for an order: it is the inbox that does.
    let fills = "CREATE TABLE IF NOT EXISTS fills (order_id TEXT NOT NULL, quantity TEXT NOT NULL)";
    sqlx::query(fills).execute(&pool).await?;
    let inbox = Inbox::new(pool);
    inbox.migrate().await?;
    Ok(Router::new().route("/webhooks", post(receive)).with_state((verifier, inbox)))
}

#[tokio::main]
async fn main() -> Result<(), HandlerError> {
    let secret = std::env::var("BLUUM_WEBHOOK_SECRET")
        .map_err(|_| "set BLUUM_WEBHOOK_SECRET to the secret shown when the webhook was created")?;
    let verifier =
        Verifier::parse(&secret).map_err(|error| format!("BLUUM_WEBHOOK_SECRET: {error}"))?;
    let url = std::env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite:fills.db".to_owned());
    let options = SqliteConnectOptions::from_str(&url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let app = app(verifier, SqlitePool::connect_with(options).await?).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}/webhooks", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
