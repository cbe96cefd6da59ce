//! `init`: a database, a tenant, and the first keys.

use std::sync::Arc;

use bluum_hooks_shared::api::Role;
use bluum_hooks_shared::id::{KeyId, TenantId};
use bluum_hooks_shared::time::Timestamp;
use serde::Serialize;

use super::args::KeyedDatabaseArgs;
use super::failure::{Failure, Status};
use super::print::Printer;
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::credentials::NewKey;
use crate::random::{Random, SystemRandom};
use crate::store::sqlite::SqliteStore;
use crate::store::{Change, Key, Store, Tenant};

/// What a new database begins with. Shown once.
#[derive(Debug, Serialize)]
pub(super) struct Credentials {
    pub(super) operator: KeyPair,
    pub(super) tenant: TenantCredentials,
}

#[derive(Debug, Serialize)]
pub(super) struct KeyPair {
    pub(super) api_key: KeyId,
    pub(super) api_secret: String,
}

#[derive(Debug, Serialize)]
pub(super) struct TenantCredentials {
    pub(super) id: TenantId,
    #[serde(flatten)]
    pub(super) key: KeyPair,
}

pub(super) async fn run(args: &KeyedDatabaseArgs, printer: Printer) -> Result<(), Failure> {
    let sources = args.sources();
    let database = config::database(&sources)?;
    let keys = config::secrets_key(&sources, &database)?;
    let clock = SystemClock::new();
    let random = Arc::new(SystemRandom);
    let store = SqliteStore::open(&database.path, &keys, random, clock.now()).await?;
    let made = if_new(&store, clock.now(), &SystemRandom).await;
    store.close().await;
    let made = made?;
    let credentials = made.ok_or_else(|| {
        let there = format!("{} is a database already", database.path.display());
        Failure::new(Status::Failed, there)
            .then("its keys were shown when it was made; `bluum-hooks keys create` makes more")
    })?;
    printer.line(&credentials.to_text(), &credentials);
    Ok(())
}

/// Fills a database that has no tenant and no key yet.
pub(super) async fn if_new(
    store: &SqliteStore,
    now: Timestamp,
    random: &dyn Random,
) -> Result<Option<Credentials>, Failure> {
    let registry = store.registry();
    if registry.tenants().next().is_some() || registry.keys().next().is_some() {
        return Ok(None);
    }
    let id = TenantId::new(now, random.bits());
    let tenant =
        Tenant { id, name: "First tenant".into(), metadata: Default::default(), created_at: now };
    let (operator_key, operator) = make(Role::Operator, None, now, random);
    let (tenant_key, key) = make(Role::Tenant, Some(id), now, random);
    let first = Change::AddTenant(tenant, vec![operator_key, tenant_key]);
    let written = store.change(first, None, now).await;
    written.map_err(|error| Failure::unexpected(&error))?;
    Ok(Some(Credentials { operator, tenant: TenantCredentials { id, key } }))
}

fn make(
    role: Role,
    tenant: Option<TenantId>,
    now: Timestamp,
    random: &dyn Random,
) -> (Key, KeyPair) {
    let name = Some("made by init".to_owned());
    let new = NewKey { role, tenant, investor_id: None, livemode: false, name };
    let (key, api_secret) = new.make(now, random);
    let api_key = key.id;
    (key, KeyPair { api_key, api_secret })
}

impl Credentials {
    /// For people: lines to paste into a shell.
    pub(super) fn to_text(&self) -> String {
        let TenantCredentials { id, key } = &self.tenant;
        format!(
            "These keys are for the sandbox and are shown only now.\n\n{}\n\n\
             Tenant {id} (its webhooks, events and deliveries):\n{}",
            self.operator_to_text(),
            key.to_text()
        )
    }

    /// The operator's alone.
    pub(super) fn operator_to_text(&self) -> String {
        let pair = self.operator.to_text();
        format!("Operator (publishes events, manages tenants and keys):\n{pair}")
    }
}

impl KeyPair {
    fn to_text(&self) -> String {
        let Self { api_key, api_secret } = self;
        format!("  export BLUUM_API_KEY={api_key}\n  export BLUUM_API_SECRET={api_secret}")
    }
}
