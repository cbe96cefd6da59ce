//! The inbox, on SQLite files and on a PostgreSQL server that is started here.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on says so"
)]

#[path = "inbox/database.rs"]
mod database;
#[path = "inbox/events.rs"]
mod events;
#[path = "inbox/gaps.rs"]
mod gaps;
#[path = "inbox/killed.rs"]
mod killed;
#[path = "inbox/once.rs"]
mod once;
#[path = "inbox/order.rs"]
mod order;
#[path = "inbox/postgres.rs"]
mod postgres;
#[path = "inbox/quarantine.rs"]
mod quarantine;
#[path = "inbox/retention.rs"]
mod retention;
#[path = "inbox/schema.rs"]
mod schema;
#[path = "inbox/web.rs"]
mod web;
