//! `tenants create|list`

use bluum_hooks_shared::api::{List, Tenant};
use serde_json::json;

use super::args::TenantsCommand;
use super::failure::Failure;
use super::print::{Printer, table};
use super::query;
use crate::client::Client;

pub(super) async fn run(
    command: TenantsCommand,
    client: &Client,
    printer: Printer,
) -> Result<(), Failure> {
    match command {
        TenantsCommand::Create { name } => {
            let answer = client.post("/v1/tenants", &json!({ "name": name })).await?;
            let tenant: Tenant = client.read(&answer)?;
            printer.answer(&answer, || tenant.id.to_string());
        }
        TenantsCommand::List(list) => {
            let answer = client.get(&query::path("/v1/tenants", &list, &[])).await?;
            let list: List<Tenant> = client.read(&answer)?;
            let rows = list.data.iter().map(|tenant| [tenant.id.to_string(), tenant.name.clone()]);
            let text = query::with_more(&list, table(["ID", "NAME"], rows));
            printer.answer(&answer, || text);
        }
    }
    Ok(())
}
