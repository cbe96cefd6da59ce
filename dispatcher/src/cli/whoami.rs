//! `whoami`: which key asks, whom it acts for, and where it asks.

use bluum_hooks_shared::api::ApiKey;
use serde_json::json;

use super::args::Global;
use super::failure::Failure;
use super::print::{Printer, facts, or_dash};
use super::{keys, query};

pub(super) async fn run(global: &Global, printer: Printer) -> Result<(), Failure> {
    let (client, login) = (global.client()?, global.login()?);
    let answer = client.get(&query::item("/v1/keys", &login.key)).await?;
    let key: ApiKey = client.read(&answer)?;
    let text = facts(&[
        ("key", key.id.to_string()),
        ("role", key.role.as_str().to_owned()),
        ("mode", keys::mode(&key).to_owned()),
        ("tenant", or_dash(key.tenant)),
        ("name", or_dash(key.name.as_ref())),
        ("asks", format!("{}, from {}", login.base, login.base_from)),
    ]);
    let who = json!({"base_url": login.base, "base_url_from": login.base_from, "key": key});
    printer.line(&text, &who);
    Ok(())
}
