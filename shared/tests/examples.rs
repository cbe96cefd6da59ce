//! The examples of the catalogue: each reads and writes back, and together they tell one story.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use bluum_hooks_shared::catalogue::{CATALOGUE, EventType, find};
use bluum_hooks_shared::event::Data;
use bluum_hooks_shared::money::Decimal;
use bluum_hooks_shared::object::deposit::DepositStatus;
use bluum_hooks_shared::object::kyc::KycStatus;
use bluum_hooks_shared::object::order::OrderStatus;
use bluum_hooks_shared::object::{Deposit, Order, Wallet, Withdrawal};
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

/// Any field may turn into anything: the data is typed or not, and nothing else happens.
#[test]
fn fields_of_other_kinds_never_panic() {
    let others = serde_json::json!([
        true, 0, -1, 1.5e300, "", "x", "1e9", "\u{0}", [], {}, [[[]]], {"id": null},
        "9".repeat(10_000),
    ]);
    for event_type in CATALOGUE {
        let example: Value = serde_json::from_str(event_type.example_data).unwrap();
        for key in example.as_object().unwrap().keys() {
            for other in others.as_array().unwrap() {
                let mut data = example.clone();
                data[key] = other.clone();
                let _ = is_typed(event_type.name, &data);
            }
        }
    }
}
