use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use super::*;

fn waits<T>(turn: Pin<&mut impl Future<Output = T>>) -> bool {
    turn.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

fn slots(total: usize) -> Slots {
    Slots::new(total, Bell::default())
}

#[test]
fn the_first_half_is_for_whoever_comes_and_the_last_quarter_goes_round() {
    let slots = slots(8);
    let first = slots.take(1, 3, 10);
    assert_eq!(first.len(), 4, "more than it takes requests, up to half of all");
    let second = slots.take(2, 1, 10);
    assert_eq!(second.len(), 1, "no more than it takes requests");
    let other = slots.take(2, 100, 10);
    assert_eq!((other.len(), slots.in_flight()), (1, 6), "three quarters are taken");
    assert!(slots.take_now(1, 100).is_none(), "it has some");
    let third = slots.take(3, 100, 10);
    let fourth = slots.take(4, 100, 10);
    assert_eq!((third.len(), fourth.len(), slots.in_flight()), (1, 1, 8));
    assert!(slots.take_now(5, 100).is_none(), "all are taken");
}

#[test]
fn however_many_hang_there_is_room_for_one_that_does_not() {
    let slots = slots(1024);
    let hanging: Vec<_> = (0..200).map(|webhook| slots.take(webhook, 32, 32)).collect();
    assert_eq!(hanging.iter().filter(|taken| taken.len() == 32).count(), 24);
    assert_eq!(hanging.iter().filter(|taken| taken.len() == 1).count(), 176);
    assert!(slots.take_now(1_000, 32).is_some());
}

#[tokio::test]
async fn who_has_not_got_its_share_is_woken_when_there_is_room_for_more() {
    let bell = Bell::default();
    let slots = Slots::new(4, bell.clone());
    let held = slots.take(1, 8, 8);
    let other = slots.take(2, 8, 8);
    assert_eq!((held.len(), other.len()), (3, 1));
    drop(held);
    bell.heard().await;
    assert_eq!(slots.take(2, 8, 8).len(), 2);
}

#[test]
fn one_that_is_silent_gets_fewer_then_none_then_one() {
    let slots = slots(100);
    let silence = Sign::Silence(Duration::from_secs(30));
    let mut now = Duration::from_secs(100);
    for allowed in [8, 2, 1] {
        let held = slots.take(1, 4, 8);
        assert_eq!(held.len(), allowed);
        let began = now;
        now += Duration::from_secs(30);
        slots.learn(1, 4, silence, began, now);
    }
    assert!(slots.take(1, 4, 8).is_empty());
    let end = now + Duration::from_secs(30);
    assert_eq!(slots.end_pauses(now), Some(end));
    assert_eq!(slots.paused_until(1), Some(end));
    assert_eq!(slots.end_pauses(end), None);
    let probe = slots.take(1, 4, 8);
    assert_eq!(probe.len(), 1);
    assert!(!slots.hand_on(1, 4) || slots.take(1, 4, 8).is_empty());
    slots.learn(1, 4, Sign::Answer, end, end);
    assert_eq!(slots.take(1, 4, 8).len(), 1, "two at once now");
    slots.unlearn(1);
    assert_eq!(slots.take(1, 4, 8).len(), 8);
}

#[test]
fn nobody_jumps_the_line() {
    let slots = slots(2);
    let held = slots.take_now(1, 1);
    assert!(held.is_some());
    assert!(slots.take_now(1, 1).is_none(), "full: this one waits in the database");
    slots.set_backlog(1, 1);
    drop(held);
    assert!(slots.take_now(1, 1).is_none(), "and so does the next, behind it");
    assert_eq!(slots.backlogged(), [1]);
    slots.look_again();
    assert!(slots.take_now(1, 1).is_some());
}

#[tokio::test]
async fn what_waits_is_claimed_when_half_is_done_and_not_one_by_one() {
    let bell = Bell::default();
    let slots = Slots::new(64, bell.clone());
    let mut held = slots.take(1, 1, 100);
    assert_eq!(held.len(), AHEAD, "one is sent, the others are here when it is answered");
    slots.set_backlog(1, 1);
    assert!(!slots.hand_on(1, 1), "others have waited longer");
    held.truncate(AHEAD / 2 + 1);
    slots.look_again();
    assert!(slots.take(1, 1, 100).is_empty());
    assert_eq!(slots.backlogged(), [1]);
    held.truncate(AHEAD / 2);
    bell.heard().await;
    slots.look_again();
    assert_eq!(slots.take(1, 1, 100).len(), AHEAD / 2);
}

#[tokio::test]
async fn who_has_none_ahead_is_woken_by_each_that_is_done() {
    let bell = Bell::default();
    let slots = Slots::new(8, bell.clone());
    let mut held = slots.take(1, 6, 100);
    assert_eq!(held.len(), 6);
    slots.set_backlog(1, 6);
    held.pop();
    bell.heard().await;
    slots.look_again();
    assert_eq!(slots.take(1, 6, 100).len(), 1);
}

#[test]
fn scarce_slots_go_round() {
    let slots = slots(1);
    let mut served = Vec::new();
    for _ in 0..6 {
        let mut waiting = [3, 1, 2];
        slots.in_turn(&mut waiting);
        served.extend(waiting.into_iter().find(|&webhook| !slots.take(webhook, 8, 8).is_empty()));
    }
    assert_eq!(served, [1, 2, 3, 1, 2, 3]);
}

#[test]
fn counts_of_idle_webhooks_are_forgotten() {
    let slots = slots(10);
    for webhook in 0..100 {
        drop(slots.take_now(webhook, 1));
    }
    assert!(slots.shared.lock().of_webhook.is_empty());
}

#[tokio::test]
async fn a_slot_that_is_waited_for_rings_the_bell() {
    let bell = Bell::default();
    let slots = Slots::new(1, bell.clone());
    let held = slots.take_now(1, 8);
    assert!(slots.take_now(2, 8).is_none());
    drop(held);
    bell.heard().await;
}

#[tokio::test]
async fn turns_go_round_in_the_order_they_were_asked_for() {
    let slots = slots(100);
    let held = slots.take(1, 2, 4);
    let [first, second] = [held[0].turn(2).await, held[1].turn(2).await];
    let mut third = pin!(held[2].turn(2));
    let mut fourth = pin!(held[3].turn(2));
    assert!(waits(third.as_mut()) && waits(fourth.as_mut()), "two at once");
    drop(first);
    assert!(waits(fourth.as_mut()));
    let third = third.await;
    assert!(third.is_some());
    drop((second, third));
    assert!(fourth.await.is_some());
}

#[tokio::test]
async fn a_turn_that_nobody_waits_for_any_more_goes_to_the_next() {
    let slots = slots(100);
    let held = slots.take(1, 1, 3);
    let first = held[0].turn(1).await;
    let mut gone = Box::pin(held[1].turn(1));
    let mut third = pin!(held[2].turn(1));
    assert!(waits(gone.as_mut()) && waits(third.as_mut()));
    drop(gone);
    drop(first);
    assert!(third.await.is_some());
}

#[tokio::test]
async fn who_pauses_gives_no_turns() {
    let slots = slots(100);
    let held = slots.take(1, 1, 2);
    let first = held[0].turn(1).await;
    let mut second = pin!(held[1].turn(1));
    assert!(waits(second.as_mut()));
    slots.learn(1, 1, Sign::OurFault, Duration::ZERO, Duration::from_secs(1));
    drop(first);
    assert!(second.await.is_none() && held[0].turn(1).await.is_none());
}
