//! First answers: kept in the commit of what they answer, under a key that nobody else can use
//! until they expire.

use std::time::Duration;

use bluum_hooks_dispatcher::store::{
    ANSWER_LIFE, Accepted, Answer, Change, Keep, Key, NewAnswer, NewEvent, Registry, StoreError,
    StoredDelivery, Tenant,
};
use bluum_hooks_shared::api::Role;
use bluum_hooks_shared::id::{KeyId, TenantId};

use super::world::World;

/// An operator's key, to ask with.
async fn caller(world: &mut World) -> KeyId {
    let key = Key {
        id: KeyId::new(world.now, world.bits()),
        role: Role::Operator,
        tenant: None,
        livemode: false,
        investor_id: None,
        name: None,
        secret_sha256: "0".repeat(64),
        created_at: world.now,
        revoked_at: None,
    };
    let id = key.id;
    world.change_registry(Change::AddKey(key, usize::MAX)).await.unwrap();
    id
}

/// An answer whose body tells it from others.
fn new(caller: KeyId, key: &str, body: &str) -> NewAnswer {
    let body = body.to_owned().into();
    let answer = Answer { request_sha256: "0".repeat(64), status: 202, body, secret: false };
    NewAnswer { caller, idempotency_key: key.into(), answer }
}

async fn accept(
    world: &World,
    events: &[NewEvent],
    answers: &[NewAnswer],
) -> Result<Accepted, StoreError> {
    world.store().accept(events, answers, &world.slots, world.now).await
}

async fn kept(world: &World, caller: KeyId, key: &str) -> Option<String> {
    let found = world.store().answer(caller, key, world.now).await.unwrap();
    found.map(|answer| String::from_utf8(answer.body.to_vec()).unwrap())
}

pub async fn an_answer_is_kept_with_what_it_answers(mut world: World) {
    let (tenant, caller) = (world.tenant().await, caller(&mut world).await);
    let event = world.event(tenant);
    let answers = [new(caller, "a", "{\"id\":\"ä\"}"), new(caller, "b", ""), new(caller, "c", "c")];
    accept(&world, std::slice::from_ref(&event), &answers).await.unwrap();
    for _ in 0..2 {
        for expected in &answers {
            let key = &expected.idempotency_key;
            let found = world.store().answer(caller, key, world.now).await.unwrap();
            assert_eq!(found.as_ref(), Some(&expected.answer));
        }
        assert_eq!(kept(&world, caller, "d").await, None);
        assert!(world.store().event(event.id).await.unwrap().is_some());
        world.reopen().await;
    }
}

pub async fn a_key_in_use_refuses_the_batch(mut world: World) {
    let (tenant, caller) = (world.tenant().await, caller(&mut world).await);
    let webhook = world.webhook(tenant, "*").await;
    accept(&world, &[], &[new(caller, "a", "first")]).await.unwrap();
    let event = world.event(tenant);
    for spoilt in [
        [new(caller, "b", "b"), new(caller, "a", "second")],
        [new(caller, "c", "c"), new(caller, "c", "c")],
    ] {
        let refused = accept(&world, std::slice::from_ref(&event), &spoilt).await;
        assert!(matches!(refused, Err(StoreError::KeyUsed)), "{refused:?}");
    }
    assert!(world.deliveries(&webhook).await.is_empty());
    assert_eq!(world.slots.in_flight(), 0);
    assert_eq!(kept(&world, caller, "a").await.as_deref(), Some("first"));
    assert_eq!((kept(&world, caller, "b").await, kept(&world, caller, "c").await), (None, None));
    accept(&world, &[event], &[new(caller, "b", "b")]).await.unwrap();
}

pub async fn what_is_refused_keeps_no_answer(mut world: World) {
    let (tenant, caller) = (world.tenant().await, caller(&mut world).await);
    let event = world.event(tenant);
    accept(&world, std::slice::from_ref(&event), &[]).await.unwrap();
    let refused = accept(&world, &[event], &[new(caller, "a", "a")]).await;
    assert!(matches!(refused, Err(StoreError::Database(_))), "the event exists");
    assert_eq!(kept(&world, caller, "a").await, None);
}

pub async fn callers_do_not_meet(mut world: World) {
    let (one, two) = (caller(&mut world).await, caller(&mut world).await);
    accept(&world, &[], &[new(one, "a", "one"), new(two, "a", "two")]).await.unwrap();
    assert_eq!(kept(&world, one, "a").await.as_deref(), Some("one"));
    assert_eq!(kept(&world, two, "a").await.as_deref(), Some("two"));
}

pub async fn an_answer_expires(mut world: World) {
    let caller = caller(&mut world).await;
    accept(&world, &[], &[new(caller, "a", "first")]).await.unwrap();
    world.later(ANSWER_LIFE - Duration::from_micros(1));
    accept(&world, &[], &[new(caller, "b", "later")]).await.unwrap();
    assert_eq!(kept(&world, caller, "a").await.as_deref(), Some("first"));
    let refused = accept(&world, &[], &[new(caller, "a", "second")]).await;
    assert!(matches!(refused, Err(StoreError::KeyUsed)));
    world.later(Duration::from_micros(1));
    assert_eq!(kept(&world, caller, "a").await, None);
    assert_eq!(kept(&world, caller, "b").await.as_deref(), Some("later"));
    accept(&world, &[], &[new(caller, "a", "second")]).await.unwrap();
    assert_eq!(kept(&world, caller, "a").await.as_deref(), Some("second"), "and the key is free");
    world.later(ANSWER_LIFE - Duration::from_micros(1));
    assert_eq!(kept(&world, caller, "a").await.as_deref(), Some("second"));
}

pub async fn an_answer_that_shows_a_secret_is_kept_whole(mut world: World) {
    let caller = caller(&mut world).await;
    let mut shown = new(caller, "a", "{\"secret\":\"whsec_ä\"}");
    shown.answer.secret = true;
    accept(&world, &[], &[shown.clone(), new(caller, "b", "plain")]).await.unwrap();
    for _ in 0..2 {
        let found = world.store().answer(caller, "a", world.now).await.unwrap();
        assert_eq!(found, Some(shown.answer.clone()));
        assert_eq!(kept(&world, caller, "b").await.as_deref(), Some("plain"));
        world.reopen().await;
    }
    world.later(ANSWER_LIFE);
    accept(&world, &[], &[new(caller, "a", "plain now")]).await.unwrap();
    let found = world.store().answer(caller, "a", world.now).await.unwrap().unwrap();
    assert_eq!((&*found.body, found.secret), (&b"plain now"[..], false));
}

pub async fn a_change_keeps_its_answer_or_is_not_made(mut world: World) {
    let (tenant, caller) = (world.tenant().await, caller(&mut world).await);
    let told = move |registry: &Registry| {
        new(caller, "a", &format!("{} tenants", registry.tenants().count()))
    };
    for (bits, refused) in [(1, false), (2, true)] {
        let id = TenantId::new(world.now, bits);
        let tenant = Tenant { id, name: "T".into(), metadata: [].into(), created_at: world.now };
        let change = Change::AddTenant(tenant, Vec::new());
        let changed = world.store().change(change, Some(Box::new(told)), world.now).await;
        assert_eq!(matches!(changed, Err(StoreError::KeyUsed)), refused, "{changed:?}");
    }
    let (webhook, event) = (world.webhook(tenant, "*").await, world.event(tenant));
    let work = world.accept_one(&event).await;
    let id = work.claimed.id;
    world.finish(work, super::make::DELIVERED).await;
    let keep = |key: &'static str| -> Option<Keep<StoredDelivery>> {
        Some(Box::new(move |after: &StoredDelivery| new(caller, key, &after.id.to_string())))
    };
    let used = world.store().replay(id, keep("a"), world.now).await;
    assert!(matches!(used, Err(StoreError::KeyUsed)), "{used:?}");
    world.store().replay(id, keep("b"), world.now).await.unwrap();
    for _ in 0..2 {
        assert_eq!(world.store().registry().tenants().count(), 2);
        assert_eq!(kept(&world, caller, "a").await.as_deref(), Some("2 tenants"));
        assert_eq!(kept(&world, caller, "b").await, Some(id.to_string()));
        assert_eq!(world.deliveries(&webhook).await[0].progress.attempts, 1);
        world.reopen().await;
    }
}
