//! The built-in scenarios are true stories: ids, times and amounts agree from event to event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bluum_hooks_receiver::object::hold::HoldStatus;
use bluum_hooks_receiver::object::{Order, Transaction, Wallet};
use bluum_hooks_receiver::{Data, Decimal, Event};
use bluum_hooks_shared::catalogue::CATALOGUE;
use bluum_hooks_shared::time::Timestamp;
use serde_json::Value;

use super::scenario::Scenario;
use super::story::Story;
use crate::random::SystemRandom;

const BEGIN: Timestamp = Timestamp::from_micros(1_790_000_000_250_000);

fn told(scenario: &Scenario) -> Vec<Event> {
    let drafts = Story::all(scenario, BEGIN, &SystemRandom).unwrap();
    drafts.iter().map(|draft| Event::parse(draft.body().as_bytes()).unwrap()).collect()
}

/// Every text and number in the data, with the name of its field.
fn leaves<'a>(name: &'a str, value: &'a Value, found: &mut Vec<(&'a str, &'a Value)>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| leaves(name, value, found)),
        Value::Array(items) => items.iter().for_each(|value| leaves(name, value, found)),
        value => found.push((name, value)),
    }
}

/// What one partner would write down about one wallet and its orders.
#[derive(Default)]
struct Books {
    balance: Option<Decimal>,
    /// What each order has reserved.
    holds: BTreeMap<String, HoldStatus>,
    reserved: Decimal,
    orders: BTreeMap<String, Order>,
    /// What orders have cost, deposits brought and withdrawals taken so far.
    moved: BTreeMap<String, Decimal>,
}

impl Books {
    fn enter(&mut self, event: &Event) {
        match &event.data {
            Data::Order(order) => {
                let id = order.id.to_string();
                if let (Some(all), Some(rest)) = (order.quantity, order.remaining_quantity) {
                    let filled = order.filled_quantity.unwrap();
                    assert_eq!(filled.checked_add(rest), Some(all), "{order:?}");
                    if let Some(value) = order.filled_value() {
                        self.moved.insert(id.clone(), value);
                    }
                }
                if let Some(before) = self.orders.insert(id, (**order).clone()) {
                    assert_eq!(before.quantity, order.quantity);
                    assert_eq!(before.submitted_at, order.submitted_at);
                    assert!(before.filled_quantity <= order.filled_quantity);
                }
            }
            Data::Deposit(deposit) if deposit.completed_at.is_some() => {
                self.moved.insert(deposit.id.to_string(), deposit.amount.unwrap());
            }
            Data::Withdrawal(withdrawal) if withdrawal.completed_at.is_some() => {
                self.moved.insert(withdrawal.id.to_string(), withdrawal.amount.unwrap());
            }
            Data::Wallet(wallet) => self.enter_wallet(wallet),
            Data::Unknown | Data::Unreadable { .. } => panic!("{event:?}"),
            _ => {}
        }
    }

    fn enter_wallet(&mut self, wallet: &Wallet) {
        assert_eq!(wallet.is_balanced(), Some(true), "{wallet:?}");
        if let Some(transaction) = &wallet.transaction {
            self.enter_transaction(transaction);
            assert_eq!(transaction.balance_after, wallet.balance);
        }
        if let Some(known) = self.balance {
            assert_eq!(Some(known), wallet.balance, "money came from nowhere: {wallet:?}");
        }
        self.balance = wallet.balance;
        if let Some(hold) = &wallet.hold {
            let order = hold.order_id.as_ref().unwrap().to_string();
            assert!(self.orders.contains_key(&order), "a hold for no order: {wallet:?}");
            let before = self.holds.insert(order, hold.status.clone());
            let active = hold.status == HoldStatus::Active;
            assert!(active || before == Some(HoldStatus::Active), "{wallet:?}");
            match active {
                true => self.reserved = hold.amount.unwrap(),
                false => {
                    assert_eq!(Some(self.reserved), hold.amount, "another amount than was held");
                    self.reserved = Decimal::ZERO;
                }
            }
        }
        assert_eq!(Some(self.reserved), wallet.reserved_balance);
    }

    fn enter_transaction(&mut self, transaction: &Transaction) {
        assert_eq!(transaction.is_balanced(), Some(true), "{transaction:?}");
        if let Some(known) = self.balance {
            assert_eq!(Some(known), transaction.balance_before, "{transaction:?}");
        }
        let amount = transaction.amount.unwrap();
        let cause = self.moved.iter().find(|(_, moved)| **moved == amount).map(|it| it.0.clone());
        let cause = cause.unwrap_or_else(|| panic!("nothing moved this: {transaction:?}"));
        self.moved.remove(&cause);
        self.balance = transaction.balance_after;
    }
}

#[test]
fn the_amounts_of_every_scenario_add_up_and_every_hold_ends() {
    for scenario in Scenario::built_in() {
        let mut books = Books::default();
        for event in told(&scenario) {
            books.enter(&event);
        }
        let ended =
            |status: &HoldStatus| matches!(status, HoldStatus::Captured | HoldStatus::Released);
        assert!(books.holds.values().all(ended), "{}: {:?}", scenario.name, books.holds);
        assert_eq!(books.reserved, Decimal::ZERO, "{}", scenario.name);
    }
}

#[test]
fn times_rise_and_lie_within_the_story() {
    for scenario in Scenario::built_in() {
        let mut last = BEGIN.minus(Duration::from_millis(1));
        for event in told(&scenario) {
            assert!(event.timestamp > last, "{}: {event:?}", scenario.name);
            last = event.timestamp;
            let data: Value = serde_json::from_str(event.raw_data()).unwrap();
            let mut found = Vec::new();
            leaves("", &data, &mut found);
            for (name, value) in found {
                if name == "created" {
                    assert_eq!(value.as_i64(), Some(BEGIN.as_unix_seconds()), "{event:?}");
                }
                // A document is good for years.
                let text = value.as_str().filter(|_| name != "expires_at");
                let Some(at) = text.and_then(|text| text.parse::<Timestamp>().ok()) else {
                    continue;
                };
                assert!(at >= BEGIN && at <= last, "{}: {name} of {event:?}", scenario.name);
            }
        }
    }
}

#[test]
fn the_ids_of_a_telling_are_its_own_and_agree() {
    let looks_like_an_id = |text: &str| {
        text.split_once('_').is_some_and(|(kind, rest)| {
            kind.len() <= 4 && rest.len() == 26 && rest.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    };
    for scenario in Scenario::built_in() {
        let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut events = BTreeSet::new();
        for event in told(&scenario) {
            assert!(events.insert(event.id.clone()), "{} twice", event.id);
            let data: Value = serde_json::from_str(event.raw_data()).unwrap();
            let owner =
                if data["object"] == "investor" { &data["id"] } else { &data["investor_id"] };
            assert_eq!(event.investor_id.as_deref(), owner.as_str(), "{event:?}");
            let mut found = Vec::new();
            leaves("", &data, &mut found);
            let texts = found.iter().filter_map(|(_, value)| value.as_str());
            for id in texts.filter(|text| looks_like_an_id(text)) {
                let old = CATALOGUE.iter().any(|known| known.example_data.contains(id));
                assert!(!old, "{}: {id} is an example's, in {event:?}", scenario.name);
                let kind = id.split_once('_').unwrap().0;
                ids.entry(kind.to_owned()).or_default().insert(id.to_owned());
            }
        }
        for (kind, ids) in ids {
            assert!(kind == "txn" || ids.len() == 1, "{}: {ids:?}", scenario.name);
        }
    }
}

#[test]
fn a_duplicate_is_the_very_event_and_what_begins_with_another_is_not() {
    let text = r#"{"steps":[{"type":"order.filled","set":{"data.id":"ord_{{ ulid() }}"}},
        {"same_as":-1,"fault":"duplicate"},{"same_as":-2,"type":"order.canceled"}]}"#;
    let scenario = Scenario::parse("x.json", text).unwrap();
    let drafts = Story::all(&scenario, BEGIN, &SystemRandom).unwrap();
    assert_eq!((drafts[0].id, drafts[0].body()), (drafts[1].id, drafts[1].body()));
    assert!(drafts[1].again && !drafts[0].again && drafts[2].id != drafts[0].id);
    assert_eq!(drafts[2].data.get(), drafts[0].data.get());
    assert_eq!(drafts[2].name, "order.canceled");
}

#[test]
fn what_cannot_be_told_names_file_step_and_path() {
    for (step, words) in [
        (
            r#"{"type":"order.filled","set":{"data.staus":"x"}}"#,
            "x: step 1: there is no 'data.staus' in order.filled; did you mean 'data.status'?",
        ),
        (r#"{"type":"order.filled","set":{"status":"x"}}"#, "did you mean 'data.status'?"),
        (r#"{"type":"order.filled","set":{"livemode":true}}"#, "did you mean 'data.livemode'?"),
        (r#"{"type":"order.filled","set":{"+zzzzzz":true}}"#, "paths begin with 'data.'"),
        (r#"{"type":"order.filled","set":{"data.zzzzzzzzzzzz":1}}"#, "+data.zzzzzzzzzzzz adds it"),
        (r#"{"type":"order.filled","unset":["data.x_price"]}"#, "did you mean 'data."),
        (r#"{"type":"order.filled","set":{"timestamp":"today"}}"#, "expected an RFC 3339 time"),
        (r#"{"type":"order.filled","set":{"data":7}}"#, "'data' must be an object"),
        (r#"{"type":"order.filled","unset":["data"]}"#, "missing field `data`"),
        (r#"{"type":"order.filled","set":{"data.id":"{{ x }}"}}"#, "step 1: data.id: there is no"),
    ] {
        let text = format!(r#"{{"name":"x","title":"y","steps":[{step}]}}"#);
        let scenario = Scenario::parse("x.json", &text).unwrap();
        let failure = Story::all(&scenario, BEGIN, &SystemRandom).unwrap_err().to_string();
        assert!(failure.starts_with("x: step 1: ") && failure.contains(words), "{failure}");
    }
}
