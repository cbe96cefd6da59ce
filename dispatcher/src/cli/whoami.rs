//! `whoami`: which key asks, whom it acts for, where it asks, and who said so.

use bluum_hooks_shared::api::ApiKey;
use serde_json::json;

use super::args::Global;
use super::failure::Failure;
use super::print::{Printer, facts, or_dash};
use super::{keys, login, query};

pub(super) async fn run(global: &Global, printer: Printer) -> Result<(), Failure> {
    let sources = global.sources()?;
    let said = sources.login()?;
    let client = login::connect(&said.base.value, &said.key.value, &said.secret)?;
    let answer = client.get(&query::item("/v1/keys", &said.key.value)).await?;
    let key: ApiKey = client.read(&answer)?;
    let listener = sources.listener(None);
    let from = |value: &str, from: &str| format!("{value}, from {from}");
    let project = sources.project.as_ref();
    let text = facts(&[
        ("key", from(&key.id.to_string(), &said.key.from)),
        ("secret", format!("from {}", said.secret_from)),
        ("role", key.role.as_str().to_owned()),
        ("mode", keys::mode(&key).to_owned()),
        ("tenant", or_dash(key.tenant)),
        ("name", or_dash(key.name.as_ref())),
        ("asks", from(&said.base.value, &said.base.from)),
        ("profile", from(&sources.profile.value, &sources.profile.from)),
        ("user file", sources.place.to_string()),
        (
            "project",
            or_dash(
                project.map(|project| from(&project.says(), &project.path.display().to_string())),
            ),
        ),
        ("listener", from(&listener.value, &listener.from)),
    ]);
    let who = json!({
        "base_url": said.base.value, "base_url_from": said.base.from, "key": key,
        "key_from": said.key.from, "secret_from": said.secret_from,
        "profile": sources.profile, "listener": listener, "user_file": sources.place.to_string(),
        "project": project.map(|project| &project.path),
    });
    printer.line(&text, &who);
    Ok(())
}
