//! Tenants, keys and webhooks: written through, read from memory, the same after reopening.

use std::collections::BTreeMap;
use std::time::Duration;

use bluum_hooks_dispatcher::policy::retry::RetrySchedule;
use bluum_hooks_dispatcher::store::{
    Change, Edit, Edited, Key, Report, StoreError, Tenant, WebhookSecret,
};
use bluum_hooks_shared::api::{CustomHeaders, Ordering, Role, WebhookStatus};
use bluum_hooks_shared::asymmetric::PrivateKey;
use bluum_hooks_shared::id::{KeyId, TenantId, WebhookId};
use bluum_hooks_shared::secret::Secret;

use super::make;
use super::world::{START, World};

fn key(world: &mut World, role: Role, tenant: Option<TenantId>) -> Key {
    Key {
        id: KeyId::new(world.now, world.bits()),
        role,
        tenant,
        livemode: role == Role::Tenant,
        investor_id: (role == Role::Investor).then(|| "inv_1".into()),
        name: (role == Role::Operator).then(|| "a key".into()),
        secret_sha256: "0".repeat(64),
        created_at: world.now,
        revoked_at: None,
    }
}

pub async fn tenants_and_keys_survive_reopening(mut world: World) {
    let metadata: BTreeMap<_, _> = [("ä".to_owned(), "\"\n".to_owned())].into();
    let id = TenantId::new(world.now, world.bits());
    let tenant = Tenant { id, name: "Ä & co".into(), metadata, created_at: world.now };
    world.change_registry(Change::AddTenant(tenant.clone(), Vec::new())).await.unwrap();
    let keys = [
        key(&mut world, Role::Operator, None),
        key(&mut world, Role::Tenant, Some(id)),
        key(&mut world, Role::Investor, Some(id)),
    ];
    for key in &keys {
        world.change_registry(Change::AddKey(key.clone(), usize::MAX)).await.unwrap();
    }
    for _ in 0..2 {
        let registry = world.store().registry();
        assert_eq!(registry.tenant(id).map(|known| &**known), Some(&tenant));
        assert!(registry.tenants().map(|known| &**known).eq([&tenant]));
        assert!(registry.keys().map(|known| &**known).eq(&keys));
        assert_eq!(registry.key(keys[1].id).map(|known| &**known), Some(&keys[1]));
        world.reopen().await;
    }
}

pub async fn webhooks_survive_reopening(mut world: World) {
    let tenant = world.tenant().await;
    let plain = world.webhook(tenant, "*").await;
    let expires_at = Some(world.now.plus(Duration::from_hours(24)));
    let full = world
        .webhook_with(tenant, |draft| {
            draft.livemode = true;
            draft.name = Some("orders".into());
            draft.description = Some("'; DROP TABLE webhooks; --".into());
            draft.event_type_names = vec!["order.*".into(), "kyc.decided".into()];
            draft.status = WebhookStatus::Disabled;
            draft.status_reason = Some("failing".into());
            draft.ordering = Ordering::None;
            draft.timeout = Duration::from_millis(1_500);
            draft.retry_schedule = Some(RetrySchedule::new(vec![]).unwrap());
            draft.max_in_flight = 1;
            draft.headers = CustomHeaders([("x-tenant".into(), "ä".into())].into());
            draft.metadata = [("k".to_owned(), "\u{1}".to_owned())].into();
            let secret = Secret::from_bytes(&[9; 24]).unwrap();
            let private_key = Some(PrivateKey::from_seed(&[3; 32]));
            draft.secrets.push(WebhookSecret {
                secret,
                private_key,
                created_at: START,
                expires_at,
            });
            draft.add_private_key(PrivateKey::from_seed(&[2; 32]));
        })
        .await;
    let before = world.store().registry();
    world.reopen().await;
    let after = world.store().registry();
    for webhook in [&plain, &full] {
        for registry in [&before, &after] {
            let found = registry.webhook(webhook.settings.id).unwrap();
            assert_eq!(found.number, webhook.number);
            assert_eq!(found.settings.timeout, webhook.settings.timeout);
            let signed = |at| (found.sign("evt_1", at, b"{}"), webhook.sign("evt_1", at, b"{}"));
            for at in [START, START.plus(Duration::from_hours(25))] {
                assert_eq!(found.to_api(at), webhook.to_api(at));
                let (found, made) = signed(at);
                assert_eq!(found, made, "it signs with the same keys");
            }
        }
    }
    assert_eq!(full.sign("evt_1", START, b"{}").split(' ').count(), 4);
}

pub async fn a_revoked_key_stays_revoked(mut world: World) {
    let tenant = world.tenant().await;
    let keys = [key(&mut world, Role::Operator, None), key(&mut world, Role::Tenant, Some(tenant))];
    for key in &keys {
        world.change_registry(Change::AddKey(key.clone(), usize::MAX)).await.unwrap();
    }
    let snapshot = world.store().registry();
    let revoked_at = world.now;
    for _ in 0..2 {
        world.change_registry(Change::RevokeKey(keys[0].id)).await.unwrap();
        world.later(Duration::from_secs(1));
    }
    world.change_registry(Change::RevokeKey(KeyId::new(START, 0))).await.unwrap();
    for _ in 0..2 {
        let registry = world.store().registry();
        assert_eq!(
            registry.key(keys[0].id).unwrap().revoked_at,
            Some(revoked_at),
            "the first time"
        );
        assert_eq!(registry.key(keys[1].id).unwrap().revoked_at, None);
        world.reopen().await;
    }
    assert_eq!(snapshot.key(keys[0].id).unwrap().revoked_at, None, "a snapshot does not change");
}

pub async fn a_change_applies_to_the_webhook_of_now(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let snapshot = world.store().registry();
    for round in 1..=3 {
        world.later(Duration::from_secs(1));
        let changed = world.change(&webhook, |draft| draft.max_in_flight += 1).await;
        assert_eq!(changed.number, webhook.number);
        assert_eq!(changed.settings.max_in_flight, webhook.settings.max_in_flight + round);
        assert_eq!(changed.settings.updated_at, world.now);
        assert_eq!(changed.settings.created_at, START);
    }
    world.reopen().await;
    let kept = world.store().registry().webhook(webhook.settings.id).cloned().unwrap();
    assert_eq!(kept.settings.max_in_flight, webhook.settings.max_in_flight + 3);
    assert_eq!(kept.settings.updated_at, world.now);
    let old = snapshot.webhook(webhook.settings.id).unwrap();
    assert_eq!(old.settings.max_in_flight, webhook.settings.max_in_flight);
}

pub async fn a_deleted_webhook_is_gone_and_remembered(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let id = webhook.settings.id;
    let now = world.now;
    world.change(&webhook, move |draft| draft.deleted_at = Some(now)).await;
    let unknown = WebhookId::new(START, 0);
    for _ in 0..2 {
        for id in [id, unknown] {
            let edit = Edit::new(|draft| {
                draft.deleted_at = None;
                Some(Edited::default())
            });
            let refused = world.change_registry(Change::EditWebhook(id, edit)).await;
            assert!(matches!(refused, Err(StoreError::Declined)), "{refused:?}");
        }
        let registry = world.store().registry();
        assert!(registry.webhook(id).is_none());
        assert!(registry.webhooks_of(tenant, false).is_empty());
        assert_eq!(registry.webhook_number(id), Some(webhook.number));
        let kept = registry.webhook_numbered(webhook.number).unwrap();
        assert_eq!(kept.settings.deleted_at, Some(now));
        world.reopen().await;
    }
}

pub async fn webhooks_are_listed_oldest_first_per_tenant_and_mode(mut world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let mut expected = Vec::new();
    for place in 0..6 {
        let livemode = place % 3 == 0;
        let webhook = world.webhook_with(tenant, |draft| draft.livemode = livemode).await;
        expected.extend((!livemode).then_some(webhook.number));
        world.webhook(other, "*").await;
        world.change(&webhook, |draft| draft.name = Some("changed".into())).await;
    }
    for _ in 0..2 {
        let registry = world.store().registry();
        let listed = registry.webhooks_of(tenant, false).iter().map(|webhook| webhook.number);
        assert_eq!(listed.collect::<Vec<_>>(), expected);
        assert_eq!(registry.webhooks_of(tenant, true).len(), 2);
        world.reopen().await;
    }
}

pub async fn nothing_is_added_twice_or_to_nobody(mut world: World) {
    let tenant = world.tenant().await;
    let known = world.store().registry().tenant(tenant).unwrap().as_ref().clone();
    world
        .change_registry(Change::AddTenant(known, Vec::new()))
        .await
        .expect_err("the tenant exists");
    let stranger = TenantId::new(START, 0);
    let lost = key(&mut world, Role::Tenant, Some(stranger));
    world
        .change_registry(Change::AddKey(lost, usize::MAX))
        .await
        .expect_err("there is no such tenant");
    let key = key(&mut world, Role::Tenant, Some(tenant));
    world.change_registry(Change::AddKey(key.clone(), usize::MAX)).await.unwrap();
    world.change_registry(Change::AddKey(key, usize::MAX)).await.expect_err("the key exists");
    let lost = make::webhook(stranger, world.bits(), world.now);
    world
        .change_registry(Change::AddWebhook(lost, usize::MAX))
        .await
        .expect_err("there is no such tenant");
    let draft = make::webhook(tenant, world.bits(), world.now);
    let added = world.change_registry(Change::AddWebhook(draft.clone(), usize::MAX)).await.unwrap();
    let first = added.webhook(draft.id).unwrap();
    world
        .change_registry(Change::AddWebhook(draft, usize::MAX))
        .await
        .expect_err("the webhook exists");
    let second = world.webhook(tenant, "*").await;
    assert_eq!((first.number, second.number), (1, 2), "what was refused used up nothing");
    let registry = world.store().registry();
    assert_eq!((registry.keys().count(), registry.webhooks_of(tenant, false).len()), (1, 2));
}

pub async fn an_edit_that_declines_changes_nothing(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    world.later(Duration::from_secs(1));
    let edit = Edit::new(|draft| {
        draft.name = Some("changed".into());
        None
    });
    let declined = world.change_registry(Change::EditWebhook(webhook.settings.id, edit)).await;
    assert!(matches!(declined, Err(StoreError::Declined)), "{declined:?}");
    for _ in 0..2 {
        let registry = world.store().registry();
        let kept = &registry.webhook(webhook.settings.id).unwrap().settings;
        assert_eq!((kept.name.as_deref(), kept.updated_at), (None, START));
        world.reopen().await;
    }
}

pub async fn a_notice_is_published_with_what_it_is_about(mut world: World) {
    let tenant = world.tenant().await;
    let webhook = world.webhook(tenant, "*").await;
    let (told, event) = (world.event(tenant), world.event(tenant));
    let notice = told.clone();
    let edit = Edit::new(|draft| {
        draft.name = Some("changed".into());
        Some(Edited { notice: Some(notice), release: None })
    });
    world.change_registry(Change::EditWebhook(webhook.settings.id, edit)).await.unwrap();
    let mut work = world.claim().await;
    assert_eq!(work.len(), 1);
    let work = work.remove(0);
    assert_eq!(work.claimed.event, told.id);
    let report = world.report(&work.claimed, make::DELIVERED);
    let report = Report { notice: Some(event.clone()), ..report };
    world.record(std::slice::from_ref(&report)).await;
    world.record(&[report]).await;
    world.reopen().await;
    let owed = world.deliveries(&webhook).await;
    let events: Vec<_> = owed.iter().map(|delivery| delivery.event).collect();
    assert_eq!(events, [told.id, event.id], "and a late report tells nothing");
}
