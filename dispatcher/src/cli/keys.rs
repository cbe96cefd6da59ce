//! `keys create|list|revoke`

use bluum_hooks_shared::api::{ApiKey, KeyStatus, List};
use serde_json::{Map, Value, json};

use super::args::{KeysCommand, RoleArg};
use super::failure::Failure;
use super::print::{Printer, or_dash, table};
use super::query;
use crate::client::Client;

pub(super) async fn run(
    command: KeysCommand,
    client: &Client,
    printer: Printer,
) -> Result<(), Failure> {
    match command {
        KeysCommand::Create { role, tenant, investor_id, live, name } => {
            let mut body: Map<String, Value> = Map::new();
            body.insert("role".into(), json!(role.as_str()));
            body.extend(tenant.map(|tenant| ("tenant".into(), json!(tenant))));
            body.extend(investor_id.map(|investor| ("investor_id".into(), json!(investor))));
            body.extend(live.then(|| ("livemode".into(), json!(true))));
            body.extend(name.map(|name| ("name".into(), json!(name))));
            let answer = client.post("/v1/keys", &body).await?;
            let key: ApiKey = client.read(&answer)?;
            printer.answer(&answer, || created(&key));
        }
        KeysCommand::List(list) => {
            let answer = client.get(&query::path("/v1/keys", &list, &[])).await?;
            let list: List<ApiKey> = client.read(&answer)?;
            printer.answer(&answer, || rows(&list));
        }
        KeysCommand::Revoke { id } => {
            let answer = client.delete(&query::item("/v1/keys", &id)).await?;
            printer.answer(&answer, || format!("{id} revoked"));
        }
    }
    Ok(())
}

impl RoleArg {
    fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Tenant => "tenant",
            Self::Investor => "investor",
        }
    }
}

pub(super) fn mode(key: &ApiKey) -> &'static str {
    if key.livemode { "live" } else { "sandbox" }
}

fn created(key: &ApiKey) -> String {
    format!(
        "A {} key for the role {}. The secret is shown only now:\n  \
         export BLUUM_API_KEY={}\n  export BLUUM_API_SECRET={}",
        mode(key),
        key.role.as_str(),
        key.id,
        key.api_secret.as_deref().unwrap_or_default()
    )
}

fn rows(list: &List<ApiKey>) -> String {
    let rows = list.data.iter().map(|key| {
        let status = if key.status == KeyStatus::Active { "active" } else { "revoked" };
        [
            key.id.to_string(),
            status.into(),
            key.role.as_str().into(),
            mode(key).into(),
            or_dash(key.tenant),
            or_dash(key.name.as_ref()),
        ]
    });
    query::with_more(list, table(["ID", "STATUS", "ROLE", "MODE", "TENANT", "NAME"], rows))
}
