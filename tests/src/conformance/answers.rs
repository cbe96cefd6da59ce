//! First answers: kept in the commit of what they answer, under a key that nobody else can use
//! until they expire.

use std::time::Duration;

use bluum_hooks_dispatcher::store::{
    ANSWER_LIFE, Accepted, Answer, Key, NewAnswer, NewEvent, StoreError,
};
use bluum_hooks_shared::api::Role;
use bluum_hooks_shared::id::KeyId;

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
    world.store().add_key(key).await.unwrap();
    id
}

/// An answer whose body tells it from others.
fn new(caller: KeyId, key: &str, body: &str) -> NewAnswer {
    let body = body.to_owned().into();
    let answer = Answer { request_sha256: "0".repeat(64), status: 202, body };
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
