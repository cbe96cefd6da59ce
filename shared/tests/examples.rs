//! The examples of the catalogue: each reads and writes back, and together they tell one story.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use bluum_hooks_shared::catalogue::{CATALOGUE, EventType, find};
use bluum_hooks_shared::event::Data;
use bluum_hooks_shared::money::Decimal;
use bluum_hooks_shared::object::deposit::DepositStatus;
use bluum_hooks_shared::object::hold::HoldStatus;
use bluum_hooks_shared::object::kyc::KycStatus;
use bluum_hooks_shared::object::order::OrderStatus;
use bluum_hooks_shared::object::{
    self, Deposit, FundingSource, Hold, Order, Position, Transaction, Wallet, Withdrawal,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn data(name: &str) -> Data {
    Data::parse(name, find(name).unwrap().example_data)
}

fn written(event_type: &EventType) -> Value {
    match Data::parse(event_type.name, event_type.example_data) {
        Data::Order(object) => serde_json::to_value(object),
        Data::Deposit(object) => serde_json::to_value(object),
        Data::Withdrawal(object) => serde_json::to_value(object),
        Data::KycDecision(object) => serde_json::to_value(object),
        Data::Account(object) => serde_json::to_value(object),
        Data::Document(object) => serde_json::to_value(object),
        Data::Wallet(object) => serde_json::to_value(object),
        Data::Webhook(object) => serde_json::to_value(object),
        Data::Delivery(object) => serde_json::to_value(object),
        other => panic!("{}: {other:?}", event_type.name),
    }
    .unwrap()
}

#[test]
fn every_example_writes_back_what_was_read() {
    for event_type in CATALOGUE {
        let original: Value = serde_json::from_str(event_type.example_data).unwrap();
        for (key, value) in written(event_type).as_object().unwrap() {
            assert_eq!(
                value,
                original.get(key).unwrap_or(&Value::Null),
                "{} {key}",
                event_type.name
            );
        }
    }
}

#[test]
fn statuses_are_known_words() {
    let status = |name: &str| match data(name) {
        Data::Order(order) => order.status,
        other => panic!("{other:?}"),
    };
    assert_eq!(status("order.accepted"), OrderStatus::Pending);
    assert_eq!(status("order.partially_filled"), OrderStatus::Partial);
    assert_eq!(status("order.filled"), OrderStatus::Filled);
    assert_eq!(status("order.canceled"), OrderStatus::Cancelled);
    assert_eq!(status("order.rejected"), OrderStatus::Failed);
    assert!(
        matches!(data("kyc.decided"), Data::KycDecision(kyc) if kyc.status == KycStatus::Approved)
    );
}

fn order(name: &str) -> Order {
    let Data::Order(order) = data(name) else { panic!("{name}") };
    *order
}

fn deposit() -> Deposit {
    let Data::Deposit(deposit) = data("deposit.completed") else { panic!() };
    *deposit
}

fn withdrawal() -> Withdrawal {
    let Data::Withdrawal(withdrawal) = data("withdrawal.completed") else { panic!() };
    *withdrawal
}

fn wallet() -> Wallet {
    let Data::Wallet(wallet) = data("wallet.updated") else { panic!() };
    *wallet
}

#[test]
fn quantities_of_an_order_add_up() {
    for name in ["order.accepted", "order.partially_filled", "order.filled", "order.canceled"] {
        let order = order(name);
        let sum = order.filled_quantity.unwrap().checked_add(order.remaining_quantity.unwrap());
        assert_eq!(sum, order.quantity, "{name}");
    }
}

/// 5000.00 come in, 10 AAPL at 178.50 reserve 1785.00 of them, 1200.00 of the rest go out.
#[test]
fn the_amounts_tell_one_story() {
    let (deposit, wallet, filled) = (deposit(), wallet(), order("order.filled"));
    assert_eq!(deposit.status, DepositStatus::Completed);
    assert_eq!(deposit.money().unwrap().to_string(), "5000.00 USD");
    assert_eq!(wallet.balance, deposit.amount);
    assert_eq!(wallet.is_balanced(), Some(true));

    let hold = wallet.hold.unwrap();
    assert_eq!(hold.order_id.unwrap(), filled.id);
    assert_eq!(hold.amount, filled.filled_value());
    assert_eq!(hold.amount, wallet.reserved_balance);
    assert_eq!(filled.filled_value().unwrap().to_string(), "1785.00");

    let left = wallet.available_balance.unwrap().checked_sub(withdrawal().amount.unwrap()).unwrap();
    assert!(left >= Decimal::ZERO);

    let investors =
        [deposit.investor_id, wallet.investor_id, filled.investor_id, withdrawal().investor_id];
    assert!(investors.iter().all(|investor| *investor == investors[0]));
}

/// The order filled, its hold is spent, and what it cost is in the wallet's history and a position.
#[test]
fn the_objects_without_events_go_on_with_it() {
    let cost = order("order.filled").filled_value();
    let hold: Hold = object::read(Hold::EXAMPLE).unwrap();
    assert_eq!((hold.status, hold.amount), (HoldStatus::Captured, cost));
    assert_eq!(hold.order_id.unwrap(), order("order.filled").id);

    let transaction: Transaction = object::read(Transaction::EXAMPLE).unwrap();
    assert_eq!((transaction.is_balanced(), transaction.amount), (Some(true), cost));
    assert_eq!(transaction.balance_before, wallet().balance);
    assert_eq!(transaction.balance_after, wallet().available_balance);
    assert_eq!(transaction.wallet_id.unwrap(), wallet().id);
    assert_eq!(transaction.completed_at, order("order.filled").filled_at);

    let position: Position = object::read(Position::EXAMPLE).unwrap();
    let times = |price: Option<Decimal>| position.quantity.unwrap().checked_mul(price.unwrap());
    assert_eq!(position.total_cost_basis, cost);
    assert_eq!(times(position.average_cost_basis), cost);
    assert_eq!(times(position.current_price), position.market_value);
    assert_eq!(position.market_value.unwrap().checked_sub(cost.unwrap()), position.unrealized_pl);

    let source: FundingSource = object::read(FundingSource::EXAMPLE).unwrap();
    assert_eq!(Some(source.id), deposit().funding_source_id);
}

/// An object that no event is about: its example, what it needs, and how it writes back.
type Shape = (&'static str, &'static [&'static str], fn(&str) -> Option<Value>);

const OTHERS: [Shape; 4] = [
    (Hold::EXAMPLE, &["status"], written_back::<Hold>),
    (Transaction::EXAMPLE, &["id"], written_back::<Transaction>),
    (Position::EXAMPLE, &["id"], written_back::<Position>),
    (FundingSource::EXAMPLE, &["id", "status"], written_back::<FundingSource>),
];

fn written_back<T: DeserializeOwned + Serialize>(json: &str) -> Option<Value> {
    Some(serde_json::to_value(object::read::<T>(json).ok()?).unwrap())
}

#[test]
fn the_objects_without_events_keep_the_rules_of_the_others() {
    for (example, needed, read) in OTHERS {
        let whole: Value = serde_json::from_str(example).unwrap();
        assert_eq!(read(example).as_ref(), Some(&whole));
        for key in whole.as_object().unwrap().keys() {
            let changed = |value: Option<Value>| {
                let mut changed = whole.clone();
                match value {
                    Some(value) => changed[key] = value,
                    None => drop(changed.as_object_mut().unwrap().remove(key)),
                }
                read(&changed.to_string())
            };
            let needed = needed.contains(&key.as_str());
            assert_eq!(changed(None).is_none(), needed, "{key}");
            assert_eq!(changed(Some(Value::Null)).is_none(), needed, "{key}");
            assert!(changed(Some("a_word_to_come".into())).is_some() || key != "status");
            for other in of_other_kinds() {
                let _ = changed(Some(other));
            }
        }
        let more = example.replacen('{', "{\"a_field_to_come\":[1e999],", 1);
        assert_eq!(read(&more), Some(whole));
    }
}

#[test]
fn a_wallet_carries_what_changed_it() {
    let data = format!(
        r#"{{"id":"wlt_1","status":"active","hold":{},"transaction":{}}}"#,
        Hold::EXAMPLE,
        Transaction::EXAMPLE
    );
    let Data::Wallet(wallet) = Data::parse("wallet.updated", &data) else { panic!() };
    assert_eq!(wallet.hold, object::read(Hold::EXAMPLE).ok());
    assert_eq!(wallet.transaction, object::read(Transaction::EXAMPLE).ok());
}

fn is_typed(name: &str, data: &Value) -> bool {
    !matches!(Data::parse(name, &data.to_string()), Data::Unreadable { .. } | Data::Unknown)
}

#[test]
fn only_the_id_and_the_status_are_needed() {
    for event_type in CATALOGUE {
        let example: Value = serde_json::from_str(event_type.example_data).unwrap();
        for key in example.as_object().unwrap().keys() {
            let needed = key == "id" || key == "status";
            let mut without = example.clone();
            without.as_object_mut().unwrap().remove(key);
            assert_eq!(is_typed(event_type.name, &without), !needed, "{} {key}", event_type.name);
            let mut null = example.clone();
            null[key] = Value::Null;
            assert_eq!(is_typed(event_type.name, &null), !needed, "{} {key}", event_type.name);
        }
    }
}

#[test]
fn words_and_fields_to_come_are_read() {
    for event_type in CATALOGUE {
        let mut data: Value = serde_json::from_str(event_type.example_data).unwrap();
        data["status"] = "a_word_to_come".into();
        data["a_field_to_come"] = serde_json::json!({"deep": [1, null]});
        assert!(is_typed(event_type.name, &data), "{}", event_type.name);
    }
}

fn of_other_kinds() -> Vec<Value> {
    let kinds = serde_json::json!([
        true, 0, -1, 1.5e300, "", "x", "1e9", "\u{0}", [], {}, [[[]]], {"id": null},
        "9".repeat(10_000),
    ]);
    kinds.as_array().unwrap().clone()
}

/// Any field may turn into anything: the data is typed or not, and nothing else happens.
#[test]
fn fields_of_other_kinds_never_panic() {
    for event_type in CATALOGUE {
        let example: Value = serde_json::from_str(event_type.example_data).unwrap();
        for key in example.as_object().unwrap().keys() {
            for other in of_other_kinds() {
                let mut data = example.clone();
                data[key] = other;
                let _ = is_typed(event_type.name, &data);
            }
        }
    }
}
